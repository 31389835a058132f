// References that cross processes, while processes die: the orders of events that break the
// shortcuts (PROTOCOL, step 7). A process that has not been pumped has not seen the view.

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {
namespace {

// known from ray-project/ray#18456 and #63560
TEST(SharingDeath, AnIntermediaryThatDiesBeforeTheBorrowerIsHeardLosesNothing) {
  SharingWorld world(3);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  world.Settle({1, 2});  // 2 is listed
  ObjectRef at3 = world.Pass(2, 7, 3);
  own.Reset();
  world.Crash(2);
  world.Exclude(2);
  world.Settle({1});  // the owner knows of the death before it knows of 3
  EXPECT_TRUE(world.InScope(1, 7));
  EXPECT_EQ(world.membership.GetStatus().waiting_for, std::vector<Address>{Process(3)});
  world.Settle();
  EXPECT_TRUE(world.InScope(1, 7));
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  at3.Reset();
  world.Settle();
  EXPECT_FALSE(world.InScope(1, 7));
  world.ExpectClean();
}

TEST(SharingDeath, APinForADeadReceiverIsKeptUntilTheBarrier) {
  SharingWorld world(3);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);  // never registered
  ObjectRef at3 = world.Pass(2, 7, 3);
  own.Reset();
  world.Crash(2);
  world.Exclude(2);
  world.Settle({1});
  EXPECT_TRUE(world.InScope(1, 7));
  world.Settle();
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  EXPECT_EQ(world.Counts(1, 7).handoffs, 0u);  // the barrier has come
  at3.Reset();
  world.Settle();
  world.ExpectClean();
}

TEST(SharingDeath, AnIntermediaryWithoutAHandleRegistersForItsReceiversSake) {
  SharingWorld world(4);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  ObjectRef at3 = world.Pass(2, 7, 3);
  const std::string token = world.Export(3, 7, 4).token;
  at3.Reset();
  own.Reset();
  world.Crash(2);
  world.Exclude(2);
  world.Settle();
  EXPECT_EQ(world.membership.GetStatus().latest_barrier, 1u);
  EXPECT_TRUE(world.InScope(1, 7));
  ObjectRef at4 = world.Import(4, token);
  world.Settle();
  EXPECT_EQ(world.Check(4, 7), ErrorReason::kNone);
  EXPECT_EQ(world[3].GetStats().objects, 0u);
  at4.Reset();
  world.Settle();
  world.ExpectClean();
}

TEST(SharingDeath, ARegistrationUnderWayIsWaitedForAlthoughItsReferenceIsDropped) {
  SharingWorld world(3);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  ObjectRef at3 = world.Pass(2, 7, 3);
  world.Settle({3});  // its registration has left
  at3.Reset();
  world.Crash(2);
  world.Exclude(2);
  world.Settle({3});
  EXPECT_EQ(world[3].GetStats().flush_waiting, 1u);
  EXPECT_EQ(world.membership.GetStatus().latest_barrier, 0u);
  world.Settle();
  EXPECT_EQ(world.membership.GetStatus().latest_barrier, 1u);
  EXPECT_EQ(world.Counts(1, 7).borrowers, 0u);
}

TEST(SharingDeath, ASecondDeathWhileABarrierIsOpenDelaysIt) {
  SharingWorld world(4);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  world.Settle({1, 2});
  ObjectRef at3 = world.Pass(2, 7, 3);
  ObjectRef at4 = world.Pass(3, 7, 4);
  own.Reset();
  world.Crash(2);
  world.Exclude(2);
  world.Settle({1, 4});  // both have dealt with the first view
  world.Crash(3);        // before it registered
  world.Exclude(3);
  world.Settle({1});
  EXPECT_TRUE(world.InScope(1, 7));
  world.Settle();
  EXPECT_EQ(world.membership.GetStatus().latest_barrier, 2u);
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  EXPECT_EQ(world.Check(4, 7), ErrorReason::kNone);
  at4.Reset();
  world.Settle();
  world.ExpectClean();
}

TEST(SharingDeath, TheOwnersDeathReachesTheHandlesByName) {
  SharingWorld world(3);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  world.Settle();
  ObjectRef at3 = world.Pass(2, 7, 3);
  std::vector<EndReason> told;
  ASSERT_TRUE(*world[2].OnFailed(
      Object(7), [&](const ObjectId&, EndReason reason) { told.push_back(reason); }));
  world.Crash(1);
  world.Exclude(1);
  world.Settle();
  world.executor->RunAll();
  EXPECT_EQ(told, std::vector<EndReason>{EndReason::kOwnerDied});
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kOwnerDied);
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kOwnerDied);
  EXPECT_EQ(world.membership.GetStatus().latest_barrier, 1u);
  EXPECT_EQ(world.Counts(2, 7).handoffs, 0u);  // the answer says so, and ends it
  for (const uint64_t process : {2, 3}) {
    EXPECT_EQ(world[process].CountObjects().failed, 1u);
    EXPECT_EQ(world[process].CountObjects().total(), 1u);
    EXPECT_EQ(world[process].Ids(ObjectState::kFailed), std::vector<ObjectId>{Object(7)});
  }
  at2.Reset();
  at3.Reset();
  world.Settle();
  world.ExpectClean();
}

TEST(SharingDeath, ATokenOfADeadOwnersObjectIsAnsweredOnce) {
  SharingWorld world(3);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  world.Settle();
  const std::string token = world.Export(2, 7, 3).token;
  at2.Reset();
  world.Crash(1);
  world.Exclude(1);
  world.Settle();
  EXPECT_EQ(world.WhyNot(3, token), ErrorReason::kOwnerDied);
  EXPECT_EQ(world.WhyNot(3, token), ErrorReason::kAlreadyRedeemed);
  world.Settle();
  world.ExpectClean();
}

TEST(SharingDeath, BorrowerAndOwnerDieTogether) {
  SharingWorld world(4);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  ObjectRef at3 = world.Pass(2, 7, 3);
  ObjectRef at4 = world.Pass(3, 7, 4);
  world.Crash(1);
  world.Crash(2);
  world.membership.Exclude({Process(1), Process(2)});
  world.Settle();
  EXPECT_EQ(world.membership.GetStatus().latest_barrier, 1u);  // no owner is waited for
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kOwnerDied);
  EXPECT_EQ(world.Check(4, 7), ErrorReason::kOwnerDied);
  at3.Reset();
  at4.Reset();
  world.Settle();
  world.ExpectClean();
}

TEST(SharingDeath, AnOwnerThatDiesWhileARegistrationIsWaitedForDoesNotHoldTheBarrier) {
  SharingWorld world(3);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  ObjectRef at3 = world.Pass(2, 7, 3);
  world.Crash(2);
  world.Exclude(2);
  world.transport.unreachable[Process(1)] = true;
  world.Settle({3});
  EXPECT_EQ(world[3].GetStats().flush_waiting, 1u);
  world.Crash(1);
  world.Exclude(1);
  world.Settle();
  EXPECT_EQ(world.membership.GetStatus().latest_barrier, 2u);
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kOwnerDied);
  at3.Reset();
  world.Settle();
  world.ExpectClean();
}

TEST(SharingDeath, TokensOfAnExcludedProcessAreRefusedForEver) {
  SharingWorld world(3);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  world.Settle();
  const std::string late = world.Export(2, 7, 3).token;
  world.Crash(2);
  world.Exclude(2);
  world.Settle();
  EXPECT_EQ(world.WhyNot(3, late), ErrorReason::kPeerExcluded);
  EXPECT_EQ(ReasonOf(world[1].Export(Object(7), Process(2)).status()), ErrorReason::kPeerExcluded);
  EXPECT_EQ(world.Counts(1, 7).borrowers, 0u);
  EXPECT_EQ(world[3].GetStats().objects, 0u);
}

TEST(SharingDeath, AProcessThatJoinsLateKnowsWhoIsExcludedBeforeItsFirstPump) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  world.Settle();
  const std::string late = world.Export(2, 7, 3).token;
  world.Crash(2);
  world.Exclude(2);
  world.Settle();  // nobody waits for who is not there yet: the barrier has come
  world.Start(3);
  EXPECT_EQ(world.WhyNot(3, late), ErrorReason::kPeerExcluded);
  EXPECT_EQ(ReasonOf(world[3].Export(Object(7), Process(2)).status()), ErrorReason::kGone);
  own.Reset();
  world.Settle();
  world.ExpectClean();
}

TEST(SharingDeath, AFalselyExcludedProcessLearnsItAndItsHandlesSaySo) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  world.Settle();
  std::vector<EndReason> told;
  ASSERT_TRUE(*world[2].OnFailed(
      Object(7), [&](const ObjectId&, EndReason reason) { told.push_back(reason); }));
  world.Exclude(2);  // it lives, and goes on
  world.Settle({1});
  own.Reset();
  EXPECT_FALSE(world.InScope(1, 7));
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNone);  // it has not heard
  world.Settle();
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kExcluded);
  EXPECT_EQ(ReasonOf(world[2].Export(Object(7), Process(1)).status()), ErrorReason::kExcluded);
  world.executor->RunAll();
  EXPECT_EQ(told, std::vector<EndReason>{EndReason::kExcluded});
  at2.Reset();
  world.Settle();
  EXPECT_EQ(world[1].GetStats().objects, 0u);
}

TEST(SharingDeath, AnOuterObjectsDeadOwnerCountsAsTheSenderOfWhatWasReadOutOfIt) {
  SharingWorld world(3);
  ObjectRef inner = world.Declare(3, 7);
  ObjectRef inner_at1 = world.Pass(3, 7, 1);
  ObjectRef outer = world.Declare(1, 8);
  ASSERT_TRUE(world[1].AddNested(Object(8), {Object(7)}).ok());
  ObjectRef outer_at2 = world.Pass(1, 8, 2);
  world.Settle();
  inner.Reset();
  auto read = world[2].ImportNested(Object(8), Object(7), Process(3));
  ASSERT_TRUE(read.ok());
  world.Crash(1);
  world.Exclude(1);
  world.Settle({3});
  EXPECT_TRUE(world.InScope(3, 7));
  world.Settle();
  EXPECT_EQ(world.Counts(3, 7).borrowers, 1u);
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNone);
  EXPECT_EQ(world.Check(2, 8), ErrorReason::kOwnerDied);
  EXPECT_EQ(ReasonOf(world[2].ImportNested(Object(8), Object(9), Process(3)).status()),
            ErrorReason::kPeerExcluded);
  read->Reset();
  outer_at2.Reset();
  world.Settle();
  world.ExpectClean();
}

TEST(SharingDeath, OrphanGraceReplacesTheBarrier) {
  ReferenceCounterOptions options;
  options.orphan_grace = std::chrono::seconds(5);
  SharingWorld world(3, options);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  world.Settle();
  own.Reset();
  world.Crash(2);
  world.Exclude(2);
  world.SettleFor(std::chrono::seconds(4));
  EXPECT_TRUE(world.InScope(1, 7));
  world.SettleFor(std::chrono::seconds(2));
  EXPECT_FALSE(world.InScope(1, 7));
}

TEST(SharingDeath, AnElisionThatAViewWaitsForWakesThePumpToSaySo) {
  ReferenceCounterOptions options;
  options.session.window_envelopes = 1;
  SharingWorld world(3, options);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef other = world.Declare(1, 8);
  ObjectRef at2 = world.Pass(1, 7, 2);
  world.Settle();
  // The owner does not answer, and its window is full of another registration.
  world.transport.unreachable[Process(1)] = true;
  ObjectRef other_at3 = world.Pass(1, 8, 3);
  world.Settle({3});
  ObjectRef at3 = world.Pass(2, 7, 3);
  world.Crash(2);
  world.Exclude(2);
  world.Settle({1, 3});
  EXPECT_EQ(world[3].GetStats().flush_waiting, 1u);
  EXPECT_GT(world[3].NextDeadline(), world.clock.Now());
  at3.Reset();
  EXPECT_LE(world[3].NextDeadline(), world.clock.Now());
  world.Settle({3});
  EXPECT_EQ(world[3].GetStats().flush_waiting, 0u);
  EXPECT_EQ(world.membership.GetStatus().latest_barrier, 1u);
}

// known from ray-project/ray#60495
TEST(SharingDeath, AReleaseAndADeathNoticeAreOneDecrement) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  world.Settle();
  at2.Reset();
  world.Settle({2});  // the release is under way
  world.Crash(2);
  world.Exclude(2);
  world.Settle();
  EXPECT_EQ(world.Counts(1, 7).total(), 1u);
  own.Reset();
  world.Settle();
  EXPECT_EQ(world[1].GetStats().misuses, 0u);
  world.ExpectClean();
}

}  // namespace
}  // namespace freehold
