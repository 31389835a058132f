// How long after the last drop the callback runs, on an idle executor thread, beside a bare
// hand-over to a waiting thread.

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "bench/timing.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"

namespace freehold::bench {

namespace {

// A thread that waits for a condition and notes when it was told.
class BareHandOver {
 public:
  BareHandOver() {
    thread_ = std::thread([this] { Wait(); });
  }
  ~BareHandOver() {
    Tell(-1);
    thread_.join();
  }
  int64_t Measure() {
    arrived_.store(0);
    const int64_t begin = RealNow();
    Tell(1);
    while (arrived_.load() == 0) std::this_thread::yield();
    return arrived_.load() - begin;
  }

 private:
  void Tell(int what) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      told_ = what;
    }
    wake_.notify_one();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return told_ != 0; });
      if (told_ < 0) return;
      told_ = 0;
      arrived_.store(RealNow());
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  int told_ = 0;
  std::atomic<int64_t> arrived_{0};
  std::thread thread_;
};

void CallbackLatency(benchmark::State& state) {
  auto executor = CallbackThread::Start({});
  Require(executor.ok(), "no callback thread");
  ReferenceCounterOptions options;
  options.executor = *executor;
  Owner owner(Owner::Wiring::kNone, options);
  BareHandOver bare;
  std::vector<int64_t> own;
  std::vector<int64_t> limit;
  uint64_t number = 0;
  for (auto _ : state) {
    state.PauseTiming();
    std::atomic<int64_t> called{0};
    ObjectRef ref = owner.Put(MakeId(IdKind::kRandom, ++number), nullptr, 0);
    const auto taken = owner.counter().OnOutOfScope(
        ref.id(), [&called](const ObjectId&, EndReason) { called.store(RealNow()); });
    Require(taken.ok(), "a registration was refused");
    limit.push_back(bare.Measure());
    state.ResumeTiming();
    const int64_t begin = RealNow();
    ref.Reset();
    while (called.load() == 0) std::this_thread::yield();
    own.push_back(called.load() - begin);
  }
  const auto microseconds = [](const std::vector<int64_t>& values, double part) {
    return static_cast<double>(Percentile(values, part)) / 1000;
  };
  state.counters["p50_us"] = microseconds(own, 0.5);
  state.counters["p99_us"] = microseconds(own, 0.99);
  state.counters["limit_p50_us"] = microseconds(limit, 0.5);
  state.counters["limit_p99_us"] = microseconds(limit, 0.99);
  state.counters["ratio"] = microseconds(own, 0.5) / microseconds(limit, 0.5);
}
BENCHMARK(CallbackLatency)->Name("callback_latency");

}  // namespace

}  // namespace freehold::bench
