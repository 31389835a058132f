#include "src/core/copy_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/copy_table_testing.h"

namespace freehold::core::copy_testing {
namespace {

// --- The way of one copy -------------------------------------------------------------------------

TEST_F(CopyTableTest, CopyIsReportedFreedDeletedAndForgotten) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(effects_.ready, std::vector<PeerIndex>{kOwner});
  EXPECT_FALSE(effects_.work);
  EXPECT_EQ(Pull(), Words{"added 1 primary 10"});
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_TRUE(effects_.work);
  EXPECT_EQ(table_->NextWork(), kInfinitePast);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(table_->NextWork(), kInfiniteFuture);
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().copies, 0u);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
  EXPECT_EQ(table_->stats().copies_deleted, 1u);
  EXPECT_EQ(table_->stats().orphans_deleted, 0u);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kUnknown);
}

TEST_F(CopyTableTest, OwnerIsMadeReadyOnlyWhenNothingWaitedForIt) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(9), CopyVerdict::kUnknown);
  EXPECT_EQ(effects_.ready.size(), 1u);
  EXPECT_EQ(Add(3, 0, kOther), CopyVerdict::kOk);
  EXPECT_EQ(effects_.ready, (std::vector<PeerIndex>{kOwner, kOther}));
  Pull();
  EXPECT_EQ(FreeIt(9), CopyVerdict::kUnknown);
  EXPECT_EQ(effects_.ready, (std::vector<PeerIndex>{kOwner, kOther, kOwner}));
  EXPECT_EQ(Add(4), CopyVerdict::kOk);
  EXPECT_EQ(effects_.ready.size(), 3u);
}

TEST_F(CopyTableTest, FreeOfUnknownCopyIsAnsweredUnknownWithItsTerm) {
  EXPECT_EQ(FreeIt(1, 2, kOwner, 7), CopyVerdict::kUnknown);
  EXPECT_EQ(table_->replies_waiting(kOwner), 1u);
  EXPECT_EQ(table_->stats().reports_waiting, 1u);
  EXPECT_EQ(table_->stats().frees_unknown, 1u);
  EXPECT_EQ(Pull(kOther), Words{});
  EXPECT_EQ(Pull(), Words{"unknown 1/2 term 7"});
  EXPECT_EQ(table_->replies_waiting(kOwner), 0u);
  EXPECT_EQ(table_->replies_waiting(77), 0u);
}

TEST_F(CopyTableTest, FreeResultEchoesTheTermOfTheFree) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(FreeIt(1, 0, kOwner, 4), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 0, kOwner, 5), CopyVerdict::kFreedBefore);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1 term 5"});
}

TEST_F(CopyTableTest, FreeFromAnotherProcessChangesNothingAndIsNotAnswered) {
  for (const CopyState state : kAllStates) {
    if (state == CopyState::kGone) continue;
    Make({});
    Bring(state);
    EXPECT_EQ(FreeIt(1, 0, kOther), CopyVerdict::kRefused) << CopyStateName(state);
    EXPECT_EQ(StateOf(1), state);
    EXPECT_EQ(Pull(), Words{});
    EXPECT_EQ(Pull(kOther), Words{});
    EXPECT_EQ(table_->stats().frees_refused, 1u);
  }
}

TEST_F(CopyTableTest, FreeOfGoneCopyFromAnotherProcessIsAnsweredWhileItsOwnerHasNotHeard) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 0, kOther), CopyVerdict::kUnknown);
  EXPECT_EQ(Pull(), Words{"removed 1"});
  EXPECT_EQ(Pull(kOther), Words{"unknown 1"});
}

TEST_F(CopyTableTest, FreeOfOneGenerationNeverTouchesAnother) {
  EXPECT_EQ(Add(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1, 0), CopyVerdict::kOk);
  EXPECT_EQ(Add(1, 2), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(StateOf(1, 0), CopyState::kHeld);
  EXPECT_EQ(StateOf(1, 2), CopyState::kHeld);
  EXPECT_EQ(FreeIt(1, 3), CopyVerdict::kUnknown);
  EXPECT_EQ(Take(), Words{"1/1"});
  EXPECT_EQ(Succeed(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(),
            (Words{"unknown 1/3", "added 1 primary 10", "added 1/2 primary 10", "deleted 1/1"}));
  Words generations;
  table_->ForEachGeneration(Object(1), [&](const CopyRecord& copy) {
    generations.push_back(std::to_string(copy.generation));
  });
  EXPECT_EQ(generations, (Words{"2", "0"}));
}

TEST_F(CopyTableTest, DuplicateFreeOfACopyBeingDeletedIsAnsweredOnceWhenDone) {
  for (const CopyState state : {CopyState::kToDelete, CopyState::kDeleting}) {
    Make({});
    Bring(state);
    EXPECT_EQ(FreeIt(1), CopyVerdict::kFreedBefore);
    EXPECT_EQ(FreeIt(1), CopyVerdict::kFreedBefore);
    EXPECT_EQ(Pull(), Words{});
    Take();
    EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
    EXPECT_EQ(FreeIt(1), CopyVerdict::kFreedBefore) << "the answer has not left yet";
    EXPECT_EQ(Pull(), Words{"deleted 1"});
  }
}

TEST_F(CopyTableTest, FreeWithdrawsALocationReportThatHasNotLeft) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{});
  Take();
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, FreeOfADoomedCopyIsAnsweredDoomedAtOnceAndDeletedInTheEnd) {
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
  EXPECT_EQ(Pull(), Words{"doomed 1"});
  EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
  EXPECT_EQ(Pull(), Words{"doomed 1"});
  EXPECT_EQ(table_->stats().doomed, 1u);
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_FALSE(effects_.work);
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_TRUE(effects_.work);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, DeletedSupersedesADoomedThatHasNotLeft) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  Take();
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, FreeDuringAFetchIsDoomedAndTheArrivedBytesAreDeleted) {
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().bytes, 0u);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
  EXPECT_EQ(Pull(), Words{"doomed 1"});
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(Add(1), CopyVerdict::kFreed);
  EXPECT_TRUE(effects_.work);
  EXPECT_EQ(Take(), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
  EXPECT_EQ(table_->stats().copies_added, 0u);
}

TEST_F(CopyTableTest, AbortOfAFreedFetchSettlesItsFree) {
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kDoomed);
  EXPECT_EQ(Abort(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
  EXPECT_EQ(table_->stats().copies_deleted, 0u) << "there was nothing to delete";
}

TEST_F(CopyTableTest, AbortedFetchLeavesNothingAndTellsNothing) {
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(Abort(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_TRUE(effects_.ready.empty());
  EXPECT_EQ(table_->stats().copies, 0u);
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
}

TEST_F(CopyTableTest, FetchTakesRoleAndSizeFromWhatArrives) {
  EXPECT_EQ(Step(BeginFetch{Object(1), 0, kOwner, CopyRole::kSecondary, 0}), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().bytes, 10u);
  EXPECT_EQ(Pull(), Words{"added 1 primary 10"});
}

// --- What is invalid, in every state -------------------------------------------------------------

struct Row {
  CopyState state;
  CopyVerdict add, fetch, abort, spill, restore, drop, read, free, deleted, failed;
};

TEST_F(CopyTableTest, EveryEventHasOneAnswerInEveryState) {
  using V = CopyVerdict;
  using S = CopyState;
  const Row rows[] = {
      {S::kGone, V::kOk, V::kOk, V::kNotHere, V::kNotHere, V::kNotHere, V::kNotHere, V::kNotHere,
       V::kUnknown, V::kNotHere, V::kNotHere},
      {S::kFetching, V::kOk, V::kAlreadyHere, V::kOk, V::kStillFetching, V::kStillFetching,
       V::kStillFetching, V::kStillFetching, V::kDoomed, V::kNotHere, V::kNotHere},
      {S::kHeld, V::kAlreadyHere, V::kAlreadyHere, V::kNotFetching, V::kOk, V::kNotSpilled, V::kOk,
       V::kOk, V::kOk, V::kNotHere, V::kNotHere},
      {S::kDoomedByReaders, V::kFreed, V::kFreed, V::kNotFetching, V::kOk, V::kNotSpilled,
       V::kHasReaders, V::kFreed, V::kDoomed, V::kNotHere, V::kNotHere},
      {S::kDoomedByFetch, V::kFreed, V::kFreed, V::kOk, V::kStillFetching, V::kStillFetching,
       V::kStillFetching, V::kFreed, V::kDoomed, V::kNotHere, V::kNotHere},
      {S::kToDelete, V::kFreed, V::kFreed, V::kNotFetching, V::kFreed, V::kNotSpilled, V::kOk,
       V::kFreed, V::kFreedBefore, V::kNotHere, V::kNotHere},
      {S::kDeleting, V::kFreed, V::kFreed, V::kNotFetching, V::kFreed, V::kNotSpilled, V::kOk,
       V::kFreed, V::kFreedBefore, V::kOk, V::kOk},
      {S::kDeletingAgain, V::kFreed, V::kFreed, V::kNotFetching, V::kFreed, V::kNotSpilled, V::kOk,
       V::kFreed, V::kFreedBefore, V::kOk, V::kOk},
      {S::kDeleteFailed, V::kFreed, V::kFreed, V::kNotFetching, V::kFreed, V::kNotSpilled, V::kOk,
       V::kFreed, V::kFreedBefore, V::kNotHere, V::kNotHere},
  };
  const auto check = [this](const Row& row, CopyVerdict expected, const char* what, auto&& step) {
    Make({});
    Bring(row.state);
    const CopyVerdict verdict = step();
    EXPECT_EQ(verdict, expected) << what << " in " << CopyStateName(row.state) << ": "
                                 << CopyVerdictName(verdict);
  };
  for (const Row& row : rows) {
    check(row, row.add, "add", [this] { return Add(1); });
    check(row, row.fetch, "fetch", [this] { return Fetch(1); });
    check(row, row.abort, "abort", [this] { return Abort(1); });
    check(row, row.spill, "spill", [this] { return Spill(1, "f", false); });
    check(row, row.restore, "restore", [this] { return Restore(1); });
    check(row, row.drop, "drop", [this] { return Drop(1); });
    check(row, row.read, "read", [this] { return Read(1); });
    check(row, row.free, "free", [this] { return FreeIt(1); });
    check(row, row.deleted, "deleted", [this] { return Succeed(1); });
    check(row, row.failed, "failed", [this] { return Fail(1, "other"); });
    if (row.state == CopyState::kGone) continue;
    check(row, CopyVerdict::kOtherOwner, "add", [this] { return Add(1, 0, kOther); });
    check(row, CopyVerdict::kOtherOwner, "fetch", [this] { return Fetch(1, 0, kOther); });
    const bool read = row.state == CopyState::kDoomedByReaders;
    check(row, read ? CopyVerdict::kOk : CopyVerdict::kNotHere, "end of read",
          [this] { return Unread(1); });
  }
}

TEST_F(CopyTableTest, TableFullRefusesAndChangesNothing) {
  CopyTable::Options options;
  options.copies_max = 2;
  Make(options);
  EXPECT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(2), CopyVerdict::kOk);
  EXPECT_EQ(Add(3), CopyVerdict::kTooMany);
  EXPECT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Add(3), CopyVerdict::kOk);
}

// --- Readers -------------------------------------------------------------------------------------

TEST_F(CopyTableTest, ReadTakesTheNewestGenerationThatIsHere) {
  EXPECT_EQ(Add(1, 0), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(effects_.generation, 0u) << "the newer one is still being fetched";
  EXPECT_EQ(Add(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(effects_.generation, 1u);
  EXPECT_EQ(FreeIt(1, 1), CopyVerdict::kDoomed);
  EXPECT_EQ(Read(1), CopyVerdict::kFreed);
  EXPECT_EQ(table_->stats().readers, 2u);
  EXPECT_EQ(Unread(1, 0), CopyVerdict::kOk);
  EXPECT_EQ(Unread(1, 0), CopyVerdict::kNotHere);
  EXPECT_EQ(Unread(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1/1"});
}

TEST_F(CopyTableTest, StoreMayNotDropACopyThatIsBeingRead) {
  Bring(CopyState::kHeld);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kHasReaders);
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"removed 1"});
}

// --- Lists ---------------------------------------------------------------------------------------

TEST_F(CopyTableTest, CopiesAreListedByOwnerInOrderOfArrival) {
  EXPECT_EQ(Add(3), CopyVerdict::kOk);
  EXPECT_EQ(Add(7, 0, kOther), CopyVerdict::kOk);
  EXPECT_EQ(Fetch(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(Listed(), (Words{"3", "1", "2"}));
  EXPECT_EQ(Owners(), (Words{"3:3:20", "5:1:10"}));
  EXPECT_EQ(Drop(3), CopyVerdict::kOk);
  EXPECT_EQ(Listed(), (Words{"1", "2"}));
  EXPECT_EQ(Drop(7), CopyVerdict::kOk);
  EXPECT_EQ(Owners(), Words{"3:2:10"});
  EXPECT_EQ(Add(3, 0, kOther), CopyVerdict::kOtherOwner) << "its owner has not heard yet";
  EXPECT_EQ(Add(7, 0, kOther), CopyVerdict::kOk);
  EXPECT_EQ(Owners(), (Words{"3:2:10", "5:1:10"}));
  EXPECT_EQ(Listed(99), Words{});
}

}  // namespace
}  // namespace freehold::core::copy_testing
