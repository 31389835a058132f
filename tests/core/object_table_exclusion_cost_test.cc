// What a node's exclusion costs: what lies on it, however many objects lie elsewhere.
//
// Not time is measured but memory: the pages that hold records are made inaccessible, and each that
// the exclusion touches all the same is counted.

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/check.h"
#include "src/core/object_table.h"
#include "tests/core/touch_counter.h"

namespace freehold::core {
namespace {

constexpr PeerIndex kExcluded = 0;
constexpr PeerIndex kOther = 1;
constexpr uint32_t kPiece = 128;  // records of one lock hold

struct Cost {
  uint64_t pages = 0;       // of records, touched
  uint64_t lock_holds = 0;  // pieces
  uint64_t lost = 0;        // objects whose only copy it was
};

// Excludes a node that has the only copies of the first `on_node` of `objects` objects; the others
// are elsewhere, in scope or waiting to be freed.
Cost ExcludeNodeOf(uint64_t objects, uint64_t on_node) {
  ObjectTable table((ObjectTable::Config()));
  std::vector<ObjectRecord*> records(objects);
  Pages pages;
  for (uint64_t i = 0; i < objects; ++i) {
    const ObjectId id = ObjectId::FromNumber(i);
    Effects effects;
    const PeerIndex primary = i < on_node ? kExcluded : kOther;
    FREEHOLD_CHECK(table.Step(event::Declare{{id, id.Hash()}, 1, primary}, &effects, &records[i]) ==
                   Verdict::kOk);
    AddPagesOf(records[i], sizeof(ObjectRecord), &pages);
    if (i % 3 != 0) continue;
    FREEHOLD_CHECK(records[i]->cell.DropUnderLock());
    (void)table.Step(event::DropLastHandle{records[i]}, &effects);
  }
  Cost cost;
  Effects effects;
  {
    const TouchCounter counter(pages);
    bool more = true;
    for (; more; ++cost.lock_holds) more = table.ExcludeNode(kExcluded, kPiece, &effects);
    cost.pages = counter.touched();
  }
  table.CheckInvariants();
  cost.lost = effects.rare->lost.size();
  return cost;
}

// The pages that `count` records side by side fill, with one begun in each slab that they lie in.
uint64_t PagesOf(uint64_t count) {
  return count * sizeof(ObjectRecord) / PageBytes() + 1 + count / 500 + 1;
}

// One in a hundred of many is on the node, or one in ten of a tenth: the same records, so the same.
TEST(ObjectTableExclusionCost, DependsOnWhatIsOnTheNodeAndNotOnTheOthers) {
  const Cost of_many = ExcludeNodeOf(100'000, 1'000);
  const Cost of_few = ExcludeNodeOf(10'000, 1'000);
  EXPECT_EQ(of_many.pages, of_few.pages);
  EXPECT_EQ(of_many.lock_holds, of_few.lock_holds);
  EXPECT_EQ(of_many.lost, of_few.lost);
}

TEST(ObjectTableExclusionCost, TouchesTheRecordsOnTheNodeAndHoldsTheLockForAPieceOfThemAtATime) {
  for (const uint64_t objects : {10'000, 100'000}) {
    const uint64_t on_node = objects / 100;
    const Cost cost = ExcludeNodeOf(objects, on_node);
    EXPECT_GT(cost.pages, 0u);
    EXPECT_LE(cost.pages, PagesOf(on_node)) << objects;
    EXPECT_EQ(cost.lock_holds, on_node / kPiece + 1) << objects;
    EXPECT_EQ(cost.lost, on_node - (on_node + 2) / 3) << "the others had ended; of " << objects;
  }
}

}  // namespace
}  // namespace freehold::core
