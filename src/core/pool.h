// Pool: small entries at stable places, named by index, reused last in, first out.
//
// Entries lie in blocks of 64, so that nothing moves when the pool grows and in steady state
// nothing is allocated. While an entry is free its `next` belongs to the pool.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_POOL_H_
#define FREEHOLD_SRC_CORE_POOL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "src/core/object_record.h"

namespace freehold::core {

// T is default constructible and has a field `uint32_t next`.
template <typename T>
class Pool {
 public:
  // As many as a 24-bit index can name beside the marks of IdIndex.
  static constexpr uint32_t kEntriesMax = kRecordIndexMax;

  // An entry with the value that its last user left in it; kNone when all are in use.
  uint32_t Allocate() {
    if (free_ != kNone) {
      const uint32_t index = free_;
      free_ = At(index).next;
      ++in_use_;
      return index;
    }
    if (handed_out_ == kEntriesMax) return kNone;
    if (handed_out_ % kBlock == 0) blocks_.push_back(std::make_unique<T[]>(kBlock));
    ++in_use_;
    return handed_out_++;
  }
  void Release(uint32_t index) {
    At(index).next = free_;
    free_ = index;
    --in_use_;
  }

  T& At(uint32_t index) { return blocks_[index / kBlock][index % kBlock]; }
  const T& At(uint32_t index) const { return blocks_[index / kBlock][index % kBlock]; }
  uint32_t in_use() const { return in_use_; }
  uint32_t handed_out() const { return handed_out_; }  // all that ever were in use are below
  size_t bytes() const { return blocks_.size() * (kBlock * sizeof(T) + sizeof(blocks_[0])); }

 private:
  static constexpr uint32_t kBlock = 64;

  std::vector<std::unique_ptr<T[]>> blocks_;
  uint32_t free_ = kNone;
  uint32_t handed_out_ = 0;
  uint32_t in_use_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_POOL_H_
