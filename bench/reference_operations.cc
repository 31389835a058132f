// References: by handle, by id, of tasks.

#include <algorithm>
#include <utility>

#include "bench/operation.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"

namespace freehold::bench {

namespace {

class HandleCopyDestroy final : public Operation {
 public:
  HandleCopyDestroy() : ref_(owner_.Put(MakeId(IdKind::kRandom, 1), nullptr, 0)) {}

  void Run(size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      const ObjectRef copy(ref_);
      benchmark::DoNotOptimize(copy);
    }
  }

 private:
  Owner owner_{Owner::Wiring::kNone};
  ObjectRef ref_;
};

// Objects with one handle each, and their ids in random order.
struct Population {
  Population(IdKind kind, size_t count) {
    refs.reserve(count);
    order.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      order.push_back(MakeId(kind, i));
      refs.push_back(owner.Put(order.back(), nullptr, 0));
    }
    Shuffle(&order, 7);
  }
  Owner owner{Owner::Wiring::kNone};
  std::vector<ObjectRef> refs;
  std::vector<ObjectId> order;
};

// The last two made are kept, because repetitions, threads and neighbours ask for the same again.
std::shared_ptr<Population> GetPopulation(IdKind kind, size_t count) {
  struct Kept {
    std::pair<IdKind, size_t> made_for;
    std::shared_ptr<Population> population;
  };
  static Kept kept[2];
  const std::pair<IdKind, size_t> wanted{kind, count};
  if (kept[0].made_for != wanted || kept[0].population == nullptr) {
    std::swap(kept[0], kept[1]);
    if (kept[0].made_for != wanted || kept[0].population == nullptr) {
      kept[0].population = nullptr;  // before the next is made: each is hundreds of megabytes
      kept[0] = {wanted, std::make_shared<Population>(kind, count)};
    }
  }
  return kept[0].population;
}

class ByIdPair final : public Operation {
 public:
  ByIdPair(IdKind kind, size_t objects) : population_(GetPopulation(kind, objects)) {
    // Several operations on one population begin at different places.
    static size_t made = 0;
    at_ = (made++ % 2) * (objects / 2);
  }

  void Run(size_t count) override {
    ReferenceCounter& counter = population_->owner.counter();
    const std::vector<ObjectId>& order = population_->order;
    for (size_t i = 0; i < count; ++i) {
      const ObjectId& id = order[at_];
      const bool added = counter.AddLocalReference(id).ok();
      const bool removed = counter.RemoveLocalReference(id).ok();
      if (!added || !removed) Require(false, "a reference by id was refused");
      if (++at_ == order.size()) at_ = 0;
    }
  }

 private:
  const std::shared_ptr<Population> population_;
  size_t at_;
};

// A task with so many arguments is submitted and ends.
class TaskRefs final : public Operation {
 public:
  explicit TaskRefs(size_t arguments)
      : arguments_(arguments), population_(GetPopulation(IdKind::kRandom, ManyObjects())) {}

  void Run(size_t count) override {
    const std::vector<ObjectId>& order = population_->order;
    for (size_t i = 0; i < count; ++i) {
      if (at_ + arguments_ > order.size()) at_ = 0;
      absl::StatusOr<TaskReferences> task = population_->owner.counter().SubmitTask(
          absl::MakeConstSpan(order).subspan(at_, arguments_));
      if (!task.ok()) Require(false, "a task was refused");
      at_ += arguments_;
    }
  }

 private:
  const size_t arguments_;
  const std::shared_ptr<Population> population_;
  size_t at_ = 0;
};

// Asked while so many objects are in scope, which is what answers no.
class CanExitNow final : public Operation {
 public:
  explicit CanExitNow(size_t objects) : population_(GetPopulation(IdKind::kRandom, objects)) {}

  void Run(size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      const ExitReadiness readiness = population_->owner.counter().CanExit();
      if (readiness.owned_in_scope != population_->order.size()) Require(false, "objects missing");
    }
  }
  size_t batch() const override { return 256; }

 private:
  const std::shared_ptr<Population> population_;
};

}  // namespace

std::unique_ptr<Operation> MakeReferenceOperation(std::string_view name,
                                                  std::string_view argument) {
  if (name == "handle_copy_destroy") return std::make_unique<HandleCopyDestroy>();
  if (name == "by_id_pair") {
    return std::make_unique<ByIdPair>(IdKind::kRandom, NumberIn(argument, ManyObjects()));
  }
  if (name == "by_id_pair_hostids") {
    return std::make_unique<ByIdPair>(IdKind::kHost, NumberIn(argument, ManyObjects()));
  }
  if (name == "by_id_pair_window") {  // argument: the offset of the four bytes
    const size_t window = std::min<size_t>(NumberIn(argument, 0) / 4, 6);
    return std::make_unique<ByIdPair>(
        static_cast<IdKind>(static_cast<size_t>(IdKind::kWindow0) + window), ManyObjects());
  }
  if (name == "can_exit") {
    return std::make_unique<CanExitNow>(NumberIn(argument, ManyObjects()));
  }
  if (name == "task_refs") return std::make_unique<TaskRefs>(NumberIn(argument, 10));
  return nullptr;
}

}  // namespace freehold::bench
