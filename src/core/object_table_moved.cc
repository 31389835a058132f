// Ownership that moves: the side of those who hold the object, or ask about it, and hear who its
// owner is; and what exclusions ask of transfers.

#include <algorithm>
#include <utility>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_declare.h"
#include "src/core/object_table_files.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_pins.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

// --- Who hears of another owner ------------------------------------------------------------------

Verdict TransferSteps::Step(const event::Moved& e, Effects* effects) {
  if (e.owner == kNoPeer) return Verdict::kUnchanged;  // this process knows what it owns
  const bool by_owner = e.from == e.owner;
  Former* const former = Any(table_) ? transfers()->formers.Find(e.key.id) : nullptr;
  if (former != nullptr && !former->settled() && e.from != former->next_owner) {
    // The next owner gives it to nobody before it has settled here.
    if (!table_.fences_.IsFenced(former->next_owner)) return Verdict::kUnchanged;
  }
  if (by_owner && former != nullptr && former->term <= e.term) {
    (void)Step(
        event::TransferAnswered{e.key, former->next_owner, former->term, TransferAnswer::kTaken},
        effects);
  }
  ObjectRecord* const record = table_.FindMutable(e.key);
  if (IsMutant(Mutant::kReleaseForwarded) && record != nullptr && !record->borrowed) {
    (void)table_.Step(event::BorrowerReleased{e.key, e.owner}, effects);
  }
  if (record != nullptr && !record->borrowed) {
    // Of what was given away since everybody who is to be told has been: nobody else gives it away.
    return TermOf(*record) > e.term ? Verdict::kUnchanged : Verdict::kOtherOwner;
  }
  if (by_owner || record != nullptr) (void)table_.Share();
  const bool through = former != nullptr && former->stage > FormerStage::kSent;
  // While it is an heir nobody gives the object away, whoever says so.
  if (through && !former->is_heir() && former->term < e.term && (by_owner || former->settled())) {
    // Behind its barrier nobody would forget the entry.
    if (table_.fences_.IsClosed(e.owner)) {
      Forget(former, effects);
    } else {
      LetGoOfHandedOver(former->snapshot.get(), effects);
      if (!former->settled()) NoteSettled(*former, effects);
      transfers()->formers.Follow(former, e.owner, e.term);
    }
  }
  if (!by_owner) {
    return record == nullptr ? Verdict::kUnchanged : HearFromOther(record, e, effects);
  }
  const bool holds = record != nullptr && HearFromOwner(record, e, effects);
  Answer(e.from, SharingKind::kMovedAck, e.key.id, e.term, holds ? 1 : 0, effects);
  return Verdict::kOk;
}

// Answers whether this process holds the object: from then on that owner lists it.
bool TransferSteps::HearFromOwner(ObjectRecord* record, const event::Moved& e, Effects* effects) {
  Sharing& sharing = *table_.sharing_;
  const Borrow borrow = table_.BorrowOf(*record);
  if (borrow.failed() || borrow.term > e.term || borrow.stage == BorrowStage::kMoving) return false;
  if (borrow.term == e.term && borrow.owner != e.owner) return false;
  if (!record->in_scope()) {
    // Nobody holds it any more, and what waits to be sent, or to be answered, says no more.
    if (borrow.flushing) effects->ready.push_back(borrow.owner);
    table_.EndOwed(*record, HandoffAnswer::kOk, effects);
    table_.EraseBorrowed(record);
    return false;
  }
  const bool is_news = borrow.term < e.term;
  DeclareSteps(&table_).EndWith(*record, DeclareAnswer::kOk, effects);
  sharing.borrows.EndDeclaration(record->overflow, DeclareAnswer::kOk);
  if (borrow.flushing) effects->ready.push_back(borrow.owner);
  sharing.borrows.EndFlush(record->overflow);
  NoteOuter(*record, borrow.owner, e.owner, effects);
  sharing.borrows.Follow(record->overflow, e.owner, e.term, BorrowStage::kConfirmed);
  table_.EndOwed(*record, HandoffAnswer::kOk, effects);
  if (is_news) PassOn(*record, effects);
  return true;
}

// What was heard of another owner meanwhile may be older: a former owner, who passed the reference
// on, owned the object again when the registration came. Nobody but this process can say what
// becomes of its entry there.
Verdict TransferSteps::HearListed(const event::RegisterAnswered& e, Effects* effects) {
  ObjectRecord* record = table_.FindMutable(e.key);
  if (record != nullptr && !record->borrowed) return Verdict::kUnchanged;
  if (record != nullptr && !table_.BorrowOf(*record).failed()) {
    // Never confirmed by it: that entry may have been taken back by what this process has answered
    // since. In a later term it is registered anew.
    const bool is_news = table_.BorrowOf(*record).term < e.term;
    if (record->in_scope() || !is_news) {
      if (is_news) (void)Follow(record, e.from, e.term, effects);
      return Verdict::kUnchanged;
    }
    (void)HearFromOwner(record, {e.key, e.from, e.from, e.term}, effects);
    if (table_.FindMutable(e.key) != nullptr) return Verdict::kUnchanged;
  }
  Answer(e.from, SharingKind::kRelease, e.key.id, e.term, 0, effects);
  return Verdict::kOk;
}

// What is confirmed waits for its owner's own word, which comes before any barrier that matters.
Verdict TransferSteps::HearFromOther(ObjectRecord* record, const event::Moved& e,
                                     Effects* effects) {
  const Borrow borrow = table_.BorrowOf(*record);
  if (borrow.failed() || borrow.confirmed() || borrow.term >= e.term) return Verdict::kUnchanged;
  const bool from_former = e.from == borrow.owner;
  bool passed_on = false;
  table_.sharing_->owed.ForEachOf(RecordSlabs::IndexOf(*record), [&](const auto& owed) {
    passed_on = passed_on || owed.peer == e.from;
    return !passed_on;
  });
  // It may have passed on an earlier one, and not have heard yet that this has ended.
  if (!from_former && !passed_on) return Verdict::kUnchanged;
  if (!record->in_scope()) {
    // Its registration was answered: it was not listed, and nobody holds it any more.
    if (!from_former) return Verdict::kUnchanged;
    if (borrow.flushing) effects->ready.push_back(borrow.owner);
    table_.EndOwed(*record, HandoffAnswer::kOk, effects);
    table_.EraseBorrowed(record);
    return Verdict::kOk;
  }
  return Follow(record, e.owner, e.term, effects) ? Verdict::kOk : Verdict::kOtherOwner;
}

// Whoever got the reference from here may not have been heard of by any owner.
void TransferSteps::PassOn(const ObjectRecord& record, Effects* effects) {
  if (!record.has_pins || IsMutant(Mutant::kMoveNotPassedOn)) return;
  const Borrow& borrow = table_.BorrowOf(record);
  const Transfers::MovedNews news{record.id(), borrow.term, borrow.owner};
  PeerIndex last = kNoPeer;  // handoffs to one receiver mostly stand in a row
  table_.sharing_->pins.ForEachOf(RecordSlabs::IndexOf(record), [&](const auto& pin) {
    if (pin.peer != last && pin.peer != news.owner) SendNews(pin.peer, news, effects);
    last = pin.peer;
    return true;
  });
}

bool TransferSteps::Follow(ObjectRecord* record, PeerIndex owner, uint32_t term, Effects* effects) {
  BorrowIndex& borrows = table_.sharing_->borrows;
  const Borrow& borrow = table_.BorrowOf(*record);
  if (borrow.term > term) return true;
  if (borrow.term == term) return borrow.owner == owner;
  if (borrow.failed() || borrow.stage == BorrowStage::kMoving) return true;
  // A declaration that is under way was taken, or nobody could have given the object away.
  DeclareSteps(&table_).EndWith(*record, DeclareAnswer::kOk, effects);
  borrows.EndDeclaration(record->overflow, DeclareAnswer::kOk);
  const bool flushes = borrow.flushing;
  if (flushes) effects->ready.push_back(borrow.owner);
  const bool had_work = table_.sharing_->HasWorkFor(owner);
  borrows.EndFlush(record->overflow);
  NoteOuter(*record, borrow.owner, owner, effects);
  borrows.Follow(record->overflow, owner, term, BorrowStage::kQueued);
  if (flushes && !table_.fences_.IsFenced(owner)) borrows.RequireFlush(record->overflow);
  if (!had_work) effects->ready.push_back(owner);
  PassOn(*record, effects);
  // Its barrier has come already: nobody would end the reference later.
  if (table_.fences_.IsClosed(owner)) {
    table_.FailBorrow(record, BorrowStage::kOwnerDied, effects);
  }
  return true;
}

void TransferSteps::Forward(const ObjectId& object, PeerIndex borrower, Effects* effects) {
  const Former* former = FindFormer(object);
  if (former == nullptr || former->stage <= FormerStage::kSent) return;
  SendNews(former->next_owner, {object, former->term, borrower}, effects);
}

// --- Who asks here -------------------------------------------------------------------------------

bool TransferSteps::Redirect(const Key& key, PeerIndex from, bool by_node, Effects* effects) {
  if (!Any(table_)) return false;
  Former* const former = transfers()->formers.Find(key.id);
  // In the first term it was never owned here, by an heir as little as by anybody.
  if (former == nullptr || former->term == kFirstTerm) return false;
  const Former::Asker asker{from, by_node};
  if (former->stage <= FormerStage::kSent && !IsMutant(Mutant::kRedirectedTooEarly)) {
    if (std::find(former->asked.begin(), former->asked.end(), asker) == former->asked.end()) {
      former->asked.push_back(asker);
    }
    return true;
  }
  // If the object is taken back, whoever asked is told so too.
  if (former->stage == FormerStage::kTaken) former->snapshot->Add(from, by_node);
  SendNews(from, {key.id, former->term, former->next_owner}, effects);
  return true;
}

// An answer would be the second one: a node that hears of this term asks again.
bool TransferSteps::AsksAnother(const event::MovePrimary& e, Effects* effects) {
  const uint32_t term = TermOf(*table_.FindMutable(e.key));
  if (e.term >= term) return false;
  SendNews(e.node, {e.key.id, term, kNoPeer}, effects);
  return true;
}

void TransferSteps::Answer(PeerIndex to, SharingKind kind, const ObjectId& object, uint32_t term,
                           uint8_t answer, Effects* effects, uint64_t number) {
  if (table_.fences_.IsFenced(to)) return;
  Sharing& sharing = table_.Share();
  const bool had_work = sharing.HasWorkFor(to);
  if (!sharing.outbox.Add(to, SharingItem{object, number, term, kind, answer})) {
    ++table_.counters_.answers_lost;
    return;
  }
  if (Transfers::IsUnasked(kind)) ++Share().unasked.At(to);
  if (!had_work) effects->ready.push_back(to);
}

void TransferSteps::SendNews(PeerIndex to, const Transfers::MovedNews& news, Effects* effects) {
  if (table_.fences_.IsFenced(to) || table_.nodes_.IsExcluded(to)) return;
  Transfers& all = Share();
  const bool had_work = table_.sharing_->HasWorkFor(to);
  if (!all.moved_news.Add(to, news)) {
    ++table_.counters_.answers_lost;
    return;
  }
  if (!had_work) effects->ready.push_back(to);
}

// --- Exclusion -----------------------------------------------------------------------------------

bool TransferSteps::Fence(PeerIndex peer, uint32_t* items_max, Effects* effects) {
  if (!Any(table_)) return false;
  if (HeirSteps(&table_).Fence(peer, items_max, effects)) return true;
  Transfers& all = *transfers();
  // What the peer has not told everybody of is taken back; what it was to be told of, it is not.
  while (Former* const former = all.formers.FirstUnsettled(peer)) {
    if (IsMutant(Mutant::kNotTakenBack)) break;
    if (*items_max == 0) return true;
    --*items_max;
    TakeBack(former, /*next_died=*/true, effects);
  }
  for (HolderIndex* told : {&all.to_tell, &all.telling}) {
    while (const HolderIndex::Holder* first = told->FirstOfPeer(peer)) {
      if (*items_max == 0) return true;
      --*items_max;
      const RecordIndex index = first->record;
      ForgetUntold(told, index, peer);
      SettleIfTold(index, effects);
    }
  }
  while (const HolderIndex::Holder* first = all.previous.FirstOfPeer(peer)) {
    if (*items_max == 0) return true;
    --*items_max;
    const RecordIndex index = first->record;
    (void)all.previous.Remove(index, peer, 0);
    if (all.tenures.find(index)->second.from == peer) {
      if (IsTold(index)) {
        TellSettled(index, effects);
      } else {
        FileSteps(&table_).GoOnWithoutFormer(&table_.slabs_.At(index), effects);
      }
    }
    GoOnFollowing(index, effects);
  }
  all.moved_news.TakeWhile(
      peer, [&](const Transfers::MovedNews&) { return *items_max > 0 && (*items_max)-- > 0; });
  if (!all.moved_news.empty(peer)) return true;
  all.BeginEra();
  return false;
}

bool TransferSteps::Close(PeerIndex process, uint32_t* items_max, Effects* effects) {
  if (!Any(table_)) return false;
  Transfers& all = *transfers();
  while (Former* const former = all.formers.FirstSettled(process)) {
    if (*items_max == 0) return true;
    --*items_max;
    Forget(former, effects);
  }
  while (const HolderIndex::Holder* first = all.awaited.FirstOfPeer(process)) {
    if (*items_max == 0) return true;
    --*items_max;
    const RecordIndex index = first->record;
    (void)all.awaited.Remove(index, process, 0);
    HeirSteps(&table_).MayGoOn(index, effects);
    (void)table_.Step(event::DropNestedHold{index}, effects);
  }
  return false;
}

// --- What waits to be sent -----------------------------------------------------------------------

// What waits for a peer that is slow may have been overtaken. False: there is nothing to be sent
// now; it hears when it is known, or at once from the owner, which is this process.
bool TransferSteps::Refresh(PeerIndex peer, bool by_node, Transfers::MovedNews* news) {
  Effects ignored;  // `peer` is being sent what waits for it
  const Key key{news->object, news->object.Hash()};
  ObjectRecord* const record = table_.FindMutable(key);
  if (record != nullptr && record->in_scope() && !record->borrowed) {
    // It was declared since, or never had another owner: nobody moved.
    if (TermOf(*record) == kFirstTerm) return false;
    if (by_node) {
      ToTell(table_.IndexOf(*record), peer, &ignored);
    } else {
      ListAndTell(record, peer, &ignored);
    }
    return false;
  }
  const Former* const former = FindFormer(news->object);
  const bool untaken = former != nullptr && former->stage <= FormerStage::kSent;
  if (untaken && !IsMutant(Mutant::kRedirectedTooEarly)) {
    return !Redirect(key, peer, by_node, &ignored);
  }
  if (former != nullptr && former->term > news->term) {
    *news = {news->object, former->term, former->next_owner};
  }
  if (record != nullptr && record->borrowed && table_.BorrowOf(*record).term > news->term) {
    *news = {news->object, table_.BorrowOf(*record).term, table_.BorrowOf(*record).owner};
  }
  return true;
}

bool TransferSteps::PullMoved(PeerIndex peer, uint32_t* items_max, const NodeNames& names,
                              PayloadWriter* writer) {
  if (!Any(table_)) return true;
  Transfers& all = *transfers();
  const bool by_node = names.IsNode(peer);
  bool full = false;
  all.moved_news.TakeWhile(peer, [&](const Transfers::MovedNews& queued) {
    Transfers::MovedNews news = queued;
    if (*items_max > 0 && !Refresh(peer, by_node, &news)) return true;
    full =
        *items_max == 0 ||
        !writer->Add(MovedItem{news.object, news.term,
                               news.owner == kNoPeer ? ProcessId() : names.ProcessAt(news.owner)});
    if (!full) --*items_max;
    return !full;
  });
  while (const HolderIndex::Holder* first = full ? nullptr : all.to_tell.FirstOfPeer(peer)) {
    const RecordIndex index = first->record;
    const Tenure& tenure = all.tenures.find(index)->second;
    full = *items_max == 0 ||
           !writer->Add(MovedItem{table_.slabs_.At(index).id(), tenure.term, ProcessId()});
    if (full) break;
    --*items_max;
    (void)all.to_tell.Remove(index, peer, 0);
    const bool waits = !IsMutant(Mutant::kFlushedWhenTold) &&
                       all.telling.Add(index, peer, 0) == HolderIndex::Added::kAdded;
    if (!waits) all.CountUntold(tenure, -1);  // as when there is no room to wait for its answer
  }
  return !full;
}

TransferItem TransferSteps::ItemOf(const ObjectId& object, uint32_t term,
                                   const OwnedSnapshot& snapshot, PeerIndex to,
                                   const NodeNames& names, Time now) {
  TransferItem item;
  item.object = object;
  item.term = term;
  item.generation = snapshot.generation;
  item.size = snapshot.size;
  item.state = snapshot.state;
  item.evict_first = snapshot.evict_first;
  for (const OwnedSnapshot::At& at : snapshot.nodes) {
    item.nodes.push_back({names.NodeAt(at.node), at.in_memory, at.spilled, at.prospective,
                          at.primary, at.shared, at.url});
  }
  const auto add = [&](const std::vector<PeerIndex>& from, std::vector<ProcessId>* listed) {
    for (const PeerIndex process : from) {
      if (process != to) listed->push_back(names.ProcessAt(process));
    }
  };
  add(snapshot.processes, &item.processes);
  add(snapshot.formers, &item.formers);
  if (snapshot.pins != nullptr) PinSteps::Tell(*snapshot.pins, now, &item);
  if (const Membership* of = snapshot.membership.get(); of != nullptr && of->is_told()) {
    const ScopeExport& joining = of->joining;
    item.scope = {joining.owner == kNoPeer ? ProcessId() : names.ProcessAt(joining.owner),
                  joining.scope.number(),
                  joining.hold,
                  joining.no_cleanup,
                  of->holds_there(),
                  of->forced_there(),
                  of->label_text};
  }
  const bool told = !IsMutant(Mutant::kTaskNotPassedOn) || item.state == TransferState::kRecord;
  if (snapshot.task != nullptr && told) item.task = *snapshot.task;
  return item;
}

bool TransferSteps::PullTransfers(PeerIndex peer, uint32_t* items_max, const NodeNames& names,
                                  Time now, PayloadWriter* writer) {
  if (!Any(table_)) return true;
  FormerIndex& formers = transfers()->formers;
  while (Former* const former = formers.FirstToSend(peer)) {
    Contained* const contained = former->snapshot->contained.get();
    if (contained != nullptr && !PullContained(former->object, former->term, &contained->handed,
                                               items_max, names, writer)) {
      return false;
    }
    if (*items_max == 0) return false;
    if (!writer->Add(ItemOf(former->object, former->term, *former->snapshot, peer, names, now))) {
      return false;
    }
    --*items_max;
    formers.SetStage(former, FormerStage::kSent);
  }
  return true;
}

// --- Invariants ----------------------------------------------------------------------------------

void TransferSteps::CheckRecord(const ObjectRecord& record) const {
  if (!Any(table_)) return;
  const RecordIndex index = RecordSlabs::IndexOf(record);
  const Transfers& all = *transfers();
  const bool untold = !IsTold(index);
  FREEHOLD_CHECK(HasTenure(index) || (!untold && all.previous.FirstOf(index) == nullptr));
  FREEHOLD_CHECK(all.awaited.FirstOf(index) == nullptr || record.nested_in > 0);
  if (record.borrowed) {
    FREEHOLD_CHECK(!HasTenure(index));
    const Former* former = FindFormer(record.id());
    const bool moving = table_.BorrowOf(record).stage == BorrowStage::kMoving;
    FREEHOLD_CHECK(moving == (former != nullptr && former->stage <= FormerStage::kSent));
  } else if (!record.is_ghost) {
    FREEHOLD_CHECK(FindFormer(record.id()) == nullptr);
    FREEHOLD_CHECK(!HasTenure(index) || record.has_askers);
  }
}

void TransferSteps::CheckInvariants() const {
  if (!Any(table_)) return;
  const Transfers& all = *transfers();
  all.formers.CheckInvariants();
  HeirSteps(&table_).CheckInvariants();
  for (const HolderIndex* holders : {&all.previous, &all.to_tell, &all.telling, &all.awaited}) {
    holders->CheckInvariants();
  }
  FREEHOLD_CHECK(all.untold_before + all.untold_since == all.to_tell.size() + all.telling.size());
}

}  // namespace freehold::core
