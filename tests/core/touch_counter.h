// Counts the pages of memory that something touches: a cost that does not vary as time does.
//
// Thread safety: one counter at a time, in one thread: it handles SIGSEGV while it lives.
// Ownership: nothing but its own list of the pages. They may hold other things as well, which are
// then counted, too.

#ifndef FREEHOLD_TESTS_CORE_TOUCH_COUNTER_H_
#define FREEHOLD_TESTS_CORE_TOUCH_COUNTER_H_

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <set>

#include "src/base/check.h"

namespace freehold::core {

using Pages = std::set<uintptr_t>;  // by their first byte

inline uintptr_t PageBytes() {
  static const auto bytes = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

inline void AddPagesOf(const void* record, size_t size, Pages* pages) {
  const auto first = reinterpret_cast<uintptr_t>(record);
  for (const uintptr_t byte : {first, first + size - 1}) pages->insert(byte & ~(PageBytes() - 1));
}

// Counts those of `pages` that are touched while it lives.
class TouchCounter {
 public:
  explicit TouchCounter(const Pages& pages) : count_(pages.size()), pages_(MapArray(count_)) {
    FREEHOLD_CHECK(active == nullptr && PageBytes() > 0);
    std::copy(pages.begin(), pages.end(), pages_);
    active = this;
    struct sigaction action = {};
    action.sa_sigaction = &OnFault;
    action.sa_flags = SA_SIGINFO;
    FREEHOLD_CHECK(::sigaction(SIGSEGV, &action, &before_) == 0);
    ProtectAll(PROT_NONE);
  }
  ~TouchCounter() {
    ProtectAll(PROT_READ | PROT_WRITE);
    FREEHOLD_CHECK(::sigaction(SIGSEGV, &before_, nullptr) == 0);
    active = nullptr;
    FREEHOLD_CHECK(::munmap(pages_, BytesOf(count_)) == 0);
  }
  TouchCounter(const TouchCounter&) = delete;
  TouchCounter& operator=(const TouchCounter&) = delete;

  uint64_t touched() const { return touched_; }

 private:
  static size_t BytesOf(size_t count) { return (count + 1) * sizeof(uintptr_t); }
  // Not from the heap: this list must not lie in the pages that it names.
  static uintptr_t* MapArray(size_t count) {
    void* const memory =
        ::mmap(nullptr, BytesOf(count), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FREEHOLD_CHECK(memory != MAP_FAILED);
    return static_cast<uintptr_t*>(memory);
  }
  // Opens the page, and has the access tried again. Any other fault comes again without us.
  static void OnFault(int, siginfo_t* info, void*) {
    const uintptr_t page = reinterpret_cast<uintptr_t>(info->si_addr) & ~(PageBytes() - 1);
    if (!std::binary_search(active->pages_, active->pages_ + active->count_, page)) {
      ::sigaction(SIGSEGV, &active->before_, nullptr);
      return;
    }
    ++active->touched_;
    Protect(page, PROT_READ | PROT_WRITE);
  }
  void ProtectAll(int access) const {
    for (size_t i = 0; i < count_; ++i) Protect(pages_[i], access);
  }
  static void Protect(uintptr_t page, int access) {
    FREEHOLD_CHECK(::mprotect(reinterpret_cast<void*>(page), PageBytes(), access) == 0);
  }

  inline static TouchCounter* active = nullptr;

  const size_t count_;
  uintptr_t* const pages_;  // in order
  struct sigaction before_ = {};
  volatile uint64_t touched_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_TOUCH_COUNTER_H_
