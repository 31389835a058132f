// LineageTable: what is given away when the task that made it was evicted, or is meanwhile.

#include "tests/core/lineage_lend_testing.h"

namespace freehold::core {
namespace {

TEST_F(LineageLend, WhatWasEvictedHasNoTaskToGoAlong) {
  LineageHarness small(10);
  ASSERT_EQ(small.Record(1, {}, {10}, 40), LineageVerdict::kOk);
  TaskRecord task;
  EXPECT_EQ(At(small, event::LendReturn{Object(10), kTo}, &task), LineageVerdict::kOk);
  EXPECT_TRUE(task.id.IsNil());
  // It was not movable at that moment.
  EXPECT_EQ(small.CanRecover(10), Recovery::kEvicted);
  EXPECT_EQ(At(small, event::LendReturn{Object(10), kTo}, &task), LineageVerdict::kOk);
  EXPECT_TRUE(task.id.IsNil());
  EXPECT_EQ(At(small, event::ReturnGiven{Object(10)}), LineageVerdict::kOk);
  EXPECT_TRUE(small.empty());
  EXPECT_TRUE(small.TakeForgotten().empty());
  EXPECT_EQ(At(small, event::ReturnGiven{Object(10)}), LineageVerdict::kNotFound);
}

TEST_F(LineageLend, WhatWasEvictedMayBePersistedWhenItDoesNotGo) {
  LineageHarness small(50);
  ASSERT_EQ(small.Record(1, {}, {10}, 40), LineageVerdict::kOk);
  ASSERT_EQ(small.Record(2, {10}, {20}, 40), LineageVerdict::kOk);
  ASSERT_EQ(small.CanRecover(10), Recovery::kEvicted);
  TaskRecord task;
  ASSERT_EQ(At(small, event::LendReturn{Object(10), kTo}, &task), LineageVerdict::kOk);
  EXPECT_TRUE(task.id.IsNil());
  EXPECT_EQ(small.Persist(10), LineageVerdict::kOk);
  EXPECT_EQ(small.CanRecover(10), Recovery::kPersisted);
}

// What was made of it may need it, which is its next owner's business.
TEST_F(LineageLend, WhatWasEvictedAndIsGivenAwayIsAnArgumentAlone) {
  LineageHarness small(50);
  ASSERT_EQ(small.Record(1, {}, {10}, 40), LineageVerdict::kOk);
  ASSERT_EQ(small.table.Step(event::BeginTask{Task(2), 40, 1}), LineageVerdict::kOk);
  ASSERT_EQ(small.table.Step(event::AddReturns{Task(2), Objects({20})}), LineageVerdict::kOk);
  ASSERT_EQ(small.table.Step(event::AddArguments{Task(2), Objects({10})}), LineageVerdict::kOk);
  ASSERT_EQ(small.table.Step(event::EndTask{Task(2)}, &small.effects), LineageVerdict::kOk);
  uint64_t budget = 1;
  ASSERT_TRUE(small.table.Work(&budget, &small.effects));  // it is being evicted
  TaskRecord task;
  ASSERT_EQ(small.table.Step(event::LendReturn{Object(10), kTo}, &task, &small.effects),
            LineageVerdict::kOk);
  EXPECT_TRUE(task.id.IsNil());
  EXPECT_EQ(At(small, event::ReturnGiven{Object(10)}), LineageVerdict::kOk);
  EXPECT_TRUE(small.table.IsDependedOn(Object(10)));
  EXPECT_EQ(small.CanRecover(10), Recovery::kPut);
  (void)small.End(20);
  EXPECT_TRUE(small.empty());
}

TEST_F(LineageLend, WhatHasComeBackWithItsTaskIsNotForgotten) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(Adopt(there, Lend(10), 10), LineageVerdict::kOk);
  EXPECT_EQ(At(there, event::ReturnGiven{Object(10)}), LineageVerdict::kUnchanged);
  EXPECT_EQ(there.CanRecover(10), Recovery::kPossible);
}

TEST_F(LineageLend, WhatIsEvictedWhenItWasToBeGivenAwayMayBeOfferedAgain) {
  LineageHarness small(50);
  ASSERT_EQ(small.Record(1, {}, {10}, 40), LineageVerdict::kOk);
  TaskRecord task;
  ASSERT_EQ(At(small, event::LendReturn{Object(10), kTo}, &task), LineageVerdict::kOk);
  EXPECT_EQ(task.id, Task(1));
  ASSERT_EQ(small.Record(2, {}, {20}, 40), LineageVerdict::kOk);
  (void)At(small, event::ReturnBack{Object(10)});
  TaskRecord none;
  EXPECT_EQ(At(small, event::LendReturn{Object(10), kTo}, &none), LineageVerdict::kOk);
  EXPECT_TRUE(none.id.IsNil());
  EXPECT_EQ(small.table.objects(), 1u);
}

TEST_F(LineageLend, AnEvictedTaskLetsGoOfWhatItNeededElsewhere) {
  LineageHarness small(50);
  ASSERT_EQ(small.Record(1, {}, {10}, 20), LineageVerdict::kOk);
  ASSERT_EQ(small.Record(2, {10}, {20}, 20), LineageVerdict::kOk);
  (void)small.End(10);
  TaskRecord task;
  (void)At(small, event::LendReturn{Object(20), kTo}, &task);
  ASSERT_EQ(small.Record(3, {}, {30}, 50), LineageVerdict::kOk);
  EXPECT_EQ(small.table.tasks(), 1u);
  EXPECT_EQ(small.table.objects(), 1u);
  EXPECT_EQ(At(small, event::LentEnded{Object(20)}), LineageVerdict::kNotFound);
}

}  // namespace
}  // namespace freehold::core
