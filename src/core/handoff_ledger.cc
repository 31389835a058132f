#include "src/core/handoff_ledger.h"

#include "src/base/check.h"

namespace freehold::core {

namespace {

// A peer and a lane in one word.
uint32_t KeyOf(PeerIndex peer, uint32_t lane) {
  static_assert(kPeerIndexMax < (1u << 24) && kHandoffLanes <= 64);
  return peer << 6 | lane;
}

template <typename Map>
size_t MapBytes(const Map& map) {
  return map.capacity() * (sizeof(typename Map::value_type) + 1);
}

}  // namespace

const char* SeenName(Seen seen) {
  switch (seen) {
    case Seen::kNew:
      return "new";
    case Seen::kRedeemed:
      return "redeemed";
    case Seen::kRefused:
      return "refused";
  }
  return "unknown";
}

Seen HandoffLedger::Look(PeerIndex sender, uint32_t lane, uint64_t number) const {
  const auto at = lanes_.find(KeyOf(sender, lane));
  if (at == lanes_.end()) return Seen::kNew;
  if (!at->second.ended.Contains(number)) return Seen::kNew;
  return at->second.refused.Contains(number) ? Seen::kRefused : Seen::kRedeemed;
}

void HandoffLedger::Redeem(PeerIndex sender, uint32_t lane, uint64_t number) {
  Lane& at = LaneAt(sender, lane);
  FREEHOLD_CHECK(!at.refused.Contains(number));
  End(number, /*refused=*/false, &at);
}

void HandoffLedger::Refuse(PeerIndex sender, uint32_t lane, uint64_t number) {
  Lane& at = LaneAt(sender, lane);
  FREEHOLD_CHECK(at.refused.Contains(number) || !at.ended.Contains(number));
  End(number, /*refused=*/true, &at);
}

void HandoffLedger::Forget(PeerIndex sender) {
  const auto lanes = lanes_of_.find(sender);
  if (lanes == lanes_of_.end()) return;
  for (uint64_t left = lanes->second; left != 0; left &= left - 1) {
    const auto at = lanes_.find(KeyOf(sender, static_cast<uint32_t>(__builtin_ctzll(left))));
    const Lane& lane = at->second;
    intervals_ -= lane.ended.intervals().size() + lane.refused.intervals().size();
    interval_bytes_ -= lane.ended.bytes() + lane.refused.bytes();
    lanes_.erase(at);
  }
  lanes_of_.erase(lanes);
}

size_t HandoffLedger::bytes() const {
  return interval_bytes_ + MapBytes(lanes_) + MapBytes(lanes_of_);
}

HandoffLedger::Lane& HandoffLedger::LaneAt(PeerIndex sender, uint32_t lane) {
  FREEHOLD_CHECK(lane < kHandoffLanes);
  const auto [at, is_new] = lanes_.try_emplace(KeyOf(sender, lane));
  if (is_new) lanes_of_[sender] |= uint64_t{1} << lane;
  return at->second;
}

void HandoffLedger::End(uint64_t number, bool refused, Lane* lane) {
  const size_t intervals = lane->ended.intervals().size() + lane->refused.intervals().size();
  const size_t bytes = lane->ended.bytes() + lane->refused.bytes();
  lane->ended.Insert(number);
  if (refused) lane->refused.Insert(number);
  if (lane->ended.intervals().size() > kIntervalsMax) {
    lane->refused.InsertHole(lane->ended.FillLowestHole());
    ++holes_closed_;
  }
  // One call may add two of them: the number, and the hole.
  while (lane->refused.intervals().size() > kIntervalsMax) lane->refused.DropLowest();
  intervals_ += lane->ended.intervals().size() + lane->refused.intervals().size() - intervals;
  interval_bytes_ += lane->ended.bytes() + lane->refused.bytes() - bytes;
}

void HandoffLedger::CheckInvariants() const {
  size_t intervals = 0;
  size_t bytes = 0;
  size_t lanes = 0;
  for (const auto& [sender, lanes_of_sender] : lanes_of_) {
    FREEHOLD_CHECK(lanes_of_sender != 0);
    for (uint64_t left = lanes_of_sender; left != 0; left &= left - 1, ++lanes) {
      const auto at = lanes_.find(KeyOf(sender, static_cast<uint32_t>(__builtin_ctzll(left))));
      FREEHOLD_CHECK(at != lanes_.end());
      const Lane& lane = at->second;
      for (const IntervalSet* set : {&lane.ended, &lane.refused}) {
        set->CheckInvariants();
        FREEHOLD_CHECK(set->intervals().size() <= kIntervalsMax);
        intervals += set->intervals().size();
        bytes += set->bytes();
      }
      // What was refused has ended.
      for (const IntervalSet::Interval& refused : lane.refused.intervals()) {
        bool ended = false;
        for (const IntervalSet::Interval& whole : lane.ended.intervals()) {
          ended |= whole.first <= refused.first && refused.last <= whole.last;
        }
        FREEHOLD_CHECK(ended);
      }
    }
  }
  FREEHOLD_CHECK(lanes == lanes_.size());
  FREEHOLD_CHECK(intervals == intervals_);
  FREEHOLD_CHECK(bytes == interval_bytes_);
}

uint64_t HandoffNumbers::NextNumber(PeerIndex receiver, uint32_t lane) {
  FREEHOLD_CHECK(lane < kHandoffLanes);
  return ++last_[KeyOf(receiver, lane)];
}

void HandoffNumbers::Forget(PeerIndex receiver) {
  for (uint32_t lane = 0; lane < kHandoffLanes; ++lane) last_.erase(KeyOf(receiver, lane));
}

size_t HandoffNumbers::bytes() const { return MapBytes(last_); }

}  // namespace freehold::core
