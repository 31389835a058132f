// Ownership that moves: the side of whoever becomes the owner.

#include <algorithm>
#include <utility>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_declare.h"
#include "src/core/object_table_evict.h"
#include "src/core/object_table_files.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_pins.h"
#include "src/core/object_table_quiet.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

namespace {

ObjectState StateOf(TransferState state) {
  switch (state) {
    case TransferState::kAvailable:
      return ObjectState::kAvailable;
    case TransferState::kFreed:
    case TransferState::kRecord:
      return ObjectState::kFreed;
    case TransferState::kLost:
      return ObjectState::kLost;
    case TransferState::kPending:
      break;
  }
  return ObjectState::kPending;
}

}  // namespace

TransferAnswer TransferSteps::AnswerTo(const event::TakeOver& e) const {
  if (e.refusal != TransferAnswer::kTaken) return e.refusal;
  const ObjectRecord* const found = table_.FindMutable(e.key);
  const Former* const former = Any(table_) ? transfers()->formers.Find(e.key.id) : nullptr;
  // Nobody gives away in an earlier term what is known of a later one.
  const bool known =
      found != nullptr && (!found->borrowed || table_.BorrowOf(*found).term >= e.term);
  const bool given = former != nullptr && (!former->settled() || former->term >= e.term);
  if (known || given) return TransferAnswer::kExists;
  const size_t borrowers = table_.sharing_ == nullptr ? 0 : table_.sharing_->borrowers.size();
  // Nobody holds it here either.
  if (e.snapshot.state == TransferState::kRecord && found != nullptr)
    return TransferAnswer::kExists;
  const bool fits = borrowers + e.snapshot.processes.size() + 1 <= table_.config_.borrowers_max;
  return fits ? TransferAnswer::kTaken : TransferAnswer::kFull;
}

Verdict TransferSteps::Step(const event::TakeOver& e, Effects* effects, ObjectRecord** record) {
  if (table_.fences_.IsFenced(e.from)) return Verdict::kPeerExcluded;
  Transfers& all = Share();
  ObjectRecord* found = table_.FindMutable(e.key);
  Former* const former = all.formers.Find(e.key.id);
  TransferAnswer answer = AnswerTo(e);
  if (answer == TransferAnswer::kTaken && found == nullptr) {
    const RecordIndex index = table_.Make(e.key, ObjectState::kPending);
    found = index == kNoRecord ? nullptr : &table_.slabs_.At(index);
    if (found == nullptr) answer = TransferAnswer::kFull;
  }
  Answer(e.from, SharingKind::kTransferAck, e.key.id, e.term, static_cast<uint8_t>(answer),
         effects);
  switch (answer) {
    case TransferAnswer::kTaken:
      break;
    case TransferAnswer::kExists:
      return Verdict::kAlreadyExists;
    case TransferAnswer::kFull:
      return Verdict::kTableFull;
    case TransferAnswer::kRefused:
    case TransferAnswer::kDraining:
      return Verdict::kRefused;
  }
  if (former != nullptr) Forget(former, effects);
  ++table_.counters_.transfers_taken;
  if (e.keep) found->has_handles = 1;
  if (e.snapshot.task != nullptr) table_.rares_.SetLineage(*found);
  Install(found, e.snapshot, {e.term, e.from, 0}, effects);
  if (e.scope != nullptr) ScopeSteps(&table_).Come(found, *e.scope, effects);
  *record = found;
  if (e.snapshot.state == TransferState::kRecord) table_.EndIfNotHeld(found, effects);
  return Verdict::kOk;
}

// Makes an owned object of the record, be it new or a borrowed one, and lists who is to be told.
void TransferSteps::Install(ObjectRecord* record, const OwnedSnapshot& snapshot,
                            const Tenure& tenure, Effects* effects) {
  Sharing& sharing = *table_.sharing_;
  Transfers& all = *sharing.transfers;
  const RecordIndex index = table_.IndexOf(*record);
  if (record->borrowed) {
    DeclareSteps(&table_).EndWith(*record, DeclareAnswer::kOk, effects);
    table_.EndOwed(*record, HandoffAnswer::kOk, effects);
    if (table_.BorrowOf(*record).flushing) effects->ready.push_back(table_.BorrowOf(*record).owner);
    sharing.borrows.Remove(record->overflow);
    record->overflow = kNone;
    record->borrowed = 0;
  }
  record->generation = snapshot.generation;
  if (snapshot.size != 0) record->size = snapshot.size;
  record->was_freed = snapshot.state == TransferState::kFreed ? 1 : 0;
  record->has_askers = 1;
  Tenure entered = tenure;
  entered.era = all.era;
  all.tenures[index] = entered;
  table_.CountState(record, StateOf(snapshot.state));
  if (snapshot.evict_first) table_.rares_.Ensure(*record).evict_first = true;
  if (snapshot.pins != nullptr) PinSteps(&table_).Install(record, *snapshot.pins);
  bool primary_gone = false;
  for (const OwnedSnapshot::At& at : snapshot.nodes) {
    if (table_.nodes_.IsExcluded(at.node)) {
      primary_gone = primary_gone || at.primary;
      if (at.spilled && at.shared) EnterFile(record, at, effects);
      continue;
    }
    if (at.has_copy()) Enter(record, at);
    ToTell(index, at.node, effects);
  }
  // As at the exclusion, which this record has missed. The node hears first whose the object is.
  if (primary_gone && table_.PrimaryOf(record) == nullptr) table_.Promote(record, effects);
  for (const PeerIndex process : snapshot.processes) ListAndTell(record, process, effects);
  // Whoever got the reference from here registers with an owner before.
  sharing.pins.ForEachOf(index, [&](const HolderIndex::Holder& pin) {
    if (!IsMutant(Mutant::kMoveNotPassedOn)) ListAndTell(record, pin.peer, effects);
    return true;
  });
  for (const PeerIndex former : snapshot.formers) {
    if (table_.fences_.IsFenced(former)) continue;
    (void)all.previous.Add(index, former, 0);
    ListAndTell(record, former, effects);
  }
  if (tenure.from != kNoPeer) {
    (void)all.previous.Add(index, tenure.from, 0);
    const bool holds = snapshot.state != TransferState::kRecord;
    if (holds && !IsMutant(Mutant::kFormerNotListed)) ListAndTell(record, tenure.from, effects);
  }
  table_.AfterCopiesGone(record, effects);
  SettleIfTold(index, effects);
}

// Whoever is to be told counts as a borrower until it has answered: from what it is told on it
// takes itself for one, and ends what brought the reference to it.
void TransferSteps::ListAndTell(ObjectRecord* record, PeerIndex process, Effects* effects) {
  if (table_.fences_.IsClosed(process) && !IsMutant(Mutant::kClosedBorrowerListed)) return;
  const RecordIndex index = table_.IndexOf(*record);
  (void)table_.sharing_->borrowers.Add(index, process, 0);
  record->has_borrowers = 1;
  // Who has given it away knows.
  if (process != transfers()->tenures.find(index)->second.from) ToTell(index, process, effects);
}

void TransferSteps::Enter(ObjectRecord* record, const OwnedSnapshot::At& at) {
  if (table_.copies_.Find(*record, at.node) != nullptr) return;
  Copy* const copy = table_.copies_.Insert(*record, at.node);
  if (copy == nullptr) return;  // its node will report it
  table_.nodes_.Link(table_.IndexOf(*record), copy);
  copy->in_memory = at.in_memory ? 1 : 0;
  copy->spilled = at.spilled ? 1 : 0;
  copy->prospective = copy->real() ? 0 : 1;
  copy->shared = at.shared && at.spilled ? 1 : 0;
  copy->primary = at.primary && copy->real() && !table_.HasPrimaryElsewhere(*record, at.node);
  if (at.spilled) table_.SetUrl(record, at.node, at.url);
}

// It has outlived its node, which was excluded after the snapshot.
void TransferSteps::EnterFile(ObjectRecord* record, const OwnedSnapshot::At& at, Effects* effects) {
  const PeerIndex place = table_.nodes_.unbound();
  if (place == kNoPeer) return;
  if (table_.copies_.Find(*record, place) == nullptr) {
    Copy* const copy = table_.copies_.Insert(*record, place);
    if (copy == nullptr) return;
    table_.nodes_.Link(table_.IndexOf(*record), copy);
  }
  FileSteps(&table_).Outlive(record, at.url, FreeState::kHeld, effects);
}

void TransferSteps::ToTell(RecordIndex index, PeerIndex peer, Effects* effects) {
  if (table_.fences_.IsFenced(peer)) return;
  Transfers& all = *transfers();
  const bool had_work = table_.sharing_->HasWorkFor(peer);
  if (all.to_tell.Add(index, peer, 0) != HolderIndex::Added::kAdded) return;
  all.CountUntold(all.tenures.find(index)->second, 1);
  if (!had_work) effects->ready.push_back(peer);
}

void TransferSteps::TellIfTakenBack(RecordIndex index, PeerIndex peer, Effects* effects) {
  if (Any(table_) && transfers()->awaited.FirstOf(index) != nullptr) ToTell(index, peer, effects);
}

bool TransferSteps::CountsReport(const Key& key, PeerIndex node, uint32_t term) const {
  if (!Any(table_) || IsMutant(Mutant::kEarlierReportCounts)) return true;
  const ObjectRecord& newest = *table_.FindMutable(key);
  return term >= TermOf(newest) || !IsTelling(table_.IndexOf(newest), node);
}

void TransferSteps::ForgetUntold(HolderIndex* told, RecordIndex index, PeerIndex peer) {
  Transfers& all = *transfers();
  if (told->Remove(index, peer, 0) == HolderIndex::Removed::kAbsent) return;
  all.CountUntold(all.tenures.find(index)->second, -1);
}

bool TransferSteps::IsTelling(RecordIndex index, PeerIndex peer) const {
  return Any(table_) && (transfers()->to_tell.Contains(index, peer, 0) ||
                         transfers()->telling.Contains(index, peer, 0));
}

bool TransferSteps::IsTold(RecordIndex index) const {
  return transfers()->to_tell.FirstOf(index) == nullptr &&
         transfers()->telling.FirstOf(index) == nullptr;
}

// Nobody takes it back: whoever could says so, or cannot any more.
bool TransferSteps::Settles(const Tenure& tenure) const {
  return tenure.from == kNoPeer || table_.fences_.IsFenced(tenure.from);
}

bool TransferSteps::MayGoBack(const ObjectRecord& record) const {
  const RecordIndex index = RecordSlabs::IndexOf(record);
  return HasTenure(index) && !Settles(transfers()->tenures.find(index)->second);
}

void TransferSteps::SettleIfTold(RecordIndex index, Effects* effects) {
  const Tenure& tenure = transfers()->tenures.find(index)->second;
  if (!IsTold(index)) return;
  if (Settles(tenure)) {
    HeirSteps(&table_).MayGoOn(index, effects);
    TellSettled(index, effects);
    return GoOnFollowing(index, effects);
  }
  Answer(tenure.from, SharingKind::kSettled, table_.slabs_.At(index).id(), tenure.term, 0, effects);
}

Verdict TransferSteps::Step(const event::SettledAcked& e, Effects* effects) {
  ObjectRecord* const record = table_.FindMutable(e.key);
  if (record == nullptr || record->borrowed || !Any(table_)) return Verdict::kUnchanged;
  const auto at = transfers()->tenures.find(table_.IndexOf(*record));
  if (at == transfers()->tenures.end() || at->second.from != e.from || at->second.term != e.term) {
    return Verdict::kUnchanged;
  }
  TellSettled(table_.IndexOf(*record), effects);
  at->second.from = kNoPeer;
  GoOnFollowing(table_.IndexOf(*record), effects);
  return Verdict::kOk;
}

Verdict TransferSteps::Step(const event::MovedAcked& e, Effects* effects) {
  ObjectRecord* const record = table_.FindMutable(e.key);
  if (record == nullptr || record->borrowed || !Any(table_)) return Verdict::kUnchanged;
  Transfers& all = *transfers();
  const RecordIndex index = table_.IndexOf(*record);
  if (TermOf(*record) != e.term || !all.telling.Contains(index, e.from, 0)) {
    return Verdict::kUnchanged;
  }
  ForgetUntold(&all.telling, index, e.from);
  SettleIfTold(index, effects);
  if (e.by_node) {
    // It has reported what it has; what it has not is not there.
    Copy* const copy = table_.copies_.Find(*record, e.from);
    if (copy == nullptr || !copy->held() || !copy->real()) return Verdict::kOk;
    if (copy->reported != 0) {
      // The owner before may have said so too late.
      if (EvictSteps::IsMarked(table_, *record)) {
        EvictSteps(&table_).TellNode(*record, *copy, effects);
      }
      return Verdict::kOk;
    }
    table_.RemoveHeldCopy(record, copy, effects);
    table_.AfterCopiesGone(record, effects);
    return Verdict::kOk;
  }
  HolderIndex& borrowers = table_.sharing_->borrowers;
  if (e.holds) {
    if (borrowers.Add(index, e.from, 0) != HolderIndex::Added::kFull) record->has_borrowers = 1;
    HeirSteps(&table_).Changed(index, effects);
  } else if (!IsMutant(Mutant::kMovedAckIgnored)) {
    (void)table_.RemoveHolder(&borrowers, {index, e.from, 0}, effects);
  }
  return Verdict::kOk;
}

void TransferSteps::End(const ObjectRecord& record, Effects* effects) {
  const RecordIndex index = RecordSlabs::IndexOf(record);
  if (!HasTenure(index)) return;
  HeirSteps(&table_).End(index, effects);
  Transfers& all = *transfers();
  const uint32_t term = TermOf(record);
  // A node may have asked when it was not known whom: it asks again, and hears that the object is
  // gone.
  while (const HolderIndex::Holder* first = all.to_tell.FirstOf(index)) {
    const PeerIndex peer = first->peer;
    ForgetUntold(&all.to_tell, index, peer);
    SendNews(peer, {record.id(), term, kNoPeer}, effects);
  }
  while (const HolderIndex::Holder* first = all.telling.FirstOf(index)) {
    ForgetUntold(&all.telling, index, first->peer);
  }
  while (const HolderIndex::Holder* first = all.previous.FirstOf(index)) {
    const PeerIndex former = first->peer;
    (void)all.previous.Remove(index, former, 0);
    // Of the first term are heirs alone, to whom any that is not earlier says it.
    Answer(former, SharingKind::kMovedEnded, record.id(), std::max(term, kFirstTerm + 1), 0,
           effects);
  }
  all.tenures.erase(index);
}

}  // namespace freehold::core
