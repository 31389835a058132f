// The C form of callbacks: its context is destroyed exactly once, whatever happens.

#include <memory>
#include <stdexcept>
#include <utility>

#include "gtest/gtest.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {
namespace {

struct CCalls {
  int called = 0;
  int destroyed = 0;
  static void Function(const uint8_t*, int, void* context) {
    ++static_cast<CCalls*>(context)->called;
  }
  static void Destroy(void* context) { ++static_cast<CCalls*>(context)->destroyed; }
  CCallback Callback() { return {&Function, this, &Destroy}; }
};

TEST(CCallbacks, ContextIsDestroyedOnceInEveryCase) {
  CCalls ran, cancelled, refused, unknown, empty, shut_down, dropped;
  {
    CounterWorld world(1);
    ObjectRef ref = world.Put(1, {1});
    ObjectRef other = world.Put(2, {1});
    ASSERT_TRUE(*world.counter->Register(Moment::kOutOfScope, Object(1), ran.Callback()));
    auto registration =
        *world.counter->Register(Moment::kOutOfScope, Object(1), cancelled.Callback());
    EXPECT_TRUE(world.counter->Cancel(registration));
    ASSERT_TRUE(*world.counter->Register(Moment::kErased, Object(2), shut_down.Callback()));
    ref.Reset();
    EXPECT_FALSE(*world.counter->Register(Moment::kOutOfScope, Object(1), refused.Callback()));
    EXPECT_FALSE(world.counter->Register(Moment::kErased, Object(9), unknown.Callback()).ok());
    CCallback without_function = empty.Callback();
    without_function.function = nullptr;
    EXPECT_EQ(world.counter->Register(Moment::kErased, Object(2), without_function).status().code(),
              absl::StatusCode::kInvalidArgument);
    world.RunCallbacks();
    ASSERT_TRUE(*world.counter->Register(Moment::kOutOfScope, Object(2), dropped.Callback()));
    other.Reset();
    world.executor->DropAll();
  }
  EXPECT_EQ(ran.called, 1);
  EXPECT_EQ(cancelled.called + refused.called + unknown.called + empty.called, 0);
  EXPECT_EQ(shut_down.called + dropped.called, 0);
  for (const CCalls* calls : {&ran, &cancelled, &refused, &unknown, &empty, &shut_down, &dropped}) {
    EXPECT_EQ(calls->destroyed, 1);
  }
}

ReferenceCounterOptions WithExecutor(std::shared_ptr<CallbackExecutor> executor) {
  ReferenceCounterOptions options;
  options.process = ProcessId::FromNumber(1);
  options.executor = std::move(executor);
  return options;
}

TEST(CCallbacks, ContextIsDestroyedOnceWhenTheRegistrationIsRefused) {
  CCalls no_executor, shut_down, borrowed, owned;
  const auto bare = *ReferenceCounter::Create(WithExecutor(nullptr));
  const ObjectRef ref = *bare->Declare(Object(1));
  EXPECT_EQ(bare->Register(Moment::kErased, Object(1), no_executor.Callback()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(no_executor.destroyed, 1) << "before the call returns";

  SharingWorld world(2);
  const ObjectRef own = world.Declare(1, 7);
  const ObjectRef at2 = world.Pass(1, 7, 2);
  world.Settle();
  EXPECT_EQ(ReasonOf(world[2].Register(Moment::kErased, Object(7), borrowed.Callback()).status()),
            ErrorReason::kNotOwner);
  EXPECT_EQ(borrowed.destroyed, 1);
  EXPECT_EQ(world[1].Register(Moment::kFailed, Object(7), owned.Callback()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(owned.destroyed, 1);
  (void)world[1].Shutdown(ShutdownMode::kImmediate, Duration::zero());
  EXPECT_EQ(ReasonOf(world[1].Register(Moment::kErased, Object(7), shut_down.Callback()).status()),
            ErrorReason::kShutDown);
  EXPECT_EQ(shut_down.destroyed, 1);
  world.executor->RunAll();
  EXPECT_EQ(no_executor.called + shut_down.called + borrowed.called + owned.called, 0);
}

TEST(CCallbacks, ContextIsDestroyedOnceWhenTheExecutorOrTheFunctionFails) {
  CCalls posted, refused, thrown;
  {
    const auto counter =
        *ReferenceCounter::Create(WithExecutor(std::make_shared<ThrowingExecutor>()));
    ObjectRef ref = *counter->Declare(Object(1));
    ASSERT_TRUE(*counter->Register(Moment::kErased, Object(1), posted.Callback()));
    ref.Reset();
    EXPECT_EQ(posted.destroyed, 1);
  }
  const auto executor = std::make_shared<testing::ManualExecutor>();
  {
    const auto counter = *ReferenceCounter::Create(WithExecutor(executor));
    ObjectRef one = *counter->Declare(Object(1));
    ObjectRef two = *counter->Declare(Object(2));
    ASSERT_TRUE(*counter->Register(Moment::kErased, Object(1), refused.Callback()));
    executor->SetRefusing(true);
    one.Reset();
    EXPECT_EQ(refused.destroyed, 1);
    executor->SetRefusing(false);
    CCallback throws = thrown.Callback();
    throws.function = [](const uint8_t*, int, void* context) {
      ++static_cast<CCalls*>(context)->called;
      throw std::runtime_error("the host's own trouble");
    };
    ASSERT_TRUE(*counter->Register(Moment::kErased, Object(2), throws));
    two.Reset();
    EXPECT_EQ(executor->RunAll(), 1u);
    EXPECT_EQ(executor->threw(), 1u);
    EXPECT_EQ(thrown.destroyed, 1);
  }
  EXPECT_EQ(posted.called + refused.called, 0);
  EXPECT_EQ(thrown.called, 1);
  EXPECT_EQ(posted.destroyed + refused.destroyed + thrown.destroyed, 3) << "and never again";
}

TEST(CCallbacks, AContextWithoutADestructorIsTheHostsToEnd) {
  CCalls ran, cancelled, left;
  const auto executor = std::make_shared<testing::ManualExecutor>();
  {
    const auto counter = *ReferenceCounter::Create(WithExecutor(executor));
    ObjectRef one = *counter->Declare(Object(1));
    ObjectRef two = *counter->Declare(Object(2));
    const auto add = [&](uint64_t object, CCalls* calls) {
      CCallback callback = calls->Callback();
      callback.destroy_context = nullptr;
      return *counter->Register(Moment::kOutOfScope, Object(object), callback);
    };
    EXPECT_TRUE(add(1, &ran));
    EXPECT_TRUE(counter->Cancel(add(1, &cancelled)));
    EXPECT_TRUE(add(2, &left));
    one.Reset();
    executor->RunAll();
  }
  EXPECT_EQ(ran.called, 1);
  EXPECT_EQ(cancelled.called + left.called, 0);
  EXPECT_EQ(ran.destroyed + cancelled.destroyed + left.destroyed, 0);
}

}  // namespace
}  // namespace freehold
