// ReferenceCounter: objects that contain others, and questions about all of them.

#include <string>
#include <vector>

#include "freehold/reference_counter.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// --- Nesting -------------------------------------------------------------------------------------

TEST(Nesting, OuterInScopeHoldsInner) {
  CounterWorld world;
  ObjectRef inner = world.Put(1, {1});
  DeclareOptions options;
  options.contains = {Object(1), Object(1)};
  ObjectRef outer = *world.counter->Declare(Object(2), options);
  EXPECT_EQ(world.counter->GetCounts(Object(1))->nested_in, 1u) << "contained once";
  inner.Reset();
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_THAT(world.counter->DebugString(Object(1)), HasSubstr(Object(2).ToHex()));
  outer.Reset();
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_THAT(world.Deleted(1), ElementsAre(Object(1)));
}

TEST(Nesting, AddingTwiceChangesNothingAndAFailureGivesAllBack) {
  CounterWorld world;
  ObjectRef inner = *world.counter->Declare(Object(1));
  ObjectRef outer = *world.counter->Declare(Object(2));
  ASSERT_TRUE(world.counter->AddNested(Object(2), {Object(1)}).ok());
  ASSERT_TRUE(world.counter->AddNested(Object(2), {Object(1)}).ok());
  EXPECT_EQ(world.counter->GetCounts(Object(1))->nested_in, 1u);
  EXPECT_EQ(world.counter->AddNested(Object(2), {Object(1), Object(9)}).code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(world.counter->AddNested(Object(9), {Object(1)}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.counter->AddNested(Object(2), {Object(2)}).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(world.counter->GetCounts(Object(1))->nested_in, 1u);
}

TEST(Nesting, ChainAMillionDeepIsDroppedInPieces) {
  CounterWorld world(0);
  constexpr uint64_t kDepth = 1'000'000;
  ObjectRef last = *world.counter->Declare(Object(1));
  for (uint64_t i = 2; i <= kDepth; ++i) {
    DeclareOptions options;
    options.contains = {last.id()};
    last = *world.counter->Declare(Object(i), options);
  }
  last.Reset();
  EXPECT_GE(world.objects(), kDepth - 100) << "the dropping thread pays for a few only";
  EXPECT_EQ(world.counter->GetStats().drops_deferred, 1u);
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(world.counter->GetStats().drops_deferred, 0u);
}

TEST(Nesting, AnObjectThatContainsManyIsDroppedInPieces) {
  CounterWorld world(0);
  std::vector<ObjectRef> refs;
  DeclareOptions options;
  for (uint64_t i = 1; i <= 20'000; ++i) {
    refs.push_back(*world.counter->Declare(Object(i)));
    options.contains.push_back(Object(i));
  }
  ObjectRef outer = *world.counter->Declare(Object(100'000), options);
  refs.clear();
  EXPECT_EQ(world.objects(), 20'001u);
  outer.Reset();
  EXPECT_GE(world.objects(), 19'900u);
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
}

// --- Queries -------------------------------------------------------------------------------------

TEST(Queries, CountsByStateAndIdsInScope) {
  CounterWorld world;
  ObjectRef pending = *world.counter->Declare(Object(1));
  ObjectRef available = world.Put(2, {1});
  ObjectRef freed = world.Put(3, {1});
  EXPECT_TRUE(world.counter->Free({Object(3)}).ok());
  ObjectRef ending = world.Put(4, {2});
  ending.Reset();
  const ObjectCounts counts = world.counter->CountObjects();
  EXPECT_EQ(counts.pending, 1u);
  EXPECT_EQ(counts.available, 1u);
  EXPECT_EQ(counts.freed, 1u);
  EXPECT_EQ(counts.out_of_scope, 1u);
  EXPECT_EQ(counts.in_scope(), 3u);
  EXPECT_THAT(world.counter->IdsInScope(),
              ::testing::UnorderedElementsAre(Object(1), Object(2), Object(3)));
  EXPECT_THAT(world.counter->Ids(ObjectState::kOutOfScope), ElementsAre(Object(4)));
}

TEST(Queries, DebugStringNamesEveryHolderAndCopy) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1, 2});
  ASSERT_TRUE(world.counter->AddLocalReference(Object(1), 2).ok());
  TaskReferences task = *world.counter->SubmitTask({Object(1)});
  const std::string text = world.counter->DebugString(Object(1));
  EXPECT_THAT(text, HasSubstr("held by 1 handle"));
  EXPECT_THAT(text, HasSubstr("held by 2 references by id"));
  EXPECT_THAT(text, HasSubstr("held by 1 task reference"));
  EXPECT_THAT(text, HasSubstr(Node(1).ToHex() + ": primary, in memory"));
  EXPECT_THAT(text, HasSubstr(Node(2).ToHex() + ": secondary, in memory"));
  EXPECT_THAT(world.counter->DebugString(Object(9)), HasSubstr("unknown"));
}

TEST(Queries, OfUnknownIdsSayNotFound) {
  CounterWorld world;
  EXPECT_EQ(world.counter->GetCounts(Object(9)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.counter->GetLocations(Object(9)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.counter->IsFreed(Object(9)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(world.counter->InScope(Object(9)));
  EXPECT_THAT(world.counter->BytesPerNode({Object(9)}), IsEmpty());
}

}  // namespace
}  // namespace freehold
