#include "tests/core/scope_links_sim.h"

#include <string_view>

#include "src/core/codec.h"
#include "tests/core/ignoring_sink.h"

namespace freehold::core {

namespace {

// Reads the scope items of a payload.
class ScopeItems : public IgnoringSink {
 public:
  void OnScope(const ScopeItem& item) override { items.push_back(item); }
  std::vector<ScopeItem> items;
};

}  // namespace

PeerIndex LinkedScopes::AnyAlive() {
  while (true) {
    const auto p = static_cast<PeerIndex>(Pick(kProcesses));
    if (Alive(p)) return p;
  }
}

void LinkedScopes::Follow(PeerIndex p, const ScopeEffects& effects) {
  for (const auto& one : effects.ended) Told(p, one);
  for (const auto& release : effects.release) work_[p].push_back(release);
  for (const auto& forget : effects.forget)
    tables_[p]->Forgotten(forget.scope, sent_[{p, forget.scope}]);
  for (const auto& forget : effects.forget) sent_.erase({p, forget.scope});
  for (const PeerIndex to : effects.ready) Send(p, to);
}

void LinkedScopes::Send(PeerIndex from, PeerIndex to) {
  PayloadWriter writer(4096);
  Expect(!tables_[from]->PullLinks(to, &writer), "what waits does not fit: to process", to);
  if (writer.empty()) return;
  ScopeItems sink;
  Expect(ReadPayload(writer.Take(), &sink) == CodecError::kOk, "it cannot be read: to", to);
  for (const ScopeItem& item : sink.items) channels_[{from, to}].push_back(item);
}

void LinkedScopes::Told(PeerIndex p, const ScopeEffects::Told& one) {
  LinkedTruth& truth = truths_.at(one.token);
  Expect(!truth.told, "an end is told twice:", one.token);
  truth.told = true;
  Expect(truth.held + truth.outside == 0, "what is done has something left:", one.token);
  if (truth.owner == p) {
    // Never before every member that was listed and lives.
    for (const auto& [member, part] : listed_[one.token]) {
      Expect(truths_.at(part).told || closed_.count({p, member}) > 0,
             "an end is told before that of a live member:", one.token);
    }
    return;
  }
  const LinkedTruth& of = truths_.at(truth.number);
  const bool late = of.told && one.end == ScopeEnd::kEnded;  // its owner knows nothing of it
  Expect(one.end == ScopeEnd::kOwnerDied ? !Alive(truth.owner) : of.ends.count(one.end) > 0 || late,
         "a part ends otherwise than its scope:", one.token);
}

void LinkedScopes::Step() {
  switch (Pick(14)) {
    case 0:
      return Open();
    case 1:
    case 2:
      return Join();
    case 3:
    case 4:
      return Declare();
    case 5:
      return Leave();
    case 6:
      return End(Pick(3) == 0);
    case 7:
      return Exclude();
    case 8:
      return See();
    case 9:
      return Work();
    default:
      return Deliver();
  }
}

void LinkedScopes::Open() {
  if (truths_.size() > 40) return;
  const PeerIndex p = AnyAlive();
  event::OpenScope e;
  const Token number = ++last_scope_;
  e.id = ScopeId(number);
  e.hold = true;
  ScopeId id;
  (void)At(p, [&](ScopeTable& t, ScopeEffects* effects) { return t.Step(e, &id, effects); });
  truths_[number] = {id, p, number};
  (void)tables_[p]->OnEnded(id, number);
}

void LinkedScopes::Join() {
  if (last_scope_ == 0) return;
  const Token number = 1 + Pick(last_scope_);
  const PeerIndex owner = truths_.at(number).owner;
  const PeerIndex p = AnyAlive();
  if (p == owner || seen_.count({p, owner}) > 0) return;
  ScopeId id;
  const event::JoinScope e{owner, ScopeId(number), true, false, Time()};
  const size_t parts = tables_[p]->links().parts();
  const ScopeVerdict joined =
      At(p, [&](ScopeTable& t, ScopeEffects* effects) { return t.Step(e, &id, effects); });
  Expect(joined == ScopeVerdict::kOk, "it is not joined:", number);
  if (joined != ScopeVerdict::kOk) return;
  if (tables_[p]->links().parts() > parts) {
    const Token token = kPartTokens + ++last_part_;
    truths_[token] = {id, owner, number};
    part_of_[{p, number}] = token;
    places_[token] = p;
    joins_[{p, owner}].push_back(token);
    (void)tables_[p]->OnEnded(id, token);
  } else {
    Expect(truths_.at(part_of_.at({p, number})).id == id, "joined twice:", number);
  }
  tables_[p]->DropHandle(id);
}

std::pair<PeerIndex, LinkedTruth*> LinkedScopes::Some() {
  const PeerIndex p = AnyAlive();
  std::vector<LinkedTruth*> here;
  for (auto& [token, truth] : truths_) {
    const bool is_here = token < kPartTokens ? truth.owner == p : IsPartAt(p, token);
    if (is_here && !truth.told) here.push_back(&truth);
  }
  return {p, here.empty() ? nullptr : here[Pick(here.size())]};
}

void LinkedScopes::Declare() {
  const auto [p, truth] = Some();
  if (truth == nullptr) return;
  event::AdmitToScope e{truth->id, 0};
  e.bytes = 1;
  Admission admission;
  const ScopeVerdict admitted =
      At(p, [&](ScopeTable& t, ScopeEffects* effects) { return t.Step(e, &admission, effects); });
  if (admitted != ScopeVerdict::kOk) return;
  Expect(admission.hold, "a part does not hold:", truth->number);
  // The shard refuses what comes after it has let go of what the scope held: so does this.
  (Pick(3) == 0 ? truth->outside : truth->held) += 1;
}

void LinkedScopes::Gone(PeerIndex p, LinkedTruth* truth, int* count) {
  const ScopeIndex index = tables_[p]->IndexOf(truth->id);
  --*count;
  ++sent_[{p, index}];
  (void)At(p, [&](ScopeTable& t, ScopeEffects* effects) {
    t.Step(ScopeChange{index, kNoLabel, -1, 0, -1, 1}, effects);
    return ScopeVerdict::kOk;
  });
}

void LinkedScopes::EndOne(Token number, bool forced) {
  LinkedTruth& truth = truths_.at(number);
  if (!Alive(truth.owner)) return;
  const ScopeEnd why = forced ? ScopeEnd::kForced : ScopeEnd::kCancelled;
  truth.ends.insert(why);
  (void)At(truth.owner, [&](ScopeTable& t, ScopeEffects* effects) {
    std::vector<ObjectId> kept;
    return forced ? t.Delete(truth.id, &kept, effects)
                  : t.Step(event::EndScope{truth.id, why}, effects);
  });
}

void LinkedScopes::Deliver() {
  std::vector<std::pair<PeerIndex, PeerIndex>> ready;
  for (const auto& [ends, queue] : channels_) {
    if (!queue.empty() && Alive(ends.second)) ready.push_back(ends);
  }
  if (!ready.empty()) DeliverOne(ready[Pick(ready.size())]);
}

void LinkedScopes::DeliverOne(std::pair<PeerIndex, PeerIndex> ends) {
  const ScopeItem item = channels_[ends].front();
  channels_[ends].pop_front();
  const auto [from, to] = ends;
  if (seen_.count({to, from}) > 0) return;  // fenced
  if (item.kind == ScopeItemKind::kJoin) {
    const Token part = joins_[ends].front();
    joins_[ends].pop_front();
    if (!truths_.at(item.scope).told) listed_[item.scope].emplace_back(from, part);
  }
  const PeerIndex sender = from;
  const ScopeVerdict verdict =
      At(to, [&](ScopeTable& t, ScopeEffects* effects) { return t.Step(sender, item, effects); });
  Expect(verdict != ScopeVerdict::kNotMember, "an honest item is refused: of scope", item.scope);
}

void LinkedScopes::WorkAt(PeerIndex p) {
  (void)At(p, [&](ScopeTable& t, ScopeEffects* effects) {
    (void)t.EndMore(2, effects);
    return ScopeVerdict::kOk;
  });
  if (work_[p].empty()) return;
  const ScopeEffects::Release release = work_[p].front();
  work_[p].pop_front();
  const ScopeId id = tables_[p]->At(release.scope).id;
  for (auto& [token, truth] : truths_) {
    if (truth.id != id || truth.told) continue;
    if (token < kPartTokens ? truth.owner != p : !IsPartAt(p, token)) continue;
    while (truth.held > 0) Gone(p, &truth, &truth.held);
  }
  (void)At(p, [&](ScopeTable& t, ScopeEffects* effects) {
    t.Released(release.scope, effects);
    return ScopeVerdict::kOk;
  });
}

void LinkedScopes::SeeOne(PeerIndex p, PeerIndex dead) {
  if (seen_.insert({p, dead}).second) return;
  for (PeerIndex other = 0; other < kProcesses; ++other) {
    if (Alive(other) && seen_.count({other, dead}) == 0) return;
  }
  if (!closed_.insert({p, dead}).second) return;
  for (bool more = true; more;) {
    (void)At(p, [&](ScopeTable& t, ScopeEffects* effects) {
      more = t.ClosePeer(dead, 2, effects);
      return ScopeVerdict::kOk;
    });
  }
}

void LinkedScopes::Finish() {
  for (Token number = 1; number <= last_scope_; ++number) EndOne(number, false);
  for (auto& [token, truth] : truths_) {
    const PeerIndex p = PlaceOf(token, truth);
    while (Alive(p) && !truth.told && truth.outside > 0) Gone(p, &truth, &truth.outside);
  }
  for (int round = 0; round < 2000; ++round) {
    for (PeerIndex p = 0; p < kProcesses; ++p) {
      if (!Alive(p)) continue;
      WorkAt(p);
      for (const PeerIndex dead : crashed_) SeeOne(p, dead);
    }
    for (auto& [ends, queue] : channels_) {
      if (!queue.empty() && Alive(ends.second)) DeliverOne(ends);
    }
  }
  for (PeerIndex p = 0; p < kProcesses; ++p) {
    if (!Alive(p)) continue;
    Expect(tables_[p]->size() == 1, "scopes are left at process", p);
    Expect(tables_[p]->links().listed() == 0, "members are left at process", p);
    Expect(tables_[p]->links().parts() == 0, "parts are left at process", p);
    Expect(tables_[p]->links().waiting() == 0, "items are left at process", p);
  }
  for (const auto& [token, truth] : truths_) {
    if (Alive(PlaceOf(token, truth))) Expect(truth.told, "an end is never told:", token);
  }
}

}  // namespace freehold::core
