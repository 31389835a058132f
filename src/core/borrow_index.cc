#include "src/core/borrow_index.h"

#include "src/base/check.h"

namespace freehold::core {

const char* BorrowStageName(BorrowStage stage) {
  switch (stage) {
    case BorrowStage::kQueued:
      return "its registration waits to be sent";
    case BorrowStage::kOutstanding:
      return "its registration was sent";
    case BorrowStage::kConfirmed:
      return "registered with its owner";
    case BorrowStage::kReleasing:
      return "its release waits to be sent";
    case BorrowStage::kGone:
      return "gone at its owner";
    case BorrowStage::kOwnerDied:
      return "its owner died";
    case BorrowStage::kExcluded:
      return "this process is excluded";
    case BorrowStage::kNotDeclared:
      return "its owner has not taken it";
    case BorrowStage::kMoving:
      return "its next owner has not answered";
  }
  return "?";
}

uint32_t BorrowIndex::Add(RecordIndex record, PeerIndex owner) {
  const uint32_t number = pool_.Allocate();
  if (number == kNone) return kNone;
  Borrow& borrow = pool_.At(number);
  borrow = Borrow();
  borrow.record = record;
  borrow.owner = owner;
  Link(number);
  return number;
}

void BorrowIndex::Remove(uint32_t number) {
  EndFlush(number);
  EndDeclaration(number, DeclareAnswer::kDropped);
  Unlink(number);
  pool_.Release(number);
}

void BorrowIndex::SetStage(uint32_t number, BorrowStage stage) {
  Unlink(number);
  pool_.At(number).stage = stage;
  Link(number);
}

void BorrowIndex::Follow(uint32_t number, PeerIndex owner, uint32_t term, BorrowStage stage) {
  Unlink(number);
  Borrow& borrow = pool_.At(number);
  FREEHOLD_CHECK(!borrow.flushing);
  borrow.owner = owner;
  borrow.term = term;
  borrow.stage = stage;
  Link(number);
}

void BorrowIndex::BeginRegistration(uint32_t number, uint64_t registration) {
  pool_.At(number).registration = registration;
  SetStage(number, BorrowStage::kOutstanding);
}

void BorrowIndex::BeginDeclaration(uint32_t number) {
  pool_.At(number).declares = true;
  ++declaring_;
}

void BorrowIndex::EndDeclaration(uint32_t number, DeclareAnswer answer) {
  Borrow& borrow = pool_.At(number);
  if (!borrow.declares) return;
  borrow.declares = false;
  borrow.answer = answer;
  --declaring_;
}

uint32_t BorrowIndex::FirstToSend(PeerIndex owner) const {
  const Owner* entry = owners_.Find(owner);
  return entry == nullptr ? kNone : entry->to_send;
}

uint32_t BorrowIndex::FirstOf(PeerIndex owner) const {
  const Owner* entry = owners_.Find(owner);
  if (entry == nullptr) return kNone;
  return entry->to_send != kNone ? entry->to_send : entry->others;
}

void BorrowIndex::RequireFlush(uint32_t number) {
  Borrow& borrow = pool_.At(number);
  Owner& owner = owners_.At(borrow.owner);
  if (borrow.flushing || owner.not_waited_for) return;
  borrow.flushing = true;
  ++owner.flushing;
  ++flush_waiting_;
}

void BorrowIndex::EndFlush(uint32_t number) {
  Borrow& borrow = pool_.At(number);
  if (!borrow.flushing) return;
  borrow.flushing = false;
  Owner& owner = owners_.At(borrow.owner);
  if (owner.not_waited_for) return;
  --owner.flushing;
  --flush_waiting_;
}

void BorrowIndex::StopWaitingFor(PeerIndex owner) {
  Owner& entry = owners_.At(owner);
  if (entry.not_waited_for) return;
  entry.not_waited_for = true;
  flush_waiting_ -= entry.flushing;
  entry.flushing = 0;
}

uint32_t BorrowIndex::FirstFrom(PeerIndex* owner) const {
  for (; *owner < owners_.end(); ++*owner) {
    const uint32_t first = FirstOf(*owner);
    if (first != kNone) return first;
  }
  return kNone;
}

uint32_t* BorrowIndex::RingOf(PeerIndex owner, BorrowStage stage) {
  switch (stage) {
    case BorrowStage::kQueued:
    case BorrowStage::kReleasing:
      return &owners_.At(owner).to_send;
    case BorrowStage::kOutstanding:
    case BorrowStage::kConfirmed:
    case BorrowStage::kMoving:
      return &owners_.At(owner).others;
    case BorrowStage::kGone:
    case BorrowStage::kOwnerDied:
    case BorrowStage::kExcluded:
    case BorrowStage::kNotDeclared:
      break;
  }
  return nullptr;
}

void BorrowIndex::Link(uint32_t number) {
  Borrow& borrow = pool_.At(number);
  uint32_t* const ring = RingOf(borrow.owner, borrow.stage);
  if (ring == nullptr) return;
  if (*ring == kNone) {
    *ring = borrow.next = borrow.previous = number;
    return;
  }
  Borrow& first = pool_.At(*ring);
  borrow.next = *ring;
  borrow.previous = first.previous;
  pool_.At(first.previous).next = number;
  first.previous = number;
}

void BorrowIndex::Unlink(uint32_t number) {
  const Borrow& borrow = pool_.At(number);
  uint32_t* const ring = RingOf(borrow.owner, borrow.stage);
  if (ring == nullptr) return;
  if (borrow.next == number) {
    *ring = kNone;
    return;
  }
  if (*ring == number) *ring = borrow.next;
  pool_.At(borrow.next).previous = borrow.previous;
  pool_.At(borrow.previous).next = borrow.next;
}

void BorrowIndex::CheckInvariants() const {
  uint64_t waiting = 0;
  uint64_t listed = 0;
  uint64_t declaring = 0;
  owners_.ForEach([&](PeerIndex peer, const Owner& owner) {
    uint32_t flushing = 0;
    for (const uint32_t ring : {owner.to_send, owner.others}) {
      for (uint32_t at = ring; at != kNone;) {
        const Borrow& borrow = pool_.At(at);
        FREEHOLD_CHECK(borrow.owner == peer && !borrow.failed());
        FREEHOLD_CHECK(pool_.At(borrow.next).previous == at);
        const bool waits_to_be_sent =
            borrow.stage == BorrowStage::kQueued || borrow.stage == BorrowStage::kReleasing;
        FREEHOLD_CHECK(waits_to_be_sent == (ring == owner.to_send));
        // Only what is not answered yet can be waited for.
        FREEHOLD_CHECK(!borrow.flushing || !borrow.confirmed());
        FREEHOLD_CHECK(!borrow.declares || !borrow.confirmed());
        declaring += borrow.declares ? 1 : 0;
        flushing += borrow.flushing ? 1 : 0;
        ++listed;
        at = borrow.next == ring ? kNone : borrow.next;
      }
    }
    FREEHOLD_CHECK(owner.not_waited_for ? owner.flushing == 0 : owner.flushing == flushing);
    waiting += owner.flushing;
  });
  FREEHOLD_CHECK(waiting == flush_waiting_ && listed <= size());
  FREEHOLD_CHECK(declaring == declaring_);
}

}  // namespace freehold::core
