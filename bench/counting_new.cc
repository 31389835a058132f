#include "bench/counting_new.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace freehold::bench {

namespace {

constexpr size_t kMallocHeader = 8;

std::atomic<bool> counting{false};
std::atomic<uint64_t> allocations{0};
std::atomic<int64_t> bytes{0};

void* Count(void* memory, size_t size) {
  if (memory == nullptr) std::abort();
  if (!counting.load(std::memory_order_relaxed)) return memory;
  if (size == 0) size = malloc_usable_size(memory) + kMallocHeader;
  allocations.fetch_add(1, std::memory_order_relaxed);
  bytes.fetch_add(static_cast<int64_t>(size), std::memory_order_relaxed);
  return memory;
}

void Free(void* memory, size_t size) {
  if (memory != nullptr && counting.load(std::memory_order_relaxed)) {
    bytes.fetch_sub(static_cast<int64_t>(size), std::memory_order_relaxed);
  }
  std::free(memory);
}

void Free(void* memory) {
  Free(memory, memory == nullptr ? 0 : malloc_usable_size(memory) + kMallocHeader);
}

}  // namespace

void SetCounting(bool on) { counting.store(on, std::memory_order_relaxed); }
uint64_t CountedAllocations() { return allocations.load(std::memory_order_relaxed); }
int64_t CountedBytes() { return bytes.load(std::memory_order_relaxed); }

}  // namespace freehold::bench

namespace bench = freehold::bench;

void* operator new(size_t size) { return bench::Count(std::malloc(size), 0); }
void* operator new(size_t size, std::align_val_t alignment) {
  return bench::Count(std::aligned_alloc(static_cast<size_t>(alignment), size), size);
}
void operator delete(void* memory) noexcept { bench::Free(memory); }
void operator delete(void* memory, size_t) noexcept { bench::Free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { bench::Free(memory, 0); }
void operator delete(void* memory, size_t size, std::align_val_t) noexcept {
  bench::Free(memory, size);
}
