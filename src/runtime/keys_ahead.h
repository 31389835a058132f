// A row of ids, each of whose entries is fetched while those before it are dealt with.
//
// Where an entry lies follows from the id alone (IdIndex::Foresee), and no lock is needed to ask
// for it. So of ids that lie cold in memory the processor waits for many at once, although the
// locks between one step and the next keep it from seeing that far itself.
//
// Thread safety: thread-safe, like the counter.

#ifndef FREEHOLD_SRC_RUNTIME_KEYS_AHEAD_H_
#define FREEHOLD_SRC_RUNTIME_KEYS_AHEAD_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "src/runtime/counter_impl.h"

namespace freehold::runtime {

// An id of the row, once its bucket is on its way into the cache.
struct KeyAhead {
  uint64_t hash;
  Shard* shard;
  core::IdIndex::Home home;  // in the shard's table
};

// Where an entry of the id lies, on its way into the cache.
inline KeyAhead Foresee(const CounterImpl& counter,
                        const ObjectId& object) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
  const core::Key key = counter.KeyOf(object);
  Shard& shard = counter.ShardOf(key);
  return {key.hash, &shard, shard.table.Foresee(key.hash)};
}

// Calls `visit(id, ahead)` for each of `count` ids, in order, until it answers false; answers
// whether none did. `id_at(i)` is the i-th; it is asked for twice.
template <typename IdAt, typename Visit>
bool VisitAhead(const CounterImpl& counter, size_t count, IdAt id_at, Visit visit) {
  std::array<KeyAhead, 16> row;
  for (size_t done = 0; done < count; done += row.size()) {
    const size_t here = std::min(row.size(), count - done);
    for (size_t i = 0; i < here; ++i) row[i] = Foresee(counter, id_at(done + i));
    for (size_t i = 0; i < here; ++i) {
      if (!visit(id_at(done + i), row[i])) return false;
    }
  }
  return true;
}

template <typename Visit>
bool VisitAhead(const CounterImpl& counter, absl::Span<const ObjectId> ids, Visit visit) {
  const ObjectId* const begin = ids.data();
  return VisitAhead(
      counter, ids.size(), [begin](size_t i) -> const ObjectId& { return begin[i]; }, visit);
}

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_KEYS_AHEAD_H_
