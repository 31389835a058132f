// Sessions over channels that lose, duplicate, reorder, garble and delay at random, from a seed.

#include <chrono>
#include <cstdint>

#include "gtest/gtest.h"
#include "tests/core/session_pair.h"

namespace freehold::core {
namespace {

using std::chrono::milliseconds;

// SplitMix64 (Steele, Lea, Flood, 2014).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t operator()() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  size_t Below(size_t bound) { return static_cast<size_t>((*this)() % bound); }
  bool OneIn(size_t n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

SessionPair::SideOptions RandomOptions(Random* random) {
  SessionPair::SideOptions options;
  options.session.window_envelopes = static_cast<uint32_t>(1 + random->Below(10));
  options.version_max = static_cast<uint8_t>(1 + random->Below(2));
  return options;
}

// `loss` of 10 envelopes meet with an accident.
void RunChannel(SessionPair* pair, Random* random, int steps, size_t loss) {
  for (int step = 0; step < steps; ++step) {
    const int side = static_cast<int>(random->Below(2));
    if (random->OneIn(4)) pair->Submit(side);
    if (random->OneIn(2)) pair->Turn(side);
    if (random->OneIn(3)) pair->Advance(milliseconds(random->Below(60)));
    if (pair->InFlight(side) == 0) continue;
    const size_t index = random->Below(pair->InFlight(side));
    if (random->Below(10) >= loss) {
      pair->Deliver(side, random->OneIn(2) ? 0 : index);
      continue;
    }
    const size_t at = random->Below(400);
    const uint8_t mask = static_cast<uint8_t>(1 + random->Below(255));
    switch (random->Below(4)) {
      case 0:
        pair->Drop(side, index);
        break;
      case 1:
        pair->Duplicate(side, index);
        break;
      case 2:
        pair->DeliverGarbled(side, index, at, mask);
        break;
      case 3:
        pair->DeliverTruncated(side, index, at);
        break;
    }
  }
}

TEST(RandomChannel, EverythingArrivesOnceWholeAndInOrder) {
  uint64_t retransmitted = 0, duplicates = 0, garbage = 0;
  for (uint64_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    const SessionPair::SideOptions first = RandomOptions(&random), second = RandomOptions(&random);
    SessionPair pair(first, second);
    RunChannel(&pair, &random, 300, random.Below(9));
    ASSERT_TRUE(pair.Finish(2000));
    for (int side : {0, 1}) {
      const SessionStats stats = pair.table(side).GetStats();
      retransmitted += stats.envelopes_retransmitted;
      duplicates += stats.duplicates_dropped;
      garbage += stats.garbage_rejected;
    }
  }
  // The channels were as bad as they were meant to be.
  EXPECT_GT(retransmitted, 1000u);
  EXPECT_GT(duplicates, 1000u);
  EXPECT_GT(garbage, 1000u);
}

TEST(RandomChannel, ExclusionAtAnyPointAnswersTheRest) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed + 1000000);
    const SessionPair::SideOptions first = RandomOptions(&random), second = RandomOptions(&random);
    SessionPair pair(first, second);
    RunChannel(&pair, &random, static_cast<int>(random.Below(200)), 3);
    const int excluder = static_cast<int>(random.Below(2));
    pair.Exclude(excluder);
    const uint64_t delivered = pair.delivered(excluder);
    RunChannel(&pair, &random, 100, 3);
    EXPECT_EQ(pair.delivered(excluder), delivered);
  }
}

TEST(RandomChannel, SameCallsMakeTheSameBytes) {
  const auto trace = [](uint64_t seed) {
    Random random(seed);
    SessionPair pair(RandomOptions(&random), SessionPair::SideOptions());
    RunChannel(&pair, &random, 500, 4);
    EXPECT_TRUE(pair.Finish(2000));
    return pair.trace();
  };
  for (uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(trace(seed), trace(seed));
  EXPECT_NE(trace(0), trace(1));
}

}  // namespace
}  // namespace freehold::core
