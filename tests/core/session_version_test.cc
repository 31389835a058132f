// How two ends agree on a version.

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/session_table.h"
#include "tests/core/session_testing.h"

namespace freehold::core {
namespace {

class VersionTest : public SessionTableTest {
 public:
  VersionTest() {
    newer_a.Open(kToB, kEndB);
    newer_b.Open(kToA, kEndA);
  }
  SessionTable newer_a{kEndA, options, 2};
  SessionTable newer_b{kEndB, options, 2};
  std::vector<Delivery> deliveries;
};

TEST_F(VersionTest, ANewerAndAnOlderSideSpeakTheOlderVersion) {
  // The newer one begins.
  const std::string hello = SendFrom(&newer_a, kToB, PayloadOf(1));
  EXPECT_EQ(FrameOf(hello).version, 1);
  EXPECT_EQ(FrameOf(hello).version_max, 2);
  EXPECT_EQ(ToB(hello), ReceiveVerdict::kAccepted);
  EXPECT_EQ(b.version(kToA), 1);
  EXPECT_EQ(newer_a.Receive(kToB, AckOfB(), now, &deliveries), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(newer_a.version(kToB), 1);
  EXPECT_EQ(newer_a.unacked_envelopes(), 0u);
  EXPECT_EQ(ToB(SendFrom(&newer_a, kToB, PayloadOf(2))), ReceiveVerdict::kAccepted);
  EXPECT_EQ(delivered, Payloads(1, 2));
}

TEST_F(VersionTest, AnOlderAndANewerSideSpeakTheOlderVersion) {
  // The older one begins.
  EXPECT_EQ(newer_b.Receive(kToA, Send(1), now, &deliveries), ReceiveVerdict::kAccepted);
  EXPECT_EQ(newer_b.version(kToA), 1);
  const std::string answer = SendFrom(&newer_b, kToA, PayloadOf(2));
  std::vector<Delivery> at_a;
  EXPECT_EQ(a.Receive(kToB, answer, now, &at_a), ReceiveVerdict::kAccepted);
  EXPECT_EQ(at_a.size(), 1u);
  EXPECT_EQ(a.version(kToB), 1);
  EXPECT_EQ(a.unacked_envelopes(), 0u);
}

TEST_F(VersionTest, TwoNewerSidesSpeakTheNewerVersionFromTheFirstFrameHeard) {
  EXPECT_EQ(newer_a.version(kToB), kVersionMin);
  const std::string hello = SendFrom(&newer_a, kToB, PayloadOf(1));
  EXPECT_EQ(FrameOf(hello, 2).version, 1);
  EXPECT_EQ(newer_b.Receive(kToA, hello, now, &deliveries), ReceiveVerdict::kAccepted);
  EXPECT_EQ(newer_b.version(kToA), 2);
  std::vector<OutEnvelope> out;
  newer_b.Poll(now, 0, &out);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(newer_a.Receive(kToB, out[0].bytes, now, &deliveries), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(newer_a.version(kToB), 2);
  EXPECT_EQ(FrameOf(SendFrom(&newer_a, kToB, PayloadOf(2)), 2).version, 2);
}

TEST_F(VersionTest, ARetransmissionKeepsTheVersionThatItsPayloadWasWrittenIn) {
  SendFrom(&newer_a, kToB, PayloadOf(1));
  const std::string hello = EncodeFrame({1, 2, 0, 0}, kEndB, kEndA, "");
  EXPECT_EQ(newer_a.Receive(kToB, hello, now, &deliveries), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(newer_a.version(kToB), 2);
  now = newer_a.NextDeadline();
  EXPECT_EQ(FrameOf(Poll(&newer_a)[0], 2).version, 1);
}

TEST_F(VersionTest, AFrameInAnUnknownVersionIsRejectedAndNotAcknowledged) {
  const std::string newer = EncodeFrame({2, 2, 1, 0}, kEndA, kEndB, PayloadOf(1));
  EXPECT_EQ(ToB(newer), ReceiveVerdict::kGarbage);
  EXPECT_TRUE(Poll(&b).empty());
  EXPECT_EQ(b.version(kToA), 1);
  EXPECT_EQ(newer_b.Receive(kToA, newer, now, &deliveries), ReceiveVerdict::kAccepted);
}

TEST_F(VersionTest, GarbageSettlesNoVersion) {
  EXPECT_EQ(
      newer_b.Receive(kToA, EncodeFrame({1, 2, 1, 0}, kEndA, kEndB, "junk"), now, &deliveries),
      ReceiveVerdict::kGarbage);
  EXPECT_EQ(newer_b.version(kToA), 1);
}

}  // namespace
}  // namespace freehold::core
