#include "src/core/record_slabs.h"

#include <new>

#include "src/base/check.h"

namespace freehold::core {

RecordSlabs::RecordSlabs(void* context, uint32_t records_max, SlabSource* source)
    : context_(context),
      records_max_(records_max),
      own_source_(source == nullptr ? new SlabRuns : nullptr),
      source_(source == nullptr ? own_source_.get() : source) {}

RecordIndex RecordSlabs::AllocateFresh() {
  if (handed_out_ == records_max_) return kNoRecord;
  if (used_in_last_ == kSlots) {
    if ((slabs_.size() << kSlotBits) + kSlots > kRecordIndexMax) return kNoRecord;
    auto* slab = static_cast<Slab*>(source_->Take());
    slab->context = context_;
    slab->number = static_cast<uint32_t>(slabs_.size());
    slabs_.push_back(slab);
    used_in_last_ = 0;
  }
  Slab* slab = slabs_.back();
  const uint32_t slot = used_in_last_++;
  ++handed_out_;
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
