#include "src/base/hash.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "freehold/ids.h"
#include "gtest/gtest.h"
#include "src/base/little_endian.h"

namespace freehold::internal {
namespace {

std::string Counting(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + 1);
  return bytes;
}

// Ids that share 24 bytes and count in the other four, at `at`.
std::vector<ObjectId> Counted(size_t at, uint32_t count) {
  std::vector<ObjectId> ids(count);
  for (uint32_t i = 0; i < count; ++i) {
    std::memset(ids[i].mutable_data(), 0x5a, ObjectId::kSize);
    StoreLittle(i, ids[i].mutable_data() + at);
  }
  return ids;
}

// How far the fullest of `buckets` is above the average.
double Fullest(const std::vector<uint32_t>& buckets) {
  const double total = std::accumulate(buckets.begin(), buckets.end(), 0.0);
  return *std::max_element(buckets.begin(), buckets.end()) * static_cast<double>(buckets.size()) /
         total;
}

// The values here were computed by a separate implementation in Python.
TEST(HashId, ValuesNeverChange) {
  EXPECT_EQ(ObjectId().Hash(), 0xc53f7a6bd1cc3b39ull);
  EXPECT_EQ(ObjectId::FromNumber(1).Hash(), 0xedf855f4c3fe0319ull);
  EXPECT_EQ(ObjectId::FromBytes(Counting(28))->Hash(), 0xc2e778435393d226ull);
}

TEST(HashId, IdsThatDifferInOneWindowOnlyDoNotCollide) {
  constexpr uint32_t kIds = 50000;
  for (size_t at = 0; at + 4 <= ObjectId::kSize; ++at) {
    std::vector<uint64_t> hashes;
    for (const ObjectId& id : Counted(at, kIds)) hashes.push_back(id.Hash());
    std::sort(hashes.begin(), hashes.end());
    EXPECT_EQ(std::adjacent_find(hashes.begin(), hashes.end()), hashes.end()) << "window at " << at;
  }
}

TEST(HashId, IdsThatDifferInOneWindowOnlySpreadOverHighAndLowBits) {
  constexpr uint32_t kIds = 1 << 16;
  for (size_t at = 0; at + 4 <= ObjectId::kSize; ++at) {
    std::vector<uint32_t> low(256), high(256), middle(256);
    for (const ObjectId& id : Counted(at, kIds)) {
      const uint64_t hash = id.Hash();
      ++low[hash & 255];
      ++middle[(hash >> 28) & 255];
      ++high[hash >> 56];
    }
    // 256 a bucket, standard deviation 16: five of them above would be 1.31.
    EXPECT_LT(Fullest(low), 1.35) << "window at " << at;
    EXPECT_LT(Fullest(middle), 1.35) << "window at " << at;
    EXPECT_LT(Fullest(high), 1.35) << "window at " << at;
  }
}

TEST(HashId, EveryInputBitReachesEveryOutputBit) {
  constexpr int kIds = 512;
  for (size_t bit = 0; bit < ObjectId::kSize * 8; ++bit) {
    std::vector<int> flips(64);
    for (int i = 0; i < kIds; ++i) {
      ObjectId id = ObjectId::FromNumber(static_cast<uint64_t>(i) * 0x9e3779b97f4a7c15ull);
      const uint64_t before = id.Hash();
      id.mutable_data()[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
      const uint64_t changed = before ^ id.Hash();
      for (int out = 0; out < 64; ++out) flips[static_cast<size_t>(out)] += changed >> out & 1;
    }
    for (const int flipped : flips) {
      EXPECT_GT(flipped, kIds / 4) << "input bit " << bit;
      EXPECT_LT(flipped, kIds * 3 / 4) << "input bit " << bit;
    }
  }
}

TEST(HashBytes, ValuesNeverChange) {
  EXPECT_EQ(HashBytes("", 0, 0), 0x3429a2573a6e47e1ull);
  EXPECT_EQ(HashBytes("abc", 3, 0), 0xcd3490e7e530f3beull);
  const std::string bytes = Counting(203);
  EXPECT_EQ(HashBytes(bytes.data(), 28, 1), 0xd47aafc84f7604a1ull);
  EXPECT_EQ(HashBytes(bytes.data(), bytes.size(), 1), 0x4adc9c7dc362ac2bull);
}

TEST(HashBytes, EveryBitOfEveryLengthMatters) {
  for (size_t size = 0; size <= 200; ++size) {
    std::string bytes = Counting(size);
    const uint64_t hash = HashBytes(bytes.data(), size, 5);
    for (size_t bit = 0; bit < size * 8; ++bit) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << (bit % 8));
      EXPECT_NE(HashBytes(bytes.data(), size, 5), hash) << "bit " << bit << " of " << size;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << (bit % 8));
    }
  }
}

TEST(HashBytes, ZeroesOfEveryLengthDiffer) {
  const std::string zeroes(300, '\0');
  std::vector<uint64_t> hashes;
  for (size_t size = 0; size <= zeroes.size(); ++size) {
    hashes.push_back(HashBytes(zeroes.data(), size, 0));
  }
  std::sort(hashes.begin(), hashes.end());
  EXPECT_EQ(std::adjacent_find(hashes.begin(), hashes.end()), hashes.end());
}

TEST(HashBytes, BlocksThatChangePlacesMatter) {
  const std::string a(16, 'a'), b(16, 'b'), c(16, 'c'), d(16, 'd');
  EXPECT_NE(HashBytes((a + b + c + d).data(), 64, 0), HashBytes((b + a + c + d).data(), 64, 0));
  EXPECT_NE(HashBytes((a + b + c + d).data(), 64, 0), HashBytes((d + b + c + a).data(), 64, 0));
  EXPECT_NE(HashBytes((a + b).data(), 32, 0), HashBytes((b + a).data(), 32, 0));
}

TEST(HashBytes, SeedMatters) {
  EXPECT_NE(HashBytes("abc", 3, 0), HashBytes("abc", 3, 1));
  EXPECT_NE(HashBytes("", 0, 0), HashBytes("", 0, 1));
}

TEST(HashBytes, AlignmentDoesNotMatter) {
  const std::string bytes = Counting(100);
  for (size_t shift = 0; shift < 16; ++shift) {
    const std::string moved = std::string(shift, 'x') + bytes;
    EXPECT_EQ(HashBytes(moved.data() + shift, 100, 3), HashBytes(bytes.data(), 100, 3));
  }
}

}  // namespace
}  // namespace freehold::internal
