#include "src/testing/sim_evict_first.h"

#include <algorithm>
#include <string>

#include "src/testing/sim_files.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// The copy that the owner names, and its node's store has. Of one that came back to where it was,
// the report may be on its way, behind the removal of the one before.
const Store::Stored* StoredAt(const State& state, const Object& object, const Location& location) {
  if (location.prospective || location.node.IsNil()) return nullptr;
  Node& node = *state.node(-state.EndOf(location.node));
  const Store::Stored* stored = node.store.Find({object.id, object.generation});
  return stored != nullptr && stored->first ? stored : nullptr;
}

void RememberCopies(const State& state, Object* object, const ObjectLocations& known) {
  object->copies_known.clear();
  for (const Location& location : known.locations) {
    const Store::Stored* stored = StoredAt(state, *object, location);
    if (stored == nullptr) continue;
    object->copies_known.emplace_back(-state.EndOf(location.node), stored->instance);
  }
}

void CoverEnd(State* state, const Object& object) {
  const bool died =
      std::any_of(object.copies_known.begin(), object.copies_known.end(),
                  [&](const auto& copy) { return state->node(copy.first)->excluded_by != 0; });
  state->coverage.Count(died ? "evict-first: the last copy goes with its node"
                             : "evict-first: the last copy is evicted");
}

}  // namespace

bool ActEvictFirst(Oracle* oracle, State* state, Process* process, Object* object) {
  if (object->owner != process->end) return false;
  const bool gone = object->ended;
  oracle->FreedFirst(object);
  const BatchResult result = process->counter->Free({object->id}, FreeMode::kEvictFirst);
  const absl::Status status = result.ok() ? absl::OkStatus() : result.failures[0].status;
  state->trace.Add("answer A", {static_cast<int64_t>(status.code())});
  oracle->Expect(status.ok() || (gone && absl::IsNotFound(status)), "a free is refused",
                 status.ToString());
  oracle->SeeEvicted(object);
  if (IsEvictable(*object)) state->coverage.Count("evict-first: the value stays");
  return true;
}

void IsToldToEvict(Oracle* oracle, State* state, const Node& node, const CopyToEvict& copy) {
  const Object* object = state->Find(copy.object);
  if (object == nullptr) return;  // a host's own
  state->coverage.Count("evict-first: a store is told");
  state->trace.Add("E may evict O G first", {node.end, object->number, copy.generation});
  oracle->Expect(object->first_frees.count(copy.generation) > 0,
                 "a store is told to evict first what its owner wants",
                 Format("O G on E", {object->number, copy.generation, node.end}));
}

// What was lost before that is told late by executors that have a queue.
void IsToldToRecover(Oracle* oracle, const State& state, const Object& object) {
  const bool late = WasGivenAway(object) || state.OwnerOf(object).queue != nullptr;
  oracle->Expect(late || !IsEvictable(object),
                 "what was freed evict-first is handed to its host to recover", NameOf(object));
}

// --- The oracle ----------------------------------------------------------------------------------

void Oracle::FreedFirst(Object* object) {
  if (object->ended || object->freed) return;
  if (!object->pins.empty()) {
    object->free_first = !object->free_waits || object->free_first;
    object->free_waits = true;
    return;
  }
  object->first_frees.insert(object->generation);
  const auto known = s_.OwnerOf(*object).counter->GetLocations(object->id);
  const auto is_real = [](const Location& at) { return !at.prospective; };
  if (known.ok() && std::none_of(known->locations.begin(), known->locations.end(), is_real)) {
    s_.coverage.Count("evict-first: the value goes at once");
    return Freed(object);
  }
  s_.evictable.insert(object->number);
  if (known.ok()) RememberCopies(s_, object, *known);
}

void Oracle::SeeEvicted() {
  for (auto at = s_.evictable.begin(); at != s_.evictable.end();) {
    Object* object = s_.object(*at);
    SeeEvicted(object);
    at = IsEvictable(*object) ? std::next(at) : s_.evictable.erase(at);
  }
}

void Oracle::SeeEvicted(Object* object) {
  const Process& owner = s_.OwnerOf(*object);
  if (!IsEvictable(*object) || owner.counter == nullptr) return;
  const auto freed = owner.counter->IsFreed(object->id);
  if (!freed.ok() || !*freed) return;
  for (const auto& [number, instance] : object->copies_known) {
    Node& node = *s_.node(number);
    const Store::Stored* stored = node.store.Find({object->id, object->generation});
    Expect(node.excluded_by != 0 || object->disagreed || stored == nullptr ||
               stored->instance != instance,
           "what was freed evict-first goes although a copy is there",
           NameOf(*object) + " on " + NameOf(node));
  }
  CoverEnd(&s_, *object);
  EndEvicted(object);
}

void Oracle::EndEvicted(Object* object) {
  // Its pins were there before the last copy went, and do not keep that.
  End(object, EndReason::kFreed);
  object->freed = true;
  object->persisted = false;
  ++object->frees;
}

void Oracle::LookAtEvictable(Object* object) {
  const Process& owner = s_.OwnerOf(*object);
  if (!IsEvictable(*object) || !owner.usable()) return;
  const auto known = owner.counter->GetLocations(object->id);
  if (!known.ok()) return;  // which is a violation elsewhere, if it is one
  Expect(known->state != ObjectState::kLost, "what was freed evict-first is lost", NameOf(*object));
  for (const Location& location : known->locations) {
    Expect(location.prospective || location.role != CopyRole::kPrimary,
           "what was freed evict-first has a primary", NameOf(*object));
  }
  RememberCopies(s_, object, *known);
}

// All has been told: the value is there as long as a store has it, and each has been told that it
// need not.
void Oracle::LookAtEvictableAtRest() {
  for (const int64_t number : s_.evictable) {
    Object* object = s_.object(number);
    LookAtEvictable(object);
    if (!IsEvictable(*object) || !s_.OwnerOf(*object).live() || !Held(*object)) continue;
    // One that its host was told of may have gone with a former owner.
    if (MayBeUnrecorded(s_, *object)) continue;
    bool any = IsInFile(s_, *object);
    for (const auto& node : s_.nodes) {
      const Store::Stored* stored = node->store.Find({object->id, object->generation});
      if (!node->live() || stored == nullptr) continue;
      any = true;
      const bool known = std::count(object->copies_known.begin(), object->copies_known.end(),
                                    std::pair<int64_t, uint64_t>(-node->end, stored->instance)) > 0;
      if (!known) continue;
      const std::string where = NameOf(*object) + " on " + NameOf(*node);
      Expect(stored->told_first, "a store is never told that it may evict first", where);
      for (const NodeCopyStatus& copy : node->agent->Find(object->id)) {
        Expect(copy.copy.generation != object->generation || copy.copy.role == CopyRole::kSecondary,
               "a node takes what was freed evict-first for the primary", where);
      }
    }
    Expect(any, "what was freed evict-first stays although its last copy has gone",
           NameOf(*object));
  }
}

}  // namespace freehold::testing::sim
