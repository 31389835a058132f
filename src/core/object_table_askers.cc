// ObjectTable: who elsewhere asks where an object is, and what it is told.
//
// Answers are made when they are sent, of what is known then: an asker that is slow hears the
// latest state once, not every change, and waiting costs an entry in an index.

#include <algorithm>

#include "src/base/mutant.h"
#include "src/core/object_table.h"

namespace freehold::core {

Verdict ObjectTable::Step(const event::AskLocations& e, Effects* effects) {
  if (e.number > WatchNumber::kNumberMax) return Verdict::kWrongState;
  Sharing& sharing = Share();
  const bool had_work = sharing.HasWorkFor(e.from);
  ObjectRecord* record = FindMutable(e.key);
  if (record == nullptr || !record->in_scope() || record->borrowed) {
    if (!sharing.gone_answers.Add(e.from, {e.key.id, e.number})) ++counters_.answers_lost;
    if (!had_work) effects->ready.push_back(e.from);
    return Verdict::kNotFound;
  }
  if (e.fetch_to != kNoPeer && !internal::IsMutant(internal::Mutant::kProspectiveForgotten)) {
    // Known before the answer leaves: whoever fetches because of it is asked to free (step 8).
    event::SetLocation asked{e.key, e.fetch_to, record->generation, 0, CopyRole::kSecondary};
    asked.merge = true;
    (void)Step(asked, effects);
  }
  const RecordIndex index = IndexOf(*record);
  const uint64_t watch = WatchNumber::Make(e.number, e.subscribe);
  bool full = sharing.due.Add(index, e.from, watch) == HolderIndex::Added::kFull;
  if (e.subscribe && !full) {
    full = sharing.watches.Add(index, e.from, watch) == HolderIndex::Added::kFull;
  }
  if (full) ++counters_.answers_lost;
  RefreshAskers(index);
  if (!had_work && sharing.HasWorkFor(e.from)) effects->ready.push_back(e.from);
  return Verdict::kOk;
}

Verdict ObjectTable::Step(const event::StopAsking& e) {
  const ObjectRecord* record = FindMutable(e.key);
  if (record == nullptr || sharing_ == nullptr) return Verdict::kNotFound;
  const RecordIndex index = IndexOf(*record);
  bool ended = false;
  for (const bool subscribed : {true, false}) {
    const uint64_t watch = WatchNumber::Make(e.number, subscribed);
    for (HolderIndex* askers : {&sharing_->watches, &sharing_->due}) {
      ended |= askers->Remove(index, e.from, watch) != HolderIndex::Removed::kAbsent;
    }
  }
  RefreshAskers(index);
  return ended ? Verdict::kOk : Verdict::kNotFound;
}

uint64_t ObjectTable::AnswersFor(PeerIndex peer) const {
  const NodeIndex::Node* node = nodes_.Find(peer);
  uint64_t answers = node == nullptr ? 0 : node->late_frees;
  if (sharing_ != nullptr) {
    answers += uint64_t{sharing_->outbox.size(peer)} + sharing_->gone_answers.size(peer) +
               sharing_->due.CountOfPeer(peer);
  }
  return answers;
}

void ObjectTable::AnswerAskers(const ObjectRecord& record, Effects* effects) {
  const RecordIndex index = IndexOf(record);
  sharing_->watches.ForEachOf(index, [&](const HolderIndex::Holder& watch) {
    const bool had_work = sharing_->HasWorkFor(watch.peer);
    if (sharing_->due.Add(index, watch.peer, watch.number) == HolderIndex::Added::kFull) {
      ++counters_.answers_lost;
    }
    if (!had_work) effects->ready.push_back(watch.peer);
    return true;
  });
}

void ObjectTable::EndAskers(ObjectRecord* record, Effects* effects) {
  const RecordIndex index = IndexOf(*record);
  for (HolderIndex* askers : {&sharing_->watches, &sharing_->due}) {
    while (const HolderIndex::Holder* first = askers->FirstOf(index)) {
      const HolderIndex::Holder asker = *first;
      const bool had_work = sharing_->HasWorkFor(asker.peer);
      (void)sharing_->watches.Remove(index, asker.peer, asker.number);
      (void)sharing_->due.Remove(index, asker.peer, asker.number);
      if (!sharing_->gone_answers.Add(asker.peer,
                                      {record->id(), WatchNumber::NumberOf(asker.number)})) {
        ++counters_.answers_lost;
      }
      if (!had_work) effects->ready.push_back(asker.peer);
    }
  }
  record->has_askers = 0;
}

bool ObjectTable::ForgetAsker(PeerIndex peer, uint32_t* items_max) {
  for (HolderIndex* askers : {&sharing_->watches, &sharing_->due}) {
    while (const HolderIndex::Holder* first = askers->FirstOfPeer(peer)) {
      if (*items_max == 0) return true;
      --*items_max;
      const HolderIndex::Holder asker = *first;
      (void)askers->Remove(asker.record, peer, asker.number);
      RefreshAskers(asker.record);
    }
  }
  sharing_->gone_answers.TakeWhile(
      peer, [&](const Sharing::GoneAnswer&) { return *items_max > 0 && (*items_max)-- > 0; });
  return !sharing_->gone_answers.empty(peer);
}

void ObjectTable::RefreshAskers(RecordIndex index) {
  slabs_.At(index).has_askers =
      sharing_->watches.FirstOf(index) != nullptr || sharing_->due.FirstOf(index) != nullptr;
}

void ObjectTable::PullAnswers(PeerIndex peer, uint32_t* items_max, const NodeNames& names,
                              PayloadWriter* writer) {
  sharing_->gone_answers.TakeWhile(peer, [&](const Sharing::GoneAnswer& gone) {
    LocationAnswerItem item;
    item.object = gone.object;
    item.number = gone.number;
    item.state = LocationAnswerState::kGone;
    item.final = true;
    if (*items_max == 0 || !writer->Add(item)) return false;
    --*items_max;
    return true;
  });
  for (; *items_max > 0; --*items_max) {
    const HolderIndex::Holder* first = sharing_->due.FirstOfPeer(peer);
    if (first == nullptr) return;
    const HolderIndex::Holder asker = *first;
    if (!writer->Add(AnswerFor(slabs_.At(asker.record), asker.number, names))) return;
    (void)sharing_->due.Remove(asker.record, peer, asker.number);
    RefreshAskers(asker.record);
  }
}

LocationAnswerItem ObjectTable::AnswerFor(const ObjectRecord& record, uint64_t watch,
                                          const NodeNames& names) const {
  LocationAnswerItem item;
  item.object = record.id();
  item.number = WatchNumber::NumberOf(watch);
  item.generation = record.generation;
  item.size = record.size;
  item.final = !WatchNumber::IsSubscribed(watch);
  switch (record.state()) {
    case ObjectState::kPending:
      item.state = LocationAnswerState::kPending;
      break;
    case ObjectState::kAvailable:
      item.state = LocationAnswerState::kAvailable;
      break;
    case ObjectState::kFreed:
      item.state = LocationAnswerState::kFreed;
      return item;
    case ObjectState::kLost:
      item.state = LocationAnswerState::kLost;
      break;
    case ObjectState::kOutOfScope:
    case ObjectState::kBorrowed:
    case ObjectState::kFailed:
      item.state = LocationAnswerState::kGone;
      return item;
  }
  for (const CopyFacts& facts : AllFacts(record)) {
    if (facts.free_state != FreeState::kHeld) continue;
    Location location;
    location.node = names.NodeAt(facts.node);
    location.role = facts.role;
    location.in_memory = facts.in_memory;
    location.spilled = facts.spilled;
    location.prospective = facts.prospective;
    location.spilled_url = facts.url;
    item.locations.push_back(std::move(location));
  }
  // There may be more than an answer can name: the useful ones first, in a stable order.
  const auto rank = [](const Location& at) {
    if (at.prospective) return 3;
    return !at.in_memory ? 2 : at.role == CopyRole::kPrimary ? 0 : 1;
  };
  std::sort(item.locations.begin(), item.locations.end(),
            [&](const Location& a, const Location& b) {
              return rank(a) != rank(b) ? rank(a) < rank(b) : a.node < b.node;
            });
  return item;
}

}  // namespace freehold::core
