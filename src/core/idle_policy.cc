#include "freehold/idle_policy.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace freehold {

namespace {

absl::Status NotNegative(std::string_view name, Duration duration) {
  if (duration >= Duration::zero()) return absl::OkStatus();
  return absl::InvalidArgumentError(std::string(name) + " is negative");
}

bool IdleFor(Time idle_since, Duration threshold, Time now) {
  return SaturatingAdd(idle_since, threshold) <= now;
}

// Positions of those that `wanted` names, longest idle first, then by number.
template <typename State, typename Number, typename Wanted>
std::vector<size_t> LongestIdleFirst(absl::Span<const State> all, Number number, Wanted wanted) {
  std::vector<size_t> order;
  for (size_t i = 0; i < all.size(); ++i) {
    if (wanted(all[i])) order.push_back(i);
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    if (all[a].idle_since != all[b].idle_since) return all[a].idle_since < all[b].idle_since;
    return number(all[a]) < number(all[b]);
  });
  return order;
}

// The reason to keep a worker that has nothing to do with the others, or kIdleBeyondLimit.
WorkerReason OwnReason(const WorkerState& worker) {
  if (worker.for_io) return WorkerReason::kServesIo;
  if (worker.leaving) return WorkerReason::kLeavingAlready;
  if (!worker.idle) return WorkerReason::kBusy;
  return WorkerReason::kIdleBeyondLimit;
}

}  // namespace

std::string_view Explain(WorkerReason reason) {
  switch (reason) {
    case WorkerReason::kIdleBeyondLimit:
      return "more workers than the soft limit, and it has been idle longest";
    case WorkerReason::kBusy:
      return "it runs a task";
    case WorkerReason::kServesIo:
      return "it serves I/O and is not counted";
    case WorkerReason::kLeavingAlready:
      return "it has been told to leave";
    case WorkerReason::kIdleTooShort:
      return "idle for less than the threshold";
    case WorkerReason::kWithinSoftLimit:
      return "no more workers than the soft limit";
    case WorkerReason::kKeptWarm:
      return "kept warm for the next task";
    case WorkerReason::kOwnsObjects:
      return "it owns objects in scope and cannot be drained: ending it would lose them";
    case WorkerReason::kDisabled:
      return "the check interval is zero: idle workers are not ended";
  }
  return "unknown";
}

absl::StatusOr<IdleWorkerPolicy> IdleWorkerPolicy::Create(const IdleWorkerOptions& options,
                                                          uint32_t processors) {
  if (absl::Status s = NotNegative("idle_threshold", options.idle_threshold); !s.ok()) return s;
  if (absl::Status s = NotNegative("check_interval", options.check_interval); !s.ok()) return s;
  IdleWorkerOptions settled = options;
  if (settled.soft_limit == 0) settled.soft_limit = processors;
  if (settled.soft_limit == 0) {
    return absl::InvalidArgumentError("soft_limit is zero, and so is the number of processors");
  }
  return IdleWorkerPolicy(settled);
}

std::vector<WorkerDecision> IdleWorkerPolicy::Decide(Time now,
                                                     absl::Span<const WorkerState> workers) const {
  std::vector<WorkerDecision> decisions;
  decisions.reserve(workers.size());
  size_t running = 0;  // counted, and not told to leave
  for (const WorkerState& worker : workers) {
    decisions.push_back({worker.worker, WorkerAction::kKeep, OwnReason(worker)});
    if (!worker.for_io && !worker.leaving) ++running;
  }
  const auto candidate = [](const WorkerState& worker) {
    return OwnReason(worker) == WorkerReason::kIdleBeyondLimit;
  };
  const std::vector<size_t> order = LongestIdleFirst(
      workers, [](const WorkerState& worker) { return worker.worker; }, candidate);
  size_t idle = order.size();
  for (const size_t i : order) {
    const WorkerState& worker = workers[i];
    WorkerDecision* decision = &decisions[i];
    if (options_.check_interval == Duration::zero()) {
      decision->reason = WorkerReason::kDisabled;
    } else if (running <= options_.soft_limit) {
      decision->reason = WorkerReason::kWithinSoftLimit;
    } else if (idle <= options_.keep_warm) {
      decision->reason = WorkerReason::kKeptWarm;
    } else if (!IdleFor(worker.idle_since, options_.idle_threshold, now)) {
      decision->reason = WorkerReason::kIdleTooShort;
    } else if (worker.owned_in_scope != 0 && !worker.can_drain) {
      decision->reason = WorkerReason::kOwnsObjects;
    } else {
      decision->action = worker.owned_in_scope == 0 ? WorkerAction::kEnd : WorkerAction::kDrain;
      --running;
      --idle;
    }
  }
  return decisions;
}

Time IdleWorkerPolicy::NextCheck(Time last_check) const {
  if (options_.check_interval == Duration::zero()) return kInfiniteFuture;
  return SaturatingAdd(last_check, options_.check_interval);
}

std::vector<std::string> IdleWorkerPolicy::Risks(Duration worker_start) const {
  std::vector<std::string> risks;
  if (options_.check_interval == Duration::zero()) {
    risks.emplace_back("check_interval is zero: idle workers, and what they own, stay for ever");
    return risks;
  }
  const auto ms = [](Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  };
  if (options_.idle_threshold < worker_start) {
    risks.push_back(absl::StrCat("idle_threshold (", ms(options_.idle_threshold),
                                 " ms) is shorter than a worker takes to start (", ms(worker_start),
                                 " ms): a pause between two tasks costs a cold start"));
  }
  if (options_.check_interval > options_.idle_threshold &&
      options_.idle_threshold > Duration::zero()) {
    risks.push_back(
        absl::StrCat("check_interval (", ms(options_.check_interval),
                     " ms) is longer than idle_threshold: workers end up to that much later"));
  }
  if (options_.keep_warm > options_.soft_limit) {
    risks.push_back(absl::StrCat("keep_warm (", options_.keep_warm, ") is above soft_limit (",
                                 options_.soft_limit, "), which then has no effect"));
  }
  return risks;
}

std::string_view Explain(NodeReason reason) {
  switch (reason) {
    case NodeReason::kIdle:
      return "idle for longer than the timeout";
    case NodeReason::kDrained:
      return "drained: no copy and no owner is left on it";
    case NodeReason::kBusy:
      return "a worker on it runs a task";
    case NodeReason::kIdleTooShort:
      return "idle for less than the timeout";
    case NodeReason::kNodesMin:
      return "no more nodes than the minimum";
    case NodeReason::kSoleCopies:
      return "draining: copies that exist nowhere else are left on it";
    case NodeReason::kOwnsObjects:
      return "draining: owners of objects in scope are left on it";
    case NodeReason::kDisabled:
      return "the idle timeout is zero: idle nodes stay";
  }
  return "unknown";
}

absl::StatusOr<std::vector<NodeDecision>> DecideIdleNodes(const IdleNodeOptions& options, Time now,
                                                          absl::Span<const NodeState> nodes) {
  if (absl::Status s = NotNegative("idle_timeout", options.idle_timeout); !s.ok()) return s;
  std::vector<NodeDecision> decisions;
  decisions.reserve(nodes.size());
  size_t staying = 0;
  for (const NodeState& node : nodes) {
    NodeDecision decision{node.node, NodeAction::kKeep, NodeReason::kBusy};
    if (!node.draining) ++staying;
    if (node.draining && node.busy_workers == 0) {
      decision.reason = node.owned_in_scope != 0 ? NodeReason::kOwnsObjects
                        : node.sole_copies != 0  ? NodeReason::kSoleCopies
                                                 : NodeReason::kDrained;
      if (decision.reason == NodeReason::kDrained) decision.action = NodeAction::kRemove;
    }
    decisions.push_back(decision);
  }
  const std::vector<size_t> order = LongestIdleFirst(
      nodes, [](const NodeState& node) { return node.node; },
      [](const NodeState& node) { return !node.draining && node.busy_workers == 0; });
  for (const size_t i : order) {
    NodeDecision* decision = &decisions[i];
    if (options.idle_timeout == Duration::zero()) {
      decision->reason = NodeReason::kDisabled;
    } else if (staying <= options.nodes_min) {
      decision->reason = NodeReason::kNodesMin;
    } else if (!IdleFor(nodes[i].idle_since, options.idle_timeout, now)) {
      decision->reason = NodeReason::kIdleTooShort;
    } else {
      decision->action = NodeAction::kDrain;
      decision->reason = NodeReason::kIdle;
      --staying;
    }
  }
  return decisions;
}

}  // namespace freehold
