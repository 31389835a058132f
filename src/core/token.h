// The bytes of an exported reference: what a sender puts into the host's own message, and what the
// receiver redeems, once.
//
// A token is of fixed length, all integers little endian:
//   magic "Fr" (2 bytes), version (1), term (4), object (28), owner (28), sender (28), receiver
//   (28), number (8), checksum (8)
// An unsealed token is a bearer secret: whoever can read it can claim to be its receiver as far as
// the host's transport lets it, and whoever knows the layout can make one up. The checksum finds
// accidents, not attacks. Sealing is the host's, through freehold/token_sealer.h.
//
// Thread safety: pure functions and values. Input is untrusted: decoding checks all of it.

#ifndef FREEHOLD_SRC_CORE_TOKEN_H_
#define FREEHOLD_SRC_CORE_TOKEN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "freehold/ids.h"
#include "src/core/item.h"

namespace freehold::core {

struct ReferenceToken {
  ObjectId object;
  ProcessId owner;
  uint32_t term = kFirstTerm;
  ProcessId sender;     // may be the owner
  ProcessId receiver;   // the only process that may redeem it
  uint64_t number = 0;  // of the handoff, within sender, receiver and lane; from 1
};

inline constexpr uint8_t kTokenVersion = 1;
inline constexpr size_t kTokenBytes = 135;

enum class [[nodiscard]] TokenError : uint8_t{
    kOk,
    kBadLength,       // not as long as tokens of its version are
    kBadMagic,        // not a Freehold token
    kUnknownVersion,  // written in a version that this side does not know
    kBadChecksum,     // altered on the way
    kBadValue,        // a nil id, a term or number that nobody gives
};
const char* TokenErrorName(TokenError error);

// REQUIRES: no id is nil, term and number are not 0.
std::string EncodeToken(const ReferenceToken& token);
// `*token` is written only if the answer is kOk.
TokenError DecodeToken(std::string_view bytes, ReferenceToken* token);

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_TOKEN_H_
