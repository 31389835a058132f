#include "src/testing/sim_members.h"

#include <map>
#include <string>
#include <utility>

#include "freehold/error_reason.h"
#include "freehold/scope.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_scopes.h"

namespace freehold::testing::sim {

namespace {

// Whether a scope may have ended for that reason.
bool MayEndSo(const State& state, const SimScope& scope, ScopeEnd end) {
  const bool is_part = scope.part_of != 0;
  switch (end) {
    case ScopeEnd::kNone:
    case ScopeEnd::kDriverDied:
      return false;
    case ScopeEnd::kExcluded:
      return state.process(scope.process)->knows();
    case ScopeEnd::kOwnerDied:
      return is_part && state.process(scope.process)
                            ->PastBarrier(*state.process(state.scopes.at(scope.part_of).process));
    case ScopeEnd::kDeadline:
      return is_part || (scope.deadline != kInfiniteFuture && scope.deadline <= state.clock.Now());
    case ScopeEnd::kParentEnded:
      return is_part || (scope.parent != 0 && !ScopeRuns(state, scope.parent));
    case ScopeEnd::kEnded:
    case ScopeEnd::kCancelled:
    case ScopeEnd::kForced:
      // Of a part that came too late it is said that it has ended.
      return is_part ? end == ScopeEnd::kEnded || state.scopes.at(scope.part_of).why == end
                     : scope.why == end;
  }
  return false;
}

void OnReleased(Oracle* oracle, State* state, int64_t number, ScopeEnd end) {
  SimMember& member = state->members.at(number);
  const SimScope& scope = state->scopes.at(member.scope);
  const std::string details = Format("I of S", {number, member.scope}) + ", " + ScopeEndName(end);
  state->trace.Add("I of S is released: I", {number, member.scope, static_cast<int64_t>(end)});
  state->coverage.Count(std::string("member released: ") + ScopeEndName(end));
  oracle->Expect(++member.runs == 1, "S8: a member is released twice", details);
  oracle->Expect(!member.removed, "S8: a member is released although it was removed", details);
  oracle->Expect(MayEndSo(*state, scope, end), "S8: a member is released for no such reason",
                 details);
}

bool Add(Oracle* oracle, State* state, Process* process, int64_t number, int64_t in) {
  const auto found = state->scopes.find(in);
  if (number <= 0 || state->members.count(number) > 0 || found == state->scopes.end()) return false;
  const SimScope& scope = found->second;
  if (scope.process != process->end) return false;
  const bool runs = ScopeRuns(*state, in);
  // Others may end by themselves, or in pieces.
  if (!runs && scope.why == ScopeEnd::kNone) return false;
  absl::StatusOr<Scope> handle = process->counter->FindScope(scope.id);
  oracle->Expect(handle.ok() || !runs, "a scope that runs is unknown", handle.status().ToString());
  if (!handle.ok()) return true;
  ScopeMember member;
  member.kind = number % 2 == 0 ? MemberKind::kTask : MemberKind::kFile;
  member.name = "m" + std::to_string(number);
  member.release = [oracle, state, number](ScopeEnd end) {
    OnReleased(oracle, state, number, end);
  };
  if (runs) state->members[number].scope = in;
  const absl::StatusOr<uint64_t> made = handle->AddMember(std::move(member));
  oracle->Expect(made.ok() ? runs : !runs && ReasonOf(made.status()) == ErrorReason::kScopeEnded,
                 "a member is answered wrongly", made.status().ToString());
  state->coverage.Count(made.ok() ? "member added" : "member refused");
  if (made.ok() && runs) state->members[number].number = *made;
  return true;
}

bool Remove(Oracle* oracle, State* state, Process* process, int64_t number) {
  const auto found = state->members.find(number);
  if (found == state->members.end()) return false;
  SimMember& member = found->second;
  const SimScope& scope = state->scopes.at(member.scope);
  if (scope.process != process->end) return false;
  const bool runs = ScopeRuns(*state, member.scope);
  absl::StatusOr<Scope> handle = process->counter->FindScope(scope.id);
  oracle->Expect(handle.ok() || !runs, "a scope that runs is unknown", handle.status().ToString());
  if (!handle.ok()) return true;
  const bool must = runs && !member.removed;
  const bool may = member.runs == 0 && !member.removed;
  const absl::Status status = handle->RemoveMember(member.number);
  oracle->Expect(status.ok() ? may : !must && absl::IsNotFound(status),
                 "the removal of a member is answered wrongly", status.ToString());
  state->coverage.Count(status.ok() ? "member removed" : "member not removed");
  member.removed = member.removed || status.ok();
  return true;
}

void OnTooManyBytes(Oracle* oracle, State* state, int64_t number, ScopeId id, uint64_t bytes) {
  SimScope& scope = state->scopes.at(number);
  const std::string details = Format("S has I", {number, static_cast<int64_t>(bytes)});
  state->trace.Add("S has I bytes", {number, static_cast<int64_t>(bytes)});
  state->coverage.Count("too many bytes are told");
  ++scope.times_told;
  oracle->Expect(id == scope.id, "too many bytes are told of another scope", details);
  oracle->Expect(bytes > scope.bytes_max, "S8: a limit is told that is not exceeded", details);
  oracle->Expect(bytes <= scope.bytes_ever, "more bytes are told than there ever were", details);
}

}  // namespace

bool ActMember(Oracle* oracle, State* state, Process* process, const Action& action) {
  const Numbers& n = action.numbers;
  return action.verb == Verb::kMemberAdd ? Add(oracle, state, process, n[1], n[2])
                                         : Remove(oracle, state, process, n[1]);
}

void LabelAndLimit(Oracle* oracle, State* state, int64_t number, ScopeOptions* options) {
  SimScope& scope = state->scopes.at(number);
  if (number % 3 == 1) scope.label = static_cast<int>(1 + number % 2);
  options->label = LabelOf(scope.label);
  if (number % 5 > 1) return;
  scope.bytes_max = 200 + static_cast<uint64_t>(number) * 131 % 900;
  options->bytes_max = scope.bytes_max;
  options->on_bytes_exceeded = [oracle, state, number](ScopeId id, uint64_t bytes) {
    OnTooManyBytes(oracle, state, number, id, bytes);
  };
}

const char* LabelOf(int label) {
  static constexpr const char* kLabels[] = {"", "train", "serve", "scratch"};
  return kLabels[label];
}

void AddBytes(State* state, const Object& object, int64_t scope) {
  for (int64_t at = scope; at != 0; at = state->scopes.at(at).parent) {
    state->scopes.at(at).bytes_ever += object.size;
  }
}

void LookAtMembersAtRest(Oracle* oracle, const State& state) {
  std::map<int64_t, uint64_t> members;  // by scope
  for (const auto& [number, member] : state.members) {
    const SimScope& scope = state.scopes.at(member.scope);
    if (member.removed || !state.process(scope.process)->live()) continue;
    const bool runs = ScopeRuns(state, member.scope);
    if (runs) ++members[member.scope];
    oracle->Expect(
        member.runs == (runs ? 0 : 1),
        runs ? "S8: a member of a scope that runs is released" : "L5: a member is not released",
        Format("I of S", {number, member.scope}));
  }
  for (const auto& [number, scope] : state.scopes) {
    const Process& process = *state.process(scope.process);
    if (!process.live()) continue;
    const absl::StatusOr<Scope> handle = process.counter->FindScope(scope.id);
    if (!handle.ok()) continue;
    const ScopeStatus status = *handle->GetStatus();
    const std::string details = Format("S of P", {number, scope.process});
    oracle->Expect(status.members == members[number], "a scope counts other members than it has",
                   details);
    oracle->Expect(
        scope.bytes_max == 0 || status.bytes_all <= scope.bytes_max || scope.times_told > 0,
        "L5: too many bytes are not told", details);
  }
}

}  // namespace freehold::testing::sim
