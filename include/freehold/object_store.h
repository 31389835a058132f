// What the host of a node implements: delete these copies.
//
// Thread safety: both methods are called by the thread that pumps the NodeAgent, one call at a
// time, with no lock of the library held. They may block; nothing else of that agent proceeds
// meanwhile (peers retransmit, nothing is lost).

#ifndef FREEHOLD_OBJECT_STORE_H_
#define FREEHOLD_OBJECT_STORE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "freehold/ids.h"

namespace freehold {

// A copy that is to go wholly: the bytes in memory, the spilled file, or both, in one call. One
// that names a file alone may be of a node that is gone (FileReach::kShared): then the bytes that
// this node has of the same value, if any, are not meant.
struct CopyToDelete {
  ObjectId object;
  uint32_t generation = 0;
  uint64_t size = 0;
  bool in_memory = false;
  std::string spilled_url;  // empty: not spilled
};

// A copy that its owner can do without.
struct CopyToEvict {
  ObjectId object;
  uint32_t generation = 0;
  uint64_t size = 0;
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;
  // One status per copy, in order. Ok: the copy is physically gone (one that was not there counts
  // as gone: a repeated call must succeed). Anything else: the agent reports it and retries with
  // backoff. A missing status counts as Internal.
  virtual std::vector<absl::Status> Delete(absl::Span<const CopyToDelete> copies) = 0;
  // A hint (FreeMode::kEvictFirst): when space is needed, these are to go before all others, also
  // one that is the primary: it is protected no longer. The store tells the agent by
  // NodeAgent::DropCopy when one has gone, as ever; until then it is read like any other. Each copy
  // is named once, and may have gone already. The hint may be lost with the owner; what must be
  // deleted is always asked for by Delete. Default: ignored, the copies stay until they are deleted
  // or evicted in the store's own order.
  virtual void EvictFirst(absl::Span<const CopyToEvict> copies) { (void)copies; }
};

}  // namespace freehold

#endif  // FREEHOLD_OBJECT_STORE_H_
