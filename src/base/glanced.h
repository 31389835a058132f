// Glanced: a value that one thread at a time writes and reads, and anybody may glance at.
//
// Thread safety: Glance may be called by anybody at any time; everything else is thread-compatible.

#ifndef FREEHOLD_SRC_BASE_GLANCED_H_
#define FREEHOLD_SRC_BASE_GLANCED_H_

namespace freehold::internal {

template <typename T>
class Glanced {
 public:
  Glanced() = default;
  Glanced(T value) : value_(value) {}  // NOLINT(google-explicit-constructor): it is one
  Glanced(const Glanced& other) = default;
  Glanced& operator=(const Glanced& other) {
    __atomic_store_n(&value_, other.value_, __ATOMIC_RELAXED);
    return *this;
  }
  operator T() const { return value_; }  // NOLINT(google-explicit-constructor): it is one

  // What it is, or was before what happens meanwhile. Nothing else is ordered with it.
  T Glance() const { return __atomic_load_n(&value_, __ATOMIC_RELAXED); }

 private:
  // Not std::atomic, which C++17 cannot read otherwise: see PublishedSlots.
  T value_;
};

}  // namespace freehold::internal

#endif  // FREEHOLD_SRC_BASE_GLANCED_H_
