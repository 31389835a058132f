// The operations, timed one by one, each beside its limit; and on two threads.
//
// An operation and its limit take turns, batch by batch, so that both meet the same weather;
// `ratio` is the median over the turns of one divided by the other.

#include <atomic>
#include <thread>

#include "bench/operation.h"
#include "bench/timing.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"

namespace freehold::bench {

namespace {

enum class Clock { kCpu, kReal };

struct Row {
  const char* name;
  const char* limit = nullptr;
  double limit_count = 1;     // so often the limit is due for one operation
  Clock clock = Clock::kCpu;  // kReal where other threads do part of it
  // Where one batch takes as long as others altogether: at least so many. The first
  // of an owner is said apart.
  size_t batches = 0;
};

// In the order in which they run: neighbours share their populations.
constexpr Row kRows[] = {
    {"limit_atomic_pair"},
    {"limit_shared_ptr"},
    {"limit_lookup/1"},
    {"limit_lookup/100000"},
    {"limit_lookup/1000000"},
    {"limit_lookup_ahead/1000000"},
    {"limit_insert_erase/1"},
    {"limit_insert_erase/100000"},
    {"limit_insert_erase/1000000"},
    {"limit_queue", nullptr, 1, Clock::kReal},
    {"limit_queue_batched", nullptr, 1, Clock::kReal},
    {"limit_touch/10000"},
    {"limit_memcpy_ids"},
    {"lock_pair/freehold", "limit_atomic_pair"},
    {"lock_pair/std", "limit_atomic_pair"},
    {"lock_pair/absl", "limit_atomic_pair"},
    {"handle_copy_destroy", "limit_shared_ptr"},
    {"by_id_pair/1", "limit_lookup/1"},
    {"by_id_pair/100000", "limit_lookup/100000"},
    {"by_id_pair/1000000", "limit_lookup/1000000"},
    {"by_id_pair_hostids/1", "by_id_pair/1"},
    {"by_id_pair_hostids/100000", "by_id_pair/100000"},
    {"by_id_pair_hostids/1000000", "by_id_pair/1000000"},
    {"by_id_pair_window/0", "by_id_pair/1000000"},
    {"by_id_pair_window/4", "by_id_pair/1000000"},
    {"by_id_pair_window/8", "by_id_pair/1000000"},
    {"by_id_pair_window/12", "by_id_pair/1000000"},
    {"by_id_pair_window/16", "by_id_pair/1000000"},
    {"by_id_pair_window/20", "by_id_pair/1000000"},
    {"by_id_pair_window/24", "by_id_pair/1000000"},
    {"task_refs/10", "limit_lookup/1000000", 10},
    {"can_exit/1", "limit_atomic_pair", 32},
    {"can_exit/1000000", "limit_atomic_pair", 32},
    {"lifecycle/0", "limit_insert_erase/1000000"},
    {"lifecycle/1", "limit_insert_erase/1000000"},
    {"lifecycle/3", "limit_insert_erase/1000000"},
    {"lifecycle/15", "limit_insert_erase/1000000"},
    {"lifecycle_at_once/3", "limit_insert_erase/1000000"},
    {"lifecycle_at_once/15", "limit_insert_erase/1000000"},
    {"lifecycle_results/3"},
    {"borrower_pair", "limit_insert_erase/1000000"},
    {"callback_registration"},
    {"callback_burst/1000000", "limit_queue", 1, Clock::kReal, 7},
    {"envelope_encode", "limit_memcpy_ids"},
    {"envelope_decode", "limit_memcpy_ids"},
};

double TimedNs(Operation* operation, size_t count, Clock clock) {
  operation->Before(count);
  const auto now = clock == Clock::kCpu ? &ThreadCpuNow : &RealNow;
  const int64_t begin = now();
  operation->Run(count);
  const int64_t end = now();
  operation->After(count);
  return static_cast<double>(end - begin) / static_cast<double>(count);
}

void RunRow(benchmark::State& state, const Row& row) {
  const std::unique_ptr<Operation> own = MakeOperation(row.name);
  Require(own != nullptr, row.name);
  std::unique_ptr<Operation> limit;
  if (row.limit != nullptr) {
    limit = MakeOperation(row.limit);
    Require(limit != nullptr, row.limit);
  }
  const size_t batch = own->batch();
  std::vector<double> own_ns;
  std::vector<double> limit_ns;
  std::vector<double> ratios;
  const auto note = [&](double own_time) {
    own_ns.push_back(own_time);
    if (limit == nullptr) return;
    limit_ns.push_back(TimedNs(limit.get(), limit->batch(), row.clock) * row.limit_count);
    ratios.push_back(own_ns.back() / limit_ns.back());
  };
  const auto now = row.clock == Clock::kCpu ? &ThreadCpuNow : &RealNow;
  while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(batch))) {
    state.PauseTiming();
    own->Before(batch);
    state.ResumeTiming();
    const int64_t begin = now();
    own->Run(batch);
    const int64_t end = now();
    state.PauseTiming();
    own->After(batch);
    note(static_cast<double>(end - begin) / static_cast<double>(batch));
    state.ResumeTiming();
  }
  while (own_ns.size() < row.batches) note(TimedNs(own.get(), batch, row.clock));
  state.counters["own_ns"] = Percentile(own_ns, 0.5);
  state.counters["per_s"] = 1e9 / Percentile(own_ns, 0.5);
  if (row.batches != 0) state.counters["first_per_s"] = 1e9 / own_ns.front();
  if (limit != nullptr) {
    state.counters["limit_ns"] = Percentile(limit_ns, 0.5);
    state.counters["ratio"] = Percentile(ratios, 0.5);
  }
}

// One operation of its own for each thread; those of the library share one counter.
void RunTeam(benchmark::State& state, const char* name) {
  static std::vector<std::unique_ptr<Operation>> team;
  if (state.thread_index() == 0) {
    for (int i = 0; i < state.threads(); ++i) team.push_back(MakeOperation(name));
  }
  // The first call waits for all threads, hence for the team.
  while (state.KeepRunningBatch(4096)) {
    team[static_cast<size_t>(state.thread_index())]->Run(4096);
  }
  // And the last one for all threads to end.
  if (state.thread_index() == 0) team.clear();
}

// --- What a second thread gains ------------------------------------------------------------------

// Nanoseconds for `count` operations on each of the first `threads` of the pair.
double SliceNs(std::unique_ptr<Operation>* pair, int threads, size_t count) {
  std::atomic<int> ready{0};
  std::thread second;
  if (threads == 2) {
    second = std::thread([&] {
      ready.fetch_add(1);
      while (ready.load() < 2) {
      }
      pair[1]->Run(count);
    });
    while (ready.load() < 1) std::this_thread::yield();
  }
  const int64_t begin = RealNow();
  ready.fetch_add(1);
  pair[0]->Run(count);
  if (second.joinable()) second.join();
  return static_cast<double>(RealNow() - begin);
}

// The best of many short slices: on a machine that does other things too, only those tell what the
// work itself costs.
void RunTwoThreads(benchmark::State& state, const char* name, size_t count) {
  constexpr int kRounds = 20;
  constexpr size_t kLimitCount = 40'000;
  std::unique_ptr<Operation> own[2] = {MakeOperation(name), MakeOperation(name)};
  std::unique_ptr<Operation> limit[2] = {MakeOperation("limit_two_threads"),
                                         MakeOperation("limit_two_threads")};
  double best[4] = {1e18, 1e18, 1e18, 1e18};
  for (auto _ : state) {
    for (int round = 0; round < kRounds; ++round) {
      best[0] = std::min(best[0], SliceNs(own, 1, count));
      best[1] = std::min(best[1], SliceNs(own, 2, count));
      best[2] = std::min(best[2], SliceNs(limit, 1, kLimitCount));
      best[3] = std::min(best[3], SliceNs(limit, 2, kLimitCount));
    }
  }
  const double gain = 2 * best[0] / best[1];
  const double limit_gain = 2 * best[2] / best[3];
  state.counters["gain"] = gain;
  state.counters["limit_gain"] = limit_gain;
  state.counters["ratio"] = gain / limit_gain;
  state.counters["one_thread_per_s"] = 1e9 * static_cast<double>(count) / best[0];
  state.counters["both_threads_per_s"] = 2e9 * static_cast<double>(count) / best[1];
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const Row& row : kRows) {
    benchmark::RegisterBenchmark(row.name, [&row](benchmark::State& state) { RunRow(state, row); });
  }
  const auto team = [](const char* name, const char* operation) {
    benchmark::RegisterBenchmark(
        name, [operation](benchmark::State& state) { RunTeam(state, operation); })
        ->Threads(1)
        ->Threads(2);
  };
  team("limit_two_threads", "limit_two_threads");
  team("lock_shared/freehold", "lock_shared/freehold");
  team("lock_shared/std", "lock_shared/std");
  team("lock_shared/absl", "lock_shared/absl");
  team("by_id_pair/1000000", "by_id_pair/1000000");
  team("lifecycle/3", "lifecycle_unpumped/3");
  const auto gain = [](const char* name, const char* operation, size_t count) {
    benchmark::RegisterBenchmark(name, [operation, count](benchmark::State& state) {
      RunTwoThreads(state, operation, count);
    })->Unit(benchmark::kMillisecond);
  };
  gain("two_threads_gain/by_id_pair", "by_id_pair/1000000", 20'000);
  gain("two_threads_gain/lifecycle_3", "lifecycle_unpumped/3", 4'000);
  gain("two_threads_gain/task_refs", "task_refs/10", 4'000);
  return true;
}();

}  // namespace

}  // namespace freehold::bench
