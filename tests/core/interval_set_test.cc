#include "src/core/interval_set.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/random.h"

namespace freehold::core {
namespace {

using Intervals = std::vector<IntervalSet::Interval>;

constexpr uint64_t kMost = ~uint64_t{0};

// The same intervals, from a plain set.
Intervals IntervalsOf(const std::set<uint64_t>& numbers) {
  Intervals intervals;
  for (const uint64_t number : numbers) {
    if (!intervals.empty() && intervals.back().last + 1 == number) {
      intervals.back().last = number;
    } else {
      intervals.push_back({number, number});
    }
  }
  return intervals;
}

TEST(IntervalSet, AnEmptySetHasNoMembersAndNoMemory) {
  const IntervalSet set;
  EXPECT_TRUE(set.empty());
  EXPECT_FALSE(set.Contains(0));
  EXPECT_FALSE(set.Contains(kMost));
  EXPECT_EQ(set.bytes(), 0u);
}

TEST(IntervalSet, NumbersInOrderAreOneIntervalHoweverMany) {
  IntervalSet set;
  for (uint64_t number = 1; number <= 1000000; ++number) ASSERT_TRUE(set.Insert(number));
  EXPECT_EQ(set.intervals(), (Intervals{{1, 1000000}}));
  EXPECT_EQ(set.bytes(), sizeof(IntervalSet::Interval));
  EXPECT_FALSE(set.Contains(0));
  EXPECT_TRUE(set.Contains(500000));
  EXPECT_FALSE(set.Contains(1000001));
}

TEST(IntervalSet, NumbersInReverseAreOneIntervalAsWell) {
  IntervalSet set;
  for (uint64_t number = 1000; number > 0; --number) ASSERT_TRUE(set.Insert(number));
  EXPECT_EQ(set.intervals(), (Intervals{{1, 1000}}));
}

TEST(IntervalSet, ANumberThatFillsAHoleJoinsItsNeighbours) {
  IntervalSet set;
  for (const uint64_t number : {1, 2, 4, 5, 8}) set.Insert(number);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 2}, {4, 5}, {8, 8}}));
  EXPECT_TRUE(set.Insert(3));
  EXPECT_EQ(set.intervals(), (Intervals{{1, 5}, {8, 8}}));
  EXPECT_TRUE(set.Insert(7));
  EXPECT_EQ(set.intervals(), (Intervals{{1, 5}, {7, 8}}));
  EXPECT_TRUE(set.Insert(6));
  EXPECT_EQ(set.intervals(), (Intervals{{1, 8}}));
}

TEST(IntervalSet, AMemberIsInsertedOnce) {
  IntervalSet set;
  for (const uint64_t number : {3, 4, 5, 9}) EXPECT_TRUE(set.Insert(number));
  for (const uint64_t number : {3, 4, 5, 9}) EXPECT_FALSE(set.Insert(number));
  EXPECT_EQ(set.intervals(), (Intervals{{3, 5}, {9, 9}}));
}

TEST(IntervalSet, TheLowestAndTheHighestNumberAreNotNeighbours) {
  IntervalSet set;
  EXPECT_TRUE(set.Insert(kMost));
  EXPECT_TRUE(set.Insert(0));
  EXPECT_EQ(set.intervals(), (Intervals{{0, 0}, {kMost, kMost}}));
  EXPECT_FALSE(set.Insert(kMost));
  EXPECT_FALSE(set.Insert(0));
  EXPECT_TRUE(set.Insert(kMost - 1));
  EXPECT_TRUE(set.Insert(1));
  EXPECT_EQ(set.intervals(), (Intervals{{0, 1}, {kMost - 1, kMost}}));
  set.CheckInvariants();
}

TEST(IntervalSet, AgreesWithAPlainSetWhateverTheOrder) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    internal::SplitMix64 random(seed);
    // From crowded to sparse, at either end of the range and in its middle.
    const uint64_t range = uint64_t{1} << (1 + random.Next() % 9);
    const uint64_t bases[] = {0, kMost - range + 1, uint64_t{1} << 63};
    const uint64_t base = bases[seed % 3];
    IntervalSet set;
    std::set<uint64_t> model;
    for (int step = 0; step < 300; ++step) {
      const uint64_t number = base + random.Next() % range;
      ASSERT_EQ(set.Insert(number), model.insert(number).second);
      set.CheckInvariants();
    }
    ASSERT_EQ(set.intervals(), IntervalsOf(model));
    for (uint64_t i = 0; i < range; ++i) {
      ASSERT_EQ(set.Contains(base + i), model.count(base + i) == 1);
    }
    ASSERT_FALSE(set.Contains(base - 1) && base != 0);
  }
}

TEST(IntervalSet, TheLowestHoleCanBeClosedAndMovedToAnotherSet) {
  IntervalSet set;
  IntervalSet holes;
  for (const uint64_t number : {2, 3, 7, 9, 10, 20}) set.Insert(number);
  for (const auto& [first, last] : {std::pair(4, 6), {8, 8}, {11, 19}}) {
    const IntervalSet::Interval hole = set.FillLowestHole();
    EXPECT_EQ(hole,
              (IntervalSet::Interval{static_cast<uint64_t>(first), static_cast<uint64_t>(last)}));
    holes.InsertHole(hole);
    set.CheckInvariants();
    holes.CheckInvariants();
  }
  EXPECT_EQ(set.intervals(), (Intervals{{2, 20}}));
  EXPECT_EQ(holes.intervals(), (Intervals{{4, 6}, {8, 8}, {11, 19}}));
  holes.InsertHole({9, 10});  // joins both its neighbours
  holes.CheckInvariants();
  EXPECT_EQ(holes.intervals(), (Intervals{{4, 6}, {8, 19}}));
  holes.DropLowest();
  EXPECT_EQ(holes.intervals(), (Intervals{{8, 19}}));
}

TEST(IntervalSet, NumbersThatComeNearlyInOrderNeedFewIntervals) {
  constexpr uint64_t kWindow = 32;
  internal::SplitMix64 random(7);
  IntervalSet set;
  std::vector<uint64_t> under_way;
  size_t most = 0;
  for (uint64_t next = 1; next <= 100000; ++next) {
    under_way.push_back(next);
    if (under_way.size() < kWindow) continue;
    const size_t arrived = random.Next() % under_way.size();
    set.Insert(under_way[arrived]);
    under_way[arrived] = under_way.back();
    under_way.pop_back();
    most = std::max(most, set.intervals().size());
  }
  EXPECT_LE(most, kWindow);
  for (const uint64_t number : under_way) set.Insert(number);
  EXPECT_EQ(set.intervals(), (Intervals{{1, 100000}}));
}

}  // namespace
}  // namespace freehold::core
