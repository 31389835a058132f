// SharingSim: faults, the membership, the oracle, and the end of a world.

#include <algorithm>

#include "tests/core/sharing_sim.h"

namespace freehold::core {

// --- Faults and the membership -------------------------------------------------------------------

void SharingSim::Crash(PeerIndex p) {
  const auto trusted_ones = std::count_if(processes_.begin(), processes_.end(),
                                          [&](const Process& q) { return trusted(q); });
  if (!live(processes_[p]) || trusted_ones <= 2) return;
  processes_[p].crashed = true;
  ++coverage_->crashes;
  Trace("crash " + Name("p", p));
}

// Crashed processes are excluded sooner or later; now and then one that lives.
void SharingSim::Exclude() {
  std::vector<PeerIndex> excluded;
  for (PeerIndex p = 0; p < processes_.size(); ++p) {
    if (processes_[p].crashed && !processes_[p].excluded) excluded.push_back(p);
  }
  if (excluded.empty() && faults_ && Draw(6) == 0) {
    const auto trusted_ones = std::count_if(processes_.begin(), processes_.end(),
                                            [&](const Process& q) { return trusted(q); });
    const PeerIndex p = PickLive();
    if (p == kNoPeer || processes_[p].excluded || trusted_ones <= 2) return;
    excluded.push_back(p);
    ++coverage_->false_exclusions;
  }
  if (excluded.empty()) return;
  ++latest_view_;
  for (const PeerIndex p : excluded) {
    processes_[p].excluded = true;
    NoteSurvivors(p);
    Trace(Name("view ", latest_view_) + Name(" excludes p", p));
  }
  stream_.push_back({latest_view_, false, std::move(excluded)});
}

void SharingSim::MaybeAnnounceBarrier() {
  if (latest_barrier_ == latest_view_) return;
  for (const Process& process : processes_) {
    if (!process.excluded && process.flushed < latest_view_) return;
  }
  latest_barrier_ = latest_view_;
  ++coverage_->barriers;
  Trace(Name("barrier ", latest_barrier_));
  stream_.push_back({latest_barrier_, true, {}});
}

// The process takes the next event of the membership.
void SharingSim::See(PeerIndex p) {
  Process& process = processes_[p];
  if (!live(process) || process.events_seen == stream_.size()) return;
  const Announcement& news = stream_[process.events_seen++];
  Trace(Name("p", p) +
        (news.barrier ? Name(" sees barrier ", news.view) : Name(" sees view ", news.view)));
  Effects effects;
  if (!news.barrier) {
    for (const PeerIndex excluded : news.excluded) {
      if (excluded == p) {
        process.stopped = true;
        PeerIndex owner = 0;
        while (process.table->FailBorrows(1 + static_cast<uint32_t>(Draw(2)), &owner, &effects)) {
        }
        if (options_.check_tables) process.table->CheckInvariants();
        return;
      }
      process.fenced.insert(excluded);
      const std::vector<uint32_t> unsettled = UnsettledWith(p, excluded);
      while (process.table->FenceProcess(excluded, 1 + static_cast<uint32_t>(Draw(2)), &effects)) {
      }
      for (const uint32_t object : unsettled) TakenBack(p, object);
    }
    process.view_seen = news.view;
    NoteListed(p);
  } else {
    for (size_t i = 0; i < process.events_seen; ++i) {
      for (const PeerIndex closed : stream_[i].excluded) {
        if (!process.closed.insert(closed).second) continue;
        while (process.table->CloseProcess(closed, 1 + static_cast<uint32_t>(Draw(2)), &effects)) {
        }
      }
    }
  }
  After(p, &effects);
}

// --- Judgement -----------------------------------------------------------------------------------

// What follows a step: contained objects are let go of, and the world is looked at.
void SharingSim::After(PeerIndex p, Effects* effects) {
  Process& process = processes_[p];
  NoteNextHeirs(p, *effects);
  std::vector<InnerRef> inners = effects->TakeInners();
  while (!inners.empty()) {
    const InnerRef inner = inners.back();
    inners.pop_back();
    Effects further;
    (void)process.table->Step(event::DropNestedHold{inner.record}, &further);
    NoteNextHeirs(p, further);
    for (const InnerRef& next : further.TakeInners()) inners.push_back(next);
  }
  if (options_.check_tables) process.table->CheckInvariants();
  if (process.table->flush_waiting() == 0) {
    process.flushed = process.view_seen;
  } else {
    ++coverage_->flushes_waited;
  }
  CheckHeld(p);
}

void SharingSim::CheckHeld(PeerIndex p) {
  for (uint32_t number = 0; number < objects_.size(); ++number) {
    Process& process = processes_[p];
    const ObjectRecord* record = process.table->Find(KeyOf(number));
    if (options_.heirs) CheckSurvivor(p, number);
    if (OwnedAt(p, number) != nullptr) {
      if (process.owned.insert(number).second) Begins(p, number);
    } else if (process.owned.erase(number) > 0 && (record == nullptr || !record->in_scope())) {
      Ends(p, number);
    }
    if (record != nullptr && record->state() == ObjectState::kFailed &&
        process.failed.insert(number).second) {
      CheckFailed(p, number, *record);
    }
  }
}

void SharingSim::CheckFailed(PeerIndex p, uint32_t number, const ObjectRecord& record) {
  const Object& object = objects_[number];
  const Borrow& borrow = processes_[p].table->BorrowOf(record);
  const PeerIndex owner = trusted(processes_[p]) ? TrustedOwnerOf(number) : kNoPeer;
  Trace(Name("o", number) + Name(" fails at p", p) + ": " + BorrowStageName(borrow.stage));
  if (borrow.stage == BorrowStage::kGone) {
    if (object.forged || !trusted(processes_[p])) return;
    // What had ended at an owner that has died since, an heir may have for a while.
    if (options_.heirs && object.ended && !AllOwnersTrusted(object)) return;
    if (owner != kNoPeer || AllOwnersTrusted(object)) {
      Fail(Name("o", number) + Name(" is gone under p", p));
    }
    return;
  }
  if (!AnyOwnerExcluded(object)) {
    Fail(Name("o", number) + Name(": the owner lives, says not p", p));
  }
  if (owner == kNoPeer) return;
  // Only who was not known to the owner that lives, when that saw the view, may lose what it owns.
  ++coverage_->failed_despite_owner;
  const bool listed = processes_[owner].listed_at_view.count({number, p}) > 0;
  if (!processes_[borrow.owner].excluded || (listed && Lists(owner, number, p))) {
    Fail(Name("o", number) + Name(" fails at p", p) + Name(" although it is listed at p", owner));
  }
}

// S1 and S4: what has ended at an owner that is trusted is held by nobody who is.
void SharingSim::Judge() {
  for (uint32_t number = 0; number < objects_.size(); ++number) {
    const Object& object = objects_[number];
    if (!object.ended || object.forged || !trusted(processes_[object.ended_at])) continue;
    for (PeerIndex q = 0; q < processes_.size(); ++q) {
      if (q == object.ended_at || !trusted(processes_[q])) continue;
      const ObjectRecord* record = processes_[q].table->Find(KeyOf(number));
      if (record != nullptr && record->in_scope() && !MayEndUnder(record, q, object.ended_at)) {
        Fail(Name("o", number) + Name(" ends while it is held at p", q));
      }
    }
    for (const InFlight& token : tokens_) {
      if (token.object != number || token.deliveries > 0 || token.cancelled ||
          !trusted(processes_[token.sender]) || !trusted(processes_[token.receiver])) {
        continue;
      }
      const ObjectRecord* record = processes_[token.sender].table->Find(KeyOf(number));
      if (!MayEndUnder(record, token.sender, object.ended_at)) {
        Fail(Name("o", number) + Name(" ends while a token is on its way to p", token.receiver));
      }
    }
  }
}

// For whoever looks at a violation.
std::string SharingSim::Held(PeerIndex p, const ObjectRecord& record) const {
  std::string text = Name("at p", p) + (record.borrowed ? " as a borrow" : " as its own");
  if (!record.in_scope()) text += ", out of scope";
  if (record.has_handles) text += ", handles";
  if (record.nested_in > 0) text += ", nested";
  if (record.has_pins) text += ", pins";
  if (record.borrowed) {
    const Borrow& borrow = processes_[p].table->BorrowOf(record);
    text += Name(": of p", borrow.owner) + Name(" in term ", borrow.term) + ", " +
            BorrowStageName(borrow.stage);
  }
  if (!record.has_borrowers) return text;
  processes_[p].table->sharing()->borrowers.ForEachOf(RecordSlabs::IndexOf(record),
                                                      [&](const HolderIndex::Holder& holder) {
                                                        text += Name(", lists p", holder.peer);
                                                        return true;
                                                      });
  return text;
}

// --- The end -------------------------------------------------------------------------------------

// All that is due; whether anything was.
bool SharingSim::Turn(PeerIndex p) {
  const size_t before = trace_.empty() ? 0 : step_;
  bool worked = false;
  while (live(processes_[p]) && !processes_[p].next_heirs.empty()) {
    NameNextHeir(p);
    worked = true;
  }
  while (live(processes_[p]) && processes_[p].events_seen < stream_.size()) {
    See(p);
    worked = true;
  }
  for (PeerIndex q = 0; q < processes_.size(); ++q) {
    while (!channels_[{q, p}].empty()) {
      ReceiveFrom(q, p);
      worked = true;
    }
    const size_t queued = channels_[{p, q}].size();
    Transmit(p, q);
    worked |= channels_[{p, q}].size() != queued;
  }
  step_ = std::max(step_, before);
  return worked;
}

void SharingSim::Finish() {
  CheckOwned();
  faults_ = false;
  Exclude();
  for (InFlight& token : tokens_) {
    Process& sender = processes_[token.sender];
    const bool pending = token.deliveries == 0 && !token.cancelled;
    if (!pending || !live(sender) || token.forged) continue;
    token.cancelled = true;
    Effects effects;
    (void)sender.table->Step(
        event::CancelHandoff{KeyOf(token.object), token.receiver, token.number}, &effects);
    After(token.sender, &effects);
  }
  for (PeerIndex p = 0; p < processes_.size(); ++p) {
    while (live(processes_[p]) && !processes_[p].handles.empty()) {
      Drop(p, processes_[p].handles.begin()->first);
      if (!violation_.empty()) return;
    }
  }
  for (int round = 0; round < 100 && violation_.empty(); ++round) {
    ++step_;
    bool worked = false;
    for (PeerIndex p = 0; p < processes_.size(); ++p) worked |= Turn(p);
    const uint64_t barrier = latest_barrier_;
    MaybeAnnounceBarrier();
    CheckOwned();
    if (!worked && barrier == latest_barrier_) break;
  }
  if (!violation_.empty()) return;
  if (latest_barrier_ != latest_view_) Fail("a barrier never comes");
  for (PeerIndex p = 0; p < processes_.size(); ++p) {
    const Process& process = processes_[p];
    if (!trusted(process)) continue;
    uint64_t records = 0;
    for (const uint64_t count : process.table->counters().by_state) records += count;
    for (uint32_t number = 0; records > 0 && number < objects_.size(); ++number) {
      const ObjectRecord* record = process.table->Find(KeyOf(number));
      if (record != nullptr) Trace(Name("o", number) + " is left " + Held(p, *record));
    }
    if (records > 0) Fail(Name("records are left at p", p));
    const Sharing* sharing = process.table->sharing();
    if (sharing == nullptr) continue;
    CheckNoTransferLeft(p);
    if (sharing->pins.size() + sharing->owed.size() + sharing->borrowers.size() > 0) {
      Fail(Name("pins, borrowers or debts are left at p", p));
    }
    if (sharing->outbox.size() > 0) Fail(Name("answers are left at p", p));
  }
}

}  // namespace freehold::core
