#include "src/core/state_chains.h"

#include <optional>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/state_chains_testing.h"

namespace freehold::core {
namespace {

constexpr uint64_t kTask = 100;

// A task with calls 1 to `calls`; call k returns object 10 * k.
class Calls : public ChainHarness {
 public:
  explicit Calls(uint64_t calls, uint64_t bytes_max = UINT64_MAX, uint64_t bytes = 1)
      : ChainHarness(bytes_max) {
    EXPECT_EQ(Open(kTask), LineageVerdict::kOk);
    for (uint64_t call = 1; call <= calls; ++call) {
      EXPECT_EQ(Call(kTask, call, {}, {10 * call}, bytes), LineageVerdict::kOk);
    }
  }
  std::vector<uint64_t> Kept(uint64_t calls) const {
    std::vector<uint64_t> kept;
    for (uint64_t call = 1; call <= calls; ++call) {
      if (IsKept(call)) kept.push_back(call);
    }
    return kept;
  }
};

using Numbers = std::vector<uint64_t>;

TEST(StateChains, IdOfAStateNamesItAndNothingElseDoes) {
  const std::optional<StateName> name = StateOf(StateId({7, 1'000'000'007}));
  ASSERT_TRUE(name.has_value());
  EXPECT_EQ(name->chain, 7u);
  EXPECT_EQ(name->number, 1'000'000'007u);
  EXPECT_FALSE(StateOf(Object(7)).has_value());
  EXPECT_FALSE(StateOf(ObjectId()).has_value());
}

TEST(StateChains, EveryCallIsKeptWhileTheTaskRuns) {
  Calls calls(3);
  for (const uint64_t object : {10, 20, 30}) (void)calls.End(object);
  EXPECT_EQ(calls.Kept(3), (Numbers{1, 2, 3}));
  EXPECT_EQ(calls.ToLatest(kTask), Possible(0, {1, 2, 3}));
  EXPECT_EQ(calls.EndTask(kTask), LineageVerdict::kOk);
  EXPECT_EQ(calls.TakeReleased(), Tasks({3, 2, 1}));
  EXPECT_TRUE(calls.empty());
}

TEST(StateChains, EarlierCallsAreKeptForTheReturnOfALaterOne) {
  Calls calls(4);
  for (const uint64_t object : {10, 20, 40}) (void)calls.End(object);
  EXPECT_EQ(calls.EndTask(kTask), LineageVerdict::kOk);  // without a checkpoint
  EXPECT_EQ(calls.Kept(4), (Numbers{1, 2, 3}));
  EXPECT_EQ(calls.To(30), Possible(0, {1, 2, 3}));
  (void)calls.End(30);
  EXPECT_TRUE(calls.empty());
}

TEST(StateChains, CheckpointCutsTheChain) {
  Calls calls(4);
  for (const uint64_t object : {10, 20, 30}) (void)calls.End(object);
  EXPECT_EQ(calls.Checkpoint(kTask, 2), LineageVerdict::kOk);
  EXPECT_EQ(calls.Kept(4), (Numbers{3, 4}));
  EXPECT_EQ(calls.To(40), Possible(2, {3, 4}));
  EXPECT_EQ(calls.ToLatest(kTask), Possible(2, {3, 4}));
  EXPECT_EQ(calls.chains.Checkpoints(Task(kTask), 0, 9), Numbers{2});
  EXPECT_EQ(calls.Checkpoint(kTask, 4), LineageVerdict::kOk);
  EXPECT_EQ(calls.ToLatest(kTask), Possible(4, {}));
  EXPECT_EQ(calls.To(40), Possible(2, {3, 4}));  // state 4 is of no help
  EXPECT_EQ(calls.chains.Checkpoints(Task(kTask), 0, 9), (Numbers{2, 4}));
  (void)calls.End(40);
  EXPECT_EQ(calls.Kept(4), Numbers{});
  EXPECT_EQ(calls.chains.Checkpoints(Task(kTask), 0, 9), Numbers{4});
}

TEST(StateChains, CallIsKeptUntilEverythingUpToTheNextCheckpointHasEnded) {
  Calls calls(6);
  EXPECT_EQ(calls.Checkpoint(kTask, 4), LineageVerdict::kOk);
  for (const uint64_t object : {10, 20, 40, 50, 60}) (void)calls.End(object);
  EXPECT_EQ(calls.Kept(6), (Numbers{1, 2, 3, 5, 6}));  // 1 and 2 for the sake of 3
  EXPECT_EQ(calls.To(30), Possible(0, {1, 2, 3}));
  (void)calls.End(30);
  EXPECT_EQ(calls.Kept(6), (Numbers{5, 6}));
}

TEST(StateChains, ArgumentsOfCallsThatMayHaveToBeReplayedAreKept) {
  ChainHarness calls;
  ASSERT_EQ(calls.lineage.Record(50, {}, {500}), LineageVerdict::kOk);
  ASSERT_EQ(calls.Open(kTask), LineageVerdict::kOk);
  ASSERT_EQ(calls.Call(kTask, 1, {500}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(calls.Call(kTask, 2, {}, {20}), LineageVerdict::kOk);
  for (const uint64_t object : {500, 10}) (void)calls.End(object);
  EXPECT_TRUE(calls.IsKept(50));
  EXPECT_EQ(calls.Checkpoint(kTask, 1), LineageVerdict::kOk);
  EXPECT_FALSE(calls.IsKept(50));
  EXPECT_EQ(calls.TakeReleased(), Tasks({1, 50}));
}

TEST(StateChains, CallsOfOtherTasksAreKeptForTheirReturns) {
  ChainHarness calls;
  ASSERT_EQ(calls.Open(kTask), LineageVerdict::kOk);
  ASSERT_EQ(calls.Open(kTask + 1), LineageVerdict::kOk);
  ASSERT_EQ(calls.Call(kTask, 1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(calls.Call(kTask, 2, {}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(calls.Call(kTask + 1, 3, {20}, {30}), LineageVerdict::kOk);
  for (const uint64_t object : {10, 20, 30}) (void)calls.End(object);
  ASSERT_EQ(calls.EndTask(kTask), LineageVerdict::kOk);
  EXPECT_TRUE(calls.IsKept(1) && calls.IsKept(2));  // state 1 of the other task is made of it
  ASSERT_EQ(calls.EndTask(kTask + 1), LineageVerdict::kOk);
  EXPECT_TRUE(calls.empty());
}

TEST(StateChains, EvictedCallBreaksTheChainUntilTheNextCheckpoint) {
  Calls calls(3, /*bytes_max=*/30, /*bytes=*/10);
  ASSERT_EQ(calls.Call(kTask, 4, {}, {40}, 10), LineageVerdict::kOk);
  EXPECT_EQ(calls.TakeReleased(), Tasks({1}));
  EXPECT_EQ(calls.To(30), (Found{Recovery::kEvicted, 1, {}}));
  EXPECT_EQ(calls.ToLatest(kTask), (Found{Recovery::kEvicted, 1, {}}));
  EXPECT_EQ(calls.CanRecover(10), Recovery::kEvicted);
  EXPECT_EQ(calls.Checkpoint(kTask, 3), LineageVerdict::kOk);
  EXPECT_EQ(calls.To(40), Possible(3, {4}));
  EXPECT_EQ(calls.To(30), (Found{Recovery::kEvicted, 1, {}}));
  EXPECT_EQ(calls.Checkpoint(kTask, 1), LineageVerdict::kOk);  // the evicted one's own
  EXPECT_EQ(calls.To(30), Possible(1, {2, 3}));
  for (const uint64_t object : {10, 20, 30, 40}) (void)calls.End(object);
  ASSERT_EQ(calls.EndTask(kTask), LineageVerdict::kOk);
  EXPECT_TRUE(calls.empty());
}

TEST(StateChains, CallWithoutRetriesBreaksTheChain) {
  Calls calls(1);
  ASSERT_EQ(calls.Call(kTask, 2, {}, {20}, 1, /*retries=*/0), LineageVerdict::kOk);
  ASSERT_EQ(calls.Call(kTask, 3, {}, {30}), LineageVerdict::kOk);
  EXPECT_EQ(calls.To(30), (Found{Recovery::kNoRetries, 2, {}}));
  (void)calls.End(10);
  EXPECT_FALSE(calls.IsKept(1));  // nothing can be made of it
  EXPECT_EQ(calls.Checkpoint(kTask, 2), LineageVerdict::kOk);
  EXPECT_EQ(calls.To(30), Possible(2, {3}));
}

TEST(StateChains, LastRetryKeepsWhatTheReplayBeginsWith) {
  ChainHarness calls;
  ASSERT_EQ(calls.Open(kTask), LineageVerdict::kOk);
  ASSERT_EQ(calls.lineage.Record(50, {}, {500}), LineageVerdict::kOk);
  ASSERT_EQ(calls.Call(kTask, 1, {}, {}), LineageVerdict::kOk);
  ASSERT_EQ(calls.Call(kTask, 2, {500}, {20}, 1, /*retries=*/1), LineageVerdict::kOk);
  ASSERT_EQ(calls.EndTask(kTask), LineageVerdict::kOk);
  (void)calls.End(500);
  ASSERT_EQ(calls.To(20), Possible(0, {1, 2}));
  ASSERT_EQ(calls.Resubmit(2), LineageVerdict::kOk);  // the last one first
  EXPECT_FALSE(calls.IsKept(50));
  ASSERT_EQ(calls.Resubmit(1), LineageVerdict::kOk);
  (void)calls.End(20);
  EXPECT_TRUE(calls.empty());
}

TEST(StateChains, TaskThatIsNotRestartableKeepsNothing) {
  ChainHarness calls;
  ASSERT_EQ(calls.lineage.Record(50, {}, {500}), LineageVerdict::kOk);
  ASSERT_EQ(calls.Open(kTask, /*restartable=*/false), LineageVerdict::kOk);
  ASSERT_EQ(calls.Call(kTask, 1, {500}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(calls.Call(kTask, 2, {}, {}), LineageVerdict::kOk);
  EXPECT_EQ(calls.TakeReleased(), Tasks({1, 2}));
  EXPECT_EQ(calls.CanRecover(10), Recovery::kNotRestartable);
  (void)calls.End(500);
  EXPECT_FALSE(calls.IsKept(50));
  EXPECT_EQ(calls.ToLatest(kTask), std::nullopt);
  EXPECT_EQ(calls.Checkpoint(kTask, 1), LineageVerdict::kNotRestartable);
  EXPECT_EQ(*calls.chains.LatestOf(Task(kTask)), 2u);
  (void)calls.End(10);
  EXPECT_EQ(calls.EndTask(kTask), LineageVerdict::kOk);
  EXPECT_TRUE(calls.empty());
}

TEST(StateChains, TaskThatCannotBeRestartedAnyMoreLetsGoAtOnce) {
  Calls calls(4);
  EXPECT_EQ(calls.Checkpoint(kTask, 2), LineageVerdict::kOk);
  (void)calls.End(20);
  EXPECT_EQ(calls.Kept(4), (Numbers{1, 3, 4}));
  EXPECT_EQ(calls.NotRestartable(kTask), LineageVerdict::kOk);
  EXPECT_EQ(calls.NotRestartable(kTask), LineageVerdict::kUnchanged);
  EXPECT_EQ(calls.Kept(4), Numbers{});
  EXPECT_EQ(calls.CanRecover(10), Recovery::kNotRestartable);
  EXPECT_EQ(calls.CanRecover(40), Recovery::kNotRestartable);
  EXPECT_EQ(calls.chains.states(), 0u);
  for (const uint64_t object : {10, 30, 40}) (void)calls.End(object);
  EXPECT_EQ(calls.EndTask(kTask), LineageVerdict::kOk);
  EXPECT_TRUE(calls.empty());
}

TEST(StateChains, CallThatIsResubmittedIsLetGoOfAfterwards) {
  Calls calls(2);
  ASSERT_EQ(calls.table().Step(event::BeginResubmit{Task(1)}), LineageVerdict::kOk);
  EXPECT_EQ(calls.NotRestartable(kTask), LineageVerdict::kOk);
  EXPECT_EQ(calls.Kept(2), Numbers{1});
  (void)calls.table().Step(event::EndResubmit{Task(1), true}, &calls.lineage.effects);
  calls.Work();
  EXPECT_EQ(calls.Kept(2), Numbers{});
  EXPECT_EQ(calls.CanRecover(10), Recovery::kNotRestartable);
}

TEST(StateChains, CallThatIsNotRecordedLeavesTheTaskAsItWas) {
  Calls calls(2);
  EXPECT_EQ(calls.Call(kTask, 3, {}, {10}), LineageVerdict::kAlreadyExists);  // another one's
  EXPECT_EQ(calls.Call(kTask, 2, {}, {30}), LineageVerdict::kAlreadyExists);  // recorded before
  EXPECT_EQ(*calls.chains.LatestOf(Task(kTask)), 2u);
  EXPECT_EQ(calls.ToLatest(kTask), Possible(0, {1, 2}));
  EXPECT_EQ(calls.Call(kTask, 4, {}, {40}), LineageVerdict::kOk);
  EXPECT_EQ(calls.ToLatest(kTask), Possible(0, {1, 2, 4}));
}

TEST(StateChains, OneCallIsRecordedAtATime) {
  Calls calls(1);
  ASSERT_EQ(calls.chains.Step(event::BeginCall{Task(kTask), Task(2), 1, 1}), LineageVerdict::kOk);
  EXPECT_EQ(calls.chains.Step(event::BeginCall{Task(kTask), Task(3), 1, 1}), LineageVerdict::kBusy);
  EXPECT_EQ(calls.EndTask(kTask), LineageVerdict::kBusy);
  EXPECT_EQ(calls.NotRestartable(kTask), LineageVerdict::kBusy);
  EXPECT_EQ(calls.Checkpoint(kTask, 1), LineageVerdict::kOk);
  EXPECT_EQ(calls.Checkpoint(kTask, 2), LineageVerdict::kNotFound);
  EXPECT_EQ(calls.chains.Step(event::EndCall{Task(kTask), Task(2), true}, &calls.lineage.effects),
            2u);
  calls.Work();
  EXPECT_EQ(calls.ToLatest(kTask), Possible(1, {2}));
}

TEST(StateChains, WhatMakesNoSenseIsRefusedAndChangesNothing) {
  Calls calls(3);
  EXPECT_EQ(calls.Open(kTask), LineageVerdict::kAlreadyExists);
  EXPECT_EQ(calls.Call(99, 9, {}, {}), LineageVerdict::kNotFound);
  EXPECT_EQ(calls.Checkpoint(99, 1), LineageVerdict::kNotFound);
  EXPECT_EQ(calls.NotRestartable(99), LineageVerdict::kNotFound);
  EXPECT_EQ(calls.EndTask(99), LineageVerdict::kNotFound);
  EXPECT_EQ(calls.ToLatest(99), std::nullopt);
  EXPECT_EQ(calls.To(99), std::nullopt);
  EXPECT_EQ(calls.Checkpoint(kTask, 0), LineageVerdict::kNotFound);
  EXPECT_EQ(calls.Checkpoint(kTask, 4), LineageVerdict::kNotFound);
  EXPECT_EQ(calls.Checkpoint(kTask, 2), LineageVerdict::kOk);
  EXPECT_EQ(calls.Checkpoint(kTask, 2), LineageVerdict::kUnchanged);
  (void)calls.End(10);
  (void)calls.End(20);
  EXPECT_EQ(calls.Checkpoint(kTask, 1), LineageVerdict::kNotFound);  // it was cut off
  EXPECT_EQ(calls.EndTask(kTask), LineageVerdict::kOk);
  EXPECT_EQ(calls.EndTask(kTask), LineageVerdict::kEnded);
  EXPECT_EQ(calls.Call(kTask, 4, {}, {40}), LineageVerdict::kEnded);
  EXPECT_EQ(calls.To(30), Possible(2, {3}));
  (void)calls.End(30);
  EXPECT_EQ(calls.EndTask(kTask), LineageVerdict::kNotFound);
  EXPECT_TRUE(calls.empty());
}

TEST(StateChains, StateThatNothingIsMadeOfNeedsNoCheckpoint) {
  Calls calls(2);
  ASSERT_EQ(calls.EndTask(kTask), LineageVerdict::kOk);
  EXPECT_EQ(calls.Checkpoint(kTask, 2), LineageVerdict::kNotFound);  // kept for its return only
  EXPECT_EQ(calls.Checkpoint(kTask, 1), LineageVerdict::kOk);
  EXPECT_EQ(calls.To(20), Possible(1, {2}));
}

TEST(StateChains, MillionCallsAreReplayedAndLetGoOfInPieces) {
  constexpr uint64_t kCalls = 1'000'000;
  LineageTable table(UINT64_MAX);
  StateChains chains(&table);
  LineageEffects effects;
  ASSERT_EQ(chains.Step(event::OpenStateful{Task(kTask)}), LineageVerdict::kOk);
  for (uint64_t call = 1; call <= kCalls; ++call) {
    const TaskId id = Task(call + kTask);
    ASSERT_EQ(chains.Step(event::BeginCall{Task(kTask), id, 1, kRetriesUnlimited}),
              LineageVerdict::kOk);
    (void)chains.Step(event::EndCall{Task(kTask), id, true}, &effects);
  }
  std::optional<StateChains::Walk> walk = chains.WalkToLatest(Task(kTask));
  size_t pieces = 0;
  while (chains.Go(&*walk, 2048)) ++pieces;
  EXPECT_EQ(walk->calls.size(), kCalls);
  EXPECT_EQ(pieces, (kCalls - 1) / 2048);
  // Half of it by a checkpoint, the rest by the end.
  ASSERT_EQ(chains.Step(event::Checkpointed{Task(kTask), kCalls / 2}, &effects),
            LineageVerdict::kOk);
  const auto work = [&] {
    uint64_t budget = 2048;
    while (chains.Work(&budget, &effects)) budget = 2048;
  };
  work();
  EXPECT_EQ(table.tasks(), kCalls / 2);
  ASSERT_EQ(chains.Step(event::EndStateful{Task(kTask)}, &effects), LineageVerdict::kOk);
  work();
  EXPECT_EQ(effects.released.size(), kCalls);
  EXPECT_EQ(table.tasks() + table.objects() + chains.size() + chains.states(), 0u);
  EXPECT_TRUE(effects.to_forget.empty());
}

}  // namespace
}  // namespace freehold::core
