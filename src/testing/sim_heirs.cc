#include "src/testing/sim_heirs.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

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

}  // namespace

bool ActNameHeir(Oracle* oracle, State* state, const Action& action) {
  Process* from = state->process(action.numbers[0]);
  const Process* heir = state->process(action.numbers[1]);
  Object* object = state->object(action.numbers[2]);
  if (heir == nullptr || heir == from || object->owner != from->end || object->ended ||
      !oracle->Held(*object) || state->finishing) {
    return false;
  }
  if (!object->users.empty() || IsStream(*state, *object) || object->stream != 0 ||
      object->stateful != 0 || object->was_argument) {
    return false;
  }
  object->heirs.insert(heir->end);
  NoteGivenAway(oracle, state, object);
  const absl::Status status =
      Ownership(*from->counter)
          .NameHeir({&object->id, 1}, heir->id, Telling(state, object->number, "heir named: "));
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

uint64_t CountAsHeir(const State& state, const Process& process, const Object& inner) {
  const auto count = std::count_if(inner.outers.begin(), inner.outers.end(), [&](int64_t outer) {
    const Object& around = state.objects.at(outer);
    return !around.ended && around.owner != process.end && around.heirs.count(process.end) > 0;
  });
  return static_cast<uint64_t>(count);
}

void OnShadowSent(State* state, int64_t from, int64_t to, const core::ShadowItem& item) {
  state->coverage.Count("item Shadow");
  Object* object = state->Find(item.snapshot.object);
  if (object == nullptr) return;
  state->trace.Add("E sends E Shadow O I",
                   {from, to, object->number, static_cast<int64_t>(item.version)});
  Object::Shadow& known = object->shadows[item.version];
  known.holders.clear();
  for (const ProcessId& process : item.snapshot.processes) {
    const int64_t end = state->EndOf(process);
    known.holders[end] = object->holdings[end].spell;
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
  // It may have been sent again since, with the same pins.
  if (object->version_kept != item.number) object->pins_kept.clear();
  object->version_kept = item.number;
  object->pins_kept.merge(at->second.pins);
  object->shadows.erase(object->shadows.begin(), std::next(at));
}

}  // namespace freehold::testing::sim
