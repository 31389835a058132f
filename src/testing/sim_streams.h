// Generators, in a simulated world: what their tasks have yielded, and what must be true of it.
//
// What waits in a generator to be taken is held by it as long as it is in scope. A generator is in
// no other object, so that nothing is held in a circle: whatever it yields may contain anything.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_STREAMS_H_
#define FREEHOLD_SRC_TESTING_SIM_STREAMS_H_

#include <cstdint>
#include <vector>

#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// It is a generator, or was one.
bool IsStream(const State& state, const Object& object);
// The generator in which the object waits to be taken; null: in none that has not ended.
const Object* StreamAround(const State& state, const Object& object);
// What waits in that generator; nothing in what is none, or has ended.
std::vector<int64_t> UntakenOf(const State& state, const Object& object);
// The object is out of scope. What waited in it is held by nothing any more.
void EndStream(State* state, const Object& object);
// At rest: each generator that has not ended has what was yielded and not taken, and no other is
// left.
void LookAtStreamsAtRest(Oracle* oracle, const State& state);
// At the end: nothing is left.
void CheckStreamsEmpty(Oracle* oracle, const Process& process);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_STREAMS_H_
