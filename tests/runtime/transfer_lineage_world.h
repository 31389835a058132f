// The world of the tests of lineage that gets another owner: what it tells its hosts is noted.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_TRANSFER_LINEAGE_WORLD_H_
#define FREEHOLD_TESTS_RUNTIME_TRANSFER_LINEAGE_WORLD_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "freehold/callback_executor.h"
#include "freehold/drain.h"
#include "freehold/lineage.h"
#include "gmock/gmock.h"
#include "tests/runtime/transfer_world.h"

namespace freehold {

class TransferLineage : public TransferTest {
 protected:
  static constexpr char kGone[] = "FAILED_PRECONDITION, gone";

  static TaskId Task(uint64_t number) { return TaskId::FromNumber(number); }
  // Of a small number: two digits.
  template <typename AnyId>
  static std::string Short(const AnyId& id) {
    return id.ToHex().substr(40, 2);
  }
  explicit TransferLineage(std::shared_ptr<CallbackExecutor> executor = nullptr,
                           uint64_t bytes_max = ReferenceCounterOptions().lineage_bytes_max)
      : TransferTest(Options(this, std::move(executor), bytes_max)) {}
  static ReferenceCounterOptions Options(TransferLineage* test,
                                         std::shared_ptr<CallbackExecutor> executor,
                                         uint64_t bytes_max) {
    ReferenceCounterOptions options;
    options.executor = std::move(executor);
    options.lineage_bytes_max = bytes_max;
    options.on_persist = [](const ObjectId&, uint32_t) {};  // whoever asked for it answers
    options.on_lineage_taken = [test](const TaskId& task, const ProcessId& from) {
      test->taken.push_back(Short(task) + " of " + Short(from));
      test->told.push_back("+" + Short(task));
      if (test->drains_when_taken != 0) test->Drain(test->drains_when_taken);
    };
    options.on_lineage_released = [test](const std::vector<TaskId>& tasks) {
      if (test->drains_when_released != 0) test->Drain(test->drains_when_released);
      for (const TaskId& task : tasks) {
        test->released.push_back(Short(task));
        test->told.push_back("-" + Short(task));
      }
    };
    return options;
  }
  // What the task of the same number makes of `arguments`.
  ObjectRef Make(uint64_t process, uint64_t object, const std::vector<uint64_t>& arguments) {
    ObjectRef ref = world.Declare(process, object);
    Record(process, object, arguments, {object});
    return ref;
  }
  void Record(uint64_t process, uint64_t task, const std::vector<uint64_t>& arguments,
              const std::vector<uint64_t>& returns, uint32_t retries = kRetriesUnlimited,
              uint64_t spec_bytes = 0) {
    LineageTask recorded;
    recorded.id = Task(task);
    recorded.spec_bytes = spec_bytes;
    for (const uint64_t argument : arguments) recorded.arguments.push_back(Object(argument));
    for (const uint64_t made : returns) recorded.returns.push_back(Object(made));
    recorded.retries = retries;
    const absl::Status status = Lineage(world[process]).Record(recorded);
    ASSERT_TRUE(status.ok()) << status;
  }
  void Give(const std::vector<uint64_t>& objects, uint64_t from, uint64_t to) {
    answers.clear();
    for (const uint64_t object : objects) Transfer(object, from, to);
    Settle();
    EXPECT_EQ(answers, std::vector<std::string>(objects.size(), "ok"));
  }
  Recovery CanRecover(uint64_t process, uint64_t object) {
    return Lineage(world[process]).CanRecover(Object(object));
  }
  // The objects that are missing, to be made by tasks of their own.
  std::vector<std::string> Resubmit(uint64_t process, uint64_t task) {
    auto again = Lineage(world[process]).Resubmit(Task(task));
    if (!again.ok()) return {NameOf(again.status())};
    std::vector<std::string> missing;
    for (const ObjectId& object : again->missing) missing.push_back(Short(object));
    resubmitted.push_back(*std::move(again));
    return missing;
  }
  // It takes nothing from now on.
  void Drain(uint64_t process) {
    (void)world[process].Drain({Duration::zero(), nullptr, ProcessId(), 0});
  }
  void Free(uint64_t process, uint64_t object) {
    const ObjectId id = Object(object);
    ASSERT_TRUE(world[process].Free({&id, 1}).ok());
    Settle();
  }
  void ExpectNoLineage() {
    resubmitted.clear();
    ExpectNothingLeft();
    for (const auto& [number, counter] : world.counters) {
      const ReferenceCounterStats stats = counter->GetStats();
      EXPECT_EQ(stats.lineage_tasks, 0u) << "process " << number;
      EXPECT_EQ(stats.lineage_objects, 0u) << "process " << number;
    }
  }

  uint64_t drains_when_taken = 0;  // a process; 0: none
  uint64_t drains_when_released = 0;
  std::vector<std::string> taken;
  std::vector<std::string> released;
  std::vector<std::string> told;  // of both, in order
  std::vector<Resubmission> resubmitted;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_TRANSFER_LINEAGE_WORLD_H_
