#include "src/core/record_slabs.h"

#include <new>

#include "src/base/check.h"

namespace freehold::core {

RecordSlabs::~RecordSlabs() {
  for (Slab* slab : slabs_) {
    ::operator delete(static_cast<void*>(slab), std::align_val_t(kSlabAlignment));
  }
}

RecordIndex RecordSlabs::Allocate() {
  if (free_ != kNoRecord) {
    const RecordIndex index = free_;
    ObjectRecord& record = At(index);
    free_ = record.rare;
    record.in_use = 1;
    return index;
  }
  if (used_in_last_ == kSlots) {
    if ((slabs_.size() << kSlotBits) + kSlots > kRecordIndexMax) return kNoRecord;
    void* memory = ::operator new(kSlabBytes, std::align_val_t(kSlabAlignment));
    Slab* slab = static_cast<Slab*>(memory);
    slab->context = context_;
    slab->number = static_cast<uint32_t>(slabs_.size());
    slabs_.push_back(slab);
    used_in_last_ = 0;
  }
  Slab* slab = slabs_.back();
  const uint32_t slot = used_in_last_++;
  ObjectRecord* record = new (&slab->records[slot]) ObjectRecord();
  record->in_use = 1;
  return (slab->number << kSlotBits) | slot;
}

void RecordSlabs::Release(RecordIndex index) {
  ObjectRecord& record = At(index);
  FREEHOLD_CHECK(record.in_use);
  record.in_use = 0;
  record.rare = free_;
  free_ = index;
}

RecordIndex RecordSlabs::IndexOf(const ObjectRecord& record) {
  const Slab* slab = SlabOf(&record);
  return (slab->number << kSlotBits) | static_cast<uint32_t>(&record - slab->records);
}

RecordIndex RecordSlabs::NextInUse(RecordIndex from, size_t slots_max, RecordIndex* resume) const {
  RecordIndex slab = from >> kSlotBits;
  uint32_t slot = from & kSlotMask;
  for (; slab < slabs_.size(); ++slab, slot = 0) {
    const uint32_t used = slab + 1 == slabs_.size() ? used_in_last_ : kSlots;
    for (; slot < used; ++slot) {
      const RecordIndex here = (slab << kSlotBits) | slot;
      if (slots_max-- == 0) {
        *resume = here;
        return kNoRecord;
      }
      if (slabs_[slab]->records[slot].in_use) return here;
    }
  }
  *resume = kNoRecord;
  return kNoRecord;
}

}  // namespace freehold::core
