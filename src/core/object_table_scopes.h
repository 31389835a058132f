// ScopeSteps: the steps of an ObjectTable that concern scopes, and how the others tell theirs.
//
// A scope lies across all shards; here is one shard's part of it: who its members are, what it
// holds, and whether it is closed. What becomes of the scope as a whole is decided by the
// ScopeTable, which hears of its members by the ScopeChanges in the effects, after the shard's lock
// was released. It admits a member before the shard sees it, so that no scope is over while one is
// on its way.
//
// Thread safety: thread-compatible, like the table. Costs: O(1), Release and Force in pieces.

#ifndef FREEHOLD_SRC_CORE_OBJECT_TABLE_SCOPES_H_
#define FREEHOLD_SRC_CORE_OBJECT_TABLE_SCOPES_H_

#include <cstdint>

#include "src/base/mutant.h"
#include "src/core/object_table.h"
#include "src/core/owned_snapshot.h"
#include "src/core/scope_event.h"

namespace freehold::core {

namespace event {

// An object changes its scope. What one scope held the other one holds.
struct MoveToScope {
  Key key;
  ScopeIndex from;  // kNoScope: whichever it is in
  ScopeIndex to;
  bool hold = false;     // `to` holds it, even if `from` did not
  bool is_part = false;  // `to` is one of another process's scope
};
// A scope holds a member no longer; it stays one.
struct StopHolding {
  Key key;
  ScopeIndex scope;
};

}  // namespace event

// What moved, for the ScopeTable.
struct MovedMember {
  ScopeIndex from = kNoScope;  // the root if it was a plain object; kNoScope: nothing moved
  RecordIndex record = kNoRecord;
  uint64_t number = 0;  // of the move, in its shard
  LabelIndex label = kNoLabel;
  bool counted = false;  // it had been, in `from`
  bool counts = false;   // it does now, in `to`
  int32_t copies = 0;
  int64_t bytes = 0;
};

class ScopeSteps {
 public:
  explicit ScopeSteps(ObjectTable* table) : table_(*table) {}

  // kNotFound, kOutOfScope, kNotOwner, kNotHeld (it is not in `from`), kUnchanged, kScopeEnded,
  // kTableFull, kCountFull; kWrongState: it has an heir, and that would not be in the scope.
  Verdict Step(const event::MoveToScope& e, MovedMember* moved);
  // kNotFound, kNotHeld.
  Verdict Step(const event::StopHolding& e, Effects* effects);
  // Closes the scope here and lets go of up to `*budget` of what it holds, which is taken off it.
  // True: more is held.
  bool Release(ScopeIndex scope, uint64_t* budget, Effects* effects);
  // The same, and frees the values of all its members, whoever else refers to them.
  bool Force(ScopeIndex scope, uint64_t* budget, Effects* effects);
  // REQUIRES: it has no members here, and none is on its way. See ScopeMembers::Forget.
  uint64_t Forget(ScopeIndex scope) {
    return table_.scopes_ == nullptr ? 0 : table_.scopes_->Forget(scope);
  }

  // --- For the table's own steps -------------------------------------------------------------

  // A declared object joins; its copies and its size are known to the ScopeTable. False: no room.
  bool Enter(ObjectRecord* record, const event::Declare& e);
  // REQUIRES: it is a member. It is being erased.
  void Leave(ObjectRecord* record, Effects* effects);
  // REQUIRES: it is a member. It is given away: its scope counts it until LetGoOf, or Come.
  void GoAway(ObjectRecord* record, Effects* effects);
  void LetGoOf(const Membership& membership, Effects* effects);
  // It is owned here from now on, and its scope counts it already, but for its copies and size. One
  // that has ended does not hold it, and one that was forced frees its value, once.
  void Come(ObjectRecord* record, const Admission& to, Effects* effects);
  // Where it was declared, or kNone.
  static uint32_t CallSiteOf(const ObjectTable& table, const ObjectRecord& record) {
    return record.is_member() ? table.scopes_->At(record.member()).call_site : record.origin;
  }
  static bool IsHeldByScope(const ObjectTable& table, const ObjectRecord& record) {
    return record.is_member() && table.scopes_->At(record.member()).list() == MemberList::kHeld;
  }
  // As far as this shard knows. REQUIRES: it is a member.
  static Membership LookAt(const ObjectTable& table, const ObjectRecord& record);
  // In which scope an object is now, after how many moves in this shard.
  static WhoseObject WhoseIs(const ObjectTable& table, RecordIndex object);
  static void CheckMember(const ObjectTable& table, const ObjectRecord& record);

 private:
  ScopeMembers& Members() {
    if (table_.scopes_ == nullptr) table_.scopes_ = std::make_unique<ScopeMembers>();
    return *table_.scopes_;
  }
  bool MakeMember(ObjectRecord* record, ScopeIndex scope, LabelIndex label, bool hold);
  void Unmember(ObjectRecord* record);
  void LetGo(uint32_t member, MemberList to, Effects* effects);
  void TellUsers(const ObjectRecord& record, ScopeIndex scope, Effects* effects);

  ObjectTable& table_;
};

inline void ObjectTable::CountInScope(const ObjectRecord& of, int32_t copies, int64_t bytes,
                                      Effects* effects) const {
  if (internal::IsMutant(internal::Mutant::kScopeCopiesMiscounted) && copies < 0) copies = 0;
  if (of.is_member()) scopes_->Count(of.member(), 0, copies, bytes, effects);
}

inline void ObjectTable::SetSize(ObjectRecord* record, uint64_t size, Effects* effects) const {
  CountInScope(*record, 0, static_cast<int64_t>(size) - static_cast<int64_t>(record->size),
               effects);
  record->size = size;
}

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_TABLE_SCOPES_H_
