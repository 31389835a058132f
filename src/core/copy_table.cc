#include "src/core/copy_table.h"

#include <algorithm>

#include "src/base/check.h"
#include "src/base/mutant.h"

namespace freehold::core {

namespace {

bool IsDoomed(CopyState state) {
  return state == CopyState::kDoomedByReaders || state == CopyState::kDoomedByFetch;
}

}  // namespace

// --- Records -------------------------------------------------------------------------------------

uint32_t CopyTable::Newest(const ObjectId& object) const {
  const auto it = newest_.find(object);
  return it == newest_.end() ? kNoCopy : it->second;
}

uint32_t CopyTable::Lookup(const ObjectId& object, uint32_t generation) const {
  uint32_t i = Newest(object);
  while (i != kNoCopy && copies_[i].generation > generation) i = copies_[i].older;
  return i != kNoCopy && copies_[i].generation == generation ? i : kNoCopy;
}

const CopyTable::Owner* CopyTable::FindOwner(PeerIndex peer) const {
  return peer < owners_.size() ? owners_[peer].get() : nullptr;
}

CopyTable::Owner& CopyTable::OwnerOf(PeerIndex peer) {
  FREEHOLD_CHECK(peer <= kPeerIndexMax);
  if (peer >= owners_.size()) owners_.resize(size_t{peer} + 1);
  if (owners_[peer] == nullptr) owners_[peer] = std::make_unique<Owner>(peer);
  return *owners_[peer];
}

const CopyRecord* CopyTable::Find(const ObjectId& object, uint32_t generation) const {
  const uint32_t i = Lookup(object, generation);
  return i == kNoCopy || copies_[i].state == CopyState::kGone ? nullptr : &copies_[i];
}

uint32_t CopyTable::Insert(const ObjectId& object, uint32_t generation) {
  const uint32_t index = copies_.Take(options_.copies_max);
  if (index == kNoCopy) return kNoCopy;
  CopyRecord& copy = copies_[index];
  copy.object = object;
  copy.generation = generation;
  uint32_t* link = &newest_.try_emplace(object, kNoCopy).first->second;
  while (*link != kNoCopy && copies_[*link].generation > generation) link = &copies_[*link].older;
  copy.older = *link;
  *link = index;
  return index;
}

// REQUIRES: in kGone, and nothing waits to be reported.
void CopyTable::Erase(uint32_t index) {
  const auto it = newest_.find(copies_[index].object);
  uint32_t* link = &it->second;
  while (*link != index) link = &copies_[*link].older;
  *link = copies_[index].older;
  if (it->second == kNoCopy) newest_.erase(it);
  copies_.Return(index);
}

void CopyTable::EnterOwner(uint32_t index) {
  Owner& owner = OwnerOf(copies_[index].owner);
  if (owner.copies.empty()) {
    owner.here_since = ++arrivals_;
    owners_here_.emplace(owner.here_since, owner.peer);
  }
  owner.copies.PushBack(&copies_, index);
}

void CopyTable::LeaveOwner(uint32_t index) {
  Owner& owner = OwnerOf(copies_[index].owner);
  if (owner.orphan_cursor == index) owner.orphan_cursor = OwnerList::Next(copies_, index);
  owner.copies.Remove(&copies_, index);
  if (owner.copies.empty()) owners_here_.erase(owner.here_since);
}

// --- Changes of state ----------------------------------------------------------------------------

void CopyTable::Count(const CopyRecord& copy, bool up) {
  const uint64_t one = up ? 1 : ~uint64_t{0};  // minus one, modulo 2^64
  if (copy.state != CopyState::kGone) stats_.copies += one;
  if (IsDoomed(copy.state)) stats_.doomed += one;
  if (IsFreed(copy.state) && !IsDoomed(copy.state)) stats_.deletes_pending += one;
  if (copy.has_bytes()) {
    stats_.bytes += one * copy.size;
    OwnerOf(copy.owner).bytes += one * copy.size;
  }
}

void CopyTable::SetState(uint32_t index, CopyState state) {
  CopyRecord& copy = copies_[index];
  Count(copy, false);
  if (copy.state == CopyState::kToDelete) to_delete_.Remove(&copies_, index);
  if (copy.state == CopyState::kDeleteFailed) retries_.erase({copy.rarity->retry_at, index});
  if (copy.state == CopyState::kGone) EnterOwner(index);
  copy.state = state;
  if (copy.state == CopyState::kToDelete) to_delete_.PushBack(&copies_, index);
  if (copy.state == CopyState::kDeleteFailed) retries_.emplace(copy.rarity->retry_at, index);
  if (copy.state == CopyState::kGone) LeaveOwner(index);
  Count(copy, true);
}

// Frees the copy. One that was freed before stays as it is.
void CopyTable::Doom(uint32_t index, FreeCause cause, CopyEffects* effects) {
  CopyRecord& copy = copies_[index];
  if (copy.state != CopyState::kFetching && copy.state != CopyState::kHeld) return;
  copy.cause = cause;
  copy.freed_at = ++frees_;
  if (copy.state == CopyState::kFetching) {
    SetState(index, CopyState::kDoomedByFetch);
  } else if (copy.readers > 0 && !internal::IsMutant(internal::Mutant::kReadersIgnored)) {
    SetState(index, CopyState::kDoomedByReaders);
  } else {
    SetState(index, CopyState::kToDelete);
    effects->work = true;
  }
}

// Between a barrier and the end of its sweep: a copy that the sweep has not reached must not be
// used as if it were not freed.
void CopyTable::DoomIfPastBarrier(uint32_t index, CopyEffects* effects) {
  if (OwnerOf(copies_[index].owner).phase == OwnerPhase::kPastBarrier) {
    Doom(index, FreeCause::kOwnerExcluded, effects);
  }
}

// Nothing of the copy is here any more. `report`: kNothing when its owner need not hear of it.
void CopyTable::End(uint32_t index, CopyReport report, CopyEffects* effects) {
  CopyRecord& copy = copies_[index];
  if (IsFreed(copy.state) && !IsDoomed(copy.state)) {
    ++stats_.copies_deleted;
    if (copy.cause == FreeCause::kOwnerExcluded) ++stats_.orphans_deleted;
  }
  SetState(index, CopyState::kGone);
  copy.rarity.reset();
  copy.in_memory = false;
  copy.cause = FreeCause::kNobody;
  // The owner has not heard of this life of the key: how the earlier one ended says it all.
  if (report == CopyReport::kNothing || report == CopyReport::kRemoved) {
    if (copy.report_first != CopyReport::kNothing) report = copy.report_first;
  }
  SetReport(index, CopyReport::kNothing, report, effects);
  if (!copy.waits_to_report()) Erase(index);
}

// Bytes or a file have come to a copy that was freed: they go with it.
void CopyTable::MoreToDelete(uint32_t index) {
  // The store may have passed this copy already: it has to be asked again.
  if (copies_[index].state == CopyState::kDeleting) SetState(index, CopyState::kDeletingAgain);
}

// --- From the host -------------------------------------------------------------------------------

CopyVerdict CopyTable::Step(const copy_event::AddCopy& event, CopyEffects* effects) {
  return Arrive(
      {event.object, event.generation, event.owner, event.role, event.size, CopyState::kHeld},
      effects);
}

CopyVerdict CopyTable::Step(const copy_event::BeginFetch& event, CopyEffects* effects) {
  return Arrive(
      {event.object, event.generation, event.owner, event.role, event.size, CopyState::kFetching},
      effects);
}

CopyVerdict CopyTable::Arrive(Arrival arrival, CopyEffects* effects) {
  uint32_t index = Lookup(arrival.object, arrival.generation);
  // What is gone, with nobody to hear of it, says nothing about the key any more.
  if (index != kNoCopy && copies_[index].state == CopyState::kGone &&
      !Reports(OwnerOf(copies_[index].owner))) {
    SetReport(index, CopyReport::kNothing, CopyReport::kNothing, effects);
    Erase(index);
    index = kNoCopy;
  }
  if (index == kNoCopy) {
    FollowOtherGenerations(&arrival);
  } else {
    const CopyRecord& copy = copies_[index];
    // Of an object that has moved, the host may have heard the owner before the move.
    if (copy.owner != arrival.owner && copy.term == kFirstTerm) return CopyVerdict::kOtherOwner;
    arrival.owner = copy.owner;
    arrival.term = copy.term;
    DoomIfPastBarrier(index, effects);
    if (copies_[index].state != CopyState::kGone) return ArriveOnRecord(index, arrival, effects);
  }
  if (OwnerOf(arrival.owner).phase == OwnerPhase::kPastBarrier) return CopyVerdict::kOwnerExcluded;
  // A key that comes back before its owner has heard how it went keeps that report, to be told
  // before the new one; so a store that drops and fetches again and again adds no records.
  if (index == kNoCopy) index = Insert(arrival.object, arrival.generation);
  if (index == kNoCopy) return CopyVerdict::kTooMany;
  CopyRecord& copy = copies_[index];
  copy.owner = arrival.owner;
  copy.term = arrival.term;
  copy.role = arrival.role;
  copy.size = arrival.size;
  copy.in_memory = arrival.state == CopyState::kHeld;
  SetState(index, arrival.state);
  const CopyReport first = copy.report;
  if (arrival.state == CopyState::kHeld) {
    ++stats_.copies_added;
    SetReport(index, first, CopyReport::kAdded, effects);
  } else {
    SetReport(index, first, CopyReport::kNothing, effects);
  }
  return CopyVerdict::kOk;
}

CopyVerdict CopyTable::ArriveOnRecord(uint32_t index, const Arrival& arrival,
                                      CopyEffects* effects) {
  CopyRecord& copy = copies_[index];
  if (arrival.state == CopyState::kFetching) {
    return IsFreed(copy.state) ? CopyVerdict::kFreed : CopyVerdict::kAlreadyHere;
  }
  switch (copy.state) {
    case CopyState::kHeld:
      return CopyVerdict::kAlreadyHere;
    case CopyState::kFetching:
    case CopyState::kDoomedByFetch: {
      const bool freed = copy.state == CopyState::kDoomedByFetch;
      copy.role = arrival.role;
      copy.size = arrival.size;
      copy.in_memory = true;
      SetState(index, freed ? CopyState::kToDelete : CopyState::kHeld);
      if (freed) {
        effects->work = true;
        return CopyVerdict::kFreed;
      }
      ++stats_.copies_added;
      Report(index, CopyReport::kAdded, effects);
      return CopyVerdict::kOk;
    }
    case CopyState::kDoomedByReaders:
    case CopyState::kToDelete:
    case CopyState::kDeleting:
    case CopyState::kDeletingAgain:
    case CopyState::kDeleteFailed:
      copy.in_memory = true;
      MoreToDelete(index);
      return CopyVerdict::kFreed;
    case CopyState::kGone:
      break;
  }
  FREEHOLD_CHECK(false);
}

CopyVerdict CopyTable::Step(const copy_event::AbortFetch& event, CopyEffects* effects) {
  const uint32_t index = Lookup(event.object, event.generation);
  if (index == kNoCopy) return CopyVerdict::kNotHere;
  switch (copies_[index].state) {
    case CopyState::kFetching:
      End(index, CopyReport::kNothing, effects);
      return CopyVerdict::kOk;
    case CopyState::kDoomedByFetch:
      End(index, CopyReport::kDeleted, effects);
      return CopyVerdict::kOk;
    case CopyState::kGone:
      return CopyVerdict::kNotHere;
    case CopyState::kHeld:
    case CopyState::kDoomedByReaders:
    case CopyState::kToDelete:
    case CopyState::kDeleting:
    case CopyState::kDeletingAgain:
    case CopyState::kDeleteFailed:
      return CopyVerdict::kNotFetching;
  }
  FREEHOLD_CHECK(false);
}

CopyVerdict CopyTable::Step(const copy_event::MarkSpilled& event, CopyEffects* effects) {
  const uint32_t index = Lookup(event.object, event.generation);
  if (index == kNoCopy || copies_[index].state == CopyState::kGone) return CopyVerdict::kNotHere;
  CopyRecord& copy = copies_[index];
  if (!copy.has_bytes()) return CopyVerdict::kStillFetching;
  const bool spilled_before = !copy.spilled_url().empty();
  // Its file would be forgotten, and stay for ever.
  if (spilled_before && (copy.spilled_url() != event.url || copy.is_shared() != event.shared)) {
    return CopyVerdict::kSpilledElsewhere;
  }
  if (spilled_before && copy.in_memory == event.in_memory && copy.state == CopyState::kHeld) {
    return CopyVerdict::kNoChange;
  }
  copy.MakeRarity().spilled_url = std::string(event.url);
  copy.MakeRarity().shared = event.shared;
  if (copy.state == CopyState::kHeld || copy.state == CopyState::kDoomedByReaders) {
    copy.in_memory = event.in_memory;
    if (copy.state == CopyState::kHeld) Report(index, CopyReport::kSpilled, effects);
    return CopyVerdict::kOk;
  }
  MoreToDelete(index);
  return CopyVerdict::kFreed;
}

CopyVerdict CopyTable::Step(const copy_event::MarkRestored& event, CopyEffects* effects) {
  const uint32_t index = Lookup(event.object, event.generation);
  if (index == kNoCopy || copies_[index].state == CopyState::kGone) return CopyVerdict::kNotHere;
  CopyRecord& copy = copies_[index];
  if (!copy.has_bytes()) return CopyVerdict::kStillFetching;
  if (copy.spilled_url().empty()) return CopyVerdict::kNotSpilled;
  if (copy.in_memory && copy.state == CopyState::kHeld) return CopyVerdict::kNoChange;
  copy.in_memory = true;
  if (copy.state == CopyState::kHeld) {
    // A spill that its owner has not heard of yet is told in one word with the restore.
    if (copy.report != CopyReport::kSpilled) Report(index, CopyReport::kAdded, effects);
    return CopyVerdict::kOk;
  }
  if (copy.state == CopyState::kDoomedByReaders) return CopyVerdict::kOk;
  MoreToDelete(index);
  return CopyVerdict::kFreed;
}

CopyVerdict CopyTable::Step(const copy_event::DropCopy& event, CopyEffects* effects) {
  const uint32_t index = Lookup(event.object, event.generation);
  if (index == kNoCopy) return CopyVerdict::kNotHere;
  const CopyRecord& copy = copies_[index];
  switch (copy.state) {
    case CopyState::kHeld:
      if (copy.readers > 0) return CopyVerdict::kHasReaders;
      // Its owner may count on it when this node is taken for dead, and its report for late.
      if (copy.is_shared()) return CopyVerdict::kSharedFile;
      if (copy.moving() && !internal::IsMutant(internal::Mutant::kMoveNotPinned)) {
        return CopyVerdict::kMoving;
      }
      End(index, CopyReport::kRemoved, effects);
      return CopyVerdict::kOk;
    case CopyState::kDoomedByReaders:
      return CopyVerdict::kHasReaders;
    case CopyState::kFetching:
    case CopyState::kDoomedByFetch:
      return CopyVerdict::kStillFetching;
    case CopyState::kToDelete:
    case CopyState::kDeleteFailed:
      // The store was faster than our asking it.
      End(index, CopyReport::kDeleted, effects);
      return CopyVerdict::kOk;
    case CopyState::kDeleting:
    case CopyState::kDeletingAgain:
      return CopyVerdict::kOk;  // the store's answer to the deletion settles it
    case CopyState::kGone:
      return CopyVerdict::kNotHere;
  }
  FREEHOLD_CHECK(false);
}

CopyVerdict CopyTable::Step(const copy_event::BeginRead& event, CopyEffects* effects) {
  CopyVerdict otherwise = CopyVerdict::kNotHere;
  for (uint32_t i = Newest(event.object); i != kNoCopy; i = copies_[i].older) {
    DoomIfPastBarrier(i, effects);
    CopyRecord& copy = copies_[i];
    if (copy.state == CopyState::kGone) continue;
    if (copy.state == CopyState::kFetching) {
      otherwise = CopyVerdict::kStillFetching;
      continue;
    }
    if (copy.state != CopyState::kHeld) return CopyVerdict::kFreed;
    if (copy.readers == UINT32_MAX) return CopyVerdict::kTooMany;
    ++copy.readers;
    ++stats_.readers;
    effects->generation = copy.generation;
    return CopyVerdict::kOk;
  }
  return otherwise;
}

CopyVerdict CopyTable::Step(const copy_event::EndRead& event, CopyEffects* effects) {
  const uint32_t index = Lookup(event.object, event.generation);
  if (index == kNoCopy || copies_[index].readers == 0) return CopyVerdict::kNotHere;
  CopyRecord& copy = copies_[index];
  --copy.readers;
  --stats_.readers;
  if (copy.readers == 0 && copy.state == CopyState::kDoomedByReaders) {
    SetState(index, CopyState::kToDelete);
    effects->work = true;
  }
  return CopyVerdict::kOk;
}

// --- From the owner ------------------------------------------------------------------------------

CopyVerdict CopyTable::Step(const copy_event::Free& event, CopyEffects* effects) {
  Owner& sender = OwnerOf(event.from);
  const uint32_t index = Lookup(event.object, event.generation);
  // Who is not told results may not ask for them either: an excluded owner, or anybody once this
  // node is excluded.
  const bool is_anothers = index != kNoCopy && copies_[index].owner != event.from;
  // An owner that is excluded may have given the copy's object away, and this node not have heard.
  const bool is_orphan = is_anothers && (copies_[index].state == CopyState::kGone ||
                                         !Reports(OwnerOf(copies_[index].owner)));
  const bool may_be = is_orphan || !is_anothers || MayConcernAnother(copies_[index], event);
  if (!Reports(sender) || !may_be) {
    ++stats_.frees_refused;
    return CopyVerdict::kRefused;
  }
  ++stats_.frees_received;
  if (index == kNoCopy || is_anothers) {
    ++stats_.frees_unknown;
    Answer({event.object, event.generation, event.term}, &sender, effects);
    return CopyVerdict::kUnknown;
  }
  CopyRecord& copy = copies_[index];
  // Never down: an owner that knows no such object any more does not know its term either.
  copy.term = std::max(copy.term, event.term);
  switch (copy.state) {
    case CopyState::kFetching:
    case CopyState::kHeld:
      Doom(index, FreeCause::kOwner, effects);
      // Withdraws what was to be told of the copy, and how an earlier life of its key ended: the
      // result of this Free settles both.
      SetReport(index, CopyReport::kNothing,
                IsDoomed(copy.state) ? CopyReport::kDoomed : CopyReport::kNothing, effects);
      return IsDoomed(copy.state) ? CopyVerdict::kDoomed : CopyVerdict::kOk;
    case CopyState::kDoomedByReaders:
    case CopyState::kDoomedByFetch:
      Report(index, CopyReport::kDoomed, effects);
      return CopyVerdict::kDoomed;
    case CopyState::kToDelete:
    case CopyState::kDeleting:
    case CopyState::kDeletingAgain:
    case CopyState::kDeleteFailed:
      return CopyVerdict::kFreedBefore;
    case CopyState::kGone:
      if (copy.report != CopyReport::kRemoved) return CopyVerdict::kFreedBefore;
      ++stats_.frees_unknown;
      Report(index, CopyReport::kUnknown, effects);
      return CopyVerdict::kUnknown;
  }
  FREEHOLD_CHECK(false);
}

}  // namespace freehold::core
