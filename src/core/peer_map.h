// PeerMap: a value for each peer, for tables in which most peers have none.
//
// Blocks of 64 values, made when one of their peers gets its first: a look-up is two loads, growth
// moves no value, and a table that knows one of ten thousand peers does not pay for all.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_PEER_MAP_H_
#define FREEHOLD_SRC_CORE_PEER_MAP_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "src/core/peer.h"

namespace freehold::core {

// T is default constructible.
template <typename T>
class PeerMap {
 public:
  // Made at first use.
  T& At(PeerIndex peer) {
    const size_t block = peer / kBlock;
    if (block >= blocks_.size()) blocks_.resize(block + 1);
    if (blocks_[block] == nullptr) blocks_[block] = std::make_unique<T[]>(kBlock);
    return blocks_[block][peer % kBlock];
  }
  // Null when neither this peer nor a neighbour of it was ever used.
  const T* Find(PeerIndex peer) const {
    const size_t block = peer / kBlock;
    if (block >= blocks_.size() || blocks_[block] == nullptr) return nullptr;
    return &blocks_[block][peer % kBlock];
  }
  T* Find(PeerIndex peer) { return const_cast<T*>(static_cast<const PeerMap*>(this)->Find(peer)); }
  // Beyond every peer that was used.
  PeerIndex end() const { return static_cast<PeerIndex>(blocks_.size() * kBlock); }
  // Calls `visit(peer, value)` in order of index, for the neighbours of used ones too.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t block = 0; block < blocks_.size(); ++block) {
      if (blocks_[block] == nullptr) continue;
      for (size_t i = 0; i < kBlock; ++i) {
        visit(static_cast<PeerIndex>(block * kBlock + i), blocks_[block][i]);
      }
    }
  }

 private:
  static constexpr size_t kBlock = 64;
  std::vector<std::unique_ptr<T[]>> blocks_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_PEER_MAP_H_
