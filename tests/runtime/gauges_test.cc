// Gauges: what a peer or a user can grow, and no limit keeps small, is seen in figures.

#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/runtime/endpoint_fixture.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {
namespace {

// --- An end
// ---------------------------------------------------------------------------------------

class EndpointGauges : public runtime::EndpointTest {
 protected:
  SessionStats Stats() const { return node_.endpoint->GetStats(); }
};

TEST_F(EndpointGauges, MembershipEventsThatWaitForThePump) {
  StartBoth();
  EXPECT_EQ(Stats().membership_events, 0u);
  node_.membership.View_(1, {runtime::kStranger});
  node_.membership.Barrier_(1);
  node_.membership.View_(2, {});
  EXPECT_EQ(Stats().membership_events, 3u);
  node_.Pump();
  EXPECT_EQ(Stats().membership_events, 0u);
  node_.membership.View_(3, {});
  node_.endpoint->Stop(/*leave_membership=*/false);
  EXPECT_EQ(Stats().membership_events, 0u) << "nobody will take it any more";
}

TEST_F(EndpointGauges, ViewsWhoseBarrierHasNotCome) {
  StartBoth();
  for (uint64_t version = 1; version <= 3; ++version) node_.membership.View_(version, {});
  node_.Pump();
  EXPECT_EQ(Stats().views_open, 3u);
  node_.membership.Barrier_(2);
  node_.Pump();
  EXPECT_EQ(Stats().views_open, 1u);
  node_.membership.Barrier_(3);
  node_.Pump();
  EXPECT_EQ(Stats().views_open, 0u);
}

TEST_F(EndpointGauges, ViewsWhoseGraceHasNotEnded) {
  node_.config.orphan_grace = std::chrono::seconds(10);
  StartBoth();
  node_.membership.View_(1, {});
  node_.Pump();
  EXPECT_EQ(Stats().views_open, 1u);
  clock_.Advance(std::chrono::seconds(10));
  node_.Pump();
  EXPECT_EQ(Stats().views_open, 0u);
}

TEST_F(EndpointGauges, AddressesThatWereEverSeen) {
  StartBoth();
  const uint64_t before = Stats().addresses;
  for (uint64_t number = 100; number < 110; ++number) {
    node_.endpoint->Intern(NodeId::FromNumber(number));
    node_.membership.View_(number, {NodeId::FromNumber(number), NodeId::FromNumber(2 * number)});
  }
  node_.Pump();
  EXPECT_EQ(Stats().addresses, before + 20);
}

// --- A counter
// ------------------------------------------------------------------------------------

TEST(CounterGauges, CopiesThatNodesHaveReported) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1, 2, 3});
  const ObjectRef other = world.Put(2, {1});
  EXPECT_EQ(world.counter->GetStats().copies, 4u);
  world.transport.unreachable[Node(3)] = true;
  ref.Reset();
  world.Settle();
  EXPECT_EQ(world.counter->GetStats().copies, 2u) << "one on a node that does not answer";
}

TEST(CounterGauges, ContainedObjectsAndWhatContainsThem) {
  CounterWorld world;
  std::vector<ObjectRef> inner;
  for (uint64_t number = 1; number <= 3; ++number) inner.push_back(world.Put(number, {1}));
  ObjectRef outer = world.Put(10, {1});
  ObjectRef other = world.Put(11, {1});
  ASSERT_TRUE(world.counter->AddNested(Object(10), {Object(1), Object(2), Object(2)}).ok());
  ASSERT_TRUE(world.counter->AddNested(Object(11), {Object(2), Object(3)}).ok());
  EXPECT_EQ(world.counter->GetStats().nested, 4u);
  outer.Reset();
  world.Settle();
  EXPECT_EQ(world.counter->GetStats().nested, 2u);
  other.Reset();
  world.Settle();
  EXPECT_EQ(world.counter->GetStats().nested, 0u);
}

TEST(CounterGauges, QuestionsAndCancellationsThatHaveNotLeft) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  LocationQuery query;
  query.object = Object(7);
  query.owner = Process(1);
  query.subscribe = true;
  for (int i = 0; i < 5; ++i) {
    const auto number = world[2].QueryLocations(query, [](const ObjectId&, const auto&) {});
    ASSERT_TRUE(number.ok());
    EXPECT_TRUE(world[2].CancelQuery(*number));
  }
  EXPECT_EQ(world[2].GetStats().location_queries, 0u);
  EXPECT_EQ(world[2].GetStats().queries_to_send, 5u)
      << "cancelled, and forgotten when their turn comes";
  world.Settle();
  EXPECT_EQ(world[2].GetStats().queries_to_send, 0u);
}

TEST(CounterGauges, TokensWhoseLifeHasNotEnded) {
  ReferenceCounterOptions options;
  options.token_life = std::chrono::seconds(10);
  SharingWorld world(2, options);
  ObjectRef own = world.Declare(1, 7);
  for (int i = 0; i < 5; ++i) (void)world.Export(1, 7, 2);
  EXPECT_EQ(world[1].GetStats().token_lives, 5u);
  world.SettleFor(std::chrono::seconds(11));
  EXPECT_EQ(world[1].GetStats().token_lives, 0u);
}

// Does something at its first job, before it takes it.
class HookedExecutor final : public CallbackExecutor {
 public:
  bool Post(CallbackJob job) override {
    if (const auto hook = std::exchange(on_first, nullptr)) hook();
    return job.Run();
  }
  std::function<void()> on_first;
};

TEST(CounterGauges, CallbacksThatTheExecutorHasNotBeenGivenYet) {
  ReferenceCounterOptions options;
  const auto executor = std::make_shared<HookedExecutor>();
  options.executor = executor;
  options.shards = 1;
  CounterWorld world(1, options);
  std::vector<ObjectRef> refs;
  int called = 0;
  for (uint64_t number = 1; number <= 4; ++number) {
    refs.push_back(world.Put(number, {1}));
    ASSERT_TRUE(
        world.counter->OnOutOfScope(Object(number), [&](const ObjectId&, EndReason) { ++called; })
            .ok());
  }
  uint64_t seen = 0;
  executor->on_first = [&] {
    refs.resize(1);  // while the first one's callback is being posted, three more fire
    seen = world.counter->GetStats().callbacks_to_post;
  };
  refs[0].Reset();
  EXPECT_EQ(seen, 3u);
  EXPECT_EQ(called, 4);
  EXPECT_EQ(world.counter->GetStats().callbacks_to_post, 0u);
}

// --- A node agent
// ---------------------------------------------------------------------------------

TEST(NodeAgentGauges, QuestionsAndCancellationsThatHaveNotLeft) {
  LocalTransport transport;
  testing::ManualClock clock{Time(std::chrono::seconds(1))};
  NodeAgentOptions options;
  options.node = Node(1);
  options.transport = &transport;
  options.executor = std::make_shared<testing::ManualExecutor>();
  options.clock = &clock;
  const auto agent = *NodeAgent::Create(options);
  LocationQuery query;
  query.object = Object(7);
  query.owner = ProcessId::FromNumber(9);
  const auto number = agent->QueryLocations(query, [](const ObjectId&, const auto&) {});
  ASSERT_TRUE(number.ok());
  EXPECT_EQ(agent->GetStats().queries_to_send, 1u);
  EXPECT_TRUE(agent->CancelQuery(*number));
  EXPECT_EQ(agent->GetStats().queries_to_send, 1u);
  agent->Pump(clock.Now());
  EXPECT_EQ(agent->GetStats().queries_to_send, 0u);
}

// --- What the library brings along
// ----------------------------------------------------------------

class DeafListener final : public MembershipListener {
 public:
  void OnView(const View& view) override {
    if (on_view) on_view(view);
  }
  void OnBarrier(uint64_t) override {}
  std::function<void(const View&)> on_view;
};

TEST(LocalMembershipGauges, ExcludedIdsAndWhatIsNotDeliveredYet) {
  LocalMembership membership;
  const auto listener = std::make_shared<DeafListener>();
  ASSERT_TRUE(membership.Join(Node(1), listener).ok());
  uint64_t waiting = 0;
  listener->on_view = [&](const View& view) {
    if (view.version != 1) return;
    membership.Exclude({Node(4)});  // delivered after this one
    waiting = membership.GetStatus().events_waiting;
  };
  membership.Exclude({Node(2), Node(3)});
  EXPECT_EQ(waiting, 1u);
  EXPECT_EQ(membership.GetStatus().events_waiting, 0u);
  EXPECT_EQ(membership.GetStatus().excluded, 3u);
  membership.Leave(Node(1));
  EXPECT_EQ(membership.GetStatus().excluded, 4u);
}

class DeafInbox final : public Inbox {
 public:
  void Deliver(Envelope) override {}
};

TEST(LocalTransportGauges, AddressesThatAreConnected) {
  LocalTransport transport;
  const auto inbox = std::make_shared<DeafInbox>();
  for (uint64_t number = 1; number <= 3; ++number) transport.Connect(Node(number), inbox);
  transport.Connect(Node(3), inbox);
  EXPECT_EQ(transport.connected(), 3u);
  transport.Disconnect(Node(1));
  EXPECT_EQ(transport.connected(), 2u);
}

}  // namespace
}  // namespace freehold
