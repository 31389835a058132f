// Values of kept objects that the host persists before their lineage goes.

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/persist_testing.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {
namespace {

using ::testing::HasSubstr;

TEST(Persist, LineageGoesWhenTheHostHasWrittenTheValue) {
  PersistWorld w;
  ObjectRef a = w.Make(1, {}, {1});
  const ObjectRef b = w.Make(2, {1}, {2});
  a.Reset();
  ASSERT_TRUE(w.scope.End({Object(2)}, KeepMode::kPersist, w.Done()).ok());
  EXPECT_TRUE(w.asked.empty());  // on the executor
  EXPECT_EQ(w.pending(), 1u);
  w.Settle();
  ASSERT_EQ(w.asked.size(), 1u);
  EXPECT_EQ(w.asked[0], std::make_pair(Object(2), 0u));
  // Its scope has ended, and nothing of its lineage goes before the host has answered.
  EXPECT_EQ(w.tasks(), 2u);
  EXPECT_TRUE(w.said.empty());
  ASSERT_TRUE(w.Answer(2).ok());
  EXPECT_TRUE(w.said.empty());
  w.Settle();
  ASSERT_EQ(w.said.size(), 1u);
  EXPECT_EQ(w.said[0].object, Object(2));
  EXPECT_TRUE(w.said[0].status.ok());
  EXPECT_EQ(w.released, (std::vector<TaskId>{Task(2), Task(1)}));
  EXPECT_EQ(w.tasks(), 0u);
  EXPECT_EQ(w.pending(), 0u);
  EXPECT_EQ(w.world->objects(), 1u);
  EXPECT_EQ(w.lineage->CanRecover(Object(2)), Recovery::kPersisted);
  EXPECT_EQ(w.lineage->TaskOf(Object(2)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(w.lineage->TaskOf(Object(2)).status().message()),
              HasSubstr("persisted by the host"));
  EXPECT_TRUE(absl::IsNotFound(w.Answer(2)));
}

TEST(Persist, HostMayAnswerFromInsideTheHook) {
  PersistWorld w;
  const ObjectRef a = w.Make(1, {}, {1});
  w.on_asked = [&w](const ObjectId& object, uint32_t generation) {
    EXPECT_TRUE(w.lineage->Persisted(object, generation, absl::OkStatus()).ok());
  };
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  ASSERT_EQ(w.said.size(), 1u);
  EXPECT_TRUE(w.said[0].status.ok());
}

TEST(Persist, LineageStaysWhenTheHostFails) {
  PersistWorld w;
  ObjectRef a = w.Make(1, {}, {1});
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  ASSERT_TRUE(w.Answer(1, 0, absl::DataLossError("the bucket is gone")).ok());
  w.Settle();
  ASSERT_EQ(w.said.size(), 1u);
  EXPECT_EQ(w.said[0].status, absl::DataLossError("the bucket is gone"));
  EXPECT_EQ(w.tasks(), 1u);
  EXPECT_TRUE(w.released.empty());
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPossible);
  EXPECT_TRUE(absl::IsNotFound(w.Answer(1)));
  // It is in the scope around all the same, and may be tried again.
  EXPECT_FALSE(w.Keep(1).ok());
  Scope root = *w.world->counter->FindScope(ScopeId::Root());
  ASSERT_TRUE(root.Move({Object(1)}, w.scope.id()).ok());
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  EXPECT_EQ(w.asked.size(), 2u);
  ASSERT_TRUE(w.Answer(1).ok());
  EXPECT_EQ(w.tasks(), 0u);
  a.Reset();
  w.Settle();
  EXPECT_EQ(w.world->objects(), 0u);
}

TEST(Persist, HookThatThrowsIsAnsweredFor) {
  PersistWorld w;
  const ObjectRef a = w.Make(1, {}, {1});
  w.on_asked = [](const ObjectId&, uint32_t) { throw std::runtime_error("no credentials"); };
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  ASSERT_EQ(w.said.size(), 1u);
  EXPECT_EQ(w.said[0].status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(w.said[0].status.message()), HasSubstr("no credentials"));
  EXPECT_EQ(w.tasks(), 1u);
}

TEST(Persist, PendingValueIsAskedForOnceItIsThere) {
  PersistWorld w;
  DeclareOptions options;
  options.scope = w.scope.id();
  const ObjectRef a = *w.world->counter->Declare(Object(1), options);
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  EXPECT_TRUE(w.asked.empty());
  EXPECT_EQ(w.pending(), 1u);
  EXPECT_TRUE(absl::IsNotFound(w.Answer(1)));
  w.world->AddCopy(1, 1, true);
  w.Settle();
  EXPECT_EQ(w.asked.size(), 1u);
  w.world->AddCopy(1, 2);
  w.Settle();
  EXPECT_EQ(w.asked.size(), 1u);
  ASSERT_TRUE(w.Answer(1).ok());
  w.Settle();
  ASSERT_EQ(w.said.size(), 1u);
  EXPECT_TRUE(w.said[0].status.ok());  // what no task made is persisted all the same
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPut);
}

TEST(Persist, PendingValueThatEndsFirstIsNeverAskedFor) {
  PersistWorld w;
  DeclareOptions options;
  options.scope = w.scope.id();
  ObjectRef a = *w.world->counter->Declare(Object(1), options);
  ASSERT_TRUE(w.Keep(1).ok());
  a.Reset();
  w.Settle();
  EXPECT_TRUE(w.asked.empty());
  ASSERT_EQ(w.said.size(), 1u);
  EXPECT_TRUE(absl::IsAborted(w.said[0].status));
  EXPECT_EQ(ReasonOf(w.said[0].status), ErrorReason::kGone);
  EXPECT_EQ(w.pending(), 0u);
}

TEST(Persist, ValueThatIsFreedBeforeTheAnswerIsAborted) {
  PersistWorld w;
  const ObjectRef a = w.Make(1, {}, {1});
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  ASSERT_TRUE(w.world->counter->Free({Object(1)}).ok());
  w.Settle();
  ASSERT_EQ(w.said.size(), 1u);
  EXPECT_TRUE(absl::IsAborted(w.said[0].status));
  EXPECT_EQ(ReasonOf(w.said[0].status), ErrorReason::kFreed);
  EXPECT_TRUE(absl::IsNotFound(w.Answer(1)));
  EXPECT_EQ(w.tasks(), 1u);
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPossible);
}

TEST(Persist, FreedValueIsNotAskedFor) {
  PersistWorld w;
  const ObjectRef a = w.Make(1, {}, {1});
  ASSERT_TRUE(w.world->counter->Free({Object(1)}).ok());
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  EXPECT_TRUE(w.asked.empty());
  ASSERT_EQ(w.said.size(), 1u);
  EXPECT_EQ(ReasonOf(w.said[0].status), ErrorReason::kFreed);
}

TEST(Persist, ValueThatIsRecreatedBeforeTheAnswerIsAborted) {
  PersistWorld w;
  const ObjectRef a = w.Make(1, {}, {1});
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  w.world->membership.Exclude({Node(1)});
  w.Settle();
  EXPECT_TRUE(w.said.empty());  // lost: the host may have read it before
  ASSERT_TRUE(w.world->counter->Recreate(Object(1)).ok());
  w.Settle();
  ASSERT_EQ(w.said.size(), 1u);
  EXPECT_TRUE(absl::IsAborted(w.said[0].status));
  EXPECT_EQ(ReasonOf(w.said[0].status), ErrorReason::kNone);
  EXPECT_TRUE(absl::IsNotFound(w.Answer(1)));
  EXPECT_EQ(w.tasks(), 1u);
  EXPECT_EQ(w.pending(), 0u);
}

TEST(Persist, ObjectThatGoesOutOfScopeIsAborted) {
  PersistWorld w;
  ObjectRef a = w.Make(1, {}, {1});
  ASSERT_TRUE(w.scope.End({Object(1)}, KeepMode::kPersist, w.Done()).ok());
  a.Reset();
  w.Settle();
  ASSERT_EQ(w.said.size(), 1u);
  EXPECT_EQ(ReasonOf(w.said[0].status), ErrorReason::kGone);
  EXPECT_EQ(w.world->objects(), 0u);
  EXPECT_TRUE(absl::IsNotFound(w.Answer(1)));
}

TEST(Persist, LostValueIsReadBackFromWhereItWasPersisted) {
  PersistWorld w;
  const ObjectRef a = w.Make(1, {}, {1});
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  ASSERT_TRUE(w.Answer(1).ok());
  w.world->membership.Exclude({Node(1)});
  w.Settle();
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPersisted);
  ASSERT_TRUE(w.world->counter->Recreate(Object(1)).ok());
  w.world->AddCopy(1, 2, true, /*generation=*/1);
  w.Settle();
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPersisted);  // the host has it yet
  ASSERT_TRUE(w.world->counter->Free({Object(1)}).ok());
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kEvicted);
}

TEST(Persist, ArgumentOfAnotherTaskIsReadBackWhenThatIsResubmitted) {
  PersistWorld w;
  ObjectRef a = w.Make(1, {}, {1});
  const ObjectRef b = w.Make(2, {1}, {2});
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  ASSERT_TRUE(w.Answer(1).ok());
  a.Reset();
  w.Settle();
  EXPECT_EQ(w.released, std::vector<TaskId>{Task(1)});
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPersisted);
  w.world->membership.Exclude({Node(1)});
  w.Settle();
  auto again = w.lineage->Resubmit(Task(2));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->missing, std::vector<ObjectId>{Object(1)});
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPersisted);
  EXPECT_EQ(w.world->counter->GetLocations(Object(1))->generation, 1u);
  EXPECT_TRUE(absl::IsNotFound(w.lineage->Resubmit(Task(1)).status()));
}

TEST(Persist, TaskThatMakesSomethingElseAsWellIsNotRunForIt) {
  PersistWorld w;
  const ObjectRef b = w.Make(1, {}, {1, 2});
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  ASSERT_TRUE(w.Answer(1).ok());
  w.world->membership.Exclude({Node(1)});
  w.Settle();
  EXPECT_EQ(w.tasks(), 1u);
  auto again = w.lineage->Resubmit(Task(1));
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->returns.size(), 1u);
  EXPECT_EQ(again->returns[0].object, Object(2));
  // What cannot be read is freed, and then made again.
  ASSERT_TRUE(w.world->counter->Free({Object(1)}).ok());
  again = w.lineage->Resubmit(Task(1));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->returns.size(), 2u);
}

TEST(Persist, WhoeverKeepsItAsWellIsToldTheSameAnswer) {
  PersistWorld w;
  const ObjectRef a = w.Make(1, {}, {1});
  Scope inner = *w.world->counter->OpenScope([&] {
    ScopeOptions options;
    options.parent = w.scope.id();
    return options;
  }());
  ASSERT_TRUE(w.scope.Move({Object(1)}, inner.id()).ok());
  ASSERT_TRUE(inner.Keep({Object(1)}, KeepMode::kPersist, w.Done()).ok());
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  EXPECT_EQ(w.asked.size(), 1u);
  ASSERT_TRUE(w.Answer(1).ok());
  w.Settle();
  EXPECT_EQ(w.said.size(), 2u);
}

TEST(Persist, AnswersToOtherQuestionsAreNotFound) {
  PersistWorld w;
  const ObjectRef a = w.Make(1, {}, {1});
  EXPECT_TRUE(absl::IsNotFound(w.Answer(1)));
  EXPECT_TRUE(absl::IsNotFound(w.Answer(77)));
  ASSERT_TRUE(w.Keep(1).ok());
  EXPECT_TRUE(absl::IsNotFound(w.Answer(1, 1)));
  EXPECT_TRUE(w.Answer(1).ok());
  EXPECT_TRUE(absl::IsNotFound(w.Answer(1)));
}

TEST(Persist, KeepInScopeAsksNobody) {
  PersistWorld w;
  const ObjectRef a = w.Make(1, {}, {1});
  ASSERT_TRUE(w.scope.Keep({Object(1)}, KeepMode::kInScope, w.Done()).ok());
  w.Settle();
  EXPECT_TRUE(w.asked.empty());
  EXPECT_TRUE(w.said.empty());
}

TEST(Persist, NeedsAHook) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope();
  const ObjectRef a = *world.counter->Declare(Object(1), In(scope));
  const BatchResult kept = scope.Keep({Object(1)}, KeepMode::kPersist, nullptr);
  ASSERT_EQ(kept.failures.size(), 1u);
  EXPECT_TRUE(absl::IsFailedPrecondition(kept.failures[0].status));
  EXPECT_EQ(scope.GetStatus()->usage.objects, 1u);  // not kept either
  EXPECT_TRUE(scope.Keep({Object(1)}).ok());

  ReferenceCounterOptions options;
  options.process = ProcessId::FromNumber(2);
  options.on_persist = [](const ObjectId&, uint32_t) {};
  EXPECT_TRUE(absl::IsInvalidArgument(ReferenceCounter::Create(options).status()));
}

TEST(Persist, OthersObjectsAreRefused) {
  ReferenceCounterOptions options;
  options.on_persist = [](const ObjectId&, uint32_t) {};
  SharingWorld world(2, options);
  const ObjectRef a = world.Declare(1, 1);
  Scope scope = *world[2].OpenScope();
  const ObjectRef borrowed = world.Pass(1, 1, 2);
  bool told = false;
  const BatchResult kept =
      scope.Keep({Object(1)}, KeepMode::kPersist,
                 [&told](const ObjectId&, const absl::Status&) { told = true; });
  ASSERT_EQ(kept.failures.size(), 1u);
  EXPECT_EQ(ReasonOf(kept.failures[0].status), ErrorReason::kNotOwner);
  world.Settle();
  EXPECT_FALSE(told);
}

TEST(Persist, ShutdownTellsWhoWaitsInOrder) {
  PersistWorld w;
  const ObjectRef a = w.Make(1, {}, {1});
  const ObjectRef b = w.Make(2, {}, {2});
  ASSERT_TRUE(w.Keep(2).ok());
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  (void)w.world->counter->Shutdown(ShutdownMode::kImmediate, Duration::zero());
  w.world->RunCallbacks();
  ASSERT_EQ(w.said.size(), 2u);
  EXPECT_EQ(w.said[0].object, Object(2));
  EXPECT_EQ(w.said[1].object, Object(1));
  EXPECT_EQ(ReasonOf(w.said[0].status), ErrorReason::kShutDown);
  EXPECT_EQ(ReasonOf(w.Answer(1)), ErrorReason::kShutDown);
  EXPECT_FALSE(w.Keep(1).ok());
  w.world->RunCallbacks();
  EXPECT_EQ(w.said.size(), 2u);
}

TEST(Persist, ExclusionTellsWhoWaits) {
  PersistWorld w;
  const ObjectRef a = w.Make(1, {}, {1});
  ASSERT_TRUE(w.Keep(1).ok());
  w.Settle();
  w.world->membership.Exclude({w.world->counter->process()});
  w.Settle();
  ASSERT_EQ(w.said.size(), 1u);
  EXPECT_EQ(ReasonOf(w.said[0].status), ErrorReason::kExcluded);
  EXPECT_EQ(ReasonOf(w.Answer(1)), ErrorReason::kExcluded);
}

TEST(Persist, WhatIsAskedForIsEvictedLast) {
  ReferenceCounterOptions options;
  options.lineage_bytes_max = 100;
  PersistWorld w(options);
  const ObjectRef a = w.Make(1, {}, {1}, 40);
  const ObjectRef b = w.Make(2, {}, {2}, 40);
  ASSERT_TRUE(w.Keep(1).ok());
  const ObjectRef c = w.Make(3, {}, {3}, 40);
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPossible);
  EXPECT_EQ(w.lineage->CanRecover(Object(2)), Recovery::kEvicted);
  const ObjectRef d = w.Make(4, {}, {4}, 90);  // now its own is evicted too
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kEvicted);
  ASSERT_TRUE(w.Answer(1).ok());
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPersisted);
}

TEST(Persist, ExecutorThatRunsAtOnceAndAHostThatAnswersAtOnce) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  PersistWorld w(options);
  const ObjectRef a = w.Make(1, {}, {1});
  w.on_asked = [&w](const ObjectId& object, uint32_t generation) {
    EXPECT_TRUE(w.lineage->Persisted(object, generation, absl::OkStatus()).ok());
  };
  ASSERT_TRUE(w.scope.End({Object(1)}, KeepMode::kPersist, w.Done()).ok());
  EXPECT_EQ(w.said.size(), 1u);
  EXPECT_EQ(w.tasks(), 0u);
}

}  // namespace
}  // namespace freehold
