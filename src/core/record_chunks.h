// Lists of record indices in chunks of one cache line each, of which a NodeIndex makes its own.
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
  uint8_t used;      // places that were ever given away
  uint8_t live;      // of those, not given back
  uint16_t waiting;  // NodeIndex says what
  // Record indices, kNoRecord where it was given back; or numbers of chunks.
  uint32_t entries[kRecords];

  // Where a list has no chunk: there is no room in it, so nobody writes it.
  static RecordChunk* Full();
  bool is_full() const { return used == kRecords; }
  // Answers the entry's position. REQUIRES: it is not full.
  uint32_t Append(uint32_t entry) {
    const uint32_t position = used;
    entries[position] = entry;
    used = static_cast<uint8_t>(position + 1);
    ++live;
    return position;
  }
};
static_assert(sizeof(RecordChunk) == 64, "a chunk is a cache line");
inline constexpr RecordChunk kFullChunk = {
    kNoChunk, kNoChunk, RecordChunk::kRecords, RecordChunk::kRecords, 0, {}};
inline RecordChunk* RecordChunk::Full() { return const_cast<RecordChunk*>(&kFullChunk); }

// Records that wait in a row of chunks, all found and asked for.
struct RecordBatch {
  static constexpr uint32_t kRecords = 16;
  uint32_t count = 0;
  uint32_t chunks = 0;   // in front of the last one, all of which is among them
  uint32_t waiting = 0;  // what is left of the last one
  const ObjectRecord* records[kRecords];
};

// Entries in order of insertion.
struct ChunkList {
  // The chunk `tail`, in which every entry is written; without one, a full one.
  RecordChunk* last = RecordChunk::Full();
  uint32_t head = kNoChunk;
  uint32_t tail = kNoChunk;
};

class RecordChunks {
 public:
  // An empty chunk.
  uint32_t Allocate();
  // The chunk, which is empty and in no list, becomes the list's last.
  RecordChunk* Add(ChunkList* list, uint32_t chunk);
  // The chunk leaves the list.
  void Unlink(ChunkList* list, uint32_t chunk);
  // The same of chains of which only the first is known.
  void Chain(uint32_t* first, uint32_t chunk);
  void Unchain(uint32_t* first, uint32_t chunk);
  // REQUIRES: it is in no list.
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
