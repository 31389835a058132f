// The end of a NodeAgent: drain, stop, say what is left.

#include <algorithm>
#include <utility>

#include "src/base/check.h"
#include "src/runtime/node_agent_impl.h"

namespace freehold {

using core::CopyRecord;
using core::CopyState;
using internal::MutexLock;

namespace {

// Turns without progress on a clock that stands still, after which a host-pumped drain ends: no
// further turn could do anything.
constexpr int kStalledTurnsMax = 3;
// A drain looks at least this often, in real time: not all that it waits for wakes it.
constexpr Duration kLookAgain = std::chrono::milliseconds(10);

// Why a freed copy is still here.
std::string WhyLeft(const CopyRecord& copy) {
  switch (copy.state) {
    case CopyState::kDoomedByReaders:
      return "has " + std::to_string(copy.readers) + " readers";
    case CopyState::kDoomedByFetch:
      return "is still being fetched";
    case CopyState::kToDelete:
      return copy.why().empty() ? "was not handed to the store in time" : copy.why();
    case CopyState::kDeleting:
    case CopyState::kDeletingAgain:
      return copy.why().empty() ? "the store did not answer in time" : copy.why();
    case CopyState::kDeleteFailed:
      return copy.why();
    case CopyState::kFetching:
    case CopyState::kHeld:
    case CopyState::kGone:
      break;
  }
  FREEHOLD_CHECK(false);
}

}  // namespace

void NodeAgent::Impl::Wakeup::Wake() {
  MutexLock lock(&mutex);
  woken = true;
  changed.NotifyAll();
}

void NodeAgent::Impl::Wakeup::Wait(Duration timeout) {
  MutexLock lock(&mutex);
  if (!woken) changed.WaitFor(&mutex, timeout);
  woken = false;
}

NodeAgent::Impl::Progress NodeAgent::Impl::GetProgress() const {
  const SessionStats sessions = endpoint_->GetStats();
  MutexLock lock(&mutex_);
  const core::CopyTable::Stats& table = table_.stats();
  const core::CarriedFiles::Stats& files = files_.stats();
  return {table.doomed,
          table.deletes_pending,
          table.reports_waiting,
          store_calls_,
          sessions.envelopes_received,
          endpoint_->unacked_envelopes(),
          files.deletes,
          files.deleted};
}

// What was under way moves from the table to the endpoint, never back: the table is looked at
// first.
bool NodeAgent::Impl::Drained() const {
  {
    MutexLock lock(&mutex_);
    if (table_.AnyFreed() || table_.sweeping() || table_.stats().reports_waiting > 0) return false;
    if (files_.deleting() || files_.stats().answers > 0) return false;
  }
  return endpoint_->Idle();
}

void NodeAgent::Impl::Drain(Time deadline, Duration timeout) {
  const Clock& real = Clock::Monotonic();
  const Time real_deadline = SaturatingAdd(real.Now(), timeout);
  int stalled = 0;
  while (!Drained()) {
    const Time before = clock_.Now();
    if (before >= deadline || real.Now() >= real_deadline) return;
    const Progress progress = GetProgress();
    endpoint_->Pump(before);
    if (GetProgress() != progress) {
      stalled = 0;
      continue;
    }
    const Time now = clock_.Now();
    if (!options_.start_pump_thread && now == before) {
      if (++stalled >= kStalledTurnsMax) return;
      continue;
    }
    const Time next = std::min(endpoint_->NextDeadline(), deadline);
    const Duration until_next = next > now ? next - now : Duration::zero();
    wakeup_->Wait(std::clamp<Duration>(until_next, std::chrono::milliseconds(1), kLookAgain));
  }
}

NodeAgent::ShutdownReport NodeAgent::Impl::Shutdown(Duration timeout) {
  const std::shared_ptr<Impl> keep = shared_from_this();  // the store may destroy the agent
  {
    MutexLock lock(&mutex_);
    if (shutdown_called_) return {};
    shutdown_called_ = true;
  }
  const bool graceful = timeout > Duration::zero();
  const Time deadline = graceful ? SaturatingAdd(clock_.Now(), timeout) : kInfinitePast;
  if (graceful) endpoint_->Pump(clock_.Now());  // takes the frees that have arrived by now
  {
    MutexLock lock(&mutex_);
    phase_ = Phase::kDraining;
  }
  if (graceful) Drain(deadline, timeout);
  endpoint_->Stop(/*leave_membership=*/true);
  {
    MutexLock lock(&mutex_);
    phase_ = Phase::kStopped;
  }
  queries_.Close();
  AbandonMoves();
  return ReportLeftovers();
}

NodeAgent::ShutdownReport NodeAgent::Impl::ReportLeftovers() const {
  ShutdownReport report;
  report.unreported = endpoint_->unacked_envelopes();
  MutexLock lock(&mutex_);
  report.unreported += table_.stats().reports_waiting + files_.stats().answers;
  for (const CopyRecord* copy : table_.Freed()) {
    Undeleted left;
    left.object = copy->object;
    left.generation = copy->generation;
    left.outcome = copy->why().empty() ? FreeOutcome::kShutDown : FreeOutcome::kStoreFailed;
    left.why = WhyLeft(*copy);
    report.undeleted.push_back(std::move(left));
  }
  ReportFilesLeft(&report);
  return report;
}

}  // namespace freehold
