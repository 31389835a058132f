// Groups of files that have outlived their node: what is written comes back; what no writer would
// write is refused.

#include <string>
#include <string_view>
#include <vector>

#include "freehold/session_options.h"
#include "gtest/gtest.h"
#include "src/core/codec.h"
#include "tests/core/codec_testing.h"
#include "tests/core/owner_payload.h"

namespace freehold::core {
namespace {

constexpr size_t kHeadBytes = 14;
constexpr size_t kDetailAt = 1;
constexpr size_t kTermAt = 6;
constexpr size_t kCountAt = 10;
constexpr size_t kNumberAt = kHeadBytes + ObjectId::kSize;
constexpr size_t kUrlBytesAt = kNumberAt + 16;

struct Lines : StraySink {
  void OnFile(const FileItem& item) override {
    lines.push_back(std::to_string(static_cast<int>(item.kind)) + " " +
                    std::to_string(NumberOf(item.object)) + " g" + std::to_string(item.generation) +
                    " n" + std::to_string(item.number) + " " + std::to_string(item.size) + " " +
                    item.url);
  }
  std::vector<std::string> lines;
};

std::vector<std::string> LinesOf(std::string_view payload) { return LinesRead<Lines>(payload); }

FileItem File(FileItemKind kind, uint64_t object, uint64_t number, std::string url,
              uint32_t generation = 0) {
  return {ObjectId::FromNumber(object), number, generation, kind, 7, std::move(url)};
}

std::string PayloadOf(const FileItem& item) {
  PayloadWriter writer(8192);
  EXPECT_TRUE(writer.Add(item));
  return writer.Take();
}

TEST(FilesPayload, ItemsComeBackInTheOrderInWhichTheyWereWritten) {
  PayloadWriter writer(16 * 1024);
  EXPECT_TRUE(writer.Add(File(FileItemKind::kCarry, 1, 2, "s3://a", 3)));
  EXPECT_TRUE(writer.Add(File(FileItemKind::kCarry, 1, 3, "b", 3)));
  EXPECT_TRUE(writer.Add(File(FileItemKind::kDelete, 5, ~uint64_t{0}, "c", ~0u)));
  EXPECT_TRUE(writer.Add(File(FileItemKind::kGone, 5, 4, "never written")));
  const std::string longest(kSpilledUrlBytesMax, 'x');
  EXPECT_TRUE(writer.Add(File(FileItemKind::kDelete, 6, 1, longest)));
  EXPECT_EQ(LinesOf(writer.Take()),
            (std::vector<std::string>{"1 1 g3 n2 7 s3://a", "1 1 g3 n3 7 b",
                                      "2 5 g4294967295 n18446744073709551615 7 c", "3 5 g0 n4 0 ",
                                      "2 6 g0 n1 7 " + longest}));
}

TEST(FilesPayload, AFullWriterRefusesAndStaysAsItWas) {
  PayloadWriter writer(kUrlBytesAt + 2 + 6);
  ASSERT_TRUE(writer.Add(File(FileItemKind::kCarry, 1, 2, "s3://a")));
  EXPECT_FALSE(writer.Add(File(FileItemKind::kCarry, 1, 3, "b")));
  EXPECT_FALSE(writer.Add(File(FileItemKind::kGone, 1, 3, "")));
  EXPECT_EQ(LinesOf(writer.Take()).size(), 1u);
}

TEST(FilesPayload, WhatIsCutShortIsTruncated) {
  for (const FileItemKind kind :
       {FileItemKind::kCarry, FileItemKind::kDelete, FileItemKind::kGone}) {
    const std::string whole = PayloadOf(File(kind, 1, 1, "s3://a"));
    for (size_t size = 1; size < whole.size(); ++size) {
      EXPECT_EQ(CheckPayload(whole.substr(0, size)), CodecError::kTruncated) << size;
    }
  }
}

TEST(FilesPayload, ACountThatTheBytesCannotJustifyIsTruncated) {
  std::string payload = PayloadOf(File(FileItemKind::kGone, 1, 1, ""));
  payload[kCountAt + 3] = '\x7f';
  EXPECT_EQ(CheckPayload(payload), CodecError::kTruncated);
}

TEST(FilesPayload, WhatNobodyWritesIsBad) {
  for (const size_t at : {kDetailAt, kTermAt}) {
    std::string payload = PayloadOf(File(FileItemKind::kCarry, 1, 1, "a"));
    payload[at] = 2;
    EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue) << at;
  }
  std::string payload = PayloadOf(File(FileItemKind::kCarry, 1, 1, "a"));
  payload[kNumberAt] = 0;
  EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue) << "a file without a number";
  payload = PayloadOf(File(FileItemKind::kCarry, 1, 1, "a"));
  payload[kUrlBytesAt] = 0;
  EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue) << "a file without a url";
  payload = PayloadOf(File(FileItemKind::kCarry, 1, 1, "a"));
  payload[kUrlBytesAt + 1] = '\x7f';
  EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue) << "a url that is too long";
}

TEST(FilesPayload, AReportSaysWhetherItsFileIsShared) {
  struct Sink : StraySink {
    void OnLocation(const LocationItem& item) override { shared.push_back(item.shared); }
    std::vector<bool> shared;
  } sink;
  LocationItem item;
  item.object = ObjectId::FromNumber(1);
  item.shared = true;
  PayloadWriter writer(8192);
  ASSERT_TRUE(writer.Add(item)) << "in memory: there is no file, and nothing is written of one";
  item.change = LocationChange::kSpilled;
  item.url = "a";
  ASSERT_TRUE(writer.Add(item));
  item.shared = false;
  ASSERT_TRUE(writer.Add(item));
  const std::string payload = writer.Take();
  ASSERT_EQ(ReadPayload(payload, &sink), CodecError::kOk);
  EXPECT_EQ(sink.shared, (std::vector<bool>{false, true, false}));
}

TEST(FilesPayload, ASharedFileWithoutAUrlIsBad) {
  LocationItem item;
  item.object = ObjectId::FromNumber(1);
  item.change = LocationChange::kSpilled;
  PayloadWriter writer(8192);
  ASSERT_TRUE(writer.Add(item));
  std::string payload = writer.Take();
  ASSERT_EQ(CheckPayload(payload), CodecError::kOk);
  payload[kHeadBytes + ObjectId::kSize + 1] |= 4;
  EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue);
}

TEST(FilesPayload, ASharedCopyInMemoryAloneIsBad) {
  LocationItem item;
  item.object = ObjectId::FromNumber(1);
  PayloadWriter writer(8192);
  ASSERT_TRUE(writer.Add(item));
  std::string payload = writer.Take();
  payload[kHeadBytes + ObjectId::kSize + 1] |= 4;
  EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue);
}

}  // namespace
}  // namespace freehold::core
