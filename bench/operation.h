// An operation to be measured: what is measured, apart from what makes it possible.
//
// The same operations are timed (benchmarks.cc), counted in instructions (instructions.cc) and
// counted in allocations (memory.cc), so that the three speak of the same thing.
//
// Thread safety: thread-compatible. What several operations share (a counter) is thread-safe.

#ifndef FREEHOLD_BENCH_OPERATION_H_
#define FREEHOLD_BENCH_OPERATION_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace freehold::bench {

class Operation {
 public:
  virtual ~Operation() = default;
  // Not measured: prepares for Run(count).
  virtual void Before(size_t /*count*/) {}
  // Measured: does it `count` times.
  virtual void Run(size_t count) = 0;
  // Not measured: cleans up after Run(count).
  virtual void After(size_t /*count*/) {}
  // How many are done between Before and After.
  virtual size_t batch() const { return 4096; }
};

// By name, e.g. "by_id_pair/1000000" or "limit_atomic_pair"; null for an unknown one. The list of
// names is in operations.cc.
std::unique_ptr<Operation> MakeOperation(std::string_view name);

// Objects that stand around in the operations whose name does not say how many: a million. Lowered
// where everything is slow, under callgrind.
size_t ManyObjects();
void SetManyObjects(size_t count);

// The makers, by file; `argument` is what stands behind the first slash.
std::unique_ptr<Operation> MakeReferenceOperation(std::string_view name, std::string_view argument);
std::unique_ptr<Operation> MakeLifecycleOperation(std::string_view name, std::string_view argument);
std::unique_ptr<Operation> MakeCallbackOperation(std::string_view name, std::string_view argument);
std::unique_ptr<Operation> MakeSharingOperation(std::string_view name, std::string_view argument);
std::unique_ptr<Operation> MakeCodecOperation(std::string_view name, std::string_view argument);
std::unique_ptr<Operation> MakeGrowthOperation(std::string_view name, std::string_view argument);
std::unique_ptr<Operation> MakeLimitOperation(std::string_view name, std::string_view argument);

// The number at the start of `text`; `otherwise` when there is none.
size_t NumberIn(std::string_view text, size_t otherwise);

}  // namespace freehold::bench

#endif  // FREEHOLD_BENCH_OPERATION_H_
