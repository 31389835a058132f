// CopyTable: moves of the primary to a copy here (PROTOCOL, step 9), seen from its node. The
// owner's side is in object_table_moves.cc. A former primary is let go of by a Free like any other.

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/copy_table.h"

namespace freehold::core {

CopyVerdict CopyTable::Step(const copy_event::MovePrimary& event, CopyEffects* effects) {
  if (!options_.reports) return CopyVerdict::kRefused;  // nobody would hear of it
  const uint32_t index = Lookup(event.object, event.generation);
  if (index == kNoCopy) return CopyVerdict::kNotHere;
  DoomIfPastBarrier(index, effects);
  CopyRecord& copy = copies_[index];
  if (copy.state == CopyState::kGone) return CopyVerdict::kNotHere;
  if (copy.state == CopyState::kFetching) return CopyVerdict::kStillFetching;
  if (copy.state != CopyState::kHeld) return CopyVerdict::kFreed;
  if (copy.moving()) return CopyVerdict::kMoving;
  copy.MakeRarity().move = event.number;
  const Move move{event.object, event.generation, copy.owner, event.from, copy.term};
  const bool is_new = moves_.try_emplace(event.number, move).second;
  FREEHOLD_CHECK(is_new);
  moves_by_object_.emplace(event.object, event.number);
  ++stats_.moves;
  SendMove(event.number, &OwnerOf(copy.owner), effects);
  return CopyVerdict::kOk;
}

void CopyTable::SendMove(uint64_t number, Owner* owner, CopyEffects* effects) {
  // An owner that is excluded hears no more; its barrier ends the move.
  if (!Reports(*owner)) return;
  if (owner->has_nothing_to_hear()) effects->ready.push_back(owner->peer);
  if (owner->moves_to_send == nullptr) {
    owner->moves_to_send = std::make_unique<absl::btree_set<uint64_t>>();
  }
  owner->moves_to_send->insert(number);
}

PullVerdict CopyTable::PullMoves(Owner* owner, uint32_t items_max, ReportSink* sink) {
  for (; owner->moves_to_send != nullptr; --items_max) {
    if (items_max == 0) return PullVerdict::kMore;
    const uint64_t number = *owner->moves_to_send->begin();
    Move& move = moves_.at(number);
    MovePrimaryItem item;
    item.object = move.object;
    item.number = number;
    item.generation = move.generation;
    item.from = move.from;
    item.term = move.term;
    if (!sink->Add(item)) return PullVerdict::kFull;
    move.sent = true;
    owner->moves_to_send->erase(owner->moves_to_send->begin());
    if (owner->moves_to_send->empty()) owner->moves_to_send.reset();
  }
  return PullVerdict::kEmpty;
}

CopyVerdict CopyTable::Step(const copy_event::MoveAnswered& event, CopyEffects* effects) {
  if (event.answer == MoveAnswer::kPromoted) return Promote(event, effects);
  if (event.answer == MoveAnswer::kEvictFirst) return EvictFirst(event, effects);
  const auto found = moves_.find(event.number);
  // One that was asked again may be answered twice.
  if (found == moves_.end()) {
    return moves_asked_again_ ? CopyVerdict::kNoChange : CopyVerdict::kRefused;
  }
  const Move move = found->second;
  // Maybe an owner before, whose answer was on its way: the present one has been asked again.
  if (move.term > kFirstTerm && (move.owner != event.from || !move.sent)) {
    return CopyVerdict::kNoChange;
  }
  if (!move.sent || move.owner != event.from || move.object != event.object ||
      move.generation != event.generation || !Reports(OwnerOf(event.from))) {
    return CopyVerdict::kRefused;
  }
  moves_by_object_.erase({move.object, event.number});
  moves_.erase(found);
  --stats_.moves;
  EndedMove ended;
  ended.number = event.number;
  ended.result.outcome = event.answer == MoveAnswer::kMoved       ? MoveOutcome::kMoved
                         : event.answer == MoveAnswer::kSecondary ? MoveOutcome::kSecondary
                                                                  : MoveOutcome::kRefused;
  ended.result.primary = event.primary;
  Unpin(move, event.number, ended.result.outcome == MoveOutcome::kMoved);
  effects->moves.push_back(ended);
  return CopyVerdict::kOk;
}

// A copy that has gone since, or was freed, is nobody's primary.
CopyVerdict CopyTable::Promote(const copy_event::MoveAnswered& event, CopyEffects* effects) {
  const uint32_t index = Lookup(event.object, event.generation);
  if (index == kNoCopy) return CopyVerdict::kNoChange;
  CopyRecord& copy = copies_[index];
  if (!Reports(OwnerOf(event.from))) return CopyVerdict::kRefused;
  // It may be the next owner, of which nobody has told this node: what is still true then, it says
  // again.
  if (copy.owner != event.from) return CopyVerdict::kNoChange;
  if (copy.state != CopyState::kHeld) return CopyVerdict::kNoChange;
  if (copy.role == CopyRole::kPrimary) return CopyVerdict::kNoChange;
  copy.role = CopyRole::kPrimary;
  effects->promoted.push_back({copy.object, copy.generation});
  return CopyVerdict::kOk;
}

// The owner can do without the copy. A move of it that is under way is refused, if it is not yet.
CopyVerdict CopyTable::EvictFirst(const copy_event::MoveAnswered& event, CopyEffects* effects) {
  const uint32_t index = Lookup(event.object, event.generation);
  if (index == kNoCopy) return CopyVerdict::kNoChange;
  CopyRecord& copy = copies_[index];
  if (!Reports(OwnerOf(event.from))) return CopyVerdict::kRefused;
  if (copy.owner != event.from) return CopyVerdict::kNoChange;  // as above
  if (copy.state != CopyState::kHeld) return CopyVerdict::kNoChange;
  CopyRarity& rarity = copy.MakeRarity();
  if (rarity.evict_first) return CopyVerdict::kNoChange;
  rarity.evict_first = true;
  copy.role = CopyRole::kSecondary;
  effects->evict_first.push_back({copy.object, copy.generation, copy.size});
  return CopyVerdict::kOk;
}

// Another life of the same key, after a Free, is not the copy that was to move.
void CopyTable::Unpin(const Move& move, uint64_t number, bool is_primary) {
  const uint32_t index = Lookup(move.object, move.generation);
  if (index == kNoCopy) return;
  CopyRecord& copy = copies_[index];
  if (copy.rarity == nullptr || copy.rarity->move != number) return;
  copy.rarity->move = 0;
  if (is_primary) copy.role = CopyRole::kPrimary;
}

void CopyTable::EndMoves(MoveOutcome outcome, CopyEffects* effects) {
  for (auto at = moves_.begin(); at != moves_.end();) {
    if (options_.reports && OwnerOf(at->second.owner).phase != OwnerPhase::kPastBarrier) {
      ++at;
      continue;
    }
    Unpin(at->second, at->first, false);
    EndedMove ended;
    ended.number = at->first;
    ended.result.outcome = outcome;
    effects->moves.push_back(ended);
    --stats_.moves;
    moves_by_object_.erase({at->second.object, at->first});
    at = moves_.erase(at);
  }
}

void CopyTable::CheckMoves() const {
  FREEHOLD_CHECK(stats_.moves == moves_.size());
  size_t pinned = 0;
  for (uint32_t i = 0; i < copies_.end(); ++i) pinned += copies_[i].moving() ? 1 : 0;
  for (const auto& [number, move] : moves_) {
    FREEHOLD_CHECK(FindOwner(move.owner)->phase != OwnerPhase::kPastBarrier);
    const CopyRecord* copy = Find(move.object, move.generation);
    FREEHOLD_CHECK(moves_by_object_.contains({move.object, number}));
    if (copy == nullptr || !copy->moving() || copy->rarity->move != number) continue;
    --pinned;
    // Whom the copy belongs to is asked.
    FREEHOLD_CHECK(!IsUnfreed(*copy) || (move.owner == copy->owner && move.term == copy->term));
  }
  FREEHOLD_CHECK(pinned == 0 && moves_by_object_.size() == moves_.size());
  for (const std::unique_ptr<Owner>& owner : owners_) {
    if (owner == nullptr || owner->moves_to_send == nullptr) continue;
    FREEHOLD_CHECK(!owner->moves_to_send->empty() && Reports(*owner));
    for (const uint64_t number : *owner->moves_to_send) {
      const Move& move = moves_.at(number);
      FREEHOLD_CHECK(move.owner == owner->peer && !move.sent);
    }
  }
}

}  // namespace freehold::core
