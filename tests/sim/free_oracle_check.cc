// What must be true once everything has come to rest.

#include <algorithm>

#include "tests/sim/free_oracle.h"

namespace freehold::sim {

// Of one node that is alive: what is wanted is known to its owner, the rest has readers or is gone.
void FreeOracle::CheckCopiesOf(int number) {
  for (const auto& [key, stored] : world_->node(number).store.copies()) {
    const Object& object = *Find(key.first);
    const OwnerFacts& facts = owner(object.owner);
    const std::string what = "object " + std::to_string(object.number) + " generation " +
                             std::to_string(key.second) + " on node " + std::to_string(number);
    if (facts.excluded || ValueGone(object, key.second)) {
      if (stored.readers == 0) Violate("a copy is left: " + what);
      continue;
    }
    const auto known = world_->counter(object.owner).GetLocations(object.id);
    if (!known.ok()) {
      Violate("an object in scope is unknown: " + what);
      continue;
    }
    const auto at = std::find_if(
        known->locations.begin(), known->locations.end(),
        [&](const Location& location) { return location.node == world_->node(number).id; });
    if (at == known->locations.end()) {
      Violate("a copy is unknown to its owner: " + what);
    } else if (at->in_memory != stored.in_memory || at->spilled_url != stored.url) {
      Violate("a copy is known otherwise to its owner: " + what);
    }
  }
}

void FreeOracle::CheckSettled() {
  for (int i = 0; i < world_->nodes(); ++i) {
    if (node(i).alive()) CheckCopiesOf(i);
  }
  for (const Object& object : objects_) {
    if (!owner(object.owner).alive()) continue;
    ReferenceCounter& counter = world_->counter(object.owner);
    const bool in_scope = counter.InScope(object.id);
    if (in_scope != object.in_scope) {
      Violate(std::string(in_scope ? "still" : "no longer") + " in scope: object " +
              std::to_string(object.number) + "; " + counter.DebugString(object.id));
    }
    if (!in_scope) continue;
    const ReferenceCounts counts = *counter.GetCounts(object.id);
    Expect(counts.handles == object.handles.size() && counts.by_id == object.by_id &&
               counts.tasks == object.tasks && counts.nested_in == object.outers,
           "an object has other counts than its holders");
    Expect(*counter.IsFreed(object.id) == object.freed, "IsFreed is wrong");
    const ObjectLocations known = *counter.GetLocations(object.id);
    Expect(known.generation == object.generation, "an object has another generation");
    for (const Location& location : known.locations) {
      Expect(node(world_->NodeNumber(location.node)).alive(),
             "a copy is on a node that is excluded");
    }
  }
  for (size_t i = 0; i < subscriptions_.size(); ++i) CompareSubscription(i);
  const LocalMembership::Status status = world_->membership().GetStatus();
  Expect(status.waiting_for.empty() && status.latest_barrier == status.latest_view,
         "a barrier does not come");
}

void FreeOracle::CheckOwnerEmpty(int number) {
  const std::string who = "owner " + std::to_string(number) + " has ";
  const ReferenceCounter& counter = world_->counter(number);
  const ReferenceCounterStats stats = counter.GetStats();
  const std::pair<const char*, uint64_t> gauges[] = {
      {"objects", stats.objects},
      {"objects in scope", stats.objects_in_scope},
      {"frees waiting", stats.frees_waiting},
      {"frees in flight", stats.frees_in_flight},
      {"drops deferred", stats.drops_deferred},
      {"callbacks registered", stats.callbacks_registered},
      {"unacknowledged bytes", stats.sessions.unacked_bytes},
      {"bytes in its inbox", stats.sessions.inbox_bytes},
      {"misuses", stats.misuses - owner(number).misuses},
      {"refused items", stats.sessions.refused_items},
  };
  for (const auto& [what, count] : gauges) {
    if (count != 0) Violate(who + std::to_string(count) + " " + what + " left");
  }
  Expect(counter.CountObjects().total() == 0 && counter.IdsInScope().empty(),
         "an owner lists objects that are gone");
  Expect(!owner(number).observes_frees || stats.copies_freed == owner(number).free_outcomes,
         "not every free of a copy has its one outcome");
}

void FreeOracle::CheckNodeEmpty(int number) {
  const std::string who = "node " + std::to_string(number) + " has ";
  const NodeAgentStats stats = world_->agent(number).GetStats();
  const std::pair<const char*, uint64_t> gauges[] = {
      {"copies", stats.copies},
      {"bytes", stats.bytes},
      {"readers", stats.readers},
      {"doomed copies", stats.doomed},
      {"deletions pending", stats.deletes_pending},
      {"reports waiting", stats.reports_waiting},
      {"unacknowledged bytes", stats.sessions.unacked_bytes},
      {"bytes in its inbox", stats.sessions.inbox_bytes},
      {"copies in its store", world_->node(number).store.copies().size()},
      {"owners", world_->agent(number).Owners().size()},
      {"refused items", stats.sessions.refused_items},
  };
  for (const auto& [what, count] : gauges) {
    if (count != 0) Violate(who + std::to_string(count) + " " + what + " left");
  }
}

void FreeOracle::CheckCallbacksRan() {
  for (size_t i = 0; i < registrations_.size(); ++i) {
    const Registration& registration = registrations_[i];
    const Object& object = this->object(registration.object);
    if (owner(object.owner).alive() && registration.state == Registration::State::kWaiting) {
      Violate("a callback never ran: " + std::to_string(i) + " of object " +
              std::to_string(object.number) + ", moment " + MomentName(registration.moment));
    }
    Expect(registration.contexts_destroyed <= 1, "a context was destroyed twice");
    if (registration.has_context && registration.contexts_destroyed == 0 &&
        !(owner(object.owner).excluded && !owner(object.owner).crashed)) {
      Violate("a context was never destroyed: callback " + std::to_string(i));
    }
  }
  for (const Subscription& subscription : subscriptions_) {
    if (!owner(object(subscription.object).owner).alive() || subscription.cancelled) continue;
    Expect(subscription.gone, "a subscriber was never told that its object is gone");
  }
}

void FreeOracle::CheckEmpty() {
  CheckSettled();
  for (int i = 0; i < world_->owners(); ++i) {
    if (owner(i).alive()) CheckOwnerEmpty(i);
  }
  for (int i = 0; i < world_->nodes(); ++i) {
    if (node(i).alive()) CheckNodeEmpty(i);
  }
  CheckCallbacksRan();
}

}  // namespace freehold::sim
