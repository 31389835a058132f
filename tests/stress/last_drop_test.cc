// Races around the last reference: whatever the order, the object ends once and its callback runs
// once.
//
// Each round gives several threads one object and one thing to do with it, starts them together,
// and looks at what is left. The interesting orders are those in which one thread drops the last
// handle while another, by id, brings it back, frees it, registers for its end, or ends the
// counter.

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/reference_counter.h"
#include "freehold/testing/inline_executor.h"
#include "gtest/gtest.h"

namespace freehold {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kRounds = 2000;
#else
constexpr int kRounds = 10'000;
#endif

std::unique_ptr<ReferenceCounter> MakeCounter() {
  ReferenceCounterOptions options;
  options.process = ProcessId::FromNumber(1);
  options.executor = std::make_shared<testing::InlineExecutor>();
  options.shards = 2;
  options.seed = 1;
  auto counter = ReferenceCounter::Create(options);
  EXPECT_TRUE(counter.ok()) << counter.status();
  return *std::move(counter);
}

// A thread per action that waits at a gate for each round.
class Racers {
 public:
  explicit Racers(std::vector<std::function<void()>> actions) {
    for (auto& action : actions) {
      threads_.emplace_back([this, action = std::move(action)] {
        for (int seen = 0;;) {
          int round;
          while ((round = round_.load(std::memory_order_acquire)) == seen) {
            std::this_thread::yield();
          }
          if (round < 0) return;
          seen = round;
          action();
          running_.fetch_sub(1, std::memory_order_acq_rel);
        }
      });
    }
  }
  ~Racers() {
    round_.store(-1, std::memory_order_release);
    for (std::thread& thread : threads_) thread.join();
  }
  void Run() {
    running_.store(static_cast<int>(threads_.size()), std::memory_order_release);
    round_.fetch_add(1, std::memory_order_acq_rel);
    while (running_.load(std::memory_order_acquire) > 0) std::this_thread::yield();
  }

 private:
  std::atomic<int> round_{0};
  std::atomic<int> running_{0};
  std::vector<std::thread> threads_;
};

TEST(LastDrop, RacesResurrectionByIdAndTheObjectEndsOnce) {
  auto counter = MakeCounter();
  ObjectRef ref;
  ObjectId id;
  std::atomic<int> ended{0};
  int resurrected = 0;
  {
    Racers racers({
        [&] { ref.Reset(); },
        [&] {
          auto again = counter->GetRef(id);
          if (again.ok()) ++resurrected;
        },
        [&] {
          if (counter->AddLocalReference(id).ok()) {
            EXPECT_TRUE(counter->RemoveLocalReference(id).ok());
          }
        },
    });
    for (int round = 1; round <= kRounds; ++round) {
      id = ObjectId::FromNumber(static_cast<uint64_t>(round));
      ref = *counter->Declare(id);
      ASSERT_TRUE(*counter->OnErased(id, [&](const ObjectId&, EndReason) { ++ended; }));
      racers.Run();
      ASSERT_EQ(ended.load(), round);
      ASSERT_EQ(counter->CountObjects().total(), 0u);
    }
  }
  EXPECT_EQ(counter->GetStats().misuses, 0u);
  RecordProperty("resurrected", resurrected);
}

TEST(LastDrop, RacesExplicitFreeAndRegistrationAndEachCallbackRunsAtMostOnce) {
  auto counter = MakeCounter();
  ObjectRef ref;
  ObjectId id;
  std::atomic<int> fired{0};
  std::atomic<int> registered{0};
  {
    Racers racers({
        [&] { ref.Reset(); },
        [&] { (void)counter->Free({id}); },
        [&] {
          auto took = counter->OnOutOfScope(id, [&](const ObjectId&, EndReason) { ++fired; });
          if (took.ok() && *took) ++registered;
        },
        [&] {
          auto task = counter->SubmitTask({id});
          if (task.ok()) task->End();
        },
    });
    for (int round = 1; round <= kRounds; ++round) {
      id = ObjectId::FromNumber(static_cast<uint64_t>(round));
      ref = *counter->Declare(id);
      racers.Run();
      ASSERT_EQ(fired.load(), registered.load()) << "every one that took has fired";
      ASSERT_EQ(counter->CountObjects().total(), 0u);
    }
  }
}

TEST(LastDrop, CopiesOfOneHandleAreMadeAndDroppedByManyThreads) {
  auto counter = MakeCounter();
  const ObjectId id = ObjectId::FromNumber(1);
  for (int repeat = 0; repeat < 20; ++repeat) {
    const ObjectId object = ObjectId::FromNumber(static_cast<uint64_t>(repeat) + 1);
    ObjectRef ref = *counter->Declare(object);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([mine = ref] {
        for (int i = 0; i < kRounds / 10; ++i) {
          ObjectRef copy = mine;
          ObjectRef other = copy;
          copy.Reset();
        }
      });
    }
    ref.Reset();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    EXPECT_EQ(counter->CountObjects().total(), 0u);
  }
  EXPECT_FALSE(counter->InScope(id));
}

TEST(LastDrop, RacesTheEndOfTheCounter) {
  for (int round = 0; round < kRounds / 20; ++round) {
    auto counter = MakeCounter();
    std::vector<ObjectRef> refs;
    for (uint64_t i = 1; i <= 8; ++i) refs.push_back(*counter->Declare(ObjectId::FromNumber(i)));
    TaskReferences task = *counter->SubmitTask({ObjectId::FromNumber(1), ObjectId::FromNumber(2)});
    const WeakRef weak = counter->GetWeakRef(refs[3]);
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    threads.emplace_back([&, mine = std::move(refs)]() mutable {
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      mine.clear();
    });
    threads.emplace_back([&, mine = std::move(task)]() mutable {
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      mine.End();
    });
    threads.emplace_back([&] {
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      ObjectRef locked = weak.Lock();
      (void)weak.InScope();
    });
    go.store(true, std::memory_order_release);
    counter.reset();
    for (std::thread& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace freehold
