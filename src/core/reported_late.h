// Copies that nodes have said they have of values that are gone, until they say that they have not:
// answered with a free, and in no record. A digest counts them as held, like any other copy whose
// free is not settled.
//
// Thread safety: thread-compatible. Memory: only for what was reported late, and bounded for each
// node; what finds no room is found again by the next digest, and freed again, which changes
// nothing.

#ifndef FREEHOLD_SRC_CORE_REPORTED_LATE_H_
#define FREEHOLD_SRC_CORE_REPORTED_LATE_H_

#include <cstddef>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "src/core/digest.h"
#include "src/core/peer.h"

namespace freehold::core {

class ReportedLate {
 public:
  static constexpr size_t kKeysMax = size_t{64} * 1024;  // of one node

  // False: it is here, or there is no room.
  bool Add(PeerIndex node, const DigestKey& key) {
    Keys& keys = nodes_[node];
    return keys.size() < kKeysMax && keys.insert(key).second;
  }
  // False: it is not here.
  bool Remove(PeerIndex node, const DigestKey& key) {
    const auto found = nodes_.find(node);
    if (found == nodes_.end() || found->second.erase(key) == 0) return false;
    if (found->second.empty()) nodes_.erase(found);
    return true;
  }
  bool Contains(PeerIndex node, const DigestKey& key) const {
    const auto found = nodes_.find(node);
    return found != nodes_.end() && found->second.contains(key);
  }
  void Forget(PeerIndex node) { nodes_.erase(node); }
  // Calls visit(key) for up to `keys_max` of the node's that are not below `*from`, in order.
  // True: more are left, from `*from` on.
  template <typename Visitor>
  bool Visit(PeerIndex node, DigestKey* from, size_t keys_max, Visitor visit) const {
    const auto found = nodes_.find(node);
    if (found == nodes_.end()) return false;
    auto at = found->second.lower_bound(*from);
    for (; at != found->second.end() && keys_max > 0; ++at, --keys_max) visit(*at);
    if (at == found->second.end()) return false;
    *from = *at;
    return true;
  }

 private:
  using Keys = absl::btree_set<DigestKey>;
  absl::flat_hash_map<PeerIndex, Keys> nodes_;  // none is empty; never iterated
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_REPORTED_LATE_H_
