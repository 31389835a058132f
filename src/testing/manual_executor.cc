#include "freehold/testing/manual_executor.h"

#include <deque>
#include <optional>
#include <utility>

#include "src/base/mutex.h"

namespace freehold::testing {

using internal::Mutex;
using internal::MutexLock;

struct ManualExecutor::Rep {
  std::optional<CallbackJob> Take() FREEHOLD_EXCLUDES(mutex);

  Mutex mutex;
  std::deque<CallbackJob> jobs FREEHOLD_GUARDED_BY(mutex);
  bool refusing FREEHOLD_GUARDED_BY(mutex) = false;
  uint64_t refused FREEHOLD_GUARDED_BY(mutex) = 0;
  uint64_t ran FREEHOLD_GUARDED_BY(mutex) = 0;
  uint64_t threw FREEHOLD_GUARDED_BY(mutex) = 0;
};

std::optional<CallbackJob> ManualExecutor::Rep::Take() {
  MutexLock lock(&mutex);
  if (jobs.empty()) return std::nullopt;
  std::optional<CallbackJob> job(std::move(jobs.front()));
  jobs.pop_front();
  return job;
}

ManualExecutor::ManualExecutor() : rep_(std::make_unique<Rep>()) {}
ManualExecutor::~ManualExecutor() = default;

bool ManualExecutor::Post(CallbackJob job) {
  MutexLock lock(&rep_->mutex);
  if (rep_->refusing) {
    ++rep_->refused;
    return false;  // the job is destroyed with our argument, after the lock
  }
  rep_->jobs.push_back(std::move(job));
  return true;
}

bool ManualExecutor::RunOne() {
  std::optional<CallbackJob> job = rep_->Take();
  if (!job.has_value()) return false;
  const bool returned = job->Run();
  {
    MutexLock lock(&rep_->mutex);
    ++rep_->ran;
    if (!returned) ++rep_->threw;
  }
  return true;
}

size_t ManualExecutor::RunAll() {
  size_t count = 0;
  while (RunOne()) ++count;
  return count;
}

size_t ManualExecutor::DropAll() {
  std::deque<CallbackJob> dropped;
  {
    MutexLock lock(&rep_->mutex);
    dropped.swap(rep_->jobs);
  }
  return dropped.size();
}

void ManualExecutor::SetRefusing(bool refusing) {
  MutexLock lock(&rep_->mutex);
  rep_->refusing = refusing;
}

size_t ManualExecutor::size() const {
  MutexLock lock(&rep_->mutex);
  return rep_->jobs.size();
}

std::vector<ObjectId> ManualExecutor::waiting() const {
  MutexLock lock(&rep_->mutex);
  std::vector<ObjectId> objects;
  for (const CallbackJob& job : rep_->jobs) objects.push_back(job.object());
  return objects;
}

uint64_t ManualExecutor::refused() const {
  MutexLock lock(&rep_->mutex);
  return rep_->refused;
}

uint64_t ManualExecutor::ran() const {
  MutexLock lock(&rep_->mutex);
  return rep_->ran;
}

uint64_t ManualExecutor::threw() const {
  MutexLock lock(&rep_->mutex);
  return rep_->threw;
}

}  // namespace freehold::testing
