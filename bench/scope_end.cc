// A scope of N objects with two copies each on a hundred nodes ends, beside dropping them one by
// one by handle.

#include "bench/timing.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"

namespace freehold::bench {

namespace {

constexpr size_t kCopies = 2;
constexpr size_t kNodes = 100;

struct Cost {
  double ns = 0;  // of an object, until every free is in an envelope
  uint64_t envelopes = 0;
  double begin_us = 0;  // what the caller of the end pays at once
};

// `scope`: they are in one that holds them, and it ends. Otherwise their handles are dropped.
Cost EndAll(const std::vector<ObjectId>& ids, const std::vector<NodeId>& nodes, bool in_scope) {
  Owner owner(Owner::Wiring::kNullTransport);
  ScopeOptions options;
  options.hold = true;
  Scope scope = owner.counter().OpenScope(options).value();
  std::vector<ObjectRef> refs;
  {
    const ScopeId before = owner.counter().BindScope(in_scope ? scope.id() : ScopeId());
    for (size_t i = 0; i < ids.size(); ++i) {
      ObjectRef ref = owner.Put(ids[i], &nodes[i * kCopies], kCopies);
      if (!in_scope) refs.push_back(std::move(ref));
    }
    (void)owner.counter().BindScope(before);
  }
  Cost cost;
  const int64_t begin = ThreadCpuNow();
  Require(!in_scope || scope.End().ok(), "the scope does not end");
  cost.begin_us = static_cast<double>(ThreadCpuNow() - begin) / 1e3;
  refs.clear();
  owner.Pump();
  cost.ns = static_cast<double>(ThreadCpuNow() - begin) / static_cast<double>(ids.size());
  cost.envelopes = owner.transport().envelopes();
  Require(owner.counter().GetStats().frees_in_flight == ids.size() * kCopies,
          "a free was not sent");
  owner.Settle();
  Require(owner.counter().GetStats().objects == 0, "an object is left");
  Require(!in_scope || scope.GetStatus()->state == ScopeState::kDone, "the scope is not done");
  return cost;
}

void ScopeEnds(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  std::vector<ObjectId> ids;
  std::vector<NodeId> nodes(count * kCopies);
  for (size_t i = 0; i < count; ++i) {
    ids.push_back(MakeId(IdKind::kRandom, i));
    PickNodes(i, kCopies, kNodes, &nodes[i * kCopies]);
  }
  std::vector<double> scope_ns;
  std::vector<double> single_ns;
  std::vector<double> ratios;
  Cost cost;
  Cost singly;
  for (auto _ : state) {
    cost = EndAll(ids, nodes, /*in_scope=*/true);
    singly = EndAll(ids, nodes, /*in_scope=*/false);
    scope_ns.push_back(cost.ns);
    single_ns.push_back(singly.ns);
    ratios.push_back(cost.ns / singly.ns);
  }
  state.counters["envelopes"] = static_cast<double>(cost.envelopes);
  state.counters["envelopes_singly"] = static_cast<double>(singly.envelopes);
  state.counters["caller_us"] = cost.begin_us;
  state.counters["own_ns"] = Percentile(scope_ns, 0.5);
  state.counters["singly_ns"] = Percentile(single_ns, 0.5);
  state.counters["ratio"] = Percentile(ratios, 0.5);
}
BENCHMARK(ScopeEnds)->Name("scope_end")->Arg(1'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace freehold::bench
