// ReferenceCounter: who is told, when, how often, and what a callback may do.

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Writes down what it is told.
struct Diary {
  ObjectCallback Note(std::string what) {
    return [this, what = std::move(what)](const ObjectId&, EndReason reason) {
      lines.push_back(what + (reason == EndReason::kFreed ? " freed" : ""));
    };
  }
  std::vector<std::string> lines;
};

TEST(Callbacks, EachMomentFiresWhenItComesInOrderOfRegistration) {
  CounterWorld world(1);
  Diary diary;
  ObjectRef ref = world.Put(1, {1});
  for (const char* who : {"a", "b"}) {
    const std::string name = who;
    ASSERT_TRUE(*world.counter->OnErased(Object(1), diary.Note(name + " erased")));
    ASSERT_TRUE(*world.counter->OnReclaimed(Object(1), diary.Note(name + " reclaimed")));
    ASSERT_TRUE(*world.counter->OnOutOfScope(Object(1), diary.Note(name + " out of scope")));
  }
  EXPECT_EQ(world.counter->GetStats().callbacks_registered, 6u);
  ref.Reset();
  world.RunCallbacks();
  EXPECT_THAT(diary.lines, ElementsAre("a out of scope", "b out of scope"));
  diary.lines.clear();
  world.Settle();
  world.RunCallbacks();
  EXPECT_THAT(diary.lines, ElementsAre("a reclaimed", "b reclaimed", "a erased", "b erased"));
  EXPECT_EQ(world.counter->GetStats().callbacks_registered, 0u);
}

TEST(Callbacks, RegistrationSaysWhetherItTook) {
  CounterWorld world(1);
  Diary diary;
  ObjectRef ref = world.Put(1, {1});
  world.transport.unreachable[Node(1)] = true;
  ref.Reset();
  const auto late = world.counter->OnOutOfScope(Object(1), diary.Note("never"));
  ASSERT_TRUE(late.ok());
  EXPECT_FALSE(*late) << "its moment has passed";
  EXPECT_TRUE(*world.counter->OnReclaimed(Object(1), diary.Note("reclaimed")));
  EXPECT_EQ(world.counter->OnErased(Object(9), diary.Note("x")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(world.counter->OnErased(Object(1), ObjectCallback()).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(world.counter->SubscribeLocations(Object(1), LocationCallback()).status().code(),
            absl::StatusCode::kInvalidArgument);
  world.transport.unreachable.clear();
  world.SettleFor(std::chrono::seconds(10));
  world.RunCallbacks();
  EXPECT_THAT(diary.lines, ElementsAre("reclaimed"));
  EXPECT_EQ(world.counter->OnErased(Object(1), diary.Note("x")).status().code(),
            absl::StatusCode::kNotFound)
      << "the record is gone";
}

TEST(Callbacks, WithoutAnExecutorRegistrationIsFailedPrecondition) {
  ReferenceCounterOptions options;
  options.process = ProcessId::FromNumber(1);
  auto counter = *ReferenceCounter::Create(options);
  ObjectRef ref = *counter->Declare(Object(1));
  EXPECT_EQ(counter->OnErased(Object(1), [](const ObjectId&, EndReason) {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(counter->SubscribeLocations(Object(1), [](const ObjectId&, const LocationUpdate&) {})
                .status()
                .code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Callbacks, ExplicitFreeFiresOutOfScopeOnceAndTheRealEndFiresNoneAgain) {
  CounterWorld world(1);
  Diary diary;
  ObjectRef ref = world.Put(1, {1});
  ASSERT_TRUE(*world.counter->OnOutOfScope(Object(1), diary.Note("out")));
  ASSERT_TRUE(*world.counter->OnReclaimed(Object(1), diary.Note("reclaimed")));
  ASSERT_TRUE(*world.counter->OnErased(Object(1), diary.Note("erased")));
  EXPECT_TRUE(world.counter->Free({Object(1)}).ok());
  world.RunCallbacks();
  EXPECT_THAT(diary.lines, ElementsAre("out freed"));
  EXPECT_FALSE(*world.counter->OnOutOfScope(Object(1), diary.Note("refused")));
  world.Settle();
  world.RunCallbacks();
  EXPECT_THAT(diary.lines, ElementsAre("out freed", "reclaimed freed"));
  EXPECT_FALSE(*world.counter->OnReclaimed(Object(1), diary.Note("refused")));
  ref.Reset();
  world.Settle();
  world.RunCallbacks();
  EXPECT_THAT(diary.lines, ElementsAre("out freed", "reclaimed freed", "erased freed"));
}

TEST(Callbacks, AreTakenAgainAfterRecreation) {
  CounterWorld world(1);
  Diary diary;
  ObjectRef ref = world.Put(1, {1});
  EXPECT_TRUE(world.counter->Free({Object(1)}).ok());
  world.Settle();
  ASSERT_TRUE(world.counter->Recreate(Object(1)).ok());
  ASSERT_TRUE(*world.counter->OnOutOfScope(Object(1), diary.Note("out")));
  ASSERT_TRUE(*world.counter->OnReclaimed(Object(1), diary.Note("reclaimed")));
  world.AddCopy(1, 1, true, 1);
  world.Settle();
  ref.Reset();
  world.Settle();
  world.RunCallbacks();
  EXPECT_THAT(diary.lines, ElementsAre("out", "reclaimed"));
}

TEST(Callbacks, CancelledOnesNeverRun) {
  CounterWorld world(1);
  Diary diary;
  ObjectRef ref = world.Put(1, {1});
  const auto first = *world.counter->OnOutOfScope(Object(1), diary.Note("first"));
  const auto second = *world.counter->OnOutOfScope(Object(1), diary.Note("second"));
  EXPECT_TRUE(world.counter->Cancel(first));
  EXPECT_FALSE(world.counter->Cancel(first));
  EXPECT_FALSE(world.counter->Cancel(CallbackRegistration()));
  ref.Reset();
  EXPECT_FALSE(world.counter->Cancel(second)) << "handed to the executor already";
  world.RunCallbacks();
  EXPECT_THAT(diary.lines, ElementsAre("second"));
}

TEST(Callbacks, OneCallableServesManyObjects) {
  CounterWorld world(1);
  ObjectRef one = *world.counter->Declare(Object(1));
  ObjectRef two = *world.counter->Declare(Object(2));
  std::vector<ObjectId> told;
  const auto answers = world.counter->RegisterAll(
      Moment::kOutOfScope, {Object(1), Object(9), Object(2)},
      [&](const ObjectId& object, EndReason) { told.push_back(object); });
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_TRUE(answers[0].ok() && *answers[0]);
  EXPECT_EQ(answers[1].status().code(), absl::StatusCode::kNotFound);
  two.Reset();
  one.Reset();
  world.RunCallbacks();
  EXPECT_THAT(told, ElementsAre(Object(2), Object(1)));
  EXPECT_EQ(
      world.counter->RegisterAll(Moment::kErased, {Object(1)}, ObjectCallback())[0].status().code(),
      absl::StatusCode::kInvalidArgument);
}

// --- What callbacks do ---------------------------------------------------------------------------

// Known from ray-project/ray#39113, #59643, #8588: a callback or a destructor that calls back.
TEST(Reentrancy, CallbacksAndDestructorsMayCallTheLibrary) {
  CounterWorld world(1);
  ObjectRef first = world.Put(1, {1});
  ObjectRef held_by_callback = world.Put(2, {1});
  std::vector<ObjectId> told;
  ASSERT_TRUE(*world.counter->OnOutOfScope(
      Object(1), [&, captured = std::move(held_by_callback)](const ObjectId& object, EndReason) {
        told.push_back(object);
        EXPECT_FALSE(world.counter->InScope(object));
        EXPECT_TRUE(world.counter->InScope(captured.id()));
        EXPECT_TRUE(world.counter->Declare(Object(3)).ok());
        ASSERT_TRUE(*world.counter->OnErased(
            Object(2), [&](const ObjectId& inner, EndReason) { told.push_back(inner); }));
      }));
  first.Reset();
  world.RunCallbacks();  // destroys the captured handle, which ends object 2
  world.Settle();
  world.RunCallbacks();
  EXPECT_THAT(told, ElementsAre(Object(1), Object(2)));
  EXPECT_EQ(world.objects(), 0u);
}

TEST(Reentrancy, InlineExecutorRunsCallbacksWithoutALockHeld) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  CounterWorld world(1, options);
  ObjectRef outer = *world.counter->Declare(Object(1));
  ObjectRef chained = *world.counter->Declare(Object(2));
  std::vector<ObjectId> told;
  ASSERT_TRUE(*world.counter->OnOutOfScope(Object(1), [&](const ObjectId& object, EndReason) {
    told.push_back(object);
    chained.Reset();
  }));
  ASSERT_TRUE(*world.counter->OnOutOfScope(Object(2), [&](const ObjectId& object, EndReason) {
    told.push_back(object);
    EXPECT_EQ(world.counter->CountObjects().total(), 0u);
  }));
  outer.Reset();
  EXPECT_THAT(told, ElementsAre(Object(1), Object(2)));
}

TEST(Reentrancy, ACallbackMayEndTheCounterThatFiredIt) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  CounterWorld world(1, options);
  ObjectRef ref = world.Put(1, {1});
  bool ended = false;
  ASSERT_TRUE(*world.counter->OnReclaimed(Object(1), [&](const ObjectId&, EndReason) {
    world.counter.reset();
    ended = true;
  }));
  ref.Reset();
  world.Settle();
  EXPECT_TRUE(ended);
}

TEST(Reentrancy, ASubscriberMayCancelItselfBetweenTwoNoticesOfOneStep) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  CounterWorld world(1, options);
  ObjectRef ref = *world.counter->Declare(Object(1));
  CallbackRegistration subscription;
  int heard = 0;
  subscription = *world.counter->SubscribeLocations(
      Object(1), [&](const ObjectId&, const LocationUpdate& update) {
        ++heard;
        if (update.kind != LocationUpdate::Kind::kSnapshot) {
          EXPECT_TRUE(world.counter->Cancel(subscription));
        }
      });
  // The value appears: one step, two notices.
  ASSERT_TRUE(world.counter->AddLocation(Object(1), InMemory(1)).ok());
  EXPECT_EQ(heard, 2) << "the snapshot and the first notice";
}

TEST(Reentrancy, ACallbackMayEndTheTaskThatIsEnding) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  CounterWorld world(1, options);
  ObjectRef one = *world.counter->Declare(Object(1));
  ObjectRef two = *world.counter->Declare(Object(2));
  TaskReferences task = *world.counter->SubmitTask({Object(1), Object(2)});
  ASSERT_TRUE(*world.counter->OnErased(
      Object(1), [&](const ObjectId&, EndReason) { task = TaskReferences(); }));
  one.Reset();
  two.Reset();
  task.End();
  EXPECT_EQ(world.objects(), 0u);
}

// When the second object ends, a callback puts another task into the handle: {3, 3}.
class ReplacedTask : public ::testing::Test {
 protected:
  ReplacedTask() {
    for (uint64_t i = 1; i <= 3; ++i) refs_.push_back(*world_.counter->Declare(Object(i)));
    task_ = *world_.counter->SubmitTask({Object(1), Object(2), Object(1)});
    EXPECT_TRUE(*world_.counter->OnOutOfScope(Object(2), [this](const ObjectId&, EndReason) {
      task_ = *world_.counter->SubmitTask({Object(3), Object(3)});
    }));
    refs_[1].Reset();
  }
  static ReferenceCounterOptions AtOnce() {
    ReferenceCounterOptions options;
    options.executor = std::make_shared<testing::InlineExecutor>();
    return options;
  }
  void ExpectReplaced() {
    EXPECT_EQ(task_.size(), 2u);
    EXPECT_EQ(world_.counter->GetCounts(Object(3))->tasks, 2u);
    EXPECT_EQ(world_.counter->GetCounts(Object(1))->tasks, 0u);
  }

  CounterWorld world_{1, AtOnce()};
  std::vector<ObjectRef> refs_;
  TaskReferences task_;
};

TEST_F(ReplacedTask, WhileItEnds) {
  task_.End();
  ExpectReplaced();
}

TEST_F(ReplacedTask, WhileItIsAssignedTo) {
  task_ = *world_.counter->SubmitTask({Object(1)});
  ExpectReplaced();
}

TEST(Reentrancy, ACallbackMayEndTheCounterThatIsFlushing) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<testing::InlineExecutor>();
  CounterWorld world(1, options);
  ObjectRef kept = world.Put(2, {1});
  ObjectRef ref = world.Put(1, {1});
  ASSERT_TRUE(*world.counter->OnReclaimed(
      Object(1), [&](const ObjectId&, EndReason) { world.counter.reset(); }));
  ref.Reset();
  world.counter->Pump(world.clock.Now());
  world.agents[1]->Pump(world.clock.Now());
  (void)world.counter->Shutdown(ShutdownMode::kGraceful, std::chrono::seconds(1));
  EXPECT_EQ(world.counter, nullptr);
  kept.Reset();
}

TEST(Callbacks, OneThatThrowsStopsNeitherTheOthersNorTheFree) {
  CounterWorld world(1);
  Diary diary;
  ObjectRef ref = world.Put(1, {1});
  ASSERT_TRUE(*world.counter->OnOutOfScope(Object(1), [](const ObjectId&, EndReason) {
    throw std::runtime_error("the host's own trouble");
  }));
  ASSERT_TRUE(*world.counter->OnOutOfScope(Object(1), diary.Note("next")));
  ref.Reset();
  world.RunCallbacks();
  world.Settle();
  EXPECT_EQ(world.executor->threw(), 1u);
  EXPECT_THAT(diary.lines, ElementsAre("next"));
  EXPECT_THAT(world.Deleted(1), ElementsAre(Object(1)));
}

TEST(Callbacks, AnExecutorThatThrowsCostsTheCallbackAndNothingElse) {
  ReferenceCounterOptions options;
  options.executor = std::make_shared<ThrowingExecutor>();
  CounterWorld world(1, options);
  ObjectRef one = world.Put(1, {1});
  ObjectRef two = world.Put(2, {1});
  for (const uint64_t object : {1, 2}) {
    ASSERT_TRUE(*world.counter->OnErased(Object(object), [](const ObjectId&, EndReason) {}));
  }
  one.Reset();
  two.Reset();
  world.Settle();
  EXPECT_EQ(world.objects(), 0u);
}

TEST(Callbacks, AnExecutorThatRefusesCostsTheCallbackAndNothingElse) {
  CounterWorld world(1);
  Diary diary;
  ObjectRef ref = world.Put(1, {1});
  ASSERT_TRUE(*world.counter->OnOutOfScope(Object(1), diary.Note("lost")));
  world.executor->SetRefusing(true);
  ref.Reset();
  world.Settle();
  EXPECT_THAT(diary.lines, IsEmpty());
  EXPECT_EQ(world.objects(), 0u);
}

}  // namespace
}  // namespace freehold
