#include "freehold/callback_executor.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <system_error>

#include "absl/status/status.h"
#include "src/base/guarded_call.h"
#include "src/runtime/callback_thread_rep.h"

namespace freehold {

using internal::CallGuarded;
using internal::MutexLock;

namespace {

constexpr Duration kDestructorTimeout = std::chrono::seconds(1);

void LogThrown(Logger* logger, const char* what, const ObjectId& object, const char* where,
               const std::string& thrown) {
  // The host's logger may throw like any host code.
  static_cast<void>(CallGuarded([&] {
    Logger& log = logger != nullptr ? *logger : Logger::Default();
    log.Log(LogLevel::kError,
            std::string(what) + " of object " + object.ToHex() + where + " threw " + thrown +
                "; callbacks must not throw: the object was already handled and nothing was "
                "undone, the next callback runs; see freehold/callback_executor.h");
  }));
}

}  // namespace

bool CallbackJob::Run() {
  const std::optional<std::string> thrown = CallGuarded([this] { body_->RunWith(detail_); });
  if (!thrown.has_value()) return true;
  LogThrown(logger_, body_->what(), body_->object(), "", *thrown);
  return false;
}

void CallbackJob::DestroyBody() noexcept {
  const ObjectId object = body_->object();
  const char* const what = body_->what();
  // Not body_.reset(): unique_ptr ends the process when a destructor throws.
  Body* const body = body_.release();
  const std::optional<std::string> thrown = CallGuarded([body] { delete body; });
  if (!thrown.has_value()) return;
  LogThrown(logger_, what, object, ": destroying its callable or context", *thrown);
}

CallbackThread::CallbackThread(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}

absl::StatusOr<std::shared_ptr<CallbackThread>> CallbackThread::Start(
    const CallbackThreadOptions& options) {
  if (options.slow_callback_threshold < Duration::zero()) {
    return absl::InvalidArgumentError("slow_callback_threshold must not be negative");
  }
  Logger* const logger = options.logger != nullptr ? options.logger : &Logger::Default();
  const auto rep = std::make_shared<Rep>(options.slow_callback_threshold, logger);
  std::shared_ptr<CallbackThread> executor(new CallbackThread(rep));
  try {
    MutexLock lock(&rep->mutex);
    rep->thread_ended = true;  // until there is one
    rep->thread = std::thread(&Rep::ThreadMain, rep);
    rep->thread_ended = false;
    rep->thread_id = rep->thread.get_id();
    if (rep->threshold > Duration::zero()) {
      rep->watchdog = std::thread(&Rep::WatchdogMain, rep);
      rep->watchdog_started = true;
    }
  } catch (const std::system_error& e) {
    return absl::ResourceExhaustedError(std::string("no thread for the callback executor: ") +
                                        e.what());
  }
  return executor;
}

CallbackThread::~CallbackThread() {
  const bool inside = rep_->InsideCallback();
  const Time deadline = SaturatingAdd(MonotonicNow(), kDestructorTimeout);
  bool left_behind = false;
  {
    MutexLock lock(&rep_->mutex);
    left_behind = rep_->left_behind;
  }
  if (inside) {
    rep_->StopInside();
  } else if (!left_behind) {
    rep_->StopOutside(deadline);
  }
  rep_->EndWatchdog(deadline);
  MutexLock lock(&rep_->mutex);
  if (rep_->thread.joinable()) rep_->thread.detach();
  if (rep_->watchdog.joinable()) rep_->watchdog.detach();
}

bool CallbackExecutor::PostAll(absl::Span<CallbackJob> jobs) {
  bool taken = true;
  std::exception_ptr thrown;
  for (CallbackJob& job : jobs) {
    try {
      taken = Post(std::move(job)) && taken;
    } catch (...) {
      thrown = std::current_exception();
    }
  }
  if (thrown != nullptr) std::rethrow_exception(thrown);
  return taken;
}

bool CallbackThread::Post(CallbackJob job) { return PostAll(absl::MakeSpan(&job, 1)); }

bool CallbackThread::PostAll(absl::Span<CallbackJob> jobs) {
  if (jobs.empty()) return true;
  bool wake = false;
  {
    MutexLock lock(&rep_->mutex);
    if (rep_->stopped) {
      rep_->posted += jobs.size();
      rep_->dropped += jobs.size();
      return false;
    }
    wake = rep_->Enqueue(jobs);
  }
  if (wake) rep_->wake_thread.NotifyOne();
  return true;
}

CallbackThread::StopReport CallbackThread::Stop(Duration timeout) {
  if (rep_->InsideCallback()) {
    rep_->StopInside();
    return StopReport();
  }
  return rep_->StopOutside(SaturatingAdd(MonotonicNow(), std::max(timeout, Duration::zero())));
}

CallbackThread::Stats CallbackThread::GetStats() const {
  Rep& rep = *rep_;
  MutexLock lock(&rep.mutex);
  Stats stats;
  stats.posted = rep.posted;
  stats.ran = rep.finished.load(std::memory_order_acquire);
  stats.threw = rep.threw.load(std::memory_order_relaxed);
  stats.reported_slow = rep.reported_slow.load(std::memory_order_relaxed);
  stats.dropped = rep.dropped;
  stats.wakes = rep.wakes;
  stats.queue_depth = rep.Depth();
  rep.depth_max = std::max(rep.depth_max, stats.queue_depth);
  stats.queue_depth_max = rep.depth_max;
  stats.latency_max = rep.latency_max;
  if (stats.queue_depth > 0) {
    const bool batch_waits = rep.Claimed() < rep.batch_size;
    stats.oldest_waiting = MonotonicNow() - (batch_waits ? rep.batch_since : rep.queue_since);
  }
  return stats;
}

}  // namespace freehold
