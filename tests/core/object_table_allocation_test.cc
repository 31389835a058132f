// "Nothing is allocated in steady state for an object without a Rare." A program of its own: it
// replaces operator new for all of it.

#include <cstdlib>
#include <new>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table.h"

namespace {
uint64_t allocations = 0;
}  // namespace

// Not inline: gcc takes a free() that it can see for the wrong partner of an operator new that it
// cannot.
__attribute__((noinline)) void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  std::abort();
}
__attribute__((noinline)) void operator delete(void* memory) noexcept { std::free(memory); }
__attribute__((noinline)) void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace freehold::core {
namespace {

constexpr PeerIndex kNodes = 8;

// Declares 100 objects with `copies` copies each, drops, frees and settles them. Answers how often
// the steps allocated; pulling does not count, it fills an envelope.
uint64_t AllocationsOfALife(ObjectTable* table, uint64_t first, PeerIndex copies) {
  constexpr uint64_t kObjects = 100;
  std::vector<ObjectRecord*> records(kObjects);
  const uint64_t before = allocations;
  for (uint64_t i = 0; i < kObjects; ++i) {
    const ObjectId id = ObjectId::FromNumber(first + i);
    const Key key{id, id.Hash()};
    Effects effects;
    EXPECT_EQ(table->Step(event::Declare{key}, &effects, &records[i]), Verdict::kOk);
    EXPECT_EQ(table->Step(event::AddById{key, 2}), Verdict::kOk);
    for (PeerIndex copy = 0; copy < copies; ++copy) {
      const auto node = static_cast<PeerIndex>((i + copy) % kNodes);
      event::SetLocation e{key, node, 0, 64, CopyRole::kSecondary};
      e.in_memory = true;
      EXPECT_EQ(table->Step(e, &effects), Verdict::kOk);
    }
    EXPECT_EQ(table->Step(event::RemoveById{key, 2}, &effects), Verdict::kOk);
    EXPECT_TRUE(records[i]->cell.DropUnderLock());
    EXPECT_EQ(table->Step(event::DropLastHandle{records[i]}, &effects), Verdict::kOk);
  }
  uint64_t counted = allocations - before;
  for (PeerIndex node = 0; node < kNodes; ++node) {
    PayloadWriter writer(kEnvelopeBytesMost);
    EXPECT_FALSE(table->PullFrees(node, UINT32_MAX, &writer));
  }
  const uint64_t pulled = allocations;
  for (uint64_t i = 0; i < kObjects; ++i) {
    const ObjectId id = ObjectId::FromNumber(first + i);
    for (PeerIndex copy = 0; copy < copies; ++copy) {
      const auto node = static_cast<PeerIndex>((i + copy) % kNodes);
      const event::FreeAnswered e{{id, id.Hash()}, node, 0, FreeResult::kDeleted};
      Effects effects;
      EXPECT_EQ(table->Step(e, &effects), Verdict::kOk);
    }
  }
  counted += allocations - pulled;
  EXPECT_EQ(table->counters().by_state[static_cast<int>(ObjectState::kOutOfScope)], 0u);
  return counted;
}

TEST(ObjectTableAllocation, AWholeLifeWithUpToThreeCopiesAllocatesNothing) {
  ObjectTable table((ObjectTable::Config()));
  // Warm up: slabs, pages and blocks of the sizes that are used.
  uint64_t first = 0;
  for (int round = 0; round < 50; ++round, first += 100) (void)AllocationsOfALife(&table, first, 3);
  for (PeerIndex copies = 0; copies <= 3; ++copies, first += 100) {
    EXPECT_EQ(AllocationsOfALife(&table, first, copies), 0u) << copies << " copies";
  }
}

TEST(ObjectTableAllocation, AnEmptyEffectsAllocatesNothing) {
  const uint64_t before = allocations;
  {
    const Effects effects;
    EXPECT_FALSE(effects.has_host_work());
  }
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace freehold::core
