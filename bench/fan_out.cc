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

// What one life of all of them came to.
struct Life {
  double whole = 0;         // objects per second: all but the answers
  double release = 0;       // from the drop
  double until_result = 0;  // release, and the answers
  uint64_t envelopes = 0;
  uint64_t bytes = 0;
};

// Timed: declaring, adding, releasing by handle in order of declaration, and the pump turns that
// put every free into an envelope and take the acknowledgements. Timed apart: the pump turns that
// take the nodes' answers, until every record is gone.
Life LiveOnce(Owner* owner, const std::vector<ObjectId>& ids, const std::vector<NodeId>& nodes,
              std::vector<ObjectRef>* refs) {
  const uint64_t envelopes = owner->transport().envelopes();
  const uint64_t bytes = owner->transport().bytes();
  const int64_t begin = ThreadCpuNow();
  for (size_t i = 0; i < kObjects; ++i) {
    PrefetchAt(owner->counter(), ids, i);
    refs->push_back(owner->Put(ids[i], &nodes[i * kCopies], kCopies));
  }
  const int64_t held = ThreadCpuNow();
  ResetAll(absl::MakeSpan(*refs));
  owner->Pump();
  const int64_t sent = ThreadCpuNow();
  refs->clear();
  Life life;
  life.envelopes = owner->transport().envelopes() - envelopes;
  life.bytes = owner->transport().bytes() - bytes;
  Require(owner->counter().GetStats().frees_in_flight == kObjects * kCopies, "a free was not sent");
  (void)owner->transport().AnswerKept();
  const int64_t answered = ThreadCpuNow();
  owner->Pump();
  const int64_t settled = ThreadCpuNow();
  Require(owner->counter().GetStats().objects == 0, "an object is left");
  life.whole = PerSecond(kObjects, sent - begin);
  life.release = PerSecond(kObjects, sent - held);
  life.until_result = PerSecond(kObjects, sent - held + settled - answered);
  return life;
}

// Two lives in one owner: in the first what is declared in a row lies in a row, in the second where
// the first has left room, as in a process that has run for a while.
void FreeFanout(benchmark::State& state) {
  std::vector<ObjectId> ids;
  for (size_t i = 0; i < kObjects; ++i) ids.push_back(MakeId(IdKind::kRandom, i));
  const std::vector<NodeId> nodes = PickAll();
  std::vector<ObjectRef> refs;
  refs.reserve(kObjects);
  Life first;
  Life second;
  for (auto _ : state) {
    Owner owner(Owner::Wiring::kNullTransport);
    first = LiveOnce(&owner, ids, nodes, &refs);
    second = LiveOnce(&owner, ids, nodes, &refs);
  }
  state.counters["envelopes"] = static_cast<double>(first.envelopes);
  state.counters["bytes"] = static_cast<double>(first.bytes);
  state.counters["objects_per_s_lifecycle"] = first.whole;
  state.counters["objects_per_s_release"] = first.release;
  state.counters["objects_per_s_until_last_result"] = first.until_result;
  state.counters["again_per_s_lifecycle"] = second.whole;
  state.counters["again_per_s_release"] = second.release;
  state.counters["again_per_s_until_last_result"] = second.until_result;
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
