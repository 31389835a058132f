// SharingSim: objects that are given away, and what the oracle knows of their owners.

#include <algorithm>

#include "src/core/object_table_transfer.h"
#include "tests/core/sharing_sim.h"

namespace freehold::core {

namespace {

const Former* FormerAt(ObjectTable* table, const ObjectId& object) {
  return TransferSteps(table).FindFormer(object);
}

}  // namespace

// --- What hosts do -------------------------------------------------------------------------------

void SharingSim::Transfer(PeerIndex p) {
  Process& process = processes_[p];
  std::vector<uint32_t> owned;
  for (const uint32_t object : process.owned) owned.push_back(object);
  if (owned.empty()) return;
  const uint32_t object = owned[Draw(owned.size())];
  const std::set<PeerIndex>& owners = objects_[object].owners;
  auto to = static_cast<PeerIndex>(Draw(processes_.size()));
  if (Draw(4) == 0) to = *std::next(owners.begin(), static_cast<int64_t>(Draw(owners.size())));
  for (int tries = 0; tries < 2 && process.fenced.count(to) > 0; ++tries) {
    to = static_cast<PeerIndex>(Draw(processes_.size()));
  }
  if (to == p) return;
  std::set<PeerIndex> listed;
  for (PeerIndex q = 0; q < processes_.size(); ++q) {
    if (Lists(p, object, q)) listed.insert(q);
  }
  const NumberedProcesses names;
  Effects effects;
  Immovable why = Immovable::kNo;
  const Verdict verdict = TransferSteps(process.table.get())
                              .Step(event::Transfer{KeyOf(object), to, &names}, &effects, &why);
  ++coverage_->verdicts[static_cast<int>(verdict)];
  Trace(Name("p", p) + " transfer " + Name("o", object) + Name(" to p", to) + ": " +
        VerdictName(verdict) + (why == Immovable::kNo ? "" : ImmovableName(why)));
  coverage_->immovable += why == Immovable::kMoving ? 1 : 0;
  if (verdict == Verdict::kOk) {
    ++coverage_->transfers;
    coverage_->second_transfers += owners.size() > 1 ? 1 : 0;
    coverage_->returns += owners.count(to) > 0 ? 1 : 0;
    process.given[object] = std::move(listed);
  }
  After(p, &effects);
  if (verdict != Verdict::kOk) return;
  if (process.handles.count(object) > 0 && Draw(2) == 0) Drop(p, object);
  if (Draw(25) == 0) Crash(p);
  if (Draw(25) == 0) Crash(to);
}

// --- What the oracle knows -----------------------------------------------------------------------

const ObjectRecord* SharingSim::OwnedAt(PeerIndex p, uint32_t number) const {
  const ObjectRecord* record = processes_[p].table->Find(KeyOf(number));
  return record != nullptr && record->in_scope() && !record->borrowed ? record : nullptr;
}

// Nobody takes it back from there.
bool SharingSim::IsSettledAt(PeerIndex p, uint32_t number) const {
  const Sharing* sharing = processes_[p].table->sharing();
  const ObjectRecord* record = OwnedAt(p, number);
  if (record == nullptr || sharing == nullptr || sharing->transfers == nullptr) return true;
  const auto tenure = sharing->transfers->tenures.find(RecordSlabs::IndexOf(*record));
  return tenure == sharing->transfers->tenures.end() || tenure->second.from == kNoPeer ||
         processes_[p].fenced.count(tenure->second.from) > 0;
}

PeerIndex SharingSim::TrustedOwnerOf(uint32_t number) const {
  for (PeerIndex q = 0; q < processes_.size(); ++q) {
    if (trusted(processes_[q]) && OwnedAt(q, number) != nullptr) return q;
  }
  return kNoPeer;
}

bool SharingSim::AllOwnersTrusted(const Object& object) const {
  return std::all_of(object.owners.begin(), object.owners.end(),
                     [&](PeerIndex p) { return trusted(processes_[p]); });
}

bool SharingSim::AnyOwnerExcluded(const Object& object) const {
  return std::any_of(object.owners.begin(), object.owners.end(),
                     [&](PeerIndex p) { return processes_[p].excluded; });
}

bool SharingSim::Lists(PeerIndex owner, uint32_t number, PeerIndex borrower) const {
  const Sharing* sharing = processes_[owner].table->sharing();
  const ObjectRecord* record = OwnedAt(owner, number);
  return sharing != nullptr && record != nullptr &&
         sharing->borrowers.Contains(RecordSlabs::IndexOf(*record), borrower, 0);
}

// Whether the reference of `q` may outlive the object: it has failed, or it is one of an owner that
// was excluded before it had told everybody, and whose barrier the one who took the object back has
// waited for.
bool SharingSim::MayEndUnder(const ObjectRecord* record, PeerIndex q, PeerIndex ended_at) const {
  if (record == nullptr || !record->borrowed) return false;
  const Borrow& borrow = processes_[q].table->BorrowOf(*record);
  return borrow.failed() || processes_[ended_at].closed.count(borrow.owner) > 0;
}

void SharingSim::NoteListed(PeerIndex p) {
  Process& process = processes_[p];
  process.listed_at_view.clear();
  for (uint32_t number = 0; moves_ && number < objects_.size(); ++number) {
    for (PeerIndex q = 0; q < processes_.size(); ++q) {
      if (Lists(p, number, q)) process.listed_at_view.insert({number, q});
    }
  }
}

uint32_t SharingSim::NumberOf(const ObjectId& object) const {
  for (uint32_t number = 0; number < objects_.size(); ++number) {
    if (objects_[number].id == object) return number;
  }
  return 0;
}

std::vector<uint32_t> SharingSim::UnsettledWith(PeerIndex p, PeerIndex next_owner) const {
  std::vector<uint32_t> unsettled;
  for (uint32_t number = 0; moves_ && number < objects_.size(); ++number) {
    const Former* former = FormerAt(processes_[p].table.get(), objects_[number].id);
    if (former != nullptr && !former->settled() && former->next_owner == next_owner) {
      unsettled.push_back(number);
    }
  }
  return unsettled;
}

void SharingSim::Begins(PeerIndex p, uint32_t number) {
  Object& object = objects_[number];
  object.owners.insert(p);
  if (!trusted(processes_[p])) return;
  for (PeerIndex q = 0; q < processes_.size(); ++q) {
    if (q != p && trusted(processes_[q]) && OwnedAt(q, number) != nullptr) {
      Fail(Name("o", number) + Name(" is owned by p", p) + Name(" and p", q));
    }
  }
  if (object.ended && trusted(processes_[object.ended_at])) {
    Fail(Name("o", number) + Name(" begins again at p", p));
  }
}

void SharingSim::Ends(PeerIndex p, uint32_t number) {
  Trace(Name("o", number) + Name(" ends at p", p));
  if (!trusted(processes_[p])) return;
  objects_[number].ended = true;
  objects_[number].ended_at = p;
  Judge();
}

// Those whom `p` listed when it gave the object away it lists again, unless the object has ended.
void SharingSim::TakenBack(PeerIndex p, uint32_t number) {
  Trace(Name("p", p) + " has taken back " + Name("o", number));
  if (OwnedAt(p, number) == nullptr) {
    Ends(p, number);
    return;
  }
  for (const PeerIndex q : processes_[p].given[number]) {
    if (processes_[p].closed.count(q) == 0 && !Lists(p, number, q)) {
      Fail(Name("o", number) + Name(" is taken back by p", p) + Name(" without p", q));
    }
  }
}

// What nobody has taken away from those who are trusted is owned by one of them, or held by none.
void SharingSim::CheckOwned() {
  for (uint32_t number = 0; moves_ && number < objects_.size(); ++number) {
    const Object& object = objects_[number];
    if (object.forged || !AllOwnersTrusted(object) || TrustedOwnerOf(number) != kNoPeer) continue;
    PeerIndex holder = kNoPeer;
    bool moves = false;
    for (PeerIndex q = 0; q < processes_.size(); ++q) {
      const ObjectRecord* record = processes_[q].table->Find(KeyOf(number));
      if (!trusted(processes_[q]) || record == nullptr || !record->in_scope()) continue;
      const Borrow& borrow = processes_[q].table->BorrowOf(*record);
      if (borrow.failed()) continue;
      holder = q;
      moves = moves || borrow.stage == BorrowStage::kMoving;
    }
    if (holder != kNoPeer && !moves) {
      Fail(Name("nobody owns o", number) + Name(", which is held at p", holder));
    }
  }
}

void SharingSim::CheckNoTransferLeft(PeerIndex p) {
  const Transfers* left = processes_[p].table->sharing()->transfers.get();
  if (left == nullptr) return;
  for (uint32_t number = 0; number < objects_.size(); ++number) {
    const Former* former = FormerAt(processes_[p].table.get(), objects_[number].id);
    if (former == nullptr) continue;
    Fail(Name("o", number) + Name(" was given away, and is known for ever at p", p) + ": " +
         FormerStageName(former->stage));
  }
  if (left->heirs != nullptr &&
      left->heirs->all.size() + left->heirs->to_send.size() + left->heirs->next.size() > 0) {
    Fail(Name("heirs are left at p", p));
  }
  if (!left->tenures.empty() || left->previous.size() > 0 || left->awaited.size() > 0) {
    Fail(Name("tenures are left at p", p));
  }
  if (left->to_tell.size() + left->telling.size() + left->moved_news.size() > 0 ||
      left->untold_before + left->untold_since > 0) {
    Fail(Name("somebody is not told at p", p));
  }
}

}  // namespace freehold::core
