// Moves of the primary, end to end: an owner, four nodes with stores, and the network between them.

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "freehold/testing/faulty_transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kA = 7;
constexpr uint64_t kP = 1;  // the producer's node
constexpr uint64_t kC = 2;  // a consumer's

using Connect = std::function<void(const Address&, const std::shared_ptr<Inbox>&)>;

uint64_t NumberOf(const NodeId& node) {
  for (uint64_t number = 1; number <= 4; ++number) {
    if (node == Node(number)) return number;
  }
  return 0;
}

class MoveWorld {
 public:
  MoveWorld(Transport* transport, const Connect& connect) {
    ReferenceCounterOptions options;
    options.process = ProcessId::FromNumber(1);
    options.transport = transport;
    options.membership = &membership;
    options.executor = executor;
    options.clock = &clock;
    options.seed = 1;
    options.on_to_recover = [this](const std::vector<ObjectId>& ids) { lost += ids.size(); };
    options.on_copy_freed = [this](const ObjectId&, const NodeId& node, FreeOutcome outcome) {
      if (outcome == FreeOutcome::kSettled) reclaimed.push_back(NumberOf(node));
    };
    counter = *ReferenceCounter::Create(options);
    connect(options.process, counter->inbox());
    for (uint64_t number = 1; number <= 4; ++number) AddNode(number, transport, connect);
    ref = *counter->Declare(Object(kA), With(kP, 10));
    AddCopy(kP, CopyRole::kPrimary);
  }

  void AddCopy(uint64_t node, CopyRole role = CopyRole::kSecondary, uint32_t generation = 0) {
    const absl::Status added =
        agents[node]->AddCopy({Object(kA), generation, counter->process(), role, 10});
    EXPECT_TRUE(added.ok()) << added;
  }
  absl::Status Move(uint64_t to, uint64_t from, uint32_t generation = 0) {
    return agents[to]->MovePrimary(
        Object(kA), generation, Node(from), [this, to](const ObjectId&, const MoveResult& result) {
          std::string word = std::to_string(to) + " " + MoveOutcomeName(result.outcome);
          if (!result.primary.IsNil()) word += " to " + std::to_string(NumberOf(result.primary));
          ended.push_back(word);
        });
  }
  // Everybody once.
  void Pump(const std::vector<uint64_t>& nodes = {1, 2, 3, 4}) {
    if (counter != nullptr) counter->Pump(clock.Now());
    for (const uint64_t node : nodes) {
      if (agents[node] != nullptr) agents[node]->Pump(clock.Now());
    }
  }
  void Settle(const std::vector<uint64_t>& nodes = {1, 2, 3, 4}) {
    for (int round = 0; round < 6; ++round) Pump(nodes);
    executor->RunAll();
  }
  // 0: none.
  uint64_t Primary() const {
    const ObjectLocations known = *counter->GetLocations(Object(kA));
    for (const Location& at : known.locations) {
      if (at.role == CopyRole::kPrimary && !at.prospective) return NumberOf(at.node);
    }
    return 0;
  }
  CopyRole RoleAt(uint64_t node) { return agents[node]->Find(Object(kA)).at(0).copy.role; }
  ObjectState State() const { return counter->GetLocations(Object(kA))->state; }
  size_t Deleted(uint64_t node) { return stores[node].deleted.size(); }

  testing::ManualClock clock{Time(std::chrono::seconds(1))};
  LocalMembership membership;
  std::shared_ptr<testing::ManualExecutor> executor = std::make_shared<testing::ManualExecutor>();
  std::map<uint64_t, ListStore> stores;
  std::unique_ptr<ReferenceCounter> counter;
  std::map<uint64_t, std::unique_ptr<NodeAgent>> agents;
  ObjectRef ref;
  std::vector<std::string> ended;   // moves
  std::vector<uint64_t> promoted;   // nodes
  std::vector<uint64_t> reclaimed;  // nodes whose bytes are gone
  size_t lost = 0;

 private:
  void AddNode(uint64_t number, Transport* transport, const Connect& connect) {
    NodeAgentOptions options;
    options.node = Node(number);
    options.store = &stores[number];
    options.transport = transport;
    options.membership = &membership;
    options.executor = executor;
    options.clock = &clock;
    options.seed = number;
    options.on_promoted = [this, number](const ObjectId&, uint32_t) { promoted.push_back(number); };
    agents[number] = *NodeAgent::Create(options);
    connect(Node(number), agents[number]->inbox());
  }
};

class PrimaryMove : public ::testing::Test {
 protected:
  PrimaryMove()
      : world_(&transport_, [this](const Address& address, const std::shared_ptr<Inbox>& inbox) {
          transport_.local.Connect(address, inbox);
        }) {
    world_.Settle();
  }
  void CutOff(uint64_t node) { transport_.unreachable[Node(node)] = true; }
  void Reconnect(uint64_t node) {
    transport_.unreachable.erase(Node(node));
    for (int i = 0; i < 40; ++i) {
      world_.clock.Advance(std::chrono::milliseconds(100));
      world_.Settle();
    }
  }

  CountingTransport transport_;
  MoveWorld world_;
};

TEST_F(PrimaryMove, TheProducersStoreDeletesOnceTheConsumerIsRecorded) {
  world_.AddCopy(kC);
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  world_.agents[kC]->Pump(world_.clock.Now());
  EXPECT_EQ(world_.Deleted(kP), 0u);
  world_.Settle();
  EXPECT_THAT(world_.ended, ElementsAre("2 moved"));
  EXPECT_EQ(world_.Primary(), kC);
  EXPECT_EQ(world_.RoleAt(kC), CopyRole::kPrimary);
  EXPECT_EQ(world_.Deleted(kP), 1u);
  EXPECT_THAT(world_.reclaimed, ElementsAre(kP));
  EXPECT_EQ(world_.counter->GetStats().primaries_moved, 1u);
  world_.ref.Reset();
  world_.Settle();
  EXPECT_EQ(world_.Deleted(kC), 1u);
  EXPECT_EQ(world_.counter->GetStats().objects, 0u);
}

TEST_F(PrimaryMove, TheProducersReadersKeepTheBytesAndReclaimedWaitsForThem) {
  ReadLease lease = *world_.agents[kP]->Read(Object(kA));
  world_.AddCopy(kC);
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  world_.Settle();
  EXPECT_EQ(world_.Primary(), kC);
  EXPECT_EQ(world_.Deleted(kP), 0u);
  EXPECT_THAT(world_.reclaimed, IsEmpty());
  lease.Release();
  world_.Settle();
  EXPECT_EQ(world_.Deleted(kP), 1u);
  EXPECT_THAT(world_.reclaimed, ElementsAre(kP));
}

TEST_F(PrimaryMove, FanOutToThreeMakesOnePrimary) {
  for (const uint64_t node : {4, 3, 2}) {
    world_.AddCopy(node);
    ASSERT_TRUE(world_.Move(node, kP).ok());
  }
  world_.Settle();
  const uint64_t winner = world_.Primary();
  std::vector<std::string> wanted;
  for (const uint64_t node : {2, 3, 4}) {
    wanted.push_back(std::to_string(node) +
                     (node == winner ? " moved" : " secondary to " + std::to_string(winner)));
    EXPECT_EQ(world_.RoleAt(node), node == winner ? CopyRole::kPrimary : CopyRole::kSecondary);
    EXPECT_EQ(world_.Deleted(node), 0u);
  }
  EXPECT_THAT(world_.ended, ::testing::UnorderedElementsAreArray(wanted));
  EXPECT_EQ(world_.Deleted(kP), 1u);
}

TEST_F(PrimaryMove, ACopyThatMovesIsNotEvicted) {
  world_.AddCopy(kC);
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  EXPECT_EQ(world_.agents[kC]->DropCopy(Object(kA)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(world_.Move(kC, kP).code(), absl::StatusCode::kFailedPrecondition) << "one at a time";
  EXPECT_EQ(world_.agents[kC]->GetStats().moves, 1u);
  world_.Settle();
  EXPECT_EQ(world_.agents[kC]->GetStats().moves, 0u);
  EXPECT_TRUE(world_.agents[kC]->DropCopy(Object(kA)).ok());
}

TEST_F(PrimaryMove, WhatCannotBeAskedIsRefusedAtOnce) {
  EXPECT_EQ(world_.Move(kC, kP).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world_.Move(kP, kP).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(world_.agents[kC]
                  ->BeginFetch({Object(kA), 0, world_.counter->process(), CopyRole::kSecondary, 10})
                  .ok());
  EXPECT_EQ(world_.Move(kC, kP).code(), absl::StatusCode::kFailedPrecondition) << "no bytes yet";
  world_.Settle();
  EXPECT_THAT(world_.ended, IsEmpty());
}

TEST_F(PrimaryMove, AConsumerThatDiesBeforeTheOwnerHeardLeavesTheValueWithTheProducer) {
  world_.AddCopy(kC);
  world_.Settle();
  CutOff(kC);
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  world_.agents[kC].reset();  // dies with what it was about to say
  world_.membership.Exclude({Node(kC)});
  world_.Settle();
  EXPECT_EQ(world_.Primary(), kP);
  EXPECT_EQ(world_.Deleted(kP), 0u);
  EXPECT_EQ(world_.State(), ObjectState::kAvailable);
}

TEST_F(PrimaryMove, AConsumerThatDiesRecordedLeavesTheValueToBeRecovered) {
  world_.AddCopy(kC);
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  world_.Settle();
  world_.membership.Exclude({Node(kC)});
  world_.Settle({1, 3, 4});
  EXPECT_EQ(world_.State(), ObjectState::kLost);
  EXPECT_EQ(world_.lost, 1u);
}

TEST_F(PrimaryMove, AProducerThatIsCutOffLetsGoWhenItIsBack) {
  CutOff(kP);
  world_.AddCopy(kC);
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  world_.Settle();
  EXPECT_THAT(world_.ended, ElementsAre("2 moved"));
  EXPECT_EQ(world_.Deleted(kP), 0u);
  EXPECT_THAT(world_.reclaimed, IsEmpty());
  Reconnect(kP);
  EXPECT_EQ(world_.Deleted(kP), 1u);
  EXPECT_THAT(world_.reclaimed, ElementsAre(kP));
}

TEST_F(PrimaryMove, AProducerThatDiesBeforeTheMoveLeavesThePrimaryToWhoHasACopy) {
  world_.AddCopy(kC);
  world_.Settle();
  world_.membership.Exclude({Node(kP)});
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  world_.Settle({2, 3, 4});
  EXPECT_EQ(world_.Primary(), kC);
  EXPECT_THAT(world_.ended, ElementsAre("2 moved"));
  EXPECT_EQ(world_.RoleAt(kC), CopyRole::kPrimary);
}

TEST_F(PrimaryMove, WhenThePrimaryGoesWithItsNodeAnotherNodeHearsThatItHasIt) {
  world_.AddCopy(3);
  world_.AddCopy(4);
  world_.Settle();
  world_.membership.Exclude({Node(kP)});
  world_.Settle({2, 3, 4});
  const uint64_t primary = world_.Primary();
  EXPECT_THAT(world_.promoted, ElementsAre(primary));
  EXPECT_EQ(world_.RoleAt(primary), CopyRole::kPrimary);
  EXPECT_EQ(world_.RoleAt(7 - primary), CopyRole::kSecondary);
  EXPECT_EQ(world_.counter->GetStats().primaries_promoted, 1u);
}

TEST_F(PrimaryMove, AnOwnerThatDiesEndsTheMoveAtItsBarrier) {
  world_.AddCopy(kC);
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  const ProcessId owner = world_.counter->process();
  world_.ref.Reset();
  transport_.local.Disconnect(owner);
  world_.counter.reset();
  world_.membership.Exclude({owner});
  for (const uint64_t node : {1, 2, 3, 4}) world_.agents[node]->Pump(world_.clock.Now());
  world_.Settle();
  EXPECT_THAT(world_.ended, ElementsAre("2 owner died"));
  EXPECT_EQ(world_.Deleted(kP), 1u);
  EXPECT_EQ(world_.Deleted(kC), 1u);
}

TEST_F(PrimaryMove, AFreeInBetweenTakesBothCopiesAndRefusesTheMove) {
  world_.AddCopy(kC);
  world_.Settle();
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  ASSERT_TRUE(world_.counter->Free({Object(kA)}).ok());
  world_.Settle();
  EXPECT_THAT(world_.ended, ElementsAre("2 refused"));
  EXPECT_EQ(world_.Deleted(kP), 1u);
  EXPECT_EQ(world_.Deleted(kC), 1u);
}

TEST_F(PrimaryMove, AMoveOfAnOldValueLeavesTheNewOneAlone) {
  world_.AddCopy(kC);
  world_.Settle();
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  ASSERT_TRUE(world_.counter->Free({Object(kA)}).ok());
  ASSERT_TRUE(world_.counter->Recreate(Object(kA)).ok());
  world_.AddCopy(kP, CopyRole::kPrimary, 1);
  world_.AddCopy(kC, CopyRole::kSecondary, 1);
  world_.Settle();
  EXPECT_THAT(world_.ended, ElementsAre("2 refused"));
  EXPECT_EQ(world_.Primary(), kP);
  EXPECT_EQ(world_.Deleted(kP), 1u) << "of the old value";
  EXPECT_EQ(world_.State(), ObjectState::kAvailable);
}

TEST_F(PrimaryMove, ASpilledProducerDeletesItsFile) {
  ASSERT_TRUE(world_.agents[kP]->MarkSpilled(Object(kA), 0, "file:a", false).ok());
  world_.AddCopy(kC);
  world_.Settle();
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  world_.Settle();
  ASSERT_EQ(world_.Deleted(kP), 1u);
  EXPECT_EQ(world_.stores[kP].deleted[0].spilled_url, "file:a");
}

TEST_F(PrimaryMove, AnAgentThatEndsSaysSo) {
  CutOff(kC);
  world_.AddCopy(kC);
  ASSERT_TRUE(world_.Move(kC, kP).ok());
  (void)world_.agents[kC]->Shutdown(Duration::zero());
  world_.executor->RunAll();
  EXPECT_THAT(world_.ended, ElementsAre("2 abandoned"));
}

// Lost, doubled, late and overtaking envelopes: always one primary, and the producer lets go once.
TEST(PrimaryMoveOverAFaultyNetwork, FanOutMakesOnePrimary) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    testing::FaultyTransportOptions options;
    testing::ManualClock clock(Time(std::chrono::seconds(1)));
    options.clock = &clock;
    options.seed = seed;
    options.loss = 0.2;
    options.duplication = 0.2;
    options.reordering = 0.3;
    options.delay_max = std::chrono::milliseconds(5);
    testing::FaultyTransport transport(options);
    MoveWorld world(&transport, [&](const Address& address, const std::shared_ptr<Inbox>& inbox) {
      transport.Connect(address, inbox);
    });
    for (const uint64_t node : {2, 3, 4}) {
      world.AddCopy(node);
      ASSERT_TRUE(world.Move(node, kP).ok());
    }
    for (int tick = 0; tick < 3000 && (world.ended.size() < 3 || world.reclaimed.empty()); ++tick) {
      clock.Advance(std::chrono::milliseconds(5));
      world.clock.Advance(std::chrono::milliseconds(5));
      transport.DeliverDue(clock.Now());
      world.Pump();
      world.executor->RunAll();
    }
    const uint64_t winner = world.Primary();
    const auto moved = std::count_if(world.ended.begin(), world.ended.end(), [](const auto& word) {
      return word.find("moved") != std::string::npos;
    });
    EXPECT_EQ(world.ended.size(), 3u);
    EXPECT_EQ(moved, 1);
    EXPECT_THAT(world.ended, ::testing::Contains(std::to_string(winner) + " moved"));
    EXPECT_EQ(world.Deleted(kP), 1u);
    EXPECT_THAT(world.reclaimed, ElementsAre(kP));
  }
}

}  // namespace
}  // namespace freehold
