// Lineage: the host's handle.

#include "freehold/lineage.h"

#include "freehold/reference_counter.h"
#include "src/runtime/counter_impl.h"

namespace freehold {

const char* RecoveryName(Recovery recovery) {
  switch (recovery) {
    case Recovery::kPossible:
      return "can be made again";
    case Recovery::kPut:
      return "put by the user";
    case Recovery::kEvicted:
      return "its lineage was evicted";
    case Recovery::kNoRetries:
      return "no retries are left";
    case Recovery::kDeleted:
      return "deleted";
    case Recovery::kElsewhere:
      return "owned by another process";
    case Recovery::kOwnerLost:
      return "its owner died";
    case Recovery::kNotRestartable:
      return "its stateful task is not restartable";
    case Recovery::kPersisted:
      return "persisted by the host";
  }
  return "unknown";
}

Lineage::Lineage(const ReferenceCounter& counter) : counter_(counter.impl_) {}

absl::Status Lineage::Record(const LineageTask& task) { return counter_->lineage().Record(task); }

Recovery Lineage::CanRecover(const ObjectId& object) const {
  return counter_->lineage().CanRecover(object);
}

absl::StatusOr<TaskId> Lineage::TaskOf(const ObjectId& object) const {
  return counter_->lineage().TaskOf(object);
}

absl::StatusOr<Resubmission> Lineage::Resubmit(const TaskId& task) {
  return counter_->lineage().Resubmit(task);
}

absl::Status Lineage::Persisted(const ObjectId& object, uint32_t generation,
                                const absl::Status& written) {
  return counter_->lineage().persists().Answer(object, generation, written);
}

runtime::GeneratorKeeper& Lineage::generators() const { return counter_->lineage().generators(); }

namespace unsafe {

BatchResult FreeRecursive(const ReferenceCounter& counter, absl::Span<const ObjectId> objects) {
  return Lineage(counter).counter_->lineage().FreeRecursive(objects);
}

}  // namespace unsafe
}  // namespace freehold
