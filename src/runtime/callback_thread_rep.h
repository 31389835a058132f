// CallbackThread::Rep: what the handle and its two threads share.
//
// The executor's thread swaps the queue for its empty batch and runs that batch without a lock,
// claiming one job after the other by `next`. Stop takes the rest of a batch away by exchanging
// `next` for a value beyond every batch: whatever was not claimed by then is Stop's.
//
// Thread safety: each method says whose thread it is for. Ownership: shared by the handle and the
// threads, so that a thread that is left behind with a hanging callback, or whose callback
// destroyed the handle, finds everything in place.

#ifndef FREEHOLD_SRC_RUNTIME_CALLBACK_THREAD_REP_H_
#define FREEHOLD_SRC_RUNTIME_CALLBACK_THREAD_REP_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "freehold/callback_executor.h"
#include "freehold/clock.h"
#include "src/base/mutex.h"
#include "src/runtime/current_job.h"
#include "src/runtime/job_queue.h"
#include "src/runtime/nap_rule.h"

namespace freehold {

inline Time MonotonicNow() { return Clock::Monotonic().Now(); }

struct CallbackThread::Rep {
  Rep(Duration threshold_in, Logger* logger_in) : threshold(threshold_in), logger(logger_in) {}

  // The executor's thread.
  static void ThreadMain(const std::shared_ptr<Rep>& rep);
  bool NextBatch() FREEHOLD_EXCLUDES(mutex);
  void Park() FREEHOLD_REQUIRES(mutex);  // until there is work or an end
  void RunBatch();
  void ThreadEnded() FREEHOLD_EXCLUDES(mutex);

  // The watchdog's thread.
  static void WatchdogMain(const std::shared_ptr<Rep>& rep);
  void Watch() FREEHOLD_EXCLUDES(mutex);
  bool WatchdogSleep(Duration period) FREEHOLD_EXCLUDES(mutex);
  void ReportSlow(const runtime::CurrentJob::Sample& job, Duration ran_for)
      FREEHOLD_EXCLUDES(mutex);

  // Any thread.
  bool InsideCallback() const { return std::this_thread::get_id() == thread_id; }
  uint64_t Claimed() const FREEHOLD_REQUIRES(mutex);  // jobs of the batch
  bool CallbackRuns() const FREEHOLD_REQUIRES(mutex);
  uint64_t Depth() const FREEHOLD_REQUIRES(mutex);
  // Answers whether the thread is to be woken.
  bool Enqueue(absl::Span<CallbackJob> jobs) FREEHOLD_REQUIRES(mutex);
  void Refuse() FREEHOLD_REQUIRES(mutex);
  void Close() FREEHOLD_REQUIRES(mutex);
  std::vector<CallbackJob> TakeLeftovers() FREEHOLD_REQUIRES(mutex);
  void StopInside() FREEHOLD_EXCLUDES(mutex);
  StopReport StopOutside(Time deadline) FREEHOLD_EXCLUDES(mutex);
  void AwaitThread(Time deadline) FREEHOLD_REQUIRES(mutex);
  void EndWatchdog(Time deadline) FREEHOLD_EXCLUDES(mutex);

  // Constant after Start.
  const Duration threshold;
  Logger* const logger;
  std::thread::id thread_id;

  internal::Mutex mutex;
  internal::CondVar wake_thread;
  internal::CondVar wake_watchdog;
  internal::CondVar ended;  // either thread
  runtime::JobQueue queue FREEHOLD_GUARDED_BY(mutex);
  Time queue_since FREEHOLD_GUARDED_BY(mutex);  // its first job was posted
  uint64_t batch_size FREEHOLD_GUARDED_BY(mutex) = 0;
  uint64_t batches_before FREEHOLD_GUARDED_BY(mutex) = 0;  // jobs in earlier batches
  uint64_t claimed_at_close FREEHOLD_GUARDED_BY(mutex) = 0;
  Time batch_since FREEHOLD_GUARDED_BY(mutex);
  bool asleep FREEHOLD_GUARDED_BY(mutex) = false;   // somebody must wake the thread
  bool napping FREEHOLD_GUARDED_BY(mutex) = false;  // it wakes by itself, before long
  bool stopped FREEHOLD_GUARDED_BY(mutex) = false;  // no new jobs
  bool closed FREEHOLD_GUARDED_BY(mutex) = false;   // no further job runs
  bool leftovers_taken FREEHOLD_GUARDED_BY(mutex) = false;
  bool left_behind FREEHOLD_GUARDED_BY(mutex) = false;
  bool thread_ended FREEHOLD_GUARDED_BY(mutex) = false;
  bool watchdog_started FREEHOLD_GUARDED_BY(mutex) = false;
  bool watchdog_parked FREEHOLD_GUARDED_BY(mutex) = false;
  bool watchdog_logging FREEHOLD_GUARDED_BY(mutex) = false;
  bool watchdog_end FREEHOLD_GUARDED_BY(mutex) = false;
  bool watchdog_ended FREEHOLD_GUARDED_BY(mutex) = false;
  std::thread thread FREEHOLD_GUARDED_BY(mutex);
  std::thread watchdog FREEHOLD_GUARDED_BY(mutex);
  uint64_t posted FREEHOLD_GUARDED_BY(mutex) = 0;
  uint64_t dropped FREEHOLD_GUARDED_BY(mutex) = 0;
  uint64_t wakes FREEHOLD_GUARDED_BY(mutex) = 0;
  uint64_t depth_max FREEHOLD_GUARDED_BY(mutex) = 0;
  Duration latency_max FREEHOLD_GUARDED_BY(mutex){0};

  // A longer queue is measured every so many jobs.
  static constexpr uint64_t kDepthMeasured = 64;
  // A queue as long as this ends a nap.
  static constexpr uint64_t kNapMax = 4096;

  // The executor's thread's alone.
  bool gather = false;  // many small batches come one after the other
  runtime::NapRule nap_rule;
  // Swapped under the mutex; its jobs belong to who claimed them.
  runtime::JobQueue batch;

  // Hints that there is work or an end: only ends the spin, the mutex decides.
  alignas(64) std::atomic<bool> hint{false};
  // Written by the executor's thread for each job; on a line of their own.
  alignas(64) std::atomic<uint64_t> next{0};
  std::atomic<uint64_t> finished{0};
  std::atomic<uint64_t> threw{0};
  std::atomic<uint64_t> reported_slow{0};
  runtime::CurrentJob current;
};

}  // namespace freehold

#endif  // FREEHOLD_SRC_RUNTIME_CALLBACK_THREAD_REP_H_
