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

}  // namespace

uint32_t HolderIndex::Find(RecordIndex record, PeerIndex peer, uint64_t number) const {
  const uint32_t found = by_all_.Find(HashOfAll(record, peer, number), [&](uint32_t index) {
    const Holder& holder = pool_.At(index);
    return holder.record == record && holder.peer == peer && holder.number == number;
  });
  return found == kNoRecord ? kNone : found;
}

uint32_t HolderIndex::FindHead(RecordIndex record) const {
  const uint32_t found = heads_.Find(
      HashOfRecord(record), [&](uint32_t index) { return pool_.At(index).record == record; });
  return found == kNoRecord ? kNone : found;
}

HolderIndex::Added HolderIndex::Add(RecordIndex record, PeerIndex peer, uint64_t number) {
  if (Contains(record, peer, number)) return Added::kPresent;
  const uint32_t index = pool_.Allocate();
  if (index == kNone) return Added::kFull;
  Holder& holder = pool_.At(index);
  holder.record = record;
  holder.peer = peer;
  holder.number = number;
  const uint64_t hash = HashOf(holder);
  if (!by_all_.Insert(hash, index, [this](uint32_t i) { return HashOf(pool_.At(i)); })) {
    pool_.Release(index);
    return Added::kFull;
  }
  const uint32_t head = FindHead(record);
  if (head == kNone && !heads_.Insert(HashOfRecord(record), index, [this](uint32_t i) {
        return HashOfRecord(pool_.At(i).record);
      })) {
    by_all_.Erase(hash, index);
    pool_.Release(index);
    return Added::kFull;
  }
  LinkToRecord(index);
  LinkToPeer(index);
  return Added::kAdded;
}

bool HolderIndex::Remove(RecordIndex record, PeerIndex peer, uint64_t number) {
  const uint32_t index = Find(record, peer, number);
  if (index == kNone) return false;
  by_all_.Erase(HashOf(pool_.At(index)), index);
  UnlinkFromRecord(index);
  UnlinkFromPeer(index);
  pool_.Release(index);
  return true;
}

// The end of a ring is the one before its head.
void HolderIndex::LinkToRecord(uint32_t index) {
  Holder& holder = pool_.At(index);
  const uint32_t head = FindHead(holder.record);
  if (head == index) {
    holder.next = holder.previous = index;
    return;
  }
  Holder& first = pool_.At(head);
  holder.next = head;
  holder.previous = first.previous;
  pool_.At(first.previous).next = index;
  first.previous = index;
}

void HolderIndex::UnlinkFromRecord(uint32_t index) {
  const Holder& holder = pool_.At(index);
  const uint64_t hash = HashOfRecord(holder.record);
  const bool was_head = FindHead(holder.record) == index;
  if (was_head) heads_.Erase(hash, index);
  if (holder.next == index) return;
  pool_.At(holder.next).previous = holder.previous;
  pool_.At(holder.previous).next = holder.next;
  if (!was_head) return;
  // There was room for the one that was just taken out.
  const bool moved = heads_.Insert(hash, holder.next,
                                   [this](uint32_t i) { return HashOfRecord(pool_.At(i).record); });
  FREEHOLD_CHECK(moved);
}

void HolderIndex::LinkToPeer(uint32_t index) {
  Holder& holder = pool_.At(index);
  ++peers_.At(holder.peer).size;
  uint32_t& head = peers_.At(holder.peer).first;
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
  --peers_.At(holder.peer).size;
  uint32_t& head = peers_.At(holder.peer).first;
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
  FREEHOLD_CHECK(by_all_.size() == size());
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
