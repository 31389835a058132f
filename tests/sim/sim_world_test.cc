// SimWorld itself: that runs repeat, that scenarios say what happens, that the oracle finds what it
// is there to find. What the library must do in it is checked by freehold_sim, for many seeds.

#include "freehold/testing/sim_world.h"

#include <cstdint>
#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/testing/sim_action.h"

namespace freehold::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// The violation that the scenario ends in.
std::string ViolationOf(const std::string& scenario) {
  std::unique_ptr<SimWorld> world;
  const absl::Status status = RunSimScenario(scenario, &world);
  EXPECT_TRUE(status.ok()) << status;
  return world->violation();
}

// --- Runs from a seed ----------------------------------------------------------------------------

TEST(SimSeed, SameSeedGivesTheSameTraceByteForByte) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::unique_ptr<SimWorld> one;
    std::unique_ptr<SimWorld> two;
    EXPECT_EQ(RunSimSeed({seed}, &one), RunSimSeed({seed}, &two));
    EXPECT_EQ(one->trace_hash(), two->trace_hash()) << "seed " << seed;
    ASSERT_EQ(one->Trace(), two->Trace()) << "seed " << seed;
  }
}

TEST(SimSeed, AnotherSeedGivesAnotherTrace) {
  std::unique_ptr<SimWorld> one;
  std::unique_ptr<SimWorld> two;
  RunSimSeed({1}, &one);
  RunSimSeed({2}, &two);
  EXPECT_NE(one->trace_hash(), two->trace_hash());
}

TEST(SimSeed, ItsScenarioDoesTheSameAgain) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::unique_ptr<SimWorld> run;
    std::unique_ptr<SimWorld> again;
    RunSimSeed({seed}, &run);
    ASSERT_TRUE(RunSimScenario(run->Scenario(), &again).ok());
    ASSERT_EQ(run->Trace(), again->Trace()) << "seed " << seed;
    EXPECT_EQ(run->trace_hash(), again->trace_hash()) << "seed " << seed;
  }
}

TEST(SimSeed, WorldsAreOfTheSizeThatIsPromised) {
  int with_crash = 0;
  constexpr int kSeeds = 60;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const SimWorldOptions options = SimOptionsOfSeed({seed});
    EXPECT_GE(options.processes, 3);
    EXPECT_LE(options.processes, 6);
    EXPECT_GE(options.nodes, 2);
    EXPECT_LE(options.nodes, 5);
    EXPECT_EQ(options.check_every, 1);
    std::unique_ptr<SimWorld> world;
    EXPECT_EQ(RunSimSeed({seed}, &world), "") << "seed " << seed;
    EXPECT_GE(world->totals().steps - world->totals().skipped, 400u) << "seed " << seed;
    with_crash += world->totals().crashes > 0 ? 1 : 0;
  }
  EXPECT_GE(with_crash * 2, kSeeds);
}

TEST(SimSeed, SizesCanBeAskedFor) {
  std::unique_ptr<SimWorld> world;
  EXPECT_EQ(RunSimSeed({3, 40, 50, 300}, &world), "");
  // Some of them may have crashed.
  int live = 0;
  for (int number = 36; number <= 40; ++number) live += world->process(number) != nullptr ? 1 : 0;
  EXPECT_GT(live, 0);
  live = 0;
  for (int number = 46; number <= 50; ++number) live += world->node(number) != nullptr ? 1 : 0;
  EXPECT_GT(live, 0);
  EXPECT_GE(world->totals().steps, 300u);
  EXPECT_LE(world->totals().steps, 310u);
}

// --- Lines ---------------------------------------------------------------------------------------

TEST(SimLines, EveryActionReadsBackAsItself) {
  for (size_t i = 0; i < sim::kVerbs; ++i) {
    const sim::Action action{static_cast<sim::Verb>(i), {7, 3, 5, 9}};
    const std::string text = sim::ActionText(action);
    const auto read = sim::ParseAction(text);
    ASSERT_TRUE(read.has_value()) << text;
    EXPECT_EQ(static_cast<size_t>(read->verb), i) << text;
    EXPECT_EQ(sim::ActionText(*read), text);
  }
}

TEST(SimLines, SpacesAndCommentsMeanNothing) {
  EXPECT_TRUE(sim::ParseAction("   p1   declare o1 on n1   # its first value").has_value());
  SimWorld world;
  EXPECT_TRUE(world.Run("\n\n  # nothing happens\n").ok());
  EXPECT_EQ(world.totals().steps, 0u);
}

TEST(SimLines, LineThatSaysNothingIsAnErrorThatNamesIt) {
  SimWorld world;
  const absl::Status status = world.Run("p1 declare o1\np1 declares o2\n");
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("line 2"));
  std::unique_ptr<SimWorld> none;
  EXPECT_TRUE(absl::IsInvalidArgument(RunSimScenario("world seed 1\n", &none)));
}

TEST(SimLines, LineAboutWhatDoesNotExistIsSkipped) {
  SimWorld world;
  EXPECT_TRUE(world
                  .Run("p9 declare o1\np1 drop o1\nn1 close r3\ncrash n8\np1 end k1\n"
                       "expect o4 gone\n")
                  .ok());
  EXPECT_EQ(world.violation(), "");
  EXPECT_EQ(world.totals().skipped, world.totals().steps);
  EXPECT_EQ(world.Trace(), "");
}

TEST(SimLines, WorldAndNetworkAreReadFromTheFirstLines) {
  const std::string scenario =
      "world seed 9 processes 4 nodes 1 check 3\n"
      "network delay 1ms 2500us held 7ms\n"
      "network loss 1 duplicate 2 reorder 3 garble 4\n"
      "p4 declare o1 on n1\n";
  std::unique_ptr<SimWorld> world;
  ASSERT_TRUE(RunSimScenario(scenario, &world).ok());
  EXPECT_EQ(world->Scenario(), scenario);
}

// --- Stories in lines ----------------------------------------------------------------------------

TEST(SimStory, CopiesGoWithTheLastReferenceAndNotBefore) {
  EXPECT_EQ(ViolationOf("p1 declare o1 on n1\n"
                        "n2 store o1 g0\n"
                        "p1 submit k1 of o1\n"
                        "p1 watch o1 reclaimed as c1\n"
                        "p1 drop o1\n"
                        "settle\n"
                        "expect o1 in scope\n"
                        "expect n2 has o1\n"
                        "expect c1 waits\n"
                        "p1 end k1\n"
                        "settle\n"
                        "expect o1 gone\n"
                        "expect n1 lacks o1\n"
                        "expect n2 lacks o1\n"
                        "expect c1 ran\n"
                        "finish\n"),
            "");
}

TEST(SimStory, CrashedOwnersCopiesGoAtTheBarrierAndNotBefore) {
  EXPECT_EQ(ViolationOf("world seed 1 processes 2 nodes 2 check 1\n"
                        "p1 declare o1 on n1\n"
                        "settle\n"
                        "crash p1\n"
                        "settle\n"
                        "expect n1 has o1\n"
                        "exclude p1\n"
                        "hear n1\n"
                        "pump n1\n"
                        "expect n1 has o1\n"
                        "settle\n"
                        "expect n1 lacks o1\n"
                        "restart p1 as p3\n"
                        "p3 declare o2 on n1\n"
                        "finish\n"),
            "");
}

TEST(SimStory, ValueStaysForAReceiverWhoseSenderDiedBeforeAnybodyHeardOfEither) {
  EXPECT_EQ(ViolationOf("world seed 1 processes 3 nodes 1 check 1\n"
                        "p1 declare o1 on n1\n"
                        "p1 export o1 to p2 as t1\n"
                        "p2 import t1\n"
                        "p2 export o1 to p3 as t2\n"
                        "p3 import t2\n"
                        "crash p2\n"
                        "p1 drop o1\n"
                        "exclude p2\n"
                        "settle\n"
                        "expect n1 has o1\n"
                        "expect p3 holds o1\n"
                        "p3 drop o1\n"
                        "settle\n"
                        "expect n1 lacks o1\n"
                        "finish\n"),
            "");
}

TEST(SimStory, BorrowerLosesWhatItHoldsWhenTheOwnerDiesAndIsTold) {
  EXPECT_EQ(ViolationOf("p1 declare o1\n"
                        "p1 export o1 to p2 as t1\n"
                        "p2 import t1\n"
                        "p2 watch o1 failed as c1\n"
                        "settle\n"
                        "crash p1\n"
                        "settle\n"
                        "expect p2 holds o1\n"
                        "exclude p1\n"
                        "settle\n"
                        "expect p2 lost o1\n"
                        "expect c1 ran\n"
                        "finish\n"),
            "");
}

TEST(SimStory, TokenThatIsLostKeepsItsObjectUntilItIsCancelled) {
  EXPECT_EQ(ViolationOf("p1 declare o1\n"
                        "p1 export o1 to p2 as t1\n"
                        "p1 drop o1\n"
                        "settle\n"
                        "expect o1 in scope\n"
                        "p1 cancel t1\n"
                        "settle\n"
                        "expect o1 gone\n"
                        "p2 import t1\n"
                        "expect p2 lost o1\n"
                        "finish\n"),
            "");
}

TEST(SimStory, CopyThatAHostForgotIsFoundByTheDigestOfItsNode) {
  std::unique_ptr<SimWorld> world;
  ASSERT_TRUE(RunSimScenario("world seed 1 processes 1 nodes 2 check 1\n"
                             "digests every 200ms\n"
                             "p1 declare o1 on n1\nn2 store o1 g0\nsettle\n"
                             "p1 forgets o1 on n2\np1 drop o1\nsettle\n"
                             "expect n2 lacks o1\nfinish\n",
                             &world)
                  .ok());
  EXPECT_EQ(world->violation(), "");
  EXPECT_EQ(world->totals().skipped, 0u);
}

TEST(SimStory, ExpectationThatIsNotMetIsAViolation) {
  EXPECT_EQ(ViolationOf("p1 declare o1\nexpect o1 gone\n"), "not as expected: expect o1 gone");
  EXPECT_EQ(ViolationOf("p1 declare o1\nexpect n1 has o1\n"), "not as expected: expect n1 has o1");
  EXPECT_EQ(ViolationOf("p1 declare o1\np1 watch o1 out as c1\nexpect c1 ran\n"),
            "not as expected: expect c1 ran");
}

// --- The oracle finds what a host does behind its back -------------------------------------------

TEST(SimOracle, FreeOfWhatIsHeldIsFound) {
  SimWorld world;
  ASSERT_TRUE(world.Run("p1 declare o1 on n1\nsettle\n").ok());
  EXPECT_TRUE(world.process(1)->Free({SimWorld::object_id(1)}).ok());
  ASSERT_TRUE(world.Run("settle\n").ok());
  EXPECT_THAT(world.violation(), StartsWith("S4: a live value is freed"));
}

TEST(SimOracle, ReferenceThatNobodyKnowsOfIsFound) {
  SimWorld world;
  ASSERT_TRUE(world.Run("p1 declare o1\n").ok());
  EXPECT_TRUE(world.process(1)->AddLocalReference(SimWorld::object_id(1)).ok());
  ASSERT_TRUE(world.Run("settle\n").ok());
  EXPECT_THAT(world.violation(), StartsWith("an object has other counts than its holders"));
}

TEST(SimOracle, ObjectThatNobodyLetsGoOfIsFoundAtTheEnd) {
  SimWorld world;
  ASSERT_TRUE(world.Run("p1 declare o1 on n1\n").ok());
  const ObjectRef hidden = *world.process(1)->GetRef(SimWorld::object_id(1));
  ASSERT_TRUE(world.Run("finish\n").ok());
  EXPECT_THAT(world.violation(), StartsWith("L4: "));
}

TEST(SimOracle, CopyThatItsOwnerDoesNotKnowIsFoundAtRest) {
  SimWorld world;
  ASSERT_TRUE(world.Run("p1 declare o1 on n1\nsettle\n").ok());
  EXPECT_TRUE(world.process(1)->RemoveLocation(SimWorld::object_id(1), world.node_id(1)).ok());
  ASSERT_TRUE(world.Run("rest\n").ok());
  EXPECT_THAT(world.violation(), StartsWith("a copy is unknown to its owner"));
}

TEST(SimOracle, DigestThatHealsWhatNobodyDisagreedAboutIsFound) {
  SimWorldOptions options;
  options.digest_interval = std::chrono::milliseconds(100);
  SimWorld world(options);
  ASSERT_TRUE(world.Run("p1 declare o1 on n1\nsettle\n").ok());
  EXPECT_TRUE(world.process(1)->RemoveLocation(SimWorld::object_id(1), world.node_id(1)).ok());
  ASSERT_TRUE(world.Run("rest\n").ok());
  EXPECT_THAT(world.violation(), StartsWith("a digest finds a copy about which nobody disagreed"));
}

TEST(SimOracle, ReferenceOfABorrowerThatNobodyKnowsOfIsFound) {
  SimWorld world;
  ASSERT_TRUE(world.Run("p1 declare o1\np1 export o1 to p2 as t1\np2 import t1\n").ok());
  ASSERT_TRUE(world.Run("p1 drop o1\nsettle\nexpect o1 in scope\n").ok());
  EXPECT_EQ(world.violation(), "");
  EXPECT_TRUE(world.process(2)->AddLocalReference(SimWorld::object_id(1)).ok());
  ASSERT_TRUE(world.Run("settle\n").ok());
  EXPECT_THAT(world.violation(), StartsWith("a borrower has other counts than its holders"));
}

TEST(SimOracle, ReferenceThatIsPassedOnBehindItsBackIsFoundAtRest) {
  SimWorld world;
  ASSERT_TRUE(world.Run("p1 declare o1\np1 export o1 to p2 as t1\np2 import t1\nrest\n").ok());
  EXPECT_EQ(world.violation(), "");
  EXPECT_TRUE(world.process(1)->Export(SimWorld::object_id(1), world.process_id(2)).ok());
  ASSERT_TRUE(world.Run("rest\n").ok());
  EXPECT_THAT(world.violation(), StartsWith("L2: wrong count of handoffs"));
}

TEST(SimOracle, HostsOwnObjectsAreTheirOwnAffair) {
  SimWorld world;
  const ObjectId own = ObjectId::FromNumber(1'000'000'000);
  ObjectRef ref = *world.process(1)->Declare(own);
  ASSERT_TRUE(world.Store(2, {own, 0, world.process_id(1), CopyRole::kPrimary, 8}).ok());
  ASSERT_TRUE(world.Run("p1 declare o1 on n1\nrest\n").ok());
  EXPECT_TRUE(world.HasCopy(2, own));
  ref.Reset();
  ASSERT_TRUE(world.Run("finish\n").ok());
  EXPECT_FALSE(world.HasCopy(2, own));
  EXPECT_EQ(world.violation(), "");
}

// --- Cutting short -------------------------------------------------------------------------------

TEST(SimShrink, LeavesWhatMatters) {
  std::unique_ptr<SimWorld> world;
  RunSimSeed({5}, &world);
  std::string scenario = world->Scenario();
  scenario.erase(scenario.find("finish\n"));
  // Ends of its own: any of the world's may have been excluded.
  scenario += "start p40\nstart n9\np40 declare o900 on n9\np40 copy o900\nsettle\n";
  scenario += "expect o900 gone\n";
  EXPECT_EQ(ViolationOf(scenario), "not as expected: expect o900 gone");
  const std::string shortest = ShrinkSimScenario(scenario);
  EXPECT_EQ(ViolationOf(shortest), "not as expected: expect o1 gone");
  EXPECT_EQ(shortest.substr(shortest.find("garble 0\n") + 9), "p1 declare o1\nexpect o1 gone\n");
}

TEST(SimShrink, LeavesAScenarioAloneThatDoesNotFail) {
  const std::string scenario =
      "world seed 1 processes 2 nodes 2 check 1\n"
      "network delay 0s 1ms held 30ms\n"
      "network loss 0 duplicate 0 reorder 0 garble 0\n"
      "p1 declare o1\n"
      "finish\n";
  EXPECT_EQ(ShrinkSimScenario(scenario), scenario);
}

}  // namespace
}  // namespace freehold::testing
