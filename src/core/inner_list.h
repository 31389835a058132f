// InnerList: the objects that one object contains, each once, in order of addition.
//
// An object may contain a million others, and whoever adds one holds the lock of its shard. So the
// list lies in chunks, which grow without moving what the others hold, and what answers whether one
// is there is an IdIndex, which grows a page at a time.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_INNER_LIST_H_
#define FREEHOLD_SRC_CORE_INNER_LIST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "freehold/internal/hash_id.h"
#include "src/base/check.h"
#include "src/core/id_index.h"
#include "src/core/object_record.h"

namespace freehold::core {

// A contained object, held by `nested_in` of its record, so that no look-up is needed to let go.
struct InnerRef {
  uint32_t shard = 0;
  RecordIndex record = kNoRecord;

  friend bool operator==(const InnerRef& a, const InnerRef& b) {
    return a.shard == b.shard && a.record == b.record;
  }
};

class InnerList {
 public:
  // As many as an IdIndex can name.
  static constexpr size_t kSizeMax = kRecordIndexMax;
  // Up to so many are looked through.
  static constexpr size_t kScanned = 16;

  bool empty() const { return chunks_.empty(); }
  size_t size() const {
    return empty() ? 0 : (chunks_.size() - 1) * kChunk + chunks_.back().size();
  }
  // In order of addition. REQUIRES: place < size().
  const InnerRef& At(size_t place) const { return chunks_[place / kChunk][place % kChunk]; }
  bool Contains(const InnerRef& inner) const {
    const auto is_it = [&](RecordIndex place) { return At(place) == inner; };
    if (places_ != nullptr) return places_->Find(HashOf(inner), is_it) != kNoRecord;
    for (RecordIndex place = 0; place < size(); ++place) {
      if (is_it(place)) return true;
    }
    return false;
  }
  // False: it was there. REQUIRES: size() < kSizeMax.
  bool Add(const InnerRef& inner) {
    if (Contains(inner)) return false;
    const auto place = static_cast<RecordIndex>(size());
    if (place % kChunk == 0) chunks_.emplace_back();
    chunks_.back().push_back(inner);
    if (places_ != nullptr) {
      Enter(place);
    } else if (place >= kScanned) {
      places_ = std::make_unique<IdIndex>();
      for (RecordIndex earlier = 0; earlier <= place; ++earlier) Enter(earlier);
    }
    return true;
  }
  // In order; no longer than kChunk each. The list is empty afterwards.
  std::vector<std::vector<InnerRef>> TakeChunks() {
    places_.reset();
    return std::exchange(chunks_, {});
  }

 private:
  static constexpr size_t kChunk = 2048;

  static uint64_t HashOf(const InnerRef& inner) {
    const uint64_t both = (uint64_t{inner.shard} << 32) | inner.record;
    return internal::MultiplyFold(both ^ internal::kHashSecret[0], internal::kHashSecret[1]);
  }
  void Enter(RecordIndex place) {
    // The table gives the numbers that are hashed here: no peer makes many of one hash.
    FREEHOLD_CHECK(places_->Insert(HashOf(At(place)), place,
                                   [this](RecordIndex other) { return HashOf(At(other)); }));
  }

  std::vector<std::vector<InnerRef>> chunks_;  // all but the last one full
  std::unique_ptr<IdIndex> places_;            // of more than kScanned
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_INNER_LIST_H_
