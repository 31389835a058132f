// A small world for tests of owner at creation: process 1 is the owner, 2 declares, 3 reads; node 1
// has the bytes. As in sharing_world.h, nothing happens but what a test does.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_CREATION_WORLD_H_
#define FREEHOLD_TESTS_RUNTIME_CREATION_WORLD_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/runtime/sharing_world.h"

namespace freehold {

// Ok, or the code and the reason.
inline std::string NameOf(const absl::Status& status) {
  if (status.ok()) return "ok";
  const ErrorReason reason = ReasonOf(status);
  return absl::StatusCodeToString(status.code()) +
         (reason == ErrorReason::kNone ? "" : std::string(", ") + ErrorReasonName(reason));
}

class CreationWorld : public SharingWorld {
 public:
  explicit CreationWorld(const ReferenceCounterOptions& options = {}) : SharingWorld(3, options) {
    NodeAgentOptions node;
    node.node = Node(1);
    node.store = &store;
    node.transport = &transport;
    node.membership = &membership;
    node.clock = &clock;
    node.seed = 1;
    agent = NodeAgent::Create(node).value();
    transport.local.Connect(Node(1), agent->inbox());
  }

  ObjectRef DeclareFor(uint64_t object, uint64_t owner = 1, uint64_t declarer = 2) {
    DeclareForOptions options;
    options.size = 5;
    options.on_answer = [this](const ObjectId&, const absl::Status& status) {
      answers.push_back(NameOf(status));
    };
    auto ref = (*this)[declarer].DeclareFor(Process(owner), Object(object), std::move(options));
    EXPECT_TRUE(ref.ok()) << ref.status();
    return ref.ok() ? *std::move(ref) : ObjectRef();
  }
  std::string CopyOf(uint64_t object, uint64_t process = 2) {
    return NameOf((*this)[process].CopyOf(Object(object), CopyRole::kPrimary, 5).status());
  }
  // The declarer's bytes are on the node.
  void Report(uint64_t object, uint64_t process = 2) {
    const auto copy = (*this)[process].CopyOf(Object(object), CopyRole::kPrimary, 5);
    ASSERT_TRUE(copy.ok()) << copy.status();
    ASSERT_TRUE(agent->AddCopy(*copy).ok());
  }
  void SettleAll() {
    for (int i = 0; i < 20; ++i) {
      Settle();
      if (agent->NextDeadline() <= clock.Now()) agent->Pump(clock.Now());
    }
    executor->RunAll();
    Settle();
  }

  ListStore store;
  std::unique_ptr<NodeAgent> agent;
  std::vector<std::string> answers;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_CREATION_WORLD_H_
