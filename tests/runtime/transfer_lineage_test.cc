// Lineage that goes along when what a task made gets another owner: the task, and the records that
// it needs.

#include <string>
#include <vector>

#include "src/core/state_chains.h"
#include "src/core/transfer_item.h"
#include "tests/runtime/transfer_lineage_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(TransferLineage, TheNextOwnerMakesItAgain) {
  ObjectRef input = world.Declare(1, 5);
  ObjectRef made = Make(1, 10, {5});
  ObjectRef there = world.Pass(1, 10, 2);
  ObjectRef input_there = world.Pass(1, 5, 2);
  Settle();
  Give({10}, 1, 2);
  EXPECT_THAT(taken, ElementsAre("0a of 01"));
  EXPECT_EQ(CanRecover(2, 10), Recovery::kPossible);
  EXPECT_EQ(CanRecover(1, 10), Recovery::kElsewhere);
  EXPECT_THAT(Resubmit(1, 10), ElementsAre("NOT_FOUND"));
  Free(2, 10);
  EXPECT_THAT(Resubmit(2, 10), IsEmpty());
  ASSERT_EQ(resubmitted.size(), 1u);
  ASSERT_EQ(resubmitted[0].returns.size(), 1u);
  EXPECT_EQ(resubmitted[0].returns[0].generation, 1u);
  EXPECT_EQ(world.Counts(2, 5).tasks, 1u);
  resubmitted.clear();
  there.Reset();
  Settle();
  EXPECT_THAT(released, IsEmpty());
  made.Reset();
  Settle();
  EXPECT_THAT(released, ElementsAre("0a", "0a"));  // here and there
  input.Reset();
  input_there.Reset();
  ExpectNoLineage();
}

TEST_F(TransferLineage, AChainOfRecordsFollowsAndIsRevivedThere) {
  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
  ObjectRef c = Make(1, 30, {20});
  a.Reset();
  b.Reset();
  Settle();
  Give({30}, 1, 2);
  EXPECT_EQ(Stats(1).objects, 1u);  // its own reference, which is borrowed now
  EXPECT_EQ(Stats(1).lineage_tasks_away, 3u);
  EXPECT_EQ(Stats(1).records_followed, 2u);
  EXPECT_EQ(Stats(2).objects, 3u);
  EXPECT_FALSE(world.InScope(2, 10));
  EXPECT_FALSE(world.InScope(2, 20));
  EXPECT_EQ(CanRecover(2, 20), Recovery::kPossible);
  EXPECT_THAT(Resubmit(2, 30), ElementsAre("14"));
  EXPECT_THAT(Resubmit(2, 20), ElementsAre("0a"));
  EXPECT_THAT(Resubmit(2, 10), IsEmpty());
  EXPECT_TRUE(world.InScope(2, 10));
  resubmitted.clear();
  Settle();
  EXPECT_FALSE(world.InScope(2, 10));
  c.Reset();
  Settle();
  EXPECT_THAT(released, ::testing::SizeIs(6));
  ExpectNoLineage();
}

TEST_F(TransferLineage, AnArgumentThatEndsLaterFollowsThen) {
  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
  Give({20}, 1, 2);
  EXPECT_THAT(Resubmit(2, 20), ElementsAre(kGone));  // it is in use at 1, and nobody holds it here
  a.Reset();
  Settle();
  EXPECT_THAT(Resubmit(2, 20), ElementsAre("0a"));
  b.Reset();
  ExpectNoLineage();
}

TEST_F(TransferLineage, WhatStaysAndWhatGoesCanBothBeMadeAgain) {
  ObjectRef x = world.Declare(1, 10);
  ObjectRef y = world.Declare(1, 11);
  Record(1, 7, {}, {10, 11});
  Give({10}, 1, 2);
  EXPECT_EQ(CanRecover(1, 11), Recovery::kPossible);
  EXPECT_EQ(CanRecover(2, 10), Recovery::kPossible);
  EXPECT_THAT(Resubmit(1, 7), IsEmpty());
  ASSERT_EQ(resubmitted[0].returns.size(), 1u);
  EXPECT_EQ(resubmitted[0].returns[0].object, Object(11));
  Give({11}, 1, 2);
  EXPECT_EQ(Stats(2).lineage_tasks, 1u);
  EXPECT_THAT(taken, ElementsAre("07 of 01"));
  x.Reset();
  y.Reset();
  ExpectNoLineage();
}

TEST_F(TransferLineage, TwiceAndBackAgain) {
  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
  a.Reset();
  Give({20}, 1, 2);
  Give({20}, 2, 3);
  EXPECT_EQ(CanRecover(3, 20), Recovery::kPossible);
  EXPECT_EQ(CanRecover(3, 10), Recovery::kPossible);
  EXPECT_EQ(Stats(2).lineage_tasks, Stats(2).lineage_tasks_away);
  Give({20}, 3, 1);
  EXPECT_EQ(CanRecover(1, 20), Recovery::kPossible);
  EXPECT_EQ(CanRecover(1, 10), Recovery::kPossible);
  EXPECT_THAT(Resubmit(1, 20), ElementsAre("0a"));
  b.Reset();
  ExpectNoLineage();
}

TEST_F(TransferLineage, ARefusedOneIsMadeHereAsBefore) {
  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
  a.Reset();
  Drain(2);
  Transfer(20, 1, 2);
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"FAILED_PRECONDITION, draining"});
  EXPECT_EQ(CanRecover(1, 20), Recovery::kPossible);
  EXPECT_THAT(taken, IsEmpty());
  EXPECT_THAT(Resubmit(1, 20), ElementsAre("0a"));
  b.Reset();
  ExpectNoLineage();
}

TEST_F(TransferLineage, WhatIsTakenBackIsMadeHereAsBefore) {
  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
  a.Reset();
  ObjectRef borrowed = world.Pass(1, 20, 3);
  Settle();
  Transfer(20, 1, 2);
  world.Settle({1, 2});
  world.Crash(2);
  world.Exclude(2);
  Settle();
  EXPECT_EQ(OwnerAt(1, 20), Process(1));
  EXPECT_EQ(CanRecover(1, 20), Recovery::kPossible);
  EXPECT_EQ(Stats(1).lineage_tasks_away, 0u);
  EXPECT_THAT(Resubmit(1, 20), ElementsAre("0a"));
  borrowed.Reset();
  b.Reset();
  ExpectNoLineage();
}

TEST_F(TransferLineage, NothingIsKeptForANextOwnerThatDies) {
  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
  Give({20}, 1, 2);
  b.Reset();
  Settle();
  world.Crash(2);
  world.Exclude(2);
  Settle();
  EXPECT_EQ(Stats(1).lineage_tasks_away, 0u);
  EXPECT_EQ(Stats(1).lineage_tasks, 1u);
  a.Reset();
  ExpectNoLineage();
}

TEST_F(TransferLineage, WhatTheFormerOwnerKnewDiesNotWithIt) {
  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
  ObjectRef there = world.Pass(1, 20, 2);
  a.Reset();
  Give({20}, 1, 2);
  b.Reset();
  Settle();
  world.Crash(1);
  world.Exclude(1);
  Settle();
  EXPECT_THAT(Resubmit(2, 20), ElementsAre("0a"));
  EXPECT_THAT(Resubmit(2, 10), IsEmpty());
  there.Reset();
  ExpectNoLineage();
}

TEST_F(TransferLineage, ARecordThatSomebodyWaitsForStays) {
  ObjectRef a = Make(1, 10, {});
  ObjectRef b = Make(1, 20, {10});
  int erased = 0;
  ASSERT_TRUE(world[1].OnErased(Object(10), [&](const ObjectId&, EndReason) { ++erased; }).ok());
  a.Reset();
  Settle();
  Give({20}, 1, 2);
  EXPECT_EQ(Stats(2).objects, 1u);
  EXPECT_THAT(Resubmit(2, 20), ElementsAre(kGone));
  EXPECT_EQ(erased, 0);
  b.Reset();
  Settle();
  EXPECT_EQ(erased, 1);
  ExpectNoLineage();
}

// What a peer says is looked at as what a host records is.
TEST_F(TransferLineage, ATaskThatNobodyMayRecordIsNotTakenOver) {
  core::TransferItem item;
  item.object = Object(10);
  item.task = core::TaskRecord{Task(7), UINT64_MAX, 1, {}};
  ObjectRef own = Make(2, 20, {});
  world.Say(1, 2, item);
  EXPECT_EQ(Stats(2).lineage_tasks, 1u);
  EXPECT_EQ(Stats(2).lineage_evicted, 0u);
  item.object = Object(11);
  item.task->spec_bytes = 1;
  item.task->arguments = {core::StateId({1, 1})};
  world.Say(3, 2, item);
  EXPECT_EQ(Stats(2).lineage_tasks, 1u);
  EXPECT_THAT(taken, IsEmpty());
}

// More than are begun in one turn: what is made of something comes long after that.
TEST_F(TransferLineage, WhatIsGivenAwayInOneCallStaysAChain) {
  constexpr uint64_t kLength = 5000;
  std::vector<ObjectRef> held;
  std::vector<ObjectId> ids;
  for (uint64_t i = 1; i <= kLength; ++i) {
    held.push_back(Make(1, i, i == 1 ? std::vector<uint64_t>() : std::vector<uint64_t>{i - 1}));
    ids.push_back(Object(i));
  }
  ASSERT_TRUE(Ownership(world[1]).Transfer(ids, Process(2)).ok());
  ObjectRef last = std::move(held.back());
  held.clear();
  Settle();
  EXPECT_EQ(OwnerAt(1, kLength), Process(2));
  EXPECT_EQ(Stats(2).lineage_tasks, kLength);
  EXPECT_EQ(CanRecover(2, 1), Recovery::kPossible);
  EXPECT_EQ(Stats(1).objects, 1u);
  last.Reset();
  ExpectNoLineage();
}

TEST_F(TransferLineage, WhatWasLetGoOfForWantOfRoomGoesWithoutATask) {
  ObjectRef made = world.Declare(1, 10);
  Record(1, 7, {}, {10}, /*retries=*/0);
  Give({10}, 1, 2);
  EXPECT_EQ(CanRecover(2, 10), Recovery::kNoRetries);
  made.Reset();
  ExpectNoLineage();
}

}  // namespace
}  // namespace freehold
