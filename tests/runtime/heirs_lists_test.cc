// Heirs: several of an object, in order.

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "freehold/drain.h"
#include "src/core/transfer_item.h"
#include "tests/runtime/endpoint_testing.h"
#include "tests/runtime/heirs_contained_world.h"

namespace freehold {
namespace {

// 1 owns object 8, and 3 borrows it; 2 and 4 are its heirs.
class HeirsLists : public HeirsContained {
 protected:
  absl::Status List(uint64_t object, uint64_t owner, const std::vector<uint64_t>& heirs) {
    const ObjectId id = Object(object);
    std::vector<ProcessId> list;
    for (const uint64_t heir : heirs) list.push_back(heir == 0 ? ProcessId() : Process(heir));
    return Ownership(world[owner]).NameHeirs({&id, 1}, list, Answering());
  }
  void PrepareList() {
    borrowed = world.Pass(1, 8, 3);
    Settle();
    ASSERT_TRUE(List(8, 1, {2, 4}).ok());
    Settle();
    ASSERT_EQ(TakeAnswers(), "ok");
  }
  void Leave(uint64_t process) {
    DrainOptions drain;
    drain.timeout = Duration::zero();
    (void)world[process].Drain(drain);
  }
  void ExpectHeir(uint64_t owner, uint64_t heir) {
    EXPECT_EQ(Stats(owner).heirs, heir == 0 ? 0u : 1u);
    for (const uint64_t process : {2, 4}) {
      EXPECT_EQ(Stats(process).heir_of, process == heir ? 1u : 0u) << process;
    }
  }
};

TEST_F(HeirsLists, TheFirstDiesAndTheSecondIsPreparedWithoutTheHost) {
  PrepareList();
  ExpectHeir(1, 2);
  Die(2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "") << "it was answered";
  EXPECT_EQ(Stats(1).heirs, 1u);
  EXPECT_EQ(Stats(1).heirs_prepared, 2u);
  EXPECT_EQ(Stats(4).heir_of, 1u);
  OwnerDies();
  EXPECT_EQ(OwnerAt(3, 8), Process(4));
  EXPECT_EQ(world.Check(3, 8), ErrorReason::kNone);
  ExpectAllEnds();
}

TEST_F(HeirsLists, WhoeverInheritsItNamesTheNextOne) {
  PrepareList();
  OwnerDies();
  EXPECT_EQ(OwnerAt(3, 8), Process(2));
  EXPECT_EQ(Stats(2).heirs, 1u);
  EXPECT_EQ(Stats(4).heir_of, 1u);
  given.clear();
  Die(2);
  Settle();
  EXPECT_EQ(OwnerAt(3, 8), Process(4));
  EXPECT_EQ(world.Check(3, 8), ErrorReason::kNone);
  EXPECT_EQ(Stats(4).heirs, 0u) << "the list is over";
  ExpectAllEnds();
}

TEST_F(HeirsLists, WhatItContainsIsHeldByEachOfThem) {
  ContainOf(3);
  PrepareList();
  EXPECT_EQ(NestedAt(2, 7), 1u);
  Die(2);
  Settle();
  EXPECT_EQ(NestedAt(4, 7), 1u);
  OwnerDies();
  EXPECT_EQ(OwnerAt(3, 8), Process(4));
  EXPECT_EQ(NestedAt(4, 7), 1u);
  EXPECT_EQ(world.Counts(3, 7).borrowers, 1u);
  ExpectAllEnds();
}

TEST_F(HeirsLists, WhatItContainsGoesFromHeirToHeir) {
  ContainOf(3);
  PrepareList();
  OwnerDies();
  EXPECT_EQ(NestedAt(2, 7), 1u);
  EXPECT_EQ(NestedAt(4, 7), 1u);
  given.clear();
  Die(2);
  Settle();
  EXPECT_EQ(OwnerAt(3, 8), Process(4));
  EXPECT_EQ(world.Counts(3, 7).borrowers, 1u);
  EXPECT_TRUE(world.InScope(3, 7));
  ExpectAllEnds();
}

TEST_F(HeirsLists, OneThatHoldsWhatItContainsAndLeavesIsFollowed) {
  ContainOf(1);
  PrepareList();
  Leave(2);
  Settle();
  ExpectHeir(1, 4);
  EXPECT_EQ(Stats(2).borrowed, 0u);
  OwnerDies();
  EXPECT_EQ(OwnerAt(3, 8), Process(4));
  ExpectAllEnds();
}

// What no owner writes: itself, and whoever it tells.
TEST_F(HeirsLists, TheOwnerAndTheHeirAreNotNextOnes) {
  core::ShadowItem item;
  item.version = 1;
  item.snapshot.object = Object(5);
  item.snapshot.heirs = {Process(1), Process(2), Process(4)};
  own.Reset();
  Settle();
  world.Say(1, 2, item);
  EXPECT_EQ(Stats(2).heir_of, 1u);
  world.Exclude(1);
  Settle();
  EXPECT_EQ(OwnerAt(2, 5), Process(2));
  EXPECT_EQ(Stats(2).heirs_prepared, 1u);
  EXPECT_EQ(Stats(4).heir_of, 1u);
  ExpectAllEnds();
}

// --- What is answered ----------------------------------------------------------------------------

TEST_F(HeirsLists, TheFirstThatAcceptsIsTheAnswer) {
  Leave(2);
  ASSERT_TRUE(List(8, 1, {2, 4}).ok());
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  ExpectHeir(1, 4);
  ExpectAllEnds();
}

TEST_F(HeirsLists, IfNoneAcceptsTheLastOneIsTheAnswer) {
  Leave(4);
  world.Crash(2);
  ASSERT_TRUE(List(8, 1, {2, 4}).ok());
  Settle();
  EXPECT_EQ(TakeAnswers(), "");
  world.Exclude(2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, draining");
  EXPECT_EQ(Stats(1).heirs, 0u);
  EXPECT_EQ(Stats(4).heir_of, 0u);
  Prepare(8, 1, 3);
  ExpectAllEnds();
}

TEST_F(HeirsLists, WhoeverIsExcludedIsPassedOver) {
  Die(2);
  Settle();
  ASSERT_TRUE(List(8, 1, {2, 4}).ok());
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  EXPECT_EQ(Stats(4).heir_of, 1u);
  Dismiss(8, 1);
  Die(4);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  ASSERT_TRUE(List(8, 1, {2, 4}).ok());
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, peer excluded");
  ExpectAllEnds();
}

// Its heir's death and that of the next one come in one view.
TEST_F(HeirsLists, TwoThatDieTogetherAreFollowedByTheThird) {
  borrowed = world.Pass(1, 8, 3);
  Settle();
  ASSERT_TRUE(List(8, 1, {2, 4, 3}).ok());
  Settle();
  ASSERT_EQ(TakeAnswers(), "ok");
  world.Crash(2);
  world.Crash(4);
  world.membership.Exclude({Process(2), Process(4)});
  Settle();
  EXPECT_EQ(Stats(1).heirs, 1u);
  OwnerDies();
  EXPECT_EQ(OwnerAt(3, 8), Process(3));
  ExpectAllEnds();
}

TEST_F(HeirsLists, WhatNoListIsIsRefusedAtOnce) {
  const std::vector<std::vector<uint64_t>> bad = {{}, {0}, {2, 0}, {1}, {2, 1}, {2, 4, 2}};
  for (const std::vector<uint64_t>& heirs : bad) {
    EXPECT_EQ(List(8, 1, heirs).code(), absl::StatusCode::kInvalidArgument);
  }
  std::vector<uint64_t> many;
  for (uint64_t heir = 2; many.size() < kHeirsMax; ++heir) many.push_back(heir);
  EXPECT_TRUE(List(8, 1, many).ok());
  many.push_back(100);
  EXPECT_EQ(List(8, 1, many).code(), absl::StatusCode::kInvalidArgument);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  ExpectAllEnds();
}

TEST(Heirs, TheLogSaysWhoComesNextOrThatNoneIsLeft) {
  runtime::ListLogger logger;
  ReferenceCounterOptions options;
  options.logger = &logger;
  SharingWorld world(4, options);
  ObjectRef own = world.Declare(1, 7);
  const ObjectId id = Object(7);
  const ProcessId list[] = {Process(2), Process(3)};
  ASSERT_TRUE(Ownership(world[1]).NameHeirs({&id, 1}, list).ok());
  world.Settle();
  const std::string lost = "object " + id.ToHex() + " has no heir any more: it has died; ";
  std::vector<std::string> said;
  for (const uint64_t heir : {2, 3}) {
    world.Crash(heir);
    world.Exclude(heir);
    world.Settle();
  }
  for (const std::string& line : logger.lines()) {
    if (line.rfind(lost, 0) == 0) said.push_back(line.substr(lost.size()));
  }
  EXPECT_EQ(said,
            (std::vector<std::string>{"the next one is " + Process(3).ToHex(), "none is left"}));
  own.Reset();
  world.Settle();
  world.ExpectClean();
}

// --- What ends a list ----------------------------------------------------------------------------

TEST_F(HeirsLists, ADismissalEndsIt) {
  PrepareList();
  Dismiss(8, 1);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  ExpectHeir(1, 0);
  OwnerDies();
  EXPECT_EQ(world.Check(3, 8), ErrorReason::kOwnerDied);
  ExpectAllEnds();
}

// In either order: the host is asked nothing, and the death is seen in the same turn.
TEST_F(HeirsLists, ADismissalThatMeetsADeathEndsIt) {
  for (const bool first : {true, false}) {
    SCOPED_TRACE(first);
    const uint64_t object = first ? 8 : 9;
    ObjectRef other = first ? ObjectRef() : world.Declare(1, 9);
    const uint64_t heir = first ? 2 : 3;
    ASSERT_TRUE(List(object, 1, {heir, 4}).ok());
    Settle();
    ASSERT_EQ(TakeAnswers(), "ok");
    if (first) Dismiss(object, 1);
    Die(heir);
    if (!first) Dismiss(object, 1);
    Settle();
    EXPECT_EQ(TakeAnswers(), "ok");
    EXPECT_EQ(Stats(1).heirs, 0u);
    EXPECT_EQ(Stats(4).heir_of, 0u);
  }
  ExpectAllEnds();
}

// Nobody has accepted yet, and nobody will.
TEST_F(HeirsLists, ADismissalAnswersWhoeverWaitsForTheFirstThatAccepts) {
  CutOff(4);
  Leave(2);
  ASSERT_TRUE(List(8, 1, {2, 4}).ok());
  Settle();
  EXPECT_EQ(TakeAnswers(), "");
  ASSERT_TRUE(List(8, 1, {3}).ok());
  Settle();
  EXPECT_EQ(TakeAnswers(), "ALREADY_EXISTS");
  Dismiss(8, 1);
  Reach(4);
  EXPECT_EQ(TakeAnswers(), "CANCELLED; ok");
  ExpectHeir(1, 0);
  ExpectAllEnds();
}

// More have come to hold it when the first one dies than the second could be told of.
TEST_F(HeirsLists, WhatCanHaveNoHeirAnyMoreEndsIt) {
  CutOff(2);
  ASSERT_TRUE(List(8, 1, {2, 4}).ok());
  Settle();
  std::vector<Handoff> handoffs;
  for (uint64_t process = 100; process < 500; ++process) {
    handoffs.push_back(world.Export(1, 8, process).handoff);
  }
  Die(2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, not movable");
  EXPECT_EQ(Stats(1).heirs, 0u);
  ASSERT_TRUE(List(8, 1, {4}).ok());
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, not movable") << "not since one is to come";
}

TEST_F(HeirsLists, ATransferPassesNoListOn) {
  PrepareList();
  Transfer(8, 1, 3);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, not movable");
  Dismiss(8, 1);
  Settle();
  Transfer(8, 1, 3);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok; ok");
  EXPECT_EQ(OwnerAt(3, 8), Process(3));
  EXPECT_EQ(Stats(3).heirs, 0u);
  ExpectHeir(1, 0);
  ExpectAllEnds();
}

TEST_F(HeirsLists, TheEndOfTheObjectEndsIt) {
  PrepareList();
  Die(2);
  own.Reset();
  borrowed.Reset();
  ExpectNothingLeft();
  EXPECT_EQ(Stats(4).heir_of, 0u);
}

TEST_F(HeirsLists, AnOwnerThatIsExcludedSaysSoToWhoeverWaits) {
  CutOff(4);
  Leave(2);
  ASSERT_TRUE(List(8, 1, {2, 4}).ok());
  Settle();
  world.Exclude(1);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, excluded");
}

// Both views are seen in one turn.
TEST_F(HeirsLists, AnOwnerThatIsExcludedNamesNobody) {
  PrepareList();
  Die(2);
  world.Exclude(1);
  Settle();
  EXPECT_EQ(Stats(1).heirs, 0u);
}

TEST_F(HeirsLists, AShutdownDropsWhatIsNotAnsweredAndNamesNobody) {
  borrowed = world.Pass(1, 8, 3);
  CutOff(4);
  Leave(2);
  ASSERT_TRUE(List(8, 1, {2, 4}).ok());
  Settle();
  const ShutdownReport report = world[1].Shutdown(ShutdownMode::kImmediate, Duration::zero());
  EXPECT_EQ(report.callbacks_dropped, 1u);
  EXPECT_EQ(TakeAnswers(), "");
}

}  // namespace
}  // namespace freehold
