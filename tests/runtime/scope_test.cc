// Scopes of one process: what they hold, what they keep, and how they end.

#include "freehold/scope.h"

#include <stdexcept>
#include <string>
#include <thread>

#include "freehold/error_reason.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/scope_testing.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

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

}  // namespace
}  // namespace freehold
