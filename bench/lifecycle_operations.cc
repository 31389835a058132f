// The life of an object: declared with a primary copy, secondaries added, dropped, its frees sent.

#include <utility>

#include "absl/types/span.h"
#include "bench/operation.h"
#include "bench/workload.h"

namespace freehold::bench {

namespace {

constexpr size_t kLifecycleNodes = 16;

// Which part of a life is measured. The others are done before and after.
enum class Part {
  kWhole,    // declare, add, drop, and the pump turns that put the frees into envelopes
  kRelease,  // drop and those pump turns
  kResults,  // the pump turns that take the nodes' answers, until the records are gone
};

// How the secondaries become known.
enum class Calls {
  kEach,    // an AddLocation for each
  kAtOnce,  // one AddLocations for all
};

class Lifecycle final : public Operation {
 public:
  Lifecycle(Part part, size_t secondaries, size_t nodes, Calls calls = Calls::kEach)
      : part_(part), calls_(calls), copies_(secondaries + 1) {
    for (size_t i = 0; i < nodes; ++i) nodes_.push_back(NodeNumber(i));
    // Twice, so that any run of them is one span.
    for (size_t i = 0; i < 2 * nodes; ++i) locations_.push_back(SecondaryOn(nodes_[i % nodes]));
  }

  void Before(size_t count) override {
    ids_.clear();
    for (size_t i = 0; i < count; ++i) ids_.push_back(MakeId(IdKind::kRandom, next_++));
    refs_.reserve(count);
    if (part_ == Part::kWhole) return;
    Declare();
    if (part_ == Part::kRelease) return;
    Release();
    (void)owner_.transport().AnswerKept();
  }

  void Run(size_t /*count*/) override {
    switch (part_) {
      case Part::kWhole:
        DeclareAndRelease();
        break;
      case Part::kRelease:
        Release();
        break;
      case Part::kResults:
        owner_.Pump();
        break;
    }
  }

  void After(size_t /*count*/) override {
    owner_.Settle();
    Require(owner_.counter().GetStats().objects == 0, "an object is left after its life");
  }

 private:
  ObjectRef Make(const ObjectId& id, size_t number) {
    DeclareOptions options;
    options.size = 1024;
    options.primary = nodes_[number % nodes_.size()];
    absl::StatusOr<ObjectRef> ref = owner_.counter().Declare(id, options);
    if (!ref.ok()) Require(false, "declare failed");
    const Location* const secondaries = &locations_[number % nodes_.size() + 1];
    if (calls_ == Calls::kAtOnce) {
      const BatchResult added =
          owner_.counter().AddLocations(id, absl::MakeConstSpan(secondaries, copies_ - 1));
      if (!added.ok()) Require(false, "locations refused");
      return *std::move(ref);
    }
    for (size_t i = 0; i + 1 < copies_; ++i) {
      const absl::Status added = owner_.counter().AddLocation(id, secondaries[i]);
      if (!added.ok()) Require(false, "location refused");
    }
    return *std::move(ref);
  }
  void Declare() {
    for (size_t i = 0; i < ids_.size(); ++i) refs_.push_back(Make(ids_[i], i));
  }
  void Release() {
    refs_.clear();
    owner_.Pump();
  }
  void DeclareAndRelease() {
    for (size_t i = 0; i < ids_.size(); ++i) (void)Make(ids_[i], i);
    owner_.Pump();
  }

  const Part part_;
  const Calls calls_;
  const size_t copies_;
  std::vector<NodeId> nodes_;
  std::vector<Location> locations_;
  Owner owner_{Owner::Wiring::kNullTransport};
  std::vector<ObjectId> ids_;
  std::vector<ObjectRef> refs_;
  uint64_t next_ = 0;
};

// Without a transport: the frees are dropped by the thread that drops the object, so that nobody
// pumps and several threads can do it on one counter.
class LifecycleUnpumped final : public Operation {
 public:
  LifecycleUnpumped(std::shared_ptr<Owner> owner, size_t secondaries, uint64_t first_id)
      : owner_(std::move(owner)), copies_(secondaries + 1), next_(first_id) {
    for (size_t i = 0; i < kLifecycleNodes; ++i) {
      nodes_.push_back(NodeNumber(i));
      locations_.push_back(SecondaryOn(nodes_.back()));
    }
  }

  void Run(size_t count) override {
    ReferenceCounter& counter = owner_->counter();
    for (size_t i = 0; i < count; ++i) {
      const ObjectId id = MakeId(IdKind::kRandom, next_++);
      DeclareOptions options;
      options.size = 1024;
      options.primary = nodes_[i % kLifecycleNodes];
      const absl::StatusOr<ObjectRef> ref = counter.Declare(id, options);
      bool good = ref.ok();
      for (size_t j = 1; j < copies_; ++j) {
        good = counter.AddLocation(id, locations_[(i + j) % kLifecycleNodes]).ok() && good;
      }
      if (!good) Require(false, "declare or add failed");
    }
  }

 private:
  const std::shared_ptr<Owner> owner_;
  const size_t copies_;
  uint64_t next_;
  std::vector<NodeId> nodes_;
  std::vector<Location> locations_;
};

// Operations made while another one lives share its counter.
std::unique_ptr<Operation> MakeUnpumped(size_t secondaries) {
  static std::weak_ptr<Owner> shared;
  static uint64_t made = 0;
  std::shared_ptr<Owner> owner = shared.lock();
  if (owner == nullptr) owner = std::make_shared<Owner>(Owner::Wiring::kNone);
  shared = owner;
  return std::make_unique<LifecycleUnpumped>(std::move(owner), secondaries, ++made << 40);
}

}  // namespace

std::unique_ptr<Operation> MakeLifecycleOperation(std::string_view name,
                                                  std::string_view argument) {
  const size_t secondaries = NumberIn(argument, 0);
  if (name == "lifecycle") {
    return std::make_unique<Lifecycle>(Part::kWhole, secondaries, kLifecycleNodes);
  }
  if (name == "lifecycle_at_once") {
    return std::make_unique<Lifecycle>(Part::kWhole, secondaries, kLifecycleNodes, Calls::kAtOnce);
  }
  if (name == "lifecycle_results") {
    return std::make_unique<Lifecycle>(Part::kResults, secondaries, kLifecycleNodes);
  }
  if (name == "lifecycle_unpumped") return MakeUnpumped(secondaries);
  if (name == "fanout_lifecycle") return std::make_unique<Lifecycle>(Part::kWhole, 3, 100);
  if (name == "fanout_release") return std::make_unique<Lifecycle>(Part::kRelease, 3, 100);
  if (name == "fanout_results") return std::make_unique<Lifecycle>(Part::kResults, 3, 100);
  return nullptr;
}

}  // namespace freehold::bench
