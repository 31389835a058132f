// What the hosts of owners do with callbacks and subscriptions.

#include <algorithm>
#include <string>

#include "tests/sim/free_sim.h"

namespace freehold::sim {

void FreeSim::RunCallback(size_t number, const ObjectId& id, EndReason reason) {
  oracle_.OnCallback(number, id, reason);
  if (letting_go_ || nested_ > 0 || violated() || !random_.Percent(25)) return;
  // Back into the library, as a host's callback may.
  coverage_.Count("callback acts");
  ++nested_;
  switch (random_.Below(4)) {
    case 0:
      DropHandle();
      break;
    case 1:
      CopyHandle();
      break;
    case 2:
      GetRef();
      break;
    case 3:
      Register();
      break;
  }
  --nested_;
}

absl::StatusOr<CallbackRegistration> FreeSim::RegisterOn(Object* object, size_t number) {
  FreeOracle::Registration& registration = oracle_.registrations()[number];
  ReferenceCounter& counter = CounterOf(*object);
  if (random_.Percent(60)) {
    return counter.Register(
        registration.moment, object->id,
        [this, number](const ObjectId& id, EndReason reason) { RunCallback(number, id, reason); });
  }
  struct Context {
    FreeSim* sim;
    size_t number;
  };
  registration.has_context = true;
  CCallback callback;
  callback.context = new Context{this, number};
  callback.function = [](const uint8_t* bytes, int reason, void* context) {
    const auto* mine = static_cast<const Context*>(context);
    const std::string_view view(reinterpret_cast<const char*>(bytes), ObjectId::kSize);
    mine->sim->RunCallback(mine->number, *ObjectId::FromBytes(view),
                           static_cast<EndReason>(reason));
  };
  callback.destroy_context = [](void* context) {
    const auto* mine = static_cast<const Context*>(context);
    ++mine->sim->oracle_.registrations()[mine->number].contexts_destroyed;
    delete mine;
  };
  return counter.Register(registration.moment, object->id, callback);
}

void FreeSim::Register() {
  Object* object = AnyUsable();
  if (object == nullptr) return;
  const bool exact = IsExact(*object);
  const bool wanted = object->wanted();
  const size_t number = oracle_.registrations().size();
  FreeOracle::Registration& registration = oracle_.registrations().emplace_back();
  registration.object = object->number;
  registration.moment = static_cast<Moment>(random_.Below(3));
  registration.ends_before = object->ends - (wanted ? 0 : 1);
  registration.any_reason = !wanted;
  registration.due = !wanted && registration.moment == Moment::kOutOfScope;
  const auto answer = RegisterOn(object, number);
  trace_.Add("register {} for object {}, moment {}, answer {}", static_cast<int64_t>(number),
             object->number, static_cast<int>(registration.moment),
             !answer.ok() ? -1
             : *answer    ? 1
                          : 0);
  const bool took = answer.ok() && *answer;
  if (took) {
    registration.answer = *answer;
    coverage_.Count("register");
    oracle_.Expect(!exact || wanted || registration.moment != Moment::kOutOfScope,
                   "a registration comes after its moment");
    return;
  }
  registration.state = FreeOracle::Registration::State::kCancelled;
  coverage_.Count(answer.ok() ? "register too late" : "register on what is gone");
  oracle_.Expect(!wanted, "a registration is refused");
  oracle_.Expect(answer.ok() || absl::IsNotFound(answer.status()), "for the wrong reason");
  oracle_.Expect(answer.ok() || !object->in_scope, "an object in scope is unknown");
}

void FreeSim::Cancel() {
  if (oracle_.registrations().empty()) return;
  const size_t count = oracle_.registrations().size();
  const size_t number = count - 1 - random_.Below(std::min<size_t>(count, 6));
  FreeOracle::Registration& registration = oracle_.registrations()[number];
  const Object& object = oracle_.object(registration.object);
  if (!registration.answer || oracle_.owner(object.owner).crashed) return;
  const bool waits = registration.state == FreeOracle::Registration::State::kWaiting;
  const bool cancelled = CounterOf(object).Cancel(registration.answer);
  trace_.Add("cancel {}, answer {}", static_cast<int64_t>(number), cancelled);
  coverage_.Count(cancelled ? "cancel" : "cancel too late");
  oracle_.Expect(waits || !cancelled, "what ran, or was cancelled, is cancelled");
  // While nothing has happened that it waits for, it must be possible.
  const bool early = waits && object.ends <= registration.ends_before;
  oracle_.Expect(cancelled || !early, "what waits cannot be cancelled");
  if (cancelled) registration.state = FreeOracle::Registration::State::kCancelled;
}

void FreeSim::Subscribe() {
  const Object* object = AnyUsable();
  if (object == nullptr || (!object->in_scope && !IsExact(*object))) return;
  const size_t number = oracle_.subscriptions().size();
  oracle_.subscriptions().emplace_back().object = object->number;
  trace_.Add("subscribe {} to object {}", static_cast<int64_t>(number), object->number);
  const auto answer = CounterOf(*object).SubscribeLocations(
      object->id, [this, number](const ObjectId& id, const LocationUpdate& update) {
        oracle_.OnUpdate(number, id, update);
      });
  oracle_.Expect(answer.ok() == object->in_scope, "SubscribeLocations is answered wrongly");
  FreeOracle::Subscription& subscription = oracle_.subscriptions()[number];
  subscription.cancelled = !answer.ok();
  if (answer.ok()) subscription.answer = *answer;
}

void FreeSim::CompareSubscription() {
  if (oracle_.subscriptions().empty()) return;
  const size_t number = random_.Below(oracle_.subscriptions().size());
  FreeOracle::Subscription& subscription = oracle_.subscriptions()[number];
  const Object& object = oracle_.object(subscription.object);
  if (subscription.cancelled || !Usable(object.owner) || nested_ > 0) return;
  if (testing::ManualExecutor* queue = world_->owner(object.owner).queue; queue != nullptr) {
    queue->RunAll();
  }
  oracle_.CompareSubscription(number);
  if (!random_.Percent(30)) return;
  trace_.Add("end subscription {}", static_cast<int64_t>(number));
  oracle_.Expect(CounterOf(object).Cancel(subscription.answer) != subscription.gone,
                 "a subscription is cancelled after its end, or not before");
  subscription.cancelled = true;
}

}  // namespace freehold::sim
