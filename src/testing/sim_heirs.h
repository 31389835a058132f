// Heirs, in a simulated world: who owns an object when its owner has died.
//
// Whose an object is, the oracle sees as for transfers (sim_transfers.h). An object that has had an
// heir is used by its owner's host as one that may be taken back: what it did last, the heir may
// not know.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_HEIRS_H_
#define FREEHOLD_SRC_TESTING_SIM_HEIRS_H_

#include <cstddef>
#include <cstdint>

#include "src/core/item.h"
#include "src/core/transfer_item.h"
#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// How many that verb names.
inline size_t HeirsIn(Verb verb) {
  return verb == Verb::kNameHeir         ? 1
         : verb == Verb::kNameTwoHeirs   ? 2
         : verb == Verb::kNameThreeHeirs ? 3
                                         : 0;
}
// "P names P heir of O", or several, "P dismisses heir of O". False: it makes no sense here.
bool ActNameHeirs(Oracle* oracle, State* state, const Action& action);
bool ActDismissHeir(Oracle* oracle, State* state, const Action& action);

// It had ended at its owner, which died before that heir had heard so.
bool EndsAtHeir(const State& state, const Object& object, int64_t heir);
// One that has heard so, and so may own it. It knows nothing of copies whose deletion its owner had
// begun, and does not wait for them.
bool EndsAtSomeHeir(const State& state, const Object& object);
// That heir owns it meanwhile, and its host has got a handle: it is in scope again.
void SeeTakenUpByHeir(Oracle* oracle, State* state, const Process& heir, Object* object);

// Of how many objects that contain `inner` it may be the heir, and hold that for their sake.
uint64_t CountAsHeir(const State& state, const Process& process, const Object& inner);

// On the wire: what the heir is told, and that it has it.
void OnShadowSent(Oracle* oracle, State* state, int64_t from, int64_t to,
                  const core::ShadowItem& item);
void OnShadowKept(State* state, int64_t to, const core::SharingItem& item);

// Nothing more happens by itself: whoever has inherited an object has gone on with its list.
void LookAtInheritedLists(Oracle* oracle, State* state);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_HEIRS_H_
