// Clocks and percentiles for what Google Benchmark does not time by itself.

#ifndef FREEHOLD_BENCH_TIMING_H_
#define FREEHOLD_BENCH_TIMING_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <vector>

namespace freehold::bench {

inline int64_t NanosecondsOf(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return int64_t{1'000'000'000} * now.tv_sec + now.tv_nsec;
}
inline int64_t RealNow() { return NanosecondsOf(CLOCK_MONOTONIC); }
// Time that this thread was on a processor: other programs do not count.
inline int64_t ThreadCpuNow() { return NanosecondsOf(CLOCK_THREAD_CPUTIME_ID); }

// The value that a share of `part` of the values does not exceed; 0 when there is none.
template <typename T>
T Percentile(std::vector<T> values, double part) {
  if (values.empty()) return T{};
  const size_t at =
      std::min(values.size() - 1, static_cast<size_t>(part * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

inline double PerSecond(size_t count, int64_t nanoseconds) {
  return 1e9 * static_cast<double>(count) / static_cast<double>(nanoseconds);
}

}  // namespace freehold::bench

#endif  // FREEHOLD_BENCH_TIMING_H_
