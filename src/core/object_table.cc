// ObjectTable: existence, references, and the end of an object.

#include "src/core/object_table.h"

#include <algorithm>
#include <utility>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_evict.h"
#include "src/core/object_table_files.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_lineage.h"
#include "src/core/object_table_pins.h"
#include "src/core/object_table_quiet.h"
#include "src/core/object_table_scopes.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

ObjectTable::ObjectTable(const Config& config)
    : config_(config),
      slabs_(config.context, config.records_max, config.slabs),
      nodes_(&slabs_, &copies_) {}

ObjectRecord* ObjectTable::FindMutable(const Key& key) {
  const RecordIndex index = FindInline(key);
  return index == kNoRecord ? nullptr : &slabs_.At(index);
}

const ObjectRecord* ObjectTable::Find(const Key& key) const {
  return const_cast<ObjectTable*>(this)->FindMutable(key);
}

ObjectRecord* ObjectTable::FindGeneration(ObjectRecord* record, uint32_t generation) {
  while (record->generation != generation) {
    const Rare* rare = rares_.Find(*record);
    if (rare == nullptr || rare->ghost == kNoRecord) return nullptr;
    record = &slabs_.At(rare->ghost);
  }
  return record;
}

ObjectRecord* ObjectTable::InScope(const Key& key, Verdict* verdict) {
  ObjectRecord* record = FindMutable(key);
  *verdict = record == nullptr     ? Verdict::kNotFound
             : !record->in_scope() ? Verdict::kOutOfScope
                                   : Verdict::kOk;
  return *verdict == Verdict::kOk ? record : nullptr;
}

// --- Existence -----------------------------------------------------------------------------------

// Inline in the one step that happens a million times a second.
inline __attribute__((always_inline)) IdIndex::Found ObjectTable::MakeInline(const Key& key,
                                                                             ObjectState state,
                                                                             bool handle,
                                                                             IdIndex::Place place) {
  const RecordIndex index = slabs_.Allocate();
  if (index == kNoRecord) return {};
  ObjectRecord& made = slabs_.At(index);
  made.cell.Reset(key.id, handle ? 1 : 0);
  made.by_id = made.tasks = made.nested_in = 0;
  made.generation = 0;
  made.size = 0;
  made.rare = kNone;
  made.overflow = kNone;
  made.copies = 0;
  made.state_byte = static_cast<uint8_t>(state);
  made.has_handles = handle;
  made.was_freed = 0;
  made.is_ghost = 0;
  made.has_borrowers = 0;
  made.has_pins = 0;
  made.borrowed = 0;
  made.has_askers = 0;
  made.origin = kNone;
  const auto hash_of = [this](RecordIndex i) { return HashOf(i); };
  const auto foresee = [this](RecordIndex i) { RecordSlabs::ForeseeId(slabs_.At(i)); };
  if (IdIndex::IsPlace(place)) {
    index_.PutAt(place, key.hash, index);
  } else if (!index_.Insert(key.hash, index, hash_of, foresee)) {
    slabs_.Release(index);
    return {};
  }
  ++counters_.by_state[static_cast<int>(state)];
  return {&made, index};
}

RecordIndex ObjectTable::Make(const Key& key, ObjectState state) {
  return MakeInline(key, state, /*handle=*/false, {}).index;
}

Verdict ObjectTable::Step(const event::Declare& e, ObjectRecord** record) {
  const IdIndex::Place place = index_.PlaceFor(e.key.hash);
  if (!IdIndex::IsPlace(place) && FindInline(e.key) != kNoRecord) return Verdict::kAlreadyExists;
  if (TransferSteps::Any(*this) && TransferSteps(this).FindFormer(e.key.id) != nullptr) {
    return Verdict::kAlreadyExists;
  }
  if (e.primary != kNoPeer && nodes_.IsExcluded(e.primary)) return Verdict::kNodeExcluded;
  const bool is_member = e.scope != kRootScope || e.label != kNoLabel || e.hold;
  if (is_member && scopes_ != nullptr && scopes_->IsClosed(e.scope)) return Verdict::kScopeEnded;
  const IdIndex::Found found =
      MakeInline(e.key, e.primary == kNoPeer ? ObjectState::kPending : ObjectState::kAvailable,
                 /*handle=*/true, place);
  ObjectRecord* const made = found.record;
  if (made == nullptr) return Verdict::kTableFull;
  made->size = e.size;
  made->origin = e.call_site;
  ++counters_.declared;
  if (e.primary != kNoPeer) {
    Copy* copy = copies_.InsertFirst(*made, e.primary);
    copy->primary = 1;
    nodes_.Link(found.index, copy);
  }
  if (is_member && !ScopeSteps(this).Enter(made, e)) {
    if (made->copies > 0) RemoveCopy(made, &copies_.At(*made, 0));
    --counters_.declared;
    Unmake(made);
    return Verdict::kTableFull;
  }
  index_.Note(e.key.hash, made, found.index);
  *record = made;
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::Recreate& e, Effects* effects) {
  Verdict verdict;
  ObjectRecord* record = InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  if (record->borrowed) return Verdict::kNotOwner;
  if (record->state() != ObjectState::kFreed && record->state() != ObjectState::kLost) {
    return Verdict::kWrongState;
  }
  const int32_t copies_before = record->copies;
  if (!SplitOffGhost(record)) return Verdict::kTableFull;
  CountInScope(*record, record->copies - copies_before, 0, effects);
  if (record->state() == ObjectState::kFreed && record->has_askers) AnswerAsFreed(IndexOf(*record));
  // What a lost object still has are prospective copies: their nodes wait for the new value.
  ++record->generation;
  record->was_freed = 0;
  PinSteps(this).ForgetFree(*record);
  SetState(record, ObjectState::kPending, effects);
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::FreeExplicitly& e, Effects* effects) {
  ObjectRecord* record = FindMutable(e.key);
  if (record == nullptr) return Verdict::kNotFound;
  if (record->borrowed) return Verdict::kNotOwner;
  if (record->is_over()) return Verdict::kUnchanged;
  if (PinSteps(this).Postpone(*record, e.mode, effects)) return Verdict::kUnchanged;
  if (e.mode == FreeMode::kEvictFirst && HasRealCopy(*record)) {
    return EvictSteps(this).Mark(record, effects);
  }
  EvictSteps(this).Free(record, effects);
  AfterCopiesGone(record, effects);
  return Verdict::kOk;
}

// --- References ----------------------------------------------------------------------------------

Verdict ObjectTable::Step(const event::AddHandle& e, ObjectRecord** record) {
  Verdict verdict;
  ObjectRecord* found = InScope(e.key, &verdict);
  if (found == nullptr) return verdict;
  found->has_handles = 1;
  *record = found;
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::DropLastHandle& e, Effects* effects) {
  if (EndsQuietly(*e.record)) {
    EndQuietly(e.record, &effects->ready);
    return Verdict::kOk;
  }
  e.record->has_handles = 0;
  EndIfNotHeld(e.record, effects);
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::AddById& e) {
  if (AddByIdQuietly(e.key, e.count)) return Verdict::kOk;
  Verdict verdict;
  ObjectRecord* record = InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  if (e.count > UINT32_MAX - record->by_id) return Verdict::kCountFull;
  record->by_id += e.count;
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::RemoveById& e, Effects* effects) {
  if (RemoveByIdQuietly(e.key, e.count)) return Verdict::kOk;
  ObjectRecord* record = FindMutable(e.key);
  if (record == nullptr) return Verdict::kNotFound;
  if (e.count > record->by_id) return Verdict::kNotHeld;
  record->by_id -= e.count;
  EndIfNotHeld(record, effects);
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::AddTask& e, ObjectRecord** record) {
  *record = AddTaskQuietly(e.key, index_.HomeOf(e.key.hash));
  if (*record != nullptr) return Verdict::kOk;
  Verdict verdict;
  ObjectRecord* found = InScope(e.key, &verdict);
  if (found == nullptr) return verdict;
  if (found->tasks == UINT32_MAX) return Verdict::kCountFull;
  ++found->tasks;
  *record = found;
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::DropTask& e, Effects* effects) {
  FREEHOLD_CHECK(e.record->tasks > 0);
  if (DropTaskQuietly(e.record)) return Verdict::kOk;
  --e.record->tasks;
  EndIfNotHeld(e.record, effects);
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::AddNestedHold& e, RecordIndex* record) {
  Verdict verdict;
  ObjectRecord* found = InScope(e.key, &verdict);
  if (found == nullptr) return verdict;
  // Whoever reads its id out of the outer object would ask its owner too early.
  if (found->borrowed && BorrowOf(*found).declares) return Verdict::kNotAcknowledged;
  if (found->nested_in == UINT32_MAX) return Verdict::kCountFull;
  ++found->nested_in;
  ++counters_.nested;
  *record = IndexOf(*found);
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::DropNestedHold& e, Effects* effects) {
  ObjectRecord* record = &slabs_.At(e.record);
  FREEHOLD_CHECK(record->nested_in > 0);
  --record->nested_in;
  --counters_.nested;
  EndIfNotHeld(record, effects);
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::AddInners& e) {
  Verdict verdict;
  ObjectRecord* record = InScope(e.outer, &verdict);
  if (record == nullptr) return verdict;
  if (record->borrowed) return Verdict::kNotOwner;
  if (e.inners.empty()) return Verdict::kOk;
  if (!HeirSteps::MayContain(*this, *record, e.inners)) return Verdict::kWrongState;
  Rare& rare = rares_.Ensure(*record);
  if (e.inners.size() > InnerList::kSizeMax - rare.inners.size()) return Verdict::kTableFull;
  for (const InnerRef& inner : e.inners) {
    if (!rare.inners.Add(inner)) e.duplicates->push_back(inner);
  }
  return Verdict::kOk;
}

// --- The end -------------------------------------------------------------------------------------

// Of most objects nobody waits for the moments, and no call is made for it.
inline bool IsWatched(const RarePool& rares, const ObjectRecord& record) {
  return record.has_askers || (record.has_rare() && !rares.Find(record)->callbacks.empty());
}

void ObjectTable::SetState(ObjectRecord* record, ObjectState state, Effects* effects) {
  if (record->state() == state) return;
  CountState(record, state);
  if (record->has_rare()) NotifyState(*record, LocationUpdate::Kind::kState, effects);
  if (record->has_askers) AnswerAskers(*record, effects);
}

void ObjectTable::EndIfNotHeld(ObjectRecord* record, Effects* effects) {
  bool held = record->held();
  if (IsMutant(Mutant::kReleaseDespitePins) && record->borrowed) {
    held = record->has_handles || record->nested_in != 0;
  }
  if (held || !record->in_scope()) return;
  if (record->borrowed) {
    LetGoOfBorrow(record, effects);
  } else {
    GoOutOfScope(record, effects);
  }
}

void ObjectTable::GoOutOfScope(ObjectRecord* record, Effects* effects) {
  ++counters_.out_of_scope;
  if (HasCopiesAlone(*record) && !config_.settle_at_once) {
    CountState(record, ObjectState::kOutOfScope);
    FreeCopies(record, &effects->ready);
    return;
  }
  if (record->copies == 0) (void)index_.Foresee(record->id().Hash());  // to be erased, most likely
  if (record->has_rare()) NotifyState(*record, LocationUpdate::Kind::kGone, effects);
  if (record->has_askers) EndAskers(record, effects);
  SetState(record, ObjectState::kOutOfScope, effects);
  if (rares_.HasLineage(*record)) {
    effects->Rarely().lineage.push_back({record->id(), record->generation});
  }
  // Freed before: its callbacks fired then, and new ones were refused.
  Fire(record, Moment::kOutOfScope, EndReason::kOutOfScope, effects);
  if (Rare* rare = rares_.Find(*record); rare != nullptr && !rare->inners.empty()) {
    effects->Rarely().inner_lists.push_back(std::exchange(rare->inners, InnerList()));
  }
  BeginFree(record, effects);
  AfterCopiesGone(record, effects);
}

void ObjectTable::BeginFree(ObjectRecord* record, Effects* effects) {
  if (config_.settle_at_once) {
    while (record->copies > 0) {
      Copy* copy = &copies_.At(*record, record->copies - 1u);
      nodes_.Unreport(copy, DigestHash({record->id(), record->generation}));
      Settle(record, copy, FreeOutcome::kSettled, effects);
    }
    return;
  }
  if (record->has_askers) FileSteps(this).HoldBackAll(record, effects);
  FreeCopies(record, &effects->ready);
}

inline void ObjectTable::FreeCopies(ObjectRecord* record, Effects::Nodes* ready) {
  uint32_t awaited = 0;
  copies_.ForEach(*record, [&](Copy* copy) {
    if (copy->held()) {
      ++awaited;
      // An excluded node gets none, although copies there may be left that a later piece takes out.
      if (nodes_.Await(copy)) ready->push_back(copy->node);
    }
    if (IsMutant(Mutant::kDigestForgetsFrees)) {
      nodes_.Unreport(copy, DigestHash({record->id(), record->generation}));
    }
  });
  nodes_.CountAwaited(awaited);
}

void ObjectTable::EndQuietly(ObjectRecord* record, Effects::Nodes* ready) {
  record->has_handles = 0;
  ++counters_.out_of_scope;
  CountState(record, ObjectState::kOutOfScope);
  FreeCopies(record, ready);
}

void ObjectTable::WaitForFree(const ObjectRecord& record, Copy* copy, Effects* effects) {
  if (copy->shared && FileSteps(this).HoldBack(record, copy, effects)) return;
  nodes_.CountAwaited(1);
  if (nodes_.Await(copy)) effects->ready.push_back(copy->node);
}

void ObjectTable::AfterCopiesGone(ObjectRecord* record, Effects* effects) {
  if (record->is_ghost) {
    if (record->copies == 0) EraseGhost(record, effects);
    return;
  }
  switch (record->state()) {
    case ObjectState::kPending:
    case ObjectState::kLost:
    case ObjectState::kBorrowed:  // they have no copies
    case ObjectState::kFailed:
      return;
    case ObjectState::kAvailable:
      if (HasRealCopy(*record)) return;
      if (EvictSteps(this).FreeIfMarked(record, effects)) break;
      SetState(record, ObjectState::kLost, effects);
      ++counters_.objects_lost;
      effects->Rarely().lost.push_back(record->id());
      return;
    case ObjectState::kFreed:
    case ObjectState::kOutOfScope:
      break;
  }
  if (record->copies > 0) return;
  const Rare* rare = rares_.Find(*record);
  if (rare != nullptr && rare->ghost != kNoRecord) return;
  const EndReason why = record->was_freed ? EndReason::kFreed : EndReason::kOutOfScope;
  if (IsWatched(rares_, *record)) Fire(record, Moment::kReclaimed, why, effects);
  if (record->state() == ObjectState::kOutOfScope) Erase(record, effects);
}

void ObjectTable::EraseGhost(ObjectRecord* ghost, Effects* effects) {
  const RecordIndex ghost_index = IndexOf(*ghost);
  ObjectRecord* newest = FindMutable({ghost->id(), ghost->id().Hash()});
  FREEHOLD_CHECK(newest != nullptr);
  ObjectRecord* before = newest;
  while (rares_.Find(*before)->ghost != ghost_index) {
    before = &slabs_.At(rares_.Find(*before)->ghost);
  }
  const Rare* ghost_rare = rares_.Find(*ghost);
  rares_.Find(*before)->ghost = ghost_rare == nullptr ? kNoRecord : ghost_rare->ghost;
  rares_.Release(*ghost);
  slabs_.Release(ghost_index);
  AfterCopiesGone(newest, effects);
}

void ObjectTable::Erase(ObjectRecord* record, Effects* effects) {
  if (record->rare != kNone && LineageSteps(this).Keep(record, effects)) return;
  const EndReason why = record->was_freed ? EndReason::kFreed : EndReason::kOutOfScope;
  if (IsWatched(rares_, *record)) Fire(record, Moment::kErased, why, effects);
  if (record->has_askers) {
    TransferSteps(this).End(*record, effects);
    DropCallbacks(record, effects);  // of a borrow that it was
  }
  if (record->is_member()) ScopeSteps(this).Leave(record, effects);
  Unmake(record);
}

void ObjectTable::Unmake(ObjectRecord* record) {
  --counters_.by_state[record->state_byte];
  const RecordIndex index = IndexOf(*record);
  index_.Erase(record->id().Hash(), index);
  rares_.Release(*record);
  slabs_.Release(index);
}

}  // namespace freehold::core
