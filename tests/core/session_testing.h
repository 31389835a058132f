// What the tests of sessions share: two ends, A and B, and hands that carry envelopes between them.

#ifndef FREEHOLD_TESTS_CORE_SESSION_TESTING_H_
#define FREEHOLD_TESTS_CORE_SESSION_TESTING_H_

#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/check.h"
#include "src/core/session_table.h"

namespace freehold::core {

inline const Address kEndA = ProcessId::FromNumber(1);
inline const Address kEndB = NodeId::FromNumber(2);
inline constexpr PeerIndex kToB = 7;  // B's index at A
inline constexpr PeerIndex kToA = 0;  // A's index at B
inline constexpr Time kEpoch{Duration(0)};

// A payload that says `number`; `ids` makes it longer.
inline std::string PayloadOf(uint64_t number, size_t ids = 1) {
  PayloadWriter writer(kEnvelopeBytesMost);
  for (size_t i = 0; i < ids; ++i) {
    FREEHOLD_CHECK(writer.Add(FreeItem{ObjectId::FromNumber(number), 0, 1}));
  }
  return writer.Take();
}

inline std::vector<std::string> Payloads(uint64_t first, uint64_t last) {
  std::vector<std::string> payloads;
  payloads.reserve(static_cast<size_t>(last - first + 1));
  for (uint64_t i = first; i <= last; ++i) payloads.push_back(PayloadOf(i));
  return payloads;
}

// Checks the invariants of both at the end. Tests keep the bytes they want to lose.
class SessionTableTest : public testing::Test {
 public:
  SessionTableTest() {
    a.Open(kToB, kEndB);
    b.Open(kToA, kEndA);
  }
  ~SessionTableTest() override {
    a.CheckInvariants();
    b.CheckInvariants();
  }

  // A sends one payload.
  std::string Send(uint64_t number) { return SendFrom(&a, kToB, PayloadOf(number)); }
  std::string SendFrom(SessionTable* table, PeerIndex to, const std::string& payload) const {
    std::vector<OutEnvelope> out;
    table->Send(to, payload, now, 0, &out);
    EXPECT_EQ(out.size(), 1u);
    EXPECT_EQ(out[0].to, to);
    return out[0].bytes;
  }
  std::vector<std::string> Poll(SessionTable* table, uint64_t random = 0) const {
    std::vector<OutEnvelope> out;
    table->Poll(now, random, &out);
    std::vector<std::string> envelopes;
    envelopes.reserve(out.size());
    for (OutEnvelope& envelope : out) envelopes.push_back(std::move(envelope.bytes));
    return envelopes;
  }
  // B hears A. What is delivered is appended to `delivered`.
  ReceiveVerdict ToB(const std::string& bytes) {
    std::vector<Delivery> deliveries;
    const ReceiveVerdict verdict = b.Receive(kToA, bytes, now, &deliveries);
    for (const Delivery& delivery : deliveries) {
      EXPECT_EQ(delivery.from, kToA);
      delivered.emplace_back(delivery.payload());
    }
    return verdict;
  }
  ReceiveVerdict ToA(const std::string& bytes) {
    std::vector<Delivery> deliveries;
    const ReceiveVerdict verdict = a.Receive(kToB, bytes, now, &deliveries);
    EXPECT_TRUE(deliveries.empty());
    return verdict;
  }
  // What B owes A, now.
  std::string AckOfB() {
    const std::vector<std::string> envelopes = Poll(&b);
    EXPECT_EQ(envelopes.size(), 1u);
    return envelopes.empty() ? "" : envelopes[0];
  }
  // The fields of a frame from A to B.
  static Frame FrameOf(const std::string& bytes, uint8_t version_max = kVersionMax) {
    Frame frame;
    std::string_view payload;
    EXPECT_EQ(DecodeFrame(bytes, kEndA, kEndB, version_max, &frame, &payload), CodecError::kOk);
    return frame;
  }

  SessionOptions options;
  SessionTable a{kEndA, options};
  SessionTable b{kEndB, options};
  Time now = kEpoch;
  std::vector<std::string> delivered;
};

}  // namespace freehold::core

#endif  // FREEHOLD_TESTS_CORE_SESSION_TESTING_H_
