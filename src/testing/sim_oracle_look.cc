// The oracle's looks at everything: at any time, at rest, at the end.

#include <algorithm>
#include <utility>

#include "src/testing/sim_creation.h"
#include "src/testing/sim_drain.h"
#include "src/testing/sim_files.h"
#include "src/testing/sim_heirs.h"
#include "src/testing/sim_lineage.h"
#include "src/testing/sim_lineage_moved.h"
#include "src/testing/sim_members.h"
#include "src/testing/sim_moves.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_persist.h"
#include "src/testing/sim_pins.h"
#include "src/testing/sim_queries.h"
#include "src/testing/sim_replay.h"
#include "src/testing/sim_scopes.h"
#include "src/testing/sim_sharing.h"
#include "src/testing/sim_streams.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

// --- At any time ---------------------------------------------------------------------------------

void Oracle::LookAtOwner(const Object& object, const Process& owner) {
  const auto counts = owner.counter->GetCounts(object.id);
  if (!counts.ok()) {
    return Violate("S4: an object that is held is unknown to its owner", NameOf(object));
  }
  const auto mine = object.holdings.find(owner.end);
  static const Holding nothing;
  const Holding& holding = mine == object.holdings.end() ? nothing : mine->second;
  Expect(AreHandles(object, counts->handles, holding) && counts->by_id == holding.by_id &&
             counts->tasks == holding.tasks &&
             counts->pins == (object.moving ? 0 : CountPins(object)),
         "an object has other counts than its holders", NameOf(object));
}

void Oracle::Look() {
  SeeOwners(this, &s_);
  size_t kept = 0;
  for (const int64_t number : s_.alive) {
    Object& object = *s_.object(number);
    const Process& owner = s_.OwnerOf(object);
    LookAtDeclaration(this, &s_, &object);
    if (object.declarer > 0 || object.late) {
      s_.alive[kept++] = number;
      continue;
    }
    if (object.ended) continue;
    if (object.tokens > 0) LookAtBorrowers(this, s_, &object);
    if (owner.crashed && object.tokens == 0) continue;
    s_.alive[kept++] = number;
    if (!owner.usable()) continue;
    if (Held(object)) {
      LookAtOwner(object, owner);
      SeePrimary(s_, &object);
    } else if (object.inexact && !owner.counter->InScope(object.id)) {
      SeenEnded(&object);
    }
  }
  s_.alive.resize(kept);
  SeeEvicted();
  for (const int64_t number : s_.evictable) LookAtEvictable(s_.object(number));
}

// --- At rest -------------------------------------------------------------------------------------

// Of one node that is live: what is wanted is known to its owner, the rest has readers or is gone.
void Oracle::LookAtCopies(const Node& node) {
  for (const auto& [key, stored] : node.store.copies()) {
    const Object* object = s_.Find(key.first);
    if (object == nullptr) continue;  // a host's own
    const Process& owner = s_.OwnerOf(*object);
    const std::string what = Format("O G on E", {object->number, key.second, node.end});
    if (!owner.live() || ValueGone(*object, key.second)) {
      if (stored.readers == 0) Violate("L4: a copy is left", what);
      continue;
    }
    const auto known = owner.counter->GetLocations(object->id);
    if (!known.ok()) {
      Violate("an object that is held is unknown to its owner", what);
      continue;
    }
    const auto at = std::find_if(known->locations.begin(), known->locations.end(),
                                 [&](const Location& each) { return each.node == node.id; });
    // A former primary with readers is not to be used, and so not named, or as one that fetches.
    const std::pair<int64_t, uint32_t> free(-node.end, key.second);
    const bool freed = std::count(object->frees_sent.begin(), object->frees_sent.end(), free) > 0;
    const bool named = at != known->locations.end() && !at->prospective;
    if (!named && freed && stored.readers > 0) continue;
    if (!named && stored.readers > 0 && IsFormerOwners(s_, node, *object, key.second)) continue;
    if (at == known->locations.end()) {
      Violate("a copy is unknown to its owner", what);
    } else if (at->in_memory != stored.in_memory || at->spilled_url != stored.url) {
      Violate("a copy is known otherwise to its owner", what);
    }
  }
}

uint64_t Oracle::CountOuters(const Object& object) const {
  const Process& owner = s_.OwnerOf(object);
  const auto outers =
      std::count_if(object.outers.begin(), object.outers.end(), [this, &owner](int64_t outer) {
        const Object& around = *s_.object(outer);
        return !around.ended && around.owner == owner.end && Held(around);
      });
  const Object* stream = StreamAround(s_, object);
  const bool waits = stream != nullptr && Held(*stream);
  return static_cast<uint64_t>(outers) + (waits ? 1 : 0);
}

void Oracle::LookAtObjects() {
  for (auto& [number, object] : s_.objects) {
    const Process& owner = s_.OwnerOf(object);
    LookAtDeclaration(this, &s_, &object);
    if (object.tokens > 0) LookAtSharingAtRest(this, s_, object);
    if (!owner.live()) continue;
    const bool in_scope = owner.counter->InScope(object.id);
    if (in_scope != (!object.ended && Held(object))) {
      Violate(in_scope ? "L4: an object that nobody holds is still in scope"
                       : "S4: an object that is held is not in scope any more",
              owner.counter->DebugString(object.id));
    }
    if (!in_scope) continue;
    LookAtOwner(object, owner);
    Expect(*owner.counter->IsFreed(object.id) == object.freed, "IsFreed is wrong", NameOf(object));
    const ObjectLocations known = *owner.counter->GetLocations(object.id);
    Expect(known.generation == object.generation, "an object has another generation",
           NameOf(object));
    for (const Location& location : known.locations) {
      if (location.node.IsNil()) {
        LookAtUnboundLocation(this, s_, object, location);
        continue;
      }
      Expect(s_.node(-s_.EndOf(location.node))->live(), "a copy is known on an excluded node",
             NameOf(object));
    }
    const auto counts = owner.counter->GetCounts(object.id);
    const uint64_t outers = CountOuters(object) + CountUsers(object);
    Expect(
        counts->nested_in >= outers && counts->nested_in <= outers + CountAsHeir(s_, owner, object),
        "wrong count of outer objects", NameOf(object));
  }
}

void Oracle::LookAtDigests(const Process& process) {
  const ReferenceCounterStats stats = process.counter->GetStats();
  s_.coverage.Count("digests compared at rest", stats.digests_compared);
  // What has just been given away, or has come, its nodes count elsewhere for a moment.
  const bool moves = stats.transfers + stats.transfers_taken + stats.objects_inherited > 0;
  Expect(moves || stats.digest_copies_missing == 0, "a digest takes out a copy that its node had",
         NameOf(process));
  if (moves) s_.coverage.Count("digests differ for a transfer", stats.digest_mismatches);
  Expect(process.disagreements > 0 || moves || stats.digest_mismatches == 0,
         "digests differ although nobody disagreed", NameOf(process));
}

void Oracle::LookAtRest() {
  LookAtTransfersAtRest(this, &s_);
  s_.listed_copies.clear();
  BeginRest();
  SeeEvicted();
  for (const auto& node : s_.nodes) {
    if (node->live()) LookAtCopies(*node);
  }
  LookAtObjects();
  for (const auto& process : s_.processes) {
    if (process->live()) LookAtDigests(*process);
  }
  for (const auto& [number, subscription] : s_.subscriptions) Compare(number);
  LookAtQueries(this, s_);
  LookAtMoves(this, s_);
  LookAtPrimaries(this, s_);
  LookAtFilesAtRest(this, s_);
  LookAtEvictableAtRest();
  LookAtScopesAtRest(this, s_);
  LookAtUses();
  LookAtMembersAtRest(this, s_);
  LookAtLineageAtRest(this, s_);
  LookAtMovedLineage(this, &s_);
  LookAtReplaysAtRest(this, &s_);
  LookAtPersistedAtRest(this, s_);
  LookAtStreamsAtRest(this, s_);
  EndRest();
  const LocalMembership::Status status = s_.membership.GetStatus();
  Expect(status.waiting_for.empty() && status.latest_barrier == status.latest_view,
         "L3: a barrier does not come", std::to_string(status.latest_view));
}

// --- At the end ----------------------------------------------------------------------------------

void Oracle::CheckEmpty(const Process& process) {
  const ReferenceCounterStats stats = process.counter->GetStats();
  const std::pair<const char*, uint64_t> gauges[] = {
      {"L6: objects are left", stats.objects},
      {"L6: objects in scope are left", stats.objects_in_scope},
      {"L4: frees wait", stats.frees_waiting},
      {"L4: frees are in flight", stats.frees_in_flight},
      {"L6: drops are deferred", stats.drops_deferred},
      {"L5: callbacks are registered", stats.callbacks_registered},
      {"L1: bytes are not acknowledged", stats.sessions.unacked_bytes},
      {"L1: bytes are in an inbox", stats.sessions.inbox_bytes},
      {"L1: questions are not answered", stats.location_queries},
      {"L6: questions of others are left", stats.location_watches},
      {"L5: watches are not answered", stats.watches_elsewhere},
      {"L6: watches of others are left", stats.watches},
      {"misuses are counted that were none", stats.misuses - process.misuses},
      {"items are refused", process.has_forgotten ? 0u : stats.sessions.refused_items},
  };
  for (const auto& [what, count] : gauges) {
    Expect(count == 0, what, NameOf(process) + " has " + std::to_string(count));
  }
  Expect(!process.is_told_of_frees || stats.copies_freed == process.free_outcomes,
         "not every free of a copy has its one outcome", NameOf(process));
  CheckSharingEmpty(this, process);
  CheckTransfersEmpty(this, s_, process);
  CheckScopesEmpty(this, process);
  CheckLineageEmpty(this, process);
  CheckPersistsEmpty(this, s_, process);
  CheckStreamsEmpty(this, process);
}

void Oracle::CheckEmpty(const Node& node) {
  const NodeAgentStats stats = node.agent->GetStats();
  const std::pair<const char*, uint64_t> gauges[] = {
      {"L6: copies are left at an agent", stats.copies},
      {"L6: bytes are left at an agent", stats.bytes},
      {"L6: readers are left at an agent", stats.readers},
      {"L4: doomed copies are left", stats.doomed},
      {"L4: deletions are pending", stats.deletes_pending},
      {"L1: reports wait", stats.reports_waiting},
      {"L1: bytes are not acknowledged", stats.sessions.unacked_bytes},
      {"L1: bytes are in an inbox", stats.sessions.inbox_bytes},
      {"L1: questions are not answered", stats.location_queries},
      {"L1: moves are not answered", stats.moves},
      {"L4: files are left at an agent", stats.files_carried},
      {"L4: copies are left in a store", node.store.copies().size()},
      {"L6: owners are left at an agent", node.agent->Owners().size()},
      {"items are refused", stats.sessions.refused_items > node.frees_by_forgetful ? 1u : 0u},
  };
  for (const auto& [what, count] : gauges) {
    Expect(count == 0, what, NameOf(node) + " has " + std::to_string(count));
  }
}

void Oracle::CheckCallbacksRan() {
  for (const auto& [number, registration] : s_.registrations) {
    const std::string details = Format("C of O", {number, registration.object});
    Expect(registration.contexts_destroyed <= 1, "S8: a context is destroyed twice", details);
    if (!s_.process(registration.process)->live()) continue;
    // "Failed" does not come to pass when a borrower lets go before.
    Expect(registration.state != Registration::State::kWaiting ||
               registration.moment == Moment::kFailed,
           "L5: a callback never ran", details + ", " + MomentName(registration.moment));
    Expect(!registration.has_context || registration.contexts_destroyed == 1,
           "L5: a context is never destroyed", details);
  }
  for (const auto& [number, subscription] : s_.subscriptions) {
    if (!s_.process(subscription.process)->live() || subscription.ended) continue;
    Expect(subscription.gone, "L5: a subscriber was never told that its object is gone",
           Format("F of O", {number, subscription.object}));
  }
}

void Oracle::LookAtEnd() {
  LookAtRest();
  for (const auto& process : s_.processes) {
    if (!process->live()) continue;
    CheckEmpty(*process);
    CheckDeclarationsTold(this, s_, *process);
    CheckDrainEnds(this, *process);
  }
  for (const auto& node : s_.nodes) {
    if (node->live()) CheckEmpty(*node);
  }
  CheckCallbacksRan();
}

}  // namespace freehold::testing::sim
