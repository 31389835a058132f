// LineageKeeper: FreeRecursive.

#include <algorithm>
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

bool LineageKeeper::IsNeeded(const ObjectId& object) const {
  {
    internal::MutexLock lock(&mutex_);
    const bool is_state = core::StateOf(object).has_value();
    if (is_state ? table_.IsStateNeeded(object) : table_.IsNeeded(object)) return true;
  }
  const core::Key key = counter_->KeyOf(object);
  Shard& shard = counter_->ShardOf(key);
  internal::MutexLock lock(&shard.mutex);
  const core::ObjectRecord* record = shard.table.Find(key);
  return record != nullptr && record->in_scope() && record->state() != ObjectState::kFreed;
}

// Once round, from where one was found the last time; in growing pieces, because it is mostly there
// or near it. So who frees one return of a task after the other looks at each of them once.
bool LineageKeeper::IsNeeded(const TaskId& task) {
  size_t at = 0;
  size_t left = 0;
  {
    internal::MutexLock lock(&mutex_);
    at = table_.Witness(task);
    left = table_.CountReturns(task);
  }
  for (size_t most = 1; left > 0; most = std::min(2 * most, kPiece)) {
    std::vector<ObjectId> piece;
    {
      internal::MutexLock lock(&mutex_);
      piece = table_.Returns(task, at, std::min(most, left));
    }
    if (piece.empty() && at == 0) return false;  // it was let go of
    if (piece.empty()) at = 0;
    for (const ObjectId& object : piece) {
      if (IsNeeded(object)) {
        internal::MutexLock lock(&mutex_);
        table_.SetWitness(task, at);
        return true;
      }
      ++at;
      --left;
    }
  }
  return false;
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
