// The copies of one object: two inline in the record, more in a block of the CopyArena.
//
// Blocks have 2^k copies, k following from the number of copies, and are reused by size. A block of
// up to 16 copies is looked through; in a larger one they are sorted by node index, so that finding
// one among thousands stays logarithmic.
//
// Thread safety: thread-compatible. Pointers to copies hold until the set is next changed.

#ifndef FREEHOLD_SRC_CORE_LOCATION_SET_H_
#define FREEHOLD_SRC_CORE_LOCATION_SET_H_

#include <cstddef>
#include <cstdint>
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
  // A copy with all facts unset, in no list. REQUIRES: none on `node` yet. Null when the object
  // has kCopiesMax copies.
  Copy* Insert(ObjectRecord& record, PeerIndex node, bool in_memory = false) {
    const uint32_t copies = record.copies;
    Copy* const place = copies < kInline || HasRoom(copies - kInline) ? &At(record, copies)
                                                                      : PlaceInBlock(record, node);
    if (place == nullptr) return nullptr;
    record.copies = static_cast<uint16_t>(copies + 1);
    *place = Fresh(node, in_memory);
    return place;
  }
  // One in memory on each of `nodes`, in order and with one block for all, until `enter(copy)`
  // answers false for one, which is then not there; it looks at the copies before that one alone.
  // Answers how many were added. REQUIRES: together they are no more than kUnsortedMax.
  template <typename Enter>
  uint32_t InsertAll(ObjectRecord& record, absl::Span<const PeerIndex> nodes, Enter enter) {
    const uint32_t before = record.copies;
    const uint32_t wanted = before + static_cast<uint32_t>(nodes.size());
    if (nodes.empty()) return 0;
    FitBlock(record, before, wanted);
    uint32_t count = before;
    Copy* copy = &At(record, before);
    for (const PeerIndex node : nodes) {
      *copy = Fresh(node, /*in_memory=*/true);
      record.copies = static_cast<uint16_t>(count);
      if (!enter(copy)) break;
      ++count;
      copy = count == kInline && wanted > kInline ? Block(record.overflow) : copy + 1;
    }
    record.copies = static_cast<uint16_t>(count);
    if (count < wanted) FitBlock(record, wanted, count);
    return count - before;
  }
  // REQUIRES: there is one on `node`.
  void Remove(ObjectRecord& record, PeerIndex node);

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
    const uint32_t copies = record.copies;
    Copy* copy = record.inline_copies;
    for (uint32_t i = 0; i < copies; ++i, ++copy) {
      if (i == kInline) copy = Block(record.overflow);
      visit(copy);
    }
  }
  size_t bytes() const;

 private:
  // A block is named by its first copy's place in the arena: chunk and offset. Chunks of shared
  // blocks have kChunkCopies copies; a larger block has a chunk of its own.
  static constexpr uint32_t kOffsetBits = 10;
  static constexpr uint32_t kChunkCopies = 1u << kOffsetBits;

  static Copy Fresh(PeerIndex node, bool in_memory) {
    return Copy{node & kNoPeer, 0, in_memory, 0, 0, 0, 0, 0, 0};
  }
  Copy* Block(uint32_t name) { return &chunks_[name >> kOffsetBits][name & (kChunkCopies - 1)]; }
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
  // A block with so many copies takes another one at its end. Blocks have 2^k places, at least 2.
  static constexpr bool HasRoom(uint32_t copies) {
    return copies < kScanned && (copies == 1 || (copies & (copies - 1)) != 0);
  }
  // Makes room for the copy of `node` where it belongs.
  Copy* PlaceInBlock(ObjectRecord& record, PeerIndex node);

  std::vector<std::unique_ptr<Copy[]>> chunks_;
  std::vector<uint32_t> free_blocks_[17];  // by size class
  uint32_t shared_chunk_ = kNone;          // the one that is being carved up
  uint32_t shared_used_ = 0;
  size_t copies_allocated_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_LOCATION_SET_H_
