// HandoffLedger: what a receiver remembers of handoffs, so that a token counts once;
// HandoffNumbers: how a sender numbers them.
//
// A token travels in the host's own messages and may come twice, late, or after its handoff was
// cancelled. So a handoff that was redeemed or refused is remembered until its sender is excluded:
// for ever, on a healthy pair. That is affordable because handoffs are numbered from 1 within their
// sender, receiver and *lane*, the top bits of the object's hash. Within a lane the numbers that a
// receiver sees have holes only where tokens are still under way or were lost, so the memory is
// intervals, not handoffs; and since a lane's objects are all in one shard, each shard keeps the
// lanes of its objects in a ledger of its own, under its own lock.
//
// The memory is bounded whatever a sender does: a lane keeps at most kIntervalsMax intervals. When
// there would be more, the lowest hole is closed: handoffs whose tokens have not come although
// those of so many later ones have are refused from now on, as if they had been cancelled. That is
// safe, because a token that is refused is worth nothing and its sender keeps its pin until it
// hears so; nothing that was redeemed is ever forgotten. Which of the ended ones were refused is
// remembered for as many intervals again; beyond that the lowest are taken for redeemed, which
// only changes the name of the error.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_SRC_CORE_HANDOFF_LEDGER_H_
#define FREEHOLD_SRC_CORE_HANDOFF_LEDGER_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "freehold/ids.h"
#include "src/core/interval_set.h"
#include "src/core/peer.h"

namespace freehold::core {

inline constexpr uint32_t kHandoffLanes = 64;

// From 0 to kHandoffLanes - 1. Part of the protocol: both ends of a handoff derive it from the
// object, and it is not on the wire.
inline uint32_t LaneOfHash(uint64_t hash) { return static_cast<uint32_t>(hash >> 58); }
inline uint32_t LaneOf(const ObjectId& object) { return LaneOfHash(object.Hash()); }

enum class Seen : uint8_t {
  kNew,       // never heard of
  kRedeemed,  // its token was taken
  kRefused,   // it was cancelled before its token came: a token that comes yet is worth nothing
};
const char* SeenName(Seen seen);

// Every lane here and below is less than kHandoffLanes.
class HandoffLedger {
 public:
  // Of one lane of one sender, and of those that were refused among them: 16 KiB each.
  static constexpr size_t kIntervalsMax = 1024;

  Seen Look(PeerIndex sender, uint32_t lane, uint64_t number) const;
  // Changes nothing if it was redeemed already. REQUIRES: it was not refused.
  void Redeem(PeerIndex sender, uint32_t lane, uint64_t number);
  // Changes nothing if it was refused already. REQUIRES: it was not redeemed.
  void Refuse(PeerIndex sender, uint32_t lane, uint64_t number);
  // The sender was excluded: nothing of it is applied any more, so nothing need be remembered.
  // O(its lanes).
  void Forget(PeerIndex sender);

  // Gauges, O(1): intervals in all sets, and the memory of all this.
  size_t intervals() const { return intervals_; }
  size_t bytes() const;
  // Holes that were closed for want of room, ever.
  uint64_t holes_closed() const { return holes_closed_; }

  // For tests; aborts on a violation.
  void CheckInvariants() const;

 private:
  struct Lane {
    IntervalSet ended;    // redeemed or refused
    IntervalSet refused;  // of these, as far as is remembered
  };
  Lane& LaneAt(PeerIndex sender, uint32_t lane);
  void End(uint64_t number, bool refused, Lane* lane);

  absl::flat_hash_map<uint32_t, Lane> lanes_;          // by sender and lane
  absl::flat_hash_map<PeerIndex, uint64_t> lanes_of_;  // a bit for each lane that a sender has
  size_t intervals_ = 0;
  size_t interval_bytes_ = 0;
  uint64_t holes_closed_ = 0;
};

// The sender's side. Numbers are never used twice, also not for a handoff that was cancelled.
class HandoffNumbers {
 public:
  // 1, 2, 3 … for each receiver and lane.
  uint64_t NextNumber(PeerIndex receiver, uint32_t lane);
  // The receiver was excluded. REQUIRES: no number is asked for it any more. O(lanes).
  void Forget(PeerIndex receiver);

  size_t bytes() const;

 private:
  absl::flat_hash_map<uint32_t, uint64_t> last_;  // by receiver and lane
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_HANDOFF_LEDGER_H_
