// How costs grow: one operation for each thing of which there may be few or many.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "bench/operation.h"
#include "bench/workload.h"
#include "src/core/codec.h"

namespace freehold::bench {

namespace {

constexpr size_t kNodes = 16;
constexpr size_t kLives = 40'960;
// An operation on fewer things than this is done several times, so that a batch can be timed.
constexpr size_t kPartsLeast = 4'096;

size_t RoundsFor(size_t parts) { return std::max<size_t>(1, kPartsLeast / parts); }

// growth_objects/N: the life of an object (declared with a primary, dropped, its free sent) while N
// others stand around.
class LivesAmong final : public Operation {
 public:
  LivesAmong(size_t others, size_t nodes, size_t batch) : nodes_(nodes), batch_(batch) {
    refs_.reserve(others);
    for (size_t i = 0; i < others; ++i) refs_.push_back(Make(next_++));
    owner_.transport().KeepPayloads(true);
  }

  size_t batch() const override { return batch_; }
  void Before(size_t count) override {
    ids_.clear();
    for (size_t i = 0; i < count; ++i) ids_.push_back(MakeId(IdKind::kRandom, next_++));
  }
  void Run(size_t /*count*/) override {
    for (size_t i = 0; i < ids_.size(); ++i) {
      const NodeId node = NodeNumber(i % nodes_);
      (void)owner_.Put(ids_[i], &node, 1);
    }
    owner_.Pump();
  }
  void After(size_t /*count*/) override { owner_.Settle(); }

 private:
  ObjectRef Make(uint64_t number) {
    const NodeId node = NodeNumber(number % nodes_);
    return owner_.Put(MakeId(IdKind::kRandom, number), &node, 1);
  }

  const size_t nodes_;
  const size_t batch_;
  Owner owner_{Owner::Wiring::kNullTransport};
  std::vector<ObjectRef> refs_;
  std::vector<ObjectId> ids_;
  uint64_t next_ = 0;
};

// growth_borrowers/N: N processes register for one object, each in an envelope of its own, and then
// release it. One operation is one of them.
class BorrowersOfOne final : public Operation {
 public:
  explicit BorrowersOfOne(size_t borrowers) : borrowers_(borrowers) {
    owner_.transport().KeepPayloads(false);
  }

  size_t batch() const override { return borrowers_ * RoundsFor(borrowers_); }
  void Run(size_t count) override {
    for (size_t done = 0; done < count; done += borrowers_) {
      AllSay(core::SharingKind::kRegister);
      AllSay(core::SharingKind::kRelease);
    }
  }
  void After(size_t /*count*/) override {
    Require(owner_.counter().GetStats().borrowers == 0, "a borrower is left");
  }

 private:
  void AllSay(core::SharingKind kind) {
    for (size_t i = 0; i < borrowers_; ++i) {
      const core::SharingItem item{ref_.id(), ++numbers_, core::kFirstTerm, kind, 0};
      Require(writer_.Add(item), "one item fits");
      owner_.transport().Say(ProcessId::FromNumber(2 + i), writer_.Take());
    }
    owner_.Pump();
  }

  const size_t borrowers_;
  Owner owner_{Owner::Wiring::kNullTransport};
  ObjectRef ref_ = owner_.Put(MakeId(IdKind::kRandom, 0), nullptr, 0);
  core::PayloadWriter writer_{8'192};
  uint64_t numbers_ = 0;
};

// growth_nested/N: an object is declared that contains N others, and dropped; until the last of
// them has been let go of. One operation is one of them.
class NestedInOne final : public Operation {
 public:
  explicit NestedInOne(size_t inners) {
    for (size_t i = 0; i < inners; ++i) {
      inners_.push_back(MakeId(IdKind::kRandom, i));
      refs_.push_back(owner_.Put(inners_.back(), nullptr, 0));
    }
  }

  size_t batch() const override { return inners_.size() * RoundsFor(inners_.size()); }
  void Run(size_t count) override {
    for (size_t done = 0; done < count; done += inners_.size()) {
      DeclareOptions options;
      options.contains = inners_;
      Require(owner_.counter().Declare(outer_, options).ok(), "declare failed");  // and dropped
      owner_.Pump();
    }
  }
  void After(size_t /*count*/) override {
    Require(owner_.counter().GetStats().objects == inners_.size(), "the outer object is left");
  }

 private:
  Owner owner_{Owner::Wiring::kNullTransport};
  const ObjectId outer_ = MakeId(IdKind::kHost, 1);
  std::vector<ObjectId> inners_;
  std::vector<ObjectRef> refs_;
};

}  // namespace

std::unique_ptr<Operation> MakeGrowthOperation(std::string_view name, std::string_view argument) {
  const size_t count = NumberIn(argument, 1);
  if (name == "growth_objects") return std::make_unique<LivesAmong>(count, kNodes, 4'096);
  if (name == "growth_nodes") return std::make_unique<LivesAmong>(0, count, kLives);
  if (name == "growth_borrowers") return std::make_unique<BorrowersOfOne>(count);
  if (name == "growth_nested") return std::make_unique<NestedInOne>(count);
  return nullptr;
}

}  // namespace freehold::bench
