#include "src/core/inner_list.h"

#include <vector>

#include "gtest/gtest.h"

namespace freehold::core {
namespace {

InnerRef Inner(uint32_t number) { return {number % 64, number / 64}; }

std::vector<InnerRef> Flat(InnerList* list) {
  std::vector<InnerRef> all;
  for (const std::vector<InnerRef>& chunk : list->TakeChunks()) {
    all.insert(all.end(), chunk.begin(), chunk.end());
  }
  return all;
}

TEST(InnerList, HoldsEachOnceInOrderOfAddition) {
  for (const uint32_t count : {0, 1, 16, 17, 2047, 2048, 2049, 50'000}) {
    InnerList list;
    std::vector<InnerRef> expected;
    for (uint32_t i = 0; i < count; ++i) {
      const InnerRef inner = Inner(i * 7);
      EXPECT_FALSE(list.Contains(inner));
      ASSERT_TRUE(list.Add(inner));
      expected.push_back(inner);
      ASSERT_EQ(list.size(), expected.size());
    }
    for (uint32_t i = 0; i < count; ++i) {
      ASSERT_TRUE(list.Contains(Inner(i * 7)));
      ASSERT_FALSE(list.Add(Inner(i * 7))) << "it is there";
      ASSERT_FALSE(list.Contains(Inner(i * 7 + 1)));
    }
    EXPECT_EQ(list.size(), count);
    EXPECT_EQ(Flat(&list), expected);
    EXPECT_TRUE(list.empty());
    EXPECT_TRUE(list.Add(Inner(0))) << "after the end it is as new";
  }
}

TEST(InnerList, HandsOutNoLongChunk) {
  InnerList list;
  for (uint32_t i = 0; i < 10'000; ++i) ASSERT_TRUE(list.Add(Inner(i)));
  const std::vector<std::vector<InnerRef>> chunks = list.TakeChunks();
  ASSERT_EQ(chunks.size(), 5u);
  for (const std::vector<InnerRef>& chunk : chunks) EXPECT_LE(chunk.size(), 2048u);
}

}  // namespace
}  // namespace freehold::core
