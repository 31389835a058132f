// The lock of the library, annotated for clang's -Wthread-safety; hides which lock it is.
//
// Today: one 32-bit word that spins briefly and then parks in the kernel (a futex where there is
// one, std::mutex elsewhere). An uncontended pair costs 11 instructions, against 68 for
// std::mutex and 368 for the absl::Mutex of a distribution that builds Abseil with assertions;
// bench/NOTES.md has the figures. Not recursive, not fair.
//
// Thread safety: thread-safe. Memory order: Lock() acquires, Unlock() releases.

#ifndef FREEHOLD_SRC_BASE_MUTEX_H_
#define FREEHOLD_SRC_BASE_MUTEX_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#if !defined(__linux__)
#include <mutex>
#endif

#if defined(__clang__)
#define FREEHOLD_TSA(x) __attribute__((x))
#else
#define FREEHOLD_TSA(x)
#endif
#define FREEHOLD_GUARDED_BY(x) FREEHOLD_TSA(guarded_by(x))
#define FREEHOLD_REQUIRES(...) FREEHOLD_TSA(requires_capability(__VA_ARGS__))
#define FREEHOLD_EXCLUDES(...) FREEHOLD_TSA(locks_excluded(__VA_ARGS__))
#define FREEHOLD_NO_THREAD_SAFETY_ANALYSIS FREEHOLD_TSA(no_thread_safety_analysis)

namespace freehold::internal {

class FREEHOLD_TSA(capability("mutex")) Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

#if defined(__linux__)
  void Lock() FREEHOLD_TSA(acquire_capability()) {
    uint32_t free = kFree;
    // acquire: what the previous holder wrote is visible from here on.
    if (!word_.compare_exchange_weak(free, kHeld, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      LockSlow();
    }
  }
  // Never waits. False: somebody else holds it.
  bool TryLock() FREEHOLD_TSA(try_acquire_capability(true)) {
    uint32_t free = kFree;
    return word_.compare_exchange_strong(free, kHeld, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }
  void Unlock() FREEHOLD_TSA(release_capability()) {
    // release: pairs with the acquire of the next holder.
    if (word_.exchange(kFree, std::memory_order_release) == kContended) WakeOne();
  }
#else
  void Lock() FREEHOLD_TSA(acquire_capability()) { mutex_.lock(); }
  bool TryLock() FREEHOLD_TSA(try_acquire_capability(true)) { return mutex_.try_lock(); }
  void Unlock() FREEHOLD_TSA(release_capability()) { mutex_.unlock(); }
#endif
  // The names that std::condition_variable_any expects.
  void lock() FREEHOLD_TSA(acquire_capability()) { Lock(); }
  void unlock() FREEHOLD_TSA(release_capability()) { Unlock(); }

 private:
#if defined(__linux__)
  static constexpr uint32_t kFree = 0;
  static constexpr uint32_t kHeld = 1;
  static constexpr uint32_t kContended = 2;  // held, and somebody may be parked
  void LockSlow();
  void WakeOne();
  std::atomic<uint32_t> word_{kFree};
#else
  std::mutex mutex_;
#endif
};

class FREEHOLD_TSA(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex* mutex) FREEHOLD_TSA(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_->Lock();
  }
  ~MutexLock() FREEHOLD_TSA(release_capability()) { mutex_->Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex* const mutex_;
};

// Waits with a Mutex. `Wait` releases the lock while it sleeps; wake-ups may be spurious.
class CondVar {
 public:
  void Wait(Mutex* mutex) FREEHOLD_REQUIRES(mutex) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
    condition_.wait(*mutex);
  }
  // False when `timeout` passed.
  template <typename Rep, typename Period>
  bool WaitFor(Mutex* mutex, std::chrono::duration<Rep, Period> timeout)
      FREEHOLD_REQUIRES(mutex) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
    return condition_.wait_for(*mutex, timeout) == std::cv_status::no_timeout;
  }
  void NotifyOne() { condition_.notify_one(); }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable_any condition_;
};

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_MUTEX_H_
