// What is to be run again to have an object, or a stateful task's latest state, in a simulated
// world: asked of the library, and held against what hosts did.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_REPLAY_H_
#define FREEHOLD_SRC_TESTING_SIM_REPLAY_H_

#include <cstdint>

#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// False: it makes no sense here.
bool AskReplay(Oracle* oracle, State* state, Process* process, const Object& object);
bool AskReplayToLatest(Oracle* oracle, State* state, Process* process, int64_t stateful);
// Of all that can be replayed, and of what is kept for that.
void LookAtReplaysAtRest(Oracle* oracle, State* state);
// The library says that so many calls are to run again for it, from that state on.
bool IsReplayed(const State& state, const Object& object, uint64_t calls, uint64_t from);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_REPLAY_H_
