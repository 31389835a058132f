// Files of a ReferenceCounter's objects that no node is needed for: which agent looks after which,
// and who deletes them when their values are over (core/unbound_files.h).
//
// They begin with a step of a shard, which tells of them as an effect, and end with one: when all
// files of a value are deleted, the object's copy at no node is settled.
//
// Thread safety: thread-safe; Work, Fill, OnItem and ExcludeNode are the pump role's. Its lock is
// never held with a shard's, but for the first file, when every shard is told of the place.
// Ownership: borrows the counter, whose member it is.

#ifndef FREEHOLD_SRC_RUNTIME_FILE_CARRIERS_H_
#define FREEHOLD_SRC_RUNTIME_FILE_CARRIERS_H_

#include <atomic>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "freehold/location.h"
#include "freehold/stats.h"
#include "src/base/mutex.h"
#include "src/core/effect.h"
#include "src/core/unbound_files.h"

namespace freehold::runtime {

class CounterImpl;
struct Shard;

class FileCarriers {
 public:
  explicit FileCarriers(CounterImpl* counter) : counter_(*counter) {}

  // The index at which such files lie in the tables; kNoPeer before the first one.
  core::PeerIndex place() const { return place_.load(std::memory_order_relaxed); }
  // The same, made known to every shard. kNoPeer: no more peers can be told apart.
  core::PeerIndex EnsurePlace();
  // The host says where a value lies. REQUIRES: a location without a node, with a valid URL.
  absl::Status Add(const ObjectId& object, const Location& location, uint32_t generation,
                   uint64_t size);

  // What a step has told. REQUIRES, both: no lock is held.
  void OnFiles(std::vector<core::UnboundFile> files);
  // Values are over whose files lie there.
  void MarkReady(const Shard& shard);

  // The node agent has said something.
  void Heard(core::PeerIndex node) {
    if (node >= heard_.size()) heard_.resize(node + 1);
    heard_[node] = true;
  }
  // True: more is to be done at once.
  bool Work();
  // True: the writer is full.
  bool Fill(core::PeerIndex node, core::PayloadWriter* writer);
  // From the node agent `from`. False: refused.
  bool OnItem(core::PeerIndex from, const core::FileItem& item);
  void ExcludeNode(core::PeerIndex node);
  bool AnyWithoutAgent() const;
  void AddTo(ReferenceCounterStats* stats) const;

 private:
  bool TakeFrees(uint32_t shard);
  // A node agent that is not excluded, another one each time, one that has been heard of if there
  // is one; kNoPeer: none is known.
  core::PeerIndex PickNode();
  core::PeerIndex PickNode(bool heard);

  CounterImpl& counter_;
  std::atomic<core::PeerIndex> place_{core::kNoPeer};
  // Shards with values whose files are to be deleted, a bit each.
  std::atomic<uint64_t> shards_with_work_{0};
  // Pump role.
  core::PeerIndex picked_ = 0;
  std::vector<bool> heard_;

  mutable internal::Mutex mutex_;
  core::UnboundFiles files_ FREEHOLD_GUARDED_BY(mutex_);
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_FILE_CARRIERS_H_
