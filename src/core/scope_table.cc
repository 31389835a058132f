// ScopeTable: opening, objects, the host's members, queries. The end is in scope_table_end.cc.

#include "src/core/scope_table.h"

#include <algorithm>
#include <iterator>

#include "src/base/check.h"
#include "src/base/mutant.h"

namespace freehold::core {

ScopeTable::ScopeTable(Time now) : now_(now) {
  ScopeRecord& root = scopes_.emplace_back();
  root.id = ScopeId::Root();
  root.name = "root";
  root.created = now;
  root.handles = 1;
  by_id_[root.id.number()] = kRootScope;
}

// --- Opening, handles ----------------------------------------------------------------------------

ScopeIndex ScopeTable::IndexOf(ScopeId id) const {
  const auto at = by_id_.find(id.number());
  return at == by_id_.end() ? kNoScope : at->second;
}

const ScopeRecord* ScopeTable::Find(ScopeId id) const {
  const ScopeIndex index = IndexOf(id);
  return index == kNoScope ? nullptr : &scopes_[index];
}

ScopeVerdict ScopeTable::Running(ScopeId id, ScopeIndex* index) const {
  *index = IndexOf(id);
  if (*index == kNoScope) return ScopeVerdict::kNotFound;
  return scopes_[*index].state == ScopeState::kRunning ? ScopeVerdict::kOk : ScopeVerdict::kEnded;
}

ScopeIndex ScopeTable::Allocate() {
  if (!free_.empty()) {
    const ScopeIndex index = free_.back();
    free_.pop_back();
    return index;
  }
  scopes_.emplace_back();
  return static_cast<ScopeIndex>(scopes_.size() - 1);
}

ScopeVerdict ScopeTable::Step(const event::OpenScope& e, ScopeId* id, ScopeEffects* effects) {
  if (!e.id.IsNil() && e.id.number() > kHostIdMax) return ScopeVerdict::kInvalid;
  if (!e.id.IsNil() && IndexOf(e.id) != kNoScope) return ScopeVerdict::kAlreadyExists;
  ScopeIndex parent = kRootScope;
  if (!e.parent.IsNil()) {
    const ScopeVerdict verdict = Running(e.parent, &parent);
    if (verdict == ScopeVerdict::kNotFound) return ScopeVerdict::kNoParent;
    if (verdict != ScopeVerdict::kOk) return verdict;
  }
  if (abandoned_) return ScopeVerdict::kEnded;
  if (scopes_[parent].depth + 1 > kDepthMax) return ScopeVerdict::kTooDeep;
  *id = e.id.IsNil() ? ScopeId(++last_made_) : e.id;

  const ScopeIndex index = Allocate();
  ScopeRecord& made = scopes_[index];
  made = ScopeRecord();
  made.id = *id;
  made.name = e.name;
  made.depth = scopes_[parent].depth + 1;
  made.hold = e.hold;
  made.no_cleanup = e.no_cleanup;
  made.handles = e.handle ? 1 : 0;
  made.label = e.label;
  made.driver = e.driver;
  made.bytes_max = e.bytes_max;
  made.on_bytes = e.on_bytes;
  made.created = now_ = e.now;
  made.deadline = e.deadline;
  by_id_[id->number()] = index;
  Link(parent, index);
  if (e.driver != kNoPeer) drivers_.insert({e.driver, index});
  if (e.deadline != kInfiniteFuture &&
      !internal::IsMutant(internal::Mutant::kScopeDeadlineIgnored)) {
    effects->deadline |= e.deadline < NextDeadline();
    deadlines_.insert({e.deadline, index});
  }
  return ScopeVerdict::kOk;
}

void ScopeTable::Link(ScopeIndex parent, ScopeIndex index) {
  ScopeRecord& around = scopes_[parent];
  ScopeRecord& child = scopes_[index];
  child.parent = parent;
  child.parent_id = around.id;
  ++around.children;
  if (around.first_child == kNoScope) {
    around.first_child = child.next = child.previous = index;
    return;
  }
  ScopeRecord& first = scopes_[around.first_child];
  child.next = around.first_child;
  child.previous = first.previous;
  scopes_[first.previous].next = index;
  first.previous = index;
}

void ScopeTable::Unlink(ScopeIndex index) {
  ScopeRecord& child = scopes_[index];
  ScopeRecord& parent = scopes_[child.parent];
  // Its index may soon be that of another scope.
  child.parent = kNoScope;
  --parent.children;
  if (child.next == index) {
    parent.first_child = kNoScope;
    return;
  }
  if (parent.first_child == index) parent.first_child = child.next;
  scopes_[child.previous].next = child.next;
  scopes_[child.next].previous = child.previous;
}

ScopeVerdict ScopeTable::AddHandle(ScopeId id) {
  const ScopeIndex index = IndexOf(id);
  if (index == kNoScope) return ScopeVerdict::kNotFound;
  ++scopes_[index].handles;
  return ScopeVerdict::kOk;
}

void ScopeTable::DropHandle(ScopeId id) {
  const ScopeIndex index = IndexOf(id);
  FREEHOLD_CHECK(index != kNoScope && scopes_[index].handles > 0);
  --scopes_[index].handles;
  EraseIfUnnamed(index);
}

void ScopeTable::EraseIfUnnamed(ScopeIndex index) {
  ScopeRecord& scope = scopes_[index];
  if (scope.state != ScopeState::kDone || !scope.forgotten || scope.heard != scope.told ||
      scope.handles > 0) {
    return;
  }
  by_id_.erase(scope.id.number());
  scope = ScopeRecord();
  scope.state = ScopeState::kDone;
  free_.push_back(index);
}

// --- Objects -------------------------------------------------------------------------------------

ScopeVerdict ScopeTable::Step(const event::AdmitToScope& e, Admission* admission,
                              ScopeEffects* effects) {
  ScopeIndex index;
  const ScopeVerdict verdict = Running(e.id, &index);
  if (verdict != ScopeVerdict::kOk) return verdict;
  ScopeRecord& scope = scopes_[index];
  admission->scope = index;
  admission->label = e.label == kNoLabel ? scope.label : e.label;
  admission->hold = scope.hold;
  const uint64_t bit = uint64_t{1} << e.shard;
  scope.shards |= bit;
  // What moves in may be held already.
  if (scope.hold || e.moves) scope.held_shards |= bit;
  admission->counted = !e.moves && (e.bytes == 0 || !IsLimited(index));
  if (admission->counted) {
    Step(ScopeChange{index, admission->label, 1, e.copies, e.bytes}, effects);
  } else {
    ++scope.arriving;
  }
  return ScopeVerdict::kOk;
}

void ScopeTable::Entered(const event::AdmitToScope& e, const Admission& admission,
                         ScopeEffects* effects) {
  if (admission.counted) return;
  --scopes_[admission.scope].arriving;
  Step(ScopeChange{admission.scope, admission.label, 1, e.copies, e.bytes}, effects);
}

void ScopeTable::Withdraw(const event::AdmitToScope& e, const Admission& admission,
                          ScopeEffects* effects) {
  if (admission.counted) {
    Step(ScopeChange{admission.scope, admission.label, -1, -e.copies, -e.bytes}, effects);
    return;
  }
  --scopes_[admission.scope].arriving;
  Settle(admission.scope, effects);
}

bool ScopeTable::IsLimited(ScopeIndex index) const {
  for (ScopeIndex at = index; at != kNoScope; at = scopes_[at].parent) {
    if (scopes_[at].on_bytes != 0) return true;
  }
  return false;
}

void ScopeTable::Step(const ScopeChange& change, ScopeEffects* effects) {
  Apply(change);
  if (change.bytes != 0) CheckLimits(change.scope, effects);
  Settle(change.scope, effects);
  if (change.steps > 0) EraseIfUnnamed(change.scope);
}

void ScopeTable::Arrived(const Admission& admission, const InnerRef& object, uint64_t move,
                         const ScopeChange& out, const ScopeChange& in, ScopeEffects* effects) {
  // Both before anything is concluded: nothing is in two scopes, or in none.
  Apply(out);
  Apply(in);
  const ScopeIndex to = admission.scope;
  --scopes_[to].arriving;
  if (out.scope != kNoScope) {
    SetUsers({object.shard, object.record}, {to, move});
    CheckLimits(out.scope, effects);
    CheckLimits(to, effects);
    Settle(out.scope, effects);
  }
  if (scopes_[to].state == ScopeState::kEnding) BreakRing(to, effects);
  Settle(to, effects);
}

void ScopeTable::Apply(const ScopeChange& change) {
  if (change.scope == kNoScope) return;
  ScopeRecord& scope = scopes_[change.scope];
  scope.objects += change.objects;
  scope.copies += change.copies;
  scope.bytes += change.bytes;
  scope.heard += change.steps;
  if (change.bytes != 0) {
    for (ScopeIndex at = change.scope; at != kNoScope; at = scopes_[at].parent) {
      scopes_[at].bytes_all += change.bytes;
    }
  }
  if (change.label == kNoLabel) return;
  if (change.label >= labels_.size()) labels_.resize(change.label + 1);
  Sums& sums = labels_[change.label];
  sums.objects += change.objects;
  const bool forgets =
      change.copies < 0 && internal::IsMutant(internal::Mutant::kLabelCopiesForgotten);
  if (!forgets) sums.copies += change.copies;
  sums.bytes += change.bytes;
}

void ScopeTable::CheckLimits(ScopeIndex index, ScopeEffects* effects) {
  for (ScopeIndex at = index; at != kNoScope; at = scopes_[at].parent) {
    ScopeRecord& scope = scopes_[at];
    if (scope.bytes_max == 0 || scope.on_bytes == 0) continue;
    const bool early = internal::IsMutant(internal::Mutant::kLimitToldEarly);
    const uint64_t most = early ? scope.bytes_max / 2 : scope.bytes_max;
    const bool over = scope.bytes_all > 0 && static_cast<uint64_t>(scope.bytes_all) > most;
    if (over && !scope.over_limit) {
      effects->exceeded.push_back(
          {scope.on_bytes, scope.id, scope.end, static_cast<uint64_t>(scope.bytes_all)});
    }
    scope.over_limit = over;
  }
}

void ScopeTable::RecordKept(ScopeIndex index, const ObjectId& object,
                            std::vector<ObjectId>* oldest) {
  std::deque<ObjectId>& kept = scopes_[index].kept;
  for (size_t looks = std::min<size_t>(2, kept.size()); looks > 0; --looks) {
    kept.push_back(kept.front());
    kept.pop_front();
    oldest->push_back(kept.back());
  }
  kept.push_back(object);
}

void ScopeTable::ForgetKept(ScopeIndex index, const ObjectId& object) {
  std::deque<ObjectId>& kept = scopes_[index].kept;
  // It was put at the end just now.
  const auto found = std::find(kept.rbegin(), kept.rend(), object);
  if (found != kept.rend()) kept.erase(std::next(found).base());
}

ScopeIndex ScopeTable::KeeperOf(ScopeIndex index) const {
  ScopeIndex keeper = scopes_[index].parent;
  while (scopes_[keeper].state != ScopeState::kRunning) keeper = scopes_[keeper].parent;
  return keeper;
}

// --- The host's members --------------------------------------------------------------------------

ScopeVerdict ScopeTable::AddMember(ScopeId id, ScopeRecord::Member member, uint64_t* number) {
  ScopeIndex index;
  const ScopeVerdict verdict = Running(id, &index);
  if (verdict != ScopeVerdict::kOk) return verdict;
  ScopeRecord& scope = scopes_[index];
  *number = ++scope.last_member;
  if (member.kind == MemberKind::kTask) ++scope.tasks;
  scope.members.emplace(*number, std::move(member));
  return ScopeVerdict::kOk;
}

ScopeVerdict ScopeTable::RemoveMember(ScopeId id, uint64_t number, Token* token,
                                      ScopeEffects* effects) {
  const ScopeIndex index = IndexOf(id);
  if (index == kNoScope) return ScopeVerdict::kNotFound;
  ScopeRecord& scope = scopes_[index];
  const auto at = scope.members.find(number);
  if (at == scope.members.end()) return ScopeVerdict::kNotMember;
  *token = at->second.token;
  if (at->second.kind == MemberKind::kTask) --scope.tasks;
  scope.members.erase(at);
  Settle(index, effects);
  return ScopeVerdict::kOk;
}

ScopeVerdict ScopeTable::OnEnded(ScopeId id, Token token) {
  const ScopeIndex index = IndexOf(id);
  if (index == kNoScope) return ScopeVerdict::kNotFound;
  if (index == kRootScope) return ScopeVerdict::kInvalid;
  if (scopes_[index].state == ScopeState::kDone) return ScopeVerdict::kEnded;
  scopes_[index].waiting.push_back(token);
  return ScopeVerdict::kOk;
}

// --- Queries -------------------------------------------------------------------------------------

std::vector<ScopeId> ScopeTable::AwaitedBy(const ScopeRecord& scope, size_t max) const {
  std::vector<ScopeId> awaited;
  for (ScopeIndex at = scope.first_child; at != kNoScope && awaited.size() < max;) {
    awaited.push_back(scopes_[at].id);
    at = scopes_[at].next == scope.first_child ? kNoScope : scopes_[at].next;
  }
  for (const auto& [by, count] : scope.used_by) {
    if (awaited.size() >= max) break;
    if (std::find(awaited.begin(), awaited.end(), scopes_[by].id) == awaited.end()) {
      awaited.push_back(scopes_[by].id);
    }
  }
  return awaited;
}

ScopeUsage ScopeTable::UsageOf(LabelIndex label) const {
  if (label >= labels_.size()) return {};
  const Sums& sums = labels_[label];
  // While a step of a shard is under way the sums may be out of step with each other.
  const auto shown = [](int64_t sum) { return static_cast<uint64_t>(std::max<int64_t>(sum, 0)); };
  return {shown(sums.objects), shown(sums.bytes), shown(sums.copies)};
}

void ScopeTable::CheckInvariants() const {
  size_t named = 0;
  size_t uses = 0;
  size_t remote = 0;
  for (ScopeIndex index = 0; index < scopes_.size(); ++index) {
    const ScopeRecord& scope = scopes_[index];
    if (scope.id.IsNil()) continue;
    ++named;
    FREEHOLD_CHECK(IndexOf(scope.id) == index);
    uint32_t children = 0;
    int64_t bytes = scope.bytes;
    for (ScopeIndex at = scope.first_child; at != kNoScope;) {
      const ScopeRecord& child = scopes_[at];
      FREEHOLD_CHECK(child.parent == index && child.state != ScopeState::kDone);
      ++children;
      bytes += child.bytes_all;
      at = child.next == scope.first_child ? kNoScope : child.next;
    }
    FREEHOLD_CHECK(children == scope.children);
    FREEHOLD_CHECK(bytes == scope.bytes_all);
    FREEHOLD_CHECK((scope.end != ScopeEnd::kNone) == (scope.state != ScopeState::kRunning));
    uses += scope.uses.size();
    remote += scope.remote;
    for (const auto& [object, use] : scope.uses) {
      FREEHOLD_CHECK(users_.contains({object, index}));
      FREEHOLD_CHECK(!use.known || scopes_[use.whose.scope].used_by.contains(index));
    }
    if (scope.state != ScopeState::kDone || scope.abandoned) continue;
    // What comes late cancels out: its sum was zero when the scope was done.
    if (!scope.forgotten || scope.heard == scope.told) {
      FREEHOLD_CHECK(scope.objects == 0 && scope.copies == 0 && scope.bytes_all == 0);
    }
    FREEHOLD_CHECK(scope.members.empty() && scope.uses.empty() && scope.children == 0);
    FREEHOLD_CHECK(scope.used_by.empty() && scope.remote == 0);
  }
  FREEHOLD_CHECK(remote == links_.listed());
  links_.CheckInvariants();
  FREEHOLD_CHECK(named == by_id_.size() && uses == users_.size());
}

}  // namespace freehold::core
