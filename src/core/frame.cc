// The frame around a payload; payloads are in codec.cc.

#include "src/base/check.h"
#include "src/base/hash.h"
#include "src/base/little_endian.h"
#include "src/core/codec.h"

namespace freehold::core {

namespace {

using internal::LoadLittle;
using internal::StoreLittle;

constexpr char kMagic[2] = {'F', 'h'};
// The part whose meaning is the same in every version.
constexpr size_t kPreambleBytes = 4;

// Where each field stands.
constexpr size_t kVersionAt = 2;
constexpr size_t kVersionMaxAt = 3;
constexpr size_t kChecksumAt = 4;
constexpr size_t kSequenceAt = 8;
constexpr size_t kAcknowledgedAt = 16;
constexpr size_t kPayloadBytesAt = 24;

char* PutAddress(const Address& address, char* at) {
  *at++ = static_cast<char>(address.kind());
  std::memcpy(at, address.id_bytes().data(), address.id_bytes().size());
  return at + address.id_bytes().size();
}

// Over all of the frame but the checksum itself, both addresses, and the payload.
uint32_t Checksum(const char* frame, const Address& from, const Address& to,
                  std::string_view payload) {
  char head[kFrameBytes + 2 * (1 + ProcessId::kSize)];
  char* at = head;
  std::memcpy(at, frame, kFrameBytes);
  StoreLittle(uint32_t{0}, head + kChecksumAt);
  at += kFrameBytes;
  at = PutAddress(from, at);
  at = PutAddress(to, at);
  const uint64_t seed = internal::HashBytes(head, static_cast<size_t>(at - head), 0);
  const uint64_t hash = internal::HashBytes(payload.data(), payload.size(), seed);
  return static_cast<uint32_t>(hash ^ (hash >> 32));
}

}  // namespace

const char* CodecErrorName(CodecError error) {
  switch (error) {
    case CodecError::kOk:
      return "ok";
    case CodecError::kTruncated:
      return "truncated";
    case CodecError::kBadMagic:
      return "bad magic";
    case CodecError::kUnknownVersion:
      return "unknown version";
    case CodecError::kBadChecksum:
      return "bad checksum";
    case CodecError::kUnknownGroup:
      return "unknown group";
    case CodecError::kBadValue:
      return "bad value";
    case CodecError::kTrailingBytes:
      return "trailing bytes";
  }
  return "unknown";
}

std::string EncodeFrame(const Frame& frame, const Address& from, const Address& to,
                        std::string_view payload) {
  FREEHOLD_CHECK(payload.size() <= kEnvelopeBytesMost);
  FREEHOLD_CHECK((frame.sequence == 0) == payload.empty());
  char head[kFrameBytes];
  std::memcpy(head, kMagic, sizeof(kMagic));
  StoreLittle(frame.version, head + kVersionAt);
  StoreLittle(frame.version_max, head + kVersionMaxAt);
  StoreLittle(frame.sequence, head + kSequenceAt);
  StoreLittle(frame.acknowledged, head + kAcknowledgedAt);
  StoreLittle(static_cast<uint32_t>(payload.size()), head + kPayloadBytesAt);
  StoreLittle(Checksum(head, from, to, payload), head + kChecksumAt);
  std::string bytes;
  bytes.reserve(kFrameBytes + payload.size());
  bytes.append(head, kFrameBytes);
  bytes.append(payload);
  return bytes;
}

CodecError DecodeFrame(std::string_view bytes, const Address& from, const Address& to,
                       uint8_t version_max, Frame* frame, std::string_view* payload) {
  if (bytes.size() < kPreambleBytes) return CodecError::kTruncated;
  if (std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0) return CodecError::kBadMagic;
  Frame read;
  read.version = LoadLittle<uint8_t>(bytes.data() + kVersionAt);
  read.version_max = LoadLittle<uint8_t>(bytes.data() + kVersionMaxAt);
  if (read.version < kVersionMin || read.version > version_max) return CodecError::kUnknownVersion;
  if (bytes.size() < kFrameBytes) return CodecError::kTruncated;
  const uint32_t payload_bytes = LoadLittle<uint32_t>(bytes.data() + kPayloadBytesAt);
  if (payload_bytes > bytes.size() - kFrameBytes) return CodecError::kTruncated;
  if (payload_bytes < bytes.size() - kFrameBytes) return CodecError::kTrailingBytes;
  const std::string_view body = bytes.substr(kFrameBytes);
  if (LoadLittle<uint32_t>(bytes.data() + kChecksumAt) != Checksum(bytes.data(), from, to, body)) {
    return CodecError::kBadChecksum;
  }
  read.sequence = LoadLittle<uint64_t>(bytes.data() + kSequenceAt);
  read.acknowledged = LoadLittle<uint64_t>(bytes.data() + kAcknowledgedAt);
  if (read.version_max < read.version || payload_bytes > kEnvelopeBytesMost ||
      (read.sequence == 0) != body.empty()) {
    return CodecError::kBadValue;
  }
  *frame = read;
  *payload = body;
  return CodecError::kOk;
}

}  // namespace freehold::core
