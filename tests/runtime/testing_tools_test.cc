#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/testing/manual_clock.h"
#include "freehold/testing/manual_executor.h"

namespace freehold::testing {
namespace {

using std::chrono::seconds;

// --- ManualClock ---------------------------------------------------------------------------------

TEST(ManualClock, StandsStillUntilItIsMoved) {
  ManualClock clock(Time(seconds(5)));
  EXPECT_EQ(clock.Now(), Time(seconds(5)));
  EXPECT_EQ(clock.Advance(seconds(2)), Time(seconds(7)));
  clock.Set(Time(seconds(9)));
  EXPECT_EQ(clock.Now(), Time(seconds(9)));
}

TEST(ManualClock, NeverGoesBackNorBeyondTheEnd) {
  ManualClock clock(Time(seconds(5)));
  clock.Set(Time(seconds(4)));
  EXPECT_EQ(clock.Advance(seconds(-1)), Time(seconds(5)));
  EXPECT_EQ(clock.Now(), Time(seconds(5)));
  EXPECT_EQ(clock.Advance(Duration::max()), kInfiniteFuture);
  EXPECT_EQ(clock.Advance(seconds(1)), kInfiniteFuture);
}

TEST(ManualClock, AdvancesFromSeveralThreadsAddUp) {
  ManualClock clock;
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) clock.Advance(Duration(1));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(clock.Now(), Time(Duration(3000)));
}

// --- ManualExecutor ------------------------------------------------------------------------------

class SilentLogger final : public Logger {
 public:
  void Log(LogLevel, std::string_view) override {}
};

class TestBody final : public CallbackJob::Body {
 public:
  TestBody(uint64_t number, std::function<void()> run, int* destroyed)
      : number_(number), run_(std::move(run)), destroyed_(destroyed) {}
  ~TestBody() noexcept(false) override {
    if (destroyed_ != nullptr) ++*destroyed_;
  }
  void Run() override {
    if (run_) run_();
  }
  ObjectId object() const override { return ObjectId::FromNumber(number_); }
  const char* what() const override { return "test callback"; }

 private:
  const uint64_t number_;
  const std::function<void()> run_;
  int* const destroyed_;
};

CallbackJob Job(uint64_t number, std::function<void()> run, int* destroyed = nullptr) {
  static SilentLogger logger;
  return CallbackJob(std::make_unique<TestBody>(number, std::move(run), destroyed), &logger);
}

TEST(ManualExecutor, RunsNothingBeforeItIsToldAndThenInOrder) {
  ManualExecutor executor;
  std::vector<int> order;
  EXPECT_TRUE(executor.Post(Job(1, [&] { order.push_back(1); })));
  EXPECT_TRUE(executor.Post(Job(2, [&] { order.push_back(2); })));
  EXPECT_TRUE(order.empty());
  EXPECT_EQ(executor.size(), 2u);
  EXPECT_EQ(executor.waiting(),
            (std::vector<ObjectId>{ObjectId::FromNumber(1), ObjectId::FromNumber(2)}));
  EXPECT_TRUE(executor.RunOne());
  EXPECT_EQ(order, std::vector<int>{1});
  EXPECT_TRUE(executor.RunOne());
  EXPECT_FALSE(executor.RunOne());
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_EQ(executor.ran(), 2u);
}

TEST(ManualExecutor, RunAllRunsWhatIsPostedMeanwhile) {
  ManualExecutor executor;
  std::vector<int> order;
  executor.Post(Job(1, [&] {
    order.push_back(1);
    executor.Post(Job(3, [&] { order.push_back(3); }));
  }));
  executor.Post(Job(2, [&] { order.push_back(2); }));
  EXPECT_EQ(executor.RunAll(), 3u);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(ManualExecutor, ACallbackThatThrowsIsCountedAndTheNextRuns) {
  ManualExecutor executor;
  executor.Post(Job(1, [] { throw std::runtime_error("boom"); }));
  executor.Post(Job(2, nullptr));
  EXPECT_EQ(executor.RunAll(), 2u);
  EXPECT_EQ(executor.threw(), 1u);
}

TEST(ManualExecutor, RefusesLikeOneThatHasStopped) {
  ManualExecutor executor;
  int destroyed = 0;
  executor.Post(Job(1, nullptr));
  executor.SetRefusing(true);
  EXPECT_FALSE(executor.Post(Job(2, nullptr, &destroyed)));
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(executor.refused(), 1u);
  EXPECT_EQ(executor.size(), 1u);
  executor.SetRefusing(false);
  EXPECT_TRUE(executor.Post(Job(3, nullptr)));
}

TEST(ManualExecutor, DroppedJobsAreDestroyedAndNotRun) {
  int destroyed = 0;
  {
    ManualExecutor executor;
    bool ran = false;
    executor.Post(Job(
        1, [&] { ran = true; }, &destroyed));
    executor.Post(Job(
        2, [&] { ran = true; }, &destroyed));
    EXPECT_EQ(executor.DropAll(), 2u);
    EXPECT_EQ(destroyed, 2);
    EXPECT_EQ(executor.RunAll(), 0u);
    EXPECT_FALSE(ran);
    executor.Post(Job(3, nullptr, &destroyed));
  }
  EXPECT_EQ(destroyed, 3);
}

}  // namespace
}  // namespace freehold::testing
