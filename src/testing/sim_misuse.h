// What hosts should not do, in a simulated world: each call is refused by name and changes nothing.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_MISUSE_H_
#define FREEHOLD_SRC_TESTING_SIM_MISUSE_H_

#include <cstdint>

#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// False: it makes no sense here. REQUIRES: the process, or the node, takes calls.
bool MisuseObject(Oracle* oracle, State* state, Process* process, Object* object);
bool MisuseCopy(Oracle* oracle, State* state, Node* node, const Object& object,
                uint32_t generation);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_MISUSE_H_
