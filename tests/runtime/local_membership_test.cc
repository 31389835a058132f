#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/membership.h"

namespace freehold {
namespace {

const Address kA = ProcessId::FromNumber(1);
const Address kB = ProcessId::FromNumber(2);
const Address kC = NodeId::FromNumber(3);
const Address kD = NodeId::FromNumber(4);

std::string Name(const Address& address) {
  for (const auto& [known, name] : {std::pair(kA, "a"), {kB, "b"}, {kC, "c"}, {kD, "d"}}) {
    if (address == known) return name;
  }
  return "?";
}

// Writes down what it hears: "v1(bc)" for a view, "b1" for a barrier.
class Listener final : public MembershipListener {
 public:
  void OnView(const View& view) override {
    std::string text = "v" + std::to_string(view.version) + "(";
    for (const Address& id : view.excluded) text += Name(id);
    heard.push_back(text + ")");
    if (on_view) on_view(view);
  }
  void OnBarrier(uint64_t version) override {
    heard.push_back("b" + std::to_string(version));
    if (on_barrier) on_barrier(version);
  }

  std::vector<std::string> heard;
  std::function<void(const View&)> on_view;
  std::function<void(uint64_t)> on_barrier;
};

using Heard = std::vector<std::string>;

class LocalMembershipTest : public ::testing::Test {
 protected:
  std::shared_ptr<Listener> Join(const Address& self) {
    auto listener = std::make_shared<Listener>();
    EXPECT_TRUE(membership_.Join(self, listener).ok());
    return listener;
  }
  std::string WaitingFor() {
    std::string names;
    for (const Address& id : membership_.GetStatus().waiting_for) names += Name(id);
    return names;
  }

  LocalMembership membership_;
};

TEST_F(LocalMembershipTest, AJoinerHearsOneViewWithEveryExclusionSoFar) {
  const auto a = Join(kA);
  EXPECT_EQ(a->heard, Heard{"v0()"});
  membership_.Exclude({kB});
  membership_.Exclude({kC, kD});
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(b)", "v2(cd)"}));
  const auto late = std::make_shared<Listener>();
  ASSERT_TRUE(membership_.Join(ProcessId::FromNumber(9), late).ok());
  EXPECT_EQ(late->heard, Heard{"v2(bcd)"});
}

TEST_F(LocalMembershipTest, AJoinerHasHeardTheExclusionsBeforeJoinReturnsWhoeverDelivers) {
  const auto a = Join(kA);
  const auto late = std::make_shared<Listener>();
  // From inside a delivery, which is under way as long as this listener does not return.
  Heard at_return;
  a->on_view = [&](const View& view) {
    if (view.version != 1) return;
    ASSERT_TRUE(membership_.Join(kC, late).ok());
    at_return = late->heard;
    membership_.Exclude({kD});
  };
  membership_.Exclude({kB});
  EXPECT_EQ(at_return, Heard{"v1(b)"});
  EXPECT_EQ(late->heard, (Heard{"v1(b)", "v2(d)"}));
}

TEST_F(LocalMembershipTest, WhatComesUpWhileAJoinerIsToldIsToldBeforeItIsAMember) {
  const auto a = Join(kA);
  membership_.Exclude({kB});
  const auto late = std::make_shared<Listener>();
  late->on_view = [&](const View& view) {
    if (view.version == 1) membership_.Exclude({kD});
  };
  ASSERT_TRUE(membership_.Join(kC, late).ok());
  EXPECT_EQ(late->heard, (Heard{"v1(b)", "v2(d)"}));
  EXPECT_EQ(WaitingFor(), "a");
}

TEST_F(LocalMembershipTest, AnExcludedIdCannotJoinAndAMemberCannotJoinTwice) {
  const auto a = Join(kA);
  EXPECT_EQ(membership_.Join(kA, a).code(), absl::StatusCode::kAlreadyExists);
  membership_.Exclude({kA, kB});
  EXPECT_EQ(membership_.Join(kA, a).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(membership_.Join(kB, a).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(ab)"}));
}

TEST_F(LocalMembershipTest, ABarrierComesWhenEveryMemberHasFlushed) {
  const auto a = Join(kA);
  const auto b = Join(kB);
  EXPECT_EQ(membership_.Exclude({kC}), 1u);
  EXPECT_EQ(WaitingFor(), "ab");
  membership_.Flushed(kB, 1);
  membership_.Flushed(kB, 1);
  EXPECT_EQ(WaitingFor(), "a");
  EXPECT_EQ(a->heard.back(), "v1(c)");
  membership_.Flushed(kA, 1);
  EXPECT_EQ(WaitingFor(), "");
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(c)", "b1"}));
  EXPECT_EQ(b->heard, (Heard{"v0()", "v1(c)", "b1"}));
  EXPECT_EQ(membership_.GetStatus().latest_barrier, 1u);
}

// Two deaths, the second between two reports of the first: Barrier(1) must not come any more.
TEST_F(LocalMembershipTest, ALaterViewHoldsTheBarrierOfTheEarlierBack) {
  const auto a = Join(kA);
  const auto b = Join(kB);
  membership_.Exclude({kC});
  membership_.Flushed(kA, 1);
  membership_.Exclude({kD});
  membership_.Flushed(kB, 1);
  EXPECT_EQ(a->heard.back(), "v2(d)");
  EXPECT_EQ(WaitingFor(), "ab");
  membership_.Flushed(kA, 2);
  EXPECT_EQ(a->heard.back(), "v2(d)");
  membership_.Flushed(kB, 2);
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(c)", "v2(d)", "b2"}));
}

TEST_F(LocalMembershipTest, ABarrierDoesNotWaitForWhoIsExcludedLater) {
  const auto a = Join(kA);
  const auto b = Join(kB);
  membership_.Exclude({kC});
  membership_.Flushed(kA, 1);
  membership_.Exclude({kB});
  EXPECT_EQ(WaitingFor(), "a");
  membership_.Flushed(kA, 2);
  EXPECT_EQ(a->heard.back(), "b2");
  EXPECT_EQ(b->heard, (Heard{"v0()", "v1(c)", "v2(b)"}));
}

TEST_F(LocalMembershipTest, AJoinerIsNotWaitedForButHearsTheBarrier) {
  const auto a = Join(kA);
  membership_.Exclude({kC});
  const auto b = Join(kB);
  EXPECT_EQ(WaitingFor(), "a");
  membership_.Flushed(kB, 1);
  EXPECT_EQ(WaitingFor(), "a");
  membership_.Flushed(kA, 1);
  EXPECT_EQ(b->heard, (Heard{"v1(c)", "b1"}));
  membership_.Exclude({kD});
  EXPECT_EQ(WaitingFor(), "ab");
}

TEST_F(LocalMembershipTest, ReportsForVersionsThatAreNotOpenAreIgnored) {
  const auto a = Join(kA);
  membership_.Flushed(kA, 0);
  membership_.Flushed(kA, 1);  // not announced yet
  membership_.Exclude({kC});
  EXPECT_EQ(WaitingFor(), "a");
  membership_.Flushed(kA, 2);
  EXPECT_EQ(WaitingFor(), "a");
  membership_.Flushed(kB, 1);  // no member
  membership_.Flushed(kC, 1);  // excluded
  EXPECT_EQ(WaitingFor(), "a");
  membership_.Flushed(kA, 1);
  membership_.Flushed(kA, 1);
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(c)", "b1"}));
}

TEST_F(LocalMembershipTest, ExcludingAgainChangesNothing) {
  const auto a = Join(kA);
  EXPECT_EQ(membership_.Exclude({}), 0u);
  EXPECT_EQ(membership_.Exclude({kC, kC}), 1u);
  EXPECT_EQ(membership_.Exclude({kC}), 1u);
  EXPECT_EQ(membership_.Exclude({kC, kD}), 2u);
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(c)", "v2(d)"}));
  EXPECT_TRUE(membership_.IsExcluded(kC));
  EXPECT_FALSE(membership_.IsExcluded(kA));
}

TEST_F(LocalMembershipTest, TheExcludedHearsItAndNothingAfterwards) {
  const auto a = Join(kA);
  const auto b = Join(kB);
  membership_.Exclude({kB});
  membership_.Flushed(kB, 1);  // falsely suspected, it goes on reporting
  EXPECT_EQ(WaitingFor(), "a");
  membership_.Flushed(kA, 1);
  membership_.Exclude({kC});
  EXPECT_EQ(b->heard, (Heard{"v0()", "v1(b)"}));
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(b)", "b1", "v2(c)"}));
}

TEST_F(LocalMembershipTest, WhoLeavesIsFencedByTheOthersAndHearsNothing) {
  const auto a = Join(kA);
  const auto b = Join(kB);
  membership_.Leave(kB);
  membership_.Leave(kB);
  membership_.Leave(kD);  // no member
  EXPECT_EQ(b->heard, Heard{"v0()"});
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(b)"}));
  EXPECT_TRUE(membership_.IsExcluded(kB));
  EXPECT_FALSE(membership_.IsExcluded(kD));
  EXPECT_EQ(WaitingFor(), "a");
  membership_.Flushed(kA, 1);
  EXPECT_EQ(a->heard.back(), "b1");
}

TEST_F(LocalMembershipTest, ALeavingMemberReleasesTheBarrierThatWaitedForIt) {
  const auto a = Join(kA);
  const auto b = Join(kB);
  membership_.Exclude({kC});
  membership_.Leave(kB);
  membership_.Flushed(kA, 2);
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(c)", "v2(b)", "b2"}));
}

TEST_F(LocalMembershipTest, WithNobodyToWaitForTheBarrierComesAtOnce) {
  membership_.Exclude({kC});
  EXPECT_EQ(membership_.GetStatus().latest_barrier, 1u);
  const auto a = Join(kA);
  membership_.Exclude({kA});
  EXPECT_EQ(membership_.GetStatus().latest_barrier, 2u);
  EXPECT_EQ(a->heard, (Heard{"v1(c)", "b1", "v2(a)"})) << "a late joiner hears the barrier too";
}

TEST_F(LocalMembershipTest, AListenerThatIsGoneIsWaitedForUntilItIsExcluded) {
  const auto a = Join(kA);
  auto b = Join(kB);
  b.reset();
  membership_.Exclude({kC});
  membership_.Flushed(kA, 1);
  EXPECT_EQ(WaitingFor(), "b");
  membership_.Exclude({kB});
  membership_.Flushed(kA, 2);
  EXPECT_EQ(a->heard.back(), "b2");
}

TEST_F(LocalMembershipTest, StatusListsMembersInOrderOfJoining) {
  const auto b = Join(kB);
  const auto d = Join(kD);
  const auto a = Join(kA);
  membership_.Exclude({kD});
  const LocalMembership::Status status = membership_.GetStatus();
  EXPECT_EQ(status.members, (std::vector<Address>{kB, kA}));
  EXPECT_EQ(status.waiting_for, (std::vector<Address>{kB, kA}));
  EXPECT_EQ(status.latest_view, 1u);
  EXPECT_EQ(status.latest_barrier, 0u);
}

// --- Calls from inside a listener ----------------------------------------------------------------

TEST_F(LocalMembershipTest, AListenerMayReportFlushedFromInsideOnView) {
  const auto a = Join(kA);
  const auto b = Join(kB);
  a->on_view = [&](const View& view) {
    membership_.Flushed(kA, view.version);
    EXPECT_EQ(WaitingFor(), "b");
  };
  b->on_view = [&](const View& view) {
    membership_.Flushed(kB, view.version);
    // The barrier exists now, but nobody hears it before the view has been heard by all.
    EXPECT_EQ(membership_.GetStatus().latest_barrier, view.version);
    EXPECT_EQ(a->heard.back(), "v1(c)");
  };
  membership_.Exclude({kC});
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(c)", "b1"}));
  EXPECT_EQ(b->heard, (Heard{"v0()", "v1(c)", "b1"}));
}

TEST_F(LocalMembershipTest, EveryListenerHearsOneOrderWhateverListenersDo) {
  const auto a = Join(kA);
  const auto b = Join(kB);
  const auto d = std::make_shared<Listener>();
  a->on_view = [&](const View& view) {
    if (view.version == 1) {
      membership_.Exclude({kC});  // heard by b after view 1, though caused before b heard it
      EXPECT_TRUE(membership_.Join(kD, d).ok());
    }
    membership_.Flushed(kA, view.version);
  };
  b->on_view = [&](const View& view) { membership_.Flushed(kB, view.version); };
  membership_.Exclude({ProcessId::FromNumber(7)});
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(?)", "v2(c)", "b2"}));
  EXPECT_EQ(b->heard, (Heard{"v0()", "v1(?)", "v2(c)", "b2"}));
  EXPECT_EQ(d->heard, (Heard{"v2(?c)", "b2"}));
}

TEST_F(LocalMembershipTest, WhoLeavesInsideACallbackHearsNothingOfWhatWasQueued) {
  const auto a = Join(kA);
  const auto b = Join(kB);
  a->on_view = [&](const View& view) {
    if (view.version == 1) {
      membership_.Exclude({kD});
      membership_.Leave(kB);
    }
  };
  membership_.Exclude({kC});
  EXPECT_EQ(b->heard, Heard{"v0()"});
  EXPECT_EQ(a->heard, (Heard{"v0()", "v1(c)", "v2(d)", "v3(b)"}));
}

TEST_F(LocalMembershipTest, AListenerThatThrowsIsLoggedAndTheNextOneHears) {
  const auto a = Join(kA);
  const auto b = Join(kB);
  a->on_view = [](const View&) { throw std::runtime_error("boom"); };
  ::testing::internal::CaptureStderr();
  membership_.Exclude({kC});
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("std::runtime_error: boom"), std::string::npos) << text;
  EXPECT_EQ(b->heard.back(), "v1(c)");
  membership_.Flushed(kA, 1);
  membership_.Flushed(kB, 1);
  EXPECT_EQ(a->heard.back(), "b1");
}

TEST(LocalMembership, AListenerMayDestroyTheMembership) {
  auto membership = std::make_unique<LocalMembership>();
  const auto a = std::make_shared<Listener>();
  const auto b = std::make_shared<Listener>();
  ASSERT_TRUE(membership->Join(kA, a).ok());
  ASSERT_TRUE(membership->Join(kB, b).ok());
  a->on_view = [&](const View&) { membership.reset(); };
  membership->Exclude({kC});
  EXPECT_EQ(b->heard, Heard{"v0()"});
}

TEST(LocalMembership, AListenerMayDestroyItself) {
  LocalMembership membership;
  auto a = std::make_shared<Listener>();
  ASSERT_TRUE(membership.Join(kA, a).ok());
  a->on_view = [&](const View&) {
    const auto last = std::move(a);
    membership.GetStatus();
  };
  membership.Exclude({kC});
  EXPECT_EQ(a, nullptr);
}

TEST(LocalMembership, ThreadsThatExcludeAndFlushAtOnceGiveOneOrder) {
  LocalMembership membership;
  constexpr uint64_t kViews = 300;
  std::vector<std::shared_ptr<Listener>> listeners;
  for (uint64_t m = 0; m < 4; ++m) {
    const Address self = ProcessId::FromNumber(1 + m);
    auto listener = std::make_shared<Listener>();
    listener->on_view = [&membership, self](const View& view) {
      membership.Flushed(self, view.version);
    };
    ASSERT_TRUE(membership.Join(self, listener).ok());
    listeners.push_back(listener);
  }
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&membership, t] {
      for (uint64_t i = 0; i < kViews; ++i) {
        membership.Exclude({NodeId::FromNumber(1000 * (t + 1) + i)});
        membership.Flushed(ProcessId::FromNumber(1), i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const LocalMembership::Status status = membership.GetStatus();
  EXPECT_EQ(status.latest_view, 3 * kViews);
  EXPECT_EQ(status.latest_barrier, 3 * kViews);
  EXPECT_EQ(listeners[0]->heard.back(), "b" + std::to_string(3 * kViews));
  for (const auto& listener : listeners) EXPECT_EQ(listener->heard, listeners[0]->heard);
}

}  // namespace
}  // namespace freehold
