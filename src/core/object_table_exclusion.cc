// ObjectTable: what exclusions ask of references that cross processes (PROTOCOL, steps 7 and 10).

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

// --- Exclusion -----------------------------------------------------------------------------------

// Nothing of what the process holds is touched before the barrier: whom it passed references to may
// not have been heard yet. What it sent to us is secured now.
bool ObjectTable::FenceProcess(PeerIndex process, uint32_t items_max, Effects* effects) {
  const bool is_news = IsMutant(Mutant::kFenceOnce) || fences_.Fence(process);
  if (sharing_ == nullptr) return false;
  Sharing& sharing = *sharing_;
  if (is_news) {
    sharing.ledger.Forget(process);
    sharing.numbers.Forget(process);
    if (!IsMutant(Mutant::kFlushWaitsForDeadOwner)) sharing.borrows.StopWaitingFor(process);
  }
  if (IsMutant(Mutant::kDropDeadBorrowers) || IsMutant(Mutant::kDropDeadReceiversPins)) {
    HolderIndex& holders = IsMutant(Mutant::kDropDeadBorrowers) ? sharing.borrowers : sharing.pins;
    while (const HolderIndex::Holder* first = holders.FirstOfPeer(process)) {
      RemoveHolder(&holders, HolderIndex::Holder(*first), effects);
    }
  }
  sharing.outbox.TakeWhile(process, [&](const SharingItem& item) {
    if (items_max == 0) return false;
    --items_max;
    if (Transfers::IsUnasked(item.kind)) --sharing.transfers->unasked.At(process);
    return true;
  });
  while (const HolderIndex::Holder* first = sharing.owed.FirstOfPeer(process)) {
    if (items_max == 0) return true;
    --items_max;
    const HolderIndex::Holder holder = *first;
    const uint32_t borrow = slabs_.At(holder.record).overflow;
    const bool by_mutant =
        IsMutant(Mutant::kNoFlush) ||
        (IsMutant(Mutant::kFlushHeldOnly) && !slabs_.At(holder.record).has_handles) ||
        (IsMutant(Mutant::kNestedSenderForgotten) && OwedNumber::IsOuter(holder.number));
    if (!by_mutant && !fences_.IsFenced(sharing.borrows.At(borrow).owner)) {
      sharing.borrows.RequireFlush(borrow);
    }
    if (IsMutant(Mutant::kAcceptAnyAnswer)) SetStage(borrow, BorrowStage::kQueued, effects);
    (void)sharing.owed.Remove(holder.record, process, holder.number);
    if (OwedNumber::IsOuter(holder.number)) {
      TransferSteps(this).EndReading(holder.record, holder.number);
      effects->Rarely().inners.push_back(OwedNumber::OuterOf(holder.number));
    }
  }
  if (ForgetAsker(process, &items_max) || !sharing.outbox.empty(process)) return true;
  return TransferSteps(this).Fence(process, &items_max, effects);
}

bool ObjectTable::CloseProcess(PeerIndex process, uint32_t items_max, Effects* effects) {
  fences_.Close(process);
  if (sharing_ == nullptr) return false;
  if (TransferSteps(this).Close(process, &items_max, effects)) return true;
  Sharing& sharing = *sharing_;
  for (HolderIndex* holders : {&sharing.borrowers, &sharing.pins}) {
    const Mutant keeps =
        holders == &sharing.pins ? Mutant::kKeepDeadReceiversPins : Mutant::kKeepDeadBorrowers;
    if (IsMutant(keeps)) continue;
    while (const HolderIndex::Holder* first = holders->FirstOfPeer(process)) {
      if (items_max == 0) return true;
      --items_max;
      RemoveHolder(holders, HolderIndex::Holder(*first), effects);
    }
  }
  if (IsMutant(Mutant::kOwnerDeathNotTold)) return false;
  while (true) {
    const uint32_t number = sharing.borrows.FirstOf(process);
    if (number == kNone) return false;
    if (items_max == 0) return true;
    --items_max;
    FailBorrow(&slabs_.At(sharing.borrows.At(number).record), BorrowStage::kOwnerDied, effects);
  }
}

// The acknowledgements that this makes are sent to nobody: an excluded end sends nothing.
bool ObjectTable::FailBorrows(uint32_t items_max, PeerIndex* owner, Effects* effects) {
  if (sharing_ == nullptr) return false;
  for (; items_max > 0; --items_max) {
    const uint32_t number = sharing_->borrows.FirstFrom(owner);
    if (number == kNone) return false;
    FailBorrow(&slabs_.At(sharing_->borrows.At(number).record), BorrowStage::kExcluded, effects);
  }
  return true;
}

// --- Answers and small parts of Sharing ----------------------------------------------------------

Sharing& ObjectTable::Share() {
  if (sharing_ == nullptr) sharing_ = std::make_unique<Sharing>();
  return *sharing_;
}

// --- Invariants ----------------------------------------------------------------------------------

void ObjectTable::CheckHolders(const ObjectRecord& record) const {
  TransferSteps(const_cast<ObjectTable*>(this)).CheckRecord(record);
  const RecordIndex index = IndexOf(record);
  FREEHOLD_CHECK((sharing_->borrowers.FirstOf(index) != nullptr) == (record.has_borrowers != 0));
  FREEHOLD_CHECK((sharing_->pins.FirstOf(index) != nullptr) == (record.has_pins != 0));
  FREEHOLD_CHECK(
      (sharing_->watches.FirstOf(index) != nullptr || sharing_->due.FirstOf(index) != nullptr ||
       sharing_->moments.FirstOf(index) != nullptr ||
       TransferSteps(const_cast<ObjectTable*>(this)).HasTenure(index)) == (record.has_askers != 0));
  const bool owes = sharing_->owed.FirstOf(index) != nullptr;
  if (!record.borrowed) {
    FREEHOLD_CHECK(!owes);
    return;
  }
  const Borrow& borrow = BorrowOf(record);
  FREEHOLD_CHECK(borrow.record == index && record.copies == 0 && !record.has_borrowers &&
                 !record.has_askers);
  FREEHOLD_CHECK(!record.in_scope() || (record.state() == ObjectState::kFailed) == borrow.failed());
  FREEHOLD_CHECK(record.in_scope() || !borrow.failed());
  FREEHOLD_CHECK((borrow.stage == BorrowStage::kReleasing) <= !record.in_scope());
  FREEHOLD_CHECK((borrow.stage == BorrowStage::kConfirmed) <= record.in_scope());
  // Everything was owed until the owner's answer, and nothing after it.
  FREEHOLD_CHECK(!owes || borrow.stage == BorrowStage::kQueued ||
                 borrow.stage == BorrowStage::kOutstanding);
}

void ObjectTable::CheckSharing() const {
  TransferSteps(const_cast<ObjectTable*>(this)).CheckInvariants();
  sharing_->borrowers.CheckInvariants();
  sharing_->pins.CheckInvariants();
  sharing_->owed.CheckInvariants();
  sharing_->readings.CheckInvariants();
  sharing_->cancelled.CheckInvariants();
  FREEHOLD_CHECK(sharing_->cancelled.size() <= sharing_->pins.size());
  sharing_->watches.CheckInvariants();
  sharing_->due.CheckInvariants();
  sharing_->moments.CheckInvariants();
  sharing_->borrows.CheckInvariants();
  sharing_->ledger.CheckInvariants();
  uint64_t borrowed = 0;
  Visit(0, SIZE_MAX, [&](const ObjectRecord& record) { borrowed += record.borrowed; });
  FREEHOLD_CHECK(borrowed == sharing_->borrows.size());
}

}  // namespace freehold::core
