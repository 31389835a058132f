// Handles: ObjectRef keeps an object in scope, WeakRef does not, TaskReferences keeps the arguments
// of a submitted task until it ends.
//
// Thread safety: thread-compatible values, like std::shared_ptr: one handle is used by one thread
// at a time, different handles of one object by any threads.
// Blocks: never. Dropping the last reference of an object takes one short lock and leaves what
// follows (frees, callbacks, most nested drops) to the pump and the executor.
// Lifetime: handles may outlive the ReferenceCounter; they then keep nothing and harm nothing.

#ifndef FREEHOLD_OBJECT_REF_H_
#define FREEHOLD_OBJECT_REF_H_

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/types/span.h"
#include "freehold/ids.h"
#include "freehold/internal/cell_list.h"
#include "freehold/internal/ref_cell.h"

namespace freehold {

class ReferenceCounter;
namespace runtime {
class CounterImpl;
class Declarations;
class LineageKeeper;
}  // namespace runtime

// A counted reference. Copy: +1, destroy: -1, both without a table look-up.
class ObjectRef {
 public:
  // Refers to nothing.
  ObjectRef() = default;
  // Refers to nothing when the object has 2^31 handles already (ReferenceCounterStats::misuses).
  ObjectRef(const ObjectRef& other) : cell_(other.cell_) {
    if (cell_ != nullptr && !cell_->Add()) Refuse();
  }
  ObjectRef(ObjectRef&& other) noexcept : cell_(std::exchange(other.cell_, nullptr)) {}
  ObjectRef& operator=(const ObjectRef& other) {
    ObjectRef(other).swap(*this);
    return *this;
  }
  ObjectRef& operator=(ObjectRef&& other) noexcept {
    ObjectRef(std::move(other)).swap(*this);
    return *this;
  }
  ~ObjectRef() { Reset(); }

  // Drops the reference; the handle refers to nothing afterwards.
  void Reset() {
    internal::RefCell* cell = std::exchange(cell_, nullptr);
    if (cell != nullptr && !cell->DropUnlessLast()) internal::ReleaseLast(cell);
  }
  void swap(ObjectRef& other) noexcept { std::swap(cell_, other.cell_); }

  explicit operator bool() const { return cell_ != nullptr; }
  // REQUIRES: refers to an object. The reference stays valid while the handle does.
  const ObjectId& id() const { return cell_->id; }

  friend bool operator==(const ObjectRef& a, const ObjectRef& b) { return a.cell_ == b.cell_; }
  friend bool operator!=(const ObjectRef& a, const ObjectRef& b) { return !(a == b); }

 private:
  friend void ResetAll(absl::Span<ObjectRef> refs);
  friend class ReferenceCounter;
  friend class runtime::CounterImpl;
  friend class runtime::Declarations;
  // Takes over one count of the cell.
  explicit ObjectRef(internal::RefCell* cell) : cell_(cell) {}
  void Refuse();

  internal::RefCell* cell_ = nullptr;
};

// Drops them all, as Reset of each would; they refer to nothing afterwards. Faster for many: what
// the next ones need is fetched while one is dropped, and some hundred at a time are put in the
// order of the counter's shards, so that a lock is taken and callbacks are posted once for several.
// So callbacks of different objects come in any order. REQUIRES: `refs` stays as it is meanwhile; a
// callback that runs within (an executor's that runs them at once) leaves it so.
void ResetAll(absl::Span<ObjectRef> refs);

// Knows an object without keeping it. Cheap to copy; asking costs one look-up.
class WeakRef {
 public:
  WeakRef() = default;

  const ObjectId& id() const { return id_; }
  // The object is in scope now. (It may have left it when this returns; Lock() to be sure.)
  bool InScope() const;
  // A handle if the object is in scope, else one that refers to nothing.
  ObjectRef Lock() const;

 private:
  friend class ReferenceCounter;
  WeakRef(std::weak_ptr<runtime::CounterImpl> counter, const ObjectId& id)
      : counter_(std::move(counter)), id_(id) {}

  std::weak_ptr<runtime::CounterImpl> counter_;
  ObjectId id_;
};

// The references that a submitted task has on its arguments. Movable; ends when destroyed.
class TaskReferences {
 public:
  TaskReferences() = default;
  TaskReferences(TaskReferences&& other) noexcept = default;
  TaskReferences& operator=(TaskReferences&& other) noexcept {
    if (this != &other) {
      // Ends when this has its new value: a callback that it runs may assign to this again.
      TaskReferences before;
      before.cells_ = std::move(cells_);
      cells_ = std::move(other.cells_);
    }
    return *this;
  }
  ~TaskReferences() { End(); }

  // The task has ended. Costs no look-up. A second call changes nothing.
  void End();
  bool ended() const { return cells_.empty(); }
  size_t size() const { return cells_.size(); }

 private:
  friend class runtime::CounterImpl;
  friend class runtime::LineageKeeper;
  internal::CellList cells_;
};

}  // namespace freehold

#endif  // FREEHOLD_OBJECT_REF_H_
