// The copies of one object: two inline in the record, more in a block of the CopyArena.
//
// Blocks have 2^k copies, k following from the number of copies, and are reused by size. A block of
// up to 16 copies is looked through; in a larger one they are sorted by node index, so that finding
// one among thousands stays logarithmic.
//
// Copies of one object are reported in a row. So of the record that last got its first copy there
// is a filter of the nodes that it has copies on, by the last bits of their indices: who is not in
// it need not be looked for. It is never told that a copy goes, and may then answer yes in vain.
//
// Thread safety: thread-compatible. Pointers to copies hold until the set is next changed.

#ifndef FREEHOLD_SRC_CORE_LOCATION_SET_H_
#define FREEHOLD_SRC_CORE_LOCATION_SET_H_

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "src/core/object_record.h"

namespace freehold::core {

class CopyArena {
 public:
  static constexpr uint32_t kInline = 2;
  // A record counts its copies in 16 bits.
  static constexpr uint32_t kCopiesMax = UINT16_MAX;

 private:
  // Up to so many copies of a block are looked through, in blocks of any more they are sorted.
  static constexpr uint32_t kScanned = 16;

 public:
  static constexpr uint32_t kUnsortedMax = kInline + kScanned;

  CopyArena() = default;
  CopyArena(const CopyArena&) = delete;
  CopyArena& operator=(const CopyArena&) = delete;

  // Null when the object has no copy on `node`.
  Copy* Find(ObjectRecord& record, PeerIndex node) {
    const uint32_t copies = record.copies;
    if (copies > 0 && record.inline_copies[0].node == node) return &record.inline_copies[0];
    if (copies > 1 && record.inline_copies[1].node == node) return &record.inline_copies[1];
    return copies <= kInline ? nullptr : FindInBlock(record, node);
  }
  const Copy* Find(const ObjectRecord& record, PeerIndex node) const {
    return const_cast<CopyArena*>(this)->Find(const_cast<ObjectRecord&>(record), node);
  }
  // False: the object has no copy on `node`. True: it may have one.
  bool MayHave(const ObjectRecord& record, PeerIndex node) const {
    if (&record == recent_ && (recent_nodes_ & BitOf(node)) == 0) return false;
    const uint32_t copies = record.copies;
    if (copies > 0 && record.inline_copies[0].node == node) return true;
    if (copies > 1 && record.inline_copies[1].node == node) return true;
    if (copies <= kInline) return false;
    const Copy* const first = Block(record.overflow);
    if (copies <= 2 * kInline) return first[0].node == node || first[1].node == node;
    return copies > kUnsortedMax || MayHaveAmong(first, copies - kInline, node);
  }
  // A copy with all facts unset, in no list. REQUIRES: none on `node` yet. Null when the object
  // has kCopiesMax copies.
  Copy* Insert(ObjectRecord& record, PeerIndex node, bool in_memory = false) {
    const uint32_t copies = record.copies;
    Copy* const place = copies < kInline || HasRoom(copies - kInline) ? &At(record, copies)
                        : copies < kUnsortedMax ? Widen(record, copies - kInline)
                                                : PlaceInBlock(record, node);
    if (place == nullptr) return nullptr;
    record.copies = static_cast<uint16_t>(copies + 1);
    if (&record == recent_) recent_nodes_ |= BitOf(node);
    MakeFresh(place, node, in_memory);
    return place;
  }
  // One in memory. REQUIRES: the object has none yet.
  Copy* InsertFirst(ObjectRecord& record, PeerIndex node) {
    record.copies = 1;
    recent_ = &record;
    recent_nodes_ = BitOf(node);
    MakeFresh(&record.inline_copies[0], node, /*in_memory=*/true);
    return &record.inline_copies[0];
  }
  // One in memory on each of `nodes`, in order and with one block for all, until there is one on
  // such a node already or `enter(node, copy)` answers false for one, which is then not there.
  // Answers how many were added. REQUIRES: together they are no more than kUnsortedMax.
  template <typename Enter>
  uint32_t InsertAll(ObjectRecord& record, absl::Span<const PeerIndex> nodes, Enter enter) {
    const uint32_t before = record.copies;
    const uint32_t wanted = before + static_cast<uint32_t>(nodes.size());
    if (nodes.empty()) return 0;
    FitBlock(record, before, wanted);
    uint64_t seen = NodesOf(record);
    const PeerIndex* node = nodes.data();
    const PeerIndex* const end = node + nodes.size();
    uint32_t count = before;
    // Those that go into the record, then those that go into the block.
    for (Copy* copy = &At(record, before);; copy = Block(record.overflow)) {
      const PeerIndex* const run =
          count < kInline && wanted > kInline ? node + (kInline - count) : end;
      for (; node != run; ++node, ++copy, ++count) {
        const uint64_t bit = BitOf(*node);
        if ((seen & bit) != 0 && HasAmong(record, count, *node)) break;
        MakeFresh(copy, *node, /*in_memory=*/true);
        if (!enter(*node, copy)) break;
        seen |= bit;
      }
      if (node != run || node == end) break;
    }
    record.copies = static_cast<uint16_t>(count);
    if (&record == recent_) recent_nodes_ = seen;
    if (count < wanted) FitBlock(record, wanted, count);
    return count - before;
  }
  // REQUIRES: there is one on `node`.
  void Remove(ObjectRecord& record, PeerIndex node);
  // All copies of `from` are those of `to`. REQUIRES: that has none.
  void MoveAll(ObjectRecord& from, ObjectRecord& to);

  // The `position`-th copy, in storage order. REQUIRES: position < record.copies.
  Copy& At(ObjectRecord& record, uint32_t position) {
    return position < kInline ? record.inline_copies[position]
                              : *(Block(record.overflow) + (position - kInline));
  }
  const Copy& At(const ObjectRecord& record, uint32_t position) const {
    return const_cast<CopyArena*>(this)->At(const_cast<ObjectRecord&>(record), position);
  }
  // Calls `visit(copy)` for each, in storage order; it may not change the set.
  template <typename Visitor>
  void ForEach(ObjectRecord& record, Visitor visit) {
    uint32_t left = record.copies;
    uint32_t here = std::min(left, kInline);
    for (Copy* copy = record.inline_copies;; copy = Block(record.overflow), here = left) {
      for (Copy* const end = copy + here; copy != end; ++copy) visit(copy);
      left -= here;
      if (left == 0) return;
    }
  }
  size_t bytes() const;

 private:
  // A block is named by its first copy's place in the arena: chunk and offset. Chunks of shared
  // blocks have kChunkCopies copies; a larger block has a chunk of its own.
  static constexpr uint32_t kOffsetBits = 10;
  static constexpr uint32_t kChunkCopies = 1u << kOffsetBits;

  static void MakeFresh(Copy* place, PeerIndex node, bool in_memory) {
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    // The node is in the lower 24 bits of the first half. Field by field they would be read first.
    static constexpr Copy kFresh = {};
    static constexpr Copy kFreshInMemory = {0, 0, 1, 0, 0, 0, 0, 0, 0};
    uint32_t half;
    std::memcpy(&half, in_memory ? &kFreshInMemory : &kFresh, sizeof(half));
    half |= node & kNoPeer;
    std::memcpy(place, &half, sizeof(half));
    place->place = 0;
#else
    *place = {};
    place->in_memory = in_memory;
    place->node = node & kNoPeer;
#endif
  }
  static uint64_t BitOf(PeerIndex node) { return uint64_t{1} << (node & 63); }
  // A bit for the node of each copy, and perhaps for others.
  uint64_t NodesOf(const ObjectRecord& record) const {
    if (&record == recent_) return recent_nodes_;
    uint64_t nodes = 0;
    for (uint32_t i = 0; i < record.copies; ++i) nodes |= BitOf(At(record, i).node);
    return nodes;
  }
  // Whether one of the first `copies` copies, which the record may not count yet, is on `node`.
  bool HasAmong(ObjectRecord& record, uint32_t copies, PeerIndex node) {
    record.copies = static_cast<uint16_t>(copies);
    return Find(record, node) != nullptr;
  }
  Copy* Block(uint32_t name) const {
    return &chunks_[name >> kOffsetBits][name & (kChunkCopies - 1)];
  }
  // log2 of the block that holds `count` copies, count > 0.
  static uint32_t SizeClass(uint32_t count);
  uint32_t AllocateBlock(uint32_t size_class);
  void ReleaseBlock(uint32_t name, uint32_t size_class);
  // The record's block has, or will have, room for `to` copies instead of `from`.
  void Resize(ObjectRecord& record, uint32_t from, uint32_t to);
  // The same for numbers of copies that count the inline ones.
  void FitBlock(ObjectRecord& record, uint32_t from, uint32_t to);
  // Of a sorted block: the place of the first copy whose node is not below `node`.
  static Copy* LowerBound(Copy* first, Copy* last, PeerIndex node);
  Copy* FindInBlock(ObjectRecord& record, PeerIndex node);
  // Four at a time. REQUIRES: a block with room for a multiple of 4.
  static bool MayHaveAmong(const Copy* first, uint32_t copies, PeerIndex node);
  // A block with so many copies takes another one at its end. Blocks have 2^k places, at least 2.
  static constexpr bool HasRoom(uint32_t copies) {
    return copies < kScanned && (copies == 1 || (copies & (copies - 1)) != 0);
  }
  // A block that is full, or none, becomes one of the next size; answers the place after `copies`.
  // REQUIRES: copies < kScanned and !HasRoom(copies).
  Copy* Widen(ObjectRecord& record, uint32_t copies);
  // Makes room in a sorted block, or one that becomes one, for the copy of `node` where it belongs.
  Copy* PlaceInBlock(ObjectRecord& record, PeerIndex node);

  std::vector<std::unique_ptr<Copy[]>> chunks_;
  std::vector<uint32_t> free_blocks_[17];  // by size class
  uint32_t shared_chunk_ = kNone;          // the one that is being carved up
  uint32_t shared_used_ = 0;
  size_t copies_allocated_ = 0;
  const ObjectRecord* recent_ = nullptr;  // the record of the filter
  uint64_t recent_nodes_ = 0;
};

// Places that are not in use are looked at too: what lies in them may make the answer true in vain.
inline bool CopyArena::MayHaveAmong(const Copy* first, uint32_t copies, PeerIndex node) {
#if defined(__SSE2__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  const __m128i wanted = _mm_set1_epi32(static_cast<int>(node << 8));
  __m128i found = _mm_setzero_si128();
  const auto* at = reinterpret_cast<const float*>(first);
  for (uint32_t i = 0; i < copies; i += 4, at += 8) {
    // The first half of each copy, in which the lower 24 bits are its node.
    const __m128 nodes = _mm_shuffle_ps(_mm_loadu_ps(at), _mm_loadu_ps(at + 4), 0x88);
    const __m128i same = _mm_cmpeq_epi32(_mm_slli_epi32(_mm_castps_si128(nodes), 8), wanted);
    found = _mm_or_si128(found, same);
  }
  return _mm_movemask_epi8(found) != 0;
#else
  (void)first, (void)copies, (void)node;
  return true;
#endif
}

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_LOCATION_SET_H_
