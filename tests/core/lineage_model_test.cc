// A LineageTable at random, against a model that looks at everything.

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <set>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/random.h"
#include "tests/core/lineage_testing.h"

namespace freehold::core {
namespace {

class Model {
 public:
  struct Made {
    std::vector<uint64_t> arguments, returns;
    uint64_t bytes = 0;
    uint32_t retries = 0;
    uint64_t age = 0;
  };

  // What is kept, by the definition; what is not goes.
  void LetGo() {
    for (bool changed = true; changed;) {
      changed = false;
      for (auto at = tasks.begin(); at != tasks.end();) {
        const bool of_use = std::any_of(at->second.returns.begin(), at->second.returns.end(),
                                        [this](uint64_t made) { return NeedsMaker(made); });
        if (!of_use) released.insert(at->first);
        at = of_use ? std::next(at) : tasks.erase(at);
        changed |= !of_use;
      }
    }
  }
  void Evict(uint64_t bytes_max) {
    while (bytes() > bytes_max) {
      const auto oldest = std::min_element(
          tasks.begin(), tasks.end(),
          [](const auto& a, const auto& b) { return a.second.age < b.second.age; });
      released.insert(oldest->first);
      tasks.erase(oldest);
    }
    LetGo();
  }
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const auto& [id, task] : tasks) sum += task.bytes;
    return sum;
  }
  bool IsNeeded(uint64_t object) const {
    return std::any_of(tasks.begin(), tasks.end(), [object](const auto& task) {
      const std::vector<uint64_t>& arguments = task.second.arguments;
      return std::count(arguments.begin(), arguments.end(), object) > 0;
    });
  }
  bool InScope(uint64_t object) const { return in_scope.count(object) > 0; }
  bool NeedsMaker(uint64_t object) const {
    return (InScope(object) || IsNeeded(object)) && persisted.count(object) == 0;
  }
  const Made* MakerOf(uint64_t object) const {
    for (const auto& [id, task] : tasks) {
      if (std::count(task.returns.begin(), task.returns.end(), object) > 0) return &task;
    }
    return nullptr;
  }

  std::map<uint64_t, Made> tasks;  // kept
  std::set<uint64_t> in_scope;
  std::set<uint64_t> persisted;
  std::map<uint64_t, uint32_t> generations;
  std::set<uint64_t> released;
};

class Comparison {
 public:
  Comparison(uint64_t seed, uint64_t bytes_max)
      : random_(seed), bytes_max_(bytes_max), table_(bytes_max) {}

  void Step() {
    const uint64_t draw = random_.Next() % 10;
    if (draw < 4) {
      Record();
    } else if (draw < 8) {
      End();
    } else if (draw < 9) {
      Resubmit();
    } else if (random_.Next() % 2 == 0) {
      Revive();
    } else {
      PersistOrFree();
    }
    Compare();
  }
  void Finish() {
    while (!model_.in_scope.empty()) {
      End();
      Compare();
    }
    EXPECT_TRUE(table_.empty());
    EXPECT_EQ(forgotten_.size(), objects_);
  }

 private:
  uint64_t Below(uint64_t end) { return random_.Next() % end; }
  uint64_t AnyInScope() {
    if (model_.in_scope.empty()) return 0;
    auto at = model_.in_scope.begin();
    std::advance(at, static_cast<ptrdiff_t>(Below(model_.in_scope.size())));
    return *at;
  }
  void Record() {
    Model::Made made;
    const uint64_t arguments = Below(4);
    for (uint64_t i = 0; i < arguments; ++i) {
      if (const uint64_t object = AnyInScope(); object != 0) made.arguments.push_back(object);
    }
    const uint64_t returns = 1 + Below(3);
    for (uint64_t i = 0; i < returns; ++i) made.returns.push_back(++objects_);
    made.bytes = Below(20);
    made.retries = Below(4) == 0 ? static_cast<uint32_t>(Below(3)) : kRetriesUnlimited;
    made.age = ++age_;
    const uint64_t id = ++ids_;
    ASSERT_EQ(table_.Record(id, made.arguments, made.returns, made.bytes, made.retries),
              LineageVerdict::kOk);
    if (made.retries == 0) made.arguments.clear();
    for (const uint64_t object : made.returns) model_.in_scope.insert(object);
    model_.tasks[id] = made;
    model_.Evict(bytes_max_);
  }
  void End() {
    const uint64_t object = AnyInScope();
    if (object == 0) return;
    model_.in_scope.erase(object);
    model_.LetGo();
    ASSERT_EQ(table_.End(object, model_.generations[object]), LineageVerdict::kOk);
  }
  void Resubmit() {
    const uint64_t id = 1 + Below(ids_ + 1);
    const auto found = model_.tasks.find(id);
    LineageVerdict expected = LineageVerdict::kOk;
    if (found == model_.tasks.end()) {
      expected = LineageVerdict::kNotFound;
    } else if (found->second.retries == 0) {
      expected = LineageVerdict::kNoRetries;
    }
    ASSERT_EQ(table_.Resubmit(id), expected);
    if (expected != LineageVerdict::kOk) return;
    found->second.age = ++age_;
    if (found->second.retries == kRetriesUnlimited) return;
    if (--found->second.retries == 0) found->second.arguments.clear();
    model_.LetGo();
  }
  // For a task that needs it.
  void Revive() {
    if (objects_ == 0) return;
    const uint64_t object = 1 + Below(objects_);
    const bool persisted = model_.persisted.count(object) > 0;
    if (model_.InScope(object) || (model_.MakerOf(object) == nullptr && !persisted)) return;
    if (!model_.IsNeeded(object)) return;
    model_.in_scope.insert(object);
    ASSERT_EQ(table_.Revive(object, ++model_.generations[object]), LineageVerdict::kOk);
  }
  // The value is freed, or recreated and persisted.
  void PersistOrFree() {
    const uint64_t object = AnyInScope();
    if (object == 0) return;
    if (random_.Next() % 3 == 0) {
      model_.persisted.erase(object);
      ASSERT_EQ(table_.Free(object, model_.generations[object]), LineageVerdict::kOk);
      ++model_.generations[object];
      return;
    }
    const bool is_new = model_.persisted.insert(object).second;
    model_.LetGo();
    ASSERT_EQ(table_.Persist(object, model_.generations[object]),
              is_new ? LineageVerdict::kOk : LineageVerdict::kUnchanged);
  }
  void Compare() {
    for (const TaskId& id : table_.TakeReleased()) {
      const bool fresh = std::find(told_.begin(), told_.end(), id) == told_.end();
      EXPECT_TRUE(fresh);
      told_.push_back(id);
    }
    ASSERT_EQ(told_.size(), model_.released.size());
    for (uint64_t id = 1; id <= ids_; ++id) {
      ASSERT_EQ(table_.IsKept(id), model_.tasks.count(id) > 0) << "task " << id;
    }
    for (const ObjectId& id : table_.TakeForgotten()) EXPECT_TRUE(forgotten_.insert(id).second);
    ASSERT_EQ(table_.table.counters().bytes, model_.bytes());
    for (uint64_t object = 1; object <= objects_; ++object) {
      const Model::Made* maker = model_.MakerOf(object);
      const bool known = model_.InScope(object) || model_.IsNeeded(object) || maker != nullptr;
      ASSERT_EQ(forgotten_.count(Object(object)) == 0, known) << "object " << object;
      if (!known) continue;
      const bool persisted = model_.persisted.count(object) > 0;
      const Recovery expected = persisted             ? Recovery::kPersisted
                                : maker == nullptr    ? Recovery::kEvicted
                                : maker->retries == 0 ? Recovery::kNoRetries
                                                      : Recovery::kPossible;
      ASSERT_EQ(table_.CanRecover(object), expected) << "object " << object;
    }
  }

  internal::SplitMix64 random_;
  const uint64_t bytes_max_;
  LineageHarness table_;
  Model model_;
  std::vector<TaskId> told_;
  std::set<ObjectId> forgotten_;
  uint64_t objects_ = 0;
  uint64_t ids_ = 0;
  uint64_t age_ = 0;
};

TEST(LineageModel, TableAgreesWithAModelThatLooksAtEverything) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Comparison comparison(seed, seed % 2 == 0 ? 100 : UINT64_MAX);
    for (int step = 0; step < 80; ++step) {
      comparison.Step();
      if (HasFatalFailure()) return;
    }
    comparison.Finish();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace freehold::core
