#include "src/core/former_index.h"

#include <utility>

#include "src/base/check.h"

namespace freehold::core {

const char* FormerStageName(FormerStage stage) {
  switch (stage) {
    case FormerStage::kToSend:
      return "its transfer waits to be sent";
    case FormerStage::kSent:
      return "its next owner has not answered";
    case FormerStage::kTaken:
      return "its next owner tells everybody";
    case FormerStage::kSettled:
      return "everybody knows its next owner";
    case FormerStage::kHeir:
      return "its owner has an heir here";
  }
  return "?";
}

Former* FormerIndex::Find(const ObjectId& object) {
  const auto at = by_object_.find(object);
  return at == by_object_.end() ? nullptr : &pool_.At(at->second);
}

Former* FormerIndex::Add(const ObjectId& object, PeerIndex next_owner, uint32_t term) {
  const uint32_t number = pool_.Allocate();
  if (number == kNone) return nullptr;
  Former& former = pool_.At(number);
  former = Former();
  former.object = object;
  former.next_owner = next_owner;
  former.term = term;
  const bool is_new = by_object_.emplace(object, number).second;
  FREEHOLD_CHECK(is_new);
  Link(number);
  return &former;
}

void FormerIndex::Remove(Former* former) {
  const uint32_t number = NumberOf(*former);
  Unlink(number);
  by_object_.erase(former->object);
  *former = Former();
  pool_.Release(number);
}

void FormerIndex::SetStage(Former* former, FormerStage stage) {
  const uint32_t number = NumberOf(*former);
  Unlink(number);
  former->stage = stage;
  if (stage == FormerStage::kSettled) {
    former->snapshot.reset();
    former->asked = {};
  }
  Link(number);
}

void FormerIndex::Follow(Former* former, PeerIndex next_owner, uint32_t term) {
  const uint32_t number = NumberOf(*former);
  Unlink(number);
  former->next_owner = next_owner;
  former->term = term;
  Link(number);
  SetStage(former, FormerStage::kSettled);
}

void FormerIndex::BecomeHeir(Former* former, PeerIndex owner, uint32_t term,
                             std::unique_ptr<OwnedSnapshot> snapshot) {
  Follow(former, owner, term);
  former->snapshot = std::move(snapshot);
  SetStage(former, FormerStage::kHeir);
}

Former* FormerIndex::FirstUnsettled(PeerIndex next_owner) {
  Former* const to_send = First(next_owner, kToSendRing);
  return to_send != nullptr ? to_send : First(next_owner, kUnsettledRing);
}

FormerIndex::Ring FormerIndex::RingOf(FormerStage stage) {
  switch (stage) {
    case FormerStage::kToSend:
      return kToSendRing;
    case FormerStage::kSent:
    case FormerStage::kTaken:
      return kUnsettledRing;
    case FormerStage::kHeir:
      return kHeirRing;
    case FormerStage::kSettled:
      break;
  }
  return kSettledRing;
}

Former* FormerIndex::First(PeerIndex next_owner, Ring ring) {
  const Rings* rings = rings_.Find(next_owner);
  if (rings == nullptr || rings->first[ring] == kNone) return nullptr;
  return &pool_.At(rings->first[ring]);
}

// `change`: 1, or the opposite, modulo 2^64.
void FormerIndex::Count(FormerStage stage, uint64_t change) {
  if (stage <= FormerStage::kSent) unanswered_ += change;
  if (stage < FormerStage::kSettled) unsettled_ += change;
  if (stage == FormerStage::kHeir) heirs_ += change;
}

void FormerIndex::Link(uint32_t number) {
  Former& former = pool_.At(number);
  Count(former.stage, 1);
  uint32_t* const ring = &rings_.At(former.next_owner).first[RingOf(former.stage)];
  if (*ring == kNone) {
    *ring = former.next = former.previous = number;
    return;
  }
  Former& first = pool_.At(*ring);
  former.next = *ring;
  former.previous = first.previous;
  pool_.At(first.previous).next = number;
  first.previous = number;
}

void FormerIndex::Unlink(uint32_t number) {
  const Former& former = pool_.At(number);
  Count(former.stage, ~uint64_t{0});
  uint32_t* const ring = &rings_.At(former.next_owner).first[RingOf(former.stage)];
  if (former.next == number) {
    *ring = kNone;
    return;
  }
  if (*ring == number) *ring = former.next;
  pool_.At(former.next).previous = former.previous;
  pool_.At(former.previous).next = former.next;
}

size_t FormerIndex::bytes() const {
  size_t bytes = pool_.bytes() + by_object_.capacity() * (sizeof(ObjectId) + 5);
  // What was handed over is a few hundred bytes for each, and there for a round trip or two; what
  // an heir keeps is there as long as the object.
  bytes += (unsettled_ + heirs_) * (sizeof(OwnedSnapshot) + 64);
  return bytes;
}

void FormerIndex::CheckInvariants() const {
  uint64_t listed = 0;
  uint64_t unanswered = 0;
  uint64_t unsettled = 0;
  uint64_t heirs = 0;
  rings_.ForEach([&](PeerIndex peer, const Rings& rings) {
    for (int ring = 0; ring < kRings; ++ring) {
      for (uint32_t at = rings.first[ring]; at != kNone;) {
        const Former& former = pool_.At(at);
        FREEHOLD_CHECK(former.next_owner == peer && RingOf(former.stage) == ring);
        FREEHOLD_CHECK(by_object_.find(former.object)->second == at);
        FREEHOLD_CHECK((former.stage == FormerStage::kSettled) == (former.snapshot == nullptr));
        FREEHOLD_CHECK(former.asked.empty() || former.stage <= FormerStage::kSent);
        FREEHOLD_CHECK(pool_.At(former.next).previous == at);
        unanswered += former.stage <= FormerStage::kSent ? 1 : 0;
        unsettled += former.settled() ? 0 : 1;
        heirs += former.is_heir() ? 1 : 0;
        ++listed;
        at = former.next == rings.first[ring] ? kNone : former.next;
      }
    }
  });
  FREEHOLD_CHECK(listed == size() && by_object_.size() == size());
  FREEHOLD_CHECK(unanswered == unanswered_ && unsettled == unsettled_ && heirs == heirs_);
}

}  // namespace freehold::core
