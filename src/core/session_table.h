// All sessions of one end: to every layer above, the transport looks FIFO and exactly-once.
//
// A session is the ordered channel between this end and one peer: sequence numbers, a cumulative
// acknowledgement, a bounded window, retransmission with exponential backoff and jitter. What waits
// to be sent is not here: the layer above builds a payload when CanSend() says that the window has
// room. Retained are only the envelopes in the window.
//
// Thread safety: thread-compatible; the runtime gives it to whoever holds the pump role.
// Pure: time and randomness come in as arguments; what is to be sent goes out through `out`. The
// same calls make the same output, byte for byte.
// Memory: an idle session holds nothing but its own fields; see session.h for what a busy one
// keeps. Costs: O(1) per envelope, O(log sessions with unacknowledged envelopes) per timer change.

#ifndef FREEHOLD_SRC_CORE_SESSION_TABLE_H_
#define FREEHOLD_SRC_CORE_SESSION_TABLE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/session_options.h"
#include "freehold/stats.h"
#include "src/core/codec.h"
#include "src/core/peer.h"
#include "src/core/session.h"

namespace freehold::core {

class SessionTable {
 public:
  // REQUIRES: Validate(options) is Ok. `version_max` is kVersionMax but in tests of version
  // agreement.
  SessionTable(const Address& self, const SessionOptions& options,
               uint8_t version_max = kVersionMax);

  // Opens the session with `peer` under the index that the runtime gave it. A second call changes
  // nothing. An excluded peer stays excluded.
  void Open(PeerIndex peer, const Address& address);
  bool IsOpen(PeerIndex peer) const;
  bool IsExcluded(PeerIndex peer) const;

  // Takes an arrived envelope from a peer that is open or excluded. Payloads that became
  // deliverable are appended to `deliveries`; each was checked by CheckPayload, so a payload that
  // does not decode is garbage as a whole and is never acknowledged.
  ReceiveVerdict Receive(PeerIndex from, std::string_view bytes, Time now,
                         std::vector<Delivery>* deliveries);

  // The session is open and its window has room.
  bool CanSend(PeerIndex peer) const;
  // Sends `payload` as the session's next envelope. REQUIRES: CanSend(peer); payload not empty, and
  // with kFrameBytes in front not longer than envelope_bytes_max.
  void Send(PeerIndex peer, Payload payload, Time now, uint64_t random,
            std::vector<OutEnvelope>* out);
  // Emits the retransmissions that are due at `now`, by deadline and then index, and after them the
  // acknowledgements that are owed and no envelope of this turn has carried, in order of debt. Call
  // at the end of each pump turn.
  void Poll(Time now, uint64_t random, std::vector<OutEnvelope>* out);
  // When Poll has something to do next, if nothing arrives before. kInfinitePast: now.
  Time NextDeadline() const;

  // Peers whose windows have opened since the last call, in order of opening.
  std::vector<PeerIndex> TakeUnblocked();

  // Fences the peer for ever, whether its session was open or not, and answers the payloads that it
  // never acknowledged, in order. `address` must be that of Open. A second call answers nothing.
  std::vector<std::string> Exclude(PeerIndex peer, const Address& address);

  // Envelopes not acknowledged, over all open sessions.
  size_t unacked_envelopes() const { return unacked_envelopes_; }
  // 0 for a peer that is not open.
  size_t unacked_envelopes(PeerIndex peer) const;
  // The version spoken to `peer`. REQUIRES: IsOpen(peer).
  uint8_t version(PeerIndex peer) const;
  SessionStats GetStats() const;
  void CheckInvariants() const;

 private:
  enum class State : uint8_t { kUnknown, kOpen, kExcluded };
  struct Slot {
    std::unique_ptr<Session> session;  // while kOpen
    State state = State::kUnknown;
    bool listed_owing = false;      // in owing_
    bool listed_unblocked = false;  // in unblocked_
  };
  // What the table keeps of a session in sums and indices, as it was before a change.
  struct Before {
    Time deadline;
    size_t unacked;
    size_t unacked_bytes;
    bool owes_ack;
    bool has_room;
  };

  Slot& SlotOf(PeerIndex peer);
  const Session* Find(PeerIndex peer) const;
  Session* Find(PeerIndex peer);
  Before Observe(const Session& session) const;
  // Brings sums, timers and lists in line with what became of the session since `before`.
  void Settle(const Session& session, const Before& before);

  const SessionConfig config_;
  // By index: those are dense. Sessions have stable addresses and are freed at exclusion.
  std::vector<Slot> slots_;
  // Sessions with something unacknowledged; idle ones are not in it.
  absl::btree_set<std::pair<Time, PeerIndex>> timers_;
  // May name peers that have been acknowledged meanwhile; each peer once.
  std::vector<PeerIndex> owing_;
  std::vector<PeerIndex> unblocked_;
  size_t acks_owed_ = 0;
  size_t unacked_envelopes_ = 0;
  SessionStats stats_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_SESSION_TABLE_H_
