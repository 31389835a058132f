#include "src/core/node_index.h"

#include "src/base/check.h"

namespace freehold::core {

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
  fresh.previous = kNoChunk;
  fresh.next = kNoChunk;
  fresh.used = 0;
  fresh.live = 0;
  fresh.passed = 0;
  return chunk;
}

// --- Lists ---------------------------------------------------------------------------------------

void NodeIndex::Grow(PeerIndex node) {
  end_ = node + 1;
  // By a quarter, not to twice as many: an end with ten thousand peers has none to spare.
  if (end_ > nodes_.capacity()) nodes_.reserve(end_ + end_ / 4);
  nodes_.resize(end_);
}

RecordChunk* NodeIndex::AddChunk(List* list) {
  const uint32_t added = chunks_.Allocate();
  if (list->tail == kNoChunk) {
    list->head = added;
  } else {
    chunks_.At(list->tail).next = added;
    chunks_.At(added).previous = list->tail;
  }
  list->tail = added;
  list->last = &chunks_.At(added);
  return list->last;
}

void NodeIndex::Thin(Node* node, const Copy& left) {
  const uint32_t number = left.place >> kPositionBits;
  const RecordChunk& chunk = chunks_.At(number);
  if (chunk.live == 0) {
    Drop(node, left.list(), number);
  } else if (chunk.previous != kNoChunk &&
             chunks_.At(chunk.previous).live + chunk.live <= kMerged) {
    Merge(node, left, chunk.previous);
  } else if (chunk.next != kNoChunk && chunks_.At(chunk.next).live + chunk.live <= kMerged) {
    Merge(node, left, number);
  }
}

// The chunk after `number` goes into it. What was handed over stays in front: when some of the
// earlier chunk waits, all of the later one does.
void NodeIndex::Merge(Node* node, const Copy& left, uint32_t number) {
  RecordChunk& into = chunks_.At(number);
  const uint32_t emptied = into.next;
  uint32_t used = 0;
  uint32_t passed = 0;
  for (RecordChunk* chunk : {&into, &chunks_.At(emptied)}) {
    for (uint32_t i = 0; i < chunk->used; ++i) {
      const RecordIndex record = chunk->records[i];
      if (record == kNoRecord) continue;
      if (i < chunk->passed) ++passed;
      Copy* copy = copies_->Find(slabs_->At(record), left.node);
      FREEHOLD_CHECK(copy != nullptr);
      copy->place = (number << kPositionBits) | used;
      into.records[used++] = record;
    }
  }
  into.used = into.live = static_cast<uint8_t>(used);
  into.passed = static_cast<uint8_t>(passed);
  Drop(node, left.list(), emptied);
}

void NodeIndex::Drop(Node* node, CopyList which, uint32_t number) {
  const RecordChunk& chunk = chunks_.At(number);
  List& list = node->list(which);
  (chunk.previous == kNoChunk ? list.head : chunks_.At(chunk.previous).next) = chunk.next;
  (chunk.next == kNoChunk ? list.tail : chunks_.At(chunk.next).previous) = chunk.previous;
  list.last = list.tail == kNoChunk ? RecordChunk::Full() : &chunks_.At(list.tail);
  // An empty chunk's waiting ones are behind it; a merged one's are in front of it.
  if (which == CopyList::kFrees && node->unsent == number) {
    node->unsent = chunk.live == 0 ? chunk.next : chunk.previous;
  }
  chunks_.Release(number);
}

RecordIndex NodeIndex::First(PeerIndex node, CopyList which) const {
  if (node >= end_) return kNoRecord;
  const uint32_t head = nodes_[node].list(which).head;
  if (head == kNoChunk) return kNoRecord;
  const RecordChunk& chunk = chunks_.At(head);
  uint32_t at = 0;
  while (at < chunk.used && chunk.records[at] == kNoRecord) ++at;
  return at < chunk.used ? chunk.records[at] : kNoRecord;
}

void NodeIndex::Locate(const RecordChunk& chunk, Located* records) const {
  const uint32_t used = chunk.used;
  for (uint32_t i = chunk.passed; i < used; ++i) {
    const RecordIndex index = chunk.records[i];
    (*records)[i] = index == kNoRecord ? nullptr : &slabs_->At(index);
  }
}

// Records in the lists of one node are rarely in the cache: those of the next chunk are asked for
// while this one's are handed over.
void NodeIndex::Foresee(const RecordChunk& chunk, Located* records) const {
  if (chunk.next != kNoChunk) __builtin_prefetch(&chunks_.At(chunk.next));
  const uint32_t used = chunk.used;
  for (uint32_t i = chunk.passed; i < used; ++i) {
    const RecordIndex index = chunk.records[i];
    const ObjectRecord* const record = index == kNoRecord ? nullptr : &slabs_->At(index);
    (*records)[i] = record;
    if (record == nullptr) continue;
    __builtin_prefetch(&record->cell);
    __builtin_prefetch(&record->generation);
  }
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

void NodeIndex::CheckList(PeerIndex node, CopyList which, uint64_t* counts,
                          DigestSum* reported) const {
  const List& list = nodes_[node].list(which);
  const bool waits = which == CopyList::kFrees && nodes_[node].waiting > 0;
  bool reached = false;  // the chunk `unsent`
  uint32_t previous = kNoChunk;
  for (uint32_t number = list.head; number != kNoChunk; number = chunks_.At(number).next) {
    const RecordChunk& chunk = chunks_.At(number);
    FREEHOLD_CHECK(chunk.previous == previous);
    FREEHOLD_CHECK(chunk.passed <= chunk.used && chunk.used <= RecordChunk::kRecords);
    const bool behind = waits && reached;
    reached = reached || number == nodes_[node].unsent;
    uint32_t live = 0;
    for (uint32_t i = 0; i < chunk.used; ++i) {
      if (chunk.records[i] == kNoRecord) continue;
      ++live;
      const ObjectRecord& record = slabs_->At(chunk.records[i]);
      const Copy* copy = copies_->Find(record, node);
      FREEHOLD_CHECK(copy != nullptr && copy->list() == which);
      FREEHOLD_CHECK(copy->reported == 0 || copy->real());
      if (copy->reported != 0) reported->Add(DigestHash({record.id(), record.generation}));
      FREEHOLD_CHECK(copy->place == ((number << kPositionBits) | i));
      const FreeState state = StateOf(*copy);
      FREEHOLD_CHECK(state != FreeState::kSent || !behind);
      FREEHOLD_CHECK(state != FreeState::kWaiting || reached);
      ++counts[static_cast<int>(state)];
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

uint64_t NodeIndex::CheckInvariants() const {
  uint64_t totals[kFreeStates] = {};
  uint64_t late = 0;
  for (PeerIndex node = 0; node < end(); ++node) {
    uint64_t counts[kFreeStates] = {};
    DigestSum reported;
    for (const CopyList which : {CopyList::kHeld, CopyList::kFrees, CopyList::kDoomed}) {
      CheckList(node, which, counts, &reported);
    }
    DigestKey from;
    (void)reported_late_.Visit(node, &from, SIZE_MAX,
                               [&](const DigestKey& key) { reported.Add(DigestHash(key)); });
    FREEHOLD_CHECK(nodes_[node].excluded || reported == nodes_[node].reported);
    FREEHOLD_CHECK(counts[static_cast<int>(FreeState::kWaiting)] == nodes_[node].waiting);
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
