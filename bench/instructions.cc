// freehold_instructions OPERATION BATCHES [OBJECTS]: runs an operation for callgrind to count.
//
// One batch is run to warm up; what is counted happens inside freehold_measured, the name that
// instructions.sh gives to callgrind. Prints how many operations that were. OBJECTS is the number
// of objects that stand around where the operation's name does not say; default 100,000.

#include <cstdio>
#include <cstdlib>

#include "bench/operation.h"
#include "bench/second_thread.h"
#include "bench/workload.h"

extern "C" __attribute__((noinline)) void freehold_measured(freehold::bench::Operation* operation,
                                                            size_t count) {
  operation->Run(count);
  asm volatile("" ::: "memory");  // keeps this a call of its own
}

namespace freehold::bench {

namespace {

void Main(int argc, char** argv) {
  Require(argc >= 3, "usage: freehold_instructions OPERATION BATCHES [OBJECTS]");
  const SecondThread second_thread;
  const size_t batches = NumberIn(argv[2], 1);
  SetManyObjects(argc > 3 ? NumberIn(argv[3], 0) : 100'000);
  const std::unique_ptr<Operation> operation = MakeOperation(argv[1]);
  Require(operation != nullptr, "no such operation");
  const size_t batch = operation->batch();
  operation->Before(batch);
  operation->Run(batch);
  operation->After(batch);
  for (size_t i = 0; i < batches; ++i) {
    operation->Before(batch);
    freehold_measured(operation.get(), batch);
    operation->After(batch);
  }
  std::printf("%zu\n", batches * batch);
}

}  // namespace

}  // namespace freehold::bench

int main(int argc, char** argv) {
  freehold::bench::Main(argc, argv);
  // What is left is not worth the time that it takes under callgrind.
  std::fflush(stdout);
  std::_Exit(0);
}
