// The steps of an ObjectTable that concern lineage.
//
// What a recorded task made is marked. When it goes out of scope, an effect says so to the
// LineageTable; when its copies are gone, its record stays, out of scope and without a reference,
// until the LineageTable says that nothing needs it. Meanwhile it can be revived: in scope again,
// pending, one generation later, for a task that is to run again. So generations rise whatever
// happens to the object, and what is late for the old value finds an old generation.
//
// Thread safety: thread-compatible, like the table. Costs: O(1).

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_LINEAGE_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_LINEAGE_H_

#include <cstdint>

#include "src/core/object_table.h"

namespace freehold::core {

namespace event {

// A task was recorded that made it.
struct SetLineage {
  Key key;
};
// No task needs its record any more.
struct ForgetLineage {
  Key key;
};
// A task that runs again holds it as an argument. `recoverable`: it may be made again for that.
struct HoldArgument {
  Key key;
  bool recoverable = false;
};
// Nobody is to make that generation any more, which was begun for a task that does not run.
struct GiveUpArgument {
  Key key;
  uint32_t generation = 0;
};
// Freed if nothing holds it but its scope.
struct FreeOrphan {
  Key key;
};
// From now on each change of its state is told, under that number, until its value has ended.
struct BeginPersist {
  Key key;
  uint64_t number = 0;  // not 0; takes the place of a former one
};
// It is not told any more, if the number is the present one.
struct EndPersist {
  Key key;
  uint64_t number = 0;
  uint32_t generation = 0;
};

}  // namespace event

// An argument that is held: what the task will find.
struct HeldArgument {
  ObjectRecord* record = nullptr;
  bool missing = false;  // there is no value, nor is one on its way
  bool revived = false;
};

class LineageSteps {
 public:
  explicit LineageSteps(ObjectTable* table) : table_(*table) {}

  // kNotFound, kOutOfScope, kNotOwner.
  Verdict Step(const event::SetLineage& e);
  // kNotFound, kUnchanged (it is in scope, or none was set).
  Verdict Step(const event::ForgetLineage& e, Effects* effects);
  // kNotFound, kOutOfScope, kGone, kOwnerDied, kCountFull, kTableFull. One more task reference.
  Verdict Step(const event::HoldArgument& e, Effects* effects, HeldArgument* held);
  // kNotFound, kOutOfScope, kUnchanged (it has a value, or another generation). Somebody holds it:
  // lost, and handed to the host to recover.
  Verdict Step(const event::GiveUpArgument& e, Effects* effects);
  // kNotFound, kOutOfScope, kUnchanged (freed already, or its pins are waited for): nobody refers
  // to its value. kNotOwner, kWrongState: it is none.
  Verdict Step(const event::FreeOrphan& e, Effects* effects);

  // kNotFound, kOutOfScope, kNotOwner; kToBeFreed: its value was freed. `*now`: what it is.
  Verdict Step(const event::BeginPersist& e, PersistNotice* now);
  // kNotFound, kOutOfScope, kToBeFreed: the value of that generation has ended so, or
  // kUnknownGeneration: there is a newer one.
  Verdict Step(const event::EndPersist& e);

  // --- For the table's own steps -------------------------------------------------------------

  // REQUIRES: the record's entry is `rare`, and has a number.
  static void NotifyPersist(const ObjectRecord& record, Rare* rare, Effects* effects);
  // Its value was freed.
  void NoteFreed(const ObjectRecord& record, Effects* effects);

  // Nothing is left of it but the record.
  static void NoteKept(const ObjectRecord& record, Effects* effects);
  // The last copy of an object that is out of scope is gone. True: its record stays.
  bool Keep(ObjectRecord* record, Effects* effects);
  static bool IsMarked(const ObjectTable& table, const ObjectRecord& record) {
    return table.rares_.HasLineage(record);
  }

 private:
  Verdict Revive(ObjectRecord* record, Effects* effects);

  ObjectTable& table_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_LINEAGE_H_
