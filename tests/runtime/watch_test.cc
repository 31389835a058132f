// Watches: moments of an object that another process owns, told once, whatever comes between.

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/watch_testing.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// --- The moment ----------------------------------------------------------------------------------

TEST_F(WatchTest, EachMomentIsToldOnceWhenItComes) {
  ObjectRef own = Put(7);
  MustWatch(2, Moment::kErased, 7, "erased");
  MustWatch(2, Moment::kReclaimed, 7, "reclaimed");
  MustWatch(2, Moment::kOutOfScope, 7, "out");
  MustWatch(3, Moment::kOutOfScope, 7, "out, to 3");
  Settle();
  EXPECT_EQ(world_[1].GetStats().watches, 4u);
  EXPECT_EQ(world_[2].GetStats().watches_elsewhere, 3u);
  EXPECT_THAT(Heard(), IsEmpty());
  own.Reset();
  world_.Settle();  // the node has not deleted its copy yet
  world_.executor->RunAll();
  EXPECT_THAT(Heard(), ElementsAre("out: out of scope", "out, to 3: out of scope"));
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("reclaimed: out of scope", "erased: out of scope"));
  Settle();
  EXPECT_THAT(Heard(), IsEmpty());
  ExpectNothingLeft();
}

TEST_F(WatchTest, TheReasonIsTheOwners) {
  const ObjectRef own = Put(7);
  MustWatch(2, Moment::kOutOfScope, 7, "out");
  MustWatch(2, Moment::kReclaimed, 7, "reclaimed");
  Settle();
  ASSERT_TRUE(world_[1].Free({Object(7)}).ok());
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("out: freed", "reclaimed: freed"));
  ExpectNothingLeft();
}

TEST_F(WatchTest, ABorrowerNeedNotNameTheOwnerAndItsWatchKeepsNothing) {
  ObjectRef own = Put(7);
  ObjectRef borrowed = world_.Pass(1, 7, 2);
  Settle();
  ASSERT_TRUE(world_[2].Watch(Moment::kErased, Object(7), ProcessId(), Hear("erased")).ok());
  Settle();
  own.Reset();
  Settle();
  EXPECT_THAT(Heard(), IsEmpty()) << "process 2 holds it";
  borrowed.Reset();
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("erased: out of scope"));
  ExpectNothingLeft();
}

TEST_F(WatchTest, WhatHasPassedOrIsGoneIsToldAtOnce) {
  const ObjectRef own = Put(7);
  ASSERT_TRUE(world_[1].Free({Object(7)}).ok());
  Settle();
  MustWatch(2, Moment::kReclaimed, 7, "reclaimed");
  MustWatch(2, Moment::kErased, 8, "erased");
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("reclaimed: freed", "erased: gone"));
  ExpectNothingLeft();
}

TEST_F(WatchTest, ThoseOfOneObjectAndMomentAreToldInOrder) {
  ObjectRef own = Put(7);
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    const std::string name = std::to_string(i);
    MustWatch(2, Moment::kOutOfScope, 7, name);
    if (i % 3 == 0) Settle();
    expected.push_back(name + ": out of scope");
  }
  own.Reset();
  MustWatch(2, Moment::kOutOfScope, 7, "late");
  expected.emplace_back("late: out of scope");
  Settle();
  EXPECT_EQ(Heard(), expected);
}

TEST_F(WatchTest, OneOfAnObjectOfThisProcessIsACallback) {
  ObjectRef own = Put(7);
  MustWatch(1, Moment::kOutOfScope, 7, "named");
  ASSERT_TRUE(world_[1].Watch(Moment::kOutOfScope, Object(7), ProcessId(), Hear("unnamed")).ok());
  const CallbackRegistration cancelled = MustWatch(1, Moment::kOutOfScope, 7, "cancelled");
  EXPECT_TRUE(world_[1].Cancel(cancelled));
  EXPECT_EQ(world_[1].GetStats().callbacks_registered, 2u);
  own.Reset();
  // Unlike one that is registered, it is called although its moment has passed, behind the others.
  auto late = Watch(1, Moment::kOutOfScope, 7, "late");
  ASSERT_TRUE(late.ok());
  EXPECT_FALSE(*late) << "there is nothing to cancel";
  ASSERT_TRUE(Watch(1, Moment::kErased, 9, "unknown").ok());
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("named: out of scope", "unnamed: out of scope",
                                   "late: out of scope", "unknown: gone"));
  EXPECT_EQ(world_[1].Watch(Moment::kErased, Object(9), ProcessId(), Hear("?")).status().code(),
            absl::StatusCode::kNotFound);
  ExpectNothingLeft();
}

// --- What goes wrong -----------------------------------------------------------------------------

TEST_F(WatchTest, NothingIsLostOrDoubledOnAPathThatLosesThings) {
  ObjectRef own = Put(7);
  world_.transport.unreachable[Process(1)] = true;
  MustWatch(2, Moment::kOutOfScope, 7, "out");
  world_.SettleFor(std::chrono::seconds(1));
  EXPECT_EQ(world_[1].GetStats().watches, 0u);
  world_.transport.unreachable.clear();
  world_.transport.unreachable[Process(2)] = true;  // the owner's acknowledgements, and the firing
  world_.SettleFor(std::chrono::seconds(10));
  EXPECT_EQ(world_[1].GetStats().watches, 1u);
  own.Reset();
  world_.SettleFor(std::chrono::seconds(10));
  world_.executor->RunAll();
  EXPECT_THAT(Heard(), IsEmpty());
  world_.transport.unreachable.clear();
  world_.SettleFor(std::chrono::seconds(10));
  world_.executor->RunAll();
  EXPECT_THAT(Heard(), ElementsAre("out: out of scope"));
  ExpectNothingLeft();
}

TEST_F(WatchTest, TheOwnersDeathIsToldByNameAtTheBarrier) {
  const ObjectRef own = Put(7);
  MustWatch(2, Moment::kErased, 7, "erased");
  const CallbackRegistration cancelled = MustWatch(2, Moment::kErased, 7, "cancelled");
  Settle();
  world_.Crash(1);
  MustWatch(2, Moment::kOutOfScope, 7, "never sent");
  EXPECT_TRUE(world_[2].Cancel(cancelled));
  world_.Exclude(1);
  world_.Settle({2});
  world_.executor->RunAll();
  EXPECT_THAT(Heard(), IsEmpty()) << "process 3 has not dealt with it";
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("erased: owner died", "never sent: owner died"));
  EXPECT_EQ(ReasonOf(Watch(2, Moment::kErased, 7, "?").status()), ErrorReason::kOwnerDied);
  Settle();
  ExpectNothingLeft();
}

TEST_F(WatchTest, AWatcherThatIsExcludedIsForgotten) {
  ObjectRef own = Put(7);
  MustWatch(2, Moment::kOutOfScope, 7, "out");
  MustWatch(3, Moment::kOutOfScope, 7, "out, to 3");
  Settle();
  world_.Crash(2);
  world_.Exclude(2);
  Settle();
  EXPECT_EQ(world_[1].GetStats().watches, 1u);
  own.Reset();
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("out, to 3: out of scope"));
  ExpectNothingLeft();
}

TEST_F(WatchTest, WhoIsExcludedHearsItOfAllItWaitsFor) {
  ObjectRef own = Put(7);
  MustWatch(2, Moment::kErased, 7, "erased");
  const CallbackRegistration cancelled = MustWatch(2, Moment::kErased, 7, "cancelled");
  Settle();
  EXPECT_TRUE(world_[2].Cancel(cancelled));
  MustWatch(2, Moment::kErased, 7, "never sent");
  world_.Exclude(2);
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("erased: excluded", "never sent: excluded"));
  EXPECT_EQ(ReasonOf(Watch(2, Moment::kErased, 7, "?").status()), ErrorReason::kExcluded);
  own.Reset();
  Settle();
  EXPECT_THAT(Heard(), IsEmpty());
  ExpectNothingLeft();
}

TEST_F(WatchTest, AShutdownDestroysWhatWaitsWithoutACall) {
  const ObjectRef own = Put(7);
  auto alive = std::make_shared<int>(0);
  const auto count = [alive](const ObjectId&, EndReason) { ++*alive; };
  ASSERT_TRUE(world_[2].Watch(Moment::kErased, Object(7), Process(1), count).ok());
  Settle();
  ASSERT_TRUE(world_[2].Watch(Moment::kErased, Object(7), Process(1), count).ok());
  EXPECT_EQ(alive.use_count(), 4);
  const ShutdownReport report = world_[2].Shutdown(ShutdownMode::kImmediate, Duration::zero());
  EXPECT_EQ(report.callbacks_dropped, 2u);
  EXPECT_EQ(alive.use_count(), 2);
  Settle();
  EXPECT_EQ(*alive, 0);
  EXPECT_EQ(ReasonOf(Watch(2, Moment::kErased, 7, "?").status()), ErrorReason::kShutDown);
}

TEST_F(WatchTest, ALeavingOwnerSendsWhatHasFiredFirst) {
  ObjectRef own = Put(7);
  MustWatch(2, Moment::kErased, 7, "erased");
  Settle();
  own.Reset();
  EXPECT_FALSE(world_[1].CanExit().can_exit());
  Settle();
  EXPECT_TRUE(world_[1].CanExit().can_exit()) << world_[1].CanExit().ToString();
  world_[1].Shutdown(ShutdownMode::kGraceful, std::chrono::seconds(1));
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("erased: out of scope"));
}

// --- Calling off ---------------------------------------------------------------------------------

TEST_F(WatchTest, OneThatIsCalledOffRunsNoMoreAndItsOwnerForgetsIt) {
  ObjectRef own = Put(7);
  const CallbackRegistration cancelled = MustWatch(2, Moment::kOutOfScope, 7, "cancelled");
  MustWatch(2, Moment::kOutOfScope, 7, "out");
  Settle();
  EXPECT_TRUE(world_[2].Cancel(cancelled));
  EXPECT_FALSE(world_[2].Cancel(cancelled));
  EXPECT_EQ(world_[2].GetStats().watches_elsewhere, 2u) << "until its owner has answered";
  Settle();
  EXPECT_EQ(world_[1].GetStats().watches, 1u);
  EXPECT_EQ(world_[2].GetStats().watches_elsewhere, 1u);
  own.Reset();
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("out: out of scope"));
  ExpectNothingLeft();
}

TEST_F(WatchTest, OfOneThatIsCalledOffBeforeItLeavesNobodyHears) {
  const ObjectRef own = Put(7);
  const int sent = world_.transport.sent[Process(1)];
  EXPECT_TRUE(world_[2].Cancel(MustWatch(2, Moment::kOutOfScope, 7, "cancelled")));
  EXPECT_EQ(world_[2].GetStats().watches_elsewhere, 0u);
  Settle();
  EXPECT_EQ(world_.transport.sent[Process(1)], sent);
  ExpectNothingLeft();
}

TEST_F(WatchTest, ACancellationThatCrossesTheFiringWinsAtTheWatcher) {
  ObjectRef own = Put(7);
  const CallbackRegistration first = MustWatch(2, Moment::kOutOfScope, 7, "first");
  const CallbackRegistration second = MustWatch(2, Moment::kOutOfScope, 7, "second");
  Settle();
  own.Reset();
  world_.Settle({1});  // it has fired, and waits in the watcher's inbox
  EXPECT_TRUE(world_[2].Cancel(first));
  world_.Settle({2});
  EXPECT_FALSE(world_[2].Cancel(second)) << "it is with the executor";
  Settle();
  EXPECT_THAT(Heard(), ElementsAre("second: out of scope"));
  ExpectNothingLeft();
}

TEST_F(WatchTest, ACallbackMayWatchAndCancelFromWithin) {
  world_.executor->RunAll();
  auto inline_executor = std::make_shared<testing::InlineExecutor>();
  ReferenceCounterOptions options;
  options.executor = inline_executor;
  SharingWorld world(2, options);
  ObjectRef own = world.Declare(1, 7);
  std::vector<EndReason> reasons;
  CallbackRegistration other;
  ASSERT_TRUE(world[2]
                  .Watch(Moment::kOutOfScope, Object(7), Process(1),
                         [&](const ObjectId& id, EndReason reason) {
                           reasons.push_back(reason);
                           EXPECT_TRUE(world[2].Cancel(other));
                           EXPECT_TRUE(world[2]
                                           .Watch(Moment::kErased, id, Process(1),
                                                  [&](const ObjectId&, EndReason again) {
                                                    reasons.push_back(again);
                                                  })
                                           .ok());
                         })
                  .ok());
  other = *world[2].Watch(Moment::kErased, Object(7), Process(1),
                          [&](const ObjectId&, EndReason) { FAIL() << "it was cancelled"; });
  world.Settle();
  own.Reset();
  world.Settle();
  EXPECT_THAT(reasons, ElementsAre(EndReason::kOutOfScope, EndReason::kGone));
}

}  // namespace
}  // namespace freehold
