// The cell that handles point at: an object's id and the number of its handles.
//
// Internal: only ObjectRef uses it outside the library. A cell is the first member of the owner's
// record, so that a handle costs one pointer and copying it one atomic add. The cell never reaches
// zero outside the shard's lock: whoever holds the last handle takes the lock first and subtracts
// under it (ReleaseLast). Hence a cell that a handle points at is never reused, and the core, which
// runs under that lock, sees "has handles" as a fact that does not change under its hands.
//
// Memory order. Add: relaxed, because whoever copies a handle already has one, which orders its
// accesses to the record (the reasoning of std::shared_ptr). DropUnlessLast: release, so that what
// this thread did with the object happens before the record's reuse, which the last holder orders
// with the acquire of the shard's lock and the acquire load in IsLast.

#ifndef FREEHOLD_INTERNAL_REF_CELL_H_
#define FREEHOLD_INTERNAL_REF_CELL_H_

#include <atomic>
#include <cstdint>

#include "freehold/ids.h"

namespace freehold::internal {

class RefCell {
 public:
  // Beyond this a copy is refused. Half of the range, so that concurrent refusals cannot wrap.
  static constexpr uint32_t kMax = 1u << 31;

  ObjectId id;

  // REQUIRES: the caller holds a handle, or the shard's lock. False: the count is full, and
  // nothing was added.
  bool Add() {
    if (__builtin_expect(count_.fetch_add(1, std::memory_order_relaxed) < kMax, 1)) return true;
    count_.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }

  // REQUIRES: the caller holds a handle, which ends if the answer is true. False: it may be the
  // last one; nothing was changed.
  bool DropUnlessLast() {
    uint32_t count = count_.load(std::memory_order_relaxed);
    while (count > 1) {
      if (count_.compare_exchange_weak(count, count - 1, std::memory_order_release,
                                       std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  // REQUIRES: the shard's lock, and the caller's handle. True: that was the last one.
  bool DropUnderLock() { return count_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

  uint32_t count() const { return count_.load(std::memory_order_relaxed); }
  // REQUIRES: nobody else can reach the cell.
  void Reset(const ObjectId& new_id, uint32_t count) {
    id = new_id;
    count_.store(count, std::memory_order_relaxed);
  }

 private:
  std::atomic<uint32_t> count_{0};
};
static_assert(sizeof(RefCell) == 32, "a record packs the cell into half a cache line");

// Takes the shard's lock and ends the caller's handle. In src/runtime/object_ref.cc.
void ReleaseLast(RefCell* cell);
// A copy was refused because the count is full: counted as a misuse.
void ReportRefusedCopy(RefCell* cell);

}  // namespace freehold::internal

#endif  // FREEHOLD_INTERNAL_REF_CELL_H_
