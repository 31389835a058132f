// CellList: the cells that one task keeps, up to ten of them without an allocation.
//
// Internal: only TaskReferences uses it. Thread safety: thread-compatible. A list that was moved
// from is empty.

#ifndef FREEHOLD_INTERNAL_CELL_LIST_H_
#define FREEHOLD_INTERNAL_CELL_LIST_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

#include "freehold/internal/ref_cell.h"

namespace freehold::internal {

class CellList {
 public:
  CellList() = default;
  CellList(CellList&& other) noexcept { Take(&other); }
  CellList& operator=(CellList&& other) noexcept {
    if (this != &other) Take(&other);
    return *this;
  }

  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }
  RefCell* const* begin() const { return cells(); }
  RefCell* const* end() const { return cells() + size_; }

  // REQUIRES: it is empty. Room for `count` cells, which the caller writes in order from there on.
  RefCell** Allot(size_t count) {
    if (count > kInline) more_.reset(new RefCell*[count]);
    return more_ == nullptr ? inline_ : more_.get();
  }
  // REQUIRES: there is room.
  void PushBack(RefCell* cell) { (more_ == nullptr ? inline_ : more_.get())[size_++] = cell; }
  // REQUIRES: so many were written. The first of them are what it has.
  void SetSize(size_t size) { size_ = size; }
  void Clear() {
    size_ = 0;
    more_ = nullptr;
  }

 private:
  static constexpr size_t kInline = 10;

  RefCell* const* cells() const { return more_ == nullptr ? inline_ : more_.get(); }
  void Take(CellList* other) {
    size_ = std::exchange(other->size_, 0);
    more_ = std::move(other->more_);
    if (more_ == nullptr) std::copy_n(other->inline_, size_, inline_);
  }

  size_t size_ = 0;
  std::unique_ptr<RefCell*[]> more_;  // all of them, when there are more than kInline
  RefCell* inline_[kInline];
};

}  // namespace freehold::internal

#endif  // FREEHOLD_INTERNAL_CELL_LIST_H_
