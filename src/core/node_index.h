// Per node: the objects that have a copy there, in one list, and which of these copies are to be
// freed and have not been sent yet.
//
// A list is a chain of chunks of record indices, in order of insertion; the copy knows its place,
// chunk and position. So to enter a list is to write at its end, and to leave it is to blank a
// place: neither touches another record, as it would if the links ran through the records. A list
// keeps its last chunk; any other whose last record left is used again, and one with few left is
// merged with a neighbour, so that long-lived copies among short-lived ones do not keep chunks for
// themselves.
//
// That a copy waits to be freed is a bit of its chunk, and a chunk with such a bit is queued, once.
// So letting go of a copy writes that bit and moves nothing; handing over clears bits and touches
// no copy; a node's death touches the objects on that node alone. Frees leave in the order in which
// their chunks were queued. One that is queued in vain, because its copies have gone otherwise
// meanwhile, keeps its place until its turn, and new copies enter it before any other: so there are
// never more chunks than the list once had. While it is queued it is not merged.
//
// Beside them lie answers to reports of what is gone ("late frees"), which have no record to name.
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_NODE_INDEX_H_
#define FREEHOLD_SRC_CORE_NODE_INDEX_H_

#include <algorithm>
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
  struct Node {
    ChunkList copies;
    ChunkList queue;           // of chunks of `copies`
    uint32_t queued = 0;       // their number
    uint32_t queue_at = 0;     // the first of them, as a position in the first chunk of the queue
    uint32_t left = kNoChunk;  // the first of those in the queue that are not in `copies` any more
    uint32_t late_frees = 0;
    DigestSum reported;  // what it has said that it has
    bool excluded = false;

    // Is there something to send to it? Now and then there is not, although this answers true.
    bool has_work() const { return !excluded && (queued > 0 || late_frees > 0); }
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

  // A copy that is new enters the list of its node, held.
  void Link(RecordIndex index, Copy* copy) {
    Hold(&At(copy->node), index, copy);
    CountHeld(1);
  }
  // The same for the node's entry. The caller counts it with CountHeld, once for many.
  void Hold(Node* node, RecordIndex index, Copy* copy) {
    RecordChunk* last = node->copies.last;
    if (last->is_full()) last = AddChunk(node);
    const uint32_t position = last->Append(index);
    copy->place = (node->copies.tail << kPositionBits) | position;
  }
  void CountHeld(uint32_t copies) { Total(FreeState::kHeld) += copies; }
  // The order of what stays is kept.
  void Unlink(const Copy& copy) {
    const FreeState state = StateOf(copy);
    --Total(state);
    if (state == FreeState::kWaiting) StopWaiting(copy);
    Leave(copy);
  }
  // The copy is to be freed. Answers whether there was nothing to send to its node and now is. The
  // caller counts it with CountAwaited, once for many. REQUIRES: it is held.
  bool Await(Copy* copy) {
    RecordChunk& chunk = ChunkOf(*copy);
    copy->phase_number |= static_cast<uint32_t>(CopyPhase::kFreed);  // it was kHeld, which is 0
    const uint32_t before = chunk.waiting;
    chunk.waiting = static_cast<uint16_t>(before | BitOf(*copy));
    return before == 0 && Enqueue(*copy, &chunk);
  }
  void CountAwaited(uint32_t copies) {
    Total(FreeState::kHeld) -= copies;
    Total(FreeState::kWaiting) += copies;
  }
  // It is to be freed, but not sent before it is released. REQUIRES: it is held.
  void HoldBack(Copy* copy) { Become(copy, CopyPhase::kHeldBack); }
  // Answers as Await does; it is counted already. REQUIRES: it is held back.
  bool Release(Copy* copy);
  // Its node has answered that it cannot delete it yet. REQUIRES: kSent.
  void Doom(Copy* copy) { Become(copy, CopyPhase::kDoomed); }
  // It is kept after all. REQUIRES: it is not held.
  void HoldAgain(Copy* copy) { Become(copy, CopyPhase::kHeld); }
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
  bool UnreportLate(PeerIndex node, const DigestKey& key);
  const ReportedLate& reported_late() const { return reported_late_; }
  // It is excluded: nobody asks any more what it has said.
  void ForgetReports(PeerIndex node) {
    nodes_[node].reported = DigestSum();
    reported_late_.Forget(node);
  }
  // The record of the copy has become `to`: its place follows.
  void Rename(const Copy& copy, RecordIndex to) {
    ChunkOf(copy).entries[copy.place & kPositionMask] = to;
  }
  FreeState StateOf(const Copy& copy) const {
    if (copy.phase() == CopyPhase::kHeld) return FreeState::kHeld;
    if (copy.phase() != CopyPhase::kFreed) {
      return copy.phase() == CopyPhase::kDoomed ? FreeState::kDoomed : FreeState::kWaiting;
    }
    const RecordChunk& chunk = chunks_.At(copy.place >> kPositionBits);
    return (chunk.waiting & BitOf(copy)) != 0 ? FreeState::kWaiting : FreeState::kSent;
  }

  // The record of the node's oldest copy, or kNoRecord.
  RecordIndex First(PeerIndex node) const;
  // Calls `visit(record)` for each of its copies, oldest first.
  template <typename Visitor>
  void ForEach(PeerIndex node, Visitor visit) const {
    if (node >= end_) return;
    for (uint32_t at = nodes_[node].copies.head; at != kNoChunk; at = chunks_.At(at).next) {
      const RecordChunk& chunk = chunks_.At(at);
      for (uint32_t i = 0; i < chunk.used; ++i) {
        if (chunk.entries[i] != kNoRecord) visit(chunk.entries[i]);
      }
    }
  }

  // Calls `take(record)` for what waits for the node until it answers false or `records_max` were
  // taken, or so many chunks in the queue looked at, or up to twice as many where most are in vain.
  // What it took is kSent from then on.
  template <typename Take>
  void HandOver(PeerIndex node, uint32_t records_max, Take take) {
    Ahead ahead(At(node), records_max);
    // This one, and the next one, whose records come into the cache meanwhile.
    RecordBatch batches[2];
    uint32_t left = records_max;
    Foresee(&ahead, &batches[0]);
    for (int here = 0; left > 0 && batches[here].count > 0; here = 1 - here) {
      const RecordBatch& batch = batches[here];
      Foresee(&ahead, &batches[1 - here]);
      const uint32_t wanted = std::min(left, batch.count);
      uint32_t taken = 0;
      while (taken < wanted && take(*batch.records[taken])) ++taken;
      left = taken < wanted ? 0 : left - taken;
      if (taken == batch.count) {
        HaveSent(node, batch);
      } else {
        HaveSent(node, taken);
      }
    }
    (void)TrimQueue(node, records_max);
  }
  // Up to so many chunks that are queued in vain, and are the first, leave the queue. True: more
  // may.
  bool TrimQueue(PeerIndex node, uint32_t chunks_max);

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
  // The bits of RecordChunk::waiting: one for each place; the chunk is queued; it is queued in
  // vain, and has left the list of copies.
  static constexpr uint32_t kPlaces = (1u << RecordChunk::kRecords) - 1;
  static constexpr uint32_t kQueued = 1u << 15;
  static constexpr uint32_t kLeft = 1u << 14;
  static_assert((kPlaces & (kQueued | kLeft)) == 0, "places and marks fit 16 bits");
  // A chunk with so few records left asks its neighbours; two that have no more than kMerged
  // together become one. Well below a chunk, so that it takes a few steps until it pays again.
  static constexpr uint32_t kSparse = 4;
  static constexpr uint32_t kMerged = 8;

  // How far a look through the queue has come.
  struct Ahead {
    Ahead(const Node& node, uint32_t chunks_max)
        : chunk(node.queue.head), at(node.queue_at), chunks_left(chunks_max) {}
    uint32_t chunk;  // of the queue
    uint32_t at;     // the next position in it
    uint32_t chunks_left;
    uint32_t chunks_met = 0;
    uint32_t waiting = 0;  // what is left of the one that was met last
    const uint32_t* entries = nullptr;
  };

  static uint32_t BitOf(const Copy& copy) { return 1u << (copy.place & kPositionMask); }
  void CountSent(uint32_t copies) {
    Total(FreeState::kWaiting) -= copies;
    Total(FreeState::kSent) += copies;
  }
  uint64_t& Total(FreeState state) { return totals_[static_cast<int>(state)]; }
  RecordChunk& ChunkOf(const Copy& copy) { return chunks_.At(copy.place >> kPositionBits); }
  void Become(Copy* copy, CopyPhase phase);
  void Leave(const Copy& copy) {
    RecordChunk& chunk = ChunkOf(copy);
    chunk.entries[copy.place & kPositionMask] = kNoRecord;
    if (--chunk.live > kSparse) return;
    if (chunk.live == 0 && chunk.next == kNoChunk) {
      chunk.used = 0;
    } else {
      Thin(copy.node, copy.place >> kPositionBits);
    }
  }
  // One that is not queued, because of this copy. Answers as Await does.
  bool Enqueue(const Copy& copy, RecordChunk* chunk);
  // It goes, or is held again, before it was handed over.
  void StopWaiting(const Copy& copy);
  void Grow(PeerIndex node);
  RecordChunk* AddChunk(Node* node);           // to its copies
  void Thin(PeerIndex node, uint32_t number);  // few or none are left in that chunk
  static bool FitTogether(const RecordChunk& chunk, const RecordChunk& next);
  void Merge(PeerIndex node, uint32_t number);
  void Drop(Node* node, uint32_t number);
  void Foresee(Ahead* ahead, RecordBatch* batch) const;
  bool Next(Ahead* ahead) const;
  void HaveSent(PeerIndex node, uint32_t records);  // the first that wait
  void HaveSent(PeerIndex node, const RecordBatch& batch);
  RecordChunk& FirstQueued(const Node& node) {  // REQUIRES: there is one
    return chunks_.At(chunks_.At(node.queue.head).entries[node.queue_at]);
  }
  void Dequeue(PeerIndex node);  // the first
  // Adds up the copies by state.
  void CheckCopies(PeerIndex node, uint64_t* counts, DigestSum* reported) const;
  void CheckQueue(const Node& node) const;
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
