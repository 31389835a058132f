// What the hosts of owners are told, and what they tell of locations.

#include <algorithm>
#include <string>
#include <utility>

#include "freehold/error_reason.h"
#include "src/testing/sim_actor.h"
#include "src/testing/sim_moves.h"
#include "src/testing/sim_sharing.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

// --- Callbacks -----------------------------------------------------------------------------------

// Every third one through the C interface.
absl::StatusOr<CallbackRegistration> Actor::Register(Process* process, const Object& object,
                                                     Moment moment, int64_t number) {
  const bool from_afar = s_.registrations[number].from_afar;
  // Of what it borrows, a process need not say whose it is.
  const auto held = object.holdings.find(process->end);
  const bool knows = held != object.holdings.end() && held->second.held();
  const ProcessId owner =
      knows && number % 2 == 0
          ? ProcessId()
          : s_.process(OwnerByHearsay(s_.object(object.number), process->end))->id;
  if (number % 3 != 0) {
    const auto run = [this, number](const ObjectId& id, EndReason reason) {
      RunCallback(number, id, reason);
    };
    return from_afar ? process->counter->Watch(moment, object.id, owner, run)
                     : process->counter->Register(moment, object.id, run);
  }
  struct Context {
    Actor* actor;
    int64_t number;
  };
  s_.registrations[number].has_context = true;
  CCallback callback;
  callback.context = new Context{this, number};
  callback.function = [](const uint8_t* bytes, int reason, void* context) {
    const auto* mine = static_cast<const Context*>(context);
    const std::string_view view(reinterpret_cast<const char*>(bytes), ObjectId::kSize);
    mine->actor->RunCallback(mine->number, *ObjectId::FromBytes(view),
                             static_cast<EndReason>(reason));
  };
  callback.destroy_context = [](void* context) {
    const auto* mine = static_cast<const Context*>(context);
    ++mine->actor->s_.registrations[mine->number].contexts_destroyed;
    delete mine;
  };
  return from_afar ? process->counter->Watch(moment, object.id, owner, callback)
                   : process->counter->Register(moment, object.id, callback);
}

bool Actor::Watch(Process* process, Object* object, Moment moment, int64_t number) {
  if (number <= 0 || s_.registrations.count(number) > 0) return false;
  if (object->owner != process->end) return WatchFromAfar(process, *object, moment, number);
  const bool exact = oracle_.IsExact(*object);
  const bool wanted = !object->freed && !object->ended;
  const bool held = oracle_.Held(*object);
  Registration& registration = s_.registrations[number];
  registration.object = object->number;
  registration.process = process->end;
  registration.moment = moment;
  registration.order = ++orders_;
  registration.ends_before = object->ends - (wanted ? 0 : 1);
  const auto answer = Register(process, *object, moment, number);
  Note(Verb::kWatchOut, answer.status());
  if (answer.ok() && *answer) {
    registration.answer = *answer;
    oracle_.Expect(!exact || wanted || moment != Moment::kOutOfScope,
                   "a registration is taken after its moment", NameOf(*object));
    return true;
  }
  registration.state = Registration::State::kCancelled;
  oracle_.Expect(!wanted || !held, "a registration is refused", NameOf(*object));
  oracle_.Expect(answer.ok() || absl::IsNotFound(answer.status()), "a registration fails otherwise",
                 answer.status().ToString());
  oracle_.Expect(answer.ok() || object->ended || !held, "an object in scope is unknown",
                 NameOf(*object));
  return true;
}

// Whatever becomes of the object meanwhile, the callback runs: its moment is told, or why not.
bool Actor::WatchFromAfar(Process* process, const Object& object, Moment moment, int64_t number) {
  const bool wanted = !object.freed && !object.ended;
  Registration& registration = s_.registrations[number];
  registration.object = object.number;
  registration.process = process->end;
  registration.moment = moment;
  registration.from_afar = true;
  registration.order = ++orders_;
  registration.ends_before = object.ends - (wanted ? 0 : 1);
  const auto answer = Register(process, object, moment, number);
  s_.trace.Add("answer A", {static_cast<int64_t>(answer.status().code())});
  s_.coverage.Count(std::string("answer watch from afar: ") +
                    absl::StatusCodeToString(answer.status().code()));
  if (answer.ok()) {
    registration.answer = *answer;
    oracle_.Expect(static_cast<bool>(*answer), "a watch cannot be cancelled", NameOf(object));
    return true;
  }
  registration.state = Registration::State::kCancelled;
  oracle_.Expect(
      ReasonOf(answer.status()) == ErrorReason::kOwnerDied && PastAnyOwner(s_, *process, object),
      "a watch is refused", NameOf(object) + ", " + answer.status().ToString());
  return true;
}

bool Actor::WatchFailed(Process* process, Object* object, int64_t number) {
  const Holding* holding = Holds(*process, object);
  if (object->owner == process->end || number <= 0 || s_.registrations.count(number) > 0 ||
      holding == nullptr || !holding->held()) {
    return false;
  }
  const bool failed = holding->failed;
  Registration& registration = s_.registrations[number];
  registration.object = object->number;
  registration.process = process->end;
  registration.moment = Moment::kFailed;
  registration.spell = holding->spell;
  registration.order = ++orders_;
  const auto answer = Register(process, *object, Moment::kFailed, number);
  Note(Verb::kWatchFailed, answer.status());
  if (answer.ok() && *answer) {
    registration.answer = *answer;
    oracle_.Expect(!failed, "a registration is taken after its moment", NameOf(*object));
    return true;
  }
  registration.state = Registration::State::kCancelled;
  if (failed || !process->live()) return true;
  if (!answer.ok()) {
    CheckBorrowerAnswer(&oracle_, s_, *process, object, answer.status());
  } else {
    oracle_.Expect(object->ended || PastOwner(s_, *process, *object), "a registration is refused",
                   NameOf(*object) + " at " + NameOf(*process));
  }
  return true;
}

bool Actor::Unwatch(Process* process, int64_t number) {
  const auto found = s_.registrations.find(number);
  if (found == s_.registrations.end()) return false;
  Registration& registration = found->second;
  const Object& object = *s_.object(registration.object);
  if (registration.process != process->end || !registration.answer) return false;
  const bool waits = registration.state == Registration::State::kWaiting;
  const bool cancelled = process->counter->Cancel(registration.answer);
  s_.coverage.Count(cancelled ? "answer unwatch: cancelled" : "answer unwatch: too late");
  oracle_.Expect(waits || !cancelled, "what ran, or was cancelled, is cancelled", NameOf(object));
  // While nothing has happened that it waits for, it must be possible. What its owner has refused
  // is gone from the start.
  const bool early = waits && !object.refused && registration.moment != Moment::kFailed &&
                     object.ends <= registration.ends_before && oracle_.Held(object) &&
                     (!(registration.from_afar || WasGivenAway(object)) ||
                      std::all_of(object.owners.begin(), object.owners.end(),
                                  [this](int64_t owner) { return s_.process(owner)->live(); })) &&
                     (!registration.from_afar || s_.OwnerOf(object).live());
  // A watch that its object has followed to its process is another one there.
  const bool followed = WasGivenAway(object) && EverOwned(object, process->end);
  oracle_.Expect(cancelled || !early || followed, "what waits cannot be cancelled", NameOf(object));
  if (cancelled) registration.state = Registration::State::kCancelled;
  return true;
}

void Actor::RunCallback(int64_t number, const ObjectId& id, EndReason reason) {
  oracle_.OnCallback(number, id, reason);
  if (s_.finishing || s_.nested > 0 || !s_.violation.empty() || number % 4 != 0) return;
  const Registration& registration = s_.registrations[number];
  Process* process = s_.process(registration.process);
  if (!process->usable()) return;
  // Back into the library, as a host's callback may.
  s_.coverage.Count("callback acts");
  ++s_.nested;
  Object* other = nullptr;
  for (const int64_t alive : s_.alive) {
    Object* object = s_.object(alive);
    const Holding* holding = Holds(*process, object);
    if (holding != nullptr && !holding->handles.empty()) other = object;
  }
  if (other != nullptr) {
    const Verb verb = number % 3 == 0 ? Verb::kDrop : number % 3 == 1 ? Verb::kCopy : Verb::kGet;
    (void)Act({verb, {process->end, other->number}});
  }
  --s_.nested;
}

// --- Subscriptions -------------------------------------------------------------------------------

bool Actor::Follow(Process* process, Object* object, int64_t number) {
  if (object->owner != process->end || number <= 0 || s_.subscriptions.count(number) > 0 ||
      !CanAsk(*process, *object)) {
    return false;
  }
  Subscription& subscription = s_.subscriptions[number];
  subscription.object = object->number;
  subscription.process = process->end;
  const auto answer = process->counter->SubscribeLocations(
      object->id, [this, number](const ObjectId& id, const LocationUpdate& update) {
        oracle_.OnUpdate(number, id, update);
      });
  Note(Verb::kFollow, answer.status());
  oracle_.Expect(answer.ok() == !object->ended, "SubscribeLocations is answered wrongly",
                 NameOf(*object));
  subscription.ended = !answer.ok();
  if (answer.ok()) subscription.answer = *answer;
  return true;
}

bool Actor::Unfollow(Process* process, int64_t number) {
  const auto found = s_.subscriptions.find(number);
  if (found == s_.subscriptions.end() || found->second.process != process->end ||
      found->second.ended || s_.nested > 0) {
    return false;
  }
  if (process->queue != nullptr) process->queue->RunAll();
  oracle_.Compare(number);
  oracle_.Expect(process->counter->Cancel(found->second.answer) != found->second.gone,
                 "a subscription is cancelled after its end, or not before",
                 NameOf(*s_.object(found->second.object)));
  found->second.ended = true;
  return true;
}

bool Actor::Query(Process* process, Object* object) {
  if (object->owner != process->end) return false;
  const ReferenceCounter& counter = *process->counter;
  s_.trace.Mix(counter.DebugString(object->id));
  for (const ObjectId& id : counter.IdsInScope()) {
    s_.trace.Mix(id.bytes());
    for (const NodeBytes& bytes : counter.BytesPerNode({id})) s_.trace.Mix(bytes.node.bytes());
  }
  const ObjectCounts counts = counter.CountObjects();
  oracle_.Expect(counts.in_scope() == counter.IdsInScope().size(), "the counts do not agree",
                 NameOf(*process));
  oracle_.Expect(counter.Ids(ObjectState::kLost).size() == counts.lost, "nor those of lost ones",
                 NameOf(*process));
  (void)counter.BackPressured();
  return true;
}

// --- Locations -----------------------------------------------------------------------------------

// The answer of an owner that was told of a location.
void Actor::CheckTold(const Object& object, const Node& node, uint32_t generation,
                      const absl::Status& status) {
  const std::string details = NameOf(object) + " on " + NameOf(node) + ", " + status.ToString();
  if (absl::IsFailedPrecondition(status)) {
    return oracle_.Expect(s_.OwnerOf(object).HeardOf(node), "a location of a live node is refused",
                          details);
  }
  const bool gone = oracle_.ValueGone(object, generation);
  const bool let_go = WasMovedFrom(s_, object, -node.end);
  oracle_.Expect(status.ok() || gone || let_go, "a location of a live value is refused", details);
  oracle_.Expect(!status.ok() || !gone || !oracle_.IsExact(object), "a location is taken too late",
                 details);
}

// The owner is told that a node is about to fetch the value.
bool Actor::Await(Process* process, Object* object, Node* node) {
  if (object->owner != process->end || !node->usable()) return false;
  object->touched |= PlaceOf(node->end);
  Location location;
  location.node = node->id;
  location.prospective = true;
  const absl::Status status =
      process->counter->AddLocation(object->id, location, object->generation);
  Note(Verb::kAwait, status);
  CheckTold(*object, *node, object->generation, status);
  return true;
}

// The owner is told what its host knows of a node, beside the node's own reports.
bool Actor::Told(Process* process, Object* object, Node* node, uint32_t generation) {
  const Store::Stored* stored = node->store.Find({object->id, generation});
  if (object->owner != process->end || stored == nullptr || node->crashed) return false;
  Location location;
  location.node = node->id;
  location.role = object->number % 2 == 0 ? CopyRole::kPrimary : CopyRole::kSecondary;
  location.in_memory = stored->in_memory;
  location.spilled = !stored->url.empty();
  location.spilled_url = stored->url;
  location.shared = stored->shared;
  object->touched |= PlaceOf(node->end);
  const absl::Status status =
      process->counter->AddLocation(object->id, location, generation, stored->size);
  Note(Verb::kTold, status);
  if (status.ok()) object->told_by_host |= PlaceOf(node->end);
  if (!status.ok() && WasGivenAway(*object)) ++node->frees_by_forgetful;
  CheckTold(*object, *node, generation, status);
  return true;
}

bool Actor::ToldNot(Process* process, Object* object, Node* node) {
  if (object->owner != process->end || node->store.Newest(object->id) != nullptr) return false;
  for (const auto& fetch : s_.fetches) {
    if (fetch[0] == -node->end && fetch[1] == object->number) return false;
  }
  // The node's own word may still be on its way.
  object->disagreed = true;
  ++process->disagreements;
  const absl::Status status =
      process->counter->RemoveLocation(object->id, node->id, object->generation);
  Note(Verb::kToldNot, status);
  // The owner takes its host's word for it that nobody fetches to the node, whoever asked before.
  for (auto& [number, query] : s_.queries) {
    if (query.object == object->number && query.fetch_to == -node->end) query.fetch_to = 0;
  }
  oracle_.Expect(status.ok() || absl::IsNotFound(status), "RemoveLocation is refused",
                 status.ToString());
  return true;
}

// The host takes back a location that is right: a digest is to notice.
bool Actor::Forget(Process* process, Object* object, Node* node) {
  if (s_.options.digest_interval == Duration::zero() || object->owner != process->end ||
      s_.finishing || node->store.Find({object->id, object->generation}) == nullptr) {
    return false;
  }
  object->disagreed = true;
  ++process->disagreements;
  // "Reclaimed" is not promised for what the host itself says is gone.
  auto& owed = object->owed;
  owed.erase(std::remove_if(owed.begin(), owed.end(),
                            [&](const Object::Owed& each) { return each.node == -node->end; }),
             owed.end());
  const absl::Status status =
      process->counter->RemoveLocation(object->id, node->id, object->generation);
  Note(Verb::kForget, status);
  oracle_.Expect(status.ok() || absl::IsNotFound(status), "RemoveLocation is refused",
                 status.ToString());
  return true;
}

}  // namespace freehold::testing::sim
