// From an id to its record: a hash table that grows in small steps.
//
// Extendible hashing (Fagin, Nievergelt, Pippenger, Strong, 1979): a directory of pages; a full
// page is split in two, so that no insertion ever moves more than one page's worth of entries,
// however large the table is. A page is 32 buckets of one cache line: 15 entries of an 8-bit tag
// and a 24-bit record index, and a count of the entries that had to pass the bucket by (the
// overflow counter of Facebook's F14), which lets a miss stop early and a removal leave no
// tombstone. The ids stay in the records: a look-up touches one bucket and, on a matching tag, one
// record.
//
// The hash is cut into: shard (the runtime's, top bits), directory, bucket, tag.
//
// Thread safety: thread-compatible. Pages are never merged: memory stays at the peak.

#ifndef FREEHOLD_SRC_CORE_ID_INDEX_H_
#define FREEHOLD_SRC_CORE_ID_INDEX_H_

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "src/core/object_record.h"

namespace freehold::core {

class IdIndex {
 public:
  IdIndex();

  // The record for which `is(record)` answers true, or kNoRecord. `hash` is the id's.
  template <typename Is>
  RecordIndex Find(uint64_t hash, Is is) const {
    const Page& page = *directory_[DirectorySlot(hash)];
    const uint32_t tag = TagOf(hash);
    for (uint32_t probe = 0, at = BucketOf(hash); probe < kBuckets; ++probe) {
      const Bucket& bucket = page.buckets[at];
      for (uint32_t left = WithTag(bucket, tag); left != 0; left &= left - 1) {
        const uint32_t entry = bucket.entries[__builtin_ctz(left)];
        if (entry != kEmpty && is(entry & kIndexMask)) return entry & kIndexMask;
      }
      if (bucket.passed_by == 0) break;
      at = (at + 1) % kBuckets;
    }
    return kNoRecord;
  }

  // REQUIRES: the id is not in the index. `hash_of(record)` answers the hash of a record's id; it
  // is asked for the entries of a page that is split. False: too many ids share one hash.
  template <typename HashOf>
  [[nodiscard]] bool Insert(uint64_t hash, RecordIndex index, HashOf hash_of) {
    while (directory_[DirectorySlot(hash)]->size >= kSplitSize) {
      if (!SplitPage(DirectorySlot(hash), hash_of)) break;
    }
    return InsertIntoPage(directory_[DirectorySlot(hash)], hash, index);
  }

  // REQUIRES: (hash, index) is in the index.
  void Erase(uint64_t hash, RecordIndex index);

  size_t size() const { return size_; }
  size_t bytes() const;
  // The most entries that one insertion may move.
  static constexpr size_t kMovedMax = 32 * 15;

 private:
  static constexpr uint32_t kBuckets = 32;
  static constexpr uint32_t kEntries = 15;
  static constexpr uint32_t kSplitSize = kBuckets * kEntries * 85 / 100;
  static constexpr uint32_t kDepthMax = 17;
  static constexpr uint32_t kEmpty = UINT32_MAX;
  static constexpr uint32_t kIndexMask = (1u << 24) - 1;

  struct alignas(64) Bucket {
    uint32_t entries[kEntries];
    uint32_t passed_by;
  };
  struct Page {
    explicit Page(uint32_t page_depth);
    Bucket buckets[kBuckets];
    uint32_t size = 0;
    uint32_t depth;  // hash bits of the directory that all its entries share
  };

  // The entries of the bucket that have this tag, a bit each; empty ones have the tag 255.
  static uint32_t WithTag(const Bucket& bucket, uint32_t tag) {
    constexpr uint32_t kAllEntries = (1u << kEntries) - 1;
#if defined(__SSE2__)
    const __m128i wanted = _mm_set1_epi32(static_cast<int>(tag));
    const auto* words = reinterpret_cast<const __m128i*>(&bucket);
    const auto equal = [&](int quarter) {
      return _mm_cmpeq_epi32(_mm_srli_epi32(_mm_load_si128(words + quarter), 24), wanted);
    };
    const __m128i bytes =
        _mm_packs_epi16(_mm_packs_epi32(equal(0), equal(1)), _mm_packs_epi32(equal(2), equal(3)));
    const uint32_t bits = static_cast<uint32_t>(_mm_movemask_epi8(bytes));
#else
    uint32_t bits = 0;
    for (uint32_t i = 0; i < kEntries; ++i) bits |= ((bucket.entries[i] >> 24) == tag) << i;
#endif
    return bits & kAllEntries;
  }

  static uint32_t TagOf(uint64_t hash) { return static_cast<uint32_t>(hash & 0xff); }
  static uint32_t BucketOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 8) % kBuckets; }
  size_t DirectorySlot(uint64_t hash) const {
    return static_cast<size_t>(hash >> 16) & (directory_.size() - 1);
  }

  bool InsertIntoPage(Page* page, uint64_t hash, RecordIndex index);
  // Makes two pages of the one at `slot` and answers false when its depth is at the limit. The
  // entries of the old page are handed back for redistribution.
  bool OpenSplit(size_t slot, std::vector<uint32_t>* entries);

  template <typename HashOf>
  bool SplitPage(size_t slot, HashOf hash_of) {
    if (!OpenSplit(slot, &moving_)) return false;
    for (const uint32_t entry : moving_) {
      const uint64_t hash = hash_of(entry & kIndexMask);
      // Cannot fail: each half gets at most what fitted one page.
      (void)InsertIntoPage(directory_[DirectorySlot(hash)], hash, entry & kIndexMask);
    }
    return true;
  }

  std::vector<Page*> directory_;  // 2^depth; several slots may share a page
  std::vector<std::unique_ptr<Page>> pages_;
  std::vector<uint32_t> moving_;  // scratch of a split
  size_t size_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_ID_INDEX_H_
