// LineageTable: values that the host has persisted.
//
// Such an object needs no task any more, like a state of which there is a checkpoint: the mark is
// the same, and says besides who has the value. It outlives the value's generation, because what is
// read back from where it was persisted begins a new one; it ends with an explicit free, and when
// another task is recorded that makes the object.

#include "src/base/mutant.h"
#include "src/core/lineage_table.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

LineageVerdict LineageTable::Step(const event::ReturnPersisted& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || !objects_.At(slot).made) return LineageVerdict::kNotFound;
  Object& object = objects_.At(slot);
  const bool ended = e.generation == object.generation && object.freed;
  if (e.generation < object.generation || ended) return LineageVerdict::kUnchanged;
  object.generation = e.generation;
  object.freed = false;
  if (object.checkpointed) return LineageVerdict::kUnchanged;
  const bool needed = NeedsMaker(object);
  object.checkpointed = object.persisted = true;
  if (needed && object.task != kNone && !IsMutant(Mutant::kPersistedKeepsLineage)) {
    DropNeed(object.task, effects);
  }
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::ReturnFreed& e) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || !objects_.At(slot).made) return LineageVerdict::kNotFound;
  Object& object = objects_.At(slot);
  if (e.generation < object.generation) return LineageVerdict::kUnchanged;
  object.generation = e.generation;
  object.freed = true;
  EndPersisted(&object);
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::EvictLast& e) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || objects_.At(slot).task == kNone) return LineageVerdict::kNotFound;
  const uint32_t task = objects_.At(slot).task;
  if (tasks_.At(task).state == State::kGoing) return LineageVerdict::kNotFound;
  if (tasks_.At(task).state != State::kKept) return LineageVerdict::kUnchanged;
  Delist(task);
  Enlist(task);
  return LineageVerdict::kOk;
}

void LineageTable::EndPersisted(Object* object) {
  if (!object->persisted || IsMutant(Mutant::kPersistedDespiteFree)) return;
  object->checkpointed = object->persisted = false;
  if (object->task == kNone || tasks_.At(object->task).state == State::kGoing) return;
  if (IsOfUse(*object)) AddNeed(object->task);
}

}  // namespace freehold::core
