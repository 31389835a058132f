// LineageTable: tasks that went along with what they made, which was given on, or made again and
// given back.

#include <vector>

#include "tests/core/lineage_lend_testing.h"

namespace freehold::core {
namespace {

TEST_F(LineageLend, ARecordFollowsToALaterOwner) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  (void)Lend(20, kTo);
  EXPECT_EQ(MovedOn(20, kTo), LineageVerdict::kUnchanged);
  EXPECT_EQ(MovedOn(20, kElsewhere), LineageVerdict::kOk);
  EXPECT_EQ(away(), 1u);
  (void)here.End(10);
  EXPECT_EQ(Following(kElsewhere), std::vector<ObjectId>{Object(10)});
  (void)Over(20);
  EXPECT_EQ(MovedOn(20, kTo), LineageVerdict::kNotFound);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, ARecordThatHasNotGoneYetGoesToTheLaterOwnerInstead) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20}), LineageVerdict::kOk);
  (void)here.End(10);
  (void)Lend(20, kTo);
  EXPECT_EQ(Following(kTo), std::vector<ObjectId>{Object(10)});
  EXPECT_EQ(MovedOn(20, kElsewhere), LineageVerdict::kOk);
  EXPECT_EQ(Following(kElsewhere), std::vector<ObjectId>{Object(10)});
  TaskRecord task;
  EXPECT_EQ(At(here, event::LendReturn{Object(10), kTo, /*record=*/true}, &task),
            LineageVerdict::kNotFound);
  (void)Lend(10, kElsewhere, /*record=*/true);
  (void)Over(20);
  (void)Over(10);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatTwoTasksNeedFollowsWhenBothHaveMovedOn) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20, 21}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(3, {10}, {30}), LineageVerdict::kOk);
  (void)here.End(10);
  for (const uint64_t object : {20, 21, 30}) (void)Lend(object, kTo);
  EXPECT_EQ(Following(kTo), std::vector<ObjectId>{Object(10)});
  (void)MovedOn(30, kElsewhere);
  (void)MovedOn(21, kElsewhere);
  EXPECT_TRUE(Following().empty());
  (void)MovedOn(20, kElsewhere);
  EXPECT_EQ(Following(kElsewhere), std::vector<ObjectId>{Object(10)});
  for (const uint64_t object : {20, 21, 30}) (void)Over(object);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatTwoOwnersNeededFollowsTheOneThatIsLeft) {
  ASSERT_EQ(here.Record(1, {}, {10}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(2, {10}, {20, 21}), LineageVerdict::kOk);
  ASSERT_EQ(here.Record(3, {10}, {30}), LineageVerdict::kOk);
  (void)here.End(10);
  (void)Lend(20, kTo);
  (void)Lend(21, kElsewhere);
  (void)Lend(30, kTo);
  EXPECT_TRUE(Following().empty());
  (void)Over(21);  // its task is at one place from now on
  EXPECT_EQ(Following(kTo), std::vector<ObjectId>{Object(10)});
  (void)MovedOn(30, kElsewhere);
  (void)Over(20);
  EXPECT_EQ(Following(kElsewhere), std::vector<ObjectId>{Object(10)});
  (void)Over(30);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatComesHomeHasTheRetriesThatAreLeft) {
  ASSERT_EQ(here.Record(1, {5}, {10}, 1, /*retries=*/1), LineageVerdict::kOk);
  ASSERT_EQ(Adopt(there, Lend(10), 10), LineageVerdict::kOk);
  ASSERT_EQ(there.Resubmit(1), LineageVerdict::kOk);
  TaskRecord back;
  ASSERT_EQ(At(there, event::LendReturn{Object(10), kTo}, &back), LineageVerdict::kOk);
  ASSERT_EQ(Adopt(here, back, 10, 1), LineageVerdict::kOk);
  EXPECT_EQ(here.CanRecover(10), Recovery::kNoRetries);
  EXPECT_FALSE(here.table.IsDependedOn(Object(5)));
  EXPECT_EQ(NotTaken(here, 10), LineageVerdict::kOk);
  (void)Over(10);
  EXPECT_TRUE(here.empty());
}

TEST_F(LineageLend, WhatComesHomeToATaskThatIsOfUseHereHasItsRetries) {
  ASSERT_EQ(here.Record(1, {5}, {10, 11}, 1, /*retries=*/1), LineageVerdict::kOk);
  TaskRecord back = Lend(10);
  back.retries = 0;
  back.arguments.clear();
  ASSERT_EQ(Adopt(here, back, 10, 1), LineageVerdict::kOk);
  EXPECT_EQ(here.CanRecover(10), Recovery::kPossible);
  // Of no use here, it has those of what comes, be it new.
  (void)Lend(11);
  (void)Lend(10);
  ASSERT_EQ(Adopt(here, back, 12), LineageVerdict::kOk);
  EXPECT_EQ(here.CanRecover(12), Recovery::kNoRetries);
}

TEST_F(LineageLend, TheLastRetryHereLeavesWhatIsNeededElsewhere) {
  ASSERT_EQ(here.Record(1, {5}, {10, 11, 12}, 1, /*retries=*/1), LineageVerdict::kOk);
  const TaskRecord task = Lend(10);
  ASSERT_EQ(here.Resubmit(1), LineageVerdict::kOk);
  EXPECT_EQ(here.CanRecover(11), Recovery::kNoRetries);
  EXPECT_TRUE(here.table.IsDependedOn(Object(5)));
  EXPECT_TRUE(Lend(12).arguments.empty());
  (void)Over(12);
  EXPECT_TRUE(here.table.IsDependedOn(Object(5)));
  (void)here.End(11);
  ASSERT_EQ(Adopt(here, task, 10), LineageVerdict::kOk);
  EXPECT_EQ(here.CanRecover(10), Recovery::kPossible);
  EXPECT_TRUE(here.table.IsDependedOn(Object(5)));
}

TEST_F(LineageLend, WhatNobodyCanMakeAgainAnyMoreNeedsNothing) {
  ASSERT_EQ(here.Record(1, {5}, {10, 11}, 1, /*retries=*/1), LineageVerdict::kOk);
  (void)Lend(10);
  ASSERT_EQ(here.Resubmit(1), LineageVerdict::kOk);
  EXPECT_TRUE(here.table.IsDependedOn(Object(5)));
  (void)Over(10);
  EXPECT_FALSE(here.table.IsDependedOn(Object(5)));
  (void)here.End(11);
  EXPECT_TRUE(here.empty());
}

}  // namespace
}  // namespace freehold::core
