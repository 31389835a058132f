// ObjectTable: no record is left.

#include <vector>

#include "gtest/gtest.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

constexpr uint64_t kRecords = 50;

class ObjectTableFull : public ::testing::Test {
 protected:
  // Objects 1 to kRecords, each with its primary copy: the table is full.
  ObjectTableFull() {
    for (uint64_t object = 1; object <= kRecords; ++object) {
      EXPECT_EQ(h_.Declare(object, kN0), Verdict::kOk);
    }
  }

  static ObjectTable::Config WithRecords(uint32_t records_max) {
    ObjectTable::Config config;
    config.records_max = records_max;
    return config;
  }

  ObjectTableHarness h_{WithRecords(kRecords)};
};

TEST_F(ObjectTableFull, OneMoreIsRefusedAndLeavesNoTrace) {
  EXPECT_EQ(h_.Declare(51, kN0), Verdict::kTableFull);
  EXPECT_EQ(h_.Declare(51), Verdict::kTableFull);
  EXPECT_EQ(h_.Find(51), nullptr);
  EXPECT_EQ(h_.AddById(51), Verdict::kNotFound);
  EXPECT_EQ(h_.objects(), kRecords);
  EXPECT_EQ(h_.table.counters().declared, kRecords);
  EXPECT_EQ(h_.table.nodes().total(FreeState::kHeld), kRecords);
}

TEST_F(ObjectTableFull, ThoseThatAreInLoseNothing) {
  EXPECT_EQ(h_.Declare(51, kN0), Verdict::kTableFull);
  for (uint64_t object = 1; object <= kRecords; ++object) {
    ASSERT_NE(h_.Find(object), nullptr);
    EXPECT_EQ(h_.Copies(object).size(), 1u);
    EXPECT_EQ(h_.AddById(object), Verdict::kOk);
    EXPECT_EQ(h_.SetLocation(object, kN1), Verdict::kOk);
    h_.DropHandle(object);
    EXPECT_EQ(h_.RemoveById(object), Verdict::kOk);
  }
  EXPECT_EQ(h_.Pull(kN0).size(), kRecords);
  EXPECT_EQ(h_.Pull(kN1).size(), kRecords);
  EXPECT_EQ(h_.objects(), kRecords);
  for (uint64_t object = 1; object <= kRecords; ++object) {
    EXPECT_EQ(h_.Answer(object, kN0), Verdict::kOk);
    EXPECT_EQ(h_.Answer(object, kN1), Verdict::kOk);
  }
  EXPECT_EQ(h_.objects(), 0u);
}

TEST_F(ObjectTableFull, ThereIsRoomAgainOnceACopyOfOneThatEndedIsGone) {
  h_.DropHandle(7);
  EXPECT_EQ(h_.Declare(51, kN0), Verdict::kTableFull) << "its copy is still to be deleted";
  EXPECT_EQ(h_.Pull(kN0), std::vector<FreedCopy>({{7, 0}}));
  EXPECT_EQ(h_.Answer(7, kN0), Verdict::kOk);
  EXPECT_EQ(h_.Declare(51, kN0), Verdict::kOk);
  EXPECT_EQ(h_.Declare(52, kN0), Verdict::kTableFull);
}

// The old value's copies would need a record of their own.
TEST_F(ObjectTableFull, AValueThatCannotBeRecreatedYetStaysFreedAndItsFreesGoOut) {
  EXPECT_EQ(h_.FreeExplicitly(7), Verdict::kOk);
  EXPECT_EQ(h_.Recreate(7), Verdict::kTableFull);
  EXPECT_EQ(h_.Find(7)->state(), ObjectState::kFreed);
  EXPECT_EQ(h_.Find(7)->generation, 0u);
  EXPECT_EQ(h_.ghosts(), 0u);
  EXPECT_EQ(h_.Pull(kN0), std::vector<FreedCopy>({{7, 0}}));
  EXPECT_EQ(h_.Answer(7, kN0), Verdict::kOk);
  EXPECT_EQ(h_.Recreate(7), Verdict::kOk) << "without old copies it needs none";
  EXPECT_EQ(h_.Find(7)->generation, 1u);
}

TEST_F(ObjectTableFull, AReportOfWhatWasRefusedIsAnsweredWithAFree) {
  EXPECT_EQ(h_.Declare(51, kN0), Verdict::kTableFull);
  EXPECT_EQ(h_.SetLocation(51, kN1), Verdict::kNotFound);
  EXPECT_EQ(h_.Pull(kN1), std::vector<FreedCopy>({{51, 0}}));
}

}  // namespace
}  // namespace freehold::core
