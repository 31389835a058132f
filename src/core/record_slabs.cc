#include "src/core/record_slabs.h"

#include <algorithm>
#include <new>

#include "src/base/check.h"

namespace freehold::core {

RecordSlabs::~RecordSlabs() {
  for (void* run : runs_) ::operator delete(run, std::align_val_t(kSlabBytes));
}

void RecordSlabs::AddRun() {
  const size_t count = std::clamp<size_t>(slabs_.size() / kRunShare, 1, kRunMax);
  runs_.push_back(::operator new(count* kSlabBytes, std::align_val_t(kSlabBytes)));
  runs_bytes_ += count * kSlabBytes;
  for (size_t i = 0; i < count; ++i) {
    slabs_.push_back(reinterpret_cast<Slab*>(static_cast<char*>(runs_.back()) + i * kSlabBytes));
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
  if (handed_out_ == records_max_) return kNoRecord;
  if (used_in_last_ == kSlots) {
    if ((slabs_in_use_ << kSlotBits) + kSlots > kRecordIndexMax) return kNoRecord;
    if (slabs_in_use_ == slabs_.size()) AddRun();
    Slab* slab = slabs_[slabs_in_use_];
    slab->context = context_;
    slab->number = static_cast<uint32_t>(slabs_in_use_);
    ++slabs_in_use_;
    used_in_last_ = 0;
  }
  Slab* slab = slabs_[slabs_in_use_ - 1];
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

RecordIndex RecordSlabs::IndexOf(const ObjectRecord& record) {
  const Slab* slab = SlabOf(&record);
  return (slab->number << kSlotBits) | static_cast<uint32_t>(&record - slab->records);
}

RecordIndex RecordSlabs::NextInUse(RecordIndex from, size_t slots_max, RecordIndex* resume) const {
  RecordIndex slab = from >> kSlotBits;
  uint32_t slot = from & kSlotMask;
  for (; slab < slabs_in_use_; ++slab, slot = 0) {
    const uint32_t used = slab + 1 == slabs_in_use_ ? used_in_last_ : kSlots;
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
