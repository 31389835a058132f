// Who is told, and when.

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

using Kind = LocationUpdate::Kind;
using Fired = std::vector<std::pair<Token, EndReason>>;

Fired FiredOf(const ObjectTableHarness& table) {
  Fired fired;
  for (const FiredCallback& callback : table.effects.fired) {
    fired.emplace_back(callback.token, callback.reason);
  }
  return fired;
}

std::vector<Kind> Kinds(const ObjectTableHarness& table) {
  std::vector<Kind> kinds;
  for (const LocationNotice& notice : table.effects.notices) kinds.push_back(notice.kind);
  return kinds;
}

// --- Moments -------------------------------------------------------------------------------------

TEST(ObjectTableCallbacks, FireInOrderOfRegistrationEachOnce) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  for (Token token = 1; token <= 5; ++token) {
    ASSERT_EQ(table.Register(kA, Moment::kOutOfScope, token, token), Verdict::kOk);
  }
  EXPECT_EQ(table.table.counters().callbacks, 5u);
  table.DropHandle(kA);
  const auto reason = EndReason::kOutOfScope;
  EXPECT_EQ(FiredOf(table),
            (Fired{{1, reason}, {2, reason}, {3, reason}, {4, reason}, {5, reason}}));
  EXPECT_EQ(table.table.counters().callbacks, 0u);
}

TEST(ObjectTableCallbacks, MomentsPassInOrderWhateverTheOrderOfRegistration) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kErased, 1, 13), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kReclaimed, 2, 12), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kOutOfScope, 3, 11), Verdict::kOk);
  const auto reason = EndReason::kOutOfScope;
  table.DropHandle(kA);
  EXPECT_EQ(FiredOf(table), (Fired{{11, reason}}));
  table.Pull(kN0);
  ASSERT_EQ(table.Answer(kA, kN0, FreeResult::kDoomed), Verdict::kOk);
  EXPECT_TRUE(FiredOf(table).empty()) << "the bytes are still there";
  ASSERT_EQ(table.Answer(kA, kN0), Verdict::kOk);
  EXPECT_EQ(FiredOf(table), (Fired{{12, reason}, {13, reason}}));
}

TEST(ObjectTableCallbacks, WithoutCopiesAllMomentsPassAtOnce) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kErased, 1, 13), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kReclaimed, 2, 12), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kOutOfScope, 3, 11), Verdict::kOk);
  table.DropHandle(kA);
  const auto reason = EndReason::kOutOfScope;
  EXPECT_EQ(FiredOf(table), (Fired{{11, reason}, {12, reason}, {13, reason}}));
}

TEST(ObjectTableCallbacks, EachMomentIsRefusedOnceItHasPassed) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  table.DropHandle(kA);
  EXPECT_EQ(table.Register(kA, Moment::kOutOfScope, 1, 1), Verdict::kMomentPassed);
  EXPECT_EQ(table.Register(kA, Moment::kReclaimed, 2, 2), Verdict::kOk);
  EXPECT_EQ(table.Register(kA, Moment::kErased, 3, 3), Verdict::kOk);
  table.Pull(kN0);
  ASSERT_EQ(table.Answer(kA, kN0), Verdict::kOk);
  EXPECT_EQ(FiredOf(table).size(), 2u);
  EXPECT_EQ(table.Register(kA, Moment::kErased, 4, 4), Verdict::kNotFound);
}

TEST(ObjectTableCallbacks, ExplicitFreeFiresWithItsReasonAndTheRealEndNotAgain) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kOutOfScope, 1, 1), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kReclaimed, 2, 2), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  EXPECT_EQ(FiredOf(table), (Fired{{1, EndReason::kFreed}}));
  EXPECT_EQ(table.Register(kA, Moment::kOutOfScope, 3, 3), Verdict::kMomentPassed);
  table.Pull(kN0);
  ASSERT_EQ(table.Answer(kA, kN0), Verdict::kOk);
  EXPECT_EQ(FiredOf(table), (Fired{{2, EndReason::kFreed}}));
  EXPECT_EQ(table.Register(kA, Moment::kReclaimed, 4, 4), Verdict::kMomentPassed);
  EXPECT_EQ(table.Register(kA, Moment::kErased, 5, 5), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kUnchanged);
  EXPECT_TRUE(FiredOf(table).empty());
  table.DropHandle(kA);
  EXPECT_EQ(FiredOf(table), (Fired{{5, EndReason::kFreed}}));
}

TEST(ObjectTableCallbacks, AreAcceptedAgainOnceTheValueIsMadeAgain) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kOutOfScope, 1, 1), Verdict::kMomentPassed);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kOutOfScope, 2, 2), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kReclaimed, 3, 3), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN0, 1), Verdict::kOk);
  table.DropHandle(kA);
  EXPECT_EQ(FiredOf(table), (Fired{{2, EndReason::kOutOfScope}}));
  table.Pull(kN0);
  ASSERT_EQ(table.Answer(kA, kN0, FreeResult::kDeleted, 1), Verdict::kOk);
  EXPECT_EQ(FiredOf(table), (Fired{{3, EndReason::kOutOfScope}}));
}

TEST(ObjectTableCallbacks, ReclaimedWaitsForTheCopiesOfEveryGeneration) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kReclaimed, 1, 1), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1, 1), Verdict::kOk);
  table.Pull(kN0);
  table.DropHandle(kA);
  table.Pull(kN1);
  ASSERT_EQ(table.Answer(kA, kN1, FreeResult::kDeleted, 1), Verdict::kOk);
  EXPECT_TRUE(FiredOf(table).empty()) << "generation 0 is still on node 0";
  EXPECT_EQ(table.Register(kA, Moment::kReclaimed, 2, 2), Verdict::kOk) << "so it has not passed";
  ASSERT_EQ(table.Answer(kA, kN0, FreeResult::kDeleted, 0), Verdict::kOk);
  EXPECT_EQ(FiredOf(table).size(), 2u);
  EXPECT_EQ(table.Find(kA), nullptr);
}

TEST(ObjectTableCallbacks, ReclaimedIsNotForACopyThatGoesWhileTheObjectIsInUse) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kReclaimed, 1, 1), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kN0), Verdict::kOk);
  EXPECT_TRUE(FiredOf(table).empty()) << "lost is not ended";
  ASSERT_EQ(table.Register(kA, Moment::kReclaimed, 2, 2), Verdict::kOk);
  table.DropHandle(kA);
  EXPECT_EQ(FiredOf(table).size(), 2u);
}

TEST(ObjectTableCallbacks, AnExcludedNodeReclaimsWhatItHeld) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kReclaimed, 1, 1), Verdict::kOk);
  table.DropHandle(kA);
  ASSERT_FALSE(table.Exclude(kN0));
  EXPECT_EQ(FiredOf(table).size(), 1u);
  EXPECT_EQ(table.Find(kA), nullptr);
}

// --- Cancelling ----------------------------------------------------------------------------------

TEST(ObjectTableCallbacks, ACancelledOneNeverFiresAndGivesItsTokenBackOnce) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  for (Token token = 1; token <= 3; ++token) {
    ASSERT_EQ(table.Register(kA, Moment::kOutOfScope, token, token + 100), Verdict::kOk);
  }
  Token token = 0;
  ASSERT_EQ(table.Cancel(kA, 2, &token), Verdict::kOk);
  EXPECT_EQ(token, 102u);
  EXPECT_EQ(table.Cancel(kA, 2, &token), Verdict::kNotFound);
  table.DropHandle(kA);
  const auto reason = EndReason::kOutOfScope;
  EXPECT_EQ(FiredOf(table), (Fired{{101, reason}, {103, reason}}));
}

TEST(ObjectTableCallbacks, WhatHasFiredCannotBeCancelled) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.Register(kA, Moment::kOutOfScope, 1, 1), Verdict::kOk);
  table.DropHandle(kA);
  Token token = 0;
  EXPECT_EQ(table.Cancel(kA, 1, &token), Verdict::kNotFound);
  EXPECT_EQ(token, 0u);
}

TEST(ObjectTableCallbacks, AtTheEndOfTheWorldEveryTokenIsHandedBack) {
  ObjectTableHarness table;
  for (uint64_t object = 0; object < 20; ++object) {
    ASSERT_EQ(table.Declare(object), Verdict::kOk);
    ASSERT_EQ(table.Register(object, Moment::kErased, 1, 3 * object), Verdict::kOk);
    ASSERT_EQ(table.Register(object, Moment::kOutOfScope, 2, 3 * object + 1), Verdict::kOk);
    ASSERT_EQ(table.Subscribe(object, 3, 3 * object + 2), Verdict::kOk);
  }
  std::vector<Token> tokens = table.table.TakeAllTokens();
  std::sort(tokens.begin(), tokens.end());
  ASSERT_EQ(tokens.size(), 60u);
  for (Token token = 0; token < 60; ++token) EXPECT_EQ(tokens[token], token);
  EXPECT_EQ(table.table.counters().callbacks, 0u);
  EXPECT_TRUE(table.table.TakeAllTokens().empty());
  table.DropHandle(3);
  EXPECT_TRUE(FiredOf(table).empty());
  EXPECT_TRUE(table.effects.notices.empty());
}

// --- Subscriptions -------------------------------------------------------------------------------

TEST(ObjectTableCallbacks, ASubscriptionBeginsWithASnapshotOfWhatIsHeld) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0, 64), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1), Verdict::kOk);
  ASSERT_EQ(table.Subscribe(kA, 1, 7), Verdict::kOk);
  ASSERT_EQ(table.effects.notices.size(), 1u);
  const LocationNotice& notice = table.effects.notices[0];
  EXPECT_EQ(notice.kind, Kind::kSnapshot);
  EXPECT_EQ(notice.token, 7u);
  EXPECT_EQ(notice.object, ObjectId::FromNumber(kA));
  EXPECT_EQ(notice.state, ObjectState::kAvailable);
  EXPECT_EQ(notice.size, 64u);
  EXPECT_EQ(notice.copies.size(), 2u);
}

TEST(ObjectTableCallbacks, ASnapshotOfAFreedObjectShowsNoCopies) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  ASSERT_EQ(table.Subscribe(kA, 1, 7), Verdict::kOk);
  EXPECT_EQ(table.effects.notices.at(0).state, ObjectState::kFreed);
  EXPECT_TRUE(table.effects.notices.at(0).copies.empty());
}

TEST(ObjectTableCallbacks, ASubscriberHearsTheLifeOfAnObjectInOrder) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.Subscribe(kA, 1, 7), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN0), Verdict::kOk);
  EXPECT_EQ(Kinds(table), (std::vector<Kind>{Kind::kState, Kind::kChanged}));
  EXPECT_EQ(table.effects.notices[1].copy.node, kN0);
  ASSERT_EQ(table.SetLocation(kA, kN1), Verdict::kOk);
  EXPECT_EQ(Kinds(table), std::vector<Kind>{Kind::kChanged});
  ASSERT_EQ(table.RemoveLocation(kA, kN1), Verdict::kOk);
  EXPECT_EQ(Kinds(table), std::vector<Kind>{Kind::kRemoved});
  EXPECT_EQ(table.effects.notices[0].copy.node, kN1);
  ASSERT_FALSE(table.Exclude(kN0));
  EXPECT_EQ(Kinds(table), (std::vector<Kind>{Kind::kRemoved, Kind::kState}));
  EXPECT_EQ(table.effects.notices[1].state, ObjectState::kLost);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  EXPECT_EQ(Kinds(table), std::vector<Kind>{Kind::kState});
  EXPECT_EQ(table.effects.notices[0].generation, 1u);
  table.DropHandle(kA);
  EXPECT_EQ(Kinds(table), std::vector<Kind>{Kind::kGone});
  EXPECT_EQ(table.effects.notices[0].state, ObjectState::kOutOfScope);
  EXPECT_EQ(table.table.counters().callbacks, 0u);
}

TEST(ObjectTableCallbacks, CopiesThatAreBeingDeletedAreNoNewsAnyMore) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1), Verdict::kOk);
  ASSERT_EQ(table.Subscribe(kA, 1, 7), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  EXPECT_EQ(Kinds(table), std::vector<Kind>{Kind::kState}) << "kFreed speaks for all of them";
  ASSERT_EQ(table.RemoveLocation(kA, kN1), Verdict::kOk);
  EXPECT_TRUE(table.effects.notices.empty());
  table.Pull(kN0);
  ASSERT_EQ(table.Answer(kA, kN0), Verdict::kOk);
  EXPECT_TRUE(table.effects.notices.empty());
}

TEST(ObjectTableCallbacks, ACancelledSubscriberHearsNothingMore) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  ASSERT_EQ(table.Subscribe(kA, 1, 7), Verdict::kOk);
  ASSERT_EQ(table.Subscribe(kA, 2, 8), Verdict::kOk);
  Token token = 0;
  ASSERT_EQ(table.Cancel(kA, 1, &token), Verdict::kOk);
  EXPECT_EQ(token, 7u);
  ASSERT_EQ(table.SetLocation(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.effects.notices.size(), 2u);
  for (const LocationNotice& notice : table.effects.notices) EXPECT_EQ(notice.token, 8u);
  table.DropHandle(kA);
  ASSERT_EQ(table.effects.notices.size(), 1u);
  EXPECT_EQ(table.effects.notices[0].token, 8u);
}

}  // namespace
}  // namespace freehold::core
