#include "src/core/record_slabs.h"

#include <cstring>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace freehold::core {
namespace {

// Some slabs' worth, whatever a slab holds.
constexpr int kMany = 5000;

std::vector<RecordIndex> AllocateMany(RecordSlabs* slabs) {
  std::vector<RecordIndex> indices;
  for (int i = 0; i < kMany; ++i) indices.push_back(slabs->Allocate());
  return indices;
}

std::vector<RecordIndex> Walk(const RecordSlabs& slabs, size_t slots_max) {
  std::vector<RecordIndex> seen;
  RecordIndex from = 0;
  while (from != kNoRecord) {
    RecordIndex resume = kNoRecord;
    const RecordIndex here = slabs.NextInUse(from, slots_max, &resume);
    if (here != kNoRecord) seen.push_back(here);
    from = here == kNoRecord ? resume : here + 1;
  }
  return seen;
}

TEST(RecordSlabs, EachSlotIsHandedOutOnce) {
  RecordSlabs slabs(nullptr);
  const std::vector<RecordIndex> indices = AllocateMany(&slabs);
  EXPECT_EQ(std::set<RecordIndex>(indices.begin(), indices.end()).size(), size_t{kMany});
  for (const RecordIndex index : indices) EXPECT_LE(index, kRecordIndexMax);
}

TEST(RecordSlabs, AddressesStayWhileSlabsAreAdded) {
  RecordSlabs slabs(nullptr);
  const RecordIndex first = slabs.Allocate();
  ObjectRecord* const address = &slabs.At(first);
  address->size = 42;
  AllocateMany(&slabs);
  EXPECT_EQ(&slabs.At(first), address);
  EXPECT_EQ(slabs.At(first).size, 42u);
}

TEST(RecordSlabs, AnAddressLeadsBackToItsIndex) {
  RecordSlabs slabs(nullptr);
  for (const RecordIndex index : AllocateMany(&slabs)) {
    ASSERT_EQ(RecordSlabs::IndexOf(slabs.At(index)), index);
  }
}

TEST(RecordSlabs, EveryCellLeadsToTheContextOfItsOwnSlabs) {
  int first_context = 0;
  int second_context = 0;
  RecordSlabs first(&first_context);
  RecordSlabs second(&second_context);
  for (const RecordIndex index : AllocateMany(&first)) {
    ASSERT_EQ(RecordSlabs::ContextOf(&first.At(index).cell), &first_context);
  }
  for (const RecordIndex index : AllocateMany(&second)) {
    ASSERT_EQ(RecordSlabs::ContextOf(&second.At(index).cell), &second_context);
  }
}

TEST(RecordSlabs, TablesThatShareASourceHaveSlabsOfTheirOwn) {
  SlabRuns source;
  int first_context = 0;
  int second_context = 0;
  RecordSlabs first(&first_context, UINT32_MAX, &source);
  RecordSlabs second(&second_context, UINT32_MAX, &source);
  std::set<const ObjectRecord*> records;
  for (int i = 0; i < kMany; ++i) {
    for (RecordSlabs* slabs : {&first, &second}) {
      const RecordIndex index = slabs->Allocate();
      ASSERT_TRUE(records.insert(&slabs->At(index)).second);
      ASSERT_EQ(RecordSlabs::IndexOf(slabs->At(index)), index);
      ASSERT_EQ(RecordSlabs::ContextOf(&slabs->At(index).cell),
                slabs == &first ? &first_context : &second_context);
    }
  }
  EXPECT_EQ(first.bytes(), second.bytes());
}

TEST(RecordSlabs, FreedSlotsAreReusedLastInFirstOutWithoutNewMemory) {
  RecordSlabs slabs(nullptr);
  const std::vector<RecordIndex> indices = AllocateMany(&slabs);
  const size_t bytes = slabs.bytes();
  for (int i = 0; i < kMany; i += 3) slabs.Release(indices[i]);
  for (int i = (kMany - 1) / 3 * 3; i >= 0; i -= 3) ASSERT_EQ(slabs.Allocate(), indices[i]);
  EXPECT_EQ(slabs.bytes(), bytes);
}

TEST(RecordSlabs, NoMoreThanTheMaximumAreInUseAtOnceAndEachOfThemCan) {
  RecordSlabs slabs(nullptr, kMany);
  const std::vector<RecordIndex> indices = AllocateMany(&slabs);
  EXPECT_EQ(slabs.Allocate(), kNoRecord);
  EXPECT_EQ(slabs.Allocate(), kNoRecord);
  EXPECT_EQ(Walk(slabs, SIZE_MAX), indices);
  slabs.Release(indices[7]);
  EXPECT_EQ(slabs.Allocate(), indices[7]);
  EXPECT_EQ(slabs.Allocate(), kNoRecord);
}

TEST(RecordSlabs, EmptySlabsHaveNothingInUse) {
  RecordSlabs slabs(nullptr);
  RecordIndex resume = 7;
  EXPECT_EQ(slabs.NextInUse(0, 100, &resume), kNoRecord);
  EXPECT_EQ(resume, kNoRecord);
}

TEST(RecordSlabs, IterationInPiecesOfAnySizeMeetsEachRecordOnceInOrder) {
  RecordSlabs slabs(nullptr);
  std::vector<RecordIndex> expected;
  const std::vector<RecordIndex> indices = AllocateMany(&slabs);
  for (int i = 0; i < kMany; ++i) {
    // A long hole over the edge of a slab, and many small ones.
    if ((i > 500 && i < 2500) || i % 7 == 0) {
      slabs.Release(indices[i]);
    } else {
      expected.push_back(indices[i]);
    }
  }
  for (const size_t slots_max : {size_t{1}, size_t{2}, size_t{100}, size_t{681}, SIZE_MAX}) {
    EXPECT_EQ(Walk(slabs, slots_max), expected) << slots_max;
  }
}

TEST(RecordSlabs, APieceLooksAtNoMoreSlotsThanAllowed) {
  RecordSlabs slabs(nullptr);
  const std::vector<RecordIndex> indices = AllocateMany(&slabs);
  for (int i = 0; i < 100; ++i) slabs.Release(indices[i]);
  RecordIndex resume = kNoRecord;
  EXPECT_EQ(slabs.NextInUse(0, 10, &resume), kNoRecord);
  EXPECT_EQ(resume, 10u);
  EXPECT_EQ(slabs.NextInUse(0, 100, &resume), kNoRecord);
  EXPECT_EQ(slabs.NextInUse(0, 101, &resume), indices[100]);
}

TEST(RecordSlabsDeathTest, ReleasingASlotTwiceIsABug) {
  RecordSlabs slabs(nullptr);
  const RecordIndex index = slabs.Allocate();
  slabs.Release(index);
  EXPECT_DEATH(slabs.Release(index), "in_use");
}

TEST(SlabRuns, SlabsAreApartAndAlignedFromTheFirstRunToLargeOnes) {
  SlabRuns source;
  constexpr size_t kSlabs = 1500;  // 23 MiB
  std::set<uintptr_t> slabs;
  for (size_t i = 0; i < kSlabs; ++i) {
    void* const slab = source.Take();
    std::memset(slab, static_cast<int>(i), SlabSource::kSlabBytes);  // all of it is there
    ASSERT_TRUE(slabs.insert(reinterpret_cast<uintptr_t>(slab)).second);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(slab) % SlabSource::kSlabBytes, 0u);
  }
  uintptr_t before = 0;
  for (const uintptr_t slab : slabs) {
    ASSERT_GE(slab - before, SlabSource::kSlabBytes);
    before = slab;
  }
}

}  // namespace
}  // namespace freehold::core
