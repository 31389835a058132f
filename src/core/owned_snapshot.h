// What an owner knows of an object that it hands over (PROTOCOL, step 11), as the core keeps it.
//
// Thread safety: a value.

#ifndef FREEHOLD_SRC_CORE_OWNED_SNAPSHOT_H_
#define FREEHOLD_SRC_CORE_OWNED_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "src/core/peer.h"
#include "src/core/transfer_item.h"

namespace freehold::core {

struct OwnedSnapshot {
  struct At {
    PeerIndex node = kNoPeer;
    // None of the first three: it has no copy, but asks about the object.
    bool in_memory = false;
    bool spilled = false;
    bool prospective = false;
    bool primary = false;
    bool shared = false;
    std::string url;

    bool has_copy() const { return in_memory || spilled || prospective; }
  };
  uint32_t generation = 0;
  uint64_t size = 0;
  TransferState state = TransferState::kPending;
  bool evict_first = false;
  std::vector<At> nodes;
  std::vector<PeerIndex> processes;  // that hold it, or ask about it
  std::vector<PeerIndex> formers;    // owners before

  // One more that asks about it, unless it is known.
  void Add(PeerIndex peer, bool is_node) {
    if (is_node) {
      for (const At& at : nodes) {
        if (at.node == peer) return;
      }
      nodes.emplace_back().node = peer;
    } else {
      for (const PeerIndex process : processes) {
        if (process == peer) return;
      }
      processes.push_back(peer);
    }
  }
  // Of the lists, on the wire.
  size_t list_bytes() const {
    size_t bytes = (processes.size() + formers.size()) * kTransferProcessBytes;
    for (const At& at : nodes) bytes += kTransferNodeBytes + at.url.size();
    return bytes;
  }
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OWNED_SNAPSHOT_H_
