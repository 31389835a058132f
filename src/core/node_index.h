// Per node: the objects that have a copy there, in four lists by where the copy's deletion stands.
//
// The lists run through the records (Copy::next, Copy::previous), so an entry costs nothing beyond
// its copy, a node's death touches the objects on that node alone, and what waits for a session is
// the kWaiting list itself, not a queue beside it. Lists are in order of insertion.
//
// Beside them lie the answers to reports about objects that are gone ("late frees"), which have no
// record to run through.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_NODE_INDEX_H_
#define FREEHOLD_SRC_CORE_NODE_INDEX_H_

#include <cstdint>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "src/core/item.h"
#include "src/core/location_set.h"
#include "src/core/object_record.h"
#include "src/core/record_slabs.h"

namespace freehold::core {

class NodeIndex {
 public:
  struct List {
    RecordIndex head = kNoRecord;
    RecordIndex tail = kNoRecord;
    uint32_t count = 0;
  };
  struct Node {
    List lists[kFreeStates];
    uint32_t late_frees = 0;
    bool excluded = false;

    List& list(FreeState state) { return lists[static_cast<int>(state)]; }
    const List& list(FreeState state) const { return lists[static_cast<int>(state)]; }
    // Is there something to send to it?
    bool has_work() const {
      return !excluded && (list(FreeState::kWaiting).count > 0 || late_frees > 0);
    }
  };

  NodeIndex(RecordSlabs* slabs, CopyArena* copies) : slabs_(slabs), copies_(copies) {}

  // Creates the entry at first use.
  Node& At(PeerIndex node) {
    if (node >= nodes_.size()) nodes_.resize(size_t{node} + 1);
    return nodes_[node];
  }
  // Null when nothing was ever here.
  const Node* Find(PeerIndex node) const { return node < nodes_.size() ? &nodes_[node] : nullptr; }
  bool IsExcluded(PeerIndex node) const { return node < nodes_.size() && nodes_[node].excluded; }
  // One past the highest index in use.
  PeerIndex end() const { return static_cast<PeerIndex>(nodes_.size()); }

  // Puts the copy at the end of its node's list `state`. REQUIRES: it is in none.
  void Link(RecordIndex index, Copy* copy, FreeState state);
  void Unlink(const Copy& copy);
  void Move(RecordIndex index, Copy* copy, FreeState state) {
    Unlink(*copy);
    Link(index, copy, state);
  }
  // The record `from` has become `to`: what points at it in the list of `copy` follows.
  void Rename(const Copy& copy, RecordIndex to);

  uint64_t total(FreeState state) const { return totals_[static_cast<int>(state)]; }
  uint64_t late_frees() const { return late_frees_; }
  void AddLateFree(PeerIndex node, const FreeItem& item);
  // Hands the oldest ones to `take(item)` until it answers false or none is left.
  template <typename Take>
  void TakeLateFrees(PeerIndex node, Take take) {
    if (node >= nodes_.size() || nodes_[node].late_frees == 0) return;
    std::deque<FreeItem>& late = late_items_[node];
    size_t taken = 0;
    while (taken < late.size() && take(late[taken])) ++taken;
    DropLateFrees(node, taken);
  }
  // Calls `visit(item)` for each that waits for `node`, oldest first.
  template <typename Visitor>
  void ForEachLateFree(PeerIndex node, Visitor visit) const {
    const auto at = late_items_.find(node);
    if (at == late_items_.end()) return;
    for (const FreeItem& item : at->second) visit(item);
  }
  size_t bytes() const { return nodes_.capacity() * sizeof(Node); }

 private:
  Copy& CopyOf(RecordIndex index, PeerIndex node);
  void DropLateFrees(PeerIndex node, size_t count);

  RecordSlabs* const slabs_;
  CopyArena* const copies_;
  std::vector<Node> nodes_;
  absl::flat_hash_map<PeerIndex, std::deque<FreeItem>> late_items_;  // never iterated
  uint64_t totals_[kFreeStates] = {};
  uint64_t late_frees_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_NODE_INDEX_H_
