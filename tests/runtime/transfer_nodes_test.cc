// Ownership that moves, with copies on nodes: real counters and real node agents.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "freehold/transfer.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {
namespace {

class TransferNodes : public ::testing::Test {
 protected:
  TransferNodes() {
    for (uint64_t number : {1, 2}) {
      NodeAgentOptions node;
      node.node = Node(number);
      node.store = &stores[number];
      node.transport = &world.transport;
      node.membership = &world.membership;
      node.clock = &world.clock;
      node.executor = world.executor;
      node.seed = number;
      agents[number] = NodeAgent::Create(node).value();
      world.transport.local.Connect(Node(number), agents[number]->inbox());
    }
  }
  void Settle() {
    for (int i = 0; i < 20; ++i) {
      world.Settle();
      for (auto& [number, agent] : agents) Pump(number);
    }
    world.executor->RunAll();
    world.Settle();
  }
  void Pump(uint64_t node) {
    if (agents[node]->NextDeadline() <= world.clock.Now()) agents[node]->Pump(world.clock.Now());
  }
  void CrashNode(uint64_t node) {
    world.transport.local.Disconnect(Node(node));
    agents.erase(node);
  }
  // The bytes are at the node, whose host believes that `owner` owns the object.
  void Put(uint64_t node, uint64_t object, uint64_t owner, CopyRole role = CopyRole::kPrimary) {
    const absl::Status status = agents[node]->AddCopy({Object(object), 0, Process(owner), role, 5});
    ASSERT_TRUE(status.ok()) << status;
  }
  void Transfer(uint64_t object, uint64_t from, uint64_t to) {
    const ObjectId id = Object(object);
    ASSERT_TRUE(Ownership(world[from]).Transfer({&id, 1}, Process(to)).ok());
  }
  std::vector<uint64_t> NodesOf(uint64_t process, uint64_t object) {
    std::vector<uint64_t> nodes;
    const auto locations = world[process].GetLocations(Object(object));
    if (!locations.ok()) return nodes;
    for (const Location& location : locations->locations) {
      for (uint64_t node = 1; node <= 3; ++node) {
        if (location.node == Node(node)) nodes.push_back(node);
      }
    }
    return nodes;
  }
  uint64_t Refused() {
    uint64_t refused = 0;
    for (auto& [number, counter] : world.counters) {
      refused += counter->GetStats().sessions.refused_items;
    }
    for (auto& [number, agent] : agents) refused += agent->GetStats().sessions.refused_items;
    return refused;
  }
  void ExpectClean(size_t deleted) {
    Settle();
    world.ExpectClean();
    size_t sum = 0;
    for (auto& [number, store] : stores) sum += store.deleted.size();
    EXPECT_EQ(sum, deleted);
    for (auto& [number, agent] : agents) EXPECT_EQ(agent->GetStats().copies, 0u);
    EXPECT_EQ(Refused(), 0u);
  }

  SharingWorld world{3};
  std::map<uint64_t, ListStore> stores;
  std::map<uint64_t, std::unique_ptr<NodeAgent>> agents;
};

TEST_F(TransferNodes, CopiesGoAlongAndAreFreedByTheNextOwner) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7, 1);
  Put(2, 7, 1, CopyRole::kSecondary);
  Settle();
  Transfer(7, 1, 2);
  Settle();
  EXPECT_EQ(NodesOf(2, 7), (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(world[2].GetLocations(Object(7))->locations[0].role, CopyRole::kPrimary);
  EXPECT_EQ(world[1].GetStats().copies, 0u);
  own.Reset();
  ExpectClean(2);
}

TEST_F(TransferNodes, TheFormerOwnerDiesAndNoCopyIsDeleted) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Put(1, 7, 1);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1, 2});  // taken; nobody has been told
  world.Crash(1);
  own.Reset();
  world.Exclude(1);
  Settle();
  EXPECT_TRUE(stores[1].deleted.empty());
  EXPECT_EQ(NodesOf(2, 7), std::vector<uint64_t>{1});
  borrowed.Reset();
  ExpectClean(1);
}

TEST_F(TransferNodes, TheNextOwnerDiesAndTheFormerOneHasTheCopiesAgain) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7, 1);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1, 2});
  Pump(1);  // it belongs to 2, and 2 does not hear so
  EXPECT_EQ(world[1].GetStats().transfers_pending, 1u);
  world.Crash(2);
  world.Exclude(2);
  Settle();
  EXPECT_TRUE(stores[1].deleted.empty());
  EXPECT_EQ(NodesOf(1, 7), std::vector<uint64_t>{1});
  own.Reset();
  ExpectClean(1);
}

TEST_F(TransferNodes, AReportToTheFormerOwnerReachesTheNextOne) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7, 1);
  Settle();
  Transfer(7, 1, 2);
  Settle();
  Put(2, 7, 1, CopyRole::kSecondary);  // its host has not heard
  Settle();
  EXPECT_EQ(NodesOf(2, 7), (std::vector<uint64_t>{1, 2}));
  EXPECT_TRUE(stores[2].deleted.empty());
  own.Reset();
  ExpectClean(2);
}

TEST_F(TransferNodes, AReportThatComesWhileTheAnswerIsOpenIsNotLost) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7, 1);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1});
  Put(2, 7, 1, CopyRole::kSecondary);
  Pump(2);
  world.Settle({1});
  Settle();
  EXPECT_EQ(NodesOf(2, 7), (std::vector<uint64_t>{1, 2}));
  own.Reset();
  ExpectClean(2);
}

TEST_F(TransferNodes, ACopyThatHasGoneMeanwhileIsNotBelievedIn) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7, 1);
  Put(2, 7, 1, CopyRole::kSecondary);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1});
  ASSERT_TRUE(agents[2]->DropCopy(Object(7), 0).ok());
  Settle();
  EXPECT_EQ(NodesOf(2, 7), std::vector<uint64_t>{1});
  own.Reset();
  ExpectClean(1);
}

TEST_F(TransferNodes, ANodeThatDiesMeanwhileIsNoLocationOfTheNextOwner) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7, 1);
  Put(2, 7, 1, CopyRole::kSecondary);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1});
  CrashNode(2);
  world.membership.Exclude({Node(2)});
  Settle();
  EXPECT_EQ(NodesOf(2, 7), std::vector<uint64_t>{1});
  EXPECT_EQ(world[1].GetStats().transfers_pending, 0u);
  own.Reset();
  ExpectClean(1);
}

TEST_F(TransferNodes, AFreeThatFollowsTheMoveAtOnce) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7, 1);
  Settle();
  Transfer(7, 1, 2);
  own.Reset();
  ExpectClean(1);
}

TEST_F(TransferNodes, FreedExplicitlyByTheNextOwner) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7, 1);
  Settle();
  Transfer(7, 1, 2);
  Settle();
  const ObjectId id = Object(7);
  EXPECT_EQ(ReasonOf(world[1].Free({&id, 1}).failures[0].status), ErrorReason::kNotOwner);
  EXPECT_TRUE(world[2].Free({&id, 1}).ok());
  Settle();
  EXPECT_EQ(stores[1].deleted.size(), 1u);
  Transfer(7, 2, 1);
  Settle();
  EXPECT_TRUE(*world[1].IsFreed(Object(7)));
  ASSERT_TRUE(world[1].Recreate(Object(7)).ok());
  ASSERT_TRUE(agents[2]->AddCopy({Object(7), 1, Process(1), CopyRole::kPrimary, 5}).ok());
  Settle();
  EXPECT_EQ(NodesOf(1, 7), std::vector<uint64_t>{2});
  own.Reset();
  ExpectClean(2);
}

TEST_F(TransferNodes, APrimaryMoveGoesOnAtTheNextOwner) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7, 1);
  Put(2, 7, 1, CopyRole::kSecondary);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1});
  std::vector<MoveOutcome> outcomes;
  ASSERT_TRUE(agents[2]
                  ->MovePrimary(Object(7), 0, Node(1),
                                [&](const ObjectId&, const MoveResult& result) {
                                  outcomes.push_back(result.outcome);
                                })
                  .ok());
  Pump(2);
  Settle();
  EXPECT_EQ(outcomes, std::vector<MoveOutcome>{MoveOutcome::kMoved});
  EXPECT_EQ(NodesOf(2, 7), std::vector<uint64_t>{2});
  own.Reset();
  ExpectClean(2);
}

TEST_F(TransferNodes, AFetchThatWasAskedOfTheFormerOwnerEndsAtTheNextOne) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7, 1);
  Settle();
  ASSERT_TRUE(agents[2]->BeginFetch({Object(7), 0, Process(1), CopyRole::kSecondary, 5}).ok());
  Transfer(7, 1, 2);
  Settle();
  Put(2, 7, 1, CopyRole::kSecondary);
  Settle();
  EXPECT_EQ(NodesOf(2, 7), (std::vector<uint64_t>{1, 2}));
  own.Reset();
  ExpectClean(2);
}

}  // namespace
}  // namespace freehold
