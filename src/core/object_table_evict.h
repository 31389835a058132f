// The steps of an ObjectTable that concern explicit frees, and values that were freed evict-first.
//
// Such a value stays available until the stores of its nodes have dropped its last copy by their
// own choice, or those went with their nodes. Then it is freed, as if by hand at that moment: it is
// not lost, because its owner has said that it can do without. Until then none of its copies is the
// primary, whose store would have to keep it; each node that has one is told so once. That is a
// mark in the object's Rare.
//
// Thread safety: thread-compatible, like the table. Costs: O(1) and the copies of one object.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_EVICT_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_EVICT_H_

#include "src/base/mutant.h"
#include "src/core/object_table.h"

namespace freehold::core {

class EvictSteps {
 public:
  explicit EvictSteps(ObjectTable* table) : table_(*table) {}

  static bool IsMarked(const ObjectTable& table, const ObjectRecord& record) {
    const Rare* rare = table.rares_.Find(record);
    return rare != nullptr && rare->evict_first;
  }
  // kUnchanged: it is marked. REQUIRES: available.
  Verdict Mark(ObjectRecord* record, Effects* effects);
  // The value is made again, or goes in another way.
  void Unmark(const ObjectRecord& record) {
    if (Rare* rare = table_.rares_.Find(record); rare != nullptr) rare->evict_first = false;
  }
  // Bytes of a value that is marked have come to a node. REQUIRES: the copy is held.
  void TellNode(const ObjectRecord& record, const Copy& copy, Effects* effects);
  // The value goes now. What is to be done once its copies have gone is the caller's.
  void Free(ObjectRecord* record, Effects* effects);
  // The last copy has gone. False: the value is lost.
  bool FreeIfMarked(ObjectRecord* record, Effects* effects) {
    const bool marked =
        IsMarked(table_, *record) && !internal::IsMutant(internal::Mutant::kEvictFirstLost);
    if (marked) Free(record, effects);
    return marked;
  }

 private:
  ObjectTable& table_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_EVICT_H_
