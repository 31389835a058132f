// ResetAll: many handles at once, in the order of the shards.

#include <cstdint>
#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;

// Handles of many objects, among them some that refer to nothing, several of one object and one
// whose object another handle keeps: what is told when they are dropped together.
std::vector<ObjectId> ToldOfHandlesDroppedTogether(uint32_t shards, uint64_t objects) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  options.shards = shards;
  CounterWorld world(1, options);
  std::vector<ObjectRef> refs;
  std::vector<ObjectId> told;
  for (uint64_t i = 1; i <= objects; ++i) {
    refs.push_back(*world.counter->Declare(Object(i)));
    refs.emplace_back();             // refers to nothing
    refs.push_back(refs[0]);         // one of many handles of an object
    refs.push_back(refs.end()[-3]);  // the last one of its object
    EXPECT_TRUE(*world.counter->OnOutOfScope(
        Object(i), [&](const ObjectId& object, EndReason) { told.push_back(object); }));
  }
  ObjectRef kept = refs[4];  // the second object
  ResetAll({});
  ResetAll(absl::MakeSpan(refs));
  for (const ObjectRef& ref : refs) EXPECT_FALSE(ref);
  EXPECT_EQ(world.objects(), 1u);
  ResetAll(absl::MakeSpan(refs));  // those that refer to nothing
  EXPECT_TRUE(world.counter->InScope(Object(2)));
  kept.Reset();
  return told;
}

TEST(ResetAll, EachCallbackComesOnce) {
  constexpr uint64_t kObjects = 2000;  // more than are put in order at a time
  std::vector<ObjectId> expected;
  for (uint64_t i = 3; i < kObjects; ++i) expected.push_back(Object(i));
  expected.push_back(Object(1));  // all of its handles go with the last of these
  expected.push_back(Object(kObjects));
  expected.push_back(Object(2));
  EXPECT_EQ(ToldOfHandlesDroppedTogether(1, kObjects), expected) << "of one shard in order";
  EXPECT_THAT(ToldOfHandlesDroppedTogether(32, kObjects),
              ::testing::UnorderedElementsAreArray(expected));
}

TEST(ResetAll, HandlesOfSeveralCountersEndEachAtItsOwn) {
  constexpr uint64_t kObjects = 100;
  CounterWorld first(1);
  CounterWorld second(1);
  auto ended = std::make_unique<CounterWorld>(1);
  std::vector<ObjectRef> refs;
  uint64_t told[3] = {0, 0, 0};
  for (uint64_t i = 1; i <= kObjects; ++i) {
    for (CounterWorld* world : {&first, &second, ended.get()}) {
      refs.push_back(*world->counter->Declare(Object(i)));
      uint64_t* const mine = &told[world == &first ? 0 : world == &second ? 1 : 2];
      ASSERT_TRUE(*world->counter->OnOutOfScope(Object(i),
                                                [mine](const ObjectId&, EndReason) { ++*mine; }));
    }
  }
  ended.reset();  // its handles stay good
  EXPECT_EQ(refs[2].id(), Object(1));
  ResetAll(absl::MakeSpan(refs));
  first.RunCallbacks();
  second.RunCallbacks();
  EXPECT_THAT(told, ElementsAre(kObjects, kObjects, 0u));
  EXPECT_EQ(first.objects(), 0u);
  EXPECT_EQ(second.objects(), 0u);
}

// As when each is dropped alone: so many of what one contains go at once, and none waits here.
TEST(ResetAll, WhatEachContainsIsLetGoOfForEach) {
  ReferenceCounterOptions options;
  options.shards = 1;
  options.nested_drops_inline_max = 2;
  CounterWorld world(1, options);
  std::vector<ObjectRef> outer;
  for (uint64_t i = 1; i <= 10; ++i) {
    std::vector<ObjectRef> inner;
    for (const uint64_t number : {100 + 2 * i, 101 + 2 * i}) {
      inner.push_back(*world.counter->Declare(Object(number)));
    }
    outer.push_back(*world.counter->Declare(Object(i)));
    ASSERT_TRUE(world.counter->AddNested(Object(i), {inner[0].id(), inner[1].id()}).ok());
  }
  ASSERT_EQ(world.objects(), 30u);
  ResetAll(absl::MakeSpan(outer));
  EXPECT_EQ(world.objects(), 0u);
  EXPECT_EQ(world.counter->CanExit().drops_deferred, 0u);
}

// Each in its own span, of which neither knows.
TEST(ResetAll, ACallbackMayDropMoreHandlesTogether) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  CounterWorld world(1, options);
  std::vector<ObjectRef> outer;
  std::vector<ObjectRef> inner;
  for (uint64_t i = 1; i <= 600; ++i) {
    (i <= 300 ? outer : inner).push_back(*world.counter->Declare(Object(i)));
  }
  uint64_t told = 0;
  for (uint64_t i = 1; i <= 600; ++i) {
    ASSERT_TRUE(*world.counter->OnOutOfScope(Object(i), [&](const ObjectId&, EndReason) {
      ++told;
      ResetAll(absl::MakeSpan(inner));
    }));
  }
  ResetAll(absl::MakeSpan(outer));
  EXPECT_EQ(told, 600u);
  EXPECT_EQ(world.objects(), 0u);
}

TEST(ResetAll, ACallbackMayEndTheCounterWhileMoreHandlesAreDropped) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  CounterWorld world(1, options);
  std::vector<ObjectRef> refs;
  uint64_t told = 0;
  for (uint64_t i = 1; i <= 300; ++i) {
    refs.push_back(*world.counter->Declare(Object(i)));
    ASSERT_TRUE(*world.counter->OnOutOfScope(Object(i), [&](const ObjectId&, EndReason) {
      ++told;
      world.counter.reset();
    }));
  }
  ResetAll(absl::MakeSpan(refs));
  EXPECT_GE(told, 1u);
  EXPECT_LE(told, 300u);
  for (const ObjectRef& ref : refs) EXPECT_FALSE(ref);
}

}  // namespace
}  // namespace freehold
