// Nodes that are emptied before they are removed: what their hosts do, and that no value would go
// with one that says that it is drained.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "src/testing/sim_actor.h"
#include "src/testing/sim_evict_first.h"
#include "src/testing/sim_files.h"
#include "src/testing/sim_moves.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

constexpr Duration kDrainMost = std::chrono::seconds(5);
constexpr Duration kEvacuateAgain = std::chrono::milliseconds(300);

uint64_t CountDead(const State& state) {
  const auto dead = [](const auto& end) { return !end->live(); };
  return static_cast<uint64_t>(std::count_if(state.processes.begin(), state.processes.end(), dead) +
                               std::count_if(state.nodes.begin(), state.nodes.end(), dead));
}

// Whoever is gone has taken along what it owned.
uint64_t CountOwned(const Process& process) {
  return process.live() ? process.counter->CanExit().owned_in_scope : 0;
}

}  // namespace

bool Actor::BeginDrain(Node* node, int64_t owner) {
  const Process* process = s_.process(owner);
  if (node->is_draining() || (owner != 0 && process == nullptr)) return false;
  SimNodeDrain& made = node->drain;
  made = {};
  made.dead_before = CountDead(s_);
  NodeDrainOptions options;
  options.deadline = SaturatingAdd(s_.clock.Now(), kDrainMost);
  options.evacuate_again = kEvacuateAgain;
  made.owner = owner;
  if (owner != 0) options.owned_in_scope = [process] { return CountOwned(*process); };
  options.evacuate = [&made](const NodeCopyStatus& copy, const std::vector<Location>& others) {
    made.wanted.push_back(
        {copy.copy.object, copy.copy.generation, others.empty() ? NodeId() : others.front().node});
  };
  absl::StatusOr<std::unique_ptr<NodeDrain>> drain = NodeDrain::Create(node->agent.get(), options);
  oracle_.Expect(drain.ok(), "a drain is refused", drain.status().ToString());
  if (!drain.ok()) return false;
  made.drain = *std::move(drain);
  return true;
}

void Actor::StepDrain(Node* node) {
  if (!node->is_draining()) return;
  SimNodeDrain& run = node->drain;
  run.state = run.drain->Step(s_.clock.Now()).state;
  for (const SimNodeDrain::Wanted& wanted : std::exchange(run.wanted, {})) {
    Evacuate(*node, wanted);
  }
  if (run.state == NodeDrainState::kDraining) return;
  const std::string details = NameOf(*node) + ", " + NodeDrainStateName(run.state);
  s_.trace.Add("N is told that its drain ends: I", {-node->end, static_cast<int64_t>(run.state)});
  s_.coverage.Count(std::string("node drain ends: ") + NodeDrainStateName(run.state));
  oracle_.Expect(run.state != NodeDrainState::kStopped || node->knows(),
                 "a drain stops although its node goes on", details);
  if (run.owner != 0 && run.state == NodeDrainState::kDrained) {
    s_.coverage.Count("a node is drained with an owner on it");
    oracle_.Expect(CountOwned(*s_.process(run.owner)) == 0,
                   "a node is drained, and a process on it owns objects", details);
  }
  if (run.state == NodeDrainState::kDrained) CheckDrained(*node);
}

// Somebody else gets the bytes, and takes over.
void Actor::Evacuate(const Node& from, const SimNodeDrain::Wanted& wanted) {
  const Object* object = s_.Find(wanted.object);
  const Node* to = nullptr;
  for (const auto& node : s_.nodes) {
    const bool is_named = wanted.other.IsNil() || node->id == wanted.other;
    if (to == nullptr && is_named && node.get() != &from && node->usable()) to = node.get();
  }
  if (to == nullptr) return;
  const int64_t generation = wanted.generation;
  ++s_.nested;
  if (wanted.other.IsNil()) (void)Act({Verb::kStore, {-to->end, object->number, generation}});
  if (Act({Verb::kMove, {-to->end, object->number, generation, -from.end}})) {
    s_.coverage.Count(wanted.other.IsNil() ? "a sole copy is fetched from a node that is drained"
                                           : "a copy takes over from a node that is drained");
  }
  --s_.nested;
}

// Its owner's host has said that the primary is there; that the node had died before it had one, no
// owner can know until it is excluded.
bool Actor::IsNamedOnUnheardDead(const Object& object, uint32_t generation,
                                 const Node& node) const {
  const bool by_host = generation == 0 && object.declared_on == node.end;
  if (!by_host || node.store.EverHad({object.id, generation}) || !node.crashed ||
      s_.OwnerOf(object).HeardOf(node) || !IsPrimaryOn(s_, object, -node.end)) {
    return false;
  }
  s_.coverage.Count("a node is drained while a dead one is named that was to have a value");
  return true;
}

// What is elsewhere may have been evicted there, or died, while it was asked about.
void Actor::CheckDrained(const Node& node) {
  if (CountDead(s_) != node.drain.dead_before) {
    s_.coverage.Count("a node is drained while others die");
    return;
  }
  for (const auto& entry : node.store.copies()) {
    const Store::Key& key = entry.first;
    const Object& object = *s_.Find(key.first);
    const uint32_t generation = key.second;
    const auto is_it = [generation](const NodeCopyStatus& copy) {
      return copy.copy.generation == generation && !copy.doomed;
    };
    const std::vector<NodeCopyStatus> known = node.agent->Find(object.id);
    if (std::none_of(known.begin(), known.end(), is_it)) {
      continue;  // it comes this moment, or its owner has let go of it
    }
    if (!s_.OwnerOf(object).live() || oracle_.ValueGone(object, generation) ||
        IsEvictable(object) || object.disagreed || WasGivenAway(object) || !object.heirs.empty() ||
        MayBeUnrecorded(s_, object) || object.evicted) {
      continue;
    }
    s_.coverage.Count("a node is drained whose values are safe elsewhere");
    const auto is_safe_at = [&](const auto& other) {
      const Store::Stored* copy = other->store.Find(key);
      if (other.get() == &node) return false;
      if (copy == nullptr) return IsNamedOnUnheardDead(object, generation, *other);
      return !copy->url.empty() || IsPrimaryOn(s_, object, -other->end);
    };
    oracle_.Expect(entry.second.shared || IsInFile(s_, object) ||
                       std::any_of(s_.nodes.begin(), s_.nodes.end(), is_safe_at),
                   "a node is drained, and the only copy of a value is on it",
                   NameOf(node) + ", " + NameOf(object));
  }
}

}  // namespace freehold::testing::sim
