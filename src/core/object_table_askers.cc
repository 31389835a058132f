// ObjectTable: who elsewhere asks where an object is, and what it is told.
//
// Answers are made when they are sent, of what is known then: an asker that is slow hears the
// latest state once, not every change, and waiting costs an entry in an index.

#include <algorithm>
#include <cstddef>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "src/base/mutant.h"
#include "src/core/object_table.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

namespace {

// There may be more locations than an answer can name; the useful ones come first.
constexpr int kRanks = 4;

int RankOf(bool prospective, bool in_memory, bool primary) {
  if (prospective) return 3;
  return !in_memory ? 2 : primary ? 0 : 1;
}
int Rank(const Copy& copy) {
  return RankOf(copy.prospective != 0, copy.in_memory != 0, copy.primary != 0);
}
int Rank(const Location& at) {
  return RankOf(at.prospective, at.in_memory, at.role == CopyRole::kPrimary);
}

using AnswerCopies = absl::InlinedVector<const Copy*, 8>;

// The copies that an answer names. True: there are more. One pass over them, 8 bytes each, which
// ends as soon as no better one can come; no ids, no strings, and nothing sorted but what is
// chosen: an object may have copies on thousands of nodes, and this runs under the shard's lock.
bool ChooseCopies(const CopyArena& copies, const ObjectRecord& record, AnswerCopies* chosen) {
  AnswerCopies by_rank[kRanks];
  uint32_t held = 0;
  uint32_t position = 0;
  for (; position < record.copies; ++position) {
    const bool has_primary = !by_rank[0].empty();
    if (has_primary && by_rank[0].size() + by_rank[1].size() >= kAnswerLocationsMax) break;
    const Copy& copy = copies.At(record, position);
    if (!copy.held() && !copy.asked_again()) continue;
    ++held;
    AnswerCopies& of_rank = by_rank[Rank(copy)];
    if (of_rank.size() < kAnswerLocationsMax) of_rank.push_back(&copy);
  }
  for (const AnswerCopies& of_rank : by_rank) {
    const size_t room = kAnswerLocationsMax - chosen->size();
    const auto end = of_rank.begin() + static_cast<std::ptrdiff_t>(std::min(room, of_rank.size()));
    chosen->insert(chosen->end(), of_rank.begin(), end);
  }
  return position < record.copies || held > chosen->size();
}

// One pass over the record's URLs.
void AddUrls(const Rare* rare, const AnswerCopies& chosen, LocationAnswerItem* item) {
  if (rare == nullptr || rare->spill_urls.empty()) return;
  absl::flat_hash_map<PeerIndex, size_t> places;
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i]->spilled && !chosen[i]->prospective) places[chosen[i]->node] = i;
  }
  for (const auto& [node, url] : rare->spill_urls) {
    const auto at = places.find(node);
    if (at != places.end()) item->locations[at->second].spilled_url = url;
  }
}

}  // namespace

Verdict ObjectTable::Step(const event::AskLocations& e, Effects* effects) {
  if (e.number > WatchNumber::kNumberMax) return Verdict::kWrongState;
  Sharing& sharing = Share();
  const bool had_work = sharing.HasWorkFor(e.from);
  ObjectRecord* record = FindMutable(e.key);
  if (record == nullptr || !record->in_scope() || record->borrowed) {
    if (TransferSteps(this).Redirect(e.key, e.from, e.by_node, effects)) {
      return Verdict::kUnchanged;
    }
    if (!sharing.settled_answers.Add(e.from, {e.key.id, e.number})) ++counters_.answers_lost;
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
  bool subscribed = e.subscribe;
  if (subscribed && (sharing.watches.CountOfPeer(e.from) >= config_.watches_per_peer_max ||
                     sharing.watches.Add(index, e.from, WatchNumber::Make(e.number, true)) ==
                         HolderIndex::Added::kFull)) {
    // Answered once, as the last time: from that the asker knows that nothing more comes.
    subscribed = false;
    ++counters_.watches_refused;
  }
  const uint64_t watch = WatchNumber::Make(e.number, subscribed);
  if (sharing.due.Add(index, e.from, watch) == HolderIndex::Added::kFull) {
    ++counters_.answers_lost;
  }
  RefreshAskers(index);
  if (subscribed) HeirSteps(this).Changed(index, effects);
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
    answers += uint64_t{sharing_->outbox.size(peer)} + sharing_->settled_answers.size(peer) +
               sharing_->due.CountOfPeer(peer) + sharing_->move_news.size(peer);
    if (const Transfers* all = sharing_->transfers.get(); all != nullptr) {
      // What it has not caused is no reason to take nothing from it: both ends might wait.
      const uint32_t* unasked = all->unasked.Find(peer);
      answers += uint64_t{all->moved_news.size(peer)} - (unasked == nullptr ? 0 : *unasked);
    }
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
  HeirSteps(this).Changed(index, effects);
}

// Before a freed value is made again: whoever asked after the old one, to fetch it to a node, is
// not known as one who fetches the new one. So it hears of the old one, and asks again.
void ObjectTable::AnswerAsFreed(RecordIndex index) {
  const ObjectRecord& record = slabs_.At(index);
  while (const HolderIndex::Holder* first = sharing_->due.FirstOf(index)) {
    const HolderIndex::Holder asker = *first;
    (void)sharing_->due.Remove(index, asker.peer, asker.number);
    const Sharing::SettledAnswer freed = {
        record.id(), WatchNumber::NumberOf(asker.number), LocationAnswerState::kFreed,
        !WatchNumber::IsSubscribed(asker.number), record.generation};
    if (!sharing_->settled_answers.Add(asker.peer, freed)) ++counters_.answers_lost;
  }
  RefreshAskers(index);
}

void ObjectTable::EndAskers(ObjectRecord* record, Effects* effects) {
  const RecordIndex index = IndexOf(*record);
  for (HolderIndex* askers : {&sharing_->watches, &sharing_->due}) {
    while (const HolderIndex::Holder* first = askers->FirstOf(index)) {
      const HolderIndex::Holder asker = *first;
      const bool had_work = sharing_->HasWorkFor(asker.peer);
      (void)sharing_->watches.Remove(index, asker.peer, asker.number);
      (void)sharing_->due.Remove(index, asker.peer, asker.number);
      if (!sharing_->settled_answers.Add(asker.peer,
                                         {record->id(), WatchNumber::NumberOf(asker.number)})) {
        ++counters_.answers_lost;
      }
      if (!had_work) effects->ready.push_back(asker.peer);
    }
  }
  RefreshAskers(index);
}

bool ObjectTable::ForgetAsker(PeerIndex peer, uint32_t* items_max) {
  for (HolderIndex* askers : {&sharing_->watches, &sharing_->due, &sharing_->moments}) {
    while (const HolderIndex::Holder* first = askers->FirstOfPeer(peer)) {
      if (*items_max == 0) return true;
      --*items_max;
      const HolderIndex::Holder asker = *first;
      (void)askers->Remove(asker.record, peer, asker.number);
      RefreshAskers(asker.record);
    }
  }
  sharing_->settled_answers.TakeWhile(
      peer, [&](const Sharing::SettledAnswer&) { return *items_max > 0 && (*items_max)-- > 0; });
  sharing_->move_news.TakeWhile(
      peer, [&](const Sharing::MoveNews&) { return *items_max > 0 && (*items_max)-- > 0; });
  return !sharing_->settled_answers.empty(peer) || !sharing_->move_news.empty(peer);
}

void ObjectTable::RefreshAskers(RecordIndex index) {
  slabs_.At(index).has_askers =
      sharing_->watches.FirstOf(index) != nullptr || sharing_->due.FirstOf(index) != nullptr ||
      sharing_->moments.FirstOf(index) != nullptr || TransferSteps(this).HasTenure(index);
}

void ObjectTable::PullAnswers(PeerIndex peer, uint32_t* items_max, const NodeNames& names,
                              PayloadWriter* writer) {
  sharing_->settled_answers.TakeWhile(peer, [&](const Sharing::SettledAnswer& settled) {
    LocationAnswerItem item;
    item.object = settled.object;
    item.number = settled.number;
    item.generation = settled.generation;
    item.state = settled.state;
    item.final = settled.final;
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
  AnswerCopies chosen;
  item.truncated = ChooseCopies(copies_, record, &chosen);
  for (const Copy* copy : chosen) {
    Location location;
    location.node = names.NodeAt(copy->node);
    location.role = copy->primary ? CopyRole::kPrimary : CopyRole::kSecondary;
    location.prospective = copy->prospective;
    location.in_memory = copy->in_memory && !copy->prospective;
    location.spilled = copy->spilled && !copy->prospective;
    location.shared = copy->shared && location.spilled;
    item.locations.push_back(std::move(location));
  }
  AddUrls(rares_.Find(record), chosen, &item);
  // The writer keeps the first ones that fit.
  std::sort(item.locations.begin(), item.locations.end(), [](const Location& a, const Location& b) {
    return Rank(a) != Rank(b) ? Rank(a) < Rank(b) : a.node < b.node;
  });
  return item;
}

}  // namespace freehold::core
