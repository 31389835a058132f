// CopyTable: an object moves to another owner (PROTOCOL, step 11), seen from a node with copies.
//
// A copy that was not freed goes along, and its new owner hears of it, whatever the old one was
// told. One that was freed ends for the owner that freed it. So does what an earlier life of a key
// owes its owner: it is taken off the record and waits as an answer without one.

#include "src/base/check.h"
#include "src/core/copy_table.h"

namespace freehold::core {

bool CopyTable::IsUnfreed(const CopyRecord& copy) {
  return copy.state == CopyState::kHeld || copy.state == CopyState::kFetching;
}

// A word about the copy from one who is not its owner. Of an object that has moved, it may have
// been one when it sent that: nobody's mistake.
CopyVerdict CopyTable::RefuseStranger(const CopyRecord& copy) {
  return copy.term > kFirstTerm ? CopyVerdict::kNoChange : CopyVerdict::kRefused;
}

// Whether the sender of a Free, which is not the copy's owner, may have its reasons and waits for a
// result: it was the owner until the object moved, or it is the next one, of which nobody has told
// this node. Nothing of either is here.
bool CopyTable::MayConcernAnother(const CopyRecord& copy, const copy_event::Free& event) {
  return copy.term > kFirstTerm || event.term > copy.term;
}

// Whether the event may change anything here, and does.
CopyVerdict CopyTable::CheckMoved(const copy_event::Moved& event) const {
  bool concerned = false;
  bool has_moved = false;  // whoever says so may have owned it, or be told of by who did
  bool entitled = event.from == event.owner;
  for (uint32_t i = Newest(event.object); i != kNoCopy; i = copies_[i].older) {
    if (!IsUnfreed(copies_[i]) || copies_[i].term >= event.term) continue;
    // The host has heard it before.
    if (copies_[i].owner == event.owner && event.from != event.owner) continue;
    concerned = true;
    entitled = entitled || copies_[i].owner == event.from;
    has_moved = has_moved || copies_[i].term > kFirstTerm;
  }
  for (auto at = moves_by_object_.lower_bound({event.object, 0});
       at != moves_by_object_.end() && at->first == event.object; ++at) {
    const Move& move = moves_.at(at->second);
    if (move.term >= event.term) continue;
    if (move.owner == event.owner && event.from != event.owner) continue;
    concerned = true;
    entitled = entitled || move.owner == event.from;
    has_moved = has_moved || move.term > kFirstTerm;
  }
  if (!concerned) return CopyVerdict::kNoChange;
  if (entitled) return CopyVerdict::kOk;
  return has_moved ? CopyVerdict::kNoChange : CopyVerdict::kRefused;
}

CopyVerdict CopyTable::Step(const copy_event::Moved& event, CopyEffects* effects) {
  OwnerOf(event.from);  // before the reference below
  Owner& owner = OwnerOf(event.owner);
  if (!Reports(OwnerOf(event.from))) return CopyVerdict::kRefused;
  // What its owner's barrier has doomed is not rescued because the sweep is late.
  for (uint32_t i = Newest(event.object); i != kNoCopy; i = copies_[i].older) {
    DoomIfPastBarrier(i, effects);
  }
  const CopyVerdict verdict = CheckMoved(event);
  if (verdict == CopyVerdict::kRefused) return verdict;
  if (event.from == event.owner) {
    if (owner.has_nothing_to_hear()) effects->ready.push_back(owner.peer);
    owner.moved_acks.Push({event.object, event.term});
    ++stats_.reports_waiting;
  }
  if (verdict == CopyVerdict::kNoChange) return verdict;
  for (uint32_t i = Newest(event.object); i != kNoCopy; i = copies_[i].older) {
    if (IsUnfreed(copies_[i]) && copies_[i].term < event.term) {
      ChangeOwner(i, &owner, event.term, effects);
    }
  }
  AskMovesAgain(event, effects);
  // Who says so need not know yet that the next owner is excluded: then it dies with that one.
  if (owner.phase == OwnerPhase::kPastBarrier) {
    for (uint32_t i = Newest(event.object); i != kNoCopy; i = copies_[i].older) {
      DoomIfPastBarrier(i, effects);
    }
    EndMoves(MoveOutcome::kOwnerDied, effects);
  }
  return CopyVerdict::kOk;
}

// The same owner in a later term has made its record anew: it hears of the copy like any other.
void CopyTable::ChangeOwner(uint32_t index, Owner* owner, uint32_t term, CopyEffects* effects) {
  CopyRecord& copy = copies_[index];
  Owner& before = OwnerOf(copy.owner);
  const CopyReport owed = copy.report_first;
  if (Reports(before) && (owed == CopyReport::kDeleted || owed == CopyReport::kUnknown)) {
    Answer({copy.object, copy.generation, copy.term,
            owed == CopyReport::kDeleted ? FreeResult::kDeleted : FreeResult::kUnknown},
           &before, effects);
  }
  SetReport(index, CopyReport::kNothing, CopyReport::kNothing, effects);
  Tell(&before, &copy, CopyReport::kRemoved);
  Count(copy, false);
  LeaveOwner(index);
  copy.owner = owner->peer;
  copy.term = term;
  EnterOwner(index);
  Count(copy, true);
  // One that is being fetched is reported when it arrives.
  if (copy.state == CopyState::kFetching) return;
  Report(index, copy.spilled_url().empty() ? CopyReport::kAdded : CopyReport::kSpilled, effects);
}

// Also when the copy has gone or was freed meanwhile: only the present owner answers.
void CopyTable::AskMovesAgain(const copy_event::Moved& event, CopyEffects* effects) {
  for (auto at = moves_by_object_.lower_bound({event.object, 0});
       at != moves_by_object_.end() && at->first == event.object; ++at) {
    if (moves_.at(at->second).term >= event.term) continue;
    AskMoveAgain(at->second, &OwnerOf(event.owner), event.term, effects);
  }
}

void CopyTable::AskMoveAgain(uint64_t number, Owner* owner, uint32_t term, CopyEffects* effects) {
  Move& move = moves_.at(number);
  Owner& before = OwnerOf(move.owner);
  if (before.moves_to_send != nullptr) {
    before.moves_to_send->erase(number);
    if (before.moves_to_send->empty()) before.moves_to_send.reset();
  }
  move.owner = owner->peer;
  move.term = term;
  move.sent = false;
  moves_asked_again_ = true;
  SendMove(number, owner, effects);
}

// A key that is new here belongs to whom the object's other generations have moved to: the host may
// have heard the owner before the move.
void CopyTable::FollowOtherGenerations(Arrival* arrival) const {
  for (uint32_t i = Newest(arrival->object); i != kNoCopy; i = copies_[i].older) {
    if (copies_[i].term <= arrival->term) continue;
    arrival->owner = copies_[i].owner;
    arrival->term = copies_[i].term;
  }
}

// Whether the first answer to a Moved may go: all that was to be told of that object is out.
bool CopyTable::OwesMovedAck(const Owner& owner) const {
  if (owner.moved_acks.empty()) return false;
  for (uint32_t i = Newest(owner.moved_acks.front().object); i != kNoCopy; i = copies_[i].older) {
    if (copies_[i].owner == owner.peer && copies_[i].waits_to_report()) return false;
  }
  return true;
}

// What came after the Moved, when nothing of the object was here, is of the first term: its host
// names an owner alone. Its report would not count, for it is of an earlier term than the answer.
void CopyTable::RaiseToMovedAck(Owner* owner) {
  if (owner->moved_acks.empty()) return;
  const CopyMovedAck ack = owner->moved_acks.front();
  CopyEffects none;  // the owner is ready
  for (uint32_t i = Newest(ack.object); i != kNoCopy; i = copies_[i].older) {
    if (copies_[i].owner != owner->peer || !IsUnfreed(copies_[i])) continue;
    if (copies_[i].term >= ack.term) continue;
    ChangeOwner(i, owner, ack.term, &none);
    if (copies_[i].moving()) AskMoveAgain(copies_[i].rarity->move, owner, ack.term, &none);
  }
}

bool CopyTable::PullMovedAck(Owner* owner, ReportSink* sink) {
  const CopyMovedAck& ack = owner->moved_acks.front();
  SharingItem item;
  item.kind = SharingKind::kMovedAck;
  item.object = ack.object;
  item.term = ack.term;
  for (uint32_t i = Newest(ack.object); i != kNoCopy; i = copies_[i].older) {
    // What has moved on since is not that owner's any more.
    if (IsUnfreed(copies_[i]) && copies_[i].owner == owner->peer) item.answer = 1;
  }
  if (!sink->Add(item)) return false;
  --stats_.reports_waiting;
  owner->moved_acks.Pop();
  return true;
}

}  // namespace freehold::core
