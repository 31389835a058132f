// Owner at creation, in a simulated world: objects that one process declares for another one.
//
// Such an object is *declared* from the declaration on until its owner has answered, and nobody but
// the declarer may touch it; a host that keeps to the rules waits for the answer. That the answer
// has come is taken from the declarer's library, and held against what the owner knows.
//
// In every world each third process takes no declarations.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_CREATION_H_
#define FREEHOLD_SRC_TESTING_SIM_CREATION_H_

#include "freehold/error_reason.h"
#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

inline bool TakesDeclarations(int64_t process) { return process % 3 != 0; }

// ... or would not now.
inline bool MayRefuseDeclarations(const Process& owner) {
  return !TakesDeclarations(owner.end) || owner.drain.number > 0;
}

inline bool IsRefusal(ErrorReason reason) {
  return reason == ErrorReason::kRefused || reason == ErrorReason::kDraining;
}

// "P declare O for P". False: it makes no sense here.
bool ActDeclareFor(Oracle* oracle, State* state, const Numbers& n);
// The action touches an object whose owner has not answered, and its host would wait.
bool IsTooEarly(Oracle* oracle, State* state, const Action& action);
// What has become of a declaration that was not answered when last looked at, if there is one.
void LookAtDeclaration(Oracle* oracle, State* state, Object* object);
// Of a process: it was told of each of its declarations, once.
void CheckDeclarationsTold(Oracle* oracle, const State& state, const Process& process);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_CREATION_H_
