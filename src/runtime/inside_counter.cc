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

}  // namespace freehold::runtime
