// The miniature runtime: one process that owns every object, and nodes with a store and an agent
// each, over the local transport.
//
// Everything is run by the driver's thread, turn by turn: between the tasks of the jobs each end
// that has something to do pumps once. The library reads a clock that moves on by a fixed step with
// each turn. So the same input gives the same envelopes, evictions and losses; only what is
// measured in seconds differs. A host with threads sets `start_pump_thread` (examples/pipeline).
//
// Thread safety: for one thread. Blocks: only Finish. Ownership: the ledger is borrowed.
// Errors: those of the stores and the library; Internal when the two contradict each other, or when
// something is left at the end.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_CLUSTER_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_CLUSTER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "evicting_store.h"
#include "freehold/callback_executor.h"
#include "freehold/clock.h"
#include "freehold/membership.h"
#include "freehold/node_agent.h"
#include "freehold/reference_counter.h"
#include "freehold/transport.h"
#include "ledger.h"

namespace batch_jobs {

// What the ends have counted.
struct Traffic {
  uint64_t envelopes = 0;  // that the owner sent: all that it has to say is frees
  uint64_t frees = 0;      // in them
  uint64_t store_calls = 0;
  uint64_t out_of_scope = 0;  // objects
};

class Cluster {
 public:
  struct Options {
    size_t nodes = 0;
    uint64_t store_bytes = 0;  // of all nodes together
    Ledger* ledger = nullptr;
  };

  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const Options& options);
  ~Cluster();

  freehold::ReferenceCounter& owner() { return *owner_; }

  // The value of an object that is declared: put where there is most room, or on the nodes in turn
  // when all are full. A value that was lost is recreated by this, as its next generation.
  absl::Status Put(const freehold::ObjectId& object, std::string bytes);
  // The node that has it; none when it was thrown out.
  absl::StatusOr<std::optional<size_t>> Find(const freehold::ObjectId& object);

  // Keeps a value readable: from frees by the agent's lease, from the store by a pin.
  class Reading {
   public:
    Reading(EvictingStore* store, const freehold::ObjectId& object, freehold::ReadLease lease)
        : store_(store), object_(object), lease_(std::move(lease)), bytes_(store->Pin(object)) {}
    Reading(Reading&& other) noexcept
        : store_(std::exchange(other.store_, nullptr)),
          object_(other.object_),
          lease_(std::move(other.lease_)),
          bytes_(other.bytes_) {}
    Reading& operator=(Reading&&) = delete;
    ~Reading() {
      if (store_ != nullptr) store_->Unpin(object_);
    }
    std::string_view bytes() const { return bytes_; }

   private:
    EvictingStore* store_;
    freehold::ObjectId object_;
    freehold::ReadLease lease_;
    std::string_view bytes_;
  };
  // `node`: as Find answered.
  absl::StatusOr<Reading> Read(size_t node, const freehold::ObjectId& object);

  // Each end that has something to do does it once.
  void Turn();
  // Turns until nobody has anything to do any more.
  absl::Status Settle();
  // Settles, and shuts everything down; nothing may be left.
  absl::StatusOr<Traffic> Finish();

 private:
  // Moves on by a step with each turn.
  class StepClock final : public freehold::Clock {
   public:
    freehold::Time Now() const override { return now_; }
    void Step() { now_ += std::chrono::microseconds(100); }

   private:
    freehold::Time now_{std::chrono::seconds(1)};
  };
  struct Node {
    std::unique_ptr<EvictingStore> store;
    std::unique_ptr<freehold::NodeAgent> agent;  // after the store that it deletes from
  };

  Cluster() = default;
  absl::Status StartOwner();
  absl::Status StartNode(uint64_t number, uint64_t store_bytes, Ledger* ledger);
  // The node for a new value.
  Node& Place(uint64_t bytes);
  // Answers whether somebody had something to do.
  bool PumpOnce();

  StepClock clock_;
  freehold::LocalTransport transport_;
  freehold::LocalMembership membership_;
  std::shared_ptr<freehold::CallbackThread> executor_;
  std::vector<Node> nodes_;
  std::unique_ptr<freehold::ReferenceCounter> owner_;
  const Ledger* ledger_ = nullptr;
  size_t next_node_ = 0;
};

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_CLUSTER_H_
