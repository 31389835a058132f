#include "freehold/stateful.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "freehold/scope.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/core/state_chains.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kActor = 1'000;

TaskId Task(uint64_t number) { return TaskId::FromNumber(number); }
std::vector<TaskId> Tasks(const std::vector<uint64_t>& numbers) {
  std::vector<TaskId> ids;
  for (const uint64_t number : numbers) ids.push_back(Task(number));
  return ids;
}
LineageTask CallOf(uint64_t call, const std::vector<uint64_t>& arguments,
                   const std::vector<uint64_t>& returns, uint64_t bytes = 1) {
  LineageTask task;
  task.id = Task(call);
  for (const uint64_t argument : arguments) task.arguments.push_back(Object(argument));
  for (const uint64_t object : returns) task.returns.push_back(Object(object));
  task.spec_bytes = bytes;
  return task;
}

// An owner with one stateful task.
class StatefulWorld {
 public:
  explicit StatefulWorld(ReferenceCounterOptions options = {}) {
    options.on_lineage_released = [this](const std::vector<TaskId>& tasks) {
      released.insert(released.end(), tasks.begin(), tasks.end());
    };
    world = std::make_unique<CounterWorld>(3, options);
    lineage = std::make_unique<Lineage>(*world->counter);
    stateful = std::make_unique<StatefulTasks>(*world->counter);
    EXPECT_TRUE(stateful->Open(Task(kActor)).ok());
  }
  // The next call of the task, which has the number of what it returns: an object on node 1.
  ObjectRef Call(uint64_t call, const std::vector<uint64_t>& arguments = {}, ScopeId scope = {},
                 uint64_t bytes = 1) {
    DeclareOptions options = With(1);
    options.scope = scope;
    auto ref = world->counter->Declare(Object(call), options);
    EXPECT_TRUE(ref.ok()) << ref.status();
    world->AddCopy(call, 1, true);
    world->Settle();
    const auto state = stateful->Record(Task(kActor), CallOf(call, arguments, {call}, bytes));
    EXPECT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(*state, ++calls);
    return *std::move(ref);
  }
  void Settle() const {
    world->Settle();
    world->RunCallbacks();
  }
  void ExpectReplay(uint64_t object, uint64_t state, const std::vector<uint64_t>& of) const {
    const auto replay = stateful->ReplayTo(Object(object));
    ASSERT_TRUE(replay.ok()) << replay.status();
    EXPECT_EQ(replay->recovery, Recovery::kPossible) << RecoveryName(replay->recovery);
    EXPECT_EQ(replay->state, state);
    EXPECT_EQ(replay->calls, Tasks(of));
  }
  std::vector<uint64_t> checkpoints() const {
    return stateful->GetStatus(Task(kActor))->checkpoints;
  }
  ReferenceCounterStats stats() const { return world->counter->GetStats(); }

  std::vector<TaskId> released;
  std::unique_ptr<CounterWorld> world;
  std::unique_ptr<Lineage> lineage;
  std::unique_ptr<StatefulTasks> stateful;
  uint64_t calls = 0;
};

// Ray issue 2242: the calls of two batches take turns on one actor.
TEST(Stateful, CallsOfAScopeThatHasEndedAreReplayedForAnother) {
  StatefulWorld w;
  ScopeOptions hold;
  hold.hold = true;
  Scope one = *w.world->counter->OpenScope(hold);
  Scope two = *w.world->counter->OpenScope(hold);
  w.Call(11, {}, one.id()).Reset();
  w.Call(21, {}, two.id()).Reset();
  w.Call(12, {11}, one.id()).Reset();
  w.Call(22, {21}, two.id()).Reset();
  ASSERT_TRUE(one.End().ok());
  w.Settle();
  EXPECT_FALSE(w.world->counter->InScope(Object(11)));
  EXPECT_FALSE(w.world->counter->InScope(Object(12)));
  EXPECT_TRUE(w.released.empty());
  w.world->membership.Exclude({Node(1)});
  w.Settle();
  w.ExpectReplay(22, 0, {11, 21, 12, 22});
  w.ExpectReplay(21, 0, {11, 21});

  // From the last one to the first, so that the first ones know what is needed of them.
  std::vector<Resubmission> again;
  for (const uint64_t call : {22, 12, 21, 11}) {
    auto resubmission = w.lineage->Resubmit(Task(call));
    ASSERT_TRUE(resubmission.ok()) << resubmission.status();
    again.push_back(*std::move(resubmission));
  }
  EXPECT_EQ(again[1].missing, std::vector<ObjectId>{Object(11)});
  EXPECT_TRUE(again[1].returns.empty());  // nobody needs what it returned, only its state
  ASSERT_EQ(again[3].returns.size(), 1u);
  EXPECT_EQ(again[3].returns[0].object, Object(11));
  EXPECT_EQ(again[3].returns[0].generation, 1u);
  EXPECT_EQ(w.world->counter->GetCounts(Object(11))->tasks, 1u);
  again.clear();

  ASSERT_TRUE(two.End().ok());
  w.Settle();
  EXPECT_TRUE(w.released.empty());  // the latest state could not be had otherwise
  ASSERT_TRUE(w.stateful->End(Task(kActor)).ok());
  w.Settle();
  EXPECT_EQ(w.released.size(), 4u);
  EXPECT_EQ(w.stats().lineage_tasks, 0u);
  EXPECT_EQ(w.stats().lineage_objects, 0u);
  EXPECT_EQ(w.world->objects(), 0u);
}

TEST(Stateful, CheckpointLetsGoOfWhatLiesBeforeIt) {
  StatefulWorld w;
  w.Call(1).Reset();
  w.Call(2).Reset();
  const ObjectRef third = w.Call(3);
  w.Settle();
  EXPECT_TRUE(w.released.empty());
  ASSERT_TRUE(w.stateful->Checkpointed(Task(kActor), 2).ok());
  w.Settle();
  EXPECT_EQ(w.released, Tasks({2, 1}));
  w.ExpectReplay(3, 2, {3});
  EXPECT_EQ(w.stateful->ReplayToLatest(Task(kActor))->calls, Tasks({3}));
  ASSERT_TRUE(w.stateful->Checkpointed(Task(kActor), 3).ok());
  w.ExpectReplay(3, 2, {3});  // that state is had after the call
  EXPECT_TRUE(w.stateful->ReplayToLatest(Task(kActor))->calls.empty());
  EXPECT_EQ(w.checkpoints(), (std::vector<uint64_t>{2, 3}));
}

TEST(Stateful, CallsGoWhenEverythingUpToTheNextCheckpointHasEnded) {
  StatefulWorld w;
  w.Call(1).Reset();
  ObjectRef second = w.Call(2);
  ObjectRef third = w.Call(3);
  w.Call(4).Reset();
  ASSERT_TRUE(w.stateful->Checkpointed(Task(kActor), 4).ok());
  w.Settle();
  EXPECT_EQ(w.released, Tasks({4}));
  second.Reset();
  w.Settle();
  EXPECT_EQ(w.released, Tasks({4}));
  w.ExpectReplay(3, 0, {1, 2, 3});
  third.Reset();
  w.Settle();
  EXPECT_EQ(w.released, Tasks({4, 3, 2, 1}));
  EXPECT_EQ(w.checkpoints(), std::vector<uint64_t>{4});
}

TEST(Stateful, TaskMayEndWithoutACheckpoint) {
  StatefulWorld w;
  w.Call(1).Reset();
  ObjectRef second = w.Call(2);
  w.Call(3).Reset();
  ASSERT_TRUE(w.stateful->End(Task(kActor)).ok());
  w.Settle();
  EXPECT_EQ(w.released, Tasks({3}));
  w.ExpectReplay(2, 0, {1, 2});
  const auto status = w.stateful->GetStatus(Task(kActor));
  EXPECT_TRUE(status->ended);
  EXPECT_EQ(status->latest, 3u);
  EXPECT_EQ(status->states, 2u);
  second.Reset();
  w.Settle();
  EXPECT_EQ(w.released, Tasks({3, 2, 1}));
  EXPECT_TRUE(absl::IsNotFound(w.stateful->GetStatus(Task(kActor)).status()));
}

TEST(Stateful, ArgumentsThatWereLetGoOfAreMadeAgainForAReplay) {
  StatefulWorld w;
  ObjectRef argument = w.world->Put(500, {1});
  ASSERT_TRUE(w.lineage->Record(CallOf(500, {}, {500})).ok());
  w.Call(1, {500}).Reset();
  const ObjectRef second = w.Call(2);
  argument.Reset();
  w.Settle();
  EXPECT_FALSE(w.world->counter->InScope(Object(500)));
  const auto again = w.lineage->Resubmit(Task(1));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->missing, std::vector<ObjectId>{Object(500)});
  EXPECT_EQ(w.world->counter->GetCounts(Object(500))->tasks, 1u);
  EXPECT_EQ(*w.lineage->TaskOf(Object(500)), Task(500));
}

TEST(Stateful, EvictedCallMakesLaterOnesImpossibleAndSaysSo) {
  ReferenceCounterOptions options;
  options.lineage_bytes_max = 100;
  StatefulWorld w(options);
  const ObjectRef first = w.Call(1, {}, {}, 40);
  const ObjectRef second = w.Call(2, {}, {}, 40);
  const ObjectRef third = w.Call(3, {}, {}, 40);
  w.Settle();
  EXPECT_EQ(w.released, Tasks({1}));
  const auto replay = w.stateful->ReplayTo(Object(3));
  ASSERT_TRUE(replay.ok());
  EXPECT_EQ(replay->recovery, Recovery::kEvicted);
  EXPECT_EQ(replay->state, 1u);
  EXPECT_TRUE(replay->calls.empty());
  EXPECT_EQ(w.stateful->ReplayTo(Object(1))->recovery, Recovery::kEvicted);
  EXPECT_EQ(w.stateful->ReplayToLatest(Task(kActor))->recovery, Recovery::kEvicted);
  ASSERT_TRUE(w.stateful->Checkpointed(Task(kActor), 2).ok());
  w.ExpectReplay(3, 2, {3});
}

TEST(Stateful, TaskThatIsNotRestartableLetsItsCallsGoAtOnce) {
  StatefulWorld w;
  const ObjectRef first = w.Call(1);
  w.Settle();
  EXPECT_TRUE(w.released.empty());
  ASSERT_TRUE(w.stateful->NotRestartable(Task(kActor)).ok());
  ASSERT_TRUE(w.stateful->NotRestartable(Task(kActor)).ok());
  w.Settle();
  EXPECT_EQ(w.released, Tasks({1}));
  const ObjectRef second = w.Call(2, {1});
  w.Settle();
  EXPECT_EQ(w.released, Tasks({1, 2}));
  for (const uint64_t object : {1, 2}) {
    EXPECT_EQ(w.lineage->CanRecover(Object(object)), Recovery::kNotRestartable);
    EXPECT_EQ(w.stateful->ReplayTo(Object(object))->recovery, Recovery::kNotRestartable);
  }
  const absl::Status checkpointed = w.stateful->Checkpointed(Task(kActor), 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(checkpointed)) << checkpointed;
  EXPECT_THAT(checkpointed.message(), HasSubstr("not restartable"));
  EXPECT_TRUE(absl::IsFailedPrecondition(w.stateful->ReplayToLatest(Task(kActor)).status()));
  EXPECT_EQ(w.stats().lineage_tasks, 0u);
  EXPECT_FALSE(w.stateful->GetStatus(Task(kActor))->restartable);
}

TEST(Stateful, LatestStateKeepsArgumentsFromFreeRecursive) {
  StatefulWorld w;
  ScopeOptions hold;
  hold.hold = true;
  Scope scope = *w.world->counter->OpenScope(hold);
  DeclareOptions options = With(1);
  options.scope = scope.id();
  (void)*w.world->counter->Declare(Object(500), options);
  w.world->AddCopy(500, 1, true);
  const ObjectRef first = w.Call(1, {500});
  ObjectRef second = w.Call(2);
  (void)unsafe::FreeRecursive(*w.world->counter, {Object(1), Object(2)});
  w.Settle();
  EXPECT_EQ(w.world->counter->GetLocations(Object(500))->state, ObjectState::kAvailable);
  // Nobody needs its states any more, but for the value that is freed.
  ASSERT_TRUE(w.stateful->End(Task(kActor)).ok());
  second.Reset();
  (void)unsafe::FreeRecursive(*w.world->counter, {Object(1)});
  w.Settle();
  EXPECT_EQ(w.world->counter->GetLocations(Object(500))->state, ObjectState::kFreed);
}

TEST(Stateful, LongChainIsLetGoOfInPieces) {
  StatefulWorld w;
  constexpr uint64_t kCalls = 10'000;
  for (uint64_t call = 1; call <= kCalls; ++call) {
    ASSERT_TRUE(w.stateful->Record(Task(kActor), CallOf(call, {}, {})).ok());
  }
  EXPECT_EQ(w.stateful->ReplayToLatest(Task(kActor))->calls.size(), kCalls);
  ASSERT_TRUE(w.stateful->Checkpointed(Task(kActor), kCalls / 2).ok());
  EXPECT_GT(w.stats().lineage_tasks, kCalls / 2);  // the caller does a bounded part of it
  w.Settle();
  EXPECT_EQ(w.stats().lineage_tasks, kCalls / 2);
  ASSERT_TRUE(w.stateful->NotRestartable(Task(kActor)).ok());
  EXPECT_GT(w.stats().lineage_tasks, 0u);
  w.Settle();
  EXPECT_EQ(w.stats().lineage_tasks, 0u);
  EXPECT_EQ(w.stats().lineage_objects, 0u);
  EXPECT_EQ(w.released.size(), kCalls);
}

TEST(Stateful, WhatMakesNoSenseIsRefusedAndChangesNothing) {
  StatefulWorld w;
  const ObjectRef first = w.Call(1);
  const ObjectRef plain = w.world->Put(50, {1});
  ASSERT_TRUE(w.lineage->Record(CallOf(50, {}, {50})).ok());
  StatefulTasks& stateful = *w.stateful;
  EXPECT_TRUE(absl::IsInvalidArgument(stateful.Open(TaskId())));
  EXPECT_TRUE(absl::IsAlreadyExists(stateful.Open(Task(kActor))));
  // Unknown tasks.
  EXPECT_TRUE(absl::IsNotFound(stateful.Record(Task(9), CallOf(2, {}, {})).status()));
  EXPECT_TRUE(absl::IsNotFound(stateful.Checkpointed(Task(9), 1)));
  EXPECT_TRUE(absl::IsNotFound(stateful.NotRestartable(Task(9))));
  EXPECT_TRUE(absl::IsNotFound(stateful.End(Task(9))));
  EXPECT_TRUE(absl::IsNotFound(stateful.ReplayToLatest(Task(9)).status()));
  EXPECT_TRUE(absl::IsNotFound(stateful.GetStatus(Task(9)).status()));
  // Calls that cannot be recorded.
  EXPECT_TRUE(absl::IsAlreadyExists(stateful.Record(Task(kActor), CallOf(1, {}, {})).status()));
  EXPECT_TRUE(absl::IsAlreadyExists(stateful.Record(Task(kActor), CallOf(2, {}, {50})).status()));
  EXPECT_TRUE(absl::IsNotFound(stateful.Record(Task(kActor), CallOf(2, {}, {77})).status()));
  LineageTask forged = CallOf(2, {}, {});
  forged.arguments = {core::StateId({1, 1})};
  EXPECT_TRUE(absl::IsInvalidArgument(stateful.Record(Task(kActor), forged).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(w.lineage->Record(forged)));
  // States that are not there.
  EXPECT_TRUE(absl::IsNotFound(stateful.Checkpointed(Task(kActor), 0)));
  EXPECT_TRUE(absl::IsNotFound(stateful.Checkpointed(Task(kActor), 2)));
  // Objects that no call made.
  EXPECT_EQ(stateful.ReplayTo(Object(77))->recovery, Recovery::kDeleted);
  EXPECT_TRUE(absl::IsFailedPrecondition(stateful.ReplayTo(Object(50)).status()));
  w.Settle();
  EXPECT_EQ(stateful.GetStatus(Task(kActor))->latest, 1u);
  w.ExpectReplay(1, 0, {1});
  EXPECT_EQ(w.stats().lineage_tasks, 2u);
}

TEST(Stateful, StateThatWasCutOffHasNoCheckpoint) {
  StatefulWorld w;
  w.Call(1).Reset();
  w.Call(2).Reset();
  w.Settle();
  ASSERT_TRUE(w.stateful->Checkpointed(Task(kActor), 2).ok());
  ASSERT_TRUE(w.stateful->Checkpointed(Task(kActor), 2).ok());  // once more
  w.Settle();
  const absl::Status cut = w.stateful->Checkpointed(Task(kActor), 1);
  EXPECT_TRUE(absl::IsNotFound(cut)) << cut;
  EXPECT_THAT(cut.message(), HasSubstr("has no state 1"));
}

TEST(Stateful, TaskThatHasEndedTakesNoCallsAndEndsOnce) {
  StatefulWorld w;
  ObjectRef first = w.Call(1);
  ASSERT_TRUE(w.stateful->End(Task(kActor)).ok());
  const absl::Status late = w.stateful->Record(Task(kActor), CallOf(2, {}, {})).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(late)) << late;
  EXPECT_THAT(late.message(), HasSubstr("has ended"));
  EXPECT_TRUE(absl::IsFailedPrecondition(w.stateful->End(Task(kActor))));
  EXPECT_TRUE(absl::IsFailedPrecondition(w.stateful->ReplayToLatest(Task(kActor)).status()));
  w.ExpectReplay(1, 0, {1});
  first.Reset();
  w.Settle();
  EXPECT_TRUE(absl::IsNotFound(w.stateful->End(Task(kActor))));
}

TEST(Stateful, HandleOutlivesItsCounter) {
  StatefulWorld w;
  w.Call(1).Reset();
  w.Settle();
  w.world->counter->Shutdown(ShutdownMode::kImmediate, Duration::zero());
  EXPECT_TRUE(absl::IsFailedPrecondition(w.stateful->End(Task(kActor))));
  EXPECT_TRUE(
      absl::IsFailedPrecondition(w.stateful->Record(Task(kActor), CallOf(2, {}, {})).status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(w.stateful->ReplayTo(Object(1)).status()));
}

}  // namespace
}  // namespace freehold
