// LineageKeeper: FreeRecursive.

#include <optional>
#include <utility>

#include "src/core/object_table_lineage.h"
#include "src/runtime/counter_impl.h"

namespace freehold::runtime {

using core::LineageSteps;
using core::Verdict;

namespace {

constexpr size_t kPiece = CounterImpl::kPieceMax;

}  // namespace

bool LineageKeeper::IsNeeded(const TaskId& task) const {
  for (size_t from = 0;; from += kPiece) {
    std::vector<ObjectId> piece;
    {
      internal::MutexLock lock(&mutex_);
      piece = table_.Returns(task, from, kPiece);
      for (const ObjectId& object : piece) {
        if (table_.IsNeeded(object)) return true;
      }
    }
    if (piece.empty()) return false;
    for (const ObjectId& object : piece) {
      const core::Key key = counter_->KeyOf(object);
      Shard& shard = counter_->ShardOf(key);
      internal::MutexLock lock(&shard.mutex);
      const core::ObjectRecord* record = shard.table.Find(key);
      if (record != nullptr && record->in_scope() && record->state() != ObjectState::kFreed) {
        return true;
      }
    }
  }
}

absl::Status LineageKeeper::Free(const ObjectId& object) {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  const core::Key key = counter_->KeyOf(object);
  const Verdict verdict = counter_->Apply(
      counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return table.Step(core::event::FreeExplicitly{key}, effects);
      });
  return counter_->ToStatus(verdict, object);
}

bool LineageKeeper::FreeOrphan(const ObjectId& object) {
  const core::Key key = counter_->KeyOf(object);
  const Verdict verdict = counter_->Apply(
      counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return LineageSteps(&table).Step(core::event::FreeOrphan{key}, effects);
      });
  return verdict != Verdict::kWrongState && verdict != Verdict::kNotOwner &&
         verdict != Verdict::kShutDown;
}

// From each value that is freed to the task that made it: once nobody needs any of its returns, its
// arguments are not needed for its sake, and those that nobody else needs are freed in turn.
BatchResult LineageKeeper::FreeRecursive(absl::Span<const ObjectId> objects) {
  BatchResult result;
  std::vector<ObjectId> freed;
  for (size_t i = 0; i < objects.size(); ++i) {
    absl::Status status = Free(objects[i]);
    if (status.ok()) {
      freed.push_back(objects[i]);
    } else {
      result.failures.push_back({i, std::move(status)});
    }
  }
  while (!freed.empty()) {
    const ObjectId object = freed.back();
    freed.pop_back();
    std::optional<TaskId> task;
    {
      internal::MutexLock lock(&mutex_);
      task = table_.TaskOf(object);
      if (task.has_value() && table_.IsLetGo(*task)) task.reset();
    }
    if (!task.has_value() || IsNeeded(*task)) continue;
    std::vector<ObjectId> orphans;
    bool more = true;
    for (size_t from = 0; more; from += kPiece) {
      internal::MutexLock lock(&mutex_);
      more = table_.LetGo(*task, from, kPiece, &orphans);
    }
    // Whoever makes it again from here on finds its arguments let go of, and needs them again.
    if (IsNeeded(*task)) {
      NeedArguments(*task);
      continue;
    }
    for (const ObjectId& orphan : orphans) {
      if (FreeOrphan(orphan)) freed.push_back(orphan);
    }
  }
  return result;
}

}  // namespace freehold::runtime
