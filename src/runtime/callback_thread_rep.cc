#include "src/runtime/callback_thread_rep.h"

#if defined(__linux__)
#include <pthread.h>
#endif

#include <algorithm>
#include <cstdio>
#include <utility>

#include "src/base/guarded_call.h"

namespace freehold {

using internal::CallGuarded;
using internal::MutexLock;

namespace {

// Beyond `next` of any batch: the batch was taken away from the executor's thread.
constexpr uint64_t kClosed = uint64_t{1} << 62;
// How long past its deadline Stop waits for a callback that is about to return.
constexpr Duration kGrace = std::chrono::milliseconds(20);
constexpr size_t kReportedObjectsMax = 100;
// The executor's thread looks for work this often (a few microseconds) before it parks: a thread
// that posts without pause then never pays for waking it.
constexpr int kSpins = 64;
// After a batch of fewer jobs than this, while jobs keep coming, the thread lets so many pauses
// pass (about a microsecond) before it takes the next: else it would take them one by one, and the
// lock from whoever posts each time.
constexpr uint64_t kSmallBatch = 64;
constexpr int kGatherPauses = 32;

void NameThread(const char* name) {
#if defined(__linux__)
  pthread_setname_np(pthread_self(), name);
#else
  static_cast<void>(name);
#endif
}

void Relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// A host's logger may throw like any host code; the message is made inside for the same reason.
template <typename Message>
void LogGuarded(Logger* logger, LogLevel level, Message message) {
  static_cast<void>(CallGuarded([&] { logger->Log(level, message()); }));
}

std::string Describe(const char* what, const ObjectId& object) {
  return std::string(what) + " of object " + object.ToHex();
}

std::string Seconds(Duration duration) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f s", std::chrono::duration<double>(duration).count());
  return text;
}

void LogStop(Logger* logger, const runtime::CurrentJob& current,
             const CallbackThread::StopReport& report) {
  if (report.dropped == 0 && !report.callback_still_running) return;
  LogGuarded(logger, LogLevel::kWarning, [&] {
    std::string text = "the callback executor stopped with " + std::to_string(report.dropped) +
                       " callbacks dropped";
    if (!report.objects.empty()) text += ", the first of object " + report.objects[0].ToHex();
    runtime::CurrentJob::Sample job;
    if (report.callback_still_running && current.Read(&job) && job.what != nullptr) {
      text += "; its thread is left behind in the " + Describe(job.what, job.object) +
              ", which did not return; callbacks must neither do I/O nor wait";
    }
    return text;
  });
}

}  // namespace

// --- The executor's thread -----------------------------------------------------------------------

void CallbackThread::Rep::ThreadMain(const std::shared_ptr<Rep>& rep) {
  NameThread("freehold-calls");
  // A destructor, because a callback that calls pthread_exit passes here as well.
  struct AtEnd {
    Rep* rep;
    ~AtEnd() { rep->ThreadEnded(); }
  } at_end{rep.get()};
  while (rep->NextBatch()) rep->RunBatch();
  std::vector<CallbackJob> leftovers;  // there are some if a callback called Stop
  MutexLock lock(&rep->mutex);
  leftovers = rep->TakeLeftovers();
}

void CallbackThread::Rep::Park() {
  if (nap_rule.ShouldNap()) {
    napping = true;
    static_cast<void>(wake_thread.WaitFor(&mutex, runtime::NapRule::kHalf));
    const size_t first = queue.size();
    if (napping && !stopped && first > 0) {
      static_cast<void>(wake_thread.WaitFor(&mutex, runtime::NapRule::kHalf));
    }
    napping = false;
    nap_rule.OnNapped(first, queue.size() - first);
  }
  if (!queue.empty() || stopped) return;
  const Time since = MonotonicNow();
  while (queue.empty() && !stopped) {
    asleep = true;
    wake_thread.Wait(&mutex);
  }
  asleep = false;
  nap_rule.OnParked(MonotonicNow() - since);
}

bool CallbackThread::Rep::NextBatch() {
  for (int i = 0; i < kSpins && !hint.load(std::memory_order_relaxed); ++i) Relax();
  for (int i = 0; i < kGatherPauses && gather; ++i) Relax();
  MutexLock lock(&mutex);
  const bool parked = queue.empty() && !stopped;
  if (parked) Park();
  if (closed || queue.empty()) return false;
  hint.store(false, std::memory_order_relaxed);
  depth_max = std::max<uint64_t>(depth_max, queue.size());
  gather = !parked && queue.size() < kSmallBatch;
  batch.swap(queue);
  batches_before += batch_size;
  batch_size = batch.size();
  batch_since = queue_since;
  next.store(0, std::memory_order_relaxed);
  latency_max = std::max(latency_max, MonotonicNow() - batch_since);
  if (watchdog_parked) {
    watchdog_parked = false;
    wake_watchdog.NotifyOne();
  }
  return true;
}

bool CallbackThread::Rep::Enqueue(absl::Span<CallbackJob> jobs) {
  posted += jobs.size();
  const uint64_t before = queue.size();
  if (before == 0) {
    queue_since = MonotonicNow();
    hint.store(true, std::memory_order_relaxed);
  }
  for (CallbackJob& job : jobs) queue.push_back(std::move(job));
  // Depth() reads what the other thread writes: only where it may be a new maximum, and not for
  // each job of a long queue.
  const uint64_t queued = queue.size();
  if (batch_size + queued > depth_max &&
      (queued < kDepthMeasured || queued / kDepthMeasured != before / kDepthMeasured)) {
    depth_max = std::max(depth_max, Depth());
  }
  if (!asleep && !(napping && queued >= kNapMax)) return false;
  asleep = napping = false;  // one poster wakes it, those after it need not
  ++wakes;
  return true;
}

void CallbackThread::Rep::RunBatch() {
  const uint64_t size = batch.size();
  uint64_t claimed;
  while ((claimed = next.fetch_add(1, std::memory_order_relaxed)) < size) {
    {
      CallbackJob job = std::move(batch[claimed]);
      current.Set(job.object(), job.what());
      if (!job.Run()) threw.store(threw.load(std::memory_order_relaxed) + 1);
      // The job's destructor runs the host's code too, so it belongs to the callback's time.
    }
    finished.store(finished.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  current.Clear();
  if (claimed >= kClosed) return;  // the rest of the batch is not ours
  batch.clear();
}

void CallbackThread::Rep::ThreadEnded() {
  current.Clear();
  uint64_t lost = 0;
  bool cut_off = false;
  {
    MutexLock lock(&mutex);
    cut_off = !stopped;
    if (cut_off) {
      const uint64_t dropped_before = dropped;
      Close();
      lost = dropped - dropped_before;
    }
  }
  if (cut_off) {
    LogGuarded(logger, LogLevel::kError, [&] {
      return "a callback ended the callback executor's thread (pthread_exit or pthread_cancel); " +
             std::to_string(lost) + " queued callbacks will not run, new ones are refused";
    });
  }
  MutexLock lock(&mutex);
  Close();
  thread_ended = true;
  ended.NotifyAll();
}

// --- The watchdog --------------------------------------------------------------------------------

void CallbackThread::Rep::WatchdogMain(const std::shared_ptr<Rep>& rep) {
  NameThread("freehold-watch");
  rep->Watch();
  MutexLock lock(&rep->mutex);
  rep->watchdog_ended = true;
  rep->ended.NotifyAll();
}

void CallbackThread::Rep::Watch() {
  const Duration period =
      std::clamp<Duration>(threshold / 8, std::chrono::milliseconds(1), std::chrono::seconds(1));
  runtime::CurrentJob::Sample seen;
  Time since;
  bool reported = false;
  while (WatchdogSleep(period)) {
    runtime::CurrentJob::Sample job;
    if (!current.Read(&job)) continue;
    if (job.what == nullptr || job.version != seen.version) {
      seen = job;
      since = MonotonicNow();
      reported = false;
      continue;
    }
    const Duration ran_for = MonotonicNow() - since;
    if (reported || ran_for < threshold) continue;
    reported = true;
    ReportSlow(job, ran_for);
  }
}

// Parks while the executor is idle, so that an idle process has no periodic wake-ups. False: end.
bool CallbackThread::Rep::WatchdogSleep(Duration period) {
  MutexLock lock(&mutex);
  if (!watchdog_end && !asleep) {
    static_cast<void>(wake_watchdog.WaitFor(&mutex, period));
    return !watchdog_end;
  }
  watchdog_parked = true;
  while (watchdog_parked && !watchdog_end) wake_watchdog.Wait(&mutex);
  watchdog_parked = false;
  return !watchdog_end;
}

void CallbackThread::Rep::ReportSlow(const runtime::CurrentJob::Sample& job, Duration ran_for) {
  uint64_t waiting = 0;
  {
    MutexLock lock(&mutex);
    if (watchdog_end) return;
    watchdog_logging = true;
    waiting = Depth();
  }
  reported_slow.fetch_add(1, std::memory_order_relaxed);
  LogGuarded(logger, LogLevel::kWarning, [&] {
    return "the " + Describe(job.what, job.object) + " still runs after " + Seconds(ran_for) +
           " and " + std::to_string(waiting) +
           " callbacks wait behind it; callbacks must neither do I/O nor wait; see "
           "freehold/callback_executor.h";
  });
  MutexLock lock(&mutex);
  watchdog_logging = false;
}

void CallbackThread::Rep::EndWatchdog(Time deadline) {
  std::thread joinable;
  {
    MutexLock lock(&mutex);
    if (!watchdog_started) return;
    watchdog_end = true;
    wake_watchdog.NotifyAll();
    // Only a logger that blocks can keep it for long.
    while (!watchdog_ended && (!watchdog_logging || MonotonicNow() < deadline)) {
      static_cast<void>(ended.WaitFor(&mutex, std::chrono::milliseconds(1)));
    }
    if (watchdog_ended) joinable.swap(watchdog);
  }
  if (joinable.joinable()) joinable.join();
}

// --- Stop ----------------------------------------------------------------------------------------

uint64_t CallbackThread::Rep::Claimed() const {
  return closed ? claimed_at_close : std::min(next.load(std::memory_order_relaxed), batch_size);
}

bool CallbackThread::Rep::CallbackRuns() const {
  // `finished` first: read later it might be ahead.
  const uint64_t done = finished.load(std::memory_order_acquire);
  return batches_before + Claimed() > done;
}

uint64_t CallbackThread::Rep::Depth() const {
  return closed ? 0 : batch_size - Claimed() + queue.size();
}

void CallbackThread::Rep::Refuse() {
  stopped = true;
  hint.store(true, std::memory_order_relaxed);
  wake_thread.NotifyOne();
}

void CallbackThread::Rep::Close() {
  if (closed) return;
  Refuse();
  claimed_at_close = std::min(next.exchange(kClosed, std::memory_order_relaxed), batch_size);
  closed = true;
  dropped += batch_size - claimed_at_close + queue.size();
}

std::vector<CallbackJob> CallbackThread::Rep::TakeLeftovers() {
  std::vector<CallbackJob> leftovers;
  if (!closed || leftovers_taken) return leftovers;
  leftovers_taken = true;
  for (uint64_t i = claimed_at_close; i < batch_size; ++i) leftovers.push_back(std::move(batch[i]));
  for (size_t i = 0; i < queue.size(); ++i) leftovers.push_back(std::move(queue[i]));
  queue.clear();
  return leftovers;
}

void CallbackThread::Rep::AwaitThread(Time deadline) {
  while (!thread_ended) {
    const Duration left = deadline - MonotonicNow();
    if (left <= Duration::zero()) return;
    static_cast<void>(ended.WaitFor(&mutex, std::min<Duration>(left, std::chrono::hours(1))));
  }
}

void CallbackThread::Rep::StopInside() {
  uint64_t lost = 0;
  {
    MutexLock lock(&mutex);
    if (stopped) return;  // another thread's Stop drains; it is not cut short
    const uint64_t dropped_before = dropped;
    Close();
    lost = dropped - dropped_before;
  }
  if (lost == 0) return;
  LogGuarded(logger, LogLevel::kWarning, [&] {
    return "the callback executor was stopped from inside a callback; " + std::to_string(lost) +
           " queued callbacks are dropped";
  });
}

CallbackThread::StopReport CallbackThread::Rep::StopOutside(Time deadline) {
  StopReport report;
  std::vector<CallbackJob> leftovers;
  std::thread joinable;
  const Time grace_end = SaturatingAdd(deadline, kGrace);
  {
    MutexLock lock(&mutex);
    const bool first = !stopped;
    const uint64_t finished_before = finished.load(std::memory_order_acquire);
    if (first) Refuse();
    AwaitThread(deadline);
    if (first) Close();
    // Between callbacks only our own code runs, which is worth waiting for.
    while (!thread_ended && ((closed && !CallbackRuns()) || MonotonicNow() < grace_end)) {
      static_cast<void>(ended.WaitFor(&mutex, std::chrono::milliseconds(1)));
    }
    if (first) report.ran = finished.load(std::memory_order_acquire) - finished_before;
    if (first || thread_ended) leftovers = TakeLeftovers();
    report.callback_still_running = left_behind = !thread_ended;
    if (thread_ended) joinable.swap(thread);
  }
  if (joinable.joinable()) joinable.join();
  EndWatchdog(grace_end);
  report.dropped = leftovers.size();
  for (size_t i = 0; i < std::min(leftovers.size(), kReportedObjectsMax); ++i) {
    report.objects.push_back(leftovers[i].object());
  }
  LogStop(logger, current, report);
  return report;
}

}  // namespace freehold
