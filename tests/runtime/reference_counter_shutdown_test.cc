// ReferenceCounter: the end of it, at any moment.

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "freehold/testing/faulty_transport.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"
#include "tests/runtime/restless_clock.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Pumps the agents whenever something is sent to one: a network for a host with one thread.
class SelfPumpingTransport final : public Transport {
 public:
  void Send(Envelope envelope) override {
    const Address to = envelope.to;
    world->transport.Send(std::move(envelope));
    if (!to.is_node_agent()) return;
    for (auto& [number, agent] : world->agents) {
      if (Address(Node(number)) == to) agent->Pump(world->clock.Now());
    }
  }
  CounterWorld* world = nullptr;
};

TEST(Shutdown, EveryCallAfterItAnswersFailedPrecondition) {
  CounterWorld world(1);
  ObjectRef ref = world.Put(1, {1});
  auto& counter = *world.counter;
  (void)counter.Shutdown(ShutdownMode::kImmediate, Duration::zero());
  const auto code = absl::StatusCode::kFailedPrecondition;
  EXPECT_EQ(counter.Declare(Object(2)).status().code(), code);
  EXPECT_EQ(counter.GetRef(Object(1)).status().code(), code);
  EXPECT_EQ(counter.AddLocalReference(Object(1)).code(), code);
  EXPECT_EQ(counter.RemoveLocalReference(Object(1)).code(), code);
  EXPECT_EQ(counter.SubmitTask({Object(1)}).status().code(), code);
  EXPECT_EQ(counter.AddNested(Object(1), {Object(2)}).code(), code);
  EXPECT_EQ(counter.AddLocation(Object(1), InMemory(1)).code(), code);
  EXPECT_EQ(counter.RemoveLocation(Object(1), Node(1)).code(), code);
  EXPECT_EQ(counter.GetLocations(Object(1)).status().code(), code);
  EXPECT_EQ(counter.Recreate(Object(1)).code(), code);
  EXPECT_EQ(counter.Free({Object(1)}).failures.at(0).status.code(), code);
  EXPECT_EQ(counter.OnErased(Object(1), [](const ObjectId&, EndReason) {}).status().code(), code);
  EXPECT_EQ(counter.GetCounts(Object(1)).status().code(), code);
  EXPECT_EQ(counter.IsFreed(Object(1)).status().code(), code);
  EXPECT_EQ(counter.OwnerOf(Object(1)).status().code(), code);
  EXPECT_EQ(counter.SubscribeLocations(Object(1), [](const ObjectId&, const LocationUpdate&) {})
                .status()
                .code(),
            code);
  EXPECT_EQ(counter.AddLocalReferences({Object(1)}).failures.at(0).status.code(), code);
  EXPECT_EQ(counter.RegisterAll(Moment::kErased, {Object(1)}, [](const ObjectId&, EndReason) {})
                .at(0)
                .status()
                .code(),
            code);
  EXPECT_EQ(counter.CountObjects().total(), 0u);
  EXPECT_TRUE(counter.IdsInScope().empty());
  EXPECT_TRUE(counter.BytesPerNode({Object(1)}).empty());
  EXPECT_NE(counter.DebugString(Object(1)).find("shut down"), std::string::npos);
  EXPECT_FALSE(counter.InScope(Object(1)));
  counter.Pump(world.clock.Now());
  EXPECT_TRUE(counter.Shutdown(ShutdownMode::kGraceful, std::chrono::seconds(1)).clean());
}

// Each with what a running counter would take, or refuse for another reason.
TEST(Shutdown, EveryCallOnWhatWasBegunBeforeItSaysSo) {
  CounterWorld world(1);
  ObjectRef ref = world.Put(1, {1});
  auto& counter = *world.counter;
  const ProcessId other = ProcessId::FromNumber(9);
  LocationQuery query;
  query.object = Object(7);
  query.owner = other;
  const auto ignore = [](const ObjectId&, EndReason) {};
  const auto ignore_update = [](const ObjectId&, const LocationUpdate&) {};
  const ExportedReference exported = *counter.Export(Object(1), other);
  const CallbackRegistration registration = *counter.OnErased(Object(1), ignore);
  const uint64_t asked = *counter.QueryLocations(query, ignore_update);
  ASSERT_TRUE(counter.AddLocalReference(Object(1), 2).ok());
  (void)counter.Shutdown(ShutdownMode::kImmediate, Duration::zero());

  const auto expect_shut = [](const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_EQ(ReasonOf(status), ErrorReason::kShutDown) << status;
  };
  expect_shut(counter.Export(Object(1), other).status());
  expect_shut(counter.Import(exported.token).status());
  expect_shut(counter.Import("not a token").status());
  expect_shut(counter.ImportNested(Object(1), Object(2), other).status());
  expect_shut(counter.CancelHandoff(exported.handoff));
  expect_shut(counter.CheckReference(Object(1)));
  expect_shut(counter.QueryLocations(query, ignore_update).status());
  expect_shut(counter.RemoveLocalReferences({Object(1)}).failures.at(0).status);
  expect_shut(counter.OnOutOfScope(Object(1), ignore).status());
  expect_shut(counter.OnReclaimed(Object(1), ignore).status());
  expect_shut(counter.OnFailed(Object(1), ignore).status());
  expect_shut(counter.Declare(Object(2)).status());
  EXPECT_FALSE(counter.CancelQuery(asked));
  EXPECT_FALSE(counter.Cancel(registration));
  EXPECT_FALSE(counter.GetWeakRef(ref).Lock());
  EXPECT_FALSE(counter.GetWeakRef(ref).InScope());
  EXPECT_FALSE(counter.BackPressured());
  for (int state = 0; state < kObjectStates; ++state) {
    EXPECT_THAT(counter.Ids(static_cast<ObjectState>(state)), IsEmpty());
  }
  EXPECT_EQ(counter.NextDeadline(), kInfiniteFuture);
  EXPECT_EQ(world.RunCallbacks(), 0u);
}

TEST(Shutdown, GracefulFlushesEveryPendingFree) {
  SelfPumpingTransport network;
  CounterWorld world(3);
  network.world = &world;
  ReferenceCounterOptions options;
  options.process = ProcessId::FromNumber(2);
  options.transport = &network;
  options.membership = &world.membership;
  auto counter = *ReferenceCounter::Create(options);
  world.transport.local.Connect(counter->process(), counter->inbox());
  std::vector<ObjectRef> refs;
  for (uint64_t i = 1; i <= 30'000; ++i) {
    refs.push_back(*counter->Declare(Object(i), With(i % 3 + 1)));
  }
  refs.clear();
  const ShutdownReport report =
      counter->Shutdown(ShutdownMode::kGraceful, std::chrono::seconds(60));
  EXPECT_TRUE(report.clean()) << report.undelivered.size() << " undelivered";
  uint64_t frees = 0;
  for (auto& [number, agent] : world.agents) frees += agent->GetStats().frees_received;
  EXPECT_EQ(frees, 30'000u) << "not the first batch per node alone";
}

TEST(Shutdown, ReturnsWhatCouldNotBeDelivered) {
  CounterWorld world(2);
  world.transport.unreachable[Node(1)] = true;
  ObjectRef left = world.Put(1, {2});
  ObjectRef ref = *world.counter->Declare(Object(2), With(1));
  bool called = false;
  ASSERT_TRUE(
      *world.counter->OnErased(Object(1), [&](const ObjectId&, EndReason) { called = true; }));
  ref.Reset();
  const ShutdownReport report =
      world.counter->Shutdown(ShutdownMode::kGraceful, std::chrono::milliseconds(50));
  ASSERT_EQ(report.undelivered.size(), 1u);
  EXPECT_EQ(report.undelivered[0].object, Object(2));
  EXPECT_EQ(report.undelivered[0].node, Node(1));
  EXPECT_EQ(report.undelivered[0].outcome, FreeOutcome::kShutDown);
  EXPECT_EQ(report.callbacks_dropped, 1u);
  EXPECT_EQ(report.objects_in_scope, 1u);
  EXPECT_FALSE(called);
}

// The clock moves here: it must not be standstill that ends it.
TEST(Shutdown, GracefulTriesUntilItsTimeHasPassedAndNoLonger) {
  CounterWorld world(1);
  world.transport.unreachable[Node(1)] = true;
  const RestlessClock clock;
  ReferenceCounterOptions options;
  options.process = ProcessId::FromNumber(2);
  options.transport = &world.transport;
  options.clock = &clock;
  auto counter = *ReferenceCounter::Create(options);
  (void)*counter->Declare(Object(1), With(1));
  const Time begin = clock.still().Now();
  const ShutdownReport report = counter->Shutdown(ShutdownMode::kGraceful, std::chrono::seconds(1));
  const Duration took = clock.still().Now() - begin;
  EXPECT_GE(took, std::chrono::seconds(1));
  EXPECT_LE(took, std::chrono::milliseconds(1100));
  EXPECT_GE(world.transport.sent[Node(1)], 3) << "it was sent again meanwhile";
  ASSERT_EQ(report.undelivered.size(), 1u);
  EXPECT_EQ(report.undelivered[0].object, Object(1));
  EXPECT_EQ(report.unacknowledged_envelopes, 1u);
}

// Everybody else lives on while the owner waits: they move whenever it looks at its clock.
TEST(Shutdown, GracefulDeliversEveryFreeOverANetworkThatLoses) {
  constexpr uint64_t kObjects = 3000;
  uint64_t lost = 0;
  uint64_t retransmitted = 0;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    RestlessClock clock;
    LocalMembership membership;
    testing::FaultyTransportOptions faults;
    faults.clock = &clock.still();
    faults.seed = seed;
    faults.loss = 0.3;
    faults.duplication = faults.reordering = 0.1;
    faults.delay_max = std::chrono::milliseconds(10);
    testing::FaultyTransport network(faults);
    std::map<uint64_t, std::unique_ptr<NodeAgent>> agents;
    for (const uint64_t number : {1, 2}) {
      NodeAgentOptions options;
      options.node = Node(number);
      options.transport = &network;
      options.membership = &membership;
      options.clock = &clock.still();
      options.seed = seed;
      agents[number] = *NodeAgent::Create(options);
      network.Connect(Node(number), agents[number]->inbox());
    }
    ReferenceCounterOptions options;
    options.process = ProcessId::FromNumber(1);
    options.transport = &network;
    options.membership = &membership;
    options.clock = &clock;
    options.seed = seed;
    options.session.envelope_bytes_max = 8 * 1024;
    auto counter = *ReferenceCounter::Create(options);
    network.Connect(counter->process(), counter->inbox());
    for (uint64_t i = 1; i <= kObjects; ++i) (void)*counter->Declare(Object(i), With(i % 2 + 1));
    clock.on_read = [&](Time now) {
      network.DeliverDue(now);
      for (const auto& [number, agent] : agents) agent->Pump(now);
    };
    const ShutdownReport report =
        counter->Shutdown(ShutdownMode::kGraceful, std::chrono::minutes(2));
    EXPECT_TRUE(report.clean()) << "seed " << seed << ": " << report.undelivered.size()
                                << " undelivered";
    for (const auto& [number, agent] : agents) {
      EXPECT_EQ(agent->GetStats().frees_received, kObjects / 2) << "each once";
    }
    lost += network.GetCounters().lost;
    retransmitted += counter->GetStats().sessions.envelopes_retransmitted;
  }
  EXPECT_GE(lost, 20u);
  EXPECT_GE(retransmitted, 10u);
}

TEST(Shutdown, ReturnsAnswersToLateReportsThatCouldNotBeDelivered) {
  CounterWorld world(1);
  world.transport.unreachable[Node(1)] = true;
  EXPECT_EQ(world.counter->AddLocation(Object(7), InMemory(1)).code(), absl::StatusCode::kNotFound);
  const ShutdownReport report = world.counter->Shutdown(ShutdownMode::kImmediate, Duration::zero());
  ASSERT_EQ(report.undelivered.size(), 1u);
  EXPECT_EQ(report.undelivered[0].object, Object(7));
  EXPECT_FALSE(report.clean());
}

TEST(Shutdown, NodesDropWhatTheOwnerLeftBehind) {
  CounterWorld world(2);
  ObjectRef ref = world.Put(1, {1, 2});
  (void)world.counter->Shutdown(ShutdownMode::kGraceful, std::chrono::seconds(1));
  world.Settle();
  EXPECT_THAT(world.Deleted(1), ElementsAre(Object(1)));
  EXPECT_THAT(world.Deleted(2), ElementsAre(Object(1)));
}

TEST(Shutdown, RepliesAndCallbacksThatComeAfterDestructionAreHarmless) {
  CounterWorld world(1);
  ObjectRef ref = world.Put(1, {1});
  int ran = 0;
  ASSERT_TRUE(*world.counter->OnOutOfScope(Object(1), [&](const ObjectId&, EndReason) { ++ran; }));
  ref.Reset();
  world.counter->Pump(world.clock.Now());
  const std::shared_ptr<Inbox> door = world.counter->inbox();
  world.counter.reset();
  world.Settle();  // the agent answers a counter that is gone
  door->Deliver({Address(Node(1)), Address(ProcessId::FromNumber(1)), "late"});
  world.RunCallbacks();
  EXPECT_EQ(ran, 1) << "what was queued still runs";
}

constexpr int kSteps = 16;
constexpr int kDropped = 14;  // with this one the last reference has gone
enum class End { kDestruction, kDestructionWithATimerPending, kGracefulWithoutTime };

// One pass of everything an owner does, cut off after `cut` steps. Unless the end is mere
// destruction node 2 hears nothing any more, so that what is sent to it is sent again and again.
void CutOff(int cut, End end) {
  CounterWorld world(2);
  if (end != End::kDestruction) world.transport.unreachable[Node(2)] = true;
  ObjectRef ref, nested, copy;
  TaskReferences task;
  ReadLease lease;
  int step = 0;
  const auto next = [&] { return step++ < cut; };
  if (next()) nested = world.Put(1, {1});
  if (next()) ref = world.Put(2, {1, 2});
  if (next()) EXPECT_TRUE(world.counter->AddNested(Object(2), {Object(1)}).ok());
  if (next()) task = *world.counter->SubmitTask({Object(2)});
  if (next()) EXPECT_TRUE(world.counter->AddLocalReference(Object(2)).ok());
  if (next()) {
    for (const Moment moment : {Moment::kOutOfScope, Moment::kReclaimed, Moment::kErased}) {
      EXPECT_TRUE(
          world.counter->Register(moment, Object(2), [](const ObjectId&, EndReason) {}).ok());
    }
  }
  if (next()) {
    EXPECT_TRUE(
        world.counter->SubscribeLocations(Object(2), [](const ObjectId&, const LocationUpdate&) {})
            .ok());
  }
  if (next()) lease = *world.agents[2]->Read(Object(2));
  if (next()) copy = ref;
  if (next()) ref.Reset();
  if (next()) nested.Reset();
  if (next()) task.End();
  if (next()) EXPECT_TRUE(world.counter->RemoveLocalReference(Object(2)).ok());
  if (next()) copy.Reset();
  if (next()) world.counter->Pump(world.clock.Now());
  if (next()) world.agents[1]->Pump(world.clock.Now());
  if (end != End::kDestruction) {
    world.SettleFor(std::chrono::seconds(1));
    if (cut == kSteps) {
      EXPECT_GE(world.counter->GetStats().sessions.envelopes_retransmitted, 2u);
      EXPECT_GT(world.counter->NextDeadline(), world.clock.Now());
      EXPECT_LT(world.counter->NextDeadline(), kInfiniteFuture);
    }
  }
  if (end == End::kGracefulWithoutTime) {
    const ShutdownReport report =
        world.counter->Shutdown(ShutdownMode::kGraceful, Duration::zero());
    EXPECT_EQ(report.undelivered.size(), cut >= kDropped ? 1u : 0u) << "cut after step " << cut;
  }
  world.counter.reset();
  world.Settle();
  world.RunCallbacks();
  lease.Release();
  world.Settle();
  EXPECT_EQ(world.agents[1]->GetStats().copies, 0u) << "cut after step " << cut;
  EXPECT_EQ(world.agents[2]->GetStats().copies, 0u) << "cut after step " << cut;
}

TEST(Shutdown, DestructionAtEveryStepIsHarmless) {
  for (int cut = 0; cut <= kSteps; ++cut) CutOff(cut, End::kDestruction);
}

TEST(Shutdown, DestructionAtEveryStepIsHarmlessWhileATimerIsPending) {
  for (int cut = 0; cut <= kSteps; ++cut) CutOff(cut, End::kDestructionWithATimerPending);
}

TEST(Shutdown, AGracefulEndWithoutTimeAtEveryStepIsHarmless) {
  for (int cut = 0; cut <= kSteps; ++cut) CutOff(cut, End::kGracefulWithoutTime);
}

}  // namespace
}  // namespace freehold
