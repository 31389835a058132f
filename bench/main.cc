// freehold_bench: the timed benchmarks.

#include "bench/second_thread.h"
#include "benchmark/benchmark.h"

int main(int argc, char** argv) {
  const freehold::bench::SecondThread second_thread;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
