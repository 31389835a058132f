// Why a value that is borrowed cannot be made again here, and what FreeRecursive costs.

#include <vector>

#include "freehold/lineage.h"
#include "gtest/gtest.h"
#include "src/runtime/inside.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {
namespace {

TEST(LineageRecovery, ABorrowedObjectIsForItsOwnerToMakeAgain) {
  SharingWorld world(2);
  const ObjectRef owned = world.Declare(1, 7);
  const ObjectRef borrowed = world.Pass(1, 7, 2);
  EXPECT_EQ(Lineage(world[2]).CanRecover(Object(7)), Recovery::kElsewhere);
  world.Settle();
  EXPECT_EQ(Lineage(world[2]).CanRecover(Object(7)), Recovery::kElsewhere);
  EXPECT_EQ(Lineage(world[1]).CanRecover(Object(7)), Recovery::kPut);
}

TEST(LineageRecovery, ABorrowedObjectIsLostWithItsOwner) {
  SharingWorld world(2);
  const ObjectRef owned = world.Declare(1, 7);
  const ObjectRef borrowed = world.Pass(1, 7, 2);
  world.Settle();
  world.Crash(1);
  world.Exclude(1);
  world.Settle();
  ASSERT_EQ(world.Check(2, 7), ErrorReason::kOwnerDied);
  EXPECT_EQ(Lineage(world[2]).CanRecover(Object(7)), Recovery::kOwnerLost);
}

TEST(LineageRecovery, ABorrowedObjectThatItsOwnerDoesNotKnowIsDeleted) {
  SharingWorld world(2);
  const ObjectRef owned = world.Declare(1, 7);
  const ObjectRef outer = world.Pass(1, 7, 2);
  world.Settle();
  const auto inner = world[2].ImportNested(Object(7), Object(8), Process(1));
  ASSERT_TRUE(inner.ok()) << inner.status();
  EXPECT_EQ(Lineage(world[2]).CanRecover(Object(8)), Recovery::kElsewhere);
  world.Settle();
  ASSERT_EQ(world.Check(2, 8), ErrorReason::kGone);
  EXPECT_EQ(Lineage(world[2]).CanRecover(Object(8)), Recovery::kDeleted);
}

// --- FreeRecursive -------------------------------------------------------------------------------

// A task with one argument and many returns, whose values are there.
class ManyReturns {
 public:
  explicit ManyReturns(uint64_t count) {
    task_.id = TaskId::FromNumber(1);
    refs_.push_back(world_.Put(kArgument, {1}));
    task_.arguments = {Object(kArgument)};
    for (uint64_t object = 1; object <= count; ++object) {
      refs_.push_back(*world_.counter->Declare(Object(object), With(1)));
      task_.returns.push_back(Object(object));
    }
    const absl::Status recorded = Lineage(*world_.counter).Record(task_);
    EXPECT_TRUE(recorded.ok()) << recorded;
  }
  void Free(const std::vector<uint64_t>& objects) const {
    std::vector<ObjectId> ids;
    for (const uint64_t object : objects) ids.push_back(Object(object));
    EXPECT_TRUE(unsafe::FreeRecursive(*world_.counter, ids).ok());
  }
  uint64_t read() const { return runtime::Inside::CountReturnsRead(*world_.counter); }

 private:
  static constexpr uint64_t kArgument = 1'000'000;

  CounterWorld world_;
  LineageTask task_;
  std::vector<ObjectRef> refs_;
};

constexpr uint64_t kMany = 6'000;  // more than are read at once

TEST(FreeRecursive, OneReturnAfterTheOtherIsFreedInLinearTime) {
  ManyReturns upwards(kMany);
  for (uint64_t object = 1; object <= kMany; ++object) upwards.Free({object});
  EXPECT_GE(upwards.read(), kMany);
  EXPECT_LE(upwards.read(), 6 * kMany);
  ManyReturns downwards(kMany);
  for (uint64_t object = kMany; object > 0; --object) downwards.Free({object});
  EXPECT_LE(downwards.read(), 6 * kMany);
  ManyReturns crosswise(kMany);
  for (uint64_t i = 0; i < kMany; ++i) crosswise.Free({1 + i * 2'741 % kMany});  // in no order
  EXPECT_LE(crosswise.read(), 6 * kMany);
}

// The one that is needed stands where whoever looks from the front comes last.
TEST(FreeRecursive, AllReturnsButOneAreFreedInLinearTime) {
  ManyReturns returns(kMany);
  std::vector<uint64_t> but_the_last;
  for (uint64_t object = 1; object < kMany; ++object) but_the_last.push_back(object);
  returns.Free(but_the_last);
  EXPECT_LE(returns.read(), 6 * kMany);
}

}  // namespace
}  // namespace freehold
