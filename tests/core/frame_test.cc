// The frame around a payload; payloads are in codec_test.cc.

#include <string>
#include <string_view>

#include "gtest/gtest.h"
#include "src/base/hash.h"
#include "src/base/little_endian.h"
#include "src/core/codec.h"

namespace freehold::core {
namespace {

const Address kOwner = ProcessId::FromNumber(1);
const Address kNode = NodeId::FromNumber(2);

CodecError Decode(std::string_view bytes, uint8_t version_max = kVersionMax) {
  Frame frame;
  std::string_view payload;
  return DecodeFrame(bytes, kOwner, kNode, version_max, &frame, &payload);
}

// The frame with its checksum put right: what a writer with a bug would send.
std::string Seal(std::string bytes) {
  internal::StoreLittle(uint32_t{0}, &bytes[4]);
  const std::string head = bytes.substr(0, kFrameBytes) + '\x01' + std::string(kOwner.id_bytes()) +
                           '\x02' + std::string(kNode.id_bytes());
  const uint64_t seed = internal::HashBytes(head.data(), head.size(), 0);
  const uint64_t hash =
      internal::HashBytes(bytes.data() + kFrameBytes, bytes.size() - kFrameBytes, seed);
  internal::StoreLittle(static_cast<uint32_t>(hash ^ hash >> 32), &bytes[4]);
  return bytes;
}

TEST(Frame, ComesBackWhole) {
  const Frame frame{1, 7, 0x1122334455667788, 0x99aabbccddeeff00};
  const std::string bytes = EncodeFrame(frame, kOwner, kNode, "payload");
  EXPECT_EQ(bytes.size(), kFrameBytes + 7);
  Frame read;
  std::string_view payload;
  ASSERT_EQ(DecodeFrame(bytes, kOwner, kNode, 1, &read, &payload), CodecError::kOk);
  EXPECT_EQ(read.version, 1);
  EXPECT_EQ(read.version_max, 7);
  EXPECT_EQ(read.sequence, frame.sequence);
  EXPECT_EQ(read.acknowledged, frame.acknowledged);
  EXPECT_EQ(payload, "payload");
  EXPECT_EQ(payload.data(), bytes.data() + kFrameBytes);
}

TEST(Frame, BytesNeverChange) {
  const std::string bytes = EncodeFrame({1, 1, 2, 3}, kOwner, kNode, "ab");
  const std::string checksum("\x1e\x39\x4b\xad", 4);
  EXPECT_EQ(bytes, std::string("Fh\x01\x01", 4) + checksum +
                       std::string("\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0\x02\0\0\0", 20) + "ab");
}

TEST(Frame, EveryAlteredBitIsRejected) {
  const std::string bytes = EncodeFrame({1, 1, 5, 9}, kOwner, kNode, std::string(300, 'p'));
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string altered = bytes;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ 1 << (bit % 8));
    EXPECT_NE(Decode(altered), CodecError::kOk) << "bit " << bit;
  }
}

TEST(Frame, EveryTruncationIsRejected) {
  const std::string bytes = EncodeFrame({1, 1, 5, 9}, kOwner, kNode, std::string(300, 'p'));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(Decode(std::string_view(bytes).substr(0, size)), CodecError::kTruncated) << size;
  }
}

TEST(Frame, TrailingBytesAreRejected) {
  const std::string bytes = EncodeFrame({1, 1, 5, 9}, kOwner, kNode, "payload");
  EXPECT_EQ(Decode(bytes + "x"), CodecError::kTrailingBytes);
}

TEST(Frame, SomethingElseIsNotAFrame) {
  EXPECT_EQ(Decode("GET / HTTP/1.1\r\nHost: node\r\n\r\n"), CodecError::kBadMagic);
  EXPECT_EQ(Decode("Fx\x01\x01"), CodecError::kBadMagic);
}

TEST(Frame, AnUnknownVersionIsNamedWhateverFollowsIt) {
  const std::string newer = EncodeFrame({2, 2, 5, 9}, kOwner, kNode, "payload");
  EXPECT_EQ(Decode(newer, 1), CodecError::kUnknownVersion);
  EXPECT_EQ(Decode(newer, 2), CodecError::kOk);
  EXPECT_EQ(Decode("Fh\x09\x09", 2), CodecError::kUnknownVersion);
  EXPECT_EQ(Decode(std::string_view("Fh\0\x01", 4), 2), CodecError::kUnknownVersion);
}

TEST(Frame, AWrongEndRejectsIt) {
  const std::string bytes = EncodeFrame({1, 1, 5, 9}, kOwner, kNode, "payload");
  const auto decode = [&](const Address& from, const Address& to) {
    Frame frame;
    std::string_view payload;
    return DecodeFrame(bytes, from, to, 1, &frame, &payload);
  };
  EXPECT_EQ(decode(kOwner, kNode), CodecError::kOk);
  EXPECT_EQ(decode(kNode, kOwner), CodecError::kBadChecksum);
  EXPECT_EQ(decode(kOwner, NodeId::FromNumber(3)), CodecError::kBadChecksum);
  EXPECT_EQ(decode(ProcessId::FromNumber(3), kNode), CodecError::kBadChecksum);
  // The same 28 bytes, the other kind.
  EXPECT_EQ(decode(kOwner, ProcessId::FromNumber(2)), CodecError::kBadChecksum);
  EXPECT_EQ(decode(NodeId::FromNumber(1), kNode), CodecError::kBadChecksum);
}

TEST(Frame, ContradictionsAreRejected) {
  EXPECT_EQ(Decode(EncodeFrame({2, 1, 5, 9}, kOwner, kNode, "payload"), 2), CodecError::kBadValue)
      << "written in a version that its writer does not know";
  const std::string empty_frame = EncodeFrame({1, 1, 0, 9}, kOwner, kNode, "");
  const std::string full_frame = EncodeFrame({1, 1, 5, 9}, kOwner, kNode, "payload");
  EXPECT_EQ(Decode(Seal(empty_frame)), CodecError::kOk);
  EXPECT_EQ(Decode(Seal(full_frame)), CodecError::kOk);

  std::string numbered = empty_frame;
  numbered[8] = 1;
  EXPECT_EQ(Decode(Seal(numbered)), CodecError::kBadValue) << "a sequence number, no payload";
  std::string unnumbered = full_frame;
  unnumbered[8] = 0;
  EXPECT_EQ(Decode(Seal(unnumbered)), CodecError::kBadValue) << "a payload, no sequence number";
  std::string longer = full_frame.substr(0, kFrameBytes) + std::string(kEnvelopeBytesMost + 1, 'p');
  internal::StoreLittle(kEnvelopeBytesMost + 1, &longer[24]);
  EXPECT_EQ(Decode(Seal(longer)), CodecError::kBadValue) << "a longer payload than any may be";
}

TEST(Frame, ARejectedFrameLeavesTheOutputsAlone) {
  std::string bytes = EncodeFrame({1, 1, 5, 9}, kOwner, kNode, "payload");
  bytes.back() = 'x';
  Frame frame;
  frame.sequence = 42;
  std::string_view payload = "before";
  EXPECT_EQ(DecodeFrame(bytes, kOwner, kNode, 1, &frame, &payload), CodecError::kBadChecksum);
  EXPECT_EQ(frame.sequence, 42u);
  EXPECT_EQ(payload, "before");
}

}  // namespace
}  // namespace freehold::core
