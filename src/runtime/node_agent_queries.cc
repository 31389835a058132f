// What a NodeAgent is asked, and what it asks owners.

#include <utility>

#include "src/runtime/node_agent_impl.h"

namespace freehold {

using core::CopyRecord;
using core::CopyState;
using internal::MutexLock;
using runtime::PeerIndex;

// --- What is here --------------------------------------------------------------------------------

// `copy.owner` is left to the caller: the endpoint is asked without our lock.
NodeCopyStatus NodeAgent::Impl::StatusOf(const CopyRecord& copy) const {
  NodeCopyStatus status;
  status.copy.object = copy.object;
  status.copy.generation = copy.generation;
  status.copy.role = copy.role;
  status.copy.size = copy.size;
  status.fetching = copy.state == CopyState::kFetching || copy.state == CopyState::kDoomedByFetch;
  status.in_memory = copy.in_memory;
  status.doomed = core::IsFreed(copy.state);
  status.readers = copy.readers;
  status.spilled_url = copy.spilled_url();
  status.reach = copy.is_shared() ? FileReach::kShared : FileReach::kNode;
  return status;
}

std::vector<NodeCopyStatus> NodeAgent::Impl::Find(const ObjectId& object) const {
  std::vector<NodeCopyStatus> found;
  std::vector<PeerIndex> owners;
  {
    MutexLock lock(&mutex_);
    table_.ForEachGeneration(object, [&](const CopyRecord& copy) {
      found.push_back(StatusOf(copy));
      owners.push_back(copy.owner);
    });
  }
  for (size_t i = 0; i < found.size(); ++i) {
    found[i].copy.owner = endpoint_->AddressOf(owners[i]).process();
  }
  return found;
}

// One piece of records under the lock at a time. `only`: of that owner; kNoPeer: of all.
std::vector<NodeCopyStatus> NodeAgent::Impl::List(PeerIndex only) const {
  std::vector<NodeCopyStatus> found;
  std::vector<NodeCopyStatus> piece;  // which does not grow under the lock
  std::vector<PeerIndex> owners;
  piece.reserve(kRecordsPerLock);
  owners.reserve(kRecordsPerLock);
  for (uint32_t from = 0; from != core::kNoCopy;) {
    {
      MutexLock lock(&mutex_);
      from = table_.VisitCopies(from, kRecordsPerLock, [&](const CopyRecord& copy) {
        if (only != core::kNoPeer && copy.owner != only) return;
        piece.push_back(StatusOf(copy));
        owners.push_back(copy.owner);
      });
    }
    for (size_t i = 0; i < piece.size(); ++i) {
      piece[i].copy.owner = endpoint_->AddressOf(owners[i]).process();
      found.push_back(std::move(piece[i]));
    }
    piece.clear();
    owners.clear();
  }
  return found;
}

std::vector<NodeCopyStatus> NodeAgent::Impl::Copies() const { return List(core::kNoPeer); }

std::vector<NodeCopyStatus> NodeAgent::Impl::CopiesOwnedBy(const ProcessId& owner) const {
  const PeerIndex peer = endpoint_->Find(owner);
  return peer == core::kNoPeer ? std::vector<NodeCopyStatus>() : List(peer);
}

std::vector<OwnedCopies> NodeAgent::Impl::Owners() const {
  std::vector<OwnedCopies> owners;
  std::vector<PeerIndex> peers;
  {
    MutexLock lock(&mutex_);
    table_.ForEachOwner([&](PeerIndex peer, uint64_t copies, uint64_t bytes) {
      owners.push_back({ProcessId(), copies, bytes});
      peers.push_back(peer);
    });
  }
  for (size_t i = 0; i < owners.size(); ++i) {
    owners[i].owner = endpoint_->AddressOf(peers[i]).process();
  }
  return owners;
}

// --- What owners are asked -----------------------------------------------------------------------

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
