#include "src/testing/sim_pins.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "src/testing/sim_oracle.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

constexpr const char kName[] = "pinner ";

std::string NameOf(int64_t holder) { return kName + std::to_string(holder); }

int64_t NumberOf(const std::string& name) {
  return std::strtoll(name.c_str() + std::strlen(kName), nullptr, 10);
}

void Pin(Oracle* oracle, State* state, Process* process, Object* object, int64_t by) {
  const absl::Status status = process->counter->Pin(object->id, NameOf(by));
  oracle->Expect(status.ok() == !object->ended, "Pin is answered wrongly",
                 sim::NameOf(*object) + ", " + status.ToString());
  if (!status.ok()) return;
  if (!oracle->HeldBesidesPins(*object)) state->coverage.Count("pinned, and nothing else holds it");
  ++object->pins[by];
}

void Unpin(Oracle* oracle, State* state, Process* process, Object* object, int64_t by) {
  const auto pin = object->pins.find(by);
  if (--pin->second == 0) object->pins.erase(pin);
  // Told first, as ever.
  if (object->pins.empty()) {
    if (object->free_waits) state->coverage.Count("a free that waited for a pin");
    if (object->free_waits && object->free_first) {
      state->coverage.Count("evict-first: it waited for a pin");
      oracle->FreedFirst(object);
    } else if (object->free_waits) {
      oracle->Freed(object);
    }
    object->free_waits = false;
    oracle->Dropped(object);
  }
  const absl::Status status = process->counter->Unpin(object->id, NameOf(by));
  oracle->Expect(status.ok(), "Unpin is refused", sim::NameOf(*object) + ", " + status.ToString());
}

}  // namespace

bool ActPin(Oracle* oracle, State* state, const Action& action, Process* process, Object* object) {
  const int64_t by = action.numbers[2];
  if (object->owner != process->end || by <= 0) return false;
  if (action.verb == Verb::kUnpin) {
    if (object->pins.count(by) == 0) return false;
    Unpin(oracle, state, process, object, by);
    return true;
  }
  // A value that is gone is not pinned: a forced free that is done in pieces would find the pin.
  if (object->freed) return false;
  Pin(oracle, state, process, object, by);
  return true;
}

bool IsPinned(const State& state, const Object& object) {
  return !object.pins.empty() && !state.OwnerOf(object).crashed;
}

uint64_t CountPins(const Object& object) {
  uint64_t sum = 0;
  for (const auto& [by, count] : object.pins) sum += count;
  return sum;
}

bool AnyPinned(const State& state) {
  return std::any_of(state.objects.begin(), state.objects.end(),
                     [](const auto& each) { return !each.second.pins.empty(); });
}

void SeePinsMoved(State* state, const Object& object) {
  if (object.pins.empty()) return;
  state->coverage.Count("pinned: it goes to another owner");
  if (object.free_waits) state->coverage.Count("pinned: its free goes along");
}

void SeePinsInherited(Oracle* oracle, State* state, Object* object, const Process& heir) {
  const auto pins = heir.counter->GetPins(object->id);
  if (!pins.ok()) return;
  Object::Pins found;
  for (const PinHolder& holder : *pins) found[NumberOf(holder.by)] = holder.count;
  const bool was_told =
      found == object->pins || object->pins_kept.count(found) > 0 ||
      std::any_of(object->shadows.begin(), object->shadows.end(),
                  [&found](const auto& shadow) { return shadow.second.pins.count(found) > 0; });
  oracle->Expect(was_told, "an heir finds other pins than it was told", sim::NameOf(*object));
  if (found != object->pins) state->coverage.Count("pinned: unheard by its heir");
  if (!found.empty()) state->coverage.Count("pinned: its heir owns it");
  object->pins = std::move(found);
}

void EndPins(Oracle* oracle, State* state, bool at_rest) {
  if (at_rest) SeeOwners(oracle, state);
  for (auto& [number, object] : state->objects) {
    if (!at_rest && state->given_away.count(number) > 0) continue;
    Process& owner = state->OwnerOf(object);
    while (!object.pins.empty() && state->violation.empty()) {
      if (owner.usable()) {
        Unpin(oracle, state, &owner, &object, object.pins.begin()->first);
      } else {
        object.pins.clear();
      }
    }
  }
}

}  // namespace freehold::testing::sim
