// What most objects never have, kept out of their records.
//
// Thread safety: thread-compatible. Pointers hold until the entry is released.

#ifndef FREEHOLD_SRC_CORE_RARE_H_
#define FREEHOLD_SRC_CORE_RARE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "freehold/callbacks.h"
#include "src/core/inner_list.h"
#include "src/core/object_record.h"

namespace freehold::core {

// Something of the host's that the core passes on and never looks into.
using Token = uint64_t;

struct RegisteredCallback {
  Moment moment;
  uint64_t number;  // of the registration
  Token token;
};

struct Subscriber {
  uint64_t number;
  Token token;
};

// What registering and firing a callback needs lies in its first cache line.
struct alignas(64) Rare {
  absl::InlinedVector<RegisteredCallback, 1> callbacks;  // in order of registration
  std::vector<Subscriber> subscribers;
  // The next older generation whose copies are still being deleted; kNoRecord: none.
  RecordIndex ghost = kNoRecord;
  bool has_lineage = false;  // a recorded task made the object
  bool evict_first = false;  // its value stays only until its copies are evicted
  InnerList inners;
  std::vector<std::pair<PeerIndex, std::string>> spill_urls;
  uint64_t persist = 0;  // the number of who waits for its value to be persisted; 0: nobody

  // Gives memory back, but for that of one callback.
  void Clear() {
    callbacks.clear();
    GiveBack(&subscribers);
    inners = InnerList();
    GiveBack(&spill_urls);
    ghost = kNoRecord;
    persist = 0;
    has_lineage = false;
    evict_first = false;
  }

 private:
  template <typename T>
  static void GiveBack(std::vector<T>* values) {
    if (values->capacity() > 0) std::vector<T>().swap(*values);
  }
};
static_assert(sizeof(Rare) == 128, "two cache lines");

// Entries lie in blocks and stay where they are.
class RarePool {
 public:
  // The record's entry, made if it has none.
  Rare& Ensure(ObjectRecord& record) {
    if (!record.has_rare()) {
      const bool has_lineage = record.rare == kOnlyLineage;
      if (free_.empty()) {
        if (made_ == blocks_.size() * kBlock) blocks_.push_back(std::make_unique<Rare[]>(kBlock));
        record.rare = made_++;
      } else {
        record.rare = free_.back();
        free_.pop_back();
        if (!free_.empty()) Foresee(&At(free_.back()));
      }
      At(record.rare).has_lineage = has_lineage;
    }
    return At(record.rare);
  }
  // The record's entry will be asked for soon: brings it into the cache meanwhile. False: it has
  // none.
  bool Foresee(const ObjectRecord& record) const {
    if (record.has_rare()) Foresee(Find(record));
    return record.has_rare();
  }
  // Null when it has none.
  Rare* Find(const ObjectRecord& record) { return record.has_rare() ? &At(record.rare) : nullptr; }
  const Rare* Find(const ObjectRecord& record) const {
    return const_cast<RarePool*>(this)->Find(record);
  }
  void Release(ObjectRecord& record) {
    if (record.has_rare()) {
      At(record.rare).Clear();
      free_.push_back(record.rare);
    }
    record.rare = kNone;
  }
  // Whether a recorded task made it, for which no entry is made.
  bool HasLineage(const ObjectRecord& record) const {
    return record.rare == kOnlyLineage || (record.has_rare() && Find(record)->has_lineage);
  }
  void ClearLineage(ObjectRecord& record) {
    if (record.has_rare()) {
      At(record.rare).has_lineage = false;
    } else {
      record.rare = kNone;
    }
  }
  void SetLineage(ObjectRecord& record) {
    if (record.has_rare()) {
      At(record.rare).has_lineage = true;
    } else {
      record.rare = kOnlyLineage;
    }
  }
  size_t bytes() const {
    return blocks_.size() * kBlock * sizeof(Rare) + blocks_.capacity() * sizeof(blocks_[0]) +
           free_.capacity() * sizeof(uint32_t);
  }

 private:
  static constexpr uint32_t kBlockBits = 6;
  static constexpr uint32_t kBlock = 1u << kBlockBits;

  Rare& At(uint32_t index) { return blocks_[index >> kBlockBits][index & (kBlock - 1)]; }
  static void Foresee(const Rare* rare) {
    const char* const begin = reinterpret_cast<const char*>(rare);
    __builtin_prefetch(begin, 1);
    __builtin_prefetch(begin + sizeof(Rare) - 1, 1);
  }

  std::vector<std::unique_ptr<Rare[]>> blocks_;
  uint32_t made_ = 0;  // entries that were ever handed out
  std::vector<uint32_t> free_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_RARE_H_
