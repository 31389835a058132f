#include "src/core/session.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "src/base/check.h"
#include "src/base/hash.h"
#include "src/base/mutant.h"

namespace freehold::core {

namespace {

// `delay_min` doubled `timeouts` times, up to the maximum.
Duration Backoff(const SessionOptions& options, uint8_t timeouts) {
  constexpr int kShiftMax = std::numeric_limits<Duration::rep>::digits - 1;
  if (timeouts > kShiftMax || options.retransmit_delay_min >
                                  options.retransmit_delay_max / (Duration::rep{1} << timeouts)) {
    return options.retransmit_delay_max;
  }
  return options.retransmit_delay_min * (Duration::rep{1} << timeouts);
}

// What may be kept early. Own bounds: the peer's options may be others than ours.
size_t EarlyBytesMax(const SessionConfig& config) {
  return static_cast<size_t>(config.options.window_envelopes) * config.options.envelope_bytes_max;
}

}  // namespace

const char* ReceiveVerdictName(ReceiveVerdict verdict) {
  switch (verdict) {
    case ReceiveVerdict::kAccepted:
      return "accepted";
    case ReceiveVerdict::kAckOnly:
      return "ack only";
    case ReceiveVerdict::kDuplicate:
      return "duplicate";
    case ReceiveVerdict::kBeyondWindow:
      return "beyond window";
    case ReceiveVerdict::kFenced:
      return "fenced";
    case ReceiveVerdict::kGarbage:
      return "garbage";
  }
  return "unknown";
}

Session::Session(PeerIndex peer, const Address& address) : address_(address), peer_(peer) {}

// --- Sending -------------------------------------------------------------------------------------

OutEnvelope Session::Send(const SessionConfig& config, Payload payload, Time now, uint64_t random) {
  FREEHOLD_CHECK(HasRoom(config));
  FREEHOLD_CHECK(payload.size() > 0);
  FREEHOLD_CHECK(payload.size() + kFrameBytes <= config.options.envelope_bytes_max);
  OutEnvelope envelope = Emit(config, version_, ++sent_, payload.view());
  unacked_bytes_ += payload.size();
  unacked_.emplace_hint(unacked_.end(), sent_, Unacked{std::move(payload), version_});
  // A running timer stays: it is about the oldest.
  if (timer_ == Timer::kOff) ArmTimeout(config, now, random);
  return envelope;
}

OutEnvelope Session::Retransmit(const SessionConfig& config, Time now, uint64_t random) {
  FREEHOLD_CHECK(!unacked_.empty() && deadline_ <= now);
  switch (timer_) {
    case Timer::kOff:
      FREEHOLD_CHECK(false);
      break;
    case Timer::kTimeout:
      if (timeouts_ < std::numeric_limits<uint8_t>::max()) ++timeouts_;
      sent_at_timeout_ = sent_;
      break;
    case Timer::kNextGap:
      break;
  }
  ArmTimeout(config, now, random);
  const auto& [sequence, oldest] = *unacked_.begin();
  return Emit(config, oldest.version, sequence, oldest.payload.view());
}

OutEnvelope Session::Acknowledge(const SessionConfig& config) {
  return Emit(config, version_, 0, {});
}

OutEnvelope Session::Emit(const SessionConfig& config, uint8_t version, uint64_t sequence,
                          std::string_view payload) {
  owes_ack_ = false;
  Frame frame;
  frame.version = version;
  frame.version_max = config.version_max;
  frame.sequence = sequence;
  frame.acknowledged = received_;
  return {peer_, EncodeFrame(frame, config.self, address_, payload)};
}

void Session::ArmTimeout(const SessionConfig& config, Time now, uint64_t random) {
  const Duration delay = Backoff(config.options, timeouts_);
  const uint64_t jitter_max = static_cast<uint64_t>(delay.count()) / 2;
  const Duration jitter(static_cast<Duration::rep>(random % (jitter_max + 1)));
  random_ = random;
  timer_ = Timer::kTimeout;
  deadline_ = SaturatingAdd(now, delay + jitter);
}

std::vector<std::string> Session::TakeUnacked() {
  std::vector<std::string> payloads;
  payloads.reserve(unacked_.size());
  for (const auto& [sequence, unacked] : unacked_) payloads.emplace_back(unacked.payload.view());
  unacked_.clear();
  unacked_bytes_ = 0;
  acknowledged_ = sent_;
  timer_ = Timer::kOff;
  deadline_ = kInfiniteFuture;
  return payloads;
}

// --- Receiving -----------------------------------------------------------------------------------

ReceiveVerdict Session::Receive(const SessionConfig& config, std::string_view bytes, Time now,
                                std::vector<Delivery>* deliveries) {
  Frame frame;
  std::string_view payload;
  if (DecodeFrame(bytes, address_, config.self, config.version_max, &frame, &payload) !=
      CodecError::kOk) {
    return ReceiveVerdict::kGarbage;
  }
  const ReceiveVerdict verdict = Classify(config, frame, payload);
  if (verdict == ReceiveVerdict::kGarbage) return verdict;
  if (!heard_) {
    heard_ = true;
    version_ = std::min(config.version_max, frame.version_max);
  }
  TakeAcknowledgement(config, frame.acknowledged, now);
  if (verdict == ReceiveVerdict::kAccepted) Accept(frame.sequence, payload, deliveries);
  if (verdict == ReceiveVerdict::kDuplicate && frame.sequence <= received_ &&
      internal::IsMutant(internal::Mutant::kDuplicateApplied) &&
      CheckPayload(payload) == CodecError::kOk) {
    deliveries->push_back({peer_, payload, {}});
  }
  // Duplicates and dropped ones too: the peer repeats them because it has not heard us.
  if (verdict != ReceiveVerdict::kAckOnly) owes_ack_ = true;
  return verdict;
}

ReceiveVerdict Session::Classify(const SessionConfig& config, const Frame& frame,
                                 std::string_view payload) const {
  if (frame.acknowledged > sent_) return ReceiveVerdict::kGarbage;
  if (frame.sequence == 0) return ReceiveVerdict::kAckOnly;
  if (frame.sequence <= received_ || early_.contains(frame.sequence)) {
    return ReceiveVerdict::kDuplicate;
  }
  // What is next in order is always taken, so that a peer with larger bounds than ours gets
  // through.
  const uint64_t ahead = frame.sequence - received_;
  if (ahead > 1 && (ahead > config.options.window_envelopes ||
                    payload.size() > EarlyBytesMax(config) - early_bytes_)) {
    return ReceiveVerdict::kBeyondWindow;
  }
  // Before anything is kept: an envelope is applied whole or not, and garbage never acknowledged.
  if (CheckPayload(payload) != CodecError::kOk) return ReceiveVerdict::kGarbage;
  return ReceiveVerdict::kAccepted;
}

void Session::TakeAcknowledgement(const SessionConfig& config, uint64_t acknowledged, Time now) {
  if (acknowledged <= acknowledged_) return;
  acknowledged_ = acknowledged;
  const auto end = unacked_.upper_bound(acknowledged);
  for (auto it = unacked_.begin(); it != end; ++it) unacked_bytes_ -= it->second.payload.size();
  unacked_.erase(unacked_.begin(), end);
  timeouts_ = 0;
  if (unacked_.empty()) {
    timer_ = Timer::kOff;
    deadline_ = kInfiniteFuture;
    return;
  }
  ArmTimeout(config, now, internal::MultiplyFold(random_ ^ acknowledged, internal::kHashSecret[0]));
  if (acknowledged < sent_at_timeout_) {
    timer_ = Timer::kNextGap;
    deadline_ = now;
  }
}

void Session::Accept(uint64_t sequence, std::string_view payload,
                     std::vector<Delivery>* deliveries) {
  if (sequence != received_ + 1 && internal::IsMutant(internal::Mutant::kOrderIgnored)) {
    deliveries->push_back({peer_, payload, {}});
    early_.emplace(sequence, std::string());
    return;
  }
  if (sequence != received_ + 1) {
    early_bytes_ += payload.size();
    early_.emplace(sequence, std::string(payload));
    return;
  }
  deliveries->push_back({peer_, payload, {}});
  ++received_;
  auto it = early_.begin();
  for (; it != early_.end() && it->first == received_ + 1; ++it) {
    early_bytes_ -= it->second.size();
    deliveries->push_back({peer_, {}, std::move(it->second)});
    ++received_;
  }
  early_.erase(early_.begin(), it);
}

// --- Invariants ----------------------------------------------------------------------------------

void Session::CheckInvariants(const SessionConfig& config) const {
  FREEHOLD_CHECK(version_ >= kVersionMin && version_ <= config.version_max);
  FREEHOLD_CHECK(heard_ || (received_ == 0 && acknowledged_ == 0 && early_.empty()));

  FREEHOLD_CHECK(unacked_.size() <= config.options.window_envelopes);
  FREEHOLD_CHECK(sent_ - acknowledged_ == unacked_.size());
  FREEHOLD_CHECK(sent_at_timeout_ <= sent_);
  uint64_t sequence = acknowledged_;
  size_t bytes = 0;
  for (const auto& [unacked_sequence, unacked] : unacked_) {
    FREEHOLD_CHECK(unacked_sequence == ++sequence);
    FREEHOLD_CHECK(unacked.version <= version_);
    bytes += unacked.payload.size();
  }
  FREEHOLD_CHECK(bytes == unacked_bytes_);
  FREEHOLD_CHECK((timer_ == Timer::kOff) == unacked_.empty());
  FREEHOLD_CHECK(timer_ != Timer::kOff || (deadline_ == kInfiniteFuture));
  FREEHOLD_CHECK(timer_ != Timer::kNextGap || acknowledged_ < sent_at_timeout_);

  bytes = 0;
  for (const auto& [early_sequence, payload] : early_) {
    FREEHOLD_CHECK(early_sequence > received_ + 1);
    FREEHOLD_CHECK(early_sequence - received_ <= config.options.window_envelopes);
    bytes += payload.size();
  }
  FREEHOLD_CHECK(bytes == early_bytes_ && bytes <= EarlyBytesMax(config));
}

}  // namespace freehold::core
