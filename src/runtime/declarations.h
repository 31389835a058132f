// Declarations: owner at creation (declare_for.h), between the calls, the tables and the wire.
//
// Thread safety: thread-safe, as the CounterImpl that each works on. Blocks: WaitForOwner alone.

#ifndef FREEHOLD_SRC_RUNTIME_DECLARATIONS_H_
#define FREEHOLD_SRC_RUNTIME_DECLARATIONS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "freehold/declare_for.h"
#include "freehold/location.h"
#include "freehold/node_agent.h"
#include "freehold/object_ref.h"
#include "src/runtime/counter_impl.h"

namespace freehold::runtime {

class Declarations {
 public:
  static absl::StatusOr<ObjectRef> DeclareFor(CounterImpl* counter, const ProcessId& owner,
                                              const ObjectId& object, DeclareForOptions options);
  static absl::Status WaitForOwner(CounterImpl* counter, const ObjectId& object, Duration timeout);
  static absl::StatusOr<NodeCopy> CopyOf(const CounterImpl& counter, const ObjectId& object,
                                         CopyRole role, uint64_t size, uint32_t generation);
  // One more handle; null if it can have no more. REQUIRES: the shard's lock is held.
  static ObjectRef AddHandle(Shard* shard, core::ObjectRecord* record);
  // What became of one, in words.
  static absl::Status ToStatus(core::DeclareAnswer answer, const ObjectId& object);

  // Pump role. Another process declares an object for this one.
  static void Take(CounterImpl* counter, core::PeerIndex from, const core::SharingItem& item);
  // Takes the callables of those that have ended out of the shard.
  static void Prepare(Shard& shard, CounterImpl::AfterStep* after) FREEHOLD_REQUIRES(shard.mutex);
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_DECLARATIONS_H_
