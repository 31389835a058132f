#include "src/runtime/nap_rule.h"

#include <gtest/gtest.h>

namespace freehold::runtime {
namespace {

constexpr Duration kMoment = NapRule::kShortPark / 2;

// How many short parks in a row it takes until it naps.
uint32_t ParksUntilNap(NapRule* rule) {
  uint32_t parks = 0;
  for (; !rule->ShouldNap(); ++parks) rule->OnParked(kMoment);
  return parks;
}

TEST(NapRule, NapsAfterShortParksInARow) {
  NapRule rule;
  EXPECT_EQ(ParksUntilNap(&rule), NapRule::kShortParksMin);
}

TEST(NapRule, AParkThatIsNotShortBeginsTheRowAnew) {
  NapRule rule;
  for (uint32_t i = 1; i < NapRule::kShortParksMin; ++i) rule.OnParked(kMoment);
  rule.OnParked(NapRule::kShortPark);
  EXPECT_FALSE(rule.ShouldNap());
  EXPECT_EQ(ParksUntilNap(&rule), NapRule::kShortParksMin);
}

TEST(NapRule, NapsAgainAsLongAsJobsComeInBothHalves) {
  NapRule rule;
  (void)ParksUntilNap(&rule);
  for (int i = 0; i < 100; ++i) {
    rule.OnNapped(NapRule::kWorth, NapRule::kWorth);
    EXPECT_TRUE(rule.ShouldNap());
  }
}

// Whoever waits for what it has posted posts nothing in the second half, however much in the first.
TEST(NapRule, NapsThatGatherNothingAtTheirEndBecomeRarer) {
  NapRule rule;
  uint32_t expected = NapRule::kShortParksMin;
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(ParksUntilNap(&rule), expected);
    rule.OnNapped(1000, NapRule::kWorth - 1);
    expected = std::min(expected * 2, NapRule::kShortParksMax);
  }
  EXPECT_EQ(expected, NapRule::kShortParksMax);
  EXPECT_EQ(ParksUntilNap(&rule), NapRule::kShortParksMax);
  rule.OnNapped(NapRule::kWorth, NapRule::kWorth);
  rule.OnParked(NapRule::kShortPark);
  EXPECT_EQ(ParksUntilNap(&rule), NapRule::kShortParksMin) << "one that was worth it";
}

TEST(NapRule, AnEmptyFirstHalfIsNotWorthIt) {
  NapRule rule;
  (void)ParksUntilNap(&rule);
  rule.OnNapped(0, 0);
  EXPECT_EQ(ParksUntilNap(&rule), 2 * NapRule::kShortParksMin);
}

}  // namespace
}  // namespace freehold::runtime
