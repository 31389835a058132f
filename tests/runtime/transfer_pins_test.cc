// Pins of an object that gets another owner: they are the next owner's from then on.

#include <chrono>
#include <string>
#include <vector>

#include "freehold/pin.h"
#include "gmock/gmock.h"
#include "tests/runtime/transfer_world.h"

namespace freehold {
namespace {

using ::testing::HasSubstr;

class TransferPins : public TransferTest {
 protected:
  // "a 2; b 1", or why there is no answer.
  std::string Pins(uint64_t process, uint64_t object) {
    const auto pins = world[process].GetPins(Object(object));
    if (!pins.ok()) return ErrorReasonName(ReasonOf(pins.status()));
    std::string text;
    for (const PinHolder& holder : *pins) {
      text += (text.empty() ? "" : "; ") + holder.by + " " + std::to_string(holder.count);
    }
    return text;
  }
  void Pin(uint64_t process, uint64_t object, const std::string& by) {
    ASSERT_TRUE(world[process].Pin(Object(object), by).ok());
  }
  void Unpin(uint64_t process, uint64_t object, const std::string& by) {
    const absl::Status status = world[process].Unpin(Object(object), by);
    ASSERT_TRUE(status.ok()) << status;
  }
};

TEST_F(TransferPins, TheNextOwnersHostUnpinsByTheSameNames) {
  ObjectRef own = world.Declare(1, 7);
  Pin(1, 7, "cache");
  Pin(1, 7, "cache");
  Pin(1, 7, "reader");
  own.Reset();
  Transfer(7, 1, 2);
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"ok"});
  EXPECT_EQ(Pins(2, 7), "cache 2; reader 1");
  EXPECT_EQ(world.Counts(2, 7).pins, 3u);
  EXPECT_EQ(Stats(1).pinned, 0u);
  EXPECT_EQ(Stats(2).pinned, 1u);
  Unpin(2, 7, "cache");
  Unpin(2, 7, "reader");
  EXPECT_TRUE(world.InScope(2, 7));
  Unpin(2, 7, "cache");
  EXPECT_EQ(Stats(2).pinned, 0u);
  ExpectNothingLeft();
}

TEST_F(TransferPins, TheFormerOwnerSaysThatItIsNotTheOwner) {
  ObjectRef own = world.Declare(1, 7);
  Pin(1, 7, "cache");
  Transfer(7, 1, 2);
  Settle();
  const uint64_t misuses = Stats(1).misuses;
  EXPECT_EQ(ReasonOf(world[1].Unpin(Object(7), "cache")), ErrorReason::kNotOwner);
  EXPECT_EQ(ReasonOf(world[1].Pin(Object(7), "cache")), ErrorReason::kNotOwner);
  EXPECT_EQ(Pins(1, 7), "not the owner");
  own.Reset();
  Settle();
  EXPECT_EQ(ReasonOf(world[1].Unpin(Object(7), "cache")), ErrorReason::kNotOwner);
  EXPECT_EQ(Pins(1, 7), "not the owner");
  EXPECT_EQ(Stats(1).misuses, misuses);
  Unpin(2, 7, "cache");
  ExpectNothingLeft();
}

TEST_F(TransferPins, APinIsAsOldAtTheNextOwner) {
  ObjectRef own = world.Declare(1, 7);
  Pin(1, 7, "cache");
  world.clock.Advance(std::chrono::seconds(3));
  Transfer(7, 1, 2);
  Settle();
  const auto pins = world[2].GetPins(Object(7));
  ASSERT_TRUE(pins.ok() && pins->size() == 1) << pins.status();
  EXPECT_EQ((*pins)[0].since, Time(std::chrono::seconds(1)));
  EXPECT_THAT(world[2].DebugString(Object(7)), HasSubstr("pinned by cache for 3000 ms"));
  own.Reset();
  Unpin(2, 7, "cache");
  ExpectNothingLeft();
}

TEST_F(TransferPins, AFreeThatWaitsIsDoneWithTheLastPinAtTheNextOwner) {
  ObjectRef own = world.Declare(1, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Pin(1, 7, "cache");
  ASSERT_TRUE(world[1].Free({Object(7)}).ok());
  Transfer(7, 1, 2);
  Settle();
  EXPECT_THAT(world[2].DebugString(Object(7)), HasSubstr("its free waits for the last pin"));
  EXPECT_FALSE(*world[2].IsFreed(Object(7)));
  Unpin(2, 7, "cache");
  EXPECT_TRUE(*world[2].IsFreed(Object(7)));
  own.Reset();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferPins, WhatIsRefusedIsPinnedAsBefore) {
  ObjectRef own = world.Declare(1, 7);
  Pin(1, 7, "cache");
  world[2].Drain({Duration::zero(), nullptr, ProcessId(), 0});
  Transfer(7, 1, 2);
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"FAILED_PRECONDITION, draining"});
  EXPECT_EQ(Pins(1, 7), "cache 1");
  own.Reset();
  EXPECT_TRUE(world.InScope(1, 7));
  Unpin(1, 7, "cache");
  ExpectNothingLeft();
}

TEST_F(TransferPins, WhatIsTakenBackIsPinnedAsBefore) {
  ObjectRef own = world.Declare(1, 7);
  Pin(1, 7, "cache");
  Transfer(7, 1, 2);
  world.Crash(2);
  world.Exclude(2);
  own.Reset();
  Settle();
  EXPECT_EQ(Pins(1, 7), "cache 1");
  EXPECT_TRUE(world.InScope(1, 7));
  Unpin(1, 7, "cache");
  ExpectNothingLeft();
}

TEST_F(TransferPins, MoreNamesThanAMessageHoldsKeepTheObjectWhereItIs) {
  ObjectRef own = world.Declare(1, 7);
  for (int i = 10; i < 40; ++i) {
    Pin(1, 7, std::string(kPinnedByBytesMax - 2, 'x') + std::to_string(i));
  }
  Transfer(7, 1, 2);
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"FAILED_PRECONDITION, not movable"});
  EXPECT_TRUE(world.InScope(1, 7));
}

}  // namespace
}  // namespace freehold
