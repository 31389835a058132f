// A small world for tests of the ReferenceCounter: one owner, some nodes with stores, one thread.
//
// Nothing happens but what a test does: ends are pumped by Settle(), callbacks run by
// RunCallbacks().
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_COUNTER_WORLD_H_
#define FREEHOLD_TESTS_RUNTIME_COUNTER_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "freehold/node_agent.h"
#include "freehold/reference_counter.h"
#include "freehold/testing/inline_executor.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/testing/manual_executor.h"
#include "gtest/gtest.h"

namespace freehold {

inline ObjectId Object(uint64_t number) { return ObjectId::FromNumber(number); }
inline NodeId Node(uint64_t number) { return NodeId::FromNumber(number); }

inline Location InMemory(uint64_t node, CopyRole role = CopyRole::kSecondary) {
  Location location;
  location.node = Node(node);
  location.role = role;
  location.in_memory = true;
  return location;
}

inline DeclareOptions With(uint64_t primary, uint64_t size = 1) {
  DeclareOptions options;
  options.primary = Node(primary);
  options.size = size;
  return options;
}

// Holds ids instead of bytes; deletes what it is told to, or fails.
class ListStore final : public ObjectStore {
 public:
  std::vector<absl::Status> Delete(absl::Span<const CopyToDelete> copies) override {
    ++calls;
    std::vector<absl::Status> answers;
    for (const CopyToDelete& copy : copies) {
      if (failure.ok()) deleted.push_back(copy);
      answers.push_back(failure);
    }
    return answers;
  }

  absl::Status failure;
  int calls = 0;
  std::vector<CopyToDelete> deleted;
};

// Delivers at once, counts what carries items, and drops what goes to `unreachable`.
class CountingTransport final : public Transport {
 public:
  void Send(Envelope envelope) override {
    ++sent[envelope.to];
    if (unreachable.count(envelope.to) > 0) return;
    local.Send(std::move(envelope));
  }

  LocalTransport local;
  std::map<Address, int> sent;
  std::map<Address, bool> unreachable;
};

// Takes no callback.
class ThrowingExecutor final : public CallbackExecutor {
 public:
  bool Post(CallbackJob) override { throw std::runtime_error("no room"); }
};

class CounterWorld {
 public:
  explicit CounterWorld(uint64_t nodes = 3, ReferenceCounterOptions options = {}) {
    options.process = ProcessId::FromNumber(1);
    options.transport = &transport;
    options.membership = &membership;
    options.clock = &clock;
    if (options.executor == nullptr) options.executor = executor;
    options.seed = 1;
    auto made = ReferenceCounter::Create(options);
    EXPECT_TRUE(made.ok()) << made.status();
    counter = *std::move(made);
    transport.local.Connect(counter->process(), counter->inbox());
    for (uint64_t number = 1; number <= nodes; ++number) AddNode(number);
  }

  void AddNode(uint64_t number) {
    NodeAgentOptions options;
    options.node = Node(number);
    options.store = &stores[number];
    options.transport = &transport;
    options.membership = &membership;
    options.clock = &clock;
    options.seed = number;
    auto made = NodeAgent::Create(options);
    EXPECT_TRUE(made.ok()) << made.status();
    agents[number] = *std::move(made);
    transport.local.Connect(Node(number), agents[number]->inbox());
  }

  // An object with real copies on these nodes, the first one primary, known to the owner.
  ObjectRef Put(uint64_t object, const std::vector<uint64_t>& nodes, uint64_t size = 1) {
    auto ref = counter->Declare(Object(object), With(nodes.front(), size));
    EXPECT_TRUE(ref.ok()) << ref.status();
    for (size_t i = 0; i < nodes.size(); ++i) AddCopy(object, nodes[i], i == 0, 0, size);
    Settle();
    return *std::move(ref);
  }

  void AddCopy(uint64_t object, uint64_t node, bool primary = false, uint32_t generation = 0,
               uint64_t size = 1) {
    const absl::Status added =
        agents.at(node)->AddCopy({Object(object), generation, counter->process(),
                                  primary ? CopyRole::kPrimary : CopyRole::kSecondary, size});
    EXPECT_TRUE(added.ok()) << added;
  }

  // Pumps all ends until nothing is due now.
  void Settle() {
    for (bool due = true; due;) {
      due = false;
      const Time now = clock.Now();
      if (counter != nullptr && counter->NextDeadline() <= now) {
        counter->Pump(now);
        due = true;
      }
      for (auto& [number, agent] : agents) {
        if (agent->NextDeadline() <= now) {
          agent->Pump(now);
          due = true;
        }
      }
    }
  }
  // The same over a stretch of time, in steps that no timer outruns by much.
  void SettleFor(Duration time, Duration step = std::chrono::milliseconds(50)) {
    for (Duration passed{0}; passed < time; passed += step) {
      clock.Advance(step);
      Settle();
    }
  }
  size_t RunCallbacks() { return executor->RunAll(); }

  // Ids that the node's store was told to delete, in order.
  std::vector<ObjectId> Deleted(uint64_t node) {
    std::vector<ObjectId> ids;
    for (const CopyToDelete& copy : stores[node].deleted) ids.push_back(copy.object);
    return ids;
  }
  uint64_t objects() const { return counter->GetStats().objects; }

  testing::ManualClock clock{Time(std::chrono::seconds(1))};
  CountingTransport transport;
  LocalMembership membership;
  std::shared_ptr<testing::ManualExecutor> executor = std::make_shared<testing::ManualExecutor>();
  std::map<uint64_t, ListStore> stores;
  std::unique_ptr<ReferenceCounter> counter;
  std::map<uint64_t, std::unique_ptr<NodeAgent>> agents;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_COUNTER_WORLD_H_
