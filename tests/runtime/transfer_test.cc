// Ownership that moves from one process to another, between real counters (transfer.h).

#include <string>
#include <utility>
#include <vector>

#include "tests/runtime/transfer_world.h"

namespace freehold {
namespace {

TEST_F(TransferTest, TheNextOwnerCountsWhatTheFormerOneCounted) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 2);
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"ok"});
  EXPECT_EQ(OwnerAt(1, 7), Process(2));
  EXPECT_EQ(OwnerAt(3, 7), Process(2));
  EXPECT_EQ(world.Counts(2, 7).borrowers, 2u);
  EXPECT_EQ(Stats(1).transfers_pending, 0u);
  EXPECT_EQ(Stats(1).formerly_owned, 1u);
  own.Reset();
  Settle();
  EXPECT_EQ(world.Counts(2, 7).borrowers, 1u);
  EXPECT_TRUE(world.InScope(2, 7));
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferTest, AnObjectThatNobodyElseHoldsEndsAtTheNextOwnerWithTheFormerOnesReference) {
  ObjectRef own = world.Declare(1, 7);
  Transfer(7, 1, 2);
  Settle();
  EXPECT_TRUE(world.InScope(2, 7));
  EXPECT_EQ(world.Check(1, 7), ErrorReason::kNone);
  own.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferTest, TheFormerOwnerDropsItsReferenceWhileTheAnswerIsOpen) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1});  // it has left
  own.Reset();
  EXPECT_TRUE(world.InScope(1, 7));
  Settle();
  EXPECT_FALSE(world.InScope(1, 7));
  EXPECT_EQ(world.Counts(2, 7).borrowers, 1u);
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferTest, WhoHoldsATokenOfTheFormerOwnerIsSentToTheNextOne) {
  ObjectRef own = world.Declare(1, 7);
  const std::string before = world.Export(1, 7, 3).token;
  Transfer(7, 1, 2);
  world.Settle({1});
  const std::string meanwhile = world.Export(1, 7, 4).token;
  ObjectRef early = world.Import(3, before);  // asks while the answer is open
  world.Settle({3, 1});
  Settle();
  ObjectRef late = world.Import(4, meanwhile);
  own.Reset();
  Settle();
  EXPECT_EQ(OwnerAt(3, 7), Process(2));
  EXPECT_EQ(OwnerAt(4, 7), Process(2));
  EXPECT_EQ(world.Counts(2, 7).borrowers, 2u);
  early.Reset();
  late.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferTest, ATokenOfAfterwardsNamesTheNextOwner) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Transfer(7, 1, 2);
  Settle();
  ObjectRef third = world.Pass(3, 7, 4);
  Settle();
  EXPECT_EQ(OwnerAt(4, 7), Process(2));
  ObjectRef at_owner = world.Pass(3, 7, 2);
  ObjectRef back = world.Pass(2, 7, 1);
  Settle();
  EXPECT_EQ(world.Counts(2, 7).handles, 1u);
  for (ObjectRef* ref : {&own, &borrowed, &third, &at_owner, &back}) ref->Reset();
  ExpectNothingLeft();
}

TEST_F(TransferTest, OldTokensAreTakenByBothOwners) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  const std::string to_next = world.Export(3, 7, 2).token;
  const std::string to_former = world.Export(3, 7, 1).token;
  Transfer(7, 1, 2);
  own.Reset();
  borrowed.Reset();
  Settle();
  ObjectRef at_next = world.Import(2, to_next);
  ObjectRef at_former = world.Import(1, to_former);
  Settle();
  EXPECT_EQ(world.Counts(2, 7).handles, 1u);
  EXPECT_EQ(world.Counts(2, 7).borrowers, 1u);
  EXPECT_EQ(OwnerAt(1, 7), Process(2));
  at_next.Reset();
  at_former.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferTest, TheNextOwnerMayBeABorrower) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 2);
  Settle();
  Transfer(7, 1, 2);
  own.Reset();
  Settle();
  EXPECT_TRUE(world.InScope(2, 7));
  EXPECT_EQ(world.Counts(2, 7).handles, 1u);
  EXPECT_EQ(world.Counts(2, 7).borrowers, 0u);
  EXPECT_EQ(OwnerAt(2, 7), Process(2));
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferTest, TwoInARowAndBackAgain) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 2);
  Settle();
  Transfer(7, 2, 4);
  Settle();
  EXPECT_EQ(OwnerAt(1, 7), Process(4));
  EXPECT_EQ(OwnerAt(3, 7), Process(4));
  EXPECT_EQ(Stats(1).formerly_owned + Stats(2).formerly_owned, 2u);
  Transfer(7, 4, 1);
  Settle();
  EXPECT_EQ(OwnerAt(3, 7), Process(1));
  EXPECT_EQ(world.Counts(1, 7).handles, 1u);
  EXPECT_EQ(Stats(1).formerly_owned, 0u);
  EXPECT_EQ(answers, (std::vector<std::string>{"ok", "ok", "ok"}));
  own.Reset();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferTest, OneThatNotEverybodyKnowsOfIsNotGivenOnYet) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1, 2});  // 3 has not answered
  Transfer(7, 2, 4);
  world.Settle({2});
  world.executor->RunAll();
  EXPECT_EQ(answers, (std::vector<std::string>{"ok", "FAILED_PRECONDITION, not movable"}));
  Settle();
  Transfer(7, 2, 4);
  Settle();
  EXPECT_EQ(OwnerAt(3, 7), Process(4));
  own.Reset();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferTest, ARefusalLeavesEverythingAsItWas) {
  world.counters.erase(2);
  ReferenceCounterOptions options;
  options.process = Process(5);
  options.transport = &world.transport;
  options.membership = &world.membership;
  options.clock = &world.clock;
  options.takes_transfers = false;
  world.counters[5] = ReferenceCounter::Create(options).value();
  world.transport.local.Connect(Process(5), world[5].inbox());
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 5);
  world.Settle({1});
  ObjectRef fourth = world.Pass(1, 7, 4);
  world.Settle({4});  // asks meanwhile
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"FAILED_PRECONDITION, refused"});
  EXPECT_EQ(OwnerAt(3, 7), Process(1));
  EXPECT_EQ(OwnerAt(4, 7), Process(1));
  EXPECT_EQ(world.Counts(1, 7).borrowers, 2u);
  own.Reset();
  borrowed.Reset();
  Settle();
  EXPECT_TRUE(world.InScope(1, 7));
  fourth.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferTest, ADrainingProcessTakesNone) {
  DrainOptions now;
  now.timeout = Duration::zero();
  ObjectRef own = world.Declare(1, 7);
  (void)world[2].Drain(now);
  Transfer(7, 1, 2);
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"FAILED_PRECONDITION, draining"});
  world[2].CancelDrain();
  Transfer(7, 1, 2);
  Settle();
  EXPECT_EQ(answers.back(), "ok");
  own.Reset();
  ExpectNothingLeft();
}

// --- What goes along -----------------------------------------------------------------------------

TEST_F(TransferTest, CallbacksOfTheFormerOwnerRunThereOnce) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  std::vector<std::string> heard;
  const auto hear = [&heard](const char* what) {
    return [&heard, what](const ObjectId&, EndReason reason) {
      heard.push_back(std::string(what) + ": " + EndReasonName(reason));
    };
  };
  ASSERT_TRUE(world[1].OnOutOfScope(Object(7), hear("out of scope")).ok());
  const auto called_off = world[1].OnReclaimed(Object(7), hear("reclaimed"));
  ASSERT_TRUE(world[1].OnErased(Object(7), hear("erased")).ok());
  Settle();
  Transfer(7, 1, 2);
  own.Reset();
  Settle();
  EXPECT_TRUE(heard.empty());
  EXPECT_TRUE(world[1].Cancel(*called_off));
  EXPECT_FALSE(world[1].Cancel(*called_off));
  borrowed.Reset();
  ExpectNothingLeft();
  EXPECT_EQ(heard, (std::vector<std::string>{
                       std::string("out of scope: ") + EndReasonName(EndReason::kOutOfScope),
                       std::string("erased: ") + EndReasonName(EndReason::kOutOfScope)}));
}

TEST_F(TransferTest, WatchesOfOthersFollowAndFireOnce) {
  ObjectRef own = world.Declare(1, 7);
  int heard = 0;
  const auto count = [&heard](const ObjectId&, EndReason reason) {
    EXPECT_EQ(reason, EndReason::kOutOfScope);
    ++heard;
  };
  ASSERT_TRUE(world[3].Watch(Moment::kOutOfScope, Object(7), Process(1), count).ok());
  ASSERT_TRUE(world[2].Watch(Moment::kErased, Object(7), Process(1), count).ok());
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1});
  ASSERT_TRUE(world[4].Watch(Moment::kReclaimed, Object(7), Process(1), count).ok());
  world.Settle({4});
  Settle();
  ASSERT_TRUE(world[4].Watch(Moment::kOutOfScope, Object(7), Process(1), count).ok());
  Settle();
  EXPECT_EQ(heard, 0);
  own.Reset();
  ExpectNothingLeft();
  EXPECT_EQ(heard, 4);
  EXPECT_EQ(Stats(3).watches_elsewhere + Stats(4).watches_elsewhere, 0u);
}

TEST_F(TransferTest, QuestionsFollow) {
  auto declared = world[1].Declare(Object(7), With(1));
  ASSERT_TRUE(declared.ok());
  std::vector<std::string> heard;
  const auto hear = [&heard](const ObjectId&, const LocationUpdate& update) {
    heard.push_back(std::to_string(update.snapshot.locations.size()));
  };
  LocationQuery query;
  query.object = Object(7);
  query.owner = Process(1);
  Transfer(7, 1, 2);
  world.Settle({1});
  ASSERT_TRUE(world[3].QueryLocations(query, hear).ok());
  world.Settle({3});
  Settle();
  ASSERT_TRUE(world[4].QueryLocations(query, hear).ok());
  Settle();
  EXPECT_EQ(heard, (std::vector<std::string>{"1", "1"}));
  EXPECT_EQ(Stats(3).location_queries + Stats(4).location_queries, 0u);
}

TEST_F(TransferTest, TheNextOwnersHostHasAReferenceIfItAsksForOne) {
  ReferenceCounterOptions options;
  std::vector<ObjectRef> kept;
  options.process = Process(5);
  options.transport = &world.transport;
  options.membership = &world.membership;
  options.clock = &world.clock;
  options.executor = world.executor;
  options.on_transferred = [&kept](ObjectRef ref, const ProcessId& from) {
    EXPECT_EQ(from, Process(1));
    kept.push_back(std::move(ref));
  };
  world.counters[5] = ReferenceCounter::Create(options).value();
  world.transport.local.Connect(Process(5), world[5].inbox());
  ObjectRef own = world.Declare(1, 7);
  Transfer(7, 1, 5);
  own.Reset();
  world.Settle();
  world.Crash(1);
  world.Exclude(1);
  Settle();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_TRUE(world.InScope(5, 7));
  kept.clear();
  ExpectNothingLeft();
}

TEST_F(TransferTest, MoreThanAreUnderWayAtOnce) {
  constexpr uint64_t kObjects = 70'000;
  std::vector<ObjectId> ids;
  std::vector<ObjectRef> refs;
  for (uint64_t i = 1; i <= kObjects; ++i) {
    ids.push_back(Object(i));
    refs.push_back(world.Declare(1, i));
  }
  uint64_t answered = 0;
  TransferOptions options;
  options.on_answer = [&answered](const ObjectId&, const absl::Status& status) {
    EXPECT_TRUE(status.ok()) << status;
    ++answered;
  };
  ASSERT_TRUE(Ownership(world[1]).Transfer(ids, Process(2), std::move(options)).ok());
  EXPECT_EQ(Ownership(world[1]).pending(), kObjects);
  Settle();
  EXPECT_EQ(answered, kObjects);
  EXPECT_EQ(Ownership(world[1]).pending(), 0u);
  EXPECT_EQ(world[2].CountObjects().in_scope(), kObjects);
  refs.clear();
  ExpectNothingLeft();
}

// --- Misuse --------------------------------------------------------------------------------------

TEST_F(TransferTest, WhatCannotBeGivenAwaySaysWhy) {
  ObjectRef plain = world.Declare(1, 1);
  ObjectRef followed = world.Declare(1, 2);
  ASSERT_TRUE(
      world[1].SubscribeLocations(Object(2), [](const ObjectId&, const LocationUpdate&) {}).ok());
  ObjectRef borrowed = world.Declare(3, 4);
  ObjectRef here = world.Pass(3, 4, 1);
  for (const uint64_t object : {2, 4, 5}) Transfer(object, 1, 2);
  Settle();
  EXPECT_EQ(answers,
            (std::vector<std::string>{"NOT_FOUND, gone", "FAILED_PRECONDITION, not movable",
                                      "FAILED_PRECONDITION, not the owner"}));
  const ObjectId id = Object(1);
  const Ownership ownership(world[1]);
  Ownership mutable_ownership(world[1]);
  EXPECT_EQ(mutable_ownership.Transfer({&id, 1}, Process(1)).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(mutable_ownership.Transfer({&id, 1}, ProcessId()).code(),
            absl::StatusCode::kInvalidArgument);
  world.Exclude(2);
  Settle();
  Transfer(1, 1, 2);
  Settle();
  EXPECT_EQ(answers.back(), "FAILED_PRECONDITION, peer excluded");
}

TEST_F(TransferTest, WhoSaysThatItOwnsWhatItWasNotGivenIsNotBelieved) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  // To its owner; and to a borrower, in the name of a third.
  world.Say(4, 1, core::MovedItem{Object(7), 2, ProcessId()});
  EXPECT_EQ(Stats(1).sessions.refused_items, 1u);
  EXPECT_TRUE(world.InScope(1, 7));
  world.Say(2, 3, core::MovedItem{Object(7), 5, Process(4)});
  EXPECT_EQ(OwnerAt(3, 7), Process(1));
}

}  // namespace
}  // namespace freehold
