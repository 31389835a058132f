// A counter whose host is asked to persist values, for tests.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_PERSIST_TESTING_H_
#define FREEHOLD_TESTS_RUNTIME_PERSIST_TESTING_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "freehold/lineage.h"
#include "gtest/gtest.h"
#include "tests/runtime/scope_testing.h"

namespace freehold {

inline TaskId Task(uint64_t number) { return TaskId::FromNumber(number); }

class PersistWorld {
 public:
  struct Said {
    ObjectId object;
    absl::Status status;
  };

  explicit PersistWorld(ReferenceCounterOptions options = {}) {
    options.on_persist = [this](const ObjectId& object, uint32_t generation) {
      asked.emplace_back(object, generation);
      if (on_asked) on_asked(object, generation);
    };
    options.on_lineage_released = [this](const std::vector<TaskId>& tasks) {
      released.insert(released.end(), tasks.begin(), tasks.end());
    };
    world = std::make_unique<CounterWorld>(3, options);
    lineage = std::make_unique<Lineage>(*world->counter);
    scope = *world->counter->OpenScope();
  }
  // An object of the scope on node 1 that the task made of `arguments`.
  ObjectRef Make(uint64_t task, const std::vector<uint64_t>& arguments,
                 const std::vector<uint64_t>& returns, uint64_t bytes = 1) {
    ObjectRef last;
    LineageTask recorded;
    recorded.id = Task(task);
    recorded.spec_bytes = bytes;
    for (const uint64_t argument : arguments) recorded.arguments.push_back(Object(argument));
    for (const uint64_t object : returns) {
      auto ref = world->counter->Declare(Object(object), In(scope));
      EXPECT_TRUE(ref.ok()) << ref.status();
      world->AddCopy(object, 1, true);
      recorded.returns.push_back(Object(object));
      last = *std::move(ref);
      others.push_back(last);
    }
    others.pop_back();
    world->Settle();
    const absl::Status status = lineage->Record(recorded);
    EXPECT_TRUE(status.ok()) << status;
    return last;
  }
  PersistedCallback Done() {
    return [this](const ObjectId& object, const absl::Status& status) {
      said.push_back({object, status});
    };
  }
  BatchResult Keep(uint64_t object) {
    return scope.Keep({Object(object)}, KeepMode::kPersist, Done());
  }
  absl::Status Answer(uint64_t object, uint32_t generation = 0,
                      const absl::Status& written = absl::OkStatus()) const {
    return lineage->Persisted(Object(object), generation, written);
  }
  void Settle() const {
    world->Settle();
    world->RunCallbacks();
  }
  uint64_t pending() const { return world->counter->GetStats().persists_pending; }
  uint64_t tasks() const { return world->counter->GetStats().lineage_tasks; }

  std::vector<std::pair<ObjectId, uint32_t>> asked;
  std::function<void(const ObjectId&, uint32_t)> on_asked;
  std::vector<Said> said;
  std::vector<TaskId> released;
  std::vector<ObjectRef> others;
  std::unique_ptr<CounterWorld> world;
  std::unique_ptr<Lineage> lineage;
  Scope scope;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_PERSIST_TESTING_H_
