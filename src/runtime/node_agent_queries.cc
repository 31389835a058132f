// What a NodeAgent asks owners.

#include <utility>

#include "src/runtime/node_agent_impl.h"

namespace freehold {

using internal::MutexLock;
using runtime::PeerIndex;

absl::StatusOr<uint64_t> NodeAgent::Impl::QueryLocations(const LocationQuery& query,
                                                         LocationCallback callback) {
  {
    MutexLock lock(&mutex_);
    if (absl::Status open = CheckOpen(Call::kBegins); !open.ok()) return open;
  }
  if (query.owner.IsNil()) {
    return absl::InvalidArgumentError("LocationQuery.owner must be given at a node agent");
  }
  if (!query.fetch_to.IsNil() && query.fetch_to != options_.node) {
    return absl::InvalidArgumentError("a node agent asks for its own node");
  }
  const PeerIndex owner = endpoint_->Intern(Address(query.owner));
  if (owner == core::kNoPeer) {
    return absl::ResourceExhaustedError("too many nodes and processes were ever seen");
  }
  absl::StatusOr<uint64_t> number = queries_.Ask(owner, query, std::move(callback));
  if (number.ok()) endpoint_->MarkReady(owner);
  return number;
}

bool NodeAgent::Impl::CancelQuery(uint64_t number) {
  PeerIndex owner = core::kNoPeer;
  if (!queries_.Cancel(number, &owner)) return false;
  endpoint_->MarkReady(owner);
  return true;
}

}  // namespace freehold
