// Values that were freed evict-first, in a simulated world (PROTOCOL.md, step 8): they stay until
// the stores have dropped their last copies.
//
// When an owner hears of the last copy's end is its own affair: that it takes the value for freed
// is read from it, and then held against what the stores have. All else is known from what hosts
// did.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_EVICT_FIRST_H_
#define FREEHOLD_SRC_TESTING_SIM_EVICT_FIRST_H_

#include "freehold/object_store.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// Its present value was freed evict-first, and has not gone as far as we know.
inline bool IsEvictable(const Object& object) {
  return !object.ended && !object.freed && object.first_frees.count(object.generation) > 0;
}

// The owner's host can do without the value. False: it makes no sense here.
bool ActEvictFirst(Oracle* oracle, State* state, Process* process, Object* object);
// A store hears that a copy may be evicted before all others.
void IsToldToEvict(Oracle* oracle, State* state, const Node& node, const CopyToEvict& copy);
// A host hears that a value is lost.
void IsToldToRecover(Oracle* oracle, const State& state, const Object& object);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_EVICT_FIRST_H_
