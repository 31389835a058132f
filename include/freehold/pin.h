// Pins: who keeps a value although nothing refers to it.
//
// ReferenceCounter::Pin keeps an object in scope under a name, until the last Unpin of the last
// name. A free of a pinned value, asked for explicitly, waits for that too: nothing takes a value
// from under a pin but the death of its owner or of the nodes that have it.
//
// Thread safety: values.

#ifndef FREEHOLD_PIN_H_
#define FREEHOLD_PIN_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "freehold/clock.h"

namespace freehold {

// Names that may pin one object at a time, and their length.
inline constexpr size_t kPinHoldersMax = 256;
inline constexpr size_t kPinnedByBytesMax = 256;

struct PinHolder {
  std::string by;      // whoever pinned it said so
  uint32_t count = 0;  // how often it has, and has not unpinned it
  Time since{};        // the first of these
};

}  // namespace freehold

#endif  // FREEHOLD_PIN_H_
