// The endpoint as a host pumps it: one thread, a clock that is set.

#include "src/runtime/endpoint.h"

#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/runtime/endpoint_fixture.h"

namespace freehold::runtime {
namespace {

using Lines = std::vector<std::string>;

// --- Turns ---------------------------------------------------------------------------------------

TEST_F(EndpointTest, WhatIsDroppedOnAnIdleSessionLeavesInTheTurnThatItWakes) {
  StartBoth();
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfiniteFuture);
  owner_.SendTo(kNode, 1);
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfinitePast);
  owner_.Pump();
  EXPECT_EQ(wire_.sent(), 1u);
  node_.Pump();
  EXPECT_EQ(node_.client.received(), Numbers(1, 1));
  owner_.Pump();
  EXPECT_TRUE(owner_.endpoint->Idle());
  EXPECT_EQ(wire_.sent(), 2u);  // the free and its acknowledgement
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfiniteFuture);
}

TEST_F(EndpointTest, APeerWhoseWindowIsClosedIsFilledWhenItOpens) {
  owner_.client.items_per_envelope = 1;
  owner_.config.session.window_envelopes = 2;
  StartBoth();
  for (uint64_t i = 1; i <= 9; ++i) owner_.SendTo(kNode, i);
  owner_.Pump();
  EXPECT_EQ(wire_.sent(), 2u);
  EXPECT_EQ(owner_.endpoint->unacked_envelopes(), 2u);
  owner_.SendTo(kNode, 10);  // marked while it is closed
  owner_.Pump();
  EXPECT_EQ(wire_.sent(), 2u);
  Settle();
  EXPECT_EQ(node_.client.received(), Numbers(1, 10));
  EXPECT_TRUE(owner_.endpoint->Idle());
}

TEST_F(EndpointTest, ALostEnvelopeIsSentAgainAtTheDeadline) {
  StartBoth();
  wire_.Hold(true);
  owner_.SendTo(kNode, 1);
  owner_.Pump();
  EXPECT_EQ(wire_.TakeHeld().size(), 1u);
  const Time deadline = owner_.endpoint->NextDeadline();
  EXPECT_GT(deadline, clock_.Now());
  EXPECT_LE(deadline, clock_.Now() + std::chrono::milliseconds(75));
  EXPECT_FALSE(owner_.endpoint->Idle());
  wire_.Hold(false);
  clock_.Advance(deadline - clock_.Now());
  Settle();
  EXPECT_EQ(node_.client.received(), Numbers(1, 1));
  EXPECT_EQ(owner_.endpoint->GetStats().envelopes_retransmitted, 1u);
}

TEST_F(EndpointTest, AnEmptyFillSendsNothingWhateverItClaims) {
  owner_.client.claims_more = true;
  StartBoth();
  owner_.endpoint->MarkReady(owner_.endpoint->Intern(kNode));
  owner_.Pump();
  EXPECT_EQ(owner_.client.fills(), 1);
  EXPECT_EQ(wire_.sent(), 0u);
  EXPECT_TRUE(owner_.endpoint->Idle());
}

TEST_F(EndpointTest, ManyMarksOfOnePeerAreOneFill) {
  StartBoth();
  for (uint64_t i = 1; i <= 100; ++i) owner_.SendTo(kNode, i);
  owner_.Pump();
  EXPECT_EQ(owner_.client.fills(), 1);
  EXPECT_EQ(wire_.sent(), 1u);
}

TEST_F(EndpointTest, WithoutATransportNothingIsFilledOrTaken) {
  owner_.config.transport = nullptr;
  StartBoth();
  owner_.SendTo(kNode, 1);
  EXPECT_EQ(owner_.wakes, 0);
  owner_.Pump();
  EXPECT_EQ(owner_.client.fills(), 0);
  EXPECT_GT(owner_.client.works(), 0);
  owner_.endpoint->inbox()->Deliver(Valid(kNode, kOwner, 1));
  owner_.Pump();
  EXPECT_TRUE(owner_.client.received().empty());
  EXPECT_TRUE(owner_.endpoint->Idle());
}

TEST_F(EndpointTest, WorkIsCalledAgainUntilItHasNothingMoreToDoAtOnce) {
  int pieces = 5;
  owner_.client.work = [&](Time) {
    return pieces > 0 && --pieces > 0 ? kInfinitePast : kInfiniteFuture;
  };
  StartBoth();
  EXPECT_EQ(pieces, 0);
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfiniteFuture);
}

TEST_F(EndpointTest, TheDeadlineOfWorkIsADeadlineOfTheEnd) {
  const Time wanted = clock_.Now() + std::chrono::seconds(3);
  owner_.client.work = [&](Time) { return wanted; };
  StartBoth();
  EXPECT_EQ(owner_.endpoint->NextDeadline(), wanted);
  owner_.endpoint->WakeWork();
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfinitePast);
}

TEST_F(EndpointTest, AWakerThatNeverRestsGivesThePumpBackToItsHost) {
  StartBoth();
  owner_.client.on_work = [&] { owner_.endpoint->WakeWork(); };
  owner_.SendTo(kNode, 1);
  owner_.Pump();
  EXPECT_EQ(wire_.sent(), 1u);  // what was marked before is done
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfinitePast);
  owner_.client.on_work = nullptr;
  owner_.Pump();
  EXPECT_GT(owner_.endpoint->NextDeadline(), clock_.Now());
}

TEST_F(EndpointTest, TimeDoesNotGoBack) {
  StartBoth();
  const Time now = clock_.Now();
  owner_.endpoint->Pump(now + std::chrono::seconds(1));
  owner_.endpoint->Pump(now);
  EXPECT_EQ(owner_.client.last_now(), now + std::chrono::seconds(1));
}

TEST_F(EndpointTest, RefusedItemsAreCounted) {
  node_.client.refuse_per_payload = 3;
  StartBoth();
  owner_.SendTo(kNode, 1);
  Settle();
  EXPECT_EQ(node_.endpoint->GetStats().refused_items, 3u);
}

// --- The pump role and wake-ups ------------------------------------------------------------------

TEST_F(EndpointTest, TheHookIsCalledOnTheEdgeOnly) {
  StartBoth();
  owner_.SendTo(kNode, 1);
  owner_.SendTo(kNode, 2);
  owner_.SendTo(kStranger, 3);
  owner_.endpoint->WakeWork();
  EXPECT_EQ(owner_.wakes, 1);
  owner_.Pump();
  EXPECT_EQ(owner_.wakes, 1);
  owner_.endpoint->WakeWork();
  EXPECT_EQ(owner_.wakes, 2);
}

TEST_F(EndpointTest, ArrivalsAndMembershipCallTheHookToo) {
  StartBoth();
  owner_.SendTo(kNode, 1);
  owner_.Pump();
  EXPECT_EQ(node_.wakes, 1);
  node_.Pump();
  node_.membership.View_(1, {kStranger});
  EXPECT_EQ(node_.wakes, 2);
}

TEST_F(EndpointTest, ThePumpRoleDoesNotWakeItself) {
  StartBoth();
  bool once = true;
  owner_.client.on_work = [&] {
    if (std::exchange(once, false)) owner_.SendTo(kNode, 1);
  };
  owner_.Pump();
  EXPECT_EQ(owner_.wakes, 0);
  EXPECT_EQ(wire_.sent(), 1u);
}

TEST_F(EndpointTest, TheViewAtJoiningIsTakenBeforeAnybodyHasTheEndpoint) {
  owner_.membership.view_at_join = {3, {kStranger}};
  ASSERT_TRUE(Endpoint::Create(owner_.config, &owner_.client, &owner_.endpoint).ok());
  EXPECT_EQ(owner_.client.trace(), std::vector<std::string>{"view 3: 0"});
  EXPECT_TRUE(owner_.endpoint->IsExcluded(owner_.endpoint->Find(kStranger)));
  EXPECT_EQ(owner_.membership.flushed(), std::vector<uint64_t>{3});
  EXPECT_EQ(owner_.wakes, 0);
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfiniteFuture);
}

TEST_F(EndpointTest, WhatIsLeftToDoAfterJoiningCallsTheHookOnceTheEndpointIsThere) {
  bool endpoint_was_set = false;
  owner_.config.on_wake = [&] { endpoint_was_set = owner_.endpoint != nullptr; };
  owner_.client.work = [](Time) { return kInfinitePast; };
  ASSERT_TRUE(Endpoint::Create(owner_.config, &owner_.client, &owner_.endpoint).ok());
  EXPECT_TRUE(endpoint_was_set);
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfinitePast);
}

TEST_F(EndpointTest, TheHookMayPump) {
  StartBoth();
  node_.config.on_wake = [&] { node_.Pump(); };
  node_.Start(&wire_);
  owner_.SendTo(kNode, 1);
  owner_.Pump();  // sends; the node takes and acknowledges inside Send
  EXPECT_EQ(node_.client.received(), Numbers(1, 1));
  EXPECT_TRUE(owner_.endpoint->Idle());
}

TEST_F(EndpointTest, ReenteringFromWithinATurnMakesTheHolderGoRoundOnce) {
  StartBoth();
  for (std::function<void()>* hook : {&owner_.client.on_work, &owner_.client.on_fill}) {
    const int before = owner_.client.works();
    bool once = true;
    const Time later = owner_.client.last_now() + std::chrono::seconds(1);
    *hook = [&] {
      if (std::exchange(once, false)) owner_.endpoint->Pump(later);
    };
    owner_.SendTo(kNode, 1);
    owner_.Pump();
    EXPECT_EQ(owner_.client.works(), before + 2);
    EXPECT_EQ(owner_.client.last_now(), later);  // the second turn takes the later time
    *hook = nullptr;
  }
}

TEST_F(EndpointTest, ReenteringFromSendMakesTheHolderGoRound) {
  StartBoth();
  bool once = true;
  wire_.on_send = [&] {
    if (!std::exchange(once, false)) return;
    owner_.SendTo(kNode, 2);
    owner_.Pump();
  };
  owner_.SendTo(kNode, 1);
  owner_.Pump();
  EXPECT_EQ(wire_.sent(), 2u);
  Settle();
  EXPECT_EQ(node_.client.received(), Numbers(1, 2));
}

// --- The inbox -----------------------------------------------------------------------------------

TEST_F(EndpointTest, WhatOverflowsTheInboxIsCountedAndComesAgain) {
  owner_.client.items_per_envelope = 1;
  const size_t bytes = Valid(kOwner, kNode, 1).bytes.size();
  node_.config.session.envelope_bytes_max = 8 * 1024;
  node_.config.session.inbox_bytes_max = 8 * 1024;
  StartBoth();
  const uint64_t fit = 8 * 1024 / bytes;
  for (uint64_t i = 1; i <= fit; ++i) node_.endpoint->inbox()->Deliver(Valid(kOwner, kNode, i));
  EXPECT_EQ(node_.endpoint->GetStats().inbox_overflows, 0u);
  EXPECT_EQ(node_.endpoint->GetStats().inbox_bytes, fit * bytes);
  EXPECT_FALSE(node_.endpoint->Idle());
  owner_.SendTo(kNode, 1);
  owner_.Pump();
  EXPECT_EQ(node_.endpoint->GetStats().inbox_overflows, 1u);
  node_.Pump();
  EXPECT_EQ(node_.endpoint->GetStats().inbox_bytes, 0u);
  EXPECT_EQ(node_.client.received_count(), fit);
}

TEST_F(EndpointTest, AnOverflowedEnvelopeIsDeliveredInTheEnd) {
  owner_.client.items_per_envelope = 100;
  node_.config.session.envelope_bytes_max = 8 * 1024;
  node_.config.session.inbox_bytes_max = 8 * 1024;
  StartBoth();
  for (uint64_t i = 1; i <= 800; ++i) owner_.SendTo(kNode, i);
  owner_.Pump();
  EXPECT_GT(node_.endpoint->GetStats().inbox_overflows, 0u);
  for (int i = 0; i < 100 && !owner_.endpoint->Idle(); ++i) {
    Settle();
    if (owner_.endpoint->Idle()) break;
    clock_.Advance(owner_.endpoint->NextDeadline() - clock_.Now());
  }
  EXPECT_EQ(node_.client.received(), Numbers(1, 800));
}

TEST_F(EndpointTest, GarbageFromUnknownAddressesGrowsNothing) {
  StartBoth();
  Envelope altered = Valid(kStranger, kNode, 1);
  altered.bytes[40] = static_cast<char>(altered.bytes[40] ^ 1);
  Envelope misdirected = Valid(kStranger, kOwner, 1);
  misdirected.to = kNode;
  for (const Envelope& envelope : {altered, misdirected, Valid(kStranger, kOwner, 1),
                                   Envelope{kStranger, kNode, std::string(100, 'x')},
                                   Envelope{kStranger, kNode, ""}, Valid(kNode, kNode, 1)}) {
    node_.endpoint->inbox()->Deliver(envelope);
  }
  node_.Pump();
  const SessionStats stats = node_.endpoint->GetStats();
  EXPECT_EQ(stats.garbage_rejected, 6u);
  EXPECT_EQ(stats.sessions, 0u);
  EXPECT_EQ(node_.endpoint->Find(kStranger), core::kNoPeer);
  EXPECT_TRUE(node_.client.received().empty());
  EXPECT_EQ(wire_.sent(), 0u);
  EXPECT_FALSE(node_.logger.lines().empty());
}

TEST_F(EndpointTest, GarbageUnderAKnownAddressIsCountedAndLoggedSparingly) {
  StartBoth();
  owner_.SendTo(kNode, 1);
  Settle();
  for (int i = 0; i < 100; ++i) {
    node_.endpoint->inbox()->Deliver({kOwner, kNode, std::string(100, 'x')});
  }
  node_.Pump();
  EXPECT_EQ(node_.endpoint->GetStats().garbage_rejected, 100u);
  EXPECT_EQ(node_.logger.lines().size(), 7u);  // 1, 2, 4 … 64
}

TEST_F(EndpointTest, AWellFormedEnvelopeFromAnUnknownAddressOpensASession) {
  StartBoth();
  node_.endpoint->inbox()->Deliver(Valid(kStranger, kNode, 1));
  node_.Pump();
  EXPECT_NE(node_.endpoint->Find(kStranger), core::kNoPeer);
  EXPECT_EQ(node_.client.received(), Numbers(1, 1));
}

TEST_F(EndpointTest, WhileTheClientTakesNothingOnlyAcknowledgementsPass) {
  StartBoth();
  owner_.client.can_take = false;
  owner_.SendTo(kNode, 1);
  owner_.Pump();
  wire_.Hold(true);  // what the node sends now: the acknowledgement
  node_.Pump();
  EXPECT_EQ(owner_.endpoint->unacked_envelopes(), 1u);
  wire_.DeliverHeld();
  owner_.Pump();
  EXPECT_EQ(owner_.endpoint->unacked_envelopes(), 0u);
  wire_.Hold(false);
  node_.SendTo(kOwner, 7);
  Settle();
  EXPECT_TRUE(owner_.client.received().empty());
  EXPECT_EQ(owner_.endpoint->GetStats().inbox_overflows, 1u);
  owner_.client.can_take = true;
  clock_.Advance(std::chrono::milliseconds(100));
  Settle();
  EXPECT_EQ(owner_.client.received(), Numbers(7, 7));
}

}  // namespace
}  // namespace freehold::runtime
