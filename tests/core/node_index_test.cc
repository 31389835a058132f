#include "src/core/node_index.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/random.h"

namespace freehold::core {
namespace {

using Records = std::vector<RecordIndex>;

class NodeIndexTest : public testing::Test {
 protected:
  ~NodeIndexTest() override { (void)nodes_.CheckInvariants(); }

  RecordIndex NewRecord() {
    const RecordIndex index = slabs_.Allocate();
    slabs_.At(index).copies = 0;
    slabs_.At(index).overflow = kNone;
    return index;
  }
  Records NewRecords(size_t count) {
    Records records;
    for (size_t i = 0; i < count; ++i) records.push_back(NewRecord());
    return records;
  }
  Copy* CopyAt(RecordIndex record, PeerIndex node) { return copies_.Find(slabs_.At(record), node); }
  void Link(RecordIndex record, PeerIndex node, CopyList list) {
    nodes_.Link(record, copies_.Insert(slabs_.At(record), node), list);
  }
  void Unlink(RecordIndex record, PeerIndex node) {
    nodes_.Unlink(*CopyAt(record, node));
    copies_.Remove(slabs_.At(record), node);
  }
  void Move(RecordIndex record, PeerIndex node, CopyList list) {
    nodes_.Move(record, CopyAt(record, node), list);
  }
  Records ListOf(PeerIndex node, CopyList list) {
    (void)nodes_.CheckInvariants();
    Records records;
    nodes_.ForEach(node, list, [&](RecordIndex record) { records.push_back(record); });
    EXPECT_EQ(nodes_.First(node, list), records.empty() ? kNoRecord : records.front());
    return records;
  }
  Records HandOver(PeerIndex node, uint32_t at_most) {
    Records taken;
    nodes_.HandOver(node, at_most, [&](const ObjectRecord& record) {
      taken.push_back(RecordSlabs::IndexOf(record));
      return true;
    });
    return taken;
  }
  FreeState StateAt(RecordIndex record, PeerIndex node) {
    return nodes_.StateOf(*CopyAt(record, node));
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

TEST_F(NodeIndexTest, ANodeNeverSeenHasNothing) {
  EXPECT_EQ(nodes_.Find(3), nullptr);
  EXPECT_FALSE(nodes_.IsExcluded(3));
  EXPECT_EQ(nodes_.end(), 0u);
  EXPECT_TRUE(TakeLate(3, 10).empty());
}

TEST_F(NodeIndexTest, ListsAreFirstInFirstOut) {
  const Records records = NewRecords(100);
  for (const RecordIndex record : records) Link(record, 5, CopyList::kFrees);
  EXPECT_EQ(ListOf(5, CopyList::kFrees), records);
  EXPECT_EQ(nodes_.total(FreeState::kWaiting), 100u);
}

TEST_F(NodeIndexTest, HeadMiddleAndTailLeaveWithoutDisorder) {
  const Records all = NewRecords(5);
  for (const RecordIndex record : all) Link(record, 0, CopyList::kHeld);
  Unlink(all[2], 0);
  EXPECT_EQ(ListOf(0, CopyList::kHeld), (Records{all[0], all[1], all[3], all[4]}));
  Unlink(all[0], 0);
  EXPECT_EQ(ListOf(0, CopyList::kHeld), (Records{all[1], all[3], all[4]}));
  Unlink(all[4], 0);
  EXPECT_EQ(ListOf(0, CopyList::kHeld), (Records{all[1], all[3]}));
  Unlink(all[1], 0);
  Unlink(all[3], 0);
  EXPECT_TRUE(ListOf(0, CopyList::kHeld).empty());
  Link(all[2], 0, CopyList::kHeld);
  EXPECT_EQ(ListOf(0, CopyList::kHeld), Records{all[2]});
}

TEST_F(NodeIndexTest, MovingPutsACopyAtTheEndOfTheOtherList) {
  const Records all = NewRecords(3);
  for (const RecordIndex record : all) Link(record, 1, CopyList::kHeld);
  Move(all[1], 1, CopyList::kFrees);
  Move(all[0], 1, CopyList::kFrees);
  EXPECT_EQ(ListOf(1, CopyList::kHeld), Records{all[2]});
  EXPECT_EQ(ListOf(1, CopyList::kFrees), (Records{all[1], all[0]}));
  Move(all[1], 1, CopyList::kFrees);
  EXPECT_EQ(ListOf(1, CopyList::kFrees), (Records{all[0], all[1]}));
  EXPECT_EQ(nodes_.total(FreeState::kHeld), 1u);
  EXPECT_EQ(nodes_.total(FreeState::kWaiting), 2u);
}

TEST_F(NodeIndexTest, OneRecordInTheListsOfManyNodes) {
  const RecordIndex first = NewRecord();
  const RecordIndex second = NewRecord();
  for (PeerIndex node = 0; node < 40; ++node) {
    Link(first, node, CopyList::kHeld);
    Link(second, node, CopyList::kHeld);
  }
  // Copies move about in the record as others leave it; the lists must not notice.
  for (PeerIndex node = 0; node < 40; node += 2) Unlink(first, node);
  for (PeerIndex node = 0; node < 40; ++node) {
    EXPECT_EQ(ListOf(node, CopyList::kHeld),
              node % 2 == 0 ? Records{second} : (Records{first, second}));
  }
}

TEST_F(NodeIndexTest, RenamingKeepsThePlaceInEachList) {
  const Records all = NewRecords(3);
  for (const RecordIndex record : all) Link(record, 0, CopyList::kFrees);
  Link(all[1], 1, CopyList::kFrees);  // alone: head and tail at once
  const RecordIndex renamed = NewRecord();
  ObjectRecord& from = slabs_.At(all[1]);
  ObjectRecord& to = slabs_.At(renamed);
  to.copies = from.copies;
  to.inline_copies[0] = from.inline_copies[0];
  to.inline_copies[1] = from.inline_copies[1];
  from.copies = 0;
  for (uint32_t i = 0; i < to.copies; ++i) nodes_.Rename(copies_.At(to, i), renamed);
  EXPECT_EQ(ListOf(0, CopyList::kFrees), (Records{all[0], renamed, all[2]}));
  EXPECT_EQ(ListOf(1, CopyList::kFrees), Records{renamed});
}

TEST_F(NodeIndexTest, WhatIsHandedOverIsSentAndTheRestGoesOnWaiting) {
  const Records all = NewRecords(40);
  for (const RecordIndex record : all) Link(record, 3, CopyList::kFrees);
  EXPECT_EQ(HandOver(3, 20), Records(all.begin(), all.begin() + 20));
  EXPECT_EQ(StateAt(all[19], 3), FreeState::kSent);
  EXPECT_EQ(StateAt(all[20], 3), FreeState::kWaiting);
  EXPECT_EQ(nodes_.total(FreeState::kSent), 20u);
  EXPECT_EQ(nodes_.total(FreeState::kWaiting), 20u);
  EXPECT_EQ(ListOf(3, CopyList::kFrees), all) << "nothing has moved";
  EXPECT_EQ(HandOver(3, 100), Records(all.begin() + 20, all.end()));
  EXPECT_EQ(nodes_.total(FreeState::kWaiting), 0u);
  EXPECT_TRUE(HandOver(3, 100).empty());
}

TEST_F(NodeIndexTest, WhatIsNotTakenGoesOnWaiting) {
  const Records all = NewRecords(5);
  for (const RecordIndex record : all) Link(record, 3, CopyList::kFrees);
  int room = 3;
  nodes_.HandOver(3, 100, [&](const ObjectRecord&) { return room-- > 0; });
  EXPECT_EQ(nodes_.total(FreeState::kSent), 3u);
  EXPECT_EQ(StateAt(all[3], 3), FreeState::kWaiting);
  EXPECT_EQ(HandOver(3, 100), Records(all.begin() + 3, all.end()));
}

TEST_F(NodeIndexTest, AFewLongLivedCopiesDoNotKeepTheChunksOfManyShortLivedOnes) {
  constexpr size_t kLong = 100;
  size_t bytes = 0;
  Records kept;
  for (size_t round = 0; round < kLong; ++round) {
    const Records all = NewRecords(100);
    for (const RecordIndex record : all) Link(record, 0, CopyList::kHeld);
    kept.push_back(all[50]);
    for (const RecordIndex record : all) {
      if (record != all[50]) Unlink(record, 0);
    }
    if (round == 0) bytes = nodes_.bytes();
  }
  EXPECT_EQ(ListOf(0, CopyList::kHeld), kept);
  EXPECT_LT(nodes_.bytes(), bytes + kLong * 2 * sizeof(RecordChunk));
}

// Held against a vector for each list and how many of the frees were sent.
TEST_F(NodeIndexTest, AnyOrderOfComingMovingAndGoingKeepsTheListsInOrder) {
  constexpr PeerIndex kNodes = 3;
  internal::SplitMix64 random(3);
  const auto below = [&](size_t bound) { return static_cast<size_t>(random.Next() % bound); };
  struct Model {
    Records lists[kCopyLists];
    size_t sent = 0;
  } models[kNodes];
  const auto forget = [](Model* model, int list, size_t at) {
    if (list == 1 && at < model->sent) --model->sent;
    model->lists[list].erase(model->lists[list].begin() + static_cast<ptrdiff_t>(at));
  };
  for (int round = 0; round < 100000; ++round) {
    const auto node = static_cast<PeerIndex>(below(kNodes));
    Model& model = models[node];
    const int list = static_cast<int>(below(kCopyLists));
    Records& records = model.lists[list];
    // For a while more come than go, then the other way round.
    const size_t act = below(10) + (round / 2000 % 2 == 0 ? 0 : 3);
    if (act < 5) {
      records.push_back(NewRecord());
      Link(records.back(), node, static_cast<CopyList>(list));
    } else if (act < 6) {
      const size_t count = std::min(below(30), model.lists[1].size() - model.sent);
      const auto from = model.lists[1].begin() + static_cast<ptrdiff_t>(model.sent);
      const Records expected(from, from + static_cast<ptrdiff_t>(count));
      ASSERT_EQ(HandOver(node, static_cast<uint32_t>(count)), expected);
      model.sent += count;
    } else if (!records.empty()) {
      const size_t at = below(records.size());
      const RecordIndex record = records[at];
      forget(&model, list, at);
      if (act < 7 && list == 0) {
        const bool had_work = nodes_.At(node).has_work();
        ASSERT_EQ(nodes_.Await(record, CopyAt(record, node)), !had_work);
        nodes_.CountAwaited(1);
        model.lists[1].push_back(record);
      } else if (act < 8) {
        const int to = static_cast<int>(below(kCopyLists));
        Move(record, node, static_cast<CopyList>(to));
        model.lists[to].push_back(record);
      } else {
        Unlink(record, node);
        slabs_.Release(record);
      }
    }
    if (round % 50 != 0) continue;
    for (int i = 0; i < kCopyLists; ++i) {
      ASSERT_EQ(ListOf(node, static_cast<CopyList>(i)), model.lists[i]) << "round " << round;
    }
    ASSERT_EQ(nodes_.At(node).waiting, model.lists[1].size() - model.sent);
  }
}

TEST_F(NodeIndexTest, OnlyWaitingCopiesAndLateFreesAreWork) {
  const RecordIndex record = NewRecord();
  Link(record, 2, CopyList::kHeld);
  EXPECT_FALSE(nodes_.At(2).has_work());
  Move(record, 2, CopyList::kFrees);
  EXPECT_TRUE(nodes_.At(2).has_work());
  EXPECT_EQ(HandOver(2, 1), Records{record});
  EXPECT_FALSE(nodes_.At(2).has_work());
  Move(record, 2, CopyList::kDoomed);
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
