// Pins of an object that has an heir: they are the heir's when the owner has died.

#include <chrono>
#include <string>

#include "freehold/pin.h"
#include "tests/runtime/heirs_world.h"

namespace freehold {
namespace {

class HeirsPins : public HeirsTest {
 protected:
  void Pin(uint64_t process, uint64_t object, const std::string& by) {
    ASSERT_TRUE(world[process].Pin(Object(object), by).ok());
  }
  void Unpin(uint64_t process, uint64_t object, const std::string& by) {
    const absl::Status status = world[process].Unpin(Object(object), by);
    ASSERT_TRUE(status.ok()) << status;
  }
};

TEST_F(HeirsPins, TheHeirHasThePinsThatItsOwnerMadeBeforeAndAfterItWasNamed) {
  ObjectRef own = world.Declare(1, 7);
  Pin(1, 7, "before");
  Prepare(7);
  world.clock.Advance(std::chrono::seconds(2));
  Pin(1, 7, "after");
  Pin(1, 7, "not any more");
  Settle();
  Unpin(1, 7, "not any more");
  Settle();
  EXPECT_EQ(Stats(2).pinned, 0u);
  EXPECT_EQ(ReasonOf(world[2].Unpin(Object(7), "before")), ErrorReason::kNotOwner);
  Die(1);
  own.Reset();
  Settle();
  given.clear();
  Settle();
  EXPECT_EQ(Stats(2).pinned, 1u);
  const auto pins = world[2].GetPins(Object(7));
  ASSERT_TRUE(pins.ok()) << pins.status();
  ASSERT_EQ(pins->size(), 2u);
  EXPECT_EQ((*pins)[0].by, "before");
  EXPECT_EQ((*pins)[0].since, Time(std::chrono::seconds(1)));
  EXPECT_EQ((*pins)[1].by, "after");
  EXPECT_EQ((*pins)[1].since, Time(std::chrono::seconds(3)));
  Unpin(2, 7, "before");
  EXPECT_TRUE(world.InScope(2, 7));
  Unpin(2, 7, "after");
  ExpectNothingLeft();
}

TEST_F(HeirsPins, AFreeThatWaitsIsDoneWithTheLastPinAtTheHeir) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Prepare(7);
  Pin(1, 7, "cache");
  Settle();
  ASSERT_TRUE(world[1].Free({Object(7)}).ok());
  Settle();
  Die(1);
  own.Reset();
  Settle();
  EXPECT_FALSE(*world[2].IsFreed(Object(7)));
  Unpin(2, 7, "cache");
  EXPECT_TRUE(*world[2].IsFreed(Object(7)));
  borrowed.Reset();
  given.clear();
  ExpectNothingLeft();
}

TEST_F(HeirsPins, WhatItsOwnerPinnedJustBeforeItDiedMayBeUnheard) {
  ObjectRef own = world.Declare(1, 7);
  Prepare(7);
  Pin(1, 7, "cache");
  Die(1);
  own.Reset();
  Settle();
  EXPECT_TRUE(world[2].GetPins(Object(7))->empty());
  given.clear();
  ExpectNothingLeft();
}

TEST_F(HeirsPins, AnObjectThatOutgrowsAMessageByItsPinsLosesItsHeir) {
  ObjectRef own = world.Declare(1, 7);
  Prepare(7);
  for (int i = 10; i < 40; ++i) {
    Pin(1, 7, std::string(kPinnedByBytesMax - 2, 'x') + std::to_string(i));
  }
  Settle();
  EXPECT_EQ(Stats(1).heirs, 0u);
  EXPECT_EQ(Stats(1).heirs_overgrown, 1u);
  EXPECT_TRUE(world.InScope(1, 7));
}

}  // namespace
}  // namespace freehold
