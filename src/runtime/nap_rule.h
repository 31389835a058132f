// NapRule: when the thread of a callback executor naps instead of parking.
//
// Whoever posts to a parked thread pays for waking it: several microseconds, and where both threads
// have one processor two switches for every few jobs. A nap nobody ends by posting: what comes
// meanwhile is one batch. So a thread that was woken several times in a row a moment after it had
// parked naps, and again for as long as jobs come during the whole nap. Where they do not, because
// whoever posts waits for what it has posted, or has nothing more, naps become rarer.
//
// Thread safety: thread-compatible. Pure.

#ifndef FREEHOLD_SRC_RUNTIME_NAP_RULE_H_
#define FREEHOLD_SRC_RUNTIME_NAP_RULE_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "freehold/clock.h"

namespace freehold::runtime {

class NapRule {
 public:
  // A nap is two of these.
  static constexpr Duration kHalf = std::chrono::microseconds(25);
  // A park of less than this is short.
  static constexpr Duration kShortPark = std::chrono::microseconds(20);
  // So many jobs in each half are worth a nap.
  static constexpr size_t kWorth = 4;
  // After so many short parks in a row it naps: at first, and at most.
  static constexpr uint32_t kShortParksMin = 8;
  static constexpr uint32_t kShortParksMax = 1024;

  bool ShouldNap() const { return short_parks_ >= short_parks_before_nap_; }
  void OnParked(Duration length) { short_parks_ = length < kShortPark ? short_parks_ + 1 : 0; }
  // The jobs that came in its halves.
  void OnNapped(size_t first, size_t second) {
    if (first >= kWorth && second >= kWorth) {
      short_parks_before_nap_ = kShortParksMin;
      return;
    }
    short_parks_ = 0;
    short_parks_before_nap_ = std::min(short_parks_before_nap_ * 2, kShortParksMax);
  }

 private:
  uint32_t short_parks_ = 0;
  uint32_t short_parks_before_nap_ = kShortParksMin;
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_NAP_RULE_H_
