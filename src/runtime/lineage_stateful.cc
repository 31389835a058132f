// LineageKeeper: stateful tasks; and the host's handle on them.

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/reference_counter.h"
#include "freehold/stateful.h"
#include "src/runtime/counter_impl.h"

namespace freehold {
namespace runtime {

using core::LineageEffects;
using core::LineageVerdict;
using core::StateChains;

namespace {

// Each is lost to a checkpoint that is made meanwhile, and the next one is shorter for it.
constexpr int kAttemptsMax = 8;

absl::Status Unknown(const TaskId& stateful) {
  return absl::NotFoundError(absl::StrCat("stateful task ", stateful.ToHex(),
                                          " was not opened, or has ended and is let go of"));
}

absl::Status Busy(const TaskId& stateful) {
  return absl::FailedPreconditionError(absl::StrCat("a call of stateful task ", stateful.ToHex(),
                                                    " is being recorded at this moment"));
}

}  // namespace

LineageVerdict LineageKeeper::ApplyToChains(
    absl::FunctionRef<LineageVerdict(StateChains&, LineageEffects*)> step) {
  LineageEffects effects;
  uint64_t budget = InlineBudget();
  LineageVerdict verdict;
  bool more;
  {
    internal::MutexLock lock(&mutex_);
    verdict = step(chains_, &effects);
    more = chains_.Work(&budget, &effects);
  }
  if (more || !effects.empty()) Act(&effects, more);
  return verdict;
}

// --- Steps ---------------------------------------------------------------------------------------

absl::Status LineageKeeper::OpenStateful(const TaskId& stateful, bool restartable) {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  if (stateful.IsNil()) return absl::InvalidArgumentError("the nil id names no task");
  internal::MutexLock lock(&mutex_);
  if (chains_.Step(core::event::OpenStateful{stateful, restartable}) == LineageVerdict::kOk) {
    return absl::OkStatus();
  }
  return absl::AlreadyExistsError(
      absl::StrCat("stateful task ", stateful.ToHex(), " was opened before"));
}

absl::StatusOr<uint64_t> LineageKeeper::RecordCall(const TaskId& stateful,
                                                   const LineageTask& call) {
  if (absl::Status checked = CheckTask(call); !checked.ok()) return checked;
  LineageVerdict verdict;
  {
    internal::MutexLock lock(&mutex_);
    verdict =
        chains_.Step(core::event::BeginCall{stateful, call.id, call.spec_bytes, call.retries});
  }
  if (verdict == LineageVerdict::kNotFound) return Unknown(stateful);
  if (verdict == LineageVerdict::kBusy) return Busy(stateful);
  if (verdict == LineageVerdict::kEnded) return Explain(verdict, stateful);
  if (verdict != LineageVerdict::kOk) return Explain(verdict, call.id);
  const absl::Status added = AddObjects(call);
  uint64_t state = 0;
  (void)ApplyToChains([&](StateChains& chains, LineageEffects* effects) {
    state = chains.Step(core::event::EndCall{stateful, call.id, added.ok()}, effects);
    return LineageVerdict::kOk;
  });
  if (!added.ok()) return added;
  return state;
}

absl::Status LineageKeeper::Checkpointed(const TaskId& stateful, uint64_t state) {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  bool known = false;
  const LineageVerdict verdict = ApplyToChains([&](StateChains& chains, LineageEffects* effects) {
    known = chains.LatestOf(stateful).has_value();
    return chains.Step(core::event::Checkpointed{stateful, state}, effects);
  });
  if (verdict != LineageVerdict::kNotFound) return Explain(verdict, stateful);
  if (!known) return Unknown(stateful);
  return absl::NotFoundError(absl::StrCat("stateful task ", stateful.ToHex(), " has no state ",
                                          state, ", or nobody needs it any more"));
}

absl::Status LineageKeeper::SetNotRestartable(const TaskId& stateful) {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  const LineageVerdict verdict = ApplyToChains([&](StateChains& chains, LineageEffects* effects) {
    return chains.Step(core::event::SetNotRestartable{stateful}, effects);
  });
  if (verdict == LineageVerdict::kNotFound) return Unknown(stateful);
  if (verdict == LineageVerdict::kBusy) return Busy(stateful);
  return Explain(verdict, stateful);
}

absl::Status LineageKeeper::EndStateful(const TaskId& stateful) {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  const LineageVerdict verdict = ApplyToChains([&](StateChains& chains, LineageEffects* effects) {
    return chains.Step(core::event::EndStateful{stateful}, effects);
  });
  if (verdict == LineageVerdict::kNotFound) return Unknown(stateful);
  if (verdict == LineageVerdict::kBusy) return Busy(stateful);
  return Explain(verdict, stateful);
}

// --- Questions -----------------------------------------------------------------------------------

// While it goes back in pieces, a checkpoint may let go of what lies before it: then it begins
// again.
std::optional<Replay> LineageKeeper::Replayed(
    absl::FunctionRef<std::optional<StateChains::Walk>(const StateChains&)> begin) const {
  std::optional<StateChains::Walk> walk;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    bool more = false;
    {
      internal::MutexLock lock(&mutex_);
      walk = begin(chains_);
      if (!walk.has_value()) return std::nullopt;
      more = chains_.Go(&*walk, CounterImpl::kPieceMax);
    }
    while (more) {
      internal::MutexLock lock(&mutex_);
      more = chains_.Go(&*walk, CounterImpl::kPieceMax);
    }
    if (walk->recovery != Recovery::kDeleted) break;
  }
  Replay replay;
  replay.recovery = walk->recovery;
  replay.state = walk->at.number;
  if (replay.recovery == Recovery::kPossible) {
    replay.calls.assign(walk->calls.rbegin(), walk->calls.rend());
  }
  return replay;
}

absl::StatusOr<Replay> LineageKeeper::ReplayTo(const ObjectId& object) const {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  Replay replay;
  replay.recovery = CanRecover(object);
  if (replay.recovery != Recovery::kPossible) return replay;
  std::optional<Replay> found =
      Replayed([&](const StateChains& chains) { return chains.WalkTo(object); });
  if (found.has_value()) return *std::move(found);
  return absl::FailedPreconditionError(absl::StrCat(
      "object ", object.ToHex(), " was made by a task that has no state: resubmit that"));
}

absl::StatusOr<Replay> LineageKeeper::ReplayToLatest(const TaskId& stateful) const {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  LineageVerdict why = LineageVerdict::kNotFound;
  std::optional<Replay> found = Replayed([&](const StateChains& chains) {
    if (chains.LatestOf(stateful).has_value()) {
      why = chains.HasEnded(stateful) ? LineageVerdict::kEnded : LineageVerdict::kNotRestartable;
    }
    return chains.WalkToLatest(stateful);
  });
  if (found.has_value()) return *std::move(found);
  return why == LineageVerdict::kNotFound ? Unknown(stateful) : Explain(why, stateful);
}

absl::StatusOr<StatefulStatus> LineageKeeper::StatusOf(const TaskId& stateful) const {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  StatefulStatus status;
  {
    internal::MutexLock lock(&mutex_);
    const std::optional<uint64_t> latest = chains_.LatestOf(stateful);
    if (!latest.has_value()) return Unknown(stateful);
    status.latest = *latest;
    status.ended = chains_.HasEnded(stateful);
    status.restartable = chains_.IsRestartable(stateful);
    status.states = chains_.CountStates(stateful);
  }
  for (uint64_t from = 0;; from = status.checkpoints.back() + 1) {
    std::vector<uint64_t> piece;
    {
      internal::MutexLock lock(&mutex_);
      piece = chains_.Checkpoints(stateful, from, CounterImpl::kPieceMax);
    }
    if (piece.empty()) return status;
    status.checkpoints.insert(status.checkpoints.end(), piece.begin(), piece.end());
  }
}

}  // namespace runtime

// --- The host's handle ---------------------------------------------------------------------------

StatefulTasks::StatefulTasks(const ReferenceCounter& counter)
    : counter_(Lineage(counter).counter_) {}

absl::Status StatefulTasks::Open(const TaskId& stateful, bool restartable) {
  return counter_->lineage().OpenStateful(stateful, restartable);
}

absl::StatusOr<uint64_t> StatefulTasks::Record(const TaskId& stateful, const LineageTask& call) {
  return counter_->lineage().RecordCall(stateful, call);
}

absl::Status StatefulTasks::Checkpointed(const TaskId& stateful, uint64_t state) {
  return counter_->lineage().Checkpointed(stateful, state);
}

absl::Status StatefulTasks::NotRestartable(const TaskId& stateful) {
  return counter_->lineage().SetNotRestartable(stateful);
}

absl::Status StatefulTasks::End(const TaskId& stateful) {
  return counter_->lineage().EndStateful(stateful);
}

absl::StatusOr<Replay> StatefulTasks::ReplayTo(const ObjectId& object) const {
  return counter_->lineage().ReplayTo(object);
}

absl::StatusOr<Replay> StatefulTasks::ReplayToLatest(const TaskId& stateful) const {
  return counter_->lineage().ReplayToLatest(stateful);
}

absl::StatusOr<StatefulStatus> StatefulTasks::GetStatus(const TaskId& stateful) const {
  return counter_->lineage().StatusOf(stateful);
}

}  // namespace freehold
