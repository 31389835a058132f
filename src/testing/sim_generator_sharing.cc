// What the generator draws of references that cross processes.

#include "src/testing/sim_generator.h"

namespace freehold::testing::sim {

Action Generator::DrawSharing(Verb verb) { return {verb, {}}; }

void Generator::Plan() {}

}  // namespace freehold::testing::sim
