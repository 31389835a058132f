// One turn of an endpoint's pump. Everything here runs in the pump role, with no lock held while
// the client, the membership, the transport or the logger is called.

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "src/base/guarded_call.h"
#include "src/base/mutex.h"
#include "src/runtime/endpoint_impl.h"

namespace freehold::runtime {

using internal::CallGuarded;
using internal::MutexLock;

void Endpoint::Impl::RunTurn(Time now) {
  std::vector<MembershipEvent> events;
  std::vector<Envelope> arrived;
  {
    // Together: an envelope that came after a view is not handled before it.
    MutexLock lock(&arrivals_mutex_);
    events.swap(events_);
    events_waiting_.store(0, std::memory_order_relaxed);
    arrived.swap(arrived_);
  }
  HandleMembership(events);
  PassGraces(now);
  HandleArrived(&arrived, now);
  Time work_deadline = kInfiniteFuture;
  if (!stopping()) work_deadline = client_->Work(now);
  ReportFlushed();
  const uint64_t looked_at = FillReady(now);
  if (carries_traffic() && !stopping()) sessions_.Poll(now, random_.Next(), &out_);
  Publish(now, work_deadline);
  // Only now: what was filled is counted as unacknowledged, so nothing under way looks idle.
  ready_count_.fetch_sub(looked_at, std::memory_order_acq_rel);
  SendAll();
}

// --- Membership ----------------------------------------------------------------------------------

void Endpoint::Impl::HandleMembership(const std::vector<MembershipEvent>& events) {
  for (const MembershipEvent& event : events) {
    if (stopping() || self_excluded()) return;
    if (!event.is_barrier) {
      HandleView(event.view);
    } else if (config_.orphan_grace == Duration::zero()) {
      PassBarrier(event.view.version);
    }
  }
}

void Endpoint::Impl::HandleView(const View& view) {
  std::vector<PeerIndex> excluded;
  bool self = false;
  for (const Address& address : view.excluded) {
    if (address == config_.self) {
      self = true;
      continue;
    }
    // Interned even if it was never seen: it is fenced for ever. Without room for it, it has no
    // index and will get none, which fences it as well.
    const PeerIndex peer = Intern(address);
    if (peer == core::kNoPeer || IsExcluded(peer)) continue;
    Fence(peer, address);
    excluded.push_back(peer);
  }
  if (self) self_excluded_.store(true, std::memory_order_release);
  client_->OnView(view.version, excluded);
  if (stopping()) return;
  if (self) {
    owed_flush_.reset();
    open_views_.clear();
    graces_.clear();
    client_->OnSelfExcluded();
    return;
  }
  owed_flush_ = view.version;
  if (view.version > 0) open_views_.push_back(view.version);
  if (config_.orphan_grace > Duration::zero() && view.version > 0) {
    graces_.push_back({view.version});
  }
}

// Barriers by time. A view that was taken before any time had passed is seen in the first turn
// that has one.
void Endpoint::Impl::PassGraces(Time now) {
  if (now == kInfinitePast) return;
  for (auto grace = graces_.rbegin(); grace != graces_.rend(); ++grace) {
    if (grace->ends != kInfinitePast) break;
    grace->ends = SaturatingAdd(now, config_.orphan_grace);
  }
  while (!stopping() && !graces_.empty() && graces_.front().ends <= now) {
    const uint64_t version = graces_.front().version;
    graces_.pop_front();
    PassBarrier(version);
  }
}

// Closes the views up to its own.
void Endpoint::Impl::PassBarrier(uint64_t version) {
  while (!open_views_.empty() && open_views_.front() <= version) open_views_.pop_front();
  client_->OnBarrier(version);
}

void Endpoint::Impl::ReportFlushed() {
  if (stopping() || !owed_flush_.has_value()) return;
  const uint64_t version = *owed_flush_;
  if (!client_->IsFlushed(version) || stopping()) return;
  owed_flush_.reset();
  const std::optional<std::string> thrown =
      CallGuarded([&] { config_.membership->Flushed(config_.self, version); });
  if (thrown.has_value()) LogThrown("Membership::Flushed", *thrown);
}

void Endpoint::Impl::Fence(PeerIndex peer, const Address& address) {
  PeerState& state = peers_.Reach(peer);
  state.excluded.store(true, std::memory_order_release);
  state.waits_for_window = false;
  // What was not acknowledged is the client's to know: it hears the peer's index.
  (void)sessions_.Exclude(peer, address);
  NoteUnacked(peer, &state);
}

// --- Arrived envelopes ---------------------------------------------------------------------------

void Endpoint::Impl::HandleArrived(std::vector<Envelope>* arrived, Time now) {
  uint64_t bytes = 0;
  for (const Envelope& envelope : *arrived) {
    bytes += envelope.bytes.size();
    if (!stopping()) HandleEnvelope(envelope, now);
  }
  arrived->clear();
  // Only now: the envelopes were in memory until here, and what they caused is marked.
  inbox_bytes_.fetch_sub(bytes, std::memory_order_acq_rel);
}

void Endpoint::Impl::HandleEnvelope(const Envelope& envelope, Time now) {
  if (self_excluded() || IsExcluded(Find(envelope.from))) {
    ++fenced_;
    return;
  }
  const PeerIndex peer = PeerOf(envelope);
  if (peer == core::kNoPeer) return;
  if (!client_->CanTake(peer)) {
    if (stopping()) return;
    core::Frame frame;
    if (!Peek(envelope, &frame)) return;
    // A bare acknowledgement passes: it may be what ends the back-pressure.
    if (frame.sequence != 0) {
      ++not_taken_;
      return;
    }
  }
  switch (sessions_.Receive(peer, envelope.bytes, now, &deliveries_)) {
    case core::ReceiveVerdict::kAccepted:
    case core::ReceiveVerdict::kAckOnly:
    case core::ReceiveVerdict::kDuplicate:
    case core::ReceiveVerdict::kBeyondWindow:
    case core::ReceiveVerdict::kFenced:
      break;  // counted by the table
    case core::ReceiveVerdict::kGarbage:
      LogGarbage(envelope, sessions_.GetStats().garbage_rejected);
      break;
  }
  NoteUnacked(peer, &peers_.Reach(peer));
  for (const core::Delivery& delivery : deliveries_) {
    if (stopping()) break;
    refused_items_ += client_->OnPayload(delivery.from, delivery.payload(), now);
  }
  deliveries_.clear();
}

// The peer, its session opened if need be; kNoPeer when the envelope may not open one.
PeerIndex Endpoint::Impl::PeerOf(const Envelope& envelope) {
  const PeerIndex known = Find(envelope.from);
  if (known != core::kNoPeer && sessions_.IsOpen(known)) return known;
  // Garbage from anywhere must not grow a table.
  core::Frame frame;
  if (!Peek(envelope, &frame)) return core::kNoPeer;
  const PeerIndex peer = Intern(envelope.from);
  if (peer == core::kNoPeer) {
    ++not_taken_;
    return core::kNoPeer;
  }
  sessions_.Open(peer, envelope.from);
  return peer;
}

// Decodes the frame of an envelope that its session has not seen; counts it when that fails.
bool Endpoint::Impl::Peek(const Envelope& envelope, core::Frame* frame) {
  std::string_view payload;
  const core::CodecError error = core::DecodeFrame(envelope.bytes, envelope.from, envelope.to,
                                                   core::kVersionMax, frame, &payload);
  if (error == core::CodecError::kOk) return true;
  LogGarbage(envelope, ++garbage_);
  return false;
}

// A line at every power of two: a peer that only sends garbage must not fill the log.
void Endpoint::Impl::LogGarbage(const Envelope& envelope, uint64_t count) {
  if ((count & (count - 1)) != 0) return;
  (void)CallGuarded([&] {
    config_.logger->Log(LogLevel::kWarning,
                        config_.self.ToString() + " rejected an envelope from " +
                            envelope.from.ToString() + ": it does not decode (the " +
                            std::to_string(count) + ". so far); is the sender's version or the " +
                            "transport at fault?");
  });
}

// --- What leaves ---------------------------------------------------------------------------------

// Answers how many marks were looked at.
uint64_t Endpoint::Impl::FillReady(Time now) {
  std::vector<PeerIndex> ready;
  {
    MutexLock lock(&arrivals_mutex_);
    ready.swap(ready_);
  }
  for (const PeerIndex peer : sessions_.TakeUnblocked()) {
    PeerState& state = peers_.Reach(peer);
    if (state.waits_for_window) FillPeer(peer, &state, now);
  }
  for (const PeerIndex peer : ready) {
    PeerState& state = peers_.Reach(peer);
    // Before Fill looks: what comes later marks again.
    state.ready.exchange(false, std::memory_order_acq_rel);
    FillPeer(peer, &state, now);
  }
  return ready.size();
}

void Endpoint::Impl::FillPeer(PeerIndex peer, PeerState* state, Time now) {
  state->waits_for_window = false;
  if (!carries_traffic() || IsExcluded(peer)) return;
  sessions_.Open(peer, AddressOf(peer));
  for (bool more = true; more && !stopping();) {
    if (!sessions_.CanSend(peer)) {
      state->waits_for_window = true;
      return;
    }
    more = client_->Fill(peer, &writer_);
    if (writer_.empty()) return;
    sessions_.Send(peer, writer_.TakePayload(), now, random_.Next(), &out_);
    NoteUnacked(peer, state);
  }
}

void Endpoint::Impl::Publish(Time now, Time work_deadline) {
  // The holder looks at work_ before it lets the role go.
  if (work_deadline <= now) work_.store(true, std::memory_order_release);
  Time deadline = work_deadline;
  if (carries_traffic()) deadline = std::min(deadline, sessions_.NextDeadline());
  // In the past while it has no end: the next turn gives it one.
  if (!graces_.empty()) deadline = std::min(deadline, graces_.front().ends);
  deadline_.store(deadline.time_since_epoch().count(), std::memory_order_release);
  unacked_.store(sessions_.unacked_envelopes(), std::memory_order_release);

  SessionStats stats = sessions_.GetStats();
  stats.fenced_dropped += fenced_;
  stats.garbage_rejected += garbage_;
  stats.refused_items += refused_items_;
  stats.inbox_overflows += not_taken_;
  stats.views_open = open_views_.size();
  MutexLock lock(&stats_mutex_);
  published_ = stats;
}

void Endpoint::Impl::SendAll() {
  // Send may reach another end, and through it this one's doors: they do not touch out_.
  for (core::OutEnvelope& envelope : out_) {
    if (stopping() || !carries_traffic()) break;
    const std::optional<std::string> thrown = CallGuarded([&] {
      config_.transport->Send(
          Envelope{config_.self, AddressOf(envelope.to), std::move(envelope.bytes)});
    });
    if (thrown.has_value()) LogThrown("Transport::Send", *thrown);
  }
  out_.clear();
}

}  // namespace freehold::runtime
