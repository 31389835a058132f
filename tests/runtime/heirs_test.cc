// Heirs: who owns an object after its owner's death.

#include "tests/runtime/heirs_world.h"

namespace freehold {
namespace {

TEST_F(HeirsTest, TheOwnerDiesAndItsHeirOwnsTheObject) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Prepare(7);
  EXPECT_EQ(Stats(1).heirs, 1u);
  EXPECT_EQ(Stats(1).heirs_prepared, 1u);
  EXPECT_EQ(Stats(2).heir_of, 1u);
  EXPECT_EQ(Stats(2).formerly_owned, 0u);
  EXPECT_FALSE(world.InScope(2, 7));
  Die(1);
  own.Reset();
  Settle();
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  EXPECT_EQ(OwnerAt(3, 7), Process(2));
  EXPECT_EQ(OwnerAt(2, 7), Process(2));
  EXPECT_EQ(Stats(2).objects_inherited, 1u);
  EXPECT_EQ(Stats(2).transfers_taken_back, 0u);
  ASSERT_EQ(given.size(), 1u);
  EXPECT_EQ(given[0].first.id(), Object(7));
  EXPECT_EQ(given[0].second, Process(1));
  // It is an object like another: who borrows it passes it on, and registers with the heir.
  ObjectRef further = world.Pass(3, 7, 4);
  Settle();
  EXPECT_EQ(world.Counts(2, 7).borrowers, 2u);
  borrowed.Reset();
  further.Reset();
  Settle();
  EXPECT_TRUE(world.InScope(2, 7));
  given.clear();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, WhatNobodyHoldsButTheDeadOwnerIsGivenToTheHeirsHost) {
  ObjectRef own = world.Declare(1, 7);
  Prepare(7);
  Die(1);
  own.Reset();
  Settle();
  EXPECT_TRUE(world.InScope(2, 7));
  ASSERT_EQ(given.size(), 1u);
  given.clear();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, AnHeirThatBorrowsItOwnsItThen) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at_heir = world.Pass(1, 7, 2);
  Settle();
  Prepare(7);
  Die(1);
  own.Reset();
  Settle();
  given.clear();
  EXPECT_EQ(OwnerAt(2, 7), Process(2));
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNone);
  Settle();
  EXPECT_TRUE(world.InScope(2, 7));
  at_heir.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, ABorrowerHearsThatItIsListedWhenTheHeirKnows) {
  ObjectRef own = world.Declare(1, 7);
  Prepare(7);
  CutOff(2);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  EXPECT_EQ(Stats(3).handoffs_owed, 1u);
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  Reach(2);
  EXPECT_EQ(Stats(3).handoffs_owed, 0u);
  own.Reset();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, ABorrowerThatRegisteredJustBeforeTheDeathIsKnownToTheHeir) {
  ObjectRef own = world.Declare(1, 7);
  Prepare(7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  world.Settle({3});
  world.Settle({1});  // listed; the heir is told
  world.Settle({2});
  EXPECT_EQ(Stats(3).handoffs_owed, 1u);  // not confirmed
  Die(1);
  own.Reset();
  Settle();
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  EXPECT_EQ(OwnerAt(3, 7), Process(2));
  EXPECT_EQ(Stats(3).handoffs_owed, 0u);
  given.clear();
  EXPECT_EQ(world.Counts(2, 7).borrowers, 1u);
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, WhoeverGotATokenOfTheDeadOwnerIsKnownToTheHeir) {
  ObjectRef own = world.Declare(1, 7);
  Prepare(7);
  ObjectRef borrowed = world.Pass(1, 7, 3);  // registers, and is not heard
  world.Settle({1, 2});
  Die(1);
  own.Reset();
  Settle();
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  EXPECT_EQ(OwnerAt(3, 7), Process(2));
  given.clear();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, AChainOfExportsEndsAtTheHeir) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Prepare(7);
  ObjectRef further = world.Pass(3, 7, 4);
  borrowed.Reset();
  Die(1);  // has heard nothing of 4
  own.Reset();
  Settle();
  EXPECT_EQ(world.Check(4, 7), ErrorReason::kNone);
  EXPECT_EQ(OwnerAt(4, 7), Process(2));
  given.clear();
  Settle();
  EXPECT_EQ(world.Counts(2, 7).borrowers, 1u);
  further.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, TheHeirDiesFirstAndWhoWaitedIsAnswered) {
  ObjectRef own = world.Declare(1, 7);
  Prepare(7);
  world.Crash(2);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  EXPECT_EQ(Stats(3).handoffs_owed, 1u);
  world.Exclude(2);
  Settle();
  EXPECT_EQ(Stats(3).handoffs_owed, 0u);
  EXPECT_EQ(Stats(1).heirs, 0u);
  Prepare(7, 1, 4);
  Die(1);
  own.Reset();
  Settle();
  EXPECT_EQ(OwnerAt(3, 7), Process(4));
  given.clear();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, TheHeirDiesBeforeItAnswers) {
  ObjectRef own = world.Declare(1, 7);
  world.Crash(2);
  Name(7, 1, 2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "");
  world.Exclude(2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "UNAVAILABLE, peer excluded");
  Name(7, 1, 2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, peer excluded");
  own.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, OwnerHeirAndBorrowersDieInOneView) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at_heir = world.Pass(1, 7, 2);
  ObjectRef third = world.Pass(1, 7, 3);
  ObjectRef fourth = world.Pass(1, 7, 4);
  Settle();
  Prepare(7);
  for (uint64_t process : {1, 2, 3}) world.Crash(process);
  own.Reset();
  at_heir.Reset();
  third.Reset();
  world.membership.Exclude({Process(1), Process(2), Process(3)});
  Settle();
  EXPECT_EQ(world.Check(4, 7), ErrorReason::kOwnerDied);
  fourth.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, OwnerAndABorrowerDieInOneView) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef third = world.Pass(1, 7, 3);
  ObjectRef fourth = world.Pass(1, 7, 4);
  Settle();
  Prepare(7);
  for (uint64_t process : {1, 3}) world.Crash(process);
  own.Reset();
  third.Reset();
  world.membership.Exclude({Process(1), Process(3)});
  Settle();
  given.clear();
  Settle();
  EXPECT_EQ(OwnerAt(4, 7), Process(2));
  EXPECT_EQ(world.Counts(2, 7).borrowers, 1u);
  fourth.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, AnObjectThatEndsTakesItsHeirAlong) {
  ObjectRef own = world.Declare(1, 7);
  Prepare(7);
  own.Reset();
  ExpectNothingLeft();
  Die(1);
  Settle();
  EXPECT_TRUE(given.empty());
  EXPECT_EQ(Stats(2).objects_inherited, 0u);
}

// The heir has heard neither of the release nor of the end: nobody holds it, and it ends at the
// barrier.
TEST_F(HeirsTest, AnObjectThatEndedUnheardEndsAtTheHeir) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Prepare(7);
  CutOff(2);
  own.Reset();
  borrowed.Reset();
  Settle();
  EXPECT_EQ(Stats(1).objects, 0u);
  world.Crash(1);
  world.transport.unreachable.erase(Process(2));
  world.Exclude(1);
  Settle();
  EXPECT_EQ(Stats(2).objects_inherited, 1u);
  EXPECT_EQ(given.size(), 1u);
  given.clear();
  ExpectNothingLeft();
}

}  // namespace
}  // namespace freehold
