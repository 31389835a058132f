#include "src/core/object_table_scopes.h"

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_heirs.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

bool ScopeSteps::MakeMember(ObjectRecord* record, ScopeIndex scope, LabelIndex label, bool hold) {
  const uint32_t member =
      Members().Add(table_.IndexOf(*record), scope, label, record->origin, hold);
  if (member == kNone) return false;
  record->origin = member | kMemberMark;
  return true;
}

void ScopeSteps::Unmember(ObjectRecord* record) {
  const uint32_t member = record->member();
  record->origin = table_.scopes_->At(member).call_site;
  table_.scopes_->Remove(member);
}

bool ScopeSteps::Enter(ObjectRecord* record, const event::Declare& e) {
  const bool hold = e.hold && !IsMutant(Mutant::kScopeHoldForgotten);
  if (!MakeMember(record, e.scope, e.label, hold)) return false;
  if (hold) ++record->nested_in;
  return true;
}

void ScopeSteps::Leave(ObjectRecord* record, Effects* effects) {
  const ScopeMembers::Member& member = table_.scopes_->At(record->member());
  // What is still deleted was taken off copy by copy.
  FREEHOLD_CHECK(record->copies == 0 && member.list() != MemberList::kHeld);
  table_.scopes_->Count(record->member(), -1, 0, -static_cast<int64_t>(record->size), effects);
  Unmember(record);
}

void ScopeSteps::GoAway(ObjectRecord* record, Effects* effects) {
  const ScopeMembers::Member& member = table_.scopes_->At(record->member());
  if (member.list() == MemberList::kHeld) --record->nested_in;
  table_.scopes_->Count(record->member(), 0, -static_cast<int32_t>(record->copies),
                        -static_cast<int64_t>(record->size), effects);
  Unmember(record);
  TellUsers(*record, kRootScope, effects);
}

void ScopeSteps::LetGoOf(const Membership& membership, Effects* effects) {
  table_.scopes_->CountGone(membership.whose.scope, membership.label, effects);
}

void ScopeSteps::Come(ObjectRecord* record, const Admission& to, Effects* effects) {
  ScopeMembers& members = Members();
  const bool frees = (to.frees || members.IsForced(to.scope)) && !to.spared;
  const bool hold =
      to.hold && !frees && !members.IsClosed(to.scope) && !IsMutant(Mutant::kScopeHoldNotPassedOn);
  const bool is_member = MakeMember(record, to.scope, to.label, hold);
  FREEHOLD_CHECK(is_member);  // there are as many places as records
  if (hold) ++record->nested_in;
  members.Count(record->member(), 0, record->copies, static_cast<int64_t>(record->size), effects);
  TellUsers(*record, to.scope, effects);
  if (frees || to.spared) members.Move(record->member(), to.scope, MemberList::kForced);
  if (!frees) return;
  (void)table_.Step(event::FreeExplicitly{{record->id(), record->id().Hash()}}, effects);
}

// Where it is from now on, for the scopes here that use it.
void ScopeSteps::TellUsers(const ObjectRecord& record, ScopeIndex scope, Effects* effects) {
  effects->Rarely().rehomed.push_back(
      {table_.IndexOf(record), {scope, table_.scopes_->CountMove()}});
}

Verdict ScopeSteps::Step(const event::MoveToScope& e, MovedMember* moved) {
  Verdict verdict;
  ObjectRecord* record = table_.InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  if (record->borrowed) return Verdict::kNotOwner;
  ScopeMembers& members = Members();
  ScopeMembers::Member was;  // of a plain object, what it would be
  was.list_number = static_cast<uint32_t>(MemberList::kLoose);
  if (record->is_member()) was = members.At(record->member());
  const ScopeIndex from = record->is_member() ? members.ScopeOf(was) : kRootScope;
  if (e.from != kNoScope && from != e.from) return Verdict::kNotHeld;
  const bool was_held = was.list() == MemberList::kHeld;
  const bool hold = e.hold || was_held;
  if (from == e.to && hold == was_held) return Verdict::kUnchanged;
  if (members.IsClosed(e.to)) return Verdict::kScopeEnded;
  if (e.is_part && HeirSteps::Has(table_, *record)) return Verdict::kWrongState;
  if (hold && !was_held && record->nested_in == UINT32_MAX) return Verdict::kCountFull;

  moved->counts = e.to != kRootScope || was.label != kNoLabel || hold;
  moved->counted = record->is_member();
  if (moved->counts && !moved->counted) {
    if (!MakeMember(record, e.to, was.label, hold)) return Verdict::kTableFull;
  } else if (moved->counts) {
    const MemberList list = hold                                ? MemberList::kHeld
                            : was.list() == MemberList::kForced ? MemberList::kForced
                                                                : MemberList::kLoose;
    members.Move(record->member(), e.to, list);
  } else if (moved->counted) {
    Unmember(record);
  }
  if (hold && !was_held) ++record->nested_in;
  if (IsMutant(Mutant::kKeptWithoutHold) && hold) {
    members.Move(record->member(), e.to, MemberList::kLoose);
    if (record->nested_in > 1 || record->has_handles != 0) --record->nested_in;
  }
  moved->from = from;
  moved->record = table_.IndexOf(*record);
  moved->number = members.CountMove();
  moved->label = was.label;
  moved->copies = record->copies;
  moved->bytes = static_cast<int64_t>(record->size);
  return Verdict::kOk;
}

Verdict ScopeSteps::Step(const event::StopHolding& e, Effects* effects) {
  ObjectRecord* record = table_.FindMutable(e.key);
  if (record == nullptr) return Verdict::kNotFound;
  if (!IsHeldByScope(table_, *record) ||
      table_.scopes_->ScopeOf(table_.scopes_->At(record->member())) != e.scope) {
    return Verdict::kNotHeld;
  }
  LetGo(record->member(), MemberList::kLoose, effects);
  return Verdict::kOk;
}

// REQUIRES: it is held. The member may be gone afterwards.
void ScopeSteps::LetGo(uint32_t member, MemberList to, Effects* effects) {
  ScopeMembers& members = *table_.scopes_;
  const ScopeIndex scope = members.ScopeOf(members.At(member));
  ObjectRecord* record = &table_.slabs_.At(members.At(member).record);
  members.Move(member, scope, to);
  FREEHOLD_CHECK(record->nested_in > 0);
  --record->nested_in;
  table_.EndIfNotHeld(record, effects);
}

bool ScopeSteps::Release(ScopeIndex scope, uint64_t* budget, Effects* effects) {
  ScopeMembers& members = Members();
  members.Close(scope, /*forced=*/false);
  while (true) {
    const uint32_t member = members.First(scope, MemberList::kHeld);
    if (member == kNone || IsMutant(Mutant::kScopeNotReleased)) return false;
    if (*budget == 0) return true;
    --*budget;
    LetGo(member, MemberList::kLoose, effects);
  }
}

bool ScopeSteps::Force(ScopeIndex scope, uint64_t* budget, Effects* effects) {
  ScopeMembers& members = Members();
  members.Close(scope, /*forced=*/true);
  for (const MemberList list : {MemberList::kHeld, MemberList::kLoose}) {
    while (true) {
      const uint32_t member = members.First(scope, list);
      if (member == kNone) break;
      if (*budget == 0) return true;
      --*budget;
      const ObjectId id = table_.slabs_.At(members.At(member).record).id();
      if (list == MemberList::kHeld) {
        LetGo(member, MemberList::kForced, effects);
      } else {
        members.Move(member, scope, MemberList::kForced);
      }
      // Whoever has a reference yet hears that the value was freed.
      (void)table_.Step(event::FreeExplicitly{{id, id.Hash()}}, effects);
    }
  }
  return false;
}

WhoseObject ScopeSteps::WhoseIs(const ObjectTable& table, RecordIndex object) {
  if (table.scopes_ == nullptr) return {kRootScope, 0};
  const ObjectRecord& record = table.At(object);
  const ScopeIndex scope =
      record.is_member() ? table.scopes_->ScopeOf(table.scopes_->At(record.member())) : kRootScope;
  return {scope, table.scopes_->moves()};
}

Membership ScopeSteps::LookAt(const ObjectTable& table, const ObjectRecord& record) {
  const ScopeMembers::Member& member = table.scopes_->At(record.member());
  Membership seen;
  seen.whose = WhoseIs(table, RecordSlabs::IndexOf(record));
  seen.label = member.label;
  seen.list = member.list();
  return seen;
}

void ScopeSteps::CheckMember(const ObjectTable& table, const ObjectRecord& record) {
  FREEHOLD_CHECK(table.scopes_ != nullptr && !record.borrowed && !record.is_ghost);
  const ScopeMembers::Member& member = table.scopes_->At(record.member());
  FREEHOLD_CHECK(&table.slabs_.At(member.record) == &record);
  FREEHOLD_CHECK(member.list() != MemberList::kHeld || record.nested_in > 0);
  FREEHOLD_CHECK((member.list() != MemberList::kHeld) || record.in_scope());
}

}  // namespace freehold::core
