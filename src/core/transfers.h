// Transfers: what an ObjectTable knows of objects whose ownership has moved to it, or from it.
//
// Made when the first one does. The rules are in object_table_transfer.cc and PROTOCOL.md, step 11.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_TRANSFERS_H_
#define FREEHOLD_SRC_CORE_TRANSFERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "src/core/former_index.h"
#include "src/core/heirs.h"
#include "src/core/holder_index.h"
#include "src/core/peer_map.h"
#include "src/core/peer_queue.h"

namespace freehold::core {

struct Transfers {
  // Of an object that is owned here and was owned elsewhere, or was given away and taken back, or
  // has had an heir.
  struct Tenure {
    uint32_t term = kFirstTerm;
    PeerIndex from = kNoPeer;  // who handed it over and may take it back; kNoPeer: nobody may
    uint64_t era = 0;          // in which those who are to be told were listed
    bool inherited = false;    // from an owner that has died: it may have done more with it
  };
  // An owner that somebody is to ask from now on.
  struct MovedNews {
    ObjectId object;
    uint32_t term = 0;
    PeerIndex owner = kNoPeer;
  };

  FormerIndex formers;
  absl::flat_hash_map<RecordIndex, Tenure> tenures;  // only asked, never iterated
  HolderIndex previous;  // (object, former owner, 0): who answers for it, and is told of its end
  HolderIndex to_tell;   // (object, peer, 0): who is to be told who its owner is
  HolderIndex telling;   // ... and was, and has not answered
  // (object, excluded next owner, 0): what was taken back is held until the barrier of that one,
  // whose borrowers may use it until then.
  HolderIndex awaited;
  PeerQueue<MovedNews> moved_news;  // for who has asked here; not answered
  PeerMap<uint32_t> unasked;        // of what waits in the outbox of a peer: answers to nothing
  std::unique_ptr<Heirs> heirs;     // null: none was named

  static bool IsUnasked(SharingKind kind) {
    return kind == SharingKind::kSettled || kind == SharingKind::kMovedEnded ||
           kind == SharingKind::kShadowEnd;
  }

  // The latest view waits for those who were listed before it; not for later ones, or transfers in
  // a row could keep its barrier back for ever.
  uint64_t era = 1;
  uint64_t untold_before = 0;
  uint64_t untold_since = 0;
  void CountUntold(const Tenure& tenure, int64_t change) {
    uint64_t& count = tenure.era == era ? untold_since : untold_before;
    count += static_cast<uint64_t>(change);
  }
  void BeginEra() {
    untold_before += untold_since;
    untold_since = 0;
    ++era;
  }

  bool HasWorkFor(PeerIndex peer) const {
    return formers.AnyToSend(peer) || to_tell.FirstOfPeer(peer) != nullptr ||
           !moved_news.empty(peer) ||
           (heirs != nullptr && heirs->to_send.FirstOfPeer(peer) != nullptr);
  }
  size_t bytes() const {
    return sizeof(*this) + formers.bytes() + tenures.capacity() * (sizeof(Tenure) + 9) +
           previous.bytes() + to_tell.bytes() + telling.bytes() + awaited.bytes() +
           moved_news.bytes() + (heirs == nullptr ? 0 : heirs->bytes());
  }
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_TRANSFERS_H_
