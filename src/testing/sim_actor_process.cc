// What the hosts of processes do. The oracle is told first: a callback may run in the middle of a
// call.

#include <algorithm>
#include <string>
#include <utility>

#include "freehold/error_reason.h"
#include "src/testing/sim_actor.h"
#include "src/testing/sim_creation.h"
#include "src/testing/sim_drain.h"
#include "src/testing/sim_evict_first.h"
#include "src/testing/sim_heirs.h"
#include "src/testing/sim_lineage.h"
#include "src/testing/sim_members.h"
#include "src/testing/sim_misuse.h"
#include "src/testing/sim_persist.h"
#include "src/testing/sim_pins.h"
#include "src/testing/sim_replay.h"
#include "src/testing/sim_scopes.h"
#include "src/testing/sim_sharing.h"
#include "src/testing/sim_stateful.h"
#include "src/testing/sim_streams.h"
#include "src/testing/sim_transfers.h"
#include "src/testing/sim_uses.h"

namespace freehold::testing::sim {

Holding* Actor::Holds(const Process& process, Object* object) const {
  const auto found = object->holdings.find(process.end);
  return found == object->holdings.end() ? nullptr : &found->second;
}

bool Actor::CanAsk(const Process& process, const Object& object) const {
  if (process.end != object.owner || object.moving) {
    const auto mine = object.holdings.find(process.end);
    return mine != object.holdings.end() && mine->second.held() && !mine->second.failed;
  }
  return oracle_.Held(object) || oracle_.IsExact(object);
}

bool Actor::ActOnLocation(const Action& action, Process* process, Object* object, Node* node) {
  if (action.verb == Verb::kAwait) return Await(process, object, node);
  if (action.verb == Verb::kToldNot) return ToldNot(process, object, node);
  if (action.verb == Verb::kForget) return Forget(process, object, node);
  return Told(process, object, node, static_cast<uint32_t>(action.numbers[3]));
}

bool Actor::ActProcess(const Action& action) {
  const Numbers& n = action.numbers;
  Process* process = s_.process(n[0]);
  if (process == nullptr || !process->usable()) return false;
  if (process->drain.on && DeclaresItsOwn(action.verb)) {
    return IsRefusedDraining(&oracle_, &s_, process, action);
  }
  if (action.verb >= Verb::kDrain && action.verb <= Verb::kGoOn) {
    return ActDrain(&oracle_, &s_, action, process);
  }
  if (action.verb == Verb::kDeclare) return Declare(process, n[1], nullptr, nullptr);
  if (action.verb == Verb::kDeclareFor) return ActDeclareFor(&oracle_, &s_, n);
  if (action.verb == Verb::kDeclareOn) {
    Node* node = s_.node(n[2]);
    return node != nullptr && Declare(process, n[1], node, nullptr);
  }
  if (action.verb == Verb::kDeclareIn) {
    return n[2] != 0 && Declare(process, n[1], nullptr, nullptr, n[2]);
  }
  if (action.verb == Verb::kDeclareOnIn) {
    Node* node = s_.node(n[2]);
    return node != nullptr && n[3] != 0 && Declare(process, n[1], node, nullptr, n[3]);
  }
  if (action.verb >= Verb::kScope && action.verb <= Verb::kMemberRemove) return ActOnScope(action);
  if (action.verb >= Verb::kStream && action.verb <= Verb::kStreamFail) {
    return ActOnStream(action, process);
  }
  if (action.verb >= Verb::kOpenStateful && action.verb <= Verb::kEndStateful) {
    return ActStateful(&oracle_, &s_, action, process);
  }
  if (action.verb == Verb::kAskLatest) return AskReplayToLatest(&oracle_, &s_, process, n[1]);
  if (action.verb == Verb::kEnd) return EndTask(process, n[1]);
  if (action.verb == Verb::kUnwatch) return Unwatch(process, n[1]);
  if (action.verb == Verb::kUnfollow) return Unfollow(process, n[1]);
  // What is left has an object.
  const bool second = action.verb == Verb::kAdd || action.verb == Verb::kRemove ||
                      action.verb == Verb::kSubmit || action.verb == Verb::kSubmitTwo;
  if (action.verb == Verb::kDeclareWith) {
    Object* contained = s_.object(n[2]);
    return contained != nullptr && Declare(process, n[1], nullptr, contained);
  }
  Object* object = s_.object(n[second ? 2 : 1 + HeirsIn(action.verb)]);
  return object != nullptr && ActOnObject(action, process, object);
}

bool Actor::ActOnObject(const Action& action, Process* process, Object* object) {
  const Numbers& n = action.numbers;
  switch (action.verb) {
    case Verb::kCopy:
      return Copy(process, object);
    case Verb::kDrop:
      return Drop(process, object);
    case Verb::kGet:
      return Get(process, object);
    case Verb::kLock:
      return Lock(process, object);
    case Verb::kAdd:
      return AddById(process, object, n[1]);
    case Verb::kRemove:
      return RemoveById(process, object, n[1]);
    case Verb::kSubmit:
      return Submit(process, n[1], {object});
    case Verb::kSubmitTwo: {
      Object* other = s_.object(n[3]);
      return other != nullptr && Submit(process, n[1], {object, other});
    }
    case Verb::kNest: {
      Object* outer = s_.object(n[2]);
      return outer != nullptr && Nest(process, object, outer);
    }
    case Verb::kFree:
      return Free(process, object);
    case Verb::kEvictFirst:
      return CanAsk(*process, *object) && ActEvictFirst(&oracle_, &s_, process, object);
    case Verb::kTransfer:
      return ActTransfer(&oracle_, &s_, action);
    case Verb::kNameHeir:
    case Verb::kNameTwoHeirs:
    case Verb::kNameThreeHeirs:
      return ActNameHeirs(&oracle_, &s_, action);
    case Verb::kDismissHeir:
      return ActDismissHeir(&oracle_, &s_, action);
    case Verb::kAskReplay:
      return AskReplay(&oracle_, &s_, process, *object);
    case Verb::kRecreate:
      return Recreate(process, object);
    case Verb::kPin:
    case Verb::kUnpin:
      return CanAsk(*process, *object) && ActPin(&oracle_, &s_, action, process, object);
    case Verb::kMake:
    case Verb::kRemake:
      return (object->stateful != 0 || CanAsk(*process, *object)) &&
             ActLineage(&oracle_, &s_, action, process, object);
    case Verb::kPersist:
    case Verb::kPersistFailing:
      return CanAsk(*process, *object) &&
             ActPersist(&oracle_, &s_, process, object, action.verb == Verb::kPersistFailing);
    case Verb::kWatchOut:
      return Watch(process, object, Moment::kOutOfScope, n[2]);
    case Verb::kWatchReclaimed:
      return Watch(process, object, Moment::kReclaimed, n[2]);
    case Verb::kWatchErased:
      return Watch(process, object, Moment::kErased, n[2]);
    case Verb::kWatchFailed:
      return WatchFailed(process, object, n[2]);
    case Verb::kFollow:
      return Follow(process, object, n[2]);
    case Verb::kMisuse:
      return MisuseObject(&oracle_, &s_, process, object);
    case Verb::kQuery:
      return Query(process, object);
    case Verb::kAwait:
    case Verb::kTold:
    case Verb::kToldNot:
    case Verb::kForget: {
      Node* node = s_.node(n[2]);
      return node != nullptr && ActOnLocation(action, process, object, node);
    }
    default:
      return false;
  }
}

// --- Objects -------------------------------------------------------------------------------------

Object& Actor::NewObject(const Process& owner, int64_t number) {
  Object& object = s_.objects[number];
  object.number = number;
  object.id = SimWorld::object_id(static_cast<int>(number));
  object.owner = owner.end;
  object.size = 1 + static_cast<uint64_t>(number) * 37 % 1000;
  s_.alive.push_back(number);
  return object;
}

DeclareOptions Actor::OptionsFor(Object* object, const Node* primary) {
  DeclareOptions options;
  options.size = object->number % 2 == 0 ? object->size : 0;
  options.call_site = object->number % 2 == 0 ? "loader.py:12" : "shuffle.py:7";
  if (object->number % 7 == 0) object->label = 3;
  options.label = LabelOf(object->label);
  if (primary != nullptr) {
    options.primary = primary->id;
    object->declared_on = primary->end;
    object->touched |= PlaceOf(primary->end);
  }
  return options;
}

bool Actor::Declare(Process* process, int64_t number, Node* primary, Object* contained,
                    int64_t scope) {
  if (number <= 0 || s_.object(number) != nullptr) return false;
  if (!TakesObjects(s_, *process, scope)) return false;
  if (contained != nullptr &&
      (contained->owner != process->end || contained->number >= number || contained->ended ||
       !oracle_.Held(*contained) || IsStream(s_, *contained))) {
    return false;
  }
  Object& object = NewObject(*process, number);
  DeclareOptions options = OptionsFor(&object, primary);
  if (scope != 0) {
    EnterScope(&oracle_, &s_, &object, scope);
    options.scope = ScopeIdOf(s_, scope);
  }
  if (contained != nullptr) {
    object.inners.push_back(contained->number);
    options.contains.push_back(contained->id);
  }
  absl::StatusOr<ObjectRef> made = process->counter->Declare(object.id, options);
  Note(Verb::kDeclare, made.status());
  if (!made.ok()) {
    oracle_.Expect(primary != nullptr && process->HeardOf(*primary) &&
                       absl::IsFailedPrecondition(made.status()),
                   "a declaration is refused", made.status().ToString());
    object.ended = true;
    object.scope_held = false;
    object.inners.clear();
    return true;
  }
  if (contained != nullptr) contained->outers.push_back(number);
  Holding& holding = object.holdings[process->end];
  if (number % 3 == 0) holding.weak = process->counter->GetWeakRef(*made);
  holding.handles.push_back(*std::move(made));
  if (primary != nullptr && primary->usable()) {
    (void)StoreCopy(primary, &object, 0, CopyRole::kPrimary);
  }
  return true;
}

bool Actor::Free(Process* process, Object* object) {
  if (object->owner != process->end || !CanAsk(*process, *object)) return false;
  const bool gone = object->ended;
  if (IsEvictable(*object) && object->pins.empty()) {
    s_.coverage.Count("evict-first: freed by hand");
  }
  const bool was_freed = object->freed;
  oracle_.Freed(object);
  if (object->freed && !was_freed && MayBeTakenBack(s_, *object)) {
    s_.coverage.Count("freed before everybody knows its owner");
    object->freed_unsettled = true;
  }
  const BatchResult result = process->counter->Free({object->id});
  const absl::Status status = result.ok() ? absl::OkStatus() : result.failures[0].status;
  Note(Verb::kFree, status);
  oracle_.Expect(status.ok() || (gone && absl::IsNotFound(status)), "a free is refused",
                 status.ToString());
  return true;
}

bool Actor::Recreate(Process* process, Object* object) {
  if (object->owner != process->end || !CanAsk(*process, *object)) return false;
  const auto known = process->counter->GetLocations(object->id);
  const bool lost = known.ok() && known->state == ObjectState::kLost;
  const bool may = !object->ended && (object->freed || lost);
  const absl::Status status = process->counter->Recreate(object->id);
  Note(Verb::kRecreate, status);
  oracle_.Expect(status.ok() == may, "Recreate is answered wrongly", status.ToString());
  if (!status.ok()) return true;
  const bool was_first = object->first_frees.count(object->generation) > 0;
  if (was_first) s_.coverage.Count("evict-first: made again");
  BeginGeneration(*process, object);
  object->free_waits = false;
  return true;
}

// --- References ----------------------------------------------------------------------------------

bool Actor::Copy(Process* process, Object* object) {
  Holding* holding = Holds(*process, object);
  if (holding == nullptr || holding->handles.empty()) return false;
  holding->handles.push_back(holding->handles.back());
  return true;
}

bool Actor::Drop(Process* process, Object* object) {
  Holding* holding = Holds(*process, object);
  if (holding == nullptr || holding->handles.empty()) return false;
  ObjectRef handle = std::move(holding->handles.back());
  holding->handles.pop_back();
  oracle_.Dropped(object);
  handle.Reset();
  return true;
}

bool Actor::Get(Process* process, Object* object) {
  if (!CanAsk(*process, *object)) return false;
  absl::StatusOr<ObjectRef> ref = process->counter->GetRef(object->id);
  Note(Verb::kGet, ref.status());
  if (object->owner != process->end) {
    CheckBorrowerAnswer(&oracle_, s_, *process, object, ref.status());
  } else {
    oracle_.Expect(ref.ok() == !object->ended, "GetRef is answered wrongly",
                   NameOf(*object) + ", " + ref.status().ToString());
    oracle_.Expect(ref.ok() || absl::IsNotFound(ref.status()), "GetRef fails otherwise",
                   ref.status().ToString());
  }
  if (ref.ok()) object->holdings[process->end].handles.push_back(*std::move(ref));
  return true;
}

bool Actor::Lock(Process* process, Object* object) {
  Holding* holding = Holds(*process, object);
  if (holding == nullptr || holding->weak.id().IsNil() || !CanAsk(*process, *object)) return false;
  ObjectRef ref = holding->weak.Lock();
  s_.coverage.Count(ref ? "answer lock: a handle" : "answer lock: nothing");
  oracle_.Expect(static_cast<bool>(ref) == !object->ended, "Lock is answered wrongly",
                 NameOf(*object));
  if (ref) holding->handles.push_back(std::move(ref));
  return true;
}

bool Actor::AddById(Process* process, Object* object, int64_t count) {
  if (!CanAsk(*process, *object) || count < 1 || count > 1000) return false;
  const auto times = static_cast<uint32_t>(count);
  const absl::Status status = process->counter->AddLocalReference(object->id, times);
  Note(Verb::kAdd, status);
  if (object->owner != process->end) {
    CheckBorrowerAnswer(&oracle_, s_, *process, object, status);
  } else {
    oracle_.Expect(status.ok() == !object->ended, "AddLocalReference is answered wrongly",
                   NameOf(*object) + ", " + status.ToString());
  }
  if (status.ok()) object->holdings[process->end].by_id += times;
  return true;
}

bool Actor::RemoveById(Process* process, Object* object, int64_t count) {
  Holding* holding = Holds(*process, object);
  if (holding == nullptr || count < 1 || count > holding->by_id) return false;
  const auto times = static_cast<uint32_t>(count);
  holding->by_id -= times;
  oracle_.Dropped(object);
  const absl::Status status = process->counter->RemoveLocalReference(object->id, times);
  Note(Verb::kRemove, status);
  oracle_.Expect(status.ok(), "RemoveLocalReference is refused", status.ToString());
  return true;
}

bool Actor::Submit(Process* process, int64_t number, const std::vector<Object*>& objects) {
  if (number <= 0 || s_.tasks.count(number) > 0) return false;
  std::vector<ObjectId> ids;
  bool all = true;
  bool owner_died = false;
  for (const Object* object : objects) {
    if (!CanAsk(*process, *object)) return false;
    const bool borrowed = object->owner != process->end;
    all = all && (borrowed || !object->ended);
    owner_died = owner_died || (borrowed && PastOwner(s_, *process, *object));
    ids.push_back(object->id);
  }
  absl::StatusOr<TaskReferences> references = process->counter->SubmitTask(ids);
  Note(Verb::kSubmit, references.status());
  oracle_.Expect(references.ok() ? all : !all || owner_died, "SubmitTask is answered wrongly",
                 references.status().ToString());
  if (!references.ok()) return true;
  Task& task = s_.tasks[number];
  task.process = process->end;
  task.references = *std::move(references);
  for (Object* object : objects) {
    ++object->holdings[process->end].tasks;
    task.objects.push_back(object->number);
  }
  return true;
}

bool Actor::EndTask(Process* process, int64_t number) {
  const auto found = s_.tasks.find(number);
  if (found == s_.tasks.end() || found->second.process != process->end) return false;
  Task task = std::move(found->second);
  s_.tasks.erase(found);
  for (const int64_t object : task.objects) --s_.object(object)->holdings[process->end].tasks;
  for (const int64_t object : task.objects) oracle_.Dropped(s_.object(object));
  task.references.End();
  process->idle_since = s_.clock.Now();
  return true;
}

// Later objects contain earlier ones: no cycles.
bool Actor::Nest(Process* process, Object* inner, Object* outer) {
  const bool borrowed = inner->owner != process->end;
  if (outer->owner != process->end || (borrowed && !CanAsk(*process, *inner)) ||
      inner->number >= outer->number || outer->ended || inner->ended || !oracle_.Held(*outer) ||
      !oracle_.Held(*inner) || IsStream(s_, *inner)) {
    return false;
  }
  const bool twice = std::count(outer->inners.begin(), outer->inners.end(), inner->number) > 0;
  if (!twice) {
    outer->inners.push_back(inner->number);
    inner->outers.push_back(outer->number);
    if (WouldStick(s_)) {
      outer->inners.pop_back();
      inner->outers.pop_back();
      return false;
    }
    if (outer->inexact) oracle_.MakeInexact(inner);
  }
  const absl::Status status = process->counter->AddNested(outer->id, {inner->id});
  Note(Verb::kNest, status);
  const bool early = inner->declarer != 0;
  oracle_.Expect(early ? ReasonOf(status) == ErrorReason::kNotAcknowledged
                       : status.ok() || (borrowed && PastOwner(s_, *process, *inner)),
                 "AddNested is answered wrongly", status.ToString());
  if (status.ok() || twice) return true;
  outer->inners.pop_back();
  inner->outers.pop_back();
  return true;
}

}  // namespace freehold::testing::sim
