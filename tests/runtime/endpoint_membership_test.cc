// The endpoint and its membership: views, barriers, fencing.

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/runtime/endpoint.h"
#include "tests/runtime/endpoint_fixture.h"

namespace freehold::runtime {
namespace {

using Lines = std::vector<std::string>;

constexpr Duration kGrace = std::chrono::seconds(10);

TEST_F(EndpointTest, AJoinThatIsRefusedIsAnswered) {
  owner_.membership.join_status = absl::FailedPreconditionError("excluded");
  EXPECT_EQ(Endpoint::Create(owner_.config, &owner_.client, &owner_.endpoint).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(owner_.endpoint, nullptr);
  owner_.membership.join_status = absl::OkStatus();
  owner_.config.session.window_envelopes = 0;
  EXPECT_EQ(Endpoint::Create(owner_.config, &owner_.client, &owner_.endpoint).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(EndpointTest, ViewsAndBarriersAreHandledInOrderAndBeforeEnvelopes) {
  StartBoth();
  node_.endpoint->inbox()->Deliver(Valid(kOwner, kNode, 1));
  node_.membership.View_(1, {kStranger});
  node_.membership.Barrier_(1);
  node_.membership.View_(2, {});
  node_.Pump();
  // The stranger was interned by the view, before the owner's envelope was looked at.
  EXPECT_EQ(node_.client.trace(),
            (Lines{"view 0:", "view 1: 0", "barrier 1", "view 2:", "payload from 1"}));
  // View 1 is overtaken before its report: nobody can wait for it any more.
  EXPECT_EQ(node_.membership.flushed(), (std::vector<uint64_t>{0, 2}));
}

TEST_F(EndpointTest, FlushedIsReportedAfterTheClientHasSeenTheView) {
  StartBoth();
  size_t lines_at_flush = 0;
  node_.membership.on_flushed = [&] { lines_at_flush = node_.client.trace().size(); };
  node_.membership.View_(1, {kOwner});
  node_.Pump();
  EXPECT_EQ(lines_at_flush, 2u);
}

TEST_F(EndpointTest, ABarrierAnnouncedFromWithinFlushedIsHandledInTheSamePump) {
  StartBoth();
  node_.membership.on_flushed = [&] {
    node_.membership.on_flushed = nullptr;
    node_.membership.Barrier_(1);
  };
  node_.membership.View_(1, {kOwner});
  node_.Pump();
  EXPECT_EQ(node_.client.trace(), (Lines{"view 0:", "view 1: 0", "barrier 1"}));
}

TEST_F(EndpointTest, FlushedWaitsForTheClientAndIsReportedOnce) {
  StartBoth();
  owner_.client.flushed = false;
  owner_.membership.View_(1, {kStranger});
  owner_.Pump();
  owner_.Pump();
  EXPECT_EQ(owner_.membership.flushed(), std::vector<uint64_t>{0});
  owner_.client.flushed = true;
  owner_.Pump();
  owner_.Pump();
  EXPECT_EQ(owner_.membership.flushed(), (std::vector<uint64_t>{0, 1}));
  // Nothing is asked while nothing is owed.
  EXPECT_EQ(owner_.client.asked(), (std::vector<uint64_t>{0, 1, 1, 1}));
}

TEST_F(EndpointTest, FlushedIsAskedAfterWorkAndWithoutSpinning) {
  StartBoth();
  owner_.client.flushed = false;
  owner_.membership.View_(1, {kStranger});
  int works = owner_.client.works();
  owner_.Pump();
  EXPECT_EQ(owner_.client.works(), works + 1);
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfiniteFuture);  // no timer asks again
  // The last piece of deferred work is the one that makes it true.
  int pieces = 3;
  owner_.client.work = [&](Time) {
    if (--pieces == 0) owner_.client.flushed = true;
    return pieces > 0 ? kInfinitePast : kInfiniteFuture;
  };
  owner_.endpoint->WakeWork();
  owner_.Pump();
  EXPECT_EQ(pieces, 0);
  EXPECT_EQ(owner_.membership.flushed(), (std::vector<uint64_t>{0, 1}));
  EXPECT_EQ(owner_.client.asked(), (std::vector<uint64_t>{0, 1, 1, 1, 1}));
}

TEST_F(EndpointTest, AnArrivalThatFlushesIsReportedInTheSamePump) {
  StartBoth();
  owner_.client.flushed = false;
  owner_.membership.View_(1, {kStranger});
  Settle();
  owner_.client.on_payload = [&] { owner_.client.flushed = true; };
  node_.SendTo(kOwner, 1);
  Settle();
  EXPECT_EQ(owner_.membership.flushed(), (std::vector<uint64_t>{0, 1}));
}

TEST_F(EndpointTest, OnlyTheLatestViewIsReportedOnceItsWorkIsDone) {
  StartBoth();
  owner_.client.flushed = false;
  owner_.membership.View_(1, {kStranger});
  owner_.Pump();
  owner_.membership.View_(2, {kNode});
  owner_.client.on_view = [&] { owner_.client.flushed = true; };
  owner_.Pump();
  EXPECT_EQ(owner_.membership.flushed(), (std::vector<uint64_t>{0, 2}));
  EXPECT_EQ(owner_.client.asked(), (std::vector<uint64_t>{0, 1, 2}));
}

TEST_F(EndpointTest, AnEndThatIsExcludedOwesNoFlushAnyMore) {
  StartBoth();
  owner_.client.flushed = false;
  owner_.membership.View_(1, {kStranger});
  owner_.Pump();
  owner_.membership.View_(2, {kOwner});
  owner_.client.flushed = true;
  owner_.Pump();
  owner_.Pump();
  EXPECT_EQ(owner_.membership.flushed(), std::vector<uint64_t>{0});
}

// --- Barriers by time ----------------------------------------------------------------------------

TEST_F(EndpointTest, WithAGraceTheBarrierComesByTimeAndNotByMembership) {
  owner_.config.orphan_grace = kGrace;
  StartBoth();
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfiniteFuture);  // view 0 excluded nobody
  const Time seen = clock_.Now();
  owner_.membership.View_(1, {kStranger});
  owner_.membership.Barrier_(1);
  owner_.Pump();
  const Lines before = {"view 0:", "view 1: 0"};
  EXPECT_EQ(owner_.client.trace(), before);
  EXPECT_EQ(owner_.membership.flushed(), (std::vector<uint64_t>{0, 1}));  // others may use it
  EXPECT_EQ(owner_.endpoint->NextDeadline(), seen + kGrace);
  clock_.Advance(kGrace - Duration(1));
  owner_.Pump();
  EXPECT_EQ(owner_.client.trace(), before);
  clock_.Advance(Duration(1));
  owner_.Pump();
  owner_.Pump();
  EXPECT_EQ(owner_.client.trace(), (Lines{"view 0:", "view 1: 0", "barrier 1"}));
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfiniteFuture);
}

TEST_F(EndpointTest, EachViewHasItsOwnGraceAndAnOpenFlushHoldsNoneBack) {
  owner_.config.orphan_grace = kGrace;
  StartBoth();
  owner_.client.flushed = false;
  const Time first = clock_.Now();
  owner_.membership.View_(1, {kStranger});
  owner_.Pump();
  clock_.Advance(kGrace / 2);
  owner_.membership.View_(2, {kNode});
  owner_.Pump();
  EXPECT_EQ(owner_.endpoint->NextDeadline(), first + kGrace);
  clock_.Advance(kGrace / 2);
  owner_.Pump();
  EXPECT_EQ(owner_.client.trace(), (Lines{"view 0:", "view 1: 0", "view 2: 1", "barrier 1"}));
  EXPECT_EQ(owner_.endpoint->NextDeadline(), first + kGrace / 2 + kGrace);
  clock_.Advance(kGrace / 2);
  owner_.Pump();
  EXPECT_EQ(owner_.client.trace().back(), "barrier 2");
}

TEST_F(EndpointTest, TheGraceOfTheViewThatCameWithJoiningBeginsWithTime) {
  owner_.config.orphan_grace = kGrace;
  owner_.membership.view_at_join = {4, {kStranger}};
  ASSERT_TRUE(Endpoint::Create(owner_.config, &owner_.client, &owner_.endpoint).ok());
  owner_.endpoint->Pump(kInfinitePast);  // as a NodeAgent does
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfinitePast);
  owner_.Pump();
  EXPECT_EQ(owner_.endpoint->NextDeadline(), clock_.Now() + kGrace);
  EXPECT_EQ(owner_.client.trace(), Lines{"view 4: 0"});
  clock_.Advance(kGrace);
  owner_.Pump();
  EXPECT_EQ(owner_.client.trace(), (Lines{"view 4: 0", "barrier 4"}));
}

TEST_F(EndpointTest, AnEndThatIsExcludedWaitsForNoGrace) {
  owner_.config.orphan_grace = kGrace;
  StartBoth();
  owner_.membership.View_(1, {kStranger});
  owner_.Pump();
  owner_.membership.View_(2, {kOwner});
  owner_.Pump();
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfiniteFuture);
  clock_.Advance(kGrace);
  owner_.Pump();
  EXPECT_EQ(owner_.client.trace().back(), "self excluded");
}

TEST_F(EndpointTest, ANegativeGraceIsRefused) {
  owner_.config.orphan_grace = Duration(-1);
  EXPECT_EQ(Endpoint::Create(owner_.config, &owner_.client, &owner_.endpoint).code(),
            absl::StatusCode::kInvalidArgument);
}

// --- Fencing -------------------------------------------------------------------------------------

TEST_F(EndpointTest, AnIdNeverSeenIsFencedForEver) {
  StartBoth();
  node_.membership.View_(1, {kOwner});
  node_.Pump();
  const PeerIndex owner = node_.endpoint->Find(kOwner);
  ASSERT_NE(owner, core::kNoPeer);
  EXPECT_TRUE(node_.endpoint->IsExcluded(owner));
  EXPECT_FALSE(node_.endpoint->IsExcluded(core::kNoPeer));
  owner_.SendTo(kNode, 1);
  Settle();
  node_.endpoint->MarkReady(owner);
  node_.Pump();
  EXPECT_TRUE(node_.client.received().empty());
  EXPECT_EQ(node_.client.fills(), 0);
  EXPECT_EQ(node_.endpoint->GetStats().fenced_dropped, 1u);
  EXPECT_EQ(wire_.sent(), 1u);
}

TEST_F(EndpointTest, AnEnvelopeThatWaitsWhenItsSenderIsExcludedIsFenced) {
  StartBoth();
  node_.endpoint->inbox()->Deliver(Valid(kOwner, kNode, 1));
  node_.membership.View_(1, {kOwner});
  node_.Pump();
  EXPECT_TRUE(node_.client.received().empty());
  EXPECT_EQ(node_.endpoint->GetStats().fenced_dropped, 1u);
  EXPECT_TRUE(node_.endpoint->Idle());
}

TEST_F(EndpointTest, WhatWasUnacknowledgedAndMarkedEndsWithAnExclusion) {
  owner_.client.items_per_envelope = 1;
  owner_.config.session.window_envelopes = 1;
  StartBoth();
  wire_.Hold(true);
  for (uint64_t i = 1; i <= 3; ++i) owner_.SendTo(kNode, i);
  owner_.Pump();
  owner_.SendTo(kNode, 4);
  owner_.membership.View_(1, {kNode});
  owner_.membership.View_(2, {kNode});  // a second time: not news
  owner_.Pump();
  EXPECT_EQ(owner_.client.trace(), (Lines{"view 0:", "view 1: 0", "view 2:"}));
  EXPECT_EQ(owner_.endpoint->unacked_envelopes(), 0u);
  EXPECT_EQ(owner_.endpoint->GetStats().sessions, 0u);
  EXPECT_TRUE(owner_.endpoint->Idle());
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfiniteFuture);
  EXPECT_EQ(wire_.sent(), 1u);
}

TEST_F(EndpointTest, AnExcludedEndNeitherSendsNorTakesNorFlushes) {
  StartBoth();
  owner_.SendTo(kNode, 1);
  owner_.membership.View_(1, {kStranger, kOwner});
  owner_.membership.Barrier_(1);
  owner_.endpoint->inbox()->Deliver(Valid(kNode, kOwner, 1));
  owner_.Pump();
  owner_.SendTo(kNode, 2);
  owner_.endpoint->inbox()->Deliver(Valid(kNode, kOwner, 2));
  const int works = owner_.client.works();
  owner_.Pump();
  EXPECT_TRUE(owner_.endpoint->self_excluded());
  EXPECT_EQ(owner_.client.trace(), (Lines{"view 0:", "view 1: 1", "self excluded"}));
  EXPECT_EQ(owner_.membership.flushed(), std::vector<uint64_t>{0});
  EXPECT_EQ(wire_.sent(), 0u);
  EXPECT_EQ(owner_.endpoint->GetStats().fenced_dropped, 2u);
  EXPECT_GT(owner_.client.works(), works);
  EXPECT_TRUE(owner_.endpoint->Idle());
  owner_.endpoint->Stop(true);
  EXPECT_EQ(owner_.membership.left(), 0);  // there is nothing to leave
}

}  // namespace
}  // namespace freehold::runtime
