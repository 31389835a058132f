// A resubmission revived an argument and then failed for want of another one. Whoever had got hold
// of the revived one meanwhile waited for a value that nobody made, and the host was not told.

#include <functional>
#include <memory>
#include <vector>

#include "freehold/lineage.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

TaskId Task(uint64_t number) { return TaskId::FromNumber(number); }

// Object 4 was made of 1, 2 and 3. Those are out of scope: 1 and 2 can be made again, 3 was put. A
// scope that has ended waits for the copy of 2, so that its end is told when 2 is revived: after 1,
// before 3 is found to be gone.
class RevivedArgument : public ::testing::Test {
 protected:
  RevivedArgument() {
    ReferenceCounterOptions options;
    options.executor = std::make_shared<testing::InlineExecutor>();
    options.on_to_recover = [this](const std::vector<ObjectId>& objects) {
      to_recover.insert(to_recover.end(), objects.begin(), objects.end());
    };
    world = std::make_unique<CounterWorld>(1, options);
    scope = *world->counter->OpenScope();
    ObjectRef first = world->Put(1, {1});
    ObjectRef put = world->Put(3, {1});
    DeclareOptions declare = With(1);
    declare.scope = scope.id();
    ObjectRef second = *world->counter->Declare(Object(2), declare);
    world->AddCopy(2, 1, true);
    made = world->Put(4, {1});
    Record(1, {}, 1);
    Record(2, {}, 2);
    Record(3, {1, 2, 3}, 4);
    first.Reset();
    put.Reset();
    world->Settle();
    second.Reset();
    EXPECT_TRUE(scope.End().ok());
  }
  void Record(uint64_t number, const std::vector<uint64_t>& arguments, uint64_t object) {
    LineageTask task;
    task.id = Task(number);
    for (const uint64_t argument : arguments) task.arguments.push_back(Object(argument));
    task.returns = {Object(object)};
    const absl::Status recorded = Lineage(*world->counter).Record(task);
    ASSERT_TRUE(recorded.ok()) << recorded;
  }
  // `call` runs in the middle of the resubmission.
  absl::Status ResubmitWith(std::function<void()> call) {
    bool called = false;
    EXPECT_TRUE(*scope.OnEnded([&](ScopeId, ScopeEnd) {
      called = true;
      call();
    }));
    absl::Status status = Lineage(*world->counter).Resubmit(Task(3)).status();
    EXPECT_TRUE(called);
    return status;
  }
  ObjectState StateOf(uint64_t object) const {
    return world->counter->GetLocations(Object(object))->state;
  }

  std::vector<ObjectId> to_recover;
  std::unique_ptr<CounterWorld> world;
  Scope scope;
  ObjectRef made;
};

TEST_F(RevivedArgument, ThatSomebodyHoldsWhenTheResubmissionFailsIsToBeRecovered) {
  ObjectRef held;
  const absl::Status status = ResubmitWith([&] { held = *world->counter->GetRef(Object(1)); });
  ASSERT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(to_recover, std::vector<ObjectId>{Object(1)});
  EXPECT_EQ(StateOf(1), ObjectState::kLost);
  EXPECT_FALSE(world->counter->InScope(Object(2)));  // nobody holds the other one
  // And so it can be.
  const auto again = Lineage(*world->counter).Resubmit(Task(1));
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->returns.size(), 1u);
  world->AddCopy(1, 1, true, again->returns[0].generation);
  world->Settle();
  EXPECT_EQ(StateOf(1), ObjectState::kAvailable);
}

TEST_F(RevivedArgument, WhoseTaskRunsIsNotToBeRecovered) {
  ObjectRef held;
  absl::StatusOr<Resubmission> again;
  const absl::Status status = ResubmitWith([&] {
    held = *world->counter->GetRef(Object(1));
    again = Lineage(*world->counter).Resubmit(Task(1));
  });
  ASSERT_TRUE(absl::IsFailedPrecondition(status)) << status;
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(to_recover.empty());
  EXPECT_EQ(StateOf(1), ObjectState::kPending);
  ASSERT_EQ(again->returns.size(), 1u);
  world->AddCopy(1, 1, true, again->returns[0].generation);
  world->Settle();
  EXPECT_EQ(StateOf(1), ObjectState::kAvailable);
}

TEST_F(RevivedArgument, ThatNobodyHoldsGoesAgainQuietly) {
  const absl::Status status = ResubmitWith([] {});
  ASSERT_TRUE(absl::IsFailedPrecondition(status)) << status;
  world->Settle();
  EXPECT_TRUE(to_recover.empty());
  EXPECT_FALSE(world->counter->InScope(Object(1)));
  EXPECT_FALSE(world->counter->InScope(Object(2)));
  made.Reset();
  world->Settle();
  EXPECT_EQ(world->objects(), 0u);
}

}  // namespace
}  // namespace freehold
