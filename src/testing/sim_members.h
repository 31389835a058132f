// What hosts put into scopes besides objects, in a simulated world, and what they are told of
// scopes: members with release hooks, too many bytes, and what counts under a label.
//
// Which scopes have a label and a limit their numbers say.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_MEMBERS_H_
#define FREEHOLD_SRC_TESTING_SIM_MEMBERS_H_

#include <cstdint>

#include "freehold/scope_options.h"
#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// Adds a member or removes one. False: it makes no sense here.
bool ActMember(Oracle* oracle, State* state, Process* process, const Action& action);
// Of a scope of that number that is to be opened: a label, and a limit of which its host is told.
void LabelAndLimit(Oracle* oracle, State* state, int64_t number, ScopeOptions* options);
const char* LabelOf(int label);
// An object has come into a scope: its bytes count there, and in those around.
void AddBytes(State* state, const Object& object, int64_t scope);
// At rest: hooks have run if their scopes have ended, and others have not; who has too many bytes
// was told.
void LookAtMembersAtRest(Oracle* oracle, const State& state);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_MEMBERS_H_
