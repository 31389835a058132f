#include "src/core/scope_members.h"

#include "src/base/check.h"

namespace freehold::core {

uint32_t ScopeMembers::Add(RecordIndex record, ScopeIndex scope, LabelIndex label,
                           uint32_t call_site, bool held) {
  const uint32_t index = pool_.Allocate();
  if (index == kNone) return kNone;
  Member& member = pool_.At(index);
  member.record = record;
  member.label = label & ((1u << 30) - 1);
  member.call_site = call_site;
  Link(index, scope, held ? MemberList::kHeld : MemberList::kLoose);
  return index;
}

void ScopeMembers::Remove(uint32_t member) {
  Unlink(member);
  pool_.Release(member);
}

void ScopeMembers::Move(uint32_t member, ScopeIndex scope, MemberList list) {
  Unlink(member);
  Link(member, scope, list);
}

uint32_t ScopeMembers::First(ScopeIndex scope, MemberList list) const {
  const auto at = by_scope_.find(scope);
  return at == by_scope_.end() ? kNone : parts_.At(at->second).first[static_cast<int>(list)];
}

uint32_t ScopeMembers::Ensure(ScopeIndex scope) {
  const auto [at, is_new] = by_scope_.try_emplace(scope, kNone);
  if (is_new) {
    at->second = parts_.Allocate();
    FREEHOLD_CHECK(at->second != kNone);  // as many scopes as there can be objects
    parts_.At(at->second) = Part();
    parts_.At(at->second).scope = scope;
  }
  return at->second;
}

uint64_t ScopeMembers::Forget(ScopeIndex scope) {
  const auto at = by_scope_.find(scope);
  if (at == by_scope_.end()) return 0;
  const Part& part = parts_.At(at->second);
  for (const uint32_t first : part.first) FREEHOLD_CHECK(first == kNone);
  const uint64_t told = part.told;
  parts_.Release(at->second);
  by_scope_.erase(at);
  return told;
}

void ScopeMembers::Link(uint32_t member, ScopeIndex scope, MemberList list) {
  Member& entry = pool_.At(member);
  entry.part = Ensure(scope);
  entry.list_number = static_cast<uint32_t>(list) & 3u;
  uint32_t& first = parts_.At(entry.part).first[static_cast<int>(list)];
  if (first == kNone) {
    entry.next = entry.previous = member;
    first = member;
    return;
  }
  Member& oldest = pool_.At(first);
  entry.next = first;
  entry.previous = oldest.previous;
  pool_.At(oldest.previous).next = member;
  oldest.previous = member;
}

void ScopeMembers::Unlink(uint32_t member) {
  const Member& entry = pool_.At(member);
  uint32_t& first = parts_.At(entry.part).first[entry.list_number];
  if (entry.next == member) {
    first = kNone;
    return;
  }
  if (first == member) first = entry.next;
  pool_.At(entry.previous).next = entry.next;
  pool_.At(entry.next).previous = entry.previous;
}

void ScopeMembers::CheckInvariants() const {
  uint64_t listed = 0;
  for (const auto& [scope, part] : by_scope_) {
    FREEHOLD_CHECK(parts_.At(part).scope == scope);
    for (int list = 0; list < kMemberLists; ++list) {
      const uint32_t first = parts_.At(part).first[list];
      uint32_t previous = first == kNone ? kNone : At(first).previous;
      ForEach(scope, static_cast<MemberList>(list), [&, of = part](const Member& member) {
        FREEHOLD_CHECK(member.part == of && member.list_number == static_cast<uint32_t>(list));
        FREEHOLD_CHECK(member.previous == previous);
        previous = At(member.previous).next;
        ++listed;
        return true;
      });
    }
  }
  FREEHOLD_CHECK(listed == size() && by_scope_.size() == parts_.in_use());
}

}  // namespace freehold::core
