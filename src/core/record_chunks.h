// Chunks of record indices, one cache line each, of which a NodeIndex makes its lists.
//
// Thread safety: thread-compatible. Memory: kept at its peak; freed chunks are used again, last in,
// first out.

#ifndef FREEHOLD_SRC_CORE_RECORD_CHUNKS_H_
#define FREEHOLD_SRC_CORE_RECORD_CHUNKS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "src/core/object_record.h"

namespace freehold::core {

inline constexpr uint32_t kNoChunk = UINT32_MAX;

struct alignas(64) RecordChunk {
  static constexpr uint32_t kRecords = 13;

  uint32_t previous;
  uint32_t next;
  uint8_t used;    // places that were ever given away
  uint8_t passed;  // of those, handed over: the first so many
  uint8_t live;    // of those, not given back
  uint8_t unused;
  RecordIndex records[kRecords];  // kNoRecord where it was given back

  // Where a list has no chunk: there is no room in it, so nobody writes it.
  static RecordChunk* Full();
};
static_assert(sizeof(RecordChunk) == 64, "a chunk is a cache line");
inline constexpr RecordChunk kFullChunk = {
    kNoChunk, kNoChunk, RecordChunk::kRecords, 0, RecordChunk::kRecords, 0, {}};
inline RecordChunk* RecordChunk::Full() { return const_cast<RecordChunk*>(&kFullChunk); }

class RecordChunks {
 public:
  // An empty chunk without neighbours.
  uint32_t Allocate();
  void Release(uint32_t chunk) {
    At(chunk).next = free_;
    free_ = chunk;
  }
  RecordChunk& At(uint32_t chunk) { return blocks_[chunk >> kBlockBits][chunk & kBlockMask]; }
  const RecordChunk& At(uint32_t chunk) const {
    return blocks_[chunk >> kBlockBits][chunk & kBlockMask];
  }
  size_t bytes() const {
    return blocks_.size() * sizeof(RecordChunk) * kBlock + blocks_.capacity() * sizeof(blocks_[0]);
  }

 private:
  static constexpr uint32_t kBlockBits = 6;
  static constexpr uint32_t kBlock = 1u << kBlockBits;
  static constexpr uint32_t kBlockMask = kBlock - 1;

  std::vector<std::unique_ptr<RecordChunk[]>> blocks_;
  uint32_t used_ = 0;         // chunks that were ever handed out
  uint32_t free_ = kNoChunk;  // chained by `next`
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_RECORD_CHUNKS_H_
