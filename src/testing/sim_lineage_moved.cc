#include "src/testing/sim_lineage_moved.h"

#include <algorithm>

#include "freehold/lineage.h"
#include "src/testing/sim_lineage.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_stateful.h"
#include "src/testing/sim_streams.h"
#include "src/testing/sim_transfers.h"
#include "src/testing/sim_uses.h"

namespace freehold::testing::sim {

namespace {

bool HasIt(const Process& process, const Object& object) {
  if (!process.usable()) return false;
  const Recovery said = Lineage(*process.counter).CanRecover(object.id);
  return said == Recovery::kPossible || said == Recovery::kNoRetries ||
         said == Recovery::kPersisted;
}

// Everything that needs the record is at one process; nobody and nothing keeps it elsewhere.
bool MustFollow(Oracle* oracle, const State& state, const Object& argument, int64_t process) {
  const bool waited_for =
      std::any_of(state.registrations.begin(), state.registrations.end(),
                  [&](const auto& each) { return each.second.object == argument.number; });
  if (waited_for || argument.stateful != 0 || argument.yielded_by != 0 || argument.persists != 0 ||
      argument.disagreed || IsStream(state, argument) || IsInReadersHands(state, argument)) {
    return false;
  }
  return std::all_of(state.objects.begin(), state.objects.end(), [&](const auto& each) {
    const Object& other = each.second;
    return other.made_of != argument.number ||
           (other.owner == process && !other.ended && oracle->Held(other));
  });
}

// It is in scope, or something is that was made of it.
bool IsOfUse(Oracle* oracle, const State& state, const Object& object) {
  if (!object.ended && oracle->Held(object)) return true;
  return std::any_of(state.objects.begin(), state.objects.end(), [&](const auto& each) {
    const Object& made = each.second;
    const bool its = made.made_of == object.number || made.lent_of == object.number;
    return its && IsOfUse(oracle, state, made);
  });
}

// Its task is its next owner's as well from now on.
void Lend(Object* object) {
  object->lineage_moved = true;
  if (object->made_of != 0) object->lent_of = object->made_of;
}

}  // namespace

void NoteLineageMoved(State* state, Object* object, const Process& next_owner) {
  if (!object->recorded) return;
  object->record_moved = false;  // if it has followed before, it goes on by itself now
  const Process& former = state->OwnerOf(*object);
  const bool may_lack = !former.usable() || HasEvictedLineage(former);
  if (may_lack && next_owner.usable() &&
      Lineage(*next_owner.counter).CanRecover(object->id) == Recovery::kPut) {
    state->coverage.Count("lineage was evicted before the object moved");
    object->lineage_moved = true;  // before, if at all
    object->recorded = false;
    object->made_of = 0;
    return;
  }
  Lend(object);
  state->coverage.Count("lineage goes along");
}

void SeeRecordTaken(State* state, Object* object, int64_t next_owner) {
  state->coverage.Count("a record has followed");
  Lend(object);
  object->record_moved = true;
  if (object->owners.empty()) object->owners.push_back(object->owner);
  if (!EverOwned(*object, next_owner)) object->owners.push_back(next_owner);
  object->owner = next_owner;
}

bool HasMovedLineage(const State& state) {
  return std::any_of(state.objects.begin(), state.objects.end(),
                     [](const auto& each) { return each.second.lineage_moved; });
}

bool SeeRecord(State* state, const Process& process, Object* argument) {
  if (!HasMovedLineage(*state)) return true;
  if (!argument->ended || !HasIt(process, *argument)) return false;
  if (argument->owner != process.end) SeeRecordTaken(state, argument, process.end);  // taken back
  return true;
}

bool IsNeededElsewhere(Oracle* oracle, const State& state, int64_t argument) {
  return std::any_of(state.objects.begin(), state.objects.end(), [&](const auto& each) {
    const Object& made = each.second;
    if (made.lent_of == argument) return IsOfUse(oracle, state, made);
    return made.made_of == argument && IsNeededElsewhere(oracle, state, made.number);
  });
}

void LookAtMovedLineage(Oracle* oracle, State* state) {
  if (!HasMovedLineage(*state)) return;
  const bool evicts =
      std::any_of(state->processes.begin(), state->processes.end(),
                  [](const auto& each) { return each->live() && HasEvictedLineage(*each); });
  if (evicts) return;
  for (const auto& [number, object] : state->objects) {
    if (!object.lineage_moved || !object.recorded || object.made_of == 0 || object.ended) continue;
    if (!oracle->Held(object)) continue;
    const Object& argument = state->objects.at(object.made_of);
    if (!argument.ended || !argument.recorded || argument.let_go || argument.persisted) continue;
    if (IsForbidden(*state, argument)) continue;  // its call was let go of
    // Given away by itself, it may have ended before what is made of it came there.
    if (argument.lineage_moved && !argument.record_moved) continue;
    if (MakerOf(*state, argument).retries == 0) continue;
    // It was lost with whoever had it last.
    if (!state->OwnerOf(argument).live() || !state->OwnerOf(object).live()) continue;
    const bool somewhere = std::any_of(state->processes.begin(), state->processes.end(),
                                       [&](const auto& each) { return HasIt(*each, argument); });
    state->coverage.Count("a record is needed by a task that went along");
    oracle->Expect(somewhere, "a record that a task needs which went along is lost",
                   NameOf(argument) + " of which " + NameOf(object) + " is made");
    if (!MustFollow(oracle, *state, argument, object.owner)) continue;
    if (state->OwnerOf(object).drain.number > 0) continue;  // it may have been refused there
    state->coverage.Count("a record must follow the task that needs it");
    oracle->Expect(HasIt(state->OwnerOf(object), argument),
                   "a record has not followed the task that needs it",
                   NameOf(argument) + " of which " + NameOf(object) + " is made");
  }
}

}  // namespace freehold::testing::sim
