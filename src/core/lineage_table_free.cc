// LineageTable: what FreeRecursive lets go of.

#include <algorithm>

#include "src/core/lineage_table.h"

namespace freehold::core {

bool LineageTable::LetGo(const TaskId& task, size_t from, size_t max,
                         std::vector<ObjectId>* orphans) {
  Task* kept = InState(task, State::kKept);
  // Somebody was faster, or elsewhere it is needed.
  if (kept == nullptr || kept->let_go != from || kept->lent > 0) return false;
  const size_t end = std::min(kept->arguments.size(), from + max);
  for (; kept->let_go < end; ++kept->let_go) {
    Object& argument = objects_.At(kept->arguments[kept->let_go]);
    ++argument.let_go;
    if (argument.let_go == argument.dependents) orphans->push_back(argument.id);
  }
  return end < kept->arguments.size();
}

bool LineageTable::Need(const TaskId& task, size_t max) {
  const uint32_t index = FindTask(task);
  if (index == kNone) return false;
  Task& needed = tasks_.At(index);
  for (; needed.let_go > 0 && max > 0; --max) {
    --objects_.At(needed.arguments[--needed.let_go]).let_go;
  }
  return needed.let_go > 0;
}

bool LineageTable::IsNeeded(const ObjectId& object) const {
  const uint32_t slot = FindObject(object);
  return slot != kNone && objects_.At(slot).let_go < objects_.At(slot).dependents;
}

bool LineageTable::IsLetGo(const TaskId& task) const {
  const uint32_t index = FindTask(task);
  return index != kNone && tasks_.At(index).let_go == tasks_.At(index).arguments.size();
}

size_t LineageTable::Witness(const TaskId& task) const {
  const uint32_t index = FindTask(task);
  return index == kNone ? 0 : tasks_.At(index).witness;
}

void LineageTable::SetWitness(const TaskId& task, size_t at) {
  const uint32_t index = FindTask(task);
  if (index != kNone) tasks_.At(index).witness = static_cast<uint32_t>(at);
}

}  // namespace freehold::core
