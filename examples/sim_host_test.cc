// How a host tests its own reference counting in a SimWorld. Here: a runtime that retries tasks. A
// task's argument must stay until nothing can ask for it again, and go then, whatever the network
// does meanwhile.

#include <iostream>

#include "freehold/testing/sim_world.h"

namespace {

using namespace freehold;  // NOLINT(google-build-using-namespace)
using freehold::testing::SimWorld;
using freehold::testing::SimWorldOptions;

// The host's code that is to be tested.
class RetriedTask {
 public:
  RetriedTask(ReferenceCounter* counter, const ObjectId& argument)
      : references_(counter->SubmitTask({argument}).value()) {}
  void Fails() {
    if (--tries_left_ == 0) references_.End();
  }

 private:
  TaskReferences references_;
  int tries_left_ = 2;
};

bool ArgumentStaysForTheRetry(uint64_t seed) {
  SimWorldOptions options;
  options.seed = seed;
  options.network.loss = options.network.duplication = options.network.reordering = 15;  // percent
  SimWorld world(options);
  const ObjectId argument = ObjectId::FromNumber(42);
  ObjectRef ref = world.process(1)->Declare(argument).value();
  bool good = world.Store(1, {argument, 0, world.process_id(1), CopyRole::kPrimary, 4096}).ok();
  RetriedTask task(world.process(1), argument);
  ref.Reset();  // from here on only the task holds it

  task.Fails();
  good = world.Run("partition p1 n1\n settle\n heal\n settle").ok() && good;
  good = world.HasCopy(1, argument) && good;
  task.Fails();  // for the last time
  good = world.Settle() && !world.HasCopy(1, argument) && good;
  good = world.Run("finish").ok() && good;  // the world's own checks: nothing is left anywhere
  if (!world.violation().empty()) std::cout << world.violation() << "\n" << world.Trace();
  return good && world.violation().empty();
}

}  // namespace

int main() {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    if (ArgumentStaysForTheRetry(seed)) continue;
    std::cout << "seed " << seed << " fails\n";
    return 1;
  }
  std::cout << "200 seeds: the argument stays for the retry and goes after it\n";
}
