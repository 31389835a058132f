#include "freehold/node_agent.h"
#include "src/runtime/inside.h"
#include "src/runtime/node_agent_impl.h"

namespace freehold::runtime {

std::vector<uint64_t> Inside::CountVerdicts(const NodeAgent& agent) {
  const auto counts = agent.impl_->CountVerdicts();
  return {counts.begin(), counts.end()};
}

}  // namespace freehold::runtime
