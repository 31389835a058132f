// Watches beyond their bounds, and what nobody may say of one.

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/core/item.h"
#include "tests/runtime/watch_testing.h"

namespace freehold {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FewWatchesTest : public WatchTest {
 protected:
  FewWatchesTest() : WatchTest(Few()) {}
  static ReferenceCounterOptions Few() {
    ReferenceCounterOptions options;
    options.watches_per_peer_max = 4;  // two for each of two shards
    return options;
  }
};

TEST_F(FewWatchesTest, OneTooManyIsToldSo) {
  std::vector<ObjectRef> own;
  for (uint64_t object = 1; object <= 20; ++object) own.push_back(world_.Declare(1, object));
  for (uint64_t object = 1; object <= 20; ++object) MustWatch(2, Moment::kErased, object, "erased");
  Settle();
  EXPECT_EQ(Heard(), std::vector<std::string>(16, "erased: refused"));
  EXPECT_EQ(world_[1].GetStats().watches, 4u);
  EXPECT_EQ(world_[1].GetStats().watches_refused, 16u);
  EXPECT_EQ(world_[2].GetStats().watches_elsewhere, 4u);
  MustWatch(3, Moment::kErased, 1, "to 3");
  Settle();
  EXPECT_EQ(world_[1].GetStats().watches, 5u) << "others have a limit of their own";
  own.clear();
  Settle();
  EXPECT_EQ(Heard().size(), 5u);
  ExpectNothingLeft();
}

TEST_F(WatchTest, WatchesThatMakeNoSenseAreRefused) {
  const ObjectRef own = Put(7);
  const auto code = [](const auto& answer) { return answer.status().code(); };
  EXPECT_EQ(code(Watch(2, Moment::kFailed, 7, "?")), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(world_[2].Watch(Moment::kErased, Object(7), Process(1), ObjectCallback())),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(world_[2].Watch(Moment::kErased, Object(7), Process(1), CCallback())),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(world_[2].Watch(Moment::kErased, Object(7), ProcessId(), Hear("?"))),
            absl::StatusCode::kNotFound);
  ReferenceCounterOptions alone;
  alone.process = Process(9);
  auto counter = *ReferenceCounter::Create(alone);
  EXPECT_EQ(code(counter->Watch(Moment::kErased, Object(7), Process(1), Hear("?"))),
            absl::StatusCode::kFailedPrecondition);
  alone.executor = world_.executor;
  auto told = *ReferenceCounter::Create(alone);
  EXPECT_EQ(code(told->Watch(Moment::kErased, Object(7), Process(1), Hear("?"))),
            absl::StatusCode::kFailedPrecondition)
      << "without a transport";
  alone.watches_per_peer_max = 0;
  EXPECT_EQ(code(ReferenceCounter::Create(alone)), absl::StatusCode::kInvalidArgument);
}

TEST_F(WatchTest, AnAnswerToNoWatchOfItsSendersChangesNothingAndIsCounted) {
  const ObjectRef own = Put(7);
  MustWatch(2, Moment::kErased, 7, "erased");  // number 1
  Settle();
  world_.Start(4);
  world_.Start(5);
  world_.Start(6);
  Settle();
  using core::SharingKind;
  const auto fired = [](uint64_t object, uint64_t number, core::WatchAnswer answer) {
    return core::SharingItem{Object(object), number, core::kFirstTerm, SharingKind::kWatchFired,
                             static_cast<uint8_t>(answer)};
  };
  world_.Say(4, 2, fired(7, 1, core::WatchAnswer::kOutOfScope));
  EXPECT_EQ(Refused(2), 1u) << "process 4 does not own it";
  world_.Say(5, 2, fired(7, 2, core::WatchAnswer::kOutOfScope));
  EXPECT_EQ(Refused(2), 2u) << "there is no such watch";
  world_.Say(6, 1, core::SharingItem{Object(7), 0, core::kFirstTerm, SharingKind::kWatch, 0});
  EXPECT_EQ(Refused(1), 1u) << "nobody gives that number";
  Settle();
  EXPECT_THAT(Heard(), IsEmpty());
  EXPECT_EQ(world_[2].GetStats().watches_elsewhere, 1u);
}

TEST_F(WatchTest, AnOwnerThatLiesIsCountedToo) {
  MustWatch(2, Moment::kErased, 7, "erased");  // to process 1, which has not sent anything yet
  world_.Settle({2});
  world_.Say(1, 2,
             core::SharingItem{Object(8), 1, core::kFirstTerm, core::SharingKind::kWatchFired, 0});
  EXPECT_EQ(Refused(2), 1u) << "about another object";
  EXPECT_EQ(world_[2].GetStats().watches_elsewhere, 1u);
}

TEST_F(WatchTest, WhoWatchesIsNamedInTheDebugString) {
  const ObjectRef own = Put(7);
  MustWatch(2, Moment::kReclaimed, 7, "reclaimed");
  Settle();
  EXPECT_THAT(world_[1].DebugString(Object(7)),
              HasSubstr("watched by " + Address(Process(2)).ToString() + ": reclaimed"));
}

TEST_F(WatchTest, TheContextOfACCallbackIsDestroyedOnce) {
  struct Calls {
    int called = 0;
    int destroyed = 0;
    CCallback Callback() {
      return {[](const uint8_t*, int, void* context) { ++static_cast<Calls*>(context)->called; },
              this, [](void* context) { ++static_cast<Calls*>(context)->destroyed; }};
    }
  } ran, cancelled, dropped;
  ObjectRef own = Put(7);
  ASSERT_TRUE(world_[2].Watch(Moment::kErased, Object(7), Process(1), ran.Callback()).ok());
  const auto registration =
      world_[2].Watch(Moment::kErased, Object(7), Process(1), cancelled.Callback());
  Settle();
  EXPECT_TRUE(world_[2].Cancel(*registration));
  own.Reset();
  Settle();
  ASSERT_TRUE(world_[2].Watch(Moment::kErased, Object(8), Process(1), dropped.Callback()).ok());
  world_[2].Shutdown(ShutdownMode::kImmediate, Duration::zero());
  EXPECT_EQ(ran.called, 1);
  EXPECT_EQ(cancelled.called + dropped.called, 0);
  for (const Calls* calls : {&ran, &cancelled, &dropped}) EXPECT_EQ(calls->destroyed, 1);
}

}  // namespace
}  // namespace freehold
