// Values that are freed evict-first: readable until their last copy goes, then freed.

#include "src/core/object_table_evict.h"

#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

using Moves = std::vector<MoveWord>;
using Frees = std::vector<FreedCopy>;

const MoveWord kHint = {kA, 0, 0, MoveAnswer::kEvictFirst, kNoPeer};

class ObjectTableEvict : public testing::Test {
 protected:
  // kA with its primary on kN1 and a secondary on kN2, to be evicted first.
  void SetUp() override {
    ASSERT_EQ(table.Declare(kA, kN1, 10), Verdict::kOk);
    ASSERT_EQ(table.SetLocation(kA, kN2), Verdict::kOk);
    ASSERT_EQ(table.Register(kA, Moment::kOutOfScope, 1, 7), Verdict::kOk);
    ASSERT_EQ(table.FreeExplicitly(kA, FreeMode::kEvictFirst), Verdict::kOk);
  }
  ObjectState State() { return table.Find(kA)->state(); }

  ObjectTableHarness table;
};

TEST_F(ObjectTableEvict, EachNodeIsToldOnceAndNothingIsFreed) {
  EXPECT_EQ(table.effects.ready, (std::vector<PeerIndex>{kN1, kN2}));
  EXPECT_EQ(table.FreeExplicitly(kA, FreeMode::kEvictFirst), Verdict::kUnchanged);
  EXPECT_EQ(table.PullMoves(kN1), Moves{kHint});
  EXPECT_EQ(table.PullMoves(kN2), Moves{kHint});
  EXPECT_EQ(table.Pull(kN1), Frees{});
  EXPECT_EQ(State(), ObjectState::kAvailable);
  EXPECT_TRUE(table.effects.fired.empty());
  for (const auto& [node, facts] : table.Copies(kA)) EXPECT_EQ(facts.role, CopyRole::kSecondary);
}

TEST_F(ObjectTableEvict, TheLastCopyThatIsEvictedFreesTheValue) {
  ASSERT_EQ(table.RemoveLocation(kA, kN1), Verdict::kOk);
  EXPECT_EQ(State(), ObjectState::kAvailable);
  EXPECT_TRUE(table.effects.fired.empty());
  ASSERT_EQ(table.RemoveLocation(kA, kN2), Verdict::kOk);
  EXPECT_EQ(State(), ObjectState::kFreed);
  EXPECT_TRUE(table.Find(kA)->was_freed);
  EXPECT_TRUE(table.effects.lost.empty());
  EXPECT_EQ(table.effects.fired.size(), 1u);
  EXPECT_EQ(table.table.counters().objects_lost, 0u);
  EXPECT_EQ(table.table.counters().freed_explicitly, 1u);
}

TEST_F(ObjectTableEvict, ItIsNotLostWithItsLastNode) {
  EXPECT_FALSE(table.Exclude(kN1));
  EXPECT_EQ(State(), ObjectState::kAvailable);
  EXPECT_FALSE(table.Exclude(kN2));
  EXPECT_EQ(State(), ObjectState::kFreed);
  EXPECT_TRUE(table.effects.lost.empty());
}

TEST_F(ObjectTableEvict, NobodyBecomesThePrimary) {
  (void)table.PullMoves(kN2);
  EXPECT_EQ(table.MovePrimary(kA, kN2, kN1, 4), Verdict::kToBeFreed);
  EXPECT_EQ(table.PullMoves(kN2), (Moves{{kA, 0, 4, MoveAnswer::kRefused, kNoPeer}}));
  Report report;
  report.role = CopyRole::kPrimary;
  report.merge = true;
  EXPECT_EQ(table.SetLocation(kA, kN2, 0, report), Verdict::kOk);
  EXPECT_EQ(table.Copies(kA).at(kN2).role, CopyRole::kSecondary);
  EXPECT_EQ(table.PullMoves(kN2), Moves{}) << "it was told";
}

TEST_F(ObjectTableEvict, ANodeThatFetchesTheBytesIsToldWhenItHasThem) {
  constexpr PeerIndex kLate = 3;
  Report asks;
  asks.in_memory = false;
  asks.merge = true;
  ASSERT_EQ(table.SetLocation(kA, kLate, 0, asks), Verdict::kOk);
  EXPECT_EQ(table.PullMoves(kLate), Moves{});
  Report has;
  has.merge = true;
  ASSERT_EQ(table.SetLocation(kA, kLate, 0, has), Verdict::kOk);
  EXPECT_EQ(table.PullMoves(kLate), Moves{kHint});
}

TEST_F(ObjectTableEvict, WhoWaitsForTheBytesIsFreedWithTheLastCopy) {
  constexpr PeerIndex kLate = 3;
  Report asks;
  asks.in_memory = false;
  asks.merge = true;
  ASSERT_EQ(table.SetLocation(kA, kLate, 0, asks), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kN1), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kN2), Verdict::kOk);
  EXPECT_EQ(State(), ObjectState::kFreed);
  EXPECT_EQ(table.Pull(kLate), (Frees{{kA, 0}}));
}

TEST_F(ObjectTableEvict, AFreeNowAndTheLastReferenceEndItAtOnce) {
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  EXPECT_EQ(State(), ObjectState::kFreed);
  EXPECT_EQ(table.Pull(kN1), (Frees{{kA, 0}}));

  ASSERT_EQ(table.Declare(kB, kN1), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kB, FreeMode::kEvictFirst), Verdict::kOk);
  table.DropHandle(kB);
  EXPECT_EQ(table.Pull(kN1), (Frees{{kB, 0}}));
  ASSERT_EQ(table.Answer(kB, kN1), Verdict::kOk);
  EXPECT_EQ(table.Find(kB), nullptr);
}

TEST_F(ObjectTableEvict, WhatIsMadeAgainIsNotEvictedFirst) {
  ASSERT_EQ(table.RemoveLocation(kA, kN1), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kN2), Verdict::kOk);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  Report report;
  report.role = CopyRole::kPrimary;
  (void)table.PullMoves(kN1);
  ASSERT_EQ(table.SetLocation(kA, kN1, 1, report), Verdict::kOk);
  EXPECT_EQ(table.Copies(kA).at(kN1).role, CopyRole::kPrimary);
  EXPECT_EQ(table.PullMoves(kN1), Moves{});
  ASSERT_EQ(table.RemoveLocation(kA, kN1, 1), Verdict::kOk);
  EXPECT_EQ(State(), ObjectState::kLost);
}

TEST(ObjectTableEvictNothing, AValueWithoutACopyGoesNow) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA, FreeMode::kEvictFirst), Verdict::kOk);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kFreed);
}

}  // namespace
}  // namespace freehold::core
