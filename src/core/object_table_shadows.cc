// Heirs: the side of whoever is one, and keeps what the owner tells it; who comes after one that is
// lost, which the two know; and what exclusions ask of both.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table_heirs.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

ShadowAnswer HeirSteps::AnswerOf(const event::Shadow& e) const {
  const FormerIndex& formers = table_.sharing_->transfers->formers;
  const ObjectRecord* record = table_.FindMutable(e.key);
  const Former* former = formers.Find(e.key.id);
  const uint32_t term = e.term - 1;  // the owner's
  // What it has promised it keeps to, whatever it takes besides.
  const bool same = former != nullptr && former->next_owner == e.from && former->term == term;
  if (same && former->is_heir()) return ShadowAnswer::kKept;
  if (e.refusal != ShadowAnswer::kKept) return e.refusal;
  if (record != nullptr && !record->borrowed) return ShadowAnswer::kExists;
  if (record != nullptr) {
    const Borrow& borrow = table_.BorrowOf(*record);
    const bool by_another = borrow.term == term && borrow.owner != e.from;
    if (borrow.term > term || by_another) return ShadowAnswer::kExists;
  }
  // It gives the object away itself, or knows another owner of that term or a later one.
  if (former != nullptr && !same && (!former->settled() || former->term >= term)) {
    return ShadowAnswer::kExists;
  }
  return former != nullptr && !former->settled() ? ShadowAnswer::kExists : ShadowAnswer::kKept;
}

Verdict HeirSteps::Step(event::Shadow e, Effects* effects) {
  TransferSteps transfers(&table_);
  if (table_.fences_.IsFenced(e.from)) {
    TransferSteps::LetGoOfContained(e.snapshot.get(), effects);
    return Verdict::kPeerExcluded;
  }
  FormerIndex& formers = transfers.Share().formers;
  ShadowAnswer answer = AnswerOf(e);
  if (answer == ShadowAnswer::kKept) {
    Former* former = formers.Find(e.key.id);
    if (former == nullptr) former = formers.Add(e.key.id, e.from, e.term - 1);
    if (former == nullptr) {
      answer = ShadowAnswer::kFull;
    } else {
      // What the object contains has come with the first; with a later one nothing comes.
      const bool again = former->is_heir() && former->next_owner == e.from;
      if (again) std::swap(former->snapshot->contained, e.snapshot->contained);
      TransferSteps::LetGoOfContained(former->snapshot.get(), effects);
      formers.BecomeHeir(former, e.from, e.term - 1, std::move(e.snapshot));
    }
  }
  TransferSteps::LetGoOfContained(e.snapshot.get(), effects);  // of what is not taken
  transfers.Answer(e.from, SharingKind::kShadowAck, e.key.id, e.term, static_cast<uint8_t>(answer),
                   effects, e.version);
  switch (answer) {
    case ShadowAnswer::kKept:
      return Verdict::kOk;
    case ShadowAnswer::kExists:
      return Verdict::kAlreadyExists;
    case ShadowAnswer::kFull:
      return Verdict::kTableFull;
    case ShadowAnswer::kRefused:
    case ShadowAnswer::kDraining:
    case ShadowAnswer::kEnded:
      break;
  }
  return Verdict::kRefused;
}

// Until it is dismissed it keeps to what it has promised.
bool HeirSteps::GiveUp(uint32_t items_max, uint32_t* resume, Effects* effects) {
  if (!TransferSteps::Any(table_)) return false;
  TransferSteps transfers(&table_);
  const auto ask = [&](const Former& former) {
    if (former.snapshot->contained == nullptr) return;
    transfers.Answer(former.next_owner, SharingKind::kShadowAck, former.object, former.term + 1,
                     static_cast<uint8_t>(ShadowAnswer::kDraining), effects);
  };
  return table_.sharing_->transfers->formers.VisitHeirs(items_max, resume, ask);
}

// Who has owned it before goes on answering for it.
Verdict HeirSteps::Step(const event::ShadowEnded& e, Effects* effects) {
  if (table_.fences_.IsFenced(e.from)) return Verdict::kPeerExcluded;
  TransferSteps transfers(&table_);
  FormerIndex& formers = transfers.Share().formers;
  Former* const former = formers.Find(e.key.id);
  const bool is_heir = former != nullptr && former->is_heir() && former->next_owner == e.from &&
                       former->term + 1 == e.term;
  if (is_heir && former->term == kFirstTerm) {
    transfers.Forget(former, effects);
  } else if (is_heir) {
    TransferSteps::LetGoOfContained(former->snapshot.get(), effects);
    formers.SetStage(former, FormerStage::kSettled);
  }
  transfers.Answer(e.from, SharingKind::kShadowAck, e.key.id, e.term,
                   static_cast<uint8_t>(ShadowAnswer::kEnded), effects);
  return is_heir ? Verdict::kOk : Verdict::kUnchanged;
}

// --- Who comes next ------------------------------------------------------------------------------

// Null: nobody does.
std::vector<PeerIndex>* HeirSteps::ListOf(RecordIndex index) const {
  if (!Any(table_)) return nullptr;
  const auto at = heirs()->next.find(index);
  return at == heirs()->next.end() ? nullptr : &at->second;
}

// Once that one is named.
std::vector<PeerIndex> HeirSteps::ListAfter(RecordIndex index, const event::NameHeir& e) const {
  if (!e.goes_on) return {e.then.begin(), e.then.end()};
  const std::vector<PeerIndex>& list = *ListOf(index);
  return {list.begin() + 1, list.end()};
}

// The first is taken out. Who is it then; kNoPeer: nobody is left.
PeerIndex HeirSteps::DropFirst(RecordIndex index) {
  std::vector<PeerIndex>* const list = ListOf(index);
  list->erase(list->begin());
  if (list->empty()) heirs()->next.erase(index);
  return FirstLiving(index);
}

// Whoever was excluded meanwhile is passed over.
PeerIndex HeirSteps::FirstLiving(RecordIndex index) {
  const std::vector<PeerIndex>* const list = ListOf(index);
  if (list == nullptr) return kNoPeer;
  return table_.fences_.IsFenced(list->front()) ? DropFirst(index) : list->front();
}

// The host, or the object's end, may have been quicker.
bool HeirSteps::IsNext(const Key& key, PeerIndex heir) const {
  const ObjectRecord* const record = table_.FindMutable(key);
  if (record == nullptr || record->borrowed) return false;
  const RecordIndex index = table_.IndexOf(*record);
  const std::vector<PeerIndex>* const list = ListOf(index);
  return list != nullptr && list->front() == heir && Find(index) == nullptr;
}

Verdict HeirSteps::Step(const event::NameHeir& e, Effects* effects, Immovable* why) {
  *why = Immovable::kNo;
  if (e.goes_on && !IsNext(e.key, e.heir)) return Verdict::kUnchanged;
  return Name(e, effects, why);
}

Verdict HeirSteps::Step(const event::PassOver& e, Effects* effects) {
  if (!IsNext(e.key, e.heir)) return Verdict::kUnchanged;
  const PeerIndex next = DropFirst(table_.IndexOf(*table_.FindMutable(e.key)));
  Notify({e.key.id, e.heir, HeirOutcome::kHeirDied, next, true}, effects);
  return Verdict::kOk;
}

bool HeirSteps::EndList(RecordIndex index, HeirOutcome outcome, Effects* effects) {
  if (!Any(table_) || heirs()->next.erase(index) == 0) return false;
  if (Find(index) == nullptr) {
    Notify({table_.slabs_.At(index).id(), kNoPeer, outcome, kNoPeer, true}, effects);
  }
  return true;
}

void HeirSteps::Inherit(RecordIndex index, std::vector<PeerIndex> list, Effects* effects) {
  if (list.empty()) return;
  Transfers& all = TransferSteps(&table_).Share();
  if (all.heirs == nullptr) all.heirs = std::make_unique<Heirs>();
  all.heirs->next[index] = std::move(list);
  MayGoOn(index, effects);
}

bool HeirSteps::IsMoving(RecordIndex index) const {
  // Whoever registers with it, and has heard of an owner that died, is told first.
  if (TransferSteps::Any(table_) && table_.sharing_->transfers->awaited.FirstOf(index) != nullptr) {
    return true;
  }
  // Whoever may still take it back would own it in the heir's term.
  return !TransferSteps(&table_).IsSettled(index);
}

void HeirSteps::MayGoOn(RecordIndex index, Effects* effects) {
  const std::vector<PeerIndex>* const list = ListOf(index);
  if (list == nullptr || Find(index) != nullptr || IsMoving(index)) return;
  const ObjectId& object = table_.slabs_.At(index).id();
  Notify({object, kNoPeer, HeirOutcome::kVacant, list->front(), true}, effects);
}

// --- Both ----------------------------------------------------------------------------------------

bool HeirSteps::Fence(PeerIndex peer, uint32_t* items_max, Effects* effects) {
  while (const HolderIndex::Holder* first =
             Any(table_) ? heirs()->all.FirstOfPeer(peer) : nullptr) {
    if (*items_max == 0) return true;
    --*items_max;
    EndWith(first->record, HeirOutcome::kHeirDied, effects);
  }
  FormerIndex& formers = table_.sharing_->transfers->formers;
  while (Former* const former = formers.FirstHeir(peer)) {
    if (IsMutant(Mutant::kNothingInherited)) break;
    if (*items_max == 0) return true;
    --*items_max;
    const Key key{former->object, former->object.Hash()};
    const ObjectRecord* record = table_.FindMutable(key);
    // Its owner has said that it is gone, and died before it had told the heir.
    const bool gone = record != nullptr && record->borrowed &&
                      table_.BorrowOf(*record).owner == peer &&
                      table_.BorrowOf(*record).stage == BorrowStage::kGone;
    if (gone) {
      TransferSteps(&table_).Forget(former, effects);
    } else {
      TransferSteps(&table_).TakeBack(former, /*next_died=*/true, effects);
    }
  }
  return false;
}

void HeirSteps::CheckInvariants() const {
  if (!Any(table_)) return;
  heirs()->all.CheckInvariants();
  heirs()->to_send.CheckInvariants();
  FREEHOLD_CHECK(heirs()->of.size() == heirs()->all.size());
  for (const auto& [index, list] : heirs()->next) {
    const ObjectRecord& record = table_.slabs_.At(index);
    FREEHOLD_CHECK(record.in_use && !record.borrowed && TransferSteps(&table_).HasTenure(index));
    FREEHOLD_CHECK(!list.empty() && list.size() <= kNextHeirsMax);
  }
  for (const auto& [index, heirship] : heirs()->of) {
    const ObjectRecord& record = table_.slabs_.At(index);
    FREEHOLD_CHECK(record.in_use && !record.borrowed && TransferSteps(&table_).HasTenure(index));
    FREEHOLD_CHECK(heirs()->all.Contains(index, heirship.heir, 0));
    FREEHOLD_CHECK(heirship.kept <= heirship.sent && heirship.sent <= heirship.changes);
    FREEHOLD_CHECK(heirship.handed == nullptr || heirship.sent == 0);
    const bool to_send = heirs()->to_send.Contains(index, heirship.heir, 0);
    FREEHOLD_CHECK(!to_send || (heirship.takes_more() && heirship.sent == heirship.kept));
    const bool waits = !heirship.registrations.empty() || !heirship.questions.empty();
    // Whatever waits, waits for something that comes.
    FREEHOLD_CHECK(
        !waits || heirship.overgrown ||
        (!heirship.ending && record.in_scope() && (to_send || heirship.sent > heirship.kept)));
    FREEHOLD_CHECK(heirship.files.empty() || heirship.overgrown || heirship.ending ||
                   (record.in_scope() && (to_send || heirship.sent > heirship.kept)));
  }
}

}  // namespace freehold::core
