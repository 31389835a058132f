// CounterImpl: handles, and references by id.

#include "src/core/object_table_quiet.h"
#include "src/runtime/counter_impl.h"

namespace freehold::runtime {

// Something outside that pointed into the shard lets go. `step(table, &effects)` answers whether it
// did, and is told whether the counter is still there to be stepped.
template <typename StepFunction>
void CounterImpl::LetGo(Shard& shard, StepFunction step) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
  AfterStep after;
  std::shared_ptr<CounterImpl> keep;
  const bool closed = shard.closed;
  const bool ended = step(shard.table, closed, &after.effects);
  if (ended) {
    --shard.outstanding;
    if (!closed) Prepare(shard, &after);
    // What was let go no longer keeps the counter, which may be ending right now.
    if (after.must_post || !after.effects.empty()) keep = shared_from_this();
  }
  shard.mutex.Unlock();
  if (keep != nullptr) {
    ActKept(shard, &after);
  } else if (ended && closed) {
    ReleaseRemaining(1);
  }
}

void CounterImpl::ReleaseLast(Shard& shard,
                              internal::RefCell* cell) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
  auto* record = reinterpret_cast<core::ObjectRecord*>(cell);
  shard.mutex.Lock();
  if (shard.closed || !shard.table.EndsQuietly(*record)) {
    LetGo(shard, [cell, record](core::ObjectTable& table, bool closed, core::Effects* effects) {
      if (!cell->DropUnderLock()) return false;  // meanwhile another handle came
      if (!closed) (void)table.Step(core::event::DropLastHandle{record}, effects);
      return true;
    });
    return;
  }
  // The same for nearly all, without an Effects.
  core::Effects::Nodes ready;
  std::shared_ptr<CounterImpl> keep;
  if (cell->DropUnderLock()) {
    shard.table.EndQuietly(record, &ready);
    --shard.outstanding;
    if (!ready.empty()) keep = shared_from_this();
  }
  shard.mutex.Unlock();
  for (const PeerIndex node : ready) MarkReady(shard, node);
}

void CounterImpl::ReleaseLast(Shard& shard, absl::Span<internal::RefCell* const> cells) {
  while (!cells.empty()) cells.remove_prefix(ReleaseSome(shard, cells));
}

// Under one hold of the lock, up to the first end that asks for more than callbacks and messages;
// answers how many that were. Such a one is seen to before the next: contained objects, of which
// some are let go of in the caller's time, are counted for each end.
size_t CounterImpl::ReleaseSome(Shard& shard, absl::Span<internal::RefCell* const> cells) {
  AfterStep after;
  std::shared_ptr<CounterImpl> keep;
  size_t done = 0;
  uint64_t ended = 0;
  bool closed = false;
  {
    internal::MutexLock lock(&shard.mutex);
    closed = shard.closed;
    for (const internal::RefCell* const cell : cells) {
      shard.table.ForeseeEnd(*reinterpret_cast<const core::ObjectRecord*>(cell));
    }
    while (done < cells.size() && after.effects.rare == nullptr) {
      internal::RefCell* const cell = cells[done++];
      auto* const record = reinterpret_cast<core::ObjectRecord*>(cell);
      if (!cell->DropUnderLock()) continue;
      ++ended;
      if (closed) continue;
      if (shard.table.EndsQuietly(*record)) {
        shard.table.EndQuietly(record, &after.effects.ready);
      } else {
        (void)shard.table.Step(core::event::DropLastHandle{record}, &after.effects);
      }
    }
    shard.outstanding -= ended;
    if (!closed) Prepare(shard, &after);
    // What was let go no longer keeps the counter, which may be ending right now.
    if (after.must_post || !after.effects.empty()) keep = shared_from_this();
  }
  if (keep != nullptr) {
    ActKept(shard, &after);
  } else if (ended != 0 && closed) {
    ReleaseRemaining(ended);
  }
  return done;
}

void CounterImpl::EndTask(Shard& shard,
                          internal::RefCell* cell) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
  shard.mutex.Lock();
  LetGo(shard, [cell](core::ObjectTable& table, bool closed, core::Effects* effects) {
    auto* record = reinterpret_cast<core::ObjectRecord*>(cell);
    if (!closed) (void)table.Step(core::event::DropTask{record}, effects);
    return true;
  });
}

absl::Status CounterImpl::AddById(const ObjectId& object, uint32_t count, Shard* held) {
  Shard::Unlock(held);
  if (!is_open()) return WhyClosed();
  const core::Key key = KeyOf(object);
  const core::Verdict verdict = ApplyQuietly(ShardOf(key), [&](core::ObjectTable& table) {
    return table.Step(core::event::AddById{key, count});
  });
  return ToStatus(verdict, object);
}

absl::Status CounterImpl::RemoveById(const ObjectId& object, uint32_t count, Shard* held) {
  Shard::Unlock(held);
  if (!is_open()) return WhyClosed();
  const core::Key key = KeyOf(object);
  const core::Verdict verdict =
      Apply(ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return table.Step(core::event::RemoveById{key, count}, effects);
      });
  if (verdict == core::Verdict::kOk) return absl::OkStatus();
  return Misuse(verdict, key, "RemoveLocalReference");
}

absl::StatusOr<ObjectRef> CounterImpl::GetRef(const ObjectId& object) {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  const core::Key key = KeyOf(object);
  Shard& shard = ShardOf(key);
  core::ObjectRecord* record = nullptr;
  const core::Verdict verdict =
      ApplyQuietly(shard, [&](core::ObjectTable& table) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
        const core::Verdict answer = table.Step(core::event::AddHandle{key}, &record);
        if (answer != core::Verdict::kOk) return answer;
        const bool first = record->cell.count() == 0;
        if (!record->cell.Add()) return core::Verdict::kCountFull;
        shard.outstanding += first ? 1 : 0;
        return core::Verdict::kOk;
      });
  if (verdict == core::Verdict::kOk) return ObjectRef(&record->cell);
  return ToStatus(verdict, object);
}

bool CounterImpl::InScope(const ObjectId& object) const {
  const core::Key key = KeyOf(object);
  Shard& shard = ShardOf(key);
  internal::MutexLock lock(&shard.mutex);
  const core::ObjectRecord* record = shard.table.Find(key);
  return record != nullptr && record->in_scope() && !shard.closed;
}

}  // namespace freehold::runtime
