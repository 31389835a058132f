// Why a call failed, where the code of a status is too coarse: an owner that died and an object
// that is gone want different answers of a host.
//
// Thread safety: pure functions.

#ifndef FREEHOLD_ERROR_REASON_H_
#define FREEHOLD_ERROR_REASON_H_

#include <cstdint>

#include "absl/status/status.h"

namespace freehold {

enum class ErrorReason : uint8_t {
  kNone = 0,             // the status is ok, or its code says all
  kGone = 1,             // the object went out of scope, or never was
  kOwnerDied = 2,        // its owner was excluded
  kFreed = 3,            // its value was freed explicitly
  kLost = 4,             // every copy of its value went with its node
  kExcluded = 5,         // this process was excluded; it must rejoin under a new id
  kShutDown = 6,         // this end was shut down
  kPeerExcluded = 7,     // the other process was excluded
  kAlreadyRedeemed = 8,  // the token was imported before, and nothing of it is left
  // The token was cancelled by its sender, or too late by far; or the other process takes no
  // objects from others.
  kRefused = 9,
  kWrongReceiver = 10,    // the token was made for another process
  kMalformedToken = 11,   // these bytes are not a token, or were altered
  kNotOwner = 12,         // only the owner of the object can do this
  kOtherOwner = 13,       // the object is known here, with another owner
  kDraining = 14,         // this process, or the owner, is about to leave: it takes no new objects
  kScopeEnded = 15,       // the scope has ended: it takes nothing new, and ends only once
  kNotAcknowledged = 16,  // declared for an owner that has not answered: nobody else may hear of it
  kNotDeclared = 17,      // its owner has not taken it, CheckReference says why
  kNotMovable = 18,       // it cannot be given to another owner as it is
};
inline constexpr int kErrorReasons = 19;
const char* ErrorReasonName(ErrorReason reason);

// The reason that the library put into the status.
ErrorReason ReasonOf(const absl::Status& status);
// A copy of the status that carries it. An ok status stays what it is.
absl::Status WithReason(absl::Status status, ErrorReason reason);

}  // namespace freehold

#endif  // FREEHOLD_ERROR_REASON_H_
