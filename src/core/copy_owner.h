// One owner of copies, as CopyTable keeps it: its copies, and what it has yet to hear.
//
// Thread safety: thread-compatible. Pure.

#ifndef FREEHOLD_SRC_CORE_COPY_OWNER_H_
#define FREEHOLD_SRC_CORE_COPY_OWNER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "freehold/ids.h"
#include "src/core/copy_record.h"
#include "src/core/digest.h"
#include "src/core/item.h"
#include "src/core/peer.h"

namespace freehold::core {

// First in, first out; a pointer while it is empty, as nearly always. O(1) each in the long run:
// what was taken goes when it is half of the whole.
template <typename T>
class CopyQueue {
 public:
  bool empty() const { return rep_ == nullptr; }
  size_t size() const { return empty() ? 0 : rep_->items.size() - rep_->taken; }
  const T& front() const { return rep_->items[rep_->taken]; }
  void Push(T item) {
    if (empty()) rep_ = std::make_unique<Rep>();
    rep_->items.push_back(std::move(item));
  }
  void Pop() {
    std::vector<T>& items = rep_->items;
    if (++rep_->taken == items.size()) return Clear();
    if (2 * rep_->taken < items.size()) return;
    items.erase(items.begin(), items.begin() + static_cast<ptrdiff_t>(rep_->taken));
    rep_->taken = 0;
  }
  void Clear() { rep_.reset(); }

 private:
  struct Rep {
    std::vector<T> items;
    size_t taken = 0;
  };
  std::unique_ptr<Rep> rep_;
};

enum class CopyOwnerPhase : uint8_t { kLive, kExcluded, kPastBarrier };

// The answer to a Free that no record stands for: of something that is not here, or not this
// owner's any more.
struct CopyReply {
  ObjectId object;
  uint32_t generation = 0;
  uint32_t term = kFirstTerm;
  FreeResult result = FreeResult::kUnknown;
};
// The answer to an owner that has said that an object is its own now.
struct CopyMovedAck {
  ObjectId object;
  uint32_t term = kFirstTerm;
};
// What this node has asked an owner; the copy may have gone meanwhile.
struct CopyMove {
  ObjectId object;
  uint32_t generation = 0;
  PeerIndex owner = kNoPeer;
  NodeId from;
  uint32_t term = kFirstTerm;  // of that owner
  bool sent = false;
};

struct CopyOwner {
  using List = CopyChain<&CopyRecord::by_owner>;
  using ReportList = CopyChain<&CopyRecord::by_report>;

  explicit CopyOwner(PeerIndex index) : peer(index) {}
  const PeerIndex peer;
  CopyOwnerPhase phase = CopyOwnerPhase::kLive;
  bool in_sweep = false;
  uint32_t orphan_cursor = kNoCopy;  // the next copy that Sweep dooms
  uint64_t here_since = 0;           // its key in owners_here_
  uint64_t bytes = 0;
  List copies;
  ReportList reports;
  DigestSum told;
  CopyQueue<CopyReply> replies;
  CopyQueue<CopyMovedAck> moved_acks;
  // Null when there are none, as nearly always. By number, hence oldest first.
  std::unique_ptr<absl::btree_set<uint64_t>> moves_to_send;

  bool has_nothing_to_hear() const {
    return reports.empty() && replies.empty() && moved_acks.empty() && moves_to_send == nullptr;
  }
  size_t answers_waiting() const { return replies.size() + moved_acks.size(); }
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_COPY_OWNER_H_
