#include "freehold/clock.h"

#include <chrono>

namespace freehold {

namespace {

class MonotonicClock final : public Clock {
 public:
  Time Now() const override {
    return Time(
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
  }
};

}  // namespace

const Clock& Clock::Monotonic() {
  // Never destroyed: threads that outlive main() may still read it.
  static const Clock* const clock = new MonotonicClock;
  return *clock;
}

}  // namespace freehold
