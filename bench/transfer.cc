// Transfer of ownership: many objects with three borrowers each get another owner.

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/timing.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/transfer.h"

namespace freehold::bench {

namespace {

constexpr uint64_t kBorrowers = 3;
constexpr uint64_t kOwner = 0;
constexpr uint64_t kNextOwner = 1;
constexpr uint64_t kFirstBorrower = 2;
constexpr uint64_t kLate = kFirstBorrower + kBorrowers;  // who has a token of the former owner
constexpr uint64_t kProcesses = kLate + 1;
constexpr size_t kLateTokens = 10'000;

ProcessId ProcessNumber(uint64_t number) { return ProcessId::FromNumber(number + 1); }

// Delivers at once and counts.
class CountingTransport final : public Transport {
 public:
  void Send(Envelope envelope) override {
    ++envelopes;
    bytes += envelope.bytes.size();
    local.Send(std::move(envelope));
  }
  LocalTransport local;
  uint64_t envelopes = 0;
  uint64_t bytes = 0;
};

class Cluster {
 public:
  Cluster() {
    for (uint64_t i = 0; i < kProcesses; ++i) {
      ReferenceCounterOptions options;
      options.process = ProcessNumber(i);
      options.transport = &transport;
      options.clock = &clock_;
      options.seed = i + 1;
      auto made = ReferenceCounter::Create(options);
      Require(made.ok(), "no counter");
      counters.push_back(*std::move(made));
      transport.local.Connect(options.process, counters.back()->inbox());
    }
  }
  void Settle() {
    for (bool due = true; due;) {
      due = false;
      for (const auto& counter : counters) {
        if (counter->NextDeadline() > clock_.Now()) continue;
        counter->Pump(clock_.Now());
        due = true;
      }
    }
  }
  std::string TokenFor(const ObjectId& object, uint64_t receiver) {
    auto exported = counters[kOwner]->Export(object, ProcessNumber(receiver));
    Require(exported.ok(), "no token");
    return std::move(exported->token);
  }
  ObjectRef Import(uint64_t process, const std::string& token) {
    auto ref = counters[process]->Import(token);
    Require(ref.ok(), "a token is refused");
    return *std::move(ref);
  }

  CountingTransport transport;
  std::vector<std::unique_ptr<ReferenceCounter>> counters;

 private:
  testing::ManualClock clock_{Time(std::chrono::seconds(1))};
};

// Timed: from the call until everybody knows the next owner, all six processes on this thread.
// Reported besides: what one late registration at the former owner costs, until it is confirmed by
// the next one.
void TransferAll(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  const size_t late = std::min(count, kLateTokens);
  std::vector<double> per_second;
  std::vector<double> late_ns;
  double envelopes = 0;
  double bytes = 0;
  double late_bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    {
      Cluster cluster;
      std::vector<ObjectId> ids;
      std::vector<ObjectRef> refs;
      std::vector<std::string> tokens;
      for (size_t i = 0; i < count; ++i) {
        ids.push_back(MakeId(IdKind::kRandom, i));
        auto ref = cluster.counters[kOwner]->Declare(ids[i]);
        Require(ref.ok(), "no object");
        refs.push_back(*std::move(ref));
        for (uint64_t b = 0; b < kBorrowers; ++b) {
          const uint64_t borrower = kFirstBorrower + b;
          refs.push_back(cluster.Import(borrower, cluster.TokenFor(ids[i], borrower)));
        }
        if (i < late) tokens.push_back(cluster.TokenFor(ids[i], kLate));
        if (i % 4096 == 0) cluster.Settle();
      }
      cluster.Settle();
      const uint64_t envelopes_before = cluster.transport.envelopes;
      const uint64_t bytes_before = cluster.transport.bytes;
      state.ResumeTiming();
      const int64_t begin = ThreadCpuNow();
      Require(Ownership(*cluster.counters[kOwner]).Transfer(ids, ProcessNumber(kNextOwner)).ok(),
              "the transfer is refused");
      cluster.Settle();
      const int64_t end = ThreadCpuNow();
      state.PauseTiming();
      Require(cluster.counters[kNextOwner]->CountObjects().in_scope() == count, "not all moved");
      Require(Ownership(*cluster.counters[kOwner]).pending() == 0, "not everybody knows");
      per_second.push_back(PerSecond(count, end - begin));
      envelopes = static_cast<double>(cluster.transport.envelopes - envelopes_before);
      bytes = static_cast<double>(cluster.transport.bytes - bytes_before);
      const uint64_t late_before = cluster.transport.bytes;
      const int64_t late_begin = ThreadCpuNow();
      for (const std::string& token : tokens) refs.push_back(cluster.Import(kLate, token));
      cluster.Settle();
      const int64_t late_end = ThreadCpuNow();
      late_ns.push_back(static_cast<double>(late_end - late_begin) / static_cast<double>(late));
      late_bytes = static_cast<double>(cluster.transport.bytes - late_before);
      Require(cluster.counters[kNextOwner]->GetStats().borrowers == count * 4 + late,
              "somebody is not listed");
    }
    state.ResumeTiming();
  }
  const auto objects = static_cast<double>(count);
  state.counters["objects_per_s"] = Percentile(per_second, 0.5);
  state.counters["envelopes"] = envelopes;
  state.counters["bytes_per_object"] = bytes / objects;
  state.counters["late_ns"] = Percentile(late_ns, 0.5);
  state.counters["late_bytes"] = late_bytes / static_cast<double>(late);
}
BENCHMARK(TransferAll)
    ->Name("transfer")
    ->Arg(10'000)
    ->Arg(1'000'000)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace freehold::bench
