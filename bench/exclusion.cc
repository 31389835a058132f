// A node is excluded: 10,000 objects have a copy on it, the others do not.

#include "bench/operation.h"
#include "bench/timing.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"

namespace freehold::bench {

namespace {

constexpr size_t kOnNode = 10'000;
constexpr size_t kOtherNodes = 99;

// Timed: the announcement and the pump turns that take the node's copies out, with cold caches.
// Each turn excludes a node of its own, on which 10,000 random objects were given a secondary copy.
void NodeExcluded(benchmark::State& state, size_t objects) {
  Owner owner(Owner::Wiring::kNullTransport);
  std::vector<ObjectId> ids;
  std::vector<ObjectRef> refs;
  for (size_t i = 0; i < objects; ++i) {
    ids.push_back(MakeId(IdKind::kRandom, i));
    const NodeId node = NodeNumber(i % kOtherNodes);
    refs.push_back(owner.Put(ids.back(), &node, 1));
  }
  owner.transport().KeepPayloads(false);
  const std::unique_ptr<Operation> touch = MakeOperation("limit_touch/10000");
  internal::SplitMix64 random(5);
  std::vector<double> own_ms;
  std::vector<double> ratios;
  std::vector<double> limit_ms;
  uint64_t number = kOtherNodes;
  for (auto _ : state) {
    state.PauseTiming();
    const NodeId node = NodeNumber(number++);
    const Location location = SecondaryOn(node);
    for (size_t added = 0; added < kOnNode; ++added) {
      (void)owner.counter().AddLocation(ids[random.Next() % objects], location);
    }
    owner.Pump();
    touch->Before(kOnNode);
    const int64_t begin = ThreadCpuNow();
    touch->Run(kOnNode);
    limit_ms.push_back(static_cast<double>(ThreadCpuNow() - begin) / 1e6);
    EvictCaches();
    state.ResumeTiming();
    const int64_t announced = ThreadCpuNow();
    owner.membership().Exclude({Address(node)});
    owner.Pump();
    own_ms.push_back(static_cast<double>(ThreadCpuNow() - announced) / 1e6);
    ratios.push_back(own_ms.back() / limit_ms.back());
  }
  state.counters["own_ms"] = Percentile(own_ms, 0.5);
  state.counters["limit_ms"] = Percentile(limit_ms, 0.5);
  state.counters["ratio"] = Percentile(ratios, 0.5);
}

void NodeExcludedOfMany(benchmark::State& state) { NodeExcluded(state, 1'000'000); }
BENCHMARK(NodeExcludedOfMany)->Name("node_excluded")->Unit(benchmark::kMillisecond);
// The same 10,000, with a tenth of the others.
void NodeExcludedOfFew(benchmark::State& state) { NodeExcluded(state, 100'000); }
BENCHMARK(NodeExcludedOfFew)->Name("node_excluded_of_few")->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace freehold::bench
