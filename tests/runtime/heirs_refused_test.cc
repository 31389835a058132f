// Heirs: who takes none, dismissal, and what goes with neither.

#include <string>
#include <utility>
#include <vector>

#include "freehold/drain.h"
#include "tests/runtime/heirs_world.h"

namespace freehold {
namespace {

// --- Who takes none ------------------------------------------------------------------------------

TEST_F(HeirsTest, AnHeirThatIsLeavingTakesNoneAndKeepsWhatItHas) {
  ObjectRef first = world.Declare(1, 7);
  ObjectRef second = world.Declare(1, 8);
  Prepare(7);
  DrainOptions drain;
  drain.timeout = Duration::zero();
  (void)world[2].Drain(drain);
  EXPECT_TRUE(world[2].CanExit().can_exit()) << "an heir may leave";
  Name(8, 1, 2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, draining");
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  EXPECT_EQ(Stats(3).handoffs_owed, 0u) << "it hears of changes";
  EXPECT_EQ(Stats(1).heirs, 1u);
  Prepare(8, 1, 4);
  first.Reset();
  second.Reset();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST(Heirs, AProcessThatTakesNoneFromOthersIsNoHeir) {
  ReferenceCounterOptions options;
  options.takes_transfers = false;
  SharingWorld world(2, options);
  ObjectRef own = world.Declare(1, 7);
  std::string answer;
  HeirOptions heir;
  heir.on_answer = [&](const ObjectId&, const absl::Status& status) { answer = NameOf(status); };
  const ObjectId id = Object(7);
  ASSERT_TRUE(Ownership(world[1]).NameHeir({&id, 1}, Process(2), std::move(heir)).ok());
  world.Settle();
  world.executor->RunAll();
  EXPECT_EQ(answer, "FAILED_PRECONDITION, refused");
  EXPECT_EQ(world[1].GetStats().heirs, 0u);
  EXPECT_EQ(world[2].GetStats().heir_of, 0u);
  own.Reset();
  world.Settle();
  world.ExpectClean();
}

TEST_F(HeirsTest, WhatWasTakenBackHasNoHeirBeforeTheBarrier) {
  ObjectRef own = world.Declare(1, 7);
  Transfer(7, 1, 4);
  world.Settle({1});  // it has not arrived
  Die(4);
  world.Settle({1});
  Name(7, 1, 2);
  world.Settle({1});
  world.executor->RunAll();
  EXPECT_EQ(TakeAnswers(), "UNAVAILABLE, peer excluded; FAILED_PRECONDITION, not movable");
  Settle();
  Prepare(7);
  own.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, WhatCanHaveNoHeirIsSaidByName) {
  ObjectRef inner = world.Declare(1, 6);
  const Scope theirs = *world[3].OpenScope();
  const Scope scope = *world[1].JoinScope(*theirs.Export(Process(1)));
  DeclareOptions in_scope;
  in_scope.scope = scope.id();
  ObjectRef outer = world[1].Declare(Object(7), in_scope).value();
  const ObjectId id = Object(6);
  Name(7, 1, 2);
  Name(9, 1, 2);  // nobody knows it
  ObjectRef borrowed = world.Pass(1, 6, 3);
  Settle();
  Name(6, 3, 2);
  Settle();
  EXPECT_EQ(
      TakeAnswers(),
      "FAILED_PRECONDITION, not movable; NOT_FOUND, gone; FAILED_PRECONDITION, not the owner");
  EXPECT_EQ(Ownership(world[1]).NameHeir({&id, 1}, Process(1)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Ownership(world[1]).NameHeir({&id, 1}, ProcessId()).code(),
            absl::StatusCode::kInvalidArgument);
  Prepare(6);
  const ObjectId seven = Object(7);
  EXPECT_EQ(ReasonOf(world[1].AddNested(Object(6), {&seven, 1})), ErrorReason::kNotMovable);
  inner.Reset();
  outer.Reset();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, MoreHoldersThanAMessageNamesEndTheHeirshipAndBlockNobody) {
  ObjectRef own = world.Declare(1, 7);
  Prepare(7);
  std::vector<Handoff> handoffs;
  for (uint64_t process = 100; process < 500; ++process) {
    handoffs.push_back(world.Export(1, 7, process).handoff);
  }
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  EXPECT_EQ(Stats(3).handoffs_owed, 0u);
  EXPECT_EQ(Stats(1).heirs, 0u);
  EXPECT_EQ(Stats(1).heirs_overgrown, 1u);
  EXPECT_EQ(Stats(2).heir_of, 0u);
  Name(7, 1, 2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, not movable");
}

// --- Dismissal, and transfers --------------------------------------------------------------------

TEST_F(HeirsTest, OneHeirAtATime) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Prepare(7);
  Name(7, 1, 4);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ALREADY_EXISTS");
  Dismiss(7, 1);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  EXPECT_EQ(Stats(2).heir_of, 0u);
  Dismiss(7, 1);  // it has none
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  Prepare(7, 1, 4);
  Die(1);
  own.Reset();
  Settle();
  EXPECT_EQ(OwnerAt(3, 7), Process(4));
  EXPECT_EQ(Stats(2).objects_inherited, 0u);
  given.clear();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, WhoWaitsForADismissedHeirIsAnswered) {
  ObjectRef own = world.Declare(1, 7);
  CutOff(2);
  Name(7, 1, 2);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  EXPECT_EQ(Stats(3).handoffs_owed, 1u);
  Dismiss(7, 1);
  Settle();
  EXPECT_EQ(Stats(3).handoffs_owed, 0u);
  EXPECT_EQ(TakeAnswers(), "");
  Reach(2);
  EXPECT_EQ(TakeAnswers(), "CANCELLED; ok");
  EXPECT_EQ(Stats(2).heir_of, 0u);
  Die(1);
  own.Reset();
  Settle();
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kOwnerDied);
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, WhatHasAnHeirIsNotGivenAwayUntilThatOneHasLetGo) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Prepare(7);
  Transfer(7, 1, 4);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, not movable");
  CutOff(2);
  Dismiss(7, 1);
  Settle();
  Transfer(7, 1, 4);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, not movable");
  Reach(2);
  EXPECT_EQ(TakeAnswers(), "ok");
  Transfer(7, 1, 4);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  Die(1);
  own.Reset();
  given.clear();
  Settle();
  EXPECT_EQ(OwnerAt(3, 7), Process(4));
  EXPECT_EQ(Stats(2).objects_inherited, 0u);
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, AFormerOwnerIsTheHeirOfTheNextOne) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  Prepare(7, 2, 1);
  EXPECT_EQ(Stats(1).heir_of, 1u);
  given.clear();
  Die(2);
  Settle();
  EXPECT_EQ(OwnerAt(3, 7), Process(1));
  EXPECT_EQ(OwnerAt(1, 7), Process(1));
  EXPECT_EQ(Stats(1).objects_inherited, 1u);
  // And it names an heir of its own.
  Prepare(7, 1, 4);
  given.clear();
  Die(1);
  own.Reset();
  Settle();
  EXPECT_EQ(OwnerAt(3, 7), Process(4));
  given.clear();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsTest, WatchesOfOthersFollowAndFireOnce) {
  ObjectRef own = world.Declare(1, 7);
  int fired = 0;
  const auto count = [&](const ObjectId&, EndReason) { ++fired; };
  ASSERT_TRUE(world[3].Watch(Moment::kOutOfScope, Object(7), Process(1), count).ok());
  Settle();
  Prepare(7);
  ASSERT_TRUE(world[4].Watch(Moment::kErased, Object(7), Process(1), count).ok());
  ASSERT_TRUE(world[2].Watch(Moment::kOutOfScope, Object(7), Process(1), count).ok());
  Settle();
  Die(1);
  own.Reset();
  Settle();
  EXPECT_EQ(fired, 0);
  given.clear();
  Settle();
  EXPECT_EQ(fired, 3);
  ExpectNothingLeft();
  EXPECT_EQ(fired, 3);
}

// --- The end of the owner's counter --------------------------------------------------------------

TEST_F(HeirsTest, AnOwnerThatIsExcludedSaysSoToWhoeverWaits) {
  ObjectRef own = world.Declare(1, 7);
  CutOff(2);
  Name(7, 1, 2);
  Settle();
  world.Exclude(1);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, excluded");
}

TEST_F(HeirsTest, AShutdownDropsWhatIsNotAnswered) {
  ObjectRef own = world.Declare(1, 7);
  CutOff(2);
  Name(7, 1, 2);
  Settle();
  own.Reset();
  const ShutdownReport report = world[1].Shutdown(ShutdownMode::kImmediate, Duration::zero());
  EXPECT_EQ(report.callbacks_dropped, 0u) << "the object has ended, and its heir with it";
  EXPECT_EQ(TakeAnswers(), "");
}

}  // namespace
}  // namespace freehold
