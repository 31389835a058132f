#include "src/core/token.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "src/base/hash.h"
#include "src/base/little_endian.h"

namespace freehold::core {
namespace {

constexpr size_t kChecksumAt = kTokenBytes - 8;

ReferenceToken SomeToken() {
  ReferenceToken token;
  token.object = ObjectId::FromNumber(1);
  token.owner = ProcessId::FromNumber(2);
  token.term = 0x01020304;
  token.sender = ProcessId::FromNumber(3);
  token.receiver = ProcessId::FromNumber(4);
  token.number = 0x1112131415161718;
  return token;
}

TokenError Decode(std::string_view bytes) {
  ReferenceToken token;
  return DecodeToken(bytes, &token);
}

// The token with its checksum put right: what a writer with a bug would send.
std::string Checked(std::string bytes) {
  internal::StoreLittle(internal::HashBytes(bytes.data(), kChecksumAt, 0x4672),
                        &bytes[kChecksumAt]);
  return bytes;
}

TEST(ReferenceToken, ComesBackWhole) {
  const std::string bytes = EncodeToken(SomeToken());
  EXPECT_EQ(bytes.size(), kTokenBytes);
  ReferenceToken read;
  ASSERT_EQ(DecodeToken(bytes, &read), TokenError::kOk);
  EXPECT_EQ(read.object, ObjectId::FromNumber(1));
  EXPECT_EQ(read.owner, ProcessId::FromNumber(2));
  EXPECT_EQ(read.term, 0x01020304u);
  EXPECT_EQ(read.sender, ProcessId::FromNumber(3));
  EXPECT_EQ(read.receiver, ProcessId::FromNumber(4));
  EXPECT_EQ(read.number, 0x1112131415161718u);
  EXPECT_EQ(EncodeToken(read), bytes);
}

TEST(ReferenceToken, BytesNeverChange) {
  const auto id = [](uint64_t number) {
    return std::string(ProcessId::FromNumber(number).bytes());
  };
  const std::string bytes = EncodeToken(SomeToken());
  EXPECT_EQ(bytes.substr(0, kChecksumAt), std::string("Fr\x01\x04\x03\x02\x01") + id(1) + id(2) +
                                              id(3) + id(4) + "\x18\x17\x16\x15\x14\x13\x12\x11");
  EXPECT_EQ(internal::LoadLittle<uint64_t>(&bytes[kChecksumAt]), 0xf724aeefcd634135u);
}

TEST(ReferenceToken, EveryAlteredByteIsRejected) {
  const std::string bytes = EncodeToken(SomeToken());
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (int difference = 1; difference < 256; ++difference) {
      std::string altered = bytes;
      altered[at] = static_cast<char>(altered[at] ^ difference);
      const TokenError expected = at < 2    ? TokenError::kBadMagic
                                  : at == 2 ? TokenError::kUnknownVersion
                                            : TokenError::kBadChecksum;
      ASSERT_EQ(Decode(altered), expected) << at;
    }
  }
}

TEST(ReferenceToken, NoOtherLengthIsAToken) {
  const std::string bytes = EncodeToken(SomeToken());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(Decode(std::string_view(bytes).substr(0, size)), TokenError::kBadLength) << size;
  }
  EXPECT_EQ(Decode(bytes + '\0'), TokenError::kBadLength);
  EXPECT_EQ(Decode(bytes + bytes), TokenError::kBadLength);
  EXPECT_EQ(Decode(std::string_view()), TokenError::kBadLength);
}

TEST(ReferenceToken, ATokenOfALaterVersionIsNamedWhateverItsLength) {
  EXPECT_EQ(Decode("Fr\x02"), TokenError::kUnknownVersion);
  EXPECT_EQ(Decode("Fr\x02" + std::string(1000, 'x')), TokenError::kUnknownVersion);
  EXPECT_EQ(Decode(std::string("Fr\0", 3)), TokenError::kUnknownVersion);
}

TEST(ReferenceToken, AFrameIsNotAToken) {
  EXPECT_EQ(Decode("Fh\x01\x01" + std::string(kTokenBytes - 4, '\0')), TokenError::kBadMagic);
}

TEST(ReferenceToken, ValuesThatNobodyGivesAreRejected) {
  const std::string bytes = EncodeToken(SomeToken());
  EXPECT_EQ(Decode(Checked(bytes)), TokenError::kOk);
  const struct {
    const char* field;
    size_t at;
    size_t size;
  } kFields[] = {{"term", 3, 4},     {"object", 7, 28},    {"owner", 35, 28},
                 {"sender", 63, 28}, {"receiver", 91, 28}, {"number", 119, 8}};
  for (const auto& field : kFields) {
    std::string altered = bytes;
    altered.replace(field.at, field.size, field.size, '\0');
    EXPECT_EQ(Decode(Checked(altered)), TokenError::kBadValue) << field.field;
  }
  std::string altered = bytes;
  altered.replace(kFields[0].at, kFields[0].size, kFields[0].size, '\xff');
  EXPECT_EQ(Decode(Checked(altered)), TokenError::kBadValue) << "later than any owner's";
}

TEST(ReferenceToken, ARejectedTokenLeavesTheOutputAlone) {
  std::string bytes = EncodeToken(SomeToken());
  bytes.back() = static_cast<char>(~bytes.back());
  ReferenceToken token;
  token.number = 42;
  EXPECT_EQ(DecodeToken(bytes, &token), TokenError::kBadChecksum);
  EXPECT_EQ(token.number, 42u);
  EXPECT_TRUE(token.object.IsNil());
}

TEST(ReferenceTokenDeathTest, WhatCannotBeRedeemedIsNotEncoded) {
  ReferenceToken token = SomeToken();
  token.receiver = ProcessId();
  EXPECT_DEATH(EncodeToken(token), "IsValid");
  token = SomeToken();
  token.number = 0;
  EXPECT_DEATH(EncodeToken(token), "IsValid");
}

TEST(TokenError, EveryErrorHasAName) {
  std::vector<std::string> names;
  for (int error = 0; error <= static_cast<int>(TokenError::kBadValue); ++error) {
    names.emplace_back(TokenErrorName(static_cast<TokenError>(error)));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
  EXPECT_EQ(std::count(names.begin(), names.end(), "unknown"), 0);
}

}  // namespace
}  // namespace freehold::core
