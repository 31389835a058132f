// ObjectTable: references that cross processes (PROTOCOL, steps 3 to 8 and 10).
//
// At the owner: borrowers and pins hold an object like any reference. At a borrower: a borrow goes
// through the stages of BorrowStage; for each way in which the reference came, something is owed
// until the owner has answered (OwedNumber). At a sender: a pin for each handoff until its receiver
// says how it ended, or the barrier of the view that excludes the receiver has come.

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table.h"
#include "src/core/object_table_declare.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

// --- Export --------------------------------------------------------------------------------------

Verdict ObjectTable::Step(const event::Export& e, Exported* exported) {
  Verdict verdict;
  ObjectRecord* record = InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  exported->owner = kNoPeer;
  exported->term = TransferSteps(this).TermOf(*record);
  if (record->borrowed) {
    const Borrow& borrow = BorrowOf(*record);
    const Verdict use = DeclareSteps::UseOf(borrow);
    const bool too_early = use == Verdict::kNotAcknowledged;
    if (use != Verdict::kOk && !(too_early && IsMutant(Mutant::kExportUndeclared))) return use;
    // Of what is given away and not taken yet this process still knows best.
    const bool moving = borrow.stage == BorrowStage::kMoving;
    exported->owner = moving ? kNoPeer : borrow.owner;
    exported->term = moving ? borrow.term - 1 : borrow.term;
  }
  if (fences_.IsFenced(e.receiver)) return Verdict::kPeerExcluded;
  Sharing& sharing = Share();
  exported->number = sharing.numbers.NextNumber(e.receiver, LaneOfHash(e.key.hash));
  if (IsMutant(Mutant::kNoHandoffPin)) return Verdict::kOk;
  if (IsMutant(Mutant::kListAtExport) && !record->borrowed) {
    record->has_borrowers = 1;
    (void)sharing.borrowers.Add(IndexOf(*record), e.receiver, 0);
    return Verdict::kOk;
  }
  if (sharing.pins.Add(IndexOf(*record), e.receiver, exported->number) !=
      HolderIndex::Added::kAdded) {
    return Verdict::kTableFull;
  }
  record->has_pins = 1;
  if (e.ends != kInfiniteFuture) {
    ForgetEndedTokens();
    sharing.token_lives.push_back({e.ends, record->id(), e.receiver, exported->number});
  }
  return Verdict::kOk;
}

// Most handoffs end long before their tokens' lives: two are looked at for each that is added.
void ObjectTable::ForgetEndedTokens() {
  std::deque<Sharing::TokenLife>& lives = sharing_->token_lives;
  for (int looked_at = 0; looked_at < 2 && !lives.empty(); ++looked_at) {
    const Sharing::TokenLife& life = lives.front();
    const ObjectRecord* record = FindMutable({life.object, life.object.Hash()});
    if (record != nullptr &&
        sharing_->pins.Contains(IndexOf(*record), life.receiver, life.number)) {
      return;
    }
    lives.pop_front();
  }
}

Verdict ObjectTable::Step(const event::CancelHandoff& e, Effects* effects) {
  const ObjectRecord* record = FindMutable(e.key);
  if (record == nullptr || sharing_ == nullptr ||
      !sharing_->pins.Contains(IndexOf(*record), e.receiver, e.number)) {
    return Verdict::kNotFound;
  }
  // Once is enough: the session delivers it.
  if (sharing_->cancelled.Add(IndexOf(*record), e.receiver, e.number) ==
      HolderIndex::Added::kAdded) {
    Answer(e.receiver, SharingKind::kHandoffCancel, e.key.id, e.number, 0, effects);
  }
  return Verdict::kOk;
}

bool ObjectTable::ExpireTokens(Time now, uint32_t items_max, Effects* effects) {
  while (sharing_ != nullptr && !sharing_->token_lives.empty() && NextTokenEnd() <= now) {
    if (items_max-- == 0) return true;
    const Sharing::TokenLife life = sharing_->token_lives.front();
    sharing_->token_lives.pop_front();
    (void)Step(event::CancelHandoff{{life.object, life.object.Hash()}, life.receiver, life.number},
               effects);
  }
  return false;
}

// --- Import --------------------------------------------------------------------------------------

Verdict ObjectTable::Step(const event::Import& e, Effects* effects, ObjectRecord** record) {
  Sharing& sharing = Share();
  if (fences_.IsFenced(e.sender)) return Verdict::kPeerExcluded;
  const uint32_t lane = LaneOfHash(e.key.hash);
  switch (sharing.ledger.Look(e.sender, lane, e.number)) {
    case Seen::kNew:
      break;
    case Seen::kRedeemed:
      return ImportAgain(e, record);
    case Seen::kRefused:
      // Its sender may not know: it has not cancelled what was refused for want of room (L2).
      if (sharing.ledger.holes_closed() > 0) {
        AnswerHandoff(e.sender, e.key.id, e.number, HandoffAnswer::kRefused, effects);
      }
      return Verdict::kRefused;
  }
  const Verdict verdict = e.owner == kNoPeer
                              ? AdmitOwned(e.key, e.term, effects, record)
                              : AdmitBorrowed(e.key, e.owner, e.term, effects, record);
  switch (verdict) {
    case Verdict::kOk: {
      const bool confirmed =
          !(*record)->borrowed || BorrowOf(**record).confirmed() || IsMutant(Mutant::kAckAtImport);
      if (confirmed) {
        AnswerHandoff(e.sender, e.key.id, e.number, HandoffAnswer::kOk, effects);
      } else if (sharing.owed.Add(IndexOf(**record), e.sender, OwedNumber::ForHandoff(e.number)) ==
                 HolderIndex::Added::kFull) {
        (*record)->has_handles = (*record)->cell.count() > 0 ? 1 : 0;
        EndIfNotHeld(*record, effects);
        return Verdict::kTableFull;
      }
      break;
    }
    case Verdict::kGone:
      AnswerHandoff(e.sender, e.key.id, e.number, HandoffAnswer::kGone, effects);
      break;
    case Verdict::kOwnerDied:
      AnswerHandoff(e.sender, e.key.id, e.number, HandoffAnswer::kOwnerDied, effects);
      break;
    default:
      return verdict;  // nothing was taken: the token is as good as before
  }
  if (!IsMutant(Mutant::kForgetRedeemed)) sharing.ledger.Redeem(e.sender, lane, e.number);
  return verdict;
}

// A duplicate is one more handle as long as there is something to have a handle on.
Verdict ObjectTable::ImportAgain(const event::Import& e, ObjectRecord** record) {
  ObjectRecord* found = FindMutable(e.key);
  if (found == nullptr || !found->in_scope()) return Verdict::kAlreadyRedeemed;
  if (found->borrowed) {
    const Borrow& borrow = BorrowOf(*found);
    if (borrow.owner != e.owner && borrow.term == e.term) return Verdict::kOtherOwner;
    if (borrow.failed()) return Verdict::kAlreadyRedeemed;
  } else if (e.owner != kNoPeer && TransferSteps(this).TermOf(*found) <= e.term) {
    return Verdict::kOtherOwner;
  }
  found->has_handles = 1;
  *record = found;
  return Verdict::kOk;
}

// A token that has come back to the owner, or to one that was.
Verdict ObjectTable::AdmitOwned(const Key& key, uint32_t term, Effects* effects,
                                ObjectRecord** record) {
  ObjectRecord* found = FindMutable(key);
  if (found != nullptr && found->borrowed) {
    const Borrow& borrow = BorrowOf(*found);
    if (borrow.term <= term) return Verdict::kOtherOwner;
    return AdmitBorrowed(key, borrow.owner, borrow.term, effects, record);
  }
  if (found == nullptr) {
    const Former* former = TransferSteps(this).FindFormer(key.id);
    if (former != nullptr && former->term > term) {
      return AdmitBorrowed(key, former->next_owner, former->term, effects, record);
    }
  }
  if (found == nullptr || !found->in_scope()) return Verdict::kGone;
  found->has_handles = 1;
  *record = found;
  return Verdict::kOk;
}

Verdict ObjectTable::AdmitBorrowed(const Key& key, PeerIndex owner, uint32_t term, Effects* effects,
                                   ObjectRecord** record) {
  ObjectRecord* found = FindMutable(key);
  if (found == nullptr) {
    const Former* former = TransferSteps(this).FindFormer(key.id);
    if (former != nullptr && former->term > term) {
      owner = former->next_owner;
      term = former->term;
    }
    if (fences_.IsClosed(owner)) return Verdict::kOwnerDied;
    found = BeginBorrow(key, owner, term, effects);
    if (found == nullptr) return Verdict::kTableFull;
  }
  if (!found->borrowed) {
    if (TransferSteps(this).TermOf(*found) <= term) return Verdict::kOtherOwner;
    return AdmitOwned(key, term, effects, record);
  }
  const Borrow& borrow = BorrowOf(*found);
  if (borrow.term < term && fences_.IsClosed(owner)) return Verdict::kOwnerDied;
  if (!TransferSteps(this).Follow(found, owner, term, effects)) return Verdict::kOtherOwner;
  switch (borrow.stage) {
    case BorrowStage::kQueued:
    case BorrowStage::kOutstanding:
    case BorrowStage::kConfirmed:
    case BorrowStage::kMoving:
      break;
    case BorrowStage::kReleasing:  // it has not left: withdrawn
      if (IsMutant(Mutant::kReleaseNotWithdrawn)) break;
      SetStage(found->overflow, BorrowStage::kConfirmed, effects);
      break;
    case BorrowStage::kGone:
      return Verdict::kGone;
    case BorrowStage::kOwnerDied:
    case BorrowStage::kExcluded:
      return Verdict::kOwnerDied;
    case BorrowStage::kNotDeclared:  // somebody has a reference all the same: to what exists
      if (fences_.IsClosed(owner)) return Verdict::kOwnerDied;
      SetStage(found->overflow, BorrowStage::kQueued, effects);
      break;
  }
  SetState(found, ObjectState::kBorrowed, effects);
  found->has_handles = 1;
  *record = found;
  return Verdict::kOk;
}

ObjectRecord* ObjectTable::BeginBorrow(const Key& key, PeerIndex owner, uint32_t term,
                                       Effects* effects) {
  const RecordIndex index = Make(key, ObjectState::kBorrowed);
  if (index == kNoRecord) return nullptr;
  ObjectRecord& made = slabs_.At(index);
  made.borrowed = 1;
  const bool had_work = sharing_->HasWorkFor(owner);
  made.overflow = sharing_->borrows.Add(index, owner);
  if (made.overflow == kNone) {
    Unmake(&made);
    return nullptr;
  }
  if (term != kFirstTerm) {
    sharing_->borrows.Follow(made.overflow, owner, term, BorrowStage::kQueued);
  }
  if (!had_work) effects->ready.push_back(owner);
  return &made;
}

Verdict ObjectTable::Step(const event::ImportNested& e, Effects* effects, ObjectRecord** record) {
  (void)Share();
  if (fences_.IsFenced(e.sender)) return Verdict::kPeerExcluded;
  const Verdict verdict = AdmitBorrowed(e.key, e.owner, kFirstTerm, effects, record);
  if (verdict != Verdict::kOk) return verdict;
  HolderIndex::Added added = HolderIndex::Added::kPresent;
  if ((*record)->borrowed && !BorrowOf(**record).confirmed() &&
      !IsMutant(Mutant::kNestedWithoutHold)) {
    added = TransferSteps(this).Owe(IndexOf(**record), e.sender, e.outer);
  }
  switch (added) {
    case HolderIndex::Added::kAdded:
      return Verdict::kOk;
    case HolderIndex::Added::kPresent:  // one hold is enough, or none is needed
      effects->Rarely().inners.push_back(e.outer);
      return Verdict::kOk;
    case HolderIndex::Added::kFull:
      break;
  }
  (*record)->has_handles = (*record)->cell.count() > 0 ? 1 : 0;
  EndIfNotHeld(*record, effects);
  return Verdict::kTableFull;
}

// --- The borrower's side -------------------------------------------------------------------------

// The last reference to a borrowed object has gone, and nobody waits for what it was passed on to.
void ObjectTable::LetGoOfBorrow(ObjectRecord* record, Effects* effects) {
  if (BorrowOf(*record).stage == BorrowStage::kMoving) return;  // its next owner's answer decides
  SetState(record, ObjectState::kOutOfScope, effects);
  DropCallbacks(record, effects);
  const Borrow& borrow = BorrowOf(*record);
  DeclareSteps(this).EndWith(*record, DeclareAnswer::kDropped, effects);
  switch (borrow.stage) {
    case BorrowStage::kQueued:
      // Nobody else counts on us, also not when a view would have waited for the registration. That
      // it need not wait any more is news for the pump.
      if (borrow.flushing) effects->ready.push_back(borrow.owner);
      ++counters_.short_borrows;
      EndOwed(*record, HandoffAnswer::kOk, effects);
      EraseBorrowed(record);
      return;
    case BorrowStage::kOutstanding:
      if (IsMutant(Mutant::kReleaseBeforeAnswer)) {
        EndOwed(*record, HandoffAnswer::kOk, effects);
        EraseBorrowed(record);
      }
      return;  // its answer decides
    case BorrowStage::kConfirmed:
      SetStage(record->overflow, BorrowStage::kReleasing, effects);
      return;
    case BorrowStage::kGone:
    case BorrowStage::kOwnerDied:
    case BorrowStage::kExcluded:
    case BorrowStage::kNotDeclared:
      EraseBorrowed(record);
      return;
    case BorrowStage::kReleasing:
    case BorrowStage::kMoving:
      break;
  }
  FREEHOLD_CHECK(false && "a release was asked for twice");
}

Verdict ObjectTable::Step(const event::RegisterAnswered& e, Effects* effects) {
  ObjectRecord* record = FindMutable(e.key);
  const Borrow* borrow =
      record == nullptr || !record->borrowed ? nullptr : &sharing_->borrows.At(record->overflow);
  const bool matches = borrow != nullptr && borrow->owner == e.from &&
                       borrow->stage == BorrowStage::kOutstanding &&
                       ((borrow->registration == e.number && !borrow->declares) ||
                        IsMutant(Mutant::kAcceptAnyAnswer));
  if (!matches) {
    if (e.answer == RegisterAnswer::kOk && e.term != kFirstTerm) {
      return TransferSteps(this).HearListed(e, effects);
    }
    // Of a former owner it answers what is asked of the next one.
    const bool by_other = borrow != nullptr && borrow->owner != e.from;
    return by_other && borrow->term == kFirstTerm ? Verdict::kNotOwner : Verdict::kUnchanged;
  }
  if (e.answer == RegisterAnswer::kGone && IsMutant(Mutant::kGoneNotTold)) {
    return Verdict::kUnchanged;
  }
  if (e.answer == RegisterAnswer::kGone) {
    FailBorrow(record, BorrowStage::kGone, effects);
    return Verdict::kOk;
  }
  if (e.term > borrow->term) {
    sharing_->borrows.EndFlush(record->overflow);
    sharing_->borrows.Follow(record->overflow, e.from, e.term, BorrowStage::kOutstanding);
  }
  Confirm(record, effects);
  return Verdict::kOk;
}

// The owner lists us.
void ObjectTable::Confirm(ObjectRecord* record, Effects* effects) {
  sharing_->borrows.EndFlush(record->overflow);
  SetStage(record->overflow, BorrowStage::kConfirmed, effects);
  EndOwed(*record, HandoffAnswer::kOk, effects);
  if (!record->held()) SetStage(record->overflow, BorrowStage::kReleasing, effects);
}

void ObjectTable::FailBorrow(ObjectRecord* record, BorrowStage stage, Effects* effects) {
  const bool gone = stage == BorrowStage::kGone;
  if (BorrowOf(*record).stage == BorrowStage::kMoving) {
    // This process is excluded: it hands nothing over, and takes nothing back.
    TransferSteps(this).Forget(sharing_->transfers->formers.Find(record->id()), effects);
    if (!record->held()) {
      SetState(record, ObjectState::kOutOfScope, effects);
      DropCallbacks(record, effects);
    }
  }
  const DeclareAnswer declaration =
      stage == BorrowStage::kExcluded ? DeclareAnswer::kExcluded : DeclareAnswer::kOwnerDied;
  DeclareSteps(this).EndWith(*record, declaration, effects);
  sharing_->borrows.EndDeclaration(record->overflow, declaration);
  sharing_->borrows.EndFlush(record->overflow);
  SetStage(record->overflow, stage, effects);
  EndOwed(*record, gone ? HandoffAnswer::kGone : HandoffAnswer::kOwnerDied, effects);
  if (!record->in_scope()) {
    EraseBorrowed(record);
    return;
  }
  ++counters_.references_failed;
  SetState(record, ObjectState::kFailed, effects);
  const EndReason reason = stage == BorrowStage::kOwnerDied     ? EndReason::kOwnerDied
                           : stage == BorrowStage::kExcluded    ? EndReason::kExcluded
                           : stage == BorrowStage::kNotDeclared ? EndReason::kNotDeclared
                                                                : EndReason::kGone;
  Fire(record, Moment::kFailed, reason, effects);
}

// Each handoff and each outer object that brought the reference has served.
void ObjectTable::EndOwed(const ObjectRecord& record, HandoffAnswer answer, Effects* effects) {
  HolderIndex& owed = sharing_->owed;
  const RecordIndex index = IndexOf(record);
  while (const HolderIndex::Holder* first = owed.FirstOf(index)) {
    const HolderIndex::Holder holder = *first;
    (void)owed.Remove(index, holder.peer, holder.number);
    if (OwedNumber::IsOuter(holder.number)) {
      TransferSteps(this).EndReading(index, holder.number);
      effects->Rarely().inners.push_back(OwedNumber::OuterOf(holder.number));
    } else if (answer == HandoffAnswer::kOk || !IsMutant(Mutant::kSilentAfterGone)) {
      AnswerHandoff(holder.peer, record.id(), holder.number, answer, effects);
    }
    if (IsMutant(Mutant::kAnswerFirstDebtOnly)) {
      while (const HolderIndex::Holder* next = owed.FirstOf(index)) {
        (void)owed.Remove(index, next->peer, next->number);
      }
    }
  }
}

void ObjectTable::SetStage(uint32_t borrow, BorrowStage stage, Effects* effects) {
  const PeerIndex owner = sharing_->borrows.At(borrow).owner;
  const bool had_work = sharing_->HasWorkFor(owner);
  sharing_->borrows.SetStage(borrow, stage);
  if (!had_work && sharing_->HasWorkFor(owner)) effects->ready.push_back(owner);
}

void ObjectTable::EraseBorrowed(ObjectRecord* record) {
  sharing_->borrows.Remove(record->overflow);
  record->overflow = kNone;
  Unmake(record);
}

Verdict ObjectTable::Step(const event::HandoffCancelled& e, Effects* effects) {
  Sharing& sharing = Share();
  // Of one that was redeemed and is not owed any more the acknowledgement has left, and this one
  // does no harm; of one that was refused for want of room it has not.
  const ObjectRecord* record = FindMutable(e.key);
  const bool owed = record != nullptr && sharing.owed.Contains(IndexOf(*record), e.from,
                                                               OwedNumber::ForHandoff(e.number));
  if (owed && !IsMutant(Mutant::kCancelRedeemed)) return Verdict::kUnchanged;
  const uint32_t lane = LaneOfHash(e.key.hash);
  const bool is_new = sharing.ledger.Look(e.from, lane, e.number) == Seen::kNew;
  if (is_new && !IsMutant(Mutant::kCancelNotRemembered)) {
    sharing.ledger.Refuse(e.from, lane, e.number);
  }
  AnswerHandoff(e.from, e.key.id, e.number, HandoffAnswer::kRefused, effects);
  return Verdict::kOk;
}

}  // namespace freehold::core
