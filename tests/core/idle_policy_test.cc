// Which idle workers may end, which idle nodes may be drained, and why not the others.

#include "freehold/idle_policy.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace freehold {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Time kStart = Time(std::chrono::hours(1));
constexpr Time kNow = kStart + seconds(100);

IdleWorkerPolicy Policy(IdleWorkerOptions options, uint32_t processors = 2) {
  return IdleWorkerPolicy::Create(options, processors).value();
}

WorkerState Busy(uint64_t number) {
  WorkerState worker;
  worker.worker = number;
  return worker;
}

WorkerState Idle(uint64_t number, Duration for_long) {
  WorkerState worker = Busy(number);
  worker.idle = true;
  worker.idle_since = kNow - for_long;
  return worker;
}

WorkerState Owning(WorkerState worker, uint64_t objects, bool can_drain) {
  worker.owned_in_scope = objects;
  worker.can_drain = can_drain;
  return worker;
}

std::vector<uint64_t> Leaving(const std::vector<WorkerDecision>& decisions) {
  std::vector<uint64_t> leaving;
  for (const WorkerDecision& decision : decisions) {
    if (decision.action != WorkerAction::kKeep) leaving.push_back(decision.worker);
  }
  return leaving;
}

std::vector<WorkerReason> Reasons(const std::vector<WorkerDecision>& decisions) {
  std::vector<WorkerReason> reasons;
  for (const WorkerDecision& decision : decisions) reasons.push_back(decision.reason);
  return reasons;
}

TEST(IdleWorkerPolicyTest, TheDefaultsAreThoseThatUsersKnow) {
  const IdleWorkerOptions options;
  EXPECT_EQ(options.idle_threshold, milliseconds(1000));
  EXPECT_EQ(options.check_interval, milliseconds(200));
  EXPECT_EQ(Policy(options, 8).soft_limit(), 8u) << "as many as there are processors";
}

TEST(IdleWorkerPolicyTest, WhoIdlesLongestBeyondTheSoftLimitEnds) {
  const auto decisions = Policy({}).Decide(
      kNow, {Idle(1, seconds(5)), Busy(2), Idle(3, seconds(9)), Idle(4, seconds(7))});
  EXPECT_THAT(Leaving(decisions), ElementsAre(3u, 4u));
  EXPECT_THAT(Reasons(decisions),
              ElementsAre(WorkerReason::kWithinSoftLimit, WorkerReason::kBusy,
                          WorkerReason::kIdleBeyondLimit, WorkerReason::kIdleBeyondLimit));
}

TEST(IdleWorkerPolicyTest, OfThoseIdleSinceTheSameMomentTheLowerNumberEndsFirst) {
  EXPECT_THAT(Leaving(Policy({}).Decide(
                  kNow, {Idle(9, seconds(5)), Idle(7, seconds(5)), Idle(8, seconds(5))})),
              ElementsAre(7u));
}

TEST(IdleWorkerPolicyTest, ThresholdIsReachedExactly) {
  IdleWorkerOptions options;
  options.soft_limit = 1;
  const auto at = [&](Duration idle) {
    return Policy(options).Decide(kNow, {Idle(1, idle), Busy(2)})[0].reason;
  };
  EXPECT_EQ(at(milliseconds(999)), WorkerReason::kIdleTooShort);
  EXPECT_EQ(at(milliseconds(1000)), WorkerReason::kIdleBeyondLimit);
}

TEST(IdleWorkerPolicyTest, BusyWorkersCountAndNeverEnd) {
  const auto decisions = Policy({}).Decide(kNow, {Busy(1), Busy(2), Busy(3)});
  EXPECT_THAT(Leaving(decisions), IsEmpty());
}

TEST(IdleWorkerPolicyTest, WorkersForIoAreNeitherCountedNorEnded) {
  WorkerState io = Idle(1, seconds(50));
  io.for_io = true;
  const auto decisions = Policy({}).Decide(kNow, {io, Idle(2, seconds(5)), Idle(3, seconds(4))});
  EXPECT_THAT(Leaving(decisions), IsEmpty()) << "two of two count";
  EXPECT_EQ(decisions[0].reason, WorkerReason::kServesIo);
}

TEST(IdleWorkerPolicyTest, WhoLeavesAlreadyCountsAsGone) {
  WorkerState leaving = Idle(1, seconds(50));
  leaving.leaving = true;
  const auto decisions = Policy({}).Decide(kNow, {leaving, Idle(2, seconds(5)), Busy(3)});
  EXPECT_THAT(Leaving(decisions), IsEmpty());
  EXPECT_EQ(decisions[0].reason, WorkerReason::kLeavingAlready);
}

TEST(IdleWorkerPolicyTest, AWorkerThatOwnsLiveObjectsIsNeverEndedUndrained) {
  IdleWorkerOptions options;
  options.soft_limit = 1;
  const auto decisions =
      Policy(options).Decide(kNow, {Owning(Idle(1, seconds(9)), 1, false),
                                    Owning(Idle(2, seconds(8)), 3, true), Idle(3, seconds(7))});
  EXPECT_EQ(decisions[0].action, WorkerAction::kKeep);
  EXPECT_EQ(decisions[0].reason, WorkerReason::kOwnsObjects);
  EXPECT_EQ(decisions[1].action, WorkerAction::kDrain);
  EXPECT_EQ(decisions[2].action, WorkerAction::kEnd) << "the next one takes its place";
}

TEST(IdleWorkerPolicyTest, SomeAreKeptWarmAboveTheSoftLimit) {
  IdleWorkerOptions options;
  options.soft_limit = 1;
  options.keep_warm = 2;
  const auto decisions = Policy(options).Decide(
      kNow, {Busy(1), Busy(2), Idle(3, seconds(9)), Idle(4, seconds(8)), Idle(5, seconds(7))});
  EXPECT_THAT(Leaving(decisions), ElementsAre(3u));
  EXPECT_EQ(decisions[3].reason, WorkerReason::kKeptWarm);
}

TEST(IdleWorkerPolicyTest, AnIntervalOfZeroEndsNobody) {
  IdleWorkerOptions options;
  options.check_interval = Duration::zero();
  const IdleWorkerPolicy policy = Policy(options, 1);
  const auto decisions = policy.Decide(kNow, {Idle(1, seconds(9)), Idle(2, seconds(9))});
  EXPECT_THAT(Leaving(decisions), IsEmpty());
  EXPECT_EQ(decisions[0].reason, WorkerReason::kDisabled);
  EXPECT_EQ(policy.NextCheck(kNow), kInfiniteFuture);
  EXPECT_EQ(Policy({}).NextCheck(kNow), kNow + milliseconds(200));
}

TEST(IdleWorkerPolicyTest, WrongOptionsAreNamed) {
  IdleWorkerOptions options;
  options.idle_threshold = -seconds(1);
  EXPECT_THAT(IdleWorkerPolicy::Create(options, 2).status().message(), HasSubstr("idle_threshold"));
  options = {};
  options.check_interval = -seconds(1);
  EXPECT_THAT(IdleWorkerPolicy::Create(options, 2).status().message(), HasSubstr("check_interval"));
  EXPECT_THAT(IdleWorkerPolicy::Create({}, 0).status().message(), HasSubstr("soft_limit"));
}

TEST(IdleWorkerPolicyTest, AggressiveOptionsCarryTheirRisk) {
  EXPECT_THAT(Policy({}).Risks(milliseconds(500)), IsEmpty());
  EXPECT_THAT(Policy({}).Risks(seconds(3)), ElementsAre(HasSubstr("cold start")));
  IdleWorkerOptions options;
  options.check_interval = seconds(10);
  EXPECT_THAT(Policy(options).Risks(milliseconds(1)), ElementsAre(HasSubstr("check_interval")));
  options = {};
  options.keep_warm = 3;
  EXPECT_THAT(Policy(options).Risks(milliseconds(1)), ElementsAre(HasSubstr("keep_warm")));
  options.check_interval = Duration::zero();
  EXPECT_THAT(Policy(options).Risks(seconds(9)), ElementsAre(HasSubstr("stay for ever")));
}

TEST(IdleWorkerPolicyTest, EveryReasonHasASentence) {
  std::set<std::string_view> sentences;
  for (int i = 0; i <= static_cast<int>(WorkerReason::kDisabled); ++i) {
    sentences.insert(Explain(static_cast<WorkerReason>(i)));
  }
  EXPECT_EQ(sentences.size(), static_cast<size_t>(WorkerReason::kDisabled) + 1);
  EXPECT_EQ(sentences.count("unknown"), 0u);
}

// Whatever the pool looks like: the limits hold, and no reference is lost.
TEST(IdleWorkerPolicyTest, RandomPoolsKeepTheirLimits) {
  std::mt19937_64 random(1);
  const auto below = [&](uint64_t n) { return random() % n; };
  for (int round = 0; round < 2000; ++round) {
    IdleWorkerOptions options;
    options.soft_limit = static_cast<uint32_t>(1 + below(4));
    options.keep_warm = static_cast<uint32_t>(below(3));
    std::vector<WorkerState> workers(below(10));
    size_t counted = 0;
    for (size_t i = 0; i < workers.size(); ++i) {
      workers[i] = below(3) == 0 ? Busy(i) : Idle(i, milliseconds(below(3000)));
      workers[i].for_io = below(5) == 0;
      workers[i].leaving = below(5) == 0;
      workers[i].owned_in_scope = below(2) * below(5);
      workers[i].can_drain = below(2) == 0;
      if (!workers[i].for_io && !workers[i].leaving) ++counted;
    }
    const auto decisions = Policy(options).Decide(kNow, workers);
    ASSERT_EQ(decisions.size(), workers.size());
    size_t leave = 0;
    for (size_t i = 0; i < workers.size(); ++i) {
      ASSERT_EQ(decisions[i].worker, workers[i].worker);
      if (decisions[i].action == WorkerAction::kKeep) {
        ASSERT_NE(decisions[i].reason, WorkerReason::kIdleBeyondLimit);
        continue;
      }
      ++leave;
      ASSERT_EQ(decisions[i].reason, WorkerReason::kIdleBeyondLimit);
      ASSERT_TRUE(workers[i].idle && !workers[i].for_io && !workers[i].leaving);
      ASSERT_LE(workers[i].idle_since + options.idle_threshold, kNow);
      ASSERT_EQ(decisions[i].action == WorkerAction::kDrain, workers[i].owned_in_scope != 0);
      ASSERT_TRUE(workers[i].owned_in_scope == 0 || workers[i].can_drain);
    }
    ASSERT_TRUE(leave == 0 || counted - leave >= options.soft_limit);
  }
}

NodeState Node(uint64_t number, Duration idle) {
  NodeState node;
  node.node = number;
  node.idle_since = kNow - idle;
  return node;
}

TEST(IdleNodesTest, ANodeIdleForTheTimeoutIsAskedToDrain) {
  NodeState busy = Node(3, seconds(900));
  busy.busy_workers = 1;
  const auto decisions =
      DecideIdleNodes({}, kNow, {Node(1, seconds(300)), Node(2, seconds(299)), busy}).value();
  EXPECT_EQ(decisions[0].action, NodeAction::kDrain);
  EXPECT_EQ(decisions[1].reason, NodeReason::kIdleTooShort);
  EXPECT_EQ(decisions[2].reason, NodeReason::kBusy);
}

TEST(IdleNodesTest, ADrainingNodeIsRemovableOnlyWhenNothingIsLeftOnIt) {
  NodeState node = Node(1, seconds(300));
  node.draining = true;
  node.sole_copies = 1;
  node.owned_in_scope = 1;
  const auto decide = [&] { return DecideIdleNodes({}, kNow, {node}).value()[0]; };
  EXPECT_EQ(decide().reason, NodeReason::kOwnsObjects);
  node.owned_in_scope = 0;
  EXPECT_EQ(decide().reason, NodeReason::kSoleCopies);
  EXPECT_EQ(decide().action, NodeAction::kKeep);
  node.sole_copies = 0;
  EXPECT_EQ(decide().action, NodeAction::kRemove);
  node.busy_workers = 1;
  EXPECT_EQ(decide().reason, NodeReason::kBusy) << "it got a task after all";
}

TEST(IdleNodesTest, TheMinimumStays) {
  IdleNodeOptions options;
  options.nodes_min = 1;
  const auto decisions =
      DecideIdleNodes(options, kNow, {Node(1, seconds(400)), Node(2, seconds(500))}).value();
  EXPECT_EQ(decisions[1].action, NodeAction::kDrain) << "the one that idles longest";
  EXPECT_EQ(decisions[0].reason, NodeReason::kNodesMin);
}

TEST(IdleNodesTest, ATimeoutOfZeroDrainsNobodyAndANegativeOneIsRefused) {
  IdleNodeOptions options;
  options.idle_timeout = Duration::zero();
  EXPECT_EQ(DecideIdleNodes(options, kNow, {Node(1, seconds(900))}).value()[0].reason,
            NodeReason::kDisabled);
  options.idle_timeout = -seconds(1);
  EXPECT_THAT(DecideIdleNodes(options, kNow, {}).status().message(), HasSubstr("idle_timeout"));
}

TEST(IdleNodesTest, EveryReasonHasASentence) {
  std::set<std::string_view> sentences;
  for (int i = 0; i <= static_cast<int>(NodeReason::kDisabled); ++i) {
    sentences.insert(Explain(static_cast<NodeReason>(i)));
  }
  EXPECT_EQ(sentences.size(), static_cast<size_t>(NodeReason::kDisabled) + 1);
  EXPECT_EQ(sentences.count("unknown"), 0u);
}

}  // namespace
}  // namespace freehold
