#include "freehold/reference_counter.h"
#include "src/base/mutex.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/inside.h"

namespace freehold::runtime {

std::vector<uint64_t> Inside::CountVerdicts(const ReferenceCounter& counter) {
  std::vector<uint64_t> sum(core::kVerdicts);
  for (const std::unique_ptr<Shard>& shard : counter.impl_->shards()) {
    internal::MutexLock lock(&shard->mutex);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += shard->verdicts[i];
  }
  return sum;
}

uint64_t Inside::CountReturnsRead(const ReferenceCounter& counter) {
  return counter.impl_->lineage().CountReturnsRead();
}

bool Inside::Owns(const ReferenceCounter& counter, const ObjectId& object) {
  const core::Key key = counter.impl_->KeyOf(object);
  const Shard& shard = counter.impl_->ShardOf(key);
  internal::MutexLock lock(&shard.mutex);
  const core::ObjectRecord* record = shard.table.Find(key);
  return record != nullptr && !record->borrowed;
}

Inside::MemberOf Inside::ScopeOf(const ReferenceCounter& counter, const ObjectId& object) {
  return counter.impl_->scopes().MemberOf(counter.impl_->KeyOf(object));
}

bool Inside::HasPart(const ReferenceCounter& counter, const ProcessId& owner, ScopeId scope) {
  return counter.impl_->scopes().HasPart(owner, scope);
}

}  // namespace freehold::runtime
