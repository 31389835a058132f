// Frees with a live pump: 50,000 objects on one node, two real ends with threads of their own, and
// a network that takes its time.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "bench/timing.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"
#include "freehold/node_agent.h"

namespace freehold::bench {

namespace {

// Delivers in order, each envelope so long after it was sent; at once when that is zero.
class DelayingTransport final : public Transport {
 public:
  explicit DelayingTransport(Duration delay) : delay_(delay.count()) {
    if (delay_ > 0) thread_ = std::thread([this] { Deliver(); });
  }
  ~DelayingTransport() override {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  void Connect(const Address& address, const std::shared_ptr<Inbox>& inbox) {
    local_.Connect(address, inbox);
  }
  void Send(Envelope envelope) override {
    if (delay_ == 0) {
      local_.Send(std::move(envelope));
      return;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    waiting_.emplace_back(RealNow() + delay_, std::move(envelope));
    if (waiting_.size() == 1) wake_.notify_one();
  }

 private:
  void Deliver() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      auto [due, envelope] = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      // Not slept: a sleep of 50 microseconds takes twice that.
      while (RealNow() < due) std::this_thread::yield();
      local_.Send(std::move(envelope));
      lock.lock();
    }
  }

  const int64_t delay_;
  LocalTransport local_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::pair<int64_t, Envelope>> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

template <typename Holds>
void WaitUntil(Holds holds, const char* what) {
  const int64_t deadline = RealNow() + int64_t{60'000'000'000};
  while (!holds()) {
    Require(RealNow() < deadline, what);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

// Argument: the round trip in microseconds. Counted: what the owner sends from the first drop until
// the last answer.
void FreeLivePump(benchmark::State& state) {
  constexpr size_t kObjects = 50'000;
  double envelopes = 0;
  double again = 0;
  for (auto _ : state) {
    state.PauseTiming();
    {
      DelayingTransport transport(std::chrono::microseconds(state.range(0)) / 2);
      NodeAgentOptions node_options;
      node_options.node = NodeNumber(0);
      node_options.transport = &transport;
      node_options.start_pump_thread = true;
      auto agent = NodeAgent::Create(node_options);
      ReferenceCounterOptions options;
      options.process = ProcessId::FromNumber(1);
      options.transport = &transport;
      options.start_pump_thread = true;
      auto counter = ReferenceCounter::Create(options);
      Require(agent.ok() && counter.ok(), "no ends");
      transport.Connect(node_options.node, (*agent)->inbox());
      transport.Connect(options.process, (*counter)->inbox());
      std::vector<ObjectRef> refs;
      for (size_t i = 0; i < kObjects; ++i) {
        const ObjectId id = MakeId(IdKind::kRandom, i);
        refs.push_back(*(*counter)->Declare(id));
        Require((*agent)->AddCopy({id, 0, options.process, CopyRole::kPrimary, 1}).ok(), "copy");
      }
      WaitUntil([&] { return (*counter)->CountObjects().available == kObjects; }, "reports");
      const SessionStats before = (*counter)->GetStats().sessions;
      state.ResumeTiming();
      for (ObjectRef& ref : refs) ref.Reset();
      WaitUntil([&] { return (*counter)->GetStats().objects == 0; }, "answers");
      state.PauseTiming();
      const SessionStats after = (*counter)->GetStats().sessions;
      envelopes = static_cast<double>(after.envelopes_sent - before.envelopes_sent);
      again = static_cast<double>(after.envelopes_retransmitted - before.envelopes_retransmitted);
      (*counter)->Shutdown(ShutdownMode::kImmediate, Duration::zero());
      (void)(*agent)->Shutdown(Duration::zero());
    }
    state.ResumeTiming();
  }
  state.counters["envelopes"] = envelopes;
  state.counters["retransmitted"] = again;
}
BENCHMARK(FreeLivePump)->Name("free_live_pump")->Arg(0)->Arg(100)->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace freehold::bench
