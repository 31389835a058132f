// References that cross processes, in a simulated world: what hosts do with tokens, and what must
// be true of borrowers.
//
// A token counts as a holder as long as its receiver must honour it. Every answer Gone or OwnerDied
// to a borrower must be explained: by nothing but its owner's death, since whoever holds something
// is not to lose it.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_SHARING_H_
#define FREEHOLD_SRC_TESTING_SIM_SHARING_H_

#include <string>

#include "absl/status/status.h"
#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// Does a verb of sharing. False: it makes no sense here.
bool ActSharing(Oracle* oracle, State* state, const Action& action);
// Every token that nobody has redeemed arrives now or is lost; of a lost one its sender is told.
void LoseTokens(Oracle* oracle, State* state);

// An answer to a process about an object that it borrows and holds.
void CheckBorrowerAnswer(Oracle* oracle, const State& state, const Process& process, Object* object,
                         const absl::Status& status);
// Every live process that holds the object may go on using it.
void LookAtBorrowers(Oracle* oracle, const State& state, Object* object);
// At rest: who holds it is listed, and nobody else; who lost it knows.
void LookAtSharingAtRest(Oracle* oracle, const State& state, const Object& object);
// At the end: nothing that was borrowed, pinned or handed over is left.
void CheckSharingEmpty(Oracle* oracle, const Process& process);
// Counts what of sharing is under way at a process that goes.
void CoverSharingCrash(State* state, const Process& process, const std::string& name);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_SHARING_H_
