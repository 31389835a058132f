// CopyTable: spilling, dropping, and in which words and order owners hear of it.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/copy_table_testing.h"

namespace freehold::core::copy_testing {
namespace {

// --- Spilling ------------------------------------------------------------------------------------

TEST_F(CopyTableTest, CopyStoredAndSpilledIsDeletedOnceAndWholly) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "f", true), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"spilled 1 primary 10 f in memory"});
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1 memory f"});
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, SpillAndRestoreAreReported) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Spill(1, "f", true), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "f", true), CopyVerdict::kNoChange);
  EXPECT_EQ(Pull(), Words{"spilled 1 primary 10 f in memory"});
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"spilled 1 primary 10 f"});
  EXPECT_EQ(Restore(1), CopyVerdict::kOk);
  EXPECT_EQ(Restore(1), CopyVerdict::kNoChange);
  EXPECT_EQ(Pull(), Words{"spilled 1 primary 10 f in memory"}) << "all that is here";
}

TEST_F(CopyTableTest, RestoreBeforeTheSpillWasToldIsToldWithIt) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  EXPECT_EQ(Restore(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"spilled 1 primary 10 f in memory"});
}

TEST_F(CopyTableTest, SecondUrlIsRefusedBecauseTheFirstFileWouldBeForgotten) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  EXPECT_EQ(Restore(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "g", false), CopyVerdict::kSpilledElsewhere);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "g", false), CopyVerdict::kSpilledElsewhere);
  EXPECT_EQ(Take(), Words{"1 memory f"});
}

TEST_F(CopyTableTest, ASharedFileGoesOnlyByAFree) {
  const auto share = [this](bool in_memory) {
    return Step(MarkSpilled{Object(1), 0, "s3://f", in_memory, true});
  };
  Bring(CopyState::kHeld);
  EXPECT_EQ(share(true), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kSharedFile);
  EXPECT_EQ(Spill(1, "s3://f", true), CopyVerdict::kSpilledElsewhere) << "another reach";
  EXPECT_EQ(share(false), CopyVerdict::kOk) << "its bytes in memory may go";
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk) << "the store was faster than our asking it";
}

TEST_F(CopyTableTest, FileThatAppearsAfterTheFreeIsDeletedWithTheCopy) {
  Bring(CopyState::kToDelete);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kFreed);
  EXPECT_EQ(Take(), Words{"1 memory f"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);

  Make({});
  Bring(CopyState::kDeleteFailed);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kFreed);
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1 memory f"});

  Make({});
  Bring(CopyState::kDoomedByReaders);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk) << "it is readable yet";
  EXPECT_EQ(Restore(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{}) << "its owner has freed it and does not want to know";
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1 memory f"});
}

TEST_F(CopyTableTest, WhatComesWhileTheStoreDeletesIsDeletedOnceMore) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kFreed);
  EXPECT_EQ(StateOf(1), CopyState::kDeletingAgain);
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{}) << "not physically gone yet";
  EXPECT_EQ(Take(), Words{"1 memory f"});
  EXPECT_EQ(Restore(1), CopyVerdict::kFreed);
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1 memory f"});
  EXPECT_EQ(Add(1), CopyVerdict::kFreed);
  EXPECT_EQ(Fail(1, "disk"), CopyVerdict::kOk);
  EXPECT_EQ(StateOf(1), CopyState::kDeleteFailed);
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1 memory f"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

// --- The store's own choice ----------------------------------------------------------------------

TEST_F(CopyTableTest, DroppedCopyIsReportedRemovedEvenIfItsAdditionNeverWas) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().copies, 0u);
  EXPECT_EQ(Pull(), Words{"removed 1"});
}

TEST_F(CopyTableTest, FreeOfADroppedCopyIsAnsweredUnknownInsteadOfRemoved) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 0, kOwner, 3), CopyVerdict::kUnknown);
  EXPECT_EQ(FreeIt(1, 0, kOwner, 3), CopyVerdict::kFreedBefore);
  EXPECT_EQ(Pull(), Words{"unknown 1 term 3"});
}

TEST_F(CopyTableTest, StoreThatDropsAFreedCopyByItselfSettlesTheFree) {
  for (const CopyState state : {CopyState::kToDelete, CopyState::kDeleteFailed}) {
    Make({});
    Bring(state);
    EXPECT_EQ(Drop(1), CopyVerdict::kOk);
    EXPECT_EQ(Take(kStart + 1000 * kMs), Words{});
    EXPECT_EQ(Pull(), Words{"deleted 1"});
  }
  Make({});
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, KeyThatComesBackIsReportedAfterHowItWent) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Spill(1, "f", true), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().reports_waiting, 2u);
  EXPECT_EQ(Pull(), (Words{"removed 1", "added 1 primary 10"}));

  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), (Words{"deleted 1", "added 1 primary 10"}));
}

TEST_F(CopyTableTest, StoreThatDropsAndFetchesAgainAndAgainAddsNoRecords) {
  CopyTable::Options options;
  options.copies_max = 1;
  Make(options);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
    EXPECT_EQ(Add(1), CopyVerdict::kOk);
    EXPECT_EQ(Drop(1), CopyVerdict::kOk);
    EXPECT_EQ(table_->stats().reports_waiting, 1u);
  }
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(Abort(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"removed 1"});
}

TEST_F(CopyTableTest, ResultThatIsOwedOutlivesAKeyThatComesAndGoes) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, OneResultSettlesTheFreesOfBothLivesOfAKey) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{});
  Take();
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

// --- Batches and windows -------------------------------------------------------------------------

TEST_F(CopyTableTest, DeletesAreTakenInOrderOfTheirFreesInBatches) {
  for (const uint64_t object : {3u, 1u, 2u, 4u}) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  for (const uint64_t object : {2u, 4u, 1u}) EXPECT_EQ(FreeIt(object), CopyVerdict::kOk);
  EXPECT_EQ(Take(kStart, 2), (Words{"2", "4"}));
  EXPECT_EQ(table_->NextWork(), kInfinitePast);
  EXPECT_EQ(table_->stats().deletes_pending, 3u);
  EXPECT_EQ(Take(kStart, 2), Words{"1"});
  std::vector<uint64_t> freed;
  for (const CopyRecord* copy : table_->Freed()) freed.push_back(NumberOf(copy->object));
  EXPECT_EQ(freed, (std::vector<uint64_t>{2, 4, 1}));
}

TEST_F(CopyTableTest, RetriesThatAreDueComeInBatchesToo) {
  for (const uint64_t object : {1u, 2u, 3u}) {
    EXPECT_EQ(Add(object), CopyVerdict::kOk);
    EXPECT_EQ(FreeIt(object), CopyVerdict::kOk);
  }
  Take();
  for (const uint64_t object : {3u, 1u, 2u}) {
    EXPECT_EQ(Fail(object, "disk", kStart, object), CopyVerdict::kOk);
  }
  const Time later = kStart + 1000 * kMs;
  EXPECT_EQ(Take(later, 2), (Words{"1", "2"}));
  EXPECT_EQ(Take(later, 2), Words{"3"});
}

TEST_F(CopyTableTest, FullSinkTakesTheRestLater) {
  EXPECT_EQ(FreeIt(9), CopyVerdict::kUnknown);
  EXPECT_EQ(FreeIt(8), CopyVerdict::kUnknown);
  for (const uint64_t object : {3u, 1u, 2u}) EXPECT_EQ(Add(object), CopyVerdict::kOk);
  WordSink first(1);
  EXPECT_EQ(table_->PullReports(kOwner, 100, &first), PullVerdict::kFull);
  EXPECT_EQ(first.words, Words{"unknown 9"});
  table_->CheckInvariants();
  WordSink second(2);
  EXPECT_EQ(table_->PullReports(kOwner, 1, &second), PullVerdict::kMore);
  EXPECT_EQ(table_->PullReports(kOwner, 100, &second), PullVerdict::kFull);
  EXPECT_EQ(second.words, (Words{"unknown 8", "added 3 primary 10"}));
  table_->CheckInvariants();
  EXPECT_EQ(Pull(), (Words{"added 1 primary 10", "added 2 primary 10"}));
}

TEST_F(CopyTableTest, SinkThatFillsBetweenTheTwoReportsOfAKeyLosesNeither) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  WordSink sink(1);
  EXPECT_EQ(table_->PullReports(kOwner, 100, &sink), PullVerdict::kFull);
  EXPECT_EQ(sink.words, Words{"removed 1"});
  table_->CheckInvariants();
  EXPECT_EQ(Pull(), Words{"added 1 primary 10"});
}

TEST_F(CopyTableTest, CopyReportedAfterItsKeyWasAnsweredUnknownComesAfterThatAnswer) {
  EXPECT_EQ(FreeIt(1), CopyVerdict::kUnknown);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), (Words{"unknown 1", "added 1 primary 10"}));
}

TEST_F(CopyTableTest, RepliesPulledPieceByPieceKeepTheirOrder) {
  Words expected, pulled;
  uint64_t next = 0;
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(FreeIt(next), CopyVerdict::kUnknown);
      expected.push_back("unknown " + std::to_string(next++));
    }
    WordSink sink;
    EXPECT_EQ(table_->PullReports(kOwner, 2, &sink), PullVerdict::kMore);
    pulled.insert(pulled.end(), sink.words.begin(), sink.words.end());
    table_->CheckInvariants();
  }
  EXPECT_EQ(table_->replies_waiting(kOwner), expected.size() - pulled.size());
  const Words rest = Pull();
  pulled.insert(pulled.end(), rest.begin(), rest.end());
  EXPECT_EQ(pulled, expected);
}

}  // namespace
}  // namespace freehold::core::copy_testing
