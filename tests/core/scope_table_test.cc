#include "src/core/scope_table.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace freehold::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Time At(int seconds) { return Time(std::chrono::seconds(seconds)); }

// Steps, each with its invariants checked and its effects alone.
class Harness {
 public:
  ScopeVerdict Open(uint64_t id, uint64_t parent = 0) {
    event::OpenScope e;
    e.id = ScopeId(id);
    e.parent = ScopeId(parent);
    e.now = At(1);
    return Open(e);
  }
  ScopeVerdict Open(event::OpenScope e) {
    return Checked([&] { return table.Step(e, &last_id, &effects); });
  }
  ScopeVerdict Admit(uint64_t id, int64_t bytes = 1, uint32_t shard = 0, LabelIndex label = 0) {
    event::AdmitToScope e{ScopeId(id), shard, label};
    e.copies = 1;
    e.bytes = bytes;
    return Checked([&] { return table.Step(e, &admission, &effects); });
  }
  // An object of one copy that was admitted has been erased.
  void Gone(uint64_t id, int64_t bytes = 1, LabelIndex label = 0) {
    const ScopeIndex index = table.IndexOf(ScopeId(id));
    (void)Checked([&] {
      table.Step(ScopeChange{index, label, -1, -1, -bytes, 1}, &effects);
      return ScopeVerdict::kOk;
    });
  }
  ScopeVerdict End(uint64_t id, ScopeEnd why = ScopeEnd::kEnded) {
    return Checked([&] { return table.Step(event::EndScope{ScopeId(id), why}, &effects); });
  }
  void Released(uint64_t id) {
    const ScopeIndex index = table.IndexOf(ScopeId(id));
    (void)Checked([&] {
      table.Released(index, &effects);
      return ScopeVerdict::kOk;
    });
  }
  bool EndMore(uint32_t steps = UINT32_MAX) {
    bool more = false;
    (void)Checked([&] {
      more = table.EndMore(steps, &effects);
      return ScopeVerdict::kOk;
    });
    return more;
  }
  void Use(uint64_t by, uint64_t of, RecordIndex object) {
    InnerRef ref;
    ref.record = object;
    ASSERT_EQ(Checked([&] { return table.Use(ScopeId(by), ref); }), ScopeVerdict::kOk);
    (void)Checked([&] {
      table.UsedOf(ScopeId(by), ref, table.IndexOf(ScopeId(of)), &effects);
      return ScopeVerdict::kOk;
    });
  }
  bool IsDone(uint64_t id) const {
    const ScopeRecord* scope = table.Find(ScopeId(id));
    return scope == nullptr || scope->state == ScopeState::kDone;
  }

  template <typename Do>
  ScopeVerdict Checked(Do step) {
    effects = ScopeEffects();
    const ScopeVerdict verdict = step();
    table.CheckInvariants();
    return verdict;
  }

  ScopeTable table{At(0)};
  ScopeEffects effects;
  Admission admission;
  ScopeId last_id;
};

TEST(ScopeTable, AnEmptyScopeIsDoneWhenItEnds) {
  Harness h;
  ASSERT_EQ(h.Open(7), ScopeVerdict::kOk);
  ASSERT_EQ(h.table.OnEnded(ScopeId(7), 70), ScopeVerdict::kOk);
  EXPECT_EQ(h.End(7), ScopeVerdict::kOk);
  ASSERT_THAT(h.effects.ended, SizeIs(1));
  EXPECT_EQ(h.effects.ended[0].token, 70u);
  EXPECT_EQ(h.effects.ended[0].end, ScopeEnd::kEnded);
  EXPECT_EQ(h.table.Find(ScopeId(7)), nullptr) << "no handle names it";
}

TEST(ScopeTable, EndsOnceAndASecondEndChangesNothing) {
  Harness h;
  (void)h.Open(7);
  (void)h.Admit(7);
  EXPECT_EQ(h.End(7, ScopeEnd::kCancelled), ScopeVerdict::kOk);
  EXPECT_EQ(h.End(7), ScopeVerdict::kEnded);
  EXPECT_TRUE(h.effects.empty());
  EXPECT_EQ(h.table.Find(ScopeId(7))->end, ScopeEnd::kCancelled);
  EXPECT_EQ(h.End(8), ScopeVerdict::kNotFound);
}

TEST(ScopeTable, TheRootNeverEndsAndCannotBeChosen) {
  Harness h;
  EXPECT_EQ(h.End(ScopeId::Root().number()), ScopeVerdict::kInvalid);
  EXPECT_EQ(h.Open(ScopeId::Root().number()), ScopeVerdict::kInvalid);
  EXPECT_EQ(h.Open(uint64_t{1} << 63), ScopeVerdict::kInvalid);
}

TEST(ScopeTable, AnIdIsGivenOnceWhileItIsKnown) {
  Harness h;
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
  Harness h;
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
  Harness h;
  (void)h.Open(7);
  (void)h.Admit(7);
  (void)h.End(7);
  EXPECT_EQ(h.Admit(7), ScopeVerdict::kEnded);
  EXPECT_EQ(h.Open(8, 7), ScopeVerdict::kEnded);
  uint64_t number;
  EXPECT_EQ(h.table.AddMember(ScopeId(7), {}, &number), ScopeVerdict::kEnded);
}

TEST(ScopeTable, AnIndexIsUsedAgainOnlyWhenEveryChangeOfItHasCome) {
  Harness h;
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
  Harness h;
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
  Harness h;
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
  Harness h;
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
  Harness h;
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
  Harness h;
  ASSERT_EQ(h.Open(1), ScopeVerdict::kOk);
  for (uint64_t id = 2; id <= ScopeTable::kDepthMax; ++id) {
    ASSERT_EQ(h.Open(id, id - 1), ScopeVerdict::kOk);
  }
  EXPECT_EQ(h.Open(1000, ScopeTable::kDepthMax), ScopeVerdict::kTooDeep);
  EXPECT_EQ(h.Open(1001, 999), ScopeVerdict::kNoParent);
}

TEST(ScopeTable, MembersAreReleasedInOrderAndOnce) {
  Harness h;
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
  Harness h;
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
  Harness h;
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
  Harness h;
  event::OpenScope e;
  for (uint64_t id = 1; id <= 3; ++id) {
    e.id = ScopeId(id);
    e.driver = id == 2 ? 5u : 6u;
    (void)h.Open(e);
  }
  (void)h.Checked([&] {
    h.table.CloseDriver(6, &h.effects);
    return ScopeVerdict::kOk;
  });
  EXPECT_TRUE(h.IsDone(1));
  EXPECT_FALSE(h.IsDone(2));
  EXPECT_TRUE(h.IsDone(3));
}

TEST(ScopeTable, ALimitIsToldEachTimeItIsExceeded) {
  Harness h;
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
  Harness h;
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
  Harness h;
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
    h.table.Arrived(h.admission, InnerRef{}, ScopeChange{from, 0, -1, -1, -10},
                    ScopeChange{h.admission.scope, 0, 1, 1, 10}, &h.effects);
    return ScopeVerdict::kOk;
  });
  EXPECT_EQ(h.table.Find(ScopeId(1))->objects, 0);
  EXPECT_EQ(h.table.Find(ScopeId(2))->bytes, 10);
  EXPECT_FALSE(h.IsDone(2));
}

TEST(ScopeTable, WhatIsKeptGoesToTheNextScopeAroundThatRuns) {
  Harness h;
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
  Harness h;
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
  Harness h;
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

TEST(ScopeTable, AScopeThatUsesWhatIsInAnInnerOneEndsWithIt) {
  Harness h;
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
  Harness h;
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
    h.table.Arrived(h.admission, object, ScopeChange{kRootScope},
                    ScopeChange{h.admission.scope, 0, 1, 0, 0}, &h.effects);
    return ScopeVerdict::kOk;
  });
  EXPECT_THAT(h.effects.inners, SizeIs(2));
}

TEST(ScopeTable, DeleteForcesWhatIsLeftAndHandsOutWhatWasKept) {
  Harness h;
  event::OpenScope e;
  e.id = ScopeId(7);
  e.hold = true;
  e.no_cleanup = true;
  (void)h.Open(e);
  (void)h.Admit(7, 1, 2);
  h.table.RecordKept(h.admission.scope, ObjectId::FromNumber(5));
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
  Harness h;
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
