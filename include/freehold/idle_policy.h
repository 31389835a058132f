// Which idle workers of a pool may end, and when an idle node may be asked to drain.
//
// A worker that owns live objects takes them along when it ends. The policies here never name one
// that owns objects in scope, unless it can be drained first, and say why of every worker, so that
// a host can log what it did and what it left.
//
// The rules are those of the pools in use (ray-project/ray, src/ray/raylet/worker_pool.cc: soft
// limit, idle threshold, longest idle first), with the owner's question asked first
// (ray-project/ray#14408, #20554). Out of scope: how many workers start at once, and starting more.
//
// Thread safety: values, thread-compatible. Pure: no clock, no thread, nothing is ended here.
// Blocks: never. Costs: a decision sorts the idle workers.

#ifndef FREEHOLD_IDLE_POLICY_H_
#define FREEHOLD_IDLE_POLICY_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "freehold/clock.h"

namespace freehold {

struct IdleWorkerOptions {
  // Workers beyond this number may end; zero: the number of processors that Create is told.
  uint32_t soft_limit = 0;
  // Idle workers that stay, whatever the soft limit says.
  uint32_t keep_warm = 0;
  // Idle for less: stays. Not negative.
  Duration idle_threshold = std::chrono::seconds(1);
  // Between two decisions. Zero: no worker is ever ended. Not negative.
  Duration check_interval = std::chrono::milliseconds(200);
};

// What the host knows of one worker.
struct WorkerState {
  uint64_t worker = 0;              // the host's number for it
  bool for_io = false;              // serves I/O, runs no tasks: neither counted nor ended
  bool idle = false;                // runs no task and no actor
  bool leaving = false;             // told to drain or to end already
  Time idle_since = kInfinitePast;  // of an idle one
  uint64_t owned_in_scope = 0;      // ReferenceCounter::CountObjects(), borrowed ones apart
  bool can_drain = false;           // its host can wait for what it owns, or hand it over
};

enum class WorkerAction : uint8_t {
  kKeep,
  kEnd,    // owns nothing: may end now
  kDrain,  // owns objects in scope: drain it, end it when that is done
};

enum class WorkerReason : uint8_t {
  kIdleBeyondLimit,  // kEnd, kDrain: there are more than the soft limit, and it idles longest
  kBusy,             // the others: kKeep
  kServesIo,
  kLeavingAlready,
  kIdleTooShort,
  kWithinSoftLimit,
  kKeptWarm,
  kOwnsObjects,  // and cannot be drained
  kDisabled,     // the check interval is zero
};
// A sentence for a log line.
std::string_view Explain(WorkerReason reason);

struct WorkerDecision {
  uint64_t worker = 0;
  WorkerAction action = WorkerAction::kKeep;
  WorkerReason reason = WorkerReason::kBusy;
};

class IdleWorkerPolicy {
 public:
  // InvalidArgument names the option that is negative; also for no processors and no soft limit.
  static absl::StatusOr<IdleWorkerPolicy> Create(const IdleWorkerOptions& options,
                                                 uint32_t processors);

  // One decision for each worker, in the order given. What leaves already counts as gone. Of
  // workers idle since the same moment the one with the lower number goes first.
  std::vector<WorkerDecision> Decide(Time now, absl::Span<const WorkerState> workers) const;
  // When to decide again; kInfiniteFuture if never.
  Time NextCheck(Time last_check) const;
  // What these options risk: a sentence each, none if nothing. Ending workers early means that the
  // next task waits `worker_start` for a new one.
  std::vector<std::string> Risks(Duration worker_start) const;

  uint32_t soft_limit() const { return options_.soft_limit; }

 private:
  explicit IdleWorkerPolicy(const IdleWorkerOptions& options) : options_(options) {}
  IdleWorkerOptions options_;
};

// --- Nodes ------------------------------------------------------------------------------------

struct IdleNodeOptions {
  // A node where nothing ran for this long may be asked to drain. Zero: never. Not negative.
  Duration idle_timeout = std::chrono::minutes(5);
  // Nodes that stay.
  uint32_t nodes_min = 0;
};

struct NodeState {
  uint64_t node = 0;                // the host's number for it
  Time idle_since = kInfinitePast;  // no task ran there, nobody read there
  uint32_t busy_workers = 0;
  bool draining = false;
  // Copies in its store that exist nowhere else: drained nodes have none.
  uint64_t sole_copies = 0;
  uint64_t owned_in_scope = 0;  // by the workers on it
};

enum class NodeAction : uint8_t {
  kKeep,
  kDrain,   // move or spill its sole copies, drain the owners on it
  kRemove,  // it was draining, and nothing is left on it that somebody needs
};

enum class NodeReason : uint8_t {
  kIdle,     // kDrain
  kDrained,  // kRemove
  kBusy,     // the others: kKeep
  kIdleTooShort,
  kNodesMin,
  kSoleCopies,   // draining, and copies are left
  kOwnsObjects,  // draining, and owners are left
  kDisabled,
};
std::string_view Explain(NodeReason reason);

struct NodeDecision {
  uint64_t node = 0;
  NodeAction action = NodeAction::kKeep;
  NodeReason reason = NodeReason::kBusy;
};

// One decision for each node, in the order given; longest idle first. A node that is draining and
// busy again is kept (kBusy): its host may cancel the drain.
// Errors: InvalidArgument names the option that is negative.
absl::StatusOr<std::vector<NodeDecision>> DecideIdleNodes(const IdleNodeOptions& options, Time now,
                                                          absl::Span<const NodeState> nodes);

}  // namespace freehold

#endif  // FREEHOLD_IDLE_POLICY_H_
