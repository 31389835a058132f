// CurrentJob: which callback an executor's thread runs, readable by others while it runs.
//
// A sequence lock over relaxed words: the writer pays a few plain stores per job, no read-modify-
// write and no clock; a reader that meets a write gets nothing and looks again later.
//
// Thread safety: one writer (the executor's thread), any number of readers.
// Memory order: the words are stored with release and loaded with acquire instead of between
// fences (H.-J. Boehm, "Can Seqlocks Get Along with Programming Language Memory Models?", 2012),
// because ThreadSanitizer does not know fences; on x86 both cost nothing.

#ifndef FREEHOLD_SRC_RUNTIME_CURRENT_JOB_H_
#define FREEHOLD_SRC_RUNTIME_CURRENT_JOB_H_

#include <atomic>
#include <cstdint>
#include <cstring>

#include "freehold/ids.h"

namespace freehold::runtime {

class CurrentJob {
 public:
  struct Sample {
    uint64_t version = 0;  // differs between any two jobs
    ObjectId object;
    const char* what = nullptr;  // null: no job runs
  };

  // Writer only.
  void Set(const ObjectId& object, const char* what) {
    uint64_t words[kWords] = {};
    std::memcpy(words, object.data(), ObjectId::kSize);
    const uint64_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);  // odd: being written
    for (int i = 0; i < kWords; ++i) words_[i].store(words[i], std::memory_order_release);
    what_.store(what, std::memory_order_release);
    version_.store(version + 2, std::memory_order_release);
  }
  void Clear() { Set(ObjectId(), nullptr); }

  // False when it met a write.
  bool Read(Sample* sample) const {
    const uint64_t version = version_.load(std::memory_order_acquire);
    if (version % 2 != 0) return false;
    uint64_t words[kWords];
    for (int i = 0; i < kWords; ++i) words[i] = words_[i].load(std::memory_order_acquire);
    sample->what = what_.load(std::memory_order_acquire);
    if (version_.load(std::memory_order_relaxed) != version) return false;
    std::memcpy(sample->object.mutable_data(), words, ObjectId::kSize);
    sample->version = version;
    return true;
  }

 private:
  static constexpr int kWords = (ObjectId::kSize + 7) / 8;

  std::atomic<uint64_t> version_{0};
  std::atomic<uint64_t> words_[kWords] = {};
  std::atomic<const char*> what_{nullptr};
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_CURRENT_JOB_H_
