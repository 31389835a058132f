// memory_per_object/KIND: what malloc has handed out, per object. freehold_memory is more exact,
// and does it for several numbers of objects.

#include "bench/counting_new.h"
#include "bench/memory_kinds.h"
#include "benchmark/benchmark.h"

namespace freehold::bench {

namespace {

void MemoryPerObject(benchmark::State& state, const char* kind) {
  constexpr size_t kObjects = 1'000'000;
  double bytes = 0;
  for (auto _ : state) {
    ObjectsOfKind objects(kind, kObjects);
    const int64_t before = CountedBytes();
    SetCounting(true);
    objects.Declare();
    SetCounting(false);
    bytes = static_cast<double>(CountedBytes() - before) / static_cast<double>(kObjects);
  }
  state.counters["bytes_per_object"] = bytes;
}
BENCHMARK_CAPTURE(MemoryPerObject, plain, "plain")->Name("memory_per_object/plain");
BENCHMARK_CAPTURE(MemoryPerObject, locations3, "locations3")->Name("memory_per_object/locations3");
BENCHMARK_CAPTURE(MemoryPerObject, callback, "callback")->Name("memory_per_object/callback");
BENCHMARK_CAPTURE(MemoryPerObject, callsite, "callsite")->Name("memory_per_object/callsite");
BENCHMARK_CAPTURE(MemoryPerObject, borrower, "borrower")->Name("memory_per_object/borrower");
BENCHMARK_CAPTURE(MemoryPerObject, scope, "scope")->Name("memory_per_object/scope");

}  // namespace

}  // namespace freehold::bench
