#include "src/core/location_set.h"

#include <algorithm>

#include "src/base/check.h"

namespace freehold::core {

uint32_t CopyArena::SizeClass(uint32_t count) {
  uint32_t size_class = 1;  // at least two: one is what the inline copies are for
  while ((1u << size_class) < count) ++size_class;
  return size_class;
}

uint32_t CopyArena::AllocateBlock(uint32_t size_class) {
  std::vector<uint32_t>& free = free_blocks_[size_class];
  if (!free.empty()) {
    const uint32_t name = free.back();
    free.pop_back();
    return name;
  }
  const uint32_t copies = 1u << size_class;
  if (copies >= kChunkCopies) {
    chunks_.push_back(std::make_unique<Copy[]>(copies));
    copies_allocated_ += copies;
    return static_cast<uint32_t>(chunks_.size() - 1) << kOffsetBits;
  }
  if (shared_chunk_ == kNone || shared_used_ + copies > kChunkCopies) {
    // What the old chunk has left over becomes blocks of the smallest size.
    for (; shared_chunk_ != kNone && shared_used_ + 2 <= kChunkCopies; shared_used_ += 2) {
      free_blocks_[1].push_back((shared_chunk_ << kOffsetBits) | shared_used_);
    }
    chunks_.push_back(std::make_unique<Copy[]>(kChunkCopies));
    copies_allocated_ += kChunkCopies;
    shared_chunk_ = static_cast<uint32_t>(chunks_.size() - 1);
    shared_used_ = 0;
  }
  const uint32_t name = (shared_chunk_ << kOffsetBits) | shared_used_;
  shared_used_ += copies;
  return name;
}

void CopyArena::ReleaseBlock(uint32_t name, uint32_t size_class) {
  free_blocks_[size_class].push_back(name);
}

uint32_t CopyArena::LowerBound(ObjectRecord& record, PeerIndex node) {
  const Copy* first = Block(record.overflow);
  const Copy* last = first + (record.copies - kInline);
  const Copy* at = std::lower_bound(
      first, last, node, [](const Copy& copy, PeerIndex wanted) { return copy.node < wanted; });
  return kInline + static_cast<uint32_t>(at - first);
}

Copy* CopyArena::Find(ObjectRecord& record, PeerIndex node) {
  const uint32_t copies = record.copies;
  if (copies > 0 && record.inline_copies[0].node == node) return &record.inline_copies[0];
  if (copies > 1 && record.inline_copies[1].node == node) return &record.inline_copies[1];
  if (copies <= kInline) return nullptr;
  if (copies - kInline <= kScanned) {
    Copy* block = Block(record.overflow);
    for (uint32_t i = 0; i < copies - kInline; ++i) {
      if (block[i].node == node) return &block[i];
    }
    return nullptr;
  }
  const uint32_t position = LowerBound(record, node);
  if (position == copies) return nullptr;
  Copy& copy = At(record, position);
  return copy.node == node ? &copy : nullptr;
}

Copy* CopyArena::Insert(ObjectRecord& record, PeerIndex node) {
  const uint32_t copies = record.copies;
  if (copies == kCopiesMax) return nullptr;
  Copy* place;
  if (copies < kInline) {
    place = &record.inline_copies[copies];
  } else {
    const uint32_t beyond = copies - kInline;
    if (beyond == 0) {
      record.overflow = AllocateBlock(SizeClass(1));
    } else if (beyond == (1u << SizeClass(beyond))) {
      const uint32_t larger = AllocateBlock(SizeClass(beyond + 1));
      std::copy_n(Block(record.overflow), beyond, Block(larger));
      ReleaseBlock(record.overflow, SizeClass(beyond));
      record.overflow = larger;
    }
    const uint32_t position = LowerBound(record, node);
    Copy* first = Block(record.overflow);
    std::copy_backward(first + (position - kInline), first + beyond, first + beyond + 1);
    place = first + (position - kInline);
  }
  *place = Copy{};
  place->node = node & kNoPeer;
  place->next = kNoRecord;
  place->previous = kNoRecord;
  record.copies = static_cast<uint16_t>(copies + 1);
  return place;
}

void CopyArena::Remove(ObjectRecord& record, PeerIndex node) {
  const uint32_t copies = record.copies;
  FREEHOLD_CHECK(copies > 0);
  const uint32_t beyond = copies > kInline ? copies - kInline : 0;
  Copy* inline_copy = nullptr;
  if (record.inline_copies[0].node == node) inline_copy = &record.inline_copies[0];
  if (copies > 1 && inline_copy == nullptr && record.inline_copies[1].node == node) {
    inline_copy = &record.inline_copies[1];
  }
  if (inline_copy == nullptr) {
    Copy* first = Block(record.overflow);
    Copy* at = first + (LowerBound(record, node) - kInline);
    std::copy(at + 1, first + beyond, at);
  } else if (beyond > 0) {
    *inline_copy = *(Block(record.overflow) + (beyond - 1));
  } else if (copies == 2 && inline_copy == &record.inline_copies[0]) {
    *inline_copy = record.inline_copies[1];
  }
  record.copies = static_cast<uint16_t>(copies - 1);
  if (beyond == 1) {
    ReleaseBlock(record.overflow, SizeClass(1));
    record.overflow = kNone;
  } else if (beyond > 1 && SizeClass(beyond) != SizeClass(beyond - 1)) {
    // The size class is derived from the count, so the block follows it down.
    const uint32_t smaller = AllocateBlock(SizeClass(beyond - 1));
    std::copy_n(Block(record.overflow), beyond - 1, Block(smaller));
    ReleaseBlock(record.overflow, SizeClass(beyond));
    record.overflow = smaller;
  }
}

size_t CopyArena::bytes() const {
  size_t bytes = copies_allocated_ * sizeof(Copy) + chunks_.capacity() * sizeof(chunks_[0]);
  for (const std::vector<uint32_t>& free : free_blocks_) {
    bytes += free.capacity() * sizeof(uint32_t);
  }
  return bytes;
}

}  // namespace freehold::core
