// PeerQueue: what waits for a peer and has no record to wait in.
//
// What can wait in a record does (BorrowIndex, NodeIndex): this holds the rest, one queue per peer,
// first in, first out. Entries are reused without malloc.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_PEER_QUEUE_H_
#define FREEHOLD_SRC_CORE_PEER_QUEUE_H_

#include <cstddef>
#include <cstdint>

#include "src/core/peer_map.h"
#include "src/core/pool.h"

namespace freehold::core {

template <typename Item>
class PeerQueue {
 public:
  // False: full, and nothing was added.
  [[nodiscard]] bool Add(PeerIndex peer, const Item& item) {
    const uint32_t index = pool_.Allocate();
    if (index == kNone) return false;
    Entry& entry = pool_.At(index);
    entry.item = item;
    entry.next = kNone;
    Queue& queue = queues_.At(peer);
    if (queue.last == kNone) {
      queue.first = index;
    } else {
      pool_.At(queue.last).next = index;
    }
    queue.last = index;
    ++queue.size;
    return true;
  }
  bool empty(PeerIndex peer) const {
    const Queue* queue = queues_.Find(peer);
    return queue == nullptr || queue->first == kNone;
  }
  // Hands the oldest ones to `take(item)` until it answers false or none is left.
  template <typename Take>
  void TakeWhile(PeerIndex peer, Take take) {
    Queue* queue = queues_.Find(peer);
    if (queue == nullptr) return;
    while (queue->first != kNone && take(pool_.At(queue->first).item)) {
      const uint32_t taken = queue->first;
      queue->first = pool_.At(taken).next;
      if (queue->first == kNone) queue->last = kNone;
      --queue->size;
      pool_.Release(taken);
    }
  }
  uint32_t size(PeerIndex peer) const {
    const Queue* queue = queues_.Find(peer);
    return queue == nullptr ? 0 : queue->size;
  }
  uint64_t size() const { return pool_.in_use(); }
  size_t bytes() const { return pool_.bytes(); }

 private:
  struct Entry {
    Item item;
    uint32_t next = kNone;
  };
  struct Queue {
    uint32_t first = kNone;
    uint32_t last = kNone;
    uint32_t size = 0;
  };
  Pool<Entry> pool_;
  PeerMap<Queue> queues_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_PEER_QUEUE_H_
