// The quiet steps of an ObjectTable, inline: what happens a million times a second and asks for
// nothing afterwards.
//
// Each does what the Step of the same name would do if that would answer kOk and no effect. If it
// would not, or if the record is not where it is found at once, it changes nothing and answers
// false (or null), and the caller takes the Step. So no Effects is made and destroyed for nothing,
// nothing is kept over a call, and one look-up, inlined, is nearly all that is left. The Steps
// begin with their quiet half, so whoever tests a Step tests both.
//
// Included where the steps are called or defined, not by object_table.h, which others read.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_QUIET_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_QUIET_H_

#include <cstdint>

#include "src/core/object_table.h"

// Where a call would cost as much as what it does.
#define FREEHOLD_QUIETLY __attribute__((always_inline)) inline

namespace freehold::core {

// A look-up inline, for the steps in which it is much of the work.
inline RecordIndex ObjectTable::FindInline(const Key& key) const {
  return index_.Find(key.hash, [&](RecordIndex index) { return slabs_.At(index).id() == key.id; });
}

// For calls that come in a row for one object.
FREEHOLD_QUIETLY IdIndex::Found ObjectTable::FindAgain(const Key& key) {
  return index_.FindAgain(
      key.hash, [this](RecordIndex index) -> ObjectRecord& { return slabs_.At(index); },
      [&key](const ObjectRecord& record) { return record.id() == key.id; });
}

inline void ObjectTable::CountState(ObjectRecord* record, ObjectState state) {
  --counters_.by_state[record->state_byte];
  record->state_byte = static_cast<uint8_t>(state);
  ++counters_.by_state[record->state_byte];
}

// An available object has a copy, and so no state changes with another one; nobody is to be told.
inline bool TakesCopiesQuietly(const ObjectRecord& record, uint32_t generation) {
  return record.state() == ObjectState::kAvailable && record.copies != 0 &&
         record.generation == generation && !record.has_rare() && !record.has_askers &&
         !record.is_member();
}

FREEHOLD_QUIETLY bool ObjectTable::AddByIdQuietly(const Key& key, uint32_t count) {
  ObjectRecord* record = FindAgain(key).record;
  if (record == nullptr || !record->in_scope() || count > UINT32_MAX - record->by_id) return false;
  record->by_id += count;
  return true;
}

FREEHOLD_QUIETLY bool ObjectTable::RemoveByIdQuietly(const Key& key, uint32_t count) {
  ObjectRecord* record = FindAgain(key).record;
  if (record == nullptr || count > record->by_id) return false;
  record->by_id -= count;
  if (record->held()) return true;
  record->by_id += count;
  return false;
}

FREEHOLD_QUIETLY ObjectRecord* ObjectTable::AddTaskQuietly(const Key& key, IdIndex::Home home) {
  ObjectRecord* record =
      index_
          .FindAtHome(
              home, key.hash,
              [this](RecordIndex index) -> ObjectRecord& { return slabs_.At(index); },
              [&key](const ObjectRecord& it) { return it.id() == key.id; })
          .record;
  if (record == nullptr || !record->in_scope() || record->tasks == UINT32_MAX) return nullptr;
  ++record->tasks;
  return record;
}

inline bool ObjectTable::DropTaskQuietly(ObjectRecord* record) {
  --record->tasks;
  if (record->held()) return true;
  ++record->tasks;
  return false;
}

// One with a Rare has a callback, most likely, and often no copies: then its entry is erased, too.
// Of others the record is enough, which the caller has foreseen.
inline void ObjectTable::ForeseeEnd(const ObjectRecord& record) const {
  if (rares_.Foresee(record)) (void)index_.Foresee(record.id().Hash());
}

// Of nearly all objects the copies are all there is to see to when they go out of scope.
inline bool HasCopiesAlone(const ObjectRecord& record) {
  return record.copies > 0 && record.rare == kNone && !record.has_askers;
}

inline bool ObjectTable::EndsQuietly(const ObjectRecord& record) const {
  return record.in_scope() && record.by_id == 0 && record.tasks == 0 && record.nested_in == 0 &&
         !record.has_borrowers && !record.has_pins && HasCopiesAlone(record) &&
         !config_.settle_at_once;
}

FREEHOLD_QUIETLY bool ObjectTable::AddCopyQuietly(const Key& key, PeerIndex node,
                                                  uint32_t generation, uint64_t size,
                                                  bool reported) {
  const IdIndex::Found found = FindAgain(key);
  ObjectRecord* const record = found.record;
  if (record == nullptr || !TakesCopiesQuietly(*record, generation)) return false;
  NodeIndex::Node& entry = nodes_.At(node);
  if (entry.excluded) return false;
  if (copies_.MayHave(*record, node) && copies_.Find(*record, node) != nullptr) return false;
  Copy* copy = copies_.Insert(*record, node, /*in_memory=*/true);
  if (copy == nullptr) return false;
  nodes_.Hold(&entry, found.index, copy);
  nodes_.CountHeld(1);
  if (reported) nodes_.Report(&entry, copy, DigestHash(key.hash, generation));
  if (size != 0) record->size = size;
  return true;
}

}  // namespace freehold::core

#undef FREEHOLD_QUIETLY

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_QUIET_H_
