// Free fan-out: a million objects with four copies each on a hundred nodes go out of scope.

#include "bench/timing.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"

namespace freehold::bench {

namespace {

constexpr size_t kObjects = 1'000'000;
constexpr size_t kCopies = 4;
constexpr size_t kNodes = 100;

// Four distinct nodes at random for each object, made before anything is timed.
std::vector<NodeId> PickAll() {
  std::vector<NodeId> nodes(kObjects * kCopies);
  for (size_t i = 0; i < kObjects; ++i) PickNodes(i, kCopies, kNodes, &nodes[i * kCopies]);
  return nodes;
}

// Timed: declaring, adding, releasing by handle in order of declaration, and the pump turns that
// put every free into an envelope and take the acknowledgements. Not timed, but reported: the pump
// turns that take the nodes' answers, until every record is gone.
void FreeFanout(benchmark::State& state) {
  std::vector<ObjectId> ids;
  for (size_t i = 0; i < kObjects; ++i) ids.push_back(MakeId(IdKind::kRandom, i));
  const std::vector<NodeId> nodes = PickAll();
  std::vector<ObjectRef> refs;
  refs.reserve(kObjects);
  std::vector<double> whole;
  std::vector<double> release;
  std::vector<double> results;
  uint64_t envelopes = 0;
  uint64_t bytes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    {
      Owner owner(Owner::Wiring::kNullTransport);
      state.ResumeTiming();
      const int64_t begin = ThreadCpuNow();
      for (size_t i = 0; i < kObjects; ++i) {
        refs.push_back(owner.Put(ids[i], &nodes[i * kCopies], kCopies));
      }
      const int64_t held = ThreadCpuNow();
      ResetAll(absl::MakeSpan(refs));
      owner.Pump();
      const int64_t sent = ThreadCpuNow();
      state.PauseTiming();
      refs.clear();
      envelopes = owner.transport().envelopes();
      bytes = owner.transport().bytes();
      Require(owner.counter().GetStats().frees_in_flight == kObjects * kCopies,
              "a free was not sent");
      (void)owner.transport().AnswerKept();
      const int64_t answered = ThreadCpuNow();
      owner.Pump();
      const int64_t settled = ThreadCpuNow();
      Require(owner.counter().GetStats().objects == 0, "an object is left");
      whole.push_back(PerSecond(kObjects, sent - begin));
      release.push_back(PerSecond(kObjects, sent - held));
      results.push_back(PerSecond(kObjects, sent - held + settled - answered));
    }
    state.ResumeTiming();
  }
  state.counters["envelopes"] = static_cast<double>(envelopes);
  state.counters["bytes"] = static_cast<double>(bytes);
  state.counters["objects_per_s_lifecycle"] = Percentile(whole, 0.5);
  state.counters["objects_per_s_release"] = Percentile(release, 0.5);
  state.counters["objects_per_s_until_last_result"] = Percentile(results, 0.5);
}
BENCHMARK(FreeFanout)->Name("free_fanout")->Unit(benchmark::kMillisecond);

// One object dropped on an idle session, and 50,000 on one node: how many envelopes.
void FreeOneNode(benchmark::State& state) {
  const NodeId node = NodeNumber(0);
  const size_t count = static_cast<size_t>(state.range(0));
  std::vector<ObjectRef> refs;
  uint64_t envelopes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    Owner owner(Owner::Wiring::kNullTransport);
    for (size_t i = 0; i < count; ++i) refs.push_back(owner.Put(MakeId({}, i), &node, 1));
    state.ResumeTiming();
    refs.clear();
    owner.Pump();
    envelopes = owner.transport().envelopes();
  }
  state.counters["envelopes"] = static_cast<double>(envelopes);
}
BENCHMARK(FreeOneNode)->Name("free_one_node")->Arg(1)->Arg(50'000);

}  // namespace

}  // namespace freehold::bench
