#include "freehold/session_options.h"

#include <chrono>
#include <string>

#include "src/core/codec.h"

namespace freehold {

namespace {

// A receiver keeps as many early envelopes per peer: beyond this it is no longer a bound.
constexpr uint32_t kWindowEnvelopesMost = 1024;
// Keeps every sum of delays and jitter far from the end of the time line.
constexpr Duration kRetransmitDelayMost = std::chrono::hours(24);

absl::Status Invalid(const char* field, const std::string& bound) {
  return absl::InvalidArgumentError(std::string("SessionOptions::") + field + " must be " + bound);
}

}  // namespace

absl::Status Validate(const SessionOptions& options) {
  if (options.envelope_bytes_max < core::kEnvelopeBytesLeast ||
      options.envelope_bytes_max > core::kEnvelopeBytesMost) {
    return Invalid("envelope_bytes_max", "from " + std::to_string(core::kEnvelopeBytesLeast) +
                                             " to " + std::to_string(core::kEnvelopeBytesMost));
  }
  if (options.window_envelopes < 1 || options.window_envelopes > kWindowEnvelopesMost) {
    return Invalid("window_envelopes", "from 1 to " + std::to_string(kWindowEnvelopesMost));
  }
  if (options.retransmit_delay_min <= Duration::zero()) {
    return Invalid("retransmit_delay_min", "positive");
  }
  if (options.retransmit_delay_max < options.retransmit_delay_min) {
    return Invalid("retransmit_delay_max", "at least retransmit_delay_min");
  }
  if (options.retransmit_delay_max > kRetransmitDelayMost) {
    return Invalid("retransmit_delay_max", "at most 24 hours");
  }
  if (options.inbox_bytes_max < options.envelope_bytes_max) {
    return Invalid("inbox_bytes_max", "at least envelope_bytes_max, or nothing could arrive");
  }
  return absl::OkStatus();
}

}  // namespace freehold
