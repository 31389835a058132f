// Transfers of ownership, in a simulated world: what may go with a former owner, and what must be
// true at rest.

#include <algorithm>
#include <string>
#include <utility>

#include "src/runtime/inside.h"
#include "src/testing/sim_drain.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

bool Owns(const Process& process, const Object& object) {
  return process.counter != nullptr && runtime::Inside::Owns(*process.counter, object.id);
}

bool EverOwned(const Object& object, int64_t process) {
  return object.owner == process ||
         std::count(object.owners.begin(), object.owners.end(), process) > 0;
}

bool PastAnyOwner(const State& state, const End& end, const Object& object) {
  return end.PastBarrier(state.OwnerOf(object)) ||
         std::any_of(object.owners.begin(), object.owners.end(),
                     [&](int64_t owner) { return end.PastBarrier(*state.process(owner)); });
}

// One that has drained takes nothing along but copies of which it was never told, and what a token
// would bring that comes after the word of a move.
bool PastOwner(const State& state, const End& end, const Object& object) {
  if (end.end < 0 || IsOvertaken(state, end, object)) return PastAnyOwner(state, end, object);
  return end.PastBarrier(state.OwnerOf(object)) ||
         std::any_of(object.owners.begin(), object.owners.end(),
                     [&](int64_t owner) { return PastDeath(end, *state.process(owner)); });
}

bool HeardOfOwner(const State& state, const End& end, const Object& object) {
  return end.HeardOf(state.OwnerOf(object)) ||
         std::any_of(object.owners.begin(), object.owners.end(), [&](int64_t owner) {
           const Process& process = *state.process(owner);
           return end.HeardOf(process) && (end.end < 0 || HasDied(process));
         });
}

bool WaitsForNextOwner(const State& state, const Object& object, int64_t process) {
  return std::any_of(state.transfers.begin(), state.transfers.end(), [&](const auto& each) {
    const SimTransfer& transfer = each.second;
    return transfer.object == object.number && transfer.from == process &&
           (transfer.told == 0 || object.drained);
  });
}

bool PastSuspectedOwner(const State& state, const End& end, const Object& object) {
  return std::any_of(state.transfers.begin(), state.transfers.end(), [&](const auto& each) {
    const SimTransfer& transfer = each.second;
    return transfer.object == object.number && PastDeath(end, *state.process(transfer.to));
  });
}

bool SaysOwnerDied(const State& state, const End& end, const Object& object) {
  return PastOwner(state, end, object) || PastSuspectedOwner(state, end, object);
}

bool IsOvertaken(const State& state, const End& end, const Object& object) {
  return std::any_of(state.tokens.begin(), state.tokens.end(), [&](const auto& each) {
    const Token& token = each.second;
    return token.object == object.number && token.to == end.end && token.overtaken;
  });
}

bool MayLack(const State& state, const Object& outer, const Object& inner) {
  const Process& holder = state.OwnerOf(outer);
  if (!WasGivenAway(outer) || holder.end == inner.owner || !holder.usable()) return false;
  // Or has left when the next holder of the outer object heard of it by that name.
  const auto died = [&](int64_t owner) { return state.process(owner)->excluded_by != 0; };
  if (!died(inner.owner) && std::none_of(inner.owners.begin(), inner.owners.end(), died)) {
    return false;
  }
  const absl::StatusOr<ProcessId> named = holder.counter->OwnerOf(inner.id);
  if (!named.ok() || !holder.counter->CheckReference(inner.id).ok()) return true;
  const int64_t owner = state.EndOf(*named);
  return owner != inner.owner && died(owner);
}

bool MayLose(const State& state, const Process& holder, const Object& object) {
  if (!WasGivenAway(object) || holder.end == object.owner || !holder.usable()) return false;
  const auto mine = object.holdings.find(holder.end);
  if (mine == object.holdings.end()) return false;
  if (mine->second.failed) return true;
  const absl::StatusOr<ProcessId> named = holder.counter->OwnerOf(object.id);
  if (!named.ok()) return false;
  const int64_t owner = state.EndOf(*named);
  const auto listed = object.listed.find(holder.end);
  const Process& named_owner = *state.process(owner);
  const bool gone =
      HasDied(named_owner) || (named_owner.excluded_by != 0 && IsOvertaken(state, holder, object));
  return owner != object.owner && gone &&
         (listed == object.listed.end() || listed->second != mine->second.spell);
}

bool HasLost(const State& state, const Object& object, const Holding& holding) {
  return WasGivenAway(object) && holding.failed && state.OwnerOf(object).live();
}

bool AreHandles(const Object& object, uint64_t handles, const Holding& holding) {
  const uint64_t held = holding.handles.size();
  const uint64_t more = object.drained ? 1 : 0;
  return handles >= held && handles <= held + static_cast<uint64_t>(object.open_transfers) + more;
}

int64_t OwnerByHearsay(Object* object, int64_t end) {
  if (!WasGivenAway(*object) || object->told_stale++ % 2 == 0) return object->owner;
  return object->owners.front() == end ? object->owner : object->owners.front();
}

ProcessId OwnerForNode(const State& state, const Node& node, Object* object, uint32_t generation) {
  if (!WasGivenAway(*object)) return state.OwnerOf(*object).id;
  for (const NodeCopyStatus& copy : node.agent->Find(object->id)) {
    if (copy.copy.generation == generation) return copy.copy.owner;
  }
  return state.process(OwnerByHearsay(object, node.end))->id;
}

bool MaySendLate(const State& state, const Object& object, int64_t from) {
  if (!WasGivenAway(object) || !EverOwned(object, from)) return false;
  const Process& process = *state.process(from);
  // What has ended it does not know any more.
  return process.excluded_by != 0 || object.ended || process.PastBarrier(state.OwnerOf(object));
}

bool MayBeUnrecorded(const State& state, const Object& object) {
  return std::any_of(object.owners.begin(), object.owners.end(), [&](int64_t owner) {
    return owner != object.owner && HasDied(*state.process(owner));
  });
}

void NoteForgotten(const Object& object, Process* process) {
  if (object.owner == process->end || !EverOwned(object, process->end)) return;
  process->has_forgotten = process->has_forgotten || object.ended;
}

bool IsForgotten(const State& state, const Object& object) {
  return WasGivenAway(object) && state.OwnerOf(object).excluded_by != 0;
}

// --- What goes with a former owner ---------------------------------------------------------------

bool IsFormerOwners(const State& state, const Node& node, const Object& object,
                    uint32_t generation) {
  if (!WasGivenAway(object)) return false;
  for (const NodeCopyStatus& each : node.agent->Find(object.id)) {
    if (each.copy.generation != generation || !each.doomed) continue;
    const int64_t owner = state.EndOf(each.copy.owner);
    return owner != object.owner && node.PastBarrier(*state.process(owner));
  }
  return false;
}

void OnDeleteOfGivenAway(Oracle* oracle, State* state, const Node& node, const Object& object,
                         uint32_t generation) {
  const Process& owner = state->OwnerOf(object);
  const std::pair<int64_t, uint32_t> free(-node.end, generation);
  const auto& frees = object.frees_sent;
  if (!owner.live() || oracle->ValueGone(object, generation)) return;
  if (std::find(frees.begin(), frees.end(), free) != frees.end()) return;
  state->coverage.Count("a copy goes with a former owner");
  if (object.disagreed) return;
  const auto known = owner.counter->GetLocations(object.id);
  if (!known.ok() || known->generation != generation) return;
  const bool named =
      std::any_of(known->locations.begin(), known->locations.end(),
                  [&](const Location& at) { return at.node == node.id && !at.prospective; });
  // What only its host knows of, nobody has told the node that it is another one's now.
  const bool by_host = (object.told_by_host & PlaceOf(node.end)) != 0;
  oracle->Expect(!named || by_host, "S6: a copy that its owner knows goes with a former one",
                 Format("O G on E", {object.number, generation, node.end}));
}

void OnLost(Oracle* oracle, State* state, const Process& process, const Object& object) {
  if (!WasGivenAway(object) || !process.live()) return;
  const Process& owner = state->OwnerOf(object);
  if (!owner.live()) return;
  state->coverage.Count("a reference fails although its owner lives");
  const auto listed = object.listed.find(process.end);
  const auto mine = object.holdings.find(process.end);
  oracle->Expect(listed == object.listed.end() || mine == object.holdings.end() ||
                     mine->second.spell != listed->second,
                 "S1: a reference fails although its owner lives and knows of it",
                 NameOf(object) + " at " + NameOf(process) + ", of " + NameOf(owner));
}

// --- Who has passed a reference on ---------------------------------------------------------------

namespace {

// The receiver holds what the token has brought, and nobody has confirmed it. What comes after its
// sender's word of a move is told of none.
bool IsUnconfirmed(const Object& object, const Token& token) {
  const auto holding = object.holdings.find(token.to);
  return token.object == object.number && token.spell != 0 && !token.answered && !token.overtaken &&
         holding != object.holdings.end() && holding->second.held() && !holding->second.failed &&
         holding->second.spell == token.spell;
}

}  // namespace

void ListPassedOn(State* state, Object* object) {
  for (const auto& [number, token] : state->tokens) {
    if (token.from != object->owner || !IsUnconfirmed(*object, token)) continue;
    state->coverage.Count("who owns it now has passed it on");
    object->listed[token.to] = token.spell;
  }
}

void LookAtPassedOn(Oracle* oracle, State* state) {
  SeeOwners(oracle, state);
  const auto knows = [&](const Process& process, const Object& object) {
    if (process.end == object.owner) return true;
    const absl::StatusOr<ProcessId> named = process.counter->OwnerOf(object.id);
    return named.ok() && state->EndOf(*named) == object.owner;
  };
  for (const auto& [number, token] : state->tokens) {
    const Object& object = state->objects.at(token.object);
    if (!WasGivenAway(object) || object.ended || !IsUnconfirmed(object, token)) continue;
    const Process& owner = state->OwnerOf(object);
    const Process& sender = *state->process(token.from);
    const Process& receiver = *state->process(token.to);
    if (!owner.live() || !sender.live() || !receiver.live() || !knows(sender, object)) continue;
    // It has got it late, of an owner that had died.
    if (MayLose(*state, receiver, object)) continue;
    if (state->network.Cut(receiver.address, sender.address)) continue;
    if (state->network.Cut(receiver.address, owner.address)) continue;
    oracle->Expect(knows(receiver, object), "S1: who got a reference does not hear of the move",
                   NameOf(object) + " " + Format("at P from P", {token.to, token.from}));
  }
}

// --- At rest -------------------------------------------------------------------------------------

void LookAtTransfersAtRest(Oracle* oracle, State* state) {
  SeeOwners(oracle, state);
  for (const auto& [number, transfer] : state->transfers) {
    if (!state->process(transfer.from)->live()) continue;
    oracle->Expect(transfer.told == 1, "L5: a transfer is never answered",
                   Format("O from P to P", {transfer.object, transfer.from, transfer.to}));
  }
  for (const auto& process : state->processes) {
    if (!process->live()) continue;
    const ReferenceCounterStats stats = process->counter->GetStats();
    oracle->Expect(stats.transfers_pending == 0, "L1: a transfer does not end", NameOf(*process));
    oracle->Expect(stats.transfers_untold == 0, "L1: somebody is not told of an owner",
                   NameOf(*process));
  }
  for (const int64_t number : state->given_away) {
    const Object& object = *state->object(number);
    const Process& owner = state->OwnerOf(object);
    if (!owner.live() || object.ended || !oracle->Held(object)) continue;
    oracle->Expect(Owns(owner, object), "S5: an object has no owner", NameOf(object));
  }
}

void CheckTransfersEmpty(Oracle* oracle, const State& state, const Process& process) {
  const ReferenceCounterStats stats = process.counter->GetStats();
  // What it answers for ends with its owner, or at the barrier of one that died.
  oracle->Expect(stats.formerly_owned == 0, "L6: objects are left that were given away",
                 NameOf(process) + " has " + std::to_string(stats.formerly_owned));
  oracle->Expect(stats.heirs == 0 && stats.heir_of == 0, "L6: heirs are left", NameOf(process));
  for (const auto& [number, transfer] : state.transfers) {
    if (transfer.from != process.end) continue;
    oracle->Expect(transfer.told == 1, "L5: a transfer is never answered",
                   Format("O from P to P", {transfer.object, transfer.from, transfer.to}));
  }
}

}  // namespace freehold::testing::sim
