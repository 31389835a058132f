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

constexpr char kMagic[2] = {'F', 'r'};

// Where each field stands.
constexpr size_t kVersionAt = 2;
constexpr size_t kTermAt = 3;
constexpr size_t kObjectAt = 7;
constexpr size_t kOwnerAt = kObjectAt + ObjectId::kSize;
constexpr size_t kSenderAt = kOwnerAt + ProcessId::kSize;
constexpr size_t kReceiverAt = kSenderAt + ProcessId::kSize;
constexpr size_t kNumberAt = kReceiverAt + ProcessId::kSize;
constexpr size_t kChecksumAt = kNumberAt + 8;
static_assert(kTokenBytes == kChecksumAt + 8);
// The part whose meaning is the same in every version.
constexpr size_t kPreambleBytes = 3;

// Any number; part of the layout.
constexpr uint64_t kChecksumSeed = 0x4672;

uint64_t Checksum(const char* token) {
  return internal::HashBytes(token, kChecksumAt, kChecksumSeed);
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
  std::memcpy(bytes, kMagic, sizeof(kMagic));
  StoreLittle(kTokenVersion, bytes + kVersionAt);
  StoreLittle(token.term, bytes + kTermAt);
  StoreId(token.object, bytes + kObjectAt);
  StoreId(token.owner, bytes + kOwnerAt);
  StoreId(token.sender, bytes + kSenderAt);
  StoreId(token.receiver, bytes + kReceiverAt);
  StoreLittle(token.number, bytes + kNumberAt);
  StoreLittle(Checksum(bytes), bytes + kChecksumAt);
  return std::string(bytes, kTokenBytes);
}

TokenError DecodeToken(std::string_view bytes, ReferenceToken* token) {
  if (bytes.size() < kPreambleBytes) return TokenError::kBadLength;
  if (std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) return TokenError::kBadMagic;
  if (LoadLittle<uint8_t>(bytes.data() + kVersionAt) != kTokenVersion) {
    return TokenError::kUnknownVersion;
  }
  if (bytes.size() != kTokenBytes) return TokenError::kBadLength;
  if (LoadLittle<uint64_t>(bytes.data() + kChecksumAt) != Checksum(bytes.data())) {
    return TokenError::kBadChecksum;
  }
  ReferenceToken read;
  read.term = LoadLittle<uint32_t>(bytes.data() + kTermAt);
  read.object = LoadId<ObjectId>(bytes.data() + kObjectAt);
  read.owner = LoadId<ProcessId>(bytes.data() + kOwnerAt);
  read.sender = LoadId<ProcessId>(bytes.data() + kSenderAt);
  read.receiver = LoadId<ProcessId>(bytes.data() + kReceiverAt);
  read.number = LoadLittle<uint64_t>(bytes.data() + kNumberAt);
  if (!IsValid(read)) return TokenError::kBadValue;
  *token = read;
  return TokenError::kOk;
}

}  // namespace freehold::core
