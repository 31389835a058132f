#include "src/core/scope_links.h"

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/codec.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

void ScopeLinks::Send(PeerIndex peer, const ScopeItem& item) {
  FREEHOLD_CHECK(outbox_.Add(peer, item));  // two at most for each member and part
}

// --- At the owner --------------------------------------------------------------------------------

bool ScopeLinks::List(ScopeIndex scope, PeerIndex member, const ScopeItem& join) {
  if (!members_.try_emplace({scope, member}, Member{join.number, false}).second) return false;
  by_peer_.insert({member, scope});
  return true;
}

void ScopeLinks::Refuse(PeerIndex member, const ScopeItem& join, ScopeEnd end) {
  if (IsMutant(Mutant::kLateJoinForgotten)) return;
  Send(member, {join.scope, join.number, ScopeItemKind::kEnd, end, /*unlisted=*/true});
}

void ScopeLinks::Tell(ScopeIndex scope, uint64_t id, ScopeEnd end, std::vector<PeerIndex>* ready) {
  for (auto at = members_.lower_bound({scope, 0}); at != members_.end() && at->first.first == scope;
       ++at) {
    const PeerIndex member = at->first.second;
    if (IsMutant(Mutant::kScopeEndNotTold) && member % 2 == 1) continue;
    TellOne(scope, id, member, end);
    ready->push_back(member);
  }
}

void ScopeLinks::TellOne(ScopeIndex scope, uint64_t id, PeerIndex member, ScopeEnd end) {
  if (IsMutant(Mutant::kForceNotTold) && end == ScopeEnd::kForced) end = ScopeEnd::kEnded;
  Member& entry = members_.find({scope, member})->second;
  entry.told = true;
  Send(member, {id, entry.number, ScopeItemKind::kEnd, end});
}

bool ScopeLinks::Unlist(ScopeIndex scope, PeerIndex member, uint64_t number) {
  const auto at = members_.find({scope, member});
  if (at == members_.end() || at->second.number != number || !at->second.told) return false;
  members_.erase(at);
  by_peer_.erase({member, scope});
  return true;
}

std::vector<PeerIndex> ScopeLinks::MembersOf(ScopeIndex scope, size_t max) const {
  std::vector<PeerIndex> answer;
  for (auto at = members_.lower_bound({scope, 0});
       at != members_.end() && at->first.first == scope && answer.size() < max; ++at) {
    answer.push_back(at->first.second);
  }
  return answer;
}

// --- At a member ---------------------------------------------------------------------------------

ScopeIndex ScopeLinks::PartOf(PeerIndex owner, uint64_t scope) const {
  const auto at = parts_.find({owner, scope});
  return at == parts_.end() ? kNoScope : at->second.scope;
}

void ScopeLinks::AddPart(ScopeIndex part, PeerIndex owner, uint64_t scope) {
  const auto [at, is_new] = parts_.try_emplace({owner, scope}, Part{part, ++last_join_});
  FREEHOLD_CHECK(is_new);
  Send(owner, {scope, at->second.number, ScopeItemKind::kJoin});
}

bool ScopeLinks::IsAwaited(PeerIndex owner, uint64_t scope) const {
  const auto at = parts_.find({owner, scope});
  return at != parts_.end() && at->second.answers;
}

ScopeIndex ScopeLinks::PartToEnd(PeerIndex owner, const ScopeItem& end) {
  const auto at = parts_.find({owner, end.scope});
  if (at == parts_.end() || at->second.number != end.number) return kNoScope;
  if (end.unlisted) at->second.answers = false;
  return at->second.scope;
}

bool ScopeLinks::PartDone(PeerIndex owner, uint64_t scope) {
  const auto at = parts_.find({owner, scope});
  if (at == parts_.end()) return false;  // its owner is excluded
  const Part part = at->second;
  parts_.erase(at);
  if (!part.answers || IsMutant(Mutant::kScopeEndedNotAnswered)) return false;
  Send(owner, {scope, part.number, ScopeItemKind::kEnded});
  return true;
}

// --- Exclusion, the wire -------------------------------------------------------------------------

ScopeIndex ScopeLinks::UnlistNext(PeerIndex peer) {
  if (IsMutant(Mutant::kDeadMemberAwaited)) return kNoScope;
  const auto at = by_peer_.lower_bound({peer, 0});
  if (at == by_peer_.end() || at->first != peer) return kNoScope;
  const ScopeIndex scope = at->second;
  members_.erase({scope, peer});
  by_peer_.erase(at);
  return scope;
}

ScopeIndex ScopeLinks::ForgetPartOf(PeerIndex peer) {
  const auto at = parts_.lower_bound({peer, 0});
  if (at == parts_.end() || at->first.first != peer) return kNoScope;
  const ScopeIndex scope = at->second.scope;
  parts_.erase(at);
  return scope;
}

void ScopeLinks::Drop(PeerIndex peer) {
  outbox_.TakeWhile(peer, [](const ScopeItem&) { return true; });
}

bool ScopeLinks::Pull(PeerIndex peer, PayloadWriter* writer) {
  outbox_.TakeWhile(peer, [writer](const ScopeItem& item) { return writer->Add(item); });
  return !outbox_.empty(peer);
}

void ScopeLinks::CheckInvariants() const {
  FREEHOLD_CHECK(members_.size() == by_peer_.size());
  for (const auto& [link, member] : members_) {
    FREEHOLD_CHECK(by_peer_.contains({link.second, link.first}));
    FREEHOLD_CHECK(member.number != 0);
  }
  for (const auto& [of, part] : parts_) FREEHOLD_CHECK(part.number <= last_join_);
}

}  // namespace freehold::core
