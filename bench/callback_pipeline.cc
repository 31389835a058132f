// A pipeline: ten real node agents with stores, producer and consumer on different nodes, each
// object's reference dropped as its consumer ends.

#include <array>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "bench/timing.h"
#include "bench/workload.h"
#include "benchmark/benchmark.h"
#include "freehold/node_agent.h"

namespace freehold::bench {

namespace {

constexpr size_t kNodes = 10;
constexpr size_t kObjects = 50'000;
constexpr size_t kInFlight = 256;  // objects between producer and consumer

// Holds sizes instead of bytes.
class MemoryStore final : public ObjectStore {
 public:
  void Put(const ObjectId& object, uint64_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    objects_[object] = size;
  }
  std::vector<absl::Status> Delete(absl::Span<const CopyToDelete> copies) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const CopyToDelete& copy : copies) objects_.erase(copy.object);
    return std::vector<absl::Status>(copies.size());
  }
  size_t size() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return objects_.size();
  }

 private:
  mutable std::mutex mutex_;
  absl::flat_hash_map<ObjectId, uint64_t> objects_;
};

struct Node {
  MemoryStore store;
  std::unique_ptr<NodeAgent> agent;
};

class Pipeline {
 public:
  Pipeline() : ids_(kObjects), refs_(kObjects), dropped_(kObjects), latency_(kObjects) {
    auto executor = CallbackThread::Start({});
    ReferenceCounterOptions options;
    options.process = ProcessId::FromNumber(1);
    options.transport = &transport_;
    options.executor = *executor;
    options.start_pump_thread = true;
    auto counter = ReferenceCounter::Create(options);
    Require(counter.ok(), "no counter");
    counter_ = *std::move(counter);
    transport_.Connect(options.process, counter_->inbox());
    for (size_t i = 0; i < kNodes; ++i) {
      NodeAgentOptions node;
      node.node = NodeNumber(i);
      node.store = &nodes_[i].store;
      node.transport = &transport_;
      node.start_pump_thread = true;
      auto agent = NodeAgent::Create(node);
      Require(agent.ok(), "no node agent");
      nodes_[i].agent = *std::move(agent);
      transport_.Connect(node.node, nodes_[i].agent->inbox());
    }
    for (size_t i = 0; i < kObjects; ++i) ids_[i] = MakeId(IdKind::kRandom, i);
  }

  // Until the last callback has run.
  void Run() {
    for (size_t i = 0; i < kObjects + kInFlight; ++i) {
      if (i < kObjects) Produce(i);
      if (i >= kInFlight) Consume(i - kInFlight);
    }
    while (called_.load(std::memory_order_acquire) < kObjects) std::this_thread::yield();
  }

  // Until every record is gone and every copy deleted. A copy may outlive its record: its report
  // then comes late, and is answered with a free.
  void WaitReclaimed() {
    const int64_t deadline = RealNow() + int64_t{60'000'000'000};
    while (counter_->GetStats().objects > 0 || CopiesLeft() > 0) {
      Require(RealNow() < deadline, "the pipeline is never reclaimed, or a copy was leaked");
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  }

  const std::vector<int64_t>& latency() const { return latency_; }
  double envelopes() const {
    return static_cast<double>(counter_->GetStats().sessions.envelopes_sent);
  }

 private:
  size_t CopiesLeft() const {
    size_t sum = 0;
    for (const Node& node : nodes_) sum += node.store.size();
    return sum;
  }
  void Produce(size_t i) {
    absl::StatusOr<ObjectRef> ref = counter_->Declare(ids_[i]);
    Require(ref.ok(), "declare failed");
    refs_[i] = *std::move(ref);
    const auto taken = counter_->OnOutOfScope(ids_[i], [this, i](const ObjectId&, EndReason) {
      latency_[i] = RealNow() - dropped_[i];
      called_.fetch_add(1, std::memory_order_release);
    });
    Require(taken.ok(), "a registration was refused");
    AddCopy(i, i % kNodes, CopyRole::kPrimary);
  }
  void Consume(size_t i) {
    absl::StatusOr<TaskReferences> task = counter_->SubmitTask(absl::MakeConstSpan(&ids_[i], 1));
    Require(task.ok(), "a task was refused");
    AddCopy(i, (i + 3) % kNodes, CopyRole::kSecondary);
    refs_[i].Reset();
    dropped_[i] = RealNow();
    task->End();
  }
  void AddCopy(size_t i, size_t node, CopyRole role) {
    nodes_[node].store.Put(ids_[i], 1024);
    Require(nodes_[node].agent->AddCopy({ids_[i], 0, counter_->process(), role, 1024}).ok(),
            "a copy was refused");
  }

  LocalTransport transport_;
  std::array<Node, kNodes> nodes_;
  std::unique_ptr<ReferenceCounter> counter_;
  std::vector<ObjectId> ids_;
  std::vector<ObjectRef> refs_;
  std::vector<int64_t> dropped_;
  std::vector<int64_t> latency_;
  std::atomic<size_t> called_{0};
};

void CallbackPipeline(benchmark::State& state) {
  std::vector<double> per_s;
  std::vector<double> reclaimed_per_s;
  std::vector<int64_t> latency;
  double envelopes = 0;
  for (auto _ : state) {
    state.PauseTiming();
    {
      Pipeline pipeline;
      state.ResumeTiming();
      const int64_t begin = RealNow();
      pipeline.Run();
      const int64_t called = RealNow();
      state.PauseTiming();
      pipeline.WaitReclaimed();
      per_s.push_back(PerSecond(kObjects, called - begin));
      reclaimed_per_s.push_back(PerSecond(kObjects, RealNow() - begin));
      latency.insert(latency.end(), pipeline.latency().begin(), pipeline.latency().end());
      envelopes = pipeline.envelopes();
    }
    state.ResumeTiming();
  }
  state.counters["objects_per_s"] = Percentile(per_s, 0.5);
  state.counters["reclaimed_per_s"] = Percentile(reclaimed_per_s, 0.5);
  state.counters["p50_us"] = static_cast<double>(Percentile(latency, 0.5)) / 1000;
  state.counters["p99_us"] = static_cast<double>(Percentile(latency, 0.99)) / 1000;
  state.counters["envelopes"] = envelopes;
}
BENCHMARK(CallbackPipeline)->Name("callback_pipeline")->Unit(benchmark::kMillisecond);

}  // namespace

}  // namespace freehold::bench
