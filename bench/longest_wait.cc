// The longest wait of a second thread that adds and drops one reference by id, while the first does
// as much at once as there is to do: what a lock that is held for long would show in.
//
// A wait is also measured in time that the first thread had a processor meanwhile, of pairs in
// which nobody took the processor from the second: on a machine that does other things too, only
// that tells what was waited for.

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "bench/timing.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"

namespace freehold::bench {

namespace {

constexpr size_t kMany = 1'000'000;
constexpr size_t kNodes = 16;

// Adds and drops references of its own objects, which lie in all shards, until told to end.
class Waiter {
 public:
  explicit Waiter(ReferenceCounter* counter) : counter_(counter) {
    for (size_t i = 0; i < kObjects; ++i) {
      ids_.push_back(MakeId(IdKind::kHost, (uint64_t{1} << 40) + i));
      absl::StatusOr<ObjectRef> ref = counter_->Declare(ids_.back());
      Require(ref.ok(), "declare failed");
      refs_.push_back(*std::move(ref));
    }
  }

  struct Longest {
    int64_t real = 0;
    int64_t of_worker = 0;  // time of the working thread
  };
  // The longest pair while `work` ran, in nanoseconds.
  Longest LongestDuring(const std::function<void()>& work) {
    std::atomic<bool> end{false};
    std::atomic<bool> begun{false};
    Longest longest;
    clockid_t worker;
    Require(pthread_getcpuclockid(pthread_self(), &worker) == 0, "no clock of a thread");
    std::thread thread([&] {
      int64_t switches = Preemptions();
      for (size_t i = 0; !end.load(std::memory_order_relaxed); ++i) {
        const ObjectId& id = ids_[i % kObjects];
        const int64_t before = RealNow();
        const int64_t worker_before = NanosecondsOf(worker);
        const bool good =
            counter_->AddLocalReference(id).ok() && counter_->RemoveLocalReference(id).ok();
        const int64_t of_worker = NanosecondsOf(worker) - worker_before;
        if (!good) Require(false, "a reference was refused");
        longest.real = std::max(longest.real, RealNow() - before);
        if (of_worker > longest.of_worker) {
          const int64_t now = Preemptions();
          if (now == switches) longest.of_worker = of_worker;
          switches = now;
        }
        begun.store(true, std::memory_order_relaxed);
      }
    });
    while (!begun.load(std::memory_order_relaxed)) std::this_thread::yield();
    work();
    end.store(true, std::memory_order_relaxed);
    thread.join();
    return longest;
  }

 private:
  // How often the processor was taken from this thread.
  static int64_t Preemptions() {
    rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
  }

  static constexpr size_t kObjects = 1'024;
  ReferenceCounter* const counter_;
  std::vector<ObjectId> ids_;
  std::vector<ObjectRef> refs_;
};

// A world in which there is much to do, and the doing of it.
struct Scene {
  std::function<void(Owner*)> prepare;
  std::function<void(Owner*)> work;
};

// The shortest of the longest waits of several rounds: what else the machine does lengthens one.
void RunScene(benchmark::State& state, const Scene& scene) {
  Waiter::Longest best{INT64_MAX, INT64_MAX};
  Waiter::Longest idle{INT64_MAX, INT64_MAX};
  const auto keep = [](const Waiter::Longest& longest, Waiter::Longest* least) {
    least->real = std::min(least->real, longest.real);
    least->of_worker = std::min(least->of_worker, longest.of_worker);
  };
  double took_ms = 0;
  for (auto _ : state) {
    Owner owner(Owner::Wiring::kNullTransport);
    owner.transport().KeepPayloads(false);
    Waiter waiter(&owner.counter());
    scene.prepare(&owner);
    const int64_t begin = RealNow();
    keep(waiter.LongestDuring([&] { scene.work(&owner); }), &best);
    const int64_t took = RealNow() - begin;
    took_ms = static_cast<double>(took) / 1e6;
    // For as long, of a thread that is busy with something else.
    const auto spin = [&] {
      while (RealNow() < begin + 2 * took) benchmark::ClobberMemory();
    };
    keep(waiter.LongestDuring(spin), &idle);
  }
  state.counters["longest_us"] = static_cast<double>(best.of_worker) / 1e3;
  state.counters["longest_real_us"] = static_cast<double>(best.real) / 1e3;
  state.counters["idle_longest_us"] = static_cast<double>(idle.of_worker) / 1e3;
  state.counters["idle_longest_real_us"] = static_cast<double>(idle.real) / 1e3;
  state.counters["work_ms"] = took_ms;
}

std::vector<ObjectRef> Population(Owner* owner, size_t copies) {
  std::vector<ObjectRef> refs;
  refs.reserve(kMany);
  for (size_t i = 0; i < kMany; ++i) {
    const NodeId nodes[] = {NodeNumber(i % kNodes), NodeNumber(kNodes)};
    refs.push_back(owner->Put(MakeId(IdKind::kRandom, i), nodes, copies));
  }
  return refs;
}

void LongestWait(benchmark::State& state, const char* kind) {
  const std::string_view name(kind);
  std::vector<ObjectRef> refs;
  std::vector<ObjectId> ids;
  Scene scene;
  scene.prepare = [&](Owner* owner) {
    refs = name == "growth" ? std::vector<ObjectRef>()
                            : Population(owner, name == "node_death" ? 2
                                                : name == "free"     ? 1
                                                                     : 0);
    ids.clear();
    for (const ObjectRef& ref : refs) ids.push_back(ref.id());
  };
  if (name == "nesting") {
    scene.work = [&](Owner* owner) {
      DeclareOptions options;
      options.contains = ids;
      Require(owner->counter().Declare(MakeId(IdKind::kHost, 1), options).ok(), "declare failed");
      owner->Pump();  // the outer object is gone: its inner ones are let go of
    };
  } else if (name == "node_death") {
    scene.work = [&](Owner* owner) {
      owner->membership().Exclude({Address(NodeNumber(kNodes))});
      owner->Pump();
    };
  } else if (name == "growth") {
    scene.work = [&](Owner* owner) { refs = Population(owner, 1); };
  } else {
    scene.work = [&](Owner* owner) {
      refs.clear();
      owner->Pump();
    };
  }
  RunScene(state, scene);
  refs.clear();
}

BENCHMARK_CAPTURE(LongestWait, nesting, "nesting")->Name("longest_wait/nesting")->Iterations(5);
BENCHMARK_CAPTURE(LongestWait, node_death, "node_death")
    ->Name("longest_wait/node_death")
    ->Iterations(5);
BENCHMARK_CAPTURE(LongestWait, growth, "growth")->Name("longest_wait/growth")->Iterations(5);
BENCHMARK_CAPTURE(LongestWait, free, "free")->Name("longest_wait/free")->Iterations(5);

}  // namespace

}  // namespace freehold::bench
