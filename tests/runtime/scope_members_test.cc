// Scopes of one process: who is told, what is accounted for, and who depends on whom.

#include "freehold/scope.h"

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/scope_testing.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Scope, MembersAreReleasedOnceOnTheExecutorBeforeTheEndIsTold) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope();
  std::vector<std::string> order;
  ScopeMember task;
  task.kind = MemberKind::kTask;
  task.release = [&](ScopeEnd end) { order.push_back(std::string("task ") + ScopeEndName(end)); };
  ASSERT_TRUE(scope.AddMember(std::move(task)).ok());
  ScopeMember file;
  file.kind = MemberKind::kFile;
  file.release = [&](ScopeEnd) { order.emplace_back("file"); };
  const uint64_t number = *scope.AddMember(std::move(file));
  ScopeMember metadata;
  metadata.release = [&](ScopeEnd) -> void {
    order.emplace_back("metadata");
    throw std::runtime_error("no such entry");
  };
  ASSERT_TRUE(scope.AddMember(std::move(metadata)).ok());
  ASSERT_TRUE(*scope.OnEnded([&](ScopeId, ScopeEnd) { order.emplace_back("ended"); }));
  EXPECT_EQ(scope.GetStatus()->tasks, 1u);
  EXPECT_TRUE(scope.RemoveMember(number).ok());
  EXPECT_EQ(scope.RemoveMember(number).code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(scope.Cancel().ok());
  EXPECT_THAT(order, IsEmpty()) << "not in the caller's thread";
  world.Settle();
  world.RunCallbacks();
  EXPECT_THAT(order, ElementsAre("task cancelled", "metadata", "ended"));
  EXPECT_EQ(scope.AddMember({MemberKind::kTask, "late", [](ScopeEnd) {}}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Scope, EndsByItselfWhenItsDeadlinePasses) {
  CounterWorld world;
  ScopeOptions options = Holding();
  options.deadline = world.clock.Now() + std::chrono::seconds(5);
  Scope scope = *world.counter->OpenScope(options);
  Leave(&world, scope, 1);
  Told told;
  ASSERT_TRUE(*scope.OnEnded(told.Callback()));
  EXPECT_LE(world.counter->NextDeadline(), options.deadline);
  world.SettleFor(std::chrono::seconds(4));
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  world.SettleFor(std::chrono::seconds(2));
  world.RunCallbacks();
  EXPECT_EQ(told.end, ScopeEnd::kDeadline);
  EXPECT_EQ(world.objects(), 0u);
}

TEST(Scope, TellsWhenItsBytesExceedTheLimit) {
  CounterWorld world;
  std::vector<uint64_t> told;
  ScopeOptions options = Holding();
  options.bytes_max = 25;
  options.on_bytes_exceeded = [&](ScopeId, uint64_t bytes) { told.push_back(bytes); };
  Scope scope = *world.counter->OpenScope(options);
  for (uint64_t object = 1; object <= 4; ++object) Leave(&world, scope, object);
  world.RunCallbacks();
  EXPECT_THAT(told, ElementsAre(30u));
}

TEST(Scope, AccountsExactlyAndToZeroPerScopeAndLabel) {
  CounterWorld world;
  ScopeOptions options = Holding();
  options.label = "alice";
  Scope scope = *world.counter->OpenScope(options);
  Leave(&world, scope, 1, 10);
  DeclareOptions map = In(scope, 2, 5);
  map.label = "map";
  ASSERT_TRUE(world.counter->Declare(Object(2), map).ok());
  DeclareOptions plain = With(2, 3);
  plain.label = "map";
  ObjectRef in_no_scope = *world.counter->Declare(Object(3), plain);
  world.AddCopy(1, 2, false, 0, 10);
  world.Settle();
  const ScopeUsage usage = scope.GetStatus()->usage;
  EXPECT_EQ(usage.objects, 2u);
  EXPECT_EQ(usage.bytes, 15u);
  EXPECT_EQ(usage.copies, 3u);
  const std::vector<LabelUsage> labels = world.counter->UsageByLabel();
  ASSERT_THAT(labels, SizeIs(2));
  EXPECT_EQ(labels[0].label, "alice");
  EXPECT_EQ(labels[0].usage.bytes, 10u);
  EXPECT_EQ(labels[0].usage.copies, 2u);
  EXPECT_EQ(labels[1].label, "map");
  EXPECT_EQ(labels[1].usage.bytes, 8u);
  EXPECT_EQ(labels[1].usage.objects, 2u);
  ASSERT_TRUE(scope.End().ok());
  in_no_scope.Reset();
  world.Settle();
  world.SettleFor(std::chrono::seconds(5));
  EXPECT_EQ(scope.GetStatus()->usage.bytes, 0u);
  EXPECT_EQ(scope.GetStatus()->usage.copies, 0u);
}

TEST(Scope, IsBoundToAThreadByAGuardAndRebound) {
  CounterWorld world;
  EXPECT_TRUE(world.counter->CurrentScope().IsRoot());
  Scope outer = *world.counter->OpenScope(Holding());
  {
    ScopeGuard guard(outer);
    EXPECT_EQ(world.counter->CurrentScope(), outer.id());
    Scope inner = *world.counter->OpenScope(Holding());
    EXPECT_EQ(inner.GetStatus()->parent, outer.id()) << "the bound scope is around it";
    {
      ScopeGuard again(inner);
      ASSERT_TRUE(world.counter->Declare(Object(1)).ok());
    }
    ASSERT_TRUE(world.counter->Declare(Object(2)).ok());
    DeclareOptions root;
    root.scope = ScopeId::Root();
    ObjectRef ref = *world.counter->Declare(Object(3), root);
    EXPECT_EQ(inner.GetStatus()->usage.objects, 1u);
    EXPECT_EQ(outer.GetStatus()->usage.objects, 1u);
    std::thread([&] { EXPECT_TRUE(world.counter->CurrentScope().IsRoot()); }).join();
    EXPECT_TRUE(inner.End().ok());
  }
  EXPECT_TRUE(world.counter->CurrentScope().IsRoot());
}

TEST(Scope, FollowsACoroutineByBindAndUnbind) {
  CounterWorld world;
  Scope a = *world.counter->OpenScope(Holding());
  Scope b = *world.counter->OpenScope(Holding());
  const auto run = [&](ScopeId scope, uint64_t object) {
    const ScopeId before = world.counter->BindScope(scope);
    EXPECT_TRUE(world.counter->Declare(Object(object)).ok());
    EXPECT_EQ(world.counter->BindScope(before), scope);
  };
  run(a.id(), 1);
  run(b.id(), 2);
  run(a.id(), 3);
  EXPECT_TRUE(world.counter->CurrentScope().IsRoot());
  EXPECT_EQ(a.GetStatus()->usage.objects, 2u);
  EXPECT_EQ(b.GetStatus()->usage.objects, 1u);
}

TEST(Scope, AJobEndsAtTheBarrierThatClosesItsDriversExclusion) {
  CounterWorld world;
  const ProcessId driver = ProcessId::FromNumber(77);
  ScopeOptions options = ScopeOptions::Job("train", driver);
  options.hold = true;
  Scope job = *world.counter->OpenScope(options);
  job.Detach();
  Leave(&world, job, 1);
  Told told;
  ASSERT_TRUE(*job.OnEnded(told.Callback()));
  world.membership.Exclude({driver});
  world.Settle();
  world.SettleFor(std::chrono::seconds(1));
  world.RunCallbacks();
  EXPECT_EQ(told.end, ScopeEnd::kDriverDied);
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(world.counter->OpenScope(options).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Scope, WhatItUsesOfAnotherLivesUntilItIsDone) {
  CounterWorld world;
  Scope a = *world.counter->OpenScope(Holding());
  Scope b = *world.counter->OpenScope(Holding());
  Leave(&world, a, 1);
  ObjectRef mine = *world.counter->Declare(Object(2), In(b));
  ASSERT_TRUE(b.Use({Object(1)}).ok());
  ASSERT_TRUE(b.Use({Object(1)}).ok()) << "twice is once";
  ASSERT_TRUE(a.End().ok());
  world.Settle();
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_THAT(a.GetStatus()->waiting_for_scopes, ElementsAre(b.id()));
  ASSERT_TRUE(b.End().ok());
  world.Settle();
  EXPECT_TRUE(world.counter->InScope(Object(1))) << "b is not done";
  mine.Reset();
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(a.GetStatus()->state, ScopeState::kDone);
}

TEST(Scope, WhatItUsesStaysAlsoWhenItComesIntoIt) {
  CounterWorld world;
  Scope a = *world.counter->OpenScope(Holding());
  Scope b = *world.counter->OpenScope();
  Leave(&world, a, 1);
  ObjectRef own = *world.counter->Declare(Object(2), In(b));
  ASSERT_TRUE(b.Use({Object(1), Object(2)}).ok());
  ASSERT_TRUE(a.StopHolding({Object(1)}).ok());
  ASSERT_TRUE(a.Move({Object(1)}, b.id()).ok());
  own.Reset();
  world.Settle();
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_TRUE(world.counter->InScope(Object(2)));
  ASSERT_TRUE(b.End().ok());
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(b.GetStatus()->state, ScopeState::kDone);
}

TEST(Scope, ScopesThatUseEachOtherEndTogether) {
  CounterWorld world;
  Scope a = *world.counter->OpenScope(Holding());
  Scope b = *world.counter->OpenScope(Holding());
  Leave(&world, a, 1);
  Leave(&world, b, 2);
  ASSERT_TRUE(b.Use({Object(1)}).ok());
  ASSERT_TRUE(a.Use({Object(2)}).ok());
  ASSERT_TRUE(a.End().ok());
  world.Settle();
  EXPECT_EQ(world.objects(), 2u);
  ASSERT_TRUE(b.End().ok());
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(a.GetStatus()->state, ScopeState::kDone);
  EXPECT_EQ(b.GetStatus()->state, ScopeState::kDone);
}

TEST(Scope, ACallbackMayEndScopesFromInsideTheLibrarysCall) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  CounterWorld world(1, options);
  Scope first = *world.counter->OpenScope(Holding());
  Scope second = *world.counter->OpenScope(Holding());
  Leave(&world, second, 1);
  ASSERT_TRUE(*first.OnEnded([&](ScopeId, ScopeEnd) { EXPECT_TRUE(second.End().ok()); }));
  ASSERT_TRUE(first.End().ok());
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
}

TEST(Scope, HandlesOutliveTheCounterHarmlessly) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope(Holding());
  Leave(&world, scope, 1);
  int destroyed = 0;
  ScopeMember member;
  member.release = [guard = std::shared_ptr<void>(nullptr, [&](void*) { ++destroyed; })](ScopeEnd) {
    ADD_FAILURE() << "dropped by the shutdown";
  };
  ASSERT_TRUE(scope.AddMember(std::move(member)).ok());
  const ShutdownReport report = world.counter->Shutdown(ShutdownMode::kImmediate, Duration::zero());
  EXPECT_EQ(report.callbacks_dropped, 1u);
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(ReasonOf(scope.End()), ErrorReason::kShutDown);
  world.counter.reset();
  EXPECT_EQ(scope.GetStatus().status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Scope, AHandleThatNamesNoneSaysSo) {
  Scope none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.End().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(none.Keep({Object(1)}).failures, SizeIs(1));
  Scope moved = std::move(none);
  EXPECT_FALSE(moved);
}

}  // namespace
}  // namespace freehold
