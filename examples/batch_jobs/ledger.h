// The books of all stores of a run: what lies in them, whose it is, and how it left.
//
// Thread safety: for the driver's thread, which runs everything (cluster.h).

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_LEDGER_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_LEDGER_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "freehold/ids.h"
#include "job.h"

namespace batch_jobs {

class Ledger {
 public:
  // What the stores threw out for want of room.
  struct Evicted {
    uint64_t values = 0;
    uint64_t bytes = 0;
  };

  explicit Ledger(size_t jobs) : held_by_job_(jobs), evicted_by_job_(jobs) {}

  void Put(const freehold::ObjectId& object, uint64_t bytes) {
    ++values_;
    bytes_ += bytes;
    held_ += bytes;
    held_by_job_[JobOf(object)] += bytes;
    highest_ = std::max(highest_, held_);
    peak_ = std::max(peak_, held_);
  }
  void Deleted(const freehold::ObjectId& object, uint64_t bytes) {
    ++deleted_;
    Leave(object, bytes);
  }
  void Evict(const freehold::ObjectId& object, uint64_t bytes) {
    ++evicted_.values;
    evicted_.bytes += bytes;
    ++evicted_by_job_[JobOf(object)];
    Leave(object, bytes);
  }
  // A store was full: something had to be thrown out before a value could be put into it.
  void Overflow() { ++overflows_; }

  uint64_t values() const { return values_; }  // ever put into a store
  uint64_t bytes() const { return bytes_; }
  uint64_t held() const { return held_; }  // bytes
  uint64_t held_by(size_t job) const { return held_by_job_[job]; }
  uint64_t evicted_by(size_t job) const { return evicted_by_job_[job]; }  // values
  uint64_t peak() const { return peak_; }
  uint64_t deleted() const { return deleted_; }  // values, on behalf of their owner
  const Evicted& evicted() const { return evicted_; }
  uint64_t overflows() const { return overflows_; }
  // The most that was held since the last call.
  uint64_t TakeHighest() {
    const uint64_t highest = highest_;
    highest_ = held_;
    return highest;
  }

 private:
  void Leave(const freehold::ObjectId& object, uint64_t bytes) {
    held_ -= bytes;
    held_by_job_[JobOf(object)] -= bytes;
  }

  uint64_t values_ = 0;
  uint64_t bytes_ = 0;
  uint64_t held_ = 0;
  uint64_t highest_ = 0;
  uint64_t peak_ = 0;
  uint64_t deleted_ = 0;
  uint64_t overflows_ = 0;
  Evicted evicted_;
  std::vector<uint64_t> held_by_job_;
  std::vector<uint64_t> evicted_by_job_;
};

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_LEDGER_H_
