// DeclareSteps: objects that one process declares and another one owns from the start (PROTOCOL,
// step 1).
//
// At the declarer the object is a borrow whose first word to its owner is Declare in place of
// Register. Until that is answered nobody else may hear of the object: an id that its owner does
// not know is gone, so that a reference or a copy that was heard of before the object would be
// taken for one of something that has ended. At the owner the record and the declarer's entry are
// made in one step: at no moment does the object exist without a holder.
//
// Thread safety: as the table's, whose inner works these steps are.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_DECLARE_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_DECLARE_H_

#include "src/core/object_table.h"

namespace freehold::core {

class DeclareSteps {
 public:
  explicit DeclareSteps(ObjectTable* table) : table_(*table) {}

  // At the declarer. kAlreadyExists, kOwnerDied (it is excluded), kTableFull. The caller adds the
  // handle before it unlocks, as for AddHandle.
  Verdict Step(const event::DeclareFor& e, Effects* effects, ObjectRecord** record);
  // At the owner, from the wire; answered but for kPeerExcluded. kAlreadyExists, kRefused,
  // kTableFull.
  Verdict Step(const event::DeclaredBy& e, Effects* effects, ObjectRecord** record);
  // kNotOwner: it did not come from the owner. kUnchanged: it answers no outstanding declaration.
  Verdict Step(const event::DeclareAnswered& e, Effects* effects);

  // What can be done with a borrowed object: kOk, kNotAcknowledged, or how it has failed: kGone,
  // kOwnerDied, kNotDeclared.
  static Verdict UseOf(const Borrow& borrow);
  // The same of any object that is in scope.
  static Verdict UseOf(const ObjectTable& table, const ObjectRecord& record) {
    return record.borrowed ? UseOf(table.BorrowOf(record)) : Verdict::kOk;
  }
  // The declaration of a borrow that ends has no other end.
  void EndWith(const ObjectRecord& record, DeclareAnswer answer, Effects* effects);

 private:
  DeclareAnswer Take(const event::DeclaredBy& e, ObjectRecord** record);
  void Fail(ObjectRecord* record, DeclareAnswer answer, Effects* effects);
  ObjectTable& table_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_DECLARE_H_
