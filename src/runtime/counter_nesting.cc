// CounterImpl: what spans several objects — tasks and nesting. Each object is stepped under its own
// shard's lock, a task's arguments some at a time, others one at a time; what was taken is given
// back when a later one fails.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/errors.h"

namespace freehold::runtime {

namespace {

// By the whole step; null: refused. Rarely needed, and so not inline.
__attribute__((noinline)) core::ObjectRecord* AddTaskWholly(core::ObjectTable* table,
                                                            const core::Key& key) {
  core::ObjectRecord* record = nullptr;
  return table->Step(core::event::AddTask{key}, &record) == core::Verdict::kOk ? record : nullptr;
}

// Adds a task to the first arguments, up to one that has to be waited for or that is not in scope;
// answers how many.
//
// Objects of a million are in no cache: where all arguments are in their indices is asked for
// before the first is looked at, and no lock is between them, past which the processor would not
// look ahead. So several locks are held at once, and none of them is waited for.
__attribute__((noinline)) size_t AddTask(
    const CounterImpl& counter, absl::Span<const ObjectId> arguments,
    internal::CellList* cells) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
  constexpr size_t kTogether = 16;
  uint64_t hashes[kTogether];
  Shard* shards[kTogether];
  core::IdIndex::Home homes[kTogether];
  Shard* locked[kTogether];
  Shard** locked_end = locked;
  uint64_t is_locked = 0;  // shards, a bit each
  const ObjectId* const ids = arguments.data();
  const size_t wanted = std::min(arguments.size(), kTogether);
  size_t ready = 0;
  for (; ready < wanted; ++ready) {
    const core::Key key = counter.KeyOf(ids[ready]);
    Shard* const shard = &counter.ShardOf(key);
    const uint64_t bit = uint64_t{1} << shard->number;
    if ((is_locked & bit) == 0) {
      if (!shard->mutex.TryLock()) break;
      if (!shard->is_open) {
        shard->mutex.Unlock();
        break;
      }
      is_locked |= bit;
      *locked_end++ = shard;
    }
    hashes[ready] = key.hash;
    shards[ready] = shard;
    homes[ready] = shard->table.Foresee(key.hash);
  }
  internal::RefCell** const room = cells->room();
  size_t added = 0;
  for (; added < ready; ++added) {
    Shard* const shard = shards[added];
    const core::Key key{ids[added], hashes[added]};
    core::ObjectRecord* record = shard->table.AddTaskQuietly(key, homes[added]);
    if (record == nullptr) record = AddTaskWholly(&shard->table, key);
    if (record == nullptr) break;
    ++shard->outstanding;
    room[added] = &record->cell;
  }
  cells->Extend(added);
  for (Shard** at = locked; at != locked_end; ++at) (*at)->mutex.Unlock();
  return added;
}

}  // namespace

absl::StatusOr<TaskReferences> CounterImpl::SubmitTask(absl::Span<const ObjectId> arguments) {
  absl::StatusOr<TaskReferences> task(absl::in_place);  // returned from where it is made
  if (!is_open()) {
    task = WhyClosed();
    return task;
  }
  internal::CellList* const cells = &task->cells_;
  cells->Reserve(arguments.size());
  while (!arguments.empty()) {
    const size_t added = AddTask(*this, arguments, cells);
    arguments.remove_prefix(added);
    if (added > 0) continue;
    const core::Key key = KeyOf(arguments.front());
    Shard& shard = ShardOf(key);
    core::ObjectRecord* record = nullptr;
    const core::Verdict verdict =
        ApplyQuietly(shard, [&](core::ObjectTable& table) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
          const core::Verdict answer = table.Step(core::event::AddTask{key}, &record);
          if (answer == core::Verdict::kOk) ++shard.outstanding;
          return answer;
        });
    if (verdict != core::Verdict::kOk) {
      task = ToStatus(verdict, arguments.front());  // ends it for those before
      return task;
    }
    cells->PushBack(&record->cell);
    arguments.remove_prefix(1);
  }
  return task;
}

// What it contains is held first: when that fails, nothing has happened yet.
absl::StatusOr<ObjectRef> CounterImpl::DeclareOuter(const core::event::Declare& event,
                                                    ScopeId scope,
                                                    absl::Span<const ObjectId> contains) {
  std::vector<core::InnerRef> inners;
  absl::Status held = HoldInners(event.key.id, contains, &inners);
  if (absl::IsNotFound(held)) return absl::InvalidArgumentError(held.message());
  if (!held.ok()) return held;
  core::ObjectRecord* record = nullptr;
  const core::Verdict verdict = Declare(event, scope, &record);
  if (verdict != core::Verdict::kOk) {
    ReleaseInners(std::move(inners));
    return ToStatus(verdict, event.key.id);
  }
  ObjectRef ref(&record->cell);
  if (absl::Status handed = HandInners(event.key.id, std::move(inners)); !handed.ok()) {
    return handed;
  }
  return ref;
}

absl::Status CounterImpl::AddNested(const ObjectId& outer, absl::Span<const ObjectId> inner) {
  std::vector<core::InnerRef> held;
  if (absl::Status status = HoldInners(outer, inner, &held); !status.ok()) return status;
  return HandInners(outer, std::move(held));
}

absl::Status CounterImpl::HoldInners(const ObjectId& outer, absl::Span<const ObjectId> inner,
                                     std::vector<core::InnerRef>* held) {
  absl::Status status;
  held->reserve(inner.size());
  for (const ObjectId& object : inner) {
    if (object == outer) {
      status = absl::InvalidArgumentError(
          absl::StrCat("object ", outer.ToHex(), " cannot contain itself"));
      break;
    }
    const core::Key key = KeyOf(object);
    Shard& shard = ShardOf(key);
    core::InnerRef ref;
    ref.shard = shard.number;
    const core::Verdict verdict = ApplyQuietly(shard, [&](core::ObjectTable& table) {
      return table.Step(core::event::AddNestedHold{key}, &ref.record);
    });
    if (verdict != core::Verdict::kOk) {
      status = ToStatus(verdict, object);
      break;
    }
    held->push_back(ref);
  }
  if (!status.ok()) ReleaseInners(std::exchange(*held, {}));
  return status;
}

absl::Status CounterImpl::HandInners(const ObjectId& outer, std::vector<core::InnerRef> held) {
  const core::Key key = KeyOf(outer);
  Shard& shard = ShardOf(key);
  std::vector<core::InnerRef> back;
  absl::Status status;
  size_t taken = 0;
  do {  // once even for none, so that an unknown outer object is answered
    const size_t piece = std::min<size_t>(kPieceMax, held.size() - taken);
    const auto inners = absl::MakeConstSpan(held).subspan(taken, piece);
    const core::Verdict verdict = ApplyQuietly(shard, [&](core::ObjectTable& table) {
      return table.Step(core::event::AddInners{key, inners, &back});
    });
    if (verdict != core::Verdict::kOk) {
      status = verdict == core::Verdict::kWrongState ? HasHeirError(outer.ToHex())
                                                     : ToStatus(verdict, outer);
      break;
    }
    taken += piece;
  } while (taken < held.size());
  back.insert(back.end(), held.begin() + static_cast<ptrdiff_t>(taken), held.end());
  ReleaseInners(std::move(back));
  return status;
}

}  // namespace freehold::runtime
