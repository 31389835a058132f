// Scopes that use objects (PROTOCOL.md, "Uses"), in a simulated world: what they keep, and until
// when.
//
// A scope that runs keeps what it uses. One that has ended does so until it is done: as long as
// somebody holds an object of it, or a scope in it is not done. It lets go earlier of what it uses
// of scopes with which it has ended in a ring, and of everything once it waits for other processes
// alone. What nobody would ever let go of is not done by the hosts of these worlds: a ring across
// processes in which more is in the way, or one that goes through the values of objects.
//
// Of what is in readers' hands, and of rings of scopes that do not end one by one, the oracle asks
// the library at rest: what may be is believed.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_USES_H_
#define FREEHOLD_SRC_TESTING_SIM_USES_H_

#include <cstdint>

#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// False: it makes no sense here, or would keep something for ever.
bool ActUse(Oracle* oracle, State* state, Process* process, const Action& action);
// The scope has ended: what it uses goes when the library says so.
void EndUses(Oracle* oracle, State* state, int64_t scope);
// Something would be left when every scope has ended and nobody holds anything.
bool WouldStick(const State& state);
// A copy of it may be kept by a reader, a fetch or a move.
bool IsInReadersHands(const State& state, const Object& object);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_USES_H_
