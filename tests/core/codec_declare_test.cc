// The items of owner at creation, there and back; and what is none.

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/core/codec.h"
#include "src/core/codec_groups.h"
#include "tests/core/ignoring_sink.h"

namespace freehold::core {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class Collector : public IgnoringSink {
 public:
  void OnSharing(const SharingItem& item) override { items.push_back(item); }
  std::vector<SharingItem> items;
};

std::string Group(uint8_t kind, uint8_t detail, uint32_t count, size_t body_bytes,
                  uint32_t term = kFirstTerm, uint32_t generation = 0) {
  std::string bytes(codec::kGroupHeadBytes + body_bytes, '\x5a');
  char* at = codec::Put(kind, bytes.data());
  at = codec::Put(detail, at);
  at = codec::Put(generation, at);
  at = codec::Put(term, at);
  codec::Put(count, at);
  return bytes;
}

constexpr size_t kDeclareBytes = ObjectId::kSize + 16;
constexpr size_t kAckBytes = ObjectId::kSize + 8;

TEST(DeclareCodec, EveryItemComesBackAsItWas) {
  std::vector<SharingItem> all = {
      {ObjectId::FromNumber(7), 1, kFirstTerm, SharingKind::kDeclare, 0, 0},
      {ObjectId::FromNumber(8), UINT64_MAX, kFirstTerm, SharingKind::kDeclare, 0, UINT64_MAX},
      {ObjectId::FromNumber(7), 2, kFirstTerm, SharingKind::kRegister, 0, 0}};
  for (uint8_t answer = 0; answer <= kDeclareAnswerMax; ++answer) {
    all.push_back({ObjectId::FromNumber(9), 3, kFirstTerm, SharingKind::kDeclareAck, answer, 0});
  }
  PayloadWriter writer(4096);
  for (const SharingItem& item : all) ASSERT_TRUE(writer.Add(item));
  const std::string payload = writer.Take();
  EXPECT_EQ(CheckPayload(payload), CodecError::kOk);
  Collector sink;
  ASSERT_EQ(ReadPayload(payload, &sink), CodecError::kOk);
  ASSERT_THAT(sink.items, SizeIs(all.size()));
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(sink.items[i].object, all[i].object);
    EXPECT_EQ(sink.items[i].number, all[i].number);
    EXPECT_EQ(sink.items[i].kind, all[i].kind);
    EXPECT_EQ(sink.items[i].answer, all[i].answer);
    EXPECT_EQ(sink.items[i].size, all[i].size);
    EXPECT_EQ(sink.items[i].term, kFirstTerm);
  }
}

TEST(DeclareCodec, DeclarationsInARowShareAGroup) {
  PayloadWriter writer(4096);
  for (uint64_t object = 1; object <= 10; ++object) {
    ASSERT_TRUE(writer.Add(SharingItem{ObjectId::FromNumber(object), object, kFirstTerm,
                                       SharingKind::kDeclare, 0, 5}));
  }
  EXPECT_EQ(writer.size(), codec::kGroupHeadBytes + 10 * kDeclareBytes);
}

TEST(DeclareCodec, WhatMeansNothingIsRefused) {
  EXPECT_EQ(CheckPayload(Group(codec::kDeclares, 0, 1, kDeclareBytes)), CodecError::kOk);
  EXPECT_EQ(CheckPayload(Group(codec::kDeclareAcks, kDeclareAnswerMax, 1, kAckBytes)),
            CodecError::kOk);
  EXPECT_EQ(CheckPayload(Group(codec::kDeclares, 1, 1, kDeclareBytes)), CodecError::kBadValue)
      << "a detail";
  EXPECT_EQ(CheckPayload(Group(codec::kDeclareAcks, kDeclareAnswerMax + 1, 1, kAckBytes)),
            CodecError::kBadValue)
      << "no answer of an owner's";
  for (const uint8_t kind : {codec::kDeclares, codec::kDeclareAcks}) {
    const size_t bytes = kind == codec::kDeclares ? kDeclareBytes : kAckBytes;
    EXPECT_EQ(CheckPayload(Group(kind, 0, 1, bytes, kFirstTerm + 1)), CodecError::kBadValue)
        << "a later term";
    EXPECT_EQ(CheckPayload(Group(kind, 0, 1, bytes, kFirstTerm, 1)), CodecError::kBadValue)
        << "a generation";
    EXPECT_EQ(CheckPayload(Group(kind, 0, 0, 0)), CodecError::kBadValue) << "an empty group";
  }
  EXPECT_EQ(CheckPayload(Group(codec::kGroupKindMax + 1, 0, 1, kAckBytes)),
            CodecError::kUnknownGroup);
}

TEST(DeclareCodec, ACountThatTheBytesCannotJustifyIsRefused) {
  for (const uint32_t count : {2u, UINT32_MAX}) {
    EXPECT_EQ(CheckPayload(Group(codec::kDeclares, 0, count, kDeclareBytes)),
              CodecError::kTruncated);
    EXPECT_EQ(CheckPayload(Group(codec::kDeclareAcks, 0, count, kAckBytes)),
              CodecError::kTruncated);
  }
  Collector sink;
  EXPECT_EQ(ReadPayload(Group(codec::kDeclares, 0, 1, kDeclareBytes - 1), &sink),
            CodecError::kTruncated);
  EXPECT_THAT(sink.items, IsEmpty());
}

}  // namespace
}  // namespace freehold::core
