// A LineageTable for tests: numbers as names, tasks recorded in one call, and every invariant
// checked while what is to be let go of is worked off, one object at a time.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_CORE_LINEAGE_TESTING_H_
#define FREEHOLD_TESTS_CORE_LINEAGE_TESTING_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "src/core/lineage_table.h"

namespace freehold::core {

inline ObjectId Object(uint64_t number) { return ObjectId::FromNumber(number); }
inline TaskId Task(uint64_t number) { return TaskId::FromNumber(number); }

inline std::vector<ObjectId> Objects(const std::vector<uint64_t>& numbers) {
  std::vector<ObjectId> ids;
  for (const uint64_t number : numbers) ids.push_back(Object(number));
  return ids;
}

class LineageHarness {
 public:
  explicit LineageHarness(uint64_t bytes_max = UINT64_MAX) : table(bytes_max) {}

  LineageVerdict Record(uint64_t task, const std::vector<uint64_t>& arguments,
                        const std::vector<uint64_t>& returns, uint64_t bytes = 1,
                        uint32_t retries = kRetriesUnlimited) {
    LineageVerdict verdict = table.Step(event::BeginTask{Task(task), bytes, retries});
    if (verdict != LineageVerdict::kOk) return verdict;
    verdict = table.Step(event::AddReturns{Task(task), Objects(returns)});
    if (verdict == LineageVerdict::kOk) {
      verdict = table.Step(event::AddArguments{Task(task), Objects(arguments)});
    }
    if (verdict == LineageVerdict::kOk) {
      (void)table.Step(event::EndTask{Task(task)}, &effects);
    } else {
      (void)table.Step(event::AbandonTask{Task(task)});
    }
    Work();
    return verdict;
  }
  LineageVerdict End(uint64_t object, uint32_t generation = 0) {
    const LineageVerdict verdict =
        table.Step(event::ReturnEnded{Object(object), generation}, &effects);
    Work();
    return verdict;
  }
  LineageVerdict Revive(uint64_t object, uint32_t generation) {
    const LineageVerdict verdict = table.Step(event::ReturnRevived{Object(object), generation});
    Work();
    return verdict;
  }
  LineageVerdict Resubmit(uint64_t task, bool ok = true) {
    LineageVerdict verdict = table.Step(event::BeginResubmit{Task(task)});
    if (verdict != LineageVerdict::kOk) return verdict;
    while (ok && table.Need(Task(task), 1)) {
    }
    verdict = table.Step(event::EndResubmit{Task(task), ok}, &effects);
    Work();
    return verdict;
  }
  LineageVerdict Persist(uint64_t object, uint32_t generation = 0) {
    const LineageVerdict verdict =
        table.Step(event::ReturnPersisted{Object(object), generation}, &effects);
    Work();
    return verdict;
  }
  LineageVerdict Free(uint64_t object, uint32_t generation = 0) {
    const LineageVerdict verdict = table.Step(event::ReturnFreed{Object(object), generation});
    Work();
    return verdict;
  }
  // Goes through what waits, one object at a time.
  void Work() {
    table.CheckInvariants();
    for (bool more = true; more;) {
      uint64_t budget = 1;
      more = table.Work(&budget, &effects);
      table.CheckInvariants();
    }
  }
  bool IsKept(uint64_t task) const { return table.IsKept(Task(task)); }
  Recovery CanRecover(uint64_t object) const { return table.CanRecover(Object(object)); }
  // Since the last call.
  std::vector<TaskId> TakeReleased() { return std::exchange(effects.released, {}); }
  std::vector<ObjectId> TakeForgotten() { return std::exchange(effects.to_forget, {}); }
  bool empty() const {
    return table.tasks() == 0 && table.objects() == 0 && table.counters().bytes == 0;
  }

  LineageTable table;
  LineageEffects effects;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_LINEAGE_TESTING_H_
