// The example of the README: one object with copies on two nodes, deleted on both when its last
// reference goes. A host that wants threads sets `start_pump_thread` instead of calling Pump.

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <vector>

#include "freehold/node_agent.h"
#include "freehold/reference_counter.h"

namespace {

using namespace freehold;  // NOLINT(google-build-using-namespace)

// What a node's host implements: delete these copies.
class PrintingStore final : public ObjectStore {
 public:
  explicit PrintingStore(const char* name) : name_(name) {}
  std::vector<absl::Status> Delete(absl::Span<const CopyToDelete> copies) override {
    for (const CopyToDelete& copy : copies) {
      std::cout << name_ << " deletes " << copy.size << " bytes\n";
    }
    return std::vector<absl::Status>(copies.size());
  }

 private:
  const char* const name_;
};

std::unique_ptr<NodeAgent> StartNode(uint64_t number, ObjectStore* store,
                                     LocalTransport* transport) {
  NodeAgentOptions options;
  options.node = NodeId::FromNumber(number);
  options.store = store;
  options.transport = transport;
  auto node = NodeAgent::Create(options).value();
  transport->Connect(options.node, node->inbox());
  return node;
}

std::unique_ptr<ReferenceCounter> StartOwner(LocalTransport* transport,
                                             std::shared_ptr<CallbackExecutor> executor) {
  ReferenceCounterOptions options;
  options.process = ProcessId::FromNumber(1);
  options.transport = transport;
  options.executor = std::move(executor);
  auto owner = ReferenceCounter::Create(options).value();
  transport->Connect(options.process, owner->inbox());
  return owner;
}

// Twice: whoever comes first still hears what the last one said.
template <typename... Ends>
void PumpInTurn(const Ends&... ends) {
  for (int turn = 0; turn < 2; ++turn) (ends->Pump(Clock::Monotonic().Now()), ...);
}

// Ends the program when a call has failed.
template <typename StatusOrAnswer>
void Must(const StatusOrAnswer& answered) {
  if (!answered.ok()) std::abort();
}

}  // namespace

int main() {
  LocalTransport transport;
  PrintingStore store_a("node A"), store_b("node B");
  auto node_a = StartNode(1, &store_a, &transport), node_b = StartNode(2, &store_b, &transport);
  auto callbacks = CallbackThread::Start().value();
  auto owner = StartOwner(&transport, callbacks);

  ObjectRef ref = owner->Declare(ObjectId::FromNumber(42)).value();
  Must(owner->OnReclaimed(ref.id(), [](const ObjectId&, EndReason) {
    std::cout << "reclaimed: the last copy is gone\n";
  }));
  // A task on node A makes the value, a consumer on node B fetches a copy; both tell the owner.
  Must(node_a->AddCopy({ref.id(), 0, owner->process(), CopyRole::kPrimary, 4096}));
  Must(node_b->AddCopy({ref.id(), 0, owner->process(), CopyRole::kSecondary, 4096}));
  PumpInTurn(node_a, node_b, owner);

  ref.Reset();  // the last reference goes
  PumpInTurn(node_a, node_b, owner);
  callbacks->Stop(std::chrono::seconds(1));  // once what is queued has run
}
