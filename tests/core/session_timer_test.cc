// When a session sends again, and how much it keeps.

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/session_table.h"
#include "tests/core/session_testing.h"

namespace freehold::core {
namespace {

using std::chrono::milliseconds;

// --- Retransmission ------------------------------------------------------------------------------

TEST_F(SessionTableTest, LostEnvelopeIsSentAgain) {
  Send(1);
  now = a.NextDeadline();
  const std::vector<std::string> again = Poll(&a);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(ToB(again[0]), ReceiveVerdict::kAccepted);
  EXPECT_EQ(delivered, Payloads(1, 1));
  EXPECT_EQ(a.GetStats().envelopes_sent, 1u);
  EXPECT_EQ(a.GetStats().envelopes_retransmitted, 1u);
}

TEST_F(SessionTableTest, NothingIsSentAgainBeforeItsTime) {
  Send(1);
  EXPECT_GE(a.NextDeadline(), kEpoch + options.retransmit_delay_min);
  now = a.NextDeadline() - Duration(1);
  EXPECT_TRUE(Poll(&a).empty());
  now = a.NextDeadline();
  EXPECT_EQ(Poll(&a).size(), 1u);
}

TEST_F(SessionTableTest, LostAcknowledgementIsRepairedByTheRetransmission) {
  EXPECT_EQ(ToB(Send(1)), ReceiveVerdict::kAccepted);
  AckOfB();
  now = a.NextDeadline();
  EXPECT_EQ(ToB(Poll(&a)[0]), ReceiveVerdict::kDuplicate);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(a.unacked_envelopes(), 0u);
  EXPECT_EQ(delivered.size(), 1u);
}

TEST_F(SessionTableTest, DelayDoublesUpToItsMaximumPlusAtMostHalf) {
  Send(1);
  Duration delay = options.retransmit_delay_min;
  for (int timeout = 0; timeout < 300; ++timeout) {
    const Duration waited = a.NextDeadline() - now;
    EXPECT_GE(waited, delay);
    EXPECT_LE(waited, delay + delay / 2);
    now = a.NextDeadline();
    EXPECT_EQ(Poll(&a, static_cast<uint64_t>(timeout) * 0x9e3779b97f4a7c15u).size(), 1u);
    delay = std::min(delay * 2, options.retransmit_delay_max);
  }
}

TEST_F(SessionTableTest, JitterComesFromTheRandomArgumentAndDiffersFromPeerToPeer) {
  std::vector<Time> deadlines;
  for (uint64_t number = 1; number <= 20; ++number) {
    SessionTable table(kEndA, options);
    std::vector<OutEnvelope> out;
    const PeerIndex peer = static_cast<PeerIndex>(number / 2);
    table.Open(peer, kEndB);
    table.Send(peer, PayloadOf(1), now, number % 2, &out);
    deadlines.push_back(table.NextDeadline());
  }
  std::sort(deadlines.begin(), deadlines.end());
  EXPECT_EQ(std::unique(deadlines.begin(), deadlines.end()), deadlines.end());
  EXPECT_GT(deadlines.back() - deadlines.front(), options.retransmit_delay_min / 4);
}

TEST_F(SessionTableTest, ProgressStartsTheDelayOver) {
  const std::string first = Send(1);
  Send(2);
  for (int timeout = 0; timeout < 5; ++timeout) {
    now = a.NextDeadline();
    Poll(&a);
  }
  EXPECT_GT(a.NextDeadline() - now, options.retransmit_delay_min * 16);
  EXPECT_EQ(ToB(first), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  // The second was sent before the timeouts and is missing: at once, and then after the minimum.
  EXPECT_EQ(a.NextDeadline(), now);
  EXPECT_EQ(Poll(&a).size(), 1u);
  EXPECT_LE(a.NextDeadline() - now, options.retransmit_delay_min * 3 / 2);
}

TEST_F(SessionTableTest, AnAcknowledgementWithoutProgressChangesNoTimer) {
  Send(1);
  const std::string ahead = Send(2);
  now = a.NextDeadline();
  Poll(&a);
  const Time deadline = a.NextDeadline();
  now += milliseconds(1);
  EXPECT_EQ(ToB(ahead), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(a.NextDeadline(), deadline);
}

TEST_F(SessionTableTest, UnreachablePeerCostsOneEnvelopePerTimeout) {
  for (uint64_t i = 1; i <= options.window_envelopes; ++i) Send(i);
  for (int timeout = 0; timeout < 10; ++timeout) {
    now = a.NextDeadline();
    const std::vector<std::string> again = Poll(&a);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(FrameOf(again[0]).sequence, 1u);
  }
}

TEST_F(SessionTableTest, EachFurtherGapOfABurstOfLossesIsRepairedInTheTurnThatShowsIt) {
  std::vector<std::string> sent;
  for (uint64_t i = 1; i <= 6; ++i) sent.push_back(Send(i));
  // 1, 3 and 4 are lost.
  for (const size_t i : {2, 5, 6}) EXPECT_EQ(ToB(sent[i - 1]), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  now = a.NextDeadline();
  for (const uint64_t missing : {1, 3, 4}) {
    const std::vector<std::string> again = Poll(&a);
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(FrameOf(again[0]).sequence, missing);
    EXPECT_TRUE(Poll(&a).empty()) << "once";
    EXPECT_EQ(ToB(again[0]), ReceiveVerdict::kAccepted);
    EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  }
  EXPECT_EQ(delivered, Payloads(1, 6));
  EXPECT_EQ(a.unacked_envelopes(), 0u);
}

TEST_F(SessionTableTest, WhatWasSentAfterTheTimeoutWaitsForATimeoutOfItsOwn) {
  Send(1);
  now = a.NextDeadline();
  const std::string again = Poll(&a)[0];
  Send(2);
  EXPECT_EQ(ToB(again), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  EXPECT_TRUE(Poll(&a).empty());
  EXPECT_GE(a.NextDeadline(), now + options.retransmit_delay_min);
}

TEST_F(SessionTableTest, ARunningTimerIsNotPutOffBySendingMore) {
  Send(1);
  const Time deadline = a.NextDeadline();
  now += milliseconds(20);
  Send(2);
  EXPECT_EQ(a.NextDeadline(), deadline);
}

TEST_F(SessionTableTest, TimersFireByDeadlineAndThenByIndex) {
  SessionOptions exact;
  exact.retransmit_delay_min = Duration(1);  // leaves no room for jitter
  exact.retransmit_delay_max = Duration(1);
  SessionTable table(kEndA, exact);
  std::vector<OutEnvelope> out;
  const auto send = [&](PeerIndex peer) {
    table.Open(peer, ProcessId::FromNumber(peer));
    table.Send(peer, PayloadOf(1), now, 0, &out);
  };
  send(9);
  send(4);
  now += Duration(1);
  send(2);
  out.clear();
  now += Duration(5);
  table.Poll(now, 0, &out);
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].to, 4u);
  EXPECT_EQ(out[1].to, 9u);
  EXPECT_EQ(out[2].to, 2u);
  table.CheckInvariants();
}

TEST_F(SessionTableTest, TheEndOfTimeIsReachedWithoutGoingRoundForEver) {
  Send(1);
  now = kInfiniteFuture;
  EXPECT_EQ(Poll(&a).size(), 1u);
  EXPECT_EQ(a.NextDeadline(), kInfiniteFuture);
}

// --- Bounds --------------------------------------------------------------------------------------

TEST_F(SessionTableTest, TheWindowClosesAndItsOpeningIsReportedOnce) {
  std::vector<std::string> sent;
  for (uint64_t i = 1; i <= options.window_envelopes; ++i) {
    EXPECT_TRUE(a.CanSend(kToB));
    sent.push_back(Send(i));
  }
  EXPECT_FALSE(a.CanSend(kToB));
  EXPECT_TRUE(a.TakeUnblocked().empty());
  EXPECT_EQ(ToB(sent[0]), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  EXPECT_EQ(ToB(sent[1]), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToA(AckOfB()), ReceiveVerdict::kAckOnly);
  EXPECT_TRUE(a.CanSend(kToB));
  EXPECT_EQ(a.TakeUnblocked(), std::vector<PeerIndex>{kToB});
  EXPECT_TRUE(a.TakeUnblocked().empty());
}

TEST_F(SessionTableTest, WindowsThatOpenAreReportedInThatOrder) {
  SessionOptions one;
  one.window_envelopes = 1;
  SessionTable table(kEndA, one);
  std::vector<OutEnvelope> out;
  std::vector<Delivery> deliveries;
  for (const PeerIndex peer : {1u, 2u, 3u}) {
    table.Open(peer, ProcessId::FromNumber(peer + 10));
    table.Send(peer, PayloadOf(1), now, 0, &out);
  }
  for (const PeerIndex peer : {3u, 1u, 2u}) {
    const std::string ack = EncodeFrame({1, 1, 0, 1}, ProcessId::FromNumber(peer + 10), kEndA, "");
    EXPECT_EQ(table.Receive(peer, ack, now, &deliveries), ReceiveVerdict::kAckOnly);
  }
  table.Exclude(1, ProcessId::FromNumber(11));
  EXPECT_EQ(table.TakeUnblocked(), (std::vector<PeerIndex>{3, 2}));
}

TEST_F(SessionTableTest, WhatIsBeyondTheWindowIsDroppedAndItsAcknowledgementCounts) {
  SendFrom(&b, kToA, PayloadOf(9));
  const uint64_t beyond = options.window_envelopes + 1;
  EXPECT_EQ(ToB(EncodeFrame({1, 1, beyond - 1, 0}, kEndA, kEndB, PayloadOf(1))),
            ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToB(EncodeFrame({1, 1, beyond, 1}, kEndA, kEndB, PayloadOf(1))),
            ReceiveVerdict::kBeyondWindow);
  EXPECT_EQ(ToB(EncodeFrame({1, 1, ~uint64_t{0}, 1}, kEndA, kEndB, PayloadOf(1))),
            ReceiveVerdict::kBeyondWindow);
  EXPECT_EQ(b.unacked_envelopes(), 0u);
  EXPECT_TRUE(delivered.empty());
  EXPECT_EQ(b.NextDeadline(), kInfinitePast) << "the peer is told where we are";
}

TEST_F(SessionTableTest, EarlyBytesAreBoundedButWhatIsNextIsAlwaysTaken) {
  const size_t bound = size_t{options.window_envelopes} * options.envelope_bytes_max;
  const std::string large = PayloadOf(1, bound / 28 - 1);
  const std::string larger = PayloadOf(1, bound / 28 + 1);
  ASSERT_LE(large.size(), bound);
  ASSERT_GT(larger.size(), bound);
  EXPECT_EQ(ToB(EncodeFrame({1, 1, 3, 0}, kEndA, kEndB, larger)), ReceiveVerdict::kBeyondWindow);
  EXPECT_EQ(ToB(EncodeFrame({1, 1, 3, 0}, kEndA, kEndB, large)), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToB(EncodeFrame({1, 1, 2, 0}, kEndA, kEndB, PayloadOf(1, 10))),
            ReceiveVerdict::kBeyondWindow);
  EXPECT_EQ(ToB(EncodeFrame({1, 1, 1, 0}, kEndA, kEndB, larger)), ReceiveVerdict::kAccepted);
  EXPECT_EQ(ToB(EncodeFrame({1, 1, 2, 0}, kEndA, kEndB, larger)), ReceiveVerdict::kAccepted);
  EXPECT_EQ(delivered.size(), 3u);
  EXPECT_EQ(ToB(EncodeFrame({1, 1, 5, 0}, kEndA, kEndB, large)), ReceiveVerdict::kAccepted)
      << "what was delivered no longer counts";
}

}  // namespace
}  // namespace freehold::core
