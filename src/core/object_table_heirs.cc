// Heirs: the side of the owner. The heir's, and what exclusions ask of both, is in
// object_table_shadows.cc.

#include "src/core/object_table_heirs.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_files.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

namespace {

HeirOutcome OutcomeOf(ShadowAnswer answer) {
  switch (answer) {
    case ShadowAnswer::kKept:
      return HeirOutcome::kPrepared;
    case ShadowAnswer::kExists:
      return HeirOutcome::kExists;
    case ShadowAnswer::kRefused:
      return HeirOutcome::kRefused;
    case ShadowAnswer::kDraining:
      return HeirOutcome::kDraining;
    case ShadowAnswer::kFull:
      return HeirOutcome::kFull;
    case ShadowAnswer::kEnded:
      break;
  }
  return HeirOutcome::kDismissed;
}

bool IsRefusal(HeirOutcome outcome) {
  return outcome >= HeirOutcome::kExists && outcome <= HeirOutcome::kFull;
}

// So many registrations wait for an heir at most, and so many heirs are dismissed in one step.
constexpr size_t kWaitingMax = kTransferListBytesMax / kTransferProcessBytes;
constexpr int kEndedAtOnce = 8;

}  // namespace

Heirs::Heirship* HeirSteps::Find(RecordIndex index) const {
  if (!Any(table_)) return nullptr;
  const auto at = heirs()->of.find(index);
  return at == heirs()->of.end() ? nullptr : &at->second;
}

// --- The owner: naming and dismissing ------------------------------------------------------------

// What it contains comes last: passing that on is of use only if nothing else is in the way.
Immovable HeirSteps::WhyNot(const ObjectRecord& record, const event::NameHeir& e) const {
  TransferSteps transfers(&table_);
  if (record.is_member()) {
    // A scope of this process ends with it; another one's would have to be joined by the heir.
    const bool own = e.membership != nullptr && e.membership->joining.owner == kNoPeer;
    if (!own || !transfers.IsSeen(record, e.membership)) return Immovable::kInScope;
  }
  // With room for the heir, and for one who takes it back.
  if (transfers.TermOf(record) > kTermMax - 2) return Immovable::kTooOften;
  if (IsMoving(RecordSlabs::IndexOf(record))) return Immovable::kMoving;
  const Rare* const rare = table_.rares_.Find(record);
  const bool more = rare != nullptr && rare->inners.size() > e.looked_at;
  return more ? Immovable::kContains : Immovable::kNo;
}

Verdict HeirSteps::Name(const event::NameHeir& e, Effects* effects, Immovable* why) {
  Verdict verdict;
  ObjectRecord* record = table_.InScope(e.key, &verdict);
  if (record == nullptr) return verdict;
  if (record->borrowed) return Verdict::kNotOwner;
  if (table_.fences_.IsFenced(e.heir)) return Verdict::kPeerExcluded;
  const RecordIndex index = table_.IndexOf(*record);
  if (Find(index) != nullptr || (!e.goes_on && ListOf(index) != nullptr)) {
    return Verdict::kAlreadyExists;
  }
  *why = WhyNot(*record, e);
  if (*why != Immovable::kNo) return Verdict::kWrongState;
  TransferSteps transfers(&table_);
  Transfers& all = transfers.Share();
  OwnedSnapshot snapshot;
  snapshot.heirs = ListAfter(index, e);
  if (!transfers.TakeSnapshot(*record, *e.names, /*membership=*/nullptr, /*task=*/nullptr,
                              &snapshot)) {
    *why = Immovable::kTooMany;
    return Verdict::kWrongState;
  }
  if (all.heirs == nullptr) all.heirs = std::make_unique<Heirs>();
  // It hears of the end of the object as a former owner does.
  const HolderIndex::Added added = all.previous.Add(index, e.heir, 0);
  if (added == HolderIndex::Added::kFull) return Verdict::kTableFull;
  Heirship heirship;
  heirship.heir = e.heir;
  heirship.is_former = added == HolderIndex::Added::kPresent;
  heirship.listed = e.goes_on || !e.then.empty();
  all.tenures.try_emplace(index);
  record->has_askers = 1;
  if (all.heirs->all.Add(index, e.heir, 0) == HolderIndex::Added::kFull) {
    if (!heirship.is_former) (void)all.previous.Remove(index, e.heir, 0);
    return Verdict::kTableFull;
  }
  if (e.handed != nullptr && !e.handed->empty()) {
    heirship.contains = true;
    heirship.handed = std::make_unique<HandedInners>();
    heirship.handed->all = std::exchange(*e.handed, {});
  }
  ToSend(index, heirship, effects);
  all.heirs->of.emplace(index, std::move(heirship));
  if (snapshot.heirs.empty()) {
    all.heirs->next.erase(index);
  } else {
    all.heirs->next[index] = std::move(snapshot.heirs);
  }
  return Verdict::kOk;
}

Verdict HeirSteps::Step(const event::DismissHeir& e, Effects* effects) {
  ObjectRecord* const record = table_.FindMutable(e.key);
  if (record == nullptr) return Verdict::kNotFound;
  if (record->borrowed) return Verdict::kNotOwner;
  const RecordIndex index = table_.IndexOf(*record);
  const bool listed = EndList(index, HeirOutcome::kDismissed, effects);
  if (Find(index) == nullptr) return listed ? Verdict::kOk : Verdict::kUnchanged;
  Dismiss(index, effects);
  return Verdict::kOk;
}

void HeirSteps::Dismiss(RecordIndex index, Effects* effects) {
  Heirship* const heirship = Find(index);
  if (heirship->ending) return;
  heirship->ending = true;
  (void)heirs()->to_send.Remove(index, heirship->heir, 0);
  const ObjectRecord& record = table_.slabs_.At(index);
  TransferSteps transfers(&table_);
  transfers.Answer(heirship->heir, SharingKind::kShadowEnd, record.id(),
                   transfers.TermOf(record) + 1, 0, effects);
  LetGo(index, heirship, effects);
  if (IsMutant(Mutant::kHeirEndedTooEarly)) EndWith(index, HeirOutcome::kDismissed, effects);
}

bool HeirSteps::MayContain(const ObjectTable& table, const ObjectRecord& record,
                           absl::Span<const InnerRef> inners) {
  if (!Has(table, record)) return true;
  const Rare* const rare = table.rares_.Find(record);
  return rare != nullptr && std::all_of(inners.begin(), inners.end(), [&](const InnerRef& inner) {
           return rare->inners.Contains(inner);
         });
}

// A few at a time, for each may have kept many waiting.
void HeirSteps::EndOvergrown(Effects* effects) {
  std::vector<ObjectId>& overgrown = heirs()->overgrown;
  for (int ended = 0; ended < kEndedAtOnce && !overgrown.empty(); ++ended) {
    const ObjectId object = overgrown.back();
    overgrown.pop_back();
    const ObjectRecord* record = table_.FindMutable({object, object.Hash()});
    if (record == nullptr || record->borrowed) continue;
    const RecordIndex index = table_.IndexOf(*record);
    const Heirship* heirship = Find(index);
    if (heirship == nullptr || !heirship->overgrown) continue;
    ++table_.counters_.heirs_overgrown;
    (void)EndList(index, HeirOutcome::kOvergrown, effects);
    Notify({object, heirship->heir, HeirOutcome::kOvergrown, kNoPeer, heirship->listed}, effects);
    Dismiss(index, effects);
  }
}

Verdict HeirSteps::Step(const event::ShadowAcked& e, Effects* effects) {
  const ObjectRecord* record = table_.FindMutable(e.key);
  if (record == nullptr || record->borrowed) return Verdict::kUnchanged;
  const RecordIndex index = table_.IndexOf(*record);
  Heirship* const heirship = Find(index);
  if (heirship == nullptr || heirship->heir != e.from ||
      TransferSteps(&table_).TermOf(*record) + 1 != e.term) {
    return Verdict::kUnchanged;
  }
  // One that was dismissed is the heir until it says that it has heard so, whatever it says before.
  if ((e.answer == ShadowAnswer::kEnded) != heirship->ending) return Verdict::kUnchanged;
  // It wants to leave, which answers no version: it has one, although its word of that may be lost.
  if (e.answer == ShadowAnswer::kDraining && (heirship->prepared() || e.version == 0)) {
    const PeerIndex next = FirstLiving(index);
    Notify({e.key.id, e.from, HeirOutcome::kLeaving, next, heirship->listed}, effects);
    Dismiss(index, effects);
    return Verdict::kOk;
  }
  if (e.answer != ShadowAnswer::kKept) {
    const bool ended = e.answer == ShadowAnswer::kEnded && !record->in_scope();
    EndWith(index, ended ? HeirOutcome::kObjectEnded : OutcomeOf(e.answer), effects);
    return Verdict::kOk;
  }
  if (e.version != heirship->sent || e.version <= heirship->kept) {
    return Verdict::kUnchanged;
  }
  if (!heirship->prepared()) {
    ++table_.counters_.heirs_prepared;
    Notify({e.key.id, e.from, HeirOutcome::kPrepared, kNoPeer, heirship->listed}, effects);
  }
  heirship->kept = e.version;
  if (heirship->takes_more() && heirship->changes > heirship->sent) {
    ToSend(index, *heirship, effects);
  }
  LetGo(index, heirship, effects);
  FileSteps(&table_).GoOnAfterHeir(&table_.slabs_.At(index), heirship, /*ended=*/false, effects);
  return Verdict::kOk;
}

// The heir is none any more.
void HeirSteps::EndWith(RecordIndex index, HeirOutcome outcome, Effects* effects) {
  const auto at = heirs()->of.find(index);
  Heirship heirship = std::move(at->second);
  heirs()->of.erase(at);
  (void)heirs()->all.Remove(index, heirship.heir, 0);
  (void)heirs()->to_send.Remove(index, heirship.heir, 0);
  // Whoever was it, if only for a moment, answers for the object until it has ended.
  if (IsRefusal(outcome) && !heirship.prepared() && !heirship.is_former) {
    (void)table_.sharing_->transfers->previous.Remove(index, heirship.heir, 0);
  }
  ObjectRecord& record = table_.slabs_.At(index);
  // The next one is named now, or nobody would: what is out of scope can have none.
  if (!record.in_scope()) heirs()->next.erase(index);
  HeirNotice notice{record.id(), heirship.heir, outcome, FirstLiving(index), heirship.listed};
  if (heirship.handed != nullptr) notice.unsent = std::move(heirship.handed->all);
  Notify(std::move(notice), effects);
  heirship.ending = true;
  LetGo(index, &heirship, effects);
  FileSteps(&table_).GoOnAfterHeir(&record, &heirship, /*ended=*/true, effects);
}

void HeirSteps::End(RecordIndex index, Effects* effects) {
  if (Find(index) != nullptr) EndWith(index, HeirOutcome::kObjectEnded, effects);
  (void)EndList(index, HeirOutcome::kObjectEnded, effects);
}

// --- The owner: what changes, and what waits for the heir ----------------------------------------

void HeirSteps::ChangedOf(RecordIndex index, Effects* effects) {
  Heirship* const heirship = Find(index);
  if (heirship == nullptr || !heirship->takes_more()) return;
  ++heirship->changes;
  if (!table_.slabs_.At(index).in_scope()) {
    // Nothing is sent any more, and whoever waits hears that it is gone.
    (void)heirs()->to_send.Remove(index, heirship->heir, 0);
    LetGo(index, heirship, effects);
    // What it contained is let go of here as well, however long its copies are read; and what the
    // heir would count on goes when it is none any more.
    if (!heirship->contains && heirship->files.empty()) return;
    (void)EndList(index, HeirOutcome::kObjectEnded, effects);
    Dismiss(index, effects);
    return;
  }
  if (heirship->sent == heirship->kept) ToSend(index, *heirship, effects);
}

// A token was made: the heir is to know who will register.
Verdict HeirSteps::Step(const event::Exported& e, Effects* effects) {
  const ObjectRecord* record = table_.FindMutable(e.key);
  if (record == nullptr || Find(table_.IndexOf(*record)) == nullptr) return Verdict::kUnchanged;
  ChangedOf(table_.IndexOf(*record), effects);
  return Verdict::kOk;
}

void HeirSteps::ToSend(RecordIndex index, const Heirship& heirship, Effects* effects) {
  const bool had_work = table_.sharing_->HasWorkFor(heirship.heir);
  if (heirs()->to_send.Add(index, heirship.heir, 0) == HolderIndex::Added::kAdded && !had_work) {
    effects->ready.push_back(heirship.heir);
  }
}

bool HeirSteps::Withholds(const event::BorrowerRegistered& e, RecordIndex index, bool is_new,
                          Effects* effects) {
  if (is_new) Changed(index, effects);
  Heirship* const heirship = Find(index);
  if (heirship == nullptr || heirship->ending || heirship->kept >= heirship->changes) return false;
  // Who registers again has given the former question up.
  auto& waiting = heirship->registrations;
  const auto at = std::find_if(waiting.begin(), waiting.end(),
                               [&](const auto& other) { return other.borrower == e.from; });
  if (at != waiting.end()) {
    at->number = e.number;
    at->version = heirship->changes;
  } else {
    waiting.push_back({e.from, e.number, heirship->changes});
  }
  // An heir that does not answer keeps no more waiting than it could be told of.
  if (waiting.size() > kWaitingMax && !heirship->overgrown) {
    heirship->overgrown = true;
    (void)heirs()->to_send.Remove(index, heirship->heir, 0);
    heirs()->overgrown.push_back(e.key.id);
    effects->ready.push_back(e.from);  // so that it is seen
  }
  return true;
}

bool HeirSteps::Withholds(const event::MovePrimary& e, Effects* effects) {
  const ObjectRecord* record = table_.FindMutable(e.key);
  if (record == nullptr || record->borrowed || !record->in_scope()) return false;
  const RecordIndex index = table_.IndexOf(*record);
  Heirship* const heirship = Find(index);
  if (heirship == nullptr || heirship->ending || heirship->kept >= heirship->changes) return false;
  auto& waiting = heirship->questions;
  const Heirship::Question asked{e.node, e.generation, e.number, e.from, e.term, heirship->changes};
  // Who asks again is answered both times; it cannot make more than one wait.
  const auto at = std::find_if(waiting.begin(), waiting.end(),
                               [&](const auto& other) { return other.node == e.node; });
  if (at == waiting.end()) {
    waiting.push_back(asked);
    return true;
  }
  const Heirship::Question before = std::exchange(*at, asked);
  table_.Tell(e.node, {e.key.id, before.number, before.generation, MoveAnswer::kRefused, kNoPeer},
              effects);
  return true;
}

// What waits for no later version is answered, all of it if the heir is none any more. `*heirship`
// holds over it: no heirship begins or ends here.
void HeirSteps::LetGo(RecordIndex index, Heirship* heirship, Effects* effects) {
  const ObjectRecord& record = table_.slabs_.At(index);
  const bool all = heirship->ending || !record.in_scope();
  const uint64_t kept = heirship->kept;
  const auto take = [&](auto* waiting) {
    const auto is_due = [&](const auto& one) { return all || one.version <= kept; };
    std::decay_t<decltype(*waiting)> due;
    for (const auto& one : *waiting) {
      if (is_due(one)) due.push_back(one);
    }
    waiting->erase(std::remove_if(waiting->begin(), waiting->end(), is_due), waiting->end());
    return due;
  };
  TransferSteps transfers(&table_);
  for (const Heirship::Registration& one : take(&heirship->registrations)) {
    const RegisterAnswer answer = record.in_scope() ? RegisterAnswer::kOk : RegisterAnswer::kGone;
    transfers.Answer(one.borrower, SharingKind::kRegisterAck, record.id(),
                     record.in_scope() ? transfers.TermOf(record) : kFirstTerm,
                     static_cast<uint8_t>(answer), effects, one.number);
  }
  const ObjectId object = record.id();
  for (const Heirship::Question& one : take(&heirship->questions)) {
    event::MovePrimary again{
        {object, object.Hash()}, one.node, one.generation, one.number, one.from, one.term};
    again.has_waited = true;
    (void)table_.Step(again, effects);
  }
}

bool HeirSteps::PullShadows(PeerIndex peer, uint32_t* items_max, const NodeNames& names, Time now,
                            PayloadWriter* writer) {
  if (!Any(table_)) return true;
  TransferSteps transfers(&table_);
  while (const HolderIndex::Holder* first = heirs()->to_send.FirstOfPeer(peer)) {
    const RecordIndex index = first->record;
    const ObjectRecord& record = table_.slabs_.At(index);
    const uint32_t term = transfers.TermOf(record) + 1;
    Heirship& heirship = *Find(index);
    if (heirship.handed != nullptr) {
      if (!TransferSteps::PullContained(record.id(), term, heirship.handed.get(), items_max, names,
                                        writer)) {
        return false;
      }
      heirship.handed.reset();
    }
    if (*items_max == 0) return false;
    OwnedSnapshot snapshot;
    const std::vector<PeerIndex>* const list = ListOf(index);
    const bool listed = list != nullptr && !IsMutant(Mutant::kNextHeirsNotPassedOn);
    if (listed) snapshot.heirs = *list;
    if (transfers.TakeSnapshot(record, names, /*membership=*/nullptr, /*task=*/nullptr,
                               &snapshot)) {
      ShadowItem item{heirship.changes,
                      TransferSteps::ItemOf(record.id(), term, snapshot, peer, names, now)};
      for (const PeerIndex next : snapshot.heirs) {
        item.snapshot.heirs.push_back(names.ProcessAt(next));
      }
      if (!writer->Add(item)) return false;
      heirship.sent = heirship.changes;
    } else {
      heirship.overgrown = true;
      heirs()->overgrown.push_back(record.id());
    }
    (void)heirs()->to_send.Remove(index, peer, 0);
    --*items_max;
  }
  return true;
}

}  // namespace freehold::core
