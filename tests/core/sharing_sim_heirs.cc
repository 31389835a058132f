// SharingSim: heirs, and what the oracle expects of them.

#include <algorithm>

#include "src/core/object_table_heirs.h"
#include "tests/core/sharing_sim.h"

namespace freehold::core {

// Names an heir of something that it owns; now and then what has one already loses it.
void SharingSim::NameHeir(PeerIndex p) {
  Process& process = processes_[p];
  std::vector<uint32_t> owned;
  for (const uint32_t object : process.owned) owned.push_back(object);
  if (owned.empty()) return;
  const uint32_t object = owned[Draw(owned.size())];
  if (HasHeir(p, object)) {
    const uint64_t what = Draw(6);
    if (what == 0) DismissHeir(p, object);
    if (what == 1) Crash(p);
    return;
  }
  std::vector<PeerIndex> list;
  for (uint64_t left = 1 + Draw(3); left > 0; --left) {
    const auto to = static_cast<PeerIndex>(Draw(processes_.size()));
    if (to != p && std::find(list.begin(), list.end(), to) == list.end()) list.push_back(to);
  }
  if (list.empty()) return;
  const PeerIndex to = list.front();
  const NumberedProcesses names;
  Effects effects;
  Immovable why = Immovable::kNo;
  event::NameHeir event{KeyOf(object), to, &names};
  event.then = absl::MakeConstSpan(list).subspan(1);
  const Verdict verdict = HeirSteps(process.table.get()).Step(event, &effects, &why);
  ++coverage_->verdicts[static_cast<int>(verdict)];
  Trace(Name("p", p) + Name(" names p", to) + " heir of " + Name("o", object) + ": " +
        VerdictName(verdict));
  coverage_->heirs_named += verdict == Verdict::kOk ? 1 : 0;
  After(p, &effects);
  if (Draw(25) == 0) Crash(p);
  if (Draw(50) == 0) Crash(to);
}

void SharingSim::NoteNextHeirs(PeerIndex p, const Effects& effects) {
  if (effects.rare == nullptr) return;
  for (const HeirNotice& notice : effects.rare->heirs) {
    const bool leaves = notice.outcome == HeirOutcome::kLeaving;
    if (notice.next == kNoPeer || leaves) continue;
    processes_[p].next_heirs.emplace_back(NumberOf(notice.object), notice.next);
    coverage_->lists_inherited += notice.outcome == HeirOutcome::kVacant ? 1 : 0;
  }
}

// The runtime's work, which others are quicker with now and then.
void SharingSim::NameNextHeir(PeerIndex p) {
  Process& process = processes_[p];
  const auto [object, heir] = process.next_heirs.front();
  process.next_heirs.pop_front();
  const NumberedProcesses names;
  Effects effects;
  Immovable why = Immovable::kNo;
  event::NameHeir event{KeyOf(object), heir, &names};
  event.goes_on = true;
  const Verdict verdict = HeirSteps(process.table.get()).Step(event, &effects, &why);
  ++coverage_->verdicts[static_cast<int>(verdict)];
  Trace(Name("p", p) + Name(" goes on with p", heir) + Name(" as heir of o", object) + ": " +
        VerdictName(verdict));
  coverage_->next_heirs += verdict == Verdict::kOk ? 1 : 0;
  if (verdict == Verdict::kPeerExcluded) {
    (void)HeirSteps(process.table.get()).Step(event::PassOver{KeyOf(object), heir}, &effects);
  } else if (verdict != Verdict::kOk && verdict != Verdict::kUnchanged &&
             why != Immovable::kMoving) {
    (void)HeirSteps(process.table.get()).Step(event::DismissHeir{KeyOf(object)}, &effects);
  }
  After(p, &effects);
}

void SharingSim::DismissHeir(PeerIndex p, uint32_t object) {
  Effects effects;
  const Verdict verdict =
      HeirSteps(processes_[p].table.get()).Step(event::DismissHeir{KeyOf(object)}, &effects);
  ++coverage_->verdicts[static_cast<int>(verdict)];
  Trace(Name("p", p) + " dismisses the heir of " + Name("o", object) + ": " + VerdictName(verdict));
  // One that is excluded and does not know it.
  for (PeerIndex q = 0; q < processes_.size(); ++q) {
    const auto at = survivors_.find({object, q});
    if (at != survivors_.end() && at->second.first == p) survivors_.erase(at);
  }
  After(p, &effects);
  if (Draw(25) == 0) Crash(p);
}

bool SharingSim::HasHeir(PeerIndex p, uint32_t object) const {
  const ObjectRecord* record = OwnedAt(p, object);
  return record != nullptr && HeirSteps::Has(*processes_[p].table, *record);
}

// The runtime's next step; another process may be quicker.
void SharingSim::NoteExported(PeerIndex p, uint32_t object) {
  if (Draw(4) == 0) return;
  Effects effects;
  (void)HeirSteps(processes_[p].table.get()).Step(event::Exported{KeyOf(object)}, &effects);
  After(p, &effects);
}

// Whoever had a good reference when a prepared heir's owner is excluded has it from the heir.
void SharingSim::NoteSurvivors(PeerIndex excluded) {
  const Sharing* sharing = processes_[excluded].table->sharing();
  if (!options_.heirs || sharing == nullptr || sharing->transfers == nullptr) return;
  const Heirs* heirs = sharing->transfers->heirs.get();
  for (uint32_t number = 0; heirs != nullptr && number < objects_.size(); ++number) {
    const ObjectRecord* owned = OwnedAt(excluded, number);
    if (owned == nullptr) continue;
    const auto at = heirs->of.find(RecordSlabs::IndexOf(*owned));
    if (at == heirs->of.end() || !at->second.prepared() || at->second.ending) continue;
    for (PeerIndex q = 0; q < processes_.size(); ++q) {
      const ObjectRecord* record = processes_[q].table->Find(KeyOf(number));
      if (!trusted(processes_[q]) || record == nullptr || !record->in_scope()) continue;
      if (!record->borrowed) continue;
      const Borrow& borrow = processes_[q].table->BorrowOf(*record);
      if (borrow.owner != excluded || !borrow.confirmed()) continue;
      survivors_[{number, q}] = {excluded, at->second.heir};
      ++coverage_->survivors;
    }
  }
}

void SharingSim::CheckSurvivor(PeerIndex p, uint32_t number) {
  const auto at = survivors_.find({number, p});
  if (at == survivors_.end()) return;
  const auto [owner, heir] = at->second;
  const ObjectRecord* record = processes_[p].table->Find(KeyOf(number));
  const bool borrows = record != nullptr && record->borrowed && record->in_scope();
  const bool failed = borrows && processes_[p].table->BorrowOf(*record).failed();
  if (failed && trusted(processes_[p]) && trusted(processes_[heir])) {
    Fail(Name("o", number) + Name(" fails at p", p) + Name(" although its heir lives at p", heir));
  }
  // It has let go of it, or knows the heir.
  const bool waits = borrows && !failed && processes_[p].table->BorrowOf(*record).owner == owner;
  if (!waits) survivors_.erase(at);
}

}  // namespace freehold::core
