// StateChains for tests: numbers as names, calls recorded in one go, and every invariant checked
// while what is to be let go of is worked off, one object at a time.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_CORE_STATE_CHAINS_TESTING_H_
#define FREEHOLD_TESTS_CORE_STATE_CHAINS_TESTING_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "src/core/state_chains.h"
#include "tests/core/lineage_testing.h"

namespace freehold::core {

// What a walk came to, in the order of running.
struct Found {
  Recovery recovery;
  uint64_t state;
  std::vector<TaskId> calls;
  friend bool operator==(const Found& a, const Found& b) {
    return a.recovery == b.recovery && a.state == b.state && a.calls == b.calls;
  }
};

inline std::vector<TaskId> Tasks(const std::vector<uint64_t>& numbers) {
  std::vector<TaskId> ids;
  for (const uint64_t number : numbers) ids.push_back(Task(number));
  return ids;
}
inline Found Possible(uint64_t state, const std::vector<uint64_t>& calls) {
  return {Recovery::kPossible, state, Tasks(calls)};
}

class ChainHarness {
 public:
  explicit ChainHarness(uint64_t bytes_max = UINT64_MAX) : lineage(bytes_max) {}

  LineageVerdict Open(uint64_t stateful, bool restartable = true) {
    return chains.Step(event::OpenStateful{Task(stateful), restartable});
  }
  LineageVerdict Call(uint64_t stateful, uint64_t call, const std::vector<uint64_t>& arguments,
                      const std::vector<uint64_t>& returns, uint64_t bytes = 1,
                      uint32_t retries = kRetriesUnlimited) {
    LineageVerdict verdict =
        chains.Step(event::BeginCall{Task(stateful), Task(call), bytes, retries});
    if (verdict != LineageVerdict::kOk) return verdict;
    verdict = table().Step(event::AddReturns{Task(call), Objects(returns)});
    if (verdict == LineageVerdict::kOk) {
      verdict = table().Step(event::AddArguments{Task(call), Objects(arguments)});
    }
    (void)chains.Step(event::EndCall{Task(stateful), Task(call), verdict == LineageVerdict::kOk},
                      &lineage.effects);
    Work();
    return verdict;
  }
  LineageVerdict Checkpoint(uint64_t stateful, uint64_t state) {
    return Worked(chains.Step(event::Checkpointed{Task(stateful), state}, &lineage.effects));
  }
  LineageVerdict NotRestartable(uint64_t stateful) {
    return Worked(chains.Step(event::SetNotRestartable{Task(stateful)}, &lineage.effects));
  }
  LineageVerdict EndTask(uint64_t stateful) {
    return Worked(chains.Step(event::EndStateful{Task(stateful)}, &lineage.effects));
  }
  LineageVerdict End(uint64_t object) {
    return Worked(table().Step(event::ReturnEnded{Object(object), 0}, &lineage.effects));
  }
  LineageVerdict Resubmit(uint64_t call, bool ok = true) {
    const LineageVerdict verdict = table().Step(event::BeginResubmit{Task(call)});
    if (verdict != LineageVerdict::kOk) return verdict;
    (void)table().Step(event::EndResubmit{Task(call), ok}, &lineage.effects);
    return Worked(verdict);
  }
  std::optional<Found> To(uint64_t object) const { return Walked(chains.WalkTo(Object(object))); }
  std::optional<Found> ToLatest(uint64_t stateful) const {
    return Walked(chains.WalkToLatest(Task(stateful)));
  }
  void Work() {
    chains.CheckInvariants();
    for (bool more = true; more;) {
      uint64_t budget = 1;
      more = chains.Work(&budget, &lineage.effects);
      chains.CheckInvariants();
    }
  }
  LineageTable& table() { return lineage.table; }
  bool IsKept(uint64_t call) const { return lineage.IsKept(call); }
  Recovery CanRecover(uint64_t object) const { return lineage.CanRecover(object); }
  std::vector<TaskId> TakeReleased() { return lineage.TakeReleased(); }
  bool empty() const { return lineage.empty() && chains.size() == 0 && chains.states() == 0; }

  LineageHarness lineage;
  StateChains chains{&lineage.table};

 private:
  LineageVerdict Worked(LineageVerdict verdict) {
    Work();
    return verdict;
  }
  std::optional<Found> Walked(std::optional<StateChains::Walk> walk) const {
    if (!walk.has_value()) return std::nullopt;
    while (chains.Go(&*walk, 2)) {
    }
    if (walk->recovery != Recovery::kPossible) walk->calls.clear();
    return Found{walk->recovery, walk->at.number, {walk->calls.rbegin(), walk->calls.rend()}};
  }
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_STATE_CHAINS_TESTING_H_
