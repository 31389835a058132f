#include "src/base/large_pages.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace freehold::internal {

void PreferLargePages(void* memory, size_t bytes) {
#if defined(MADV_HUGEPAGE)
  (void)madvise(memory, bytes, MADV_HUGEPAGE);
#else
  (void)memory;
  (void)bytes;
#endif
}

}  // namespace freehold::internal
