// Owner at creation, while processes die: a scenario for each arrow between a declaration and the
// reader's registration, crashed there.

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/creation_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Where the declarer, or the owner, dies: after the arrow before it, before the one that follows.
enum class Arrow {
  kDeclared,      // nothing has left
  kSent,          // on its way
  kStored,        // the owner has it, and its answer is on its way
  kAcknowledged,  // the declarer knows
  kReported,      // the bytes are on the node, and the owner knows
  kExported,      // the token is on its way to the reader
  kImported,      // the reader has it, its registration has not left
  kRegistered,
};
constexpr Arrow kArrows[] = {Arrow::kDeclared,     Arrow::kSent,      Arrow::kStored,
                             Arrow::kAcknowledged, Arrow::kReported,  Arrow::kExported,
                             Arrow::kImported,     Arrow::kRegistered};

class Story {
 public:
  explicit Story(const ReferenceCounterOptions& options = {}) : world(options) {}

  void GoTo(Arrow arrow) {
    const auto comes = [arrow](Arrow step) { return arrow >= step; };
    ref = world.DeclareFor(7);
    if (comes(Arrow::kSent)) {
      // What has left before the sender dies may be lost, or arrive: here it is lost.
      if (arrow == Arrow::kSent) world.transport.unreachable[Process(1)] = true;
      world.Settle({2});
      world.transport.unreachable.clear();
    }
    if (comes(Arrow::kStored)) world.Settle({1});
    if (comes(Arrow::kAcknowledged)) world.SettleAll();
    if (comes(Arrow::kReported)) {
      world.Report(7);
      world.SettleAll();
    }
    if (comes(Arrow::kExported)) token = world.Export(2, 7, 3).token;
    if (comes(Arrow::kImported)) at3 = world.Import(3, token);
    if (comes(Arrow::kRegistered)) world.SettleAll();
  }

  CreationWorld world;
  ObjectRef ref;
  std::string token;
  ObjectRef at3;
};

TEST(OwnerAtCreationDeath, ADeclarerMayDieAtEachArrow) {
  for (const Arrow arrow : kArrows) {
    SCOPED_TRACE(static_cast<int>(arrow));
    Story story;
    CreationWorld& world = story.world;
    story.GoTo(arrow);
    world.Crash(2);
    world.Settle({1});
    EXPECT_EQ(world.InScope(1, 7), arrow >= Arrow::kStored) << "before anybody knows";
    world.Exclude(2);
    world.SettleAll();
    const bool read = arrow >= Arrow::kImported;
    EXPECT_EQ(world.InScope(1, 7), read);
    if (read) {
      EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
      EXPECT_THAT(world.store.deleted, IsEmpty());
      story.at3.Reset();
      world.SettleAll();
    } else if (arrow == Arrow::kExported) {
      EXPECT_EQ(world.WhyNot(3, story.token), ErrorReason::kPeerExcluded);
    }
    EXPECT_EQ(world.store.deleted.size(), arrow >= Arrow::kReported ? 1u : 0u);
    world.ExpectClean();
  }
}

TEST(OwnerAtCreationDeath, AnOwnerThatHoldsWhatIsDeclaredForItNeedsNobodyElse) {
  for (const Arrow arrow : kArrows) {
    SCOPED_TRACE(static_cast<int>(arrow));
    std::vector<ObjectRef> kept;
    ReferenceCounterOptions options;
    options.on_declared = [&](ObjectRef ref, const ProcessId& declarer) {
      EXPECT_EQ(declarer, Process(2));
      kept.push_back(std::move(ref));
    };
    Story story(options);
    CreationWorld& world = story.world;
    story.GoTo(arrow);
    world.Crash(2);
    world.Exclude(2);
    world.SettleAll();
    const bool owned = arrow >= Arrow::kStored;
    EXPECT_EQ(kept.size(), owned ? 1u : 0u);
    EXPECT_EQ(world.InScope(1, 7), owned);
    EXPECT_THAT(world.store.deleted, IsEmpty());
    story.at3.Reset();
    kept.clear();
    world.SettleAll();
    EXPECT_EQ(world.store.deleted.size(), arrow >= Arrow::kReported ? 1u : 0u);
    world.ExpectClean();
  }
}

TEST(OwnerAtCreationDeath, AnOwnerMayDieAtEachArrowAndTheCallerHearsIt) {
  for (const Arrow arrow : kArrows) {
    SCOPED_TRACE(static_cast<int>(arrow));
    Story story;
    CreationWorld& world = story.world;
    story.GoTo(arrow);
    world.Crash(1);
    world.Exclude(1);
    world.SettleAll();
    // An answer that lies in the inbox when the news comes is one of an excluded process.
    const bool acknowledged = arrow >= Arrow::kAcknowledged;
    EXPECT_THAT(world.answers, ElementsAre(acknowledged ? "ok" : "UNAVAILABLE, owner died"));
    EXPECT_EQ(world.Check(2, 7), ErrorReason::kOwnerDied);
    EXPECT_EQ(world.CopyOf(7), "UNAVAILABLE, owner died");
    if (story.at3) EXPECT_EQ(world.Check(3, 7), ErrorReason::kOwnerDied);
    if (arrow == Arrow::kExported) EXPECT_EQ(world.WhyNot(3, story.token), ErrorReason::kOwnerDied);
    EXPECT_EQ(world.store.deleted.size(), arrow >= Arrow::kReported ? 1u : 0u);
    EXPECT_EQ(NameOf(world[2].DeclareFor(Process(1), Object(8)).status()),
              "UNAVAILABLE, owner died");
    story.ref.Reset();
    story.at3.Reset();
    world.SettleAll();
    EXPECT_EQ(world[2].GetStats().objects, 0u);
  }
}

TEST(OwnerAtCreationDeath, AnAnswerThatIsLostWithItsOwnerIsTheOwnersDeath) {
  CreationWorld world;
  const ObjectRef ref = world.DeclareFor(7);
  world.transport.unreachable[Process(2)] = true;
  world.Settle({2});
  world.Settle({1});
  EXPECT_TRUE(world.InScope(1, 7));
  world.transport.unreachable.clear();
  world.Crash(1);
  world.Exclude(1);
  world.SettleAll();
  EXPECT_THAT(world.answers, ElementsAre("UNAVAILABLE, owner died"));
}

TEST(OwnerAtCreationDeath, ADeclarerThatIsExcludedHearsIt) {
  CreationWorld world;
  const ObjectRef ref = world.DeclareFor(7);
  world.Exclude(2);  // it lives
  world.Settle({1});
  world.SettleAll();
  EXPECT_THAT(world.answers, ElementsAre("FAILED_PRECONDITION, excluded"));
  EXPECT_EQ(NameOf(world[2].WaitForOwner(Object(7), std::chrono::seconds(1))),
            "FAILED_PRECONDITION, excluded");
  EXPECT_EQ(world[1].GetStats().objects, 0u) << "what the excluded send is not applied";
}

TEST(OwnerAtCreationDeath, ADeclarerThatIsExcludedWhileTheAnswerIsUnderWayLeavesNothing) {
  CreationWorld world;
  const ObjectRef ref = world.DeclareFor(7);
  world.Settle({2});
  world.Settle({1});
  world.Exclude(2);
  world.SettleAll();
  EXPECT_EQ(world.answers.size(), 1u);
  EXPECT_EQ(world[1].GetStats().objects, 0u);
  EXPECT_EQ(world[1].GetStats().borrowers, 0u);
}

}  // namespace
}  // namespace freehold
