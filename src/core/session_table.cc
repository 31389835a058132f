#include "src/core/session_table.h"

#include "src/base/check.h"
#include "src/base/hash.h"

namespace freehold::core {

namespace {

// One `random` serves a whole turn; peers must not retry in step all the same.
uint64_t RandomOf(uint64_t random, PeerIndex peer) {
  return internal::MultiplyFold(random ^ internal::kHashSecret[1],
                                uint64_t{peer} ^ internal::kHashSecret[2]);
}

}  // namespace

SessionTable::SessionTable(const Address& self, const SessionOptions& options, uint8_t version_max)
    : config_{self, options, version_max} {
  FREEHOLD_CHECK(Validate(options).ok());
  FREEHOLD_CHECK(version_max >= kVersionMin);
}

// --- Which sessions there are --------------------------------------------------------------------

SessionTable::Slot& SessionTable::SlotOf(PeerIndex peer) {
  FREEHOLD_CHECK(peer <= kPeerIndexMax);
  if (peer >= slots_.size()) slots_.resize(size_t{peer} + 1);
  return slots_[peer];
}

const Session* SessionTable::Find(PeerIndex peer) const {
  return peer < slots_.size() ? slots_[peer].session.get() : nullptr;
}

Session* SessionTable::Find(PeerIndex peer) {
  return peer < slots_.size() ? slots_[peer].session.get() : nullptr;
}

void SessionTable::Open(PeerIndex peer, const Address& address) {
  Slot& slot = SlotOf(peer);
  switch (slot.state) {
    case State::kOpen:
      FREEHOLD_CHECK(slot.session->address() == address);
      return;
    case State::kExcluded:
      return;
    case State::kUnknown:
      slot.state = State::kOpen;
      slot.session = std::make_unique<Session>(peer, address);
      ++stats_.sessions;
      return;
  }
}

bool SessionTable::IsOpen(PeerIndex peer) const { return Find(peer) != nullptr; }

bool SessionTable::IsExcluded(PeerIndex peer) const {
  return peer < slots_.size() && slots_[peer].state == State::kExcluded;
}

std::vector<std::string> SessionTable::Exclude(PeerIndex peer, const Address& address) {
  Slot& slot = SlotOf(peer);
  std::vector<std::string> unacked;
  if (slot.session != nullptr) {
    FREEHOLD_CHECK(slot.session->address() == address);
    const Before before = Observe(*slot.session);
    unacked = slot.session->TakeUnacked();
    Settle(*slot.session, before);
    if (slot.session->owes_ack()) --acks_owed_;
    slot.session.reset();
    --stats_.sessions;
  }
  slot.state = State::kExcluded;
  return unacked;
}

// --- What they do --------------------------------------------------------------------------------

ReceiveVerdict SessionTable::Receive(PeerIndex from, std::string_view bytes, Time now,
                                     std::vector<Delivery>* deliveries) {
  if (IsExcluded(from)) {
    ++stats_.fenced_dropped;
    return ReceiveVerdict::kFenced;
  }
  Session* const session = Find(from);
  FREEHOLD_CHECK(session != nullptr);
  const Before before = Observe(*session);
  const ReceiveVerdict verdict = session->Receive(config_, bytes, now, deliveries);
  Settle(*session, before);
  switch (verdict) {
    case ReceiveVerdict::kGarbage:
      ++stats_.garbage_rejected;
      return verdict;
    case ReceiveVerdict::kDuplicate:
      ++stats_.duplicates_dropped;
      break;
    case ReceiveVerdict::kAccepted:
    case ReceiveVerdict::kAckOnly:
    case ReceiveVerdict::kBeyondWindow:
      break;
    case ReceiveVerdict::kFenced:
      FREEHOLD_CHECK(false);
      break;
  }
  ++stats_.envelopes_received;
  return verdict;
}

bool SessionTable::CanSend(PeerIndex peer) const {
  const Session* const session = Find(peer);
  return session != nullptr && session->HasRoom(config_);
}

void SessionTable::Send(PeerIndex peer, Payload payload, Time now, uint64_t random,
                        std::vector<OutEnvelope>* out) {
  Session* const session = Find(peer);
  FREEHOLD_CHECK(session != nullptr);
  const Before before = Observe(*session);
  out->push_back(session->Send(config_, std::move(payload), now, RandomOf(random, peer)));
  Settle(*session, before);
  ++stats_.envelopes_sent;
  stats_.bytes_sent += out->back().bytes.size();
}

void SessionTable::Poll(Time now, uint64_t random, std::vector<OutEnvelope>* out) {
  // Ends: a session that was served is due after `now`, or never.
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const PeerIndex peer = timers_.begin()->second;
    Session* const session = Find(peer);
    const Before before = Observe(*session);
    out->push_back(session->Retransmit(config_, now, RandomOf(random, peer)));
    Settle(*session, before);
    ++stats_.envelopes_retransmitted;
    stats_.bytes_sent += out->back().bytes.size();
  }
  for (const PeerIndex peer : owing_) {
    slots_[peer].listed_owing = false;
    Session* const session = Find(peer);
    if (session == nullptr || !session->owes_ack()) continue;
    const Before before = Observe(*session);
    out->push_back(session->Acknowledge(config_));
    Settle(*session, before);
    ++stats_.acks_sent;
    stats_.bytes_sent += out->back().bytes.size();
  }
  owing_.clear();
}

Time SessionTable::NextDeadline() const {
  if (acks_owed_ > 0) return kInfinitePast;
  return timers_.empty() ? kInfiniteFuture : timers_.begin()->first;
}

std::vector<PeerIndex> SessionTable::TakeUnblocked() {
  std::vector<PeerIndex> peers;
  for (const PeerIndex peer : unblocked_) {
    slots_[peer].listed_unblocked = false;
    if (IsOpen(peer)) peers.push_back(peer);
  }
  unblocked_.clear();
  return peers;
}

// --- Sums and indices ----------------------------------------------------------------------------

SessionTable::Before SessionTable::Observe(const Session& session) const {
  return {session.deadline(), session.unacked(), session.unacked_bytes(), session.owes_ack(),
          session.HasRoom(config_)};
}

void SessionTable::Settle(const Session& session, const Before& before) {
  const PeerIndex peer = session.peer();
  Slot& slot = slots_[peer];
  if (session.deadline() != before.deadline) {
    timers_.erase({before.deadline, peer});
    // A deadline that never comes needs no timer.
    if (session.deadline() != kInfiniteFuture) timers_.insert({session.deadline(), peer});
  }
  unacked_envelopes_ += session.unacked() - before.unacked;
  stats_.unacked_bytes += session.unacked_bytes() - before.unacked_bytes;
  acks_owed_ += size_t{session.owes_ack()} - size_t{before.owes_ack};
  if (session.owes_ack() && !slot.listed_owing) {
    slot.listed_owing = true;
    owing_.push_back(peer);
  }
  if (!before.has_room && session.HasRoom(config_) && !slot.listed_unblocked) {
    slot.listed_unblocked = true;
    unblocked_.push_back(peer);
  }
}

size_t SessionTable::unacked_envelopes(PeerIndex peer) const {
  const Session* const session = Find(peer);
  return session == nullptr ? 0 : session->unacked();
}

uint8_t SessionTable::version(PeerIndex peer) const {
  const Session* const session = Find(peer);
  FREEHOLD_CHECK(session != nullptr);
  return session->version();
}

SessionStats SessionTable::GetStats() const { return stats_; }

void SessionTable::CheckInvariants() const {
  size_t sessions = 0, timers = 0, unacked = 0, unacked_bytes = 0, owed = 0;
  size_t owing = 0, unblocked = 0;
  for (const Slot& slot : slots_) {
    FREEHOLD_CHECK((slot.state == State::kOpen) == (slot.session != nullptr));
    owing += size_t{slot.listed_owing};
    unblocked += size_t{slot.listed_unblocked};
    if (slot.session == nullptr) continue;
    const Session& session = *slot.session;
    FREEHOLD_CHECK(&slot == &slots_[session.peer()]);
    session.CheckInvariants(config_);
    ++sessions;
    unacked += session.unacked();
    unacked_bytes += session.unacked_bytes();
    owed += size_t{session.owes_ack()};
    FREEHOLD_CHECK(!session.owes_ack() || slot.listed_owing);
    if (session.deadline() == kInfiniteFuture) continue;
    ++timers;
    FREEHOLD_CHECK(timers_.contains({session.deadline(), session.peer()}));
  }
  FREEHOLD_CHECK(sessions == stats_.sessions);
  FREEHOLD_CHECK(timers == timers_.size());
  FREEHOLD_CHECK(unacked == unacked_envelopes_ && unacked_bytes == stats_.unacked_bytes);
  FREEHOLD_CHECK(owed == acks_owed_);
  // With the flags of the slots: each peer is listed at most once.
  for (const PeerIndex peer : owing_) FREEHOLD_CHECK(slots_[peer].listed_owing);
  for (const PeerIndex peer : unblocked_) FREEHOLD_CHECK(slots_[peer].listed_unblocked);
  FREEHOLD_CHECK(owing == owing_.size() && unblocked == unblocked_.size());
}

}  // namespace freehold::core
