// Values that hosts persist, in a simulated world (PROTOCOL.md, step 17).
//
// A host keeps an object so, and answers from inside the hook: that it has written the value, or
// that it could not. The lineage of the one is let go of, that of the other stays; whoever kept it
// is told once.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_PERSIST_H_
#define FREEHOLD_SRC_TESTING_SIM_PERSIST_H_

#include <cstdint>

#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// False: it makes no sense here.
bool ActPersist(Oracle* oracle, State* state, Process* process, Object* object, bool fails);
// The host is asked for a value.
void AnswerPersist(Oracle* oracle, State* state, Process* process, const ObjectId& id,
                   uint32_t generation);
// At rest: what the library says of an object whose task was let go of for that.
void LookAtPersistedAtRest(Oracle* oracle, const State& state);
// At the end: nobody waits.
void CheckPersistsEmpty(Oracle* oracle, const State& state, const Process& process);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_PERSIST_H_
