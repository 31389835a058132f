// SIGINT, SIGTERM, SIGHUP and SIGQUIT as a flag that the job looks at, so that an interrupted run
// unwinds like a failed one and leaves nothing behind.
//
// Construct it before any other thread: it blocks those signals, and threads inherit that.
//
// Thread safety: thread-safe. Blocks: only the destructor, which joins the waiting thread.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_INTERRUPT_H_
#define FREEHOLD_EXAMPLES_PIPELINE_INTERRUPT_H_

#include <atomic>
#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/status/status.h"

namespace pipeline {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  // The signal that came, or 0.
  int signal_number() const { return signal_.load(); }
  // Ok, or Cancelled with a sentence that names the signal.
  absl::Status Check() const;
  // Called once, on another thread, when a signal comes; replaces the earlier one. Empty: nothing.
  void SetWaker(std::function<void()> waker);

 private:
  void Wait();

  sigset_t signals_;
  std::atomic<int> signal_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::function<void()> waker_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_INTERRUPT_H_
