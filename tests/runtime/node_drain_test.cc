// A node is emptied before it is removed: an owner, three nodes, and a host that moves what it is
// handed, or does not.

#include "freehold/node_drain.h"

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kLeaving = 1;
constexpr uint64_t kStaying = 2;
constexpr uint64_t kThird = 3;

class NodeDrainTest : public ::testing::Test {
 protected:
  NodeDrainTest() {
    ReferenceCounterOptions options;
    options.process = ProcessId::FromNumber(1);
    options.transport = &transport_;
    options.membership = &membership_;
    options.executor = executor_;
    options.clock = &clock_;
    options.seed = 1;
    counter_ = *ReferenceCounter::Create(options);
    transport_.local.Connect(options.process, counter_->inbox());
    for (const uint64_t number : {kLeaving, kStaying, kThird}) AddNode(number);
  }

  void Put(uint64_t object, const std::vector<uint64_t>& nodes) {
    refs_[object] = *counter_->Declare(Object(object));
    for (const uint64_t node : nodes) AddCopy(object, node, node == nodes.front());
    Settle();
  }
  void AddCopy(uint64_t object, uint64_t node, bool primary, uint32_t generation = 0) {
    const absl::Status added =
        agents_[node]->AddCopy({Object(object), generation, counter_->process(),
                                primary ? CopyRole::kPrimary : CopyRole::kSecondary, 10});
    ASSERT_TRUE(added.ok()) << added;
  }
  // Node 2 fetches the bytes, if it has none, and takes the primary over.
  void MoveToStaying(const NodeCopyStatus& copy, const std::vector<Location>& others) {
    if (others.empty()) {
      NodeCopy fetched = copy.copy;
      fetched.role = CopyRole::kSecondary;
      ASSERT_TRUE(agents_[kStaying]->AddCopy(fetched).ok());
    }
    const absl::Status asked =
        agents_[kStaying]->MovePrimary(copy.copy.object, copy.copy.generation, Node(kLeaving));
    ASSERT_TRUE(asked.ok()) << asked;
  }
  void Begin(NodeDrainOptions options = {}) {
    options.evacuate = [this](const NodeCopyStatus& copy, const std::vector<Location>& others) {
      handed_.push_back(Number(copy.copy.object) + "+" + std::to_string(others.size()));
      if (evacuate_ != nullptr) evacuate_(copy, others);
    };
    options.owned_in_scope = [this] { return owned_; };
    drain_ = *NodeDrain::Create(agents_[kLeaving].get(), options);
  }
  void BeginMoving(const NodeDrainOptions& options = {}) {
    evacuate_ = [this](const NodeCopyStatus& copy, const std::vector<Location>& others) {
      MoveToStaying(copy, others);
    };
    Begin(options);
  }
  // Steps, pumping everybody, until it ends or so much time has passed.
  NodeDrainStatus Run(Duration time = seconds(2)) {
    NodeDrainStatus status;
    for (Duration passed{0}; passed < time; passed += milliseconds(10)) {
      status = drain_->Step(clock_.Now());
      if (status.state != NodeDrainState::kDraining) break;
      Settle();
      clock_.Advance(milliseconds(10));
    }
    return status;
  }
  void Settle() {
    for (int round = 0; round < 6; ++round) {
      counter_->Pump(clock_.Now());
      for (auto& [number, agent] : agents_) agent->Pump(clock_.Now());
    }
    executor_->RunAll();
  }
  std::vector<std::string> Left() const {
    std::vector<std::string> left;
    for (const NodeCopyStatus& copy : drain_->Left()) left.push_back(Number(copy.copy.object));
    return left;
  }
  static std::string Number(const ObjectId& object) {
    for (uint64_t number = 0; number < 100; ++number) {
      if (object == Object(number)) return std::to_string(number);
    }
    return "?";
  }
  bool IsAvailable(uint64_t object) {
    return counter_->GetLocations(Object(object))->state == ObjectState::kAvailable;
  }
  void RemoveLeaving() {
    drain_.reset();
    agents_.erase(kLeaving);
    transport_.local.Disconnect(Node(kLeaving));
    membership_.Exclude({Node(kLeaving)});
    Settle();
  }

  testing::ManualClock clock_{Time(seconds(1))};
  CountingTransport transport_;
  LocalMembership membership_;
  std::shared_ptr<testing::ManualExecutor> executor_ = std::make_shared<testing::ManualExecutor>();
  std::map<uint64_t, ListStore> stores_;
  std::unique_ptr<ReferenceCounter> counter_;
  std::map<uint64_t, std::unique_ptr<NodeAgent>> agents_;
  std::map<uint64_t, ObjectRef> refs_;
  std::unique_ptr<NodeDrain> drain_;
  std::function<void(const NodeCopyStatus&, const std::vector<Location>&)> evacuate_;
  std::vector<std::string> handed_;  // object+how many copies elsewhere
  uint64_t owned_ = 0;

 private:
  void AddNode(uint64_t number) {
    NodeAgentOptions options;
    options.node = Node(number);
    options.store = &stores_[number];
    options.transport = &transport_;
    options.membership = &membership_;
    options.executor = executor_;
    options.clock = &clock_;
    options.seed = number;
    agents_[number] = *NodeAgent::Create(options);
    transport_.local.Connect(Node(number), agents_[number]->inbox());
  }
};

TEST_F(NodeDrainTest, AnEmptyNodeIsDrainedAtOnce) {
  Begin();
  EXPECT_EQ(drain_->Step(clock_.Now()).state, NodeDrainState::kDrained);
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(NodeDrainTest, WhatExistsNowhereElseIsMovedAndSurvivesTheNode) {
  Put(1, {kLeaving});
  Put(2, {kLeaving});
  BeginMoving();
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
  EXPECT_THAT(handed_, ElementsAre("1+0", "2+0"));
  RemoveLeaving();
  EXPECT_TRUE(IsAvailable(1));
  EXPECT_TRUE(IsAvailable(2));
}

TEST_F(NodeDrainTest, ASecondaryOfAPrimaryElsewhereIsNotHandedOver) {
  Put(1, {kStaying, kLeaving});
  Begin();
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
  EXPECT_THAT(handed_, IsEmpty());
}

// Its node may evict it at any moment; but no bytes are to be moved.
TEST_F(NodeDrainTest, APrimaryWithASecondaryElsewhereIsHandedOverWithIt) {
  Put(1, {kLeaving, kStaying});
  BeginMoving();
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
  EXPECT_THAT(handed_, ElementsAre("1+1"));
  RemoveLeaving();
  EXPECT_TRUE(IsAvailable(1));
}

TEST_F(NodeDrainTest, AFileAtAnotherNodeMakesAValueSafe) {
  Put(1, {kLeaving, kStaying});
  ASSERT_TRUE(agents_[kStaying]->MarkSpilled(Object(1), 0, "file:1", false).ok());
  Settle();
  Begin();
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
  EXPECT_THAT(handed_, IsEmpty());
}

TEST_F(NodeDrainTest, AFileOfTheNodeItselfDoesNot) {
  Put(1, {kLeaving});
  ASSERT_TRUE(agents_[kLeaving]->MarkSpilled(Object(1), 0, "file:1", false).ok());
  Settle();
  Begin();
  EXPECT_EQ(Run().state, NodeDrainState::kDraining);
  EXPECT_THAT(handed_, ElementsAre("1+0"));
}

TEST_F(NodeDrainTest, WhatIsFreedOrDroppedIsInNobodysWay) {
  Put(1, {kLeaving});
  Put(2, {kLeaving});
  stores_[kLeaving].failure = absl::InternalError("busy");  // so that the copies stay for a while
  refs_[1].Reset();
  ASSERT_TRUE(counter_->Free({Object(2)}).ok());
  Begin();
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
  EXPECT_THAT(handed_, IsEmpty());
}

TEST_F(NodeDrainTest, AnOldGenerationIsInNobodysWay) {
  Put(1, {kLeaving});
  ASSERT_TRUE(counter_->Free({Object(1)}).ok());
  ASSERT_TRUE(counter_->Recreate(Object(1)).ok());  // before the node has heard of the free
  AddCopy(1, kStaying, true, 1);
  Begin();
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
  EXPECT_THAT(handed_, IsEmpty());
}

TEST_F(NodeDrainTest, TheDeadlineNamesWhatWouldBeLost) {
  Put(1, {kLeaving});
  Put(2, {kStaying, kLeaving});
  Put(3, {kLeaving});
  NodeDrainOptions options;
  options.deadline = clock_.Now() + seconds(1);
  Begin(options);
  const NodeDrainStatus status = Run();
  EXPECT_EQ(status.state, NodeDrainState::kDeadlinePassed);
  EXPECT_EQ(status.sole_copies, 2u);
  EXPECT_EQ(status.evacuations, 2u);
  EXPECT_THAT(Left(), ElementsAre("1", "3"));
  EXPECT_EQ(drain_->Left(1).size(), 1u);
  // It says so from now on.
  refs_.clear();
  Settle();
  EXPECT_EQ(drain_->Step(clock_.Now()).state, NodeDrainState::kDeadlinePassed);
}

TEST_F(NodeDrainTest, AnOwnerThatDoesNotAnswerIsNamedByTheDeadline) {
  Put(1, {kLeaving});
  transport_.unreachable[counter_->process()] = true;
  NodeDrainOptions options;
  options.deadline = clock_.Now() + seconds(1);
  Begin(options);
  const NodeDrainStatus status = Run();
  EXPECT_EQ(status.state, NodeDrainState::kDeadlinePassed);
  EXPECT_EQ(status.unknown_copies, 1u);
  EXPECT_THAT(Left(), ElementsAre("1"));
}

TEST_F(NodeDrainTest, AnOwnerThatDiedIsNotWaitedFor) {
  Put(1, {kLeaving});
  transport_.unreachable[counter_->process()] = true;
  stores_[kLeaving].failure = absl::InternalError("busy");
  Begin();
  EXPECT_EQ(Run(milliseconds(100)).state, NodeDrainState::kDraining);
  membership_.Exclude({counter_->process()});
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
}

TEST_F(NodeDrainTest, WhatFailsIsHandedOverAgain) {
  Put(1, {kLeaving});
  evacuate_ = [this](const NodeCopyStatus& copy, const std::vector<Location>& others) {
    if (handed_.size() < 3) throw std::runtime_error("no room anywhere");
    MoveToStaying(copy, others);
  };
  NodeDrainOptions options;
  options.evacuate_again = milliseconds(500);
  Begin(options);
  EXPECT_EQ(Run(milliseconds(400)).evacuations, 1u);
  EXPECT_EQ(handed_.size(), 1u);
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
  EXPECT_EQ(handed_.size(), 3u);
}

TEST_F(NodeDrainTest, OnlySoManyAreHandedOverAtATime) {
  for (uint64_t object = 1; object <= 5; ++object) Put(object, {kLeaving});
  NodeDrainOptions options;
  options.evacuations_max = 2;
  options.questions_max = 1;
  Begin(options);
  (void)Run(seconds(1));
  EXPECT_EQ(handed_.size(), 2u);
  refs_[1].Reset();  // one that was handed over goes
  (void)Run(seconds(1));
  EXPECT_EQ(handed_.size(), 3u);
}

TEST_F(NodeDrainTest, WhatArrivesMeanwhileIsMovedToo) {
  Put(1, {kLeaving});
  evacuate_ = [this](const NodeCopyStatus& copy, const std::vector<Location>& others) {
    MoveToStaying(copy, others);
    if (handed_.size() == 1) Put(2, {kLeaving});
  };
  Begin();
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
  EXPECT_THAT(handed_, ElementsAre("1+0", "2+0"));
}

// The last question about object 1 was answered when its primary lay on the third node.
TEST_F(NodeDrainTest, WhatWasSafeIsAskedAboutAgainBeforeTheEnd) {
  Put(1, {kThird, kLeaving});
  Put(2, {kLeaving});
  evacuate_ = [this](const NodeCopyStatus& copy, const std::vector<Location>& others) {
    if (handed_.size() == 1) {
      agents_.erase(kThird);
      transport_.local.Disconnect(Node(kThird));
      membership_.Exclude({Node(kThird)});
    }
    MoveToStaying(copy, others);
  };
  Begin();
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
  EXPECT_THAT(handed_, ElementsAre("2+0", "1+0"));
  RemoveLeaving();
  EXPECT_TRUE(IsAvailable(1));
}

TEST_F(NodeDrainTest, OwnersOnTheNodeAreWaitedFor) {
  owned_ = 2;
  Begin();
  EXPECT_EQ(Run().owned_in_scope, 2u);
  owned_ = 0;
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
}

TEST_F(NodeDrainTest, AMoveToTheNodeIsWaitedFor) {
  Put(1, {kStaying, kLeaving});
  BeginMoving();
  (void)drain_->Step(clock_.Now());
  Settle();  // the answer: the primary is elsewhere
  ASSERT_TRUE(agents_[kLeaving]->MovePrimary(Object(1), 0, Node(kStaying)).ok());
  EXPECT_EQ(drain_->Step(clock_.Now()).state, NodeDrainState::kDraining);
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
  EXPECT_THAT(handed_, ElementsAre("1+0"));
  RemoveLeaving();
  EXPECT_TRUE(IsAvailable(1));
}

TEST_F(NodeDrainTest, WhatArrivesBeforeTheLastAnswerIsNotOverlooked) {
  Put(1, {kStaying, kLeaving});
  BeginMoving();
  (void)drain_->Step(clock_.Now());
  Put(2, {kLeaving});
  EXPECT_EQ(drain_->Step(clock_.Now()).state, NodeDrainState::kDraining);
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
  EXPECT_THAT(handed_, ElementsAre("2+0"));
}

TEST_F(NodeDrainTest, AnExecutorThatDropsAnswersCostsTimeOnly) {
  Put(1, {kLeaving});
  BeginMoving();
  executor_->SetRefusing(true);
  EXPECT_EQ(Run(seconds(1)).unknown_copies, 1u);
  executor_->SetRefusing(false);
  EXPECT_EQ(Run().state, NodeDrainState::kDrained);
}

TEST_F(NodeDrainTest, AnAgentThatWasShutDownOrExcludedStopsIt) {
  Put(1, {kLeaving});
  Begin();
  agents_[kLeaving]->Shutdown(Duration::zero());
  NodeDrainStatus status = Run();
  EXPECT_EQ(status.state, NodeDrainState::kStopped);
  EXPECT_EQ(status.why.code(), absl::StatusCode::kFailedPrecondition);

  drain_.reset();
  Put(2, {kStaying});
  drain_ = *NodeDrain::Create(agents_[kStaying].get(), {});
  (void)drain_->Step(clock_.Now());
  membership_.Exclude({Node(kStaying)});
  status = Run();
  EXPECT_EQ(status.state, NodeDrainState::kStopped);
}

TEST_F(NodeDrainTest, OptionsOutOfRangeAreNamed) {
  const auto why = [this](const NodeDrainOptions& options) {
    return std::string(NodeDrain::Create(agents_[kLeaving].get(), options).status().message());
  };
  NodeDrainOptions options;
  options.evacuations_max = 0;
  EXPECT_THAT(why(options), ::testing::HasSubstr("evacuations_max"));
  options = {};
  options.questions_max = 0;
  EXPECT_THAT(why(options), ::testing::HasSubstr("questions_max"));
  options = {};
  options.evacuate_again = Duration::zero();
  EXPECT_THAT(why(options), ::testing::HasSubstr("evacuate_again"));
  options = {};
  options.ask_again = Duration(-1);
  EXPECT_THAT(why(options), ::testing::HasSubstr("ask_again"));
  EXPECT_FALSE(NodeDrain::Create(nullptr, {}).ok());
}

TEST_F(NodeDrainTest, ADrainThatIsGivenUpWithdrawsItsQuestions) {
  Put(1, {kLeaving});
  transport_.unreachable[counter_->process()] = true;
  Begin();
  (void)drain_->Step(clock_.Now());
  EXPECT_EQ(agents_[kLeaving]->GetStats().location_queries, 1u);
  drain_.reset();
  EXPECT_EQ(agents_[kLeaving]->GetStats().location_queries, 0u);
}

}  // namespace
}  // namespace freehold
