#include "src/testing/sim_scopes.h"

#include <algorithm>
#include <string>
#include <utility>

#include "freehold/scope.h"
#include "src/testing/sim_members.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_streams.h"
#include "src/testing/sim_transfers.h"
#include "src/testing/sim_uses.h"

namespace freehold::testing::sim {

namespace {

SimScope* FindScope(State* state, int64_t number) {
  const auto found = state->scopes.find(number);
  return found == state->scopes.end() ? nullptr : &found->second;
}

bool IsOverdue(const State& state, const SimScope& scope) {
  return scope.deadline <= state.clock.Now();
}

// Neither it nor one around it is ended, or about to be by its deadline.
bool Runs(const State& state, int64_t number) {
  for (int64_t at = number; at != 0;) {
    const SimScope& scope = state.scopes.at(at);
    if (scope.ended || IsOverdue(state, scope)) return false;
    if (scope.part_of != 0 && (!state.process(state.scopes.at(scope.part_of).process)->live() ||
                               !Runs(state, scope.part_of))) {
      return false;
    }
    at = scope.parent;
  }
  return true;
}

bool Open(Oracle* oracle, State* state, Process* process, const Numbers& n, int64_t parent,
          Duration life) {
  if (n[1] <= 0 || state->scopes.count(n[1]) > 0) return false;
  if (parent != 0) {
    const SimScope* around = FindScope(state, parent);
    if (around == nullptr || around->process != process->end || !Runs(*state, parent)) return false;
  }
  SimScope& scope = state->scopes[n[1]];
  scope.process = process->end;
  scope.id = ScopeId(static_cast<uint64_t>(kScopeIds + n[1]));
  scope.parent = parent;
  scope.hold = n[1] % 4 != 0;
  if (life != Duration::zero()) scope.deadline = state->clock.Now() + life;
  ScopeOptions options;
  options.id = scope.id;
  options.parent = ScopeIdOf(*state, parent);
  options.hold = scope.hold;
  options.deadline = scope.deadline;
  LabelAndLimit(oracle, state, n[1], &options);
  const absl::StatusOr<ScopeId> made = process->counter->BeginScope(options);
  oracle->Expect(made.ok(), "a scope is not opened", made.status().ToString());
  return true;
}

// It ends, with those in it: what they held the library lets go of sooner or later.
void EndInTruth(Oracle* oracle, State* state, int64_t number) {
  SimScope& ended = state->scopes.at(number);
  if (ended.ended) return;
  ended.ended = true;
  for (auto& [inner, scope] : state->scopes) {
    if (scope.parent == number || scope.part_of == number) EndInTruth(oracle, state, inner);
  }
  for (auto& [object_number, object] : state->objects) {
    if (object.scope != number || !object.scope_held) continue;
    oracle->MakeInexact(&object);
    object.scope_held = false;
  }
  EndUses(oracle, state, number);
}

// Only its owner can.
bool EndPart(Oracle* oracle, State* state, Process* process, const SimScope& part) {
  oracle->Expect(!process->counter->EndScope(part.id).ok(), "a part is ended by who joined it",
                 NameOf(*process));
  state->coverage.Count("part not ended by who joined");
  return true;
}

bool EndOne(Oracle* oracle, State* state, Process* process, int64_t number, ScopeEnd how) {
  const bool force = how == ScopeEnd::kForced;
  SimScope* scope = FindScope(state, number);
  if (scope == nullptr || scope->process != process->end) return false;
  if (scope->part_of != 0) return EndPart(oracle, state, process, *scope);
  const bool runs = Runs(*state, number);
  if (!runs && !scope->ended) return false;  // it may have ended by itself: nobody can say
  if (force) {
    if (!runs) return false;
    for (const auto& [inner, other] : state->scopes) {
      if (other.parent == number || other.part_of == number) return false;
    }
    // One that is under way is freed by whoever has it then, or is lost with this process.
    for (const auto& [object_number, object] : state->objects) {
      if (object.scope == number && object.open_transfers > 0) return false;
    }
    for (auto& [object_number, object] : state->objects) {
      if (object.scope != number || object.ended) continue;
      // Its value goes in pieces too, but for what is told of it nothing is exact any more.
      oracle->MakeInexact(&object);
      oracle->Freed(&object);
    }
  }
  if (runs) scope->why = how;
  EndInTruth(oracle, state, number);
  absl::Status status;
  absl::StatusOr<Scope> handle = process->counter->FindScope(scope->id);
  if (!handle.ok()) {
    status = handle.status();
  } else {
    status = force                         ? unsafe::ForceEnd(*handle)
             : how == ScopeEnd::kCancelled ? handle->Cancel()
                                           : handle->End();
  }
  // The scopes inside one that ends close in pieces: until its turn, one of them may be ended too.
  const bool may_run = !runs && scope->parent != 0 && !Runs(*state, scope->parent);
  oracle->Expect(runs == status.ok() || may_run, "the end of a scope is answered wrongly",
                 status.ToString());
  if (may_run && status.ok()) scope->why = how;
  state->coverage.Count(runs ? std::string("scope ended: ") + ScopeEndName(how)
                             : "scope ended twice");
  return true;
}

// To the scope around its own, or to another one.
bool Move(Oracle* oracle, State* state, Process* process, Object* object, int64_t to, bool keep) {
  // What is freed by force is not of interest to anybody.
  if (object->owner != process->end || object->ended || !oracle->Held(*object)) return false;
  const int64_t from = object->scope;
  if (!Runs(*state, from) || (keep && from == 0)) return false;
  if (keep) to = state->scopes.at(from).parent;
  if (to != 0 && (state->scopes.count(to) == 0 || state->scopes.at(to).process != process->end)) {
    return false;
  }
  if (!Runs(*state, to)) return false;
  // Told first; a move ends nothing.
  const bool hold = to != 0 && state->scopes.at(to).hold;
  object->scope = to;
  object->was_in_scope = true;
  if (WouldStick(*state)) {
    object->scope = from;
    return false;
  }
  object->scope_held |= hold;
  AddBytes(state, *object, to);
  if (MayEndAnyTime(*state, to)) oracle->MakeInexact(object);
  absl::StatusOr<Scope> handle = process->counter->FindScope(ScopeIdOf(*state, from));
  oracle->Expect(handle.ok(), "a scope that runs is unknown", handle.status().ToString());
  if (!handle.ok()) return true;
  const BatchResult result =
      keep ? handle->Keep({object->id}) : handle->Move({object->id}, ScopeIdOf(*state, to));
  oracle->Expect(result.ok(), "an object does not move to a scope that runs",
                 NameOf(*object) + ", " +
                     (result.ok() ? std::string() : result.failures[0].status.ToString()));
  state->coverage.Count(keep ? "scope keeps" : "scope moves");
  return true;
}

}  // namespace

ScopeId ScopeIdOf(const State& state, int64_t scope) {
  return scope == 0 ? ScopeId::Root() : state.scopes.at(scope).id;
}

bool ScopeRuns(const State& state, int64_t number) { return Runs(state, number); }

bool MayEndAnyTime(const State& state, int64_t number) {
  for (int64_t at = number; at != 0; at = state.scopes.at(at).parent) {
    const SimScope& scope = state.scopes.at(at);
    if (scope.deadline != kInfiniteFuture || scope.part_of != 0) return true;
  }
  return false;
}

bool TakesObjects(const State& state, const Process& process, int64_t scope) {
  if (scope == 0) return true;
  const auto found = state.scopes.find(scope);
  return found != state.scopes.end() && found->second.process == process.end && Runs(state, scope);
}

void EnterScope(Oracle* oracle, State* state, Object* object, int64_t scope) {
  object->scope = scope;
  object->was_in_scope = true;
  if (scope == 0) return;
  object->scope_held = state->scopes.at(scope).hold;
  if (object->label == 0) object->label = state->scopes.at(scope).label;
  AddBytes(state, *object, scope);
  if (MayEndAnyTime(*state, scope)) oracle->MakeInexact(object);
}

bool IsHeldByScope(const State& state, const Object& object) {
  return object.scope_held && !state.OwnerOf(object).crashed && Runs(state, object.scope);
}

bool ActScope(Oracle* oracle, State* state, const Action& action) {
  const Numbers& n = action.numbers;
  Process* process = state->process(n[0]);
  if (process == nullptr || !process->usable()) return false;
  switch (action.verb) {
    case Verb::kScope:
      return Open(oracle, state, process, n, 0, Duration::zero());
    case Verb::kScopeIn:
      return n[2] != 0 && Open(oracle, state, process, n, n[2], Duration::zero());
    case Verb::kScopeFor:
      return n[2] > 0 && Open(oracle, state, process, n, 0, Duration(n[2]));
    case Verb::kScopeShare:
    case Verb::kScopeJoin:
      return ActScopeLink(oracle, state, process, action);
    case Verb::kScopeUse:
      return ActUse(oracle, state, process, action);
    case Verb::kScopeEnd:
      return EndOne(oracle, state, process, n[1], ScopeEnd::kEnded);
    case Verb::kScopeCancel:
      return EndOne(oracle, state, process, n[1], ScopeEnd::kCancelled);
    case Verb::kMemberAdd:
    case Verb::kMemberRemove:
      return ActMember(oracle, state, process, action);
    case Verb::kScopeForce:
      return EndOne(oracle, state, process, n[1], ScopeEnd::kForced);
    case Verb::kKeep:
    case Verb::kMoveTo: {
      Object* object = state->object(n[1]);
      const bool keep = action.verb == Verb::kKeep;
      return object != nullptr && Move(oracle, state, process, object, keep ? 0 : n[2], keep);
    }
    default:
      return false;
  }
}

void EndScopes(Oracle* oracle, State* state) {
  for (auto& [number, scope] : state->scopes) {
    Process* process = state->process(scope.process);
    if (process->usable() && scope.part_of == 0 && Runs(*state, number))
      (void)EndOne(oracle, state, process, number, ScopeEnd::kEnded);
  }
  // By now nothing is held but by the root, and by scopes that end by themselves.
  for (auto& [number, object] : state->objects) {
    if (!object.scope_held || object.scope != 0) continue;
    SeeOwner(oracle, state, &object);
    if (object.moving) continue;  // the next owner's root will hold it
    object.scope_held = false;
    Process& process = state->OwnerOf(object);
    if (!process.usable()) continue;
    oracle->MakeInexact(&object);
    absl::StatusOr<Scope> root = process.counter->FindScope(ScopeId::Root());
    if (root.ok() && !object.ended) (void)root->StopHolding({object.id});
  }
}

bool AnyHeldByRoot(const State& state) {
  return std::any_of(state.objects.begin(), state.objects.end(), [&](const auto& each) {
    const Object& object = each.second;
    return object.scope_held && object.scope == 0 && state.OwnerOf(object).usable();
  });
}

void CheckScopesEmpty(Oracle* oracle, const Process& process) {
  const ReferenceCounterStats stats = process.counter->GetStats();
  oracle->Expect(stats.scopes == 0, "L6: scopes are left",
                 NameOf(process) + " has " + std::to_string(stats.scopes));
  oracle->Expect(stats.scope_members == 0, "L6: members of scopes are left", NameOf(process));
  oracle->Expect(process.counter->UsageByLabel().empty(), "a label is accounted for to the end",
                 NameOf(process));
}

}  // namespace freehold::testing::sim
