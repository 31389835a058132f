// Questions to owners elsewhere, in a simulated world: what ends ask, and what they are told.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_QUERIES_H_
#define FREEHOLD_SRC_TESTING_SIM_QUERIES_H_

#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// Does a verb of asking. False: it makes no sense here.
bool ActQuery(Oracle* oracle, State* state, const Action& action);
// At rest: who asked was answered, and who goes on asking knows what the owner knows.
void LookAtQueries(Oracle* oracle, const State& state);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_QUERIES_H_
