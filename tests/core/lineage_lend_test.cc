// LineageTable: tasks that go along with what they made.

#include <vector>

#include "gmock/gmock.h"
#include "tests/core/lineage_lend_testing.h"

namespace freehold::core {
namespace {

TEST_F(LineageLend, TheNextOwnerCanMakeItAgainAndTheFormerOneCannot) {
  ASSERT_EQ(here.Record(1, {5, 6}, {10}, 30, 4), LineageVerdict::kOk);
  const TaskRecord task = Lend(10);
  EXPECT_EQ(task.id, Task(1));
  EXPECT_EQ(task.spec_bytes, 30u);
  EXPECT_EQ(task.retries, 4u);
  EXPECT_EQ(task.arguments, Objects({5, 6}));
  ASSERT_EQ(Adopt(there, task, 10, 3), LineageVerdict::kOk);
  EXPECT_EQ(there.CanRecover(10), Recovery::kPossible);
  EXPECT_EQ(there.table.Arguments(Task(1), 0, 10).size(), 2u);
  EXPECT_NE(here.CanRecover(10), Recovery::kPossible);
  EXPECT_EQ(here.Resubmit(1), LineageVerdict::kNotFound);
  EXPECT_EQ(there.Resubmit(1), LineageVerdict::kOk);
  EXPECT_EQ(away(), 1u);
  EXPECT_EQ(there.End(10, 3), LineageVerdict::kOk);
  EXPECT_TRUE(there.empty());
  EXPECT_TRUE(here.TakeReleased().empty());
  EXPECT_EQ(Over(10), LineageVerdict::kOk);
  EXPECT_EQ(here.TakeReleased(), std::vector<TaskId>{Task(1)});
  EXPECT_TRUE(here.empty());
  EXPECT_EQ(Over(10), LineageVerdict::kNotFound);
}

TEST_F(LineageLend, ATaskOfWhichSomethingStaysIsOfUseInBothPlaces) {
  ASSERT_EQ(here.Record(1, {5}, {10, 11}), LineageVerdict::kOk);
  ASSERT_EQ(Adopt(there, Lend(10), 10), LineageVerdict::kOk);
  EXPECT_EQ(away(), 0u);
  ASSERT_EQ(here.Resubmit(1), LineageVerdict::kOk);
  EXPECT_EQ(here.table.BeginReturns(Task(1), 0, 10), (std::vector<ObjectId>{{}, Object(11)}));
  EXPECT_EQ(here.End(11), LineageVerdict::kOk);
  EXPECT_TRUE(here.IsKept(1));
  EXPECT_EQ(away(), 1u);
  EXPECT_EQ(Over(10), LineageVerdict::kOk);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatFollowsJoinsTheTaskThatIsThere) {
  ASSERT_EQ(here.Record(1, {5}, {10, 11}), LineageVerdict::kOk);
  ASSERT_EQ(Adopt(there, Lend(10), 10), LineageVerdict::kOk);
  ASSERT_EQ(Adopt(there, Lend(11), 11), LineageVerdict::kOk);
  EXPECT_EQ(there.table.tasks(), 1u);
  EXPECT_EQ(there.table.CountReturns(Task(1)), 2u);
  EXPECT_EQ(there.table.CountArguments(Task(1)), 1u);
  (void)there.End(10);
  EXPECT_TRUE(there.IsKept(1));
  (void)there.End(11);
  EXPECT_TRUE(there.empty());
  (void)Over(10);
  EXPECT_TRUE(here.IsKept(1));
  (void)Over(11);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, ARecordThatOnlyAwayTasksNeedFollowsThem) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(here.End(10), LineageVerdict::kOk);
  ASSERT_EQ(Adopt(there, Lend(20), 20), LineageVerdict::kOk);
  EXPECT_EQ(Following(), std::vector<ObjectId>{Object(10)});
  ASSERT_EQ(Adopt(there, LendRecord(10), 10, 1), LineageVerdict::kOk);
  EXPECT_EQ(there.End(10, 1), LineageVerdict::kOk);
  EXPECT_EQ(there.CanRecover(10), Recovery::kPossible);
  EXPECT_EQ(away(), 2u);
  // All of it goes when the last one has ended there.
  EXPECT_EQ(there.End(20), LineageVerdict::kOk);
  EXPECT_EQ(there.TakeForgotten(), (std::vector<ObjectId>{Object(20), Object(10)}));
  EXPECT_TRUE(there.empty());
  (void)Over(20);
  (void)Over(10);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, AChainFollowsLinkByLink) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(3, {20}, {30}), LineageVerdict::kOk);
  (void)here.End(10);
  (void)here.End(20);
  (void)Lend(30);
  EXPECT_EQ(Following(), std::vector<ObjectId>{Object(20)});
  (void)LendRecord(20);
  EXPECT_EQ(Following(), std::vector<ObjectId>{Object(10)});
}

TEST_F(LineageLend, NothingFollowsWhileTheTaskMayComeBack) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  (void)here.End(10);
  TaskRecord task;
  ASSERT_EQ(At(here, event::LendReturn{Object(20), kTo}, &task), LineageVerdict::kOk);
  EXPECT_EQ(Kept(10), LineageVerdict::kOk);
  EXPECT_TRUE(Following().empty());
  EXPECT_EQ(At(here, event::LentSettled{Object(20), kTo}), LineageVerdict::kOk);
  EXPECT_EQ(Following(), std::vector<ObjectId>{Object(10)});
  // A record that does not go after all is a record again.
  ASSERT_EQ(At(here, event::LendReturn{Object(10), kTo, /*record=*/true}, &task),
            LineageVerdict::kOk);
  EXPECT_EQ(At(here, event::ReturnBack{Object(10), /*record=*/true}), LineageVerdict::kOk);
  EXPECT_EQ(here.CanRecover(10), Recovery::kPossible);
  (void)Over(20);
  EXPECT_EQ(here.TakeForgotten(), std::vector<ObjectId>{Object(10)});
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, ARecordThatIsNeededHereStaysUntilItIsNot) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(3, {10}, {30}), LineageVerdict::kOk);
  (void)here.End(10);
  (void)Lend(20);
  EXPECT_TRUE(Following().empty());
  (void)here.End(30);  // what it was needed for has ended
  EXPECT_EQ(Following(), std::vector<ObjectId>{Object(10)});
}

TEST_F(LineageLend, WhatIsInScopeHereFollowsWhenItHasEndedAndItsCopiesAreGone) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  (void)Lend(20);
  EXPECT_TRUE(Following().empty());
  (void)here.End(10);  // it is tried, perhaps in vain: copies may be left
  EXPECT_EQ(Following(), std::vector<ObjectId>{Object(10)});
  EXPECT_EQ(Kept(10), LineageVerdict::kOk);
  EXPECT_EQ(Following(), std::vector<ObjectId>{Object(10)});
  (void)Over(20);
  EXPECT_TRUE(here.empty());
  EXPECT_EQ(Kept(10), LineageVerdict::kNotFound);
}

TEST_F(LineageLend, NothingFollowsWhileAnotherReturnMayComeBack) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20, 21}), LineageVerdict::kOk);
  (void)here.End(10);
  (void)Lend(20);
  TaskRecord task;
  ASSERT_EQ(At(here, event::LendReturn{Object(21), kTo}, &task), LineageVerdict::kOk);
  EXPECT_TRUE(Following().empty());
  EXPECT_EQ(Back(21), LineageVerdict::kOk);
  EXPECT_EQ(here.Resubmit(2), LineageVerdict::kOk);
  ASSERT_EQ(At(here, event::LendReturn{Object(21), kElsewhere}, &task), LineageVerdict::kOk);
  EXPECT_EQ(Back(21), LineageVerdict::kOk);  // where it did not go does not count
  (void)Lend(21);
  EXPECT_EQ(Following(), std::vector<ObjectId>{Object(10)});
}

TEST_F(LineageLend, WhatWasToFollowStaysIfItIsNeededHereAgain) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  (void)here.End(10);
  (void)Lend(20);
  EXPECT_EQ(Following(), std::vector<ObjectId>{Object(10)});
  ASSERT_EQ(here.Record(3, {10}, {30}), LineageVerdict::kOk);
  TaskRecord task;
  EXPECT_EQ(At(here, event::LendReturn{Object(10), kTo, /*record=*/true}, &task),
            LineageVerdict::kNotFound);
  EXPECT_EQ(here.CanRecover(10), Recovery::kPossible);
  // Nor to anybody else.
  (void)here.End(30);
  EXPECT_EQ(At(here, event::LendReturn{Object(10), kElsewhere, /*record=*/true}, &task),
            LineageVerdict::kNotFound);
}

TEST_F(LineageLend, ARecordThatNobodyNeedsAnyMoreComesBackAndGoes) {
  ASSERT_EQ(here.Record(1, {}, {1}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {1}, {10, 11}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(3, {10}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(4, {1}, {40}), LineageVerdict::kOk);
  (void)here.End(1);
  (void)here.End(10);
  (void)Lend(11);
  (void)Lend(20);
  EXPECT_EQ(Following(), std::vector<ObjectId>{Object(10)});
  TaskRecord task;
  ASSERT_EQ(At(here, event::LendReturn{Object(10), kTo, /*record=*/true}, &task),
            LineageVerdict::kOk);
  (void)Over(11);
  (void)Over(20);
  EXPECT_EQ(At(here, event::ReturnBack{Object(10), /*record=*/true}), LineageVerdict::kOk);
  EXPECT_FALSE(here.IsKept(2));
  EXPECT_EQ(away(), 0u);
  EXPECT_TRUE(Following().empty());  // the first one is needed here
  (void)here.End(40);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatIsLentIsNotRecordedAnew) {
  ASSERT_EQ(here.Record(1, {}, {10, 11}), LineageVerdict::kOk);
  (void)Lend(10);
  EXPECT_EQ(here.Record(2, {}, {10}), LineageVerdict::kAlreadyExists);
  (void)Over(10);
  (void)here.End(11);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatIsRevivedWhileItWasToFollowIsInScope) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  (void)here.End(10);
  (void)Lend(20);
  TaskRecord task;
  ASSERT_EQ(At(here, event::LendReturn{Object(10), kTo, /*record=*/true}, &task),
            LineageVerdict::kOk);
  EXPECT_EQ(here.Revive(10, 1), LineageVerdict::kOk);
  EXPECT_EQ(At(here, event::ReturnBack{Object(10), /*record=*/true}), LineageVerdict::kOk);
  (void)Over(20);
  EXPECT_TRUE(here.IsKept(1));
  (void)here.End(10, 1);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatTwoOwnersNeedFollowsNeither) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(3, {10}, {30}), LineageVerdict::kOk);
  (void)here.End(10);
  (void)Lend(20, kTo);
  (void)Lend(30, kElsewhere);
  EXPECT_TRUE(Following().empty());
  (void)Over(30);
  (void)Over(20);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatNoTaskMadeOrCannotBeMadeAgainStays) {
  ASSERT_EQ(here.Record(1, {}, {10}, 1, /*retries=*/0), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10, 5}, {20}), LineageVerdict::kOk);
  (void)here.End(10);
  (void)Lend(20);
  EXPECT_TRUE(Following().empty());
}

TEST_F(LineageLend, WhatComesBackIsMadeHereAgain) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  (void)here.End(10);
  (void)Lend(20);
  (void)Following();
  EXPECT_EQ(Back(20), LineageVerdict::kOk);
  EXPECT_EQ(away(), 0u);
  EXPECT_EQ(here.CanRecover(20), Recovery::kPossible);
  EXPECT_EQ(Kept(10), LineageVerdict::kOk);
  EXPECT_TRUE(Following().empty());
  EXPECT_EQ(here.Resubmit(2), LineageVerdict::kOk);
  (void)here.End(20);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatEndsBeforeItIsToldToBeBackHasEnded) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  (void)Lend(10);
  EXPECT_EQ(here.End(10), LineageVerdict::kUnchanged);
  EXPECT_TRUE(here.TakeForgotten().empty());
  EXPECT_EQ(Back(10), LineageVerdict::kOk);
  EXPECT_EQ(here.TakeForgotten(), std::vector<ObjectId>{Object(10)});
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, ARefusedRecordIsNotOfferedAgain) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  (void)here.End(10);
  (void)Lend(20);
  EXPECT_EQ(Following(), std::vector<ObjectId>{Object(10)});
  (void)LendRecord(10);
  (void)At(here, event::ReturnBack{Object(10), /*record=*/false, /*stays=*/true});
  (void)here.End(10);
  (void)Kept(10);
  EXPECT_TRUE(Following().empty());
  EXPECT_TRUE(here.IsKept(1));
  (void)Over(20);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, AnAwayTaskThatHasMadeOneMoreComesBack) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  (void)Lend(20);
  ASSERT_EQ(away(), 1u);
  ASSERT_EQ(here.table.Step(event::AddReturn{Task(2), Object(30)}), LineageVerdict::kOk);
  here.Work();
  EXPECT_EQ(away(), 0u);
  (void)here.End(30);
  EXPECT_EQ(away(), 1u);
}

TEST_F(LineageLend, WhatATaskHasAddedMayBeUndone) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.table.Step(event::AddReturn{Task(1), Object(30)}), LineageVerdict::kOk);
  EXPECT_EQ(here.table.CountReturns(Task(1)), 2u);
  const event::ReturnNotTaken undone{Object(30), kNoPeer, Adoption::kNew};
  EXPECT_EQ(At(here, undone), LineageVerdict::kOk);
  EXPECT_EQ(here.table.CountReturns(Task(1)), 1u);
  EXPECT_EQ(here.table.objects(), 1u);
  (void)here.End(10);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatIsTheHostsOrBusyStays) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(3, {}, {30}), LineageVerdict::kOk);
  ASSERT_EQ(here.Persist(10), LineageVerdict::kOk);
  EXPECT_EQ(Refused(10), LineageVerdict::kHostKeeps);
  ASSERT_EQ(here.table.Step(event::BeginResubmit{Task(2)}), LineageVerdict::kOk);
  EXPECT_EQ(Refused(20), LineageVerdict::kBusy);
  std::vector<uint64_t> many(kTaskArgumentsMax + 1, 1000);
  ASSERT_EQ(here.Record(4, many, {40}), LineageVerdict::kOk);
  EXPECT_EQ(Refused(40), LineageVerdict::kTooMany);
}

TEST_F(LineageLend, WhatComesMayBeAnArgumentHere) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(there.Record(2, {10}, {20}), LineageVerdict::kOk);
  ASSERT_EQ(Adopt(there, Lend(10), 10), LineageVerdict::kOk);
  (void)there.End(10);
  EXPECT_TRUE(there.IsKept(1));
  EXPECT_EQ(there.CanRecover(10), Recovery::kPossible);
  (void)there.End(20);
  EXPECT_TRUE(there.empty());
}

TEST_F(LineageLend, WhatComesHomeIsNotLentAnyMore) {
  ASSERT_EQ(here.Record(1, {5}, {10}), LineageVerdict::kOk);
  const TaskRecord task = Lend(10);
  ASSERT_EQ(Adopt(here, task, 10, 2), LineageVerdict::kOk);
  EXPECT_EQ(away(), 0u);
  EXPECT_EQ(here.table.CountReturns(Task(1)), 1u);
  EXPECT_EQ(Over(10), LineageVerdict::kNotFound);
  (void)here.End(10, 2);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatWasToComeHomeAndIsNotTakenIsLentAsBefore) {
  ASSERT_EQ(here.Record(2, {}, {5}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(1, {5}, {10}), LineageVerdict::kOk);
  const TaskRecord task = Lend(10);
  ASSERT_EQ(Adopt(here, task, 10), LineageVerdict::kOk);
  EXPECT_EQ(away(), 0u);
  EXPECT_EQ(NotTaken(here, 10), LineageVerdict::kOk);
  EXPECT_EQ(away(), 1u);
  EXPECT_EQ(here.table.CanRecover(Object(10)), Recovery::kPut);
  // Its task is needed there, and what that needs goes after it.
  (void)here.End(5);
  EXPECT_EQ(Following(), Objects({5}));
  (void)LendRecord(5);
  (void)Over(10);
  (void)Over(5);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatNobodyNeededThereIsSoAgainWhenItIsNotTaken) {
  ASSERT_EQ(here.Record(1, {}, {10, 11}), LineageVerdict::kOk);
  const TaskRecord task = Lend(10);
  (void)Over(10);
  ASSERT_EQ(Adopt(here, task, 10), LineageVerdict::kOk);
  EXPECT_EQ(NotTaken(here, 10), LineageVerdict::kOk);
  (void)here.End(11);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatComesIsNotEvictedBeforeItIsRecorded) {
  LineageHarness table(100);
  ASSERT_EQ(table.Record(1, {}, {10}, 60), LineageVerdict::kOk);
  ASSERT_EQ(table.table.Step(event::BeginResubmit{Task(1)}), LineageVerdict::kOk);
  ASSERT_EQ(At(table, event::AdoptReturn{{Task(2), 50, 1, {}}, Object(20), 0}, &adoption),
            LineageVerdict::kOk);
  EXPECT_EQ(adoption, Adoption::kWithTask);
  (void)table.End(20);
  EXPECT_TRUE(table.table.IsKept(Task(2)));
  EXPECT_THAT(table.TakeReleased(), ::testing::IsEmpty());
  EXPECT_EQ(At(table, event::EndTask{Task(2)}), LineageVerdict::kOk);
  EXPECT_THAT(table.TakeReleased(), ::testing::ElementsAre(Task(2)));
}

TEST_F(LineageLend, WhatIsNotTakenAfterAllLeavesNothing) {
  ASSERT_EQ(Adopt(there, {Task(1), 1, 1, Objects({5})}, 10), LineageVerdict::kOk);
  // What is needed there is not made there for that.
  const TaskRecord maker = {Task(2), 1, 1, Objects({3})};
  ASSERT_EQ(Adopt(there, maker, 5), LineageVerdict::kOk);
  EXPECT_EQ(NotTaken(there, 5), LineageVerdict::kOk);
  EXPECT_FALSE(there.table.IsKept(Task(2)));
  EXPECT_EQ(there.table.objects(), 2u);
  ASSERT_EQ(Adopt(there, maker, 5), LineageVerdict::kOk);
  // It was known before.
  ASSERT_EQ(Adopt(there, maker, 5), LineageVerdict::kUnchanged);
  EXPECT_EQ(NotTaken(there, 5), LineageVerdict::kUnchanged);
  EXPECT_TRUE(there.table.IsKept(Task(2)));
  // Of a task that has made more the rest stays.
  ASSERT_EQ(Adopt(there, maker, 6), LineageVerdict::kOk);
  EXPECT_EQ(NotTaken(there, 6), LineageVerdict::kOk);
  EXPECT_EQ(there.table.CountReturns(Task(2)), 1u);
  EXPECT_THAT(there.effects.to_forget, ::testing::IsEmpty());
  (void)there.End(10);
  (void)there.End(5);
  EXPECT_TRUE(there.empty());
}

TEST_F(LineageLend, AnotherTasksObjectIsNotTaken) {
  ASSERT_EQ(there.Record(9, {}, {10}), LineageVerdict::kOk);
  EXPECT_EQ(Adopt(there, {Task(1), 1, 1, Objects({5})}, 10), LineageVerdict::kAlreadyExists);
  EXPECT_EQ(there.table.tasks(), 1u);
  EXPECT_EQ(there.table.objects(), 1u);
  // Nor one that is made of itself.
  EXPECT_EQ(Adopt(there, {Task(2), 1, 1, Objects({20})}, 20), LineageVerdict::kDependedOn);
  EXPECT_EQ(there.table.objects(), 1u);
  ASSERT_EQ(there.table.Step(event::BeginTask{Task(3), 1, 1}), LineageVerdict::kOk);
  EXPECT_EQ(Adopt(there, {Task(3), 1, 1, {}}, 30), LineageVerdict::kBusy);
}

}  // namespace
}  // namespace freehold::core
