// Statuses that several calls of this folder answer.
//
// Thread safety: pure functions.

#ifndef FREEHOLD_SRC_RUNTIME_ERRORS_H_
#define FREEHOLD_SRC_RUNTIME_ERRORS_H_

#include <string>

#include "absl/status/status.h"
#include "freehold/error_reason.h"

namespace freehold::runtime {

inline absl::Status ShutDownError() {
  return WithReason(absl::FailedPreconditionError("the reference counter was shut down"),
                    ErrorReason::kShutDown);
}

inline absl::Status DrainingError(const std::string& object) {
  return WithReason(
      absl::FailedPreconditionError("object " + object + " is not taken: this process is draining"),
      ErrorReason::kDraining);
}

inline absl::Status HasHeirError(const std::string& object) {
  return WithReason(
      absl::FailedPreconditionError("object " + object +
                                    " has an heir, who could not have what it contains: dismiss it "
                                    "first"),
      ErrorReason::kNotMovable);
}

inline absl::Status ScopeEndedError(const std::string& object) {
  return WithReason(absl::FailedPreconditionError("the scope for object " + object +
                                                  " has ended, or there is none"),
                    ErrorReason::kScopeEnded);
}

inline absl::Status NoTransportError() {
  return absl::FailedPreconditionError(
      "without a transport nothing can be shared with other processes, or asked of them");
}

inline absl::Status TooManyPeersError() {
  return absl::ResourceExhaustedError("too many nodes and processes were ever seen");
}

inline absl::Status NotAcknowledgedError(const std::string& object) {
  return WithReason(
      absl::FailedPreconditionError("object " + object +
                                    " is declared for another process, which has not answered "
                                    "yet: until then nobody else may hear of it"),
      ErrorReason::kNotAcknowledged);
}

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_ERRORS_H_
