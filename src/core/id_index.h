// From an id to its record: a hash table that grows in small steps.
//
// Extendible hashing (Fagin, Nievergelt, Pippenger, Strong, 1979): a directory of pages; a full
// page is split in two, so that no insertion ever moves more than one page's worth of entries,
// however large the table is. A page is 32 buckets of one cache line: 15 entries of an 8-bit tag
// and a 24-bit record index, the tags side by side so that one comparison does for all, and a count
// of the entries that had to pass the bucket by (the overflow counter of Facebook's F14), which
// lets a miss stop early and a removal leave no tombstone. The ids stay in the records: a look-up
// touches one bucket and, on a matching tag, one record.
//
// The hash is cut into: shard (the runtime's, top bits), directory, bucket, tag.
//
// Thread safety: thread-compatible, but for Foresee, which anybody may call at any time. Pages are
// never merged: memory stays at the peak.

#ifndef FREEHOLD_SRC_CORE_ID_INDEX_H_
#define FREEHOLD_SRC_CORE_ID_INDEX_H_

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "src/base/published_slots.h"
#include "src/core/object_record.h"

namespace freehold::core {

class IdIndex {
 private:
  static constexpr uint32_t kEntries = 15;

 public:
  IdIndex();

  // The record for which `is(record)` answers true, or kNoRecord. `hash` is the id's.
  template <typename Is>
  RecordIndex Find(uint64_t hash, Is is) const {
    const Page& page = *PageOf(hash);
    const Bucket& home = page.buckets[BucketOf(hash)];
    const RecordIndex found = FindIn(home, hash, is);
    if (found != kNoRecord || home.passed_by == 0) return found;
    return FindBeyond(page, hash, is);
  }

  // A record and its index; null: none.
  struct Found {
    ObjectRecord* record = nullptr;
    RecordIndex index = kNoRecord;
  };
  // Where the entry of an id belongs.
  struct Home {
    const void* bucket;
  };
  // The entry will be asked for or erased soon: brings it into the cache meanwhile. It reads where
  // buckets lie and nothing of them, so it needs no lock beside any other call. If a page is split
  // meanwhile the entry may belong elsewhere by then.
  Home Foresee(uint64_t hash) const {
    const Page* const page = directory_.Glance(hash >> kDirectoryShift);
    const Bucket* const bucket = &page->buckets[BucketOf(hash)];
    __builtin_prefetch(bucket);
    return {bucket};
  }
  Home HomeOf(uint64_t hash) const { return {&PageOf(hash)->buckets[BucketOf(hash)]}; }

  // The record for which `is(record)` answers true, if it lies where it belongs, as nearly all do.
  // Null: look for it with Find. `at(index)` is the record of that index; `home` is HomeOf(hash),
  // or was foreseen.
  template <typename At, typename Is>
  __attribute__((always_inline)) Found FindAtHome(Home home, uint64_t hash, At at, Is is) const {
    const Bucket& bucket = *static_cast<const Bucket*>(home.bucket);
    for (uint32_t left = WithTag(bucket, TagOf(hash)); left != 0; left &= left - 1) {
      const RecordIndex index = bucket.At(static_cast<uint32_t>(__builtin_ctz(left)));
      if (index == kNoRecord) continue;
      ObjectRecord& record = at(index);
      if (is(record)) return {&record, index};
    }
    return {};
  }
  // The same, but the record that was found by it or noted last is found at once.
  template <typename At, typename Is>
  __attribute__((always_inline)) Found FindAgain(uint64_t hash, At at, Is is) {
    if (hash == last_hash_ && is(*last_.record)) return last_;
    const Found found = FindAtHome(HomeOf(hash), hash, at, is);
    if (found.record != nullptr) Note(hash, found.record, found.index);
    return found;
  }
  // It is asked for next, most likely. REQUIRES: (hash, index) is in the index.
  void Note(uint64_t hash, ObjectRecord* record, RecordIndex index) {
    last_hash_ = hash;
    last_ = {record, index};
  }

  // Where a record goes whose id is not in the index, for PutAt before the index is next changed.
  struct Place {
    uint32_t entry = kEntries;  // kEntries: for Find and Insert to say
    void* page = nullptr;
  };
  // One look for what Find and Insert would need two. It leaves to them what may be in the index,
  // and what does not go where it belongs.
  Place PlaceFor(uint64_t hash) {
    Page& page = *PageOf(hash);
    const Bucket& home = page.buckets[BucketOf(hash)];
    if (WithTag(home, TagOf(hash)) != 0 || home.passed_by != 0 || page.size >= kSplitSize) {
      return {};
    }
    return {PlaceOf(home, kEmptyTag, kNoRecord), &page};
  }
  static bool IsPlace(const Place& place) { return place.entry != kEntries; }
  // REQUIRES: IsPlace(place).
  void PutAt(const Place& place, uint64_t hash, RecordIndex index) {
    Page& page = *static_cast<Page*>(place.page);
    page.buckets[BucketOf(hash)].Set(place.entry, TagOf(hash), index);
    ++page.size;
    ++size_;
  }

  // REQUIRES: the id is not in the index. `hash_of(record)` answers the hash of a record's id; it
  // is asked for the entries of a page that is split, after `foresee(record)` for all of them.
  // False: too many ids share one hash.
  template <typename HashOf, typename Foresee>
  [[nodiscard]] bool Insert(uint64_t hash, RecordIndex index, HashOf hash_of, Foresee foresee) {
    return InsertAtHome(PageOf(hash), hash, index) || InsertBeyond(hash, index, hash_of, foresee);
  }
  template <typename HashOf>
  [[nodiscard]] bool Insert(uint64_t hash, RecordIndex index, HashOf hash_of) {
    return Insert(hash, index, hash_of, [](RecordIndex) {});
  }

  // REQUIRES: (hash, index) is in the index.
  void Erase(uint64_t hash, RecordIndex index) {
    if (index == last_.index) Note(kNobodysHash, Nobody(), kNoRecord);
    Page& page = *PageOf(hash);
    Bucket& home = page.buckets[BucketOf(hash)];
    const uint32_t entry = PlaceOf(home, TagOf(hash), index);
    if (entry == kEntries) return EraseBeyond(&page, hash, index);
    home.Set(entry, kEmptyTag, kNoRecord);
    --page.size;
    --size_;
  }

  // What FindAgain would look at first. kNoRecord for its index: nothing.
  const Found& last() const { return last_; }
  size_t size() const { return size_; }
  size_t bytes() const;
  // The most entries that one insertion may move.
  static constexpr size_t kMovedMax = 32 * 15;

 private:
  template <typename HashOf, typename Foresee>
  __attribute__((noinline)) bool InsertBeyond(uint64_t hash, RecordIndex index, HashOf hash_of,
                                              Foresee foresee) {
    while (PageOf(hash)->size >= kSplitSize) {
      if (!SplitPage(hash, hash_of, foresee)) break;
    }
    return InsertIntoPage(PageOf(hash), hash, index);
  }

  static constexpr uint32_t kBuckets = 32;
  static constexpr uint32_t kDirectoryShift = 16;
  static constexpr uint32_t kSplitSize = kBuckets * kEntries * 85 / 100;
  static constexpr uint32_t kDepthMax = 17;
  static constexpr uint32_t kIndexBytes = 3;
  static constexpr uint32_t kEmptyTag = 0xff;  // not of empty entries alone

  struct alignas(64) Bucket {
    uint8_t tags[kEntries + 1];
    uint8_t indices[kEntries * kIndexBytes + 1];  // little endian; kNoRecord: empty
    uint16_t passed_by;

    RecordIndex At(uint32_t entry) const {
      const uint8_t* at = indices + entry * kIndexBytes;
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
      uint32_t word;  // with a byte that is not its own: there always is one
      std::memcpy(&word, at, sizeof(word));
      return word & kNoRecord;
#else
      return at[0] | (at[1] << 8) | (at[2] << 16);
#endif
    }
    void Set(uint32_t entry, uint32_t tag, RecordIndex index) {
      uint8_t* at = indices + entry * kIndexBytes;
      tags[entry] = static_cast<uint8_t>(tag);
      at[0] = static_cast<uint8_t>(index);
      at[1] = static_cast<uint8_t>(index >> 8);
      at[2] = static_cast<uint8_t>(index >> 16);
    }
  };
  static_assert(sizeof(Bucket) == 64, "a bucket is a cache line");
  struct Page {
    explicit Page(uint32_t page_depth);
    Bucket buckets[kBuckets];
    uint32_t size = 0;
    uint32_t depth;  // hash bits of the directory that all its entries share
  };

  // The entries of the bucket that have this tag, a bit each; empty ones may be among them.
  static uint32_t WithTag(const Bucket& bucket, uint32_t tag) {
#if defined(__SSE2__)
    const __m128i tags = _mm_load_si128(reinterpret_cast<const __m128i*>(bucket.tags));
    const __m128i equal = _mm_cmpeq_epi8(tags, _mm_set1_epi8(static_cast<char>(tag)));
    const uint32_t bits = static_cast<uint32_t>(_mm_movemask_epi8(equal));
#else
    uint32_t bits = 0;
    for (uint32_t i = 0; i < kEntries; ++i) bits |= uint32_t{bucket.tags[i] == tag} << i;
#endif
    return bits & ((1u << kEntries) - 1);
  }
  // The entry of the bucket that has this tag and index; kEntries: none.
  static uint32_t PlaceOf(const Bucket& bucket, uint32_t tag, RecordIndex index) {
    for (uint32_t left = WithTag(bucket, tag); left != 0; left &= left - 1) {
      const auto entry = static_cast<uint32_t>(__builtin_ctz(left));
      if (bucket.At(entry) == index) return entry;
    }
    return kEntries;
  }

  template <typename Is>
  static RecordIndex FindIn(const Bucket& bucket, uint64_t hash, Is is) {
    for (uint32_t left = WithTag(bucket, TagOf(hash)); left != 0; left &= left - 1) {
      const RecordIndex index = bucket.At(static_cast<uint32_t>(__builtin_ctz(left)));
      if (index != kNoRecord && is(index)) return index;
    }
    return kNoRecord;
  }
  // Not in its own bucket, but something passed that by.
  template <typename Is>
  __attribute__((noinline)) static RecordIndex FindBeyond(const Page& page, uint64_t hash, Is is) {
    uint32_t at = BucketOf(hash);
    for (uint32_t probe = 1; probe < kBuckets; ++probe) {
      at = (at + 1) % kBuckets;
      const RecordIndex found = FindIn(page.buckets[at], hash, is);
      if (found != kNoRecord || page.buckets[at].passed_by == 0) return found;
    }
    return kNoRecord;
  }

  static uint32_t TagOf(uint64_t hash) { return static_cast<uint32_t>(hash & 0xff); }
  static uint32_t BucketOf(uint64_t hash) { return static_cast<uint32_t>(hash >> 8) % kBuckets; }
  Page* PageOf(uint64_t hash) const { return directory_.At(hash >> kDirectoryShift); }

  // False: its own bucket is full, or the page is to be split.
  bool InsertAtHome(Page* page, uint64_t hash, RecordIndex index) {
    Bucket& home = page->buckets[BucketOf(hash)];
    if (page->size >= kSplitSize) return false;
    const uint32_t entry = PlaceOf(home, kEmptyTag, kNoRecord);
    if (entry == kEntries) return false;
    home.Set(entry, TagOf(hash), index);
    ++page->size;
    ++size_;
    return true;
  }
  bool InsertIntoPage(Page* page, uint64_t hash, RecordIndex index);
  void EraseBeyond(Page* page, uint64_t hash, RecordIndex index);
  // Makes two pages of that of `hash` and answers false when its depth is at the limit. The entries
  // of the old page are handed back for redistribution.
  bool OpenSplit(uint64_t hash, std::vector<RecordIndex>* entries);

  template <typename HashOf, typename Foresee>
  bool SplitPage(uint64_t of, HashOf hash_of, Foresee foresee) {
    if (!OpenSplit(of, &moving_)) return false;
    // The records lie cold: the processor is to wait for many at once.
    for (const RecordIndex index : moving_) foresee(index);
    std::array<uint64_t, kMovedMax> hashes;
    for (size_t i = 0; i < moving_.size(); ++i) hashes[i] = hash_of(moving_[i]);
    for (size_t i = 0; i < moving_.size(); ++i) {
      // Cannot fail: each half gets at most what fitted one page.
      (void)InsertIntoPage(PageOf(hashes[i]), hashes[i], moving_[i]);
    }
    return true;
  }

  std::vector<std::unique_ptr<Page>> pages_;
  internal::PublishedSlots<Page> directory_;  // 2^depth; several slots may share a page
  std::vector<RecordIndex> moving_;           // scratch of a split
  size_t size_ = 0;
  // Calls about one object come in a row: it is declared and its copies are reported, a reference
  // is added and removed. When there is none: a record with the nil id, and a hash that this has
  // not.
  static constexpr uint64_t kNobodysHash = 0;
  static const ObjectRecord kNobody;
  static ObjectRecord* Nobody() { return const_cast<ObjectRecord*>(&kNobody); }
  uint64_t last_hash_ = kNobodysHash;
  Found last_{Nobody(), kNoRecord};
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_ID_INDEX_H_
