// References that cross processes, in a simulated world: what hosts do with tokens, and what must
// be true of borrowers.
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

// Every live process that holds the object may go on using it.
void LookAtBorrowers(Oracle* oracle, const State& state, const Object& object);
// A borrower was answered that its reference is of no use, and that is right. False for an owner,
// and for Ok.
bool ExplainedAtBorrower(Oracle* oracle, const State& state, const Process& process, Object* object,
                         const absl::Status& status);
// Nothing that was borrowed, pinned or handed over is left.
void CheckSharingEmpty(Oracle* oracle, const Process& process);
// Counts what of sharing is under way at a process that goes.
void CoverSharingCrash(State* state, const Process& process, const std::string& name);
// Does a verb of sharing. False: it makes no sense here.
bool ActSharing(Oracle* oracle, State* state, const Action& action);
// Every token that nobody has redeemed is lost: its sender is told so.
void LoseTokens(Oracle* oracle, State* state);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_SHARING_H_
