#include "src/base/mutex.h"

#if defined(__linux__)

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace freehold::internal {

namespace {

// A critical section of the library is a few hundred instructions: worth waiting for on another
// core, not worth more.
constexpr int kSpins = 100;

inline void Relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

// The lock of U. Drepper, "Futexes Are Tricky" (2011), mutex2, with a spin in front.
void Mutex::LockSlow() {
  for (int i = 0; i < kSpins; ++i) {
    uint32_t free = kFree;
    if (word_.load(std::memory_order_relaxed) == kFree &&
        word_.compare_exchange_weak(free, kHeld, std::memory_order_acquire,
                                    std::memory_order_relaxed)) {
      return;
    }
    Relax();
  }
  // From here on the word says "contended" while we hold it, which may wake nobody once too often
  // but never once too little.
  while (word_.exchange(kContended, std::memory_order_acquire) != kFree) {
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word_), FUTEX_WAIT_PRIVATE, kContended, nullptr,
            nullptr, 0);
  }
}

void Mutex::WakeOne() {
  syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word_), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr,
          0);
}

}  // namespace freehold::internal

#else
namespace freehold::internal {}
#endif
