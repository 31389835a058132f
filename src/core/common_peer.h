// CommonPeer: how many peers were added, each as often as it was, and which one all of them are.
//
// Peers come and go in any order, and none is kept: numbers are equal if, and only if, their
// squares sum up to as much as those of their mean. (Beyond 65,536 of them sums may wrap around,
// and then they might be taken for equal; it would take peers of which millions were named between
// the one and the other.)
//
// Thread safety: a value. Costs: O(1).

#ifndef FREEHOLD_SRC_CORE_COMMON_PEER_H_
#define FREEHOLD_SRC_CORE_COMMON_PEER_H_

#include <cstdint>

#include "src/core/peer.h"

namespace freehold::core {

// There is no such peer. It may be added: then it stands for several.
inline constexpr PeerIndex kManyPeers = kNoPeer + 1;

class CommonPeer {
 public:
  void Add(PeerIndex peer) {
    ++count_;
    sum_ += peer;
    squares_ += SquareOf(peer);
  }
  // REQUIRES: it was added, and not removed since.
  void Remove(PeerIndex peer) {
    --count_;
    sum_ -= peer;
    squares_ -= SquareOf(peer);
  }
  uint32_t count() const { return count_; }
  // kNoPeer: there is none. kManyPeers: they differ.
  PeerIndex Get() const {
    if (count_ == 0) return kNoPeer;
    const auto mean = static_cast<PeerIndex>(sum_ / count_);
    const bool equal = sum_ % count_ == 0 && squares_ == count_ * SquareOf(mean);
    return equal ? mean : kManyPeers;
  }
  friend bool operator==(const CommonPeer& a, const CommonPeer& b) {
    return a.count_ == b.count_ && a.sum_ == b.sum_ && a.squares_ == b.squares_;
  }

 private:
  static uint64_t SquareOf(PeerIndex peer) { return uint64_t{peer} * peer; }

  uint32_t count_ = 0;
  uint64_t sum_ = 0;
  uint64_t squares_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_COMMON_PEER_H_
