#include "src/core/generator_table.h"

#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace freehold::core {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const ObjectId kStream = ObjectId::FromNumber(1);
const ObjectId kOther = ObjectId::FromNumber(2);
const TaskId kTask = TaskId::FromNumber(7);

InnerRef Hold(RecordIndex record) { return {0, record}; }

TEST(GeneratorTable, GivesEachHoldOnceAndTheOldestFirst) {
  GeneratorTable table;
  ASSERT_TRUE(table.Open(kStream, kTask));
  EXPECT_EQ(table.Take(kStream), std::nullopt);
  EXPECT_TRUE(table.Add(kStream, Hold(1)));
  EXPECT_TRUE(table.Add(kStream, Hold(2)));
  EXPECT_EQ(table.Take(kStream), Hold(1));
  EXPECT_TRUE(table.Add(kStream, Hold(3)));
  EXPECT_EQ(table.CountYielded(kStream), 2u);
  EXPECT_EQ(table.Take(kStream), Hold(2));
  EXPECT_EQ(table.Take(kStream), Hold(3));
  EXPECT_EQ(table.Take(kStream), std::nullopt);
}

TEST(GeneratorTable, OneObjectMayBeYieldedTwiceAndIsHeldTwice) {
  GeneratorTable table;
  ASSERT_TRUE(table.Open(kStream, kTask));
  EXPECT_TRUE(table.Add(kStream, Hold(1)));
  EXPECT_TRUE(table.Add(kStream, Hold(1)));
  EXPECT_THAT(table.End(kStream), ElementsAre(Hold(1), Hold(1)));
}

TEST(GeneratorTable, GeneratorsDoNotMix) {
  GeneratorTable table;
  ASSERT_TRUE(table.Open(kStream, kTask));
  ASSERT_TRUE(table.Open(kOther, TaskId()));
  EXPECT_TRUE(table.Add(kStream, Hold(1)));
  EXPECT_TRUE(table.Add(kOther, Hold(2)));
  EXPECT_EQ(table.yielded(), 2u);
  EXPECT_EQ(table.TaskOf(kStream), kTask);
  EXPECT_EQ(table.TaskOf(kOther), TaskId());
  EXPECT_THAT(table.End(kStream), ElementsAre(Hold(1)));
  EXPECT_EQ(table.yielded(), 1u);
  EXPECT_EQ(table.size(), 1u);
  EXPECT_EQ(table.Take(kOther), Hold(2));
  EXPECT_EQ(table.yielded(), 0u);
}

TEST(GeneratorTable, WhatIsNotOpenTakesNoHold) {
  GeneratorTable table;
  EXPECT_FALSE(table.Add(kStream, Hold(1))) << "never opened";
  ASSERT_TRUE(table.Open(kStream, kTask));
  EXPECT_THAT(table.End(kStream), IsEmpty());
  EXPECT_FALSE(table.Add(kStream, Hold(1))) << "ended";
  EXPECT_EQ(table.TaskOf(kStream), std::nullopt);
  EXPECT_THAT(table.End(kStream), IsEmpty()) << "ending twice gives nothing twice";
  EXPECT_EQ(table.yielded(), 0u);
  EXPECT_EQ(table.size(), 0u);
}

TEST(GeneratorTable, OpeningAgainWhileOpenKeepsWhatIsThere) {
  GeneratorTable table;
  ASSERT_TRUE(table.Open(kStream, kTask));
  EXPECT_TRUE(table.Add(kStream, Hold(1)));
  EXPECT_FALSE(table.Open(kStream, TaskId()));
  EXPECT_EQ(table.TaskOf(kStream), kTask);
  EXPECT_THAT(table.End(kStream), ElementsAre(Hold(1)));
  EXPECT_TRUE(table.Open(kStream, TaskId())) << "an id that is recreated";
  EXPECT_EQ(table.CountYielded(kStream), 0u);
}

}  // namespace
}  // namespace freehold::core
