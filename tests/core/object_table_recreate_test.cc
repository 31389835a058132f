// Explicit free, and values that are made again while old ones are still being deleted.

#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

TEST(ObjectTableRecreate, ExplicitFreeTakesTheValueAndLeavesTheRecord) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kFreed);
  EXPECT_TRUE(table.Find(kA)->was_freed);
  EXPECT_EQ(table.Pull(kN0), (std::vector<FreedCopy>{{kA, 0}}));
  ASSERT_EQ(table.Answer(kA, kN0), Verdict::kOk);
  ASSERT_NE(table.Find(kA), nullptr) << "a reference is left";
  EXPECT_EQ(table.FreeExplicitly(kA), Verdict::kUnchanged);
  EXPECT_EQ(table.AddById(kA), Verdict::kOk) << "references can still be added";
  table.DropHandle(kA);
  ASSERT_EQ(table.RemoveById(kA), Verdict::kOk);
  EXPECT_EQ(table.Find(kA), nullptr);
}

TEST(ObjectTableRecreate, OnlyAFreedOrLostValueIsMadeAgain) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA), Verdict::kOk);
  EXPECT_EQ(table.Recreate(kA), Verdict::kWrongState) << "pending";
  ASSERT_EQ(table.SetLocation(kA, kN0), Verdict::kOk);
  EXPECT_EQ(table.Recreate(kA), Verdict::kWrongState) << "available";
  ASSERT_EQ(table.RemoveLocation(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.Find(kA)->state(), ObjectState::kLost);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kPending);
  EXPECT_EQ(table.Find(kA)->generation, 1u);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  EXPECT_EQ(table.Find(kA)->generation, 2u);
  EXPECT_FALSE(table.Find(kA)->was_freed);
}

TEST(ObjectTableRecreate, ALateDeletedOfTheOldValueLeavesTheNewOneAlone) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  ASSERT_EQ(table.Pull(kN0).size(), 1u);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN0, 1), Verdict::kOk);
  EXPECT_EQ(table.ghosts(), 1u);
  ASSERT_EQ(table.Answer(kA, kN0, FreeResult::kDeleted, 0), Verdict::kOk);
  EXPECT_EQ(table.ghosts(), 0u);
  EXPECT_EQ(table.Copies(kA).count(kN0), 1u);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kAvailable);
  EXPECT_EQ(table.Answer(kA, kN0, FreeResult::kDeleted, 0), Verdict::kUnchanged);
}

TEST(ObjectTableRecreate, FreesOfSeveralGenerationsAreToldApart) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  for (uint32_t generation = 0; generation < 4; ++generation) {
    ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
    ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
    ASSERT_EQ(table.SetLocation(kA, kN0, generation + 1), Verdict::kOk);
  }
  EXPECT_EQ(table.ghosts(), 4u);
  EXPECT_EQ(table.Pull(kN0), (std::vector<FreedCopy>{{kA, 0}, {kA, 1}, {kA, 2}, {kA, 3}}));
  // The middle, the newest and the oldest of the chain leave it.
  for (const uint32_t generation : {2u, 3u, 0u, 1u}) {
    ASSERT_EQ(table.Answer(kA, kN0, FreeResult::kDeleted, generation), Verdict::kOk);
  }
  EXPECT_EQ(table.ghosts(), 0u);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kAvailable);
}

TEST(ObjectTableRecreate, AnOldValueKeepsItsSpillFileApartFromTheNewOne) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  Report spilled;
  spilled.in_memory = false;
  spilled.spilled = true;
  spilled.url = "old";
  ASSERT_EQ(table.SetLocation(kA, kN0, 0, spilled), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  spilled.url = "new";
  ASSERT_EQ(table.SetLocation(kA, kN0, 1, spilled), Verdict::kOk);
  EXPECT_EQ(table.Copies(kA).at(kN0).url, "new");
  const ObjectRecord& ghost = table.table.At(table.table.FindRare(*table.Find(kA))->ghost);
  EXPECT_EQ(table.table.AllFacts(ghost).at(0).url, "old");
}

TEST(ObjectTableRecreate, TheRecordStaysUntilTheOldestGenerationIsGone) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  table.DropHandle(kA);
  ASSERT_NE(table.Find(kA), nullptr);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kOutOfScope);
  ASSERT_EQ(table.Pull(kN0).size(), 1u);
  ASSERT_EQ(table.Answer(kA, kN0), Verdict::kOk);
  EXPECT_EQ(table.Find(kA), nullptr);
}

}  // namespace
}  // namespace freehold::core
