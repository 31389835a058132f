#include "freehold/callback_executor.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/runtime/callback_testing.h"

namespace freehold::callback_testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

class ThrowingLogger final : public Logger {
 public:
  void Log(LogLevel, std::string_view) override { throw std::runtime_error("disk full"); }
};

struct OwnException {
  const char* what() const { throw 7; }
};
struct NullWhat : std::exception {
  const char* what() const noexcept override { return nullptr; }
};
struct [[maybe_unused]] ThrowsWhenDestroyed {
  ~ThrowsWhenDestroyed() noexcept(false) { throw 8; }
};

// --- One job -------------------------------------------------------------------------------------

TEST(CallbackJob, OneThatReturnsIsNotLogged) {
  RecordingLogger logger;
  EXPECT_TRUE(Job(&logger, 1, [] {}).Run());
  EXPECT_TRUE(logger.lines().empty());
}

TEST(CallbackJob, WhatItThrowsIsLoggedWithTheObjectAndWhatToLookAt) {
  RecordingLogger logger;
  CallbackJob job = Job(&logger, 0xbeef, [] { throw std::runtime_error("out of paper"); });
  EXPECT_FALSE(job.Run());
  ASSERT_EQ(logger.lines().size(), 1u);
  const std::string line = logger.lines()[0];
  EXPECT_TRUE(Contains(line, Hex(0xbeef))) << line;
  EXPECT_TRUE(Contains(line, "test callback")) << line;
  EXPECT_TRUE(Contains(line, "std::runtime_error: out of paper")) << line;
  EXPECT_TRUE(Contains(line, "must not throw")) << line;
  EXPECT_TRUE(Contains(line, "freehold/callback_executor.h")) << line;
}

TEST(CallbackJob, WhateverItThrowsIsCaughtAndNamed) {
  RecordingLogger logger;
  EXPECT_FALSE(Job(&logger, 1, [] { throw 42; }).Run());
  EXPECT_FALSE(Job(&logger, 2, [] { throw std::string("text"); }).Run());
  EXPECT_FALSE(Job(&logger, 3, [] { throw OwnException(); }).Run());
  EXPECT_FALSE(Job(&logger, 4, [] { throw NullWhat(); }).Run());
  const std::vector<std::string> lines = logger.lines();
  ASSERT_EQ(lines.size(), 4u);
  EXPECT_TRUE(Contains(lines[0], "type int")) << lines[0];
  EXPECT_TRUE(Contains(lines[1], "basic_string")) << lines[1];
  EXPECT_TRUE(Contains(lines[2], "OwnException")) << lines[2];
  EXPECT_TRUE(Contains(lines[3], "NullWhat: (what() is null)")) << lines[3];
}

// The C++ runtime leaks such an exception object, which is not for AddressSanitizer to see.
#if defined(__SANITIZE_ADDRESS__)
#define FREEHOLD_TEST_ASAN
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FREEHOLD_TEST_ASAN
#endif
#endif
#if !defined(FREEHOLD_TEST_ASAN)
TEST(CallbackJob, AnExceptionWhoseDestructorThrowsIsCaught) {
  RecordingLogger logger;
  EXPECT_FALSE(Job(&logger, 1, [] { throw ThrowsWhenDestroyed(); }).Run());
  EXPECT_EQ(logger.lines().size(), 1u);
}
#endif

TEST(CallbackJob, AContextDestructorThatThrowsIsLogged) {
  RecordingLogger logger;
  {
    CallbackJob job = Job(&logger, 5, nullptr, [] { throw std::logic_error("late"); });
  }
  ASSERT_EQ(logger.lines().size(), 1u);
  EXPECT_TRUE(Contains(logger.lines()[0], Hex(5)));
  EXPECT_TRUE(Contains(logger.lines()[0], "std::logic_error: late"));
  EXPECT_TRUE(Contains(logger.lines()[0], "destroying"));
}

TEST(CallbackJob, ALoggerThatThrowsDoesNoHarm) {
  ThrowingLogger logger;
  CallbackJob job = Job(
      &logger, 1, [] { throw 1; }, [] { throw 2; });
  EXPECT_FALSE(job.Run());
}

TEST(CallbackJob, DroppedUnrunItsBodyIsDestroyedOnce) {
  int destroyed = 0;
  {
    CallbackJob job = Job(nullptr, 1, nullptr, [&] { ++destroyed; });
    CallbackJob moved = std::move(job);
    EXPECT_EQ(destroyed, 0);
    moved = Job(nullptr, 2, nullptr);
    EXPECT_EQ(destroyed, 1);
  }
  EXPECT_EQ(destroyed, 1);
}

// --- The thread ----------------------------------------------------------------------------------

TEST_F(CallbackThreadTest, NegativeThresholdIsRefused) {
  CallbackThreadOptions options;
  options.slow_callback_threshold = Duration(-1);
  EXPECT_EQ(CallbackThread::Start(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CallbackThreadTest, RunsJobsOnAnotherThreadInOrder) {
  auto executor = Start();
  std::vector<int> order;
  std::thread::id thread;
  for (int i = 0; i < 10000; ++i) {
    EXPECT_TRUE(executor->Post(MakeJob(1, [&, i] {
      order.push_back(i);
      thread = std::this_thread::get_id();
    })));
  }
  const CallbackThread::StopReport report = executor->Stop(hours(1));
  EXPECT_EQ(report.dropped, 0u);
  EXPECT_FALSE(report.callback_still_running);
  ASSERT_EQ(order.size(), 10000u);
  for (int i = 0; i < 10000; ++i) EXPECT_EQ(order[i], i);
  EXPECT_NE(thread, std::this_thread::get_id());
  EXPECT_TRUE(logger_.lines().empty());
}

TEST_F(CallbackThreadTest, KeepsTheOrderOfEachPostingThread) {
  constexpr int kThreads = 3;
  constexpr int kJobs = 5000;
  auto executor = Start(seconds(10));
  std::vector<std::vector<int>> order(kThreads);
  std::vector<std::thread> posters;
  posters.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < kJobs; ++i) {
        executor->Post(MakeJob(1, [&order, t, i] { order[t].push_back(i); }));
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  executor->Stop(hours(1));
  for (const std::vector<int>& of_thread : order) {
    ASSERT_EQ(of_thread.size(), static_cast<size_t>(kJobs));
    for (int i = 0; i < kJobs; ++i) EXPECT_EQ(of_thread[i], i);
  }
}

TEST_F(CallbackThreadTest, WakesForAJobPostedWhileItSleeps) {
  auto executor = Start(seconds(10));
  for (int i = 0; i < 200; ++i) {
    Event done;
    executor->Post(MakeJob(1, [&] { done.Set(); }));
    done.Wait();  // hangs if the wake-up is lost
  }
}

// A burst, and posters that wait for each of their jobs: it naps or parks meanwhile.
TEST_F(CallbackThreadTest, RunsEveryJobHoweverItRests) {
  for (int round = 0; round < 20; ++round) {
    auto executor = Start(seconds(10));
    int ran = 0;
    for (int i = 0; i < 20; ++i) {
      Event done;
      executor->Post(MakeJob(1, [&] { done.Set(); }));
      done.Wait();
    }
    for (int i = 0; i < 20'000; ++i) executor->Post(MakeJob(1, [&] { ++ran; }));
    const CallbackThread::StopReport report = executor->Stop(seconds(10));
    EXPECT_EQ(report.dropped, 0u);
    EXPECT_EQ(ran, 20'000);
    const CallbackThread::Stats stats = executor->GetStats();
    EXPECT_LE(stats.wakes, stats.posted);
  }
}

TEST_F(CallbackThreadTest, SeveralJobsAtOnceRunInOrderOrAreDroppedTogether) {
  auto executor = Start(seconds(10));
  std::vector<int> ran;
  const auto some = [&](int first, int count) {
    std::vector<CallbackJob> jobs;
    for (int i = first; i < first + count; ++i) {
      jobs.push_back(MakeJob(1, [&ran, i] { ran.push_back(i); }));
    }
    return executor->PostAll(absl::MakeSpan(jobs));
  };
  std::vector<int> expected;
  for (int i = 0; i < 1000; ++i) expected.push_back(i);
  EXPECT_TRUE(some(0, 0));
  EXPECT_TRUE(some(0, 700));
  executor->Post(MakeJob(1, [&] { ran.push_back(700); }));
  EXPECT_TRUE(some(701, 299));
  EXPECT_EQ(executor->Stop(hours(1)).dropped, 0u);
  EXPECT_EQ(ran, expected);
  EXPECT_EQ(executor->GetStats().posted, 1000u);
  EXPECT_FALSE(some(1000, 5));
  EXPECT_EQ(ran, expected);
  EXPECT_EQ(executor->GetStats().posted, 1005u);
  EXPECT_EQ(executor->GetStats().dropped, 5u);
}

// Throws at each second job, and takes no third.
class PickyExecutor final : public CallbackExecutor {
 public:
  bool Post(CallbackJob job) override {
    ++posted;
    if (posted % 2 == 0) throw std::runtime_error("no room for " + std::to_string(posted));
    if (posted % 3 == 0) return false;
    job.Run();
    return true;
  }
  int posted = 0;
};

TEST_F(CallbackThreadTest, AnExecutorThatKnowsNothingOfSeveralGetsEachOfThem) {
  PickyExecutor executor;
  int ran = 0;
  const auto post = [&](int count) {
    std::vector<CallbackJob> jobs;
    for (int i = 0; i < count; ++i) jobs.push_back(MakeJob(1, [&ran] { ++ran; }));
    return executor.PostAll(absl::MakeSpan(jobs));
  };
  EXPECT_TRUE(post(1));
  EXPECT_THROW(post(6), std::runtime_error);
  EXPECT_EQ(executor.posted, 7) << "those after it, too";
  EXPECT_EQ(ran, 3) << "the first, the fifth and the seventh";
  executor.posted = 2;
  EXPECT_FALSE(post(1));
}

TEST_F(CallbackThreadTest, TheNextJobRunsAfterOneThatThrew) {
  auto executor = Start();
  int ran = 0;
  executor->Post(MakeJob(1, [] { throw 1; }));
  executor->Post(MakeJob(2, nullptr, [] { throw 2; }));
  executor->Post(MakeJob(3, [&] { ++ran; }));
  executor->Stop(hours(1));
  EXPECT_EQ(ran, 1);
  EXPECT_EQ(logger_.lines().size(), 2u);
  EXPECT_EQ(executor->GetStats().threw, 1u);
  EXPECT_EQ(executor->GetStats().ran, 3u);
}

TEST_F(CallbackThreadTest, ABodyIsDestroyedBeforeTheNextJobRuns) {
  auto executor = Start();
  std::vector<std::string> events;
  executor->Post(Blocker());
  entered_.Wait();
  executor->Post(MakeJob(
      1, [&] { events.emplace_back("run 1"); }, [&] { events.emplace_back("end 1"); }));
  executor->Post(MakeJob(
      2, [&] { events.emplace_back("run 2"); }, [&] { events.emplace_back("end 2"); }));
  gate_.Set();
  executor->Stop(hours(1));
  EXPECT_EQ(events, (std::vector<std::string>{"run 1", "end 1", "run 2", "end 2"}));
}

TEST_F(CallbackThreadTest, ACallbackOrItsDestructorMayPostAndAskForStats) {
  auto executor = Start();
  Event done;
  executor->Post(MakeJob(
      1, [&] { executor->GetStats(); },
      [&] {
        executor->GetStats();
        executor->Post(MakeJob(2, [&] { done.Set(); }));
      }));
  done.Wait();
}

TEST_F(CallbackThreadTest, ASlowCallbackIsNamedOnceWhileItStillRuns) {
  auto executor = Start(milliseconds(5));
  executor->Post(MakeJob(7, [this] {
    entered_.Set();
    gate_.Wait();
  }));
  executor->Post(MakeJob(8, nullptr));
  logger_.AwaitLines(1);  // it can only come while the gate is shut
  const std::string line = logger_.lines()[0];
  EXPECT_TRUE(Contains(line, "test callback of object " + Hex(7))) << line;
  EXPECT_TRUE(Contains(line, "1 callbacks wait")) << line;
  // Many looks of the watchdog later there is still one line.
  while (executor->GetStats().oldest_waiting < milliseconds(50)) std::this_thread::yield();
  EXPECT_EQ(logger_.lines().size(), 1u);
  EXPECT_EQ(executor->GetStats().reported_slow, 1u);
  gate_.Set();
  executor->Stop(hours(1));
}

TEST_F(CallbackThreadTest, EachSlowCallbackIsReportedAlsoAfterAPause) {
  auto executor = Start(milliseconds(3));
  for (uint64_t i = 1; i <= 3; ++i) {
    // Long enough idle for the watchdog to have parked, almost always: it must be woken then.
    const Time posted = Clock::Monotonic().Now();
    while (Clock::Monotonic().Now() < posted + milliseconds(20)) std::this_thread::yield();
    Event gate, done;
    executor->Post(MakeJob(
        i, [&] { gate.Wait(); }, [&] { done.Set(); }));
    logger_.AwaitLines(i);
    EXPECT_TRUE(Contains(logger_.lines()[i - 1], Hex(i)));
    gate.Set();
    done.Wait();
  }
  EXPECT_EQ(executor->GetStats().reported_slow, 3u);
}

TEST_F(CallbackThreadTest, ADestructorThatHangsIsReportedUnderItsCallback) {
  auto executor = Start(milliseconds(3));
  executor->Post(MakeJob(4, nullptr, [this] { gate_.Wait(); }));
  logger_.AwaitLines(1);
  EXPECT_TRUE(Contains(logger_.lines()[0], Hex(4)));
  gate_.Set();
  executor->Stop(hours(1));
}

TEST_F(CallbackThreadTest, ManyQuickCallbacksAreNotASlowOne) {
  auto executor = Start(seconds(5));
  for (int i = 0; i < 50000; ++i) executor->Post(MakeJob(1, nullptr));
  executor->Stop(hours(1));
  EXPECT_EQ(executor->GetStats().reported_slow, 0u);
}

TEST_F(CallbackThreadTest, DepthAndLatencyAreVisible) {
  auto executor = Start();
  executor->Post(Blocker());
  entered_.Wait();
  EXPECT_EQ(executor->GetStats().queue_depth, 0u);
  EXPECT_EQ(executor->GetStats().oldest_waiting, Duration::zero());
  for (int i = 0; i < 5; ++i) executor->Post(MakeJob(1, nullptr));
  CallbackThread::Stats stats = executor->GetStats();
  EXPECT_EQ(stats.posted, 6u);
  EXPECT_EQ(stats.ran, 0u);
  EXPECT_EQ(stats.queue_depth, 5u);
  EXPECT_EQ(stats.queue_depth_max, 5u);
  const Duration waited = stats.oldest_waiting;
  while (executor->GetStats().oldest_waiting <= waited) {
  }
  gate_.Set();
  executor->Stop(hours(1));
  stats = executor->GetStats();
  EXPECT_EQ(stats.ran, 6u);
  EXPECT_EQ(stats.queue_depth, 0u);
  EXPECT_EQ(stats.queue_depth_max, 5u);
  EXPECT_GT(stats.latency_max, waited);
  EXPECT_EQ(stats.oldest_waiting, Duration::zero());
}

TEST_F(CallbackThreadTest, DepthCountsWhatIsLeftOfTheBatchThatRuns) {
  auto executor = Start();
  executor->Post(Blocker());
  entered_.Wait();
  Event entered, gate;
  executor->Post(MakeJob(1, [&] {
    entered.Set();
    gate.Wait();
  }));
  executor->Post(MakeJob(2, nullptr));
  executor->Post(MakeJob(3, nullptr));
  gate_.Set();
  entered.Wait();
  EXPECT_EQ(executor->GetStats().queue_depth, 2u);
  executor->Post(MakeJob(4, nullptr));
  EXPECT_EQ(executor->GetStats().queue_depth, 3u);
  gate.Set();
  executor->Stop(hours(1));  // its callback uses our locals
}

}  // namespace
}  // namespace freehold::callback_testing
