// CopyTable: a store that fails.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/copy_table_testing.h"

namespace freehold::core::copy_testing {
namespace {

// --- A store that fails --------------------------------------------------------------------------

TEST_F(CopyTableTest, FailureIsToldOnceAndAgainWhenTheReasonChanges) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Fail(1, "disk"), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"failed 1: disk"});
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1"});
  EXPECT_EQ(Fail(1, "disk", kStart + 100 * kMs), CopyVerdict::kNoChange);
  EXPECT_EQ(Pull(), Words{});
  EXPECT_EQ(Take(kStart + 300 * kMs), Words{"1"});
  EXPECT_EQ(Fail(1, "fire", kStart + 300 * kMs), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"failed 1: fire"});
  EXPECT_EQ(Take(kStart + 700 * kMs), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
  EXPECT_EQ(table_->stats().store_failures, 3u);
}

TEST_F(CopyTableTest, DeletedSupersedesAFailureThatHasNotLeft) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Fail(1, "disk"), CopyVerdict::kOk);
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

TEST_F(CopyTableTest, RetriesBackOffToTheMaximumWithJitter) {
  CopyTable::Options options;
  options.retry_delay_min = 10 * kMs;
  options.retry_delay_max = 35 * kMs;
  Make(options);
  Bring(CopyState::kDeleting);
  Time now = kStart;
  for (const int delay : {10, 20, 35, 35, 35}) {
    (void)Fail(1, "disk", now, 0);
    EXPECT_EQ(table_->NextWork(), now + delay * kMs);
    EXPECT_EQ(Take(now + delay * kMs - Duration(1)), Words{});
    now += delay * kMs;
    EXPECT_EQ(Take(now), Words{"1"});
  }
  const uint64_t half = 35 * 1000000 / 2;
  (void)Fail(1, "disk", now, half);
  EXPECT_EQ(table_->NextWork(), now + 35 * kMs + Duration(half));
  now = table_->NextWork();
  EXPECT_EQ(Take(now), Words{"1"});
  (void)Fail(1, "disk", now, half + 1);
  EXPECT_EQ(table_->NextWork(), now + 35 * kMs) << "never more than half on top";
}

TEST_F(CopyTableTest, EndlessFailuresAndHugeDelaysDoNotOverflow) {
  CopyTable::Options options;
  options.retry_delay_min = options.retry_delay_max = Duration::max();
  Make(options);
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Fail(1, "disk", kStart + kMs, ~uint64_t{0}), CopyVerdict::kOk);
  EXPECT_EQ(table_->NextWork(), kInfiniteFuture);
}

TEST_F(CopyTableTest, LongReasonIsCutToWhatAnItemMayCarry) {
  Bring(CopyState::kDeleting);
  EXPECT_EQ(Fail(1, std::string(1000, 'x')), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"failed 1: " + std::string(kWhyBytesMax, 'x')});
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1"});
  EXPECT_EQ(Fail(1, std::string(999, 'x')), CopyVerdict::kNoChange);
}

TEST_F(CopyTableTest, FailedCopyIsNotLostByADuplicateFree) {
  Bring(CopyState::kDeleteFailed);
  EXPECT_EQ(FreeIt(1), CopyVerdict::kFreedBefore);
  EXPECT_EQ(StateOf(1), CopyState::kDeleteFailed);
  EXPECT_EQ(Take(kStart + 100 * kMs), Words{"1"});
  EXPECT_EQ(Succeed(1), CopyVerdict::kOk);
  EXPECT_EQ(Pull(), Words{"deleted 1"});
}

}  // namespace
}  // namespace freehold::core::copy_testing
