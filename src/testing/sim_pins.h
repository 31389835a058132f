// Pins, in a simulated world: what hosts do with them, and what must be true of them.
//
// A pinned object counts as held, and an explicit free of it as done when its last pin goes.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_PINS_H_
#define FREEHOLD_SRC_TESTING_SIM_PINS_H_

#include <cstdint>

#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// The host of the owner pins it, or lets go of one pin, by the name of that number. REQUIRES: what
// the library knows of the object is known. False: it makes no sense here.
bool ActPin(Oracle* oracle, State* state, const Action& action, Process* process, Object* object);
bool IsPinned(const State& state, const Object& object);
uint64_t CountPins(const Object& object);
// Every pin goes.
void EndPins(Oracle* oracle, State* state);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_PINS_H_
