#include "src/core/token.h"

#include <cstring>

#include "src/base/check.h"
#include "src/base/hash.h"
#include "src/base/little_endian.h"
#include "src/core/transfer_item.h"

namespace freehold::core {

namespace {

using internal::LoadLittle;
using internal::StoreLittle;

constexpr char kTokenMagic[2] = {'F', 'r'};

// Where each field stands.
constexpr size_t kTokenVersionAt = 2;
constexpr size_t kTokenTermAt = 3;
constexpr size_t kTokenObjectAt = 7;
constexpr size_t kTokenOwnerAt = kTokenObjectAt + ObjectId::kSize;
constexpr size_t kTokenSenderAt = kTokenOwnerAt + ProcessId::kSize;
constexpr size_t kTokenReceiverAt = kTokenSenderAt + ProcessId::kSize;
constexpr size_t kTokenNumberAt = kTokenReceiverAt + ProcessId::kSize;
constexpr size_t kTokenChecksumAt = kTokenNumberAt + 8;
static_assert(kTokenBytes == kTokenChecksumAt + 8);
// The part whose meaning is the same in every version.
constexpr size_t kTokenPreambleBytes = 3;

// Any number; part of the layout.
constexpr uint64_t kChecksumSeed = 0x4672;

uint64_t Checksum(const char* token) {
  return internal::HashBytes(token, kTokenChecksumAt, kChecksumSeed);
}

template <typename Id>
void StoreId(const Id& id, char* at) {
  std::memcpy(at, id.data(), Id::kSize);
}

template <typename Id>
Id LoadId(const char* at) {
  Id id;
  std::memcpy(id.mutable_data(), at, Id::kSize);
  return id;
}

bool IsValid(const ReferenceToken& token) {
  return !token.object.IsNil() && !token.owner.IsNil() && !token.sender.IsNil() &&
         !token.receiver.IsNil() && token.term >= kFirstTerm && token.term <= kTermMax &&
         token.number != 0;
}

}  // namespace

const char* TokenErrorName(TokenError error) {
  switch (error) {
    case TokenError::kOk:
      return "ok";
    case TokenError::kBadLength:
      return "bad length";
    case TokenError::kBadMagic:
      return "bad magic";
    case TokenError::kUnknownVersion:
      return "unknown version";
    case TokenError::kBadChecksum:
      return "bad checksum";
    case TokenError::kBadValue:
      return "bad value";
  }
  return "unknown";
}

std::string EncodeToken(const ReferenceToken& token) {
  FREEHOLD_CHECK(IsValid(token));
  char bytes[kTokenBytes];
  std::memcpy(bytes, kTokenMagic, sizeof(kTokenMagic));
  StoreLittle(kTokenVersion, bytes + kTokenVersionAt);
  StoreLittle(token.term, bytes + kTokenTermAt);
  StoreId(token.object, bytes + kTokenObjectAt);
  StoreId(token.owner, bytes + kTokenOwnerAt);
  StoreId(token.sender, bytes + kTokenSenderAt);
  StoreId(token.receiver, bytes + kTokenReceiverAt);
  StoreLittle(token.number, bytes + kTokenNumberAt);
  StoreLittle(Checksum(bytes), bytes + kTokenChecksumAt);
  return std::string(bytes, kTokenBytes);
}

TokenError DecodeToken(std::string_view bytes, ReferenceToken* token) {
  if (bytes.size() < kTokenPreambleBytes) return TokenError::kBadLength;
  if (std::memcmp(bytes.data(), kTokenMagic, sizeof(kTokenMagic)) != 0) {
    return TokenError::kBadMagic;
  }
  if (LoadLittle<uint8_t>(bytes.data() + kTokenVersionAt) != kTokenVersion) {
    return TokenError::kUnknownVersion;
  }
  if (bytes.size() != kTokenBytes) return TokenError::kBadLength;
  if (LoadLittle<uint64_t>(bytes.data() + kTokenChecksumAt) != Checksum(bytes.data())) {
    return TokenError::kBadChecksum;
  }
  ReferenceToken read;
  read.term = LoadLittle<uint32_t>(bytes.data() + kTokenTermAt);
  read.object = LoadId<ObjectId>(bytes.data() + kTokenObjectAt);
  read.owner = LoadId<ProcessId>(bytes.data() + kTokenOwnerAt);
  read.sender = LoadId<ProcessId>(bytes.data() + kTokenSenderAt);
  read.receiver = LoadId<ProcessId>(bytes.data() + kTokenReceiverAt);
  read.number = LoadLittle<uint64_t>(bytes.data() + kTokenNumberAt);
  if (!IsValid(read)) return TokenError::kBadValue;
  *token = read;
  return TokenError::kOk;
}

}  // namespace freehold::core
