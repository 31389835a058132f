// Processes that watch for moments of each other's objects.

#ifndef FREEHOLD_TESTS_RUNTIME_WATCH_TESTING_H_
#define FREEHOLD_TESTS_RUNTIME_WATCH_TESTING_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {

// Process 1 owns the objects; a node agent has their copies.
class WatchTest : public ::testing::Test {
 protected:
  explicit WatchTest(const ReferenceCounterOptions& options = {}) : world_(3, options) {
    NodeAgentOptions node;
    node.node = Node(11);
    node.store = &store_;
    node.transport = &world_.transport;
    node.membership = &world_.membership;
    node.clock = &world_.clock;
    node.seed = 11;
    agent_ = *NodeAgent::Create(node);
    world_.transport.local.Connect(Node(11), agent_->inbox());
  }

  void Settle() {
    for (int round = 0; round < 4; ++round) {
      world_.Settle();
      agent_->Pump(world_.clock.Now());
    }
    world_.executor->RunAll();
  }
  ObjectCallback Hear(const std::string& name) {
    return [this, name](const ObjectId&, EndReason reason) {
      heard_.push_back(name + ": " + EndReasonName(reason));
    };
  }
  absl::StatusOr<CallbackRegistration> Watch(uint64_t process, Moment moment, uint64_t object,
                                             const std::string& name) {
    return world_[process].Watch(moment, Object(object), Process(1), Hear(name));
  }
  CallbackRegistration MustWatch(uint64_t process, Moment moment, uint64_t object,
                                 const std::string& name) {
    auto registration = Watch(process, moment, object, name);
    EXPECT_TRUE(registration.ok()) << registration.status();
    EXPECT_TRUE(*registration);
    return *registration;
  }
  ObjectRef Put(uint64_t object) {
    ObjectRef ref = world_.Declare(1, object);
    EXPECT_TRUE(agent_->AddCopy({Object(object), 0, Process(1), CopyRole::kPrimary, 10}).ok());
    Settle();
    return ref;
  }
  std::vector<std::string> Heard() { return std::exchange(heard_, {}); }
  uint64_t Refused(uint64_t process) { return world_[process].GetStats().sessions.refused_items; }
  void ExpectNothingLeft() {
    for (const auto& [number, counter] : world_.counters) {
      const ReferenceCounterStats stats = counter->GetStats();
      EXPECT_EQ(stats.watches, 0u) << "process " << number;
      EXPECT_EQ(stats.watches_elsewhere, 0u) << "process " << number;
      EXPECT_EQ(stats.queries_to_send, 0u) << "process " << number;
      EXPECT_EQ(stats.answers_waiting, 0u) << "process " << number;
      EXPECT_EQ(stats.sessions.refused_items, 0u) << "process " << number;
    }
  }

  SharingWorld world_;
  ListStore store_;
  std::unique_ptr<NodeAgent> agent_;
  std::vector<std::string> heard_;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_WATCH_TESTING_H_
