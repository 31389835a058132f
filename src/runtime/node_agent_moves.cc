// What a NodeAgent asks and hears of moves of the primary, and hears of objects that move to
// another owner.

#include <utility>
#include <vector>

#include "src/core/codec.h"
#include "src/runtime/move_jobs.h"
#include "src/runtime/node_agent_impl.h"

namespace freehold {

using core::CopyEffects;
using core::CopyVerdict;
using internal::MutexLock;

absl::Status NodeAgent::Impl::MovePrimary(const ObjectId& object, uint32_t generation,
                                          const NodeId& from, MoveCallback callback) {
  const std::string name = NameOf(object, generation);
  if (from == options_.node) {
    return absl::InvalidArgumentError("MovePrimary: " + name + ": `from` must be another node");
  }
  if (options_.transport == nullptr) {
    return absl::FailedPreconditionError("MovePrimary: " + name + ": needs the option `transport`");
  }
  if (callback && options_.executor == nullptr) {
    return absl::FailedPreconditionError("MovePrimary: " + name + ": a callback needs the option " +
                                         "`executor`");
  }
  CopyEffects effects;
  CopyVerdict verdict;
  {
    MutexLock lock(&mutex_);
    if (absl::Status open = CheckOpen(Call::kBegins); !open.ok()) return open;
    const uint64_t number = last_move_ + 1;
    verdict =
        table_.Step(core::copy_event::MovePrimary{object, generation, from, number}, &effects);
    if (verdict == CopyVerdict::kOk) {
      last_move_ = number;
      if (callback) moves_[number] = {object, std::move(callback)};
    }
  }
  Act(effects);
  return ToStatus(verdict, "MovePrimary", name);
}

void NodeAgent::Impl::TellOfMoves(const CopyEffects& effects) {
  std::vector<std::pair<AwaitedMove, MoveResult>> ended;
  {
    MutexLock lock(&mutex_);
    for (const core::EndedMove& move : effects.moves) {
      const auto found = moves_.find(move.number);
      if (found == moves_.end()) continue;  // nobody waits for it
      ended.emplace_back(std::move(found->second), move.result);
      moves_.erase(found);
    }
  }
  for (auto& [move, result] : ended) {
    runtime::PostMoveResult(options_.executor.get(), &logger_, move.object,
                            std::move(move.callback), result);
  }
  if (!options_.on_promoted) return;
  for (const core::PromotedCopy& copy : effects.promoted) {
    runtime::PostPromoted(options_.executor.get(), &logger_, copy.object, copy.generation,
                          options_.on_promoted);
  }
}

bool NodeAgent::Impl::OnMoved(runtime::PeerIndex from, runtime::PeerIndex owner,
                              const core::MovedItem& item) {
  CopyEffects effects;
  CopyVerdict verdict;
  {
    MutexLock lock(&mutex_);
    verdict = Step(core::copy_event::Moved{from, item.object, owner, item.term}, &effects);
  }
  Act(effects);
  return verdict != CopyVerdict::kRefused;
}

// The end: nothing is heard any more.
void NodeAgent::Impl::AbandonMoves() {
  absl::btree_map<uint64_t, AwaitedMove> ended;
  {
    MutexLock lock(&mutex_);
    ended.swap(moves_);
  }
  MoveResult result;
  result.outcome = MoveOutcome::kAbandoned;
  for (auto& [number, move] : ended) {
    runtime::PostMoveResult(options_.executor.get(), &logger_, move.object,
                            std::move(move.callback), result);
  }
}

}  // namespace freehold
