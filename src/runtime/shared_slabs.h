// SharedSlabs: one source of record slabs for all shards of a counter.
//
// Thread safety: thread-safe. Its lock is taken under a shard's and held for a few instructions,
// and now and then for an allocation.

#ifndef FREEHOLD_SRC_RUNTIME_SHARED_SLABS_H_
#define FREEHOLD_SRC_RUNTIME_SHARED_SLABS_H_

#include "src/base/mutex.h"
#include "src/core/slab_source.h"

namespace freehold::runtime {

class SharedSlabs final : public core::SlabSource {
 public:
  void* Take() override {
    internal::MutexLock lock(&mutex_);
    return runs_.Take();
  }

 private:
  internal::Mutex mutex_;
  core::SlabRuns runs_ FREEHOLD_GUARDED_BY(mutex_);
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_SHARED_SLABS_H_
