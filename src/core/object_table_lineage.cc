#include "src/core/object_table_lineage.h"

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_declare.h"
#include "src/core/object_table_evict.h"
#include "src/core/object_table_pins.h"
#include "src/core/object_table_scopes.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

Verdict LineageSteps::Step(const event::SetLineage& e) {
  Verdict verdict;
  ObjectRecord* record = table_.InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  if (record->borrowed) return Verdict::kNotOwner;
  table_.rares_.SetLineage(*record);
  return Verdict::kOk;
}

Verdict LineageSteps::Step(const event::ForgetLineage& e, Effects* effects) {
  ObjectRecord* record = table_.FindMutable(e.key);
  if (record == nullptr) return Verdict::kNotFound;
  if (record->in_scope() || !IsMarked(table_, *record)) return Verdict::kUnchanged;
  table_.rares_.ClearLineage(*record);
  const Rare* rare = table_.rares_.Find(*record);
  const bool copies_left = record->copies > 0 || (rare != nullptr && rare->ghost != kNoRecord);
  if (!copies_left) table_.Erase(record, effects);
  return Verdict::kOk;
}

Verdict LineageSteps::Step(const event::HoldArgument& e, Effects* effects, HeldArgument* held) {
  ObjectRecord* record = table_.FindMutable(e.key);
  if (record == nullptr) return Verdict::kNotFound;
  if (!record->in_scope()) {
    // A borrowed one that is out of scope waits for its release; its owner alone can make it again.
    if (record->borrowed || !e.recoverable || !IsMarked(table_, *record)) {
      return Verdict::kOutOfScope;
    }
    if (const Verdict verdict = Revive(record, effects); verdict != Verdict::kOk) return verdict;
    held->revived = true;
  }
  if (record->state() == ObjectState::kFailed) {
    return DeclareSteps::UseOf(table_.BorrowOf(*record));
  }
  if (record->tasks == UINT32_MAX) return Verdict::kCountFull;
  ++record->tasks;
  held->record = record;
  held->missing = held->revived || record->state() == ObjectState::kFreed ||
                  record->state() == ObjectState::kLost;
  return Verdict::kOk;
}

Verdict LineageSteps::Revive(ObjectRecord* record, Effects* effects) {
  const int32_t copies_before = record->copies;
  if (!table_.SplitOffGhost(record)) return Verdict::kTableFull;
  table_.CountInScope(*record, record->copies - copies_before, 0, effects);
  // Its scope may have ended, and takes nothing any more; see Keep.
  if (record->is_member()) ScopeSteps(&table_).Leave(record, effects);
  if (!IsMutant(Mutant::kRevivedAtOldGeneration)) ++record->generation;
  record->was_freed = 0;
  EvictSteps(&table_).Unmark(*record);
  table_.SetState(record, ObjectState::kPending, effects);
  return Verdict::kOk;
}

Verdict LineageSteps::Step(const event::GiveUpArgument& e, Effects* effects) {
  Verdict verdict;
  ObjectRecord* record = table_.InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  if (record->state() != ObjectState::kPending || record->generation != e.generation) {
    return Verdict::kUnchanged;
  }
  table_.SetState(record, ObjectState::kLost, effects);
  ++table_.counters_.objects_lost;
  effects->Rarely().lost.push_back(record->id());
  return Verdict::kOk;
}

Verdict LineageSteps::Step(const event::FreeOrphan& e, Effects* effects) {
  Verdict verdict;
  ObjectRecord* record = table_.InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  if (record->borrowed) return Verdict::kNotOwner;
  const bool referred_to = record->has_handles != 0 || record->by_id != 0 || record->tasks != 0 ||
                           record->has_borrowers != 0 || record->has_pins != 0;
  const uint32_t in_scope = ScopeSteps::IsHeldByScope(table_, *record) ? 1 : 0;
  if (referred_to || record->nested_in != in_scope) return Verdict::kWrongState;
  return table_.Step(event::FreeExplicitly{e.key}, effects);
}

// --- Values that are persisted -------------------------------------------------------------------

Verdict LineageSteps::Step(const event::BeginPersist& e, PersistNotice* now) {
  Verdict verdict;
  ObjectRecord* record = table_.InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  if (record->borrowed) return Verdict::kNotOwner;
  if (record->state() == ObjectState::kFreed) return Verdict::kToBeFreed;
  table_.rares_.Ensure(*record).persist = e.number;
  *now = {e.number, record->id(), record->generation, record->state()};
  return Verdict::kOk;
}

Verdict LineageSteps::Step(const event::EndPersist& e) {
  Verdict verdict;
  ObjectRecord* record = table_.InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  Rare* rare = table_.rares_.Find(*record);
  if (rare != nullptr && rare->persist == e.number) rare->persist = 0;
  if (record->generation != e.generation) return Verdict::kUnknownGeneration;
  return record->state() == ObjectState::kFreed ? Verdict::kToBeFreed : Verdict::kOk;
}

void LineageSteps::NotifyPersist(const ObjectRecord& record, Rare* rare, Effects* effects) {
  effects->Rarely().persists.push_back(
      {rare->persist, record.id(), record.generation, record.state()});
  if (record.is_over()) rare->persist = 0;
}

void LineageSteps::NoteFreed(const ObjectRecord& record, Effects* effects) {
  if (!IsMarked(table_, record)) return;
  effects->Rarely().lineage.push_back({record.id(), record.generation, /*freed=*/true});
}

void LineageSteps::NoteKept(const ObjectRecord& record, Effects* effects) {
  LineageNotice kept{record.id(), record.generation};
  kept.kept = true;
  effects->Rarely().lineage.push_back(kept);
}

bool LineageSteps::Keep(ObjectRecord* record, Effects* effects) {
  if (!IsMarked(table_, *record)) return false;
  // Its scope need not wait for what nobody refers to.
  if (record->is_member()) ScopeSteps(&table_).Leave(record, effects);
  NoteKept(*record, effects);
  return true;
}

}  // namespace freehold::core
