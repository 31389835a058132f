#include "src/core/codec.h"
#include "src/core/codec_groups.h"

#include <algorithm>
#include <string>
#include <vector>

#include "freehold/session_options.h"
#include "gtest/gtest.h"
#include "src/base/little_endian.h"

namespace freehold::core {
namespace {

// What a payload says, one line per item, in order.
class Lines : public PayloadSink {
 public:
  void OnFrees(uint32_t generation, uint32_t term, std::string_view ids) override {
    ++runs;
    for (size_t i = 0; i < IdCount(ids); ++i) {
      lines.push_back("free " + Name(IdAt(ids, i)) + Key(generation, term));
    }
  }
  void OnFreeResults(uint32_t generation, uint32_t term, FreeResult result,
                     std::string_view ids) override {
    ++runs;
    for (size_t i = 0; i < IdCount(ids); ++i) {
      lines.push_back("result " + Name(IdAt(ids, i)) + Key(generation, term) + " " +
                      std::to_string(static_cast<int>(result)));
    }
  }
  void OnFreeFailed(const FreeResultItem& item) override {
    EXPECT_EQ(item.result, FreeResult::kFailed);
    lines.push_back("failed " + Name(item.object) + Key(item.generation, item.term) + " " +
                    item.why);
  }
  void OnLocation(const LocationItem& item) override {
    lines.push_back("location " + Name(item.object) + Key(item.generation, item.term) + " " +
                    std::to_string(static_cast<int>(item.change)) +
                    (item.role == CopyRole::kPrimary ? " primary " : " secondary ") +
                    (item.in_memory ? "in memory " : "") + std::to_string(item.size) + " " +
                    item.url);
  }
  // What they carry is in codec_sharing_test.cc.
  void OnSharing(const SharingItem&) override { lines.emplace_back("sharing"); }
  void OnLocationQuery(const LocationQueryItem&) override { lines.emplace_back("query"); }
  void OnLocationAnswer(const LocationAnswerItem&) override { lines.emplace_back("answer"); }

  std::vector<std::string> lines;
  int runs = 0;

 private:
  static std::string Name(const ObjectId& id) {
    return std::to_string(internal::LoadLittle<uint64_t>(id.data() + 20));
  }
  static std::string Key(uint32_t generation, uint32_t term) {
    return " g" + std::to_string(generation) + " t" + std::to_string(term);
  }
};

std::vector<std::string> LinesOf(std::string_view payload) {
  Lines lines;
  EXPECT_EQ(ReadPayload(payload, &lines), CodecError::kOk);
  return lines.lines;
}

ObjectId Object(uint64_t number) { return ObjectId::FromNumber(number); }

FreeItem Free(uint64_t number, uint32_t generation = 0, uint32_t term = 1) {
  return {Object(number), generation, term};
}

LocationItem Spilled(uint64_t number, std::string url) {
  LocationItem item;
  item.object = Object(number);
  item.change = LocationChange::kSpilled;
  item.in_memory = false;
  item.size = 77;
  item.url = std::move(url);
  return item;
}

// A group head, for payloads that no writer would write.
std::string Head(int kind, int result, uint32_t count) {
  std::string bytes{static_cast<char>(kind), static_cast<char>(result)};
  internal::AppendLittle(uint32_t{0}, &bytes);
  internal::AppendLittle(uint32_t{1}, &bytes);
  internal::AppendLittle(count, &bytes);
  return bytes;
}

std::string IdBytes(uint64_t number) { return std::string(Object(number).bytes()); }

std::string MixedPayload() {
  PayloadWriter writer(8192);
  EXPECT_TRUE(writer.Add(Free(1)));
  EXPECT_TRUE(writer.Add(Free(2)));
  EXPECT_TRUE(writer.Add(FreeResultItem{Object(3), 4, 5, FreeResult::kDoomed, ""}));
  EXPECT_TRUE(writer.Add(FreeResultItem{Object(6), 4, 5, FreeResult::kFailed, "disk"}));
  EXPECT_TRUE(writer.Add(Spilled(7, "file:///x")));
  EXPECT_TRUE(writer.Add(Spilled(8, "file:///y")));
  return writer.Take();
}

TEST(Payload, ItemsComeBackInTheOrderInWhichTheyWereWritten) {
  PayloadWriter writer(8192);
  LocationItem added{Object(6),          7,    8,        LocationChange::kAdded,
                     CopyRole::kPrimary, true, 1u << 31, ""};
  LocationItem removed{Object(6),    7, 8, LocationChange::kRemoved, CopyRole::kSecondary, false,
                       ~uint64_t{0}, ""};
  EXPECT_TRUE(writer.Add(Free(1)));
  EXPECT_TRUE(writer.Add(added));
  EXPECT_TRUE(writer.Add(Free(2, 3, 4)));
  EXPECT_TRUE(writer.Add(FreeResultItem{Object(3), 0, 1, FreeResult::kDeleted, ""}));
  EXPECT_TRUE(writer.Add(FreeResultItem{Object(4), 0, 1, FreeResult::kUnknown, ""}));
  EXPECT_TRUE(writer.Add(FreeResultItem{Object(5), 0, 9, FreeResult::kDoomed, ""}));
  EXPECT_TRUE(writer.Add(FreeResultItem{Object(5), 0, 9, FreeResult::kFailed, "no space"}));
  EXPECT_TRUE(writer.Add(FreeResultItem{Object(5), 0, 9, FreeResult::kFailed, ""}));
  EXPECT_TRUE(writer.Add(removed));
  EXPECT_TRUE(writer.Add(Spilled(9, "s3://b/k")));
  EXPECT_TRUE(writer.Add(Free(~uint64_t{0}, ~0u, ~0u)));
  EXPECT_EQ(writer.items(), 11u);
  const std::string payload = writer.Take();
  EXPECT_EQ(CheckPayload(payload), CodecError::kOk);
  EXPECT_EQ(LinesOf(payload), (std::vector<std::string>{
                                  "free 1 g0 t1",
                                  "location 6 g7 t8 0 primary in memory 2147483648 ",
                                  "free 2 g3 t4",
                                  "result 3 g0 t1 0",
                                  "result 4 g0 t1 1",
                                  "result 5 g0 t9 2",
                                  "failed 5 g0 t9 no space",
                                  "failed 5 g0 t9 ",
                                  "location 6 g7 t8 1 secondary 18446744073709551615 ",
                                  "location 9 g0 t1 2 secondary 77 s3://b/k",
                                  "free 18446744073709551615 g4294967295 t4294967295",
                              }));
}

TEST(Payload, FreesThatShareGenerationAndTermCost28BytesEach) {
  PayloadWriter writer(65536);
  ASSERT_TRUE(writer.Add(Free(0)));
  const size_t first = writer.size();
  for (uint64_t i = 1; i < 1000; ++i) ASSERT_TRUE(writer.Add(Free(i)));
  EXPECT_EQ(writer.size(), first + size_t{999} * 28);
  Lines lines;
  EXPECT_EQ(ReadPayload(writer.Take(), &lines), CodecError::kOk);
  EXPECT_EQ(lines.lines.size(), 1000u);
  EXPECT_EQ(lines.runs, 1);
}

TEST(Payload, AWriterIsUsedAgainAndNothingOfThePayloadBeforeIsLeft) {
  PayloadWriter writer(1 << 21);
  for (const uint64_t count : {40000, 3, 0, 1}) {
    for (uint64_t i = 0; i < count; ++i) ASSERT_TRUE(writer.Add(Free(count + i, 7, 1)));
    EXPECT_EQ(writer.items(), count);
    const std::vector<std::string> lines = LinesOf(writer.Take());
    ASSERT_EQ(lines.size(), count);
    for (uint64_t i = 0; i < count; ++i) {
      ASSERT_EQ(lines[i], "free " + std::to_string(count + i) + " g7 t1");
    }
    EXPECT_TRUE(writer.empty());
    EXPECT_EQ(writer.size(), 0u);
  }
}

TEST(Payload, ResultsThatShareAllButTheObjectAreOneRun) {
  PayloadWriter writer(8192);
  for (uint64_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(writer.Add(FreeResultItem{Object(i), 2, 3, FreeResult::kDeleted, "ignored"}));
  }
  Lines lines;
  EXPECT_EQ(ReadPayload(writer.Take(), &lines), CodecError::kOk);
  EXPECT_EQ(lines.runs, 1);
  EXPECT_EQ(lines.lines.size(), 10u);
}

TEST(Payload, EveryPartOfTheKeySplitsARun) {
  PayloadWriter writer(8192);
  ASSERT_TRUE(writer.Add(Free(1, 0, 1)));
  ASSERT_TRUE(writer.Add(Free(1, 1, 1)));
  ASSERT_TRUE(writer.Add(Free(1, 1, 2)));
  ASSERT_TRUE(writer.Add(FreeResultItem{Object(1), 1, 2, FreeResult::kDeleted, ""}));
  ASSERT_TRUE(writer.Add(FreeResultItem{Object(1), 1, 2, FreeResult::kUnknown, ""}));
  Lines lines;
  EXPECT_EQ(ReadPayload(writer.Take(), &lines), CodecError::kOk);
  EXPECT_EQ(lines.runs, 5);
}

TEST(Payload, AFullWriterRefusesAndStaysAsItWas) {
  PayloadWriter writer(14 + size_t{3} * 28 + 27);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_TRUE(writer.Add(Free(i)));
  const size_t size = writer.size();
  EXPECT_FALSE(writer.Add(Free(3)));
  EXPECT_FALSE(writer.Add(Free(3, 1)));
  EXPECT_FALSE(writer.Add(FreeResultItem{Object(3), 0, 1, FreeResult::kDeleted, ""}));
  EXPECT_FALSE(writer.Add(FreeResultItem{Object(3), 0, 1, FreeResult::kFailed, "why"}));
  EXPECT_FALSE(writer.Add(Spilled(3, "url")));
  EXPECT_EQ(writer.size(), size);
  EXPECT_EQ(writer.items(), 3u);
  EXPECT_EQ(LinesOf(writer.Take()).size(), 3u);
}

TEST(Payload, AWriterCanBeFilledToTheLastByte) {
  PayloadWriter writer(14 + size_t{3} * 28);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_TRUE(writer.Add(Free(i)));
  EXPECT_FALSE(writer.Add(Free(3)));
  EXPECT_EQ(writer.Take().size(), 14 + size_t{3} * 28);
}

TEST(Payload, AnySingleItemFitsTheSmallestEnvelope) {
  PayloadWriter writer(kEnvelopeBytesLeast - kFrameBytes);
  EXPECT_TRUE(writer.Add(Spilled(1, std::string(kSpilledUrlBytesMax, 'u'))));
  EXPECT_EQ(CheckPayload(writer.Take()), CodecError::kOk);
  EXPECT_TRUE(writer.Add(
      FreeResultItem{Object(1), 0, 1, FreeResult::kFailed, std::string(kWhyBytesMax, 'w')}));
  EXPECT_EQ(CheckPayload(writer.Take()), CodecError::kOk);
}

TEST(Payload, ALongReasonIsCut) {
  PayloadWriter writer(8192);
  ASSERT_TRUE(
      writer.Add(FreeResultItem{Object(1), 0, 1, FreeResult::kFailed, std::string(5000, 'w')}));
  EXPECT_EQ(LinesOf(writer.Take()),
            std::vector<std::string>{"failed 1 g0 t1 " + std::string(kWhyBytesMax, 'w')});
}

TEST(Payload, AUrlTravelsOnlyWithASpill) {
  PayloadWriter writer(8192);
  LocationItem item = Spilled(1, "file:///x");
  item.change = LocationChange::kRemoved;
  ASSERT_TRUE(writer.Add(item));
  EXPECT_EQ(LinesOf(writer.Take()), std::vector<std::string>{"location 1 g0 t1 1 secondary 77 "});
}

TEST(Payload, RoomForTheItemButNotForItsGroupIsTooLittle) {
  for (size_t room = 0; room < 14; ++room) {
    PayloadWriter writer(14 + 28 + 28 + room);
    EXPECT_TRUE(writer.Add(Free(1)));
    EXPECT_FALSE(writer.Add(Free(2, 1)));
    EXPECT_TRUE(writer.Add(Free(2)));
    EXPECT_EQ(writer.Take().size(), 14 + size_t{2} * 28);
  }
}

TEST(Payload, ATakenWriterStartsOver) {
  PayloadWriter writer(14 + 28);
  ASSERT_TRUE(writer.Add(Free(1)));
  EXPECT_FALSE(writer.empty());
  const std::string first = writer.Take();
  EXPECT_TRUE(writer.empty());
  EXPECT_EQ(writer.size(), 0u);
  ASSERT_TRUE(writer.Add(Free(1)));
  EXPECT_EQ(writer.Take(), first);
}

TEST(Payload, NoBytesAreNoItems) {
  EXPECT_EQ(CheckPayload(""), CodecError::kOk);
  EXPECT_TRUE(LinesOf("").empty());
}

TEST(Payload, BytesNeverChangeWithinAVersion) {
  PayloadWriter writer(8192);
  ASSERT_TRUE(writer.Add(Free(0x0102030405060708, 0x11121314, 0x21222324)));
  const std::string head("\x01\x00\x14\x13\x12\x11\x24\x23\x22\x21\x01\x00\x00\x00", 14);
  EXPECT_EQ(writer.Take(), head + IdBytes(0x0102030405060708));
  ASSERT_TRUE(writer.Add(Spilled(9, "ab")));
  EXPECT_EQ(writer.Take(),
            Head(4, 0, 1) + IdBytes(9) + std::string("\x02\x01\x4d\0\0\0\0\0\0\0\x02\0ab", 14));
  ASSERT_TRUE(writer.Add(FreeResultItem{Object(9), 0, 1, FreeResult::kFailed, "ab"}));
  EXPECT_EQ(writer.Take(), Head(3, 0, 1) + IdBytes(9) + std::string("\x02\0ab", 4));
  ASSERT_TRUE(writer.Add(FreeResultItem{Object(9), 0, 1, FreeResult::kDoomed, ""}));
  EXPECT_EQ(writer.Take(), Head(2, 2, 1) + IdBytes(9));
}

TEST(Payload, EveryTruncationInsideAGroupIsRejected) {
  const std::string payload = MixedPayload();
  // Where one group ends and the next begins, a shorter payload is a payload.
  size_t whole = 0;
  for (size_t size = 0; size < payload.size(); ++size) {
    const CodecError error = CheckPayload(std::string_view(payload).substr(0, size));
    if (error == CodecError::kOk) {
      ++whole;
    } else {
      EXPECT_EQ(error, CodecError::kTruncated) << size;
    }
  }
  EXPECT_EQ(whole, 4u);
}

TEST(Payload, ACountThatTheBytesDoNotJustifyIsRejectedAndAllocatesNothing) {
  for (const int kind : {1, 2, 3, 4}) {
    Lines lines;
    EXPECT_EQ(ReadPayload(Head(kind, 0, ~0u) + IdBytes(1), &lines), CodecError::kTruncated);
    EXPECT_TRUE(lines.lines.empty());
  }
}

TEST(Payload, UnknownGroupsAreRejected) {
  for (const int kind : {0, codec::kGroupKindMax + 1, 128, 255}) {
    EXPECT_EQ(CheckPayload(Head(kind, 0, 1) + std::string(100, '\0')), CodecError::kUnknownGroup);
  }
}

TEST(Payload, ValuesOutOfBoundsAreRejected) {
  const std::string id = IdBytes(1);
  for (const int kind : {1, 2, 3, 4}) {
    EXPECT_EQ(CheckPayload(Head(kind, 0, 0)), CodecError::kBadValue) << "empty group";
  }
  EXPECT_EQ(CheckPayload(Head(1, 1, 1) + id), CodecError::kBadValue) << "a free has no result";
  EXPECT_EQ(CheckPayload(Head(2, 3, 1) + id), CodecError::kBadValue) << "failed needs a reason";
  EXPECT_EQ(CheckPayload(Head(2, 4, 1) + id), CodecError::kBadValue) << "no such result";
  EXPECT_EQ(CheckPayload(Head(3, 1, 1) + id + std::string(2, '\0')), CodecError::kBadValue);
  EXPECT_EQ(CheckPayload(Head(4, 1, 1) + id + std::string(12, '\0')), CodecError::kBadValue);
  const std::string long_why = std::string("\x01\x01", 2) + std::string(257, 'w');
  EXPECT_EQ(CheckPayload(Head(3, 0, 1) + id + long_why), CodecError::kBadValue);

  const auto location = [&](int change, int flags, size_t url_bytes) {
    std::string bytes = Head(4, 0, 1) + id;
    bytes += static_cast<char>(change);
    bytes += static_cast<char>(flags);
    bytes.append(8, '\0');
    internal::AppendLittle(static_cast<uint16_t>(url_bytes), &bytes);
    return bytes + std::string(url_bytes, 'u');
  };
  EXPECT_EQ(CheckPayload(location(2, 3, kSpilledUrlBytesMax)), CodecError::kOk);
  EXPECT_EQ(CheckPayload(location(3, 0, 0)), CodecError::kBadValue) << "no such change";
  EXPECT_EQ(CheckPayload(location(0, 4, 0)), CodecError::kBadValue) << "no such flag";
  EXPECT_EQ(CheckPayload(location(0, 0, 1)), CodecError::kBadValue) << "a url without a spill";
  EXPECT_EQ(CheckPayload(location(2, 0, kSpilledUrlBytesMax + 1)), CodecError::kBadValue);
}

TEST(Payload, CheckingAndReadingAgreeOnEveryAlteredByte) {
  const std::string payload = MixedPayload();
  for (size_t at = 0; at < payload.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string altered = payload;
      altered[at] = static_cast<char>(value);
      Lines lines;
      EXPECT_EQ(CheckPayload(altered), ReadPayload(altered, &lines));
    }
  }
}

TEST(CodecError, EveryErrorHasAName) {
  std::vector<std::string> names;
  for (int error = 0; error <= static_cast<int>(CodecError::kTrailingBytes); ++error) {
    names.emplace_back(CodecErrorName(static_cast<CodecError>(error)));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
  EXPECT_EQ(std::count(names.begin(), names.end(), "unknown"), 0);
}

}  // namespace
}  // namespace freehold::core
