// Scenarios as text: the two lines that say what world it is, and the actions in it.
//
// Thread safety: pure functions. Errors: InvalidArgument names the line.

#ifndef FREEHOLD_SRC_TESTING_SIM_SCENARIO_H_
#define FREEHOLD_SRC_TESTING_SIM_SCENARIO_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "freehold/testing/sim_world.h"
#include "src/testing/sim_action.h"

namespace freehold::testing::sim {

struct Scenario {
  SimWorldOptions options;
  std::vector<Action> actions;
};

std::string HeaderText(const SimWorldOptions& options);
std::string ScenarioText(const Scenario& scenario);
absl::StatusOr<Scenario> ParseScenario(std::string_view text);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_SCENARIO_H_
