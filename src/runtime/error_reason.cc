#include "freehold/error_reason.h"

#include <string>
#include <utility>

#include "absl/strings/cord.h"

namespace freehold {

namespace {

constexpr char kPayload[] = "freehold/error_reason";

}  // namespace

const char* ErrorReasonName(ErrorReason reason) {
  switch (reason) {
    case ErrorReason::kNone:
      return "none";
    case ErrorReason::kGone:
      return "gone";
    case ErrorReason::kOwnerDied:
      return "owner died";
    case ErrorReason::kFreed:
      return "freed";
    case ErrorReason::kLost:
      return "lost";
    case ErrorReason::kExcluded:
      return "excluded";
    case ErrorReason::kShutDown:
      return "shut down";
    case ErrorReason::kPeerExcluded:
      return "peer excluded";
    case ErrorReason::kAlreadyRedeemed:
      return "already redeemed";
    case ErrorReason::kRefused:
      return "refused";
    case ErrorReason::kWrongReceiver:
      return "wrong receiver";
    case ErrorReason::kMalformedToken:
      return "malformed token";
    case ErrorReason::kNotOwner:
      return "not the owner";
    case ErrorReason::kOtherOwner:
      return "other owner";
    case ErrorReason::kDraining:
      return "draining";
    case ErrorReason::kScopeEnded:
      return "scope ended";
    case ErrorReason::kNotAcknowledged:
      return "not acknowledged";
    case ErrorReason::kNotDeclared:
      return "not declared";
    case ErrorReason::kNotMovable:
      return "not movable";
  }
  return "unknown";
}

ErrorReason ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload.has_value() || payload->size() != 1) return ErrorReason::kNone;
  const auto number = static_cast<uint8_t>((*payload)[0]);
  return number < kErrorReasons ? static_cast<ErrorReason>(number) : ErrorReason::kNone;
}

absl::Status WithReason(absl::Status status, ErrorReason reason) {
  if (!status.ok()) {
    status.SetPayload(kPayload, absl::Cord(std::string(1, static_cast<char>(reason))));
  }
  return status;
}

}  // namespace freehold
