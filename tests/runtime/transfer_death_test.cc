// Ownership that moves from one process to another, and somebody dies on the way.

#include "tests/runtime/transfer_world.h"

namespace freehold {
namespace {

class TransferDeath : public TransferTest {};

TEST_F(TransferDeath, TheFormerOwnerDiesAndNobodyNotices) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1, 2});  // taken; nobody has been told
  world.Crash(1);
  own.Reset();
  world.Exclude(1);
  Settle();
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  EXPECT_EQ(OwnerAt(3, 7), Process(2));
  EXPECT_EQ(world.Counts(2, 7).borrowers, 1u);
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferDeath, TheFormerOwnerDiesWithTheTransferAndItsObjectsGoWithIt) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 2);
  world.Crash(1);  // before it left
  own.Reset();
  world.Exclude(1);
  Settle();
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kOwnerDied);
  EXPECT_FALSE(world.InScope(2, 7));
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferDeath, TheNextOwnerDiesBeforeItsAnswerAndTheObjectIsOwnedAsBefore) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  world.Crash(2);
  Transfer(7, 1, 2);
  Settle();
  EXPECT_EQ(world.Check(1, 7), ErrorReason::kNone);
  world.Exclude(2);
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"UNAVAILABLE, peer excluded"});
  EXPECT_EQ(OwnerAt(1, 7), Process(1));
  EXPECT_EQ(OwnerAt(3, 7), Process(1));
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  own.Reset();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferDeath, TheNextOwnerDiesBeforeEverybodyKnowsAndTheFormerOneTakesTheObjectBack) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1, 2});
  world.Settle({1});  // it has heard that it was taken
  own.Reset();
  world.Settle({1, 2});
  EXPECT_FALSE(world.InScope(1, 7));
  world.Crash(2);
  world.Exclude(2);
  Settle();
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  EXPECT_EQ(OwnerAt(3, 7), Process(1));
  EXPECT_EQ(Stats(1).transfers_taken_back, 1u);
  EXPECT_TRUE(world.InScope(1, 7));
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferDeath, TheNextOwnerDiesAfterEverybodyKnowsAndTheObjectWithIt) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 2);
  Settle();
  world.Crash(2);
  world.Exclude(2);
  Settle();
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kOwnerDied);
  EXPECT_EQ(world.Check(1, 7), ErrorReason::kOwnerDied);
  own.Reset();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferDeath, ABorrowerThatDiesMeanwhileIsUnlistedAtItsBarrier) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  world.Crash(3);
  borrowed.Reset();
  Transfer(7, 1, 2);
  Settle();
  EXPECT_EQ(Stats(1).transfers_pending, 1u);
  EXPECT_EQ(world.Counts(2, 7).borrowers, 2u);
  world.Exclude(3);
  Settle();
  EXPECT_EQ(Stats(1).transfers_pending, 0u);
  EXPECT_EQ(world.Counts(2, 7).borrowers, 1u);
  own.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferDeath, ASnapshotOverABarrierListsNobodyWhoIsDead) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1});  // it is on its way, and 3 is in it
  world.Crash(3);
  borrowed.Reset();
  world.transport.unreachable[Process(2)] = true;
  world.Exclude(3);
  world.Settle({1, 4});
  world.transport.unreachable.erase(Process(2));
  world.SettleFor(std::chrono::seconds(5));
  Settle();
  own.Reset();
  world.SettleFor(std::chrono::seconds(5));
  ExpectNothingLeft();
}

}  // namespace
}  // namespace freehold
