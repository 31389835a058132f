// Lineage of what is given on, by an owner that dies or not; and of what is refused when its task
// has been taken.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "freehold/generator.h"
#include "freehold/scope.h"
#include "freehold/testing/inline_executor.h"
#include "tests/runtime/transfer_lineage_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(TransferLineage, ARecordFollowsPastAnOwnerThatHasDied) {
  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
  Give({20}, 1, 2);
  Give({20}, 2, 3);
  world.Crash(2);
  world.Exclude(2);
  Settle();
  EXPECT_THAT(Resubmit(3, 20), ElementsAre(kGone));  // it is in use at 1
  a.Reset();
  Settle();
  EXPECT_THAT(Resubmit(3, 20), ElementsAre("0a"));
  b.Reset();
  ExpectNoLineage();
}

// 20, made of 10 at 1, is 2's for good, and 3 has it; 1 has not heard of that.
class TransferLineageGivenOn : public TransferLineage {
 protected:
  TransferLineageGivenOn() {
    Give({20}, 1, 2);
    Transfer(20, 2, 3);
    world.Settle({2, 3});
  }
  void Die(uint64_t process) {
    world.Crash(process);
    world.Exclude(process);
    Settle();
  }
  void ExpectRunsAt(uint64_t process) {
    EXPECT_THAT(Resubmit(process, 20), ElementsAre("0a"));
    b.Reset();
    ExpectNoLineage();
  }

  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
};

TEST_F(TransferLineageGivenOn, ARecordFollowsPastAnOwnerThatDiesBeforeTheFirstOneHears) {
  Die(2);
  a.Reset();
  Settle();
  ExpectRunsAt(3);
}

TEST_F(TransferLineageGivenOn, ARecordFollowsPastAnOwnerThatDiesBeforeItHasSettled) {
  world.Settle({1, 3});
  a.Reset();
  world.Settle({1, 3});
  EXPECT_EQ(Stats(1).transfers_pending, 1u);  // the record, to 2
  Die(2);
  ExpectRunsAt(3);
}

TEST_F(TransferLineageGivenOn, ARecordDoesNotFollowToAnOwnerThatMayNotKeepIt) {
  world.Settle({1, 3});
  EXPECT_EQ(OwnerAt(1, 20), Process(3));
  a.Reset();
  world.Settle({1, 3});
  Die(3);
  EXPECT_EQ(OwnerAt(1, 20), Process(2));
  ExpectRunsAt(2);
}

// 100 is a generator whose task is the one of 20, and yields what 3 owns.
class TransferLineageYielded : public TransferLineage {
 protected:
  void Yield() {
    ASSERT_TRUE(generators.Open(Object(100), Task(20)).ok());
    const absl::Status yielded = generators.YieldDeclared(Object(100), borrowed);
    ASSERT_TRUE(yielded.ok()) << yielded;
  }
  void ExpectCleanEnd() {
    for (ObjectRef* ref : {&a, &b, &stream, &theirs, &borrowed}) ref->Reset();
    ExpectNoLineage();
  }

  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
  ObjectRef stream = world.Declare(1, 100);
  ObjectRef theirs = world.Declare(3, 30);
  ObjectRef borrowed = world.Pass(3, 30, 1);
  Generators generators{world[1]};
};

TEST_F(TransferLineageYielded, WhatIsOwnedElsewhereIsNotMadeAgainHere) {
  Yield();
  EXPECT_EQ(Stats(1).lineage_objects, 2u);
  EXPECT_THAT(Resubmit(1, 20), IsEmpty());
  ExpectCleanEnd();
}

TEST_F(TransferLineageYielded, WhatIsOwnedElsewhereLeavesATaskAway) {
  Give({20}, 1, 2);
  ASSERT_EQ(Stats(1).lineage_tasks_away, 1u);
  Yield();
  EXPECT_EQ(Stats(1).lineage_tasks_away, 1u);
  a.Reset();
  Settle();
  EXPECT_THAT(Resubmit(2, 20), ElementsAre("0a"));
  ExpectCleanEnd();
}

// Callbacks run at once, and may change whether an object is taken when its task has been.
class TransferLineageAtOnce : public TransferLineage {
 protected:
  TransferLineageAtOnce() : TransferLineage(std::make_shared<testing::InlineExecutor>()) {}
};

TEST_F(TransferLineageAtOnce, WhatIsRefusedWhenItsTaskWasTakenIsMadeHereAsBefore) {
  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
  a.Reset();
  drains_when_taken = 2;
  Transfer(20, 1, 2);
  Settle();
  EXPECT_THAT(taken, ElementsAre("14 of 01"));
  EXPECT_EQ(answers, std::vector<std::string>{"FAILED_PRECONDITION, draining"});
  EXPECT_EQ(Stats(2).lineage_objects, 0u);
  EXPECT_THAT(Resubmit(1, 20), ElementsAre("0a"));
  b.Reset();
  ExpectNoLineage();
}

class TransferLineageInLittleRoom : public TransferLineage {
 protected:
  TransferLineageInLittleRoom()
      : TransferLineage(std::make_shared<testing::InlineExecutor>(), /*bytes_max=*/100) {}
};

TEST_F(TransferLineageInLittleRoom, WhatIsEvictedAsItComesWasTakenFirst) {
  ObjectRef a = world.Declare(2, 10);
  Record(2, 10, {}, {10}, kRetriesUnlimited, /*spec_bytes=*/60);
  ObjectRef b = world.Declare(1, 20);
  Record(1, 20, {}, {20}, kRetriesUnlimited, /*spec_bytes=*/50);
  Free(2, 10);
  // As 10 is to be made again, whose task is not evicted meanwhile.
  const auto updates = world[2].SubscribeLocations(
      Object(10), [this, given = false](const ObjectId&, const LocationUpdate& update) mutable {
        if (update.snapshot.state != ObjectState::kPending) return;
        if (!std::exchange(given, true)) Give({20}, 1, 2);
      });
  ASSERT_TRUE(updates.ok()) << updates.status();
  EXPECT_THAT(Resubmit(2, 10), IsEmpty());
  EXPECT_THAT(told, ElementsAre("+14", "-14"));
  EXPECT_EQ(CanRecover(2, 20), Recovery::kEvicted);
  a.Reset();
  b.Reset();
  ExpectNoLineage();
}

// It is offered twice: what it contains is passed on in between.
TEST_F(TransferLineageInLittleRoom, WhatWasEvictedGoesWithWhatItContains) {
  ObjectRef inner = world.Declare(1, 10);
  ObjectRef outer = world.Declare(1, 20);
  Record(1, 20, {}, {20}, kRetriesUnlimited, /*spec_bytes=*/60);
  ASSERT_TRUE(world[1].AddNested(Object(20), {{Object(10)}}).ok());
  ObjectRef other = world.Declare(1, 30);
  Record(1, 30, {}, {30}, kRetriesUnlimited, /*spec_bytes=*/60);
  ASSERT_EQ(CanRecover(1, 20), Recovery::kEvicted);
  Give({20}, 1, 2);
  EXPECT_EQ(OwnerAt(1, 20), Process(2));
  EXPECT_EQ(world.Counts(2, 10).nested_in, 1u);
  EXPECT_EQ(CanRecover(2, 20), Recovery::kPut);
  for (ObjectRef* ref : {&inner, &outer, &other}) ref->Reset();
  ExpectNoLineage();
}

// 20 was made of 10, whose task was evicted; 10 is to be given away.
class TransferEvictedLineage : public TransferLineageInLittleRoom {
 protected:
  TransferEvictedLineage() {
    Record(1, 10, {}, {10}, kRetriesUnlimited, /*spec_bytes=*/60);
    Record(1, 20, {10}, {20}, kRetriesUnlimited, /*spec_bytes=*/60);
    EXPECT_EQ(CanRecover(1, 10), Recovery::kEvicted);
  }
  void ExpectNotMovable() {
    Transfer(10, 1, 2);
    Settle();
    EXPECT_EQ(answers, std::vector<std::string>{"FAILED_PRECONDITION, not movable"});
  }

  ObjectRef a = world.Declare(1, 10);
  ObjectRef b = world.Declare(1, 20);
};

TEST_F(TransferEvictedLineage, IsKnownAsLongAsTheObjectStays) {
  const auto updates =
      world[1].SubscribeLocations(Object(10), [](const ObjectId&, const LocationUpdate&) {});
  ASSERT_TRUE(updates.ok()) << updates.status();
  ExpectNotMovable();
  EXPECT_EQ(CanRecover(1, 10), Recovery::kEvicted);
  ASSERT_TRUE(world[1].Cancel(*updates));
  Give({10}, 1, 2);
  EXPECT_EQ(CanRecover(2, 10), Recovery::kPut);
  a.Reset();
  b.Reset();
  ExpectNoLineage();
}

TEST_F(TransferEvictedLineage, OfWhatStaysAsItIsBeingPersistedIsKnownWhoHasIt) {
  Location at;
  at.node = Node(1);
  at.in_memory = true;
  ASSERT_TRUE(world[1].AddLocation(Object(10), at, 0, 1).ok());
  ScopeOptions options;
  options.parent = ScopeId::Root();
  Scope scope = *world[1].OpenScope(options);
  ASSERT_TRUE(world[1].FindScope(ScopeId::Root())->Move({Object(10)}, scope.id()).ok());
  std::vector<std::string> told_persisted;
  const auto done = [&](const ObjectId&, const absl::Status& status) {
    told_persisted.push_back(NameOf(status));
  };
  ASSERT_TRUE(scope.Keep({Object(10)}, KeepMode::kPersist, done).ok());
  ASSERT_TRUE(scope.End().ok());
  ExpectNotMovable();
  ASSERT_TRUE(Lineage(world[1]).Persisted(Object(10), 0, absl::OkStatus()).ok());
  EXPECT_THAT(told_persisted, ElementsAre("ok"));
  EXPECT_EQ(CanRecover(1, 10), Recovery::kPersisted);
  world.membership.Exclude({Node(1)});
  a.Reset();
  b.Reset();
  ExpectNoLineage();
}

TEST_F(TransferLineageAtOnce, WhatIsRefusedOnItsWayHomeIsLentAsBefore) {
  ObjectRef a = Make(1, 10, {});
  ASSERT_TRUE(world[1].OnErased(Object(10), [](const ObjectId&, EndReason) {}).ok());
  ObjectRef b = world.Declare(1, 20);
  Record(1, 20, {10}, {20}, /*retries=*/1);
  ObjectRef there = world.Pass(1, 10, 2);
  Give({20}, 1, 2);
  Free(2, 20);
  EXPECT_THAT(Resubmit(2, 20), IsEmpty());
  resubmitted.clear();
  there.Reset();
  a.Reset();
  Settle();
  // Nothing can be made of 10 any more: its own task is let go of when 20 comes with its own.
  drains_when_released = 1;
  answers.clear();
  Transfer(20, 2, 1);
  Settle();
  drains_when_released = 0;
  EXPECT_THAT(released, ElementsAre("0a"));
  EXPECT_EQ(answers, std::vector<std::string>{"FAILED_PRECONDITION, draining"});
  EXPECT_EQ(CanRecover(2, 20), Recovery::kNoRetries);
  EXPECT_EQ(CanRecover(1, 20), Recovery::kElsewhere);
  EXPECT_EQ(Stats(1).lineage_tasks_away, 1u);
  b.Reset();
  ExpectNoLineage();
}

}  // namespace
}  // namespace freehold
