// freehold_growth OPERATION: nanoseconds per operation, the best of several batches.
//
// The best one, in time of the thread on a processor: on a machine that does other things too, only
// that one tells what the work itself costs.

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "bench/operation.h"
#include "bench/second_thread.h"
#include "bench/timing.h"
#include "bench/workload.h"

namespace freehold::bench {

namespace {

void Main(const char* name) {
  constexpr int kBatchesLeast = 5;
  constexpr int kBatchesMost = 200;
  constexpr int64_t kLongEnough = 2'000'000'000;
  const SecondThread second_thread;
  const std::unique_ptr<Operation> operation = MakeOperation(name);
  Require(operation != nullptr, "no such operation");
  const size_t batch = operation->batch();
  int64_t best = INT64_MAX;
  int64_t total = 0;
  for (int i = 0; i <= kBatchesMost && (i <= kBatchesLeast || total < kLongEnough); ++i) {
    operation->Before(batch);
    const int64_t begin = ThreadCpuNow();
    operation->Run(batch);
    const int64_t took = ThreadCpuNow() - begin;
    operation->After(batch);
    if (i == 0) continue;  // warms up
    best = std::min(best, took);
    total += took;
  }
  std::printf("%.1f\n", static_cast<double>(best) / static_cast<double>(batch));
}

}  // namespace

}  // namespace freehold::bench

int main(int argc, char** argv) {
  freehold::bench::Require(argc == 2, "usage: freehold_growth OPERATION");
  freehold::bench::Main(argv[1]);
  std::fflush(stdout);
  std::_Exit(0);  // what stands around is not worth the time
}
