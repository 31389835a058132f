// Slabs of records with stable addresses: allocation without malloc, index to pointer by a shift.
//
// A slab starts at a multiple of its size, so that from the address of a record (or of the cell in
// it, which is what a handle knows) its slab and through it the owner's `context` is found without
// a look-up. Slabs are kept until their source goes; freed slots are reused last in, first out.
//
// Thread safety: thread-compatible; ContextOf may be called by anybody who keeps a record alive.

#ifndef FREEHOLD_SRC_CORE_RECORD_SLABS_H_
#define FREEHOLD_SRC_CORE_RECORD_SLABS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "src/core/object_record.h"
#include "src/core/slab_source.h"

namespace freehold::core {

class RecordSlabs {
 public:
  // `context` is what ContextOf answers for every record of these slabs. There are never more than
  // `records_max` at once, nor more than their indices can name (about 12 million).
  // Null for `source`: one of its own.
  explicit RecordSlabs(void* context, uint32_t records_max = UINT32_MAX,
                       SlabSource* source = nullptr);
  RecordSlabs(const RecordSlabs&) = delete;
  RecordSlabs& operator=(const RecordSlabs&) = delete;

  // A slot whose fields the caller sets, or kNoRecord when all are in use.
  RecordIndex Allocate() {
    const RecordIndex index = free_;
    if (index == kNoRecord) return AllocateFresh();
    ObjectRecord& record = At(index);
    free_ = record.rare;
    record.in_use = 1;
    if (free_ != kNoRecord) Foresee(&At(free_).cell);  // freed long ago, most likely
    return index;
  }
  void Release(RecordIndex index);

  ObjectRecord& At(RecordIndex index) {
    return slabs_[index >> kSlotBits]->records[index & kSlotMask];
  }
  const ObjectRecord& At(RecordIndex index) const {
    return slabs_[index >> kSlotBits]->records[index & kSlotMask];
  }
  // REQUIRES: `record` lies in a slab.
  static RecordIndex IndexOf(const ObjectRecord& record) {
    const Slab* slab = SlabOf(&record);
    return (slab->number << kSlotBits) | static_cast<uint32_t>(&record - slab->records);
  }
  // The record of the cell will be changed soon: brings it into the cache meanwhile.
  static void Foresee(const internal::RefCell* cell) {
    // Two cache lines, or three.
    const char* const begin = reinterpret_cast<const char*>(cell);
    __builtin_prefetch(begin, 1);
    __builtin_prefetch(begin + sizeof(ObjectRecord) / 2, 1);
    __builtin_prefetch(begin + sizeof(ObjectRecord) - 1, 1);
  }
  // The record's id will be read soon.
  static void ForeseeId(const ObjectRecord& record) {
    const char* const begin = reinterpret_cast<const char*>(&record.cell.id);
    __builtin_prefetch(begin);
    __builtin_prefetch(begin + sizeof(ObjectId) - 1);
  }
  static void* ContextOf(const internal::RefCell* cell) { return SlabOf(cell)->context; }

  // The first record in use at or after `from` in slab order; kNoRecord when there is none.
  // Looks at no more than `slots_max` slots and then answers where to go on in `*resume`.
  RecordIndex NextInUse(RecordIndex from, size_t slots_max, RecordIndex* resume) const;
  // Calls `visit(record)` for those in use from `from` on, looking at up to `slots_max` slots;
  // answers where to go on, kNoRecord at the end.
  template <typename Visitor>
  RecordIndex Visit(RecordIndex from, size_t slots_max, Visitor visit) const {
    for (RecordIndex end = from, resume = kNoRecord;;) {
      const RecordIndex here = NextInUse(end, slots_max, &resume);
      if (here == kNoRecord) return resume;
      slots_max -= slots_max > here - end ? here - end : slots_max;
      visit(At(here));
      if (slots_max == 0) return here + 1;
      --slots_max;
      end = here + 1;
    }
  }
  size_t bytes() const { return slabs_.size() * kSlabBytes; }

 private:
  static constexpr size_t kSlabBytes = SlabSource::kSlabBytes;
  static constexpr size_t kHeaderBytes = 64;
  static constexpr uint32_t kSlots = (kSlabBytes - kHeaderBytes) / sizeof(ObjectRecord);
  static constexpr uint32_t kSlotBits = 8;
  static constexpr uint32_t kSlotMask = (1u << kSlotBits) - 1;
  static_assert(kSlots <= kSlotMask, "a slot number fits its bits");

  struct alignas(64) Slab {
    void* context;
    uint32_t number;
    alignas(64) ObjectRecord records[kSlots];
  };
  static_assert(sizeof(Slab) <= kSlabBytes, "a slab fits its allocation");

  RecordIndex AllocateFresh();
  static const Slab* SlabOf(const void* inside) {
    return reinterpret_cast<const Slab*>(reinterpret_cast<uintptr_t>(inside) & ~(kSlabBytes - 1));
  }

  void* const context_;
  const uint32_t records_max_;
  const std::unique_ptr<SlabSource> own_source_;
  SlabSource* const source_;
  std::vector<Slab*> slabs_;
  uint32_t handed_out_ = 0;         // slots that ever were
  uint32_t used_in_last_ = kSlots;  // slots of the last slab that were ever handed out
  RecordIndex free_ = kNoRecord;    // chained through ObjectRecord::rare
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_RECORD_SLABS_H_
