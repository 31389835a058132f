// Ownership that moves: the side of the owner that gives an object away. The next one's is in
// object_table_takeover.cc, that of whoever else is told of it in object_table_moved.cc.

#include "src/core/object_table_transfer.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_evict.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_lineage.h"
#include "src/core/object_table_pins.h"
#include "src/core/object_table_quiet.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

namespace {

TransferState StateOf(ObjectState state) {
  switch (state) {
    case ObjectState::kAvailable:
      return TransferState::kAvailable;
    case ObjectState::kFreed:
      return TransferState::kFreed;
    case ObjectState::kLost:
      return TransferState::kLost;
    default:
      return TransferState::kPending;
  }
}

TransferOutcome OutcomeOf(TransferAnswer answer) {
  switch (answer) {
    case TransferAnswer::kTaken:
      return TransferOutcome::kMoved;
    case TransferAnswer::kExists:
      return TransferOutcome::kExists;
    case TransferAnswer::kRefused:
      return TransferOutcome::kRefused;
    case TransferAnswer::kDraining:
      return TransferOutcome::kDraining;
    case TransferAnswer::kFull:
      break;
  }
  return TransferOutcome::kFull;
}

}  // namespace

const char* ImmovableName(Immovable why) {
  switch (why) {
    case Immovable::kNo:
      return "it can be given away";
    case Immovable::kContains:
      return "it contains other objects";
    case Immovable::kInScope:
      return "it is in a scope of another process's, or moves from one to another";
    case Immovable::kLineage:
      return "it is a generator, a stateful task made it, or its value is kept by the host";
    case Immovable::kTaskBusy:
      return "the task that made it is recorded, or runs again, at this moment";
    case Immovable::kSubscribed:
      return "its locations are subscribed to";
    case Immovable::kSharedFile:
      return "it has a file that belongs to no node";
    case Immovable::kDeleting:
      return "copies of it are being deleted";
    case Immovable::kTooMany:
      return "its processes, nodes, URLs and pins are more than one message names";
    case Immovable::kMoving:
      return "it was transferred lately, and not everybody knows";
    case Immovable::kTooOften:
      return "it was transferred as often as can be counted";
    case Immovable::kHasHeir:
      return "it has an heir";
  }
  return "?";
}

Transfers& TransferSteps::Share() {
  Sharing& sharing = table_.Share();
  if (sharing.transfers == nullptr) sharing.transfers = std::make_unique<Transfers>();
  return *sharing.transfers;
}

uint32_t TransferSteps::TermOf(const ObjectRecord& record) const {
  if (!Any(table_)) return kFirstTerm;
  // What is left of an older value is of the same owner, in the same term.
  const ObjectRecord* of =
      record.is_ghost ? table_.FindMutable({record.id(), record.id().Hash()}) : &record;
  const auto at = transfers()->tenures.find(RecordSlabs::IndexOf(*of));
  return at == transfers()->tenures.end() ? kFirstTerm : at->second.term;
}

// --- Giving away ---------------------------------------------------------------------------------

Verdict TransferSteps::Step(const event::Transfer& e, Effects* effects, Immovable* why) {
  *why = Immovable::kNo;
  Verdict verdict;
  ObjectRecord* record = table_.InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  if (record->borrowed) return Verdict::kNotOwner;
  if (table_.fences_.IsFenced(e.to)) return Verdict::kPeerExcluded;
  *why = WhyNot(*record, e);
  if (*why != Immovable::kNo) return Verdict::kWrongState;
  Transfers& all = Share();
  auto snapshot = std::make_unique<OwnedSnapshot>();
  const Membership* const membership = record->is_member() ? e.membership->get() : nullptr;
  const TaskRecord* const task = e.task == nullptr ? nullptr : e.task->get();
  if (!TakeSnapshot(*record, *e.names, membership, task, snapshot.get())) {
    *why = Immovable::kTooMany;
    return Verdict::kWrongState;
  }
  const RecordIndex index = table_.IndexOf(*record);
  const uint32_t term = TermOf(*record) + 1;
  const bool had_work = table_.sharing_->HasWorkFor(e.to);
  const uint32_t borrow = table_.sharing_->borrows.Add(index, e.to);
  if (borrow == kNone) return Verdict::kTableFull;
  Former* const former = all.formers.Add(e.key.id, e.to, term);
  if (former == nullptr) {
    table_.sharing_->borrows.Remove(borrow);
    return Verdict::kTableFull;
  }
  if (Rare* rare = table_.rares_.Find(*record); rare != nullptr && !rare->inners.empty()) {
    snapshot->contained = std::make_unique<Contained>();
    snapshot->contained->inners = std::exchange(rare->inners, InnerList());
    if (e.handed != nullptr) snapshot->contained->handed.all = std::exchange(*e.handed, {});
  }
  if (membership != nullptr) {
    snapshot->membership = std::move(*e.membership);
    ScopeSteps(&table_).GoAway(record, effects);
  }
  if (task != nullptr) {
    former->lent = true;
    snapshot->task = std::move(*e.task);
  }
  former->snapshot = std::move(snapshot);
  (void)HeirSteps(&table_).EndList(index, HeirOutcome::kDismissed, effects);
  Strip(record);
  record->borrowed = 1;
  record->overflow = borrow;
  table_.sharing_->borrows.Follow(borrow, e.to, term, BorrowStage::kMoving);
  ++table_.counters_.transfers;
  if (!had_work) effects->ready.push_back(e.to);
  if (!table_.sharing_->unlisted.empty()) table_.ListNextBorrower(effects);
  return Verdict::kOk;
}

// What it contains comes last: passing that on is of use only if nothing else is in the way.
Immovable TransferSteps::WhyNot(const ObjectRecord& record, const event::Transfer& e) const {
  const Rare* const rare = table_.rares_.Find(record);
  const Membership* const seen = e.membership == nullptr ? nullptr : e.membership->get();
  if (record.is_member() && !IsSeen(record, seen)) return Immovable::kInScope;
  if (HeirSteps::Has(table_, record) && !IsMutant(Mutant::kGivenAwayWithHeir)) {
    return Immovable::kHasHeir;
  }
  if (LineageSteps::IsMarked(table_, record) && e.task == nullptr) return Immovable::kLineage;
  if (rare != nullptr) {
    if (rare->persist != 0) return Immovable::kLineage;
    if (!rare->subscribers.empty()) return Immovable::kSubscribed;
    if (rare->ghost != kNoRecord) return Immovable::kDeleting;
  }
  Immovable why = Immovable::kNo;
  table_.ForEachCopy(record, [&](const Copy& copy) {
    if (!copy.held()) why = Immovable::kDeleting;
    if (copy.node == table_.nodes_.unbound()) why = Immovable::kSharedFile;
  });
  if (why == Immovable::kNo && Any(table_)) why = WhyNotYet(record);
  if (why != Immovable::kNo) return why;
  return rare != nullptr && rare->inners.size() > e.looked_at ? Immovable::kContains : why;
}

// Nothing here has moved since the look: so the scope's index has named no other one meanwhile.
bool TransferSteps::IsSeen(const ObjectRecord& record, const Membership* seen) const {
  return seen != nullptr && ScopeSteps::LookAt(table_, record).IsLike(*seen);
}

// Of what has come by a transfer.
Immovable TransferSteps::WhyNotYet(const ObjectRecord& record) const {
  const RecordIndex index = RecordSlabs::IndexOf(record);
  // With room for the one who takes it back.
  if (TermOf(record) > kTermMax - 2) return Immovable::kTooOften;
  // Who waits for a barrier until everybody is told does so here.
  const bool settled = IsSettled(index) || IsMutant(Mutant::kMovesOnUnsettled);
  return settled ? Immovable::kNo : Immovable::kMoving;
}

bool TransferSteps::IsSettled(RecordIndex index) const {
  if (!HasTenure(index)) return true;
  return IsTold(index) && Settles(transfers()->tenures.find(index)->second);
}

bool TransferSteps::IsInherited(RecordIndex index) const {
  return HasTenure(index) && transfers()->tenures.find(index)->second.inherited;
}

// False: there is more than a message holds, which is not looked at to the end.
bool TransferSteps::TakeSnapshot(const ObjectRecord& record, const NodeNames& names,
                                 const Membership* membership, const TaskRecord* task,
                                 OwnedSnapshot* to) const {
  constexpr size_t kEntriesMax = kTransferListBytesMax / kTransferProcessBytes;
  OwnedSnapshot& snapshot = *to;
  if (record.copies > kEntriesMax) return false;
  snapshot.generation = record.generation;
  snapshot.size = record.size;
  snapshot.state = StateOf(record.state());
  snapshot.evict_first = EvictSteps::IsMarked(table_, record);
  if (const ValuePins::Pinned* pinned = PinSteps::Of(table_, record); pinned != nullptr) {
    snapshot.pins = std::make_unique<const ValuePins::Pinned>(*pinned);
  }
  absl::flat_hash_set<PeerIndex> known;
  table_.ForEachCopy(record, [&](const Copy& copy) {
    // Those that are to go, and files without a node, are its owner's to see to.
    if (!copy.held() || copy.node == table_.nodes_.unbound()) return;
    known.insert(copy.node);
    OwnedSnapshot::At at;
    at.node = copy.node;
    at.in_memory = copy.in_memory != 0;
    at.spilled = copy.spilled != 0;
    at.prospective = copy.prospective != 0;
    at.primary = copy.primary != 0;
    at.shared = copy.shared != 0;
    if (at.spilled) at.url = table_.Facts(record, copy).url;
    snapshot.nodes.push_back(std::move(at));
  });
  const Sharing& sharing = *table_.sharing_;
  const RecordIndex index = RecordSlabs::IndexOf(record);
  size_t repeated = 0;
  // Whoever got the reference from here may not have registered yet, and would with this process.
  for (const HolderIndex* holders :
       {&sharing.borrowers, &sharing.pins, &sharing.watches, &sharing.due, &sharing.moments}) {
    holders->ForEachOf(index, [&](const HolderIndex::Holder& holder) {
      if (!known.insert(holder.peer).second) return ++repeated <= kEntriesMax;
      if (names.IsNode(holder.peer)) {
        snapshot.nodes.emplace_back().node = holder.peer;
      } else {
        snapshot.processes.push_back(holder.peer);
      }
      return known.size() <= kEntriesMax;
    });
  }
  transfers()->previous.ForEachOf(index, [&](const HolderIndex::Holder& former) {
    snapshot.formers.push_back(former.peer);
    return snapshot.formers.size() <= kEntriesMax;
  });
  size_t bytes = task == nullptr ? 0 : TransferTaskBytes(*task);
  if (membership != nullptr) {
    // Its answer says that it has listed the next owner as one that has joined.
    const PeerIndex owner = membership->joining.owner;
    if (owner != kNoPeer) snapshot.Add(owner, false);
    bytes += membership->list_bytes();
  }
  return repeated <= kEntriesMax && snapshot.list_bytes() + bytes <= kTransferListBytesMax;
}

// Takes all out of the record that an owner has: from now on it is a reference like another.
void TransferSteps::Strip(ObjectRecord* record) {
  const RecordIndex index = table_.IndexOf(*record);
  Sharing& sharing = *table_.sharing_;
  const uint64_t key = DigestHash({record->id(), record->generation});
  while (record->copies > 0) {
    Copy* const copy = &table_.copies_.At(*record, record->copies - 1u);
    table_.nodes_.Unreport(copy, key);
    table_.RemoveCopy(record, copy);
  }
  for (HolderIndex* holders : {&sharing.borrowers, &sharing.watches, &sharing.due, &sharing.moments,
                               &sharing.transfers->previous}) {
    while (const HolderIndex::Holder* first = holders->FirstOf(index)) {
      const HolderIndex::Holder holder = *first;
      (void)holders->Remove(index, holder.peer, holder.number);
    }
  }
  sharing.transfers->tenures.erase(index);
  PinSteps(&table_).Strip(record);
  record->has_borrowers = 0;
  record->has_askers = 0;
  record->generation = 0;
  record->was_freed = 0;
  if (Rare* rare = table_.rares_.Find(*record); rare != nullptr) {
    rare->evict_first = false;
    if (rare->callbacks.empty()) table_.rares_.Release(*record);
  }
  table_.rares_.ClearLineage(*record);
  table_.CountState(record, ObjectState::kBorrowed);
}

Verdict TransferSteps::Step(const event::TransferAnswered& e, Effects* effects) {
  Former* const former = Any(table_) ? transfers()->formers.Find(e.key.id) : nullptr;
  if (former == nullptr || former->next_owner != e.from || former->term != e.term ||
      former->stage != FormerStage::kSent) {
    return Verdict::kUnchanged;
  }
  TransferNotice notice;
  notice.object = e.key.id;
  notice.next_owner = e.from;
  notice.outcome = OutcomeOf(e.answer);
  notice.lent = former->lent;
  notice.record = former->snapshot->state == TransferState::kRecord;
  if (e.answer != TransferAnswer::kTaken) {
    effects->Rarely().transferred.push_back(std::move(notice));
    TakeBack(former, /*next_died=*/false, effects);
    return Verdict::kOk;
  }
  if (IsMutant(Mutant::kScopeLetGoEarly)) LetGoOfMembership(former->snapshot.get(), effects);
  for (const Former::Asker& asker : std::exchange(former->asked, {})) {
    former->snapshot->Add(asker.peer, asker.is_node);
    SendNews(asker.peer, {e.key.id, former->term, former->next_owner}, effects);
  }
  transfers()->formers.SetStage(former, FormerStage::kTaken);
  if (IsMutant(Mutant::kContainedLetGoEarly)) {
    LetGoOfContained(former->snapshot.get(), effects);
  }
  ObjectRecord* const record = table_.FindMutable(e.key);
  if (notice.record) {
    ++table_.counters_.records_followed;
    effects->Rarely().transferred.push_back(std::move(notice));
    return Verdict::kOk;
  }
  FREEHOLD_CHECK(record != nullptr && record->borrowed);
  // What the host waits for is asked of the next owner from now on.
  if (Rare* rare = table_.rares_.Find(*record); rare != nullptr) {
    for (auto at = rare->callbacks.begin(); at != rare->callbacks.end();) {
      if (at->moment > Moment::kErased) {
        ++at;
        continue;
      }
      notice.callbacks.push_back(*at);
      --table_.counters_.callbacks;
      at = rare->callbacks.erase(at);
    }
  }
  effects->Rarely().transferred.push_back(std::move(notice));
  PassOn(*record, effects);
  table_.SetStage(record->overflow, BorrowStage::kConfirmed, effects);
  table_.EndOwed(*record, HandoffAnswer::kOk, effects);
  table_.EndIfNotHeld(record, effects);
  return Verdict::kOk;
}

// The next owner does not take it, or has died before everybody knew it: what was handed over is
// taken up again, in the term after.
void TransferSteps::TakeBack(Former* former, bool next_died, Effects* effects) {
  const ObjectId object = former->object;
  const PeerIndex next_owner = former->next_owner;
  const Key key{object, object.Hash()};
  Tenure tenure;
  tenure.term = former->term + 1;
  tenure.inherited = former->is_heir();
  const bool was_taken = former->stage == FormerStage::kTaken;
  const bool lent = former->lent;
  const std::unique_ptr<OwnedSnapshot> snapshot = std::move(former->snapshot);
  const std::unique_ptr<Contained> contained = std::move(snapshot->contained);
  for (const Former::Asker& asker : former->asked) snapshot->Add(asker.peer, asker.is_node);
  transfers()->formers.Remove(former);
  if (next_died) {
    TransferNotice notice;
    notice.object = object;
    notice.next_owner = next_owner;
    notice.lent = lent;
    notice.record = snapshot->state == TransferState::kRecord;
    notice.outcome = tenure.inherited ? TransferOutcome::kInherited
                     : was_taken      ? TransferOutcome::kTakenBack
                                      : TransferOutcome::kNextOwnerDied;
    effects->Rarely().transferred.push_back(std::move(notice));
  }
  ObjectRecord* record = table_.FindMutable(key);
  if (record == nullptr) {
    const RecordIndex index = table_.Make(key, ObjectState::kPending);
    if (index == kNoRecord) {
      effects->Rarely().transferred.back().outcome = TransferOutcome::kDiedWithNextOwner;
      if (contained != nullptr) {
        effects->Rarely().inner_lists.push_back(std::move(contained->inners));
      }
      LetGoOfHandedOver(snapshot.get(), effects);
      return;
    }
    record = &table_.slabs_.At(index);
  }
  if (lent) table_.rares_.SetLineage(*record);
  ObjectTableCounters& counters = table_.counters_;
  ++(tenure.inherited ? counters.objects_inherited : counters.transfers_taken_back);
  if (contained != nullptr) {
    if (tenure.inherited && IsMutant(Mutant::kContainedNotInherited)) {
      effects->Rarely().inner_lists.push_back(std::move(contained->inners));
    } else {
      table_.rares_.Ensure(*record).inners = std::move(contained->inners);
    }
  }
  Install(record, *snapshot, tenure, effects);
  if (const Membership* of = snapshot->membership.get(); of != nullptr) {
    Admission again{of->whose.scope, of->label, of->list == MemberList::kHeld};
    again.spared = of->list == MemberList::kForced;
    ScopeSteps(&table_).Come(record, again, effects);
  }
  if (next_died && !IsMutant(Mutant::kTakenBackNotHeld)) {
    if (transfers()->awaited.Add(table_.IndexOf(*record), next_owner, 0) ==
        HolderIndex::Added::kAdded) {
      ++record->nested_in;
      ++table_.counters_.nested;
    }
  }
  HeirSteps(&table_).Inherit(table_.IndexOf(*record), std::move(snapshot->heirs), effects);
  table_.EndIfNotHeld(record, effects);
}

Verdict TransferSteps::Step(const event::Settled& e, Effects* effects) {
  Former* const former = Any(table_) ? transfers()->formers.Find(e.key.id) : nullptr;
  Verdict verdict = Verdict::kUnchanged;
  const bool by_owner = former != nullptr && former->next_owner == e.from && former->term == e.term;
  if (by_owner && former->stage == FormerStage::kTaken) {
    LetGoOfHandedOver(former->snapshot.get(), effects);
    NoteSettled(*former, effects);
    transfers()->formers.SetStage(former, FormerStage::kSettled);
    verdict = Verdict::kOk;
  } else if (by_owner && former->stage == FormerStage::kSettled && former->lent) {
    NoteSettled(*former, effects);
    verdict = Verdict::kOk;
  }
  Answer(e.from, SharingKind::kSettledAck, e.key.id, e.term, 0, effects);
  return verdict;
}

Verdict TransferSteps::Step(const event::MovedEnded& e, Effects* effects) {
  Former* const former = Any(table_) ? transfers()->formers.Find(e.key.id) : nullptr;
  // The owner that ends may be a later one, which has not told of itself any more; but an heir's is
  // the one that has named it.
  if (former != nullptr && former->is_heir() && former->next_owner != e.from) {
    return Verdict::kUnchanged;
  }
  if (former == nullptr || former->stage <= FormerStage::kSent || former->term > e.term ||
      (former->term == e.term ? former->next_owner != e.from : !former->settled())) {
    return Verdict::kUnchanged;
  }
  Forget(former, effects);
  return Verdict::kOk;
}

}  // namespace freehold::core
