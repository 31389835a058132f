// HolderIndex: who elsewhere has a part in a record, found by record, by peer, and by both.
//
// One class for three relations of an ObjectTable (object_table.h, `Sharing`): the borrowers of an
// owned object, the pins for handoffs that have not ended, and the handoffs whose senders wait for
// our answer. An entry is (record, peer, number); it lies in a ring of its record, in a ring of its
// peer, and in a hash index: the oldest entry of each record in one by record, all others in one by
// all three. So an object's only borrower, which is what most have, is in one of them; adding and
// removing one costs the same whether its object has one borrower or a thousand; and a peer's death
// touches the entries of that peer alone.
//
// Rings are in order of addition. An entry is 32 bytes, its place in an index about 6.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_HOLDER_INDEX_H_
#define FREEHOLD_SRC_CORE_HOLDER_INDEX_H_

#include <cstddef>
#include <cstdint>

#include "src/core/id_index.h"
#include "src/core/object_record.h"
#include "src/core/peer_map.h"
#include "src/core/pool.h"

namespace freehold::core {

class HolderIndex {
 public:
  struct Holder {
    RecordIndex record = kNoRecord;
    PeerIndex peer = kNoPeer;
    uint64_t number = 0;
    uint32_t next = kNone;  // the two rings
    uint32_t previous = kNone;
    uint32_t next_of_peer = kNone;
    uint32_t previous_of_peer = kNone;
  };
  enum class [[nodiscard]] Added : uint8_t{kAdded, kPresent, kFull};

  Added Add(RecordIndex record, PeerIndex peer, uint64_t number);
  enum class Removed : uint8_t {
    kAbsent,
    kOthersLeft,
    kLast,  // the record has no other
  };
  Removed Remove(RecordIndex record, PeerIndex peer, uint64_t number);
  bool Contains(RecordIndex record, PeerIndex peer, uint64_t number) const {
    return Find(record, peer, number) != kNone;
  }

  // The oldest; null when there is none. Holds until the next change.
  const Holder* FirstOf(RecordIndex record) const;
  const Holder* FirstOfPeer(PeerIndex peer) const;
  uint32_t CountOfPeer(PeerIndex peer) const {
    const PeerHead* head = peers_.Find(peer);
    return head == nullptr ? 0 : head->size;
  }
  // Calls `visit(holder)` for those of the record, oldest first, until it answers false.
  template <typename Visit>
  void ForEachOf(RecordIndex record, Visit visit) const {
    const uint32_t first = FindHead(record);
    for (uint32_t at = first; at != kNone;) {
      const Holder& holder = pool_.At(at);
      if (!visit(holder) || holder.next == first) return;
      at = holder.next;
    }
  }

  uint64_t size() const { return pool_.in_use(); }
  size_t bytes() const { return pool_.bytes() + others_.bytes() + heads_.bytes(); }
  void CheckInvariants() const;

 private:
  uint32_t Find(RecordIndex record, PeerIndex peer, uint64_t number) const;
  uint32_t FindHead(RecordIndex record) const;
  uint32_t FindHead(RecordIndex record, uint64_t hash) const;  // the hash of the record
  uint32_t FindOther(const Holder& wanted) const;
  // False: the index is full.
  bool InsertHead(uint32_t index);
  bool InsertOther(uint32_t index);
  void LinkToPeer(uint32_t index);
  void UnlinkFromPeer(uint32_t index);

  struct PeerHead {
    uint32_t first = kNone;
    uint32_t size = 0;
  };

  Pool<Holder> pool_;
  IdIndex heads_;   // the oldest entry of each record
  IdIndex others_;  // all others
  PeerMap<PeerHead> peers_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_HOLDER_INDEX_H_
