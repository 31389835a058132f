// LineageTable: what StateChains asks of it.

#include <algorithm>
#include <utility>

#include "src/core/lineage_table.h"

namespace freehold::core {

LineageVerdict LineageTable::Step(const event::AddStateArgument& e) {
  Task* task = InState(e.task, State::kRecording);
  if (task == nullptr) return LineageVerdict::kNotFound;
  const LineageVerdict verdict =
      Step(event::AddArguments{e.task, absl::MakeConstSpan(&e.argument, 1)});
  task->has_state = !task->arguments.empty();
  return verdict;
}

void LineageTable::ReleaseIfUnneeded(Task* task) {
  if (task->retries == 0 && task->lent == 0) ReleaseArguments(task);
}

// They are let go of from the first one on: so is the one that stays, if any is.
void LineageTable::ReleaseArguments(Task* task) {
  const uint32_t staying = task->has_state ? 1 : 0;
  const uint32_t let_go = std::min(task->let_go, staying);
  std::vector<uint32_t> rest(task->arguments.begin() + staying, task->arguments.end());
  pieces_.push_back(
      {PieceKind::kArguments, std::move(rest), kNone, task->let_go - let_go, kNoPeer});
  task->arguments.resize(staying);
  task->let_go = let_go;
}

LineageVerdict LineageTable::Step(const event::Checkpoint& e, LineageEffects* effects) {
  const uint32_t slot = FindObject(e.object);
  if (slot == kNone || !objects_.At(slot).made) return LineageVerdict::kNotFound;
  Object& object = objects_.At(slot);
  if (object.checkpointed) return LineageVerdict::kUnchanged;
  const bool needed = NeedsMaker(object);
  object.checkpointed = true;
  if (needed && object.task != kNone) DropNeed(object.task, effects);
  return LineageVerdict::kOk;
}

LineageVerdict LineageTable::Step(const event::ReleaseTask& e, LineageEffects* effects) {
  const uint32_t index = FindTask(e.task);
  if (index == kNone) return LineageVerdict::kNotFound;
  Task& task = tasks_.At(index);
  task.not_restartable = true;
  if (task.state == State::kKept) Release(index, PieceKind::kReturns, effects);
  return LineageVerdict::kOk;
}

bool LineageTable::IsStateNeeded(const ObjectId& object) const {
  const uint32_t slot = FindObject(object);
  if (slot == kNone || objects_.At(slot).checkpointed) return false;
  return objects_.At(slot).in_scope || objects_.At(slot).let_go < objects_.At(slot).dependents;
}

bool LineageTable::IsUsed(const ObjectId& object) const {
  const uint32_t slot = FindObject(object);
  return slot != kNone && IsOfUse(objects_.At(slot));
}

}  // namespace freehold::core
