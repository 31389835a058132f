// Heirs, with copies on nodes; and a drain, with threads.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "freehold/drain.h"
#include "tests/runtime/heirs_world.h"

namespace freehold {
namespace {

class HeirsNodes : public HeirsTest {
 protected:
  HeirsNodes() {
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
  void Pump(uint64_t node) {
    if (agents[node]->NextDeadline() <= world.clock.Now()) agents[node]->Pump(world.clock.Now());
  }
  void Settle() override {
    for (int i = 0; i < 20; ++i) {
      world.Settle();
      for (auto& [number, agent] : agents) Pump(number);
    }
    world.executor->RunAll();
    world.Settle();
  }
  void Put(uint64_t node, uint64_t object, CopyRole role = CopyRole::kPrimary) {
    const absl::Status status = agents[node]->AddCopy({Object(object), 0, Process(1), role, 5});
    ASSERT_TRUE(status.ok()) << status;
  }
  // Of each location, the primary first.
  std::string NodesOf(uint64_t process, uint64_t object) {
    std::string nodes;
    const auto locations = world[process].GetLocations(Object(object));
    if (!locations.ok()) return "none";
    for (const Location& at : locations->locations) {
      const char* const name = at.node == Node(1) ? "1" : "2";
      if (at.role == CopyRole::kPrimary) {
        nodes.insert(0, name).insert(0, "*");
      } else {
        nodes.append(name);
      }
    }
    return nodes;
  }
  size_t Deleted() {
    size_t sum = 0;
    for (auto& [number, store] : stores) sum += store.deleted.size();
    return sum;
  }
  void ExpectClean(size_t deleted) {
    ExpectNothingLeft();
    EXPECT_EQ(Deleted(), deleted);
    for (auto& [number, agent] : agents) {
      EXPECT_EQ(agent->GetStats().copies, 0u);
      EXPECT_EQ(agent->GetStats().sessions.refused_items, 0u);
    }
  }

  std::map<uint64_t, ListStore> stores;
  std::map<uint64_t, std::unique_ptr<NodeAgent>> agents;
};

TEST_F(HeirsNodes, CopiesAreTheHeirsAndFreedByIt) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Put(1, 7);
  Settle();
  Prepare(7);
  Put(2, 7, CopyRole::kSecondary);  // later
  Settle();
  Die(1);
  own.Reset();
  Settle();
  EXPECT_EQ(Deleted(), 0u);
  EXPECT_EQ(NodesOf(2, 7), "*12");
  given.clear();
  Settle();
  EXPECT_EQ(Deleted(), 0u);
  borrowed.Reset();
  ExpectClean(2);
}

TEST_F(HeirsNodes, APrimaryMovesWhenTheHeirKnowsOfTheCopyThatIsToBeIt) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7);
  Settle();
  Prepare(7);
  CutOff(2);
  Put(2, 7, CopyRole::kSecondary);
  std::string answer;
  ASSERT_TRUE(agents[2]
                  ->MovePrimary(Object(7), 0, Node(1),
                                [&](const ObjectId&, const MoveResult& moved) {
                                  answer = MoveOutcomeName(moved.outcome);
                                })
                  .ok());
  Settle();
  EXPECT_EQ(answer, "");
  EXPECT_EQ(NodesOf(1, 7), "*12");
  Reach(2);
  EXPECT_EQ(answer, "moved");
  EXPECT_EQ(NodesOf(1, 7), "*2");
  EXPECT_EQ(Deleted(), 1u);
  // Whatever the heir knows of the move, one copy is there.
  Die(1);
  own.Reset();
  Settle();
  EXPECT_EQ(NodesOf(2, 7), "*2");
  EXPECT_EQ(Deleted(), 1u);
  given.clear();
  ExpectClean(2);
}

TEST_F(HeirsNodes, TheOwnerDiesWithAMoveThatWaitsForTheHeir) {
  ObjectRef own = world.Declare(1, 7);
  Put(1, 7);
  Settle();
  Prepare(7);
  CutOff(2);
  Put(2, 7, CopyRole::kSecondary);
  std::string answer;
  ASSERT_TRUE(agents[2]
                  ->MovePrimary(Object(7), 0, Node(1),
                                [&](const ObjectId&, const MoveResult& moved) {
                                  answer = MoveOutcomeName(moved.outcome);
                                })
                  .ok());
  Settle();
  world.Crash(1);
  own.Reset();
  world.transport.unreachable.erase(Process(2));
  world.Exclude(1);
  Settle();
  world.SettleFor(std::chrono::seconds(5));
  Settle();
  EXPECT_NE(answer, "") << "by the heir, or by name";
  EXPECT_EQ(NodesOf(2, 7), "*1") << "the other one was never heard of";
  EXPECT_EQ(Deleted(), 1u);
  given.clear();
  ExpectClean(2);
}

TEST_F(HeirsNodes, AFreeThatTheHeirHasNotHeardOfLosesTheValueByName) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Put(1, 7);
  Settle();
  Prepare(7);
  CutOff(2);
  const ObjectId id = Object(7);
  ASSERT_TRUE(world[1].Free({&id, 1}).ok());
  Settle();
  EXPECT_EQ(Deleted(), 1u);
  world.Crash(1);
  own.Reset();
  world.transport.unreachable.erase(Process(2));
  world.Exclude(1);
  Settle();
  EXPECT_EQ(NodesOf(2, 7), "");
  EXPECT_EQ(Stats(2).objects_lost, 1u);
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  given.clear();
  borrowed.Reset();
  ExpectClean(1);
}

// The value that was begun after the last word to the heir is deleted, and made again by the heir.
TEST_F(HeirsNodes, AGenerationThatTheHeirHasNotHeardOfIsFreed) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Put(1, 7);
  Settle();
  Prepare(7);
  CutOff(2);
  const ObjectId id = Object(7);
  ASSERT_TRUE(world[1].Free({&id, 1}).ok());
  Settle();
  ASSERT_TRUE(world[1].Recreate(Object(7)).ok());
  const absl::Status added = agents[1]->AddCopy({Object(7), 1, Process(1), CopyRole::kPrimary, 5});
  ASSERT_TRUE(added.ok()) << added;
  Settle();
  EXPECT_EQ(NodesOf(1, 7), "*1");
  world.Crash(1);
  own.Reset();
  world.transport.unreachable.erase(Process(2));
  world.Exclude(1);
  Settle();
  EXPECT_EQ(NodesOf(2, 7), "");
  EXPECT_EQ(Deleted(), 2u);
  ASSERT_TRUE(world[2].Recreate(Object(7)).ok());
  given.clear();
  borrowed.Reset();
  ExpectClean(2);
}

// --- Draining ------------------------------------------------------------------------------------

// With pump threads: a drain waits for others.
TEST(HeirsDrain, ADrainDismissesItsHeirsAndGivesTheObjectsAwayBeItToThem) {
  LocalTransport transport;
  LocalMembership membership;
  std::map<uint64_t, std::unique_ptr<ReferenceCounter>> counters;
  for (uint64_t number = 1; number <= 3; ++number) {
    ReferenceCounterOptions options;
    options.process = Process(number);
    options.transport = &transport;
    options.membership = &membership;
    options.start_pump_thread = true;
    options.seed = number;
    counters[number] = ReferenceCounter::Create(options).value();
    transport.Connect(Process(number), counters[number]->inbox());
  }
  std::vector<ObjectId> ids;
  std::vector<ObjectRef> elsewhere;
  for (uint64_t object = 1; object <= 50; ++object) {
    ids.push_back(Object(object));
    ObjectRef own = counters[1]->Declare(Object(object)).value();
    const auto exported = counters[1]->Export(Object(object), Process(3));
    elsewhere.push_back(counters[3]->Import(exported->token).value());
  }
  ASSERT_TRUE(Ownership(*counters[1]).NameHeir(ids, Process(2)).ok());
  DrainOptions drain;
  drain.timeout = std::chrono::seconds(30);
  drain.next_owner = Process(2);
  const DrainReport report = counters[1]->Drain(drain);
  EXPECT_TRUE(report.complete()) << report.left.ToString();
  EXPECT_EQ(counters[1]->GetStats().heirs, 0u);
  EXPECT_EQ(counters[2]->GetStats().heir_of, 0u);
  for (const ObjectId& id : ids) EXPECT_TRUE(counters[2]->InScope(id));
}

}  // namespace
}  // namespace freehold
