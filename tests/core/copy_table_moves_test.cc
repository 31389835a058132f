// Moves of the primary, seen from the node that asks: pinned until answered, in every order.

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/copy_table_testing.h"

namespace freehold::core::copy_testing {
namespace {

using copy_event::MoveAnswered;
using copy_event::MovePrimary;

class CopyTableMoves : public CopyTableTest {
 protected:
  CopyVerdict AddSecondary(uint64_t object, uint32_t generation = 0) {
    return Step(AddCopy{Object(object), generation, kOwner, CopyRole::kSecondary, 10});
  }
  CopyVerdict Move(uint64_t object, uint64_t number, uint32_t generation = 0) {
    return Step(MovePrimary{Object(object), generation, NodeId::FromNumber(9), number});
  }
  CopyVerdict Answer(MoveAnswer answer, uint64_t object, uint64_t number, uint32_t generation = 0,
                     PeerIndex from = kOwner) {
    return Step(MoveAnswered{from, Object(object), generation, number, answer, NodeId()});
  }
  CopyRole RoleOf(uint64_t object) const { return table_->Find(Object(object), 0)->role; }
  // "1 moved", of all that ended since the last call.
  Words Ended() {
    Words ended;
    for (const EndedMove& move : effects_.moves) {
      ended.push_back(std::to_string(move.number) + " " +
                      std::to_string(static_cast<int>(move.result.outcome)));
    }
    effects_.moves.clear();
    return ended;
  }
  static std::string End(uint64_t number, MoveOutcome outcome) {
    return std::to_string(number) + " " + std::to_string(static_cast<int>(outcome));
  }
};

TEST_F(CopyTableMoves, TheOwnerHearsOfTheCopyBeforeItIsAskedToMoveThePrimaryThere) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 4), CopyVerdict::kOk);
  EXPECT_EQ(effects_.ready, std::vector<PeerIndex>{kOwner});
  EXPECT_EQ(Pull(), (Words{"added 1 secondary 10", "move 1 from 9 as 4"}));
  EXPECT_EQ(Pull(), Words{});
}

TEST_F(CopyTableMoves, AMoveAloneMakesTheOwnerReady) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  Pull();
  effects_.ready.clear();
  ASSERT_EQ(Move(1, 4), CopyVerdict::kOk);
  EXPECT_EQ(effects_.ready, std::vector<PeerIndex>{kOwner});
  // What follows while it waits does not.
  ASSERT_EQ(Spill(1, "f", true), CopyVerdict::kOk);
  ASSERT_EQ(FreeIt(2), CopyVerdict::kUnknown);
  EXPECT_EQ(effects_.ready, std::vector<PeerIndex>{kOwner});
}

TEST_F(CopyTableMoves, ItWaitsWhileTheSinkIsFull) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 4), CopyVerdict::kOk);
  WordSink one(1);
  EXPECT_EQ(table_->PullReports(kOwner, 10, &one), PullVerdict::kFull);
  WordSink bounded;
  EXPECT_EQ(table_->PullReports(kOwner, 0, &bounded), PullVerdict::kMore);
  EXPECT_EQ(Pull(), Words{"move 1 from 9 as 4"});
}

TEST_F(CopyTableMoves, TheStoreMayNotDropACopyThatMoves) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 4), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kMoving);
  Pull();
  EXPECT_EQ(Drop(1), CopyVerdict::kMoving) << "asked, not answered";
  ASSERT_EQ(Answer(MoveAnswer::kMoved, 1, 4), CopyVerdict::kOk);
  EXPECT_EQ(Ended(), Words{End(4, MoveOutcome::kMoved)});
  EXPECT_EQ(RoleOf(1), CopyRole::kPrimary);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
}

TEST_F(CopyTableMoves, WhoComesTooLateStaysASecondary) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 4), CopyVerdict::kOk);
  Pull();
  const NodeId winner = NodeId::FromNumber(8);
  ASSERT_EQ(Step(MoveAnswered{kOwner, Object(1), 0, 4, MoveAnswer::kSecondary, winner}),
            CopyVerdict::kOk);
  ASSERT_EQ(effects_.moves.size(), 1u);
  EXPECT_EQ(effects_.moves[0].result.primary, winner);
  EXPECT_EQ(Ended(), Words{End(4, MoveOutcome::kSecondary)});
  EXPECT_EQ(RoleOf(1), CopyRole::kSecondary);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
}

TEST_F(CopyTableMoves, OnlyACopyThatIsHeldCanMove) {
  for (const CopyState state : kAllStates) {
    Make({});
    effects_ = CopyEffects();
    Bring(state);
    const CopyVerdict verdict = Move(1, 4);
    SCOPED_TRACE(CopyStateName(state));
    switch (state) {
      case CopyState::kHeld:
        EXPECT_EQ(verdict, CopyVerdict::kOk);
        EXPECT_EQ(Move(1, 5), CopyVerdict::kMoving);
        break;
      case CopyState::kGone:
        EXPECT_EQ(verdict, CopyVerdict::kNotHere);
        break;
      case CopyState::kFetching:
        EXPECT_EQ(verdict, CopyVerdict::kStillFetching);
        break;
      default:
        EXPECT_EQ(verdict, CopyVerdict::kFreed);
    }
  }
}

TEST_F(CopyTableMoves, AFreeTakesACopyThatMovesAndTheAnswerEndsTheMove) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 4), CopyVerdict::kOk);
  ASSERT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
  ASSERT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), (Words{"deleted 1", "move 1 from 9 as 4"}));
  EXPECT_EQ(table_->stats().moves, 1u);
  ASSERT_EQ(Answer(MoveAnswer::kRefused, 1, 4), CopyVerdict::kOk);
  EXPECT_EQ(Ended(), Words{End(4, MoveOutcome::kRefused)});
  EXPECT_EQ(table_->stats().moves, 0u);
}

TEST_F(CopyTableMoves, AnAnswerToAnEarlierLifeOfTheKeyLeavesTheNewOneAlone) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 4), CopyVerdict::kOk);
  ASSERT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Take(), Words{"1"});
  ASSERT_EQ(Succeed(1), CopyVerdict::kOk);
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 5), CopyVerdict::kOk);
  Pull();
  ASSERT_EQ(Answer(MoveAnswer::kMoved, 1, 4), CopyVerdict::kOk);
  EXPECT_EQ(RoleOf(1), CopyRole::kSecondary);
  EXPECT_EQ(Drop(1), CopyVerdict::kMoving) << "the second move is still under way";
  ASSERT_EQ(Answer(MoveAnswer::kMoved, 1, 5), CopyVerdict::kOk);
  EXPECT_EQ(RoleOf(1), CopyRole::kPrimary);
}

TEST_F(CopyTableMoves, AnAnswerThatFitsNoMoveChangesNothing) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 4), CopyVerdict::kOk);
  EXPECT_EQ(Answer(MoveAnswer::kMoved, 1, 4), CopyVerdict::kRefused) << "not asked yet";
  Pull();
  EXPECT_EQ(Answer(MoveAnswer::kMoved, 1, 5), CopyVerdict::kRefused) << "another number";
  EXPECT_EQ(Answer(MoveAnswer::kMoved, 2, 4), CopyVerdict::kRefused) << "another object";
  EXPECT_EQ(Answer(MoveAnswer::kMoved, 1, 4, 1), CopyVerdict::kRefused) << "another generation";
  EXPECT_EQ(Answer(MoveAnswer::kMoved, 1, 4, 0, kOther), CopyVerdict::kRefused);
  EXPECT_EQ(RoleOf(1), CopyRole::kSecondary);
  ASSERT_EQ(Answer(MoveAnswer::kMoved, 1, 4), CopyVerdict::kOk);
  EXPECT_EQ(Answer(MoveAnswer::kMoved, 1, 4), CopyVerdict::kRefused) << "twice";
}

TEST_F(CopyTableMoves, ASecondaryIsPromotedAndItsHostIsTold) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(Answer(MoveAnswer::kPromoted, 1, 0), CopyVerdict::kOk);
  EXPECT_EQ(RoleOf(1), CopyRole::kPrimary);
  ASSERT_EQ(effects_.promoted.size(), 1u);
  EXPECT_EQ(effects_.promoted[0].object, Object(1));
  EXPECT_EQ(Answer(MoveAnswer::kPromoted, 1, 0), CopyVerdict::kNoChange) << "it is so already";
  EXPECT_EQ(Answer(MoveAnswer::kPromoted, 1, 0, 0, kOther), CopyVerdict::kNoChange);
  EXPECT_EQ(Answer(MoveAnswer::kPromoted, 7, 0), CopyVerdict::kNoChange) << "it has gone";
}

TEST_F(CopyTableMoves, AFreedCopyIsNotPromoted) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Answer(MoveAnswer::kPromoted, 1, 0), CopyVerdict::kNoChange);
  EXPECT_TRUE(effects_.promoted.empty());
}

TEST_F(CopyTableMoves, AnOwnersBarrierEndsWhatItWasAsked) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(AddSecondary(2), CopyVerdict::kOk);
  ASSERT_EQ(Step(AddCopy{Object(3), 0, kOther, CopyRole::kSecondary, 10}), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 4), CopyVerdict::kOk);
  ASSERT_EQ(Move(3, 5), CopyVerdict::kOk);
  ASSERT_EQ(Exclude(1, {kOwner}), CopyVerdict::kOk);
  EXPECT_EQ(Ended(), Words{}) << "it may have recorded the move";
  EXPECT_EQ(Drop(1), CopyVerdict::kMoving);
  EXPECT_EQ(Answer(MoveAnswer::kMoved, 1, 4), CopyVerdict::kRefused) << "fenced";
  ASSERT_EQ(Move(2, 6), CopyVerdict::kOk) << "taken, and never sent";
  EXPECT_EQ(Pull(), Words{});
  ASSERT_EQ(Step(Barrier{1}), CopyVerdict::kOk);
  EXPECT_EQ(Ended(), (Words{End(4, MoveOutcome::kOwnerDied), End(6, MoveOutcome::kOwnerDied)}));
  EXPECT_EQ(Move(1, 7), CopyVerdict::kFreed);
  EXPECT_EQ(Pull(kOther), (Words{"added 3 secondary 10", "move 3 from 9 as 5"}));
}

TEST_F(CopyTableMoves, AnExcludedNodeGivesUpWhatItAsked) {
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  ASSERT_EQ(Move(1, 4), CopyVerdict::kOk);
  ASSERT_EQ(Step(SelfExcluded{}), CopyVerdict::kOk);
  EXPECT_EQ(Ended(), Words{End(4, MoveOutcome::kAbandoned)});
  EXPECT_EQ(Move(1, 5), CopyVerdict::kRefused);
  EXPECT_EQ(SweepAll(), CopyVerdict::kOk);
}

// --- Evict first ---------------------------------------------------------------------------------

TEST_F(CopyTableMoves, TheStoreIsToldOnceThatACopyMayBeEvictedFirst) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  EXPECT_EQ(Answer(MoveAnswer::kEvictFirst, 1, 0), CopyVerdict::kOk);
  ASSERT_EQ(effects_.evict_first.size(), 1u);
  EXPECT_EQ(effects_.evict_first[0].object, Object(1));
  EXPECT_EQ(effects_.evict_first[0].size, 10u);
  EXPECT_EQ(RoleOf(1), CopyRole::kSecondary);
  EXPECT_EQ(Answer(MoveAnswer::kEvictFirst, 1, 0), CopyVerdict::kNoChange);
  EXPECT_EQ(effects_.evict_first.size(), 1u);
  EXPECT_EQ(Read(1), CopyVerdict::kOk);
  EXPECT_EQ(Unread(1), CopyVerdict::kOk);
  EXPECT_EQ(Drop(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"removed 1"});
}

TEST_F(CopyTableMoves, AnotherLifeOfTheKeyIsAnotherCopyToEvict) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  Pull();
  ASSERT_EQ(Answer(MoveAnswer::kEvictFirst, 1, 0), CopyVerdict::kOk);
  ASSERT_EQ(Drop(1), CopyVerdict::kOk);
  ASSERT_EQ(AddSecondary(1), CopyVerdict::kOk);
  EXPECT_EQ(Answer(MoveAnswer::kEvictFirst, 1, 0), CopyVerdict::kOk);
  EXPECT_EQ(effects_.evict_first.size(), 2u);
}

TEST_F(CopyTableMoves, WhatIsNotHeldForThatOwnerIsNotToBeEvicted) {
  ASSERT_EQ(Add(1), CopyVerdict::kOk);
  EXPECT_EQ(Answer(MoveAnswer::kEvictFirst, 1, 0, 0, kOther), CopyVerdict::kNoChange);
  EXPECT_EQ(Answer(MoveAnswer::kEvictFirst, 2, 0), CopyVerdict::kNoChange) << "not here";
  EXPECT_EQ(Answer(MoveAnswer::kEvictFirst, 1, 0, 1), CopyVerdict::kNoChange) << "a newer value";
  ASSERT_EQ(FreeIt(1), CopyVerdict::kOk);
  EXPECT_EQ(Answer(MoveAnswer::kEvictFirst, 1, 0), CopyVerdict::kNoChange) << "freed";
  ASSERT_EQ(Fetch(3), CopyVerdict::kOk);
  EXPECT_EQ(Answer(MoveAnswer::kEvictFirst, 3, 0), CopyVerdict::kNoChange) << "not here yet";
  EXPECT_TRUE(effects_.evict_first.empty());
}

}  // namespace
}  // namespace freehold::core::copy_testing
