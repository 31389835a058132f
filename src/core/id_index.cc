#include "src/core/id_index.h"

#include "src/base/check.h"

namespace freehold::core {

const ObjectRecord IdIndex::kNobody{};

IdIndex::Page::Page(uint32_t page_depth) : depth(page_depth) {
  for (Bucket& bucket : buckets) {
    std::memset(&bucket, 0xff, sizeof(bucket));
    bucket.passed_by = 0;
  }
}

IdIndex::IdIndex() : directory_(pages_.emplace_back(std::make_unique<Page>(0)).get()) {}

bool IdIndex::InsertIntoPage(Page* page, uint64_t hash, RecordIndex index) {
  const uint32_t home = BucketOf(hash);
  for (uint32_t probe = 0, at = home; probe < kBuckets; ++probe, at = (at + 1) % kBuckets) {
    Bucket& bucket = page->buckets[at];
    const uint32_t entry = PlaceOf(bucket, kEmptyTag, kNoRecord);
    if (entry == kEntries) continue;
    bucket.Set(entry, TagOf(hash), index);
    for (uint32_t passed = home; passed != at; passed = (passed + 1) % kBuckets) {
      ++page->buckets[passed].passed_by;
    }
    ++page->size;
    ++size_;
    return true;
  }
  return false;
}

void IdIndex::EraseBeyond(Page* page, uint64_t hash, RecordIndex index) {
  const uint32_t home = BucketOf(hash);
  uint32_t at = home;
  uint32_t entry = kEntries;
  for (uint32_t probe = 1; probe < kBuckets && entry == kEntries; ++probe) {
    at = (at + 1) % kBuckets;
    entry = PlaceOf(page->buckets[at], TagOf(hash), index);
  }
  FREEHOLD_CHECK(entry != kEntries && "erased an id that is not in the index");
  page->buckets[at].Set(entry, kEmptyTag, kNoRecord);
  for (uint32_t passed = home; passed != at; passed = (passed + 1) % kBuckets) {
    --page->buckets[passed].passed_by;
  }
  --page->size;
  --size_;
}

bool IdIndex::OpenSplit(uint64_t hash, std::vector<RecordIndex>* entries) {
  Page* page = PageOf(hash);
  if (page->depth >= kDepthMax) return false;
  if ((size_t{1} << page->depth) == directory_.size()) directory_.Double();
  entries->clear();
  for (Bucket& bucket : page->buckets) {
    for (uint32_t entry = 0; entry < kEntries; ++entry) {
      const RecordIndex index = bucket.At(entry);
      if (index == kNoRecord) continue;
      entries->push_back(index);
      bucket.Set(entry, kEmptyTag, kNoRecord);
    }
    bucket.passed_by = 0;
  }
  size_ -= page->size;
  page->size = 0;
  const size_t bit = size_t{1} << page->depth;
  ++page->depth;
  pages_.push_back(std::make_unique<Page>(page->depth));
  // The slots of this page agree in the low `depth` bits; those with the next bit set move.
  const auto slot = static_cast<size_t>(hash >> kDirectoryShift);
  for (size_t at = (slot & (bit - 1)) | bit; at < directory_.size(); at += bit * 2) {
    directory_.Set(at, pages_.back().get());
  }
  return true;
}

size_t IdIndex::bytes() const {
  return pages_.size() * sizeof(Page) + directory_.bytes() + pages_.capacity() * sizeof(pages_[0]) +
         moving_.capacity() * sizeof(RecordIndex);
}

}  // namespace freehold::core
