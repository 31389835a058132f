// The bytes of an exported scope: what a process puts into the host's own message, and with which
// the receiver joins.
//
// A token is of fixed length, all integers little endian:
//   magic "Fs" (2 bytes), version (1), flags (1: holds, 2: no clean-up), scope (8), owner (28),
//   sender (28), receiver (28), checksum (8)
// It is no token of a reference (token.h), and none of those is one of these. It may be used again:
// who has joined has joined. What is said there of secrets and of sealing holds here as well.
//
// Thread safety: pure functions and values. Input is untrusted: decoding checks all of it.

#ifndef FREEHOLD_SRC_CORE_SCOPE_TOKEN_H_
#define FREEHOLD_SRC_CORE_SCOPE_TOKEN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "freehold/ids.h"
#include "freehold/scope_options.h"
#include "src/core/token.h"

namespace freehold::core {

struct ScopeToken {
  ProcessId owner;     // who opened it
  ScopeId scope;       // its id there
  ProcessId sender;    // may be the owner
  ProcessId receiver;  // the only process that may join with it; may be the owner too
  bool hold = false;   // as ScopeOptions has them
  bool no_cleanup = false;
};

inline constexpr uint8_t kScopeTokenVersion = 1;
inline constexpr size_t kScopeTokenBytes = 104;

// REQUIRES: no id is nil, the scope is not the root, sender and receiver differ.
std::string EncodeScopeToken(const ScopeToken& token);
// `*token` is written only if the answer is kOk.
TokenError DecodeScopeToken(std::string_view bytes, ScopeToken* token);

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_SCOPE_TOKEN_H_
