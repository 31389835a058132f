#include "src/core/session_table.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/session_testing.h"

namespace freehold::core {
namespace {

using std::chrono::seconds;

// --- In order, once ------------------------------------------------------------------------------

TEST_F(SessionTableTest, PayloadsArriveInOrderAndAreAcknowledged) {
  EXPECT_EQ(ToB(Send(1)), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToB(Send(2)), ReceiveVerdict::kAccepted);
  EXPECT_EQ(delivered, Payloads(1, 2));
  EXPECT_EQ(a.unacked_envelopes(), 2u);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(a.unacked_envelopes(), 0u);
  EXPECT_EQ(a.GetStats().unacked_bytes, 0u);
  EXPECT_EQ(a.NextDeadline(), kInfiniteFuture);
  EXPECT_EQ(b.NextDeadline(), kInfiniteFuture);
}

TEST_F(SessionTableTest, FirstSequenceNumberIsOne) {
  EXPECT_EQ(FrameOf(Send(1)).sequence, 1u);
  EXPECT_EQ(FrameOf(Send(2)).sequence, 2u);
}

TEST_F(SessionTableTest, EarlyPayloadsWaitForTheGapToClose) {
  const std::string first = Send(1), second = Send(2), third = Send(3), fourth = Send(4);
  EXPECT_EQ(ToB(third), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToB(second), ReceiveVerdict::kAccepted);
  EXPECT_TRUE(delivered.empty());
  EXPECT_EQ(ToB(first), ReceiveVerdict::kAccepted);
  EXPECT_EQ(delivered, Payloads(1, 3));
  EXPECT_EQ(ToB(fourth), ReceiveVerdict::kAccepted);
  EXPECT_EQ(delivered, Payloads(1, 4));
}

TEST_F(SessionTableTest, DuplicatesAreDroppedAndAcknowledgedAgain) {
  const std::string first = Send(1), second = Send(2), third = Send(3);
  EXPECT_EQ(ToB(first), ReceiveVerdict::kAccepted);
  AckOfB();
  EXPECT_EQ(ToB(first), ReceiveVerdict::kDuplicate);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(a.unacked_envelopes(), 2u);
  EXPECT_EQ(ToB(third), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToB(third), ReceiveVerdict::kDuplicate) << "kept early already";
  EXPECT_EQ(ToB(second), ReceiveVerdict::kAccepted);
  EXPECT_EQ(delivered, Payloads(1, 3));
  EXPECT_EQ(b.GetStats().duplicates_dropped, 2u);
}

// --- Acknowledgements ----------------------------------------------------------------------------

TEST_F(SessionTableTest, AnEnvelopeCarriesTheAcknowledgementAndPollEmitsNoOther) {
  EXPECT_EQ(ToB(Send(1)), ReceiveVerdict::kAccepted);
  EXPECT_EQ(b.NextDeadline(), kInfinitePast);
  const std::string answer = SendFrom(&b, kToA, PayloadOf(9));
  EXPECT_NE(b.NextDeadline(), kInfinitePast);
  EXPECT_TRUE(Poll(&b).empty());
  std::vector<Delivery> deliveries;
  EXPECT_EQ(a.Receive(kToB, answer, now, &deliveries), ReceiveVerdict::kAccepted);
  EXPECT_EQ(deliveries.size(), 1u);
  EXPECT_EQ(a.unacked_envelopes(), 0u);
}

TEST_F(SessionTableTest, ARetransmissionCarriesTheAcknowledgementToo) {
  SendFrom(&b, kToA, PayloadOf(9));
  now = b.NextDeadline();
  EXPECT_EQ(ToB(Send(1)), ReceiveVerdict::kAccepted);
  EXPECT_EQ(Poll(&b).size(), 1u);
  EXPECT_EQ(b.GetStats().acks_sent, 0u);
  EXPECT_EQ(b.GetStats().envelopes_retransmitted, 1u);
}

TEST_F(SessionTableTest, ManyEnvelopesOfOneTurnAreAcknowledgedOnce) {
  for (uint64_t i = 1; i <= 5; ++i) EXPECT_EQ(ToB(Send(i)), ReceiveVerdict::kAccepted);
  EXPECT_EQ(Poll(&b).size(), 1u);
  EXPECT_TRUE(Poll(&b).empty());
}

TEST_F(SessionTableTest, AcknowledgementsAreNotAcknowledged) {
  EXPECT_EQ(ToB(Send(1)), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  EXPECT_TRUE(Poll(&a).empty());
  EXPECT_EQ(a.NextDeadline(), kInfiniteFuture);
}

TEST_F(SessionTableTest, AnOldAcknowledgementTakesNothingBack) {
  EXPECT_EQ(ToB(Send(1)), ReceiveVerdict::kAccepted);
  const std::string first = AckOfB();
  EXPECT_EQ(ToB(Send(2)), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(ToA(first), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(a.unacked_envelopes(), 0u);
}

TEST_F(SessionTableTest, AcknowledgementsLeaveInTheOrderInWhichTheyBecameOwed) {
  std::vector<Delivery> deliveries;
  for (const uint64_t number : {5, 3, 4}) {
    const Address peer = ProcessId::FromNumber(number);
    b.Open(static_cast<PeerIndex>(number), peer);
    const std::string bytes = EncodeFrame({1, 1, 1, 0}, peer, kEndB, PayloadOf(1));
    EXPECT_EQ(b.Receive(static_cast<PeerIndex>(number), bytes, now, &deliveries),
              ReceiveVerdict::kAccepted);
  }
  std::vector<OutEnvelope> out;
  b.Poll(now, 0, &out);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].to, 5u);
  EXPECT_EQ(out[1].to, 3u);
  EXPECT_EQ(out[2].to, 4u);
}

// --- Garbage and strangers -----------------------------------------------------------------------

TEST_F(SessionTableTest, GarbageChangesNothingAndIsCounted) {
  std::string flipped = Send(1);
  flipped[10] = static_cast<char>(flipped[10] ^ 4);
  const std::vector<std::string> garbage = {
      "",
      "something else entirely",
      flipped,
      EncodeFrame({2, 2, 1, 0}, kEndA, kEndB, PayloadOf(1)),           // unknown version
      EncodeFrame({1, 1, 1, 0}, kEndA, kEndB, "not a payload"),        // does not decode
      EncodeFrame({1, 1, 3, 0}, kEndA, kEndB, PayloadOf(1) + "rest"),  // nor does this one, early
      EncodeFrame({1, 1, 1, 1}, kEndA, kEndB, PayloadOf(1)),           // B has sent nothing
      EncodeFrame({1, 1, 0, 9}, kEndA, kEndB, ""),
      EncodeFrame({1, 1, 1, 0}, kEndB, kEndA, PayloadOf(1)),  // for the other end
  };
  for (const std::string& bytes : garbage) EXPECT_EQ(ToB(bytes), ReceiveVerdict::kGarbage);
  EXPECT_EQ(b.GetStats().garbage_rejected, garbage.size());
  EXPECT_EQ(b.GetStats().envelopes_received, 0u);
  EXPECT_EQ(b.NextDeadline(), kInfiniteFuture) << "nothing is acknowledged";
  EXPECT_TRUE(delivered.empty());
}

TEST_F(SessionTableTest, APayloadThatDoesNotDecodeIsNeverAcknowledged) {
  const std::string good = Send(1);
  EXPECT_EQ(ToB(EncodeFrame({1, 1, 2, 0}, kEndA, kEndB, "not a payload")),
            ReceiveVerdict::kGarbage);
  EXPECT_EQ(ToB(good), ReceiveVerdict::kAccepted);
  EXPECT_EQ(delivered, Payloads(1, 1));
  Frame frame;
  std::string_view payload;
  ASSERT_EQ(DecodeFrame(AckOfB(), kEndB, kEndA, 1, &frame, &payload), CodecError::kOk);
  EXPECT_EQ(frame.acknowledged, 1u);
}

TEST_F(SessionTableTest, AnAcknowledgementInGarbageIsNotTaken) {
  Send(1);
  EXPECT_EQ(ToA(EncodeFrame({1, 1, 1, 1}, kEndB, kEndA, "not a payload")),
            ReceiveVerdict::kGarbage);
  EXPECT_EQ(a.unacked_envelopes(), 1u);
  EXPECT_EQ(ToA(EncodeFrame({1, 1, 0, 2}, kEndB, kEndA, "")), ReceiveVerdict::kGarbage);
  EXPECT_EQ(a.unacked_envelopes(), 1u);
  EXPECT_EQ(ToA(EncodeFrame({1, 1, 0, 1}, kEndB, kEndA, "")), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(a.unacked_envelopes(), 0u);
}

// --- Exclusion -----------------------------------------------------------------------------------

TEST_F(SessionTableTest, AnExcludedPeerIsFencedForEver) {
  const std::string first = Send(1), second = Send(2);
  EXPECT_EQ(ToB(first), ReceiveVerdict::kAccepted);
  EXPECT_TRUE(b.Exclude(kToA, kEndA).empty());
  EXPECT_TRUE(b.IsExcluded(kToA));
  EXPECT_FALSE(b.IsOpen(kToA));
  EXPECT_FALSE(b.CanSend(kToA));
  EXPECT_TRUE(Poll(&b).empty()) << "what was owed to it is owed no more";
  EXPECT_EQ(b.NextDeadline(), kInfiniteFuture);
  EXPECT_EQ(ToB(second), ReceiveVerdict::kFenced);
  EXPECT_EQ(ToB("garbage"), ReceiveVerdict::kFenced);
  b.Open(kToA, kEndA);
  EXPECT_FALSE(b.IsOpen(kToA));
  EXPECT_EQ(ToB(second), ReceiveVerdict::kFenced);
  EXPECT_EQ(delivered, Payloads(1, 1));
  EXPECT_EQ(b.GetStats().fenced_dropped, 3u);
  EXPECT_EQ(b.GetStats().sessions, 0u);
}

TEST_F(SessionTableTest, ExclusionAnswersWhatWasNeverAcknowledgedInOrder) {
  EXPECT_EQ(ToB(Send(1)), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(ToB(Send(2)), ReceiveVerdict::kAccepted) << "arrived, but nobody here knows";
  Send(3);
  Send(4);
  EXPECT_EQ(a.Exclude(kToB, kEndB), Payloads(2, 4));
  EXPECT_TRUE(a.Exclude(kToB, kEndB).empty());
  EXPECT_EQ(a.unacked_envelopes(), 0u);
  EXPECT_EQ(a.unacked_envelopes(kToB), 0u);
  EXPECT_EQ(a.GetStats().unacked_bytes, 0u);
  EXPECT_EQ(a.NextDeadline(), kInfiniteFuture);
  now += seconds(100);
  EXPECT_TRUE(Poll(&a).empty());
}

TEST_F(SessionTableTest, APeerCanBeExcludedBeforeItsSessionOpens) {
  EXPECT_TRUE(a.Exclude(99, NodeId::FromNumber(99)).empty());
  a.Open(99, NodeId::FromNumber(99));
  EXPECT_TRUE(a.IsExcluded(99));
  EXPECT_FALSE(a.IsOpen(99));
  EXPECT_FALSE(a.IsExcluded(98));
  EXPECT_FALSE(a.IsExcluded(100));
}

TEST_F(SessionTableTest, OpeningTwiceChangesNothing) {
  Send(1);
  a.Open(kToB, kEndB);
  EXPECT_EQ(a.unacked_envelopes(kToB), 1u);
  EXPECT_EQ(FrameOf(Send(2)).sequence, 2u);
  EXPECT_EQ(a.GetStats().sessions, 1u);
}

TEST_F(SessionTableTest, NothingIsKnownOfAnUnknownPeer) {
  EXPECT_FALSE(a.IsOpen(1000));
  EXPECT_FALSE(a.IsExcluded(1000));
  EXPECT_FALSE(a.CanSend(1000));
  EXPECT_EQ(a.unacked_envelopes(1000), 0u);
}

// --- Figures -------------------------------------------------------------------------------------

TEST_F(SessionTableTest, StatsCountWhatHappened) {
  const std::string first = Send(1), second = Send(2);
  EXPECT_EQ(a.GetStats().unacked_bytes, 2 * PayloadOf(1).size());
  EXPECT_EQ(ToB(first), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToB(first), ReceiveVerdict::kDuplicate);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  now = a.NextDeadline();
  const std::string again = Poll(&a)[0];
  const SessionStats sender = a.GetStats();
  EXPECT_EQ(sender.sessions, 1u);
  EXPECT_EQ(sender.envelopes_sent, 2u);
  EXPECT_EQ(sender.envelopes_retransmitted, 1u);
  EXPECT_EQ(sender.bytes_sent, first.size() + second.size() + again.size());
  EXPECT_EQ(sender.unacked_bytes, PayloadOf(1).size());
  EXPECT_EQ(sender.envelopes_received, 1u);
  const SessionStats receiver = b.GetStats();
  EXPECT_EQ(receiver.envelopes_received, 2u);
  EXPECT_EQ(receiver.duplicates_dropped, 1u);
  EXPECT_EQ(receiver.acks_sent, 1u);
  EXPECT_EQ(receiver.bytes_sent, kFrameBytes);
}

TEST(ReceiveVerdict, EveryVerdictHasAName) {
  std::vector<std::string> names;
  for (int verdict = 0; verdict <= static_cast<int>(ReceiveVerdict::kGarbage); ++verdict) {
    names.emplace_back(ReceiveVerdictName(static_cast<ReceiveVerdict>(verdict)));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
  EXPECT_EQ(std::count(names.begin(), names.end(), "unknown"), 0);
}

TEST(Session, IsSmall) { EXPECT_LE(sizeof(Session), 192u); }

}  // namespace
}  // namespace freehold::core
