// PublishedSlots: an array of pointers that doubles, into which anybody may look while it changes.
//
// Thread safety: Glance may be called by anybody at any time; everything else is thread-compatible.
// Memory: the arrays that were outgrown are kept, together less than the last one, because somebody
// may be looking into them.

#ifndef FREEHOLD_SRC_BASE_PUBLISHED_SLOTS_H_
#define FREEHOLD_SRC_BASE_PUBLISHED_SLOTS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace freehold::internal {

template <typename T>
class PublishedSlots {
 public:
  // One slot.
  explicit PublishedSlots(T* first) {
    Publish(std::make_unique<Array>(1));
    Set(0, first);
  }

  size_t size() const { return mask_ + 1; }  // a power of two
  // The slot for `number`: its last bits.
  T* At(uint64_t number) const { return slots_[number & mask_]; }
  void Set(size_t slot, T* value) { __atomic_store_n(&slots_[slot], value, __ATOMIC_RELAXED); }
  // What a slot of the upper half holds is what that of the lower half does.
  void Double() {
    const size_t half = size();
    auto doubled = std::make_unique<Array>(half * 2);
    for (size_t slot = 0; slot < half * 2; ++slot) doubled->slots[slot] = At(slot);
    Publish(std::move(doubled));
  }
  // What At answers, or did before what happens meanwhile. It says where something is; what is
  // there is not ordered with this.
  T* Glance(uint64_t number) const {
    const Array& array = *published_.load(std::memory_order_acquire);
    return __atomic_load_n(&array.slots[number & array.mask], __ATOMIC_RELAXED);
  }

  size_t bytes() const {
    return (2 * size() - 1) * sizeof(T*) + arrays_.size() * sizeof(Array) +
           arrays_.capacity() * sizeof(arrays_[0]);
  }

 private:
  struct Array {
    explicit Array(size_t size) : mask(size - 1), slots(new T*[size]) {}
    const size_t mask;
    // Written, once others may look, and glanced at atomically. Not std::atomic, which C++17 cannot
    // read otherwise: who alone may write them need not, and g++ then spends an instruction less.
    const std::unique_ptr<T*[]> slots;
  };

  void Publish(std::unique_ptr<Array> array) {
    slots_ = array->slots.get();
    mask_ = array->mask;
    // Release: whoever reads the pointer sees the slots as they were filled.
    published_.store(array.get(), std::memory_order_release);
    arrays_.push_back(std::move(array));
  }

  // The last of the arrays, for who may change it and for who may not.
  T** slots_ = nullptr;
  size_t mask_ = 0;
  std::atomic<const Array*> published_{nullptr};
  std::vector<std::unique_ptr<Array>> arrays_;
};

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_PUBLISHED_SLOTS_H_
