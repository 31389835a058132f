// ScopeTable: how a scope ends, and what waits for what.

#include <utility>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/scope_table.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

ScopeVerdict ScopeTable::Step(const event::EndScope& e, ScopeEffects* effects) {
  ScopeIndex index;
  const ScopeVerdict verdict = Running(e.id, &index);
  if (verdict != ScopeVerdict::kOk) return verdict;
  if (index == kRootScope) return ScopeVerdict::kInvalid;
  if (scopes_[index].owner != kNoPeer) return ScopeVerdict::kNotOwner;
  Begin(index, e.why, effects);
  return ScopeVerdict::kOk;
}

void ScopeTable::Begin(ScopeIndex index, ScopeEnd why, ScopeEffects* effects) {
  SetEnding(index, why);
  if (why == ScopeEnd::kForced) {
    AskRelease(index, /*force=*/true, effects);
  } else if (!scopes_[index].no_cleanup) {
    AskRelease(index, /*force=*/false, effects);
  }
  links_.Tell(index, scopes_[index].id.number(), why, &effects->ready);
  EndChildrenAndMembers(index, effects);
  BreakRing(index, effects);
  if (IsMutant(Mutant::kUseLetGoAtEnd)) DropUses(index, nullptr, effects);
  Settle(index, effects);
}

void ScopeTable::SetEnding(ScopeIndex index, ScopeEnd why) {
  ScopeRecord& scope = scopes_[index];
  scope.state = ScopeState::kEnding;
  scope.end = why;
  if (scope.deadline != kInfiniteFuture) deadlines_.erase({scope.deadline, index});
  if (scope.driver != kNoPeer) drivers_.erase({scope.driver, index});
}

void ScopeTable::EndChildrenAndMembers(ScopeIndex index, ScopeEffects* effects) {
  ScopeRecord& scope = scopes_[index];
  const bool visits = !IsMutant(Mutant::kInnerScopesRun);
  scope.to_visit = visits ? scope.children : 0;
  if (scope.queued || (scope.children == 0 && scope.members.empty())) return;
  Queue(index, effects);
}

void ScopeTable::Queue(ScopeIndex index, ScopeEffects* effects) {
  ending_.push_back(index);
  scopes_[index].queued = true;
  effects->more = true;
}

void ScopeTable::Force(ScopeIndex index, ScopeEffects* effects) {
  if (scopes_[index].forced) return;
  AskRelease(index, /*force=*/true, effects);
  links_.Tell(index, scopes_[index].id.number(), ScopeEnd::kForced, &effects->ready);
  EndChildrenAndMembers(index, effects);
}

void ScopeTable::AskRelease(ScopeIndex index, bool force, ScopeEffects* effects) {
  ScopeRecord& scope = scopes_[index];
  const uint64_t shards = force ? scope.shards : scope.held_shards;
  scope.forced |= force;
  if (shards == 0) return;
  ++scope.releasing;
  effects->release.push_back({index, shards, force});
}

void ScopeTable::Released(ScopeIndex index, ScopeEffects* effects) {
  FREEHOLD_CHECK(scopes_[index].releasing > 0);
  --scopes_[index].releasing;
  Settle(index, effects);
}

ScopeVerdict ScopeTable::Delete(ScopeId id, std::vector<ObjectId>* kept, ScopeEffects* effects) {
  const ScopeIndex index = IndexOf(id);
  if (index == kNoScope) return ScopeVerdict::kNotFound;
  if (index == kRootScope) return ScopeVerdict::kInvalid;
  if (scopes_[index].owner != kNoPeer) return ScopeVerdict::kNotOwner;
  ScopeRecord& scope = scopes_[index];
  kept->assign(scope.kept.begin(), scope.kept.end());
  scope.kept.clear();
  switch (scope.state) {
    case ScopeState::kRunning:
      Begin(index, ScopeEnd::kForced, effects);
      break;
    case ScopeState::kEnding:
      Force(index, effects);
      break;
    case ScopeState::kDone:
      break;
  }
  return ScopeVerdict::kOk;
}

bool ScopeTable::EndMore(uint32_t steps_max, ScopeEffects* effects) {
  while (!ending_.empty()) {
    const ScopeIndex index = ending_.front();
    ScopeRecord& scope = scopes_[index];
    while (!scope.members.empty()) {
      if (steps_max-- == 0) return true;
      ReleaseMember(&scope, effects);
    }
    // Those that are done meanwhile leave the ring: one may be visited twice, none is missed.
    for (; scope.to_visit > 0 && scope.children > 0; --scope.to_visit) {
      if (steps_max-- == 0) return true;
      const ScopeIndex child = scope.first_child;
      scope.first_child = scopes_[child].next;
      if (scopes_[child].state == ScopeState::kRunning) {
        Begin(child, scope.forced ? ScopeEnd::kForced : ScopeEnd::kParentEnded, effects);
      } else if (scope.forced) {
        Force(child, effects);
      }
    }
    while (scope.finishing && !scope.uses.empty()) {
      if (steps_max-- == 0) return true;
      const UsedObject first = scope.uses.begin()->first;
      DropUse(index, first, effects);
    }
    ending_.pop_front();
    scope.queued = false;
    Settle(index, effects);
  }
  return false;
}

void ScopeTable::ReleaseMember(ScopeRecord* scope, ScopeEffects* effects) {
  const auto first = scope->members.begin();
  effects->hooks.push_back({first->second.token, scope->id, scope->end});
  if (first->second.kind == MemberKind::kTask) --scope->tasks;
  scope->members.erase(first);
}

bool ScopeTable::Tick(Time now, uint32_t scopes_max, ScopeEffects* effects) {
  now_ = now;
  while (NextDeadline() <= now) {
    if (scopes_max-- == 0) return true;
    const ScopeIndex index = deadlines_.begin()->second;
    effects->overdue.emplace_back(scopes_[index].id, scopes_[index].name);
    Begin(index, ScopeEnd::kDeadline, effects);
  }
  return false;
}

bool ScopeTable::CloseDriver(PeerIndex driver, uint32_t scopes_max, ScopeEffects* effects) {
  while (true) {
    const auto at = drivers_.lower_bound({driver, 0});
    if (at == drivers_.end() || at->first != driver) return false;
    if (scopes_max-- == 0) return true;
    Begin(at->second, ScopeEnd::kDriverDied, effects);
  }
}

bool ScopeTable::Abandon(uint32_t steps_max, ScopeEffects* effects) {
  abandoned_ = true;
  while (scopes_[kRootScope].first_child != kNoScope) {
    ScopeIndex index = scopes_[kRootScope].first_child;
    while (scopes_[index].first_child != kNoScope) index = scopes_[index].first_child;
    ScopeRecord& scope = scopes_[index];
    if (scope.state == ScopeState::kRunning) SetEnding(index, ScopeEnd::kExcluded);
    for (; !scope.members.empty(); ReleaseMember(&scope, effects)) {
      if (steps_max-- == 0) return true;
    }
    if (steps_max-- == 0) return true;
    scope.abandoned = true;
    TellEnded(index, effects);
    for (ScopeIndex at = scope.parent; at != kNoScope; at = scopes_[at].parent) {
      scopes_[at].bytes_all -= scope.bytes_all;
    }
    Unlink(index);
  }
  return false;
}

// --- Done ----------------------------------------------------------------------------------------

// A scope may be done, and thereby those around it.
void ScopeTable::Settle(ScopeIndex index, ScopeEffects* effects) {
  while (true) {
    const ScopeRecord& scope = scopes_[index];
    if (scope.state != ScopeState::kEnding || scope.releasing > 0 || scope.queued) return;
    if (scope.objects != 0 || scope.copies != 0 || scope.bytes != 0) return;
    if (scope.arriving > 0 || scope.children > 0 || !scope.members.empty()) return;
    if (scope.uses.size() > kUsesAtOnce) {
      scopes_[index].finishing = true;
      Queue(index, effects);
      return;
    }
    if (scope.remote > 0 && !IsMutant(Mutant::kScopeMembersNotAwaited)) {
      // Nobody here needs any more what it uses, and a part of it elsewhere may be waiting for
      // that: rings are seen within one process only.
      if (!IsMutant(Mutant::kUsesKeptForParts)) DropUses(index, nullptr, effects);
      return;
    }
    const ScopeIndex parent = scope.parent;
    Finish(index, effects);
    index = parent;
  }
}

void ScopeTable::TellEnded(ScopeIndex index, ScopeEffects* effects) {
  ScopeRecord& scope = scopes_[index];
  scope.state = ScopeState::kDone;
  scope.done = now_;
  effects->done = true;
  for (const Token token : std::exchange(scope.waiting, {})) {
    effects->ended.push_back({token, scope.id, scope.end});
  }
  if (scope.on_bytes != 0) effects->dropped.push_back(std::exchange(scope.on_bytes, 0));
}

void ScopeTable::Finish(ScopeIndex index, ScopeEffects* effects) {
  TellEnded(index, effects);
  DropUses(index, nullptr, effects);
  Unlink(index);
  const ScopeRecord& scope = scopes_[index];
  if (scope.owner != kNoPeer && links_.PartDone(scope.owner, scope.owner_scope.number())) {
    effects->ready.push_back(scope.owner);
  }
  if (scope.shards != 0) {
    effects->forget.push_back({index, scope.shards});
  } else {
    Forgotten(index, 0);
  }
}

void ScopeTable::Forgotten(ScopeIndex index, uint64_t told) {
  scopes_[index].forgotten = true;
  scopes_[index].told = told;
  EraseIfUnnamed(index);
}

std::vector<Token> ScopeTable::TakeAllTokens() {
  std::vector<Token> tokens;
  for (ScopeRecord& scope : scopes_) {
    for (const Token token : std::exchange(scope.waiting, {})) tokens.push_back(token);
    for (auto& [number, member] : scope.members) {
      tokens.push_back(std::exchange(member.token, 0));
    }
    scope.members.clear();
    scope.tasks = 0;
    if (scope.on_bytes != 0) tokens.push_back(std::exchange(scope.on_bytes, 0));
  }
  return tokens;
}

// --- Scopes that use objects of others -----------------------------------------------------------

ScopeVerdict ScopeTable::Use(ScopeId by, const InnerRef& object) {
  ScopeIndex index;
  const ScopeVerdict verdict = Running(by, &index);
  if (verdict != ScopeVerdict::kOk) return verdict;
  if (index == kRootScope) return ScopeVerdict::kInvalid;
  const UsedObject used{object.shard, object.record};
  if (!scopes_[index].uses.try_emplace(used).second) return ScopeVerdict::kNotMember;
  users_.insert({used, index});
  return ScopeVerdict::kOk;
}

void ScopeTable::UsedOf(ScopeId by, const InnerRef& object, WhoseObject whose,
                        ScopeEffects* effects) {
  const ScopeIndex index = IndexOf(by);
  if (index == kNoScope) return;  // done meanwhile
  const UsedObject used{object.shard, object.record};
  const auto at = scopes_[index].uses.find(used);
  if (at == scopes_[index].uses.end() || at->second.known) return;
  // Of the moves that were told already, those since the look are this object's, and every one of
  // them was told while it was used: the last of them stands, and its scope counts the object yet.
  ScopeUse& use = at->second;
  if (use.whose.move <= whose.move) use.whose = whose;
  use.known = true;
  ++scopes_[use.whose.scope].used_by[index];
  const ScopeIndex of = use.whose.scope;
  if (scopes_[of].state == ScopeState::kEnding) BreakRing(of, effects);
}

void ScopeTable::SetUsers(const UsedObject& object, WhoseObject whose) {
  for (auto at = users_.lower_bound({object, 0}); at != users_.end() && at->first == object; ++at) {
    SetUsed(at->second, object, whose);
  }
}

void ScopeTable::Rehomed(const UsedObject& object, WhoseObject whose, ScopeEffects* effects) {
  SetUsers(object, whose);
  if (scopes_[whose.scope].state == ScopeState::kEnding) BreakRing(whose.scope, effects);
}

void ScopeTable::SetUsed(ScopeIndex by, const UsedObject& object, WhoseObject whose) {
  ScopeUse& use = scopes_[by].uses.find(object)->second;
  if (whose.move <= use.whose.move) return;
  ForgetUser(by, use);
  use.whose = whose;
  // Before the look it may be an earlier object of the same record that has come.
  if (use.known) ++scopes_[whose.scope].used_by[by];
}

void ScopeTable::ForgetUser(ScopeIndex by, const ScopeUse& use) {
  if (!use.known) return;
  auto& used_by = scopes_[use.whose.scope].used_by;
  const auto user = used_by.find(by);
  FREEHOLD_CHECK(user != used_by.end());
  if (--user->second == 0) used_by.erase(user);
}

void ScopeTable::DropUse(ScopeIndex by, const UsedObject& object, ScopeEffects* effects) {
  const auto at = scopes_[by].uses.find(object);
  ForgetUser(by, at->second);
  scopes_[by].uses.erase(at);
  users_.erase({object, by});
  InnerRef inner;
  inner.shard = object.first;
  inner.record = object.second;
  effects->inners.push_back(inner);
}

void ScopeTable::DropUses(ScopeIndex index, const IndexSet* of, ScopeEffects* effects) {
  std::vector<UsedObject> objects;
  for (const auto& [object, use] : scopes_[index].uses) {
    if (of == nullptr || (use.known && of->contains(use.whose.scope))) objects.push_back(object);
  }
  for (const UsedObject& object : objects) DropUse(index, object, effects);
}

ScopeTable::IndexSet ScopeTable::Awaited(ScopeIndex from, bool waits) const {
  IndexSet seen;
  std::vector<ScopeIndex> open = {from};
  const auto look_at = [&](ScopeIndex next) {
    if (scopes_[next].state == ScopeState::kEnding && seen.insert(next).second) {
      open.push_back(next);
    }
  };
  while (!open.empty()) {
    const ScopeRecord& scope = scopes_[open.back()];
    open.pop_back();
    if (waits) {
      for (const auto& [by, count] : scope.used_by) look_at(by);
      for (ScopeIndex at = scope.first_child; at != kNoScope;) {
        look_at(at);
        at = scopes_[at].next == scope.first_child ? kNoScope : scopes_[at].next;
      }
    } else {
      for (const auto& [object, use] : scope.uses) {
        if (use.known) look_at(use.whose.scope);
      }
      look_at(scope.parent);
    }
  }
  return seen;
}

// A scope has ended. If it closes a ring of scopes that wait for each other, none of them needs
// what it uses of the others any more.
void ScopeTable::BreakRing(ScopeIndex index, ScopeEffects* effects) {
  if (IsMutant(Mutant::kRingKept)) return;
  const ScopeRecord& scope = scopes_[index];
  if (scope.used_by.empty() && scope.uses.empty() && (users_.empty() || scope.children == 0)) {
    return;
  }
  const IndexSet awaited = Awaited(index, /*waits=*/true);
  if (!awaited.contains(index)) return;
  IndexSet ring;
  for (const ScopeIndex waiting : Awaited(index, /*waits=*/false)) {
    if (awaited.contains(waiting)) ring.insert(waiting);
  }
  for (const ScopeIndex one : ring) DropUses(one, &ring, effects);
}

}  // namespace freehold::core
