// One session: the ordered channel between this end and one peer.
//
// Sending: payloads get sequence numbers from 1 and are retained until acknowledged. One timer runs
// while anything is unacknowledged; when it fires, the oldest envelope alone is sent again, and the
// timer doubles. When an acknowledgement shows that one more of those sent before the timer fired
// is missing, that one follows in the same turn (the partial acknowledgement of RFC 6582,
// "NewReno"): so an unreachable peer costs one envelope per timeout, and a burst of losses one
// round trip each.
//
// Receiving: what comes in order is delivered; what comes early is kept while it is within the
// window and its bytes are within a window's worth; everything else is dropped and comes again.
//
// There is no handshake: ids are never reused, so both ends start at sequence 1. The first frame
// that is heard settles the version.
//
// Thread safety: thread-compatible. Pure: time and randomness come in as arguments.
// Ownership: a Session owns what it retains; idle, it allocates nothing.

#ifndef FREEHOLD_SRC_CORE_SESSION_H_
#define FREEHOLD_SRC_CORE_SESSION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/session_options.h"
#include "src/core/codec.h"
#include "src/core/peer.h"

namespace freehold::core {

struct OutEnvelope {
  PeerIndex to = kNoPeer;
  std::string bytes;
};

// Payload bytes that have become deliverable, in order. Those of the envelope that was received are
// not copied: they borrow from its bytes.
struct Delivery {
  PeerIndex from = kNoPeer;
  std::string_view received;
  std::string kept;  // where `received` is empty: they came early

  std::string_view payload() const { return received.empty() ? kept : received; }
};

enum class [[nodiscard]] ReceiveVerdict : uint8_t{
    kAccepted,      // delivered, or kept until the gap before it closes
    kAckOnly,       // carries no payload
    kDuplicate,     // seen before; acknowledged again
    kBeyondWindow,  // early by more than is kept; dropped, what it acknowledged counts
    kFenced,        // from an excluded peer
    kGarbage,       // did not decode, or acknowledges what was never sent; nothing was changed
};
const char* ReceiveVerdictName(ReceiveVerdict verdict);

// What all sessions of one end share.
struct SessionConfig {
  Address self;
  SessionOptions options;
  uint8_t version_max = kVersionMax;
};

class Session {
 public:
  Session(PeerIndex peer, const Address& address);

  PeerIndex peer() const { return peer_; }
  const Address& address() const { return address_; }
  // kVersionMin until the peer is heard.
  uint8_t version() const { return version_; }
  size_t unacked() const { return unacked_.size(); }
  // Of payload.
  size_t unacked_bytes() const { return unacked_bytes_; }
  bool HasRoom(const SessionConfig& config) const {
    return unacked_.size() < config.options.window_envelopes;
  }
  // A payload has come since the last envelope left.
  bool owes_ack() const { return owes_ack_; }
  // When Retransmit is due; kInfiniteFuture while nothing is unacknowledged.
  Time deadline() const { return deadline_; }

  // REQUIRES: HasRoom(); the payload is not empty, nor longer than an envelope may be.
  OutEnvelope Send(const SessionConfig& config, Payload payload, Time now, uint64_t random);
  // The oldest unacknowledged envelope once more. REQUIRES: deadline() has come.
  OutEnvelope Retransmit(const SessionConfig& config, Time now, uint64_t random);
  // An envelope without a payload.
  OutEnvelope Acknowledge(const SessionConfig& config);

  // Never kFenced. What became deliverable is appended to `deliveries`; it may borrow from `bytes`.
  ReceiveVerdict Receive(const SessionConfig& config, std::string_view bytes, Time now,
                         std::vector<Delivery>* deliveries);

  // Ends the session: answers what was never acknowledged, in order.
  std::vector<std::string> TakeUnacked();

  void CheckInvariants(const SessionConfig& config) const;

 private:
  enum class Timer : uint8_t {
    kOff,      // nothing is unacknowledged
    kTimeout,  // the oldest envelope is considered lost at deadline_
    kNextGap,  // the oldest envelope is known to be missing: due at once
  };
  struct Unacked {
    Payload payload;
    uint8_t version;  // that the payload was written for
  };

  ReceiveVerdict Classify(const SessionConfig& config, const Frame& frame,
                          std::string_view payload) const;
  void TakeAcknowledgement(const SessionConfig& config, uint64_t acknowledged, Time now);
  void Accept(uint64_t sequence, std::string_view payload, std::vector<Delivery>* deliveries);
  void ArmTimeout(const SessionConfig& config, Time now, uint64_t random);
  OutEnvelope Emit(const SessionConfig& config, uint8_t version, uint64_t sequence,
                   std::string_view payload);

  const Address address_;
  const PeerIndex peer_;
  uint8_t version_ = kVersionMin;
  bool heard_ = false;
  bool owes_ack_ = false;
  Timer timer_ = Timer::kOff;
  uint8_t timeouts_ = 0;  // in a row, without progress
  Time deadline_ = kInfiniteFuture;
  // The latest that came in. An acknowledgement restarts the timer without bringing a new one.
  uint64_t random_ = 0;

  // Sending. Unacknowledged are those after acknowledged_ up to sent_.
  uint64_t sent_ = 0;
  uint64_t acknowledged_ = 0;
  uint64_t sent_at_timeout_ = 0;  // gaps up to here are worth repeating at once
  size_t unacked_bytes_ = 0;
  absl::btree_map<uint64_t, Unacked> unacked_;

  // Receiving. Everything up to received_ was delivered.
  uint64_t received_ = 0;
  size_t early_bytes_ = 0;
  absl::btree_map<uint64_t, std::string> early_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_SESSION_H_
