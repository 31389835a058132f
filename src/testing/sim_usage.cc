// What scopes count of their objects, in a simulated world, held against what is there.

#include <algorithm>
#include <map>
#include <string>

#include "freehold/scope.h"
#include "src/testing/sim_members.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_scopes.h"
#include "src/testing/sim_streams.h"
#include "src/testing/sim_uses.h"

namespace freehold::testing::sim {

namespace {

// Of all that counts; `perhaps` are more.
struct Expected {
  ScopeUsage usage;
  ScopeUsage perhaps;
  bool kept_by_readers = false;
};

bool Between(uint64_t count, uint64_t least, uint64_t more) {
  return count >= least && count <= least + more;
}

// What the owner knows of the object, if it has a record, is counted once.
void Count(Oracle* oracle, const State& state, const Process& owner, const Object& object,
           Expected* expected) {
  const auto known = owner.counter->GetLocations(object.id);
  if (!known.ok()) return;
  const bool unknown = object.number % 2 != 0 && known->size == 0;
  oracle->Expect(unknown || known->size == object.size, "an object has another size",
                 NameOf(object));
  // Lineage keeps its record, and the scope need not wait for that; but for who reads it, and for
  // whoever is to delete a file that outlives its node.
  const bool left = known->state == ObjectState::kOutOfScope && known->locations.empty();
  if ((object.recorded || IsStream(state, object)) && left) {
    if (!IsInReadersHands(state, object) && !object.was_in_shared_file) return;
    ++expected->perhaps.objects;
    expected->perhaps.bytes += known->size;
    expected->kept_by_readers = true;
    return;
  }
  ++expected->usage.objects;
  expected->usage.bytes += known->size;
  expected->usage.copies += known->locations.size();
  // Those that were freed and are kept by readers or a fetch count too; only their node knows.
  expected->kept_by_readers |=
      known->state == ObjectState::kFreed || known->state == ObjectState::kOutOfScope ||
      std::any_of(state.moves.begin(), state.moves.end(),
                  [of = object.number](const auto& move) { return move.second.object == of; });
}

void Compare(Oracle* oracle, const Expected& expected, const ScopeUsage& usage,
             const std::string& name) {
  oracle->Expect(Between(usage.objects, expected.usage.objects, expected.perhaps.objects),
                 "a scope counts other objects than it has",
                 name + ": " + std::to_string(usage.objects) + ", not " +
                     std::to_string(expected.usage.objects));
  oracle->Expect(Between(usage.bytes, expected.usage.bytes, expected.perhaps.bytes),
                 "a scope counts other bytes than it has", name);
  oracle->Expect(expected.kept_by_readers ? usage.copies >= expected.usage.copies
                                          : usage.copies == expected.usage.copies,
                 "a scope counts other copies than it has", name);
}

// Of all inner ones, with its own.
uint64_t BytesIn(const State& state, const Process& process, int64_t number) {
  const absl::StatusOr<Scope> handle = process.counter->FindScope(state.scopes.at(number).id);
  uint64_t bytes = handle.ok() ? handle->GetStatus()->usage.bytes : 0;
  for (const auto& [inner, scope] : state.scopes) {
    if (scope.parent == number) bytes += BytesIn(state, process, inner);
  }
  return bytes;
}

void LookAtScope(Oracle* oracle, const State& state, int64_t number, const SimScope& scope) {
  const Process& process = *state.process(scope.process);
  const std::string name = "scope s" + std::to_string(number);
  Expected expected;
  for (const auto& [object_number, object] : state.objects) {
    if (object.scope != number || object.owner != process.end) continue;
    Count(oracle, state, process, object, &expected);
  }
  const absl::StatusOr<Scope> handle = process.counter->FindScope(scope.id);
  const bool runs = ScopeRuns(state, number);
  if (!handle.ok()) {
    oracle->Expect(!runs, "a scope that runs is unknown", name);
    oracle->Expect(expected.usage.objects == 0, "a scope is done although an object of it is left",
                   name);
    if (scope.part_of == 0) LookAtPartsAtRest(oracle, state, number, 0);
    return;
  }
  const ScopeStatus status = *handle->GetStatus();
  if (scope.part_of == 0) LookAtPartsAtRest(oracle, state, number, status.processes);
  oracle->Expect((status.state == ScopeState::kRunning) == runs,
                 "a scope runs and should not, or the other way round", name);
  Compare(oracle, expected, status.usage, name);
  oracle->Expect(status.bytes_all == BytesIn(state, process, number),
                 "a scope counts other bytes than are in it and in those in it", name);
  oracle->Expect(runs || status.usage.objects + status.inner_scopes + status.processes > 0,
                 "a scope that ended has nothing left and is not done", name);
}

void LookAtLabels(Oracle* oracle, const State& state, const Process& process) {
  std::map<std::string, Expected> expected;
  for (const auto& [number, object] : state.objects) {
    if (object.label == 0 || object.owner != process.end) continue;
    Count(oracle, state, process, object, &expected[LabelOf(object.label)]);
  }
  for (const LabelUsage& of : process.counter->UsageByLabel()) {
    Compare(oracle, expected[of.label], of.usage, of.label + " at " + NameOf(process));
    expected.erase(of.label);
  }
  for (const auto& [label, left] : expected) {
    Compare(oracle, left, ScopeUsage(), label + " at " + NameOf(process));
  }
}

}  // namespace

void LookAtScopesAtRest(Oracle* oracle, const State& state) {
  for (const auto& [number, scope] : state.scopes) {
    if (state.process(scope.process)->live()) LookAtScope(oracle, state, number, scope);
  }
  for (const auto& process : state.processes) {
    if (process->live()) LookAtLabels(oracle, state, *process);
  }
}

}  // namespace freehold::testing::sim
