// A small random number generator, for jitter.
//
// SplitMix64: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number Generators" (2014).
// The same seed gives the same numbers everywhere. Not for secrets.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_BASE_RANDOM_H_
#define FREEHOLD_SRC_BASE_RANDOM_H_

#include <cstdint>

namespace freehold::internal {

class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}

  // Uniform over all 64-bit values.
  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15u;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_RANDOM_H_
