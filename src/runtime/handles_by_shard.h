// HandlesByShard: last handles that end together, put in order of their shards.
//
// The lock of a shard is taken once for several of its handles, and what fired is posted at once.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_RUNTIME_HANDLES_BY_SHARD_H_
#define FREEHOLD_SRC_RUNTIME_HANDLES_BY_SHARD_H_

#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "src/runtime/counter_impl.h"

namespace freehold::runtime {

class HandlesByShard {
 public:
  // So many at a time: a default counter has 32 shards.
  static constexpr size_t kMost = 512;
  // So many end under one hold of a lock.
  static constexpr size_t kTogether = 32;

  bool full() const { return size_ == kMost; }
  // Takes over a handle that may be its cell's last one. REQUIRES: not full().
  void Add(internal::RefCell* cell) {
    const uint32_t row = Shard::Of(cell)->number % kRows;
    const uint64_t bit = uint64_t{1} << row;
    ((rows_ & bit) != 0 ? next_[last_[row]] : first_[row]) = size_;
    rows_ |= bit;
    last_[row] = size_;
    next_[size_] = kNone;
    cells_[size_++] = cell;
  }
  // Ends them all; those of one shard in the order in which they came. No lock may be held: what
  // was called for may run within, and may come back with other handles.
  void ReleaseAll() {
    for (; rows_ != 0; rows_ &= rows_ - 1) {
      for (uint16_t at = first_[__builtin_ctzll(rows_)]; at != kNone;) at = ReleaseSome(at);
    }
    size_ = 0;
  }

 private:
  static constexpr uint32_t kRows = 64;
  static constexpr uint16_t kNone = UINT16_MAX;

  // Those of one shard that follow each other in a row, from `at` on; answers where to go on.
  uint16_t ReleaseSome(uint16_t at) {
    std::array<internal::RefCell*, kTogether> cells;
    size_t count = 0;
    Shard& shard = *Shard::Of(cells_[at]);
    for (; at != kNone && count < kTogether && Shard::Of(cells_[at]) == &shard; at = next_[at]) {
      cells[count++] = cells_[at];
    }
    shard.counter->ReleaseLast(shard, absl::MakeConstSpan(cells.data(), count));
    return at;
  }

  uint16_t size_ = 0;
  uint64_t rows_ = 0;  // those that have any
  std::array<internal::RefCell*, kMost> cells_;
  std::array<uint16_t, kMost> next_;  // in its row
  std::array<uint16_t, kRows> first_;
  std::array<uint16_t, kRows> last_;
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_HANDLES_BY_SHARD_H_
