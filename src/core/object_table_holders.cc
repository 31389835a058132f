// ObjectTable: who elsewhere holds an object (PROTOCOL, steps 5 and 6): borrowers, at the owner,
// and pins for handoffs that have not ended, at whoever made their tokens.

#include "src/base/mutant.h"
#include "src/core/object_table.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_quiet.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

Verdict ObjectTable::Step(const event::BorrowerRegistered& e, Effects* effects) {
  (void)Share();
  const RecordIndex index = FindInline(e.key);
  ObjectRecord* record = index == kNoRecord ? nullptr : &slabs_.At(index);
  RegisterAnswer answer = RegisterAnswer::kGone;
  if (record != nullptr && record->in_scope() && !record->borrowed) {
    // Asked for below, of few.
    const bool is_new = record->has_askers && !sharing_->borrowers.Contains(index, e.from, 0);
    if (!ListBorrower(record, e.from)) {
      // To say Gone would be a lie, and any other answer would end the handoffs that the borrower
      // owes, although it may have passed the reference on (S1). It is answered when there is room.
      sharing_->unlisted.Add(e.from, e.key.id, e.number);
      return Verdict::kTableFull;
    }
    answer = RegisterAnswer::kOk;
    // An owner in the first term without an heir has nothing of what follows.
    if (record->has_askers) {
      if (HeirSteps(this).Withholds(e, index, is_new, effects)) return Verdict::kOk;
      TransferSteps(this).TellIfTakenBack(index, e.from, effects);
    }
  } else if (!IsMutant(Mutant::kFormerForgotten) &&
             TransferSteps(this).Redirect(e.key, e.from, /*by_node=*/false, effects)) {
    return Verdict::kUnchanged;
  }
  const bool listed = answer == RegisterAnswer::kOk;
  const uint32_t term =
      listed && record->has_askers ? TransferSteps(this).TermOf(*record) : kFirstTerm;
  TransferSteps(this).Answer(e.from, SharingKind::kRegisterAck, e.key.id, term,
                             static_cast<uint8_t>(answer), effects, e.number);
  return listed ? Verdict::kOk : Verdict::kNotFound;
}

bool ObjectTable::ListBorrower(ObjectRecord* record, PeerIndex borrower) {
  if (IsMutant(Mutant::kAnswerWithoutListing)) return true;
  HolderIndex& borrowers = sharing_->borrowers;
  const RecordIndex index = IndexOf(*record);
  const bool full = borrowers.size() >= config_.borrowers_max;
  if (full ? !borrowers.Contains(index, borrower, 0)
           : borrowers.Add(index, borrower, 0) == HolderIndex::Added::kFull) {
    return false;
  }
  record->has_borrowers = 1;
  return true;
}

// A borrower has gone: the first one that waits gets its place. Those that need none any more,
// because they or their objects have gone, are passed over: each costs a step once.
void ObjectTable::ListNextBorrower(Effects* effects) {
  while (!sharing_->unlisted.empty()) {
    PeerIndex borrower = kNoPeer;
    ObjectId object;
    uint64_t registration = 0;
    sharing_->unlisted.TakeFirst(&borrower, &object, &registration);
    if (fences_.IsFenced(borrower)) continue;
    const event::BorrowerRegistered again{{object, object.Hash()}, borrower, registration};
    const Verdict verdict = Step(again, effects);
    if (verdict != Verdict::kNotFound && verdict != Verdict::kUnchanged) return;
  }
}

Verdict ObjectTable::Step(const event::BorrowerReleased& e, Effects* effects) {
  const RecordIndex index = FindInline(e.key);
  if (IsMutant(Mutant::kReleaseForwarded)) TransferSteps(this).Forward(e.key.id, e.from, effects);
  if (index == kNoRecord || sharing_ == nullptr) return Verdict::kNotFound;
  // It may hold the object again when it is told: its answer counts.
  if (slabs_.At(index).has_askers && TransferSteps(this).IsTelling(index, e.from)) {
    return Verdict::kOk;
  }
  const HolderIndex::Holder holder{index, e.from, 0};
  if (IsMutant(Mutant::kReleaseIgnored)) {
    return sharing_->borrowers.Contains(holder.record, holder.peer, holder.number)
               ? Verdict::kOk
               : Verdict::kNotFound;
  }
  return RemoveHolder(&sharing_->borrowers, holder, effects) ? Verdict::kOk : Verdict::kNotFound;
}

Verdict ObjectTable::Step(const event::HandoffEnded& e, Effects* effects) {
  const ObjectRecord* record = FindMutable(e.key);
  if (record == nullptr || sharing_ == nullptr ||
      !RemoveHolder(&sharing_->pins, {IndexOf(*record), e.from, e.number}, effects)) {
    return Verdict::kNotFound;
  }
  return Verdict::kOk;
}

// Of a borrower or a pin, which hold the record. False: it was not there.
bool ObjectTable::RemoveHolder(HolderIndex* holders, const HolderIndex::Holder& holder,
                               Effects* effects) {
  const HolderIndex::Removed removed = holders->Remove(holder.record, holder.peer, holder.number);
  if (removed == HolderIndex::Removed::kAbsent) return false;
  const bool is_pin = holders == &sharing_->pins;
  // Of a pin that has ended an heir need not hear at once.
  if (!is_pin) HeirSteps(this).Changed(holder.record, effects);
  if (is_pin) (void)sharing_->cancelled.Remove(holder.record, holder.peer, holder.number);
  if (removed != HolderIndex::Removed::kOthersLeft) {
    ObjectRecord& record = slabs_.At(holder.record);
    if (is_pin) {
      record.has_pins = 0;
    } else {
      record.has_borrowers = 0;
    }
    EndIfNotHeld(&record, effects);
  }
  if (!is_pin && !sharing_->unlisted.empty()) ListNextBorrower(effects);
  return true;
}

}  // namespace freehold::core
