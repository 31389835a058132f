#include "freehold/object_ref.h"

#include <memory>
#include <utility>

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
  // Taken out first: what ends here may run a callback that comes back to this handle.
  const internal::CellList cells = std::move(cells_);
  for (internal::RefCell* cell : cells) {
    runtime::Shard* shard = runtime::Shard::Of(cell);
    runtime::CounterImpl* counter = shard->counter;
    if (!counter->EndTaskQuietly(*shard, cell)) counter->EndTask(*shard, cell);
  }
}

}  // namespace freehold
