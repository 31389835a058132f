#include "src/core/node_index.h"

#include <vector>

#include "gtest/gtest.h"

namespace freehold::core {
namespace {

class NodeIndexTest : public testing::Test {
 protected:
  RecordIndex NewRecord() {
    const RecordIndex index = slabs_.Allocate();
    slabs_.At(index).copies = 0;
    slabs_.At(index).overflow = kNone;
    return index;
  }
  void Link(RecordIndex record, PeerIndex node, FreeState state) {
    nodes_.Link(record, copies_.Insert(slabs_.At(record), node), state);
  }
  void Unlink(RecordIndex record, PeerIndex node) {
    nodes_.Unlink(*copies_.Find(slabs_.At(record), node));
    copies_.Remove(slabs_.At(record), node);
  }
  void Move(RecordIndex record, PeerIndex node, FreeState state) {
    nodes_.Move(record, copies_.Find(slabs_.At(record), node), state);
  }
  // From the head on; checks the way back as it goes.
  std::vector<RecordIndex> ListOf(PeerIndex node, FreeState state) {
    const NodeIndex::List& list = nodes_.At(node).list(state);
    std::vector<RecordIndex> records;
    RecordIndex previous = kNoRecord;
    for (RecordIndex at = list.head; at != kNoRecord;) {
      const Copy* copy = copies_.Find(slabs_.At(at), node);
      EXPECT_EQ(copy->state(), state);
      EXPECT_EQ(copy->previous, previous);
      records.push_back(at);
      previous = at;
      at = copy->next;
    }
    EXPECT_EQ(list.tail, previous);
    EXPECT_EQ(list.count, records.size());
    return records;
  }
  static FreeItem Late(uint64_t object) { return FreeItem{ObjectId::FromNumber(object), 0}; }
  std::vector<ObjectId> TakeLate(PeerIndex node, size_t at_most) {
    std::vector<ObjectId> taken;
    nodes_.TakeLateFrees(node, [&](const FreeItem& item) {
      if (taken.size() == at_most) return false;
      taken.push_back(item.object);
      return true;
    });
    return taken;
  }

  RecordSlabs slabs_{nullptr};
  CopyArena copies_;
  NodeIndex nodes_{&slabs_, &copies_};
};

using Records = std::vector<RecordIndex>;

TEST_F(NodeIndexTest, ANodeNeverSeenHasNothing) {
  EXPECT_EQ(nodes_.Find(3), nullptr);
  EXPECT_FALSE(nodes_.IsExcluded(3));
  EXPECT_EQ(nodes_.end(), 0u);
  EXPECT_TRUE(TakeLate(3, 10).empty());
}

TEST_F(NodeIndexTest, ListsAreFirstInFirstOut) {
  const Records records = {NewRecord(), NewRecord(), NewRecord(), NewRecord()};
  for (const RecordIndex record : records) Link(record, 5, FreeState::kWaiting);
  EXPECT_EQ(ListOf(5, FreeState::kWaiting), records);
  EXPECT_EQ(nodes_.total(FreeState::kWaiting), 4u);
}

TEST_F(NodeIndexTest, HeadMiddleAndTailLeaveWithoutDisorder) {
  const Records all = {NewRecord(), NewRecord(), NewRecord(), NewRecord(), NewRecord()};
  for (const RecordIndex record : all) Link(record, 0, FreeState::kHeld);
  Unlink(all[2], 0);
  EXPECT_EQ(ListOf(0, FreeState::kHeld), (Records{all[0], all[1], all[3], all[4]}));
  Unlink(all[0], 0);
  EXPECT_EQ(ListOf(0, FreeState::kHeld), (Records{all[1], all[3], all[4]}));
  Unlink(all[4], 0);
  EXPECT_EQ(ListOf(0, FreeState::kHeld), (Records{all[1], all[3]}));
  Unlink(all[1], 0);
  Unlink(all[3], 0);
  EXPECT_TRUE(ListOf(0, FreeState::kHeld).empty());
  Link(all[2], 0, FreeState::kHeld);
  EXPECT_EQ(ListOf(0, FreeState::kHeld), Records{all[2]});
}

TEST_F(NodeIndexTest, MovingPutsACopyAtTheEndOfTheOtherList) {
  const Records all = {NewRecord(), NewRecord(), NewRecord()};
  for (const RecordIndex record : all) Link(record, 1, FreeState::kHeld);
  Move(all[1], 1, FreeState::kWaiting);
  Move(all[0], 1, FreeState::kWaiting);
  EXPECT_EQ(ListOf(1, FreeState::kHeld), Records{all[2]});
  EXPECT_EQ(ListOf(1, FreeState::kWaiting), (Records{all[1], all[0]}));
  Move(all[1], 1, FreeState::kWaiting);
  EXPECT_EQ(ListOf(1, FreeState::kWaiting), (Records{all[0], all[1]}));
  EXPECT_EQ(nodes_.total(FreeState::kHeld), 1u);
  EXPECT_EQ(nodes_.total(FreeState::kWaiting), 2u);
}

TEST_F(NodeIndexTest, OneRecordInTheListsOfManyNodes) {
  const RecordIndex first = NewRecord();
  const RecordIndex second = NewRecord();
  for (PeerIndex node = 0; node < 40; ++node) {
    Link(first, node, FreeState::kHeld);
    Link(second, node, FreeState::kHeld);
  }
  // Copies move about in the record as others leave it; the lists must not notice.
  for (PeerIndex node = 0; node < 40; node += 2) Unlink(first, node);
  for (PeerIndex node = 0; node < 40; ++node) {
    EXPECT_EQ(ListOf(node, FreeState::kHeld),
              node % 2 == 0 ? Records{second} : (Records{first, second}));
  }
}

TEST_F(NodeIndexTest, RenamingKeepsThePlaceInEachList) {
  const Records all = {NewRecord(), NewRecord(), NewRecord()};
  for (const RecordIndex record : all) Link(record, 0, FreeState::kSent);
  Link(all[1], 1, FreeState::kSent);  // alone: head and tail at once
  const RecordIndex renamed = NewRecord();
  ObjectRecord& from = slabs_.At(all[1]);
  ObjectRecord& to = slabs_.At(renamed);
  to.copies = from.copies;
  to.inline_copies[0] = from.inline_copies[0];
  to.inline_copies[1] = from.inline_copies[1];
  from.copies = 0;
  for (uint32_t i = 0; i < to.copies; ++i) nodes_.Rename(copies_.At(to, i), renamed);
  EXPECT_EQ(ListOf(0, FreeState::kSent), (Records{all[0], renamed, all[2]}));
  EXPECT_EQ(ListOf(1, FreeState::kSent), Records{renamed});
}

TEST_F(NodeIndexTest, OnlyWaitingCopiesAndLateFreesAreWork) {
  const RecordIndex record = NewRecord();
  Link(record, 2, FreeState::kHeld);
  EXPECT_FALSE(nodes_.At(2).has_work());
  Move(record, 2, FreeState::kWaiting);
  EXPECT_TRUE(nodes_.At(2).has_work());
  Move(record, 2, FreeState::kSent);
  EXPECT_FALSE(nodes_.At(2).has_work());
  Move(record, 2, FreeState::kDoomed);
  EXPECT_FALSE(nodes_.At(2).has_work());
  nodes_.AddLateFree(2, Late(1));
  EXPECT_TRUE(nodes_.At(2).has_work());
  nodes_.At(2).excluded = true;
  EXPECT_FALSE(nodes_.At(2).has_work()) << "nothing is sent to it any more";
}

TEST_F(NodeIndexTest, LateFreesAreTakenOldestFirstAndInParts) {
  for (uint64_t i = 0; i < 5; ++i) nodes_.AddLateFree(4, Late(i));
  nodes_.AddLateFree(9, Late(77));
  EXPECT_EQ(nodes_.late_frees(), 6u);
  EXPECT_EQ(TakeLate(4, 2), (std::vector{ObjectId::FromNumber(0), ObjectId::FromNumber(1)}));
  EXPECT_EQ(nodes_.At(4).late_frees, 3u);
  EXPECT_TRUE(TakeLate(4, 0).empty());
  nodes_.AddLateFree(4, Late(5));
  EXPECT_EQ(TakeLate(4, 10), (std::vector{ObjectId::FromNumber(2), ObjectId::FromNumber(3),
                                          ObjectId::FromNumber(4), ObjectId::FromNumber(5)}));
  EXPECT_FALSE(nodes_.At(4).has_work());
  EXPECT_EQ(nodes_.late_frees(), 1u);
  EXPECT_EQ(TakeLate(9, 10).size(), 1u);
  EXPECT_EQ(nodes_.late_frees(), 0u);
}

TEST_F(NodeIndexTest, ManyLateFreesInSmallPartsTakeLinearTime) {
  // With quadratic cost this moves 10^11 bytes and does not end while anybody waits.
  constexpr uint64_t kItems = 300000;
  for (uint64_t i = 0; i < kItems; ++i) nodes_.AddLateFree(0, Late(i));
  uint64_t taken = 0;
  while (nodes_.At(0).has_work()) {
    for (const ObjectId& object : TakeLate(0, 10)) {
      ASSERT_EQ(object, ObjectId::FromNumber(taken++));
    }
  }
  EXPECT_EQ(taken, kItems);
}

}  // namespace
}  // namespace freehold::core
