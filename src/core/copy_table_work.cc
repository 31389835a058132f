// The deferred side of CopyTable: reports, deletions, exclusion.

#include <algorithm>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/copy_table.h"
#include "src/core/retry_delay.h"

namespace freehold::core {

namespace {

const std::string& EmptyString() {
  static const std::string* const empty = new std::string;
  return *empty;
}

}  // namespace

const std::string& CopyRecord::spilled_url() const {
  return rarity == nullptr ? EmptyString() : rarity->spilled_url;
}

const std::string& CopyRecord::why() const {
  return rarity == nullptr ? EmptyString() : rarity->why;
}

// --- Reports -------------------------------------------------------------------------------------

bool CopyTable::Reports(const Owner& owner) const {
  return options_.reports && owner.phase == OwnerPhase::kLive;
}

void CopyTable::SetReport(uint32_t index, CopyReport first, CopyReport report,
                          CopyEffects* effects) {
  CopyRecord& copy = copies_[index];
  Owner& owner = OwnerOf(copy.owner);
  if (!Reports(owner)) first = report = CopyReport::kNothing;
  const auto waiting = [&copy] {
    return uint64_t{copy.report_first != CopyReport::kNothing} +
           uint64_t{copy.report != CopyReport::kNothing};
  };
  const uint64_t before = waiting();
  copy.report_first = first;
  copy.report = report;
  if (internal::IsMutant(internal::Mutant::kDigestCutIgnored)) Tell(&owner, &copy, report);
  const uint64_t after = waiting();
  stats_.reports_waiting += after - before;
  if (before == 0 && after > 0) {
    if (owner.has_nothing_to_hear()) effects->ready.push_back(owner.peer);
    owner.reports.PushBack(&copies_, index);
  } else if (before > 0 && after == 0) {
    owner.reports.Remove(&copies_, index);
  }
}

void CopyTable::Report(uint32_t index, CopyReport report, CopyEffects* effects) {
  SetReport(index, copies_[index].report_first, report, effects);
}

PullVerdict CopyTable::PullReports(PeerIndex peer, uint32_t items_max, ReportSink* sink) {
  if (FindOwner(peer) == nullptr) return PullVerdict::kEmpty;
  Owner& owner = OwnerOf(peer);
  if (!Reports(owner)) return PullVerdict::kEmpty;  // the sweep takes what is left there
  CopyEffects none;                                 // taking a report away makes nobody ready
  uint32_t items = 0;
  for (; owner.answers_waiting() > 0 || !owner.reports.empty(); ++items) {
    if (items == items_max) return PullVerdict::kMore;
    RaiseToMovedAck(&owner);
    // Replies first: a copy that came after its key was answered Unknown is reported after that.
    if (!owner.replies.empty()) {
      if (!PullReply(&owner, sink)) return PullVerdict::kFull;
      continue;
    }
    if (OwesMovedAck(owner)) {
      if (!PullMovedAck(&owner, sink)) return PullVerdict::kFull;
      continue;
    }
    const uint32_t index = owner.reports.head();
    CopyRecord& copy = copies_[index];
    const bool first = copy.report_first != CopyReport::kNothing;
    const CopyReport report = first ? copy.report_first : copy.report;
    if (!PullRecord(copy, report, sink)) return PullVerdict::kFull;
    Tell(&owner, &copy, report);
    SetReport(index, CopyReport::kNothing, first ? copy.report : CopyReport::kNothing, &none);
    if (copy.state == CopyState::kGone && !copy.waits_to_report()) Erase(index);
  }
  // After the reports: the owner knows a copy before it is asked to make it the primary.
  return PullMoves(&owner, items_max - items, sink);
}

bool CopyTable::PullRecord(const CopyRecord& copy, CopyReport report, ReportSink* sink) const {
  LocationItem location;
  location.object = copy.object;
  location.generation = copy.generation;
  location.term = copy.term;
  location.role = copy.role;
  location.size = copy.size;
  location.in_memory = copy.in_memory;
  FreeResultItem result;
  result.object = copy.object;
  result.generation = copy.generation;
  result.term = copy.term;
  switch (report) {
    case CopyReport::kNothing:
      break;
    case CopyReport::kAdded:
    case CopyReport::kSpilled:
      // All that is here, a restored copy's file too: its owner may have forgotten what it was
      // told.
      location.change =
          copy.spilled_url().empty() ? LocationChange::kAdded : LocationChange::kSpilled;
      location.url = copy.spilled_url();
      location.shared = copy.is_shared();
      return sink->Add(location);
    case CopyReport::kRemoved:
      location.change = LocationChange::kRemoved;
      location.in_memory = false;
      return sink->Add(location);
    case CopyReport::kDoomed:
      result.result = FreeResult::kDoomed;
      return sink->Add(result);
    case CopyReport::kFailed:
      result.result = FreeResult::kFailed;
      result.why = copy.why();
      return sink->Add(result);
    case CopyReport::kDeleted:
      result.result = FreeResult::kDeleted;
      return sink->Add(result);
    case CopyReport::kUnknown:
      result.result = FreeResult::kUnknown;
      return sink->Add(result);
  }
  FREEHOLD_CHECK(false);
}

void CopyTable::Answer(const CopyReply& reply, Owner* owner, CopyEffects* effects) {
  if (owner->has_nothing_to_hear()) effects->ready.push_back(owner->peer);
  owner->replies.Push(reply);
  ++stats_.reports_waiting;
}

bool CopyTable::PullReply(Owner* owner, ReportSink* sink) {
  const CopyReply& reply = owner->replies.front();
  FreeResultItem item;
  item.object = reply.object;
  item.generation = reply.generation;
  item.term = reply.term;
  item.result = reply.result;
  if (!sink->Add(item)) return false;
  --stats_.reports_waiting;
  owner->replies.Pop();
  return true;
}

size_t CopyTable::replies_waiting(PeerIndex peer) const {
  const Owner* owner = FindOwner(peer);
  return owner == nullptr ? 0 : owner->answers_waiting();
}

// --- The store -----------------------------------------------------------------------------------

// As many as one batch takes: a store that failed a million times does not hold the lock for all.
void CopyTable::QueueDueRetries(Time now, uint32_t copies_max) {
  while (to_delete_.size() < copies_max && !retries_.empty() && retries_.begin()->first <= now) {
    SetState(retries_.begin()->second, CopyState::kToDelete);
  }
}

const CopyRecord& CopyTable::TakeOneDelete() {
  const uint32_t index = to_delete_.head();
  SetState(index, CopyState::kDeleting);
  return copies_[index];
}

Time CopyTable::NextWork() const {
  if (!sweep_.empty() || !to_delete_.empty()) return kInfinitePast;
  return retries_.empty() ? kInfiniteFuture : retries_.begin()->first;
}

CopyVerdict CopyTable::Step(const copy_event::Deleted& event, CopyEffects* effects) {
  const uint32_t index = Lookup(event.object, event.generation);
  if (index == kNoCopy) return CopyVerdict::kNotHere;
  if (copies_[index].state == CopyState::kDeletingAgain) {
    SetState(index, CopyState::kToDelete);
    effects->work = true;
    return CopyVerdict::kOk;
  }
  if (copies_[index].state != CopyState::kDeleting) return CopyVerdict::kNotHere;
  End(index, CopyReport::kDeleted, effects);
  return CopyVerdict::kOk;
}

CopyVerdict CopyTable::Step(const copy_event::DeleteFailed& event, CopyEffects* effects) {
  const uint32_t index = Lookup(event.object, event.generation);
  if (index == kNoCopy) return CopyVerdict::kNotHere;
  CopyRecord& copy = copies_[index];
  if (copy.state != CopyState::kDeleting && copy.state != CopyState::kDeletingAgain) {
    return CopyVerdict::kNotHere;
  }
  ++stats_.store_failures;
  CopyRarity& rarity = copy.MakeRarity();
  const std::string_view why = event.why.substr(0, kWhyBytesMax);
  const bool news = rarity.failures == 0 || rarity.why != why;
  if (rarity.failures < UINT32_MAX) ++rarity.failures;
  rarity.why = std::string(why);
  rarity.retry_at = RetryAt(event.now, rarity.failures, options_.retry_delay_min,
                            options_.retry_delay_max, event.random);
  SetState(index, CopyState::kDeleteFailed);
  if (!news) return CopyVerdict::kNoChange;
  Report(index, CopyReport::kFailed, effects);
  return CopyVerdict::kOk;
}

std::vector<const CopyRecord*> CopyTable::Freed() const {
  std::vector<const CopyRecord*> freed;
  for (uint32_t i = 0; i < copies_.end(); ++i) {
    if (IsFreed(copies_[i].state)) freed.push_back(&copies_[i]);
  }
  std::sort(freed.begin(), freed.end(),
            [](const CopyRecord* a, const CopyRecord* b) { return a->freed_at < b->freed_at; });
  return freed;
}

// --- Exclusion -----------------------------------------------------------------------------------

CopyVerdict CopyTable::Step(const copy_event::View& event, CopyEffects* effects) {
  CopyVerdict verdict = CopyVerdict::kNoChange;
  bool passed = false;
  for (const PeerIndex peer : event.excluded) {
    Owner& owner = OwnerOf(peer);
    if (owner.phase != OwnerPhase::kLive) continue;
    verdict = CopyVerdict::kOk;
    owner.phase = OwnerPhase::kExcluded;
    WithdrawReplies(&owner);
    // Who joins may never hear the barrier of a view before its time, and holds nothing yet that
    // could wait for it.
    if (event.version <= latest_barrier_ || (event.joining && owner.copies.empty()) ||
        internal::IsMutant(internal::Mutant::kOrphansAtView)) {
      PassBarrier(&owner);
      passed = true;
    } else {
      before_barrier_.emplace_back(event.version, peer);
    }
    if (!owner.reports.empty()) AddToSweep(&owner);
    effects->work = effects->work || owner.in_sweep;
  }
  if (passed) EndMoves(MoveOutcome::kOwnerDied, effects);
  return verdict;
}

CopyVerdict CopyTable::Step(const copy_event::Barrier& event, CopyEffects* effects) {
  if (event.version <= latest_barrier_) return CopyVerdict::kNoChange;
  latest_barrier_ = event.version;
  const auto waits = [this](const std::pair<uint64_t, PeerIndex>& entry) {
    return entry.first > latest_barrier_;
  };
  const auto closed = std::stable_partition(before_barrier_.begin(), before_barrier_.end(), waits);
  for (auto it = closed; it != before_barrier_.end(); ++it) PassBarrier(&OwnerOf(it->second));
  if (closed != before_barrier_.end()) EndMoves(MoveOutcome::kOwnerDied, effects);
  before_barrier_.erase(closed, before_barrier_.end());
  effects->work = effects->work || sweeping();
  return CopyVerdict::kOk;
}

CopyVerdict CopyTable::Step(const copy_event::SelfExcluded&, CopyEffects* effects) {
  if (!options_.reports) return CopyVerdict::kNoChange;
  options_.reports = false;
  for (const std::unique_ptr<Owner>& owner : owners_) {
    if (owner == nullptr) continue;
    WithdrawReplies(owner.get());
    if (!owner->reports.empty()) AddToSweep(owner.get());
  }
  EndMoves(MoveOutcome::kAbandoned, effects);
  effects->work = effects->work || sweeping();
  return CopyVerdict::kOk;
}

void CopyTable::PassBarrier(Owner* owner) {
  owner->phase = OwnerPhase::kPastBarrier;
  owner->orphan_cursor = owner->copies.head();
  if (!owner->copies.empty()) AddToSweep(owner);
}

void CopyTable::AddToSweep(Owner* owner) {
  if (owner->in_sweep) return;
  owner->in_sweep = true;
  sweep_.push_back(owner->peer);
}

void CopyTable::WithdrawReplies(Owner* owner) {
  stats_.reports_waiting -= owner->answers_waiting();
  owner->replies.Clear();
  owner->moved_acks.Clear();
  owner->moves_to_send.reset();
}

CopyVerdict CopyTable::Step(const copy_event::Sweep& event, CopyEffects* effects) {
  uint32_t budget = event.records_max;
  while (!sweep_.empty()) {
    Owner& owner = OwnerOf(sweep_.front());
    if (!WithdrawReports(&owner, &budget) || !DoomOrphans(&owner, &budget, effects)) {
      return CopyVerdict::kMore;
    }
    owner.in_sweep = false;
    sweep_.pop_front();
  }
  return CopyVerdict::kOk;
}

// Answers whether all are withdrawn; uses up `budget`, one per record.
bool CopyTable::WithdrawReports(Owner* owner, uint32_t* budget) {
  CopyEffects none;  // taking a report away makes nobody ready
  for (; !owner->reports.empty(); --*budget) {
    if (*budget == 0) return false;
    const uint32_t index = owner->reports.head();
    SetReport(index, CopyReport::kNothing, CopyReport::kNothing, &none);
    if (copies_[index].state == CopyState::kGone) Erase(index);
  }
  return true;
}

// Answers whether all are doomed; uses up `budget`, one per record.
bool CopyTable::DoomOrphans(Owner* owner, uint32_t* budget, CopyEffects* effects) {
  for (; owner->orphan_cursor != kNoCopy; --*budget) {
    if (*budget == 0) return false;
    const uint32_t index = owner->orphan_cursor;
    owner->orphan_cursor = OwnerList::Next(copies_, index);
    Doom(index, FreeCause::kOwnerExcluded, effects);
  }
  return true;
}

}  // namespace freehold::core
