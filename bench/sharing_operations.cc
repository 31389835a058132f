// References that cross processes, at the owner: a borrower registers and releases.

#include <string>
#include <utility>
#include <vector>

#include "bench/operation.h"
#include "bench/workload.h"
#include "src/core/codec.h"

namespace freehold::bench {

namespace {

// A borrower of every object of a batch registers and releases. Measured: the pump turns that take
// its envelopes, and the answers' way into envelopes.
class BorrowerPair final : public Operation {
 public:
  BorrowerPair() {
    for (size_t i = 0; i < batch(); ++i) {
      refs_.push_back(owner_.Put(MakeId(IdKind::kRandom, i), nullptr, 0));
    }
    owner_.transport().KeepPayloads(false);
  }

  void Before(size_t count) override {
    registrations_ = Payloads(count, core::SharingKind::kRegister);
    releases_ = Payloads(count, core::SharingKind::kRelease);
  }
  void Run(size_t /*count*/) override {
    for (const std::string& payload : registrations_) owner_.transport().Say(borrower_, payload);
    owner_.Pump();
    for (const std::string& payload : releases_) owner_.transport().Say(borrower_, payload);
    owner_.Pump();
  }
  void After(size_t /*count*/) override {
    Require(owner_.counter().GetStats().borrowers == 0, "a borrower is left");
  }

 private:
  std::vector<std::string> Payloads(size_t count, core::SharingKind kind) {
    std::vector<std::string> payloads;
    core::PayloadWriter writer(60'000);
    for (size_t i = 0; i < count; ++i) {
      const core::SharingItem item{refs_[i].id(), ++numbers_, core::kFirstTerm, kind, 0};
      if (writer.Add(item)) continue;
      payloads.push_back(writer.Take());
      Require(writer.Add(item), "one item fits");
    }
    if (!writer.empty()) payloads.push_back(writer.Take());
    return payloads;
  }

  const Address borrower_ = ProcessId::FromNumber(2);
  Owner owner_{Owner::Wiring::kNullTransport};
  std::vector<ObjectRef> refs_;
  std::vector<std::string> registrations_;
  std::vector<std::string> releases_;
  uint64_t numbers_ = 0;
};

}  // namespace

std::unique_ptr<Operation> MakeSharingOperation(std::string_view name,
                                                std::string_view /*argument*/) {
  if (name == "borrower_pair") return std::make_unique<BorrowerPair>();
  return nullptr;
}

}  // namespace freehold::bench
