// Memory for tables that are touched at random: in the system's large pages, where it has them.
//
// In pages of 4 KiB a table of a hundred megabytes misses the processor's cache of translations
// with nearly every look-up, and in a virtual machine each such miss costs as much as the record.
//
// Thread safety: thread-safe.

#ifndef FREEHOLD_SRC_BASE_LARGE_PAGES_H_
#define FREEHOLD_SRC_BASE_LARGE_PAGES_H_

#include <cstddef>

namespace freehold::internal {

inline constexpr size_t kLargePageBytes = size_t{2} << 20;

// The system may give the memory in large pages, each of them whole at the first touch (Linux,
// transparent_hugepage: not "never"). Whoever touches one first waits until it is
// cleared, some 100 us, instead of 512 times for a small one. A hint: where that is not to be had,
// nothing changes. REQUIRES: `memory` and `bytes` are multiples of kLargePageBytes.
void PreferLargePages(void* memory, size_t bytes);

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_LARGE_PAGES_H_
