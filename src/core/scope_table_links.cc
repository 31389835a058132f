// ScopeTable: scopes that other processes have joined, and parts of theirs. PROTOCOL.md, step 14.

#include <utility>

#include "src/base/mutant.h"
#include "src/core/scope_table.h"

namespace freehold::core {

namespace {

ScopeEnd ToldEnd(const ScopeRecord& scope) { return scope.forced ? ScopeEnd::kForced : scope.end; }

}  // namespace

ScopeVerdict ScopeTable::Export(ScopeId id, ScopeExport* exported) const {
  ScopeIndex index;
  const ScopeVerdict verdict = Running(id, &index);
  if (verdict != ScopeVerdict::kOk) return verdict;
  if (index == kRootScope) return ScopeVerdict::kInvalid;
  *exported = ExportOf(index);
  return ScopeVerdict::kOk;
}

ScopeExport ScopeTable::ExportOf(ScopeIndex index) const {
  const ScopeRecord& scope = scopes_[index];
  return {scope.owner, scope.owner == kNoPeer ? scope.id : scope.owner_scope, scope.hold,
          scope.no_cleanup};
}

ScopeVerdict ScopeTable::Step(const event::JoinScope& e, ScopeId* id, ScopeEffects* effects) {
  const ScopeIndex known = links_.PartOf(e.owner, e.scope.number());
  if (known != kNoScope) {
    ++scopes_[known].handles;
    *id = scopes_[known].id;
    return ScopeVerdict::kOk;
  }
  event::OpenScope open;
  open.hold = e.hold;
  open.no_cleanup = e.no_cleanup;
  open.now = e.now;
  open.handle = true;
  const ScopeVerdict verdict = Step(open, id, effects);
  if (verdict != ScopeVerdict::kOk) return verdict;
  const ScopeIndex part = IndexOf(*id);
  scopes_[part].owner = e.owner;
  scopes_[part].owner_scope = e.scope;
  links_.AddPart(part, e.owner, e.scope.number());
  effects->ready.push_back(e.owner);
  return ScopeVerdict::kOk;
}

ScopeVerdict ScopeTable::Step(const event::BringIntoScope& e, Admission* admission,
                              ScopeEffects* effects) {
  ScopeIndex index = IndexOf(e.scope);
  if (e.owner != kNoPeer) {
    ScopeId part;
    const event::JoinScope join{e.owner, e.scope, e.hold, e.no_cleanup, e.now};
    if (const ScopeVerdict joined = Step(join, &part, effects); joined != ScopeVerdict::kOk) {
      return joined;
    }
    index = IndexOf(part);
    --scopes_[index].handles;  // it is the object that keeps it
  } else if (index == kNoScope || scopes_[index].owner != kNoPeer ||
             scopes_[index].state == ScopeState::kDone) {
    return ScopeVerdict::kNotFound;  // a part's id is nobody's business but this process's
  }
  ScopeRecord& scope = scopes_[index];
  const bool lets_go = scope.state == ScopeState::kEnding && !scope.no_cleanup;
  admission->scope = index;
  admission->label = e.label;
  admission->frees = scope.forced;
  admission->spared = e.forced;
  admission->hold = e.held && !lets_go && !scope.forced;
  admission->counted = true;
  const uint64_t bit = uint64_t{1} << e.shard;
  scope.shards |= bit;
  if (admission->hold) scope.held_shards |= bit;
  Step(ScopeChange{index, e.label, 1, 0, 0}, effects);
  return ScopeVerdict::kOk;
}

ScopeVerdict ScopeTable::Step(PeerIndex from, const ScopeItem& item, ScopeEffects* effects) {
  switch (item.kind) {
    case ScopeItemKind::kJoin:
      return TakeJoin(from, item, effects);
    case ScopeItemKind::kEnd:
      return TakeEnd(from, item, effects);
    case ScopeItemKind::kEnded: {
      const ScopeIndex index = IndexOf(ScopeId(item.scope));
      if (index == kNoScope || !links_.Unlist(index, from, item.number)) {
        return ScopeVerdict::kNotMember;
      }
      --scopes_[index].remote;
      Settle(index, effects);
      return ScopeVerdict::kOk;
    }
  }
  return ScopeVerdict::kInvalid;
}

ScopeVerdict ScopeTable::TakeJoin(PeerIndex from, const ScopeItem& item, ScopeEffects* effects) {
  const ScopeIndex index = IndexOf(ScopeId(item.scope));
  // A part's id is nobody's business but this process's.
  const bool known = index != kNoScope && index != kRootScope && scopes_[index].owner == kNoPeer;
  if (!known || scopes_[index].state == ScopeState::kDone) {
    links_.Refuse(from, item, known ? ToldEnd(scopes_[index]) : ScopeEnd::kEnded);
    effects->ready.push_back(from);
    return ScopeVerdict::kOk;
  }
  if (!links_.List(index, from, item)) return ScopeVerdict::kNotMember;
  ScopeRecord& scope = scopes_[index];
  ++scope.remote;
  if (scope.state == ScopeState::kEnding &&
      !internal::IsMutant(internal::Mutant::kLateJoinForgotten)) {
    links_.TellOne(index, item.scope, from, ToldEnd(scope));
    effects->ready.push_back(from);
  }
  return ScopeVerdict::kOk;
}

ScopeVerdict ScopeTable::TakeEnd(PeerIndex from, const ScopeItem& item, ScopeEffects* effects) {
  const ScopeIndex part = links_.PartToEnd(from, item);
  const bool forced = item.end == ScopeEnd::kForced;
  // A scope that is forced after its end is told once more; the part may have been done by then.
  if (part == kNoScope) return forced ? ScopeVerdict::kNotFound : ScopeVerdict::kNotMember;
  if (item.unlisted) {
    EndOrphan(part, item.end, effects);
    return ScopeVerdict::kOk;
  }
  switch (scopes_[part].state) {
    case ScopeState::kRunning:
      Begin(part, item.end, effects);
      break;
    case ScopeState::kEnding:
      if (forced) Force(part, effects);
      break;
    case ScopeState::kDone:
      break;
  }
  return ScopeVerdict::kOk;
}

// Nobody will ask for its clean-up later.
void ScopeTable::EndOrphan(ScopeIndex part, ScopeEnd why, ScopeEffects* effects) {
  if (scopes_[part].state == ScopeState::kDone) return;
  const bool was_left = std::exchange(scopes_[part].no_cleanup, false);
  if (scopes_[part].state == ScopeState::kRunning) {
    Begin(part, why, effects);
  } else if (was_left && !scopes_[part].forced) {
    AskRelease(part, /*force=*/false, effects);
  }
}

bool ScopeTable::ClosePeer(PeerIndex peer, uint32_t scopes_max, ScopeEffects* effects) {
  links_.Drop(peer);
  for (; scopes_max > 0; --scopes_max) {
    // Parts first: one that is done by what follows has nobody to tell.
    const ScopeIndex part = links_.ForgetPartOf(peer);
    if (part != kNoScope) {
      EndOrphan(part, ScopeEnd::kOwnerDied, effects);
      continue;
    }
    const ScopeIndex joined = links_.UnlistNext(peer);
    if (joined == kNoScope) {
      links_.Drop(peer);  // what the end of a part said to it
      return CloseDriver(peer, scopes_max, effects);
    }
    --scopes_[joined].remote;
    Settle(joined, effects);
  }
  return true;
}

void ScopeTable::LoseOwner(ScopeId id, ScopeEffects* effects) {
  const ScopeIndex part = IndexOf(id);
  if (part == kNoScope) return;
  const PeerIndex owner = scopes_[part].owner;
  const uint64_t scope = scopes_[part].owner_scope.number();
  links_.Drop(owner);
  // It may be done, and another part have taken its place, which the owner's barrier ends.
  if (links_.PartOf(owner, scope) != part) return;
  links_.ForgetPart(owner, scope);
  EndOrphan(part, ScopeEnd::kOwnerDied, effects);
}

}  // namespace freehold::core
