// How far apart the lines of a chart's grid are.
//
// Thread safety: a pure function.

#ifndef FREEHOLD_EXAMPLES_COMMON_NICE_STEP_H_
#define FREEHOLD_EXAMPLES_COMMON_NICE_STEP_H_

#include <cmath>

namespace examples {

// 1, 2 or 5 times a power of ten, so that about `count` steps reach `maximum`.
inline double NiceStep(double maximum, double count) {
  const double raw = maximum / count;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (raw <= factor * power) return factor * power;
  }
  return 10 * power;
}

}  // namespace examples

#endif  // FREEHOLD_EXAMPLES_COMMON_NICE_STEP_H_
