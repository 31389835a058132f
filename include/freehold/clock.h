// Monotonic time, and the clock that the runtime reads it from.
//
// The protocol core never reads a clock: time comes in as an argument. The runtime reads one Clock,
// which a test replaces by testing::ManualClock. Wall-clock time appears nowhere.
//
// Thread safety: Time and Duration are values. A Clock is thread-safe; Now() does not block.

#ifndef FREEHOLD_CLOCK_H_
#define FREEHOLD_CLOCK_H_

#include <chrono>
#include <cstdint>

namespace freehold {

using Duration = std::chrono::nanoseconds;

// Names the time line of Time; it cannot be read, only a Clock can.
struct MonotonicTimeline {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<MonotonicTimeline>;
  static constexpr bool is_steady = true;
};

// A moment on a clock that never goes back. Its origin means nothing.
using Time = std::chrono::time_point<MonotonicTimeline>;

inline constexpr Time kInfinitePast = Time::min();
inline constexpr Time kInfiniteFuture = Time::max();

// `time + duration`, or kInfiniteFuture where that would overflow.
inline Time SaturatingAdd(Time time, Duration duration) {
  if (time == kInfiniteFuture) return time;
  if (duration.count() > 0 && time.time_since_epoch() > Duration::max() - duration) {
    return kInfiniteFuture;
  }
  return time + duration;
}

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time Now() const = 0;

  // The machine's monotonic clock; lives for ever.
  static const Clock& Monotonic();
};

}  // namespace freehold

#endif  // FREEHOLD_CLOCK_H_
