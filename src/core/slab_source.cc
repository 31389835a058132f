#include "src/core/slab_source.h"

#include <algorithm>
#include <new>

#include "src/base/large_pages.h"

namespace freehold::core {

SlabRuns::~SlabRuns() {
  for (const Run& run : runs_) ::operator delete(run.memory, std::align_val_t(run.alignment));
}

void SlabRuns::Take(size_t slabs, size_t alignment) {
  Run run{::operator new(slabs* kSlabBytes, std::align_val_t(alignment)), alignment};
  next_ = static_cast<char*>(run.memory);
  left_ = slabs;
  slabs_ += slabs;
  runs_.push_back(run);
}

void* SlabRuns::Take() {
  if (left_ == 0) {
    const size_t share = std::max(slabs_ / kRunShare, kRunMin);
    if (slabs_ < kLargeFrom) {
      Take(share, kSlabBytes);
    } else {
      constexpr size_t kPage = internal::kLargePageBytes / kSlabBytes;
      Take((share + kPage - 1) / kPage * kPage, internal::kLargePageBytes);
      internal::PreferLargePages(next_, left_ * kSlabBytes);
    }
  }
  --left_;
  void* const slab = next_;
  next_ += kSlabBytes;
  return slab;
}

}  // namespace freehold::core
