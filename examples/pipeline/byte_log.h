// Bytes over time: what lies in the stores' folders, and what would lie there had nothing been
// freed.
//
// The stores call Change at every file they make, and at every file they delete, with the size that
// the file system reports for it. From this come the peak, the total and the chart.
//
// Thread safety: thread-safe. Memory: bounded; when the log is full every second moment is merged
// into its neighbour, the fuller one of the two staying.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_BYTE_LOG_H_
#define FREEHOLD_EXAMPLES_PIPELINE_BYTE_LOG_H_

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <vector>

namespace pipeline {

class ByteLog {
 public:
  struct Moment {
    double seconds = 0;    // since the log began
    uint64_t memory = 0;   // bytes in the stores' memory-mapped files
    uint64_t spilled = 0;  // bytes in spill files
    uint64_t ever = 0;     // bytes of all copies made so far, each counted once
    uint64_t held() const { return memory + spilled; }
  };

  // `ever` grows when the file is a new copy; a spill file of a copy that exists is none.
  void Change(int64_t memory, int64_t spilled, uint64_t ever) {
    std::lock_guard<std::mutex> lock(mutex_);
    now_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    now_.memory += static_cast<uint64_t>(memory);  // unsigned sums wrap: adding -n subtracts n
    now_.spilled += static_cast<uint64_t>(spilled);
    now_.ever += ever;
    peak_ = std::max(peak_, now_.held());
    moments_.push_back(now_);
    if (moments_.size() >= kMomentsMax) Thin();
  }

  std::vector<Moment> moments() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return moments_;
  }
  uint64_t peak() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return peak_;
  }
  uint64_t total() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return now_.ever;
  }

 private:
  static constexpr size_t kMomentsMax = 65536;

  void Thin() {
    size_t kept = 0;
    for (size_t i = 0; i + 1 < moments_.size(); i += 2) {
      const bool first = moments_[i].held() > moments_[i + 1].held();
      moments_[kept++] = moments_[first ? i : i + 1];
    }
    moments_.resize(kept);
  }

  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  mutable std::mutex mutex_;
  Moment now_;  // guarded by mutex_, like all below
  uint64_t peak_ = 0;
  std::vector<Moment> moments_;
};

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_BYTE_LOG_H_
