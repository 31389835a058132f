#include "src/core/holder_index.h"

#include "freehold/internal/hash_id.h"
#include "src/base/check.h"

namespace freehold::core {

namespace {

uint64_t HashOfAll(RecordIndex record, PeerIndex peer, uint64_t number) {
  const uint64_t both = (uint64_t{record} << 32) | peer;
  const uint64_t mixed =
      internal::MultiplyFold(both ^ internal::kHashSecret[0], number ^ internal::kHashSecret[1]);
  // Once more, because peers choose numbers, and there is one that makes the product zero.
  return internal::MultiplyFold(mixed ^ both, internal::kHashSecret[2]);
}

uint64_t HashOfRecord(RecordIndex record) {
  return internal::MultiplyFold(record ^ internal::kHashSecret[0], internal::kHashSecret[1]);
}

uint64_t HashOf(const HolderIndex::Holder& holder) {
  return HashOfAll(holder.record, holder.peer, holder.number);
}

bool Same(const HolderIndex::Holder& a, const HolderIndex::Holder& b) {
  return a.peer == b.peer && a.record == b.record && a.number == b.number;
}

}  // namespace

inline uint32_t HolderIndex::FindHead(RecordIndex record, uint64_t hash) const {
  const uint32_t found =
      heads_.Find(hash, [&](uint32_t index) { return pool_.At(index).record == record; });
  return found == kNoRecord ? kNone : found;
}

uint32_t HolderIndex::FindHead(RecordIndex record) const {
  return FindHead(record, HashOfRecord(record));
}

uint32_t HolderIndex::FindOther(const Holder& wanted) const {
  const uint32_t found =
      others_.Find(HashOf(wanted), [&](uint32_t index) { return Same(pool_.At(index), wanted); });
  return found == kNoRecord ? kNone : found;
}

uint32_t HolderIndex::Find(RecordIndex record, PeerIndex peer, uint64_t number) const {
  const Holder wanted{record, peer, number};
  const uint32_t head = FindHead(record);
  if (head == kNone || Same(pool_.At(head), wanted)) return head;
  return pool_.At(head).next == head ? kNone : FindOther(wanted);
}

bool HolderIndex::InsertHead(uint32_t index) {
  return heads_.Insert(HashOfRecord(pool_.At(index).record), index,
                       [this](uint32_t i) { return HashOfRecord(pool_.At(i).record); });
}

bool HolderIndex::InsertOther(uint32_t index) {
  return others_.Insert(HashOf(pool_.At(index)), index,
                        [this](uint32_t i) { return HashOf(pool_.At(i)); });
}

HolderIndex::Added HolderIndex::Add(RecordIndex record, PeerIndex peer, uint64_t number) {
  const Holder wanted{record, peer, number};
  // Most records have no other entry: one look says so, and where the first one goes.
  const uint64_t hash = HashOfRecord(record);
  const IdIndex::Place place = heads_.PlaceFor(hash);
  const uint32_t head = IdIndex::IsPlace(place) ? kNone : FindHead(record);
  if (head != kNone && (Same(pool_.At(head), wanted) || FindOther(wanted) != kNone)) {
    return Added::kPresent;
  }
  const uint32_t index = pool_.Allocate();
  if (index == kNone) return Added::kFull;
  Holder& holder = pool_.At(index);
  holder = wanted;
  if (IdIndex::IsPlace(place)) {
    heads_.PutAt(place, hash, index);
  } else if (!(head == kNone ? InsertHead(index) : InsertOther(index))) {
    pool_.Release(index);
    return Added::kFull;
  }
  if (head == kNone) {
    holder.next = holder.previous = index;
  } else {
    // The end of a ring is the one before its head.
    Holder& first = pool_.At(head);
    holder.next = head;
    holder.previous = first.previous;
    pool_.At(first.previous).next = index;
    first.previous = index;
  }
  LinkToPeer(index);
  return Added::kAdded;
}

HolderIndex::Removed HolderIndex::Remove(RecordIndex record, PeerIndex peer, uint64_t number) {
  const Holder wanted{record, peer, number};
  const uint64_t hash = HashOfRecord(record);
  const uint32_t head = FindHead(record, hash);
  if (head == kNone) return Removed::kAbsent;
  const bool is_head = Same(pool_.At(head), wanted);
  const uint32_t index = is_head ? head : FindOther(wanted);
  if (index == kNone) return Removed::kAbsent;
  const Holder& holder = pool_.At(index);
  const uint32_t next = holder.next;
  const bool last = next == index;
  if (is_head) {
    heads_.Erase(hash, index);
  } else {
    others_.Erase(HashOf(wanted), index);
  }
  if (!last) {
    pool_.At(next).previous = holder.previous;
    pool_.At(holder.previous).next = next;
  }
  if (is_head && !last) {
    others_.Erase(HashOf(pool_.At(next)), next);
    const bool moved = InsertHead(next);  // there was room for the one that was just taken out
    FREEHOLD_CHECK(moved);
  }
  UnlinkFromPeer(index);
  pool_.Release(index);
  return last ? Removed::kLast : Removed::kOthersLeft;
}

void HolderIndex::LinkToPeer(uint32_t index) {
  Holder& holder = pool_.At(index);
  PeerHead& of_peer = peers_.At(holder.peer);
  ++of_peer.size;
  uint32_t& head = of_peer.first;
  if (head == kNone) {
    head = holder.next_of_peer = holder.previous_of_peer = index;
    return;
  }
  Holder& first = pool_.At(head);
  holder.next_of_peer = head;
  holder.previous_of_peer = first.previous_of_peer;
  pool_.At(first.previous_of_peer).next_of_peer = index;
  first.previous_of_peer = index;
}

void HolderIndex::UnlinkFromPeer(uint32_t index) {
  const Holder& holder = pool_.At(index);
  PeerHead& of_peer = *peers_.Find(holder.peer);
  --of_peer.size;
  uint32_t& head = of_peer.first;
  if (holder.next_of_peer == index) {
    head = kNone;
    return;
  }
  if (head == index) head = holder.next_of_peer;
  pool_.At(holder.next_of_peer).previous_of_peer = holder.previous_of_peer;
  pool_.At(holder.previous_of_peer).next_of_peer = holder.next_of_peer;
}

const HolderIndex::Holder* HolderIndex::FirstOf(RecordIndex record) const {
  const uint32_t head = FindHead(record);
  return head == kNone ? nullptr : &pool_.At(head);
}

const HolderIndex::Holder* HolderIndex::FirstOfPeer(PeerIndex peer) const {
  const PeerHead* head = peers_.Find(peer);
  return head == nullptr || head->first == kNone ? nullptr : &pool_.At(head->first);
}

void HolderIndex::CheckInvariants() const {
  FREEHOLD_CHECK(heads_.size() + others_.size() == size());
  uint64_t listed = 0;
  uint64_t records = 0;
  peers_.ForEach([&](PeerIndex peer, const PeerHead& head) {
    const uint64_t before = listed;
    for (uint32_t at = head.first; at != kNone;) {
      const Holder& holder = pool_.At(at);
      FREEHOLD_CHECK(holder.peer == peer);
      FREEHOLD_CHECK(Find(holder.record, peer, holder.number) == at);
      FREEHOLD_CHECK(pool_.At(holder.next_of_peer).previous_of_peer == at);
      FREEHOLD_CHECK(pool_.At(holder.next).previous == at);
      FREEHOLD_CHECK(pool_.At(holder.next).record == holder.record);
      records += FindHead(holder.record) == at ? 1 : 0;
      ++listed;
      at = holder.next_of_peer == head.first ? kNone : holder.next_of_peer;
    }
    FREEHOLD_CHECK(listed - before == head.size);
  });
  FREEHOLD_CHECK(listed == size() && records == heads_.size());
}

}  // namespace freehold::core
