// Digests as values: sums, ranges, and who asks what of whom.

#include "src/core/digest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "src/base/random.h"
#include "src/core/codec.h"
#include "src/core/digest_exchange.h"
#include "tests/core/ignoring_sink.h"

namespace freehold::core {
namespace {

using std::chrono::seconds;

DigestKey KeyOf(uint64_t number, uint32_t generation = 0) {
  return {ObjectId::FromNumber(number), generation};
}

Time At(int64_t second) { return Time(seconds(second)); }

TEST(Digest, SumDoesNotDependOnTheOrder) {
  DigestSum up;
  DigestSum down;
  for (uint64_t i = 0; i < 100; ++i) {
    up.Add(DigestHash(KeyOf(i, i % 3)));
    down.Add(DigestHash(KeyOf(99 - i, (99 - i) % 3)));
  }
  EXPECT_EQ(up, down);
}

TEST(Digest, WhatWasAddedAndRemovedLeavesNoTrace) {
  internal::SplitMix64 random(7);
  std::set<DigestKey> keys;
  DigestSum sum;
  for (int i = 0; i < 10000; ++i) {
    const DigestKey key = KeyOf(random.Next() % 200, static_cast<uint32_t>(random.Next() % 3));
    if (keys.insert(key).second) {
      sum.Add(DigestHash(key));
    } else {
      keys.erase(key);
      sum.Remove(DigestHash(key));
    }
  }
  DigestSum anew;
  for (const DigestKey& key : keys) anew.Add(DigestHash(key));
  EXPECT_EQ(sum, anew);
  EXPECT_EQ(sum.copies, keys.size());
}

TEST(Digest, GenerationsOfAnObjectAreDifferentKeys) {
  std::set<uint64_t> hashes;
  for (uint64_t object = 0; object < 100; ++object) {
    for (uint32_t generation = 0; generation < 100; ++generation) {
      hashes.insert(DigestHash(KeyOf(object, generation)));
    }
  }
  EXPECT_EQ(hashes.size(), 10000u);
}

TEST(Digest, ChildrenDivideTheirRange) {
  internal::SplitMix64 random(3);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t hash = random.Next();
    DigestRange range;
    while (range.can_be_divided()) {
      uint32_t holders = 0;
      for (uint32_t child = 0; child < kDigestChildren; ++child) {
        EXPECT_TRUE(range.Child(child).valid());
        holders += range.Child(child).Contains(hash);
      }
      ASSERT_EQ(holders, 1u);
      range = range.Child(range.ChildOf(hash));
      ASSERT_TRUE(range.Contains(hash));
    }
    EXPECT_EQ(range.bits, kDigestBitsMax);
  }
}

TEST(Digest, RangesAreFilledEvenlyWithinAShardToo) {
  std::vector<uint32_t> filled(kDigestChildren);
  uint32_t keys = 0;
  for (uint64_t i = 0; keys < 64 * kDigestChildren; ++i) {
    if (KeyOf(i).object.Hash() >> 58 != 5) continue;  // the bits that choose a shard
    ++filled[DigestRange().ChildOf(DigestHash(KeyOf(i)))];
    ++keys;
  }
  EXPECT_GT(*std::min_element(filled.begin(), filled.end()), 30u);
  EXPECT_LT(*std::max_element(filled.begin(), filled.end()), 110u);
}

TEST(Digest, TallySortsIntoRangesAndKeepsTheFirstKeys) {
  const std::vector<DigestRange> ranges = {DigestRange().Child(3), DigestRange(), {0, 30}};
  DigestTally tally(ranges, 10);
  DigestSum all;
  DigestSum third;
  for (uint64_t i = 0; i < 2000; ++i) {
    const uint64_t hash = DigestHash(KeyOf(i));
    tally.Add(KeyOf(i), hash);
    all.Add(hash);
    if (DigestRange().ChildOf(hash) == 3) third.Add(hash);
  }
  ASSERT_EQ(tally.parts().size(), 3u);
  EXPECT_EQ(tally.parts()[0].sum, third);
  EXPECT_EQ(tally.parts()[1].sum, all);
  EXPECT_EQ(tally.parts()[1].children[3], third);
  EXPECT_EQ(tally.parts()[1].keys.size(), 10u);
  EXPECT_TRUE(tally.parts()[2].children.empty());
}

TEST(Digest, DifferenceIsWhatOneHasAndTheOtherHasNot) {
  EXPECT_EQ(DigestDifference({KeyOf(1), KeyOf(2), KeyOf(3, 1)}, {KeyOf(2), KeyOf(3, 2)}),
            (std::vector<DigestKey>{KeyOf(1), KeyOf(3, 1)}));
}

// --- When ----------------------------------------------------------------------------------------

std::vector<PeerIndex> TakeDue(DigestDesk* desk, Time now) {
  std::vector<PeerIndex> due;
  desk->TakeDue(now, 1000, [&](PeerIndex owner) { due.push_back(owner); });
  return due;
}

TEST(DigestDesk, EveryOwnerGetsOneDigestAnInterval) {
  DigestDesk desk(seconds(60), 1);
  EXPECT_TRUE(desk.Watch(4, 44));
  EXPECT_FALSE(desk.Watch(4, 44)) << "no news";
  EXPECT_EQ(TakeDue(&desk, At(1000)), std::vector<PeerIndex>{});
  const Time first = desk.NextDue();
  EXPECT_GT(first, At(1000));
  EXPECT_LE(first, At(1060));
  EXPECT_EQ(TakeDue(&desk, first), std::vector<PeerIndex>{4});
  EXPECT_TRUE(desk.IsDue(4));
  DigestSum sum;
  sum.Add(1);
  desk.OnSent(4, sum);
  EXPECT_FALSE(desk.IsDue(4));
  EXPECT_EQ(desk.NextDue(), first + seconds(60));
  EXPECT_EQ(TakeDue(&desk, first + seconds(600)), std::vector<PeerIndex>{4}) << "not ten of them";
}

TEST(DigestDesk, OwnersAreSpreadOverTheInterval) {
  DigestDesk desk(seconds(60), 99);
  for (PeerIndex owner = 0; owner < 1000; ++owner) EXPECT_TRUE(desk.Watch(owner, owner));
  EXPECT_EQ(TakeDue(&desk, At(0)), std::vector<PeerIndex>{});
  size_t all = 0;
  for (int64_t second = 1; second <= 60; ++second) {
    const size_t due = TakeDue(&desk, At(second)).size();
    EXPECT_LT(due, 50u) << second;
    all += due;
  }
  EXPECT_EQ(all, 1000u);
}

TEST(DigestDesk, NodesOfOneOwnerAreSpreadOverTheInterval) {
  std::set<Time> times;
  for (uint64_t node = 0; node < 1000; ++node) {
    DigestDesk desk(seconds(60), node);
    EXPECT_TRUE(desk.Watch(1, 12345));
    EXPECT_TRUE(TakeDue(&desk, At(0)).empty());
    times.insert(desk.NextDue());
  }
  EXPECT_EQ(times.size(), 1000u);
}

TEST(DigestDesk, OwnerOfNothingIsToldSoOnceAndThenLeftAlone) {
  DigestDesk desk(seconds(60), 1);
  EXPECT_TRUE(desk.Watch(4, 44));
  EXPECT_EQ(TakeDue(&desk, At(0)), std::vector<PeerIndex>{});
  EXPECT_EQ(TakeDue(&desk, At(61)), std::vector<PeerIndex>{4});
  desk.OnSent(4, DigestSum());
  EXPECT_EQ(desk.NextDue(), kInfiniteFuture);
  EXPECT_TRUE(desk.Watch(4, 44)) << "it has something again";
  EXPECT_EQ(TakeDue(&desk, At(62)), std::vector<PeerIndex>{});
  EXPECT_GT(desk.NextDue(), At(90)) << "not twice within an interval";
}

TEST(DigestDesk, NothingIsDueWithoutAnIntervalNorForTheExcluded) {
  DigestDesk off(Duration::zero(), 1);
  EXPECT_FALSE(off.Watch(4, 44));
  EXPECT_EQ(off.NextDue(), kInfiniteFuture);
  DigestDesk desk(seconds(60), 1);
  EXPECT_TRUE(desk.Watch(4, 44));
  EXPECT_TRUE(desk.Watch(5, 55));
  desk.Forget(4);
  EXPECT_TRUE(TakeDue(&desk, At(0)).empty());
  EXPECT_EQ(TakeDue(&desk, At(61)), std::vector<PeerIndex>{5});
  desk.Forget(5);
  EXPECT_EQ(desk.NextDue(), kInfiniteFuture);
}

TEST(DigestDesk, NewQuestionsReplaceThoseThatWait) {
  DigestDesk desk(seconds(60), 1);
  for (uint32_t i = 0; i < 2 * kDigestRangesMax; ++i) {
    desk.OnQueries(4, {1, DigestRange().Child(i)});
  }
  ASSERT_NE(desk.QuestionsOf(4), nullptr);
  EXPECT_EQ(desk.QuestionsOf(4)->ranges.size(), kDigestRangesMax) << "bounded";
  desk.OnQueries(4, {2, DigestRange()});
  EXPECT_EQ(desk.QuestionsOf(4)->number, 2u);
  EXPECT_EQ(desk.QuestionsOf(4)->ranges.size(), 1u);
  desk.OnAnswered(4, 1);
  EXPECT_EQ(desk.QuestionsOf(4), nullptr);
}

// --- What ----------------------------------------------------------------------------------------

struct Asked : IgnoringSink {
  void OnDigestQuery(const DigestQueryItem& item) override { queries.push_back(item); }
  void OnReportAgain(const ReportAgainItem& item) override { again.push_back(item.copy); }
  std::vector<DigestQueryItem> queries;
  std::vector<DigestKey> again;
};

Asked Pull(DigestExchange* exchange) {
  PayloadWriter writer(64 * 1024);
  EXPECT_FALSE(exchange->Pull(&writer));
  Asked asked;
  EXPECT_EQ(ReadPayload(writer.Take(), &asked), CodecError::kOk);
  return asked;
}

TEST(DigestExchange, DigestsThatAgreeAskNothing) {
  DigestExchange exchange;
  EXPECT_FALSE(exchange.OnDigest(true));
  EXPECT_FALSE(exchange.open());
}

TEST(DigestExchange, ADifferenceIsAskedDownToItsList) {
  DigestExchange exchange;
  EXPECT_TRUE(exchange.OnDigest(false));
  const Asked first = Pull(&exchange);
  ASSERT_EQ(first.queries.size(), 1u);
  EXPECT_EQ(first.queries[0].range, DigestRange());
  EXPECT_FALSE(exchange.OnAnswer(first.queries[0].number + 1, DigestRange())) << "another's answer";
  ASSERT_TRUE(exchange.OnAnswer(first.queries[0].number, DigestRange()));
  EXPECT_FALSE(exchange.OnAnswer(first.queries[0].number, DigestRange())) << "answered already";
  exchange.Differs(DigestRange().Child(9));
  exchange.AskAgain(KeyOf(5, 2));
  EXPECT_TRUE(exchange.Continue());
  const Asked second = Pull(&exchange);
  ASSERT_EQ(second.queries.size(), 1u);
  EXPECT_EQ(second.queries[0].range, DigestRange().Child(9));
  EXPECT_EQ(second.again, std::vector<DigestKey>{KeyOf(5, 2)});
  ASSERT_TRUE(exchange.OnAnswer(second.queries[0].number, DigestRange().Child(9)));
  EXPECT_FALSE(exchange.Continue());
  EXPECT_FALSE(exchange.open());
}

TEST(DigestExchange, OnlySoMuchIsAskedAtOnce) {
  DigestExchange exchange;
  EXPECT_TRUE(exchange.OnDigest(false));
  const uint64_t number = Pull(&exchange).queries[0].number;
  ASSERT_TRUE(exchange.OnAnswer(number, DigestRange()));
  for (uint32_t i = 0; i < kDigestChildren; ++i) exchange.Differs(DigestRange().Child(i));
  size_t asked = 0;
  while (exchange.Continue()) {
    const Asked batch = Pull(&exchange);
    EXPECT_LE(batch.queries.size(), kDigestRangesMax);
    asked += batch.queries.size();
    for (const DigestQueryItem& query : batch.queries) {
      EXPECT_TRUE(exchange.OnAnswer(query.number, query.range));
    }
  }
  EXPECT_EQ(asked, kDigestChildren);
}

TEST(DigestExchange, WhatMakesNoProgressIsBegunAnew) {
  DigestExchange exchange;
  EXPECT_TRUE(exchange.OnDigest(false));
  const uint64_t first = Pull(&exchange).queries[0].number;
  EXPECT_TRUE(exchange.OnDigest(false));
  const uint64_t second = Pull(&exchange).queries[0].number;
  EXPECT_NE(first, second);
  EXPECT_FALSE(exchange.OnAnswer(first, DigestRange())) << "of the one that was given up";
  ASSERT_TRUE(exchange.OnAnswer(second, DigestRange()));
  exchange.Differs(DigestRange().Child(1));
  EXPECT_TRUE(exchange.Continue());
  EXPECT_EQ(Pull(&exchange).queries.size(), 1u);
  EXPECT_FALSE(exchange.OnDigest(false)) << "it is getting on";
}

}  // namespace
}  // namespace freehold::core
