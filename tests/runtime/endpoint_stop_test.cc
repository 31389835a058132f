// The end of an endpoint: stopped and destroyed from every place from which it can be; and what the
// collaborators throw.

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/runtime/endpoint.h"
#include "tests/runtime/endpoint_testing.h"

namespace freehold::runtime {
namespace {

const Address kOwner = ProcessId::FromNumber(1);
const Address kNode = NodeId::FromNumber(2);
const Address kStranger = NodeId::FromNumber(3);

enum class Place {
  kOnPayload,
  kWork,
  kFill,
  kOnView,
  kIsFlushed,
  kOnBarrier,
  kOnSelfExcluded,
  kCanTake,
  kSend,
  kFlushed,
  kOnWake,
};

class EndpointStopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    owner_.Start(&wire_);
    node_.Start(&wire_);
  }

  std::function<void()>* HookAt(Place place) {
    switch (place) {
      case Place::kOnPayload:
        return &owner_.client.on_payload;
      case Place::kWork:
        return &owner_.client.on_work;
      case Place::kFill:
        return &owner_.client.on_fill;
      case Place::kOnView:
        return &owner_.client.on_view;
      case Place::kIsFlushed:
        return &owner_.client.on_is_flushed;
      case Place::kOnBarrier:
        return &owner_.client.on_barrier;
      case Place::kOnSelfExcluded:
        return &owner_.client.on_self_excluded;
      case Place::kCanTake:
        return &owner_.client.on_can_take;
      case Place::kSend:
        return &wire_.on_send;
      case Place::kFlushed:
        return &owner_.membership.on_flushed;
      case Place::kOnWake:
        return &hook_;
    }
    return nullptr;
  }

  // Everything that makes the owner call every place in one Pump.
  void MakeWork(bool exclude_self) {
    node_.SendTo(kOwner, 1);
    node_.Pump();
    owner_.membership.View_(1, {kStranger});
    owner_.membership.Barrier_(1);
    if (exclude_self) owner_.membership.View_(2, {kOwner});
    owner_.SendTo(kNode, 2);
    owner_.SendTo(kNode, 3);
  }

  SetClock clock_;
  Wire wire_;
  End owner_{kOwner, &wire_, &clock_};
  End node_{kNode, &wire_, &clock_};
  std::function<void()> hook_;
};

class StopFrom : public EndpointStopTest, public ::testing::WithParamInterface<Place> {
 protected:
  void SetUp() override {
    owner_.config.on_wake = [this] {
      if (hook_) hook_();
    };
    EndpointStopTest::SetUp();
  }
};

TEST_P(StopFrom, StoppingInsideReturnsAndNothingIsCalledAfterwards) {
  uint64_t calls = 0;
  uint64_t sent = 0;
  bool stopped = false;
  if (GetParam() != Place::kSend && GetParam() != Place::kOnWake) {
    MakeWork(GetParam() == Place::kOnSelfExcluded);
  }
  *HookAt(GetParam()) = [&] {
    if (std::exchange(stopped, true)) return;
    owner_.endpoint->Stop(true);
    calls = owner_.client.calls();
    sent = wire_.sent();
  };
  if (GetParam() == Place::kSend) {
    owner_.client.items_per_envelope = 1;
    owner_.SendTo(kNode, 1);
    owner_.SendTo(kNode, 2);
  }
  if (GetParam() == Place::kOnWake) MakeWork(false);
  owner_.Pump();
  ASSERT_TRUE(stopped);
  EXPECT_EQ(owner_.client.calls(), calls);
  EXPECT_EQ(wire_.sent(), sent);
  EXPECT_EQ(owner_.membership.left(), GetParam() == Place::kOnSelfExcluded ? 0 : 1);

  MakeWork(false);
  owner_.endpoint->WakeWork();
  owner_.Pump();
  EXPECT_EQ(owner_.client.calls(), calls);
  EXPECT_EQ(owner_.endpoint->NextDeadline(), kInfiniteFuture);
  EXPECT_EQ(owner_.endpoint->GetStats().inbox_bytes, 0u);
}

TEST_P(StopFrom, TheEndpointMayBeDestroyedInside) {
  bool destroyed = false;
  *HookAt(GetParam()) = [&] {
    if (std::exchange(destroyed, true)) return;
    owner_.endpoint.reset();
  };
  node_.SendTo(kOwner, 1);
  std::weak_ptr<Endpoint> endpoint = owner_.endpoint;
  if (GetParam() != Place::kOnWake && GetParam() != Place::kSend) {
    node_.Pump();
    owner_.membership.View_(1, {kStranger});
    owner_.membership.Barrier_(1);
    if (GetParam() == Place::kOnSelfExcluded) owner_.membership.View_(2, {kOwner});
    owner_.SendTo(kNode, 2);
    owner_.endpoint->Pump(clock_.Now());
  } else if (GetParam() == Place::kOnWake) {
    owner_.membership.View_(1, {kStranger});
  } else {
    owner_.SendTo(kNode, 2);
    owner_.endpoint->Pump(clock_.Now());
  }
  ASSERT_TRUE(destroyed);
  EXPECT_TRUE(endpoint.expired());
}

INSTANTIATE_TEST_SUITE_P(EveryPlace, StopFrom,
                         ::testing::Values(Place::kOnPayload, Place::kWork, Place::kFill,
                                           Place::kOnView, Place::kIsFlushed, Place::kOnBarrier,
                                           Place::kOnSelfExcluded, Place::kCanTake, Place::kSend,
                                           Place::kFlushed, Place::kOnWake));

TEST_F(EndpointStopTest, LeavesTheMembershipOnceAndOnlyIfToldSo) {
  owner_.endpoint->Stop(false);
  EXPECT_EQ(owner_.membership.left(), 0);
  owner_.endpoint->Stop(true);
  owner_.endpoint->Stop(true);
  EXPECT_EQ(owner_.membership.left(), 1);
  node_.endpoint.reset();
  EXPECT_EQ(node_.membership.left(), 0);
}

TEST_F(EndpointStopTest, WhatWaitsInTheInboxGoesWithTheStop) {
  node_.SendTo(kOwner, 1);
  node_.Pump();
  EXPECT_GT(owner_.endpoint->GetStats().inbox_bytes, 0u);
  owner_.endpoint->Stop(false);
  EXPECT_EQ(owner_.endpoint->GetStats().inbox_bytes, 0u);
}

TEST_F(EndpointStopTest, DoorsAreHarmlessAfterDestruction) {
  const std::shared_ptr<Inbox> inbox = owner_.endpoint->inbox();
  owner_.SendTo(kNode, 1);
  owner_.endpoint.reset();
  inbox->Deliver({kNode, kOwner, std::string(100, 'x')});
  owner_.membership.View_(1, {kNode});
  owner_.membership.Barrier_(1);
}

TEST_F(EndpointStopTest, AnInboxKeptAloneKeepsNoEndpoint) {
  const std::weak_ptr<Endpoint> endpoint = owner_.endpoint;
  const std::shared_ptr<Inbox> inbox = owner_.endpoint->inbox();
  owner_.endpoint.reset();
  EXPECT_TRUE(endpoint.expired());
}

TEST_F(EndpointStopTest, WhatCollaboratorsThrowIsCaughtLoggedAndStopsNothing) {
  bool armed = true;
  wire_.on_send = [&] {
    if (std::exchange(armed, false)) throw std::runtime_error("no route");
  };
  owner_.SendTo(kNode, 1);
  owner_.Pump();
  clock_.Advance(std::chrono::milliseconds(100));
  owner_.Pump();
  node_.Pump();
  EXPECT_EQ(node_.client.received(), Numbers(1, 1));

  owner_.membership.on_flushed = [] { throw 7; };
  owner_.membership.View_(1, {kStranger});
  owner_.membership.Barrier_(1);
  owner_.Pump();
  EXPECT_EQ(owner_.client.trace().back(), "barrier 1");

  ASSERT_EQ(owner_.logger.lines().size(), 2u);
  EXPECT_NE(owner_.logger.lines()[0].find("no route"), std::string::npos);
  EXPECT_NE(owner_.logger.lines()[1].find("int"), std::string::npos);
}

TEST_F(EndpointStopTest, AHookThatThrowsIsCaughtAndLogged) {
  owner_.config.on_wake = [] { throw std::runtime_error("loop is closed"); };
  owner_.Start(&wire_);
  owner_.SendTo(kNode, 1);
  ASSERT_FALSE(owner_.logger.lines().empty());
  EXPECT_NE(owner_.logger.lines()[0].find("loop is closed"), std::string::npos);
}

}  // namespace
}  // namespace freehold::runtime
