#include "src/testing/sim_moves.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "src/testing/sim_evict_first.h"
#include "src/testing/sim_files.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

bool IsOf(const PrimaryMove& move, const Node& node, const Object& object, uint32_t generation) {
  return move.node == -node.end && move.object == object.number && move.generation == generation;
}

bool WasFreed(const Object& object, int64_t node, uint32_t generation) {
  const std::pair<int64_t, uint32_t> free(node, generation);
  return std::find(object.frees_sent.begin(), object.frees_sent.end(), free) !=
         object.frees_sent.end();
}

// Null: none is.
const Location* PrimaryAmong(const std::vector<Location>& locations) {
  const auto found = std::find_if(locations.begin(), locations.end(), [](const Location& each) {
    return each.role == CopyRole::kPrimary && !each.prospective;
  });
  return found == locations.end() ? nullptr : &*found;
}

void OnEnded(Oracle* oracle, State* state, int64_t number, const ObjectId& id,
             const MoveResult& result) {
  PrimaryMove& move = state->moves[number];
  const Object& object = *state->object(move.object);
  const Node& node = *state->node(move.node);
  const std::string details =
      Format("move of O to N", {move.object, move.node}) + ", " + MoveOutcomeName(result.outcome);
  state->trace.Add("N hears of its move of O: I",
                   {move.node, move.object, static_cast<int64_t>(result.outcome)});
  state->coverage.Count(std::string("move ends: ") + MoveOutcomeName(result.outcome));
  oracle->Expect(id == object.id, "a move is about another object", details);
  oracle->Expect(!move.answered, "a move ends twice", details);
  move.answered = true;
  move.outcome = result.outcome;
  if (result.outcome == MoveOutcome::kOwnerDied) {
    oracle->Expect(SaysOwnerDied(*state, node, object),
                   "a node is told too early that an owner died", details);
  }
  if (result.outcome == MoveOutcome::kRefused) {
    if (move.generation == object.generation && IsEvictable(object)) {
      state->coverage.Count("evict-first: a move is refused");
    }
    oracle->Expect(oracle->ValueGone(object, move.generation) || move.evicted ||
                       WasMovedFrom(*state, object, move.node) || node.excluded_by != 0 ||
                       object.disagreed || WasGivenAway(object) ||
                       object.first_frees.count(move.generation) > 0,
                   "a move of a live value is refused", details);
  }
}

}  // namespace

bool ActMove(Oracle* oracle, State* state, const Action& action) {
  const Numbers& n = action.numbers;
  Node* node = state->node(n[0]);
  const Object* object = state->object(n[1]);
  const auto generation = static_cast<uint32_t>(n[2]);
  const Node* from = state->node(n[3]);
  if (from == nullptr || from == node) return false;
  const Store::Stored* stored = node->store.Find({object->id, generation});
  if (stored == nullptr) return false;
  const int64_t number = state->moves.empty() ? 1 : state->moves.rbegin()->first + 1;
  PrimaryMove& move = state->moves[number];
  move.object = object->number;
  move.node = n[0];
  move.generation = generation;
  move.from = n[3];
  move.instance = stored->instance;
  // Who is let go of need not be named to itself as who fetches.
  for (auto& [asked, query] : state->queries) {
    if (query.object == object->number && query.end == from->end) query.fetch_to = 0;
  }
  const absl::Status status = node->agent->MovePrimary(
      object->id, generation, from->id,
      [oracle, state, number](const ObjectId& id, const MoveResult& result) {
        OnEnded(oracle, state, number, id, result);
      });
  state->trace.Add("answer A", {static_cast<int64_t>(status.code())});
  state->coverage.Count(std::string("answer ") + PatternOf(action.verb) + ": " +
                        absl::StatusCodeToString(status.code()));
  if (status.ok()) return true;
  state->moves.erase(number);
  const bool may_refuse = absl::IsAborted(status)
                              ? oracle->MayDelete(*node, *object, generation)
                              : node->knows() || MayMove(*state, *node, *object, generation);
  oracle->Expect((absl::IsAborted(status) || absl::IsFailedPrecondition(status)) && may_refuse,
                 "a move is refused", NameOf(*object) + ", " + status.ToString());
  return true;
}

bool MayMove(const State& state, const Node& node, const Object& object, uint32_t generation) {
  return std::any_of(state.moves.begin(), state.moves.end(), [&](const auto& entry) {
    return !entry.second.answered && IsOf(entry.second, node, object, generation);
  });
}

// As many are open at the agent as its host has not heard of: none of them waits to be told. One
// that is to be deleted may go by itself.
bool SurelyMoves(const State& state, const Node& node, const Object& object, uint32_t generation) {
  const auto open = std::count_if(state.moves.begin(), state.moves.end(), [&](const auto& entry) {
    return !entry.second.answered && entry.second.node == -node.end;
  });
  return static_cast<uint64_t>(open) == node.agent->GetStats().moves &&
         !WasFreed(object, -node.end, generation) &&
         std::any_of(state.moves.begin(), state.moves.end(), [&](const auto& entry) {
           const PrimaryMove& move = entry.second;
           const Store::Stored* stored =
               const_cast<Store&>(node.store).Find({object.id, generation});
           return !move.answered && IsOf(move, node, object, generation) && stored != nullptr &&
                  stored->instance == move.instance;
         });
}

void EvictMoving(State* state, const Node& node, const Object& object, uint32_t generation) {
  for (auto& [number, move] : state->moves) {
    if (IsOf(move, node, object, generation)) move.evicted = true;
  }
}

bool IsLetGo(const State& state, const Object& object, int64_t node, uint32_t generation) {
  for (const auto& [number, move] : state.moves) {
    if (move.object != object.number || move.generation != generation || move.from != node) {
      continue;
    }
    // Who was abandoned, or lost its owner, does not know.
    if (move.answered &&
        (move.outcome == MoveOutcome::kSecondary || move.outcome == MoveOutcome::kRefused)) {
      continue;
    }
    // The one that takes over has the bytes, unless it died, evicted them, was moved from too, or
    // has passed the owner's barrier.
    const Node& to = *state.node(move.node);
    const bool has = const_cast<Store&>(to.store).Find({object.id, generation}) != nullptr;
    if (has || !to.live() || move.evicted || WasFreed(object, move.node, generation) ||
        state.OwnerOf(object).excluded_by != 0) {
      return true;
    }
  }
  return false;
}

bool WasMovedFrom(const State& state, const Object& object, int64_t node) {
  return std::any_of(state.moves.begin(), state.moves.end(), [&](const auto& entry) {
    return entry.second.object == object.number && entry.second.from == node;
  });
}

bool IsPrimaryOn(const State& state, const Object& object, int64_t node) {
  const auto known = state.OwnerOf(object).counter->GetLocations(object.id);
  const Node* at = state.node(node);
  return known.ok() && at != nullptr &&
         std::any_of(known->locations.begin(), known->locations.end(), [&](const Location& each) {
           return each.node == at->id && each.role == CopyRole::kPrimary && !each.prospective;
         });
}

void SeePrimary(const State& state, Object* object) {
  if (object->primary_of == object->generation) return;
  const auto known = state.OwnerOf(*object).counter->GetLocations(object->id);
  if (!known.ok() || known->generation != object->generation) return;
  if (PrimaryAmong(known->locations) != nullptr) object->primary_of = object->generation;
}

void LookAtPrimaries(Oracle* oracle, const State& state) {
  for (const auto& [number, object] : state.objects) {
    const Process& owner = state.OwnerOf(object);
    if (!owner.live() || oracle->ValueGone(object, object.generation) || IsEvictable(object) ||
        object.primary_of != object.generation || IsInFile(state, object)) {
      continue;
    }
    const auto known = owner.counter->GetLocations(object.id);
    if (!known.ok() || known->state != ObjectState::kAvailable) continue;
    const auto& at = known->locations;
    const bool in_memory = std::any_of(at.begin(), at.end(), [](const Location& each) {
      return each.in_memory && !each.prospective;
    });
    const Location* const primary = PrimaryAmong(at);
    if (primary == nullptr) {
      oracle->Expect(!in_memory, "a value that had a primary has copies and none",
                     NameOf(object) + " of " + NameOf(owner));
      continue;
    }
    const Node& node = *state.node(-state.EndOf(primary->node));
    // What its host alone has said, nobody tells the node.
    if (!node.live() || (object.told_by_host & PlaceOf(node.end)) != 0) continue;
    for (const NodeCopyStatus& copy : node.agent->Find(object.id)) {
      oracle->Expect(copy.copy.generation != object.generation || copy.doomed ||
                         copy.copy.role == CopyRole::kPrimary,
                     "a node is never told that it has the primary",
                     NameOf(object) + " on " + NameOf(node));
    }
  }
}

void LookAtMoves(Oracle* oracle, const State& state) {
  for (const auto& [number, move] : state.moves) {
    const Object& object = state.objects.find(move.object)->second;
    const Process& owner = state.OwnerOf(object);
    const Node& node = *state.node(move.node);
    const std::string details =
        Format("move of O G to N from N", {move.object, move.generation, move.node, move.from});
    if (node.live()) oracle->Expect(move.answered, "L1: a move is never answered", details);
    if (!move.answered || move.outcome != MoveOutcome::kMoved || !owner.live() ||
        oracle->ValueGone(object, move.generation) || IsEvictable(object)) {
      continue;
    }
    const auto known = owner.counter->GetLocations(object.id);
    if (!known.ok()) continue;  // which is a violation elsewhere
    const auto& at = known->locations;
    const auto is_real = [](const Location& each) { return !each.prospective; };
    // A value that is in a file of no node's is safe without a primary.
    oracle->Expect(std::none_of(at.begin(), at.end(), is_real) || IsInFile(state, object) ||
                       PrimaryAmong(at) != nullptr || MayBeUnrecorded(state, object),
                   "an object whose primary has moved has copies and no primary", details);
    const Store::Stored* stored = const_cast<Store&>(node.store).Find({object.id, move.generation});
    if (!node.live() || stored == nullptr || stored->instance != move.instance ||
        WasFreed(object, move.node, move.generation) || object.disagreed ||
        MayBeUnrecorded(state, object)) {
      continue;
    }
    oracle->Expect(IsPrimaryOn(state, object, move.node),
                   "a node was told that it has the primary, and its owner knows another one",
                   details);
    for (const NodeCopyStatus& copy : node.agent->Find(object.id)) {
      if (copy.copy.generation != move.generation) continue;
      oracle->Expect(copy.copy.role == CopyRole::kPrimary,
                     "a node does not know that it has the primary", details);
    }
  }
}

}  // namespace freehold::testing::sim
