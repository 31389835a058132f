// LineageTable: what the host has persisted needs no task any more.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/lineage_testing.h"

namespace freehold::core {
namespace {

using Table = LineageHarness;

TEST(LineageTablePersist, TaskOfWhatIsPersistedIsLetGoOf) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {10}, {20}), LineageVerdict::kOk);
  (void)table.End(10);
  ASSERT_EQ(table.Persist(20), LineageVerdict::kOk);
  EXPECT_EQ(table.TakeReleased(), (std::vector<TaskId>{Task(2), Task(1)}));
  EXPECT_EQ(table.TakeForgotten(), std::vector<ObjectId>{Object(10)});
  EXPECT_EQ(table.CanRecover(20), Recovery::kPersisted);
  EXPECT_EQ(table.Persist(20), LineageVerdict::kUnchanged);
  (void)table.End(20);
  EXPECT_EQ(table.TakeForgotten(), std::vector<ObjectId>{Object(20)});
  EXPECT_TRUE(table.empty());
}

TEST(LineageTablePersist, TaskStaysForItsOtherReturn) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10, 11}), LineageVerdict::kOk);
  ASSERT_EQ(table.Persist(10), LineageVerdict::kOk);
  EXPECT_TRUE(table.IsKept(1));
  EXPECT_EQ(table.CanRecover(10), Recovery::kPersisted);
  EXPECT_EQ(table.CanRecover(11), Recovery::kPossible);
  // Run again, it makes the other one.
  EXPECT_EQ(table.table.BeginReturns(Task(1), 0, 10),
            (std::vector<ObjectId>{ObjectId(), Object(11)}));
  ASSERT_EQ(table.Persist(11), LineageVerdict::kOk);
  EXPECT_FALSE(table.IsKept(1));
  (void)table.End(10);
  (void)table.End(11);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTablePersist, OrderOfTheEndsOfTwoReturnsDoesNotMatter) {
  // 0: persist 10, 1: persist 11, 2: end 10, 3: end 11, in every order; what is out of scope is not
  // persisted by the time.
  std::vector<int> order = {0, 1, 2, 3};
  do {
    Table table;
    ASSERT_EQ(table.Record(1, {5}, {10, 11}), LineageVerdict::kOk);
    bool needed[2] = {true, true};
    for (const int what : order) {
      if (what < 2) {
        (void)table.Persist(10 + static_cast<uint64_t>(what));
      } else {
        (void)table.End(8 + static_cast<uint64_t>(what));
      }
      needed[what % 2] = false;
      ASSERT_EQ(table.IsKept(1), needed[0] || needed[1]);
    }
    EXPECT_EQ(table.TakeReleased().size(), 1u);
    EXPECT_EQ(table.TakeForgotten().size(), 2u);
    EXPECT_TRUE(table.empty());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(LineageTablePersist, IsAnArgumentThatCanBeHadAgainForWhatDependsOnIt) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {10}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(table.Persist(10), LineageVerdict::kOk);
  EXPECT_EQ(table.TakeReleased(), std::vector<TaskId>{Task(1)});
  (void)table.End(10);
  EXPECT_TRUE(table.TakeForgotten().empty());  // its record, and what was written, is needed
  EXPECT_EQ(table.CanRecover(10), Recovery::kPersisted);
  ASSERT_TRUE(table.table.Arguments(Task(2), 0, 10).at(0).recoverable);
  // Read back for the other task, it is a value of a new generation, and persisted as before.
  ASSERT_EQ(table.Revive(10, 1), LineageVerdict::kOk);
  EXPECT_EQ(table.table.BeginReturns(Task(1), 0, 10).size(), 0u);
  EXPECT_EQ(table.CanRecover(10), Recovery::kPersisted);
  ASSERT_EQ(table.Resubmit(2), LineageVerdict::kOk);
  (void)table.End(10, 1);
  (void)table.End(20);
  EXPECT_EQ(table.TakeForgotten().size(), 2u);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTablePersist, DroppedBeforeItIsPersistedItIsNeededForWhatDependsOnItOnly) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {10}, {20}), LineageVerdict::kOk);
  (void)table.End(10);
  ASSERT_EQ(table.Persist(10), LineageVerdict::kOk);
  EXPECT_FALSE(table.IsKept(1));
  EXPECT_EQ(table.CanRecover(10), Recovery::kPersisted);
  (void)table.End(20);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTablePersist, NewDependentDoesNotNeedItsTask) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10, 11}), LineageVerdict::kOk);
  ASSERT_EQ(table.Persist(10), LineageVerdict::kOk);
  (void)table.End(10);
  ASSERT_EQ(table.Record(2, {10, 11}, {20}), LineageVerdict::kOk);
  (void)table.End(11);
  EXPECT_TRUE(table.IsKept(1));  // for 11
  (void)table.End(20);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTablePersist, ExplicitFreeEndsIt) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10, 11}), LineageVerdict::kOk);
  ASSERT_EQ(table.Persist(10), LineageVerdict::kOk);
  ASSERT_EQ(table.Free(10), LineageVerdict::kOk);
  EXPECT_EQ(table.CanRecover(10), Recovery::kPossible);
  (void)table.End(11);
  EXPECT_TRUE(table.IsKept(1));                                 // it makes 10 again
  EXPECT_EQ(table.Persist(10, 0), LineageVerdict::kUnchanged);  // too late for that value
  EXPECT_TRUE(table.IsKept(1));
  ASSERT_EQ(table.Persist(10, 1), LineageVerdict::kOk);  // of the value that was made again
  EXPECT_FALSE(table.IsKept(1));
  EXPECT_EQ(table.Free(10, 0), LineageVerdict::kUnchanged);  // told late
  EXPECT_EQ(table.CanRecover(10), Recovery::kPersisted);
  ASSERT_EQ(table.Free(10, 1), LineageVerdict::kOk);
  EXPECT_EQ(table.CanRecover(10), Recovery::kEvicted);
  (void)table.End(10, 1);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTablePersist, FreeOfWhatIsOutOfUseNeedsNothing) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10, 11}), LineageVerdict::kOk);
  ASSERT_EQ(table.Persist(10), LineageVerdict::kOk);
  (void)table.End(10);
  ASSERT_EQ(table.Free(10), LineageVerdict::kOk);  // told after the end
  (void)table.End(11);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTablePersist, TaskThatIsResubmittedIsLetGoOfAfterThat) {
  for (const bool ok : {true, false}) {
    Table table;
    ASSERT_EQ(table.Record(1, {}, {10}), LineageVerdict::kOk);
    ASSERT_EQ(table.table.Step(event::BeginResubmit{Task(1)}), LineageVerdict::kOk);
    ASSERT_EQ(table.Persist(10), LineageVerdict::kOk);
    EXPECT_TRUE(table.IsKept(1));
    ASSERT_EQ(table.table.Step(event::EndResubmit{Task(1), ok}, &table.effects),
              LineageVerdict::kOk);
    table.Work();
    EXPECT_FALSE(table.IsKept(1));
    EXPECT_EQ(table.CanRecover(10), Recovery::kPersisted);
    EXPECT_EQ(table.Resubmit(1), LineageVerdict::kNotFound);
    (void)table.End(10);
    EXPECT_TRUE(table.empty());
  }
}

TEST(LineageTablePersist, TaskThatIsBeingRecordedIsLetGoOfAtItsEnd) {
  Table table;
  ASSERT_EQ(table.table.Step(event::BeginTask{Task(1), 1, 1}), LineageVerdict::kOk);
  ASSERT_EQ(table.table.Step(event::AddReturns{Task(1), Objects({10})}), LineageVerdict::kOk);
  ASSERT_EQ(table.Persist(10), LineageVerdict::kOk);
  EXPECT_TRUE(table.IsKept(1));
  ASSERT_EQ(table.table.Step(event::EndTask{Task(1)}, &table.effects), LineageVerdict::kOk);
  table.Work();
  EXPECT_EQ(table.TakeReleased(), std::vector<TaskId>{Task(1)});
  (void)table.End(10);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTablePersist, EvictedLineageLeavesItPersisted) {
  Table table(50);
  ASSERT_EQ(table.Record(1, {}, {10, 11}, 40), LineageVerdict::kOk);
  ASSERT_EQ(table.Persist(10), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {}, {20}, 40), LineageVerdict::kOk);
  EXPECT_EQ(table.CanRecover(10), Recovery::kPersisted);
  EXPECT_EQ(table.CanRecover(11), Recovery::kEvicted);
  ASSERT_EQ(table.Persist(11), LineageVerdict::kOk);  // when it had been evicted
  EXPECT_EQ(table.CanRecover(11), Recovery::kPersisted);
  for (const uint64_t object : {10, 11, 20}) (void)table.End(object);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTablePersist, WhatIsAskedForIsEvictedLast) {
  Table table(100);
  ASSERT_EQ(table.Record(1, {}, {10}, 40), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {}, {20}, 40), LineageVerdict::kOk);
  ASSERT_EQ(table.table.Step(event::EvictLast{Object(10)}), LineageVerdict::kOk);
  EXPECT_EQ(table.table.Step(event::EvictLast{Object(5)}), LineageVerdict::kNotFound);
  ASSERT_EQ(table.Record(3, {}, {30}, 40), LineageVerdict::kOk);
  EXPECT_EQ(table.CanRecover(10), Recovery::kPossible);
  EXPECT_EQ(table.CanRecover(20), Recovery::kEvicted);
}

TEST(LineageTablePersist, AnotherTaskThatMakesItEndsIt) {
  Table table;
  ASSERT_EQ(table.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(table.Persist(10), LineageVerdict::kOk);
  ASSERT_EQ(table.Record(2, {}, {10}), LineageVerdict::kOk);
  EXPECT_EQ(table.CanRecover(10), Recovery::kPossible);
  (void)table.End(10);
  EXPECT_TRUE(table.empty());
}

TEST(LineageTablePersist, WhatNoTaskMadeHasNoLineage) {
  Table table;
  EXPECT_EQ(table.Persist(5), LineageVerdict::kNotFound);
  ASSERT_EQ(table.Record(1, {5}, {10}), LineageVerdict::kOk);
  EXPECT_EQ(table.Persist(5), LineageVerdict::kNotFound);
  EXPECT_EQ(table.Free(5), LineageVerdict::kNotFound);
  EXPECT_EQ(table.CanRecover(5), Recovery::kPut);
}

TEST(LineageTablePersist, ChainOfAMillionIsLetGoOfInPieces) {
  constexpr uint64_t kDepth = 1'000'000;
  LineageTable table(UINT64_MAX);
  LineageEffects effects;
  for (uint64_t task = 1; task <= kDepth; ++task) {
    const ObjectId made = Object(task);
    const ObjectId argument = Object(task - 1);
    const TaskId id = Task(task);
    ASSERT_EQ(table.Step(event::BeginTask{id, 1, kRetriesUnlimited}), LineageVerdict::kOk);
    ASSERT_EQ(table.Step(event::AddReturns{id, {made}}), LineageVerdict::kOk);
    ASSERT_EQ(table.Step(event::AddArguments{id, {argument}}), LineageVerdict::kOk);
    (void)table.Step(event::EndTask{id}, &effects);
    if (task > 1) (void)table.Step(event::ReturnEnded{argument, 0}, &effects);
  }
  ASSERT_EQ(table.tasks(), kDepth);
  ASSERT_EQ(table.Step(event::ReturnPersisted{Object(kDepth), 0}, &effects), LineageVerdict::kOk);
  EXPECT_EQ(table.tasks(), kDepth - 1);
  uint64_t pieces = 0;
  for (bool more = true; more; ++pieces) {
    uint64_t budget = 2048;
    more = table.Work(&budget, &effects);
  }
  EXPECT_GT(pieces, kDepth / 2048);
  EXPECT_EQ(effects.released.size(), kDepth);
  EXPECT_EQ(table.tasks(), 0u);
  EXPECT_EQ(table.objects(), 1u);
  EXPECT_EQ(table.CanRecover(Object(kDepth)), Recovery::kPersisted);
}

}  // namespace
}  // namespace freehold::core
