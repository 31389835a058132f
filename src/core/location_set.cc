#include "src/core/location_set.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "src/base/check.h"

namespace freehold::core {

uint32_t CopyArena::SizeClass(uint32_t count) {
  // At least two: one is what the inline copies are for.
  return count <= 2 ? 1 : 32u - static_cast<uint32_t>(__builtin_clz(count - 1));
}

uint32_t CopyArena::AllocateBlock(uint32_t size_class) {
  std::vector<uint32_t>& free = free_blocks_[size_class];
  if (!free.empty()) {
    const uint32_t name = free.back();
    free.pop_back();
    if (!free.empty()) __builtin_prefetch(Block(free.back()), 1);  // as a record is foreseen
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

void CopyArena::Resize(ObjectRecord& record, uint32_t from, uint32_t to) {
  const uint32_t before = record.overflow;
  record.overflow = to == 0 ? kNone : AllocateBlock(SizeClass(to));
  if (from == 0) return;
  std::copy_n(Block(before), std::min(from, to), to == 0 ? nullptr : Block(record.overflow));
  ReleaseBlock(before, SizeClass(from));
}

void CopyArena::FitBlock(ObjectRecord& record, uint32_t from, uint32_t to) {
  const uint32_t before = from > kInline ? from - kInline : 0;
  const uint32_t after = to > kInline ? to - kInline : 0;
  if (before == after) return;
  if (before == 0 || after == 0 || SizeClass(before) != SizeClass(after)) {
    Resize(record, before, after);
  }
}

Copy* CopyArena::LowerBound(Copy* first, Copy* last, PeerIndex node) {
  return std::lower_bound(first, last, node,
                          [](const Copy& copy, PeerIndex wanted) { return copy.node < wanted; });
}

Copy* CopyArena::FindInBlock(ObjectRecord& record, PeerIndex node) {
  Copy* const first = Block(record.overflow);
  const uint32_t copies = record.copies - kInline;
  Copy* const last = first + copies;
  if (copies > kScanned) {
    Copy* const at = LowerBound(first, last, node);
    return at != last && at->node == node ? at : nullptr;
  }
  if (copies > 2 && !MayHaveAmong(first, copies, node)) return nullptr;
  for (Copy* at = first; at != last; ++at) {
    if (at->node == node) return at;
  }
  return nullptr;
}

Copy* CopyArena::Widen(ObjectRecord& record, uint32_t copies) {
  const uint32_t before = record.overflow;
  // Full, it has a power of two.
  const uint32_t size_class = copies == 0 ? 1 : static_cast<uint32_t>(__builtin_ctz(copies)) + 1;
  record.overflow = AllocateBlock(size_class);
  Copy* const to = Block(record.overflow);
  if (copies == 0) return to;
  const Copy* const from = Block(before);
  Copy none[2];
  MakeFresh(&none[0], kNoPeer, /*in_memory=*/false);
  none[1] = none[0];
  for (uint32_t i = 0; i < copies; i += 2) {
    std::memcpy(to + i, from + i, sizeof(none));
    std::memcpy(to + copies + i, none, sizeof(none));  // for MayHaveAmong
  }
  ReleaseBlock(before, size_class - 1);
  return to + copies;
}

Copy* CopyArena::PlaceInBlock(ObjectRecord& record, PeerIndex node) {
  const uint32_t copies = record.copies;
  if (copies == kCopiesMax) return nullptr;
  const uint32_t beyond = copies - kInline;
  if (beyond == (1u << SizeClass(beyond))) Resize(record, beyond, beyond + 1);
  Copy* const first = Block(record.overflow);
  Copy* const end = first + beyond;
  const auto by_node = [](const Copy& a, const Copy& b) { return a.node < b.node; };
  if (beyond == kScanned) std::sort(first, end, by_node);
  Copy* const at = LowerBound(first, end, node);
  std::copy_backward(at, end, end + 1);
  return at;
}

void CopyArena::Remove(ObjectRecord& record, PeerIndex node) {
  const uint32_t copies = record.copies;
  Copy* const copy = Find(record, node);
  FREEHOLD_CHECK(copy != nullptr);
  record.copies = static_cast<uint16_t>(copies - 1);
  if (copies <= kInline) {
    *copy = record.inline_copies[copies - 1];
    return;
  }
  const uint32_t beyond = copies - kInline;
  Copy* const last = Block(record.overflow) + (beyond - 1);
  const bool is_inline = copy == &record.inline_copies[0] || copy == &record.inline_copies[1];
  if (is_inline || beyond <= kScanned) {
    *copy = *last;
  } else {
    std::copy(copy + 1, last + 1, copy);
  }
  // The size class is derived from the count, so the block follows it down.
  if (beyond == 1 || SizeClass(beyond) != SizeClass(beyond - 1)) {
    Resize(record, beyond, beyond - 1);
  }
}

void CopyArena::MoveAll(ObjectRecord& from, ObjectRecord& to) {
  if (&to == recent_) recent_ = nullptr;
  to.overflow = from.overflow;
  to.copies = from.copies;
  std::copy(std::begin(from.inline_copies), std::end(from.inline_copies),
            std::begin(to.inline_copies));
  from.overflow = kNone;
  from.copies = 0;
}

size_t CopyArena::bytes() const {
  size_t bytes = copies_allocated_ * sizeof(Copy) + chunks_.capacity() * sizeof(chunks_[0]);
  for (const std::vector<uint32_t>& free : free_blocks_) {
    bytes += free.capacity() * sizeof(uint32_t);
  }
  return bytes;
}

}  // namespace freehold::core
