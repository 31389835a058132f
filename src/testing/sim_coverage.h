// What must happen in simulated worlds, by the names under which it is counted, so that what never
// happens is a row of the table and not a row that is missing.
//
// Thread safety: functions of their arguments.

#ifndef FREEHOLD_SRC_TESTING_SIM_COVERAGE_H_
#define FREEHOLD_SRC_TESTING_SIM_COVERAGE_H_

#include <string>
#include <vector>

#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

// Every kind of item and answer on the wire, every verdict that a world can bring about, an end
// that crashes, is suspected or leaves at each step of PROTOCOL.md, and each kind of world.
std::vector<std::string> ExpectedCoverage();

// Counts how the tables of an end have answered. To be called once for each end.
void CoverVerdicts(State* state, const End& end);
// Counts what kind of world it is.
void CoverWorld(State* state);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_COVERAGE_H_
