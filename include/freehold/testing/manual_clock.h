// ManualClock: a clock that stands still until a test moves it.
//
// Thread safety: thread-safe; Now() is one atomic load. Does not block.

#ifndef FREEHOLD_TESTING_MANUAL_CLOCK_H_
#define FREEHOLD_TESTING_MANUAL_CLOCK_H_

#include <atomic>

#include "freehold/clock.h"

namespace freehold::testing {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(Time start = Time()) : now_(start.time_since_epoch().count()) {}

  Time Now() const override { return Time(Duration(now_.load(std::memory_order_acquire))); }
  // Moves on to `time`. A clock never goes back: an earlier time changes nothing.
  void Set(Time time);
  // Moves on by `duration`, at most to kInfiniteFuture; a negative one changes nothing. Answers the
  // new time.
  Time Advance(Duration duration);

 private:
  std::atomic<Duration::rep> now_;
};

}  // namespace freehold::testing

#endif  // FREEHOLD_TESTING_MANUAL_CLOCK_H_
