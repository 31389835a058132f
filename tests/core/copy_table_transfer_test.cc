// An object moves to another owner, seen from a node with copies of it.

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/copy_table_transfer_testing.h"

namespace freehold::core::copy_testing {
namespace {

// --- What moves ----------------------------------------------------------------------------------

TEST_F(CopyTableTransfer, AHeldCopyLeavesTheOldOwnersListsForTheNewOnes) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Add(2), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Move(1), CopyVerdict::kOk);
  EXPECT_EQ(OwnerNow(1), kNext);
  EXPECT_EQ(TermOf(1), 2u);
  EXPECT_EQ(Listed(), Words{"2"});
  EXPECT_EQ(Listed(kNext), Words{"1"});
  EXPECT_EQ(Owners(), (Words{"3:1:10", "6:1:10"}));
  EXPECT_EQ(table_->stats().copies, 2u);
  EXPECT_EQ(table_->stats().bytes, 20u);
}

TEST_F(CopyTableTransfer, TheNewOwnerHearsOfTheCopyWhetherTheOldOneHasOrNot) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  ASSERT_EQ(Add(2), CopyVerdict::kOk);
  effects_.ready.clear();
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(2), CopyVerdict::kOk);
  EXPECT_EQ(effects_.ready, std::vector<PeerIndex>{kNext});
  EXPECT_EQ(Pull(), Words{}) << "what it had not heard of is not its own any more";
  EXPECT_EQ(Pull(kNext), (Words{"added 1 primary 10", "moved 1 term 2 here", "added 2 primary 10",
                                "moved 2 term 2 here"}));
}

TEST_F(CopyTableTransfer, ASpilledCopyIsReportedWithItsFile) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Spill(1, "f", false), CopyVerdict::kOk);
  Pull();
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(kNext), (Words{"spilled 1 primary 10 f", "moved 1 term 2 here"}));
}

TEST_F(CopyTableTransfer, ReadersStay) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Read(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().readers, 1u);
  EXPECT_EQ(FreeIt(1, 0, kNext, 2), CopyVerdict::kDoomed);
  EXPECT_EQ(Take(), Words{});
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
}

TEST_F(CopyTableTransfer, ListedInPiecesEachIsSeenOnceWhoeverOwnsItByThen) {
  for (const uint64_t object : {1, 2, 3, 4}) ASSERT_EQ(Add(object), CopyVerdict::kOk);
  Words seen;
  const auto visit = [&seen](const CopyRecord& copy) {
    seen.push_back(NameOf(copy.object, copy.generation));
  };
  uint32_t from = table_->VisitCopies(0, 2, visit);
  EXPECT_EQ(seen, (Words{"1", "2"}));
  ASSERT_EQ(Move(1), CopyVerdict::kOk);  // behind what its new owner will be asked for
  ASSERT_EQ(Move(4), CopyVerdict::kOk);
  ASSERT_EQ(Drop(3), CopyVerdict::kOk);
  from = table_->VisitCopies(from, 1, visit);
  ASSERT_NE(from, kNoCopy);
  EXPECT_EQ(table_->VisitCopies(from, 100, visit), kNoCopy);
  EXPECT_EQ(seen, (Words{"1", "2", "4"}));
}

TEST_F(CopyTableTransfer, ACopyThatIsFetchedIsReportedWhenItArrives) {
  ASSERT_EQ(Fetch(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  EXPECT_EQ(OwnerNow(1), kNext);
  EXPECT_EQ(Pull(kNext), Words{"moved 1 term 2 here"});
  ASSERT_EQ(Add(1), CopyVerdict::kOk) << "the host names the old owner";
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Pull(kNext), Words{"added 1 primary 10"});
}

TEST_F(CopyTableTransfer, AFreedCopyStaysWithTheOwnerThatWaitsForItsResult) {
  for (const CopyState state : kAllStates) {
    if (!IsFreed(state)) continue;
    SCOPED_TRACE(CopyStateName(state));
    Make({});
    Bring(state);
    EXPECT_EQ(Move(1), CopyVerdict::kNoChange);
    EXPECT_EQ(OwnerNow(1), kOwner);
    EXPECT_EQ(StateOf(1), state);
    EXPECT_EQ(Pull(kNext), Words{"moved 1 term 2 not here"});
    EXPECT_EQ(FreeIt(1, 0, kNext, 2), CopyVerdict::kUnknown) << "the next one may not know";
    EXPECT_EQ(Pull(kNext), Words{"unknown 1 term 2"});
    if (state == CopyState::kDoomedByReaders) EXPECT_EQ(Unread(1), CopyVerdict::kOk);
    if (state == CopyState::kDoomedByFetch) EXPECT_EQ(Abort(1), CopyVerdict::kOk);
    Take(kStart + 1000000 * kMs);
    (void)Succeed(1);
    Take();
    (void)Succeed(1);
    EXPECT_EQ(Pull(), Words{"deleted 1"});
    EXPECT_EQ(table_->stats().copies, 0u);
  }
}

TEST_F(CopyTableTransfer, AGoneCopyStaysWithTheOwnerThatHasNotHeard) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  ASSERT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Move(1), CopyVerdict::kNoChange);
  EXPECT_EQ(Pull(), Words{"removed 1"});
  EXPECT_EQ(Pull(kNext), Words{"moved 1 term 2 not here"});
}

TEST_F(CopyTableTransfer, AResultOfAnEarlierLifeOfTheKeyStaysOwedToTheOldOwner) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  ASSERT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
  ASSERT_EQ(Succeed(1), CopyVerdict::kOk);
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Add(2), CopyVerdict::kOk);
  Pull(kNext);
  ASSERT_EQ(Drop(2), CopyVerdict::kOk);
  ASSERT_EQ(FreeIt(2), CopyVerdict::kUnknown);
  ASSERT_EQ(Fetch(2), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(2), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), (Words{"deleted 1", "unknown 2"}));
  EXPECT_EQ(table_->Told(kOwner), DigestSum());
  EXPECT_EQ(Pull(kNext),
            (Words{"added 1 primary 10", "moved 1 term 2 here", "moved 2 term 2 here"}));
}

TEST_F(CopyTableTransfer, AllGenerationsMove) {
  ASSERT_EQ(Add(1, 0), CopyVerdict::kOk);
  ASSERT_EQ(Add(1, 3), CopyVerdict::kOk);
  ASSERT_EQ(FreeIt(1, 0), CopyVerdict::kOk);
  ASSERT_EQ(Fetch(1, 5), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  EXPECT_EQ(OwnerNow(1, 0), kOwner);
  EXPECT_EQ(OwnerNow(1, 3), kNext);
  EXPECT_EQ(OwnerNow(1, 5), kNext);
  EXPECT_EQ(Pull(kNext), (Words{"added 1/3 primary 10", "moved 1 term 2 here"}));
}

TEST_F(CopyTableTransfer, ToldIsWhatVisitToldSumsAfterMoves) {
  for (uint64_t object = 1; object <= 4; ++object) ASSERT_EQ(Add(object), CopyVerdict::kOk);
  Pull();
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(2), CopyVerdict::kOk);
  EXPECT_EQ(table_->Told(kOwner).copies, 2u);
  EXPECT_EQ(table_->Told(kNext).copies, 0u) << "not told yet";
  EXPECT_EQ(Visited(kOwner), table_->Told(kOwner));
  EXPECT_EQ(Visited(kNext), table_->Told(kNext));
  Pull(kNext);
  EXPECT_EQ(table_->Told(kNext).copies, 2u);
  EXPECT_EQ(Visited(kNext), table_->Told(kNext));
  ASSERT_EQ(Move(1, 3, kOwner), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(table_->Told(kOwner).copies, 3u);
  EXPECT_EQ(Visited(kOwner), table_->Told(kOwner));
  EXPECT_EQ(Visited(kNext), table_->Told(kNext));
}

TEST_F(CopyTableTransfer, ACopyThatHasMovedIsReportedAgainToItsNewOwnerOnly) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  Pull(kNext);
  EXPECT_EQ(Step(ReportAgain{kOwner, Object(1), 0}), CopyVerdict::kNoChange) << "it was late";
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Step(ReportAgain{kNext, Object(1), 0}), CopyVerdict::kOk);
  EXPECT_EQ(Pull(kNext), Words{"added 1 primary 10"});
}

// --- Several moves -------------------------------------------------------------------------------

TEST_F(CopyTableTransfer, OfTwoMovesInARowTheLaterOwnerHearsOfTheCopy) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 3, kThird), CopyVerdict::kOk);
  EXPECT_EQ(Pull(kNext), Words{"moved 1 term 2 not here"}) << "not for that owner any more";
  EXPECT_EQ(Pull(kThird), (Words{"added 1 primary 10", "moved 1 term 3 here"}));
}

TEST_F(CopyTableTransfer, AnOwnerOfAnEarlierTermTakesNothingBack) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 3, kThird), CopyVerdict::kOk);
  Pull(kThird);
  EXPECT_EQ(Move(1, 2), CopyVerdict::kNoChange);
  EXPECT_EQ(Move(1, 3), CopyVerdict::kNoChange) << "nor one of the same term";
  EXPECT_EQ(MoveBy(kThird, 1, 2), CopyVerdict::kNoChange);
  EXPECT_EQ(OwnerNow(1), kThird);
  EXPECT_EQ(Pull(kNext), (Words{"moved 1 term 2 not here", "moved 1 term 3 not here"}));
  EXPECT_EQ(Pull(kThird), Words{});
}

TEST_F(CopyTableTransfer, AnObjectReturnsToItsFirstOwner) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 3, kOwner), CopyVerdict::kOk);
  EXPECT_EQ(OwnerNow(1), kOwner);
  EXPECT_EQ(Listed(kNext), Words{});
  EXPECT_EQ(Pull(), (Words{"added 1 primary 10", "moved 1 term 3 here"}));
  EXPECT_EQ(FreeIt(1, 0, kOwner, 3), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
  ASSERT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1 term 3"});
}

TEST_F(CopyTableTransfer, TheSameOwnerInALaterTermHearsOfTheCopyAgain) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  ASSERT_EQ(Move(1, 3, kOwner), CopyVerdict::kOk) << "the owner between has not been heard";
  EXPECT_EQ(TermOf(1), 3u);
  EXPECT_EQ(Pull(), (Words{"added 1 primary 10", "moved 1 term 3 here"}));
  EXPECT_EQ(table_->Told(kOwner).copies, 1u);
  EXPECT_EQ(Move(1, 2), CopyVerdict::kNoChange) << "of the owner between";
  EXPECT_EQ(OwnerNow(1), kOwner);
}

// --- The answer ----------------------------------------------------------------------------------

TEST_F(CopyTableTransfer, EachMovedOfTheOwnerItselfIsAnswered) {
  EXPECT_EQ(Move(1), CopyVerdict::kNoChange) << "nothing of it is here";
  EXPECT_EQ(effects_.ready, std::vector<PeerIndex>{kNext});
  EXPECT_EQ(Pull(kNext), Words{"moved 1 term 2 not here"});
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Move(1), CopyVerdict::kOk);
  EXPECT_EQ(Move(1), CopyVerdict::kNoChange);
  EXPECT_EQ(Pull(kNext),
            (Words{"added 1 primary 10", "moved 1 term 2 here", "moved 1 term 2 here"}));
}

TEST_F(CopyTableTransfer, TheWordOfAFormerOwnerIsNotAnswered) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(MoveBy(kOwner, 1), CopyVerdict::kOk);
  EXPECT_EQ(OwnerNow(1), kNext);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Pull(kNext), Words{"added 1 primary 10"});
  EXPECT_EQ(MoveBy(kOwner, 1), CopyVerdict::kNoChange) << "once more, or behind the new owner's";
}

TEST_F(CopyTableTransfer, TheAnswerIsBehindTheReportsOfThatObjectAndWaitsForNoOther) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Add(2), CopyVerdict::kOk);
  ASSERT_EQ(Add(2, 1), CopyVerdict::kOk);
  ASSERT_EQ(Move(2), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  ASSERT_EQ(Add(3, 0, kNext), CopyVerdict::kOk);
  EXPECT_EQ(table_->replies_waiting(kNext), 2u);
  EXPECT_EQ(table_->stats().reports_waiting, 6u);
  WordSink two(2);
  EXPECT_EQ(table_->PullReports(kNext, 10, &two), PullVerdict::kFull);
  EXPECT_EQ(two.words, (Words{"added 2/1 primary 10", "added 2 primary 10"}));
  table_->CheckInvariants();
  WordSink none;
  EXPECT_EQ(table_->PullReports(kNext, 0, &none), PullVerdict::kMore);
  EXPECT_EQ(Pull(kNext), (Words{"moved 2 term 2 here", "added 1 primary 10", "moved 1 term 2 here",
                                "added 3 primary 10"}));
  EXPECT_EQ(table_->replies_waiting(kNext), 0u);
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
}

TEST_F(CopyTableTransfer, TheAnswerSaysWhatIsHereWhenItLeaves) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Add(2), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(2), CopyVerdict::kOk);
  ASSERT_EQ(Drop(1), CopyVerdict::kOk);
  ASSERT_EQ(FreeIt(2, 0, kNext, 2), CopyVerdict::kOk);
  EXPECT_EQ(Pull(kNext),
            (Words{"removed 1", "moved 1 term 2 not here", "moved 2 term 2 not here"}));
}

TEST_F(CopyTableTransfer, AnswersGoWithTheirOwner) {
  ASSERT_EQ(Move(1), CopyVerdict::kNoChange);
  ASSERT_EQ(Move(1, 3, kThird), CopyVerdict::kNoChange);
  ASSERT_EQ(Exclude(1, {kNext}), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().reports_waiting, 1u);
  EXPECT_EQ(Pull(kNext), Words{});
  ASSERT_EQ(Step(SelfExcluded{}), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().reports_waiting, 0u);
}

// --- Whose word counts ---------------------------------------------------------------------------

TEST_F(CopyTableTransfer, AThirdProcessIsRefused) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(MoveBy(kThird, 1), CopyVerdict::kRefused);
  EXPECT_EQ(OwnerNow(1), kOwner);
  EXPECT_EQ(Pull(kNext), Words{});
  EXPECT_EQ(Pull(kThird), Words{});
}

TEST_F(CopyTableTransfer, TheExcludedAreNotHeard) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Exclude(1, {kNext}), CopyVerdict::kOk);
  EXPECT_EQ(Move(1), CopyVerdict::kRefused);
  ASSERT_EQ(Exclude(2, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(MoveBy(kOwner, 1, 2, kThird), CopyVerdict::kRefused) << "by one that is";
  EXPECT_EQ(Move(1, 3, kThird), CopyVerdict::kOk) << "from one that is, before its barrier";
  ASSERT_EQ(Step(SelfExcluded{}), CopyVerdict::kOk);
  EXPECT_EQ(Move(1, 4, kOther), CopyVerdict::kRefused);
  EXPECT_EQ(OwnerNow(1), kThird);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
}

// Who says so need not know yet that the next owner is excluded.
TEST_F(CopyTableTransfer, WhatMovesToAnExcludedOwnerDiesWithIt) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Exclude(1, {kNext}), CopyVerdict::kOk);
  EXPECT_EQ(MoveBy(kOwner, 1), CopyVerdict::kOk);
  EXPECT_EQ(OwnerNow(1), kNext);
  EXPECT_EQ(StateOf(1), CopyState::kHeld);
  ASSERT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  ASSERT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(MoveBy(kOwner, 2), CopyVerdict::kOk) << "behind the barrier";
  EXPECT_EQ(Take(), (Words{"1", "2"}));
}

TEST_F(CopyTableTransfer, TheBarrierOfTheOldOwnerDeletesNothingThatOfTheNewOneDoes) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Add(2), CopyVerdict::kOk);
  ASSERT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  ASSERT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"2"}) << "which has not moved";
  EXPECT_EQ(Pull(kNext), (Words{"added 1 primary 10", "moved 1 term 2 here"}));
  ASSERT_EQ(Exclude(2, {kNext}), CopyVerdict::kOk);
  ASSERT_EQ(Step(Barrier{2}), CopyVerdict::kOk);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
}

TEST_F(CopyTableTransfer, BehindTheBarrierNothingIsRescuedBecauseTheSweepIsLate) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Add(2), CopyVerdict::kOk);
  ASSERT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  ASSERT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(Move(1), CopyVerdict::kNoChange);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
  EXPECT_EQ(Take(), (Words{"1", "2"}));
  EXPECT_EQ(Pull(kNext), Words{"moved 1 term 2 not here"});
}

}  // namespace
}  // namespace freehold::core::copy_testing
