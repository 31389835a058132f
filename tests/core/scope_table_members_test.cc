// Scopes as wholes: members of the host's, deadlines, limits, sums, moves and uses.

#include "src/core/scope_table.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/scope_table_harness.h"

namespace freehold::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(ScopeTable, MembersAreReleasedInOrderAndOnce) {
  ScopeTableHarness h;
  (void)h.Open(7);
  uint64_t first, second, third;
  (void)h.table.AddMember(ScopeId(7), {MemberKind::kTask, "a", 11}, &first);
  (void)h.table.AddMember(ScopeId(7), {MemberKind::kFile, "b", 12}, &second);
  (void)h.table.AddMember(ScopeId(7), {MemberKind::kTask, "c", 13}, &third);
  EXPECT_EQ(h.table.Find(ScopeId(7))->tasks, 2u);
  Token token = 0;
  EXPECT_EQ(h.table.RemoveMember(ScopeId(7), second, &token, &h.effects), ScopeVerdict::kOk);
  EXPECT_EQ(token, 12u);
  EXPECT_EQ(h.table.RemoveMember(ScopeId(7), second, &token, &h.effects), ScopeVerdict::kNotMember);
  (void)h.table.OnEnded(ScopeId(7), 70);
  (void)h.End(7, ScopeEnd::kCancelled);
  EXPECT_FALSE(h.IsDone(7));
  EXPECT_FALSE(h.EndMore());
  ASSERT_THAT(h.effects.hooks, SizeIs(2));
  EXPECT_EQ(h.effects.hooks[0].token, 11u);
  EXPECT_EQ(h.effects.hooks[1].token, 13u);
  EXPECT_EQ(h.effects.hooks[1].end, ScopeEnd::kCancelled);
  EXPECT_THAT(h.effects.ended, SizeIs(1));
}

TEST(ScopeTable, AMemberRemovedWhileItsScopeEndsLeavesNothingBehind) {
  ScopeTableHarness h;
  (void)h.Open(7);
  uint64_t number;
  (void)h.table.AddMember(ScopeId(7), {MemberKind::kTask, "a", 11}, &number);
  (void)h.End(7);
  Token token = 0;
  EXPECT_EQ(h.Checked([&] { return h.table.RemoveMember(ScopeId(7), number, &token, &h.effects); }),
            ScopeVerdict::kOk);
  EXPECT_FALSE(h.IsDone(7)) << "its end is to be gone on with";
  EXPECT_FALSE(h.EndMore());
  EXPECT_THAT(h.effects.hooks, IsEmpty());
  EXPECT_TRUE(h.IsDone(7));
}

TEST(ScopeTable, ADeadlineEndsItAndSaysSo) {
  ScopeTableHarness h;
  event::OpenScope e;
  e.id = ScopeId(7);
  e.name = "job";
  e.deadline = At(10);
  (void)h.Open(e);
  EXPECT_TRUE(h.effects.deadline);
  e.id = ScopeId(8);
  e.deadline = At(5);
  (void)h.Open(e);
  EXPECT_EQ(h.table.NextDeadline(), At(5));
  (void)h.End(8);
  EXPECT_EQ(h.table.NextDeadline(), At(10));
  EXPECT_FALSE(h.Checked([&] {
    return h.table.Tick(At(9), 10, &h.effects) ? ScopeVerdict::kEnded : ScopeVerdict::kOk;
  }) != ScopeVerdict::kOk);
  EXPECT_FALSE(h.IsDone(7));
  (void)h.table.Tick(At(10), 10, &h.effects);
  ASSERT_THAT(h.effects.overdue, SizeIs(1));
  EXPECT_EQ(h.effects.overdue[0].second, "job");
  EXPECT_TRUE(h.IsDone(7));
  EXPECT_EQ(h.table.NextDeadline(), kInfiniteFuture);
}

TEST(ScopeTable, ADriversDeathEndsItsJobsAlone) {
  ScopeTableHarness h;
  event::OpenScope e;
  for (uint64_t id = 1; id <= 3; ++id) {
    e.id = ScopeId(id);
    e.driver = id == 2 ? 5u : 6u;
    (void)h.Open(e);
  }
  (void)h.Checked([&] {
    EXPECT_FALSE(h.table.CloseDriver(6, 8, &h.effects));
    return ScopeVerdict::kOk;
  });
  EXPECT_TRUE(h.IsDone(1));
  EXPECT_FALSE(h.IsDone(2));
  EXPECT_TRUE(h.IsDone(3));
}

TEST(ScopeTable, ALimitIsToldEachTimeItIsExceeded) {
  ScopeTableHarness h;
  event::OpenScope e;
  e.id = ScopeId(1);
  e.bytes_max = 100;
  e.on_bytes = 9;
  (void)h.Open(e);
  (void)h.Open(2, 1);
  (void)h.Admit(2, 60);
  (void)h.Admit(1, 40);
  EXPECT_THAT(h.effects.exceeded, IsEmpty()) << "100 is not more than 100";
  (void)h.Admit(2, 1);
  ASSERT_THAT(h.effects.exceeded, SizeIs(1));
  EXPECT_EQ(h.effects.exceeded[0].bytes, 101u);
  (void)h.Admit(2, 1);
  EXPECT_THAT(h.effects.exceeded, IsEmpty()) << "once";
  h.Gone(2, 60);
  (void)h.Admit(1, 99);
  EXPECT_THAT(h.effects.exceeded, SizeIs(1)) << "and again";
}

TEST(ScopeTable, LabelsAddUpOverScopes) {
  ScopeTableHarness h;
  (void)h.Open(1);
  (void)h.Open(2);
  (void)h.Admit(1, 10, 0, 3);
  (void)h.Admit(2, 20, 0, 3);
  (void)h.Admit(2, 40, 0, 4);
  EXPECT_EQ(h.table.UsageOf(3).bytes, 30u);
  EXPECT_EQ(h.table.UsageOf(3).objects, 2u);
  h.Gone(1, 10, 3);
  h.Gone(2, 20, 3);
  EXPECT_EQ(h.table.UsageOf(3).bytes, 0u);
  EXPECT_EQ(h.table.UsageOf(4).copies, 1u);
}

TEST(ScopeTable, WhatMovesIsNeverInNoneOfTheTwo) {
  ScopeTableHarness h;
  (void)h.Open(1);
  (void)h.Open(2);
  (void)h.Admit(1, 10);
  const ScopeIndex from = h.admission.scope;
  event::AdmitToScope move{ScopeId(2), 0};
  move.moves = true;
  ASSERT_EQ(h.Checked([&] { return h.table.Step(move, &h.admission, &h.effects); }),
            ScopeVerdict::kOk);
  (void)h.End(2);
  EXPECT_FALSE(h.IsDone(2)) << "something is on its way into it";
  (void)h.Checked([&] {
    h.table.Arrived(h.admission, InnerRef{}, 1, ScopeChange{from, 0, -1, -1, -10},
                    ScopeChange{h.admission.scope, 0, 1, 1, 10}, &h.effects);
    return ScopeVerdict::kOk;
  });
  EXPECT_EQ(h.table.Find(ScopeId(1))->objects, 0);
  EXPECT_EQ(h.table.Find(ScopeId(2))->bytes, 10);
  EXPECT_FALSE(h.IsDone(2));
}

TEST(ScopeTable, WhatIsKeptGoesToTheNextScopeAroundThatRuns) {
  ScopeTableHarness h;
  (void)h.Open(1);
  (void)h.Open(2, 1);
  (void)h.Open(3, 2);
  const ScopeIndex inner = h.table.IndexOf(ScopeId(3));
  EXPECT_EQ(h.table.KeeperOf(inner), h.table.IndexOf(ScopeId(2)));
  (void)h.Admit(2);
  (void)h.End(2);
  EXPECT_EQ(h.table.KeeperOf(inner), h.table.IndexOf(ScopeId(1)));
  (void)h.End(1);
  EXPECT_EQ(h.table.KeeperOf(inner), kRootScope);
}

TEST(ScopeTable, AScopeKeepsWhatItUsesUntilItIsDone) {
  ScopeTableHarness h;
  (void)h.Open(1);
  (void)h.Open(2);
  (void)h.Admit(1);
  (void)h.Admit(2);
  h.Use(2, 1, 77);
  (void)h.End(1);
  EXPECT_THAT(h.effects.inners, IsEmpty());
  EXPECT_THAT(h.table.AwaitedBy(*h.table.Find(ScopeId(1)), 8), ElementsAre(ScopeId(2)));
  (void)h.End(2);
  EXPECT_THAT(h.effects.inners, IsEmpty()) << "it is not done";
  h.Gone(2);
  ASSERT_THAT(h.effects.inners, SizeIs(1));
  EXPECT_EQ(h.effects.inners[0].record, 77u);
}

TEST(ScopeTable, ScopesThatUseEachOtherEndTogether) {
  ScopeTableHarness h;
  for (uint64_t id = 1; id <= 3; ++id) {
    (void)h.Open(id);
    (void)h.Admit(id);
  }
  h.Use(1, 2, 72);
  h.Use(2, 3, 73);
  h.Use(3, 1, 71);
  (void)h.End(1);
  (void)h.End(2);
  EXPECT_THAT(h.effects.inners, IsEmpty()) << "the third of the ring runs";
  (void)h.End(3);
  EXPECT_THAT(h.effects.inners, SizeIs(3));
  for (uint64_t id = 1; id <= 3; ++id) h.Gone(id);
  for (uint64_t id = 1; id <= 3; ++id) EXPECT_TRUE(h.IsDone(id));
}

TEST(ScopeTable, WhatAScopeUsesOfItsOwnItKeepsUntilItEnds) {
  ScopeTableHarness h;
  (void)h.Open(1);
  (void)h.Open(2);
  (void)h.Admit(1);
  (void)h.Admit(2);
  h.Use(1, 1, 71);
  h.Use(1, 2, 72);
  EXPECT_THAT(h.effects.inners, IsEmpty());
  h.Arrive(h.Leave(1), 2, 72, 1);
  EXPECT_THAT(h.effects.inners, IsEmpty()) << "it came into the scope that uses it";
  (void)h.End(1);
  EXPECT_THAT(h.effects.inners, SizeIs(2)) << "which does not wait for itself";
}

TEST(ScopeTable, AScopeThatUsesWhatIsInAnInnerOneEndsWithIt) {
  ScopeTableHarness h;
  (void)h.Open(1);
  (void)h.Open(2, 1);
  (void)h.Admit(2);
  h.Use(1, 2, 72);
  (void)h.End(1);
  EXPECT_FALSE(h.EndMore());
  EXPECT_THAT(h.effects.inners, SizeIs(1));
  h.Gone(2);
  EXPECT_TRUE(h.IsDone(1));
}

TEST(ScopeTable, ARingThatAMoveClosesIsFoundToo) {
  ScopeTableHarness h;
  for (uint64_t id = 1; id <= 2; ++id) {
    (void)h.Open(id);
    (void)h.Admit(id);
  }
  h.Use(1, 2, 72);
  h.Use(2, ScopeId::Root().number(), 71);
  event::AdmitToScope move{ScopeId(1), 0};
  move.moves = true;
  ASSERT_EQ(h.table.Step(move, &h.admission, &h.effects), ScopeVerdict::kOk);
  (void)h.End(1);
  (void)h.End(2);
  EXPECT_THAT(h.effects.inners, IsEmpty());
  InnerRef object;
  object.record = 71;
  (void)h.Checked([&] {
    h.table.Arrived(h.admission, object, 1, ScopeChange{kRootScope},
                    ScopeChange{h.admission.scope, 0, 1, 0, 0}, &h.effects);
    return ScopeVerdict::kOk;
  });
  EXPECT_THAT(h.effects.inners, SizeIs(2));
}

TEST(ScopeTable, WhereAUsedObjectIsIsSaidByTheLastMoveNotByTheLastWord) {
  ScopeTableHarness h;
  for (uint64_t id = 1; id <= 4; ++id) (void)h.Open(id);
  const Admission into_one = h.Leave(1);
  h.Arrive(into_one, ScopeId::Root().number(), 77, 1);
  h.Use(4, 1, 77);
  const Admission into_two = h.Leave(2);
  const Admission into_three = h.Leave(3);
  h.Arrive(into_three, 2, 77, 3);
  h.Arrive(into_two, 1, 77, 2);
  EXPECT_THAT(h.table.AwaitedBy(*h.table.Find(ScopeId(3)), 8), ElementsAre(ScopeId(4)));
  (void)h.End(2);
  h.Released(2);
  EXPECT_TRUE(h.IsDone(2)) << "it left again";
  (void)h.Open(5);
  (void)h.End(4);
  EXPECT_THAT(h.effects.inners, SizeIs(1));
}

TEST(ScopeTable, AMoveOfWhatItsRecordHeldBeforeSaysNothingOfAUse) {
  ScopeTableHarness h;
  for (uint64_t id = 1; id <= 3; ++id) (void)h.Open(id);
  const Admission slow = h.Leave(1);  // has moved, is erased, and has not arrived
  InnerRef object;
  object.record = 77;
  ASSERT_EQ(h.table.Use(ScopeId(3), object), ScopeVerdict::kOk);
  h.Arrive(slow, ScopeId::Root().number(), 77, 1);
  (void)h.End(1);
  h.Released(1);
  (void)h.Checked([&] {
    h.table.Step(ScopeChange{slow.scope, 0, -1, 0, 0, 1}, &h.effects);
    return ScopeVerdict::kOk;
  });
  ASSERT_TRUE(h.IsDone(1));
  (void)h.Admit(2);
  (void)h.Checked([&] {
    h.table.UsedOf(ScopeId(3), object, {h.admission.scope, 1}, &h.effects);
    return ScopeVerdict::kOk;
  });
  EXPECT_THAT(h.table.AwaitedBy(*h.table.Find(ScopeId(2)), 8), ElementsAre(ScopeId(3)));
  (void)h.End(3);
  EXPECT_THAT(h.effects.inners, SizeIs(1));
}

TEST(ScopeTable, AMoveAfterTheLookStandsHoweverEarlyItIsTold) {
  ScopeTableHarness h;
  for (uint64_t id = 1; id <= 3; ++id) (void)h.Open(id);
  h.Arrive(h.Leave(1), ScopeId::Root().number(), 77, 1);
  InnerRef object;
  object.record = 77;
  ASSERT_EQ(h.table.Use(ScopeId(3), object), ScopeVerdict::kOk);
  const WhoseObject seen{h.table.IndexOf(ScopeId(1)), 1};
  h.Arrive(h.Leave(2), 1, 77, 2);
  (void)h.End(1);
  h.Released(1);
  EXPECT_TRUE(h.IsDone(1));
  (void)h.Checked([&] {
    h.table.UsedOf(ScopeId(3), object, seen, &h.effects);
    return ScopeVerdict::kOk;
  });
  EXPECT_THAT(h.table.AwaitedBy(*h.table.Find(ScopeId(2)), 8), ElementsAre(ScopeId(3)));
}

TEST(ScopeTable, DeleteForcesWhatIsLeftAndHandsOutWhatWasKept) {
  ScopeTableHarness h;
  event::OpenScope e;
  e.id = ScopeId(7);
  e.hold = true;
  e.no_cleanup = true;
  (void)h.Open(e);
  (void)h.Admit(7, 1, 2);
  std::vector<ObjectId> oldest;
  h.table.RecordKept(h.admission.scope, ObjectId::FromNumber(5), &oldest);
  (void)h.End(7);
  EXPECT_THAT(h.effects.release, IsEmpty()) << "no_cleanup";
  std::vector<ObjectId> kept;
  EXPECT_EQ(h.Checked([&] { return h.table.Delete(ScopeId(7), &kept, &h.effects); }),
            ScopeVerdict::kOk);
  EXPECT_THAT(kept, ElementsAre(ObjectId::FromNumber(5)));
  ASSERT_THAT(h.effects.release, SizeIs(1));
  EXPECT_TRUE(h.effects.release[0].force);
  h.Gone(7);
  h.Released(7);
  EXPECT_TRUE(h.IsDone(7));
}

TEST(ScopeTable, EveryTokenComesOutAtTheEndOfTheWorld) {
  ScopeTableHarness h;
  event::OpenScope e;
  e.id = ScopeId(7);
  e.on_bytes = 9;
  (void)h.Open(e);
  uint64_t number;
  (void)h.table.AddMember(ScopeId(7), {MemberKind::kTask, "a", 11}, &number);
  (void)h.table.OnEnded(ScopeId(7), 70);
  EXPECT_THAT(h.table.TakeAllTokens(), ::testing::UnorderedElementsAre(9u, 11u, 70u));
  EXPECT_THAT(h.table.TakeAllTokens(), IsEmpty());
}

}  // namespace
}  // namespace freehold::core
