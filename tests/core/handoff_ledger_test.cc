#include "src/core/handoff_ledger.h"

#include <iterator>
#include <map>
#include <string>
#include <tuple>

#include "gtest/gtest.h"
#include "src/base/random.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kA = 3;
constexpr PeerIndex kB = 4;

TEST(HandoffLedger, AHandoffIsNewUntilItIsRedeemed) {
  HandoffLedger ledger;
  EXPECT_EQ(ledger.Look(kA, 0, 1), Seen::kNew);
  ledger.Redeem(kA, 0, 1);
  EXPECT_EQ(ledger.Look(kA, 0, 1), Seen::kRedeemed);
  EXPECT_EQ(ledger.Look(kA, 0, 2), Seen::kNew);
  ledger.CheckInvariants();
}

TEST(HandoffLedger, AHandoffThatWasRefusedStaysRefused) {
  HandoffLedger ledger;
  ledger.Refuse(kA, 0, 2);
  EXPECT_EQ(ledger.Look(kA, 0, 2), Seen::kRefused);
  ledger.Redeem(kA, 0, 1);
  ledger.Redeem(kA, 0, 3);
  EXPECT_EQ(ledger.Look(kA, 0, 2), Seen::kRefused);
  EXPECT_EQ(ledger.intervals(), 2u);  // 1 to 3 have ended, 2 of them by a refusal
  ledger.CheckInvariants();
}

TEST(HandoffLedger, SayingItTwiceChangesNothing) {
  HandoffLedger ledger;
  ledger.Redeem(kA, 0, 1);
  ledger.Redeem(kA, 0, 1);
  ledger.Refuse(kA, 0, 5);
  ledger.Refuse(kA, 0, 5);
  EXPECT_EQ(ledger.intervals(), 3u);
  ledger.CheckInvariants();
}

TEST(HandoffLedgerDeathTest, NoHandoffEndsBothWays) {
  HandoffLedger ledger;
  ledger.Redeem(kA, 0, 1);
  ledger.Refuse(kA, 0, 2);
  EXPECT_DEATH(ledger.Refuse(kA, 0, 1), "ended");
  EXPECT_DEATH(ledger.Redeem(kA, 0, 2), "refused");
}

TEST(HandoffLedger, SendersAndLanesDoNotShareNumbers) {
  HandoffLedger ledger;
  ledger.Redeem(kA, 5, 1);
  EXPECT_EQ(ledger.Look(kB, 5, 1), Seen::kNew);
  EXPECT_EQ(ledger.Look(kA, 4, 1), Seen::kNew);
  // Neighbours in whatever way a sender and a lane are put into one key.
  ledger.Redeem(kPeerIndexMax, 63, 1);
  ledger.Redeem(0, 0, 1);
  for (const PeerIndex sender : {PeerIndex{0}, PeerIndex{1}, kPeerIndexMax - 1, kPeerIndexMax}) {
    for (const uint32_t lane : {0u, 1u, 62u, 63u}) {
      const bool redeemed = (sender == 0 && lane == 0) || (sender == kPeerIndexMax && lane == 63);
      EXPECT_EQ(ledger.Look(sender, lane, 1), redeemed ? Seen::kRedeemed : Seen::kNew);
    }
  }
  ledger.CheckInvariants();
}

TEST(HandoffLedger, AMillionHandoffsOfOneSenderAreOneIntervalPerLane) {
  HandoffLedger ledger;
  HandoffNumbers numbers;
  for (int i = 0; i < 1000000; ++i) {
    const uint32_t lane = LaneOf(ObjectId::FromNumber(i));
    ledger.Redeem(kA, lane, numbers.NextNumber(kB, lane));
  }
  EXPECT_EQ(ledger.intervals(), kHandoffLanes);
  EXPECT_LT(ledger.bytes(), 16u * 1024);
  ledger.CheckInvariants();
}

TEST(HandoffLedger, AForgottenSenderLeavesNothingAndTouchesNobody) {
  HandoffLedger ledger;
  for (uint32_t lane = 0; lane < kHandoffLanes; ++lane) {
    for (const PeerIndex sender : {kA, kB}) {
      for (uint64_t number = 1; number < 10; number += 2) ledger.Redeem(sender, lane, number);
      ledger.Refuse(sender, lane, 4);
    }
  }
  EXPECT_EQ(ledger.intervals(), 2u * kHandoffLanes * 5);
  ledger.Forget(kA);
  ledger.CheckInvariants();
  EXPECT_EQ(ledger.intervals(), 1u * kHandoffLanes * 5);
  for (uint32_t lane = 0; lane < kHandoffLanes; ++lane) {
    EXPECT_EQ(ledger.Look(kA, lane, 1), Seen::kNew);
    EXPECT_EQ(ledger.Look(kA, lane, 4), Seen::kNew);
    EXPECT_EQ(ledger.Look(kB, lane, 1), Seen::kRedeemed);
    EXPECT_EQ(ledger.Look(kB, lane, 4), Seen::kRefused);
  }
  ledger.Forget(kA);
  ledger.Forget(kB);
  EXPECT_EQ(ledger.intervals(), 0u);
  ledger.CheckInvariants();
}

// Every second one is cancelled: neither those nor the others lie in a row.
TEST(HandoffLedger, CancelledHandoffsAreOneIntervalWithTheOthersAndNeedBoundedMemoryThemselves) {
  HandoffLedger ledger;
  for (uint64_t number = 1; number <= 10000; number += 2) {
    ledger.Redeem(kA, 0, number);
    ledger.Refuse(kA, 0, number + 1);
  }
  EXPECT_EQ(ledger.intervals(), 1 + HandoffLedger::kIntervalsMax);
  EXPECT_EQ(ledger.holes_closed(), 0u);
  EXPECT_EQ(ledger.Look(kA, 0, 10000), Seen::kRefused);
  EXPECT_EQ(ledger.Look(kA, 0, 2), Seen::kRedeemed) << "how it ended is forgotten, not that it did";
  ledger.CheckInvariants();
}

TEST(HandoffLedger, ASenderThatLeavesHolesWithoutEndGrowsNothing) {
  constexpr uint64_t kNumbers = 100000;
  for (const bool refuse : {false, true}) {
    HandoffLedger ledger;
    for (uint64_t number = 1; number <= kNumbers; number += 2) {
      ASSERT_EQ(ledger.Look(kA, 0, number), Seen::kNew);
      if (refuse) ledger.Refuse(kA, 0, number);
      if (!refuse) ledger.Redeem(kA, 0, number);
      ASSERT_NE(ledger.Look(kA, 0, number), Seen::kNew);
    }
    EXPECT_LE(ledger.intervals(), 2 * HandoffLedger::kIntervalsMax);
    EXPECT_LE(ledger.bytes(), 2 * 2 * HandoffLedger::kIntervalsMax * sizeof(uint64_t) * 2 + 1024);
    EXPECT_EQ(ledger.holes_closed(), kNumbers / 2 - HandoffLedger::kIntervalsMax);
    ledger.CheckInvariants();
    // The first that are missing are given up; the last may come yet. What ended is never new.
    EXPECT_NE(ledger.Look(kA, 0, 2), Seen::kNew);
    EXPECT_EQ(ledger.Look(kA, 0, kNumbers - 2), Seen::kNew);
    for (uint64_t number = 1; number <= kNumbers; number += 2) {
      ASSERT_NE(ledger.Look(kA, 0, number), Seen::kNew);
    }
  }
}

// Each refusal then closes a hole among the redeemed ones as well: two runs of refused numbers.
TEST(HandoffLedger, RefusalsAboveAFullLaneGrowNothing) {
  HandoffLedger ledger;
  for (uint64_t i = 0; i < HandoffLedger::kIntervalsMax; ++i) ledger.Redeem(kA, 0, 2 * i + 1);
  for (uint64_t i = 0; i < 2 * HandoffLedger::kIntervalsMax; ++i) {
    ledger.Refuse(kA, 0, 2 * (HandoffLedger::kIntervalsMax + i) + 1);
    ASSERT_LE(ledger.intervals(), 2 * HandoffLedger::kIntervalsMax) << i;
  }
  ledger.CheckInvariants();
}

TEST(HandoffLedger, ATokenThatWasGivenUpIsRefusedAndOneThatWasRedeemedIsNot) {
  HandoffLedger ledger;
  for (uint64_t i = 0; i <= HandoffLedger::kIntervalsMax; ++i) ledger.Redeem(kA, 0, 10 * (i + 1));
  EXPECT_EQ(ledger.holes_closed(), 1u);
  for (uint64_t number = 11; number < 20; ++number) {
    EXPECT_EQ(ledger.Look(kA, 0, number), Seen::kRefused);
  }
  EXPECT_EQ(ledger.Look(kA, 0, 10), Seen::kRedeemed);
  EXPECT_EQ(ledger.Look(kA, 0, 20), Seen::kRedeemed);
  EXPECT_EQ(ledger.Look(kA, 0, 21), Seen::kNew);
  EXPECT_EQ(ledger.Look(kA, 0, 9), Seen::kNew);
}

TEST(HandoffLedger, AgreesWithAMapWhateverTheOrder) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    internal::SplitMix64 random(seed);
    HandoffLedger ledger;
    std::map<std::tuple<PeerIndex, uint32_t, uint64_t>, Seen> model;
    const auto expected = [&](PeerIndex sender, uint32_t lane, uint64_t number) {
      const auto at = model.find({sender, lane, number});
      return at == model.end() ? Seen::kNew : at->second;
    };
    for (int step = 0; step < 500; ++step) {
      const auto sender = static_cast<PeerIndex>(random.Next() % 3);
      const auto lane = static_cast<uint32_t>(random.Next() % 2 * 63);
      const uint64_t number = 1 + random.Next() % 40;
      ASSERT_EQ(ledger.Look(sender, lane, number), expected(sender, lane, number));
      if (random.Next() % 100 == 0) {
        ledger.Forget(sender);
        for (auto at = model.begin(); at != model.end();) {
          at = std::get<0>(at->first) == sender ? model.erase(at) : std::next(at);
        }
      } else if (expected(sender, lane, number) == Seen::kNew) {
        const bool redeem = random.Next() % 4 != 0;
        if (redeem) ledger.Redeem(sender, lane, number);
        if (!redeem) ledger.Refuse(sender, lane, number);
        model[{sender, lane, number}] = redeem ? Seen::kRedeemed : Seen::kRefused;
      }
      ledger.CheckInvariants();
    }
    for (PeerIndex sender = 0; sender < 3; ++sender) {
      for (const uint32_t lane : {0u, 63u}) {
        for (uint64_t number = 0; number <= 41; ++number) {
          ASSERT_EQ(ledger.Look(sender, lane, number), expected(sender, lane, number));
        }
      }
    }
  }
}

TEST(HandoffLedger, EveryAnswerHasAName) {
  EXPECT_EQ(SeenName(Seen::kNew), std::string("new"));
  EXPECT_EQ(SeenName(Seen::kRedeemed), std::string("redeemed"));
  EXPECT_EQ(SeenName(Seen::kRefused), std::string("refused"));
}

TEST(HandoffNumbers, CountFromOnePerReceiverAndLane) {
  HandoffNumbers numbers;
  EXPECT_EQ(numbers.NextNumber(kA, 0), 1u);
  EXPECT_EQ(numbers.NextNumber(kA, 0), 2u);
  EXPECT_EQ(numbers.NextNumber(kA, 1), 1u);
  EXPECT_EQ(numbers.NextNumber(kA, 63), 1u);
  EXPECT_EQ(numbers.NextNumber(kB, 0), 1u);
  EXPECT_EQ(numbers.NextNumber(kA, 0), 3u);
}

TEST(HandoffNumbers, AForgottenReceiverTouchesNobody) {
  HandoffNumbers numbers;
  for (const PeerIndex receiver : {kA, kB}) {
    EXPECT_EQ(numbers.NextNumber(receiver, 0), 1u);
    EXPECT_EQ(numbers.NextNumber(receiver, 63), 1u);
  }
  numbers.Forget(kA);
  EXPECT_EQ(numbers.NextNumber(kB, 0), 2u);
  EXPECT_EQ(numbers.NextNumber(kB, 63), 2u);
  // Nobody asks for it again; if one did, it would begin anew.
  EXPECT_EQ(numbers.NextNumber(kA, 0), 1u);
}

TEST(Lane, IsTheTopSixBitsOfTheHashAndNeverChanges) {
  EXPECT_EQ(LaneOfHash(0), 0u);
  EXPECT_EQ(LaneOfHash(~uint64_t{0}), kHandoffLanes - 1);
  EXPECT_EQ(LaneOfHash(uint64_t{5} << 58 | 12345), 5u);
  const ObjectId object = ObjectId::FromNumber(1);
  EXPECT_EQ(LaneOf(object), object.Hash() >> 58);
}

}  // namespace
}  // namespace freehold::core
