// ScopeMembers: which objects of one table belong to which scope.
//
// A member is 24 bytes beside its record, in one of the lists of its scope's part here, each in
// order of entry.
// A record that is in no scope has none: in its place stands the call site. Objects that are in
// none but the root have one only if they carry a label or are held there.
//
// Thread safety: thread-compatible, under the shard's lock.
// Costs: everything O(1). Memory: kept at its peak.

#ifndef FREEHOLD_SRC_CORE_SCOPE_MEMBERS_H_
#define FREEHOLD_SRC_CORE_SCOPE_MEMBERS_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "src/core/effect.h"
#include "src/core/object_record.h"
#include "src/core/pool.h"
#include "src/core/scope_change.h"

namespace freehold::core {

class ScopeMembers {
 public:
  struct Member {
    RecordIndex record = kNoRecord;
    uint32_t part = kNone;  // of its scope
    uint32_t call_site = kNone;
    uint32_t label : 30;
    uint32_t list_number : 2;
    uint32_t next = kNone;  // the ring of its list
    uint32_t previous = kNone;

    Member() : label(kNoLabel), list_number(0) {}
    MemberList list() const { return static_cast<MemberList>(list_number); }
  };
  static_assert(sizeof(Member) == 24, "see the memory figures in bench/");

  // kNone when there is no room. REQUIRES: the scope is not closed, or does not hold it.
  uint32_t Add(RecordIndex record, ScopeIndex scope, LabelIndex label, uint32_t call_site,
               bool held);
  void Remove(uint32_t member);
  // Puts it at the end of that list of that scope.
  void Move(uint32_t member, ScopeIndex scope, MemberList list);
  const Member& At(uint32_t member) const { return pool_.At(member); }
  ScopeIndex ScopeOf(const Member& member) const { return parts_.At(member.part).scope; }

  // The oldest of the list, or kNone.
  uint32_t First(ScopeIndex scope, MemberList list) const;
  // Calls `visit(member)` for those of the list, oldest first, until it answers false.
  template <typename Visit>
  void ForEach(ScopeIndex scope, MemberList list, Visit visit) const {
    const uint32_t first = First(scope, list);
    for (uint32_t at = first; at != kNone;) {
      const Member& member = pool_.At(at);
      if (!visit(member) || member.next == first) return;
      at = member.next;
    }
  }

  // A closed scope takes no members but those that come with their ownership, which it does not
  // hold; a forced one has the values of all freed.
  void Close(ScopeIndex scope, bool forced) {
    Part& part = parts_.At(Ensure(scope));
    part.closed = true;
    part.forced |= forced;
  }
  bool IsClosed(ScopeIndex scope) const {
    const auto at = by_scope_.find(scope);
    return at != by_scope_.end() && parts_.At(at->second).closed;
  }
  bool IsForced(ScopeIndex scope) const {
    const auto at = by_scope_.find(scope);
    return at != by_scope_.end() && parts_.At(at->second).forced;
  }
  // REQUIRES: it has no members. Answers how many changes were ever told of it: once the ScopeTable
  // has heard of as many, the index may name another scope.
  uint64_t Forget(ScopeIndex scope);

  // Objects, copies or bytes of the member came or went.
  void Count(uint32_t member, int32_t objects, int32_t copies, int64_t bytes, Effects* effects) {
    const Member& of = pool_.At(member);
    Part& part = parts_.At(of.part);
    ++part.told;
    effects->AddScopeChange({part.scope, of.label, objects, copies, bytes, 1});
  }
  // One object less, of those that were given away and are no members any more.
  void CountGone(ScopeIndex scope, LabelIndex label, Effects* effects) {
    ++parts_.At(Ensure(scope)).told;
    effects->AddScopeChange({scope, label, -1, 0, 0, 1});
  }

  // Moves between scopes are numbered in their order, so that whoever hears of them in another one
  // knows which was the last.
  uint64_t CountMove() { return ++moves_; }
  uint64_t moves() const { return moves_; }

  uint32_t size() const { return pool_.in_use(); }
  size_t scopes() const { return by_scope_.size(); }
  size_t bytes() const {
    return pool_.bytes() + parts_.bytes() + by_scope_.capacity() * (2 * sizeof(uint32_t) + 1);
  }
  void CheckInvariants() const;

 private:
  struct Part {
    ScopeIndex scope = kNoScope;
    uint32_t first[kMemberLists] = {kNone, kNone, kNone};
    bool closed = false;
    bool forced = false;
    uint64_t told = 0;
    uint32_t next = kNone;  // the pool's
  };

  uint32_t Ensure(ScopeIndex scope);
  void Link(uint32_t member, ScopeIndex scope, MemberList list);
  void Unlink(uint32_t member);

  Pool<Member> pool_;
  Pool<Part> parts_;
  uint64_t moves_ = 0;
  absl::flat_hash_map<ScopeIndex, uint32_t> by_scope_;  // never iterated, but to check
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_SCOPE_MEMBERS_H_
