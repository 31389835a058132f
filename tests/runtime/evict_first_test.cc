// Free with FreeMode::kEvictFirst, end to end: an owner, nodes, and stores that take the hint.

#include <stdexcept>
#include <vector>

#include "freehold/error_reason.h"
#include "freehold/lineage.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Notes the hints; evicts when the test says so.
class EvictingStore final : public ObjectStore {
 public:
  std::vector<absl::Status> Delete(absl::Span<const CopyToDelete> copies) override {
    deleted += copies.size();
    return std::vector<absl::Status>(copies.size());
  }
  void EvictFirst(absl::Span<const CopyToEvict> copies) override {
    ++calls;
    if (throws) throw std::runtime_error("no hints");
    for (const CopyToEvict& copy : copies) hints.push_back(copy);
  }

  bool throws = false;
  int calls = 0;
  size_t deleted = 0;
  std::vector<CopyToEvict> hints;
};

constexpr uint64_t kNode = 9;

class EvictFirst : public ::testing::Test {
 protected:
  EvictFirst() {
    NodeAgentOptions options;
    options.node = Node(kNode);
    options.store = &store_;
    options.transport = &world_.transport;
    options.membership = &world_.membership;
    options.clock = &world_.clock;
    options.seed = kNode;
    world_.agents[kNode] = *NodeAgent::Create(options);
    world_.transport.local.Connect(Node(kNode), world_.agents[kNode]->inbox());
  }
  void Free(const std::vector<ObjectId>& objects) {
    EXPECT_TRUE(world_.counter->Free(objects, FreeMode::kEvictFirst).ok());
    world_.Settle();
  }
  absl::Status Evict(uint64_t object, uint64_t node) {
    absl::Status dropped = world_.agents[node]->DropCopy(Object(object));
    world_.Settle();
    return dropped;
  }

  EvictingStore store_;
  CounterWorld world_{2};
};

TEST_F(EvictFirst, TheStoreIsToldAndTheValueStaysReadable) {
  const ObjectRef ref = world_.Put(1, {kNode}, 10);
  Free({Object(1)});
  ASSERT_EQ(store_.hints.size(), 1u);
  EXPECT_EQ(store_.hints[0].object, Object(1));
  EXPECT_EQ(store_.hints[0].size, 10u);
  EXPECT_EQ(store_.deleted, 0u);
  EXPECT_FALSE(*world_.counter->IsFreed(Object(1)));
  EXPECT_TRUE(world_.counter->CheckReference(Object(1)).ok());
  EXPECT_TRUE(world_.agents[kNode]->Read(Object(1)).ok());
  EXPECT_THAT(world_.counter->DebugString(Object(1)), HasSubstr("to be evicted first"));
}

TEST_F(EvictFirst, HintsOfOneEnvelopeAreOneCall) {
  std::vector<ObjectRef> refs;
  std::vector<ObjectId> ids;
  for (uint64_t object = 1; object <= 50; ++object) {
    refs.push_back(world_.Put(object, {kNode}));
    ids.push_back(Object(object));
  }
  Free(ids);
  EXPECT_EQ(store_.hints.size(), 50u);
  EXPECT_LE(store_.calls, 2);
}

TEST_F(EvictFirst, OnceTheStoreHasEvictedTheLastCopyTheValueIsFreed) {
  const ObjectRef ref = world_.Put(1, {kNode, 1});
  std::vector<EndReason> ended;
  ASSERT_TRUE(
      world_.counter
          ->OnOutOfScope(Object(1), [&](const ObjectId&, EndReason why) { ended.push_back(why); })
          .ok());
  Free({Object(1)});
  ASSERT_TRUE(Evict(1, kNode).ok());
  EXPECT_FALSE(*world_.counter->IsFreed(Object(1)));
  ASSERT_TRUE(Evict(1, 1).ok());
  EXPECT_TRUE(*world_.counter->IsFreed(Object(1)));
  EXPECT_EQ(ReasonOf(world_.counter->CheckReference(Object(1))), ErrorReason::kFreed);
  world_.RunCallbacks();
  EXPECT_THAT(ended, ElementsAre(EndReason::kFreed));
  EXPECT_EQ(world_.counter->GetStats().objects_lost, 0u);
  EXPECT_TRUE(world_.counter->Recreate(Object(1)).ok());
}

TEST_F(EvictFirst, WhatARecordedTaskMadeCanBeMadeAgain) {
  const ObjectRef ref = world_.Put(1, {kNode});
  Lineage lineage(*world_.counter);
  LineageTask task;
  task.id = TaskId::FromNumber(5);
  task.returns = {Object(1)};
  ASSERT_TRUE(lineage.Record(task).ok());
  Free({Object(1)});
  ASSERT_TRUE(Evict(1, kNode).ok());
  EXPECT_EQ(lineage.CanRecover(Object(1)), Recovery::kPossible);
  const auto again = lineage.Resubmit(task.id);
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->returns.size(), 1u);
  EXPECT_EQ(again->returns[0].generation, 1u);
}

TEST_F(EvictFirst, TheLastReferenceDeletesAtOnce) {
  ObjectRef ref = world_.Put(1, {kNode});
  Free({Object(1)});
  ref.Reset();
  world_.Settle();
  EXPECT_EQ(store_.deleted, 1u);
  EXPECT_EQ(world_.objects(), 0u);
}

TEST_F(EvictFirst, AStoreThatTakesNoHintsLosesNothing) {
  ObjectRef on_list = world_.Put(1, {1});
  ObjectRef on_throwing = world_.Put(2, {kNode});
  store_.throws = true;
  Free({Object(1), Object(2)});
  EXPECT_EQ(store_.calls, 1);
  EXPECT_TRUE(world_.counter->CheckReference(Object(2)).ok());
  on_list.Reset();
  on_throwing.Reset();
  world_.Settle();
  EXPECT_EQ(world_.Deleted(1).size(), 1u);
  EXPECT_EQ(store_.deleted, 1u);
}

}  // namespace
}  // namespace freehold
