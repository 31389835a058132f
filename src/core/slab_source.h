// Where record slabs come from: aligned blocks of memory of one size, cut from larger runs.
//
// The tables of a counter share one source, so that together they have no more memory too much than
// one of them would have.
//
// Thread safety: SlabRuns is thread-compatible; whoever shares it puts a lock around it.
// Ownership: a source owns its slabs, and they stay until its destruction.

#ifndef FREEHOLD_SRC_CORE_SLAB_SOURCE_H_
#define FREEHOLD_SRC_CORE_SLAB_SOURCE_H_

#include <cstddef>
#include <vector>

namespace freehold::core {

class SlabSource {
 public:
  static constexpr size_t kSlabBytes = 16 * 1024;  // and its alignment

  virtual ~SlabSource() = default;
  // Memory that nothing was ever in.
  virtual void* Take() = 0;
};

class SlabRuns final : public SlabSource {
 public:
  SlabRuns() = default;
  ~SlabRuns() override;
  SlabRuns(const SlabRuns&) = delete;
  SlabRuns& operator=(const SlabRuns&) = delete;

  void* Take() override;

 private:
  // A run is a share of what there is: so little is too much, and a large table is not thousands of
  // the system's mappings. The least is what malloc gets from the system as a mapping of its own,
  // where alignment costs addresses and not memory.
  static constexpr size_t kRunShare = 32;
  static constexpr size_t kRunMin = 16;
  // From so much on a run is large pages, of which the last is never more than an eighth too much.
  static constexpr size_t kLargeFrom = (size_t{16} << 20) / kSlabBytes;

  struct Run {
    void* memory;
    size_t alignment;
  };
  void Take(size_t slabs, size_t alignment);

  std::vector<Run> runs_;
  size_t slabs_ = 0;  // of all runs
  char* next_ = nullptr;
  size_t left_ = 0;  // slabs from `next_` on
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_SLAB_SOURCE_H_
