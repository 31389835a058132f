// ObjectTable: who is told, and when.

#include <algorithm>

#include "src/base/check.h"
#include "src/core/object_table_lineage.h"
#include "src/core/object_table_watches.h"

namespace freehold::core {

Verdict ObjectTable::Step(const event::Register& e) {
  ObjectRecord* record = FindMutable(e.key);
  if (record == nullptr) return Verdict::kNotFound;
  // What is given away and not taken is the owner's still: its callbacks go along, or stay.
  const bool moving = record->borrowed && BorrowOf(*record).stage == BorrowStage::kMoving;
  if ((e.moment == Moment::kFailed) != (record->borrowed != 0) && !moving) {
    return record->borrowed ? Verdict::kNotOwner : Verdict::kNotBorrowed;
  }
  if (WatchSteps::HasPassed(*this, *record, e.moment)) return Verdict::kMomentPassed;
  rares_.Ensure(*record).callbacks.push_back({e.moment, e.number, e.token});
  ++counters_.callbacks;
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::Cancel& e, Token* token) {
  ObjectRecord* record = FindMutable(e.key);
  Rare* rare = record == nullptr ? nullptr : rares_.Find(*record);
  if (rare == nullptr) return Verdict::kNotFound;
  for (auto at = rare->callbacks.begin(); at != rare->callbacks.end(); ++at) {
    if (at->number != e.number) continue;
    *token = at->token;
    rare->callbacks.erase(at);
    --counters_.callbacks;
    return Verdict::kOk;
  }
  for (auto at = rare->subscribers.begin(); at != rare->subscribers.end(); ++at) {
    if (at->number != e.number) continue;
    *token = at->token;
    rare->subscribers.erase(at);
    --counters_.callbacks;
    return Verdict::kOk;
  }
  return Verdict::kNotFound;
}

Verdict ObjectTable::Step(const event::Subscribe& e, Effects* effects) {
  Verdict verdict;
  ObjectRecord* record = InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  if (record->borrowed) return Verdict::kNotOwner;
  rares_.Ensure(*record).subscribers.push_back({e.number, e.token});
  ++counters_.callbacks;
  LocationNotice notice;
  notice.token = e.token;
  notice.kind = LocationUpdate::Kind::kSnapshot;
  notice.object = record->id();
  notice.state = record->state();
  notice.generation = record->generation;
  notice.size = record->size;
  for (CopyFacts& facts : AllFacts(*record)) {
    if (facts.listed) notice.copies.push_back(std::move(facts));
  }
  effects->Rarely().notices.push_back(std::move(notice));
  return Verdict::kOk;
}

void ObjectTable::Fire(ObjectRecord* record, Moment moment, EndReason reason, Effects* effects) {
  if (record->has_askers) WatchSteps(this).Fire(record, moment, reason, effects);
  Rare* rare = rares_.Find(*record);
  if (rare == nullptr || rare->callbacks.empty()) return;
  if (rare->callbacks.size() == 1) {  // as nearly always
    const RegisteredCallback& only = rare->callbacks.front();
    if (only.moment != moment) return;
    effects->fired.push_back({only.token, reason});
    rare->callbacks.clear();
    --counters_.callbacks;
    return;
  }
  auto rest = rare->callbacks.begin();
  for (const RegisteredCallback& callback : rare->callbacks) {
    if (callback.moment == moment) {
      effects->fired.push_back({callback.token, reason});
    } else {
      *rest++ = callback;
    }
  }
  counters_.callbacks -= static_cast<uint64_t>(rare->callbacks.end() - rest);
  rare->callbacks.erase(rest, rare->callbacks.end());
}

// Their moment cannot come any more.
void ObjectTable::DropCallbacks(ObjectRecord* record, Effects* effects) {
  Rare* rare = rares_.Find(*record);
  if (rare == nullptr || rare->callbacks.empty()) return;
  for (const RegisteredCallback& callback : rare->callbacks) {
    effects->Rarely().dropped.push_back(callback.token);
  }
  counters_.callbacks -= rare->callbacks.size();
  rare->callbacks.clear();
}

void ObjectTable::NotifyState(const ObjectRecord& record, LocationUpdate::Kind kind,
                              Effects* effects) {
  Rare& rare = *rares_.Find(const_cast<ObjectRecord&>(record));
  const bool changed = kind == LocationUpdate::Kind::kState;
  if (changed && rare.persist != 0) LineageSteps::NotifyPersist(record, &rare, effects);
  if (rare.subscribers.empty()) return;
  NotifyCopy(record, CopyFacts(), kind, effects);
}

void ObjectTable::NotifyRemoved(const ObjectRecord& record, PeerIndex node, Effects* effects) {
  CopyFacts gone;
  gone.node = node;
  NotifyCopy(record, gone, LocationUpdate::Kind::kRemoved, effects);
}

void ObjectTable::NotifyCopy(const ObjectRecord& record, const CopyFacts& facts,
                             LocationUpdate::Kind kind, Effects* effects) {
  Rare& rare = *rares_.Find(const_cast<ObjectRecord&>(record));
  for (const Subscriber& subscriber : rare.subscribers) {
    LocationNotice notice;
    notice.token = subscriber.token;
    notice.kind = kind;
    notice.object = record.id();
    notice.state = kind == LocationUpdate::Kind::kGone ? ObjectState::kOutOfScope : record.state();
    notice.generation = record.generation;
    notice.size = record.size;
    notice.copy = facts;
    effects->Rarely().notices.push_back(std::move(notice));
  }
  if (kind == LocationUpdate::Kind::kGone) {
    counters_.callbacks -= rare.subscribers.size();
    rare.subscribers.clear();
  }
}

std::vector<Token> ObjectTable::TakeAllTokens() {
  std::vector<Token> tokens;
  RecordIndex resume = 0;
  while (resume != kNoRecord) {
    resume = Visit(resume, SIZE_MAX, [&](const ObjectRecord& record) {
      Rare* rare = rares_.Find(const_cast<ObjectRecord&>(record));
      if (rare == nullptr) return;
      for (const RegisteredCallback& callback : rare->callbacks) tokens.push_back(callback.token);
      for (const Subscriber& subscriber : rare->subscribers) tokens.push_back(subscriber.token);
      rare->callbacks.clear();
      rare->subscribers.clear();
    });
  }
  counters_.callbacks = 0;
  return tokens;
}

}  // namespace freehold::core
