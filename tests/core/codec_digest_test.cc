// Digests on the wire.

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/little_endian.h"
#include "src/core/codec.h"
#include "src/core/codec_groups.h"

namespace freehold::core {
namespace {

DigestKey KeyOf(uint64_t number, uint32_t generation) {
  return {ObjectId::FromNumber(number), generation};
}

// What was read, and in how many pieces.
struct Reader : PayloadSink {
  void OnFrees(uint32_t, uint32_t, std::string_view) override { ++others; }
  void OnFreeResults(uint32_t, uint32_t, FreeResult, std::string_view) override { ++others; }
  void OnFreeFailed(const FreeResultItem&) override { ++others; }
  void OnLocation(const LocationItem&) override { ++others; }
  void OnSharing(const SharingItem&) override { ++others; }
  void OnLocationQuery(const LocationQueryItem&) override { ++others; }
  void OnLocationAnswer(const LocationAnswerItem&) override { ++others; }
  void OnDigestSums(absl::Span<const DigestSumsItem> items) override {
    ++pieces;
    sums.insert(sums.end(), items.begin(), items.end());
  }
  void OnDigestCopies(absl::Span<const DigestCopiesItem> items) override {
    ++pieces;
    copies.insert(copies.end(), items.begin(), items.end());
  }
  void OnDigestQuery(const DigestQueryItem& item) override { queries.push_back(item); }
  void OnReportAgain(const ReportAgainItem& item) override { again.push_back(item.copy); }

  std::vector<DigestSumsItem> sums;
  std::vector<DigestCopiesItem> copies;
  std::vector<DigestQueryItem> queries;
  std::vector<DigestKey> again;
  int pieces = 0;
  int others = 0;
};

Reader Read(std::string_view payload) {
  Reader reader;
  EXPECT_EQ(CheckPayload(payload), CodecError::kOk);
  EXPECT_EQ(ReadPayload(payload, &reader), CodecError::kOk);
  EXPECT_EQ(reader.others, 0);
  return reader;
}

// A writer of one envelope at its smallest.
PayloadWriter Smallest() { return PayloadWriter(kEnvelopeBytesLeast - kFrameBytes); }

DigestSumsItem SumsOfChildren(const DigestRange& range) {
  DigestSumsItem item{77, range, {}};
  for (uint32_t i = 0; i < kDigestChildren; ++i) item.sums.push_back({~uint64_t{i}, i});
  return item;
}

TEST(DigestCodec, ADigestTakesFewBytesAndMeansTheSameAfterwards) {
  PayloadWriter writer = Smallest();
  ASSERT_TRUE(writer.Add(DigestSumsItem{0, DigestRange(), {{0x123456789abcdef0u, 42}}}));
  const std::string payload = writer.Take();
  EXPECT_EQ(payload.size(), 40u);
  const Reader reader = Read(payload);
  ASSERT_EQ(reader.sums.size(), 1u);
  EXPECT_EQ(reader.sums[0].number, 0u);
  EXPECT_EQ(reader.sums[0].range, DigestRange());
  EXPECT_EQ(reader.sums[0].sums, (std::vector<DigestSum>{{0x123456789abcdef0u, 42}}));
}

TEST(DigestCodec, AnswersThatStandInARowAreReadTogether) {
  PayloadWriter writer(64 * 1024);
  const DigestRange range = DigestRange().Child(63);
  ASSERT_TRUE(writer.Add(SumsOfChildren(range)));
  ASSERT_TRUE(writer.Add(SumsOfChildren(range.Child(1))));
  ASSERT_TRUE(writer.Add(DigestCopiesItem{5, range, true, {KeyOf(1, 0), KeyOf(1, 9)}}));
  ASSERT_TRUE(writer.Add(DigestCopiesItem{5, range.Child(2), false, {}}));
  const Reader reader = Read(writer.Take());
  EXPECT_EQ(reader.pieces, 2);
  ASSERT_EQ(reader.sums.size(), 2u);
  EXPECT_EQ(reader.sums[0].sums, SumsOfChildren(range).sums);
  EXPECT_EQ(reader.sums[1].range, range.Child(1));
  ASSERT_EQ(reader.copies.size(), 2u);
  EXPECT_TRUE(reader.copies[0].truncated);
  EXPECT_EQ(reader.copies[0].copies, (std::vector<DigestKey>{KeyOf(1, 0), KeyOf(1, 9)}));
  EXPECT_FALSE(reader.copies[1].truncated);
  EXPECT_TRUE(reader.copies[1].copies.empty());
}

TEST(DigestCodec, QuestionsAndRepetitionsMeanTheSameAfterwards) {
  PayloadWriter writer = Smallest();
  ASSERT_TRUE(writer.Add(DigestQueryItem{3, DigestRange()}));
  ASSERT_TRUE(writer.Add(DigestQueryItem{3, DigestRange().Child(7)}));
  ASSERT_TRUE(writer.Add(ReportAgainItem{KeyOf(8, 4)}));
  ASSERT_TRUE(writer.Add(ReportAgainItem{KeyOf(9, 4)}));
  const Reader reader = Read(writer.Take());
  ASSERT_EQ(reader.queries.size(), 2u);
  EXPECT_EQ(reader.queries[1].number, 3u);
  EXPECT_EQ(reader.queries[1].range, DigestRange().Child(7));
  EXPECT_EQ(reader.again, (std::vector<DigestKey>{KeyOf(8, 4), KeyOf(9, 4)}));
}

TEST(DigestCodec, AnyAnswerFitsTheSmallestEnvelope) {
  PayloadWriter writer = Smallest();
  EXPECT_TRUE(writer.Add(SumsOfChildren(DigestRange())));
  PayloadWriter other = Smallest();
  DigestCopiesItem list{1, DigestRange(), false, {}};
  for (uint64_t i = 0; i < kDigestListMax; ++i) list.copies.push_back(KeyOf(i, 0));
  EXPECT_TRUE(other.Add(list));
  EXPECT_FALSE(other.Add(list)) << "and is not written in part";
  EXPECT_EQ(Read(other.Take()).copies.size(), 1u);
}

TEST(DigestCodec, EveryTruncationIsNoticed) {
  PayloadWriter writer = Smallest();
  ASSERT_TRUE(writer.Add(SumsOfChildren(DigestRange())));
  ASSERT_TRUE(writer.Add(DigestCopiesItem{5, DigestRange(), false, {KeyOf(1, 0)}}));
  ASSERT_TRUE(writer.Add(DigestQueryItem{3, DigestRange()}));
  ASSERT_TRUE(writer.Add(ReportAgainItem{KeyOf(8, 4)}));
  const std::string payload = writer.Take();
  int whole = 0;
  for (size_t size = 0; size < payload.size(); ++size) {
    const CodecError error = CheckPayload(std::string_view(payload).substr(0, size));
    if (error == CodecError::kOk) {
      ++whole;
    } else {
      EXPECT_EQ(error, CodecError::kTruncated) << size;
    }
  }
  EXPECT_EQ(whole, 4) << "nothing, and in front of each further group";
}

TEST(DigestCodec, ValuesOutOfBoundsAreRejected) {
  const auto patched = [](std::string payload, size_t at, int value) {
    payload[at] = static_cast<char>(value);
    return CheckPayload(payload);
  };
  constexpr size_t kHead = codec::kGroupHeadBytes;
  PayloadWriter writer = Smallest();
  ASSERT_TRUE(writer.Add(DigestSumsItem{0, DigestRange(), {{1, 1}}}));
  const std::string sums = writer.Take();
  EXPECT_EQ(CheckPayload(sums), CodecError::kOk);
  EXPECT_EQ(patched(sums, 1, 1), CodecError::kBadValue) << "no detail";
  EXPECT_EQ(patched(sums, 2, 1), CodecError::kBadValue) << "no generation";
  EXPECT_EQ(patched(sums, 6, 2), CodecError::kBadValue) << "no term";
  EXPECT_EQ(patched(sums, kHead + 8, 1), CodecError::kBadValue) << "a prefix without bits";
  EXPECT_EQ(patched(sums, kHead + 12, 5), CodecError::kBadValue) << "not a number of bits";
  EXPECT_EQ(patched(sums, kHead + 12, 36), CodecError::kBadValue) << "too deep";
  EXPECT_EQ(patched(sums, kHead + 13, 2), CodecError::kBadValue) << "neither one nor all children";
  ASSERT_TRUE(writer.Add(DigestCopiesItem{0, DigestRange(), false, {}}));
  const std::string copies = writer.Take();
  EXPECT_EQ(patched(copies, kHead + 13, 2), CodecError::kBadValue) << "no such flag";
  EXPECT_EQ(patched(copies, kHead + 14, 201), CodecError::kBadValue) << "too many";
  ASSERT_TRUE(writer.Add(DigestQueryItem{1, DigestRange()}));
  const std::string query = writer.Take();
  EXPECT_EQ(patched(query, kHead, 0), CodecError::kBadValue) << "a question has a number";
}

}  // namespace
}  // namespace freehold::core
