// Ownership that moves: what the object contains, and what was read out of it.
//
// An object holds what it contains wherever it is owned. So its owner passes each inner object on
// to the next one before the object itself, as a handoff like any other, and the next owner has its
// own references before it takes the object. The former one lets go of its own when everybody knows
// the next owner: until then it may take the object back. An heir gets them likewise, and holds
// them as long as it is one.

#include <algorithm>
#include <utility>

#include "src/base/mutant.h"
#include "src/core/object_table_transfer.h"

namespace freehold::core {

using internal::IsMutant;
using internal::Mutant;

std::vector<InnerRef> TransferSteps::InnersOf(const Key& key, size_t first, size_t max) const {
  std::vector<InnerRef> inners;
  ObjectRecord* const record = table_.FindMutable(key);
  const Rare* const rare = record == nullptr ? nullptr : table_.rares_.Find(*record);
  if (rare == nullptr) return inners;
  for (size_t place = first; place < rare->inners.size() && inners.size() < max; ++place) {
    inners.push_back(rare->inners.At(place));
  }
  return inners;
}

void TransferSteps::LetGoOfContained(OwnedSnapshot* snapshot, Effects* effects) {
  if (snapshot == nullptr || snapshot->contained == nullptr) return;
  if (IsMutant(Mutant::kContainedKept)) return;
  effects->Rarely().inner_lists.push_back(std::move(snapshot->contained->inners));
  snapshot->contained.reset();
}

void TransferSteps::LetGoOfMembership(OwnedSnapshot* snapshot, Effects* effects) {
  if (snapshot == nullptr || snapshot->membership == nullptr) return;
  ScopeSteps(&table_).LetGoOf(*snapshot->membership, effects);
  snapshot->membership.reset();
}

void TransferSteps::LetGoOfHandedOver(OwnedSnapshot* snapshot, Effects* effects) {
  LetGoOfContained(snapshot, effects);
  LetGoOfMembership(snapshot, effects);
}

// What went along with its task does not come back, here or to a later owner.
void TransferSteps::NoteSettled(const Former& former, Effects* effects) {
  if (!former.lent) return;
  TransferNotice notice;
  notice.object = former.object;
  notice.next_owner = former.next_owner;
  notice.outcome = TransferOutcome::kSettled;
  notice.lent = true;
  effects->Rarely().transferred.push_back(std::move(notice));
}

void TransferSteps::Forget(Former* former, Effects* effects) {
  LetGoOfHandedOver(former->snapshot.get(), effects);
  if (former->lent) effects->Rarely().lent_ended.push_back(former->object);
  transfers()->formers.Remove(former);
}

bool TransferSteps::PullContained(const ObjectId& outer, uint32_t term, HandedInners* handed,
                                  uint32_t* items_max, const NodeNames& names,
                                  PayloadWriter* writer) {
  std::vector<HandedInner>& all = handed->all;
  while (handed->sent < all.size()) {
    ContainedItem item;
    item.outer = outer;
    item.term = term;
    const size_t count = std::min<size_t>({kContainedMax, *items_max, all.size() - handed->sent});
    if (count == 0) return false;
    for (size_t i = 0; i < count; ++i) {
      const HandedInner& inner = all[handed->sent + i];
      item.inners.push_back({inner.object, inner.number, inner.term,
                             inner.owner == kNoPeer ? ProcessId() : names.ProcessAt(inner.owner)});
    }
    if (!writer->Add(item)) return false;
    // Nobody cancels them any more.
    for (size_t i = 0; i < count; ++i) all[handed->sent + i].object = ObjectId();
    handed->sent += count;
    *items_max -= static_cast<uint32_t>(count);
  }
  *handed = {};
  return true;
}

// --- What was read out of it ---------------------------------------------------------------------

HolderIndex::Added TransferSteps::Owe(RecordIndex inner, PeerIndex sender, const InnerRef& outer) {
  Sharing& sharing = *table_.sharing_;
  if (sharing.readings.Add(inner, outer.record, outer.shard) == HolderIndex::Added::kFull) {
    return HolderIndex::Added::kFull;
  }
  const uint64_t number = OwedNumber::ForOuter(outer);
  const HolderIndex::Added added = sharing.owed.Add(inner, sender, number);
  if (added == HolderIndex::Added::kFull) EndReading(inner, number);
  return added;
}

// Of two that have read it, before and after the outer one has moved, one may go first.
void TransferSteps::EndReading(RecordIndex inner, uint64_t owed) {
  bool another = false;
  table_.sharing_->owed.ForEachOf(inner, [&](const HolderIndex::Holder& holder) {
    another = holder.number == owed;
    return !another;
  });
  if (another) return;
  const InnerRef outer = OwedNumber::OuterOf(owed);
  (void)table_.sharing_->readings.Remove(inner, outer.record, outer.shard);
}

// An id that was read out of it, and whose owner has not answered, counts on the outer one's owner.
void TransferSteps::NoteOuter(const ObjectRecord& record, PeerIndex from, PeerIndex to,
                              Effects* effects) const {
  if (record.nested_in == 0 || from == to || IsMutant(Mutant::kOuterMovedUnnoticed)) return;
  effects->Rarely().outers_moved.push_back(RecordSlabs::IndexOf(record));
}

void TransferSteps::Step(const event::OuterMoved& e, uint32_t items_max, Effects* effects) {
  if (table_.sharing_ == nullptr) return;  // nothing was read here
  Sharing& sharing = *table_.sharing_;
  const uint64_t number = OwedNumber::ForOuter(e.outer);
  for (; items_max > 0; --items_max) {
    const HolderIndex::Holder* const first = sharing.readings.FirstOfPeer(e.outer.record);
    if (first == nullptr) return;
    const HolderIndex::Holder reading = *first;
    // To the end of the ring, so that each is looked at once.
    (void)sharing.readings.Remove(reading.record, reading.peer, reading.number);
    (void)sharing.readings.Add(reading.record, reading.peer, reading.number);
    if (reading.number != e.outer.shard) continue;
    PeerIndex before = kNoPeer;
    sharing.owed.ForEachOf(reading.record, [&](const HolderIndex::Holder& holder) {
      if (holder.number == number && holder.peer != e.to) before = holder.peer;
      return before == kNoPeer;
    });
    if (before == kNoPeer) continue;
    (void)sharing.owed.Remove(reading.record, before, number);
    if (table_.fences_.IsFenced(e.to)) {
      // As its fence would have done.
      const uint32_t borrow = table_.slabs_.At(reading.record).overflow;
      if (!table_.fences_.IsFenced(sharing.borrows.At(borrow).owner)) {
        sharing.borrows.RequireFlush(borrow);
      }
      EndReading(reading.record, number);
      effects->Rarely().inners.push_back(e.outer);
    } else if (sharing.owed.Add(reading.record, e.to, number) != HolderIndex::Added::kAdded) {
      effects->Rarely().inners.push_back(e.outer);  // it has read it again since
    }
  }
}

}  // namespace freehold::core
