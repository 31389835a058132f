// The items of scopes across processes, there and back; and what is none.

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/core/codec.h"
#include "src/core/codec_groups.h"

namespace freehold::core {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class Collector : public PayloadSink {
 public:
  void OnFrees(uint32_t, uint32_t, std::string_view) override { ADD_FAILURE(); }
  void OnFreeResults(uint32_t, uint32_t, FreeResult, std::string_view) override { ADD_FAILURE(); }
  void OnFreeFailed(const FreeResultItem&) override { ADD_FAILURE(); }
  void OnLocation(const LocationItem&) override { ADD_FAILURE(); }
  void OnSharing(const SharingItem&) override { ADD_FAILURE(); }
  void OnLocationQuery(const LocationQueryItem&) override { ADD_FAILURE(); }
  void OnLocationAnswer(const LocationAnswerItem&) override { ADD_FAILURE(); }
  void OnScope(const ScopeItem& item) override { items.push_back(item); }
  std::vector<ScopeItem> items;
};

std::string Group(uint8_t kind, uint8_t detail, uint32_t count, uint64_t scope, uint64_t number) {
  std::string bytes(codec::kGroupHeadBytes + 16, '\0');
  char* at = codec::Put(kind, bytes.data());
  at = codec::Put(detail, at);
  at = codec::Put(uint32_t{0}, at);
  at = codec::Put(kFirstTerm, at);
  at = codec::Put(count, at);
  codec::Put(number, codec::Put(scope, at));
  return bytes;
}

TEST(ScopeCodec, EveryItemComesBackAsItWas) {
  std::vector<ScopeItem> all = {{7, 1, ScopeItemKind::kJoin},
                                {UINT64_MAX - 1, 2, ScopeItemKind::kJoin},
                                {7, 1, ScopeItemKind::kEnded}};
  for (int end = 1; end <= static_cast<int>(ScopeEnd::kForced); ++end) {
    all.push_back({9, 3, ScopeItemKind::kEnd, static_cast<ScopeEnd>(end)});
    all.push_back({9, 4, ScopeItemKind::kEnd, static_cast<ScopeEnd>(end), true});
  }
  PayloadWriter writer(4096);
  for (const ScopeItem& item : all) ASSERT_TRUE(writer.Add(item));
  const std::string payload = writer.Take();
  EXPECT_EQ(CheckPayload(payload), CodecError::kOk);
  Collector sink;
  ASSERT_EQ(ReadPayload(payload, &sink), CodecError::kOk);
  ASSERT_THAT(sink.items, SizeIs(all.size()));
  for (size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(sink.items[i].scope, all[i].scope);
    EXPECT_EQ(sink.items[i].number, all[i].number);
    EXPECT_EQ(sink.items[i].kind, all[i].kind);
    EXPECT_EQ(sink.items[i].end, all[i].end);
    EXPECT_EQ(sink.items[i].unlisted, all[i].unlisted);
  }
}

TEST(ScopeCodec, WhatMeansNothingIsRefused) {
  const auto check = [](const std::string& bytes) { return CheckPayload(bytes); };
  EXPECT_EQ(check(Group(codec::kScopeJoins, 0, 1, 7, 1)), CodecError::kOk);
  EXPECT_EQ(check(Group(codec::kScopeJoins, 1, 1, 7, 1)), CodecError::kBadValue) << "a detail";
  EXPECT_EQ(check(Group(codec::kScopeEndeds, 1, 1, 7, 1)), CodecError::kBadValue);
  EXPECT_EQ(check(Group(codec::kScopeJoins, 0, 1, 0, 1)), CodecError::kBadValue) << "no scope";
  EXPECT_EQ(check(Group(codec::kScopeJoins, 0, 1, UINT64_MAX, 1)), CodecError::kBadValue)
      << "the root";
  EXPECT_EQ(check(Group(codec::kScopeJoins, 0, 1, 7, 0)), CodecError::kBadValue) << "no number";
  EXPECT_EQ(check(Group(codec::kScopeEnds, 0, 1, 7, 1)), CodecError::kBadValue) << "it runs";
  EXPECT_EQ(check(Group(codec::kScopeEnds, 6, 1, 7, 1)), CodecError::kOk);
  EXPECT_EQ(check(Group(codec::kScopeEnds, 0x86, 1, 7, 1)), CodecError::kOk);
  for (const int end : {7, 8, 0x87, 0x80, 0x46}) {
    EXPECT_EQ(check(Group(codec::kScopeEnds, static_cast<uint8_t>(end), 1, 7, 1)),
              CodecError::kBadValue)
        << end;
  }
}

TEST(ScopeCodec, ACountThatTheBytesCannotJustifyIsRefused) {
  EXPECT_EQ(CheckPayload(Group(codec::kScopeJoins, 0, 2, 7, 1)), CodecError::kTruncated);
  EXPECT_EQ(CheckPayload(Group(codec::kScopeJoins, 0, UINT32_MAX, 7, 1)), CodecError::kTruncated);
  Collector sink;
  const std::string cut = Group(codec::kScopeEndeds, 0, 1, 7, 1);
  EXPECT_EQ(ReadPayload(cut.substr(0, cut.size() - 1), &sink), CodecError::kTruncated);
  EXPECT_THAT(sink.items, IsEmpty());
}

}  // namespace
}  // namespace freehold::core
