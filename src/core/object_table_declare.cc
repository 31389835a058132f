#include "src/core/object_table_declare.h"

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

// --- At the declarer -----------------------------------------------------------------------------

Verdict DeclareSteps::Step(const event::DeclareFor& e, Effects* effects, ObjectRecord** record) {
  if (table_.FindMutable(e.key) != nullptr) return Verdict::kAlreadyExists;
  if (table_.fences_.IsFenced(e.owner)) return Verdict::kOwnerDied;
  Sharing& sharing = table_.Share();
  ObjectRecord* const made = table_.BeginBorrow(e.key, e.owner, kFirstTerm, effects);
  if (made == nullptr) return Verdict::kTableFull;
  sharing.borrows.BeginDeclaration(made->overflow);
  made->size = e.size;
  made->has_handles = 1;
  *record = made;
  return Verdict::kOk;
}

Verdict DeclareSteps::UseOf(const Borrow& borrow) {
  switch (borrow.stage) {
    case BorrowStage::kQueued:
    case BorrowStage::kOutstanding:
      return borrow.declares ? Verdict::kNotAcknowledged : Verdict::kOk;
    case BorrowStage::kConfirmed:
    case BorrowStage::kReleasing:
    case BorrowStage::kMoving:
      return Verdict::kOk;
    case BorrowStage::kGone:
      return Verdict::kGone;
    case BorrowStage::kOwnerDied:
    case BorrowStage::kExcluded:
      return Verdict::kOwnerDied;
    case BorrowStage::kNotDeclared:
      return Verdict::kNotDeclared;
  }
  return Verdict::kOk;
}

void DeclareSteps::EndWith(const ObjectRecord& record, DeclareAnswer answer, Effects* effects) {
  if (!table_.BorrowOf(record).declares) return;
  effects->Rarely().declared.push_back({record.id(), answer});
}

Verdict DeclareSteps::Step(const event::DeclareAnswered& e, Effects* effects) {
  ObjectRecord* record = table_.FindMutable(e.key);
  if (record == nullptr || !record->borrowed) return Verdict::kUnchanged;
  const Borrow& borrow = table_.BorrowOf(*record);
  if (borrow.owner != e.from) return Verdict::kNotOwner;
  if (!borrow.declares || borrow.stage != BorrowStage::kOutstanding ||
      borrow.registration != e.number) {
    return Verdict::kUnchanged;
  }
  EndWith(*record, e.answer, effects);
  table_.sharing_->borrows.EndDeclaration(record->overflow, e.answer);
  if (e.answer == DeclareAnswer::kOk) {
    table_.Confirm(record, effects);
  } else {
    Fail(record, e.answer, effects);
  }
  return Verdict::kOk;
}

// Of an object that exists already somebody may have sent us a reference meanwhile, which is as
// good as any: it is registered for its own sake. Whoever declared hears that the id was taken.
void DeclareSteps::Fail(ObjectRecord* record, DeclareAnswer answer, Effects* effects) {
  Sharing& sharing = *table_.sharing_;
  const Borrow& borrow = table_.BorrowOf(*record);
  if (!record->in_scope()) {
    if (borrow.flushing) effects->ready.push_back(borrow.owner);
    table_.EndOwed(*record, HandoffAnswer::kOk, effects);
    table_.EraseBorrowed(record);
    return;
  }
  if (sharing.owed.FirstOf(RecordSlabs::IndexOf(*record)) != nullptr) {
    table_.SetStage(record->overflow, BorrowStage::kQueued, effects);
    return;
  }
  FREEHOLD_CHECK(answer <= DeclareAnswer::kFull);
  table_.FailBorrow(record, BorrowStage::kNotDeclared, effects);
}

// --- At the owner --------------------------------------------------------------------------------

Verdict DeclareSteps::Step(const event::DeclaredBy& e, Effects* effects, ObjectRecord** record) {
  if (table_.fences_.IsFenced(e.from)) return Verdict::kPeerExcluded;
  (void)table_.Share();
  const DeclareAnswer answer = Take(e, record);
  table_.Answer(e.from, SharingKind::kDeclareAck, e.key.id, e.number, static_cast<uint8_t>(answer),
                effects);
  if (IsMutant(Mutant::kDeclarerNotListed) && answer == DeclareAnswer::kOk && !e.keep) {
    (void)table_.Step(event::BorrowerReleased{e.key, e.from}, effects);
  }
  switch (answer) {
    case DeclareAnswer::kOk:
      return Verdict::kOk;
    case DeclareAnswer::kExists:
      return Verdict::kAlreadyExists;
    case DeclareAnswer::kFull:
      return Verdict::kTableFull;
    default:
      return Verdict::kRefused;
  }
}

DeclareAnswer DeclareSteps::Take(const event::DeclaredBy& e, ObjectRecord** record) {
  if (e.refusal != DeclareAnswer::kOk) return e.refusal;
  // What is out of scope and waits for its copies to go is not gone yet; what is borrowed from a
  // third process is not ours to own.
  if (table_.FindMutable(e.key) != nullptr) return DeclareAnswer::kExists;
  if (TransferSteps(&table_).FindFormer(e.key.id) != nullptr) return DeclareAnswer::kExists;
  const RecordIndex index = table_.Make(e.key, ObjectState::kPending);
  if (index == kNoRecord) return DeclareAnswer::kFull;
  ObjectRecord* const made = &table_.slabs_.At(index);
  if (!table_.ListBorrower(made, e.from)) {
    table_.Unmake(made);
    return DeclareAnswer::kFull;
  }
  made->size = e.size;
  made->has_handles = e.keep ? 1 : 0;
  ++table_.counters_.declared;
  *record = made;
  return DeclareAnswer::kOk;
}

}  // namespace freehold::core
