#include "src/core/lineage_table.h"

#include <optional>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/lineage_testing.h"

namespace freehold::core {
namespace {

using Table = LineageHarness;

TEST(LineageTable, TaskIsKeptWhileAReturnIsInScope) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10, 11}), LineageVerdict::kOk);
  EXPECT_EQ(table.End(10), LineageVerdict::kOk);
  EXPECT_TRUE(table.IsKept(1));
  EXPECT_TRUE(table.TakeReleased().empty());
  EXPECT_EQ(table.End(11), LineageVerdict::kOk);
  EXPECT_FALSE(table.IsKept(1));
  EXPECT_EQ(table.TakeReleased(), std::vector<TaskId>{Task(1)});
  EXPECT_EQ(table.TakeForgotten().size(), 2u);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTable, RecordOfAnArgumentStaysWhileWhatWasMadeOfItIsInScope) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {10}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(table.End(10), LineageVerdict::kOk);
  EXPECT_TRUE(table.IsKept(1));
  EXPECT_TRUE(table.TakeForgotten().empty());
  EXPECT_EQ(table.CanRecover(10), Recovery::kPossible);
  ASSERT_EQ(table.End(20), LineageVerdict::kOk);
  EXPECT_EQ(table.TakeReleased(), (std::vector<TaskId>{Task(2), Task(1)}));
  EXPECT_EQ(table.TakeForgotten(), (std::vector<ObjectId>{Object(20), Object(10)}));
  EXPECT_TRUE(table.empty());
}

TEST(LineageTable, WhatTwoTasksNeedStaysForTheSecond) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {10, 10}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(3, {10}, {30}), LineageVerdict::kOk);
  (void)table.End(10);
  (void)table.End(20);
  EXPECT_TRUE(table.IsKept(1));
  (void)table.End(30);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTable, PutObjectsCannotBeMadeAgain) {
  Table table;
  EXPECT_EQ(table.CanRecover(5), Recovery::kPut);
  ASSERT_EQ(table.Record(1, {5}, {10}), LineageVerdict::kOk);
  EXPECT_EQ(table.CanRecover(5), Recovery::kPut);
  EXPECT_EQ(table.table.TaskOf(Object(5)), std::nullopt);
  EXPECT_EQ(table.table.TaskOf(Object(10)), Task(1));
  (void)table.End(10);
  EXPECT_TRUE(table.TakeForgotten() == std::vector<ObjectId>{Object(10)});
}

TEST(LineageTable, OldestLineageIsEvictedDownToTheBudget) {
  Table table(100);
  ASSERT_EQ(table.Record(1, {}, {10}, 40), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {10}, {20}, 40), LineageVerdict::kOk);
  ASSERT_EQ(table.Resubmit(1), LineageVerdict::kOk);  // the youngest now
  ASSERT_EQ(table.Record(3, {20}, {30}, 40), LineageVerdict::kOk);
  EXPECT_EQ(table.TakeReleased(), std::vector<TaskId>{Task(2)});
  EXPECT_EQ(table.table.counters().evicted, 1u);
  EXPECT_EQ(table.table.counters().bytes, 80u);
  EXPECT_EQ(table.CanRecover(20), Recovery::kEvicted);
  EXPECT_EQ(table.CanRecover(30), Recovery::kPossible);
  ASSERT_EQ(table.Record(4, {}, {40}, 1000), LineageVerdict::kOk);  // more than there is room for
  EXPECT_EQ(table.CanRecover(40), Recovery::kEvicted);
  EXPECT_EQ(table.table.counters().bytes, 0u);
  for (const uint64_t object : {10, 20, 30, 40}) (void)table.End(object);
  EXPECT_EQ(table.TakeForgotten().size(), 4u);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTable, EvictedRecordIsKeptForWhatDependsOnIt) {
  Table table(50);
  ASSERT_EQ(table.Record(1, {}, {10}, 40), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {10}, {20}, 20), LineageVerdict::kOk);
  (void)table.End(10);
  EXPECT_EQ(table.CanRecover(10), Recovery::kEvicted);
  const auto arguments = table.table.Arguments(Task(2), 0, 10);
  ASSERT_EQ(arguments.size(), 1u);
  EXPECT_FALSE(arguments[0].recoverable);
  (void)table.End(20);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTable, TaskWithoutRetriesKeepsNothingOfItsArguments) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {10}, {20}, 1, /*retries=*/0), LineageVerdict::kOk);
  EXPECT_EQ(table.CanRecover(20), Recovery::kNoRetries);
  (void)table.End(10);
  EXPECT_FALSE(table.IsKept(1));
  EXPECT_EQ(table.Resubmit(2), LineageVerdict::kNoRetries);
}

TEST(LineageTable, LastRetryLetsGoOfTheArguments) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {10}, {20}, 1, /*retries=*/2), LineageVerdict::kOk);
  (void)table.End(10);
  ASSERT_EQ(table.Resubmit(2), LineageVerdict::kOk);
  ASSERT_EQ(table.Resubmit(2, /*ok=*/false), LineageVerdict::kOk);  // takes none
  EXPECT_TRUE(table.IsKept(1));
  ASSERT_EQ(table.Resubmit(2), LineageVerdict::kOk);
  EXPECT_FALSE(table.IsKept(1));
  EXPECT_EQ(table.CanRecover(20), Recovery::kNoRetries);
}

TEST(LineageTable, TaskIsResubmittedOnceAtATime) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(table.table.Step(event::BeginResubmit{Task(1)}), LineageVerdict::kOk);
  EXPECT_EQ(table.table.Step(event::BeginResubmit{Task(1)}), LineageVerdict::kBusy);
  (void)table.End(10);  // what it makes is not needed any more, but it is held
  EXPECT_TRUE(table.IsKept(1));
  ASSERT_EQ(table.table.Step(event::EndResubmit{Task(1), true}, &table.effects),
            LineageVerdict::kOk);
  table.Work();
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.Resubmit(1), LineageVerdict::kNotFound);
}

TEST(LineageTable, EndOfAnOldGenerationIsTooLateOnceItWasRevived) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {10}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(table.Revive(10, 1), LineageVerdict::kOk);  // what its end said is on its way yet
  EXPECT_EQ(table.End(10, 0), LineageVerdict::kUnchanged);
  (void)table.End(20);
  EXPECT_TRUE(table.IsKept(1));  // it is in scope
  EXPECT_EQ(table.End(10, 1), LineageVerdict::kOk);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTable, RevivedObjectKeepsItsTask) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10, 11}), LineageVerdict::kOk);
  (void)table.End(10);
  ASSERT_EQ(table.Revive(10, 1), LineageVerdict::kOk);
  (void)table.End(11);
  EXPECT_TRUE(table.IsKept(1));
  (void)table.End(10, 1);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTable, WhatIsNotRecordedIsToBeForgotten) {
  Table table;
  EXPECT_EQ(table.End(10), LineageVerdict::kNotFound);
  EXPECT_EQ(table.TakeForgotten(), std::vector<ObjectId>{Object(10)});
}

TEST(LineageTable, RefusedTaskLeavesNothing) {
  Table table;
  ASSERT_EQ(table.Record(1, {5}, {10}), LineageVerdict::kOk);
  EXPECT_EQ(table.Record(1, {}, {11}), LineageVerdict::kAlreadyExists);
  EXPECT_EQ(table.Record(2, {}, {12, 10}), LineageVerdict::kAlreadyExists);
  EXPECT_EQ(table.Record(3, {}, {5}), LineageVerdict::kDependedOn);
  EXPECT_EQ(table.Record(4, {13}, {13}), LineageVerdict::kDependedOn);
  EXPECT_EQ(table.Record(5, {}, {14, 14}), LineageVerdict::kAlreadyExists);
  EXPECT_TRUE(table.TakeReleased().empty());
  (void)table.End(10);
  EXPECT_TRUE(table.empty());
}

// What waits to be looked at names the task that goes.
TEST(LineageTable, ReturnOfATaskThatGoesCanBeMadeByAnotherAtOnce) {
  Table table;
  ASSERT_EQ(table.table.Step(event::BeginTask{Task(1), 1, kRetriesUnlimited}), LineageVerdict::kOk);
  ASSERT_EQ(table.table.Step(event::AddReturns{Task(1), {Object(10)}}), LineageVerdict::kOk);
  ASSERT_EQ(table.table.Step(event::AbandonTask{Task(1)}), LineageVerdict::kOk);
  EXPECT_EQ(table.CanRecover(10), Recovery::kEvicted);
  ASSERT_EQ(table.Record(2, {}, {10}), LineageVerdict::kOk);
  EXPECT_EQ(table.table.TaskOf(Object(10)), Task(2));
  EXPECT_EQ(table.CanRecover(10), Recovery::kPossible);
  (void)table.End(10);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTable, RevivedObjectIsUnmadeUntilItsTaskRuns) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10, 11}), LineageVerdict::kOk);
  EXPECT_EQ(table.table.TakeUnmade(Object(10)), std::nullopt);
  EXPECT_EQ(table.table.TakeUnmade(Object(99)), std::nullopt);
  (void)table.End(10);
  ASSERT_EQ(table.Revive(10, 1), LineageVerdict::kOk);
  EXPECT_EQ(table.table.TakeUnmade(Object(10)), 1u);
  EXPECT_EQ(table.table.TakeUnmade(Object(10)), std::nullopt) << "told once";
  (void)table.End(10, 1);
  ASSERT_EQ(table.Revive(10, 2), LineageVerdict::kOk);
  EXPECT_EQ(table.table.BeginReturns(Task(1), 1, 1), std::vector<ObjectId>{Object(11)});
  EXPECT_EQ(table.table.BeginReturns(Task(1), 0, 1), std::vector<ObjectId>{Object(10)});
  EXPECT_EQ(table.table.TakeUnmade(Object(10)), std::nullopt);
}

// Ray issue 31421: lineage was let go of recursively, and leaked.
TEST(LineageTable, ChainOfAMillionIsLetGoOfInPieces) {
  constexpr uint64_t kDepth = 1'000'000;
  LineageTable table(UINT64_MAX);
  LineageEffects effects;
  for (uint64_t i = 1; i <= kDepth; ++i) {
    const ObjectId made = Object(i);
    const ObjectId from = Object(i - 1);
    (void)table.Step(event::BeginTask{Task(i), 1, kRetriesUnlimited});
    (void)table.Step(event::AddReturns{Task(i), {made}});
    (void)table.Step(event::AddArguments{Task(i), {from}});
    (void)table.Step(event::EndTask{Task(i)}, &effects);
    if (i > 1) (void)table.Step(event::ReturnEnded{from, 0}, &effects);
  }
  ASSERT_EQ(table.tasks(), kDepth);
  (void)table.Step(event::ReturnEnded{Object(kDepth), 0}, &effects);
  size_t steps = 0;
  for (bool more = true; more; ++steps) {
    const size_t before = effects.released.size();
    uint64_t budget = 2048;
    more = table.Work(&budget, &effects);
    ASSERT_LE(effects.released.size() - before, 2048u);
  }
  EXPECT_GE(steps, kDepth / 2048);
  EXPECT_EQ(effects.released.size(), kDepth);
  EXPECT_EQ(effects.to_forget.size(), kDepth);
  EXPECT_EQ(table.tasks(), 0u);
  EXPECT_EQ(table.objects(), 0u);
}

TEST(LineageTable, WhatIsLetGoOfIsAnOrphanOnceNobodyElseNeedsIt) {
  Table table;
  ASSERT_EQ(table.Record(1, {5}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {10, 5}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(3, {5}, {30}), LineageVerdict::kOk);
  std::vector<ObjectId> orphans;
  EXPECT_TRUE(table.table.LetGo(Task(2), 0, 1, &orphans));
  EXPECT_EQ(orphans, std::vector<ObjectId>{Object(10)});
  EXPECT_FALSE(table.table.IsNeeded(Object(10)));
  EXPECT_FALSE(table.table.IsLetGo(Task(2)));
  EXPECT_FALSE(table.table.LetGo(Task(2), 1, 1, &orphans));
  EXPECT_TRUE(table.table.IsLetGo(Task(2)));
  EXPECT_EQ(orphans.size(), 1u);  // 5 is needed for two others
  EXPECT_FALSE(table.table.LetGo(Task(3), 0, 10, &orphans));
  EXPECT_EQ(orphans.size(), 1u);
  EXPECT_FALSE(table.table.LetGo(Task(1), 0, 10, &orphans));
  EXPECT_EQ(orphans.back(), Object(5));
  ASSERT_EQ(table.Resubmit(3), LineageVerdict::kOk);
  EXPECT_TRUE(table.table.IsNeeded(Object(5)));
  for (const uint64_t object : {10, 20, 30}) (void)table.End(object);
  EXPECT_TRUE(table.empty());
}

}  // namespace
}  // namespace freehold::core
