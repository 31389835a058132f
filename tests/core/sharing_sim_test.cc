// Many worlds of shared references at random; see sharing_sim.h.

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"
#include "tests/core/sharing_sim.h"

namespace freehold::core {
namespace {

uint64_t Seeds() {
  const char* seeds = std::getenv("FREEHOLD_SIM_SEEDS");
  return seeds == nullptr ? 10000 : std::strtoull(seeds, nullptr, 10);
}

std::string Last(const SharingSim& sim) {
  std::string text = sim.violation();
  for (const std::string& line : sim.trace()) text += "\n  " + line;
  return text;
}

TEST(SharingSim, NothingEndsWhileItIsHeldAndNothingIsLeftInTheEnd) {
  SharingCoverage coverage;
  for (uint64_t seed = 1; seed <= Seeds(); ++seed) {
    SharingSim::Options options;
    options.check_tables = seed % 4 == 0;
    SharingSim sim(seed, options, &coverage);
    ASSERT_TRUE(sim.Run()) << "seed " << seed << ": " << Last(sim);
  }
  if (Seeds() < 1000) return;
  // What these worlds are for happens in them, and often.
  EXPECT_GT(coverage.crashes, Seeds() / 2);
  EXPECT_GT(coverage.false_exclusions, Seeds() / 50);
  EXPECT_GT(coverage.barriers, Seeds() / 2);
  EXPECT_GT(coverage.lost_tokens, Seeds() / 2);
  EXPECT_GT(coverage.duplicates, Seeds() / 2);
  EXPECT_GT(coverage.failed_references, Seeds() / 20);
  EXPECT_GT(coverage.short_borrows, Seeds() / 2);
  EXPECT_GT(coverage.flushes_waited, Seeds() / 10);
  for (int kind = 1; kind <= 5; ++kind) EXPECT_GT(coverage.items[kind], Seeds() / 10) << kind;
  EXPECT_GT(coverage.transfers_taken, Seeds());
  EXPECT_GT(coverage.transfers_refused, Seeds() / 5);
  EXPECT_GT(coverage.transfers_taken_back, Seeds() / 2);
  EXPECT_GT(coverage.immovable, Seeds() / 2);
  EXPECT_GT(coverage.moved_news, Seeds() / 10);
  EXPECT_GT(coverage.second_transfers, Seeds() / 5);
  EXPECT_GT(coverage.returns, Seeds() / 10);
  if (Seeds() >= 10000) EXPECT_GT(coverage.failed_despite_owner, 0u);  // rarely
  for (int kind = 11; kind <= 15; ++kind) EXPECT_GT(coverage.items[kind], Seeds() / 5) << kind;
  for (const Verdict verdict : {Verdict::kPeerExcluded, Verdict::kAlreadyRedeemed,
                                Verdict::kRefused, Verdict::kOwnerDied}) {
    EXPECT_GT(coverage.verdicts[static_cast<int>(verdict)], Seeds() / 100) << VerdictName(verdict);
  }
}

TEST(SharingSim, APreparedHeirKeepsWhatItsOwnerLeaves) {
  SharingCoverage coverage;
  for (uint64_t seed = 1; seed <= Seeds(); ++seed) {
    SharingSim::Options options;
    options.check_tables = seed % 4 == 0;
    options.heirs = true;
    SharingSim sim(seed, options, &coverage);
    ASSERT_TRUE(sim.Run()) << "seed " << seed << ": " << Last(sim);
  }
  if (Seeds() < 1000) return;
  EXPECT_GT(coverage.heirs_named, Seeds());
  EXPECT_GT(coverage.heirs_prepared, Seeds() / 2);
  EXPECT_GT(coverage.shadows, coverage.heirs_prepared);
  EXPECT_GT(coverage.next_heirs, Seeds() / 10);
  EXPECT_GT(coverage.lists_inherited, Seeds() / 100);
  EXPECT_GT(coverage.inherited, Seeds() / 5);
  EXPECT_GT(coverage.survivors, Seeds() / 100);
  for (int kind = 11; kind <= 17; ++kind) EXPECT_GT(coverage.items[kind], Seeds() / 5) << kind;
}

TEST(SharingSim, TheSameSeedIsTheSameRun) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SharingCoverage coverage;
    SharingSim first(seed, {}, &coverage);
    SharingSim second(seed, {}, &coverage);
    ASSERT_TRUE(first.Run() && second.Run());
    EXPECT_EQ(first.trace(), second.trace());
  }
}

}  // namespace
}  // namespace freehold::core
