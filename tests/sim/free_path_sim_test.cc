// The free path under faults, for many seeds: every copy is freed exactly when it should be, none
// early, none left, every callback once.
//
// FREEHOLD_SIM_SEEDS (default 10000) and FREEHOLD_SIM_FIRST_SEED (default 1) say which seeds run.
// What fails says how to run that seed alone.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/sim/free_sim.h"

namespace freehold::sim {
namespace {

constexpr uint64_t kChunks = 8;  // of seeds, a test each, so that they can be spread over processes
constexpr size_t kTraceLines = 60;
// With fewer seeds, what is rare may not happen at all.
constexpr uint64_t kSeedsForCoverage = 500;

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string HowToRepeat(uint64_t seed) {
  return "To repeat: FREEHOLD_SIM_FIRST_SEED=" + std::to_string(seed) +
         " FREEHOLD_SIM_SEEDS=1 sim_test --gtest_filter='*FreePath.HoldsForSeeds*'";
}

// An invariant of the library ends the process: say in which run.
void ReportRun(int) {
  const FreeSim* run = FreeSim::current();
  if (run == nullptr) return;
  const std::string text = "seed " + std::to_string(run->seed()) + " ends the process at\n" +
                           run->trace().Tail(kTraceLines) + HowToRepeat(run->seed()) + "\n";
  std::fputs(text.c_str(), stderr);
}

// Everything that must have happened to somebody.
constexpr const char* kMustHappen[] = {
    // The network, the ends and the membership.
    "envelope lost",
    "envelope duplicated",
    "envelope reordered",
    "envelope corrupted",
    "envelope partitioned",
    "envelope unreachable",
    "partition",
    "heal",
    "isolate",
    "rejoin",
    "exclude node",
    "exclude owner",
    "crash node",
    "crash owner",
    "node leaves",
    "owner leaves",
    "node joins",
    // Stores that fail, in each way.
    "store failure 1",
    "store failure 2",
    "store failure 3",
    "store failure 4",
    "store failure 5",
    "delete",
    "delete repeated",
    "bytes return during their deletion",
    "node left a copy",
    // What is sent.
    "item Free",
    "item Deleted",
    "item Unknown",
    "item Doomed",
    "item Failed",
    "item Added",
    "item Removed",
    "item Spilled",
    // What hosts do, and are answered.
    "declare",
    "declare refused",
    "free",
    "free of what is gone",
    "recreate",
    "recreate refused",
    "recreate of a lost value",
    "task",
    "task refused",
    "nested twice",
    "weak reference locked",
    "weak reference to what is gone",
    "location told",
    "location told too late",
    "location of a node that is excluded",
    "misuse",
    "store",
    "begin fetch",
    "fetch arrives",
    "fetch aborted",
    "spill",
    "spill of what was freed",
    "restore",
    "evict",
    "evict refused",
    "read",
    "read refused",
    "node answers Aborted",
    "node answers FailedPrecondition",
    "objects to recover",
    // Callbacks and subscriptions.
    "register",
    "register too late",
    "register on what is gone",
    "cancel",
    "cancel too late",
    "callback out of scope",
    "callback out of scope, freed",
    "callback reclaimed",
    "callback erased",
    "callback acts",
    "update snapshot",
    "update changed",
    "update removed",
    "update state",
    "update gone",
    "subscription compared",
};

class FreePath : public ::testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override { before_ = std::signal(SIGABRT, ReportRun); }
  void TearDown() override { std::signal(SIGABRT, before_); }

 private:
  void (*before_)(int) = nullptr;
};

TEST_P(FreePath, HoldsForSeeds) {
  const uint64_t first = FromEnvironment("FREEHOLD_SIM_FIRST_SEED", 1);
  const uint64_t seeds = FromEnvironment("FREEHOLD_SIM_SEEDS", 10'000);
  const uint64_t begin = first + seeds * GetParam() / kChunks;
  const uint64_t end = first + seeds * (GetParam() + 1) / kChunks;
  Coverage coverage;
  uint64_t with_exclusion = 0;
  for (uint64_t seed = begin; seed < end; ++seed) {
    FreeSim run(seed);
    const std::string violation = run.Run();
    coverage.Merge(run.coverage());
    with_exclusion += run.had_exclusion() ? 1 : 0;
    ASSERT_EQ(violation, "") << "in seed " << seed << ", after\n"
                             << run.trace().Tail(kTraceLines) << HowToRepeat(seed);
  }
  std::printf("seeds %llu to %llu, %llu with an exclusion: %s\n",
              static_cast<unsigned long long>(begin), static_cast<unsigned long long>(end - 1),
              static_cast<unsigned long long>(with_exclusion), coverage.ToString().c_str());
  if (end - begin < kSeedsForCoverage) return;
  EXPECT_GE(with_exclusion * 2, end - begin);
  for (const char* what : kMustHappen) EXPECT_GT(coverage.Of(what), 0u) << what;
  for (const FreeOutcome outcome : {FreeOutcome::kSettled, FreeOutcome::kNodeExcluded,
                                    FreeOutcome::kStoreFailed, FreeOutcome::kShutDown}) {
    EXPECT_GT(coverage.Of(FreeOutcomeName(outcome)), 0u) << FreeOutcomeName(outcome);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, FreePath, ::testing::Range(uint64_t{0}, kChunks));

TEST(FreePathSimulator, SameSeedGivesTheSameTraceByteForByte) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    FreeSim one(seed);
    (void)one.Run();
    const uint64_t hash = one.trace().hash();
    const size_t lines = one.trace().size();
    FreeSim two(seed);
    (void)two.Run();
    EXPECT_EQ(two.trace().size(), lines) << "seed " << seed;
    EXPECT_EQ(two.trace().hash(), hash) << "seed " << seed;
  }
}

TEST(FreePathSimulator, AnotherSeedGivesAnotherTrace) {
  FreeSim one(1);
  (void)one.Run();
  FreeSim two(2);
  (void)two.Run();
  EXPECT_NE(one.trace().hash(), two.trace().hash());
}

}  // namespace
}  // namespace freehold::sim
