#include "tests/core/object_table_model.h"

#include <algorithm>

namespace freehold::core {

bool ModelObject::HasValue() const {
  const auto present = copies.find(generation);
  return present != copies.end() &&
         std::any_of(present->second.begin(), present->second.end(),
                     [](const auto& entry) { return entry.second.real() && entry.second.held(); });
}

ModelObject* ObjectTableModel::Find(uint64_t object) {
  const auto at = objects_.find(object);
  return at == objects_.end() ? nullptr : &at->second;
}

ModelObject* ObjectTableModel::FindInScope(uint64_t object, Expected* expected) {
  ModelObject* found = Find(object);
  if (found == nullptr) {
    expected->verdict = Verdict::kNotFound;
  } else if (!found->in_scope()) {
    expected->verdict = Verdict::kOutOfScope;
    found = nullptr;
  }
  return found;
}

// --- Existence and references --------------------------------------------------------------------

Expected ObjectTableModel::Declare(uint64_t object, PeerIndex primary, uint64_t size) {
  Expected expected;
  if (Find(object) != nullptr) {
    expected.verdict = Verdict::kAlreadyExists;
  } else if (primary != kNoPeer && IsExcluded(primary)) {
    expected.verdict = Verdict::kNodeExcluded;
  } else {
    ModelObject& made = objects_[object];
    made.handles = 1;
    made.size = size;
    if (primary != kNoPeer) {
      ModelCopy& copy = made.copies[0][primary];
      copy.primary = copy.in_memory = true;
      Enter(&copy, FreeState::kHeld);
      made.state = ObjectState::kAvailable;
    }
  }
  return expected;
}

Expected ObjectTableModel::Recreate(uint64_t object) {
  Expected expected;
  ModelObject* found = FindInScope(object, &expected);
  if (found == nullptr) return expected;
  if (found->state != ObjectState::kFreed && found->state != ObjectState::kLost) {
    expected.verdict = Verdict::kWrongState;
    return expected;
  }
  const uint32_t before = found->generation++;
  if (found->state == ObjectState::kLost && found->copies.count(before) != 0) {
    // Nodes that wait for the value wait for the new one. Former primaries go as they were to.
    std::map<PeerIndex, ModelCopy>& old = found->copies[before];
    for (auto at = old.begin(); at != old.end();) {
      if (at->second.held()) {
        found->copies[found->generation].insert(*at);
        at = old.erase(at);
      } else {
        if (at->second.asked_again) {
          Enter(&found->copies[found->generation][at->first], FreeState::kHeld);
        }
        at->second.asked_again = false;
        ++at;
      }
    }
    if (old.empty()) found->copies.erase(before);
  }
  found->state = ObjectState::kPending;
  found->value_freed = false;
  return expected;
}

Expected ObjectTableModel::FreeExplicitly(uint64_t object, FreeMode mode) {
  Expected expected;
  ModelObject* found = Find(object);
  if (found == nullptr) {
    expected.verdict = Verdict::kNotFound;
  } else if (found->ended()) {
    expected.verdict = Verdict::kUnchanged;
  } else if (mode == FreeMode::kEvictFirst && found->HasValue()) {
    if (found->evict_first) expected.verdict = Verdict::kUnchanged;
    MarkEvictable(object, &expected);
  } else {
    FreeValue(object, &expected);
    AfterDrop(object, &expected);
  }
  return expected;
}

Expected ObjectTableModel::AddHandle(uint64_t object) {
  Expected expected;
  ModelObject* found = FindInScope(object, &expected);
  if (found != nullptr) ++found->handles;
  return expected;
}

Expected ObjectTableModel::DropHandle(uint64_t object) {
  Expected expected;
  --Find(object)->handles;
  EndIfNotHeld(object, &expected);
  return expected;
}

Expected ObjectTableModel::AddById(uint64_t object, uint32_t count) {
  Expected expected;
  ModelObject* found = FindInScope(object, &expected);
  if (found == nullptr) return expected;
  if (found->by_id + count > UINT32_MAX) {
    expected.verdict = Verdict::kCountFull;
  } else {
    found->by_id += count;
  }
  return expected;
}

Expected ObjectTableModel::RemoveById(uint64_t object, uint32_t count) {
  Expected expected;
  ModelObject* found = Find(object);
  if (found == nullptr) {
    expected.verdict = Verdict::kNotFound;
  } else if (found->by_id < count) {
    expected.verdict = Verdict::kNotHeld;
  } else {
    found->by_id -= count;
    EndIfNotHeld(object, &expected);
  }
  return expected;
}

Expected ObjectTableModel::AddTask(uint64_t object) {
  Expected expected;
  ModelObject* found = FindInScope(object, &expected);
  if (found != nullptr) ++found->tasks;
  return expected;
}

Expected ObjectTableModel::DropTask(uint64_t object) {
  Expected expected;
  --Find(object)->tasks;
  EndIfNotHeld(object, &expected);
  return expected;
}

Expected ObjectTableModel::AddNestedHold(uint64_t object) {
  Expected expected;
  ModelObject* found = FindInScope(object, &expected);
  if (found != nullptr) ++found->nested_in;
  return expected;
}

Expected ObjectTableModel::DropNestedHold(uint64_t object) {
  Expected expected;
  --Find(object)->nested_in;
  EndIfNotHeld(object, &expected);
  return expected;
}

Expected ObjectTableModel::AddInners(uint64_t outer, const std::vector<uint64_t>& inners,
                                     std::vector<uint64_t>* duplicates) {
  Expected expected;
  ModelObject* found = FindInScope(outer, &expected);
  if (found == nullptr) return expected;
  for (const uint64_t inner : inners) {
    std::vector<uint64_t>& all = found->inners;
    const bool there = std::find(all.begin(), all.end(), inner) != all.end();
    (there ? *duplicates : all).push_back(inner);
  }
  return expected;
}

// --- The end -------------------------------------------------------------------------------------

void ObjectTableModel::Fire(ModelObject* object, Moment moment, EndReason reason,
                            Expected* expected) {
  std::vector<ModelObject::Registered> others;
  for (const ModelObject::Registered& callback : object->callbacks) {
    if (callback.moment == moment) {
      expected->fired.emplace_back(callback.token, reason);
    } else {
      others.push_back(callback);
    }
  }
  object->callbacks = std::move(others);
}

void ObjectTableModel::EndIfNotHeld(uint64_t name, Expected* expected) {
  ModelObject* object = Find(name);
  if (object->held() || !object->in_scope()) return;
  for (const auto& [number, token] : object->subscribers) expected->gone.insert(token);
  object->subscribers.clear();
  object->state = ObjectState::kOutOfScope;
  Fire(object, Moment::kOutOfScope, EndReason::kOutOfScope, expected);
  expected->inners = std::move(object->inners);
  object->inners.clear();
  FreeAllCopies(name, expected);
  AfterDrop(name, expected);
}

void ObjectTableModel::FreeValue(uint64_t name, Expected* expected) {
  ModelObject* object = Find(name);
  object->state = ObjectState::kFreed;
  object->value_freed = true;
  object->evict_first = false;
  Fire(object, Moment::kOutOfScope, EndReason::kFreed, expected);
  FreeAllCopies(name, expected);
}

// Of the present value; those of older ones are on their way already.
void ObjectTableModel::FreeAllCopies(uint64_t name, Expected* expected) {
  ModelObject* object = Find(name);
  const auto present = object->copies.find(object->generation);
  if (present == object->copies.end()) return;
  for (auto& [node, copy] : present->second) {
    if (settle_at_once_) {
      expected->settled.emplace(name, node, FreeOutcome::kSettled);
    } else if (copy.state == FreeState::kHeld) {
      WaitForFree(node, &copy, expected);
    }
  }
  if (settle_at_once_) object->copies.erase(present);
}

void ObjectTableModel::Enter(ModelCopy* copy, FreeState state) {
  copy->state = state;
  if (copy->met == 0) copy->met = ++clock_;
}

void ObjectTableModel::WaitForFree(PeerIndex node, ModelCopy* copy, Expected* expected) {
  const bool had_work = HasWorkFor(node);
  Enter(copy, FreeState::kWaiting);
  if (!had_work && !IsExcluded(node)) expected->ready.insert(node);
}

void ObjectTableModel::Drop(uint64_t name, uint32_t generation, PeerIndex node,
                            Expected* expected) {
  ModelObject* object = Find(name);
  const ModelCopy gone = object->copies[generation][node];
  object->copies[generation].erase(node);
  if (object->copies[generation].empty()) object->copies.erase(generation);
  if (gone.state == FreeState::kWaiting) perhaps_in_vain_.insert(node);
  if (gone.primary && gone.held()) Promote(name, expected);
  AfterDrop(name, expected);
}

void ObjectTableModel::BeGone(uint64_t name, uint32_t generation, PeerIndex node,
                              Expected* expected) {
  expected->settled.emplace(name, node, FreeOutcome::kSettled);
  ModelObject* object = Find(name);
  ModelCopy& copy = object->copies[generation][node];
  if (!copy.asked_again) return Drop(name, generation, node, expected);
  if (copy.state == FreeState::kWaiting) perhaps_in_vain_.insert(node);
  copy = ModelCopy();
  Enter(&copy, FreeState::kHeld);
  if (object->ended() || generation < object->generation) WaitForFree(node, &copy, expected);
  AfterDrop(name, expected);
}

void ObjectTableModel::AfterDrop(uint64_t name, Expected* expected) {
  ModelObject* object = Find(name);
  if (object->state == ObjectState::kAvailable && !object->HasValue() && object->evict_first) {
    FreeValue(name, expected);
  } else if (object->state == ObjectState::kAvailable && !object->HasValue()) {
    object->state = ObjectState::kLost;
    expected->lost.push_back(name);
  }
  if (!object->ended() || !object->copies.empty()) return;
  const EndReason reason = object->value_freed ? EndReason::kFreed : EndReason::kOutOfScope;
  Fire(object, Moment::kReclaimed, reason, expected);
  if (object->in_scope()) return;
  Fire(object, Moment::kErased, reason, expected);
  objects_.erase(name);
}

// --- Callbacks -----------------------------------------------------------------------------------

Expected ObjectTableModel::Register(uint64_t name, Moment moment, uint64_t number, Token token) {
  Expected expected;
  ModelObject* object = Find(name);
  if (object == nullptr) {
    expected.verdict = Verdict::kNotFound;
    return expected;
  }
  const bool passed = object->ended() && (moment == Moment::kOutOfScope ||
                                          (moment == Moment::kReclaimed && object->copies.empty()));
  if (passed) {
    expected.verdict = Verdict::kMomentPassed;
  } else {
    object->callbacks.push_back({moment, number, token});
  }
  return expected;
}

Expected ObjectTableModel::Subscribe(uint64_t name, uint64_t number, Token token) {
  Expected expected;
  ModelObject* object = FindInScope(name, &expected);
  if (object != nullptr) object->subscribers[number] = token;
  return expected;
}

Expected ObjectTableModel::Cancel(uint64_t name, uint64_t number) {
  Expected expected;
  ModelObject* object = Find(name);
  if (object != nullptr) {
    for (auto at = object->callbacks.begin(); at != object->callbacks.end(); ++at) {
      if (at->number != number) continue;
      expected.cancelled = at->token;
      object->callbacks.erase(at);
      return expected;
    }
    const auto subscriber = object->subscribers.find(number);
    if (subscriber != object->subscribers.end()) {
      expected.cancelled = subscriber->second;
      object->subscribers.erase(subscriber);
      return expected;
    }
  }
  expected.verdict = Verdict::kNotFound;
  return expected;
}

uint64_t ObjectTableModel::CountCopies(FreeState state) const {
  uint64_t count = 0;
  for (const auto& [name, object] : objects_) {
    for (const auto& [generation, copies] : object.copies) {
      for (const auto& [node, copy] : copies) count += copy.state == state;
    }
  }
  return count;
}

uint64_t ObjectTableModel::CountLateFrees() const {
  uint64_t count = 0;
  for (const auto& [node, late] : late_) count += late.size();
  return count;
}

uint64_t ObjectTableModel::CountCallbacks() const {
  uint64_t count = 0;
  for (const auto& [name, object] : objects_) {
    count += object.callbacks.size() + object.subscribers.size();
  }
  return count;
}

}  // namespace freehold::core
