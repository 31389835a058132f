// CounterImpl: how it ends.

#include "src/core/codec.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/declarations.h"
#include "src/runtime/host_jobs.h"

namespace freehold::runtime {

void CounterImpl::StopTakingCalls() {
  open_.store(false, std::memory_order_release);
  for (const std::unique_ptr<Shard>& shard : shards_) {
    internal::MutexLock lock(&shard->mutex);
    shard->is_open = false;
  }
  lineage_.persists().End(WhyClosed());
}

ShutdownReport CounterImpl::Shutdown(ShutdownMode mode, Duration timeout) {
  const std::shared_ptr<CounterImpl> keep = shared_from_this();
  ShutdownReport report;
  if (stopping_.exchange(true, std::memory_order_acq_rel)) return report;
  StopTakingCalls();
  if (mode == ShutdownMode::kGraceful && !excluded()) {
    PumpUntil([this] { return FlushDone(); }, [] { return false; },
              SaturatingAdd(clock_.Now(), timeout));
  }
  report.unacknowledged_envelopes = endpoint_->unacked_envelopes();
  endpoint_->Stop(true);
  Close(&report);
  return report;
}

bool CounterImpl::FlushDone() const {
  if (deferred_drops_.load(std::memory_order_relaxed) != 0 || !scopes_.Idle()) return false;
  if (files_.AnyWithoutAgent()) return false;
  for (const std::unique_ptr<Shard>& shard : shards_) {
    internal::MutexLock lock(&shard->mutex);
    if (shard->table.unanswered_frees() != 0) return false;
  }
  return endpoint_->Idle();
}

// Where the host pumps everything from one thread with a clock of its own, nothing can come while
// we wait: a clock that stands still for long ends the wait as well.
void CounterImpl::PumpUntil(absl::FunctionRef<bool()> done, absl::FunctionRef<bool()> interrupted,
                            Time deadline) {
  constexpr auto kPoll = std::chrono::milliseconds(1);
  constexpr int kStandstillPolls = 200;
  int standstill = 0;
  Time last = clock_.Now();
  while (!excluded() && !done() && !interrupted()) {
    const Time now = clock_.Now();
    if (now >= deadline) return;
    standstill = now == last ? standstill + 1 : 0;
    if (standstill > kStandstillPolls) return;
    last = now;
    endpoint_->Pump(now);
    if (done()) return;
    internal::MutexLock lock(&flush_mutex_);
    (void)flush_progress_.WaitFor(&flush_mutex_, kPoll);
  }
}

void CounterImpl::CollectUndelivered(const Shard& shard, ShutdownReport* report) const {
  core::RecordIndex resume = 0;
  while (resume != core::kNoRecord) {
    resume = shard.VisitPiece(
        resume, kPieceMax, [&](const core::ObjectTable& table, const core::ObjectRecord& record) {
          report->objects_in_scope += record.in_scope() ? 1 : 0;
          for (const core::CopyFacts& facts : table.AllFacts(record)) {
            if (facts.free_state != core::FreeState::kWaiting &&
                facts.free_state != core::FreeState::kSent) {
              continue;
            }
            report->undelivered.push_back(
                {record.id(), NodeAt(facts.node), FreeOutcome::kShutDown});
          }
        });
  }
  internal::MutexLock lock(&shard.mutex);
  const core::NodeIndex& nodes = shard.table.nodes();
  for (PeerIndex node = 0; node < nodes.end(); ++node) {
    nodes.ForEachLateFree(node, [&](const core::FreeItem& item) {
      report->undelivered.push_back({item.object, NodeAt(node), FreeOutcome::kShutDown});
    });
  }
}

void CounterImpl::Close(ShutdownReport* report) {
  self_ = shared_from_this();
  remaining_.store(1, std::memory_order_relaxed);  // our own, so that zero comes last
  for (const std::unique_ptr<Shard>& shard : shards_) {
    CollectUndelivered(*shard, report);
    std::vector<core::Token> tokens;
    decltype(shard->declarations) declarations;
    {
      internal::MutexLock lock(&shard->mutex);
      shard->closed = true;
      tokens = shard->table.TakeAllTokens();
      std::swap(declarations, shard->declarations);
      // relaxed: under the lock that the droppers take first.
      remaining_.fetch_add(shard->outstanding, std::memory_order_relaxed);
    }
    for (const core::Token token : tokens) ReleaseToken(token);
    report->callbacks_dropped += tokens.size() + declarations.size();
  }
  queries_.Close();
  report->callbacks_dropped += watches_.Close();
  report->callbacks_dropped += scopes_.Close();
  report->callbacks_dropped += transfers_.Close();
  ReleaseRemaining(1);
}

void CounterImpl::ReleaseRemaining(uint64_t count) {
  // acq_rel: whoever comes last must see all that the others did before it destroys the shards.
  if (remaining_.fetch_sub(count, std::memory_order_acq_rel) == count) {
    const std::shared_ptr<CounterImpl> last = std::move(self_);
  }
}

}  // namespace freehold::runtime
