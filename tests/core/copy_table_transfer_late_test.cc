// What is late, or under way, when an object moves to another owner: frees, moves of the primary,
// and what the host believes.

#include <vector>

#include "gtest/gtest.h"
#include "tests/core/copy_table_transfer_testing.h"

namespace freehold::core::copy_testing {
namespace {

// --- Frees ---------------------------------------------------------------------------------------

TEST_F(CopyTableTransfer, ALateFreeOfTheOldOwnerIsAnsweredUnknown) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kUnknown);
  EXPECT_EQ(StateOf(1), CopyState::kHeld);
  EXPECT_EQ(table_->stats().frees_unknown, 1u);
  EXPECT_EQ(table_->stats().frees_refused, 0u);
  EXPECT_EQ(Pull(), Words{"unknown 1"});
}

TEST_F(CopyTableTransfer, AFreeOfAnotherIsRefusedWhileNothingHasMoved) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 0, kOther), CopyVerdict::kRefused);
  EXPECT_EQ(table_->stats().frees_refused, 1u);
  EXPECT_EQ(StateOf(1), CopyState::kHeld);
}

// The next owner's Free may come before anybody has told this node of it.
TEST_F(CopyTableTransfer, AFreeOfALaterTermIsAnsweredAndTouchesNothing) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 0, kOther, 2), CopyVerdict::kUnknown);
  EXPECT_EQ(table_->stats().frees_refused, 0u);
  EXPECT_EQ(StateOf(1), CopyState::kHeld);
  EXPECT_EQ(OwnerNow(1), kOwner);
  EXPECT_EQ(Pull(kOther), Words{"unknown 1 term 2"});
}

TEST_F(CopyTableTransfer, AFreeOfAnotherIsAnsweredOnceTheRecordedOwnerIsExcluded) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 0, kOther), CopyVerdict::kUnknown);
  EXPECT_EQ(StateOf(1), CopyState::kHeld);
  EXPECT_EQ(Pull(kOther), Words{"unknown 1"});
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
}

TEST_F(CopyTableTransfer, AFreeWithoutATermOfItsOwnerLowersNoTerm) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Read(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 3), CopyVerdict::kOk);
  EXPECT_EQ(FreeIt(1, 0, kNext), CopyVerdict::kDoomed) << "it has forgotten the object";
  EXPECT_EQ(TermOf(1), 3u);
}

// --- Copies --------------------------------------------------------------------------------------

TEST_F(CopyTableTransfer, ACopyThatComesBeforeTheAnswerIsOfTheTermThatIsAnsweredWhenItIsReported) {
  ASSERT_EQ(Move(1), CopyVerdict::kNoChange);
  ASSERT_EQ(Move(2), CopyVerdict::kNoChange);
  ASSERT_EQ(Add(2, 0, kNext), CopyVerdict::kOk) << "a host knows no term";
  ASSERT_EQ(Add(1, 0, kNext), CopyVerdict::kOk);
  EXPECT_EQ(Pull(kNext), (Words{"added 2 primary 10", "added 1 primary 10", "moved 1 term 2 here",
                                "added 2 primary 10", "moved 2 term 2 here"}))
      << "what was told before the answer that is next is told again";
  EXPECT_EQ(TermOf(1), 2u);
  EXPECT_EQ(TermOf(2), 2u);
  EXPECT_EQ(table_->Told(kNext), Visited(kNext));
}

// --- Moves of the primary ------------------------------------------------------------------------

TEST_F(CopyTableTransfer, AMoveOfThePrimaryIsAskedAgainOfTheNewOwner) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(AskPrimary(1, 4), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), (Words{"added 1 primary 10", "move 1 from 9 as 4"}));
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kMoving);
  EXPECT_EQ(Answer(kNext, 4), CopyVerdict::kNoChange) << "not asked yet";
  EXPECT_EQ(Answer(kOwner, 4), CopyVerdict::kNoChange) << "it was on its way";
  EXPECT_EQ(Pull(kNext),
            (Words{"added 1 primary 10", "moved 1 term 2 here", "move 1 from 9 as 4 term 2"}));
  EXPECT_EQ(Answer(kNext, 4), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
}

TEST_F(CopyTableTransfer, AMoveThatHasNotLeftIsNotAskedOfTheOldOwner) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(AskPrimary(1, 4), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{});
  ASSERT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  ASSERT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_TRUE(effects_.moves.empty()) << "the old owner's barrier ends it no more";
  EXPECT_EQ(Pull(kNext).back(), "move 1 from 9 as 4 term 2");
}

TEST_F(CopyTableTransfer, AMoveOfACopyThatHasGoneIsAskedAgainToo) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(AskPrimary(1, 4), CopyVerdict::kOk);
  ASSERT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
  ASSERT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), (Words{"deleted 1", "move 1 from 9 as 4"}));
  EXPECT_EQ(MoveBy(kThird, 1), CopyVerdict::kRefused);
  EXPECT_EQ(MoveBy(kOwner, 1), CopyVerdict::kOk) << "that is its answer";
  EXPECT_EQ(Pull(kNext), Words{"move 1 from 9 as 4 term 2"});
  EXPECT_EQ(Answer(kNext, 4, MoveAnswer::kRefused), CopyVerdict::kOk);
  EXPECT_EQ(table_->stats().moves, 0u);
}

TEST_F(CopyTableTransfer, AWordOfTheOldOwnerAboutThePrimaryIsLate) {
  ASSERT_EQ(Fetch(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  EXPECT_EQ(Answer(kOwner, 0, MoveAnswer::kPromoted), CopyVerdict::kNoChange);
  EXPECT_EQ(Answer(kOwner, 0, MoveAnswer::kEvictFirst), CopyVerdict::kNoChange);
  EXPECT_TRUE(effects_.promoted.empty() && effects_.evict_first.empty());
}

// --- The host's word is older --------------------------------------------------------------------

TEST_F(CopyTableTransfer, AHostThatNamesTheOldOwnerMeansTheNewOne) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1, 0, kOther), CopyVerdict::kOtherOwner) << "nothing has moved";
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kAlreadyHere);
  EXPECT_EQ(Fetch(1), CopyVerdict::kAlreadyHere);
  ASSERT_EQ(FreeIt(1, 0, kNext, 2), CopyVerdict::kOk);
  EXPECT_EQ(Add(1), CopyVerdict::kFreed);
  Pull(kNext);
  EXPECT_EQ(Take(), Words{"1"});
  ASSERT_EQ(Succeed(1), CopyVerdict::kOk);
  ASSERT_EQ(Fetch(1), CopyVerdict::kOk) << "its result has not been told yet";
  EXPECT_EQ(OwnerNow(1), kNext);
  EXPECT_EQ(TermOf(1), 2u);
}

TEST_F(CopyTableTransfer, ANewGenerationBelongsToWhomTheObjectHasMovedTo) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  Pull(kNext);
  ASSERT_EQ(Add(1, 1), CopyVerdict::kOk);
  EXPECT_EQ(OwnerNow(1, 1), kNext);
  EXPECT_EQ(TermOf(1, 1), 2u);
  ASSERT_EQ(Fetch(1, 2, kNext), CopyVerdict::kOk);
  EXPECT_EQ(TermOf(1, 2), 2u);
  EXPECT_EQ(Pull(kNext), Words{"added 1/1 primary 10"});
  EXPECT_EQ(Pull(), Words{});
  ASSERT_EQ(Add(2), CopyVerdict::kOk);
  EXPECT_EQ(OwnerNow(2), kOwner) << "of another object it says nothing";
  EXPECT_EQ(TermOf(2), kFirstTerm);
}

TEST_F(CopyTableTransfer, WhatAnExcludedOwnerWouldHaveHeardKeepsNoKeyForIt) {
  ASSERT_EQ(Add(1, 0), CopyVerdict::kOk);
  ASSERT_EQ(Add(1, 1), CopyVerdict::kOk);
  Pull();
  ASSERT_EQ(Drop(1, 0), CopyVerdict::kOk);
  ASSERT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  ASSERT_EQ(Move(1), CopyVerdict::kOk);
  ASSERT_EQ(Add(1, 0), CopyVerdict::kOk) << "before the sweep";
  EXPECT_EQ(OwnerNow(1, 0), kNext);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
}

}  // namespace
}  // namespace freehold::core::copy_testing
