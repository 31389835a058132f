// References that cross processes, while nobody dies.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/core/token.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {
namespace {

using ::testing::HasSubstr;

TEST(Sharing, ABorrowedReferenceKeepsTheObjectAtItsOwner) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 2);
  EXPECT_EQ(borrowed.id(), Object(7));
  own.Reset();
  EXPECT_TRUE(world.InScope(1, 7));  // the handoff has not ended
  world.Settle();
  EXPECT_TRUE(world.InScope(1, 7));
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  EXPECT_EQ(world.Counts(1, 7).handoffs, 0u);
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNone);
  borrowed.Reset();
  world.Settle();
  EXPECT_FALSE(world.InScope(1, 7));
  world.ExpectClean();
}

TEST(Sharing, ATokenOnItsWayKeepsTheObject) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  const ExportedReference exported = world.Export(1, 7, 2);
  own.Reset();
  world.SettleFor(std::chrono::hours(1) / 60);
  ASSERT_TRUE(world.InScope(1, 7));
  EXPECT_EQ(world.Counts(1, 7).handoffs, 1u);
  world.Import(2, exported.token);  // and dropped at once
  world.Settle();
  EXPECT_FALSE(world.InScope(1, 7));
  world.ExpectClean();
}

TEST(Sharing, AShortBorrowCostsTheOwnerNothing) {
  SharingWorld world(3);
  ObjectRef own = world.Declare(1, 7);
  const ObjectRef second = world.Pass(1, 7, 2);
  world.Settle();
  world.transport.sent.clear();
  world.Pass(2, 7, 3).Reset();
  world.Settle();
  EXPECT_EQ(world.transport.sent.count(Process(1)), 0u);
  EXPECT_EQ(world[3].GetStats().short_borrows, 1u);
  EXPECT_EQ(world.Counts(2, 7).handoffs, 0u);
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
}

TEST(Sharing, AReferenceIsPassedOnBeforeItIsRegistered) {
  SharingWorld world(4);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef at2 = world.Pass(1, 7, 2);
  ObjectRef at3 = world.Pass(2, 7, 3);
  ObjectRef at4 = world.Pass(3, 7, 4);
  own.Reset();
  at2.Reset();
  at3.Reset();
  // The end of the chain is heard first.
  world.Settle({4});
  world.Settle({3});
  world.Settle({2});
  world.Settle();
  EXPECT_TRUE(world.InScope(1, 7));
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  EXPECT_EQ(world[2].GetStats().objects + world[3].GetStats().objects, 0u);
  at4.Reset();
  world.Settle();
  EXPECT_FALSE(world.InScope(1, 7));
  world.ExpectClean();
}

TEST(Sharing, AReleaseThatHasNotLeftIsWithdrawn) {
  SharingWorld world(2);
  const ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 2);
  const std::string another = world.Export(1, 7, 2).token;
  world.Settle();
  borrowed.Reset();
  world.transport.sent.clear();
  borrowed = world.Import(2, another);
  world.Settle();
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  EXPECT_EQ(world.Counts(1, 7).handoffs, 0u);
  EXPECT_EQ(world[2].GetStats().handoffs_owed, 0u);
}

TEST(Sharing, AReleaseUnderWayWhenTheReferenceIsImportedAgainIsFollowedByARegistration) {
  SharingWorld world(2);
  const ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 2);
  world.Settle();
  const std::string another = world.Export(1, 7, 2).token;
  borrowed.Reset();
  world.Settle({2});  // the release has left
  borrowed = world.Import(2, another);
  world.Settle();
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNone);
  borrowed.Reset();
  world.Settle();
  EXPECT_EQ(world.Counts(1, 7).borrowers, 0u);
}

TEST(Sharing, AReferenceDroppedWhileItsRegistrationIsUnderWayIsReleasedAfterwards) {
  SharingWorld world(2);
  const ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 2);
  world.Settle({2});
  borrowed.Reset();
  EXPECT_FALSE(world.InScope(2, 7));
  EXPECT_EQ(world[2].GetStats().objects, 1u);
  world.Settle();
  EXPECT_EQ(world.Counts(1, 7).borrowers, 0u);
  EXPECT_EQ(world[2].GetStats().objects, 0u);
}

TEST(Sharing, WhatTheOwnerDoesNotKnowIsGoneByName) {
  SharingWorld world(3);
  core::ReferenceToken token;
  token.object = Object(9);  // nobody declared it
  token.owner = Process(1);
  token.sender = Process(3);
  token.receiver = Process(2);
  token.number = 1;
  ObjectRef borrowed = world.Import(2, core::EncodeToken(token));
  std::vector<EndReason> told;
  ASSERT_TRUE(*world[2].OnFailed(Object(9), [&](const ObjectId& object, EndReason reason) {
    EXPECT_EQ(object, Object(9));
    told.push_back(reason);
  }));
  world.Settle();
  world.executor->RunAll();
  EXPECT_EQ(told, std::vector<EndReason>{EndReason::kGone});
  EXPECT_EQ(world.Check(2, 9), ErrorReason::kGone);
  EXPECT_EQ(world[2].Ids(ObjectState::kFailed).size(), 1u);
  EXPECT_EQ(ReasonOf(world[2].Export(Object(9), Process(3)).status()), ErrorReason::kGone);
  EXPECT_FALSE(*world[2].OnFailed(Object(9), [](const ObjectId&, EndReason) {}));
  borrowed.Reset();
  world.Settle();
  EXPECT_EQ(world[2].GetStats().objects, 0u);
}

TEST(Sharing, ACallbackForAFailureThatNeverComesIsDestroyedWithTheReference) {
  SharingWorld world(2);
  const ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 2);
  auto alive = std::make_shared<int>();
  ASSERT_TRUE(*world[2].OnFailed(Object(7), [alive](const ObjectId&, EndReason) { FAIL(); }));
  EXPECT_EQ(alive.use_count(), 2);
  borrowed.Reset();
  EXPECT_EQ(alive.use_count(), 1);
  world.Settle();
  EXPECT_EQ(world[2].GetStats().callbacks_registered, 0u);
}

TEST(Sharing, AnExplicitFreeLeavesBorrowersTheirRecord) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 2);
  world.Settle();
  own.Reset();
  ASSERT_TRUE(world[1].Free({Object(7)}).ok());
  world.Settle();
  EXPECT_EQ(world.Check(1, 7), ErrorReason::kFreed);
  EXPECT_TRUE(world.InScope(1, 7));
  borrowed.Reset();
  world.Settle();
  world.ExpectClean();
}

TEST(Sharing, WhatOnlyTheOwnerCanDoIsRefusedAtABorrower) {
  SharingWorld world(2);
  const ObjectRef own = world.Declare(1, 7);
  const ObjectRef other = world.Declare(2, 8);
  const ObjectRef borrowed = world.Pass(1, 7, 2);
  ReferenceCounter& borrower = world[2];
  EXPECT_EQ(ReasonOf(borrower.Recreate(Object(7))), ErrorReason::kNotOwner);
  EXPECT_EQ(ReasonOf(borrower.Free({Object(7)}).failures.at(0).status), ErrorReason::kNotOwner);
  EXPECT_EQ(ReasonOf(borrower.AddNested(Object(7), {Object(8)})), ErrorReason::kNotOwner);
  EXPECT_EQ(ReasonOf(borrower.AddLocation(Object(7), InMemory(1))), ErrorReason::kNotOwner);
  EXPECT_EQ(ReasonOf(borrower.GetLocations(Object(7)).status()), ErrorReason::kNotOwner);
  EXPECT_EQ(ReasonOf(borrower.OnOutOfScope(Object(7), [](const ObjectId&, EndReason) {}).status()),
            ErrorReason::kNotOwner);
  EXPECT_EQ(borrower.OnFailed(Object(8), [](const ObjectId&, EndReason) {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(borrower.Declare(Object(7)).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(*borrower.OwnerOf(Object(7)), Process(1));
  EXPECT_EQ(borrower.CountObjects().borrowed, 1u);
}

TEST(Sharing, EveryKindOfReferenceKeepsABorrowedObject) {
  SharingWorld world(2);
  ObjectRef own = world.Declare(1, 7);
  ObjectRef outer = world.Declare(2, 8);
  ObjectRef borrowed = world.Pass(1, 7, 2);
  own.Reset();
  ASSERT_TRUE(world[2].AddLocalReference(Object(7)).ok());
  auto task = world[2].SubmitTask({Object(7)});
  ASSERT_TRUE(task.ok());
  ASSERT_TRUE(world[2].AddNested(Object(8), {Object(7)}).ok());
  borrowed.Reset();
  world.Settle();
  ASSERT_TRUE(world[2].RemoveLocalReference(Object(7)).ok());
  world.Settle();
  EXPECT_TRUE(world.InScope(1, 7));
  task->End();
  world.Settle();
  EXPECT_TRUE(world.InScope(1, 7));
  outer.Reset();
  world.Settle();
  EXPECT_FALSE(world.InScope(1, 7));
  world.ExpectClean();
}

TEST(Sharing, AnIdReadOutOfAValueKeepsTheOuterObjectUntilItIsRegistered) {
  SharingWorld world(3);
  // 3 owns the inner object, 1 the outer one that contains it; 2 reads it.
  ObjectRef inner = world.Declare(3, 7);
  ObjectRef inner_at1 = world.Pass(3, 7, 1);
  ObjectRef outer = world.Declare(1, 8);
  ASSERT_TRUE(world[1].AddNested(Object(8), {Object(7)}).ok());
  inner_at1.Reset();
  inner.Reset();
  ObjectRef outer_at2 = world.Pass(1, 8, 2);
  outer.Reset();
  world.Settle();
  auto read = world[2].ImportNested(Object(8), Object(7), Process(3));
  ASSERT_TRUE(read.ok()) << read.status();
  auto read_twice = world[2].ImportNested(Object(8), Object(7), Process(3));
  ASSERT_TRUE(read_twice.ok());
  outer_at2.Reset();
  EXPECT_TRUE(world.InScope(2, 8));  // held for the inner one's sake
  world.Settle();
  EXPECT_FALSE(world.InScope(1, 8));
  EXPECT_TRUE(world.InScope(3, 7));
  EXPECT_EQ(world.Counts(3, 7).borrowers, 1u);
  read->Reset();
  read_twice->Reset();
  world.Settle();
  EXPECT_FALSE(world.InScope(3, 7));
  world.ExpectClean();
}

TEST(Sharing, NestedIdsOfOnesOwnAreFoundAtHome) {
  SharingWorld world(2);
  ObjectRef inner = world.Declare(1, 7);
  ObjectRef outer = *world[1].Declare(Object(8), [] {
    DeclareOptions options;
    options.contains = {Object(7)};
    return options;
  }());
  auto read = world[1].ImportNested(Object(8), Object(7), Process(1));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, inner);
  EXPECT_EQ(world[1].ImportNested(Object(9), Object(7), Process(1)).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(world.Counts(1, 8).total(), 1u);
}

TEST(Sharing, DebugStringNamesWhoHoldsAnObjectElsewhere) {
  SharingWorld world(3);
  const ObjectRef own = world.Declare(1, 7);
  const ObjectRef borrowed = world.Pass(1, 7, 2);
  world.Settle();
  world.Export(1, 7, 3);
  const std::string text = world[1].DebugString(Object(7));
  EXPECT_THAT(text, HasSubstr("held by 1 borrower"));
  EXPECT_THAT(text, HasSubstr("borrowed by process:" + Process(2).ToHex()));
  EXPECT_THAT(text, HasSubstr("on its way to process:" + Process(3).ToHex() + ", handoff 1"));
  EXPECT_THAT(world[2].DebugString(Object(7)),
              HasSubstr("owned by process:" + Process(1).ToHex() + ", registered"));
}

TEST(Sharing, SharingAsksForAReceiverATransportAndAReference) {
  SharingWorld world(2);
  const ObjectRef own = world.Declare(1, 7);
  EXPECT_EQ(world[1].Export(Object(7), ProcessId()).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(world[1].Export(Object(7), Process(1)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(world[1].Export(Object(9), Process(2)).status().code(), absl::StatusCode::kNotFound);
  ReferenceCounterOptions alone;
  alone.process = Process(9);
  auto counter = *ReferenceCounter::Create(alone);
  const ObjectRef ref = *counter->Declare(Object(1));
  EXPECT_EQ(counter->Export(Object(1), Process(2)).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(counter->Import(world.Export(1, 7, 2).token).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(counter->ImportNested(Object(1), Object(7), Process(1)).status().code(),
            absl::StatusCode::kFailedPrecondition);
  LocationQuery query;
  query.object = Object(7);
  query.owner = Process(1);
  EXPECT_EQ(
      counter->QueryLocations(query, [](const ObjectId&, const LocationUpdate&) {}).status().code(),
      absl::StatusCode::kFailedPrecondition);
}

TEST(Sharing, HandlesOnBorrowedObjectsOutliveTheirCounter) {
  SharingWorld world(2);
  const ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 2);
  ObjectRef copy = borrowed;
  world.Settle();
  (void)world[2].Shutdown(ShutdownMode::kGraceful, std::chrono::seconds(1));
  EXPECT_EQ(ReasonOf(world[2].CheckReference(Object(7))), ErrorReason::kShutDown);
  world.counters.erase(2);
  EXPECT_EQ(borrowed.id(), Object(7));
  copy.Reset();
  borrowed.Reset();
  world.Settle();  // it has left the membership
  EXPECT_EQ(world.Counts(1, 7).borrowers, 0u);
}

TEST(Sharing, TwoProcessesThatHaveBorrowedManyObjectsOfEachOtherDoNotWaitForEachOther) {
  constexpr uint64_t kObjects = 30'000;  // several windows full of registrations each way
  SharingWorld world(2);
  std::vector<ObjectRef> refs;
  for (const uint64_t process : {1, 2}) world.transport.unreachable[Process(process)] = true;
  for (uint64_t i = 0; i < kObjects; ++i) {
    refs.push_back(world.Declare(1, 1000 + i));
    refs.push_back(world.Declare(2, 1'000'000 + i));
    refs.push_back(world.Pass(1, 1000 + i, 2));
    refs.push_back(world.Pass(2, 1'000'000 + i, 1));
    if (i == kObjects / 2) world.Settle();
  }
  world.Settle();
  world.transport.unreachable.clear();
  world.SettleFor(std::chrono::seconds(30));
  for (const uint64_t process : {1, 2}) {
    EXPECT_EQ(world[process].GetStats().borrowers, kObjects);
    EXPECT_EQ(world[process].GetStats().handoffs_owed, 0u);
    EXPECT_EQ(world[process].GetStats().answers_waiting, 0u);
  }
  refs.clear();
  world.SettleFor(std::chrono::seconds(30));
  world.ExpectClean();
}

TEST(Sharing, AThousandBorrowersOfOneObjectComeAndGo) {
  constexpr uint64_t kBorrowers = 1000;
  SharingWorld world(1);
  ObjectRef own = world.Declare(1, 7);
  std::map<uint64_t, ObjectRef> refs;
  for (uint64_t i = 2; i < 2 + kBorrowers; ++i) {
    world.Start(i);
    refs[i] = world.Pass(1, 7, i);
    world.Settle({1, i});
  }
  world.Settle();
  own.Reset();
  EXPECT_EQ(world.Counts(1, 7).borrowers, kBorrowers);
  for (auto& [number, ref] : refs) {
    EXPECT_TRUE(world.InScope(1, 7));
    ref.Reset();
    world.Settle({1, number});
  }
  EXPECT_FALSE(world.InScope(1, 7));
  world.ExpectClean();
}

}  // namespace
}  // namespace freehold
