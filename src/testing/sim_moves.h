// Moves of the primary, in a simulated world: what nodes ask, and what must come of it.
//
// A live value may be freed in one place only: where a node asked to take the primary from, while
// that node, if it lives and has not evicted it since, still has the bytes.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_MOVES_H_
#define FREEHOLD_SRC_TESTING_SIM_MOVES_H_

#include <cstdint>

#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// A node asks. False: it makes no sense here.
bool ActMove(Oracle* oracle, State* state, const Action& action);
// The node has asked to move the primary to that copy, and has perhaps not been answered yet.
bool MayMove(const State& state, const Node& node, const Object& object, uint32_t generation);
// ... and certainly not.
bool SurelyMoves(const State& state, const Node& node, const Object& object, uint32_t generation);
// The copy was evicted; what it asked before binds nobody.
void EvictMoving(State* state, const Node& node, const Object& object, uint32_t generation);
// The owner may free the copy on `node`, a number, although the value is wanted.
bool IsLetGo(const State& state, const Object& object, int64_t node, uint32_t generation);
bool WasMovedFrom(const State& state, const Object& object, int64_t node);
bool IsPrimaryOn(const State& state, const Object& object, int64_t node);
// At any time: whether its owner has come to know a primary.
void SeePrimary(const State& state, Object* object);
// At rest: a value that has ever had a primary has one as long as it has a copy in memory, and its
// node knows.
void LookAtPrimaries(Oracle* oracle, const State& state);
// At rest: who asked was answered, who was told so is the primary, and an object whose primary has
// moved has one as long as it has a copy.
void LookAtMoves(Oracle* oracle, const State& state);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_MOVES_H_
