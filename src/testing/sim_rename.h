// Other names in a scenario, to make it easier to read.
//
// Thread safety: pure functions.

#ifndef FREEHOLD_SRC_TESTING_SIM_RENAME_H_
#define FREEHOLD_SRC_TESTING_SIM_RENAME_H_

#include <cstdint>
#include <set>

#include "src/testing/sim_scenario.h"

namespace freehold::testing::sim {

// Objects, tasks, callbacks, readers and tokens are counted from 1, in order of appearance.
Scenario Renumbered(const Scenario& scenario);
// The ends that the actions name, as in sim_text.h.
std::set<int64_t> EndsIn(const Scenario& scenario);
// `from` is called `to`, also in sets. What starts `to` is left out if it is there from the
// beginning.
Scenario WithEndRenamed(const Scenario& scenario, int64_t from, int64_t to);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_RENAME_H_
