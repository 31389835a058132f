// The endpoint among threads: its own pump thread, second pumpers, stops and deliveries that race.
// Threads wait for conditions, never for time.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "src/runtime/endpoint.h"
#include "tests/runtime/endpoint_testing.h"

namespace freehold::runtime {
namespace {

const Address kOwner = ProcessId::FromNumber(1);
const Address kNode = NodeId::FromNumber(2);
const Address kStranger = NodeId::FromNumber(3);

class SteadyClock final : public Clock {
 public:
  Time Now() const override { return Time(std::chrono::steady_clock::now().time_since_epoch()); }
};

// Opens once, for all who wait.
class Gate {
 public:
  void Open() {
    std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    opened_.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;
};

void WaitUntil(const std::function<bool()>& condition) {
  while (!condition()) std::this_thread::yield();
}

class EndpointThreadTest : public ::testing::Test {
 protected:
  SteadyClock clock_;
  Wire wire_;
  End owner_{kOwner, &wire_, &clock_};
  End node_{kNode, &wire_, &clock_};
};

TEST_F(EndpointThreadTest, TwoPumpThreadsCarryEverythingOnceAndInOrderOfEachSender) {
  constexpr uint64_t kSenders = 3;
  constexpr uint64_t kEach = 2000;
  owner_.config.start_pump_thread = node_.config.start_pump_thread = true;
  owner_.client.items_per_envelope = 10;
  owner_.Start(&wire_);
  node_.Start(&wire_);
  std::vector<std::thread> senders;
  for (uint64_t s = 0; s < kSenders; ++s) {
    senders.emplace_back([this, s] {
      for (uint64_t i = 0; i < kEach; ++i) owner_.SendTo(kNode, s * kEach + i);
    });
  }
  for (std::thread& sender : senders) sender.join();
  WaitUntil([&] { return node_.client.received_count() == kSenders * kEach; });
  WaitUntil([&] { return owner_.endpoint->Idle() && node_.endpoint->Idle(); });
  EXPECT_EQ(owner_.endpoint->unacked_envelopes(), 0u);
  std::vector<uint64_t> received = node_.client.received();
  std::vector<uint64_t> next(kSenders);
  for (const uint64_t number : received) {
    ASSERT_EQ(number % kEach, next[number / kEach]++);
  }
}

TEST_F(EndpointThreadTest, APumpThreadSendsAgainWhatWasLost) {
  owner_.config.start_pump_thread = node_.config.start_pump_thread = true;
  owner_.config.session.retransmit_delay_min = std::chrono::milliseconds(1);
  owner_.Start(&wire_);
  node_.Start(&wire_);
  wire_.Hold(true);
  owner_.SendTo(kNode, 1);
  WaitUntil([&] { return wire_.sent() >= 3; });
  wire_.Hold(false);
  WaitUntil([&] { return node_.client.received_count() == 1 && owner_.endpoint->Idle(); });
}

TEST_F(EndpointThreadTest, ASecondPumperMakesTheHolderGoRoundAndReturns) {
  owner_.Start(&wire_);
  Gate in_work, go_on;
  bool once = true;
  owner_.client.on_work = [&] {
    if (!std::exchange(once, false)) return;
    in_work.Open();
    go_on.Wait();
  };
  const int before = owner_.client.works();
  const Time now = clock_.Now() + std::chrono::hours(1);
  const Time later = now + std::chrono::milliseconds(1);
  std::thread holder([&] { owner_.endpoint->Pump(now); });
  in_work.Wait();
  owner_.SendTo(kNode, 1);
  owner_.endpoint->Pump(later);  // returns although the holder hangs
  EXPECT_EQ(owner_.client.works(), before + 1);
  go_on.Open();
  holder.join();
  EXPECT_EQ(wire_.sent(), 1u);
  EXPECT_EQ(owner_.client.works(), before + 2);
  EXPECT_EQ(owner_.client.last_now(), later);
}

TEST_F(EndpointThreadTest, StopWaitsForTheHolderOfThePumpRole) {
  owner_.client.work = [](Time now) { return now + std::chrono::hours(1); };
  owner_.Start(&wire_);
  Gate in_work, go_on;
  std::atomic<bool> left_work{false};
  owner_.client.on_work = [&] {
    in_work.Open();
    go_on.Wait();
    left_work = true;
  };
  std::thread holder([&] { owner_.Pump(); });
  in_work.Wait();
  std::atomic<bool> stopped{false};
  std::thread stopper([&] {
    owner_.endpoint->Stop(false);
    EXPECT_TRUE(left_work);
    stopped = true;
  });
  // Stopping has begun when the deadline is no more.
  WaitUntil([&] { return owner_.endpoint->NextDeadline() == kInfiniteFuture; });
  EXPECT_FALSE(stopped);
  go_on.Open();
  stopper.join();
  holder.join();
}

TEST_F(EndpointThreadTest, StopWaitsForAHookThatIsBeingCalled) {
  Gate in_hook, go_on;
  std::atomic<bool> left_hook{false};
  std::atomic<bool> armed{false};
  owner_.config.on_wake = [&] {
    if (!armed.exchange(false)) return;
    in_hook.Open();
    go_on.Wait();
    left_hook = true;
  };
  owner_.client.work = [](Time now) { return now + std::chrono::hours(1); };
  owner_.Start(&wire_);
  armed = true;
  std::thread waker([&] { owner_.endpoint->WakeWork(); });
  in_hook.Wait();
  std::thread stopper([&] {
    owner_.endpoint->Stop(false);
    EXPECT_TRUE(left_hook);
  });
  WaitUntil([&] { return owner_.endpoint->NextDeadline() == kInfiniteFuture; });
  go_on.Open();
  stopper.join();
  waker.join();
}

TEST_F(EndpointThreadTest, AClientAndAHookThatBothStopDoNotWaitForEachOther) {
  Gate in_hook, in_work;
  std::atomic<bool> armed{false};
  owner_.config.on_wake = [&] {
    if (!armed.exchange(false)) return;
    in_hook.Open();
    in_work.Wait();
    owner_.endpoint->Stop(false);
  };
  owner_.Start(&wire_);
  owner_.client.on_work = [&] {
    in_work.Open();
    in_hook.Wait();
    owner_.endpoint->Stop(false);
  };
  armed = true;
  std::thread waker([&] { owner_.endpoint->WakeWork(); });
  in_hook.Wait();
  owner_.Pump();
  waker.join();
}

TEST_F(EndpointThreadTest, APumpThreadWithAClockThatStandsStillStops) {
  SetClock still;
  owner_.config.clock = &still;
  owner_.config.start_pump_thread = true;
  owner_.client.work = [&](Time now) { return now + std::chrono::nanoseconds(1); };
  owner_.Start(&wire_);
  owner_.SendTo(kNode, 1);
  WaitUntil([&] { return wire_.sent() > 0; });
  owner_.endpoint->Stop(true);
  EXPECT_EQ(owner_.membership.left(), 1);
}

TEST_F(EndpointThreadTest, APumpThreadWithNothingToDoStops) {
  owner_.config.start_pump_thread = true;
  owner_.Start(&wire_);
  WaitUntil([&] { return owner_.endpoint->NextDeadline() == kInfiniteFuture; });
  owner_.endpoint->Stop(false);
}

TEST_F(EndpointThreadTest, ThePumpThreadMayStopItsEndpoint) {
  owner_.config.start_pump_thread = true;
  owner_.Start(&wire_);
  Gate stopped;
  node_.config.start_pump_thread = true;
  node_.client.on_payload = [&] {
    node_.endpoint->Stop(true);
    stopped.Open();
  };
  node_.Start(&wire_);
  owner_.SendTo(kNode, 1);
  stopped.Wait();
  node_.endpoint.reset();  // joins the thread
  EXPECT_EQ(node_.membership.left(), 1);
}

TEST_F(EndpointThreadTest, ThePumpThreadMayDestroyItsEndpointAndEndsByItself) {
  Gate insides_gone;
  struct AtDestruction {
    explicit AtDestruction(Gate* to_open) : gate(to_open) {}
    Gate* const gate;
    ~AtDestruction() { gate->Open(); }
  };
  owner_.Start(&wire_);
  node_.config.start_pump_thread = true;
  node_.config.on_wake = [token = std::make_shared<AtDestruction>(&insides_gone)] {};
  node_.client.on_payload = [&] { node_.endpoint.reset(); };
  node_.Start(&wire_);
  node_.config.on_wake = nullptr;
  owner_.SendTo(kNode, 1);
  owner_.Pump();
  insides_gone.Wait();
  EXPECT_EQ(node_.client.received(), Numbers(1, 1));
}

TEST_F(EndpointThreadTest, AThreadOfTheHostMayPumpBesideThePumpThread) {
  owner_.config.start_pump_thread = node_.config.start_pump_thread = true;
  owner_.Start(&wire_);
  node_.Start(&wire_);
  std::atomic<bool> done{false};
  std::thread pumper([&] {
    while (!done) {
      owner_.Pump();
      node_.Pump();
    }
  });
  for (uint64_t i = 1; i <= 2000; ++i) owner_.SendTo(kNode, i);
  WaitUntil([&] { return node_.client.received_count() == 2000; });
  done = true;
  pumper.join();
  EXPECT_EQ(node_.client.received(), Numbers(1, 2000));
}

TEST_F(EndpointThreadTest, AHostThatWaitsForTheHookMissesNothing) {
  std::mutex mutex;
  std::condition_variable woken;
  bool due = false;
  node_.config.on_wake = [&] {
    std::lock_guard<std::mutex> lock(mutex);
    due = true;
    woken.notify_one();
  };
  owner_.config.start_pump_thread = true;
  owner_.client.items_per_envelope = 1;
  owner_.Start(&wire_);
  node_.Start(&wire_);
  std::thread host([&] {
    while (node_.client.received_count() < 3000) {
      if (node_.endpoint->NextDeadline() == kInfinitePast) {
        node_.Pump();
        continue;
      }
      std::unique_lock<std::mutex> lock(mutex);
      woken.wait(lock, [&] { return std::exchange(due, false); });
    }
  });
  for (uint64_t i = 1; i <= 3000; ++i) owner_.SendTo(kNode, i);
  host.join();
  EXPECT_EQ(node_.client.received(), Numbers(1, 3000));
}

TEST_F(EndpointThreadTest, StopsRaceWithPumpsMarksDeliveriesViewsAndReaders) {
  for (int round = 0; round < 50; ++round) {
    owner_.config.start_pump_thread = round % 2 == 0;
    owner_.Start(&wire_);
    node_.Start(&wire_);
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    const auto repeat = [&](const std::function<void(uint64_t)>& what) {
      threads.emplace_back([&done, what] {
        for (uint64_t i = 0; !done; ++i) what(i);
      });
    };
    repeat([&](uint64_t) { owner_.Pump(); });
    repeat([&](uint64_t i) { owner_.SendTo(kNode, i); });
    repeat([&](uint64_t i) {
      node_.SendTo(kOwner, i);
      node_.Pump();
    });
    repeat([&](uint64_t i) {
      if (i < 20) owner_.membership.View_(i, {NodeId::FromNumber(100 + i)});
      (void)owner_.endpoint->GetStats();
      (void)owner_.endpoint->Idle();
      (void)owner_.endpoint->NextDeadline();
    });
    WaitUntil([&] { return owner_.client.calls() > 20; });
    std::thread other([&] { owner_.endpoint->Stop(false); });
    owner_.endpoint->Stop(true);
    const uint64_t calls = owner_.client.calls();
    other.join();
    std::this_thread::yield();
    EXPECT_EQ(owner_.client.calls(), calls);
    done = true;
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(owner_.client.calls(), calls);
  }
}

TEST_F(EndpointThreadTest, DestructionRacesWithDeliveries) {
  node_.config.start_pump_thread = true;
  node_.Start(&wire_);
  for (int round = 0; round < 100; ++round) {
    owner_.config.start_pump_thread = round % 2 == 0;
    owner_.Start(&wire_);
    const std::shared_ptr<Inbox> inbox = owner_.endpoint->inbox();
    std::atomic<bool> done{false};
    std::atomic<int> delivered{0};
    std::thread deliverer([&] {
      while (!done) {
        node_.SendTo(kOwner, 1);
        inbox->Deliver({kNode, kOwner, std::string(100, 'x')});
        owner_.membership.Barrier_(1);
        ++delivered;
      }
    });
    WaitUntil([&] { return delivered > 3; });
    owner_.endpoint.reset();
    const uint64_t calls = owner_.client.calls();
    const int before = delivered;
    WaitUntil([&] { return delivered > before + 3; });
    EXPECT_EQ(owner_.client.calls(), calls);
    done = true;
    deliverer.join();
  }
}

}  // namespace
}  // namespace freehold::runtime
