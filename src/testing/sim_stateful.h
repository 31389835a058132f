// Stateful tasks, in a simulated world: hosts say which calls make which objects, of which states
// there are checkpoints, and when it all ends.
//
// What must be run again for an object, and which calls are kept for that, is the oracle's to say,
// from what hosts did.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_STATEFUL_H_
#define FREEHOLD_SRC_TESTING_SIM_STATEFUL_H_

#include <cstdint>
#include <vector>

#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// Of a task with a state, or of a call, which has the number of what it makes.
TaskId TaskIdOf(int64_t number);

// False: it makes no sense here.
bool ActStateful(Oracle* oracle, State* state, const Action& action, Process* process);

// --- Of an object that a call made, or any other -------------------------------------------------

// Its call will not run again.
bool IsForbidden(const State& state, const Object& object);
// It made the latest state of a task that runs, of which there is no checkpoint.
bool MadeLatest(const State& state, const Object& object);
// What the call before it made, if its state can only be had by that; 0: it can be had otherwise.
int64_t CallBefore(const State& state, const Object& object);
// All that run are ended, at processes that live.
void EndStatefuls(Oracle* oracle, State* state);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_STATEFUL_H_
