// Files that any node can read and delete (FileReach::kShared): an owner and agents, whose nodes
// go.

#include <string>
#include <utility>
#include <vector>

#include "freehold/node_drain.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kUrl[] = "s3://bucket/1";

class SharedFiles : public ::testing::Test {
 protected:
  // An object whose value is in a shared file that node 1 wrote, and an owner that knows the
  // others.
  void SetUp() override {
    (void)world_.Put(9, {2, 3});
    world_.Settle();
    ref_ = world_.Put(1, {1}, 10);
    ASSERT_TRUE(world_.agents[1]->MarkSpilled(Object(1), 0, kUrl, false, FileReach::kShared).ok());
    world_.Settle();
  }
  // The node's agent is gone as well, unless it is `suspected`.
  void Exclude(uint64_t node, bool suspected = false) {
    const Address id = Node(node);
    world_.membership.Exclude({&id, 1});
    if (!suspected) world_.agents.erase(node);
    world_.Settle();
  }
  // Where the value of object 1 is, as "node url", with 0 for no node.
  std::vector<std::string> Where() const {
    std::vector<std::string> words;
    const ObjectLocations known = *world_.counter->GetLocations(Object(1));
    for (const Location& at : known.locations) {
      words.push_back((at.node.IsNil() ? "0 " : "1 ") + at.spilled_url +
                      (at.shared ? " shared" : ""));
    }
    return words;
  }
  // URLs of files that the node's store was told to delete.
  std::vector<std::string> Deleted(uint64_t node) {
    std::vector<std::string> urls;
    for (const CopyToDelete& copy : world_.stores[node].deleted) {
      if (!copy.in_memory) urls.push_back(copy.spilled_url);
    }
    return urls;
  }
  void WatchReclaimed() {
    const auto watched = world_.counter->OnReclaimed(
        Object(1), [this](const ObjectId&, EndReason) { reclaimed_ = true; });
    ASSERT_TRUE(watched.ok());
  }
  uint64_t Carried(uint64_t node) { return world_.agents[node]->GetStats().files_carried; }
  uint64_t CarriedByAll() {
    uint64_t sum = 0;
    for (const auto& [number, agent] : world_.agents) sum += Carried(number);
    return sum;
  }

  CounterWorld world_;
  ObjectRef ref_;
  bool reclaimed_ = false;
};

TEST_F(SharedFiles, OutliveTheirNodeAndAreDeletedThroughAnother) {
  EXPECT_THAT(Where(), ElementsAre("1 s3://bucket/1 shared"));
  Exclude(1);
  EXPECT_THAT(Where(), ElementsAre("0 s3://bucket/1 shared"));
  EXPECT_EQ(world_.counter->GetStats().objects_lost, 0u);
  EXPECT_EQ(world_.counter->GetStats().unbound_files, 1u);
  EXPECT_EQ(CarriedByAll(), 1u);
  EXPECT_THAT(Deleted(2), IsEmpty());
  EXPECT_THAT(Deleted(3), IsEmpty());
  WatchReclaimed();
  ref_.Reset();
  world_.Settle();
  world_.RunCallbacks();
  EXPECT_TRUE(reclaimed_);
  EXPECT_EQ(Deleted(2).size() + Deleted(3).size(), 1u) << "through one agent";
  EXPECT_EQ(world_.objects(), 0u);
  EXPECT_EQ(CarriedByAll(), 0u);
  EXPECT_EQ(world_.counter->GetStats().unbound_files, 0u);
}

TEST_F(SharedFiles, AreReclaimedOnlyWhenTheyAreDeleted) {
  Exclude(1);
  for (const uint64_t node : {2, 3}) {
    world_.stores[node].failure = absl::UnavailableError("no network");
  }
  WatchReclaimed();
  ref_.Reset();
  world_.Settle();
  world_.RunCallbacks();
  EXPECT_FALSE(reclaimed_);
  EXPECT_EQ(world_.objects(), 1u);
  for (const uint64_t node : {2, 3}) world_.stores[node].failure = absl::OkStatus();
  world_.SettleFor(std::chrono::seconds(1));
  world_.RunCallbacks();
  EXPECT_TRUE(reclaimed_);
  EXPECT_EQ(world_.objects(), 0u);
}

TEST_F(SharedFiles, PassFromOneCarrierToTheNext) {
  Exclude(1);
  const uint64_t carrier = Carried(2) == 1 ? 2 : 3;
  const uint64_t other = 5 - carrier;
  Exclude(carrier);
  EXPECT_EQ(Carried(other), 1u);
  ref_.Reset();
  world_.Settle();
  EXPECT_THAT(Deleted(other), ElementsAre(kUrl));
  EXPECT_EQ(world_.objects(), 0u);
}

TEST_F(SharedFiles, ACarrierThatDiesWhileItDeletesIsReplaced) {
  Exclude(1);
  const uint64_t carrier = Carried(2) == 1 ? 2 : 3;
  world_.transport.unreachable[world_.counter->process()] = true;  // its answer is lost
  ref_.Reset();
  world_.Settle();
  EXPECT_THAT(Deleted(carrier), ElementsAre(kUrl));
  world_.transport.unreachable.clear();
  Exclude(carrier);
  EXPECT_THAT(Deleted(5 - carrier), ElementsAre(kUrl)) << "a repeated deletion succeeds";
  EXPECT_EQ(world_.objects(), 0u);
}

TEST_F(SharedFiles, AreDeletedByTheirCarrierWhenTheirOwnerDies) {
  Exclude(1);
  EXPECT_EQ(CarriedByAll(), 1u);
  const Address owner = world_.counter->process();
  world_.membership.Exclude({&owner, 1});
  world_.Settle();
  EXPECT_EQ(Deleted(2).size() + Deleted(3).size(), 1u);
  EXPECT_EQ(CarriedByAll(), 0u);
}

TEST_F(SharedFiles, WaitForAnAgentWhileNoneIsKnown) {
  Exclude(2);
  Exclude(3);
  Exclude(1);
  EXPECT_THAT(Where(), ElementsAre("0 s3://bucket/1 shared"));
  EXPECT_EQ(world_.counter->GetStats().files_without_agent, 1u);
  ref_.Reset();
  world_.Settle();
  EXPECT_EQ(world_.objects(), 1u);
  world_.AddNode(4);
  ObjectRef other = world_.Put(2, {4});
  EXPECT_THAT(Deleted(4), ElementsAre(kUrl));
  EXPECT_EQ(world_.objects(), 1u) << "the other one";
}

TEST_F(SharedFiles, OfANodeThatLivesAreFreedByIt) {
  ref_.Reset();
  world_.Settle();
  EXPECT_THAT(Deleted(1), ElementsAre(kUrl));
  EXPECT_EQ(world_.counter->GetStats().unbound_files, 0u);
  EXPECT_EQ(world_.objects(), 0u);
}

TEST_F(SharedFiles, ANodeThatIsSuspectedHasNoSayAnyMore) {
  Exclude(1, /*suspected=*/true);
  ref_.Reset();
  world_.Settle();
  EXPECT_THAT(Deleted(1), IsEmpty());
  EXPECT_EQ(Deleted(2).size() + Deleted(3).size(), 1u);
  EXPECT_EQ(world_.objects(), 0u);
}

TEST_F(SharedFiles, AnOwnCopyOfTheCarrierIsNotMeant) {
  world_.AddCopy(1, 2);
  world_.AddCopy(1, 3);
  world_.Settle();
  Exclude(1);
  ref_.Reset();
  world_.Settle();
  for (const uint64_t node : {2, 3}) {
    uint64_t in_memory = 0;
    for (const CopyToDelete& copy : world_.stores[node].deleted) {
      if (copy.in_memory && copy.object == Object(1)) {
        ++in_memory;
        EXPECT_THAT(copy.spilled_url, IsEmpty());
      }
    }
    EXPECT_EQ(in_memory, 1u) << node;
  }
  EXPECT_EQ(Deleted(2).size() + Deleted(3).size(), 1u);
  EXPECT_EQ(world_.objects(), 0u);
}

TEST_F(SharedFiles, AValueThatIsMadeAgainHasItsOwn) {
  ASSERT_TRUE(world_.counter->Free({Object(1)}).ok());
  ASSERT_TRUE(world_.counter->Recreate(Object(1)).ok());
  Exclude(1);
  EXPECT_EQ(Deleted(2).size() + Deleted(3).size(), 1u) << "that of the old value";
  EXPECT_THAT(Where(), IsEmpty());
  world_.AddCopy(1, 2, true, 1);
  world_.Settle();
  EXPECT_EQ(world_.counter->GetLocations(Object(1))->state, ObjectState::kAvailable);
}

TEST_F(SharedFiles, TheHostNamesOneWithoutANode) {
  ObjectRef ref = *world_.counter->Declare(Object(2));
  Location file;
  file.spilled = file.shared = true;
  file.spilled_url = "s3://bucket/2";
  ASSERT_TRUE(world_.counter->AddLocation(Object(2), file, 0, 20).ok());
  world_.Settle();
  const ObjectLocations known = *world_.counter->GetLocations(Object(2));
  EXPECT_EQ(known.state, ObjectState::kAvailable);
  EXPECT_EQ(known.size, 20u);
  EXPECT_THAT(known.locations, ElementsAre(file));
  EXPECT_EQ(CarriedByAll(), 1u);
  ref.Reset();
  world_.Settle();
  EXPECT_EQ(Deleted(1).size() + Deleted(2).size() + Deleted(3).size(), 1u);
  const absl::Status late = world_.counter->AddLocation(Object(2), file);
  EXPECT_TRUE(absl::IsNotFound(late)) << "it is the host's to delete: " << late;
}

TEST_F(SharedFiles, BadOnesAreNamed) {
  ObjectRef ref = *world_.counter->Declare(Object(2));
  const auto error_of = [&](const Location& location) {
    return world_.counter->AddLocation(Object(2), location);
  };
  Location file;
  file.shared = true;
  EXPECT_TRUE(absl::IsInvalidArgument(error_of(file))) << "no file";
  file.spilled = true;
  EXPECT_TRUE(absl::IsInvalidArgument(error_of(file))) << "no url";
  file.spilled_url = "a";
  file.in_memory = true;
  EXPECT_TRUE(absl::IsInvalidArgument(error_of(file))) << "in whose memory?";
  file.in_memory = file.shared = false;
  EXPECT_TRUE(absl::IsInvalidArgument(error_of(file))) << "whose file?";
  EXPECT_TRUE(absl::IsInvalidArgument(world_.counter->RemoveLocation(Object(1), NodeId())));
  const absl::Status reach = world_.agents[1]->MarkSpilled(Object(1), 0, kUrl, false);
  EXPECT_TRUE(absl::IsAlreadyExists(reach)) << reach;
}

TEST_F(SharedFiles, AreKnownToWhoAsksFromElsewhere) {
  Exclude(1);
  std::vector<Location> heard;
  LocationQuery query;
  query.object = Object(1);
  query.owner = world_.counter->process();
  NodeAgentOptions options;
  options.node = Node(9);
  options.transport = &world_.transport;
  options.membership = &world_.membership;
  options.clock = &world_.clock;
  options.executor = world_.executor;
  auto agent = *NodeAgent::Create(options);
  world_.transport.local.Connect(Node(9), agent->inbox());
  ASSERT_TRUE(agent
                  ->QueryLocations(query,
                                   [&](const ObjectId&, const LocationUpdate& update) {
                                     heard = update.snapshot.locations;
                                   })
                  .ok());
  for (int i = 0; i < 4; ++i) {
    agent->Pump(world_.clock.Now());
    world_.Settle();
  }
  world_.RunCallbacks();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_TRUE(heard[0].node.IsNil() && heard[0].spilled && heard[0].shared);
  EXPECT_EQ(heard[0].spilled_url, kUrl);
}

TEST_F(SharedFiles, AShutdownOfTheCarrierNamesWhatItCouldNotDelete) {
  Exclude(1);
  const uint64_t carrier = Carried(2) == 1 ? 2 : 3;
  world_.stores[carrier].failure = absl::UnavailableError("no network");
  ref_.Reset();
  world_.Settle();
  const NodeAgent::ShutdownReport report =
      world_.agents[carrier]->Shutdown(std::chrono::milliseconds(10));
  ASSERT_EQ(report.undeleted.size(), 1u);
  EXPECT_EQ(report.undeleted[0].object, Object(1));
  EXPECT_EQ(report.undeleted[0].outcome, FreeOutcome::kStoreFailed);
  EXPECT_THAT(report.undeleted[0].why, HasSubstr(kUrl));
  EXPECT_THAT(report.undeleted[0].why, HasSubstr("no network"));
}

TEST_F(SharedFiles, ANodeThatWroteOneMayGo) {
  auto executor = world_.executor;
  NodeAgentOptions leaving;
  leaving.node = Node(8);
  leaving.transport = &world_.transport;
  leaving.membership = &world_.membership;
  leaving.clock = &world_.clock;
  leaving.executor = executor;
  auto agent = *NodeAgent::Create(leaving);
  world_.transport.local.Connect(Node(8), agent->inbox());
  ObjectRef ref = *world_.counter->Declare(Object(2), With(8));
  ASSERT_TRUE(
      agent->AddCopy({Object(2), 0, world_.counter->process(), CopyRole::kPrimary, 1}).ok());
  ASSERT_TRUE(agent->MarkSpilled(Object(2), 0, "s3://bucket/2", false, FileReach::kShared).ok());
  const auto drain = *NodeDrain::Create(agent.get(), NodeDrainOptions());
  NodeDrainState state = NodeDrainState::kDraining;
  for (int i = 0; i < 40 && state == NodeDrainState::kDraining; ++i) {
    agent->Pump(world_.clock.Now());
    world_.Settle();
    executor->RunAll();
    state = drain->Step(world_.clock.Now()).state;
    world_.clock.Advance(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(state, NodeDrainState::kDrained);
}

TEST_F(SharedFiles, AShutdownOfTheOwnerWaitsForThem) {
  Exclude(1);
  ref_.Reset();
  const ShutdownReport report =
      world_.counter->Shutdown(ShutdownMode::kGraceful, std::chrono::milliseconds(10));
  ASSERT_EQ(report.undelivered.size(), 1u) << "nobody pumped the agents";
  EXPECT_TRUE(report.undelivered[0].node.IsNil());
}

}  // namespace
}  // namespace freehold
