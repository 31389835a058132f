#include "src/core/slab_source.h"

#include <algorithm>
#include <new>

namespace freehold::core {

SlabRuns::~SlabRuns() {
  for (void* run : runs_) ::operator delete(run, std::align_val_t(kSlabBytes));
}

void* SlabRuns::Take() {
  if (left_ == 0) {
    left_ = std::max(slabs_ / kRunShare, kRunMin);
    slabs_ += left_;
    runs_.push_back(::operator new(left_* kSlabBytes, std::align_val_t(kSlabBytes)));
    next_ = static_cast<char*>(runs_.back());
  }
  --left_;
  void* const slab = next_;
  next_ += kSlabBytes;
  return slab;
}

}  // namespace freehold::core
