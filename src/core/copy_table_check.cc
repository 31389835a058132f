// CopyTable::CheckInvariants, and the names of states and verdicts.

#include "src/base/check.h"
#include "src/core/copy_table.h"

namespace freehold::core {

const char* CopyStateName(CopyState state) {
  switch (state) {
    case CopyState::kFetching:
      return "fetching";
    case CopyState::kHeld:
      return "held";
    case CopyState::kDoomedByReaders:
      return "doomed by readers";
    case CopyState::kDoomedByFetch:
      return "doomed by fetch";
    case CopyState::kToDelete:
      return "to delete";
    case CopyState::kDeleting:
      return "deleting";
    case CopyState::kDeletingAgain:
      return "deleting again";
    case CopyState::kDeleteFailed:
      return "delete failed";
    case CopyState::kGone:
      return "gone";
  }
  return "?";
}

const char* CopyVerdictName(CopyVerdict verdict) {
  switch (verdict) {
    case CopyVerdict::kOk:
      return "ok";
    case CopyVerdict::kAlreadyHere:
      return "already here";
    case CopyVerdict::kNotHere:
      return "not here";
    case CopyVerdict::kFreed:
      return "freed";
    case CopyVerdict::kOwnerExcluded:
      return "owner excluded";
    case CopyVerdict::kOtherOwner:
      return "other owner";
    case CopyVerdict::kStillFetching:
      return "still fetching";
    case CopyVerdict::kNotFetching:
      return "not fetching";
    case CopyVerdict::kHasReaders:
      return "has readers";
    case CopyVerdict::kNotSpilled:
      return "not spilled";
    case CopyVerdict::kSharedFile:
      return "shared file";
    case CopyVerdict::kSpilledElsewhere:
      return "spilled elsewhere";
    case CopyVerdict::kTooMany:
      return "too many";
    case CopyVerdict::kDoomed:
      return "doomed";
    case CopyVerdict::kFreedBefore:
      return "freed before";
    case CopyVerdict::kUnknown:
      return "unknown";
    case CopyVerdict::kRefused:
      return "refused";
    case CopyVerdict::kMoving:
      return "moving";
    case CopyVerdict::kNoChange:
      return "no change";
    case CopyVerdict::kMore:
      return "more";
  }
  return "?";
}

// What one record must be in itself.
void CopyTable::CheckRecord(uint32_t index) const {
  const CopyRecord& copy = copies_[index];
  const Owner* owner = FindOwner(copy.owner);
  FREEHOLD_CHECK(owner != nullptr);
  FREEHOLD_CHECK(Lookup(copy.object, copy.generation) == index && copy.term >= kFirstTerm);
  FREEHOLD_CHECK(IsFreed(copy.state) == (copy.cause != FreeCause::kNobody));
  FREEHOLD_CHECK(copy.cause != FreeCause::kOwnerExcluded ||
                 owner->phase == OwnerPhase::kPastBarrier);
  switch (copy.state) {
    case CopyState::kFetching:
    case CopyState::kDoomedByFetch:
      FREEHOLD_CHECK(!copy.in_memory && copy.spilled_url().empty() && copy.readers == 0);
      break;
    case CopyState::kHeld:
      FREEHOLD_CHECK(copy.in_memory || !copy.spilled_url().empty());
      break;
    case CopyState::kDoomedByReaders:
      FREEHOLD_CHECK(copy.readers > 0);
      break;
    case CopyState::kToDelete:
    case CopyState::kDeleting:
    case CopyState::kDeletingAgain:
      FREEHOLD_CHECK(copy.readers == 0);
      break;
    case CopyState::kDeleteFailed:
      FREEHOLD_CHECK(copy.readers == 0 && copy.rarity->failures > 0);
      FREEHOLD_CHECK(retries_.contains({copy.rarity->retry_at, index}));
      break;
    case CopyState::kGone:
      FREEHOLD_CHECK(copy.readers == 0 && !copy.in_memory && copy.rarity == nullptr);
      FREEHOLD_CHECK(copy.report == CopyReport::kRemoved || copy.report == CopyReport::kDeleted ||
                     copy.report == CopyReport::kUnknown);
      FREEHOLD_CHECK(copy.report_first == CopyReport::kNothing);
      break;
  }
  // A copy that was freed has nothing but its result to tell, one that was not has none.
  // What was told is here, or it is going to be told that it is not; what is here has been told, or
  // is going to be.
  FREEHOLD_CHECK(!Reports(*owner) || copy.state != CopyState::kHeld || copy.told ||
                 copy.report == CopyReport::kAdded || copy.report == CopyReport::kSpilled);
  const bool tells_location =
      copy.report == CopyReport::kAdded || copy.report == CopyReport::kSpilled;
  const bool tells_progress =
      copy.report == CopyReport::kDoomed || copy.report == CopyReport::kFailed;
  if (owner->phase == OwnerPhase::kLive) {
    FREEHOLD_CHECK(!tells_location || copy.state == CopyState::kHeld);
    FREEHOLD_CHECK(!tells_progress || IsFreed(copy.state));
    FREEHOLD_CHECK(copy.report_first == CopyReport::kNothing || copy.cause == FreeCause::kNobody);
  }
  if (copy.waits_to_report() && !Reports(*owner)) FREEHOLD_CHECK(owner->in_sweep);
}

DigestSum CopyTable::SumTold(PeerIndex peer) const {
  const DigestRange all;
  DigestTally tally({&all, 1}, 0);
  (void)VisitTold(peer, 0, UINT32_MAX, &tally);
  return tally.parts()[0].sum;
}

// What an owner's lists must hold.
void CopyTable::CheckOwner(const Owner& owner) const {
  uint64_t bytes = 0;
  uint32_t listed = 0;
  FREEHOLD_CHECK(!Reports(owner) || SumTold(owner.peer) == owner.told);
  bool cursor_seen = owner.orphan_cursor == kNoCopy;
  bool before_cursor = owner.orphan_cursor != kNoCopy;
  for (uint32_t i = owner.copies.head(); i != kNoCopy; i = OwnerList::Next(copies_, i)) {
    if (i == owner.orphan_cursor) {
      cursor_seen = true;
      before_cursor = false;
    }
    FREEHOLD_CHECK(copies_[i].owner == owner.peer && copies_[i].state != CopyState::kGone);
    // Once the sweep has passed, nothing of an owner past its barrier is left alone.
    if (owner.phase == OwnerPhase::kPastBarrier && (before_cursor || !owner.in_sweep)) {
      FREEHOLD_CHECK(IsFreed(copies_[i].state));
    }
    if (copies_[i].has_bytes()) bytes += copies_[i].size;
    ++listed;
  }
  FREEHOLD_CHECK(cursor_seen && listed == owner.copies.size() && bytes == owner.bytes);
  FREEHOLD_CHECK(owner.orphan_cursor == kNoCopy || owner.in_sweep);
  const auto here = owners_here_.find(owner.here_since);
  FREEHOLD_CHECK((here != owners_here_.end() && here->second == owner.peer) ==
                 !owner.copies.empty());
  uint32_t reporting = 0;
  for (uint32_t i = owner.reports.head(); i != kNoCopy; i = ReportList::Next(copies_, i)) {
    FREEHOLD_CHECK(copies_[i].owner == owner.peer && copies_[i].waits_to_report());
    ++reporting;
  }
  FREEHOLD_CHECK(reporting == owner.reports.size());
  FREEHOLD_CHECK(owner.answers_waiting() == 0 || Reports(owner));
  // A report is in front of what waits for it.
  FREEHOLD_CHECK(owner.moved_acks.empty() || OwesMovedAck(owner) || !owner.reports.empty());
}

// Every record is found by its key, and nothing else is.
void CopyTable::CheckIndex() const {
  size_t indexed = 0;
  for (const auto& [object, newest] : newest_) {
    FREEHOLD_CHECK(newest != kNoCopy);
    for (uint32_t i = newest; i != kNoCopy; i = copies_[i].older) {
      FREEHOLD_CHECK(copies_[i].object == object);
      const uint32_t older = copies_[i].older;
      FREEHOLD_CHECK(older == kNoCopy || copies_[older].generation < copies_[i].generation);
      CheckRecord(i);
      ++indexed;
    }
  }
  FREEHOLD_CHECK(indexed == copies_.in_use());
}

void CopyTable::CheckInvariants() const {
  CheckIndex();
  CheckMoves();
  Stats sum;
  size_t to_delete = 0;
  size_t retries = 0;
  size_t reporting = 0;
  for (uint32_t i = 0; i < copies_.end(); ++i) {
    const CopyRecord& copy = copies_[i];
    if (copy.state != CopyState::kGone) ++sum.copies;
    if (copy.has_bytes()) sum.bytes += copy.size;
    sum.readers += copy.readers;
    const bool doomed =
        copy.state == CopyState::kDoomedByReaders || copy.state == CopyState::kDoomedByFetch;
    if (doomed) ++sum.doomed;
    if (IsFreed(copy.state) && !doomed) ++sum.deletes_pending;
    if (copy.report != CopyReport::kNothing) ++sum.reports_waiting;
    if (copy.report_first != CopyReport::kNothing) ++sum.reports_waiting;
    if (copy.waits_to_report()) ++reporting;
    if (copy.state == CopyState::kToDelete) ++to_delete;
    if (copy.state == CopyState::kDeleteFailed) ++retries;
  }
  FREEHOLD_CHECK(to_delete == to_delete_.size() && retries == retries_.size());
  uint64_t owned = 0;
  uint64_t owned_bytes = 0;
  size_t owners_here = 0;
  size_t owners_in_sweep = 0;
  for (const std::unique_ptr<Owner>& owner : owners_) {
    if (owner == nullptr) continue;
    CheckOwner(*owner);
    owned += owner->copies.size();
    owned_bytes += owner->bytes;
    sum.reports_waiting += owner->answers_waiting();
    reporting -= owner->reports.size();
    if (!owner->copies.empty()) ++owners_here;
    if (owner->in_sweep) ++owners_in_sweep;
  }
  FREEHOLD_CHECK(reporting == 0 && owners_here == owners_here_.size());
  FREEHOLD_CHECK(owners_in_sweep == sweep_.size());
  FREEHOLD_CHECK(sum.copies == stats_.copies && owned == stats_.copies);
  FREEHOLD_CHECK(sum.bytes == stats_.bytes && owned_bytes == stats_.bytes);
  FREEHOLD_CHECK(sum.readers == stats_.readers && sum.doomed == stats_.doomed);
  FREEHOLD_CHECK(sum.deletes_pending == stats_.deletes_pending);
  FREEHOLD_CHECK(sum.reports_waiting == stats_.reports_waiting);
  FREEHOLD_CHECK(stats_.orphans_deleted <= stats_.copies_deleted);
}

}  // namespace freehold::core
