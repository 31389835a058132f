#include "src/testing/sim_sharing.h"

#include "src/testing/sim_oracle.h"

namespace freehold::testing::sim {

void LookAtBorrowers(Oracle*, const State&, const Object&) {}

bool ExplainedAtBorrower(Oracle*, const State&, const Process&, Object*, const absl::Status&) {
  return false;
}

void CheckSharingEmpty(Oracle*, const Process&) {}

void CoverSharingCrash(State*, const Process&, const std::string&) {}

bool ActSharing(Oracle*, State*, const Action&) { return false; }

void LoseTokens(Oracle*, State*) {}

}  // namespace freehold::testing::sim
