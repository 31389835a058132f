#include "freehold/pin.h"

#include "freehold/error_reason.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Pin, KeepsTheValueUntilTheLastUnpin) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1, 2});
  ASSERT_TRUE(world.counter->Pin(Object(1), "cache").ok());
  ref.Reset();
  world.Settle();
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_TRUE(world.stores[1].deleted.empty());
  EXPECT_EQ(world.counter->GetStats().pinned, 1u);
  ref = *world.counter->GetRef(Object(1));  // it is there for whoever comes back
  ASSERT_TRUE(world.counter->Unpin(Object(1), "cache").ok());
  world.Settle();
  EXPECT_TRUE(world.stores[1].deleted.empty());
  ASSERT_TRUE(world.counter->Pin(Object(1), "cache").ok());
  ref.Reset();
  ASSERT_TRUE(world.counter->Unpin(Object(1), "cache").ok());
  world.Settle();
  EXPECT_EQ(world.Deleted(1).size(), 1u);
  EXPECT_EQ(world.Deleted(2).size(), 1u);
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(world.counter->GetStats().pinned, 0u);
}

TEST(Pin, FreeThatWaitsForAPinIsShownAsSuch) {
  CounterWorld world;
  const ObjectRef ref = world.Put(1, {1});
  ASSERT_TRUE(world.counter->Pin(Object(1), "cache").ok());
  ASSERT_TRUE(world.counter->Pin(Object(1), "cache").ok());
  world.clock.Advance(std::chrono::milliseconds(1500));
  EXPECT_THAT(world.counter->DebugString(Object(1)),
              HasSubstr("pinned by cache, 2 times for 1500 ms"));
  EXPECT_THAT(world.counter->DebugString(Object(1)), Not(HasSubstr("waits for the last pin")));
  EXPECT_TRUE(world.counter->Free({Object(1)}).ok());
  world.Settle();
  EXPECT_FALSE(*world.counter->IsFreed(Object(1)));
  EXPECT_TRUE(world.stores[1].deleted.empty());
  EXPECT_THAT(world.counter->DebugString(Object(1)), HasSubstr("its free waits for the last pin"));
  ASSERT_TRUE(world.counter->Unpin(Object(1), "cache").ok());
  ASSERT_TRUE(world.counter->Unpin(Object(1), "cache").ok());
  world.Settle();
  EXPECT_TRUE(*world.counter->IsFreed(Object(1)));
  EXPECT_EQ(world.Deleted(1).size(), 1u);
  EXPECT_EQ(ReasonOf(world.counter->CheckReference(Object(1))), ErrorReason::kFreed);
}

TEST(Pin, FreeThatWaitsForReadersIsShownAsSuch) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1});
  auto reader = world.agents[1]->Read(Object(1));
  ASSERT_TRUE(reader.ok());
  const auto watch = world.counter->OnReclaimed(Object(1), [](const ObjectId&, EndReason) {});
  ASSERT_TRUE(watch.ok());
  ref.Reset();
  world.Settle();
  EXPECT_THAT(world.counter->DebugString(Object(1)), HasSubstr("its free waits for readers"));
}

TEST(Pin, CountsAreAPartOfWhatHoldsAnObject) {
  CounterWorld world;
  const ObjectRef ref = world.Put(1, {1});
  ASSERT_TRUE(world.counter->Pin(Object(1), "a").ok());
  ASSERT_TRUE(world.counter->Pin(Object(1), "a").ok());
  ASSERT_TRUE(world.counter->Pin(Object(1), "b").ok());
  const ReferenceCounts counts = *world.counter->GetCounts(Object(1));
  EXPECT_EQ(counts.pins, 3u);
  EXPECT_EQ(counts.nested_in, 0u);
  EXPECT_EQ(counts.total(), 4u);
  const std::vector<PinHolder> pins = *world.counter->GetPins(Object(1));
  ASSERT_EQ(pins.size(), 2u);
  EXPECT_EQ(pins[0].by, "a");
  EXPECT_EQ(pins[0].count, 2u);
  EXPECT_EQ(pins[0].since, world.clock.Now());
}

TEST(Pin, OneUnpinTooManyIsAMisuse) {
  CounterWorld world;
  const ObjectRef ref = world.Put(1, {1});
  EXPECT_TRUE(absl::IsFailedPrecondition(world.counter->Unpin(Object(1), "cache")));
  EXPECT_TRUE(absl::IsNotFound(world.counter->Unpin(Object(2), "cache")));
  EXPECT_EQ(world.counter->GetStats().misuses, 2u);
  EXPECT_TRUE(absl::IsInvalidArgument(world.counter->Pin(Object(1), "")));
  EXPECT_TRUE(absl::IsInvalidArgument(
      world.counter->Pin(Object(1), std::string(kPinnedByBytesMax + 1, 'x'))));
  EXPECT_TRUE(absl::IsNotFound(world.counter->Pin(Object(2), "cache")));
}

TEST(Pin, ScopeThatEndsByForceWaitsForAPin) {
  CounterWorld world;
  ScopeOptions options;
  options.hold = true;
  Scope scope = *world.counter->OpenScope(options);
  DeclareOptions declare = With(1);
  declare.scope = scope.id();
  ASSERT_TRUE(world.counter->Declare(Object(1), declare).ok());
  world.AddCopy(1, 1, true);
  ASSERT_TRUE(world.counter->Pin(Object(1), "cache").ok());
  ASSERT_TRUE(unsafe::ForceEnd(scope).ok());
  world.Settle();
  EXPECT_TRUE(world.stores[1].deleted.empty());
  EXPECT_EQ(scope.GetStatus()->usage.objects, 1u);
  ASSERT_TRUE(world.counter->Unpin(Object(1), "cache").ok());
  world.Settle();
  EXPECT_EQ(world.Deleted(1).size(), 1u);
  EXPECT_EQ(world.objects(), 0u);
}

TEST(Pin, DrainNamesWhoPins) {
  CounterWorld world;
  ASSERT_TRUE(world.counter->Declare(Object(1)).ok());
  const ObjectRef ref = world.Put(2, {1});
  ASSERT_TRUE(world.counter->Pin(Object(2), "cache").ok());
  DrainOptions options;
  options.timeout = Duration::zero();
  const DrainReport report = world.counter->Drain(options);
  ASSERT_EQ(report.blockers.size(), 2u);
  EXPECT_EQ(report.blockers[1].hold, DrainHold::kPin);
  EXPECT_THAT(report.blockers[1].ToString(), HasSubstr("pinned by cache"));
}

}  // namespace
}  // namespace freehold
