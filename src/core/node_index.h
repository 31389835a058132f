// Per node: the objects that have a copy there, in three lists by where the copy's deletion stands.
//
// A list is a chain of chunks of record indices, in order of insertion; the copy knows its place,
// chunk and position. So to enter a list is to write at its end, and to leave it is to blank a
// place: neither touches another record, as it would if the links ran through the records. A list
// keeps its last chunk; any other whose last record left is used again, and one with few left is
// merged with a neighbour, so that long-lived copies among short-lived ones do not keep chunks for
// themselves.
//
// What is to be freed is one list. From its head up to some place it has been handed over to the
// session (kSent), from there on it waits (kWaiting). So handing over moves that place and touches
// no copy; a node's death touches the objects on that node alone; and what waits for a session is
// the list itself, not a queue beside it.
//
// Beside them lie the answers to reports about objects that are gone ("late frees"), which have no
// record to name.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_NODE_INDEX_H_
#define FREEHOLD_SRC_CORE_NODE_INDEX_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "src/core/digest.h"
#include "src/core/item.h"
#include "src/core/location_set.h"
#include "src/core/object_record.h"
#include "src/core/record_chunks.h"
#include "src/core/record_slabs.h"
#include "src/core/reported_late.h"

namespace freehold::core {

class NodeIndex {
 public:
  struct List {
    // The chunk `tail`, in which every copy that enters is written; without one, a full one.
    RecordChunk* last = RecordChunk::Full();
    uint32_t head = kNoChunk;
    uint32_t tail = kNoChunk;
  };
  struct Node {
    List lists[kCopyLists];
    uint32_t waiting = 0;        // of kFrees
    uint32_t unsent = kNoChunk;  // while something waits: nothing does in front of this chunk
    uint32_t late_frees = 0;
    DigestSum reported;  // what it has said that it has
    bool excluded = false;

    List& list(CopyList which) { return lists[static_cast<int>(which)]; }
    const List& list(CopyList which) const { return lists[static_cast<int>(which)]; }
    // Is there something to send to it?
    bool has_work() const { return !excluded && (waiting > 0 || late_frees > 0); }
  };

  NodeIndex(RecordSlabs* slabs, CopyArena* copies) : slabs_(slabs), copies_(copies) {}

  // Creates the entry at first use.
  Node& At(PeerIndex node) {
    if (node >= end_) Grow(node);
    return nodes_[node];
  }
  // Null when nothing was ever here.
  const Node* Find(PeerIndex node) const { return node < end_ ? &nodes_[node] : nullptr; }
  bool IsExcluded(PeerIndex node) const { return node < end_ && nodes_[node].excluded; }
  // The index at which files lie that no node is needed for; kNoPeer: there are none.
  PeerIndex unbound() const { return unbound_; }
  void set_unbound(PeerIndex place) { unbound_ = place; }
  // One past the highest index in use.
  PeerIndex end() const { return end_; }

  // Puts the copy at the end of its node's list; in kFrees it waits. REQUIRES: it is in none.
  void Link(RecordIndex index, Copy* copy, CopyList which) {
    Enter(&At(copy->node), index, copy, which);
    ++Total(StateOnEntry(which));
  }
  // The same in kHeld, for the node's entry and a copy that is new. The caller counts it with
  // CountHeld, once for many.
  void Hold(Node* node, RecordIndex index, Copy* copy) {
    copy->place = Put(&node->list(CopyList::kHeld), index);
  }
  void CountHeld(uint32_t copies) { Total(FreeState::kHeld) += copies; }
  // The order of what stays is kept.
  void Unlink(const Copy& copy) {
    Node& node = nodes_[copy.node];
    const FreeState state = StateOf(copy);
    if (state == FreeState::kWaiting) --node.waiting;
    --Total(state);
    Leave(&node, copy);
  }
  void Move(RecordIndex index, Copy* copy, CopyList which) {
    Unlink(*copy);
    Link(index, copy, which);
  }
  // The copy is to be freed. Answers whether there was nothing to send to its node and now is. The
  // caller counts it with CountAwaited, once for many. REQUIRES: it is held.
  bool Await(RecordIndex index, Copy* copy) {
    Node& node = nodes_[copy->node];
    Leave(&node, *copy);
    copy->place = Put(&node.list(CopyList::kFrees), index);
    copy->list_number |= static_cast<uint32_t>(CopyList::kFrees);  // it was kHeld, which is 0
    return CountWaiting(&node) && node.late_frees == 0 && !node.excluded;
  }
  void CountAwaited(uint32_t copies) {
    Total(FreeState::kHeld) -= copies;
    Total(FreeState::kWaiting) += copies;
  }
  // Its node has said that it has the copy. `node`: its entry; `key_hash`: a DigestHash.
  void Report(Node* node, Copy* copy, uint64_t key_hash) {
    if (copy->reported != 0) return;
    copy->reported = 1;
    node->reported.Add(key_hash);
  }
  // ... that it has not, or something else takes what it said out of what we believe.
  void Unreport(Copy* copy, uint64_t key_hash) {
    if (copy->reported == 0) return;
    copy->reported = 0;
    nodes_[copy->node].reported.Remove(key_hash);
  }
  // The same of a copy that no record knows. The latter answers whether it was known.
  void ReportLate(PeerIndex node, const DigestKey& key) {
    if (reported_late_.Add(node, key)) At(node).reported.Add(DigestHash(key));
  }
  bool UnreportLate(PeerIndex node, const DigestKey& key) {
    if (!reported_late_.Remove(node, key)) return false;
    nodes_[node].reported.Remove(DigestHash(key));
    return true;
  }
  const ReportedLate& reported_late() const { return reported_late_; }
  // It is excluded: nobody asks any more what it has said.
  void ForgetReports(PeerIndex node) {
    nodes_[node].reported = DigestSum();
    reported_late_.Forget(node);
  }
  // The record of the copy has become `to`: its place follows.
  void Rename(const Copy& copy, RecordIndex to) {
    ChunkOf(copy).records[copy.place & kPositionMask] = to;
  }
  FreeState StateOf(const Copy& copy) const {
    if (copy.list() != CopyList::kFrees) return StateOnEntry(copy.list());
    const RecordChunk& chunk = chunks_.At(copy.place >> kPositionBits);
    return (copy.place & kPositionMask) < chunk.passed ? FreeState::kSent : FreeState::kWaiting;
  }

  // The oldest record in the list, or kNoRecord.
  RecordIndex First(PeerIndex node, CopyList which) const;
  // Calls `visit(record)` for each, oldest first.
  template <typename Visitor>
  void ForEach(PeerIndex node, CopyList which, Visitor visit) const {
    if (node >= end_) return;
    for (uint32_t at = nodes_[node].list(which).head; at != kNoChunk; at = chunks_.At(at).next) {
      const RecordChunk& chunk = chunks_.At(at);
      for (uint32_t i = 0; i < chunk.used; ++i) {
        if (chunk.records[i] != kNoRecord) visit(chunk.records[i]);
      }
    }
  }

  // Calls `take(record)` for what waits for the node, oldest first, until it answers false or
  // `records_max` were taken. What it took is kSent from then on.
  template <typename Take>
  void HandOver(PeerIndex node_index, uint32_t records_max, Take take) {
    Node& node = At(node_index);
    const uint32_t wanted = std::min(records_max, node.waiting);
    uint32_t taken = 0;
    bool full = false;
    Located chunks[2];  // this one, and the next one
    int here = 0;
    if (wanted > 0) Locate(chunks_.At(node.unsent), &chunks[here]);
    while (taken < wanted && !full) {
      RecordChunk& chunk = chunks_.At(node.unsent);
      if (chunk.next != kNoChunk) Foresee(chunks_.At(chunk.next), &chunks[1 - here]);
      const Located& records = chunks[here];
      uint32_t at = chunk.passed;
      const uint32_t used = chunk.used;
      const uint32_t end = std::min(used, at + (wanted - taken));
      for (; at < end; ++at) {
        if (records[at] == nullptr) continue;
        full = !take(*records[at]);
        if (full) break;
        ++taken;
      }
      chunk.passed = static_cast<uint8_t>(at);
      if (at < used) continue;
      if (chunk.next == kNoChunk) break;
      node.unsent = chunk.next;
      here = 1 - here;
    }
    node.waiting -= taken;
    Total(FreeState::kWaiting) -= taken;
    Total(FreeState::kSent) += taken;
  }

  uint64_t total(FreeState state) const { return totals_[static_cast<int>(state)]; }
  uint64_t late_frees() const { return late_frees_; }
  void AddLateFree(PeerIndex node, const FreeItem& item);
  // Hands the oldest ones to `take(item)` until it answers false or none is left.
  template <typename Take>
  void TakeLateFrees(PeerIndex node, Take take) {
    if (node >= end_ || nodes_[node].late_frees == 0) return;
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
  size_t bytes() const { return nodes_.capacity() * sizeof(Node) + chunks_.bytes(); }
  // Answers the number of copies in all lists.
  uint64_t CheckInvariants() const;

 private:
  // A place: chunk and position in it.
  static constexpr uint32_t kPositionBits = 4;
  static constexpr uint32_t kPositionMask = (1u << kPositionBits) - 1;
  static_assert(RecordChunk::kRecords <= kPositionMask, "a position fits its bits");
  // A chunk with so few records left asks its neighbours; two that have no more than kMerged
  // together become one. Well below a chunk, so that it takes a few steps until it pays again.
  static constexpr uint32_t kSparse = 4;
  static constexpr uint32_t kMerged = 8;

  static FreeState StateOnEntry(CopyList which) {
    return which == CopyList::kHeld    ? FreeState::kHeld
           : which == CopyList::kFrees ? FreeState::kWaiting
                                       : FreeState::kDoomed;
  }
  uint64_t& Total(FreeState state) { return totals_[static_cast<int>(state)]; }
  RecordChunk& ChunkOf(const Copy& copy) { return chunks_.At(copy.place >> kPositionBits); }
  // None of the four counts in the totals. Writes the record at the list's end, answers the place.
  uint32_t Put(List* list, RecordIndex index) {
    RecordChunk* last = list->last;
    if (last->used == RecordChunk::kRecords) last = AddChunk(list);
    const uint32_t position = last->used;
    last->records[position] = index;
    last->used = static_cast<uint8_t>(position + 1);
    ++last->live;
    return (list->tail << kPositionBits) | position;
  }
  // One more waits, the last one in its list. True: the first one.
  static bool CountWaiting(Node* node) {
    if (node->waiting++ != 0) return false;
    node->unsent = node->list(CopyList::kFrees).tail;
    return true;
  }
  void Enter(Node* node, RecordIndex index, Copy* copy, CopyList which) {
    copy->place = Put(&node->list(which), index);
    copy->list_number = static_cast<uint32_t>(which) & 3u;
    if (which == CopyList::kFrees) (void)CountWaiting(node);
  }
  void Leave(Node* node, const Copy& copy) {
    RecordChunk& chunk = ChunkOf(copy);
    chunk.records[copy.place & kPositionMask] = kNoRecord;
    if (--chunk.live > kSparse) return;
    if (chunk.live == 0 && chunk.next == kNoChunk) {
      chunk.used = 0;
      chunk.passed = 0;
    } else {
      Thin(node, copy);
    }
  }
  void Grow(PeerIndex node);
  RecordChunk* AddChunk(List* list);  // at its end
  // The copy left its chunk, and few or none are left in it.
  void Thin(Node* node, const Copy& left);
  void Merge(Node* node, const Copy& left, uint32_t number);
  void Drop(Node* node, CopyList which, uint32_t number);
  // The records of a chunk that were not handed over, by their places; null: given back.
  using Located = std::array<const ObjectRecord*, RecordChunk::kRecords>;
  void Locate(const RecordChunk& chunk, Located* records) const;
  void Foresee(const RecordChunk& chunk, Located* records) const;
  // Adds up the copies by state.
  void CheckList(PeerIndex node, CopyList which, uint64_t* counts, DigestSum* reported) const;
  void DropLateFrees(PeerIndex node, size_t count);

  RecordSlabs* const slabs_;
  CopyArena* const copies_;
  std::vector<Node> nodes_;
  PeerIndex unbound_ = kNoPeer;
  PeerIndex end_ = 0;  // their number
  RecordChunks chunks_;
  absl::flat_hash_map<PeerIndex, std::deque<FreeItem>> late_items_;  // never iterated
  uint64_t totals_[kFreeStates] = {};
  uint64_t late_frees_ = 0;
  ReportedLate reported_late_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_NODE_INDEX_H_
