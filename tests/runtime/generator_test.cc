#include "freehold/generator.h"

#include <vector>

#include "freehold/error_reason.h"
#include "freehold/lineage.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

TaskId Task(uint64_t number) { return TaskId::FromNumber(number); }

class GeneratorTest : public ::testing::Test {
 protected:
  GeneratorTest() : generators(*world.counter) { stream = *world.counter->Declare(Object(100)); }
  void Yield(uint64_t object) {
    const absl::Status yielded = generators.Yield(Object(100), Object(object), With(1));
    ASSERT_TRUE(yielded.ok()) << yielded;
    world.AddCopy(object, 1, true);
    world.Settle();
  }

  CounterWorld world;
  Generators generators;
  ObjectRef stream;
};

TEST_F(GeneratorTest, YieldedObjectsAreTakenInOrder) {
  ASSERT_TRUE(generators.Open(Object(100)).ok());
  EXPECT_TRUE(absl::IsNotFound(generators.Take(Object(100)).status()));  // none yet
  Yield(1);
  Yield(2);
  EXPECT_EQ(generators.CountYielded(Object(100)), 2u);
  EXPECT_EQ(world.counter->GetStats().yielded, 2u);
  EXPECT_EQ(world.counter->GetCounts(Object(1))->nested_in, 1u);
  ObjectRef first = *generators.Take(Object(100));
  EXPECT_EQ(first.id(), Object(1));
  EXPECT_EQ(generators.Take(Object(100))->id(), Object(2));  // dropped at once
  world.Settle();
  EXPECT_EQ(world.Deleted(1), std::vector<ObjectId>{Object(2)});
  EXPECT_EQ(world.counter->GetCounts(Object(1))->total(), 1u);
  first.Reset();
  stream.Reset();
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(world.counter->GetStats().generators, 0u);
}

// Ray issue 63091.
TEST_F(GeneratorTest, WhatNobodyTookIsFreedWhenTheGeneratorIsDropped) {
  ASSERT_TRUE(generators.Open(Object(100)).ok());
  for (uint64_t object = 1; object <= 90; ++object) Yield(object);
  const ObjectRef taken = *generators.Take(Object(100));
  stream.Reset();
  world.Settle();
  EXPECT_EQ(world.Deleted(1).size(), 89u);
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_EQ(world.objects(), 1u);
  EXPECT_EQ(world.counter->GetStats().yielded, 0u);
}

TEST_F(GeneratorTest, WhatIsYieldedAfterTheGeneratorWasDroppedIsNotTaken) {
  ASSERT_TRUE(generators.Open(Object(100)).ok());
  stream.Reset();
  // Its task runs on: the value is there, and is reported.
  const absl::Status late = generators.Yield(Object(100), Object(1), With(1));
  EXPECT_TRUE(absl::IsNotFound(late)) << late;
  EXPECT_EQ(ReasonOf(late), ErrorReason::kGone);
  world.AddCopy(1, 1, true);
  world.Settle();
  EXPECT_EQ(world.Deleted(1), std::vector<ObjectId>{Object(1)});
  EXPECT_EQ(world.objects(), 0u);
}

TEST_F(GeneratorTest, YieldedObjectCanBeMadeAgainByItsTask) {
  LineageTask task;
  task.id = Task(7);
  task.returns = {Object(100)};
  ASSERT_TRUE(Lineage(*world.counter).Record(task).ok());
  ASSERT_TRUE(generators.Open(Object(100), Task(7)).ok());
  Yield(1);
  const ObjectRef taken = *generators.Take(Object(100));
  Yield(2);
  world.membership.Exclude({Node(1)});
  world.Settle();
  EXPECT_EQ(*Lineage(*world.counter).TaskOf(Object(1)), Task(7));
  stream.Reset();  // and with it what nobody took
  world.Settle();
  const auto again = Lineage(*world.counter).Resubmit(Task(7));
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->returns.size(), 1u);
  EXPECT_EQ(again->returns[0].object, Object(1));
  EXPECT_EQ(again->returns[0].generation, 1u);
}

TEST_F(GeneratorTest, OnlyAnObjectInScopeIsAGenerator) {
  EXPECT_TRUE(absl::IsNotFound(generators.Open(Object(5))));
  EXPECT_TRUE(absl::IsNotFound(generators.Yield(Object(100), Object(1))));
  EXPECT_TRUE(absl::IsNotFound(generators.Take(Object(100)).status()));
  ASSERT_TRUE(generators.Open(Object(100)).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(generators.Open(Object(100))));
  EXPECT_TRUE(absl::IsAlreadyExists(generators.Yield(Object(100), Object(100))));
  EXPECT_EQ(world.counter->GetStats().generators, 1u);
}

}  // namespace
}  // namespace freehold
