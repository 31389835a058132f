// Two SessionTables and a channel between them that does whatever its driver says: a test drives it
// with a seeded generator, the fuzzer with its bytes.
//
// Checks itself: every payload arrives once, whole and in order, altered envelopes are garbage, and
// both tables keep their invariants after every step. What is wrong aborts, as a fuzzer needs it.

#ifndef FREEHOLD_TESTS_CORE_SESSION_PAIR_H_
#define FREEHOLD_TESTS_CORE_SESSION_PAIR_H_

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "src/base/check.h"
#include "src/core/codec.h"
#include "src/core/session_table.h"

namespace freehold::core {

class SessionPair {
 public:
  struct SideOptions {
    SessionOptions session;
    uint8_t version_max = kVersionMax;
  };

  SessionPair(const SideOptions& first, const SideOptions& second)
      : sides_{{Side(AddressOf(0), first), Side(AddressOf(1), second)}} {
    for (int side : {0, 1}) sides_[side].table.Open(kPeer, AddressOf(1 - side));
  }

  // One more payload waits at `side`.
  void Submit(int side) { ++sides_[side].submitted; }

  // What the pump does in a turn: fills the window from what waits, then polls.
  void Turn(int side) {
    Side& s = sides_[side];
    std::vector<OutEnvelope> out;
    while (s.sent < s.submitted && s.table.CanSend(kPeer)) {
      s.table.Send(kPeer, PayloadOf(side, s.sent++), now_, NextRandom(), &out);
    }
    s.table.Poll(now_, NextRandom(), &out);
    for (OutEnvelope& envelope : out) {
      FREEHOLD_CHECK(envelope.to == kPeer);
      trace_.append(envelope.bytes);
      channel_[1 - side].push_back(std::move(envelope.bytes));
    }
    Check();
  }

  size_t InFlight(int to) const { return channel_[to].size(); }
  // The `index`-th envelope on its way to `to` arrives, before those in front of it.
  void Deliver(int to, size_t index) { Receive(to, TakeOff(to, index)); }
  void Duplicate(int to, size_t index) { channel_[to].push_back(std::string(channel_[to][index])); }
  void Drop(int to, size_t index) { TakeOff(to, index); }
  // It arrives altered, and is lost with that. `mask` is not 0.
  void DeliverGarbled(int to, size_t index, size_t at, uint8_t mask) {
    std::string bytes = TakeOff(to, index);
    at %= bytes.size();
    bytes[at] = static_cast<char>(static_cast<uint8_t>(bytes[at]) ^ mask);
    ReceiveGarbage(to, bytes);
  }
  void DeliverTruncated(int to, size_t index, size_t size) {
    std::string bytes = TakeOff(to, index);
    bytes.resize(size % bytes.size());
    ReceiveGarbage(to, bytes);
  }
  void Advance(Duration duration) { now_ += duration; }

  // `side` excludes the other. What it answers is the rest of what it sent, to the last.
  void Exclude(int side) {
    Side& s = sides_[side];
    const std::vector<std::string> unacked = s.table.Exclude(kPeer, AddressOf(1 - side));
    if (s.excluded) {
      FREEHOLD_CHECK(unacked.empty());
      return;
    }
    s.excluded = true;
    for (size_t i = 0; i < unacked.size(); ++i) {
      FREEHOLD_CHECK(unacked[i] == PayloadOf(side, s.sent - unacked.size() + i));
    }
    // Whatever is not among them has arrived.
    FREEHOLD_CHECK(sides_[1 - side].delivered >= s.sent - unacked.size());
    Check();
  }

  // From here on nothing is lost. Answers whether everything arrived and was acknowledged within
  // `rounds`.
  bool Finish(int rounds) {
    for (int round = 0; round < rounds; ++round) {
      for (int side : {0, 1}) Turn(side);
      for (int side : {0, 1}) {
        for (size_t left = InFlight(side); left > 0; --left) Deliver(side, 0);
      }
      if (Finished()) return true;
      if (InFlight(0) + InFlight(1) > 0) continue;
      const Time next = std::min(sides_[0].table.NextDeadline(), sides_[1].table.NextDeadline());
      if (next != kInfiniteFuture) now_ = std::max(now_, next);
    }
    return false;
  }

  SessionTable& table(int side) { return sides_[side].table; }
  uint64_t delivered(int side) const { return sides_[side].delivered; }
  Time now() const { return now_; }
  // Every byte that was sent, in order.
  const std::string& trace() const { return trace_; }

 private:
  static constexpr PeerIndex kPeer = 3;

  struct Side {
    Side(const Address& self, const SideOptions& options)
        : table(self, options.session, options.version_max) {}
    SessionTable table;
    uint64_t submitted = 0;
    uint64_t sent = 0;
    uint64_t delivered = 0;  // of what the other side sent
    bool excluded = false;   // this side has excluded the other
  };

  static Address AddressOf(int side) {
    return side == 0 ? Address(ProcessId::FromNumber(10)) : Address(NodeId::FromNumber(10));
  }

  // Different in length and content, and different from side to side.
  static std::string PayloadOf(int side, uint64_t number) {
    PayloadWriter writer(8192);
    for (uint64_t i = 0; i <= number % 5; ++i) {
      const FreeItem item{ObjectId::FromNumber(number * 8 + i), static_cast<uint32_t>(side), 1};
      FREEHOLD_CHECK(writer.Add(item));
    }
    return writer.Take();
  }

  std::string TakeOff(int to, size_t index) {
    std::deque<std::string>& channel = channel_[to];
    std::string bytes = std::move(channel[index]);
    channel.erase(channel.begin() + static_cast<std::ptrdiff_t>(index));
    return bytes;
  }

  void Receive(int to, const std::string& bytes) {
    Side& s = sides_[to];
    std::vector<Delivery> deliveries;
    const ReceiveVerdict verdict = s.table.Receive(kPeer, bytes, now_, &deliveries);
    FREEHOLD_CHECK((verdict == ReceiveVerdict::kFenced) == s.excluded);
    FREEHOLD_CHECK(verdict != ReceiveVerdict::kGarbage);
    FREEHOLD_CHECK(deliveries.empty() || verdict == ReceiveVerdict::kAccepted);
    for (const Delivery& delivery : deliveries) {
      FREEHOLD_CHECK(delivery.from == kPeer);
      FREEHOLD_CHECK(delivery.payload() == PayloadOf(1 - to, s.delivered));
      ++s.delivered;
    }
    FREEHOLD_CHECK(s.delivered <= sides_[1 - to].sent);
    Check();
  }

  void ReceiveGarbage(int to, const std::string& bytes) {
    Side& s = sides_[to];
    std::vector<Delivery> deliveries;
    const ReceiveVerdict verdict = s.table.Receive(kPeer, bytes, now_, &deliveries);
    FREEHOLD_CHECK(verdict == (s.excluded ? ReceiveVerdict::kFenced : ReceiveVerdict::kGarbage));
    FREEHOLD_CHECK(deliveries.empty());
    Check();
  }

  bool Finished() const {
    return std::all_of(sides_.begin(), sides_.end(),
                       [](const Side& s) {
                         return s.sent == s.submitted && s.table.unacked_envelopes() == 0;
                       }) &&
           sides_[0].delivered == sides_[1].sent && sides_[1].delivered == sides_[0].sent;
  }

  void Check() const {
    for (const Side& side : sides_) side.table.CheckInvariants();
  }

  // A low-discrepancy walk: the same for the same calls, and never twice the same.
  uint64_t NextRandom() { return random_ += 0x9e3779b97f4a7c15u; }

  std::array<Side, 2> sides_;
  std::array<std::deque<std::string>, 2> channel_;  // by receiving side
  Time now_{Duration(0)};
  uint64_t random_ = 0;
  std::string trace_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_SESSION_PAIR_H_
