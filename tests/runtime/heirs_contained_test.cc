// Heirs of objects that contain others: the heir holds what they contain as their owner did.

#include "tests/runtime/heirs_contained_world.h"

namespace freehold {
namespace {

TEST_F(HeirsContained, TheHeirHoldsWhatItContainsAndReadersReadOn) {
  ContainOf(4);
  borrowed = world.Pass(1, 8, 3);
  Settle();
  Prepare(8);
  EXPECT_EQ(NestedAt(2, 7), 1u);
  EXPECT_EQ(world.Counts(4, 7).borrowers, 2u);
  EXPECT_EQ(Stats(1).handoffs_pending, 0u);
  OwnerDies();
  given.clear();
  EXPECT_EQ(OwnerAt(3, 8), Process(2));
  EXPECT_EQ(NestedAt(2, 7), 1u);
  EXPECT_EQ(world.Counts(4, 7).borrowers, 1u);
  EXPECT_EQ(Read(3, 7, 8, 4), ErrorReason::kNone);
  Settle();
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  read_.clear();
  Settle();
  EXPECT_TRUE(world.InScope(4, 7));
  borrowed.Reset();
  Settle();
  EXPECT_FALSE(world.InScope(4, 7));
  ExpectAllEnds();
}

TEST_F(HeirsContained, WhatItContainsIsInheritedToo) {
  ContainOf(1);
  borrowed = world.Pass(1, 8, 3);
  Settle();
  const ObjectId both[] = {Object(8), Object(7)};
  ASSERT_TRUE(Ownership(world[1]).NameHeir(both, Process(2), Answering()).ok());
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok; ok");
  OwnerDies();
  given.clear();
  EXPECT_EQ(OwnerAt(2, 7), Process(2));
  EXPECT_EQ(NestedAt(2, 7), 1u);
  EXPECT_EQ(world.Counts(2, 7).borrowers, 0u);
  // Whoever reads names an owner that lives.
  EXPECT_EQ(Read(3, 7, 8, 1), ErrorReason::kOwnerDied);
  EXPECT_EQ(Read(3, 7, 8, 2), ErrorReason::kNone);
  Settle();
  EXPECT_EQ(OwnerAt(3, 7), Process(2));
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  ExpectAllEnds();
}

TEST_F(HeirsContained, WhatItContainsIsInheritedByAnHeirOfItThatHeldIt) {
  ContainOf(1);
  Prepare(7);
  Prepare(8);
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  OwnerDies();
  given.clear();
  Settle();
  EXPECT_FALSE(world.InScope(2, 8)) << "nobody holds it any more";
  EXPECT_FALSE(world.InScope(2, 7));
  ExpectAllEnds();
}

TEST_F(HeirsContained, WhatItContainsHasAnotherHeir) {
  ContainOf(1);
  borrowed = world.Pass(1, 8, 3);
  Settle();
  Prepare(7, 1, 4);
  Prepare(8);
  OwnerDies();
  given.clear();
  EXPECT_EQ(OwnerAt(2, 7), Process(4));
  EXPECT_EQ(NestedAt(2, 7), 1u);
  EXPECT_EQ(world.Counts(4, 7).borrowers, 1u);
  EXPECT_EQ(Read(3, 7, 8, 4), ErrorReason::kNone);
  Settle();
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  ExpectAllEnds();
}

TEST_F(HeirsContained, WhatItContainsMayBeTheHeirs) {
  ContainOf(2);
  Prepare(8);
  EXPECT_EQ(NestedAt(2, 7), 1u);
  OwnerDies();
  EXPECT_EQ(NestedAt(2, 7), 1u);
  EXPECT_EQ(world.Counts(2, 7).borrowers, 0u);
  EXPECT_TRUE(world.InScope(2, 7));
  ExpectAllEnds();
}

TEST_F(HeirsContained, WhatItContainsDiesWithItsOwnerByName) {
  ContainOf(1);
  borrowed = world.Pass(1, 8, 3);
  Settle();
  Prepare(8);
  OwnerDies();
  EXPECT_EQ(OwnerAt(3, 8), Process(2));
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kOwnerDied);
  ExpectAllEnds();
}

TEST_F(HeirsContained, TheOwnerOfWhatItContainsDiesTogetherWithItsOwn) {
  ContainOf(4);
  borrowed = world.Pass(1, 8, 3);
  Settle();
  Prepare(8);
  world.Crash(1);
  world.Crash(4);
  own.Reset();
  world.membership.Exclude({Process(1), Process(4)});
  Settle();
  EXPECT_EQ(OwnerAt(3, 8), Process(2));
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kOwnerDied);
  ExpectAllEnds();
}

// 4 hears of 2 only after the death: until then 1, which it lists, holds the object for 2.
TEST_F(HeirsContained, TheHeirRegistersBeforeTheBarrier) {
  ContainOf(4);
  CutOff(4);
  Prepare(8);
  world.Crash(1);
  own.Reset();
  world.Exclude(1);
  Settle();
  EXPECT_EQ(OwnerAt(2, 8), Process(2));
  EXPECT_EQ(Stats(2).flush_waiting, 1u);
  Reach(4);
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kNone);
  EXPECT_EQ(world.Counts(4, 7).borrowers, 1u);
  ExpectAllEnds();
}

TEST_F(HeirsContained, ARegistrationOfWhatWasReadCountsOnTheHeir) {
  ContainOf(4);
  borrowed = world.Pass(1, 8, 3);
  Settle();
  Prepare(8);
  EXPECT_EQ(Read(3, 7, 8, 4), ErrorReason::kNone);
  CutOff(4);
  world.Settle({1, 2, 3});
  OwnerDies();
  given.clear();
  EXPECT_EQ(OwnerAt(3, 8), Process(2));
  // The heir is the last to hold it, and 3 registers before the barrier of the heir's death.
  world.Crash(2);
  world.Exclude(2);
  Reach(4);
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  EXPECT_TRUE(world.InScope(4, 7));
  ExpectAllEnds();
}

}  // namespace
}  // namespace freehold
