// Does the simulator find what it is for? The core's mutants, one after the other.

#ifndef FREEHOLD_TESTS_SIM_SIM_MUTATIONS_H_
#define FREEHOLD_TESTS_SIM_SIM_MUTATIONS_H_

#include <cstdint>
#include <string>

namespace freehold {

// Runs the mutant of that name, or "all", on up to `seeds` seeds from the first until one finds it
// that passes without it, `jobs` mutants at a time, and prints a table. Exit status: 0 when every
// one was found, 1 otherwise, 2 for an unknown name or in a program without mutants.
int HuntMutations(const std::string& name, uint64_t first_seed, uint64_t seeds, unsigned jobs);

}  // namespace freehold

#endif  // FREEHOLD_TESTS_SIM_SIM_MUTATIONS_H_
