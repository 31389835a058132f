// A host's TokenSealer, called with care.
//
// Thread safety: thread-safe. Null sealer: tokens are what they are.

#ifndef FREEHOLD_SRC_RUNTIME_TOKEN_SEAL_H_
#define FREEHOLD_SRC_RUNTIME_TOKEN_SEAL_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "freehold/error_reason.h"
#include "freehold/token_sealer.h"
#include "src/base/guarded_call.h"

namespace freehold::runtime {

// Internal: it threw.
inline absl::Status SealToken(TokenSealer* sealer, std::string* token) {
  if (sealer == nullptr) return absl::OkStatus();
  const std::optional<std::string> thrown =
      internal::CallGuarded([&] { *token = sealer->Seal(*token); });
  if (!thrown.has_value()) return absl::OkStatus();
  return absl::InternalError("TokenSealer::Seal threw " + *thrown);
}

// `*token` is what was sealed, kept in `*opened` where there is a sealer. InvalidArgument
// (kMalformedToken): it was none; Internal: it threw.
inline absl::Status OpenToken(TokenSealer* sealer, std::string_view* token,
                              std::optional<std::string>* opened) {
  if (sealer == nullptr) return absl::OkStatus();
  const std::optional<std::string> thrown =
      internal::CallGuarded([&] { *opened = sealer->Open(*token); });
  if (thrown.has_value()) return absl::InternalError("TokenSealer::Open threw " + *thrown);
  if (!opened->has_value()) {
    return WithReason(absl::InvalidArgumentError("not a token: its seal does not open"),
                      ErrorReason::kMalformedToken);
  }
  *token = **opened;
  return absl::OkStatus();
}

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_TOKEN_SEAL_H_
