#include "src/testing/sim_heirs.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "freehold/transfer.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_streams.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

HeirOptions Telling(State* state, int64_t object, const char* what) {
  HeirOptions options;
  options.on_answer = [state, object, what](const ObjectId&, const absl::Status& status) {
    const ErrorReason reason = ReasonOf(status);
    state->trace.Add("heir of O is answered A", {object, static_cast<int64_t>(status.code())});
    state->coverage.Count(std::string(what) + (reason == ErrorReason::kNone
                                                   ? absl::StatusCodeToString(status.code())
                                                   : ErrorReasonName(reason)));
  };
  return options;
}

bool Contains(const std::vector<int64_t>& list, int64_t end) {
  return std::find(list.begin(), list.end(), end) != list.end();
}

// Of what hosts have asked only once, it is known which list it is.
void FollowList(Oracle* oracle, State* state, int64_t from, int64_t to, Object* object) {
  const std::vector<int64_t>& list = object->heir_list;
  if (object->heirs_asked != 1) return;
  const auto place = static_cast<size_t>(std::find(list.begin(), list.end(), to) - list.begin());
  const auto [at, first] = object->list_at.emplace(from, place);
  oracle->Expect(place < list.size() && place >= at->second, "an heir is named out of turn",
                 NameOf(*object));
  if (place > at->second) state->coverage.Count("heir: the next one of the list was named");
  if (first && Contains(list, from)) {
    state->coverage.Count("heir: a list was inherited and gone on with");
  }
  at->second = place;
}

// It has inherited the object, everybody knows, and somebody is left.
bool MustHaveGoneOn(const State& state, const Object& object) {
  const std::vector<int64_t>& list = object.heir_list;
  const Process& owner = state.OwnerOf(object);
  const auto at = std::find(list.begin(), list.end(), owner.end);
  // Of what its hosts do with it besides, nothing is in the way.
  const bool moves =
      std::any_of(state.transfers.begin(), state.transfers.end(),
                  [&](const auto& each) { return each.second.object == object.number; });
  if (at == list.end() || object.heirs_asked != 1 || moves || object.scope != 0) return false;
  if (!owner.live() || !owner.PastBarrier(*state.process(object.former)) ||
      owner.counter->GetStats().transfers_untold > 0) {
    return false;
  }
  return std::any_of(at + 1, list.end(), [&](int64_t end) { return state.process(end)->live(); });
}

}  // namespace

bool ActNameHeirs(Oracle* oracle, State* state, const Action& action) {
  Process* from = state->process(action.numbers[0]);
  const size_t count = HeirsIn(action.verb);
  Object* object = state->object(action.numbers[1 + count]);
  if (object->owner != from->end || object->ended || !oracle->Held(*object) || state->finishing) {
    return false;
  }
  std::vector<int64_t> list;
  std::vector<ProcessId> heirs;
  for (size_t i = 1; i <= count; ++i) {
    const Process* heir = state->process(action.numbers[i]);
    if (heir == nullptr || heir == from || Contains(list, heir->end)) return false;
    list.push_back(heir->end);
    heirs.push_back(heir->id);
  }
  if (!object->users.empty() || IsStream(*state, *object) || object->stream != 0 ||
      object->stateful != 0 || object->was_argument) {
    return false;
  }
  object->heirs.insert(list.begin(), list.end());
  object->heir_list = std::move(list);
  object->list_at.clear();
  ++object->heirs_asked;
  NoteGivenAway(oracle, state, object);
  const absl::Status status =
      Ownership(*from->counter)
          .NameHeirs({&object->id, 1}, heirs, Telling(state, object->number, "heir named: "));
  state->trace.Add("answer A", {static_cast<int64_t>(status.code())});
  oracle->Expect(status.ok(), "an heir is refused at once", NameOf(*object));
  return true;
}

bool ActDismissHeir(Oracle* oracle, State* state, const Action& action) {
  Process* from = state->process(action.numbers[0]);
  Object* object = state->object(action.numbers[1]);
  if (object->heirs.empty() || object->owner != from->end || object->ended || state->finishing) {
    return false;
  }
  ++object->heirs_asked;
  const absl::Status status =
      Ownership(*from->counter)
          .DismissHeir({&object->id, 1}, Telling(state, object->number, "heir dismissed: "));
  state->trace.Add("answer A", {static_cast<int64_t>(status.code())});
  oracle->Expect(status.ok(), "a dismissal is refused at once", NameOf(*object));
  return true;
}

bool EndsAtHeir(const State& state, const Object& object, int64_t heir) {
  return object.ended && object.heirs.count(heir) > 0 && state.OwnerOf(object).excluded_by != 0;
}

bool EndsAtSomeHeir(const State& state, const Object& object) {
  return std::any_of(object.heirs.begin(), object.heirs.end(), [&](int64_t heir) {
    return EndsAtHeir(state, object, heir) && state.process(heir)->HeardOf(state.OwnerOf(object));
  });
}

void SeeTakenUpByHeir(Oracle* oracle, State* state, const Process& heir, Object* object) {
  if (!EndsAtHeir(*state, *object, heir.end) || !heir.live() || !Owns(heir, *object)) return;
  oracle->Expect(!heir.PastBarrier(state->OwnerOf(*object)),
                 "an heir takes up what ended unheard after the barrier", NameOf(*object));
  state->coverage.Count("what ended unheard is taken up by its heir");
  state->ReturnToScope(object);
  state->given_away.insert(object->number);
  SeeOwner(oracle, state, object);
}

uint64_t CountAsHeir(const State& state, const Process& process, const Object& inner) {
  const auto count = std::count_if(inner.outers.begin(), inner.outers.end(), [&](int64_t outer) {
    const Object& around = state.objects.at(outer);
    return !around.ended && around.owner != process.end && around.heirs.count(process.end) > 0;
  });
  return static_cast<uint64_t>(count);
}

void OnShadowSent(Oracle* oracle, State* state, int64_t from, int64_t to,
                  const core::ShadowItem& item) {
  state->coverage.Count("item Shadow");
  Object* object = state->Find(item.snapshot.object);
  if (object == nullptr) return;
  state->trace.Add("E sends E Shadow O I",
                   {from, to, object->number, static_cast<int64_t>(item.version)});
  FollowList(oracle, state, from, to, object);
  Object::Shadow& known = object->shadows[item.version];
  known.holders.clear();
  for (const ProcessId& process : item.snapshot.processes) {
    const int64_t end = state->EndOf(process);
    known.holders[end] = object->holdings[end].spell;
  }
  known.primary_of = -1;
  for (const core::TransferItem::At& at : item.snapshot.nodes) {
    if (at.primary) known.primary_of = item.snapshot.generation;
  }
  if (object->owner == from) known.pins.insert(object->pins);
}

// Whoever is in it the heir lists when it takes the object over.
void OnShadowKept(State* state, int64_t to, const core::SharingItem& item) {
  Object* object = state->Find(item.object);
  if (object == nullptr || item.answer != static_cast<uint8_t>(core::ShadowAnswer::kKept)) return;
  const auto at = object->shadows.find(item.number);
  if (at == object->shadows.end() || object->owner != to) return;
  object->handed = std::move(at->second.holders);
  object->primary_handed = at->second.primary_of;
  // It may have been sent again since, with the same pins.
  if (object->version_kept != item.number) object->pins_kept.clear();
  object->version_kept = item.number;
  object->pins_kept.merge(at->second.pins);
  object->shadows.erase(object->shadows.begin(), std::next(at));
}

void LookAtInheritedLists(Oracle* oracle, State* state) {
  SeeOwners(oracle, state);
  for (const int64_t number : state->given_away) {
    const Object& object = *state->object(number);
    if (!object.ended && oracle->Held(object) && MustHaveGoneOn(*state, object)) {
      oracle->Expect(object.list_at.count(object.owner) > 0,
                     "an inherited list is not gone on with", NameOf(object));
    }
  }
}

}  // namespace freehold::testing::sim
