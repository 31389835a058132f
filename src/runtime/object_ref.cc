#include "freehold/object_ref.h"

#include <memory>
#include <utility>

#include "src/core/object_table_quiet.h"
#include "src/runtime/counter_impl.h"

namespace freehold {

namespace internal {

void ReleaseLast(RefCell* cell) {
  runtime::Shard* shard = runtime::Shard::Of(cell);
  shard->counter->ReleaseLast(*shard, cell);
}

void ReportRefusedCopy(RefCell* cell) {
  runtime::CounterImpl* counter = runtime::Shard::Of(cell)->counter;
  (void)counter->Misuse(core::Verdict::kCountFull, counter->KeyOf(cell->id), "copy of a handle");
}

}  // namespace internal

void ObjectRef::Refuse() { internal::ReportRefusedCopy(std::exchange(cell_, nullptr)); }

// The record first, and once that is there what else its end looks at.
void ResetAll(absl::Span<ObjectRef> refs) {
  constexpr size_t kRecordsAhead = 48;
  constexpr size_t kEndsAhead = 6;
  const auto foresee = [&refs](size_t i) {
    if (i < refs.size() && refs[i]) core::RecordSlabs::Foresee(refs[i].cell_);
  };
  const auto foresee_end = [&refs](size_t i) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
    if (i >= refs.size() || !refs[i]) return;
    runtime::Shard::Of(refs[i].cell_)->table.ForeseeEnd(refs[i].cell_);
  };
  for (size_t i = 0; i < kRecordsAhead; ++i) foresee(i);
  for (size_t i = 0; i < refs.size(); ++i) {
    foresee(i + kRecordsAhead);
    foresee_end(i + kEndsAhead);
    refs[i].Reset();
  }
}

bool WeakRef::InScope() const {
  const std::shared_ptr<runtime::CounterImpl> counter = counter_.lock();
  return counter != nullptr && counter->InScope(id_);
}

ObjectRef WeakRef::Lock() const {
  const std::shared_ptr<runtime::CounterImpl> counter = counter_.lock();
  if (counter == nullptr) return ObjectRef();
  absl::StatusOr<ObjectRef> ref = counter->GetRef(id_);
  return ref.ok() ? *std::move(ref) : ObjectRef();
}

void TaskReferences::End() {
  size_t at = 0;
  for (internal::RefCell* cell : cells_) {
    runtime::Shard* shard = runtime::Shard::Of(cell);
    if (!shard->counter->EndTaskQuietly(*shard, cell)) break;
    ++at;
  }
  if (at == cells_.size()) return cells_.Clear();
  // Taken out first: what ends here may run a callback that comes back to this handle.
  const internal::CellList taken = std::move(cells_);
  for (; at < taken.size(); ++at) {
    internal::RefCell* const cell = taken.begin()[at];
    runtime::Shard* shard = runtime::Shard::Of(cell);
    if (!shard->counter->EndTaskQuietly(*shard, cell)) shard->counter->EndTask(*shard, cell);
  }
}

}  // namespace freehold
