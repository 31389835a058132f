#include "src/testing/sim_sharing.h"

#include "src/testing/sim_oracle.h"

namespace freehold::testing::sim {

bool ActSharing(Oracle*, State*, const Action&) { return false; }

void LoseTokens(Oracle*, State*) {}

void CheckBorrowerAnswer(Oracle*, const State&, const Process&, Object*, const absl::Status&) {}

void LookAtBorrowers(Oracle*, const State&, Object*) {}

void LookAtSharingAtRest(Oracle*, const State&, const Object&) {}

void CheckSharingEmpty(Oracle*, const Process&) {}

void CoverSharingCrash(State*, const Process&, const std::string&) {}

}  // namespace freehold::testing::sim
