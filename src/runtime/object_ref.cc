#include "freehold/object_ref.h"

#include "src/runtime/counter_impl.h"

namespace freehold {

namespace internal {

void ReleaseLast(RefCell* cell) {
  runtime::Shard* shard = runtime::Shard::Of(cell);
  shard->counter->ReleaseLast(*shard, cell);
}

void ReportRefusedCopy(RefCell* cell) { runtime::Shard::Of(cell)->counter->CountMisuse(); }

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
  for (internal::RefCell* cell : cells_) {
    runtime::Shard* shard = runtime::Shard::Of(cell);
    shard->counter->EndTask(*shard, cell);
  }
  cells_.clear();
}

}  // namespace freehold
