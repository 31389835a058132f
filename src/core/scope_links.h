// ScopeLinks: which processes are in which scopes, and what waits to be told between them.
//
// A scope has one owner, the process that opened it. Another one that joins it, a *member*, has a
// *part* of it: a scope of its own table, in which what is declared there is. PROTOCOL.md, step 14.
// This room knows who is listed and which parts are here; what follows, the ScopeTable decides.
//
//   a member, at the owner:  listed ── the scope ends: ScopeEnd ──► told ── ScopeEnded ──► unlisted
//   a part, at the member:   ScopeJoin, joined ── ScopeEnd ──► ending ── done: ScopeEnded ──► none
//
// An exclusion's barrier takes the other process out of all this, from whatever state. Who joins
// too late is not listed, told at once, and answers nothing. Each join has a number that its member
// gives and that the answers echo, so that none is taken for that of an earlier join.
//
// Thread safety: thread-compatible; under the lock of its ScopeTable.
// Costs: O(log) per step, Tell O(members of the scope). Nothing is kept of who is not listed.

#ifndef FREEHOLD_SRC_CORE_SCOPE_LINKS_H_
#define FREEHOLD_SRC_CORE_SCOPE_LINKS_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "src/core/item.h"
#include "src/core/peer_queue.h"
#include "src/core/scope_change.h"

namespace freehold::core {

class PayloadWriter;

class ScopeLinks {
 public:
  // --- At the owner --------------------------------------------------------------------------

  // False: it is listed already. REQUIRES: `join` is a kJoin for that scope.
  bool List(ScopeIndex scope, PeerIndex member, const ScopeItem& join);
  // Who asked to join hears that it has ended, and is not listed.
  void Refuse(PeerIndex member, const ScopeItem& join, ScopeEnd end);
  // Tells every member, or with a `member` this one; also those that were told before. Who has
  // something to take is added to `ready`.
  void Tell(ScopeIndex scope, uint64_t id, ScopeEnd end, std::vector<PeerIndex>* ready);
  void TellOne(ScopeIndex scope, uint64_t id, PeerIndex member, ScopeEnd end);
  // False: it is not listed under that number, or nobody has told it to end.
  bool Unlist(ScopeIndex scope, PeerIndex member, uint64_t number);
  // Up to `max` members of a scope, in order of index.
  std::vector<PeerIndex> MembersOf(ScopeIndex scope, size_t max) const;
  // Calls `visit(scope, member, told)` for those of all scopes, in order of both, until it answers
  // false. `told`: to end.
  template <typename Visit>
  void ForEachMember(Visit visit) const {
    for (const auto& [link, member] : members_) {
      if (!visit(link.first, link.second, member.told)) return;
    }
  }

  // --- At a member ---------------------------------------------------------------------------

  // kNoScope: there is none.
  ScopeIndex PartOf(PeerIndex owner, uint64_t scope) const;
  void AddPart(ScopeIndex part, PeerIndex owner, uint64_t scope);
  // Its owner waits for the part that is here, if one is.
  bool IsAwaited(PeerIndex owner, uint64_t scope) const;
  // `owner` says kEnd. kNoScope: of no part that is here under that number.
  ScopeIndex PartToEnd(PeerIndex owner, const ScopeItem& end);
  // It is done; its owner hears so, if it waits for that. True: there is something to take.
  bool PartDone(PeerIndex owner, uint64_t scope);

  // --- Exclusion, the wire -------------------------------------------------------------------

  // After the barrier of a peer, one after the other: a scope in which it is not listed any more; a
  // part of a scope of its, which has nobody to answer any more. kNoScope: none is left.
  ScopeIndex UnlistNext(PeerIndex peer);
  ScopeIndex ForgetPartOf(PeerIndex peer);
  // One part has nobody to answer any more.
  void ForgetPart(PeerIndex owner, uint64_t scope) { parts_.erase({owner, scope}); }
  // What waits for it goes nowhere.
  void Drop(PeerIndex peer);
  // Moves what waits into the writer. True: more does.
  bool Pull(PeerIndex peer, PayloadWriter* writer);

  uint64_t waiting() const { return outbox_.size(); }
  uint64_t waiting(PeerIndex peer) const { return outbox_.size(peer); }
  size_t listed() const { return members_.size(); }
  size_t parts() const { return parts_.size(); }
  void CheckInvariants() const;

 private:
  struct Member {
    uint64_t number = 0;
    bool told = false;
  };
  struct Part {
    ScopeIndex scope = kNoScope;
    uint64_t number = 0;
    bool answers = true;  // its owner waits for it, once it has told it
  };
  void Send(PeerIndex peer, const ScopeItem& item);

  absl::btree_map<std::pair<ScopeIndex, PeerIndex>, Member> members_;
  absl::btree_set<std::pair<PeerIndex, ScopeIndex>> by_peer_;
  absl::btree_map<std::pair<PeerIndex, uint64_t>, Part> parts_;  // by owner and id there
  uint64_t last_join_ = 0;
  PeerQueue<ScopeItem> outbox_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_SCOPE_LINKS_H_
