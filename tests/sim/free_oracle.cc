#include "tests/sim/free_oracle.h"

#include <algorithm>

namespace freehold::sim {

namespace {

bool Contains(const std::vector<FakeStore::Key>& keys, const FakeStore::Key& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

void FreeOracle::Violate(const std::string& what) {
  trace_.Add("VIOLATION");
  if (!violation_.empty()) return;
  violation_ = "step " + std::to_string(trace_.step()) + ": " + what;
}

FreeOracle::Object* FreeOracle::Find(const ObjectId& id) {
  const uint64_t number = NumberOf(id.bytes()) - 1;
  return number < objects_.size() ? &objects_[number] : nullptr;
}

// --- What hosts did ------------------------------------------------------------------------------

FreeOracle::Object& FreeOracle::Declared(int owner, uint64_t size) {
  Object& made = objects_.emplace_back();
  made.number = static_cast<int>(objects_.size()) - 1;
  made.id = ObjectId::FromNumber(objects_.size());
  made.owner = owner;
  made.size = size;
  return made;
}

void FreeOracle::AddNode() {
  NodeFacts facts;
  facts.heard = world_->membership().GetStatus().latest_view;
  // Who joins hears of the exclusions so far, and holds nothing that could wait for a barrier.
  for (size_t i = 0; i < owners_.size(); ++i) {
    if (!owners_[i].excluded) continue;
    facts.owners_gone |= uint64_t{1} << i;
    facts.owners_past_barrier |= uint64_t{1} << i;
  }
  nodes_.push_back(std::move(facts));
}

void FreeOracle::Dropped(int first) {
  std::vector<int> dropped = {first};
  while (!dropped.empty()) {
    Object& object = this->object(dropped.back());
    dropped.pop_back();
    // What a crashed owner held stays as it was.
    if (object.held() || !object.in_scope || owner(object.owner).crashed) continue;
    End(&object, EndReason::kOutOfScope);
    object.in_scope = false;
    for (const int inner : object.inners) {
      --this->object(inner).outers;
      dropped.push_back(inner);
    }
    object.inners.clear();
  }
}

void FreeOracle::Freed(Object* object) {
  if (!object->wanted()) return;
  End(object, EndReason::kFreed);
  object->freed = true;
  ++object->frees;
}

void FreeOracle::End(Object* object, EndReason reason) {
  trace_.Add("object {} ends, reason {}", object->number, static_cast<int>(reason));
  ++object->ends;
  ReferenceCounter* counter = world_->owner(object->owner).counter.get();
  const auto known = counter->GetLocations(object->id);
  if (known.ok()) {
    for (const Location& location : known->locations) {
      const int node = world_->NodeNumber(location.node);
      const FakeStore::Key key(object->id, object->generation);
      const FakeStore::Stored* stored = world_->node(node).store.Find(key);
      // Of a later copy the report may be on its way still, behind the removal of the one that the
      // owner knows.
      if (stored == nullptr || !stored->first) continue;
      object->owed.push_back({node, key, stored->instance, object->ends});
    }
  }
  if (object->freed) return;  // its callbacks ran then, and new ones are refused
  for (Registration& registration : registrations_) {
    if (registration.object != object->number || registration.due ||
        registration.moment != Moment::kOutOfScope ||
        registration.state != Registration::State::kWaiting) {
      continue;
    }
    registration.due = true;
    registration.reason = reason;
  }
}

// A barrier comes only when every member that is not excluded has dealt with its view.
void FreeOracle::CheckBarrier(uint64_t version) {
  for (const OwnerFacts& facts : owners_) {
    Expect(facts.excluded || facts.heard >= version, "a barrier comes before its view");
  }
  for (const NodeFacts& facts : nodes_) {
    Expect(facts.excluded || facts.heard >= version, "a barrier comes before its view");
  }
}

void FreeOracle::OwnerNotice(int number, const LateMembership::Notice& notice) {
  trace_.Add(notice.is_barrier ? "owner {} hears barrier {}" : "owner {} hears view {}", number,
             static_cast<int64_t>(notice.view.version));
  OwnerFacts& facts = owner(number);
  if (notice.is_barrier) return CheckBarrier(notice.view.version);
  facts.heard = notice.view.version;
  for (const Address& address : notice.view.excluded) {
    if (const int node = world_->NodeNumber(address); node >= 0) {
      facts.nodes_gone |= uint64_t{1} << node;
    }
    if (world_->OwnerNumber(address) == number) facts.knows = true;
  }
}

void FreeOracle::NodeNotice(int number, const LateMembership::Notice& notice) {
  trace_.Add(notice.is_barrier ? "node {} hears barrier {}" : "node {} hears view {}", number,
             static_cast<int64_t>(notice.view.version));
  NodeFacts& facts = node(number);
  if (notice.is_barrier) {
    CheckBarrier(notice.view.version);
    for (size_t i = 0; i < owners_.size(); ++i) {
      if (owners_[i].excluded && owners_[i].excluded_by <= notice.view.version) {
        facts.owners_past_barrier |= uint64_t{1} << i;
      }
    }
    return;
  }
  facts.heard = notice.view.version;
  for (const Address& address : notice.view.excluded) {
    if (world_->NodeNumber(address) == number) facts.knows = true;
    const int gone = world_->OwnerNumber(address);
    if (gone < 0) continue;
    facts.owners_gone |= uint64_t{1} << gone;
    if (world_->node(number).agent == nullptr) continue;
    // From here on nothing that this owner sends is applied; what it freed before goes on.
    for (const NodeCopyStatus& copy : world_->agent(number).CopiesOwnedBy(address.process())) {
      if (copy.doomed) {
        facts.doomed_before_view.emplace_back(copy.copy.object, copy.copy.generation);
      }
    }
  }
}

// --- What may be, and what was done --------------------------------------------------------------

bool FreeOracle::MayDelete(int number, const Object& object, uint32_t generation) const {
  const NodeFacts& facts = nodes_[static_cast<size_t>(number)];
  if ((facts.owners_gone >> object.owner & 1) == 0) return ValueGone(object, generation);
  return PastBarrier(number, object.owner) ||
         Contains(facts.doomed_before_view, {object.id, generation});
}

void FreeOracle::OnDelete(int number, const CopyToDelete& copy, const FakeStore::Stored* stored) {
  Object* object = Find(copy.object);
  if (object == nullptr) return Violate("a copy of an unknown object is deleted");
  trace_.Add("node {} is to delete object {} generation {}, stored {}", number, object->number,
             copy.generation, stored != nullptr);
  coverage_.Count(stored != nullptr ? "delete" : "delete repeated");
  if (!MayDelete(number, *object, copy.generation)) {
    Violate("a copy is deleted too early: node " + std::to_string(number) + ", object " +
            std::to_string(object->number) + ", generation " + std::to_string(copy.generation));
  }
  const bool unsure = world_->node(number).store.IsUnsure({copy.object, copy.generation});
  if (stored == nullptr) return Expect(unsure, "a copy is deleted that is not there");
  Expect(stored->readers == 0, "a copy is deleted under its readers");
  // Bytes that came after a deletion that was said to have failed join what the agent knew before.
  Expect(stored->url == copy.spilled_url || (unsure && stored->url.empty()),
         "the wrong file is deleted, or none");
  Expect(stored->in_memory == copy.in_memory || (unsure && copy.in_memory),
         "wrong about the bytes in memory");
  Expect(stored->size == copy.size, "wrong about the size");
}

void FreeOracle::OnFreeSent(int number, int to, const ObjectId& id, uint32_t generation) {
  const Object* object = Find(id);
  if (object == nullptr || object->owner != number) {
    return Violate("a free of somebody else's object");
  }
  trace_.Add("owner {} sends node {} a free of object {} generation {}", number, to, object->number,
             generation);
  coverage_.Count("item Free");
  if (!ValueGone(*object, generation)) {
    Violate("a live value is freed: object " + std::to_string(object->number) + ", generation " +
            std::to_string(generation));
  }
  Expect((object->touched >> to & 1) != 0, "a node that never had a copy is asked to free one");
}

// Copies that the owner knew at ends up to `end_max` are physically gone, or their node is.
void FreeOracle::CheckOwed(const Object& object, uint64_t end_max) {
  for (const Owed& owed : object.owed) {
    if (owed.end > end_max || NodeGone(object.owner, owed.node)) continue;
    const FakeStore::Stored* stored = world_->node(owed.node).store.Find(owed.key);
    if (stored != nullptr && stored->instance == owed.instance) {
      Violate("reclaimed although node " + std::to_string(owed.node) + " holds object " +
              std::to_string(object.number));
    }
  }
}

void FreeOracle::OnCallback(size_t number, const ObjectId& id, EndReason reason) {
  Registration& registration = registrations_[number];
  Object& object = this->object(registration.object);
  trace_.Add("callback {} of object {}, moment {}, reason {}", static_cast<int64_t>(number),
             object.number, static_cast<int>(registration.moment), static_cast<int>(reason));
  Expect(id == object.id, "a callback is about another object");
  Expect(registration.state == Registration::State::kWaiting,
         "a callback runs twice, or after it was cancelled");
  registration.state = Registration::State::kRan;
  const uint64_t told_of = registration.ends_before + 1;
  // In order of registration per moment, in order of the moments.
  for (size_t i = 0; i < registrations_.size(); ++i) {
    const Registration& other = registrations_[i];
    if (other.object != object.number || other.state != Registration::State::kWaiting) continue;
    if (other.moment == registration.moment) {
      Expect(i > number, "a callback overtakes one that was registered before it");
    }
    if (other.moment == Moment::kOutOfScope && other.due && other.ends_before < told_of) {
      Expect(registration.moment == Moment::kOutOfScope, "out of scope comes after a later moment");
    }
  }
  switch (registration.moment) {
    case Moment::kOutOfScope:
      coverage_.Count(reason == EndReason::kFreed ? "callback out of scope, freed"
                                                  : "callback out of scope");
      Expect(registration.due, "out of scope is told too early");
      Expect(registration.any_reason || registration.reason == reason, "for the wrong reason");
      return;
    case Moment::kReclaimed:
      coverage_.Count("callback reclaimed");
      Expect(object.ends >= told_of, "reclaimed is told before the object has ended");
      CheckOwed(object, told_of);
      break;
    case Moment::kErased:
      coverage_.Count("callback erased");
      Expect(!object.in_scope, "erased is told of an object in scope");
      CheckOwed(object, UINT64_MAX);
      break;
    case Moment::kFailed:
      Expect(false, "nobody borrows here");
      break;
  }
  Expect(reason == EndReason::kFreed ? object.frees > 0 : !object.in_scope, "for no such reason");
}

void FreeOracle::OnUpdate(size_t number, const ObjectId& id, const LocationUpdate& update) {
  Subscription& subscription = subscriptions_[number];
  const Object& object = this->object(subscription.object);
  Expect(id == object.id, "an update is about another object");
  Expect((subscription.messages++ == 0) == (update.kind == LocationUpdate::Kind::kSnapshot),
         "a subscription does not begin with its one snapshot");
  Expect(!subscription.gone, "an update comes after the last one");
  subscription.state = update.snapshot.state;
  switch (update.kind) {
    case LocationUpdate::Kind::kSnapshot:
      coverage_.Count("update snapshot");
      for (const Location& location : update.snapshot.locations) {
        subscription.locations[location.node] = location;
      }
      break;
    case LocationUpdate::Kind::kChanged:
      coverage_.Count("update changed");
      subscription.locations[update.location.node] = update.location;
      break;
    case LocationUpdate::Kind::kRemoved:
      coverage_.Count("update removed");
      subscription.locations.erase(update.location.node);
      break;
    case LocationUpdate::Kind::kState:
      coverage_.Count("update state");
      if (update.snapshot.state == ObjectState::kFreed) subscription.locations.clear();
      break;
    case LocationUpdate::Kind::kOwnerDied:
    case LocationUpdate::Kind::kRefused:
    case LocationUpdate::Kind::kExcluded:
      Expect(false, "of an owner that is asked directly");
      return;
    case LocationUpdate::Kind::kGone:
      coverage_.Count("update gone");
      Expect(!object.in_scope, "an object in scope is said to be gone");
      subscription.gone = true;
      break;
  }
}

void FreeOracle::CompareSubscription(size_t number) {
  const Subscription& subscription = subscriptions_[number];
  const Object& object = this->object(subscription.object);
  const OwnerFacts& facts = owner(object.owner);
  if (subscription.cancelled || !object.in_scope || facts.crashed || facts.knows) return;
  coverage_.Count("subscription compared");
  const auto known = world_->counter(object.owner).GetLocations(object.id);
  if (!known.ok()) return Violate("an object in scope is unknown: " + known.status().ToString());
  Expect(known->state == subscription.state, "a subscriber has another state than its object");
  Expect(known->locations.size() == subscription.locations.size(),
         "a subscriber knows other locations");
  for (const Location& location : known->locations) {
    const auto found = subscription.locations.find(location.node);
    Expect(found != subscription.locations.end() && found->second == location,
           "a subscriber knows a location otherwise");
  }
}

void FreeOracle::OnCopyFreed(int number, const ObjectId& id, const NodeId& node_id,
                             FreeOutcome outcome) {
  const Object* object = Find(id);
  const int from = world_->NodeNumber(node_id);
  if (object == nullptr || object->owner != number) return Violate("the outcome of no free");
  trace_.Add("owner {} hears that the free of object {} on node {} is {}", number, object->number,
             from, static_cast<int>(outcome));
  coverage_.Count(FreeOutcomeName(outcome));
  Expect(object->ends > 0, "the outcome of a free that nobody asked for");
  switch (outcome) {
    case FreeOutcome::kSettled:
      ++owner(number).free_outcomes;
      break;
    case FreeOutcome::kNodeExcluded:
      ++owner(number).free_outcomes;
      Expect(NodeGone(number, from), "a node is said to be excluded that is not");
      break;
    case FreeOutcome::kStoreFailed:
      Expect(node(from).store_failed, "a store is said to have failed that has not");
      break;
    case FreeOutcome::kShutDown:
      Violate("a shutdown is told by callback");
      break;
  }
}

}  // namespace freehold::sim
