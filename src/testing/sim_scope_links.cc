// Scopes in other processes, in a simulated world: tokens, joining, and what is true of parts.

#include <algorithm>
#include <string>
#include <utility>

#include "freehold/error_reason.h"
#include "freehold/scope.h"
#include "src/runtime/inside.h"
#include "src/testing/sim_members.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_scopes.h"

namespace freehold::testing::sim {

namespace {

// The scope itself, if this is a part.
int64_t WholeOf(const State& state, int64_t number) {
  const SimScope& scope = state.scopes.at(number);
  return scope.part_of == 0 ? number : scope.part_of;
}

const Process& OwnerOfScope(const State& state, int64_t number) {
  return *state.process(state.scopes.at(WholeOf(state, number)).process);
}

bool Share(Oracle* oracle, State* state, Process* process, int64_t number, int64_t receiver) {
  const auto found = state->scopes.find(number);
  const Process* to = state->process(receiver);
  if (found == state->scopes.end() || to == nullptr || to == process) return false;
  SimScope& scope = found->second;
  // What comes home names no part.
  if (scope.process != process->end || &OwnerOfScope(*state, number) == to) return false;
  if (!ScopeRuns(*state, number)) return false;
  const absl::StatusOr<Scope> handle = process->counter->FindScope(scope.id);
  oracle->Expect(handle.ok(), "a scope that runs is unknown", handle.status().ToString());
  if (!handle.ok()) return true;
  absl::StatusOr<std::string> token = handle->Export(to->id);
  // A view that was heard is known from the next turn on.
  const bool refused =
      process->HeardOf(*to) && ReasonOf(token.status()) == ErrorReason::kPeerExcluded;
  oracle->Expect(token.ok() || refused, "a scope is exported wrongly", token.status().ToString());
  if (!token.ok()) return true;
  if (scope.part_of != 0) state->coverage.Count("scope shared by a member");
  scope.tokens[receiver] = *std::move(token);
  return true;
}

// Of that scope, at that process, under that id of the library's; 0: there is none.
int64_t PartAt(const State& state, const Process& process, int64_t whole, ScopeId id) {
  for (const auto& [number, scope] : state.scopes) {
    if (scope.part_of == whole && scope.process == process.end && scope.id == id) return number;
  }
  return 0;
}

bool Join(Oracle* oracle, State* state, Process* process, int64_t number, int64_t part) {
  const auto found = state->scopes.find(number);
  if (found == state->scopes.end() || part <= 0 || state->scopes.count(part) > 0) return false;
  const auto token = found->second.tokens.find(process->end);
  if (token == found->second.tokens.end()) return false;
  const int64_t whole = WholeOf(*state, number);
  const Process& owner = OwnerOfScope(*state, number);
  const Process& sender = *state->process(found->second.process);
  const absl::StatusOr<Scope> joined = process->counter->JoinScope(token->second);
  const bool may_refuse = process->HeardOf(owner) || process->HeardOf(sender);
  if (!joined.ok()) {
    oracle->Expect(may_refuse && ReasonOf(joined.status()) == ErrorReason::kPeerExcluded,
                   "a token of a scope is refused for no reason", joined.status().ToString());
    state->coverage.Count("scope not joined: excluded");
    return true;
  }
  if (PartAt(*state, *process, whole, joined->id()) != 0) {
    state->coverage.Count("scope joined twice");
    return true;
  }
  SimScope& made = state->scopes[part];
  made.process = process->end;
  made.id = joined->id();
  made.part_of = whole;
  made.hold = state->scopes.at(whole).hold;
  // It ends as soon as its owner hears of it; or has ended, with its owner.
  made.ended = !ScopeRuns(*state, whole) || !owner.live();
  if (made.ended) state->coverage.Count("scope joined after its end");
  return true;
}

// By its own table, which takes what comes into a scope that is ending.
bool IsDone(const Process& process, ScopeId id) {
  const absl::StatusOr<Scope> scope = process.counter->FindScope(id);
  if (!scope.ok()) return true;
  const absl::StatusOr<ScopeStatus> status = scope->GetStatus();
  return !status.ok() || status->state == ScopeState::kDone;
}

}  // namespace

bool ActScopeLink(Oracle* oracle, State* state, Process* process, const Action& action) {
  const Numbers& n = action.numbers;
  return action.verb == Verb::kScopeShare ? Share(oracle, state, process, n[1], n[2])
                                          : Join(oracle, state, process, n[1], n[2]);
}

void NoteOnItsWay(State* state, const Object& object, int64_t to) {
  if (object.scope == 0 || OwnerOfScope(*state, object.scope).end != to) return;
  AddBytes(state, object, WholeOf(*state, object.scope));
}

void FollowOwner(Oracle* oracle, State* state, Object* object, bool taken_back) {
  const Process& process = state->OwnerOf(*object);
  if (const int64_t before = std::exchange(object->scope_before, 0); taken_back && before != 0) {
    state->coverage.Count("what had come without its scope is taken back into it");
    object->scope = before;
    object->scope_held = object->held_before;
  }
  if (object->scope == 0 || !process.usable()) return;
  const int64_t whole = WholeOf(*state, object->scope);
  const Process& owner = OwnerOfScope(*state, object->scope);
  const runtime::Inside::MemberOf at = runtime::Inside::ScopeOf(*process.counter, object->id);
  const std::string details = Format("O of S at P", {object->number, whole, process.end}) +
                              ", in " + std::to_string(at.scope.number());
  if (at.scope.IsNil()) return;  // it has ended
  const ScopeId whole_id = state->scopes.at(whole).id;
  state->coverage.Count("a member of a scope gets another owner");
  if (at.scope.IsRoot()) {
    // Or who has given it away had.
    const bool is_over = process.HeardOf(owner) || state->process(object->former)->HeardOf(owner) ||
                         (&owner == &process && IsDone(process, whole_id));
    oracle->Expect(is_over, "S8: an object comes without its scope", details);
    object->scope_before = std::exchange(object->scope, 0);
    object->held_before = std::exchange(object->scope_held, false);
    return;
  }
  // What is taken back was counted all the time.
  if (&owner == &process) {
    oracle->Expect(at.scope == whole_id, "S8: an object comes into another scope", details);
    if (!taken_back) oracle->SeeUsesLetGo(whole);
    object->scope = whole;
    return;
  }
  oracle->Expect(at.owner == owner.id && at.owner_scope == whole_id,
                 "S8: an object comes into another scope", details);
  const int64_t part = PartAt(*state, process, whole, at.scope);
  if (!taken_back) oracle->SeeUsesLetGo(part);
  object->scope = part;
  if (part != 0) return;
  // Below those that hosts have joined.
  object->scope = std::min<int64_t>(state->scopes.begin()->first, 0) - 1;
  SimScope& made = state->scopes[object->scope];
  made.process = process.end;
  made.id = at.scope;
  made.part_of = whole;
  made.hold = state->scopes.at(whole).hold;
  made.ended = !ScopeRuns(*state, whole);
  state->coverage.Count("a part is made for an object that comes");
}

void LookAtPartsAtRest(Oracle* oracle, const State& state, int64_t number, uint64_t processes) {
  uint64_t parts = 0;
  const Process& owner = OwnerOfScope(state, number);
  for (const auto& process : state.processes) {
    // Some were made for objects that were refused, or have ended.
    if (process.get() == &owner || !process->live()) continue;
    parts += runtime::Inside::HasPart(*process->counter, owner.id, state.scopes.at(number).id);
  }
  const std::string name = "scope s" + std::to_string(number);
  oracle->Expect(parts == processes, "a scope counts other processes than have joined",
                 name + ": " + std::to_string(processes) + ", not " + std::to_string(parts));
}

}  // namespace freehold::testing::sim
