// Heirs of objects that contain others: those that do not inherit, and much that is contained.

#include "freehold/drain.h"
#include "src/core/transfer_item.h"
#include "tests/runtime/heirs_contained_world.h"

namespace freehold {
namespace {

// --- It does not inherit -------------------------------------------------------------------------

TEST_F(HeirsContained, ADismissedHeirLetsGoAndMoreMayBePutIn) {
  ContainOf(4);
  ObjectRef more = world.Declare(1, 6);
  Prepare(8);
  EXPECT_EQ(ReasonOf(Put(6, 8)), ErrorReason::kNotMovable);
  Contain(7, 8);  // that is there already
  EXPECT_EQ(NestedAt(1, 7), 1u);
  Dismiss(8, 1);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  EXPECT_EQ(NestedAt(2, 7), 0u);
  EXPECT_EQ(world.Counts(4, 7).borrowers, 1u);
  EXPECT_EQ(NestedAt(1, 7), 1u);
  Contain(6, 8);
  Prepare(8);
  EXPECT_EQ(NestedAt(2, 6), 1u);
  EXPECT_EQ(NestedAt(2, 7), 1u);
  more.Reset();
  OwnerDies();
  EXPECT_EQ(NestedAt(2, 7), 1u);
  ExpectAllEnds();
}

TEST_F(HeirsContained, TheObjectEndsAndTheHeirLetsGo) {
  ContainOf(4);
  Prepare(8);
  own.Reset();
  Settle();
  EXPECT_FALSE(world.InScope(2, 7));
  EXPECT_FALSE(world.InScope(4, 7));
  ExpectAllEnds();
}

TEST_F(HeirsContained, AnObjectThatComesBackKeepsWhatItsFormerHeirWasTold) {
  ContainOf(4);
  Prepare(8);
  Dismiss(8, 1);
  Settle();
  (void)TakeAnswers();
  Transfer(8, 1, 2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  given.clear();
  EXPECT_EQ(NestedAt(1, 7), 0u);
  EXPECT_EQ(NestedAt(2, 7), 1u);
  // 1 has owned it before, and goes on answering for it.
  Prepare(8, 2, 1);
  EXPECT_EQ(NestedAt(1, 7), 1u);
  Dismiss(8, 2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  EXPECT_EQ(NestedAt(1, 7), 0u);
  EXPECT_EQ(Stats(1).formerly_owned, 1u);
  Prepare(8, 2, 1);
  own.Reset();
  Settle();
  EXPECT_FALSE(world.InScope(4, 7));
  ExpectAllEnds();
}

TEST_F(HeirsContained, AnHeirThatIsLeavingIsDismissedFromWhatContainsOthers) {
  ContainOf(4);
  ObjectRef plain = world.Declare(1, 9);
  Prepare(9);
  Prepare(8);
  EXPECT_FALSE(world[2].CanExit().can_exit()) << "it borrows";
  DrainOptions drain;
  drain.timeout = Duration::zero();
  (void)world[2].Drain(drain);
  Settle();
  EXPECT_TRUE(world[2].CanExit().can_exit()) << world[2].CanExit().ToString();
  EXPECT_EQ(Stats(2).heir_of, 1u);
  EXPECT_EQ(Stats(1).heirs, 1u) << "of what contains nothing";
  EXPECT_EQ(NestedAt(1, 7), 1u);
  Prepare(8, 1, 3);
  EXPECT_EQ(NestedAt(3, 7), 1u);
  plain.Reset();
  ExpectAllEnds();
}

TEST_F(HeirsContained, TheHeirDies) {
  ContainOf(4);
  Prepare(8);
  Die(2);
  Settle();
  EXPECT_EQ(world.Counts(4, 7).borrowers, 1u);
  EXPECT_EQ(NestedAt(1, 7), 1u);
  Prepare(8, 1, 3);
  EXPECT_EQ(NestedAt(3, 7), 1u);
  ExpectAllEnds();
}

TEST_F(HeirsContained, TheOwnerDiesBeforeItHasSaidWhatFor) {
  ContainOf(4);
  core::ContainedItem item;
  item.outer = Object(8);
  item.inners.push_back({Object(7), 1, core::kFirstTerm, Process(4)});
  own.Reset();
  Settle();
  ObjectRef inner = world.Declare(4, 6);
  item.inners[0].object = Object(6);
  world.Say(1, 2, item);
  Settle();
  EXPECT_EQ(NestedAt(2, 6), 1u);
  world.Exclude(1);
  Settle();
  EXPECT_FALSE(world.InScope(2, 6));
  inner.Reset();
  ExpectAllEnds();
}

TEST_F(HeirsContained, TheOwnerDiesBeforeTheHeirHasAnswered) {
  ContainOf(4);
  Name(8, 1, 2);
  world.Settle({1});
  world.Settle({2});
  OwnerDies();
  EXPECT_EQ(OwnerAt(2, 8), Process(2));
  EXPECT_EQ(NestedAt(2, 7), 1u);
  ExpectAllEnds();
}

TEST_F(HeirsContained, ItHasEndedUnheard) {
  ContainOf(4);
  Prepare(8);
  CutOff(1);
  own.Reset();
  world.Settle({1});
  Die(1);
  Settle();
  given.clear();
  Settle();
  EXPECT_FALSE(world.InScope(2, 8));
  EXPECT_FALSE(world.InScope(4, 7));
  ExpectAllEnds();
}

TEST_F(HeirsContained, AnHeirThatCannotHoldItSaysSo) {
  ObjectRef theirs = world.Declare(2, 7);  // the same id: it cannot be borrowed there
  ContainOf(1);
  Name(8, 1, 2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "RESOURCE_EXHAUSTED");
  EXPECT_EQ(Stats(1).heirs, 0u);
  EXPECT_EQ(Stats(1).handoffs_pending, 0u);
  EXPECT_EQ(Stats(2).heir_of, 0u);
  EXPECT_EQ(NestedAt(1, 7), 1u);
  theirs.Reset();
  Settle();
  Prepare(8);
  ExpectAllEnds();
}

TEST_F(HeirsContained, NamingFailsAfterSomethingWasPassedOn) {
  ContainOf(4);
  world.Crash(2);
  world.Exclude(2);
  Settle();
  Name(8, 1, 2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, peer excluded");
  Prepare(8, 1, 3);
  Name(8, 1, 4);  // it cannot have two, and nothing is passed on
  Settle();
  EXPECT_EQ(TakeAnswers(), "ALREADY_EXISTS");
  EXPECT_EQ(Stats(1).handoffs_pending, 0u);
  EXPECT_EQ(world.Counts(4, 7).borrowers, 2u);
  ExpectAllEnds();
}

TEST_F(HeirsContained, WhatWasPassedOnInVainIsCancelled) {
  ContainOf(4);
  for (uint64_t process = 100; process < 500; ++process) (void)world.Export(1, 8, process);
  const uint64_t before = Stats(1).handoffs_pending;
  Name(8, 1, 2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, not movable") << "too many hold it";
  EXPECT_EQ(Stats(1).handoffs_pending, before);
  EXPECT_FALSE(world.InScope(2, 7));
}

// --- Many ----------------------------------------------------------------------------------------

class HeirsOfMany : public HeirsContained {
 protected:
  static constexpr uint64_t kInners = 5000;
  HeirsOfMany() : HeirsContained(Narrow()) {
    for (uint64_t i = 0; i < kInners; ++i) {
      const ObjectRef inner = world.Declare(4, 100 + i);
      const ObjectRef passed = world.Pass(4, 100 + i, 1);
      Contain(100 + i, 8);
    }
    Settle();
  }
  // So that few of them are sent to one who does not answer.
  static SessionOptions Narrow() {
    SessionOptions session;
    session.envelope_bytes_max = 8 * 1024;
    session.window_envelopes = 2;
    return session;
  }
};

TEST_F(HeirsOfMany, MoreThanAPieceGoesInTurns) {
  Prepare(8);
  EXPECT_EQ(Stats(2).borrowed, kInners);
  EXPECT_EQ(Stats(4).borrowers, 2 * kInners);
  OwnerDies();
  EXPECT_EQ(Stats(2).borrowed, kInners);
  EXPECT_EQ(Stats(4).borrowers, kInners);
  EXPECT_EQ(NestedAt(2, 100 + kInners - 1), 1u);
  ExpectAllEnds();
  EXPECT_EQ(Stats(4).objects, 0u);
}

TEST_F(HeirsOfMany, DismissedWhenHalfHasBeenSent) {
  CutOff(2);
  Name(8, 1, 2);
  for (int i = 0; i < 5; ++i) world.Settle({1});
  EXPECT_EQ(Stats(1).heirs, 1u);
  EXPECT_EQ(Stats(1).handoffs_pending, kInners);
  Dismiss(8, 1);
  world.Settle({1});
  Reach(2);
  EXPECT_EQ(TakeAnswers(), "CANCELLED; ok");
  EXPECT_EQ(Stats(1).handoffs_pending, 0u);
  EXPECT_EQ(Stats(2).borrowed, 0u);
  EXPECT_EQ(Stats(4).borrowers, kInners);
  Prepare(8);
  EXPECT_EQ(Stats(2).borrowed, kInners);
  ExpectAllEnds();
}

TEST_F(HeirsOfMany, TheObjectEndsWhenHalfHasBeenSent) {
  CutOff(2);
  Name(8, 1, 2);
  for (int i = 0; i < 5; ++i) world.Settle({1});
  own.Reset();
  world.Settle({1});
  Reach(2);
  EXPECT_EQ(TakeAnswers(), "NOT_FOUND, gone");
  EXPECT_EQ(Stats(2).borrowed, 0u);
  EXPECT_EQ(Stats(4).objects, 0u);
  ExpectAllEnds();
}

TEST_F(HeirsOfMany, AnExcludedOwnerAnswersForWhatWaits) {
  Name(8, 1, 2);
  world.membership.Exclude({Process(1)});
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, excluded");
  own.Reset();
  Settle();
  EXPECT_EQ(Stats(2).borrowed, 0u);
  EXPECT_EQ(Stats(4).objects, 0u);
}

}  // namespace
}  // namespace freehold
