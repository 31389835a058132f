// How a CallbackThread ends: by Stop from outside, from inside, by its destructor, by a callback.

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "freehold/callback_executor.h"
#include "tests/runtime/callback_testing.h"

namespace freehold::callback_testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

using CallbackThreadStopTest = CallbackThreadTest;

TEST_F(CallbackThreadStopTest, StopDrainsWhatWasQueuedAndRefusesTheRest) {
  auto executor = Start();
  int ran = 0;
  int destroyed = 0;
  executor->Post(Blocker());
  entered_.Wait();
  for (int i = 0; i < 100; ++i) executor->Post(MakeJob(1, [&] { ++ran; }));
  CallbackThread::StopReport report;
  std::thread stopper([&] { report = executor->Stop(hours(1)); });
  uint64_t probes = 0;
  for (; executor->Post(MakeJob(3, nullptr)); ++probes) std::this_thread::yield();
  gate_.Set();  // only now, so that the whole queue is left to Stop
  stopper.join();
  EXPECT_EQ(ran, 100);
  EXPECT_EQ(report.ran, 1 + 100 + probes);
  EXPECT_EQ(report.dropped, 0u);
  EXPECT_TRUE(report.objects.empty());
  EXPECT_FALSE(executor->Post(MakeJob(
      2, [&] { ++ran; }, [&] { ++destroyed; })));
  EXPECT_EQ(ran, 100);
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(executor->GetStats().dropped, 2u);  // this one and the last probe
}

TEST_F(CallbackThreadStopTest, StopReportsInOrderWhatItsDeadlineLeft) {
  auto executor = Start();
  executor->Post(Blocker());
  entered_.Wait();
  // Two batches: the rest of the one that runs, and the queue behind it.
  Event entered, gate, ended;
  executor->Post(MakeJob(
      1,
      [&] {
        entered.Set();
        gate.Wait();
      },
      [&] { ended.Set(); }));
  int destroyed = 0;
  int ran = 0;
  const auto count = [&] { ++destroyed; };
  for (uint64_t i = 2; i < 52; ++i)
    executor->Post(MakeJob(
        i, [&] { ++ran; }, count));
  gate_.Set();
  entered.Wait();
  for (uint64_t i = 52; i < 302; ++i)
    executor->Post(MakeJob(
        i, [&] { ++ran; }, count));

  const CallbackThread::StopReport report = executor->Stop(milliseconds(5));
  EXPECT_TRUE(report.callback_still_running);
  EXPECT_EQ(report.ran, 0u);
  EXPECT_EQ(report.dropped, 300u);
  ASSERT_EQ(report.objects.size(), 100u);
  for (uint64_t i = 0; i < 100; ++i) EXPECT_EQ(report.objects[i], ObjectId::FromNumber(i + 2));
  EXPECT_EQ(destroyed, 300);
  ASSERT_EQ(logger_.lines().size(), 1u);
  EXPECT_TRUE(Contains(logger_.lines()[0], "300 callbacks dropped")) << logger_.lines()[0];
  EXPECT_TRUE(Contains(logger_.lines()[0], Hex(1))) << logger_.lines()[0];
  EXPECT_EQ(executor->GetStats().dropped, 300u);
  EXPECT_EQ(executor->GetStats().queue_depth, 0u);

  const CallbackThread::StopReport again = executor->Stop(Duration::zero());
  EXPECT_EQ(again.dropped, 0u);
  EXPECT_TRUE(again.objects.empty());
  EXPECT_TRUE(again.callback_still_running);

  // The thread that was left behind ends by itself, without the handle and without the logger.
  executor.reset();
  gate.Set();
  ended.Wait();
  EXPECT_EQ(ran, 0);
}

TEST_F(CallbackThreadStopTest, StopWithoutTimeLetsTheRunningCallbackEnd) {
  auto executor = Start();
  std::atomic<bool> ended{false};
  executor->Post(MakeJob(
      1, [&] { entered_.Set(); }, [&] { ended = true; }));
  entered_.Wait();
  const CallbackThread::StopReport report = executor->Stop(Duration(-5));
  EXPECT_TRUE(ended || report.callback_still_running);
  executor.reset();
  while (!ended) std::this_thread::yield();
}

TEST_F(CallbackThreadStopTest, StopFromInsideACallbackReturnsAndEndsTheThread) {
  auto executor = Start(seconds(5));
  Event stopped;
  std::atomic<int> ran{0};
  std::atomic<int> destroyed{0};
  bool accepted = true;
  executor->Post(Blocker());
  entered_.Wait();
  executor->Post(MakeJob(1, [&] {
    const CallbackThread::StopReport report = executor->Stop(hours(1));
    EXPECT_EQ(report.dropped, 0u);
    accepted = executor->Post(MakeJob(9, nullptr));
    EXPECT_EQ(destroyed, 0);  // not nested in this callback
    stopped.Set();
  }));
  for (uint64_t i = 0; i < 10; ++i) {
    executor->Post(MakeJob(
        2, [&] { ++ran; }, [&] { ++destroyed; }));
  }
  gate_.Set();
  stopped.Wait();
  const CallbackThread::StopReport report = executor->Stop(hours(1));  // waits for the thread
  EXPECT_EQ(destroyed, 10);
  EXPECT_FALSE(accepted);
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(report.dropped, 0u);
  EXPECT_FALSE(report.callback_still_running);
  EXPECT_EQ(executor->GetStats().dropped, 11u);
  ASSERT_EQ(logger_.lines().size(), 1u);
  EXPECT_TRUE(Contains(logger_.lines()[0], "10 queued callbacks are dropped"));
}

TEST_F(CallbackThreadStopTest, StopFromInsideDoesNotCutAnotherStopShort) {
  auto executor = Start();
  int ran = 0;
  executor->Post(Blocker());
  entered_.Wait();
  executor->Post(MakeJob(1, [&] { executor->Stop(Duration::zero()); }));
  for (int i = 0; i < 10; ++i) executor->Post(MakeJob(2, [&] { ++ran; }));
  std::thread stopper([&] { EXPECT_EQ(executor->Stop(hours(1)).dropped, 0u); });
  while (executor->Post(MakeJob(3, nullptr))) std::this_thread::yield();  // until it refuses
  gate_.Set();
  stopper.join();
  EXPECT_EQ(ran, 10);
}

TEST_F(CallbackThreadStopTest, TheLastHandleMayBeDroppedInsideACallback) {
  Event ended;
  std::atomic<int> destroyed{0};
  {
    auto executor = Start(milliseconds(500));
    executor->Post(Blocker());
    entered_.Wait();
    auto* const handle = new std::shared_ptr<CallbackThread>(executor);
    executor->Post(MakeJob(1, [handle] { delete handle; }));
    executor->Post(MakeJob(
        2, [] { FAIL() << "must not run"; }, [&] { ++destroyed; }));
    executor->Post(MakeJob(3, nullptr, [&] { ended.Set(); }));
    executor.reset();
    gate_.Set();
  }
  ended.Wait();
  EXPECT_EQ(destroyed, 1);
}

TEST_F(CallbackThreadStopTest, TheLastHandleMayBeDroppedByABodysDestructor) {
  Event ended;
  auto executor = Start(milliseconds(500));
  executor->Post(Blocker());
  entered_.Wait();
  auto* const handle = new std::shared_ptr<CallbackThread>(executor);
  executor->Post(MakeJob(1, nullptr, [&ended, handle] {
    delete handle;
    ended.Set();
  }));
  executor.reset();
  gate_.Set();
  ended.Wait();
}

TEST_F(CallbackThreadStopTest, DestructionWithoutStopDrains) {
  std::atomic<int> ran{0};
  {
    auto executor = Start();
    for (int i = 0; i < 1000; ++i) executor->Post(MakeJob(1, [&] { ++ran; }));
  }
  EXPECT_EQ(ran, 1000);
}

TEST_F(CallbackThreadStopTest, ADroppedJobsDestructorMayCallTheExecutor) {
  auto executor = Start();
  Event ended;
  executor->Post(MakeJob(
      1,
      [this] {
        entered_.Set();
        gate_.Wait();
      },
      [&] { ended.Set(); }));
  entered_.Wait();
  bool accepted = true;
  executor->Post(MakeJob(2, nullptr, [&] {
    accepted = executor->Post(MakeJob(3, nullptr));
    executor->Stop(Duration::zero());
  }));
  EXPECT_EQ(executor->Stop(Duration::zero()).dropped, 1u);
  EXPECT_FALSE(accepted);
  gate_.Set();
  ended.Wait();
}

TEST_F(CallbackThreadStopTest, EveryJobIsRunOrDroppedExactlyOnceWhenStopRacesWithPosts) {
  for (int round = 0; round < 50; ++round) {
    auto executor = Start(milliseconds(1));
    std::atomic<uint64_t> ran{0}, destroyed{0}, posted{0};
    std::atomic<bool> stop{false};
    std::vector<std::thread> posters;
    posters.reserve(2);
    for (int t = 0; t < 2; ++t) {
      posters.emplace_back([&] {
        while (!stop) {
          executor->Post(MakeJob(
              1, [&] { ++ran; }, [&] { ++destroyed; }));
          ++posted;
        }
      });
    }
    while (ran < 100) std::this_thread::yield();
    executor->Stop(round % 2 == 0 ? Duration::zero() : Duration(milliseconds(1)));
    EXPECT_FALSE(executor->Stop(hours(1)).callback_still_running);
    stop = true;
    for (std::thread& poster : posters) poster.join();
    const CallbackThread::Stats stats = executor->GetStats();
    EXPECT_EQ(destroyed, posted);
    EXPECT_EQ(stats.posted, posted);
    EXPECT_EQ(stats.ran, ran);
    EXPECT_EQ(stats.ran + stats.dropped, posted);
    EXPECT_EQ(stats.queue_depth, 0u);
  }
}

#if defined(__GLIBC__)
TEST_F(CallbackThreadStopTest, ACallbackThatEndsTheThreadIsReportedAndNothingHangs) {
  auto executor = Start(milliseconds(500));
  std::atomic<int> destroyed{0};
  executor->Post(Blocker());
  entered_.Wait();
  executor->Post(MakeJob(1, [] { pthread_exit(nullptr); }));
  executor->Post(MakeJob(
      2, [] { FAIL() << "must not run"; }, [&] { ++destroyed; }));
  gate_.Set();
  logger_.AwaitLines(1);
  EXPECT_TRUE(Contains(logger_.lines()[0], "1 queued callbacks will not run"));
  EXPECT_FALSE(executor->Post(MakeJob(3, nullptr)));
  const CallbackThread::StopReport report = executor->Stop(hours(1));
  EXPECT_EQ(report.dropped, 1u);
  ASSERT_EQ(report.objects.size(), 1u);
  EXPECT_EQ(report.objects[0], ObjectId::FromNumber(2));
  EXPECT_FALSE(report.callback_still_running);
  EXPECT_EQ(destroyed, 1);
}
#endif

}  // namespace
}  // namespace freehold::callback_testing
