// Pins: who keeps a value although nothing refers to it.
//
// ReferenceCounter::Pin keeps an object in scope under a name, until the last Unpin of the last
// name. A free of a pinned value, asked for explicitly, waits for that too: nothing takes a value
// from under a pin but the death of its owner or of the nodes that have it.
//
// Pins go along when the object gets another owner, given to it or as its heir (transfer.h), and so
// does a free that waits for them: from then on that process unpins, by the same names, and the
// former owner answers kNotOwner. Who takes an object back, because its next owner died before
// everybody had heard of it, has those that it gave away. An heir has those that it has heard of;
// what its owner pinned or unpinned within the last round trip before it died it may not know.
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
  // The first of these, by the clock of the process that is asked. What came from another owner is
  // as old here as it was there when that was said: the time on the way is not in it.
  Time since{};
};

}  // namespace freehold

#endif  // FREEHOLD_PIN_H_
