#include "freehold/lineage.h"

#include <algorithm>
#include <string>
#include <vector>

#include "freehold/error_reason.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::HasSubstr;

TaskId Task(uint64_t number) { return TaskId::FromNumber(number); }

class LineageWorld {
 public:
  explicit LineageWorld(ReferenceCounterOptions options = {}) {
    options.on_lineage_released = [this](const std::vector<TaskId>& tasks) {
      released.insert(released.end(), tasks.begin(), tasks.end());
    };
    world = std::make_unique<CounterWorld>(3, options);
    lineage = std::make_unique<Lineage>(*world->counter);
  }
  // An object on node 1 that the task made of `arguments`.
  ObjectRef Make(uint64_t task, const std::vector<uint64_t>& arguments, uint64_t object,
                 uint32_t retries = kRetriesUnlimited, uint64_t bytes = 1) const {
    ObjectRef ref = world->Put(object, {1});
    LineageTask recorded;
    recorded.id = Task(task);
    for (const uint64_t argument : arguments) recorded.arguments.push_back(Object(argument));
    recorded.returns = {Object(object)};
    recorded.retries = retries;
    recorded.spec_bytes = bytes;
    const absl::Status status = lineage->Record(recorded);
    EXPECT_TRUE(status.ok()) << status;
    return ref;
  }
  void Settle() const {
    world->Settle();
    world->RunCallbacks();
  }
  ReferenceCounterStats stats() const { return world->counter->GetStats(); }

  std::vector<TaskId> released;
  std::unique_ptr<CounterWorld> world;
  std::unique_ptr<Lineage> lineage;
};

TEST(Lineage, RecordStaysWhileSomethingThatCanBeMadeAgainDependsOnIt) {
  LineageWorld w;
  ObjectRef a = w.Make(1, {}, 1);
  ObjectRef b = w.Make(2, {1}, 2);
  a.Reset();
  w.Settle();
  EXPECT_EQ(w.world->Deleted(1), std::vector<ObjectId>{Object(1)});  // the value goes
  EXPECT_EQ(w.stats().objects, 2u);                                  // the record stays
  EXPECT_FALSE(w.world->counter->InScope(Object(1)));
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPossible);
  EXPECT_THAT(w.world->counter->DebugString(Object(1)), HasSubstr("kept for what was made of it"));
  EXPECT_TRUE(w.released.empty());
  b.Reset();
  w.Settle();
  EXPECT_EQ(w.stats().objects, 0u);
  EXPECT_EQ(w.stats().lineage_tasks, 0u);
  EXPECT_EQ(w.stats().lineage_objects, 0u);
  EXPECT_EQ(w.released, (std::vector<TaskId>{Task(2), Task(1)}));
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kDeleted);
}

TEST(Lineage, LostValueIsMadeAgainOutOfArgumentsThatAreMadeAgain) {
  LineageWorld w;
  ObjectRef a = w.Make(1, {}, 1);
  const ObjectRef b = w.Make(2, {1}, 2);
  a.Reset();
  w.Settle();
  w.world->membership.Exclude({Node(1)});
  w.Settle();
  ASSERT_EQ(w.world->counter->GetLocations(Object(2))->state, ObjectState::kLost);
  ASSERT_EQ(*w.lineage->TaskOf(Object(2)), Task(2));

  auto again = w.lineage->Resubmit(Task(2));
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->returns.size(), 1u);
  EXPECT_EQ(again->returns[0].object, Object(2));
  EXPECT_EQ(again->returns[0].generation, 1u);
  EXPECT_EQ(again->missing, std::vector<ObjectId>{Object(1)});
  EXPECT_EQ(w.world->counter->GetCounts(Object(1))->tasks, 1u);  // counted again
  EXPECT_EQ(w.world->counter->GetLocations(Object(1))->generation, 1u);

  auto first = w.lineage->Resubmit(*w.lineage->TaskOf(Object(1)));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->missing.empty());
  ASSERT_EQ(first->returns.size(), 1u);
  EXPECT_EQ(first->returns[0].generation, 1u);
  w.world->AddCopy(1, 2, true, 1);
  w.Settle();
  first->arguments.End();
  w.world->AddCopy(2, 3, true, 1);
  w.Settle();
  EXPECT_EQ(w.world->counter->GetLocations(Object(2))->state, ObjectState::kAvailable);
  EXPECT_TRUE(w.world->stores[2].deleted.empty());
  again->arguments.End();  // nobody refers to the argument any more
  w.Settle();
  ASSERT_EQ(w.world->stores[2].deleted.size(), 1u);
  EXPECT_EQ(w.world->stores[2].deleted[0].generation, 1u);
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPossible);
}

TEST(Lineage, FreedValueKeepsItsLineage) {
  LineageWorld w;
  const ObjectRef a = w.Make(1, {}, 1);
  ASSERT_TRUE(w.world->counter->Free({Object(1)}).ok());
  w.Settle();
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPossible);
  const auto again = w.lineage->Resubmit(Task(1));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->returns[0].generation, 1u);
  EXPECT_EQ(w.world->counter->GetLocations(Object(1))->state, ObjectState::kPending);
}

TEST(Lineage, ValueThatIsThereKeepsItsGeneration) {
  LineageWorld w;
  const ObjectRef a = w.Make(1, {}, 1);
  const auto again = w.lineage->Resubmit(Task(1));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->returns[0].generation, 0u);
  EXPECT_EQ(w.world->counter->GetLocations(Object(1))->state, ObjectState::kAvailable);
  EXPECT_EQ(w.stats().tasks_resubmitted, 1u);
}

TEST(Lineage, SaysWhyAValueCannotBeMadeAgain) {
  ReferenceCounterOptions options;
  options.lineage_bytes_max = 100;
  LineageWorld w(options);
  const ObjectRef put = w.world->Put(1, {1});
  const ObjectRef once = w.Make(2, {}, 2, /*retries=*/0);
  const ObjectRef old = w.Make(3, {}, 3, kRetriesUnlimited, 60);
  const ObjectRef young = w.Make(4, {3}, 4, kRetriesUnlimited, 60);
  w.Settle();
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPut);
  EXPECT_EQ(w.lineage->CanRecover(Object(2)), Recovery::kEvicted);  // older still
  EXPECT_EQ(w.lineage->CanRecover(Object(3)), Recovery::kEvicted);
  EXPECT_EQ(w.lineage->CanRecover(Object(4)), Recovery::kPossible);
  EXPECT_EQ(w.lineage->CanRecover(Object(9)), Recovery::kDeleted);
  EXPECT_EQ(w.released, (std::vector<TaskId>{Task(2), Task(3)}));
  const ObjectRef last = w.Make(5, {}, 5, /*retries=*/0, 1);
  EXPECT_EQ(w.lineage->CanRecover(Object(5)), Recovery::kNoRetries);
  EXPECT_TRUE(absl::IsFailedPrecondition(w.lineage->Resubmit(Task(5)).status()));
  EXPECT_TRUE(absl::IsNotFound(w.lineage->Resubmit(Task(3)).status()));
  EXPECT_TRUE(absl::IsNotFound(w.lineage->TaskOf(Object(1)).status()));
}

TEST(Lineage, ArgumentThatIsGoneIsNamedAndNothingIsHeld) {
  LineageWorld w;
  ObjectRef put = w.world->Put(1, {1});
  const ObjectRef kept = w.world->Put(2, {1});
  const ObjectRef made = w.Make(1, {2, 1}, 3);
  put.Reset();
  w.Settle();
  const absl::Status status = w.lineage->Resubmit(Task(1)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(ReasonOf(status), ErrorReason::kGone);
  EXPECT_THAT(std::string(status.message()), HasSubstr(Object(1).ToHex()));
  EXPECT_EQ(w.world->counter->GetCounts(Object(2))->tasks, 0u);
  EXPECT_EQ(w.stats().tasks_resubmitted, 0u);
  EXPECT_EQ(w.lineage->CanRecover(Object(3)), Recovery::kPossible);  // its task is kept
}

TEST(Lineage, RefusedTaskChangesNothing) {
  LineageWorld w;
  const ObjectRef a = w.Make(1, {}, 1);
  LineageTask task;
  EXPECT_TRUE(absl::IsInvalidArgument(w.lineage->Record(task)));
  task.id = Task(1);
  EXPECT_TRUE(absl::IsAlreadyExists(w.lineage->Record(task)));
  task.id = Task(2);
  task.returns = {Object(1)};
  EXPECT_TRUE(absl::IsAlreadyExists(w.lineage->Record(task)));
  task.returns = {Object(7)};  // unknown
  EXPECT_TRUE(absl::IsNotFound(w.lineage->Record(task)));
  w.Settle();
  EXPECT_EQ(w.stats().lineage_tasks, 1u);
  EXPECT_EQ(w.stats().lineage_objects, 1u);
  EXPECT_TRUE(w.released.empty());
}

// Ray issue 31421.
TEST(Lineage, ChainOfAnyDepthIsLetGoOfWithoutRecursion) {
  constexpr uint64_t kDepth = 100'000;
  ReferenceCounterOptions options;
  LineageWorld w(options);
  ObjectRef last;
  for (uint64_t i = 1; i <= kDepth; ++i) {
    ObjectRef made = *w.world->counter->Declare(Object(i));
    LineageTask task;
    task.id = Task(i);
    task.returns = {Object(i)};
    if (i > 1) task.arguments = {Object(i - 1)};
    ASSERT_TRUE(w.lineage->Record(task).ok());
    last = std::move(made);
  }
  EXPECT_EQ(w.stats().lineage_tasks, kDepth);
  EXPECT_EQ(w.stats().objects, kDepth);
  last.Reset();
  EXPECT_GE(w.stats().lineage_tasks, kDepth - 100);  // the caller pays for a few
  w.Settle();
  EXPECT_EQ(w.stats().lineage_tasks, 0u);
  EXPECT_EQ(w.stats().lineage_pieces, 0u);
  EXPECT_EQ(w.stats().objects, 0u);
  EXPECT_EQ(w.released.size(), kDepth);
}

TEST(Lineage, ScopeDoesNotWaitForRecords) {
  LineageWorld w;
  Scope scope = *w.world->counter->OpenScope();
  DeclareOptions declare = With(1);
  declare.scope = scope.id();
  ObjectRef a = *w.world->counter->Declare(Object(1), declare);
  w.world->AddCopy(1, 1, true);
  LineageTask task;
  task.id = Task(1);
  task.returns = {Object(1)};
  ASSERT_TRUE(w.lineage->Record(task).ok());
  const ObjectRef b = w.Make(2, {1}, 2);
  a.Reset();
  ASSERT_TRUE(scope.End().ok());
  w.Settle();
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kDone);
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPossible);
}

TEST(Lineage, HandleOutlivesItsCounterHarmlessly) {
  LineageWorld w;
  const Lineage lineage = *w.lineage;
  w.world->counter.reset();
  EXPECT_FALSE(w.lineage->Record({Task(1), {}, {}, 0, 0}).ok());
  EXPECT_FALSE(w.lineage->Resubmit(Task(1)).ok());
  EXPECT_EQ(lineage.CanRecover(Object(1)), Recovery::kDeleted);
}

// --- FreeRecursive -------------------------------------------------------------------------------

class Orphans : public ::testing::Test {
 protected:
  Orphans() {
    ScopeOptions options;
    options.hold = true;
    scope = *w.world->counter->OpenScope(options);
  }
  // One that only its scope holds.
  void Make(uint64_t task, const std::vector<uint64_t>& arguments, uint64_t object) {
    DeclareOptions declare = With(1);
    declare.scope = scope.id();
    ASSERT_TRUE(w.world->counter->Declare(Object(object), declare).ok());
    w.world->AddCopy(object, 1, true);
    LineageTask recorded;
    recorded.id = Task(task);
    for (const uint64_t argument : arguments) recorded.arguments.push_back(Object(argument));
    recorded.returns = {Object(object)};
    ASSERT_TRUE(w.lineage->Record(recorded).ok());
    w.Settle();
  }
  std::vector<ObjectId> FreeRecursive(uint64_t object) {
    EXPECT_TRUE(unsafe::FreeRecursive(*w.world->counter, {Object(object)}).ok());
    w.Settle();
    std::vector<ObjectId> deleted = w.world->Deleted(1);
    std::sort(deleted.begin(), deleted.end());
    return deleted;
  }

  LineageWorld w;
  Scope scope;
};

TEST_F(Orphans, FreeRecursiveFreesWhatOnlyTheseDependedOn) {
  Make(1, {}, 1);
  Make(2, {1}, 2);
  Make(3, {2, 1}, 3);
  EXPECT_EQ(FreeRecursive(3), (std::vector<ObjectId>{Object(1), Object(2), Object(3)}));
  EXPECT_EQ(w.lineage->CanRecover(Object(3)), Recovery::kPossible);
}

TEST_F(Orphans, FreeRecursiveLeavesWhatAnotherObjectCouldBeMadeOf) {
  Make(1, {}, 1);
  Make(2, {1}, 2);
  Make(3, {1}, 3);
  EXPECT_EQ(FreeRecursive(2), std::vector<ObjectId>{Object(2)});
  EXPECT_EQ(FreeRecursive(3), (std::vector<ObjectId>{Object(1), Object(2), Object(3)}));
}

TEST_F(Orphans, FreeRecursiveLeavesWhatSomebodyRefersTo) {
  Make(1, {}, 1);
  Make(2, {1}, 2);
  Make(3, {2}, 3);
  const ObjectRef held = *w.world->counter->GetRef(Object(2));
  EXPECT_EQ(FreeRecursive(3), std::vector<ObjectId>{Object(3)});
  ASSERT_TRUE(w.world->counter->Pin(Object(1), "cache").ok());
  EXPECT_EQ(FreeRecursive(2), (std::vector<ObjectId>{Object(2), Object(3)}));
}

TEST_F(Orphans, WhatWasLetGoOfIsNeededAgainOnceItsTaskRunsAgain) {
  Make(1, {}, 1);
  Make(2, {1}, 2);
  Make(3, {1}, 3);
  EXPECT_EQ(FreeRecursive(2), std::vector<ObjectId>{Object(2)});
  {
    const auto again = w.lineage->Resubmit(Task(2));
    ASSERT_TRUE(again.ok());
    w.world->AddCopy(2, 2, true, 1);
    w.Settle();
  }
  w.Settle();
  EXPECT_EQ(FreeRecursive(3), (std::vector<ObjectId>{Object(2), Object(3)}));
}

TEST(Lineage, WhatNobodyNeedsOfATaskThatIsKeptIsDeleted) {
  LineageWorld w;
  ObjectRef a = w.world->Put(1, {1});
  const ObjectRef b = w.world->Put(2, {1});
  LineageTask task;
  task.id = Task(1);
  task.returns = {Object(1), Object(2)};
  ASSERT_TRUE(w.lineage->Record(task).ok());
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPossible);
  a.Reset();
  w.Settle();
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kDeleted);
  EXPECT_EQ(w.lineage->CanRecover(Object(2)), Recovery::kPossible);
}

TEST(Lineage, WhatWasNotRecordedCanBeRecordedAtOnce) {
  ReferenceCounterOptions options;
  options.nested_drops_inline_max = 0;  // what failed is looked at later
  LineageWorld w(options);
  const ObjectRef a = w.world->Put(1, {1});
  LineageTask task;
  task.id = Task(1);
  task.returns = {Object(1), Object(2)};  // nobody has declared the second one
  ASSERT_FALSE(w.lineage->Record(task).ok());
  task.returns = {Object(1)};
  const absl::Status again = w.lineage->Record(task);
  EXPECT_TRUE(again.ok()) << again;
  w.Settle();
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPossible);
  EXPECT_EQ(w.stats().lineage_tasks, 1u);
}

TEST(Lineage, BytesOfTheTasksThatAreKeptAreCounted) {
  LineageWorld w;
  ObjectRef first = w.Make(1, {}, 1, kRetriesUnlimited, 60);
  ObjectRef second = w.Make(2, {1}, 2, kRetriesUnlimited, 40);
  EXPECT_EQ(w.stats().lineage_bytes, 100u);
  first.Reset();
  w.Settle();
  EXPECT_EQ(w.stats().lineage_bytes, 100u);  // the second one depends on it
  second.Reset();
  w.Settle();
  EXPECT_EQ(w.stats().lineage_bytes, 0u);
}

TEST(Lineage, TaskThatCouldNeverBeKeptIsRefused) {
  ReferenceCounterOptions options;
  options.lineage_bytes_max = 100;
  LineageWorld w(options);
  const ObjectRef first = w.Make(1, {}, 1, kRetriesUnlimited, 60);
  const ObjectRef second = w.world->Put(2, {1});
  LineageTask task;
  task.id = Task(2);
  task.returns = {Object(2)};
  for (const uint64_t bytes : {uint64_t{101}, UINT64_MAX}) {
    task.spec_bytes = bytes;
    EXPECT_TRUE(absl::IsInvalidArgument(w.lineage->Record(task)));
  }
  EXPECT_EQ(w.lineage->CanRecover(Object(1)), Recovery::kPossible) << "nothing was evicted";
}

}  // namespace
}  // namespace freehold
