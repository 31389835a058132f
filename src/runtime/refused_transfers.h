// RefusedTransfers: what could not be given away while somebody drains, and why, for the report.
//
// The latest word on each object, of at most as many objects as the reports name.
//
// Thread safety: thread-safe; the lock here is the innermost.

#ifndef FREEHOLD_SRC_RUNTIME_REFUSED_TRANSFERS_H_
#define FREEHOLD_SRC_RUNTIME_REFUSED_TRANSFERS_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/btree_map.h"
#include "freehold/ids.h"
#include "src/base/mutex.h"
#include "src/core/peer.h"

namespace freehold::runtime {

class RefusedTransfers {
 public:
  struct Refused {
    core::PeerIndex next_owner = core::kNoPeer;
    std::string why;
  };
  using ByObject = absl::btree_map<ObjectId, Refused>;

  // Somebody drains from now on, and asks about so many; does no more.
  void Open(size_t max) {
    internal::MutexLock lock(&mutex_);
    readers_.fetch_add(1, std::memory_order_relaxed);
    max_ = std::max(max_, max);
  }
  void Close() {
    internal::MutexLock lock(&mutex_);
    if (readers_.fetch_sub(1, std::memory_order_relaxed) > 1) return;
    all_.clear();
    max_ = 0;
  }
  // False: nobody asks, and there is nothing to be noted or forgotten.
  bool is_open() const { return readers_.load(std::memory_order_relaxed) > 0; }

  void Note(const ObjectId& object, core::PeerIndex next_owner, std::string why) {
    internal::MutexLock lock(&mutex_);
    if (!is_open() || (all_.size() >= max_ && !all_.contains(object))) return;
    all_[object] = {next_owner, std::move(why)};
  }
  // It was given away.
  void Forget(const ObjectId& object) {
    internal::MutexLock lock(&mutex_);
    all_.erase(object);
  }
  ByObject All() const {
    internal::MutexLock lock(&mutex_);
    return all_;
  }

 private:
  mutable internal::Mutex mutex_;
  std::atomic<uint32_t> readers_{0};  // written under the lock
  size_t max_ FREEHOLD_GUARDED_BY(mutex_) = 0;
  ByObject all_ FREEHOLD_GUARDED_BY(mutex_);
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_REFUSED_TRANSFERS_H_
