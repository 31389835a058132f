// Persists: values that the host was asked to write to a place of its own, and who is to be told.
//
// An entry begins when an object is kept so, and ends with the host's answer, with the object's
// value, or with this process: whoever ends it tells all that wait for it. The shard of the object
// knows its number, and says in its effects what becomes of the object; that is told here once the
// shard's lock is released, so perhaps late and out of order, which the number and the generation
// show.
//
// Thread safety: thread-safe. No other lock is taken, and nothing of the host's is called or
// destroyed, while the lock here is held. Ownership: part of its LineageKeeper.

#ifndef FREEHOLD_SRC_RUNTIME_PERSISTS_H_
#define FREEHOLD_SRC_RUNTIME_PERSISTS_H_

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "freehold/ids.h"
#include "freehold/scope_options.h"
#include "src/base/mutex.h"
#include "src/core/effect.h"

namespace freehold::runtime {

class CounterImpl;

class Persists {
 public:
  explicit Persists(CounterImpl* counter) : counter_(counter) {}

  // FailedPrecondition: no `on_persist`, or another process owns the object (kNotOwner).
  absl::Status Check(const ObjectId& object) const;
  // The host is asked for the object's value, now or once there is one. Told exactly once.
  void Begin(const ObjectId& object, PersistedCallback told);
  // Its answer. As in freehold/lineage.h.
  absl::Status Answer(const ObjectId& object, uint32_t generation, const absl::Status& written);

  // --- For the counter -----------------------------------------------------------------------

  void OnNotices(const std::vector<core::PersistNotice>& notices);
  // All that wait, and all that come, are told this; in the order in which they began.
  void End(const absl::Status& why);
  uint64_t pending() const;

 private:
  struct Entry {
    uint64_t number = 0;
    bool asked = false;
    uint32_t generation = 0;  // that was asked for
    std::vector<PersistedCallback> told;
  };

  // Takes the entry, if it has that number, and tells. False: it is not there.
  bool EndEntry(const ObjectId& object, uint64_t number, const absl::Status& why);
  void OnNotice(const core::PersistNotice& notice);
  // The shard says nothing more of it. Answers what EndPersist does.
  absl::Status LeaveShard(const ObjectId& object, uint64_t number, uint32_t generation);
  void Ask(const ObjectId& object, uint32_t generation);
  void Tell(std::vector<PersistedCallback> told, const ObjectId& object, const absl::Status& why);

  CounterImpl* const counter_;
  mutable internal::Mutex mutex_;
  absl::flat_hash_map<ObjectId, Entry> entries_ FREEHOLD_GUARDED_BY(mutex_);
  uint64_t numbers_ FREEHOLD_GUARDED_BY(mutex_) = 0;
  absl::Status ended_ FREEHOLD_GUARDED_BY(mutex_);  // ok: it goes on
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_PERSISTS_H_
