// Bounds and timers of the sessions between two ends. The defaults suit a data centre.

#ifndef FREEHOLD_SESSION_OPTIONS_H_
#define FREEHOLD_SESSION_OPTIONS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "freehold/clock.h"

namespace freehold {

struct SessionOptions {
  // Items that would make an envelope longer go into the next. At least 8 KiB, so that any single
  // item fits; at most 16 MiB.
  uint32_t envelope_bytes_max = 64 * 1024;
  // Unacknowledged envelopes per peer. From 1 to 1024.
  uint32_t window_envelopes = 8;
  // An envelope that is not acknowledged is sent again after the minimum, then twice that and so
  // on up to the maximum, each plus up to half of itself at random. The minimum is positive, the
  // maximum not less than it and at most 24 hours.
  Duration retransmit_delay_min = std::chrono::milliseconds(50);
  Duration retransmit_delay_max = std::chrono::seconds(5);
  // Bytes that may wait in the inbox of an end; what comes on top is dropped and comes again. At
  // least envelope_bytes_max.
  uint64_t inbox_bytes_max = 64 * 1024 * 1024;
};

// InvalidArgument that names the field and the bound.
absl::Status Validate(const SessionOptions& options);

// The longest URL of a spilled copy, in bytes; a longer one is InvalidArgument where it is given.
inline constexpr uint32_t kSpilledUrlBytesMax = 4096;

}  // namespace freehold

#endif  // FREEHOLD_SESSION_OPTIONS_H_
