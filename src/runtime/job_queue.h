// JobQueue: the jobs of a callback executor, in the order in which they were posted.
//
// Jobs lie in chunks, so that a queue of a million grows without moving one of them and without
// asking the allocator for more than a page at a time.
//
// Thread safety: thread-compatible. Ownership: owns its jobs, also those that were moved from.

#ifndef FREEHOLD_SRC_RUNTIME_JOB_QUEUE_H_
#define FREEHOLD_SRC_RUNTIME_JOB_QUEUE_H_

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "freehold/callback_executor.h"

namespace freehold::runtime {

class JobQueue {
 public:
  JobQueue() = default;
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;
  ~JobQueue() { DestroyJobs(); }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  // REQUIRES: position < size().
  CallbackJob& operator[](size_t position) { return *Place(position); }

  void push_back(CallbackJob job) {
    if (size_ == chunks_.size() * kChunk) chunks_.emplace_back(new Chunk);
    new (Place(size_)) CallbackJob(std::move(job));
    ++size_;
  }
  // Keeps memory for some thirty thousand jobs: giving back more has the allocator tidy up what it
  // has under its lock, while somebody posts.
  void clear() {
    DestroyJobs();
    size_ = 0;
    if (chunks_.size() > kChunksKept) chunks_.resize(kChunksKept);
  }
  void swap(JobQueue& other) noexcept {
    chunks_.swap(other.chunks_);
    std::swap(size_, other.size_);
  }

 private:
  static constexpr size_t kChunk = 256;
  static constexpr size_t kChunksKept = 128;
  struct Chunk {
    alignas(CallbackJob) unsigned char bytes[kChunk * sizeof(CallbackJob)];
  };

  CallbackJob* Place(size_t position) {
    unsigned char* const chunk = chunks_[position / kChunk]->bytes;
    return std::launder(
        reinterpret_cast<CallbackJob*>(chunk + position % kChunk * sizeof(CallbackJob)));
  }
  void DestroyJobs() {
    for (size_t i = 0; i < size_; ++i) Place(i)->~CallbackJob();
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  size_t size_ = 0;
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_JOB_QUEUE_H_
