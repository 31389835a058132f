#include "freehold/object_ref.h"

#include <memory>
#include <utility>

#include "src/core/object_table_quiet.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/handles_by_shard.h"

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

void ResetAll(absl::Span<ObjectRef> refs) {
  constexpr size_t kAhead = 48;
  const auto foresee = [&refs](size_t i) {
    if (i < refs.size() && refs[i]) core::RecordSlabs::Foresee(refs[i].cell_);
  };
  for (size_t i = 0; i < kAhead; ++i) foresee(i);
  runtime::HandlesByShard last;
  for (size_t i = 0; i < refs.size(); ++i) {
    foresee(i + kAhead);
    internal::RefCell* const cell = std::exchange(refs[i].cell_, nullptr);
    if (cell == nullptr || cell->DropUnlessLast()) continue;
    last.Add(cell);
    if (last.full()) last.ReleaseAll();
  }
  last.ReleaseAll();
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
