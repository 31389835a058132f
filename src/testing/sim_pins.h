// Pins, in a simulated world: what hosts do with them, and what must be true of them.
//
// A pinned object counts as held, and an explicit free of it as done when its last pin goes. Both
// go along with the object: to its next owner as they are, to its heir as that one was told last.
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
bool AnyPinned(const State& state);
// It has another owner, by a transfer or as its heir.
void SeePinsMoved(State* state, const Object& object);
// What its heir found pinned, of what it was told, is all that is.
void SeePinsInherited(Oracle* oracle, State* state, Object* object, const Process& heir);
// Every pin goes; of what was ever given away, or has had an heir, when the world is at rest: until
// then it may be another one's than its host thinks.
void EndPins(Oracle* oracle, State* state, bool at_rest);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_PINS_H_
