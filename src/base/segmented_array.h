// An array that grows without moving its elements: a reference stays good until destruction.
//
// Segments double in size, so that an index finds its segment by its highest bit; a segment is
// allocated when an index in it is first reached. Elements are value-initialised and start to exist
// with their segment.
//
// Thread safety: Reach, Find and At are thread-safe and lock-free (Reach allocates). Elements are
// as thread-safe as T. Memory order: whoever gets a reference sees the element initialised.

#ifndef FREEHOLD_SRC_BASE_SEGMENTED_ARRAY_H_
#define FREEHOLD_SRC_BASE_SEGMENTED_ARRAY_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace freehold::internal {

template <typename T>
class SegmentedArray {
 public:
  SegmentedArray() = default;
  SegmentedArray(const SegmentedArray&) = delete;
  SegmentedArray& operator=(const SegmentedArray&) = delete;
  ~SegmentedArray() {
    for (std::atomic<T*>& segment : segments_) delete[] segment.load(std::memory_order_relaxed);
  }

  // The element; its segment is allocated if it is not there yet.
  T& Reach(uint32_t index) {
    const Place place = PlaceOf(index);
    std::atomic<T*>& slot = segments_[place.segment];
    // acquire: pairs with the release that published the segment.
    T* segment = slot.load(std::memory_order_acquire);
    if (segment == nullptr) segment = Allocate(&slot, kFirstSize << place.segment);
    return segment[place.offset];
  }

  // The element, or null where the segment has not been allocated.
  T* Find(uint32_t index) {
    const Place place = PlaceOf(index);
    T* segment = segments_[place.segment].load(std::memory_order_acquire);
    return segment == nullptr ? nullptr : segment + place.offset;
  }
  const T* Find(uint32_t index) const { return const_cast<SegmentedArray*>(this)->Find(index); }

  // REQUIRES: an index of the same segment was reached, and this thread can know that.
  const T& At(uint32_t index) const {
    const Place place = PlaceOf(index);
    return segments_[place.segment].load(std::memory_order_acquire)[place.offset];
  }

 private:
  static constexpr int kFirstBits = 6;
  static constexpr uint64_t kFirstSize = uint64_t{1} << kFirstBits;
  // Enough for every 32-bit index: the last one is 2^32 - 1 + kFirstSize, of 33 bits.
  static constexpr size_t kSegments = 33 - kFirstBits;

  struct Place {
    size_t segment;
    size_t offset;
  };

  static Place PlaceOf(uint32_t index) {
    const uint64_t shifted = index + kFirstSize;
    const int bits = 63 - __builtin_clzll(shifted);  // of `shifted`, below its highest
    return {static_cast<size_t>(bits - kFirstBits),
            static_cast<size_t>(shifted - (uint64_t{1} << bits))};
  }

  static T* Allocate(std::atomic<T*>* slot, size_t size) {
    T* fresh = new T[size]();
    T* current = nullptr;
    if (slot->compare_exchange_strong(current, fresh, std::memory_order_acq_rel,
                                      std::memory_order_acquire)) {
      return fresh;
    }
    delete[] fresh;  // another thread was first
    return current;
  }

  std::atomic<T*> segments_[kSegments] = {};
};

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_SEGMENTED_ARRAY_H_
