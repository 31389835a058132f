#include "src/core/scope_token.h"

#include <cstring>

#include "src/base/check.h"
#include "src/base/hash.h"
#include "src/base/little_endian.h"

namespace freehold::core {

namespace {

using internal::LoadLittle;
using internal::StoreLittle;

constexpr char kScopeMagic[2] = {'F', 's'};

// Where each field stands.
constexpr size_t kScopeVersionAt = 2;
constexpr size_t kFlagsAt = 3;
constexpr size_t kScopeAt = 4;
constexpr size_t kScopeOwnerAt = kScopeAt + 8;
constexpr size_t kScopeSenderAt = kScopeOwnerAt + ProcessId::kSize;
constexpr size_t kScopeReceiverAt = kScopeSenderAt + ProcessId::kSize;
constexpr size_t kScopeChecksumAt = kScopeReceiverAt + ProcessId::kSize;
static_assert(kScopeTokenBytes == kScopeChecksumAt + 8);
// The part whose meaning is the same in every version.
constexpr size_t kScopePreambleBytes = 3;

constexpr uint8_t kHolds = 1;
constexpr uint8_t kNoCleanup = 2;
constexpr uint8_t kScopeTokenFlagsMax = kHolds | kNoCleanup;

// Any number; part of the layout.
constexpr uint64_t kChecksumSeed = 0x4673;

uint64_t ScopeChecksum(const char* token) {
  return internal::HashBytes(token, kScopeChecksumAt, kChecksumSeed);
}

ProcessId LoadProcess(const char* at) {
  ProcessId id;
  std::memcpy(id.mutable_data(), at, ProcessId::kSize);
  return id;
}

bool IsValid(const ScopeToken& token) {
  return !token.owner.IsNil() && !token.sender.IsNil() && !token.receiver.IsNil() &&
         !token.scope.IsNil() && !token.scope.IsRoot() && token.sender != token.receiver;
}

}  // namespace

std::string EncodeScopeToken(const ScopeToken& token) {
  FREEHOLD_CHECK(IsValid(token));
  const int flags = (token.hold ? kHolds : 0) | (token.no_cleanup ? kNoCleanup : 0);
  char bytes[kScopeTokenBytes];
  std::memcpy(bytes, kScopeMagic, sizeof(kScopeMagic));
  StoreLittle(kScopeTokenVersion, bytes + kScopeVersionAt);
  StoreLittle(static_cast<uint8_t>(flags), bytes + kFlagsAt);
  StoreLittle(token.scope.number(), bytes + kScopeAt);
  std::memcpy(bytes + kScopeOwnerAt, token.owner.data(), ProcessId::kSize);
  std::memcpy(bytes + kScopeSenderAt, token.sender.data(), ProcessId::kSize);
  std::memcpy(bytes + kScopeReceiverAt, token.receiver.data(), ProcessId::kSize);
  StoreLittle(ScopeChecksum(bytes), bytes + kScopeChecksumAt);
  return std::string(bytes, kScopeTokenBytes);
}

TokenError DecodeScopeToken(std::string_view bytes, ScopeToken* token) {
  if (bytes.size() < kScopePreambleBytes) return TokenError::kBadLength;
  if (std::memcmp(bytes.data(), kScopeMagic, sizeof(kScopeMagic)) != 0)
    return TokenError::kBadMagic;
  if (LoadLittle<uint8_t>(bytes.data() + kScopeVersionAt) != kScopeTokenVersion) {
    return TokenError::kUnknownVersion;
  }
  if (bytes.size() != kScopeTokenBytes) return TokenError::kBadLength;
  if (LoadLittle<uint64_t>(bytes.data() + kScopeChecksumAt) != ScopeChecksum(bytes.data())) {
    return TokenError::kBadChecksum;
  }
  ScopeToken read;
  const auto flags = LoadLittle<uint8_t>(bytes.data() + kFlagsAt);
  read.scope = ScopeId(LoadLittle<uint64_t>(bytes.data() + kScopeAt));
  read.owner = LoadProcess(bytes.data() + kScopeOwnerAt);
  read.sender = LoadProcess(bytes.data() + kScopeSenderAt);
  read.receiver = LoadProcess(bytes.data() + kScopeReceiverAt);
  read.hold = (flags & kHolds) != 0;
  read.no_cleanup = (flags & kNoCleanup) != 0;
  if (flags > kScopeTokenFlagsMax || !IsValid(read)) return TokenError::kBadValue;
  *token = read;
  return TokenError::kOk;
}

}  // namespace freehold::core
