// What the pump role does for a NodeAgent: frees in, deletions, reports out, exclusions.

#include <algorithm>
#include <optional>
#include <utility>

#include "src/base/check.h"
#include "src/base/guarded_call.h"
#include "src/core/codec.h"
#include "src/runtime/node_agent_impl.h"

namespace freehold {

using core::CopyEffects;
using core::CopyRecord;
using core::CopyVerdict;
using internal::MutexLock;
using runtime::PeerIndex;

namespace copy_event = core::copy_event;

// --- Frees in ------------------------------------------------------------------------------------

// Takes the items of one payload from `from`.
class NodeAgent::Impl::PayloadTaker final : public core::PayloadSink {
 public:
  PayloadTaker(Impl* agent, PeerIndex from)
      : agent_(*agent), from_(from), is_process_(agent->endpoint_->AddressOf(from).is_process()) {}

  void OnFrees(uint32_t generation, uint32_t term, std::string_view ids) override {
    const size_t count = core::IdCount(ids);
    if (!is_process_) {
      refused_ += count;
      return;
    }
    for (size_t next = 0; next < count;) {
      CopyEffects effects;
      {
        MutexLock lock(&agent_.mutex_);
        for (const size_t end = std::min(count, next + kRecordsPerLock); next < end; ++next) {
          const copy_event::Free free{from_, core::IdAt(ids, next), generation, term};
          if (agent_.Step(free, &effects) == CopyVerdict::kRefused) ++refused_;
        }
      }
      agent_.Act(effects);
    }
  }
  // Only owners take these.
  void OnFreeResults(uint32_t, uint32_t, core::FreeResult, std::string_view ids) override {
    refused_ += core::IdCount(ids);
  }
  void OnFreeFailed(const core::FreeResultItem&) override { ++refused_; }
  void OnLocation(const core::LocationItem&) override { ++refused_; }
  // Only processes hold references.
  void OnSharing(const core::SharingItem&) override { ++refused_; }
  void OnLocationQuery(const core::LocationQueryItem&) override { ++refused_; }
  void OnLocationAnswer(const core::LocationAnswerItem& item) override {
    if (!agent_.queries_.OnAnswer(from_, item)) ++refused_;
  }
  void OnMovePrimary(const core::MovePrimaryItem&) override { ++refused_; }
  void OnMovePrimaryAck(const core::MovePrimaryAckItem& item) override {
    if (!is_process_) {
      ++refused_;
      return;
    }
    CopyEffects effects;
    {
      MutexLock lock(&agent_.mutex_);
      const copy_event::MoveAnswered answer{from_,       item.object, item.generation,
                                            item.number, item.answer, item.primary};
      if (agent_.table_.Step(answer, &effects) == CopyVerdict::kRefused) ++refused_;
    }
    agent_.Act(effects);
    evictable_.insert(evictable_.end(), effects.evict_first.begin(), effects.evict_first.end());
  }

  void OnDigestSums(absl::Span<const core::DigestSumsItem> items) override {
    refused_ += items.size();
  }
  void OnDigestCopies(absl::Span<const core::DigestCopiesItem> items) override {
    refused_ += items.size();
  }
  void OnDigestQuery(const core::DigestQueryItem& item) override {
    if (!is_process_) {
      ++refused_;
      return;
    }
    agent_.digests_.OnQueries(from_, item);
    agent_.endpoint_->MarkReady(from_);
  }
  void OnFile(const core::FileItem& item) override {
    if (!is_process_ || !agent_.OnFile(from_, item)) ++refused_;
  }
  void OnMoved(const core::MovedItem& item) override {
    if (!is_process_) {
      ++refused_;
      return;
    }
    const PeerIndex owner =
        item.owner.IsNil() ? from_ : agent_.endpoint_->Intern(Address(item.owner));
    const bool concerns_copies = owner != core::kNoPeer && agent_.OnMoved(from_, owner, item);
    // Asked before the answer leaves, which is at the end of this turn at the earliest.
    const bool answers_question =
        owner != core::kNoPeer && agent_.queries_.OnMoved(from_, item.object, owner, item.term);
    if (answers_question) agent_.endpoint_->MarkReady(owner);
    if (!concerns_copies && !answers_question) ++refused_;
  }
  // A node has no scopes.
  void OnScope(const core::ScopeItem& /*item*/) override { ++refused_; }
  void OnReportAgain(const core::ReportAgainItem& item) override {
    CopyEffects effects;
    const copy_event::ReportAgain again{from_, item.copy.object, item.copy.generation};
    CopyVerdict verdict = CopyVerdict::kRefused;
    {
      MutexLock lock(&agent_.mutex_);
      verdict = agent_.table_.Step(again, &effects);
    }
    if (verdict == CopyVerdict::kRefused) ++refused_;
    agent_.Act(effects);
  }

  uint64_t refused() const { return refused_; }
  // What the store is to be told of the whole payload.
  const std::vector<core::EvictableCopy>& evictable() const { return evictable_; }

 private:
  Impl& agent_;
  const PeerIndex from_;
  const bool is_process_;
  uint64_t refused_ = 0;
  std::vector<core::EvictableCopy> evictable_;
};

uint64_t NodeAgent::Impl::OnPayload(PeerIndex from, std::string_view payload, Time) {
  PayloadTaker taker(this, from);
  const core::CodecError error = core::ReadPayload(payload, &taker);
  FREEHOLD_CHECK(error == core::CodecError::kOk);  // the session has checked it
  if (!taker.evictable().empty()) TellStore(taker.evictable());
  return taker.refused();
}

bool NodeAgent::Impl::CanTake(PeerIndex from) {
  MutexLock lock(&mutex_);
  return phase_ == Phase::kRunning &&
         table_.replies_waiting(from) + files_.answers_waiting(from) <= kRepliesWaitingMax;
}

// --- Reports out ---------------------------------------------------------------------------------

bool NodeAgent::Impl::Fill(PeerIndex peer, core::PayloadWriter* writer) {
  class WriterSink final : public core::ReportSink {
   public:
    explicit WriterSink(core::PayloadWriter* to) : to_(to) {}
    bool Add(const core::FreeResultItem& item) override { return to_->Add(item); }
    bool Add(const core::LocationItem& item) override { return to_->Add(item); }
    bool Add(const core::MovePrimaryItem& item) override { return to_->Add(item); }
    bool Add(const core::SharingItem& item) override { return to_->Add(item); }

   private:
    core::PayloadWriter* const to_;
  };
  WriterSink sink(writer);
  // First, or reports that never end would keep it from being said.
  if (FillDigest(peer, writer) || FillFiles(peer, writer)) return true;
  for (;;) {
    core::PullVerdict verdict;
    core::DigestSum told;
    {
      MutexLock lock(&mutex_);
      verdict = table_.PullReports(peer, kRecordsPerLock, &sink);
      told = table_.Told(peer);
    }
    WatchOwner(peer, told);
    switch (verdict) {
      case core::PullVerdict::kEmpty:
        // After the reports: who asks in order to fetch must not be forgotten because of a removal
        // that came before its question.
        return queries_.Fill(peer, writer);
      case core::PullVerdict::kFull:
        return true;
      case core::PullVerdict::kMore:
        break;
    }
  }
}

// --- Deletions -----------------------------------------------------------------------------------

Time NodeAgent::Impl::Work(Time now) {
  const std::shared_ptr<Impl> keep = shared_from_this();  // the store may destroy the agent
  SweepOnce();
  const std::vector<CopyToDelete> batch = TakeBatch(now);
  if (!batch.empty()) DeleteBatch(batch, now);
  DeleteFiles(now);
  wakeup_->Wake();
  const Time next_digest = MarkDigestsDue(now);
  MutexLock lock(&mutex_);
  return std::min({table_.NextWork(), files_.NextWork(), next_digest});
}

void NodeAgent::Impl::SweepOnce() {
  MutexLock lock(&mutex_);
  if (!table_.sweeping()) return;
  CopyEffects effects;  // a sweep makes nobody ready, and Work goes on to the store anyway
  const CopyVerdict verdict = Step(copy_event::Sweep{kRecordsPerLock}, &effects);
  FREEHOLD_CHECK(verdict == CopyVerdict::kOk || verdict == CopyVerdict::kMore);
}

std::vector<CopyToDelete> NodeAgent::Impl::TakeBatch(Time now) {
  std::vector<CopyToDelete> batch;
  const auto take = [&batch](const CopyRecord& copy) {
    batch.push_back({copy.object, copy.generation, copy.size, copy.in_memory, copy.spilled_url()});
  };
  uint32_t room = options_.delete_batch_max;
  while (room > 0) {
    MutexLock lock(&mutex_);
    const uint32_t piece = std::min(room, kRecordsPerLock);
    const uint32_t taken = table_.TakeDeletes(now, piece, take);
    room -= taken;
    if (taken < piece) break;
  }
  return batch;
}

void NodeAgent::Impl::DeleteBatch(const std::vector<CopyToDelete>& batch, Time now) {
  const std::vector<absl::Status> statuses = AskStore(batch);
  std::string first_failure;
  size_t failures = 0;
  for (size_t next = 0; next < batch.size();) {
    CopyEffects effects;
    {
      MutexLock lock(&mutex_);
      for (const size_t end = std::min(batch.size(), next + kRecordsPerLock); next < end; ++next) {
        const CopyToDelete& copy = batch[next];
        if (statuses[next].ok()) {
          (void)Step(copy_event::Deleted{copy.object, copy.generation}, &effects);
          continue;
        }
        const std::string why = statuses[next].ToString();
        const copy_event::DeleteFailed failed{copy.object, copy.generation, why, now,
                                              random_.Next()};
        if (Step(failed, &effects) != CopyVerdict::kOk) continue;  // nothing new
        if (failures++ == 0) first_failure = copy.object.ToHex() + ": " + why;
      }
    }
    Act(effects);
  }
  if (failures > 0) LogFailures(first_failure, failures);
}

// One status per copy, whatever the store answers.
std::vector<absl::Status> NodeAgent::Impl::AskStore(const std::vector<CopyToDelete>& batch) {
  std::vector<absl::Status> statuses;
  if (options_.store == nullptr) {
    statuses.resize(batch.size());
    return statuses;
  }
  {
    MutexLock lock(&mutex_);
    ++store_calls_;
  }
  const std::optional<std::string> thrown =
      internal::CallGuarded([&] { statuses = options_.store->Delete(batch); });
  if (thrown.has_value()) {
    statuses.assign(batch.size(), absl::InternalError("ObjectStore::Delete threw " + *thrown));
  }
  statuses.resize(batch.size(), absl::InternalError("ObjectStore::Delete gave no status for it"));
  return statuses;
}

// A hint: a store that throws instead of taking it has the copies deleted later all the same.
void NodeAgent::Impl::TellStore(const std::vector<core::EvictableCopy>& copies) {
  if (options_.store == nullptr) return;
  const std::shared_ptr<Impl> keep = shared_from_this();  // the store may destroy the agent
  std::vector<CopyToEvict> hints;
  hints.reserve(copies.size());
  for (const core::EvictableCopy& copy : copies) {
    hints.push_back({copy.object, copy.generation, copy.size});
  }
  const std::optional<std::string> thrown =
      internal::CallGuarded([&] { options_.store->EvictFirst(hints); });
  if (!thrown.has_value()) return;
  (void)internal::CallGuarded([&] {
    logger_.Log(LogLevel::kWarning, "ObjectStore::EvictFirst of " +
                                        Address(options_.node).ToString() + " threw " + *thrown);
  });
}

void NodeAgent::Impl::LogFailures(const std::string& first, size_t count) {
  (void)internal::CallGuarded([&] {
    logger_.Log(LogLevel::kWarning, "the store of " + Address(options_.node).ToString() +
                                        " failed to delete " + std::to_string(count) +
                                        " copies; they are tried again. The first: object " +
                                        first);
  });
}

// --- Exclusions ----------------------------------------------------------------------------------

void NodeAgent::Impl::OnView(uint64_t version, const std::vector<PeerIndex>& excluded) {
  CopyEffects effects;
  {
    MutexLock lock(&mutex_);
    // A grace comes for the first view as well; of a membership's barrier that is not certain.
    const bool joining = !heard_first_view_ && options_.orphan_grace == Duration::zero();
    const copy_event::View view{version, excluded, joining};
    (void)Step(view, &effects);  // a repeated notice changes nothing
    files_.OnView(version, excluded);
  }
  heard_first_view_ = true;
  for (const PeerIndex peer : excluded) digests_.Forget(peer);
  queries_.OnView(version, excluded);
  Act(effects);
}

void NodeAgent::Impl::OnBarrier(uint64_t version) {
  CopyEffects effects;
  {
    MutexLock lock(&mutex_);
    (void)Step(copy_event::Barrier{version}, &effects);  // as above
    files_.OnBarrier(version);
  }
  queries_.OnBarrier(version);
  Act(effects);
}

void NodeAgent::Impl::OnSelfExcluded() {
  CopyEffects effects;
  {
    MutexLock lock(&mutex_);
    excluded_ = true;
    (void)Step(copy_event::SelfExcluded{}, &effects);  // as above
    files_.OnSelfExcluded();
  }
  queries_.OnSelfExcluded();
  Act(effects);
}

}  // namespace freehold
