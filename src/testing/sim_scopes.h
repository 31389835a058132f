// Scopes, in a simulated world: what hosts do with them, and what must be true of them.
//
// What a scope holds counts as held as long as it runs. From the moment it ends the library may let
// go at any time, in pieces: its objects are inexact from then on, and those of a scope with a
// deadline from the moment they enter. So are those of a part, which ends when its process hears
// so.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_SCOPES_H_
#define FREEHOLD_SRC_TESTING_SIM_SCOPES_H_

#include <cstdint>

#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// The host's ids of scopes are this and the number.
inline constexpr int64_t kScopeIds = 1000;

ScopeId ScopeIdOf(const State& state, int64_t scope);
// Does a verb of scopes, but for those that declare. False: it makes no sense here.
bool ActScope(Oracle* oracle, State* state, const Action& action);
// An object may be declared in the scope of that number. 0: in none.
bool TakesObjects(const State& state, const Process& process, int64_t scope);
// It was.
void EnterScope(Oracle* oracle, State* state, Object* object, int64_t scope);
// A scope, its own or one that kept it, holds the object.
bool IsHeldByScope(const State& state, const Object& object);
// Every scope ends, and what was kept is let go of.
void EndScopes(Oracle* oracle, State* state);

// In other processes (sim_scope_links.cc). Those verbs, and what must be true at rest: a scope is
// not done before its parts are.
bool ActScopeLink(Oracle* oracle, State* state, Process* process, const Action& action);
void LookAtPartsAtRest(Oracle* oracle, const State& state, int64_t number, uint64_t processes);
// It is given to that process, whose scope it may be in.
void NoteOnItsWay(State* state, const Object& object, int64_t to);
// It has another owner, and is in that one's part of its scope, which may have been made for it; or
// in none, if that scope's owner is known to have died. Who has taken it back never let go of it.
void FollowOwner(Oracle* oracle, State* state, Object* object, bool taken_back);
// Some root scope holds something.
bool AnyHeldByRoot(const State& state);
// It, or one around it, may end by itself.
bool MayEndAnyTime(const State& state, int64_t number);
// Its owner is there, and neither it nor one around it is ended.
bool ScopeRuns(const State& state, int64_t number);

// At rest: a scope that ended has nothing left that nobody holds, what another one says of its
// objects is what they are (sim_usage.cc).
void LookAtScopesAtRest(Oracle* oracle, const State& state);
// At the end: nothing of any scope is left.
void CheckScopesEmpty(Oracle* oracle, const Process& process);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_SCOPES_H_
