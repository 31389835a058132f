// The oracle on what owners are told besides the moments: locations, and how frees end.

#include <algorithm>
#include <string>

#include "src/testing/sim_creation.h"
#include "src/testing/sim_evict_first.h"
#include "src/testing/sim_heirs.h"
#include "src/testing/sim_moves.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// on_to_recover names no generation: it may still be an earlier value of the object that was lost.
// The job in which the present one was begun may not have been counted then.
bool MayHearOfEarlierLoss(const Process& owner, const Object& object) {
  const auto at = object.told_after.find(owner.end);
  return at != object.told_after.end() && owner.queue->size() > 0 &&
         owner.queue->ran() <= at->second;
}

}  // namespace

void Oracle::OnUpdate(int64_t number, const ObjectId& id, const LocationUpdate& update) {
  Subscription& subscription = s_.subscriptions[number];
  const Object& object = *s_.object(subscription.object);
  const std::string details = Format("F of O", {number, object.number});
  s_.trace.Add("F is told I", {number, static_cast<int64_t>(update.kind)});
  Expect(id == object.id, "an update is about another object", details);
  Expect((subscription.messages++ == 0) == (update.kind == LocationUpdate::Kind::kSnapshot),
         "a subscription does not begin with its one snapshot", details);
  Expect(!subscription.gone, "an update comes after the last one", details);
  subscription.state = update.snapshot.state;
  switch (update.kind) {
    case LocationUpdate::Kind::kSnapshot:
      s_.coverage.Count("update snapshot");
      for (const Location& location : update.snapshot.locations) {
        subscription.locations[location.node] = location;
      }
      break;
    case LocationUpdate::Kind::kChanged:
      s_.coverage.Count("update changed");
      subscription.locations[update.location.node] = update.location;
      break;
    case LocationUpdate::Kind::kRemoved:
      s_.coverage.Count("update removed");
      subscription.locations.erase(update.location.node);
      break;
    case LocationUpdate::Kind::kState:
      s_.coverage.Count("update state");
      if (update.snapshot.state == ObjectState::kFreed) subscription.locations.clear();
      break;
    case LocationUpdate::Kind::kGone:
      s_.coverage.Count("update gone");
      Expect(object.has_ended() || !Held(object), "S8: an object that is held is said to be gone",
             details);
      subscription.gone = true;
      break;
    case LocationUpdate::Kind::kOwnerDied:
    case LocationUpdate::Kind::kRefused:
    case LocationUpdate::Kind::kExcluded:
      Violate("an owner is told what only askers elsewhere are", details);
      break;
  }
}

void Oracle::Compare(int64_t number) {
  const Subscription& subscription = s_.subscriptions[number];
  const Object& object = *s_.object(subscription.object);
  const Process& owner = s_.OwnerOf(object);
  if (subscription.process != object.owner) return;  // who has died with it
  if (subscription.ended || object.ended || !Held(object) || !owner.usable()) return;
  s_.coverage.Count("subscription compared");
  const std::string details = Format("F of O", {number, object.number});
  const auto known = owner.counter->GetLocations(object.id);
  if (!known.ok()) return Violate("S4: an object that is held is unknown to its owner", details);
  Expect(known->state == subscription.state, "a subscriber has another state than its object",
         details);
  Expect(known->locations.size() == subscription.locations.size(),
         "a subscriber knows other locations", details);
  for (const Location& location : known->locations) {
    const auto found = subscription.locations.find(location.node);
    Expect(found != subscription.locations.end() && found->second == location,
           "a subscriber knows a location otherwise", details);
  }
}

// A borrower hears that its reference is of no use any more.
void Oracle::OnFailed(const Registration& registration, EndReason reason) {
  Object& object = *s_.object(registration.object);
  const Process& process = *s_.process(registration.process);
  const std::string details = NameOf(object) + " at " + NameOf(process);
  Expect(reason != EndReason::kExcluded || process.knows(),
         "a borrower is told that it is excluded, and is not", details);
  // One that is suspected, and does not know it, has no promise.
  Expect(reason != EndReason::kGone || object.ended || !process.live(),
         "S1: a borrower is told Gone of what it holds", details);
  Expect(reason != EndReason::kOwnerDied || SaysOwnerDied(s_, process, object),
         "S8: a borrower is told too early that its owner died", details);
  Expect(reason != EndReason::kNotDeclared ||
             (object.declared_by == process.end &&
              MayRefuseDeclarations(*s_.process(object.declared_for))),
         "S1: a borrower is told of a refusal that was none", details);
  // It was told late if the reference has been dropped since, and there is another one, which need
  // not have failed.
  Holding& holding = object.holdings[process.end];
  const bool failed = holding.failed || holding.spell == registration.spell ||
                      !process.counter->CheckReference(object.id).ok();
  if (failed && !holding.failed && reason == EndReason::kOwnerDied) {
    OnLost(this, &s_, process, object);
  }
  holding.failed = failed;
}

// Somebody hears that a moment of another one's object has come, which is held against the same
// truth as at the owner; or why it does not.
bool Oracle::OnToldFromAfar(const Registration& registration, EndReason reason) {
  Object& object = *s_.object(registration.object);
  const Process& process = *s_.process(registration.process);
  const std::string details = NameOf(object) + " at " + NameOf(process);
  s_.coverage.Count(std::string("watch from afar told: ") + EndReasonName(reason));
  switch (reason) {
    case EndReason::kOutOfScope:
    case EndReason::kFreed:
      return false;
    case EndReason::kGone:
      // Who answered owned it once, and has forgotten it with the owner that died.
      if (WasGivenAway(object) && s_.OwnerOf(object).excluded_by != 0) break;
      if (object.inexact && process.live()) SeenEnded(&object);
      Expect(object.ended || !process.live(), "S8: an object is said to be gone that is not",
             details);
      break;
    case EndReason::kOwnerDied:
      Expect(SaysOwnerDied(s_, process, object) || PastAnyOwner(s_, process, object),
             "S8: who watches is told too early that an owner died", details);
      break;
    case EndReason::kExcluded:
      Expect(process.knows(), "who watches is told that it is excluded, and is not", details);
      break;
    case EndReason::kRefused:
      Violate("a watch is refused far from the limit", details);
      break;
    case EndReason::kNotDeclared:
      Violate("a watch is told of a declaration", details);
      break;
  }
  return true;
}

// A copy that the node lists, and that its owner counts, the exchange must not take out: it is
// noted. Two kinds are not, since that they were lost may be told late: a copy that comes after the
// node has lost one of the same value, and one of an object whose earlier value was lost.
void Oracle::OnListed(int64_t node_end, int64_t owner_end) {
  s_.listed_copies.erase(std::remove_if(s_.listed_copies.begin(), s_.listed_copies.end(),
                                        [&](const SimListedCopy& each) {
                                          return each.node == node_end && each.owner == owner_end;
                                        }),
                         s_.listed_copies.end());
  const Process* owner = s_.process(owner_end);
  const Node& node = *s_.node(-node_end);
  if (owner == nullptr || !owner->usable()) return;
  for (const auto& [key, stored] : node.store.copies()) {
    const Object* object = s_.Find(key.first);
    if (object == nullptr || object->owner != owner_end || !stored.first ||
        object->touched != PlaceOf(node_end) || MayHearOfEarlierLoss(*owner, *object)) {
      continue;
    }
    const auto known = owner->counter->GetLocations(object->id);
    if (!known.ok() || known->generation != key.second) continue;
    const bool named =
        std::any_of(known->locations.begin(), known->locations.end(),
                    [&](const Location& at) { return at.node == node.id && !at.prospective; });
    if (!named) continue;
    s_.listed_copies.push_back({object->number, key.second, owner_end, node_end, stored.instance});
  }
}

void Oracle::OnToRecover(const Object& object) {
  IsToldToRecover(this, s_, object);
  for (const SimListedCopy& copy : s_.listed_copies) {
    if (copy.object != object.number || copy.owner != object.owner ||
        copy.generation != object.generation || object.disagreed) {
      continue;
    }
    Node& node = *s_.node(-copy.node);
    const Store::Stored* stored = node.store.Find({object.id, copy.generation});
    // A former primary stays as long as its store fails.
    const std::pair<int64_t, uint32_t> free(-copy.node, copy.generation);
    const auto& frees = object.frees_sent;
    if (std::find(frees.begin(), frees.end(), free) != frees.end()) continue;
    Expect(node.excluded_by != 0 || stored == nullptr || stored->instance != copy.instance,
           "a digest takes out a copy that its node had", NameOf(object) + " on " + NameOf(node));
  }
}

void Oracle::OnCopyFreed(const Process& process, const ObjectId& id, const NodeId& node_id,
                         FreeOutcome outcome) {
  Object* object = s_.Find(id);
  if (object == nullptr) {  // a host's own
    s_.process(process.end)->free_outcomes += outcome == FreeOutcome::kStoreFailed ? 0 : 1;
    return;
  }
  const int64_t from = node_id.IsNil() ? 0 : s_.EndOf(node_id);
  const std::string details = Format("O on E", {object->number, from});
  s_.trace.Add("free of O on E ends: I", {object->number, from, static_cast<int64_t>(outcome)});
  s_.coverage.Count(std::string("free ends: ") + FreeOutcomeName(outcome));
  SeeEvicted(object);
  Expect(EverOwned(*object, process.end) || EndsAtHeir(s_, *object, process.end),
         "the outcome of somebody else's free", details);
  // A copy of a value that was lost and recreated may come late.
  const bool asked = object->ends > 0 || !Held(*object) || object->generation > 0 ||
                     WasMovedFrom(s_, *object, -from);
  Expect(asked, "the outcome of a free that nobody asked for", details);
  switch (outcome) {
    case FreeOutcome::kSettled:
      break;
    case FreeOutcome::kNodeExcluded:
      Expect(process.HeardOf(*s_.node(-from)), "a node is said to be excluded that is not",
             details);
      break;
    case FreeOutcome::kStoreFailed:
      Expect(s_.node(-from)->has_failed, "a store is said to have failed that has not", details);
      return;
    case FreeOutcome::kShutDown:
      return Violate("a shutdown is told by callback", details);
  }
  ++s_.process(process.end)->free_outcomes;
}

}  // namespace freehold::testing::sim
