// What happened while the jobs advanced: for charts.
//
// Time is how many of the jobs' values have been made, so that two runs over the same jobs have the
// same time line, and repeats of one the same history. The time line is cut into columns.
//
// Thread safety: for one thread.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_HISTORY_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_HISTORY_H_

#include <algorithm>
#include <cstdint>
#include <vector>

namespace batch_jobs {

struct Moment {
  uint64_t held = 0;       // bytes in the stores: the most in this column
  uint64_t evicted = 0;    // bytes thrown out so far
  uint64_t long_lost = 0;  // values so far that the long job needed and did not find
  uint64_t jobs_done = 0;  // short ones so far
};

class History {
 public:
  static constexpr size_t kColumns = 720;

  // `values`: those of all jobs.
  explicit History(uint64_t values) : values_(std::max<uint64_t>(values, 1)), moments_(kColumns) {}

  // REQUIRES: values_made never less than before. `now` is how it is then.
  void Add(uint64_t values_made, const Moment& now) {
    const size_t column = std::min<size_t>(values_made * kColumns / values_, kColumns - 1);
    // Columns in which nothing was looked at are as the one before.
    for (; last_ < column; ++last_) moments_[last_ + 1] = moments_[last_];
    const uint64_t held = column == current_ ? std::max(moments_[column].held, now.held) : now.held;
    current_ = column;
    moments_[column] = now;
    moments_[column].held = held;
  }

  // How many values were made when the column began.
  uint64_t ValuesAt(size_t column) const { return values_ * column / kColumns; }
  uint64_t values() const { return values_; }
  const std::vector<Moment>& moments() const { return moments_; }

 private:
  uint64_t values_;
  size_t last_ = 0;              // the column up to which moments_ is filled
  size_t current_ = 0;           // the column of the last Add
  std::vector<Moment> moments_;  // one for each column
};

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_HISTORY_H_
