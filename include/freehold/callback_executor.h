// The callback executor: the thread on which the host is told, and nothing else is done.
//
// The library hands every user callback to one CallbackExecutor as a CallbackJob, after it released
// its locks. A callback that throws or hangs therefore stops neither counting nor freeing: it only
// delays the callbacks queued behind it. CallbackThread is the executor to use; a host with its own
// thread pool implements CallbackExecutor in a few lines; testing::ManualExecutor is for tests.
//
// Inside a callback: no I/O and no waiting. Whoever does it anyway delays every later callback of
// this executor; the watchdog of CallbackThread names the object while that lasts. Calling back
// into the library is allowed, except for what waits for the executor itself.
//
// Thread safety: CallbackExecutor implementations must be thread-safe. CallbackJob is a movable
// resource, used by one thread at a time.

#ifndef FREEHOLD_CALLBACK_EXECUTOR_H_
#define FREEHOLD_CALLBACK_EXECUTOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/log.h"

namespace freehold {

// One callback that is due. Run it exactly once; a job destroyed without running is dropped (its
// callable and context are destroyed all the same). Destroy a job soon after its run, with no lock
// held: that runs the host's code too (destructors of what the callable captured, a C context's
// destructor). What a context's destructor throws is caught and logged like what the callback
// throws; a C++ callable that throws from its destructor ends the process, as C++ wants it.
class CallbackJob {
 public:
  // What the library implements.
  class Body {
   public:
    virtual ~Body() noexcept(false) = default;
    virtual void Run() = 0;
    // What the job runs. `detail` is that of the job: what was not known yet when the body was
    // made.
    virtual void RunWith(int /*detail*/) { Run(); }
    // The object that the callback is about; nil when it is about several.
    virtual ObjectId object() const = 0;
    // A literal such as "out-of-scope callback".
    virtual const char* what() const = 0;
  };

  // `logger` must outlive the job. Neither this nor moving a job touches the body, which is rarely
  // in the cache of the thread that posts.
  CallbackJob(std::unique_ptr<Body> body, Logger* logger, int detail = 0)
      : body_(std::move(body)), logger_(logger), detail_(detail) {}
  // A job that was moved from is empty: it can be destroyed or assigned to, nothing else.
  CallbackJob(CallbackJob&& other) noexcept = default;
  CallbackJob& operator=(CallbackJob&& other) noexcept {
    if (this != &other) {
      if (body_ != nullptr) DestroyBody();
      body_ = std::move(other.body_);
      logger_ = other.logger_;
      detail_ = other.detail_;
    }
    return *this;
  }
  ~CallbackJob() {
    if (body_ != nullptr) DestroyBody();
  }

  // Runs the callback. Whatever it throws is caught and logged with the object's id in hex, what()
  // and what to look at. Answers whether it returned normally.
  bool Run();
  ObjectId object() const { return body_->object(); }
  const char* what() const { return body_->what(); }

 private:
  void DestroyBody() noexcept;

  std::unique_ptr<Body> body_;
  Logger* logger_;
  int detail_;
};

class CallbackExecutor {
 public:
  virtual ~CallbackExecutor() = default;
  // Takes the job, to be run after every job posted before. Called with no lock held, so it may
  // run the job at once (testing::InlineExecutor does); it must not wait. False: the executor has
  // stopped and the job was dropped.
  virtual bool Post(CallbackJob job) = 0;
  // The same for several, in order: override it where that is cheaper than one by one, as it is
  // here, where what a Post throws is thrown after the last one. Those that it takes are moved
  // from. False: the executor has stopped, and what is left in `jobs` is dropped by the caller.
  virtual bool PostAll(absl::Span<CallbackJob> jobs);
};

struct CallbackThreadOptions {
  // A callback that runs for longer is reported through `logger`, once per callback, while it
  // still runs; the watchdog looks every eighth of it, and at least a millisecond apart. Zero: no
  // watchdog, and no thread for it.
  Duration slow_callback_threshold = std::chrono::seconds(1);
  // Default: Logger::Default(). Must outlive the executor.
  Logger* logger = nullptr;
};

// A thread of its own, first in first out. A job that is posted to a parked thread wakes it. While
// many are posted in a row the thread naps instead: a job may then wait for 50 us, and for the
// system's timer slack (of Linux another 50 us for each half of that).
// Thread safety: thread-safe. Ownership: share it between the ends that use it.
class CallbackThread final : public CallbackExecutor {
 public:
  struct Stats {
    uint64_t posted = 0;  // refused ones included
    uint64_t ran = 0;     // to their end; `threw` included
    uint64_t threw = 0;
    uint64_t reported_slow = 0;
    uint64_t dropped = 0;          // posted after Stop, or left at its deadline
    uint64_t wakes = 0;            // posts that had to wake the thread, which costs microseconds
    uint64_t queue_depth = 0;      // now
    uint64_t queue_depth_max = 0;  // so far; of a long queue at most 64 too small
    // How long the oldest queued job has waited, now; measured from the first job of its batch, so
    // at most too long by what came between them.
    Duration oldest_waiting{0};
    Duration latency_max{0};  // the longest that a batch waited for its first job to run
  };

  struct StopReport {
    uint64_t ran = 0;                     // jobs run by this Stop's draining
    uint64_t dropped = 0;                 // jobs that the deadline left
    std::vector<ObjectId> objects;        // of the dropped jobs, the first 100 in order
    bool callback_still_running = false;  // the thread was left behind with a hanging callback
  };

  // Errors: InvalidArgument for a negative threshold; ResourceExhausted when the system has no
  // thread to give.
  static absl::StatusOr<std::shared_ptr<CallbackThread>> Start(
      const CallbackThreadOptions& options = {});
  // Stops with a deadline of one second when Stop was not called. From inside a callback it does
  // not wait, and what is queued is dropped.
  ~CallbackThread() override;

  bool Post(CallbackJob job) override;
  bool PostAll(absl::Span<CallbackJob> jobs) override;

  // Refuses new jobs, runs what is queued for at most `timeout`, then reports what it dropped.
  // Blocks the caller for at most about `timeout`, except from inside a callback: there it marks
  // the executor stopped, reports nothing and returns; the thread ends after that callback. A
  // callback that hangs is left behind with the resources that it uses; they are released when it
  // returns. A second call answers an empty report.
  StopReport Stop(Duration timeout);
  Stats GetStats() const;

 private:
  struct Rep;
  explicit CallbackThread(std::shared_ptr<Rep> rep);
  const std::shared_ptr<Rep> rep_;
};

}  // namespace freehold

#endif  // FREEHOLD_CALLBACK_EXECUTOR_H_
