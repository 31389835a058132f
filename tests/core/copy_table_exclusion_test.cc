// CopyTable: exclusion of owners and of the node.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/copy_table_testing.h"

namespace freehold::core::copy_testing {
namespace {

// --- Exclusion -----------------------------------------------------------------------------------

TEST_F(CopyTableTest, ExcludedOwnersCopiesGoAtTheBarrierAndNotBefore) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2, 0, kOther), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(Read(1), CopyVerdict::kOk) << "reads go on";
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(3), CopyVerdict::kOk) << "accepted between view and barrier";
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(table_->NextWork(), kInfinitePast);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), (Words{"1", "3"}));
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Succeed(3), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().orphans_deleted, 2u);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Pull(kOther), Words{"added 2 primary 10"});
  EXPECT_EQ(Listed(kOther), Words{"2"});
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
}

TEST_F(CopyTableTest, RacingNoticesOfOneExclusionDeleteOnce) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner, kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(2, {kOwner}), CopyVerdict::kNoChange);
  EXPECT_EQ(Step(Barrier{2}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{2}), CopyVerdict::kNoChange);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kNoChange);
  EXPECT_EQ(Exclude(2, {kOwner}), CopyVerdict::kNoChange);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Step(Barrier{3}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(4, {kOwner}), CopyVerdict::kNoChange);
  EXPECT_EQ(Step(Barrier{4}), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(table_->stats().orphans_deleted, 1u);
}

TEST_F(CopyTableTest, BarrierClosesTheViewsUpToItsOwnOnly) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2, 0, kOther), CopyVerdict::kOk);
  EXPECT_EQ(Add(3, 0, 8), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(2, {8}), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(3, {kOther}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{2}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), (Words{"1", "3"}));
  EXPECT_EQ(Step(Barrier{3}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"2"});
}

TEST_F(CopyTableTest, OrphansWithReadersOrInFlightAreDoomedLikeOthers) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(2), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(3), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(table_->stats().doomed, 3u);
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kFreed);
  EXPECT_EQ(Abort(3), CopyVerdict::kOk);
  EXPECT_EQ(Take(), (Words{"1", "2"}));
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Succeed(2), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().orphans_deleted, 2u);
  EXPECT_EQ(table_->stats().copies, 0u);
}

TEST_F(CopyTableTest, NothingNewOfAnOwnerPastItsBarrierIsTaken) {
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kOwnerExcluded);
  EXPECT_EQ(Fetch(2), CopyVerdict::kOwnerExcluded);
  EXPECT_EQ(table_->stats().copies, 1u);
}

TEST_F(CopyTableTest, CopyThatTheSweepHasNotReachedIsFreedAllTheSame) {
  for (const uint64_t object : {1u, 2u}) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(3), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(Read(2), CopyVerdict::kFreed);
  EXPECT_EQ(Add(3), CopyVerdict::kFreed);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk) << "the cursor of the sweep steps aside";
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), (Words{"2", "3"}));
}

TEST_F(CopyTableTest, FreeFromAnExcludedOwnerIsRefused) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kRefused);
  EXPECT_EQ(FreeIt(9), CopyVerdict::kRefused);
  EXPECT_EQ(Take(), Words{});
}

TEST_F(CopyTableTest, ExcludedOwnerIsToldNothingAndItsGoneRecordsGo) {
  EXPECT_EQ(FreeIt(9), CopyVerdict::kUnknown);
  for (const uint64_t object : {1u, 2u, 3u}) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(2), CopyVerdict::kOk);
  Take();
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_TRUE(effects_.work);
  EXPECT_EQ(Pull(), Words{}) << "at once, not only after the sweep";
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
  EXPECT_EQ(Fail(2, "disk"), CopyVerdict::kOk);
  EXPECT_EQ(Spill(3, "f", true), CopyVerdict::kOk);
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"2"}) << "its own Free is still carried out";
  EXPECT_EQ(Succeed(2), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
  EXPECT_EQ(Listed(), Words{"3"});
  EXPECT_EQ(table_->stats().orphans_deleted, 0u);
}

TEST_F(CopyTableTest, ExclusionIsWorkedOffInPieces) {
  for (uint64_t object = 0; object < 10; ++object) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  for (uint64_t object = 0; object < 3; ++object) EXPECT_EQ(Drop(object), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  int pieces = 1;
  while (Step(Sweep{4}) == CopyVerdict::kMore) ++pieces;
  EXPECT_EQ(pieces, 5) << "ten reports and seven copies";
  EXPECT_FALSE(table_->sweeping());
  EXPECT_EQ(Take().size(), 7u);
}

TEST_F(CopyTableTest, CopiesMayGoBetweenThePiecesOfASweep) {
  for (uint64_t object = 0; object < 6; ++object) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(Step(Sweep{2}), CopyVerdict::kMore);
  EXPECT_EQ(Drop(2), CopyVerdict::kOk);
  EXPECT_EQ(Drop(3), CopyVerdict::kOk);
  EXPECT_EQ(Drop(0), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), (Words{"1", "4", "5"}));
}

TEST_F(CopyTableTest, OwnerExcludedBeforeThisNodeJoinedIsPastItsBarrier) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(5, {kOwner, kOther}, /*joining=*/true), CopyVerdict::kOk);
  EXPECT_EQ(Add(2, 0, kOther), CopyVerdict::kOwnerExcluded);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{}) << "one that is here already waits for a barrier";
  EXPECT_EQ(Step(Barrier{5}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
}

TEST_F(CopyTableTest, ViewOlderThanTheLatestBarrierIsClosedAlready) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Step(Barrier{3}), CopyVerdict::kOk);
  EXPECT_EQ(Exclude(3, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
}

TEST_F(CopyTableTest, ExcludedNodeTellsNobodyAnythingAndStillDeletes) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(Drop(2), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(9, 0, kOther), CopyVerdict::kUnknown);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Step(SelfExcluded{}), CopyVerdict::kOk);
  EXPECT_EQ(Step(SelfExcluded{}), CopyVerdict::kNoChange);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Pull(kOther), Words{});
  EXPECT_EQ(FreeIt(2), CopyVerdict::kRefused) << "nothing is taken any more either";
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().copies, 0u);
}

TEST_F(CopyTableTest, WithoutReportsRecordsOfGoneCopiesDoNotPileUp) {
  CopyTable::Options options;
  options.reports = false;
  options.copies_max = 1;
  Make(options);
  for (uint64_t object = 0; object < 10; ++object) {
    EXPECT_EQ(Add(object), CopyVerdict::kOk);
    EXPECT_EQ(Drop(object), CopyVerdict::kOk);
    EXPECT_EQ(FreeIt(object), CopyVerdict::kRefused);
  }
  EXPECT_TRUE(effects_.ready.empty());
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
}

TEST_F(CopyTableTest, SizeOfWhatIsHereSumsIntoTheBytesGauge) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(3), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().bytes, 20u) << "spilled included, fetched not yet";
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  Take();
  EXPECT_EQ(table_->stats().bytes, 20u) << "freed is not gone";
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().bytes, 10u);
}

}  // namespace
}  // namespace freehold::core::copy_testing
