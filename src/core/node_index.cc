#include "src/core/node_index.h"

#include <algorithm>
#include <utility>

#include "src/base/check.h"

namespace freehold::core {

// --- Chunks --------------------------------------------------------------------------------------

uint32_t RecordChunks::Allocate() {
  uint32_t chunk = free_;
  if (chunk != kNoChunk) {
    free_ = At(chunk).next;
  } else {
    if (used_ == blocks_.size() * kBlock) {
      blocks_.push_back(std::unique_ptr<RecordChunk[]>(new RecordChunk[kBlock]));
    }
    chunk = used_++;
  }
  RecordChunk& fresh = At(chunk);
  fresh.used = 0;
  fresh.live = 0;
  fresh.waiting = 0;
  return chunk;
}

RecordChunk* RecordChunks::Add(ChunkList* list, uint32_t chunk) {
  RecordChunk& added = At(chunk);
  added.previous = list->tail;
  added.next = kNoChunk;
  (list->tail == kNoChunk ? list->head : At(list->tail).next) = chunk;
  list->tail = chunk;
  list->last = &added;
  return list->last;
}

void RecordChunks::Unlink(ChunkList* list, uint32_t chunk) {
  const RecordChunk& left = At(chunk);
  (left.previous == kNoChunk ? list->head : At(left.previous).next) = left.next;
  (left.next == kNoChunk ? list->tail : At(left.next).previous) = left.previous;
  list->last = list->tail == kNoChunk ? RecordChunk::Full() : &At(list->tail);
}

void RecordChunks::Chain(uint32_t* first, uint32_t chunk) {
  At(chunk).previous = kNoChunk;
  At(chunk).next = *first;
  if (*first != kNoChunk) At(*first).previous = chunk;
  *first = chunk;
}

void RecordChunks::Unchain(uint32_t* first, uint32_t chunk) {
  const RecordChunk& left = At(chunk);
  (left.previous == kNoChunk ? *first : At(left.previous).next) = left.next;
  if (left.next != kNoChunk) At(left.next).previous = left.previous;
}

// --- The copies of a node ------------------------------------------------------------------------

void NodeIndex::Grow(PeerIndex node) {
  end_ = node + 1;
  // By a quarter, not to twice as many: an end with ten thousand peers has none to spare.
  if (end_ > nodes_.capacity()) nodes_.reserve(end_ + end_ / 4);
  nodes_.resize(end_);
}

void NodeIndex::Become(Copy* copy, CopyPhase phase) {
  const FreeState before = StateOf(*copy);
  --Total(before);
  if (before == FreeState::kWaiting) StopWaiting(*copy);
  copy->phase_number = static_cast<uint32_t>(phase) & 3u;
  ++Total(StateOf(*copy));
}

bool NodeIndex::Release(Copy* copy) {
  copy->phase_number = static_cast<uint32_t>(CopyPhase::kHeld);
  return Await(copy);
}

bool NodeIndex::UnreportLate(PeerIndex node, const DigestKey& key) {
  if (!reported_late_.Remove(node, key)) return false;
  nodes_[node].reported.Remove(DigestHash(key));
  return true;
}

RecordChunk* NodeIndex::AddChunk(Node* node) {
  const uint32_t queued = node->left;
  if (queued == kNoChunk) return chunks_.Add(&node->copies, chunks_.Allocate());
  chunks_.Unchain(&node->left, queued);
  RecordChunk& again = chunks_.At(queued);
  again.waiting = kQueued;
  again.used = 0;
  return chunks_.Add(&node->copies, queued);
}

void NodeIndex::Thin(PeerIndex node, uint32_t number) {
  const RecordChunk& chunk = chunks_.At(number);
  if (chunk.live == 0) {
    Drop(&nodes_[node], number);
  } else if (chunk.previous != kNoChunk && FitTogether(chunks_.At(chunk.previous), chunk)) {
    Merge(node, chunk.previous);
  } else if (chunk.next != kNoChunk && FitTogether(chunk, chunks_.At(chunk.next))) {
    Merge(node, number);
  }
}

// What is queued stays as it is: it would be in the queue twice.
bool NodeIndex::FitTogether(const RecordChunk& chunk, const RecordChunk& next) {
  return chunk.live + next.live <= kMerged && ((chunk.waiting | next.waiting) & kQueued) == 0;
}

// The chunk after `number` goes into it.
void NodeIndex::Merge(PeerIndex node, uint32_t number) {
  RecordChunk& into = chunks_.At(number);
  const uint32_t emptied = into.next;
  uint32_t used = 0;
  for (RecordChunk* chunk : {&into, &chunks_.At(emptied)}) {
    for (uint32_t i = 0; i < chunk->used; ++i) {
      const RecordIndex record = chunk->entries[i];
      if (record == kNoRecord) continue;
      Copy* copy = copies_->Find(slabs_->At(record), node);
      FREEHOLD_CHECK(copy != nullptr);
      copy->place = (number << kPositionBits) | used;
      into.entries[used++] = record;
    }
  }
  into.used = into.live = static_cast<uint8_t>(used);
  Drop(&nodes_[node], emptied);
}

void NodeIndex::Drop(Node* node, uint32_t number) {
  chunks_.Unlink(&node->copies, number);
  RecordChunk& chunk = chunks_.At(number);
  if ((chunk.waiting & kQueued) != 0) {
    chunk.waiting |= kLeft;
    chunks_.Chain(&node->left, number);
  } else {
    chunks_.Release(number);
  }
}

RecordIndex NodeIndex::First(PeerIndex node) const {
  if (node >= end_) return kNoRecord;
  const uint32_t head = nodes_[node].copies.head;
  if (head == kNoChunk) return kNoRecord;
  const RecordChunk& chunk = chunks_.At(head);
  uint32_t at = 0;
  while (at < chunk.used && chunk.entries[at] == kNoRecord) ++at;
  return at < chunk.used ? chunk.entries[at] : kNoRecord;
}

// --- The queue -----------------------------------------------------------------------------------

bool NodeIndex::Enqueue(const Copy& copy, RecordChunk* chunk) {
  Node& node = nodes_[copy.node];
  chunk->waiting |= kQueued;
  RecordChunk* last = node.queue.last;
  if (last->is_full()) last = chunks_.Add(&node.queue, chunks_.Allocate());
  (void)last->Append(copy.place >> kPositionBits);
  return node.queued++ == 0 && node.late_frees == 0 && !node.excluded;
}

void NodeIndex::StopWaiting(const Copy& copy) {
  RecordChunk& chunk = ChunkOf(copy);
  chunk.waiting = static_cast<uint16_t>(chunk.waiting & ~BitOf(copy));
  // Two for the one that may be queued in vain now: the front of the queue catches up.
  (void)TrimQueue(copy.node, 2);
}

bool NodeIndex::TrimQueue(PeerIndex node, uint32_t chunks_max) {
  if (node >= end_) return false;
  while (nodes_[node].queued > 0 && (FirstQueued(nodes_[node]).waiting & kPlaces) == 0) {
    if (chunks_max-- == 0) return true;
    Dequeue(node);
  }
  return false;
}

void NodeIndex::Dequeue(PeerIndex node_index) {
  Node& node = nodes_[node_index];
  RecordChunk& queue = chunks_.At(node.queue.head);
  const uint32_t number = queue.entries[node.queue_at++];
  RecordChunk& chunk = chunks_.At(number);
  const uint32_t waiting = std::exchange(chunk.waiting, uint16_t{0});
  if ((waiting & kLeft) != 0) {
    chunks_.Unchain(&node.left, number);
    chunks_.Release(number);
  } else if ((waiting & kPlaces) == 0 && chunk.live > 0 && chunk.live <= kSparse) {
    // As if one had left it now. Where something was sent from it, one will.
    Thin(node_index, number);
  }
  if (--node.queued == 0) {  // so that chunk of the queue is its last
    queue.used = queue.live = 0;
    node.queue_at = 0;
  } else if (node.queue_at == RecordChunk::kRecords) {
    const uint32_t head = node.queue.head;
    chunks_.Unlink(&node.queue, head);
    chunks_.Release(head);
    node.queue_at = 0;
  }
}

void NodeIndex::HaveSent(PeerIndex node, uint32_t records) {
  CountSent(records);
  while (records > 0) {
    RecordChunk& chunk = FirstQueued(nodes_[node]);
    uint32_t waiting = chunk.waiting & kPlaces;
    for (; waiting != 0 && records > 0; --records) waiting &= waiting - 1;
    chunk.waiting = static_cast<uint16_t>(waiting | (chunk.waiting & ~kPlaces));
    if (waiting == 0) Dequeue(node);
  }
}

// What a look ahead points into is queued still, and what is queued stays where it is.
void NodeIndex::HaveSent(PeerIndex node, const RecordBatch& batch) {
  CountSent(batch.count);
  for (uint32_t i = 0; i < batch.chunks; ++i) Dequeue(node);
  if (batch.waiting == 0) {
    Dequeue(node);
  } else {
    FirstQueued(nodes_[node]).waiting = static_cast<uint16_t>(batch.waiting | kQueued);
  }
}

// The next chunk in which something waits. Chunks of copies are rarely in the cache: those that
// come later are asked for.
bool NodeIndex::Next(Ahead* ahead) const {
  constexpr uint32_t kDistance = 6;
  while (ahead->chunk != kNoChunk && ahead->chunks_left > 0) {
    const RecordChunk& queue = chunks_.At(ahead->chunk);
    if (ahead->at == queue.used) {
      ahead->chunk = queue.next;
      ahead->at = 0;
      continue;
    }
    const uint32_t later = ahead->at + kDistance;
    if (later < queue.used) {
      __builtin_prefetch(&chunks_.At(queue.entries[later]));
    } else if (queue.next != kNoChunk) {
      const RecordChunk& next = chunks_.At(queue.next);  // so this one is full
      const uint32_t at = later - RecordChunk::kRecords;
      if (at < next.used) __builtin_prefetch(&chunks_.At(next.entries[at]));
    }
    const RecordChunk& chunk = chunks_.At(queue.entries[ahead->at++]);
    --ahead->chunks_left;
    ++ahead->chunks_met;
    ahead->waiting = chunk.waiting & kPlaces;
    ahead->entries = chunk.entries;
    if (ahead->waiting != 0) return true;
  }
  return false;
}

void NodeIndex::Foresee(Ahead* ahead, RecordBatch* batch) const {
  // The first one is in the queue still if the batch before left something of it.
  uint32_t waiting = ahead->waiting;
  ahead->chunks_met = waiting != 0 ? 1 : 0;
  uint32_t count = 0;
  for (; count < RecordBatch::kRecords; ++count) {
    if (waiting == 0) {
      if (!Next(ahead)) break;
      waiting = ahead->waiting;
    }
    const auto place = static_cast<uint32_t>(__builtin_ctz(waiting));
    waiting &= waiting - 1;
    const ObjectRecord* const record = &slabs_->At(ahead->entries[place]);
    __builtin_prefetch(&record->cell);
    __builtin_prefetch(&record->generation);
    batch->records[count] = record;
  }
  ahead->waiting = waiting;
  batch->count = count;
  batch->chunks = ahead->chunks_met - 1;
  batch->waiting = waiting;
}

// --- Late frees ----------------------------------------------------------------------------------

void NodeIndex::AddLateFree(PeerIndex node, const FreeItem& item) {
  ++At(node).late_frees;
  late_items_[node].push_back(item);
  ++late_frees_;
}

void NodeIndex::DropLateFrees(PeerIndex node, size_t count) {
  std::deque<FreeItem>& late = late_items_[node];
  late.erase(late.begin(), late.begin() + static_cast<ptrdiff_t>(count));
  if (late.empty()) late_items_.erase(node);
  nodes_[node].late_frees -= static_cast<uint32_t>(count);
  late_frees_ -= count;
}

// --- Invariants ----------------------------------------------------------------------------------

void NodeIndex::CheckCopies(PeerIndex node, uint64_t* counts, DigestSum* reported) const {
  const ChunkList& list = nodes_[node].copies;
  uint32_t previous = kNoChunk;
  for (uint32_t number = list.head; number != kNoChunk; number = chunks_.At(number).next) {
    const RecordChunk& chunk = chunks_.At(number);
    FREEHOLD_CHECK(chunk.previous == previous);
    FREEHOLD_CHECK(chunk.used <= RecordChunk::kRecords);
    FREEHOLD_CHECK((chunk.waiting & kLeft) == 0);
    FREEHOLD_CHECK((chunk.waiting & kPlaces) == 0 || (chunk.waiting & kQueued) != 0);
    uint32_t live = 0;
    for (uint32_t i = 0; i < RecordChunk::kRecords; ++i) {
      const bool waits = (chunk.waiting & (1u << i)) != 0;
      if (i >= chunk.used || chunk.entries[i] == kNoRecord) {
        FREEHOLD_CHECK(!waits);
        continue;
      }
      ++live;
      const ObjectRecord& record = slabs_->At(chunk.entries[i]);
      const Copy* copy = copies_->Find(record, node);
      FREEHOLD_CHECK(copy != nullptr);
      FREEHOLD_CHECK(copy->reported == 0 || copy->real());
      if (copy->reported != 0) reported->Add(DigestHash({record.id(), record.generation}));
      FREEHOLD_CHECK(copy->place == ((number << kPositionBits) | i));
      FREEHOLD_CHECK(waits == (StateOf(*copy) == FreeState::kWaiting && !copy->held_back()));
      ++counts[static_cast<int>(StateOf(*copy))];
    }
    FREEHOLD_CHECK(live == chunk.live);
    // Only the last one may be empty, and is then as new.
    FREEHOLD_CHECK(live > 0 || (chunk.next == kNoChunk && chunk.used == 0));
    previous = number;
  }
  FREEHOLD_CHECK(list.tail == previous);
  FREEHOLD_CHECK(list.last ==
                 (list.tail == kNoChunk ? RecordChunk::Full() : &chunks_.At(list.tail)));
}

void NodeIndex::CheckQueue(const Node& node) const {
  std::vector<uint32_t> marked;
  for (uint32_t number = node.copies.head; number != kNoChunk; number = chunks_.At(number).next) {
    if ((chunks_.At(number).waiting & kQueued) != 0) marked.push_back(number);
  }
  uint32_t previous = kNoChunk;
  for (uint32_t number = node.left; number != kNoChunk; number = chunks_.At(number).next) {
    FREEHOLD_CHECK(chunks_.At(number).waiting == (kQueued | kLeft));
    FREEHOLD_CHECK(chunks_.At(number).live == 0);
    FREEHOLD_CHECK(chunks_.At(number).previous == previous);
    previous = number;
    marked.push_back(number);
  }
  std::vector<uint32_t> queued;
  uint32_t at = node.queue_at;
  for (uint32_t number = node.queue.head; number != kNoChunk; number = chunks_.At(number).next) {
    const RecordChunk& queue = chunks_.At(number);
    for (; at < queue.used; ++at) queued.push_back(queue.entries[at]);
    at = 0;
  }
  FREEHOLD_CHECK(queued.size() == node.queued);
  // What says that it is queued is, once, and nothing else.
  std::sort(marked.begin(), marked.end());
  std::sort(queued.begin(), queued.end());
  FREEHOLD_CHECK(marked == queued);
}

uint64_t NodeIndex::CheckInvariants() const {
  uint64_t totals[kFreeStates] = {};
  uint64_t late = 0;
  for (PeerIndex node = 0; node < end(); ++node) {
    uint64_t counts[kFreeStates] = {};
    DigestSum reported;
    CheckCopies(node, counts, &reported);
    CheckQueue(nodes_[node]);
    DigestKey from;
    (void)reported_late_.Visit(node, &from, SIZE_MAX,
                               [&](const DigestKey& key) { reported.Add(DigestHash(key)); });
    FREEHOLD_CHECK(nodes_[node].excluded || reported == nodes_[node].reported);
    for (int state = 0; state < kFreeStates; ++state) totals[state] += counts[state];
    late += nodes_[node].late_frees;
  }
  FREEHOLD_CHECK(late == late_frees_);
  uint64_t all = 0;
  for (int state = 0; state < kFreeStates; ++state) {
    FREEHOLD_CHECK(totals[state] == totals_[state]);
    all += totals[state];
  }
  return all;
}

}  // namespace freehold::core
