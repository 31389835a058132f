// TokenSealer: protection of exported references while they travel in the host's own messages.
//
// An exported reference is a token: bytes that name the object, its owner, the sender and the one
// process that may redeem it. Unsealed it has a checksum against accidents and nothing else. Who
// can read it learns those ids; who can write to a process what it takes for a token can make one
// up, and so keep an object alive, or end a handoff of others. A host whose messages others can
// read or write gives every end a sealer: encryption with authentication, under a key that its
// processes share and nobody else has.
//
// No sealer (null): tokens travel as they are. That is sound where the host's messages are already
// encrypted and authenticated, or come from processes it trusts alone. All processes that exchange
// references must agree: a sealed token is garbage to a process without a sealer, and the reverse.
//
// Thread safety: the library calls Seal from any thread that exports and Open from any thread that
// imports, several at once; an implementation must be thread-safe. It is called with no lock held.
// It must not block (no call to a key server) and must not throw.
// Ownership: the host's; a sealer outlives the end it was given to.

#ifndef FREEHOLD_TOKEN_SEALER_H_
#define FREEHOLD_TOKEN_SEALER_H_

#include <optional>
#include <string>
#include <string_view>

namespace freehold {

class TokenSealer {
 public:
  virtual ~TokenSealer() = default;

  // The bytes to put into a message instead of `token`, for any length of it. Need not give the
  // same bytes twice for the same token.
  virtual std::string Seal(std::string_view token) = 0;
  // What Seal was given; nothing if `sealed` is not, byte for byte, what a Seal under the same key
  // answered: the import is then refused. `sealed` is untrusted and may have any length.
  virtual std::optional<std::string> Open(std::string_view sealed) = 0;
};

}  // namespace freehold

#endif  // FREEHOLD_TOKEN_SEALER_H_
