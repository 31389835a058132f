// Processes that drain before they leave, in a simulated world, and idle workers that are retired.
//
// The host of one that drains asks the library from time to time, without waiting, and leaves as
// soon as nothing is in the way. Then nobody has lost anything: what it owned is owned elsewhere or
// has gone, and as a former owner it explains nothing that fails.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_DRAIN_H_
#define FREEHOLD_SRC_TESTING_SIM_DRAIN_H_

#include <optional>

#include "freehold/reference_counter_options.h"
#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// Excluded, and not because it has drained.
inline bool HasDied(const Process& process) {
  return process.excluded_by != 0 && !process.drain.complete;
}
// For this end, everybody has dealt with that.
inline bool PastDeath(const End& end, const Process& process) {
  return end.PastBarrier(process) && !process.drain.complete;
}

// "P drains", "P drains to P", "P goes on". False: it makes no sense here.
bool ActDrain(Oracle* oracle, State* state, const Action& action, Process* process);
// "retire beyond I to P": so many workers stay, idle ones beyond them drain to that process. False:
// none of them may go.
bool ActRetire(Oracle* oracle, State* state, const Numbers& n);

// It would be owned by the process that does that.
bool DeclaresItsOwn(Verb verb);
// Such an action of a process that drains. False: it makes no sense here.
bool IsRefusedDraining(Oracle* oracle, State* state, Process* process, const Action& action);

// Its host asks some more times what is in the way.
void AskAgain(SimDrain* drain);
// What its host does when it has been pumped. True: it is to leave now.
bool StepProcessDrain(Oracle* oracle, State* state, Process* process);
// It has left: what its library says of that.
void CheckLeaves(Oracle* oracle, const Process& process, const ShutdownReport& report);
// It is gone, with its drain.
void EndDrain(State* state, Process* process);
// At the end: nothing was in its way any more.
void CheckDrainEnds(Oracle* oracle, const Process& process);

// "expect P drained", "expect P not drained", "expect P waits for E". Empty: it makes no sense
// here.
std::optional<bool> IsAsExpected(const State& state, const Action& action);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_DRAIN_H_
