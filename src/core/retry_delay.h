// When what has failed is tried again.
//
// Thread safety: a pure function.

#ifndef FREEHOLD_SRC_CORE_RETRY_DELAY_H_
#define FREEHOLD_SRC_CORE_RETRY_DELAY_H_

#include <cstdint>

#include "freehold/clock.h"

namespace freehold::core {

// After `failures` in a row, at least 1: `delay_min`, doubled each time up to `delay_max`, plus up
// to half of itself at random.
inline Time RetryAt(Time now, uint32_t failures, Duration delay_min, Duration delay_max,
                    uint64_t random) {
  Duration delay = delay_min;
  for (uint32_t i = 1; i < failures && delay < delay_max; ++i) {
    delay = delay > delay_max / 2 ? delay_max : 2 * delay;
  }
  const uint64_t jitter = random % (static_cast<uint64_t>(delay.count() / 2) + 1);
  return SaturatingAdd(SaturatingAdd(now, delay), Duration(static_cast<int64_t>(jitter)));
}

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_RETRY_DELAY_H_
