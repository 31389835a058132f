#include "src/core/object_table_pins.h"

#include <string>

#include "gtest/gtest.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

class PinTable : public ObjectTableHarness {
 public:
  Verdict Pin(uint64_t object, const std::string& by, Time now = Time()) {
    const ObjectId id = ObjectId::FromNumber(object);
    Effects ignored;  // nobody is its heir
    const Verdict verdict = PinSteps(&table).Step(event::Pin{{id, id.Hash()}, by, now}, &ignored);
    table.CheckInvariants();
    return verdict;
  }
  Verdict Unpin(uint64_t object, const std::string& by) {
    const ObjectId id = ObjectId::FromNumber(object);
    Effects raw;
    const Verdict verdict = PinSteps(&table).Step(event::Unpin{{id, id.Hash()}, by}, &raw);
    unpinned = LayOpen(std::move(raw));
    table.CheckInvariants();
    return verdict;
  }
  const ValuePins::Pinned* Pins(uint64_t object) const {
    return PinSteps::Of(table, *Find(object));
  }

  Asked unpinned;  // what the last Unpin asked for
};

TEST(ObjectTablePins, PinKeepsTheValueAlthoughNothingRefersToIt) {
  PinTable table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  EXPECT_EQ(table.Pin(1, "cache"), Verdict::kOk);
  table.DropHandle(1);
  EXPECT_TRUE(table.Find(1)->in_scope());
  EXPECT_TRUE(table.Pull(kN1).empty());
}

TEST(ObjectTablePins, LastUnpinFrees) {
  PinTable table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.Pin(1, "cache"), Verdict::kOk);
  ASSERT_EQ(table.Pin(1, "cache"), Verdict::kOk);
  ASSERT_EQ(table.Pin(1, "reader"), Verdict::kOk);
  table.DropHandle(1);
  EXPECT_EQ(table.Unpin(1, "cache"), Verdict::kOk);
  EXPECT_EQ(table.Unpin(1, "reader"), Verdict::kOk);
  EXPECT_TRUE(table.Find(1)->in_scope());
  EXPECT_EQ(table.Unpin(1, "cache"), Verdict::kOk);
  EXPECT_FALSE(table.Find(1)->in_scope());
  EXPECT_EQ(table.unpinned.ready, std::vector<PeerIndex>{kN1});
  EXPECT_EQ(table.Pull(kN1), (std::vector<FreedCopy>{{1, 0}}));
}

TEST(ObjectTablePins, UnpinOfReferencedObjectFreesNothing) {
  PinTable table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.Pin(1, "cache"), Verdict::kOk);
  EXPECT_EQ(table.Unpin(1, "cache"), Verdict::kOk);
  EXPECT_TRUE(table.Find(1)->in_scope());
  EXPECT_EQ(table.Find(1)->nested_in, 0u);
  EXPECT_EQ(PinSteps::CountPinned(table.table), 0u);
}

TEST(ObjectTablePins, PinSaysByWhomAndSinceWhen) {
  PinTable table;
  ASSERT_EQ(table.Declare(1), Verdict::kOk);
  EXPECT_EQ(table.Pins(1), nullptr);
  ASSERT_EQ(table.Pin(1, "b", Time(Duration(10))), Verdict::kOk);
  ASSERT_EQ(table.Pin(1, "a", Time(Duration(20))), Verdict::kOk);
  ASSERT_EQ(table.Pin(1, "b", Time(Duration(30))), Verdict::kOk);
  const ValuePins::Pinned* pinned = table.Pins(1);
  ASSERT_NE(pinned, nullptr);
  ASSERT_EQ(pinned->holders.size(), 2u);
  EXPECT_EQ(pinned->holders[0].by, "b");
  EXPECT_EQ(pinned->holders[0].count, 2u);
  EXPECT_EQ(pinned->holders[0].since, Time(Duration(10)));
  EXPECT_EQ(pinned->holders[1].by, "a");
  EXPECT_EQ(pinned->holders[1].since, Time(Duration(20)));
}

TEST(ObjectTablePins, ExplicitFreeWaitsForTheLastPin) {
  PinTable table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.Register(1, Moment::kOutOfScope, 1, 7), Verdict::kOk);
  ASSERT_EQ(table.Pin(1, "cache"), Verdict::kOk);
  EXPECT_EQ(table.FreeExplicitly(1), Verdict::kUnchanged);
  EXPECT_EQ(table.FreeExplicitly(1), Verdict::kUnchanged);
  EXPECT_TRUE(table.Pins(1)->free_waits);
  EXPECT_EQ(table.Find(1)->state(), ObjectState::kAvailable);
  EXPECT_TRUE(table.Pull(kN1).empty());
  EXPECT_EQ(table.Unpin(1, "cache"), Verdict::kOk);
  EXPECT_EQ(table.Find(1)->state(), ObjectState::kFreed);  // the handle is there
  ASSERT_EQ(table.unpinned.fired.size(), 1u);
  EXPECT_EQ(table.unpinned.fired[0].reason, EndReason::kFreed);
  EXPECT_EQ(table.Pull(kN1), (std::vector<FreedCopy>{{1, 0}}));
}

TEST(ObjectTablePins, FreeThatWaitedIsForgottenWhenTheValueIsMadeAgain) {
  PinTable table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.Pin(1, "cache"), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(1), Verdict::kUnchanged);
  EXPECT_FALSE(table.Exclude(kN1));
  ASSERT_EQ(table.Find(1)->state(), ObjectState::kLost);
  ASSERT_EQ(table.Recreate(1), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(1, 2, 1), Verdict::kOk);
  EXPECT_EQ(table.Unpin(1, "cache"), Verdict::kOk);
  EXPECT_EQ(table.Find(1)->state(), ObjectState::kAvailable);
}

TEST(ObjectTablePins, PinnedObjectMayBeFreedAndRecreatedAndPinnedStill) {
  PinTable table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(1), Verdict::kOk);
  EXPECT_EQ(table.Pin(1, "cache"), Verdict::kOk);
  ASSERT_EQ(table.Recreate(1), Verdict::kOk);
  table.DropHandle(1);
  EXPECT_TRUE(table.Find(1)->in_scope());
}

TEST(ObjectTablePins, WhatIsGoneOrUnknownIsNotPinned) {
  PinTable table;
  EXPECT_EQ(table.Pin(1, "cache"), Verdict::kNotFound);
  EXPECT_EQ(table.Unpin(1, "cache"), Verdict::kNotFound);
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  EXPECT_EQ(table.Unpin(1, "cache"), Verdict::kNotHeld);
  ASSERT_EQ(table.Pin(1, "cache"), Verdict::kOk);
  EXPECT_EQ(table.Unpin(1, "reader"), Verdict::kNotHeld);
  EXPECT_EQ(table.Unpin(1, "cache"), Verdict::kOk);
  table.DropHandle(1);
  EXPECT_EQ(table.Pin(1, "cache"), Verdict::kOutOfScope);
}

TEST(ObjectTablePins, OneObjectHasABoundedNumberOfPinners) {
  PinTable table;
  ASSERT_EQ(table.Declare(1), Verdict::kOk);
  for (size_t i = 0; i < kPinHoldersMax; ++i) {
    ASSERT_EQ(table.Pin(1, "number " + std::to_string(i)), Verdict::kOk);
  }
  EXPECT_EQ(table.Pin(1, "one more"), Verdict::kCountFull);
  EXPECT_EQ(table.Pin(1, "number 3"), Verdict::kOk);
  EXPECT_EQ(table.Find(1)->nested_in, 1u);
}

TEST(ObjectTablePins, PlainObjectsRecordIsAsLargeAsEver) { EXPECT_EQ(sizeof(ObjectRecord), 88u); }

TEST(ObjectTablePins, EvictionWaitsForTheLastPin) {
  PinTable table;
  ASSERT_EQ(table.Declare(1, kN1), Verdict::kOk);
  ASSERT_EQ(table.Pin(1, "cache"), Verdict::kOk);
  EXPECT_EQ(table.FreeExplicitly(1, FreeMode::kEvictFirst), Verdict::kUnchanged);
  EXPECT_TRUE(table.PullMoves(kN1).empty());
  EXPECT_EQ(table.Unpin(1, "cache"), Verdict::kOk);
  EXPECT_EQ(table.Find(1)->state(), ObjectState::kAvailable);
  EXPECT_EQ(table.PullMoves(kN1),
            (std::vector<MoveWord>{{1, 0, 0, MoveAnswer::kEvictFirst, kNoPeer}}));
}

TEST(ObjectTablePins, OfTwoFreesThatWaitTheStrongerOneIsDone) {
  PinTable table;
  for (const uint64_t object : {1, 2}) {
    ASSERT_EQ(table.Declare(object, kN1), Verdict::kOk);
    ASSERT_EQ(table.Pin(object, "cache"), Verdict::kOk);
    const bool now_first = object == 1;
    EXPECT_EQ(table.FreeExplicitly(object, now_first ? FreeMode::kNow : FreeMode::kEvictFirst),
              Verdict::kUnchanged);
    EXPECT_EQ(table.FreeExplicitly(object, now_first ? FreeMode::kEvictFirst : FreeMode::kNow),
              Verdict::kUnchanged);
    EXPECT_EQ(table.Unpin(object, "cache"), Verdict::kOk);
    EXPECT_EQ(table.Find(object)->state(), ObjectState::kFreed);
  }
}

}  // namespace
}  // namespace freehold::core
