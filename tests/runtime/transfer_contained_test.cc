// Ownership of an object that contains others moves: the next owner holds them from then on.

#include <string>
#include <utility>
#include <vector>

#include "freehold/drain.h"
#include "tests/runtime/transfer_world.h"

namespace freehold {
namespace {

// 1 owns object 8, which contains 7.
class TransferContained : public TransferTest {
 protected:
  // In the order of how it is done: 7 is held by its owner until it is in 8.
  void Contain(uint64_t inner, uint64_t outer, uint64_t process = 1) {
    const ObjectId id = Object(inner);
    ASSERT_TRUE(world[process].AddNested(Object(outer), {id}).ok());
  }
  ErrorReason Read(uint64_t reader, uint64_t inner, uint64_t outer, uint64_t inner_owner) {
    absl::StatusOr<ObjectRef> read =
        world[reader].ImportNested(Object(outer), Object(inner), Process(inner_owner));
    if (read.ok()) read_.push_back(*std::move(read));
    return ReasonOf(read.status());
  }
  // The transfer of 8 from 1 to 2, and all that follows from it.
  void Move(const std::string& answer = "ok") {
    Transfer(8, 1, 2);
    Settle();
    EXPECT_EQ(answers, std::vector<std::string>{answer});
    answers.clear();
  }

  std::vector<ObjectRef> read_;
};

TEST_F(TransferContained, TheNextOwnerHoldsWhatTheObjectContains) {
  ObjectRef inner = world.Declare(1, 7);
  ObjectRef outer = world.Declare(1, 8);
  Contain(7, 8);
  ObjectRef borrowed = world.Pass(1, 8, 3);
  Settle();
  Move();
  EXPECT_EQ(OwnerAt(3, 8), Process(2));
  EXPECT_EQ(OwnerAt(2, 7), Process(1));
  EXPECT_EQ(world.Counts(1, 7).nested_in, 0u);
  EXPECT_EQ(world.Counts(1, 7).borrowers, 1u);
  EXPECT_EQ(world.Counts(2, 7).nested_in, 1u);
  inner.Reset();
  outer.Reset();
  Settle();
  EXPECT_TRUE(world.InScope(1, 7)) << world[1].DebugString(Object(7));
  EXPECT_EQ(Read(3, 7, 8, 1), ErrorReason::kNone);
  borrowed.Reset();
  Settle();
  EXPECT_TRUE(world.InScope(1, 7));
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  read_.clear();
  ExpectNothingLeft();
}

TEST_F(TransferContained, WhatItContainsMayBeBorrowed) {
  ObjectRef inner = world.Declare(3, 7);
  ObjectRef outer = world.Declare(1, 8);
  {
    const ObjectRef passed = world.Pass(3, 7, 1);
    Settle();
    Contain(7, 8);
  }
  inner.Reset();
  Move();
  EXPECT_EQ(world.Counts(3, 7).borrowers, 1u);
  EXPECT_EQ(OwnerAt(2, 7), Process(3));
  world.Crash(1);
  outer.Reset();
  world.Exclude(1);
  Settle();
  ExpectNothingLeft();
}

TEST_F(TransferContained, WhatItContainsMayBeTheNextOwners) {
  ObjectRef inner = world.Declare(2, 7);
  ObjectRef outer = world.Declare(1, 8);
  {
    const ObjectRef passed = world.Pass(2, 7, 1);
    Settle();
    Contain(7, 8);
  }
  inner.Reset();
  Move();
  EXPECT_EQ(world.Counts(2, 7).nested_in, 1u);
  EXPECT_EQ(world.Counts(2, 7).borrowers, 0u);
  EXPECT_TRUE(world.InScope(2, 7));
  outer.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferContained, BothAreGivenAwayInEitherOrder) {
  for (const bool inner_first : {true, false}) {
    SCOPED_TRACE(inner_first);
    ObjectRef inner = world.Declare(1, 7);
    ObjectRef outer = world.Declare(1, 8);
    Contain(7, 8);
    ObjectRef borrowed = world.Pass(1, 8, 3);
    Settle();
    Transfer(inner_first ? 7 : 8, 1, 2);
    Transfer(inner_first ? 8 : 7, 1, 2);
    Settle();
    EXPECT_EQ(answers, (std::vector<std::string>{"ok", "ok"}));
    answers.clear();
    EXPECT_EQ(OwnerAt(2, 7), Process(2));
    EXPECT_EQ(world.Counts(2, 7).nested_in, 1u);
    inner.Reset();
    outer.Reset();
    Settle();
    EXPECT_TRUE(world.InScope(2, 7));
    EXPECT_EQ(world.Counts(2, 7).borrowers, 0u);
    // Whoever wrote the value knew the owner of then.
    EXPECT_EQ(Read(3, 7, 8, 1), ErrorReason::kNone);
    Settle();
    EXPECT_EQ(OwnerAt(3, 7), Process(2));
    borrowed.Reset();
    read_.clear();
    ExpectNothingLeft();
  }
}

TEST_F(TransferContained, ARingOfObjectsMovesLikeOthers) {
  ObjectRef one = world.Declare(1, 7);
  ObjectRef other = world.Declare(1, 8);
  Contain(7, 8);
  Contain(8, 7);
  Move();
  EXPECT_EQ(world.Counts(1, 8).nested_in, 1u);
  EXPECT_EQ(world.Counts(2, 8).borrowers, 1u);
}

TEST_F(TransferContained, WhatIsAddedBeforeItIsGivenAwayGoesToo) {
  ObjectRef inner = world.Declare(1, 7);
  ObjectRef later = world.Declare(1, 6);
  ObjectRef outer = world.Declare(1, 8);
  Contain(7, 8);
  Transfer(8, 1, 2);
  Contain(6, 8);  // nothing has been pumped since
  Settle();
  EXPECT_EQ(world.Counts(2, 6).nested_in, 1u);
  EXPECT_EQ(world.Counts(2, 7).nested_in, 1u);
  EXPECT_EQ(NameOf(world[1].AddNested(Object(8), {Object(6)})),
            "FAILED_PRECONDITION, not the owner");
  for (ObjectRef* ref : {&inner, &later, &outer}) ref->Reset();
  ExpectNothingLeft();
}

TEST_F(TransferContained, MoreThanAPieceOfObjectsGoesInTurns) {
  constexpr uint64_t kInners = 5000;
  ObjectRef outer = world.Declare(1, 8);
  for (uint64_t i = 0; i < kInners; ++i) {
    const ObjectRef inner = world.Declare(1, 100 + i);
    Contain(100 + i, 8);
  }
  ObjectRef borrowed = world.Pass(1, 8, 3);
  Settle();
  Transfer(8, 1, 2);
  world[1].Pump(world.clock.Now());
  EXPECT_EQ(world.Check(1, 8), ErrorReason::kNone);
  EXPECT_EQ(OwnerAt(1, 8), Process(1));  // not begun, as long as there is more to pass on
  EXPECT_EQ(Ownership(world[1]).pending(), 1u);
  EXPECT_FALSE(world[1].CanExit().can_exit());
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"ok"});
  for (const uint64_t i : {uint64_t{0}, kInners / 2, kInners - 1}) {
    EXPECT_EQ(world.Counts(2, 100 + i).nested_in, 1u);
    EXPECT_EQ(world.Counts(1, 100 + i).nested_in, 0u);
  }
  EXPECT_EQ(Stats(2).borrowed, kInners);
  outer.Reset();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferContained, ItEndsOnTheWay) {
  ObjectRef outer = world.Declare(1, 8);
  for (uint64_t i = 0; i < 3000; ++i) {
    const ObjectRef inner = world.Declare(1, 100 + i);
    Contain(100 + i, 8);
  }
  Transfer(8, 1, 2);
  world[1].Pump(world.clock.Now());
  (void)world[1].Shutdown(ShutdownMode::kImmediate, Duration::zero());
  EXPECT_TRUE(answers.empty());
  world.Crash(1);
  world.Exclude(1);
  outer.Reset();
  ExpectNothingLeft();
}

// --- It does not go ------------------------------------------------------------------------------

class TransferContainedRefused : public TransferContained {
 protected:
  void Restart(uint64_t number, ReferenceCounterOptions options) {
    world.counters.erase(number);
    world.transport.local.Disconnect(Process(number));
    options.process = Process(number + 10);
    options.transport = &world.transport;
    options.membership = &world.membership;
    options.clock = &world.clock;
    options.executor = world.executor;
    options.seed = number;
    world.counters[number + 10] = ReferenceCounter::Create(options).value();
    world.transport.local.Connect(Process(number + 10), world.counters[number + 10]->inbox());
  }
  void ExpectAsBefore(ObjectRef inner, ObjectRef outer) {
    EXPECT_EQ(OwnerAt(1, 8), Process(1));
    EXPECT_EQ(world.Counts(1, 7).nested_in, 1u);
    EXPECT_EQ(world.Counts(1, 7).borrowers, 0u);
    inner.Reset();
    Settle();
    EXPECT_TRUE(world.InScope(1, 7));
    outer.Reset();
    ExpectNothingLeft();
  }
};

TEST_F(TransferContainedRefused, TheNextOwnerTakesNone) {
  ReferenceCounterOptions options;
  options.takes_transfers = false;
  Restart(2, options);
  ObjectRef inner = world.Declare(1, 7);
  ObjectRef outer = world.Declare(1, 8);
  Contain(7, 8);
  Transfer(8, 1, 12);
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"FAILED_PRECONDITION, refused"});
  ExpectAsBefore(std::move(inner), std::move(outer));
}

TEST_F(TransferContainedRefused, TheNextOwnerDrains) {
  ObjectRef held = world.Declare(2, 1);
  DrainOptions drain;
  drain.timeout = Duration::zero();
  EXPECT_FALSE(world[2].Drain(drain).complete());
  ObjectRef inner = world.Declare(1, 7);
  ObjectRef outer = world.Declare(1, 8);
  Contain(7, 8);
  Move("FAILED_PRECONDITION, draining");
  held.Reset();
  ExpectAsBefore(std::move(inner), std::move(outer));
}

TEST_F(TransferContainedRefused, TheNextOwnerHasThatIdAsItsOwn) {
  ObjectRef theirs = world.Declare(2, 8);
  ObjectRef inner = world.Declare(1, 7);
  ObjectRef outer = world.Declare(1, 8);
  Contain(7, 8);
  Move("ALREADY_EXISTS");
  theirs.Reset();
  ExpectAsBefore(std::move(inner), std::move(outer));
}

TEST_F(TransferContainedRefused, TheNextOwnerCannotHoldWhatItContains) {
  ObjectRef theirs = world.Declare(2, 7);  // the same id: it cannot be borrowed there
  ObjectRef inner = world.Declare(1, 7);
  ObjectRef outer = world.Declare(1, 8);
  Contain(7, 8);
  Move("RESOURCE_EXHAUSTED");
  theirs.Reset();
  ExpectAsBefore(std::move(inner), std::move(outer));
}

TEST_F(TransferContainedRefused, AnotherReasonIsInTheWay) {
  ObjectRef inner = world.Declare(1, 7);
  ObjectRef outer = world.Declare(1, 8);
  Contain(7, 8);
  const auto subscribed =
      world[1].SubscribeLocations(Object(8), [](const ObjectId&, const LocationUpdate&) {});
  ASSERT_TRUE(subscribed.ok()) << subscribed.status();
  Transfer(8, 1, 2);
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"FAILED_PRECONDITION, not movable"});
  EXPECT_EQ(Stats(1).handoffs_pending, 0u);
  ExpectAsBefore(std::move(inner), std::move(outer));
}

// --- Somebody dies -------------------------------------------------------------------------------

class TransferContainedDeath : public TransferContained {
 protected:
  TransferContainedDeath() {
    inner = world.Declare(4, 7);
    outer = world.Declare(1, 8);
    {
      const ObjectRef passed = world.Pass(4, 7, 1);
      Settle();
      Contain(7, 8);
    }
    borrowed = world.Pass(1, 8, 3);
    inner.Reset();
    Settle();
    Transfer(8, 1, 2);
  }
  ObjectRef inner, outer, borrowed;
};

TEST_F(TransferContainedDeath, TheFormerOwnerDiesBeforeTheObjectHasCome) {
  world.Settle({1});
  world.Settle({2});
  world.Crash(1);
  outer.Reset();
  world.Exclude(1);
  Settle();
  EXPECT_EQ(world.Check(3, 8), ErrorReason::kNone);
  EXPECT_TRUE(world.InScope(4, 7));
  EXPECT_EQ(Read(3, 7, 8, 4), ErrorReason::kNone);
  borrowed.Reset();
  read_.clear();
  ExpectNothingLeft();
}

TEST_F(TransferContainedDeath, TheNextOwnerDiesBeforeItsAnswer) {
  world.Settle({1});
  world.Crash(2);
  world.Exclude(2);
  Settle();
  EXPECT_EQ(OwnerAt(3, 8), Process(1));
  EXPECT_TRUE(world.InScope(4, 7));
  EXPECT_EQ(Read(3, 7, 8, 4), ErrorReason::kNone);
  outer.Reset();
  borrowed.Reset();
  read_.clear();
  ExpectNothingLeft();
}

TEST_F(TransferContainedDeath, TheNextOwnerDiesBeforeEverybodyKnows) {
  world.Settle({1});
  world.Settle({2});
  world.Settle({1});  // taken; 3 has not been told
  EXPECT_EQ(Stats(1).transfers_pending, 1u);
  world.Crash(2);
  world.Exclude(2);
  Settle();
  EXPECT_EQ(OwnerAt(3, 8), Process(1));
  EXPECT_EQ(world.Counts(1, 7).nested_in, 1u);
  EXPECT_EQ(world.Counts(4, 7).borrowers, 1u);
  EXPECT_EQ(Read(3, 7, 8, 4), ErrorReason::kNone);
  outer.Reset();
  borrowed.Reset();
  read_.clear();
  ExpectNothingLeft();
}

TEST_F(TransferContainedDeath, TheInnerObjectsOwnerDies) {
  world.Crash(4);
  world.Exclude(4);
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"ok"});
  EXPECT_EQ(OwnerAt(3, 8), Process(2));
  EXPECT_EQ(world.Check(2, 7), ErrorReason::kOwnerDied);
  outer.Reset();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferContained, WhatIsOfNoUseAnyMoreIsLeftOut) {
  ObjectRef inner = world.Declare(4, 7);
  ObjectRef outer = world.Declare(1, 8);
  {
    const ObjectRef passed = world.Pass(4, 7, 1);
    Settle();
    Contain(7, 8);
  }
  world.Crash(4);
  inner.Reset();
  world.Exclude(4);
  Settle();
  EXPECT_EQ(world.Check(1, 7), ErrorReason::kOwnerDied);
  Move();
  EXPECT_FALSE(world.InScope(2, 7));
  EXPECT_EQ(OwnerAt(1, 8), Process(2));
  outer.Reset();
  ExpectNothingLeft();
}

// 3 has read the inner id while 1 was the outer one's owner; its registration is lost until 2,
// which came after 1, is dead as well.
TEST_F(TransferContainedDeath, WhatWasReadBeforeCountsOnTheNextOwner) {
  world.Settle({1, 2, 4});  // taken, and 2 is a borrower of the inner one
  world.Settle({1, 2, 4});
  EXPECT_EQ(Read(3, 7, 8, 4), ErrorReason::kNone);
  world.transport.unreachable[Process(4)] = true;
  world.Settle({3, 2, 1});
  world.Settle({3, 2, 1});
  EXPECT_EQ(OwnerAt(3, 8), Process(2));
  EXPECT_EQ(Stats(1).transfers_pending, 0u);
  world.Crash(2);
  outer.Reset();
  borrowed.Reset();
  world.transport.unreachable.erase(Process(4));
  world.Exclude(2);
  Settle();
  world.SettleFor(std::chrono::seconds(5));
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  EXPECT_TRUE(world.InScope(4, 7));
  read_.clear();
  ExpectNothingLeft();
}

// --- Who lies ------------------------------------------------------------------------------------

TEST_F(TransferContained, WhatComesWithoutItsOuterObjectGoesWithItsSender) {
  ObjectRef inner = world.Declare(2, 7);
  core::ContainedItem item;
  item.outer = Object(8);
  item.inners.push_back({Object(7), 1, core::kFirstTerm, Process(2)});
  world.Say(1, 2, item);
  inner.Reset();
  Settle();
  EXPECT_TRUE(world.InScope(2, 7));
  world.Exclude(1);
  Settle();
  EXPECT_FALSE(world.InScope(2, 7));
  ExpectNothingLeft();
}

TEST_F(TransferContained, AnObjectThatContainsItselfIsNotTaken) {
  ObjectRef theirs = world.Declare(2, 8);
  core::ContainedItem item;
  item.outer = Object(8);
  item.inners.push_back({Object(8), 1, core::kFirstTerm, Process(2)});
  world.Say(1, 2, item);
  EXPECT_EQ(world.Counts(2, 8).nested_in, 0u);
  theirs.Reset();
  EXPECT_FALSE(world.InScope(2, 8));
  world.Exclude(1);
  ExpectNothingLeft();
}

TEST_F(TransferContained, WhatWasNeverThereIsLeftOut) {
  core::ContainedItem item;
  item.outer = Object(8);
  item.inners.push_back({Object(7), 1, core::kFirstTerm, Process(2)});  // 2 has no such object
  world.Say(1, 2, item);
  EXPECT_FALSE(world.InScope(2, 7));
  world.Exclude(1);
  ExpectNothingLeft();
}

}  // namespace
}  // namespace freehold
