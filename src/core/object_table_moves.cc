// ObjectTable: which copy is the primary, and how that moves (PROTOCOL, step 9).
//
// A node that has fetched the bytes asks to take the primary over from another one. If that one
// still is the primary, the new one is recorded first; then the former one is freed like any copy
// that is not wanted, and its node's answer says when the bytes are gone. Until the free has left,
// it can be taken back. A value that is made again leaves those that are being deleted behind.

#include <algorithm>
#include <vector>

#include "src/base/check.h"
#include "src/base/mutant.h"
#include "src/core/object_table.h"
#include "src/core/object_table_evict.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

Verdict ObjectTable::Step(const event::MovePrimary& e, Effects* effects) {
  if (nodes_.IsExcluded(e.node)) return Verdict::kNodeExcluded;
  const ObjectRecord* record = FindMutable(e.key);
  if ((record == nullptr || record->borrowed) &&
      TransferSteps(this).Redirect(e.key, e.node, /*by_node=*/true, effects)) {
    return Verdict::kUnchanged;  // asked again where it is owned now
  }
  if (record != nullptr && !record->borrowed && TransferSteps(this).AsksAnother(e, effects)) {
    return Verdict::kUnchanged;
  }
  if (!e.has_waited && HeirSteps(this).Withholds(e, effects)) return Verdict::kOk;
  PeerIndex primary = kNoPeer;
  const Verdict verdict = Move(e, &primary, effects);
  MoveAnswer answer = MoveAnswer::kRefused;
  if (verdict == Verdict::kOk) answer = MoveAnswer::kMoved;
  if (verdict == Verdict::kUnchanged) answer = MoveAnswer::kSecondary;
  if (answer != MoveAnswer::kSecondary || !IsMutant(Mutant::kMoveUnanswered)) {
    Tell(e.node, {e.key.id, e.number, e.generation, answer, primary}, effects);
  }
  return verdict;
}

// `*primary`: which one is, if another.
Verdict ObjectTable::Move(const event::MovePrimary& e, PeerIndex* primary, Effects* effects) {
  ObjectRecord* record = FindMutable(e.key);
  if (record == nullptr) return Verdict::kNotFound;
  if (record->borrowed) {
    // It was owned here once, and has died with an owner since.
    return BorrowOf(*record).failed() ? Verdict::kToBeFreed : Verdict::kNotOwner;
  }
  if (!record->in_scope()) return Verdict::kOutOfScope;
  if (e.generation > record->generation) return Verdict::kUnknownGeneration;
  if (record->state() == ObjectState::kFreed) return Verdict::kToBeFreed;
  if (e.generation < record->generation && !IsMutant(Mutant::kMoveGenerationIgnored)) {
    return Verdict::kToBeFreed;
  }
  Copy* to = copies_.Find(*record, e.node);
  if (to == nullptr || !to->real()) return Verdict::kWrongState;
  if (!to->held()) return Verdict::kToBeFreed;  // it was the primary, and is let go of already
  if (EvictSteps::IsMarked(*this, *record)) return Verdict::kToBeFreed;  // none of its copies is
  Copy* from = PrimaryOf(record);
  if (from == to) return Verdict::kOk;  // promoted since it asked
  *primary = from == nullptr ? kNoPeer : PeerIndex{from->node};
  if (*primary != e.from && !IsMutant(Mutant::kMoveComparesNothing)) return Verdict::kUnchanged;
  // Who takes the object back, its node gone, would count on a file that is deleted.
  const bool has_file = from != nullptr && from->shared != 0;
  if (has_file && TransferSteps(this).MayGoBack(*record)) return Verdict::kUnchanged;
  *primary = kNoPeer;
  to->primary = IsMutant(Mutant::kLetGoUnrecorded) ? 0 : 1;
  if (record->has_rare()) {
    NotifyCopy(*record, Facts(*record, *to), LocationUpdate::Kind::kChanged, effects);
  }
  ++counters_.primaries_moved;
  if (from != nullptr) LetGo(record, from, effects);
  if (record->has_askers) AnswerAskers(*record, effects);
  return Verdict::kOk;
}

Copy* ObjectTable::PrimaryOf(ObjectRecord* record) {
  for (uint32_t i = 0; i < record->copies; ++i) {
    Copy& copy = copies_.At(*record, i);
    if (copy.primary && copy.held()) return &copy;
  }
  return nullptr;
}

// Subscribers are not told of copies that are to go: for them it is gone from now on.
void ObjectTable::LetGo(ObjectRecord* record, Copy* copy, Effects* effects) {
  const PeerIndex node = copy->node;
  copy->primary = 0;
  if (config_.settle_at_once) {
    nodes_.Unreport(copy, DigestHash({record->id(), record->generation}));
    Settle(record, copy, FreeOutcome::kSettled, effects);
  } else {
    WaitForFree(*record, copy, effects);
  }
  if (record->has_rare()) NotifyRemoved(*record, node, effects);
}

// The primary has gone. In its place: a copy in memory, one in a file, or a former primary whose
// free has not left yet, in this order; among equals the node that was met first.
void ObjectTable::Promote(ObjectRecord* record, Effects* effects) {
  if (IsMutant(Mutant::kNobodyPromoted)) return;
  Copy* best = nullptr;
  const auto rank = [this](const Copy& copy) {
    if (!copy.real() || nodes_.IsExcluded(copy.node)) return 3;
    if (copy.node == nodes_.unbound()) return 3;  // whom would it be told to?
    if (!copy.held()) return nodes_.StateOf(copy) == FreeState::kWaiting ? 2 : 3;
    return copy.in_memory ? 0 : 1;
  };
  copies_.ForEach(*record, [&](Copy* copy) {
    if (rank(*copy) == 3) return;
    if (best == nullptr || rank(*copy) < rank(*best) ||
        (rank(*copy) == rank(*best) && copy->node < best->node)) {
      best = copy;
    }
  });
  if (best == nullptr) return;
  if (!best->held()) nodes_.HoldAgain(best);
  best->primary = 1;
  best->prospective = 0;
  ++counters_.primaries_promoted;
  if (record->has_rare()) {
    NotifyCopy(*record, Facts(*record, *best), LocationUpdate::Kind::kChanged, effects);
  }
  if (config_.settle_at_once) return;  // nobody to tell
  Tell(best->node, {record->id(), 0, record->generation, MoveAnswer::kPromoted, kNoPeer}, effects);
}

// The copies that are being deleted stay with a record of their own, so that the answers of their
// nodes, which carry the old generation, find them and nothing of theirs touches the new value.
// False: the table is full.
bool ObjectTable::SplitOffGhost(ObjectRecord* record) {
  bool any = false;
  copies_.ForEach(*record, [&](const Copy* copy) { any = any || !copy->held(); });
  if (!any) return true;
  const RecordIndex ghost_index = slabs_.Allocate();
  if (ghost_index == kNoRecord) return false;
  ObjectRecord& ghost = slabs_.At(ghost_index);
  ghost.cell.Reset(record->id(), 0);
  ghost.by_id = ghost.tasks = ghost.nested_in = 0;
  ghost.generation = record->generation;
  ghost.size = record->size;
  ghost.rare = kNone;
  ghost.overflow = kNone;
  ghost.copies = 0;
  ghost.state_byte = static_cast<uint8_t>(ObjectState::kOutOfScope);
  ghost.has_handles = 0;
  ghost.was_freed = ghost.is_ghost = 1;
  ghost.has_borrowers = ghost.has_pins = ghost.borrowed = ghost.has_askers = 0;
  ghost.origin = kNone;
  MoveCopiesToGo(record, &ghost);
  Rare& rare = rares_.Ensure(*record);
  if (rare.ghost != kNoRecord || !rare.spill_urls.empty()) {
    Rare& ghost_rare = rares_.Ensure(ghost);
    ghost_rare.ghost = rares_.Find(*record)->ghost;
    ghost_rare.spill_urls = std::move(rares_.Find(*record)->spill_urls);
  }
  rares_.Find(*record)->spill_urls.clear();
  rares_.Find(*record)->ghost = ghost_index;
  return true;
}

// To the ghost, the copies that are being deleted: all of a freed value, and of a lost one the
// former primaries. The others are few, so that taking these out from the end moves little. A node
// that has asked for a lost value again waits for the new one.
void ObjectTable::MoveCopiesToGo(ObjectRecord* record, ObjectRecord* ghost) {
  const RecordIndex ghost_index = IndexOf(*ghost);
  uint32_t to_go = 0;
  std::vector<PeerIndex> asked_again;
  copies_.ForEach(*record, [&](Copy* copy) {
    to_go += copy->held() ? 0 : 1;
    if (record->state() != ObjectState::kLost || !copy->asked_again()) return;
    copy->prospective = 0;
    asked_again.push_back(copy->node);
  });
  if (to_go == record->copies) {
    copies_.MoveAll(*record, *ghost);
    copies_.ForEach(*ghost, [&](const Copy* copy) { nodes_.Rename(*copy, ghost_index); });
  } else {
    for (uint32_t i = record->copies; i > 0; --i) {
      const Copy copy = copies_.At(*record, i - 1);
      if (copy.held()) continue;
      nodes_.Rename(copy, ghost_index);
      *copies_.Insert(*ghost, copy.node) = copy;
      copies_.Remove(*record, copy.node);
    }
  }
  for (const PeerIndex node : asked_again) {
    Copy* const copy = copies_.Insert(*record, node);
    copy->prospective = 1;
    nodes_.Link(IndexOf(*record), copy);
  }
}

// --- What nodes are told -------------------------------------------------------------------------

void ObjectTable::Tell(PeerIndex node, const Sharing::MoveNews& news, Effects* effects) {
  if (nodes_.IsExcluded(node)) return;
  Sharing& sharing = Share();
  const bool had_work = sharing.HasWorkFor(node);
  if (!sharing.move_news.Add(node, news)) {
    ++counters_.answers_lost;
    return;
  }
  if (!had_work) effects->ready.push_back(node);
}

bool ObjectTable::PullMoves(PeerIndex node, uint32_t items_max, const NodeNames& names,
                            PayloadWriter* writer) {
  if (sharing_ == nullptr) return false;
  // Who is the owner comes first: a node takes nothing from another.
  if (!TransferSteps(this).PullMoved(node, &items_max, names, writer)) return true;
  if (sharing_->move_news.empty(node)) return false;
  sharing_->move_news.TakeWhile(node, [&](const Sharing::MoveNews& news) {
    MovePrimaryAckItem item;
    item.object = news.object;
    item.number = news.number;
    item.generation = news.generation;
    item.answer = news.answer;
    if (news.answer == MoveAnswer::kSecondary && news.primary != kNoPeer) {
      item.primary = names.NodeAt(news.primary);
    }
    if (items_max == 0 || !writer->Add(item)) return false;
    --items_max;
    return true;
  });
  return !sharing_->move_news.empty(node);
}

}  // namespace freehold::core
