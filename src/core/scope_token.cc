#include "src/core/scope_token.h"

#include <cstring>

#include "src/base/check.h"
#include "src/base/hash.h"
#include "src/base/little_endian.h"

namespace freehold::core {

namespace {

using internal::LoadLittle;
using internal::StoreLittle;

constexpr char kMagic[2] = {'F', 's'};

// Where each field stands.
constexpr size_t kVersionAt = 2;
constexpr size_t kFlagsAt = 3;
constexpr size_t kScopeAt = 4;
constexpr size_t kOwnerAt = kScopeAt + 8;
constexpr size_t kSenderAt = kOwnerAt + ProcessId::kSize;
constexpr size_t kReceiverAt = kSenderAt + ProcessId::kSize;
constexpr size_t kChecksumAt = kReceiverAt + ProcessId::kSize;
static_assert(kScopeTokenBytes == kChecksumAt + 8);
// The part whose meaning is the same in every version.
constexpr size_t kPreambleBytes = 3;

constexpr uint8_t kHolds = 1;
constexpr uint8_t kNoCleanup = 2;
constexpr uint8_t kFlagsMax = kHolds | kNoCleanup;

// Any number; part of the layout.
constexpr uint64_t kChecksumSeed = 0x4673;

uint64_t Checksum(const char* token) {
  return internal::HashBytes(token, kChecksumAt, kChecksumSeed);
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
  std::memcpy(bytes, kMagic, sizeof(kMagic));
  StoreLittle(kScopeTokenVersion, bytes + kVersionAt);
  StoreLittle(static_cast<uint8_t>(flags), bytes + kFlagsAt);
  StoreLittle(token.scope.number(), bytes + kScopeAt);
  std::memcpy(bytes + kOwnerAt, token.owner.data(), ProcessId::kSize);
  std::memcpy(bytes + kSenderAt, token.sender.data(), ProcessId::kSize);
  std::memcpy(bytes + kReceiverAt, token.receiver.data(), ProcessId::kSize);
  StoreLittle(Checksum(bytes), bytes + kChecksumAt);
  return std::string(bytes, kScopeTokenBytes);
}

TokenError DecodeScopeToken(std::string_view bytes, ScopeToken* token) {
  if (bytes.size() < kPreambleBytes) return TokenError::kBadLength;
  if (std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) return TokenError::kBadMagic;
  if (LoadLittle<uint8_t>(bytes.data() + kVersionAt) != kScopeTokenVersion) {
    return TokenError::kUnknownVersion;
  }
  if (bytes.size() != kScopeTokenBytes) return TokenError::kBadLength;
  if (LoadLittle<uint64_t>(bytes.data() + kChecksumAt) != Checksum(bytes.data())) {
    return TokenError::kBadChecksum;
  }
  ScopeToken read;
  const auto flags = LoadLittle<uint8_t>(bytes.data() + kFlagsAt);
  read.scope = ScopeId(LoadLittle<uint64_t>(bytes.data() + kScopeAt));
  read.owner = LoadProcess(bytes.data() + kOwnerAt);
  read.sender = LoadProcess(bytes.data() + kSenderAt);
  read.receiver = LoadProcess(bytes.data() + kReceiverAt);
  read.hold = (flags & kHolds) != 0;
  read.no_cleanup = (flags & kNoCleanup) != 0;
  if (flags > kFlagsMax || !IsValid(read)) return TokenError::kBadValue;
  *token = read;
  return TokenError::kOk;
}

}  // namespace freehold::core
