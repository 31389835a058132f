#include "src/core/node_index.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
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
  void Link(RecordIndex record, PeerIndex node) {
    nodes_.Link(record, copies_.Insert(slabs_.At(record), node));
  }
  void Link(const Records& records, PeerIndex node) {
    for (const RecordIndex record : records) Link(record, node);
  }
  // Answers whether there is something to send now, and was not.
  bool Await(RecordIndex record, PeerIndex node) {
    nodes_.CountAwaited(1);
    return nodes_.Await(CopyAt(record, node));
  }
  void Await(const Records& records, PeerIndex node) {
    for (const RecordIndex record : records) (void)Await(record, node);
  }
  void Unlink(RecordIndex record, PeerIndex node) {
    nodes_.Unlink(*CopyAt(record, node));
    copies_.Remove(slabs_.At(record), node);
  }
  Records ListOf(PeerIndex node) {
    (void)nodes_.CheckInvariants();
    Records records;
    nodes_.ForEach(node, [&](RecordIndex record) { records.push_back(record); });
    EXPECT_EQ(nodes_.First(node), records.empty() ? kNoRecord : records.front());
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

TEST_F(NodeIndexTest, AListIsInOrderOfComing) {
  const Records records = NewRecords(100);
  Link(records, 5);
  EXPECT_EQ(ListOf(5), records);
  EXPECT_EQ(nodes_.total(FreeState::kHeld), 100u);
}

TEST_F(NodeIndexTest, HeadMiddleAndTailLeaveWithoutDisorder) {
  const Records all = NewRecords(5);
  Link(all, 0);
  Unlink(all[2], 0);
  EXPECT_EQ(ListOf(0), (Records{all[0], all[1], all[3], all[4]}));
  Unlink(all[0], 0);
  EXPECT_EQ(ListOf(0), (Records{all[1], all[3], all[4]}));
  Unlink(all[4], 0);
  EXPECT_EQ(ListOf(0), (Records{all[1], all[3]}));
  Unlink(all[1], 0);
  Unlink(all[3], 0);
  EXPECT_TRUE(ListOf(0).empty());
  Link(all[2], 0);
  EXPECT_EQ(ListOf(0), Records{all[2]});
}

TEST_F(NodeIndexTest, ACopyStaysInItsPlaceWhateverBecomesOfIt) {
  const Records all = NewRecords(3);
  Link(all, 1);
  EXPECT_TRUE(Await(all[1], 1));
  EXPECT_FALSE(Await(all[0], 1)) << "there is something to send already";
  EXPECT_EQ(nodes_.total(FreeState::kHeld), 1u);
  EXPECT_EQ(nodes_.total(FreeState::kWaiting), 2u);
  nodes_.HoldAgain(CopyAt(all[1], 1));
  EXPECT_EQ(HandOver(1, 10), Records{all[0]});
  nodes_.Doom(CopyAt(all[0], 1));
  EXPECT_EQ(StateAt(all[0], 1), FreeState::kDoomed);
  EXPECT_EQ(StateAt(all[1], 1), FreeState::kHeld);
  EXPECT_EQ(ListOf(1), all);
  nodes_.HoldAgain(CopyAt(all[0], 1));
  EXPECT_EQ(nodes_.total(FreeState::kHeld), 3u);
  EXPECT_EQ(nodes_.total(FreeState::kDoomed), 0u);
}

TEST_F(NodeIndexTest, OneRecordInTheListsOfManyNodes) {
  const RecordIndex first = NewRecord();
  const RecordIndex second = NewRecord();
  for (PeerIndex node = 0; node < 40; ++node) Link({first, second}, node);
  // Copies move about in the record as others leave it; the lists must not notice.
  for (PeerIndex node = 0; node < 40; node += 2) Unlink(first, node);
  for (PeerIndex node = 0; node < 40; ++node) {
    EXPECT_EQ(ListOf(node), node % 2 == 0 ? Records{second} : (Records{first, second}));
  }
}

TEST_F(NodeIndexTest, RenamingKeepsThePlaceInEachList) {
  const Records all = NewRecords(3);
  Link(all, 0);
  Link(all[1], 1);  // alone: head and tail at once
  Await(all, 0);
  const RecordIndex renamed = NewRecord();
  ObjectRecord& from = slabs_.At(all[1]);
  ObjectRecord& to = slabs_.At(renamed);
  to.copies = from.copies;
  to.inline_copies[0] = from.inline_copies[0];
  to.inline_copies[1] = from.inline_copies[1];
  from.copies = 0;
  for (uint32_t i = 0; i < to.copies; ++i) nodes_.Rename(copies_.At(to, i), renamed);
  EXPECT_EQ(ListOf(0), (Records{all[0], renamed, all[2]}));
  EXPECT_EQ(ListOf(1), Records{renamed});
  EXPECT_EQ(HandOver(0, 10), (Records{all[0], renamed, all[2]}));
}

TEST_F(NodeIndexTest, WhatIsHandedOverIsSentAndTheRestGoesOnWaiting) {
  const Records all = NewRecords(40);
  Link(all, 3);
  Await(all, 3);
  EXPECT_EQ(HandOver(3, 20), Records(all.begin(), all.begin() + 20));
  EXPECT_EQ(StateAt(all[19], 3), FreeState::kSent);
  EXPECT_EQ(StateAt(all[20], 3), FreeState::kWaiting);
  EXPECT_EQ(nodes_.total(FreeState::kSent), 20u);
  EXPECT_EQ(nodes_.total(FreeState::kWaiting), 20u);
  EXPECT_EQ(ListOf(3), all) << "nothing has moved";
  EXPECT_EQ(HandOver(3, 100), Records(all.begin() + 20, all.end()));
  EXPECT_EQ(nodes_.total(FreeState::kWaiting), 0u);
  EXPECT_TRUE(HandOver(3, 100).empty());
}

TEST_F(NodeIndexTest, WhatIsNotTakenGoesOnWaiting) {
  const Records all = NewRecords(40);
  Link(all, 3);
  Await(all, 3);
  int room = 3;
  nodes_.HandOver(3, 100, [&](const ObjectRecord&) { return room-- > 0; });
  EXPECT_EQ(nodes_.total(FreeState::kSent), 3u);
  EXPECT_EQ(StateAt(all[3], 3), FreeState::kWaiting);
  EXPECT_EQ(HandOver(3, 100), Records(all.begin() + 3, all.end()));
}

// Oldest chunk first, by when the first of its copies began to wait: nobody waits for ever.
TEST_F(NodeIndexTest, FreesLeaveInTheOrderInWhichTheirChunksWereQueued) {
  const Records all = NewRecords(39);  // three chunks
  Link(all, 0);
  Await({all[30], all[5], all[2], all[31], all[20]}, 0);
  EXPECT_EQ(HandOver(0, 1), Records{all[30]});
  Await({all[28], all[6]}, 0);
  EXPECT_EQ(HandOver(0, 3), (Records{all[28], all[31], all[2]}));
  Await({all[29], all[1]}, 0);
  EXPECT_EQ(HandOver(0, 10), (Records{all[1], all[5], all[6], all[20], all[29]}));
}

TEST_F(NodeIndexTest, WhatIsQueuedInVainDoesNotKeepChunksNorHoldUpOthers) {
  constexpr size_t kMany = 13 * 200;
  const Records all = NewRecords(kMany);
  const RecordIndex last = NewRecord();
  Link(all, 0);
  Link(last, 0);
  const RecordIndex blocks = all.front();
  Await(all, 0);
  const size_t bytes = nodes_.bytes();
  // All but the first go otherwise, so that what is queued in vain stands behind that one.
  for (const RecordIndex record : all) {
    if (record != blocks) Unlink(record, 0);
  }
  EXPECT_EQ(ListOf(0), (Records{blocks, last}));
  // What comes now lies in other chunks than those that are queued.
  const Records others = NewRecords(kMany / 10);
  Link(others, 1);
  EXPECT_EQ(ListOf(1), others);
  for (const RecordIndex record : others) Unlink(record, 1);
  (void)Await(last, 0);
  EXPECT_EQ(HandOver(0, 1), Records{blocks});
  // A look at so many places in the queue at a time, and it gets there.
  Records taken;
  int looks = 0;
  while (nodes_.At(0).has_work()) {
    ++looks;
    for (const RecordIndex record : HandOver(0, 30)) taken.push_back(record);
  }
  EXPECT_EQ(taken, Records{last});
  EXPECT_GT(looks, 1);
  EXPECT_FALSE(nodes_.TrimQueue(0, 0));
  for (int round = 0; round < 5; ++round) {
    const Records more = NewRecords(kMany);
    Link(more, 0);
    Await(more, 0);
    for (const RecordIndex record : more) Unlink(record, 0);
    EXPECT_FALSE(nodes_.At(0).has_work());
    EXPECT_FALSE(nodes_.TrimQueue(0, 0)) << "the chunk in front goes with its last copy";
  }
  EXPECT_LE(nodes_.bytes(), bytes + 64 * sizeof(RecordChunk));
}

TEST_F(NodeIndexTest, ChunksQueuedInVainBehindWhatWaitsAreUsedAgain) {
  constexpr size_t kMany = 13 * 200;
  const RecordIndex blocks = NewRecord();
  Link(blocks, 0);
  (void)Await(blocks, 0);
  size_t bytes = 0;
  for (int round = 0; round < 20; ++round) {
    const Records more = NewRecords(kMany);
    Link(more, 0);
    Await(more, 0);
    for (const RecordIndex record : more) Unlink(record, 0);
    if (round == 0) bytes = nodes_.bytes();
  }
  EXPECT_EQ(nodes_.bytes(), bytes);
  EXPECT_EQ(ListOf(0), Records{blocks});
  // Some lie in such chunks now, and leave as any others do.
  const Records last = NewRecords(100);
  Link(last, 0);
  Await(last, 0);
  EXPECT_EQ(HandOver(0, 1), Records{blocks});
  EXPECT_THAT(HandOver(0, 2 * kMany), testing::UnorderedElementsAreArray(last));
}

TEST_F(NodeIndexTest, FewCopiesLeftInChunksThatWereQueuedInVainComeTogether) {
  (void)nodes_.At(1);
  const RecordIndex blocks = NewRecord();
  Link(blocks, 0);
  const Records all = NewRecords(13 * 200);
  Link(all, 0);
  (void)Await(blocks, 0);
  Await(all, 0);
  Records kept;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i % 13 == 5) {
      nodes_.HoldAgain(CopyAt(all[i], 0));
      kept.push_back(all[i]);
    } else {
      Unlink(all[i], 0);
    }
  }
  const Records last = NewRecords(20);
  Link(last, 0);
  Await(last, 0);
  kept.insert(kept.end(), last.begin(), last.end());
  EXPECT_EQ(HandOver(0, 1), Records{blocks});
  Unlink(blocks, 0);
  const size_t bytes = nodes_.bytes();
  // Some leave the queue because nothing waits in so many, the others with what waits behind them.
  EXPECT_TRUE(HandOver(0, 150).empty());
  EXPECT_EQ(HandOver(0, 150), last);
  EXPECT_EQ(ListOf(0), kept);
  Link(NewRecords(13 * 150), 1);
  EXPECT_EQ(nodes_.bytes(), bytes) << "most of their chunks are free";
}

TEST_F(NodeIndexTest, TheQueueIsTrimmedInPieces) {
  const Records all = NewRecords(13 * 20);
  Link(all, 0);
  Await(all, 0);
  for (auto record = all.rbegin(); record != all.rend(); ++record) Unlink(*record, 0);
  EXPECT_EQ(nodes_.total(FreeState::kWaiting), 0u);
  EXPECT_TRUE(nodes_.TrimQueue(0, 5)) << "the one in front went last, and two with it";
  (void)nodes_.CheckInvariants();
  EXPECT_FALSE(nodes_.TrimQueue(0, 100));
  (void)nodes_.CheckInvariants();
  EXPECT_FALSE(nodes_.TrimQueue(7, 1)) << "nothing was ever there";
}

TEST_F(NodeIndexTest, AFewLongLivedCopiesDoNotKeepTheChunksOfManyShortLivedOnes) {
  constexpr size_t kLong = 100;
  size_t bytes = 0;
  Records kept;
  for (size_t round = 0; round < kLong; ++round) {
    const Records all = NewRecords(100);
    Link(all, 0);
    kept.push_back(all[50]);
    for (const RecordIndex record : all) {
      if (record != all[50]) (void)Await(record, 0);
    }
    EXPECT_EQ(HandOver(0, 1000).size(), 99u);
    for (const RecordIndex record : all) {
      if (record != all[50]) Unlink(record, 0);
    }
    if (round == 0) bytes = nodes_.bytes();
  }
  EXPECT_EQ(ListOf(0), kept);
  EXPECT_LT(nodes_.bytes(), bytes + kLong * 2 * sizeof(RecordChunk));
}

// Held against a vector of copies and their states.
TEST_F(NodeIndexTest, AnyOrderOfComingWaitingAndGoingKeepsTheListsInOrder) {
  constexpr PeerIndex kNodes = 3;
  internal::SplitMix64 random(3);
  const auto below = [&](size_t bound) { return static_cast<size_t>(random.Next() % bound); };
  using State = std::pair<RecordIndex, FreeState>;
  std::vector<State> models[kNodes];
  const auto waiting = [](const std::vector<State>& model) {
    return static_cast<uint32_t>(std::count_if(model.begin(), model.end(), [](const State& state) {
      return state.second == FreeState::kWaiting;
    }));
  };
  for (int round = 0; round < 100000; ++round) {
    const auto node = static_cast<PeerIndex>(below(kNodes));
    std::vector<State>& model = models[node];
    // For a while more come than go, then the other way round.
    const size_t act = below(10) + (round / 2000 % 2 == 0 ? 0 : 3);
    if (act < 5) {
      model.emplace_back(NewRecord(), FreeState::kHeld);
      Link(model.back().first, node);
    } else if (act < 6) {
      const auto count = static_cast<uint32_t>(below(30));
      const uint32_t expected = std::min(count, waiting(model));
      const Records taken = HandOver(node, count);
      // Fewer, if it came to the end of what it may look at; but never nothing for ever.
      ASSERT_LE(taken.size(), expected);
      for (const RecordIndex record : taken) {
        const auto at = std::find(model.begin(), model.end(), State(record, FreeState::kWaiting));
        ASSERT_NE(at, model.end());
        at->second = FreeState::kSent;
      }
    } else if (!model.empty()) {
      State& state = model[below(model.size())];
      Copy* const copy = CopyAt(state.first, node);
      if (act < 9 && state.second == FreeState::kHeld) {
        const bool had_work = nodes_.At(node).has_work();
        ASSERT_EQ(Await(state.first, node), !had_work);
        state.second = FreeState::kWaiting;
      } else if (act < 8 && state.second == FreeState::kSent) {
        nodes_.Doom(copy);
        state.second = FreeState::kDoomed;
      } else if (act < 8) {
        if (state.second != FreeState::kHeld) nodes_.HoldAgain(copy);
        state.second = FreeState::kHeld;
      } else {
        const RecordIndex record = state.first;
        Unlink(record, node);
        model.erase(model.begin() + (&state - model.data()));
        slabs_.Release(record);
      }
    }
    if (round % 50 != 0) continue;
    Records all;
    for (const State& state : model) {
      all.push_back(state.first);
      ASSERT_EQ(StateAt(state.first, node), state.second);
    }
    ASSERT_EQ(ListOf(node), all) << "round " << round;
    uint32_t all_waiting = 0;
    for (const std::vector<State>& each : models) all_waiting += waiting(each);
    ASSERT_EQ(nodes_.total(FreeState::kWaiting), all_waiting);
  }
  for (PeerIndex node = 0; node < kNodes; ++node) {
    const Records more = NewRecords(30);
    Link(more, node);
    Await(more, node);
    uint32_t left = waiting(models[node]) + 30;
    for (int looks = 0; left > 0; ++looks) {
      left -= static_cast<uint32_t>(HandOver(node, 20).size());
      ASSERT_LT(looks, 100000) << "it never comes to the last";
    }
  }
}

TEST_F(NodeIndexTest, OnlyWaitingCopiesAndLateFreesAreWork) {
  const RecordIndex record = NewRecord();
  Link(record, 2);
  EXPECT_FALSE(nodes_.At(2).has_work());
  EXPECT_TRUE(Await(record, 2));
  EXPECT_TRUE(nodes_.At(2).has_work());
  EXPECT_EQ(HandOver(2, 1), Records{record});
  EXPECT_FALSE(nodes_.At(2).has_work());
  nodes_.Doom(CopyAt(record, 2));
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
