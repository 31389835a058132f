// A clock that moves on whenever it is read: for what waits for its deadline.
//
// Thread safety: thread-compatible with `on_read`; without it thread-safe.

#ifndef FREEHOLD_TESTS_RUNTIME_RESTLESS_CLOCK_H_
#define FREEHOLD_TESTS_RUNTIME_RESTLESS_CLOCK_H_

#include <functional>

#include "freehold/testing/manual_clock.h"

namespace freehold {

class RestlessClock final : public Clock {
 public:
  Time Now() const override {
    const Time now = clock_.Advance(std::chrono::milliseconds(20));
    if (on_read && !reading_) {
      reading_ = true;
      on_read(now);
      reading_ = false;
    }
    return now;
  }
  // The same time, for those whose reading must not move it.
  const Clock& still() const { return clock_; }

  // What the world does meanwhile. Not called for reads from within it.
  std::function<void(Time)> on_read;

 private:
  mutable testing::ManualClock clock_;
  mutable bool reading_ = false;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_RESTLESS_CLOCK_H_
