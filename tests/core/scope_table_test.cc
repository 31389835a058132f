// Scopes as wholes: how they begin, what they wait for, when they are done.

#include "src/core/scope_table.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/scope_table_harness.h"

namespace freehold::core {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST(ScopeTable, AnEmptyScopeIsDoneWhenItEnds) {
  ScopeTableHarness h;
  ASSERT_EQ(h.Open(7), ScopeVerdict::kOk);
  ASSERT_EQ(h.table.OnEnded(ScopeId(7), 70), ScopeVerdict::kOk);
  EXPECT_EQ(h.End(7), ScopeVerdict::kOk);
  ASSERT_THAT(h.effects.ended, SizeIs(1));
  EXPECT_EQ(h.effects.ended[0].token, 70u);
  EXPECT_EQ(h.effects.ended[0].end, ScopeEnd::kEnded);
  EXPECT_EQ(h.table.Find(ScopeId(7)), nullptr) << "no handle names it";
}

TEST(ScopeTable, EndsOnceAndASecondEndChangesNothing) {
  ScopeTableHarness h;
  (void)h.Open(7);
  (void)h.Admit(7);
  EXPECT_EQ(h.End(7, ScopeEnd::kCancelled), ScopeVerdict::kOk);
  EXPECT_EQ(h.End(7), ScopeVerdict::kEnded);
  EXPECT_TRUE(h.effects.empty());
  EXPECT_EQ(h.table.Find(ScopeId(7))->end, ScopeEnd::kCancelled);
  EXPECT_EQ(h.End(8), ScopeVerdict::kNotFound);
}

TEST(ScopeTable, TheRootNeverEndsAndCannotBeChosen) {
  ScopeTableHarness h;
  EXPECT_EQ(h.End(ScopeId::Root().number()), ScopeVerdict::kInvalid);
  EXPECT_EQ(h.Open(ScopeId::Root().number()), ScopeVerdict::kInvalid);
  EXPECT_EQ(h.Open(uint64_t{1} << 63), ScopeVerdict::kInvalid);
}

TEST(ScopeTable, AnIdIsGivenOnceWhileItIsKnown) {
  ScopeTableHarness h;
  (void)h.Open(7);
  EXPECT_EQ(h.Open(7), ScopeVerdict::kAlreadyExists);
  event::OpenScope unnamed;
  ASSERT_EQ(h.Open(unnamed), ScopeVerdict::kOk);
  const ScopeId first = h.last_id;
  ASSERT_EQ(h.Open(unnamed), ScopeVerdict::kOk);
  EXPECT_NE(first, h.last_id);
  EXPECT_GT(first.number(), ScopeTable::kHostIdMax);
}

TEST(ScopeTable, WaitsForItsObjectsAndIsDoneWithTheLast) {
  ScopeTableHarness h;
  (void)h.Open(7);
  (void)h.Admit(7, 10);
  (void)h.Admit(7, 20, 3);
  (void)h.End(7);
  EXPECT_EQ(h.table.Find(ScopeId(7))->bytes, 30);
  h.Gone(7, 10);
  EXPECT_FALSE(h.IsDone(7));
  h.Gone(7, 20);
  EXPECT_TRUE(h.IsDone(7));
  ASSERT_THAT(h.effects.forget, SizeIs(1));
  EXPECT_EQ(h.effects.forget[0].shards, 0b1001u);
}

TEST(ScopeTable, TakesNothingAfterItsEnd) {
  ScopeTableHarness h;
  (void)h.Open(7);
  (void)h.Admit(7);
  (void)h.End(7);
  EXPECT_EQ(h.Admit(7), ScopeVerdict::kEnded);
  EXPECT_EQ(h.Open(8, 7), ScopeVerdict::kEnded);
  uint64_t number;
  EXPECT_EQ(h.table.AddMember(ScopeId(7), {}, &number), ScopeVerdict::kEnded);
}

TEST(ScopeTable, AnIndexIsUsedAgainOnlyWhenEveryChangeOfItHasCome) {
  ScopeTableHarness h;
  event::OpenScope e;
  e.id = ScopeId(7);
  (void)h.Open(e);
  (void)h.Admit(7);
  const ScopeIndex index = h.admission.scope;
  (void)h.End(7);
  h.Gone(7);
  ASSERT_TRUE(h.IsDone(7));
  h.table.Forgotten(index, /*told=*/3);
  ASSERT_NE(h.table.Find(ScopeId(7)), nullptr) << "two changes are on their way";
  (void)h.Checked([&] {
    h.table.Step(ScopeChange{index, 0, 0, 1, 0, 1}, &h.effects);
    return ScopeVerdict::kOk;
  });
  (void)h.Open(8);
  EXPECT_NE(h.table.IndexOf(ScopeId(8)), index);
  h.effects = ScopeEffects();
  h.table.Step(ScopeChange{index, 0, 0, -1, 0, 1}, &h.effects);
  EXPECT_EQ(h.table.Find(ScopeId(7)), nullptr);
  (void)h.Open(9);
  EXPECT_EQ(h.table.IndexOf(ScopeId(9)), index);
}

TEST(ScopeTable, AHandleKeepsADoneScopeKnown) {
  ScopeTableHarness h;
  event::OpenScope e;
  e.id = ScopeId(7);
  e.handle = true;
  (void)h.Open(e);
  (void)h.End(7);
  ASSERT_NE(h.table.Find(ScopeId(7)), nullptr);
  EXPECT_EQ(h.End(7), ScopeVerdict::kEnded);
  EXPECT_EQ(h.table.OnEnded(ScopeId(7), 1), ScopeVerdict::kEnded);
  h.table.DropHandle(ScopeId(7));
  EXPECT_EQ(h.table.Find(ScopeId(7)), nullptr);
}

TEST(ScopeTable, WhatIsHeldIsAskedOfTheShardsThatMayHoldIt) {
  ScopeTableHarness h;
  event::OpenScope e;
  e.id = ScopeId(7);
  e.hold = true;
  (void)h.Open(e);
  (void)h.Admit(7, 1, 5);
  EXPECT_TRUE(h.admission.hold);
  (void)h.End(7);
  ASSERT_THAT(h.effects.release, SizeIs(1));
  EXPECT_EQ(h.effects.release[0].shards, uint64_t{1} << 5);
  EXPECT_FALSE(h.effects.release[0].force);
  h.Gone(7);
  EXPECT_FALSE(h.IsDone(7)) << "the shards have not answered";
  h.Released(7);
  EXPECT_TRUE(h.IsDone(7));
}

TEST(ScopeTable, InnerScopesEndWithTheirParentAndBeforeItIsDone) {
  ScopeTableHarness h;
  (void)h.Open(1);
  (void)h.Open(2, 1);
  (void)h.Open(3, 2);
  (void)h.Open(4, 1);
  (void)h.Admit(3);
  (void)h.End(1);
  EXPECT_TRUE(h.effects.more);
  EXPECT_FALSE(h.EndMore());
  EXPECT_TRUE(h.IsDone(4));
  EXPECT_FALSE(h.IsDone(2));
  EXPECT_EQ(h.table.Find(ScopeId(3))->end, ScopeEnd::kParentEnded);
  EXPECT_THAT(h.table.AwaitedBy(*h.table.Find(ScopeId(1)), 8), ElementsAre(ScopeId(2)));
  h.Gone(3);
  EXPECT_TRUE(h.IsDone(1));
  EXPECT_EQ(h.table.size(), 2u) << "the root, and one that its shard has not forgotten";
}

TEST(ScopeTable, InnerScopesEndInPieces) {
  ScopeTableHarness h;
  (void)h.Open(1);
  for (uint64_t id = 2; id <= 101; ++id) (void)h.Open(id, 1);
  (void)h.End(1);
  int pieces = 1;
  while (h.EndMore(10)) ++pieces;
  EXPECT_GE(pieces, 10);
  EXPECT_TRUE(h.IsDone(1));
  EXPECT_EQ(h.table.size(), 1u);
}

TEST(ScopeTable, ScopesAreNestedOnlySoDeep) {
  ScopeTableHarness h;
  ASSERT_EQ(h.Open(1), ScopeVerdict::kOk);
  for (uint64_t id = 2; id <= ScopeTable::kDepthMax; ++id) {
    ASSERT_EQ(h.Open(id, id - 1), ScopeVerdict::kOk);
  }
  EXPECT_EQ(h.Open(1000, ScopeTable::kDepthMax), ScopeVerdict::kTooDeep);
  EXPECT_EQ(h.Open(1001, 999), ScopeVerdict::kNoParent);
}

}  // namespace
}  // namespace freehold::core
