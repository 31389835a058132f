// CounterImpl: what the pump does. The end is in counter_end.cc.

#include <algorithm>
#include <optional>
#include <utility>

#include "src/base/check.h"
#include "src/core/codec.h"
#include "src/core/object_table_declare.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_transfer.h"
#include "src/core/object_table_watches.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/declarations.h"
#include "src/runtime/host_jobs.h"
#include "src/runtime/keys_ahead.h"

namespace freehold::runtime {

// Applies the items of one payload. An item that its sender may not send changes nothing.
class CounterImpl::Sink final : public core::PayloadSink {
 public:
  Sink(CounterImpl* counter, PeerIndex from)
      : counter_(counter),
        from_(from),
        from_node_(counter->endpoint_->AddressOf(from).is_node_agent()) {}

  uint64_t refused() const { return refused_; }
  bool told() const { return told_; }  // what a WaitForOwner may wait for

  // Frees come from owners and go to node agents; a process takes none.
  void OnFrees(uint32_t, uint32_t, std::string_view ids) override {
    refused_ += core::IdCount(ids);
  }

  void OnFreeResults(uint32_t generation, uint32_t /*term*/, core::FreeResult result,
                     std::string_view ids) override {
    const size_t count = core::IdCount(ids);
    if (!from_node_) {
      refused_ += count;
      return;
    }
    const auto id_at = [&](size_t i) { return core::IdAt(ids, i); };
    (void)VisitAhead(*counter_, count, id_at, [&](const ObjectId& object, const KeyAhead& ahead) {
      Answered({object, ahead.hash}, ahead.shard, generation, result);
      return true;
    });
  }

  void OnFreeFailed(const core::FreeResultItem& item) override {
    if (!from_node_) {
      ++refused_;
      return;
    }
    const core::Key key = counter_->KeyOf(item.object);
    Answered(key, &counter_->ShardOf(key), item.generation, item.result);
  }

  void OnLocation(const core::LocationItem& item) override {
    if (!from_node_) {
      ++refused_;
      return;
    }
    const core::Key key = counter_->KeyOf(item.object);
    Shard& shard = counter_->ShardOf(key);
    if (item.change == core::LocationChange::kRemoved) {
      (void)Apply(shard, [&](core::ObjectTable& table, core::Effects* effects) {
        return table.Step(core::event::RemoveLocation{key, from_, item.generation, true}, effects);
      });
      return;
    }
    core::event::SetLocation event{key, from_, item.generation, item.size, item.role};
    event.spilled = item.change == core::LocationChange::kSpilled;
    event.in_memory = !event.spilled || item.in_memory;
    event.url = item.url;
    event.shared = item.shared && counter_->files_.EnsurePlace() != core::kNoPeer;
    event.merge = true;
    event.term = item.term;
    bool answered = false;
    const core::Verdict verdict =
        Apply(shard, [&](core::ObjectTable& table, core::Effects* effects) {
          const uint64_t before = table.counters().late_reports_answered;
          const core::Verdict answer = table.Step(event, effects);
          answered = table.counters().late_reports_answered != before;
          return answer;
        });
    // Not every report that comes too late is answered: it may cross the free that it asks for.
    if (answered) CountAnswer();
    if (verdict == core::Verdict::kUnknownGeneration || verdict == core::Verdict::kNotOwner) {
      ++refused_;
    }
  }

  // Between processes only; and each item only from the one that it concerns.
  void OnSharing(const core::SharingItem& item) override {
    if (from_node_ && item.kind != core::SharingKind::kMovedAck) {
      ++refused_;
      return;
    }
    if (item.kind == core::SharingKind::kWatchFired) {
      if (!counter_->watches_.OnFired(from_, item)) ++refused_;
      return;
    }
    if (item.kind == core::SharingKind::kDeclare) {
      CountAnswer();
      Declarations::Take(counter_, from_, item);
      return;
    }
    const core::Key key = counter_->KeyOf(item.object);
    const core::Verdict verdict =
        Apply(counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
          return Take(item, key, &table, effects);
        });
    // What the object contains may have come, and nothing of the object itself.
    if (item.kind == core::SharingKind::kShadowEnd || item.kind == core::SharingKind::kMovedEnded) {
      counter_->transfers_.contained().Drop(from_, item.object);
    }
    // The last two: of a watch that nobody would ask for.
    if (verdict == core::Verdict::kNotOwner || verdict == core::Verdict::kWrongState ||
        verdict == core::Verdict::kAlreadyExists) {
      ++refused_;
    }
  }

  // From anybody who knows the id.
  void OnLocationQuery(const core::LocationQueryItem& item) override {
    const core::Key key = counter_->KeyOf(item.object);
    Shard& shard = counter_->ShardOf(key);
    if (item.cancel) {
      (void)counter_->ApplyQuietly(shard, [&](core::ObjectTable& table) {
        return table.Step(core::event::StopAsking{key, from_, item.number});
      });
      return;
    }
    // A node agent asks for its own node.
    if (from_node_ && !item.fetch_to.IsNil() && item.fetch_to != counter_->NodeAt(from_)) {
      ++refused_;
      return;
    }
    const core::PeerIndex fetch_to =
        item.fetch_to.IsNil() ? core::kNoPeer : counter_->InternNode(item.fetch_to);
    CountAnswer();
    const core::Verdict verdict =
        Apply(shard, [&](core::ObjectTable& table, core::Effects* effects) {
          return table.Step(core::event::AskLocations{key, from_, item.number, item.subscribe,
                                                      fetch_to, from_node_},
                            effects);
        });
    if (verdict == core::Verdict::kWrongState) ++refused_;
  }

  void OnLocationAnswer(const core::LocationAnswerItem& item) override {
    if (!counter_->queries_.OnAnswer(from_, item)) ++refused_;
  }

  // From the node whose copy it is.
  void OnMovePrimary(const core::MovePrimaryItem& item) override {
    if (!from_node_) {
      ++refused_;
      return;
    }
    core::PeerIndex from = core::kNoPeer;
    if (!item.from.IsNil()) {
      from = counter_->endpoint_->Find(Address(item.from));
      if (from == core::kNoPeer)
        from = from_;  // never seen: it is not the primary, nor is the asker
    }
    const core::Key key = counter_->KeyOf(item.object);
    CountAnswer();
    const core::Verdict verdict =
        Apply(counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
          return table.Step(
              core::event::MovePrimary{key, from_, item.generation, item.number, from, item.term},
              effects);
        });
    if (verdict == core::Verdict::kUnknownGeneration || verdict == core::Verdict::kNotOwner) {
      ++refused_;
    }
  }
  // Only node agents take these.
  void OnMovePrimaryAck(const core::MovePrimaryAckItem& /*item*/) override { ++refused_; }
  // A node agent compares what it has said, an owner asks.
  void OnDigestSums(absl::Span<const core::DigestSumsItem> items) override {
    if (from_node_) {
      counter_->digests_.OnSums(from_, items);
    } else {
      refused_ += items.size();
    }
  }
  void OnDigestCopies(absl::Span<const core::DigestCopiesItem> items) override {
    if (from_node_) {
      counter_->digests_.OnCopies(from_, items);
    } else {
      refused_ += items.size();
    }
  }
  void OnDigestQuery(const core::DigestQueryItem&) override { ++refused_; }
  void OnReportAgain(const core::ReportAgainItem&) override { ++refused_; }

  // Between processes; a node agent owns nothing.
  void OnTransfer(const core::TransferItem& item) override {
    if (from_node_) {
      ++refused_;
      return;
    }
    CountAnswer();
    counter_->transfers_.Take(from_, item);
  }
  void OnContained(const core::ContainedItem& item) override {
    for (size_t i = 0; i < item.inners.size(); ++i) CountAnswer();
    if (from_node_ || !counter_->transfers_.contained().OnContained(from_, item)) ++refused_;
  }
  void OnMoved(const core::MovedItem& item) override {
    CountAnswer();
    if (from_node_ || !counter_->transfers_.OnMoved(from_, item)) ++refused_;
  }

  void OnShadow(const core::ShadowItem& item) override {
    if (from_node_) {
      ++refused_;
      return;
    }
    CountAnswer();
    counter_->transfers_.heirs().Take(from_, item);
  }

  // From the node that looks after the file.
  void OnFile(const core::FileItem& item) override {
    if (!from_node_ || !counter_->files_.OnItem(from_, item)) ++refused_;
  }

  // Between processes only.
  void OnScope(const core::ScopeItem& item) override {
    if (item.kind == core::ScopeItemKind::kJoin) CountAnswer();
    if (from_node_ || !counter_->scopes_.OnItem(from_, item)) ++refused_;
  }

 private:
  core::Verdict Take(const core::SharingItem& item, const core::Key& key, core::ObjectTable* table,
                     core::Effects* effects) {
    switch (item.kind) {
      case core::SharingKind::kRegister:
        CountAnswer();
        return table->Step(core::event::BorrowerRegistered{key, from_, item.number}, effects);
      case core::SharingKind::kRegisterAck:
        return table->Step(
            core::event::RegisterAnswered{key, from_, item.number,
                                          core::RegisterAnswer{item.answer}, item.term},
            effects);
      case core::SharingKind::kRelease:
        return table->Step(core::event::BorrowerReleased{key, from_}, effects);
      case core::SharingKind::kHandoffAck:
        return table->Step(
            core::event::HandoffEnded{key, from_, item.number, core::HandoffAnswer{item.answer}},
            effects);
      case core::SharingKind::kHandoffCancel:
        CountAnswer();
        return table->Step(core::event::HandoffCancelled{key, from_, item.number}, effects);
      case core::SharingKind::kWatch:
        CountAnswer();
        return core::WatchSteps(table).Step(
            core::event::Watch{key, from_, item.number, Moment{item.answer}}, effects);
      case core::SharingKind::kUnwatch:
        CountAnswer();
        return core::WatchSteps(table).Step(
            core::event::StopWatching{key, from_, item.number, Moment{item.answer}}, effects);
      case core::SharingKind::kWatchFired:
        break;  // answers what this end asked
      case core::SharingKind::kDeclareAck:
        told_ = true;
        return core::DeclareSteps(table).Step(
            core::event::DeclareAnswered{key, from_, item.number, core::DeclareAnswer{item.answer}},
            effects);
      case core::SharingKind::kDeclare:
        break;  // Declarations::Take
      case core::SharingKind::kTransferAck:
        told_ = true;
        return core::TransferSteps(table).Step(
            core::event::TransferAnswered{key, from_, item.term, core::TransferAnswer{item.answer}},
            effects);
      case core::SharingKind::kMovedAck:
        told_ = true;
        return core::TransferSteps(table).Step(
            core::event::MovedAcked{key, from_, item.term, item.answer != 0, from_node_}, effects);
      case core::SharingKind::kSettled:
        CountAnswer();
        told_ = true;
        return core::TransferSteps(table).Step(core::event::Settled{key, from_, item.term},
                                               effects);
      case core::SharingKind::kSettledAck:
        return core::TransferSteps(table).Step(core::event::SettledAcked{key, from_, item.term},
                                               effects);
      case core::SharingKind::kMovedEnded:
        return core::TransferSteps(table).Step(core::event::MovedEnded{key, from_, item.term},
                                               effects);
      case core::SharingKind::kShadowAck:
        told_ = true;
        return core::HeirSteps(table).Step(
            core::event::ShadowAcked{key, from_, item.term, item.number,
                                     core::ShadowAnswer{item.answer}},
            effects);
      case core::SharingKind::kShadowEnd:
        CountAnswer();
        return core::HeirSteps(table).Step(core::event::ShadowEnded{key, from_, item.term},
                                           effects);
    }
    return core::Verdict::kUnchanged;
  }
  // CounterImpl::Apply, which would make and destroy an AfterStep for each item.
  template <typename StepFunction>
  core::Verdict Apply(Shard& shard, StepFunction step) {
    const core::Verdict verdict = counter_->ApplyLocked(shard, &*after_, step);
    if (!after_->effects.empty()) {
      counter_->Act(shard, &*after_);
      after_.emplace();
    }
    return verdict;
  }
  // One more answer waits for the peer; CanTake bounds them.
  void CountAnswer() {
    counter_->peers_.Reach(from_).answers.fetch_add(1, std::memory_order_relaxed);
  }
  void Answered(const core::Key& key, Shard* shard, uint32_t generation, core::FreeResult result) {
    (void)Apply(*shard, [&](core::ObjectTable& table, core::Effects* effects) {
      return table.Step(core::event::FreeAnswered{key, from_, generation, result}, effects);
    });
  }

  CounterImpl* const counter_;
  const PeerIndex from_;
  const bool from_node_;
  std::optional<AfterStep> after_{std::in_place};  // there always, and empty between two items
  uint64_t refused_ = 0;
  bool told_ = false;
};

uint64_t CounterImpl::OnPayload(PeerIndex from, std::string_view payload, Time /*now*/) {
  // An executor that runs callbacks at once may let one of them end this counter.
  const std::shared_ptr<CounterImpl> keep = shared_from_this();
  if (from == files_.place()) return 1;  // nobody is nowhere
  if (endpoint_->AddressOf(from).is_node_agent()) files_.Heard(from);
  Sink sink(this, from);
  const core::CodecError error = core::ReadPayload(payload, &sink);
  FREEHOLD_CHECK(error == core::CodecError::kOk);  // the session has checked it
  if (sink.told() || stopping_.load(std::memory_order_relaxed)) {
    internal::MutexLock lock(&flush_mutex_);
    flush_progress_.NotifyAll();
  }
  return sink.refused();
}

bool CounterImpl::CanTake(PeerIndex from) {
  CounterPeer* peer = peers_.Find(from);
  if (peer == nullptr || peer->answers.load(std::memory_order_relaxed) < kAnswersMax) return true;
  uint64_t waiting = scopes_.AnswersFor(from);
  for (const std::unique_ptr<Shard>& shard : shards_) {
    internal::MutexLock lock(&shard->mutex);
    waiting += shard->table.AnswersFor(from);
  }
  peer->answers.store(waiting, std::memory_order_relaxed);
  return waiting < kAnswersMax;
}

Time CounterImpl::Work(Time now) {
  const std::shared_ptr<CounterImpl> keep = shared_from_this();
  std::vector<std::vector<core::InnerRef>> stack;
  {
    internal::MutexLock lock(&deferred_mutex_);
    std::swap(stack, deferred_);
  }
  bool at_once = lineage_.Work();
  at_once |= files_.Work();
  at_once |= transfers_.Work();
  at_once |= transfers_.heirs().Work();
  const Time due = at_once ? kInfinitePast : kInfiniteFuture;
  const Time next = std::min({ExpireTokens(now), scopes_.Work(now), due});
  if (stack.empty()) return next;
  uint64_t before = 0;
  for (const auto& inners : stack) before += inners.size();
  DropInners(&stack, kPieceMax);
  const bool more = !stack.empty();
  if (more) Defer(std::move(stack));
  deferred_drops_.fetch_sub(before, std::memory_order_relaxed);
  return more ? kInfinitePast : next;
}

bool CounterImpl::Fill(PeerIndex node, core::PayloadWriter* writer) {
  if (queries_.Fill(node, writer) || watches_.Fill(node, writer) || digests_.Fill(node, writer) ||
      scopes_.Fill(node, writer) || files_.Fill(node, writer)) {
    return true;
  }
  CounterPeer& peer = peers_.Reach(node);
  const Time now = clock_.Now();
  while (true) {
    // acquire: pairs with MarkReady. The bit is cleared before the shard is looked at, so that
    // what is added afterwards sets it again.
    const uint64_t bits = peer.shards_with_work.load(std::memory_order_acquire);
    if (bits == 0) return false;
    const uint32_t number = static_cast<uint32_t>(__builtin_ctzll(bits));
    const uint64_t bit = uint64_t{1} << number;
    peer.shards_with_work.fetch_and(~bit, std::memory_order_acq_rel);
    Shard& shard = ShardAt(number);
    const size_t before = writer->items();
    bool more;
    {
      internal::MutexLock lock(&shard.mutex);
      // A free must not overtake what its node was to be told of the copy before.
      const auto left = [&] {
        return static_cast<uint32_t>(kPieceMax - (writer->items() - before));
      };
      more = shard.table.PullMoves(node, kPieceMax, *this, writer) ||
             shard.table.PullFrees(node, left(), writer);
      more |= shard.table.PullSharing(node, left(), *this, now, writer);
      if (core::HeirSteps::AnyOvergrown(shard.table)) transfers_.heirs().NoteOvergrown();
    }
    if (!more) continue;
    peer.shards_with_work.fetch_or(bit, std::memory_order_release);
    // More waits although fewer than a piece were taken: the writer is full, unless none of them
    // was to be written.
    if (writer->items() - before < kPieceMax && !writer->empty()) return true;
  }
}

void CounterImpl::OnSelfExcluded() {
  const std::shared_ptr<CounterImpl> keep = shared_from_this();
  excluded_.store(true, std::memory_order_release);
  StopTakingCalls();
  logger_.Log(LogLevel::kError,
              "this process was excluded from the membership; what it owns is gone");
  FailBorrows();
  queries_.OnSelfExcluded();
  watches_.OnSelfExcluded();
  scopes_.OnSelfExcluded();
  transfers_.OnSelfExcluded();
}

}  // namespace freehold::runtime
