#include "src/core/id_index.h"

#include <map>
#include <vector>

#include "freehold/ids.h"
#include "gtest/gtest.h"
#include "src/base/random.h"

namespace freehold::core {
namespace {

// More ids of one hash than a page has places are refused; so many fit.
constexpr uint32_t kPlacesOfAPage = 32 * 15;

uint64_t MakeHash(uint32_t tag, uint32_t bucket, uint64_t directory = 0) {
  return directory << 16 | uint64_t{bucket} << 8 | tag;
}

// An index with a std::map beside it that says what is in it.
class IndexAndModel {
 public:
  bool Insert(uint64_t hash, RecordIndex record) {
    // The hash must be known before the insertion: a split asks for those of others only.
    const bool inserted =
        index.Insert(hash, record, [this](RecordIndex other) { return hashes.at(other); });
    if (inserted) hashes[record] = hash;
    return inserted;
  }
  void Erase(RecordIndex record) {
    index.Erase(hashes.at(record), record);
    hashes.erase(record);
  }
  RecordIndex Find(uint64_t hash, RecordIndex record) const {
    return index.Find(hash, [&](RecordIndex other) { return other == record; });
  }
  // How many records a look-up of `hash` that finds nothing has to look at.
  int LooksOfAMiss(uint64_t hash) const {
    int looks = 0;
    EXPECT_EQ(index.Find(hash,
                         [&](RecordIndex) {
                           ++looks;
                           return false;
                         }),
              kNoRecord);
    return looks;
  }
  void ExpectAllFound() const {
    ASSERT_EQ(index.size(), hashes.size());
    for (const auto& [record, hash] : hashes) ASSERT_EQ(Find(hash, record), record);
  }

  IdIndex index;
  std::map<RecordIndex, uint64_t> hashes;
};

TEST(IdIndex, EmptyIndexFindsNothing) {
  const IndexAndModel both;
  EXPECT_EQ(both.index.size(), 0u);
  EXPECT_EQ(both.LooksOfAMiss(0), 0);
  EXPECT_EQ(both.LooksOfAMiss(UINT64_MAX), 0);
}

TEST(IdIndex, AnEmptyPlaceIsNotTakenForARecordOfTheHighestTag) {
  IndexAndModel both;
  EXPECT_EQ(both.LooksOfAMiss(MakeHash(0xff, 0)), 0);
  ASSERT_TRUE(both.Insert(MakeHash(0xff, 0), kRecordIndexMax));
  EXPECT_EQ(both.Find(MakeHash(0xff, 0), kRecordIndexMax), kRecordIndexMax);
  EXPECT_EQ(both.LooksOfAMiss(MakeHash(0xff, 0)), 1);
}

TEST(IdIndex, IdsOfOneHashAreToldApartByTheRecord) {
  IndexAndModel both;
  for (RecordIndex record = 0; record < 100; ++record) ASSERT_TRUE(both.Insert(77, record));
  both.ExpectAllFound();
  EXPECT_EQ(both.Find(77, 100), kNoRecord);
}

TEST(IdIndex, APagefulOfOneHashFitsAndOneMoreIsRefused) {
  IndexAndModel both;
  for (RecordIndex record = 0; record < kPlacesOfAPage; ++record) {
    ASSERT_TRUE(both.Insert(MakeHash(1, 31), record)) << record;
  }
  EXPECT_FALSE(both.Insert(MakeHash(1, 31), kPlacesOfAPage));
  both.ExpectAllFound();
  EXPECT_EQ(both.Find(MakeHash(1, 31), kPlacesOfAPage), kNoRecord);

  both.Erase(17);
  ASSERT_TRUE(both.Insert(MakeHash(1, 31), kPlacesOfAPage)) << "there is room again";
  both.ExpectAllFound();
}

TEST(IdIndex, AFullPageOfOneHashDoesNotHinderOtherHashes) {
  IndexAndModel both;
  RecordIndex record = 0;
  for (; record < kPlacesOfAPage; ++record) ASSERT_TRUE(both.Insert(MakeHash(1, 3), record));
  for (uint64_t directory = 1; directory < 2000; ++directory) {
    ASSERT_TRUE(both.Insert(MakeHash(1, 3, directory), record++));
  }
  both.ExpectAllFound();
}

TEST(IdIndex, HashesThatDifferAboveTheDirectoryOnlyAreAsOne) {
  // The runtime cuts its shards from the top bits; within a shard they are all alike.
  IndexAndModel both;
  for (RecordIndex record = 0; record < kPlacesOfAPage; ++record) {
    ASSERT_TRUE(both.Insert(uint64_t{record} << 48, record));
  }
  EXPECT_FALSE(both.Insert(uint64_t{kPlacesOfAPage} << 48, kPlacesOfAPage));
  both.ExpectAllFound();
}

TEST(IdIndex, SplittingKeepsEverything) {
  IndexAndModel both;
  internal::SplitMix64 random(1);
  for (RecordIndex record = 0; record < 50000; ++record) {
    ASSERT_TRUE(both.Insert(random.Next(), record));
    if (record % 5000 == 0) both.ExpectAllFound();
  }
  both.ExpectAllFound();
}

TEST(IdIndex, CrowdedBucketsSplitWithoutLoss) {
  // All in three neighbouring buckets, around the end of the page, so that each passes many by.
  IndexAndModel both;
  for (RecordIndex record = 0; record < 6000; ++record) {
    const uint32_t bucket = (31 + record % 3) % 32;
    ASSERT_TRUE(both.Insert(MakeHash(record % 5, bucket, record / 15), record));
  }
  both.ExpectAllFound();
}

TEST(IdIndex, IdsThatShare24BytesSpread) {
  IdIndex index;
  std::vector<ObjectId> ids;
  for (uint32_t number = 0; number < 100000; ++number) {
    ObjectId id = *ObjectId::FromBytes(std::string(28, '\x5a'));
    for (size_t i = 0; i < 4; ++i) id.mutable_data()[24 + i] = uint8_t(number >> (8 * i));
    ids.push_back(id);
    ASSERT_TRUE(index.Insert(id.Hash(), number, [&](RecordIndex r) { return ids[r].Hash(); }));
  }
  for (uint32_t number = 0; number < ids.size(); ++number) {
    ASSERT_EQ(index.Find(ids[number].Hash(), [&](RecordIndex r) { return ids[r] == ids[number]; }),
              number);
  }
  EXPECT_LT(index.bytes() / index.size(), 16u) << "half-empty pages at worst";
}

TEST(IdIndex, IdsThatDifferInOneFourByteWindowSpread) {
  for (size_t window = 0; window + 4 <= ObjectId::kSize; ++window) {
    IdIndex index;
    std::vector<ObjectId> ids;
    for (uint32_t number = 0; number < 4000; ++number) {
      ObjectId id = *ObjectId::FromBytes("an-id-of-28-bytes-by-a-host!");
      for (size_t i = 0; i < 4; ++i) id.mutable_data()[window + i] = uint8_t(number >> (8 * i));
      ids.push_back(id);
      ASSERT_TRUE(index.Insert(id.Hash(), number, [&](RecordIndex r) { return ids[r].Hash(); }));
    }
    for (uint32_t number = 0; number < ids.size(); ++number) {
      const auto is = [&](RecordIndex r) { return ids[r] == ids[number]; };
      ASSERT_EQ(index.Find(ids[number].Hash(), is), number) << "window " << window;
    }
    EXPECT_LT(index.bytes() / index.size(), 24u) << "window " << window;
  }
}

TEST(IdIndex, AMissStopsAtABucketThatNobodyPassedBy) {
  IndexAndModel both;
  ASSERT_TRUE(both.Insert(MakeHash(9, 1), 1000));
  for (RecordIndex record = 0; record < 15; ++record) {
    ASSERT_TRUE(both.Insert(MakeHash(record, 0), record));
  }
  EXPECT_EQ(both.LooksOfAMiss(MakeHash(9, 0)), 1) << "bucket 0 is full, but nobody passed it";
  ASSERT_TRUE(both.Insert(MakeHash(20, 0), 15));
  EXPECT_EQ(both.LooksOfAMiss(MakeHash(9, 0)), 2) << "one passed, so bucket 1 counts as well";
}

TEST(IdIndex, ErasingTheOneThatPassedEndsTheDetour) {
  IndexAndModel both;
  for (RecordIndex record = 0; record < 16; ++record) {
    ASSERT_TRUE(both.Insert(MakeHash(record, 0), record));
  }
  ASSERT_TRUE(both.Insert(MakeHash(99, 1), 100));
  EXPECT_EQ(both.LooksOfAMiss(MakeHash(99, 0)), 1);
  both.Erase(15);
  EXPECT_EQ(both.LooksOfAMiss(MakeHash(99, 0)), 0);
}

TEST(IdIndex, AHoleInFrontDoesNotHideTheOneThatPassed) {
  IndexAndModel both;
  for (RecordIndex record = 0; record < 16; ++record) {
    ASSERT_TRUE(both.Insert(MakeHash(record, 0), record));
  }
  both.Erase(3);
  EXPECT_EQ(both.Find(MakeHash(15, 0), 15), 15u);
  ASSERT_TRUE(both.Insert(MakeHash(50, 0), 50));
  both.ExpectAllFound();
}

TEST(IdIndex, ChurnLeavesNoTraceInTheOverflowCounters) {
  IndexAndModel both;
  internal::SplitMix64 random(7);
  RecordIndex next = 0;
  std::vector<RecordIndex> present;
  // Stays below a split, in buckets so crowded that most entries lie far from home.
  for (int round = 0; round < 50000; ++round) {
    if (present.size() < 200 && (present.size() < 100 || random.Next() % 2 == 0)) {
      const uint64_t hash = MakeHash(random.Next() % 4, random.Next() % 2 == 0 ? 30 : 31);
      ASSERT_TRUE(both.Insert(hash, next));
      present.push_back(next++);
    } else {
      const size_t at = random.Next() % present.size();
      both.Erase(present[at]);
      present[at] = present.back();
      present.pop_back();
    }
    if (round % 1000 == 0) both.ExpectAllFound();
  }
  for (const RecordIndex record : present) both.Erase(record);
  EXPECT_EQ(both.index.size(), 0u);
  // One entry per bucket; a look-up from the bucket before must not get as far.
  for (uint32_t bucket = 0; bucket < 32; ++bucket) {
    ASSERT_TRUE(both.Insert(MakeHash(bucket, bucket), bucket + next));
  }
  for (uint32_t bucket = 0; bucket < 32; ++bucket) {
    EXPECT_EQ(both.LooksOfAMiss(MakeHash(bucket, (bucket + 31) % 32)), 0) << bucket;
  }
}

TEST(IdIndex, ChurnOverSplitsMatchesAMap) {
  IndexAndModel both;
  internal::SplitMix64 random(11);
  std::vector<RecordIndex> present;
  RecordIndex next = 0;
  for (int round = 0; round < 100000; ++round) {
    if (present.empty() || random.Next() % 5 < 3) {
      // Few tags and buckets: collisions in plenty.
      ASSERT_TRUE(both.Insert(random.Next() & 0xffff0303, next));
      present.push_back(next++);
    } else {
      const size_t at = random.Next() % present.size();
      both.Erase(present[at]);
      present[at] = present.back();
      present.pop_back();
    }
  }
  both.ExpectAllFound();
  for (const RecordIndex record : present) both.Erase(record);
  EXPECT_EQ(both.index.size(), 0u);
}

TEST(IdIndex, ErasingAndInsertingInSteadyStateNeedsNoMoreMemory) {
  IndexAndModel both;
  internal::SplitMix64 random(3);
  for (RecordIndex record = 0; record < 20000; ++record) {
    ASSERT_TRUE(both.Insert(random.Next(), record));
  }
  const size_t bytes = both.index.bytes();
  for (RecordIndex record = 0; record < 20000; ++record) {
    const uint64_t hash = both.hashes.at(record);
    both.Erase(record);
    ASSERT_TRUE(both.Insert(hash, record));
  }
  EXPECT_EQ(both.index.bytes(), bytes);
}

// Where an entry was foreseen to be it is, or, after splits, it is found by Find; never another
// one.
TEST(IdIndex, AForeseenHomeIsTheEntrysOrIsMissedAfterASplit) {
  IndexAndModel both;
  std::vector<ObjectRecord> records(20000);
  const auto at = [&](RecordIndex index) -> ObjectRecord& { return records[index]; };
  internal::SplitMix64 random(5);
  std::map<RecordIndex, IdIndex::Home> homes;
  size_t hits = 0;
  size_t missed = 0;
  for (RecordIndex record = 0; record < records.size(); ++record) {
    const uint64_t hash = random.Next();
    ASSERT_TRUE(both.Insert(hash, record));
    const IdIndex::Home home = both.index.Foresee(hash);
    ASSERT_EQ(home.bucket, both.index.HomeOf(hash).bucket);
    homes[record] = home;
    const RecordIndex asked = static_cast<RecordIndex>(random.Next() % (record + 1));
    const auto is = [&](const ObjectRecord& it) { return &it == &records[asked]; };
    const uint64_t asked_hash = both.hashes.at(asked);
    const IdIndex::Found found = both.index.FindAtHome(homes.at(asked), asked_hash, at, is);
    if (found.record == nullptr) {
      ++missed;
      continue;
    }
    ++hits;
    ASSERT_EQ(found.index, asked);
  }
  EXPECT_GT(hits, 1000u);
  EXPECT_GT(missed, 1000u);
  both.ExpectAllFound();
}

// Records outside a slab, found by the id alone.
class FoundAgain : public ::testing::Test {
 protected:
  FoundAgain() : records_(3) {
    for (uint32_t i = 0; i < records_.size(); ++i) {
      records_[i].cell.Reset(ObjectId::FromNumber(i + 1), 0);
    }
  }
  static uint64_t HashOf(uint32_t record) { return ObjectId::FromNumber(record + 1).Hash(); }
  void Insert(uint32_t record) {
    ASSERT_TRUE(index_.Insert(HashOf(record), record, HashOf));
    index_.Note(HashOf(record), &records_[record], record);
  }
  IdIndex::Found Find(const ObjectId& id, uint64_t hash) {
    return index_.FindAgain(
        hash, [this](RecordIndex at) -> ObjectRecord& { return records_[at]; },
        [&](const ObjectRecord& record) { return record.id() == id; });
  }
  IdIndex::Found Find(uint32_t record) {
    return Find(ObjectId::FromNumber(record + 1), HashOf(record));
  }

  std::vector<ObjectRecord> records_;
  IdIndex index_;
};

TEST_F(FoundAgain, IsWhatWasFoundOrNotedLast) {
  Insert(0);
  Insert(1);
  EXPECT_EQ(index_.last().index, 1u);
  EXPECT_EQ(Find(1).record, &records_[1]);
  EXPECT_EQ(Find(0).record, records_.data());
  EXPECT_EQ(index_.last().record, records_.data());
  EXPECT_EQ(Find(0).index, 0u);
  EXPECT_EQ(Find(2).record, nullptr);
}

TEST_F(FoundAgain, IsNotWhatWasErased) {
  Insert(0);
  Insert(1);
  index_.Erase(HashOf(1), 1);
  EXPECT_EQ(index_.last().index, kNoRecord);
  EXPECT_EQ(Find(1).record, nullptr);
  EXPECT_EQ(Find(0).record, records_.data());
  index_.Erase(HashOf(0), 0);
  EXPECT_EQ(Find(0).record, nullptr);
}

TEST_F(FoundAgain, IsNotAnotherIdOfTheSameHash) {
  Insert(0);
  EXPECT_EQ(Find(ObjectId::FromNumber(7), HashOf(0)).record, nullptr);
  EXPECT_EQ(Find(0).record, records_.data());
}

TEST_F(FoundAgain, IsNobodyForTheNilId) {
  EXPECT_NE(ObjectId().Hash(), 0u);
  EXPECT_EQ(Find(ObjectId(), ObjectId().Hash()).record, nullptr);
  EXPECT_EQ(Find(0).record, nullptr);
}

TEST_F(FoundAgain, APlaceIsGivenToWhatIsNotThereAlone) {
  const IdIndex::Place place = index_.PlaceFor(HashOf(0));
  ASSERT_TRUE(IdIndex::IsPlace(place));
  index_.PutAt(place, HashOf(0), 0);
  EXPECT_EQ(index_.size(), 1u);
  EXPECT_EQ(Find(0).record, records_.data());
  EXPECT_FALSE(IdIndex::IsPlace(index_.PlaceFor(HashOf(0))));
}

TEST(IdIndexDeathTest, ErasingWhatIsNotThereIsABug) {
  IndexAndModel both;
  ASSERT_TRUE(both.Insert(1, 1));
  EXPECT_DEATH(both.index.Erase(1, 2), "not in the index");
}

}  // namespace
}  // namespace freehold::core
