#include "freehold/testing/manual_clock.h"

namespace freehold::testing {

void ManualClock::Set(Time time) {
  const Duration::rep wanted = time.time_since_epoch().count();
  Duration::rep now = now_.load(std::memory_order_relaxed);
  while (now < wanted && !now_.compare_exchange_weak(now, wanted, std::memory_order_release,
                                                     std::memory_order_relaxed)) {
  }
}

Time ManualClock::Advance(Duration duration) {
  Duration::rep now = now_.load(std::memory_order_relaxed);
  if (duration <= Duration::zero()) return Time(Duration(now));
  Time later;
  do {
    later = SaturatingAdd(Time(Duration(now)), duration);
  } while (!now_.compare_exchange_weak(now, later.time_since_epoch().count(),
                                       std::memory_order_release, std::memory_order_relaxed));
  return later;
}

}  // namespace freehold::testing
