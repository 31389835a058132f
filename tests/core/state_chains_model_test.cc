// StateChains and their LineageTable at random, against a model that looks at everything.

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/random.h"
#include "tests/core/state_chains_testing.h"

namespace freehold::core {
namespace {

struct Made {
  uint64_t stateful = 0;  // 0: a task without state
  uint64_t number = 0;    // of the state that it makes
  bool takes_state = false;
  std::vector<uint64_t> arguments, returns;
  uint64_t bytes = 0;
  uint32_t retries = 0;
  uint64_t age = 0;
};

struct Stateful {
  uint64_t latest = 0;
  bool ended = false;
  bool restartable = true;
  std::set<uint64_t> checkpoints;  // ever made
};

class Model {
 public:
  const Made* CallOf(uint64_t stateful, uint64_t number) const {
    for (const auto& [id, task] : tasks) {
      if (task.stateful == stateful && task.number == number) return &task;
    }
    return nullptr;
  }
  // Something needs that state, however it is had.
  bool IsUsed(uint64_t stateful, uint64_t number) const {
    const Stateful& of = statefuls.at(stateful);
    if (!of.restartable || number == 0) return false;
    if (number == of.latest && !of.ended) return true;
    const Made* next = CallOf(stateful, number + 1);
    return next != nullptr && next->takes_state;
  }
  bool IsNeeded(uint64_t object) const {
    return std::any_of(tasks.begin(), tasks.end(), [object](const auto& task) {
      const std::vector<uint64_t>& arguments = task.second.arguments;
      return std::count(arguments.begin(), arguments.end(), object) > 0;
    });
  }
  bool IsOfUse(const Made& task) const {
    if (task.stateful != 0 && IsUsed(task.stateful, task.number) &&
        statefuls.at(task.stateful).checkpoints.count(task.number) == 0) {
      return true;
    }
    return std::any_of(task.returns.begin(), task.returns.end(), [this](uint64_t made) {
      return in_scope.count(made) > 0 || IsNeeded(made);
    });
  }
  // What is kept, by the definition; what is not goes.
  void LetGo() {
    for (bool changed = true; changed;) {
      changed = false;
      for (auto at = tasks.begin(); at != tasks.end();) {
        const bool goes = !IsOfUse(at->second);
        if (goes) released.insert(at->first);
        at = goes ? tasks.erase(at) : std::next(at);
        changed |= goes;
      }
    }
  }
  void LetGoOf(uint64_t stateful, uint64_t number) {
    for (auto at = tasks.begin(); at != tasks.end(); ++at) {
      if (at->second.stateful != stateful || at->second.number != number) continue;
      if (IsOfUse(at->second)) return;
      released.insert(at->first);
      tasks.erase(at);
      return;
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
  void Forbid(uint64_t stateful) {
    statefuls[stateful].restartable = false;
    for (auto at = tasks.begin(); at != tasks.end();) {
      const bool goes = at->second.stateful == stateful;
      if (goes) released.insert(at->first);
      at = goes ? tasks.erase(at) : std::next(at);
    }
    LetGo();
  }
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const auto& [id, task] : tasks) sum += task.bytes;
    return sum;
  }
  std::set<uint64_t> StatesOf(uint64_t stateful) const {
    std::set<uint64_t> states;
    for (uint64_t number = 1; number <= statefuls.at(stateful).latest; ++number) {
      if (IsUsed(stateful, number) || CallOf(stateful, number) != nullptr) states.insert(number);
    }
    return states;
  }
  Found Walk(uint64_t stateful, uint64_t number, std::vector<uint64_t> calls) const {
    for (; number > 0 && statefuls.at(stateful).checkpoints.count(number) == 0; --number) {
      const Made* call = CallOf(stateful, number);
      if (call == nullptr) return {Recovery::kEvicted, number, {}};
      if (call->retries == 0) return {Recovery::kNoRetries, number, {}};
      for (const auto& [id, task] : tasks) {
        if (&task == call) calls.insert(calls.begin(), id);
      }
    }
    return Possible(number, calls);
  }

  std::map<uint64_t, Made> tasks;  // kept
  std::map<uint64_t, Stateful> statefuls;
  std::set<uint64_t> in_scope;
  std::set<uint64_t> released;
};

class Comparison {
 public:
  Comparison(uint64_t seed, uint64_t bytes_max)
      : random_(seed), bytes_max_(bytes_max), table_(bytes_max) {
    for (uint64_t stateful = kFirst; stateful < kFirst + 2; ++stateful) {
      EXPECT_EQ(table_.Open(stateful), LineageVerdict::kOk);
      model_.statefuls[stateful];
    }
  }
  void Step() {
    const uint64_t draw = Below(40);
    if (draw < 4) {
      Record(/*stateful=*/0);
    } else if (draw < 16) {
      Record(AnyStateful());
    } else if (draw < 30) {
      End();
    } else if (draw < 34) {
      Checkpoint();
    } else if (draw < 37) {
      Resubmit();
    } else if (draw < 38) {
      Abandon();
    } else if (random_.Next() % 3 == 0) {
      EndOrForbid(draw == 38);
    }
    Compare();
  }
  void Finish() {
    for (auto& [stateful, of] : model_.statefuls) {
      if (!of.ended) EndStateful(stateful);
    }
    while (!model_.in_scope.empty() && !::testing::Test::HasFatalFailure()) {
      End();
      Compare();
    }
    EXPECT_TRUE(table_.empty());
  }

 private:
  static constexpr uint64_t kFirst = 1'000'001;

  uint64_t Below(uint64_t end) { return random_.Next() % end; }
  uint64_t AnyStateful() { return kFirst + Below(2); }
  uint64_t AnyInScope() {
    if (model_.in_scope.empty()) return 0;
    auto at = model_.in_scope.begin();
    std::advance(at, static_cast<ptrdiff_t>(Below(model_.in_scope.size())));
    return *at;
  }
  // It is forgotten when it has ended and nothing of it is left.
  bool IsKnown(uint64_t stateful) const {
    const Stateful& of = model_.statefuls.at(stateful);
    return !of.ended || !model_.StatesOf(stateful).empty();
  }
  void Record(uint64_t stateful) {
    Made made;
    for (uint64_t i = Below(3); i > 0; --i) {
      if (const uint64_t object = AnyInScope(); object != 0) made.arguments.push_back(object);
    }
    const uint64_t first = objects_ + 1;
    for (uint64_t i = Below(3) + (stateful == 0 ? 1 : 0); i > 0; --i) {
      made.returns.push_back(++objects_);
    }
    made.bytes = Below(20);
    made.retries = Below(6) == 0 ? static_cast<uint32_t>(Below(3)) : kRetriesUnlimited;
    const uint64_t id = ++ids_;
    if (stateful == 0) {
      ASSERT_EQ(table_.lineage.Record(id, made.arguments, made.returns, made.bytes, made.retries),
                LineageVerdict::kOk);
      table_.Work();
    } else {
      const Stateful& of = model_.statefuls.at(stateful);
      const LineageVerdict expected = !of.ended           ? LineageVerdict::kOk
                                      : IsKnown(stateful) ? LineageVerdict::kEnded
                                                          : LineageVerdict::kNotFound;
      ASSERT_EQ(table_.Call(stateful, id, made.arguments, made.returns, made.bytes, made.retries),
                expected);
      if (expected != LineageVerdict::kOk) {
        objects_ = first - 1;
        return;
      }
    }
    for (const uint64_t object : made.returns) model_.in_scope.insert(object);
    Keep(stateful, id, std::move(made));
  }
  void Keep(uint64_t stateful, uint64_t id, Made made) {
    made.age = ++age_;
    made.stateful = stateful;
    if (stateful != 0) {
      Stateful& of = model_.statefuls[stateful];
      made.number = ++of.latest;
      made.takes_state = made.number > 1 && made.retries > 0;
      if (!of.restartable) {
        forbidden_.insert(made.returns.begin(), made.returns.end());
        model_.released.insert(id);
        return;
      }
    }
    if (made.retries == 0) made.arguments.clear();
    model_.tasks[id] = std::move(made);
    // What the call before is needed for no more goes first, and then what there is no room for.
    if (stateful != 0) model_.LetGoOf(stateful, model_.statefuls[stateful].latest - 1);
    model_.Evict(bytes_max_);
  }
  // A call that returns what another one made.
  void Abandon() {
    uint64_t made = 0;
    for (const auto& [id, task] : model_.tasks) {
      if (!task.returns.empty()) made = task.returns.front();
    }
    const uint64_t stateful = AnyStateful();
    if (made == 0 || model_.statefuls.at(stateful).ended) return;
    ASSERT_EQ(table_.Call(stateful, ++ids_, {}, {made}), LineageVerdict::kAlreadyExists);
  }
  void End() {
    const uint64_t object = AnyInScope();
    if (object == 0) return;
    model_.in_scope.erase(object);
    model_.LetGo();
    ASSERT_EQ(table_.End(object), LineageVerdict::kOk);
  }
  void Checkpoint() {
    const uint64_t stateful = AnyStateful();
    Stateful& of = model_.statefuls[stateful];
    const uint64_t state = Below(of.latest + 2);
    LineageVerdict expected = LineageVerdict::kOk;
    const bool is_known = IsKnown(stateful);
    if (is_known && !of.restartable) {
      expected = LineageVerdict::kNotRestartable;
    } else if (!is_known || !model_.IsUsed(stateful, state)) {
      expected = LineageVerdict::kNotFound;
    } else if (of.checkpoints.count(state) > 0) {
      expected = LineageVerdict::kUnchanged;
    }
    ASSERT_EQ(table_.Checkpoint(stateful, state), expected) << state;
    if (expected != LineageVerdict::kOk) return;
    of.checkpoints.insert(state);
    model_.LetGo();
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
  void EndOrForbid(bool end) {
    const uint64_t stateful = AnyStateful();
    Stateful& of = model_.statefuls[stateful];
    if (end && !of.ended) return EndStateful(stateful);
    if (!IsKnown(stateful) || !of.restartable) return;
    for (const auto& [id, task] : model_.tasks) {
      if (task.stateful == stateful) forbidden_.insert(task.returns.begin(), task.returns.end());
    }
    model_.Forbid(stateful);
    ASSERT_EQ(table_.NotRestartable(stateful), LineageVerdict::kOk);
  }
  void EndStateful(uint64_t stateful) {
    model_.statefuls[stateful].ended = true;
    model_.LetGo();
    ASSERT_EQ(table_.EndTask(stateful), LineageVerdict::kOk);
    Compare();
  }
  void Compare() {
    for (const TaskId& id : table_.TakeReleased()) told_.push_back(id);
    ASSERT_EQ(told_.size(), model_.released.size());
    for (uint64_t id = 1; id <= ids_; ++id) {
      ASSERT_EQ(table_.IsKept(id), model_.tasks.count(id) > 0) << "task " << id;
    }
    ASSERT_EQ(table_.table().counters().bytes, model_.bytes());
    for (const ObjectId& id : table_.lineage.TakeForgotten()) {
      ASSERT_FALSE(StateOf(id).has_value());
    }
    for (const auto& [stateful, of] : model_.statefuls) CompareStateful(stateful, of);
    for (const auto& [id, task] : model_.tasks) {
      for (const uint64_t made : task.returns) {
        if (task.retries == 0) continue;
        const std::optional<Found> expected =
            task.stateful == 0 ? std::nullopt
                               : std::optional(model_.Walk(task.stateful, task.number - 1, {id}));
        ASSERT_EQ(table_.To(made), expected) << "object " << made;
      }
    }
    for (const uint64_t object : model_.in_scope) {
      ASSERT_EQ(table_.CanRecover(object) == Recovery::kNotRestartable,
                forbidden_.count(object) > 0)
          << "object " << object;
    }
  }
  void CompareStateful(uint64_t stateful, const Stateful& of) {
    const std::set<uint64_t> states = model_.StatesOf(stateful);
    ASSERT_EQ(table_.chains.CountStates(Task(stateful)), states.size());
    ASSERT_EQ(table_.chains.LatestOf(Task(stateful)).has_value(), IsKnown(stateful));
    std::vector<uint64_t> checkpoints;
    for (const uint64_t checkpoint : of.checkpoints) {
      if (model_.IsUsed(stateful, checkpoint)) checkpoints.push_back(checkpoint);
    }
    ASSERT_EQ(table_.chains.Checkpoints(Task(stateful), 0, 1'000), checkpoints);
    if (of.ended || !of.restartable) {
      ASSERT_EQ(table_.ToLatest(stateful), std::nullopt);
    } else {
      ASSERT_EQ(table_.ToLatest(stateful), model_.Walk(stateful, of.latest, {}));
    }
  }

  internal::SplitMix64 random_;
  const uint64_t bytes_max_;
  ChainHarness table_;
  Model model_;
  std::vector<TaskId> told_;
  std::set<uint64_t> forbidden_;
  uint64_t objects_ = 0;
  uint64_t ids_ = 0;
  uint64_t age_ = 0;
};

TEST(StateChainsModel, ChainsAgreeWithAModelThatLooksAtEverything) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Comparison comparison(seed, seed % 2 == 0 ? 100 : UINT64_MAX);
    for (int step = 0; step < 100; ++step) {
      comparison.Step();
      if (HasFatalFailure()) return;
    }
    comparison.Finish();
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace freehold::core
