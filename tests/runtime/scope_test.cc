// Scopes of one process: what they hold, when they end, who is told.

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
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

DeclareOptions In(const Scope& scope, uint64_t primary = 1, uint64_t size = 10) {
  DeclareOptions options = With(primary, size);
  options.scope = scope.id();
  return options;
}

ScopeOptions Holding() {
  ScopeOptions options;
  options.hold = true;
  return options;
}

// Declares it with a real copy on node 1, and drops the handle.
void Leave(CounterWorld* world, const Scope& scope, uint64_t object, uint64_t size = 10) {
  auto ref = world->counter->Declare(Object(object), In(scope, 1, size));
  ASSERT_TRUE(ref.ok()) << ref.status();
  world->AddCopy(object, 1, true, 0, size);
  world->Settle();
}

struct Told {
  int times = 0;
  ScopeEnd end = ScopeEnd::kNone;
  ScopeCallback Callback() {
    return [this](ScopeId, ScopeEnd why) {
      ++times;
      end = why;
    };
  }
};

TEST(Scope, WhatNobodyRefersToGoesAtOnce) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope();
  Leave(&world, scope, 1);
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(scope.GetStatus()->usage.objects, 0u);
}

TEST(Scope, ThatHoldsKeepsItsObjectsUntilItEnds) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope(Holding());
  Leave(&world, scope, 1);
  Leave(&world, scope, 2);
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_EQ(world.counter->GetCounts(Object(1))->scopes, 1u);
  EXPECT_EQ(world.counter->GetCounts(Object(1))->nested_in, 0u);
  const int sent = world.transport.sent[Node(1)];
  ASSERT_TRUE(scope.End().ok());
  EXPECT_FALSE(world.counter->InScope(Object(1)));
  world.Settle();
  EXPECT_THAT(world.Deleted(1), UnorderedElementsAre(Object(1), Object(2)));
  EXPECT_LE(world.transport.sent[Node(1)] - sent, 2) << "one batch, one acknowledgement";
  EXPECT_EQ(world.objects(), 0u);
}

TEST(Scope, EndsWhenItsHandleGoesAlsoByAnException) {
  CounterWorld world;
  ScopeId id;
  try {
    Scope scope = *world.counter->OpenScope(Holding());
    id = scope.id();
    Leave(&world, scope, 1);
    throw std::runtime_error("out of the block");
  } catch (const std::runtime_error&) {
  }
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(world.counter->FindScope(id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.counter->GetStats().scopes, 0u);
}

TEST(Scope, EndsOnceAndASecondEndIsAnErrorThatChangesNothing) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope();
  ASSERT_TRUE(scope.End().ok());
  EXPECT_EQ(ReasonOf(scope.End()), ErrorReason::kScopeEnded);
  EXPECT_EQ(ReasonOf(scope.Cancel()), ErrorReason::kScopeEnded);
  EXPECT_EQ(ReasonOf(unsafe::ForceEnd(scope)), ErrorReason::kScopeEnded);
  EXPECT_EQ(scope.GetStatus()->end, ScopeEnd::kEnded);
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kDone);
}

TEST(Scope, IsOpenedAndEndedByAnIdThatTheHostChose) {
  CounterWorld world;
  ScopeOptions options = Holding();
  options.id = ScopeId(4711);
  ASSERT_EQ(*world.counter->BeginScope(options), ScopeId(4711));
  EXPECT_EQ(world.counter->BeginScope(options).status().code(), absl::StatusCode::kAlreadyExists);
  DeclareOptions declare;
  declare.scope = ScopeId(4711);
  ASSERT_TRUE(world.counter->Declare(Object(1), declare).ok());
  std::thread other([&] { EXPECT_TRUE(world.counter->EndScope(ScopeId(4711)).ok()); });
  other.join();
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(world.counter->EndScope(ScopeId(4711)).code(), absl::StatusCode::kNotFound);
}

TEST(Scope, TakesNothingAfterItsEndAndALateCopyIsFreed) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope();
  ASSERT_TRUE(scope.End().ok());
  EXPECT_EQ(ReasonOf(world.counter->Declare(Object(1), In(scope)).status()),
            ErrorReason::kScopeEnded);
  world.AddCopy(1, 1, true);
  world.Settle();
  EXPECT_THAT(world.Deleted(1), ElementsAre(Object(1)));
}

TEST(Scope, WhatIsReferencedOutsideSurvivesAndTheScopeWaitsForIt) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope(Holding());
  ObjectRef ref = *world.counter->Declare(Object(1), In(scope));
  world.AddCopy(1, 1, true);
  world.Settle();
  Told told;
  ASSERT_TRUE(*scope.OnEnded(told.Callback()));
  ASSERT_TRUE(scope.End().ok());
  world.Settle();
  world.RunCallbacks();
  EXPECT_EQ(told.times, 0);
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  const ScopeStatus status = *scope.GetStatus();
  EXPECT_EQ(status.state, ScopeState::kEnding);
  EXPECT_THAT(status.waiting_for_objects, ElementsAre(Object(1)));
  ref.Reset();
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kEnding) << "its copy is not deleted yet";
  world.Settle();
  world.RunCallbacks();
  EXPECT_EQ(told.times, 1);
  EXPECT_EQ(told.end, ScopeEnd::kEnded);
  EXPECT_FALSE(*scope.OnEnded(told.Callback())) << "it is done already";
}

TEST(Scope, WaitReturnsWhenEverythingIsReclaimed) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope(Holding());
  ASSERT_TRUE(world.counter->Declare(Object(1), {}).ok());
  DeclareOptions pending;
  pending.scope = scope.id();
  ObjectRef ref = *world.counter->Declare(Object(2), pending);
  ASSERT_TRUE(scope.End().ok());
  const absl::Status late = scope.Wait(world.clock.Now());
  EXPECT_EQ(late.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(late.message()), HasSubstr(Object(2).ToHex()));
  ref.Reset();
  EXPECT_TRUE(scope.Wait(world.clock.Now()).ok());
}

TEST(Scope, WhatIsKeptIsAnOrdinaryObjectOfTheScopeAround) {
  CounterWorld world;
  Scope outer = *world.counter->OpenScope(Holding());
  ScopeOptions options = Holding();
  options.parent = outer.id();
  Scope inner = *world.counter->OpenScope(options);
  Leave(&world, inner, 1);
  Leave(&world, inner, 2);
  ASSERT_TRUE(inner.End({Object(1)}).ok());
  world.Settle();
  EXPECT_THAT(world.Deleted(1), ElementsAre(Object(2)));
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_EQ(inner.GetStatus()->state, ScopeState::kDone);
  EXPECT_EQ(outer.GetStatus()->usage.objects, 1u);
  ASSERT_TRUE(outer.End().ok());
  world.Settle();
  EXPECT_THAT(world.Deleted(1), ElementsAre(Object(2), Object(1)));
}

TEST(Scope, WhatIsKeptWithoutAScopeAroundIsHeldByTheRoot) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope(Holding());
  Leave(&world, scope, 1);
  ASSERT_TRUE(scope.End({Object(1)}).ok());
  world.Settle();
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_THAT(world.counter->DebugString(Object(1)),
              HasSubstr("held by its scope, the root scope"));
  Scope root = *world.counter->FindScope(ScopeId::Root());
  EXPECT_TRUE(root.StopHolding({Object(1)}).ok());
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
}

TEST(Scope, DoesNotEndWhenOneOfWhatIsToBeKeptIsNotItsOwn) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope(Holding());
  Leave(&world, scope, 1);
  ObjectRef foreign = *world.counter->Declare(Object(2));
  EXPECT_EQ(scope.End({Object(2)}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(scope.End({Object(3)}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kRunning);
  EXPECT_TRUE(world.counter->InScope(Object(1)));
}

TEST(Scope, ObjectsMoveToAnyScopeThatRuns) {
  CounterWorld world;
  Scope from = *world.counter->OpenScope(Holding());
  Scope to = *world.counter->OpenScope();
  Leave(&world, from, 1);
  ASSERT_TRUE(from.Move({Object(1)}, to.id()).ok());
  EXPECT_EQ(from.GetStatus()->usage.objects, 0u);
  EXPECT_EQ(from.GetStatus()->usage.bytes, 0u);
  EXPECT_EQ(to.GetStatus()->usage.objects, 1u);
  EXPECT_EQ(to.GetStatus()->usage.bytes, 10u);
  ASSERT_TRUE(from.End().ok());
  world.Settle();
  EXPECT_TRUE(world.counter->InScope(Object(1))) << "what one held, the other holds";
  Scope ended = *world.counter->OpenScope();
  ASSERT_TRUE(ended.End().ok());
  EXPECT_EQ(ReasonOf(to.Move({Object(1)}, ended.id()).failures.at(0).status),
            ErrorReason::kScopeEnded);
  ASSERT_TRUE(to.End().ok());
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
}

TEST(Scope, NestedScopesEndWithTheirParent) {
  CounterWorld world;
  Scope outer = *world.counter->OpenScope();
  ScopeOptions options = Holding();
  options.parent = outer.id();
  Scope inner = *world.counter->OpenScope(options);
  Leave(&world, inner, 1);
  ASSERT_TRUE(outer.End().ok());
  EXPECT_EQ(inner.GetStatus()->end, ScopeEnd::kParentEnded);
  world.Settle();
  EXPECT_EQ(outer.GetStatus()->state, ScopeState::kDone);
  EXPECT_EQ(world.objects(), 0u);
}

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
  file.release = [&](ScopeEnd) { order.push_back("file"); };
  const uint64_t number = *scope.AddMember(std::move(file));
  ScopeMember metadata;
  metadata.release = [&](ScopeEnd) -> void {
    order.push_back("metadata");
    throw std::runtime_error("no such entry");
  };
  ASSERT_TRUE(scope.AddMember(std::move(metadata)).ok());
  ASSERT_TRUE(*scope.OnEnded([&](ScopeId, ScopeEnd) { order.push_back("ended"); }));
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

TEST(Scope, AForcedEndFreesTheValuesUnderTheirHolders) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope();
  ObjectRef ref = *world.counter->Declare(Object(1), In(scope));
  world.AddCopy(1, 1, true);
  world.Settle();
  ASSERT_TRUE(unsafe::ForceEnd(scope).ok());
  world.Settle();
  EXPECT_THAT(world.Deleted(1), ElementsAre(Object(1)));
  EXPECT_EQ(ReasonOf(world.counter->CheckReference(Object(1))), ErrorReason::kFreed);
  EXPECT_EQ(scope.GetStatus()->end, ScopeEnd::kForced);
  ref.Reset();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kDone);
}

TEST(Scope, WithoutCleanUpLeavesEverythingToDelete) {
  CounterWorld world;
  ScopeOptions options = Holding();
  options.no_cleanup = true;
  Scope scope = *world.counter->OpenScope(options);
  Leave(&world, scope, 1);
  ASSERT_TRUE(scope.End().ok());
  world.Settle();
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  ASSERT_TRUE(unsafe::Delete(scope).ok());
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kDone);
}

TEST(Scope, DeleteAfterANormalEndFreesWhatWasKept) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope(Holding());
  Leave(&world, scope, 1);
  ASSERT_TRUE(scope.End({Object(1)}).ok());
  ASSERT_TRUE(unsafe::Delete(scope).ok());
  world.Settle();
  EXPECT_THAT(world.Deleted(1), ElementsAre(Object(1)));
  EXPECT_TRUE(unsafe::Delete(scope).ok()) << "there is nothing more";
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

TEST(Scope, ManyObjectsEndInPiecesAndTheCallerPaysForAFew) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope(Holding());
  constexpr uint64_t kObjects = 20'000;
  for (uint64_t object = 1; object <= kObjects; ++object) {
    DeclareOptions options;
    options.scope = scope.id();
    ASSERT_TRUE(world.counter->Declare(Object(object), options).ok());
  }
  ASSERT_TRUE(scope.End().ok());
  EXPECT_GE(world.objects(), kObjects - 64);
  EXPECT_EQ(world.counter->NextDeadline(), kInfinitePast) << "the pump has the rest";
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kDone);
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
