// What the hosts of owners do. The oracle is told first: a callback may run in the middle of a
// call.

#include <algorithm>
#include <string>
#include <utility>

#include "tests/sim/free_sim.h"

namespace freehold::sim {

// --- Objects -------------------------------------------------------------------------------------

void FreeSim::Declare() {
  const int owner = AnyOwner();
  if (owner < 0) return;
  Object& object = oracle_.Declared(owner, 1 + random_.Below(1000));
  DeclareOptions options;
  options.size = random_.Percent(50) ? object.size : 0;
  options.call_site = random_.Percent(50) ? "loader.py:12" : "shuffle.py:7";
  int primary = -1;
  if (random_.Percent(40)) {
    primary = random_.IntBelow(static_cast<size_t>(world_->nodes()));
    options.primary = world_->node(primary).id;
    object.touched |= uint64_t{1} << primary;
  }
  for (uint64_t n = random_.Percent(30) ? 1 + random_.Below(3) : 0; n > 0; --n) {
    const Object* inner = AnyObject([&](const Object& other) {
      return other.owner == owner && other.in_scope && other.number != object.number &&
             std::count(object.inners.begin(), object.inners.end(), other.number) == 0;
    });
    if (inner == nullptr) continue;
    object.inners.push_back(inner->number);
    options.contains.push_back(inner->id);
  }
  trace_.Add("declare object {} of owner {}, primary {}, contains {}", object.number, owner,
             primary, static_cast<int64_t>(object.inners.size()));
  absl::StatusOr<ObjectRef> made = world_->counter(owner).Declare(object.id, options);
  if (!made.ok()) {
    oracle_.Expect(primary >= 0 && oracle_.NodeGone(owner, primary) &&
                       absl::IsFailedPrecondition(made.status()),
                   "a declaration is refused");
    coverage_.Count("declare refused");
    object.in_scope = false;
    object.inners.clear();
    return;
  }
  coverage_.Count("declare");
  for (const int inner : object.inners) ++oracle_.object(inner).outers;
  if (random_.Percent(30)) object.weak = world_->counter(owner).GetWeakRef(*made);
  object.handles.push_back(*std::move(made));
  if (primary >= 0 && UsableNode(primary) && random_.Percent(80)) {
    StoreCopy(primary, &object, 0, CopyRole::kPrimary);
  }
}

void FreeSim::Free() {
  const Object* first = AnyUsable();
  if (first == nullptr) return;
  std::vector<Object*> objects;
  std::vector<ObjectId> ids;
  for (uint64_t n = 1 + random_.Below(2); n > 0; --n) {
    Object* object = AnyObject([&](const Object& other) { return other.owner == first->owner; });
    if (object == nullptr || (!object->in_scope && !IsExact(*object))) continue;
    objects.push_back(object);
    ids.push_back(object->id);
  }
  for (Object* object : objects) {
    trace_.Add("free object {}", object->number);
    const bool gone = !object->in_scope;
    oracle_.Freed(object);
    const BatchResult result = CounterOf(*object).Free({object->id});
    oracle_.Expect(result.ok() || (gone && absl::IsNotFound(result.failures[0].status)),
                   "a free is refused");
    coverage_.Count(gone ? "free of what is gone" : "free");
  }
}

void FreeSim::Recreate() {
  Object* object = nullptr;
  if (!to_recover_.empty() && random_.Percent(70)) {
    object = &oracle_.object(to_recover_.back());
    to_recover_.pop_back();
  } else {
    object = AnyObject([&](const Object& other) { return random_.Percent(20) || other.freed; });
  }
  if (object == nullptr || !Usable(object->owner) || !IsExact(*object)) return;
  ReferenceCounter& counter = CounterOf(*object);
  const auto known = counter.GetLocations(object->id);
  const bool lost = known.ok() && known->state == ObjectState::kLost;
  const bool may = object->in_scope && (object->freed || lost);
  trace_.Add("recreate object {}, freed {}, lost {}", object->number, object->freed, lost);
  const absl::Status status = counter.Recreate(object->id);
  oracle_.Expect(status.ok() == may, "Recreate is answered wrongly");
  coverage_.Count(!may ? "recreate refused" : lost ? "recreate of a lost value" : "recreate");
  if (!status.ok()) return;
  ++object->generation;
  object->freed = false;
  for (uint64_t n = random_.Below(3); n > 0; --n) {
    const int node = AnyNode();
    if (node >= 0) StoreCopy(node, object, object->generation, CopyRole::kPrimary);
  }
}

// --- References ----------------------------------------------------------------------------------

void FreeSim::CopyHandle() {
  Object* object = AnyObject([](const Object& other) { return !other.handles.empty(); });
  if (object == nullptr) return;
  trace_.Add("copy a handle of object {}", object->number);
  ObjectRef copy = object->handles.back();
  oracle_.Expect(static_cast<bool>(copy), "a handle cannot be copied");
  object->handles.push_back(std::move(copy));
}

void FreeSim::DropHandle() {
  Object* object = AnyObject([](const Object& other) { return !other.handles.empty(); });
  if (object != nullptr) DropOneHandle(object);
}

void FreeSim::DropOneHandle(Object* object) {
  trace_.Add("drop a handle of object {}, owner {}", object->number, object->owner);
  ObjectRef handle = std::move(object->handles.back());
  object->handles.pop_back();
  oracle_.Dropped(object->number);
  handle.Reset();
}

void FreeSim::GetRef() {
  Object* object = AnyUsable();
  if (object == nullptr || (!object->in_scope && !IsExact(*object))) return;
  trace_.Add("get a reference to object {}, in scope {}", object->number, object->in_scope);
  absl::StatusOr<ObjectRef> ref = CounterOf(*object).GetRef(object->id);
  oracle_.Expect(ref.ok() == object->in_scope, "GetRef is answered wrongly");
  oracle_.Expect(ref.ok() || absl::IsNotFound(ref.status()), "for the wrong reason");
  if (ref.ok()) object->handles.push_back(*std::move(ref));
}

void FreeSim::LockWeakRef() {
  Object* object = AnyObject([](const Object& other) { return !other.weak.id().IsNil(); });
  if (object == nullptr) return;
  const FreeOracle::OwnerFacts& facts = oracle_.owner(object->owner);
  if (!facts.crashed && !object->in_scope && !IsExact(*object)) return;
  trace_.Add("lock a weak reference to object {}", object->number);
  ObjectRef ref = object->weak.Lock();
  const bool may = object->in_scope && !facts.crashed;
  oracle_.Expect(facts.knows || static_cast<bool>(ref) == may, "Lock is answered wrongly");
  oracle_.Expect(!facts.crashed || !object->weak.InScope(), "in scope at nobody");
  coverage_.Count(ref ? "weak reference locked" : "weak reference to what is gone");
  if (ref) object->handles.push_back(std::move(ref));
}

void FreeSim::AddById() {
  Object* object = AnyUsable();
  if (object == nullptr || (!object->in_scope && !IsExact(*object))) return;
  const auto count = static_cast<uint32_t>(1 + random_.Below(3));
  trace_.Add("add {} by id to object {}", count, object->number);
  const absl::Status status = CounterOf(*object).AddLocalReference(object->id, count);
  oracle_.Expect(status.ok() == object->in_scope, "AddLocalReference is answered wrongly");
  if (status.ok()) object->by_id += count;
}

void FreeSim::RemoveById() {
  Object* object = AnyObject([](const Object& other) { return other.by_id > 0; });
  if (object == nullptr) return;
  RemoveOneById(object, 1 + static_cast<uint32_t>(random_.Below(object->by_id)));
}

void FreeSim::RemoveOneById(Object* object, uint32_t count) {
  if (!Usable(object->owner)) return;
  trace_.Add("remove {} by id from object {}", count, object->number);
  object->by_id -= count;
  oracle_.Dropped(object->number);
  const absl::Status status = CounterOf(*object).RemoveLocalReference(object->id, count);
  oracle_.Expect(status.ok(), "RemoveLocalReference is refused");
}

void FreeSim::SubmitTask() {
  const Object* first = AnyUsable();
  if (first == nullptr) return;
  Task task;
  std::vector<ObjectId> ids;
  bool all_in_scope = true;
  for (uint64_t n = 1 + random_.Below(4); n > 0; --n) {
    const Object* object = AnyObject([&](const Object& other) {
      return other.owner == first->owner && (other.in_scope || random_.Percent(10));
    });
    if (object == nullptr || (!object->in_scope && !IsExact(*object))) continue;
    all_in_scope = all_in_scope && object->in_scope;
    task.objects.push_back(object->number);
    ids.push_back(object->id);
  }
  if (ids.empty()) return;
  trace_.Add("submit a task of {} arguments, the first object {}", static_cast<int64_t>(ids.size()),
             task.objects[0]);
  absl::StatusOr<TaskReferences> references = world_->counter(first->owner).SubmitTask(ids);
  oracle_.Expect(references.ok() == all_in_scope, "SubmitTask is answered wrongly");
  coverage_.Count(references.ok() ? "task" : "task refused");
  if (!references.ok()) return;
  for (const int number : task.objects) ++oracle_.object(number).tasks;
  task.references = *std::move(references);
  tasks_.push_back(std::move(task));
}

void FreeSim::EndTask() {
  if (!tasks_.empty()) EndOneTask(random_.Below(tasks_.size()));
}

void FreeSim::EndOneTask(size_t index) {
  Task task = std::move(tasks_[index]);
  tasks_.erase(tasks_.begin() + static_cast<ptrdiff_t>(index));
  trace_.Add("end the task of object {}", task.objects[0]);
  for (const int number : task.objects) {
    --oracle_.object(number).tasks;
    oracle_.Dropped(number);
  }
  task.references.End();
}

// Later objects contain earlier ones: no cycles.
void FreeSim::AddNested() {
  Object* outer = AnyUsable();
  if (outer == nullptr || !outer->in_scope) return;
  std::vector<ObjectId> ids;
  std::vector<int> added;
  for (uint64_t n = 1 + random_.Below(3); n > 0; --n) {
    const Object* inner = AnyObject([&](const Object& other) {
      return other.owner == outer->owner && other.in_scope && other.number < outer->number;
    });
    if (inner == nullptr) continue;
    ids.push_back(inner->id);
    if (std::count(outer->inners.begin(), outer->inners.end(), inner->number) > 0) {
      coverage_.Count("nested twice");
      continue;
    }
    outer->inners.push_back(inner->number);
    added.push_back(inner->number);
  }
  trace_.Add("object {} contains {} more", outer->number, static_cast<int64_t>(added.size()));
  for (const int inner : added) ++oracle_.object(inner).outers;
  oracle_.Expect(CounterOf(*outer).AddNested(outer->id, ids).ok(), "AddNested is refused");
}

// --- Locations -----------------------------------------------------------------------------------

// The answer of an owner that was told of a location.
void FreeSim::CheckTold(const Object& object, int node, uint32_t generation,
                        const absl::Status& status) {
  if (absl::IsFailedPrecondition(status)) {
    oracle_.Expect(oracle_.NodeGone(object.owner, node), "a location of a live node is refused");
    coverage_.Count("location of a node that is excluded");
    return;
  }
  const bool gone = oracle_.ValueGone(object, generation);
  coverage_.Count(gone ? "location told too late" : "location told");
  oracle_.Expect(status.ok() || gone, "a location of a live value is refused");
  oracle_.Expect(!status.ok() || !gone || !IsExact(object), "a location is taken too late");
}

void FreeSim::ExpectFetch() {
  Object* object = AnyUsable();
  const int node = AnyNode();
  if (object == nullptr || node < 0) return;
  object->touched |= uint64_t{1} << node;
  Location location;
  location.node = world_->node(node).id;
  location.prospective = true;
  trace_.Add("node {} is to fetch object {}", node, object->number);
  const absl::Status status =
      CounterOf(*object).AddLocation(object->id, location, object->generation);
  CheckTold(*object, node, object->generation, status);
}

// The host tells an owner what it knows of a node, beside the node's own reports.
void FreeSim::TellLocation() {
  const int node = random_.IntBelow(static_cast<size_t>(world_->nodes()));
  const Key* key = AnyStored(node);
  if (key == nullptr || oracle_.node(node).crashed) return;
  Object* object = oracle_.Find(key->first);
  if (!Usable(object->owner)) return;
  const FakeStore::Stored& stored = *world_->node(node).store.Find(*key);
  Location location;
  location.node = world_->node(node).id;
  location.role = random_.Percent(50) ? CopyRole::kPrimary : CopyRole::kSecondary;
  location.in_memory = stored.in_memory;
  location.spilled = !stored.url.empty();
  location.spilled_url = stored.url;
  object->touched |= uint64_t{1} << node;
  trace_.Add("owner is told that node {} has object {} generation {}", node, object->number,
             key->second);
  const uint32_t generation = key->second;
  CheckTold(*object, node, generation,
            CounterOf(*object).AddLocation(object->id, location, generation, stored.size));
}

void FreeSim::RemoveLocation() {
  const Object* object = AnyUsable();
  const int node = AnyNode();
  if (object == nullptr || node < 0) return;
  if (world_->node(node).store.Newest(object->id) != nullptr) return;
  for (const Fetch& fetch : fetches_) {
    if (fetch.node == node && fetch.object == object->number) return;
  }
  trace_.Add("owner is told that node {} has nothing of object {}", node, object->number);
  const absl::Status status =
      CounterOf(*object).RemoveLocation(object->id, world_->node(node).id, object->generation);
  oracle_.Expect(status.ok() || absl::IsNotFound(status), "RemoveLocation is refused");
}

// --- The rest ------------------------------------------------------------------------------------

// What a host should not do changes nothing.
void FreeSim::Misuse() {
  const Object* object = AnyUsable();
  if (object == nullptr || nested_ > 0) return;
  ReferenceCounter& counter = CounterOf(*object);
  trace_.Add("misuse of object {}", object->number);
  const absl::Status removed = counter.RemoveLocalReference(object->id, object->by_id + 1);
  oracle_.Expect(absl::IsFailedPrecondition(removed) || absl::IsNotFound(removed),
                 "more references are removed than there are");
  ++oracle_.owner(object->owner).misuses;
  if (object->in_scope) {
    oracle_.Expect(absl::IsAlreadyExists(counter.Declare(object->id).status()),
                   "an object is declared twice");
    Location future;
    future.node = world_->node(0).id;
    future.in_memory = true;
    const absl::Status told = counter.AddLocation(object->id, future, object->generation + 1);
    oracle_.Expect(!told.ok() && !absl::IsAborted(told), "a generation is taken that is not yet");
  }
  coverage_.Count("misuse");
}

void FreeSim::Query() {
  const Object* object = AnyUsable();
  if (object == nullptr) return;
  const ReferenceCounter& counter = CounterOf(*object);
  trace_.Mix(counter.DebugString(object->id));
  for (const ObjectId& id : counter.IdsInScope()) {
    trace_.Mix(id.bytes());
    for (const NodeBytes& bytes : counter.BytesPerNode({id})) trace_.Mix(bytes.node.bytes());
  }
  const ObjectCounts counts = counter.CountObjects();
  oracle_.Expect(counts.in_scope() == counter.IdsInScope().size(), "the counts do not agree");
  oracle_.Expect(counter.Ids(ObjectState::kLost).size() == counts.lost, "nor those of lost ones");
  (void)counter.BackPressured();
}

}  // namespace freehold::sim
