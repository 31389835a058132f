#include "src/testing/sim_pins.h"

#include <string>

#include "src/testing/sim_oracle.h"

namespace freehold::testing::sim {

namespace {

std::string NameOf(int64_t holder) { return "pinner " + std::to_string(holder); }

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

void EndPins(Oracle* oracle, State* state) {
  for (auto& [number, object] : state->objects) {
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
