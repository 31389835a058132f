// ReferenceCounter: queries.

#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/reference_counter.h"
#include "src/core/object_table_evict.h"
#include "src/core/object_table_pins.h"
#include "src/core/object_table_scopes.h"
#include "src/runtime/counter_impl.h"

namespace freehold {

using core::Verdict;
using runtime::CounterImpl;
using runtime::Shard;

namespace {

uint64_t CountOf(const core::HolderIndex& holders, core::RecordIndex record) {
  uint64_t count = 0;
  holders.ForEachOf(record, [&](const core::HolderIndex::Holder&) { return ++count != 0; });
  return count;
}

ReferenceCounts CountsOf(const core::ObjectTable& table, const core::ObjectRecord& record) {
  ReferenceCounts counts;
  counts.handles = record.cell.count();
  counts.by_id = record.by_id;
  counts.tasks = record.tasks;
  counts.scopes = core::ScopeSteps::IsHeldByScope(table, record) ? 1 : 0;
  counts.nested_in = record.nested_in - core::PinSteps::NotNested(table, record);
  if (const auto* pinned = core::PinSteps::Of(table, record); pinned != nullptr) {
    for (const PinHolder& holder : pinned->holders) counts.pins += holder.count;
  }
  if (record.has_borrowers || record.has_pins) {
    const core::RecordIndex index = core::RecordSlabs::IndexOf(record);
    counts.borrowers = CountOf(table.sharing()->borrowers, index);
    counts.handoffs = CountOf(table.sharing()->pins, index);
  }
  return counts;
}

// Calls `visit(table, record)` for every object, a piece of records per lock hold. Ghosts of older
// generations are passed over.
template <typename Visit>
void VisitAll(const CounterImpl& counter, Visit visit) {
  if (counter.stopped()) return;
  for (const std::unique_ptr<Shard>& shard : counter.shards()) {
    core::RecordIndex resume = 0;
    while (resume != core::kNoRecord) {
      resume =
          shard->VisitPiece(resume, CounterImpl::kPieceMax,
                            [&](const core::ObjectTable& table, const core::ObjectRecord& record) {
                              if (!record.is_ghost) visit(table, record);
                            });
    }
  }
}

void AppendHolder(std::string* text, uint64_t count, const char* one, const char* many) {
  if (count > 0) absl::StrAppend(text, "\n  held by ", count, " ", count == 1 ? one : many);
}

// Who elsewhere has a part in it, by name up to a limit.
void AppendSharing(std::string* text, const CounterImpl& counter, const core::ObjectTable& table,
                   const core::ObjectRecord& record) {
  constexpr size_t kNamed = 10;
  if (table.sharing() == nullptr) return;
  const auto name = [&](core::PeerIndex peer) { return counter.endpoint().AddressOf(peer); };
  if (record.borrowed) {
    const core::Borrow& borrow = table.BorrowOf(record);
    absl::StrAppend(text, "\n  owned by ", name(borrow.owner).ToString(), ", ",
                    core::BorrowStageName(borrow.stage));
    if (borrow.declares) absl::StrAppend(text, "; it is being declared for it");
    if (borrow.flushing) absl::StrAppend(text, "; a view of the membership waits for the answer");
  }
  const core::RecordIndex index = core::RecordSlabs::IndexOf(record);
  const auto list = [&](const core::HolderIndex& holders, const char* what) {
    size_t named = 0;
    holders.ForEachOf(index, [&](const core::HolderIndex::Holder& holder) {
      absl::StrAppend(text, "\n    ", what, " ", name(holder.peer).ToString());
      if (holder.number != 0) absl::StrAppend(text, ", handoff ", holder.number);
      return ++named < kNamed;
    });
  };
  list(table.sharing()->borrowers, "borrowed by");
  list(table.sharing()->pins, "on its way to");
  size_t watches = 0;
  table.sharing()->moments.ForEachOf(index, [&](const core::HolderIndex::Holder& watch) {
    absl::StrAppend(text, "\n    watched by ", name(watch.peer).ToString(), ": ",
                    MomentName(core::MomentNumber::MomentOf(watch.number)));
    return ++watches < kNamed;
  });
}

void AppendPins(std::string* text, const core::ValuePins::Pinned& pinned, Time now) {
  for (const PinHolder& holder : pinned.holders) {
    absl::StrAppend(text, "\n  pinned by ", holder.by);
    if (holder.count > 1) absl::StrAppend(text, ", ", holder.count, " times");
    const auto age =
        std::chrono::duration_cast<std::chrono::milliseconds>(core::PinSteps::AgeOf(holder, now));
    absl::StrAppend(text, " for ", age.count(), " ms");
  }
  if (!pinned.free_waits) return;
  absl::StrAppend(text, pinned.free_mode == FreeMode::kNow ? "\n  its free" : "\n  its eviction",
                  " waits for the last pin");
}

void AppendCopy(std::string* text, const Location& location, core::FreeState state) {
  absl::StrAppend(text, "\n  copy on node ", location.node.ToHex(), ":");
  if (location.in_memory || location.spilled) {
    absl::StrAppend(text, location.role == CopyRole::kPrimary ? " primary" : " secondary");
  }
  if (location.in_memory) absl::StrAppend(text, ", in memory");
  if (location.spilled) absl::StrAppend(text, ", spilled to ", location.spilled_url);
  if (location.prospective) absl::StrAppend(text, " prospective");
  switch (state) {
    case core::FreeState::kHeld:
      break;
    case core::FreeState::kWaiting:
      absl::StrAppend(text, ", its free waits to be sent");
      break;
    case core::FreeState::kSent:
      absl::StrAppend(text, ", its free was sent and is not answered");
      break;
    case core::FreeState::kDoomed:
      absl::StrAppend(text, ", its free waits for readers, a fetch, or the store");
      break;
  }
}

}  // namespace

absl::StatusOr<bool> ReferenceCounter::IsFreed(const ObjectId& object) const {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  const core::Key key = impl_->KeyOf(object);
  Shard& shard = impl_->ShardOf(key);
  {
    internal::MutexLock lock(&shard.mutex);
    const core::ObjectRecord* record = shard.table.Find(key);
    if (record != nullptr) return record->was_freed != 0;
  }
  return impl_->ToStatus(Verdict::kNotFound, object);
}

bool ReferenceCounter::InScope(const ObjectId& object) const { return impl_->InScope(object); }

absl::StatusOr<ReferenceCounts> ReferenceCounter::GetCounts(const ObjectId& object) const {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  const core::Key key = impl_->KeyOf(object);
  Shard& shard = impl_->ShardOf(key);
  {
    internal::MutexLock lock(&shard.mutex);
    const core::ObjectRecord* record = shard.table.Find(key);
    if (record != nullptr) return CountsOf(shard.table, *record);
  }
  return impl_->ToStatus(Verdict::kNotFound, object);
}

ObjectCounts ReferenceCounter::CountObjects() const {
  ObjectCounts counts;
  if (impl_->stopped()) return counts;
  for (const std::unique_ptr<Shard>& shard : impl_->shards()) {
    internal::MutexLock lock(&shard->mutex);
    const uint64_t* by_state = shard->table.counters().by_state;
    counts.pending += by_state[static_cast<int>(ObjectState::kPending)];
    counts.available += by_state[static_cast<int>(ObjectState::kAvailable)];
    counts.freed += by_state[static_cast<int>(ObjectState::kFreed)];
    counts.lost += by_state[static_cast<int>(ObjectState::kLost)];
    counts.out_of_scope += by_state[static_cast<int>(ObjectState::kOutOfScope)];
    counts.borrowed += by_state[static_cast<int>(ObjectState::kBorrowed)];
    counts.failed += by_state[static_cast<int>(ObjectState::kFailed)];
  }
  return counts;
}

std::vector<ObjectId> ReferenceCounter::IdsInScope() const {
  std::vector<ObjectId> ids;
  VisitAll(*impl_, [&](const core::ObjectTable&, const core::ObjectRecord& record) {
    if (record.in_scope()) ids.push_back(record.id());
  });
  return ids;
}

std::vector<ObjectId> ReferenceCounter::Ids(ObjectState state) const {
  std::vector<ObjectId> ids;
  VisitAll(*impl_, [&](const core::ObjectTable&, const core::ObjectRecord& record) {
    if (record.state() == state) ids.push_back(record.id());
  });
  return ids;
}

std::string ReferenceCounter::DebugString(const ObjectId& object) const {
  constexpr size_t kOutersNamed = 10;
  const core::Key key = impl_->KeyOf(object);
  Shard& shard = impl_->ShardOf(key);
  std::string text = absl::StrCat("object ", object.ToHex());
  if (impl_->stopped()) return text + ": the reference counter was shut down";
  ReferenceCounts counts;
  core::InnerRef self;
  self.shard = shard.number;
  std::vector<core::CopyFacts> copies;
  core::ScopeIndex scope = core::kNoScope;
  const Time now = impl_->clock().Now();
  {
    internal::MutexLock lock(&shard.mutex);
    const core::ObjectRecord* record = shard.table.Find(key);
    if (record == nullptr) return text + ": unknown here, hence gone";
    counts = CountsOf(shard.table, *record);
    self.record = core::RecordSlabs::IndexOf(*record);
    copies = shard.table.AllFacts(*record);
    absl::StrAppend(&text, ": ", ObjectStateName(record->state()), ", generation ",
                    record->generation, ", ", record->size, " bytes");
    const uint32_t call_site = core::ScopeSteps::CallSiteOf(shard.table, *record);
    if (call_site != core::kNone) {
      absl::StrAppend(&text, ", declared at ", impl_->CallSiteAt(call_site));
    }
    if (record->is_member()) {
      scope = shard.table.scopes()->ScopeOf(shard.table.scopes()->At(record->member()));
    }
    AppendSharing(&text, *impl_, shard.table, *record);
    if (const auto* pinned = core::PinSteps::Of(shard.table, *record); pinned != nullptr) {
      AppendPins(&text, *pinned, now);
    }
    if (record->in_scope() && core::EvictSteps::IsMarked(shard.table, *record)) {
      absl::StrAppend(&text, "\n  to be evicted first");
    }
    const core::Rare* rare = shard.table.FindRare(*record);
    if (rare != nullptr && rare->ghost != core::kNoRecord) {
      absl::StrAppend(&text, "\n  copies of an older generation are still being deleted");
    }
    if (rare != nullptr && !rare->inners.empty()) {
      absl::StrAppend(&text, "\n  contains ", rare->inners.size(), " objects");
    }
  }
  if (scope != core::kNoScope) {
    absl::StrAppend(&text, counts.scopes > 0 ? "\n  held by its scope, " : "\n  in ",
                    impl_->scopes().Describe(scope));
  }
  AppendHolder(&text, counts.handles, "handle", "handles");
  AppendHolder(&text, counts.by_id, "reference by id", "references by id");
  AppendHolder(&text, counts.tasks, "task reference", "task references");
  AppendHolder(&text, counts.borrowers, "borrower", "borrowers");
  AppendHolder(&text, counts.handoffs, "handoff that has not ended",
               "handoffs that have not ended");
  AppendHolder(&text, counts.nested_in, "outer object", "outer objects");
  if (counts.nested_in > 0) {
    size_t named = 0;
    VisitAll(*impl_, [&](const core::ObjectTable& table, const core::ObjectRecord& record) {
      const core::Rare* rare = table.FindRare(record);
      if (named == kOutersNamed || rare == nullptr || !rare->inners.Contains(self)) return;
      absl::StrAppend(&text, "\n    contained in ", record.id().ToHex());
      ++named;
    });
  }
  absl::StrAppend(&text, impl_->lineage().Describe(object));
  for (const core::CopyFacts& facts : copies) {
    AppendCopy(&text, impl_->ToLocation(facts), facts.free_state);
  }
  return text;
}

bool ReferenceCounter::BackPressured() const {
  return impl_->Unsettled() > impl_->options().pending_frees_soft_max;
}

bool ReferenceCounter::excluded() const { return impl_->excluded(); }

ReferenceCounterStats ReferenceCounter::GetStats() const {
  ReferenceCounterStats stats;
  impl_->AddTo(&stats);
  return stats;
}

namespace runtime {

namespace {

void AddSharing(const core::ObjectTable& table, ReferenceCounterStats* stats) {
  const core::Sharing* sharing = table.sharing();
  if (sharing == nullptr) return;
  stats->borrowed += sharing->borrows.size();
  stats->borrowers += sharing->borrowers.size();
  stats->handoffs_pending += sharing->pins.size();
  stats->token_lives += sharing->token_lives.size();
  stats->handoffs_owed += sharing->owed.size();
  stats->handoff_intervals += sharing->ledger.intervals();
  stats->handoffs_given_up += sharing->ledger.holes_closed();
  stats->answers_waiting += sharing->answers_waiting();
  stats->flush_waiting += table.flush_waiting();
  stats->declarations_pending += sharing->borrows.declaring();
  stats->registrations_waiting += sharing->unlisted.size();
  stats->location_watches += sharing->watches.size();
  stats->watches += sharing->moments.size();
  if (sharing->transfers == nullptr) return;
  const core::Transfers& transfers = *sharing->transfers;
  stats->transfers_pending += transfers.formers.unsettled();
  stats->transfers_untold += transfers.to_tell.size() + transfers.telling.size();
  stats->formerly_owned += transfers.formers.size() - transfers.formers.heirs();
  stats->heir_of += transfers.formers.heirs();
  if (transfers.heirs != nullptr) stats->heirs += transfers.heirs->all.size();
}

}  // namespace

uint64_t CounterImpl::Unsettled() const {
  uint64_t sum = 0;
  for (const std::unique_ptr<Shard>& shard : shards_) {
    internal::MutexLock lock(&shard->mutex);
    sum += shard->table.unsettled_frees();
  }
  return sum;
}

void CounterImpl::AddTo(ReferenceCounterStats* stats) const {
  stats->sessions = endpoint_->GetStats();
  stats->call_sites = call_sites_.size() - 1;  // without the empty one
  stats->location_queries = queries_.pending();
  stats->watches_elsewhere = watches_.pending();
  stats->queries_to_send = queries_.to_send() + watches_.to_send();
  stats->scopes = scopes_.size();
  stats->transfers_pending = transfers_.waiting();
  stats->misuses = misuses_.load(std::memory_order_relaxed);
  stats->drops_deferred = deferred_drops_.load(std::memory_order_relaxed);
  digests_.AddTo(stats);
  files_.AddTo(stats);
  lineage_.AddTo(stats);
  for (const std::unique_ptr<Shard>& shard : shards_) {
    internal::MutexLock lock(&shard->mutex);
    const core::ObjectTable::Counters& counters = shard->table.counters();
    for (int state = 0; state < kObjectStates; ++state) {
      stats->objects += counters.by_state[state];
      if (state != static_cast<int>(ObjectState::kOutOfScope)) {
        stats->objects_in_scope += counters.by_state[state];
      }
    }
    for (int state = 0; state < core::kFreeStates; ++state) {
      stats->copies += shard->table.nodes().total(static_cast<core::FreeState>(state));
    }
    stats->nested += counters.nested;
    stats->callbacks_to_post += shard->outbox.size();
    const uint64_t waiting = shard->table.nodes().total(core::FreeState::kWaiting);
    stats->frees_waiting += waiting + shard->table.nodes().late_frees();
    stats->frees_in_flight +=
        shard->table.unsettled_frees() - waiting - shard->table.nodes().late_frees();
    stats->callbacks_registered += counters.callbacks;
    stats->declared += counters.declared;
    stats->out_of_scope += counters.out_of_scope;
    stats->freed_explicitly += counters.freed_explicitly;
    stats->copies_freed += counters.copies_freed;
    stats->late_reports_answered += counters.late_reports_answered;
    stats->store_failures += counters.store_failures;
    stats->objects_lost += counters.objects_lost;
    stats->short_borrows += counters.short_borrows;
    stats->references_failed += counters.references_failed;
    stats->primaries_moved += counters.primaries_moved;
    stats->primaries_promoted += counters.primaries_promoted;
    stats->answers_lost += counters.answers_lost;
    stats->watches_refused += counters.watches_refused;
    stats->transfers += counters.transfers;
    stats->transfers_taken += counters.transfers_taken;
    stats->transfers_taken_back += counters.transfers_taken_back;
    stats->records_followed += counters.records_followed;
    stats->heirs_prepared += counters.heirs_prepared;
    stats->heirs_overgrown += counters.heirs_overgrown;
    stats->objects_inherited += counters.objects_inherited;
    AddSharing(shard->table, stats);
    stats->pinned += core::PinSteps::CountPinned(shard->table);
    if (shard->table.scopes() != nullptr) stats->scope_members += shard->table.scopes()->size();
  }
}

}  // namespace runtime
}  // namespace freehold
