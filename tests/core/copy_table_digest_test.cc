// CopyTable: what counts as told, and telling it again.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "src/core/digest.h"
#include "tests/core/copy_table_testing.h"

namespace freehold::core::copy_testing {
namespace {

using copy_event::ReportAgain;

class CopyDigestTest : public CopyTableTest {
 protected:
  uint32_t Told() const { return table_->Told(kOwner).copies; }
  CopyVerdict Again(uint64_t object, uint32_t generation = 0, PeerIndex from = kOwner) {
    return Step(ReportAgain{from, Object(object), generation});
  }
};

TEST_F(CopyDigestTest, WhatCountsIsWhatWasToldNotWhatIsHere) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Told(), 0u);
  Pull();
  EXPECT_EQ(Told(), 1u);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Told(), 1u) << "the same copy";
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Told(), 1u) << "not said yet";
  Pull();
  EXPECT_EQ(table_->Told(kOwner), DigestSum());
}

TEST_F(CopyDigestTest, FreedCopyCountsUntilItsEndWasTold) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
  EXPECT_EQ(Pull(), Words{"doomed 1"});
  EXPECT_EQ(Told(), 1u);
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  Take();
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Told(), 1u);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
  EXPECT_EQ(Told(), 0u);
}

TEST_F(CopyDigestTest, CopyThatComesBackBeforeItsEndWasToldIsCountedOnce) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), (Words{"removed 1", "added 1 primary 10"}));
  EXPECT_EQ(Told(), 1u);
}

TEST_F(CopyDigestTest, OwnersAndGenerationsAreApart) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2, 0, kOther), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Told(), 2u);
  DigestTally tally(std::vector<DigestRange>{DigestRange()}, 10);
  EXPECT_EQ(table_->VisitTold(kOwner, 0, 100, &tally), kNoCopy);
  EXPECT_EQ(tally.parts()[0].keys, (std::vector<DigestKey>{{Object(1), 0}, {Object(1), 1}}));
  EXPECT_EQ(tally.parts()[0].sum, table_->Told(kOwner));
}

TEST_F(CopyDigestTest, NothingCountsForTheExcluded) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(table_->Told(kOwner), DigestSum());
  EXPECT_EQ(Again(1), CopyVerdict::kRefused);
}

TEST_F(CopyDigestTest, CopyIsReportedAgainAsItIs) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Again(1), CopyVerdict::kNoChange) << "its report waits";
  Pull();
  EXPECT_EQ(Again(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"added 1 primary 10"});
  EXPECT_EQ(Spill(1, "f", true), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Again(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"spilled 1 primary 10 f in memory"});
  EXPECT_EQ(Told(), 1u);
}

TEST_F(CopyDigestTest, OnlyItsOwnerMayHaveItReportedAgainAndOnlyWhileItIsHere) {
  EXPECT_EQ(Add(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2, 0, kOther), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Again(1, 1, kOther), CopyVerdict::kRefused);
  EXPECT_EQ(Again(1, 0), CopyVerdict::kNotHere) << "another generation";
  EXPECT_EQ(FreeIt(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Again(1, 1), CopyVerdict::kNoChange) << "its end will be told";
  EXPECT_EQ(Pull(), Words{});
}

}  // namespace
}  // namespace freehold::core::copy_testing
