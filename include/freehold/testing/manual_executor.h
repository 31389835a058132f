// ManualExecutor: callbacks run when a test says so, in the thread that says so.
//
// Thread safety: thread-safe. Jobs run and are destroyed with no lock held, so a callback may post,
// run or drop others. Ownership: owns the jobs that wait; they are dropped with it.
// Blocks: RunOne and RunAll as long as the callbacks do.

#ifndef FREEHOLD_TESTING_MANUAL_EXECUTOR_H_
#define FREEHOLD_TESTING_MANUAL_EXECUTOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "freehold/callback_executor.h"
#include "freehold/ids.h"

namespace freehold::testing {

class ManualExecutor final : public CallbackExecutor {
 public:
  ManualExecutor();
  ~ManualExecutor() override;
  ManualExecutor(const ManualExecutor&) = delete;
  ManualExecutor& operator=(const ManualExecutor&) = delete;

  // Queues the job; false, and the job is dropped, while refusing.
  bool Post(CallbackJob job) override;

  // Runs the oldest job. False when there was none.
  bool RunOne();
  // Runs jobs, oldest first, until none is left, those posted meanwhile included. Answers how many.
  size_t RunAll();
  // Destroys every waiting job without running it. Answers how many.
  size_t DropAll();
  // Behaves as an executor that has stopped, until told otherwise. What waits stays.
  void SetRefusing(bool refusing);

  size_t size() const;                    // jobs that wait
  std::vector<ObjectId> waiting() const;  // their objects, oldest first
  uint64_t refused() const;               // so far
  uint64_t ran() const;                   // so far, throwing ones included
  uint64_t threw() const;                 // so far

 private:
  struct Rep;
  const std::unique_ptr<Rep> rep_;
};

}  // namespace freehold::testing

#endif  // FREEHOLD_TESTING_MANUAL_EXECUTOR_H_
