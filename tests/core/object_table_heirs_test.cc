// ObjectTable: heirs, at the owner.

#include <string>
#include <vector>

#include "tests/core/object_table_heirs_testing.h"

namespace freehold::core::heirs_testing {
namespace {

TEST_F(ObjectTableHeirs, TheHeirIsSentWhatTheOwnerKnows) {
  Declare();
  ASSERT_EQ(Register(kFirst), Verdict::kOk);
  EXPECT_EQ(Pull(kFirst), Sent{"registered 1 answer 0"});
  ASSERT_EQ(Report(kOtherNode), Verdict::kOk);
  ASSERT_EQ(Name(), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 1 t2 g0 state 1 primary 20 node 21 process 3"});
  EXPECT_TRUE(notices_.empty());
  EXPECT_EQ(Ack(1), Verdict::kOk);
  EXPECT_EQ(notices_, std::vector<HeirOutcome>{HeirOutcome::kPrepared});
  EXPECT_EQ(Ack(1), Verdict::kUnchanged);
  EXPECT_EQ(table_.counters().heirs_prepared, 1u);
  EXPECT_EQ(Pull(kHeir), Sent{});
}

TEST_F(ObjectTableHeirs, ChangesAreSentOneSnapshotAtATime) {
  Declare();
  ASSERT_EQ(Name(), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 1 t2 g0 state 1 primary 20"});
  ASSERT_EQ(Report(kOtherNode), Verdict::kOk);
  ASSERT_EQ(Report(kOtherNode + 1), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{}) << "the first one is not answered";
  ASSERT_EQ(Ack(1), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 3 t2 g0 state 1 primary 20 node 21 node 22"});
  ASSERT_EQ(Ack(3), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{});
  ASSERT_EQ(Step(event::RemoveLocation{key(), kOtherNode, 0, true}), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 4 t2 g0 state 1 primary 20 node 22"});
}

TEST_F(ObjectTableHeirs, StateAndGenerationAreSentAndCopiesThatAreToGoAreNot) {
  Declare();
  Prepare();
  ASSERT_EQ(Step(event::FreeExplicitly{key()}), Verdict::kOk);
  Sent sent = Pull(kHeir);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].substr(sent[0].find(" t2")), " t2 g0 state 2");
  ASSERT_EQ(Ack(2), Verdict::kOk);
  EXPECT_EQ(Pull(kNode), Sent{"free"});
  ASSERT_EQ(Step(event::Recreate{key()}), Verdict::kOk);
  sent = Pull(kHeir);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].substr(sent[0].find(" t2")), " t2 g1 state 0");
}

TEST_F(ObjectTableHeirs, ARegistrationIsAnsweredWhenTheHeirKnowsOfTheBorrower) {
  Declare();
  Prepare();
  ASSERT_EQ(Register(kFirst, 5), Verdict::kOk);
  EXPECT_EQ(Pull(kFirst), Sent{});
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 2 t2 g0 state 1 primary 20 process 3"});
  ASSERT_EQ(Register(kSecond, 6), Verdict::kOk);
  ASSERT_EQ(Ack(2), Verdict::kOk);
  EXPECT_EQ(Pull(kFirst), Sent{"registered 5 answer 0"});
  EXPECT_EQ(Pull(kSecond), Sent{}) << "that snapshot did not list it";
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 3 t2 g0 state 1 primary 20 process 3 process 4"});
  ASSERT_EQ(Ack(3), Verdict::kOk);
  EXPECT_EQ(Pull(kSecond), Sent{"registered 6 answer 0"});
  // Who is known to the heir is answered at once.
  ASSERT_EQ(Register(kFirst, 8), Verdict::kOk);
  EXPECT_EQ(Pull(kFirst), Sent{"registered 8 answer 0"});
  EXPECT_EQ(Pull(kHeir), Sent{});
}

TEST_F(ObjectTableHeirs, BeforeItIsPreparedTheHeirIsWaitedForAsWell) {
  Declare();
  ASSERT_EQ(Name(), Verdict::kOk);
  EXPECT_EQ(Pull(kHeir).size(), 1u);
  ASSERT_EQ(Register(kFirst), Verdict::kOk);
  ASSERT_EQ(Ack(1), Verdict::kOk);
  EXPECT_EQ(Pull(kFirst), Sent{});
  EXPECT_EQ(Pull(kHeir).size(), 1u);
  ASSERT_EQ(Ack(2), Verdict::kOk);
  EXPECT_EQ(Pull(kFirst).size(), 1u);
}

TEST_F(ObjectTableHeirs, APrimaryMovesWhenTheHeirKnowsOfTheCopy) {
  Declare();
  Prepare();
  ASSERT_EQ(Report(kOtherNode), Verdict::kOk);
  ASSERT_EQ(Step(event::MovePrimary{key(), kOtherNode, 0, 9, kNode}), Verdict::kOk);
  EXPECT_EQ(Pull(kOtherNode), Sent{});
  EXPECT_EQ(Pull(kNode), Sent{});
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 2 t2 g0 state 1 primary 20 node 21"});
  ASSERT_EQ(Report(kOtherNode + 1), Verdict::kOk);  // what comes later is not waited for
  ASSERT_EQ(Ack(2), Verdict::kOk);
  EXPECT_EQ(Pull(kOtherNode), Sent{"move 9 answer 0"});
  EXPECT_EQ(Pull(kNode), Sent{"free"});
  EXPECT_EQ(Pull(kHeir), Sent{"shadow 4 t2 g0 state 1 primary 21 node 22"});
  // Nothing has changed since: at once.
  ASSERT_EQ(Ack(4), Verdict::kOk);
  ASSERT_EQ(Step(event::MovePrimary{key(), kOtherNode + 1, 0, 10, kOtherNode}), Verdict::kOk);
  EXPECT_EQ(Pull(kOtherNode + 1), Sent{"move 10 answer 0"});
}

TEST_F(ObjectTableHeirs, ANodeThatAsksAgainIsAnsweredBothTimes) {
  Declare();
  Prepare();
  ASSERT_EQ(Report(kOtherNode), Verdict::kOk);
  ASSERT_EQ(Step(event::MovePrimary{key(), kOtherNode, 0, 9, kNode}), Verdict::kOk);
  ASSERT_EQ(Step(event::MovePrimary{key(), kOtherNode, 0, 10, kNode}), Verdict::kOk);
  EXPECT_EQ(Pull(kOtherNode), Sent{"move 9 answer 2"});
  EXPECT_EQ(Pull(kHeir).size(), 1u);
  ASSERT_EQ(Ack(2), Verdict::kOk);
  EXPECT_EQ(Pull(kOtherNode), Sent{"move 10 answer 0"});
}

TEST_F(ObjectTableHeirs, WhoWaitsIsLetGoWhenTheHeirDiesRefusesOrIsDismissed) {
  for (const int how : {0, 1, 2}) {
    SCOPED_TRACE(how);
    ObjectTable fresh{ObjectTable::Config()};
    Declare();
    ASSERT_EQ(Name(), Verdict::kOk);
    EXPECT_EQ(Pull(kHeir).size(), 1u);
    ASSERT_EQ(Report(kOtherNode), Verdict::kOk);
    ASSERT_EQ(Register(kFirst, 5), Verdict::kOk);
    ASSERT_EQ(Step(event::MovePrimary{key(), kOtherNode, 0, 9, kNode}), Verdict::kOk);
    notices_.clear();
    if (how == 0) {
      ASSERT_EQ(Ack(1, ShadowAnswer::kRefused), Verdict::kOk);
      EXPECT_EQ(notices_, std::vector<HeirOutcome>{HeirOutcome::kRefused});
    } else if (how == 1) {
      ASSERT_EQ(Heir(event::DismissHeir{key()}), Verdict::kOk);
      EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
    } else {
      Fence(kHeir);
      EXPECT_EQ(notices_, std::vector<HeirOutcome>{HeirOutcome::kHeirDied});
    }
    EXPECT_EQ(Pull(kFirst), Sent{"registered 5 answer 0"});
    EXPECT_EQ(Pull(kOtherNode), Sent{"move 9 answer 0"});
    EXPECT_EQ(Pull(kNode), Sent{"free"});
    if (how == 1) {
      EXPECT_EQ(Name(kSecond), Verdict::kAlreadyExists) << "it has not let go";
      ASSERT_EQ(Ack(0, ShadowAnswer::kEnded), Verdict::kOk);
      EXPECT_EQ(notices_, std::vector<HeirOutcome>{HeirOutcome::kDismissed});
    }
    EXPECT_EQ(HeirSteps::Count(table_), 0u);
    ASSERT_EQ(Step(event::BorrowerReleased{key(), kFirst}), Verdict::kOk);
    Drop();
    for (const PeerIndex node : {kNode, kOtherNode}) {
      (void)Pull(node);
      ASSERT_EQ(Step(event::FreeAnswered{key(), node, 0, FreeResult::kDeleted}), Verdict::kOk);
    }
    EXPECT_EQ(table_.Find(key()), nullptr);
    EXPECT_EQ(Pull(kHeir), how == 1 ? Sent{"ended"} : Sent{})
        << "who was no heir need not hear of the end";
  }
}

TEST_F(ObjectTableHeirs, WhatCanHaveNone) {
  EXPECT_EQ(Name(), Verdict::kNotFound);
  Declare();
  Fence(9);
  EXPECT_EQ(Name(9), Verdict::kPeerExcluded);
  std::vector<InnerRef> back;
  const std::vector<InnerRef> inners = {InnerRef{0, 5}};
  ASSERT_EQ(Name(), Verdict::kOk);
  EXPECT_EQ(Name(kSecond), Verdict::kAlreadyExists);
  EXPECT_EQ(table_.Step(event::AddInners{key(), inners, &back}), Verdict::kWrongState);
  Immovable why = Immovable::kNo;
  EXPECT_EQ(
      Do([&](Effects* effects) {
        return TransferSteps(&table_).Step(event::Transfer{key(), kSecond, &names_}, effects, &why);
      }),
      Verdict::kWrongState);
  EXPECT_EQ(why, Immovable::kHasHeir);
}

TEST_F(ObjectTableHeirs, TwoFilesWithLongUrlsFitNoMessage) {
  Declare();
  const std::string url(4000, 'x');
  const auto spill = [&](PeerIndex node) {
    event::SetLocation report{key(), node, 0, 0, CopyRole::kSecondary};
    report.spilled = report.merge = true;
    report.url = url;
    return Step(report);
  };
  ASSERT_EQ(spill(kNode), Verdict::kOk);
  ASSERT_EQ(spill(kOtherNode), Verdict::kOk);
  EXPECT_EQ(Name(), Verdict::kWrongState);
  EXPECT_EQ(why_, Immovable::kTooMany);
  ASSERT_EQ(Step(event::RemoveLocation{key(), kOtherNode, 0}), Verdict::kOk);
  EXPECT_EQ(Name(), Verdict::kOk);
}

TEST_F(ObjectTableHeirs, ASnapshotThatFitsNoMessageEndsTheHeirship) {
  Declare();
  Prepare();
  for (PeerIndex borrower = 100; borrower < 500; ++borrower) {
    ASSERT_EQ(Register(borrower), Verdict::kOk);
  }
  EXPECT_EQ(Pull(kHeir), Sent{});
  ASSERT_TRUE(HeirSteps::AnyOvergrown(table_));
  notices_.clear();
  ASSERT_EQ(Do([&](Effects* effects) {
              HeirSteps(&table_).EndOvergrown(effects);
              return Verdict::kOk;
            }),
            Verdict::kOk);
  EXPECT_EQ(notices_, std::vector<HeirOutcome>{HeirOutcome::kOvergrown});
  EXPECT_EQ(table_.counters().heirs_overgrown, 1u);
  EXPECT_EQ(Pull(300), Sent{"registered 1 answer 0"});
  EXPECT_EQ(Pull(kHeir), Sent{"heir no more t2"});
  ASSERT_EQ(Ack(0, ShadowAnswer::kEnded), Verdict::kOk);
  EXPECT_EQ(HeirSteps::Count(table_), 0u);
}

TEST_F(ObjectTableHeirs, AnswersToNothingChangeNothing) {
  Declare();
  EXPECT_EQ(Ack(1), Verdict::kUnchanged);
  ASSERT_EQ(Name(), Verdict::kOk);
  EXPECT_EQ(Ack(1), Verdict::kUnchanged) << "it was not sent";
  EXPECT_EQ(Pull(kHeir).size(), 1u);
  EXPECT_EQ(Ack(2), Verdict::kUnchanged);
  EXPECT_EQ(Ack(1, ShadowAnswer::kKept, 3), Verdict::kUnchanged) << "another term";
  EXPECT_EQ(Ack(1, ShadowAnswer::kEnded), Verdict::kUnchanged) << "it was not dismissed";
  EXPECT_EQ(Heir(event::ShadowAcked{key(), kSecond, 2, 1, ShadowAnswer::kKept}),
            Verdict::kUnchanged);
  EXPECT_EQ(Ack(1), Verdict::kOk);
}

// It may be cut off for long, or never mean to answer.
TEST_F(ObjectTableHeirs, AnHeirThatKeepsTooManyWaitingIsDismissed) {
  Declare();
  Prepare();
  constexpr PeerIndex kFirstOfMany = 100;
  PeerIndex next = kFirstOfMany;
  while (!HeirSteps::AnyOvergrown(table_)) {
    ASSERT_LT(next, kFirstOfMany + 1000);
    ASSERT_EQ(Register(next++), Verdict::kOk);
  }
  EXPECT_GT(next, kFirstOfMany + 200);
  EXPECT_NE(std::count(ready_.begin(), ready_.end(), next - 1), 0) << "nobody would see it";
  EXPECT_EQ(Pull(kFirstOfMany), Sent());
  EXPECT_EQ(Do([&](Effects* effects) {
              HeirSteps(&table_).EndOvergrown(effects);
              return Verdict::kOk;
            }),
            Verdict::kOk);
  EXPECT_EQ(notices_.back(), HeirOutcome::kOvergrown);
  for (PeerIndex borrower = kFirstOfMany; borrower < next; ++borrower) {
    EXPECT_EQ(Pull(borrower), Sent{"registered 1 answer 0"}) << borrower;
  }
}

}  // namespace
}  // namespace freehold::core::heirs_testing
