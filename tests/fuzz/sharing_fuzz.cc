// The core's sharing of references under fuzzed choices: bytes become events of several tables that
// share objects, every table checks its invariants after each step, and the oracle of
// tests/core/sharing_sim.h judges the world.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/core/sharing_sim.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  freehold::core::SharingCoverage coverage;
  freehold::core::SharingSim::Options options;
  options.choices = std::string_view(reinterpret_cast<const char*>(data), size);
  freehold::core::SharingSim sim(0, options, &coverage);
  if (sim.Run()) return 0;
  std::fprintf(stderr, "%s\n", sim.violation().c_str());
  for (const std::string& line : sim.trace()) std::fprintf(stderr, "  %s\n", line.c_str());
  std::abort();
}
