// The groups of references that cross processes, as no writer would write them.

#include <string>

#include "freehold/session_options.h"
#include "gtest/gtest.h"
#include "src/base/little_endian.h"
#include "src/core/codec_groups.h"

namespace freehold::core {
namespace {

std::string IdBytes(uint64_t number) { return std::string(ObjectId::FromNumber(number).bytes()); }

std::string Head(int kind, int detail, uint32_t count, uint32_t generation = 0,
                 uint32_t term = kFirstTerm) {
  std::string bytes{static_cast<char>(kind), static_cast<char>(detail)};
  internal::AppendLittle(generation, &bytes);
  internal::AppendLittle(term, &bytes);
  internal::AppendLittle(count, &bytes);
  return bytes;
}

TEST(SharingPayload, ACountThatTheBytesDoNotJustifyIsRejected) {
  for (int kind = codec::kRegisters; kind <= codec::kLocationAnswers; ++kind) {
    EXPECT_EQ(CheckPayload(Head(kind, 0, ~0u) + IdBytes(1)), CodecError::kTruncated) << kind;
  }
  for (int kind = codec::kWatches; kind <= codec::kWatchesFired; ++kind) {
    EXPECT_EQ(CheckPayload(Head(kind, 0, ~0u) + IdBytes(1)), CodecError::kTruncated) << kind;
  }
  // Of locations in an answer.
  const std::string answer =
      Head(codec::kLocationAnswers, 0, 1) + IdBytes(1) + std::string(17, '\0');
  const std::string location = IdBytes(1) + std::string(3, '\0');
  EXPECT_EQ(CheckPayload(answer + '\x01' + location), CodecError::kOk);
  EXPECT_EQ(CheckPayload(answer + '\x02' + location), CodecError::kTruncated);
}

TEST(SharingPayload, GroupHeadsOutOfBoundsAreRejected) {
  const std::string item = IdBytes(1) + std::string(8, '\0');
  const std::string answer = item + std::string(10, '\0');
  const struct {
    int kind;
    int detail_max;
    std::string item;
  } kGroups[] = {{codec::kRegisters, 0, item},
                 {codec::kRegisterAcks, kRegisterAnswerMax, item},
                 {codec::kReleases, 0, IdBytes(1)},
                 {codec::kHandoffAcks, kHandoffAnswerMax, item},
                 {codec::kHandoffCancels, 0, item},
                 {codec::kWatches, 2, item},
                 {codec::kUnwatches, 2, item},
                 {codec::kWatchesFired, kWatchAnswerMax, item},
                 {codec::kLocationQueries, 3, item},
                 {codec::kLocationAnswers, kLocationAnswerStateMax, answer}};
  for (const auto& group : kGroups) {
    SCOPED_TRACE(group.kind);
    EXPECT_EQ(CheckPayload(Head(group.kind, 0, 0)), CodecError::kBadValue) << "empty";
    for (int detail = 0; detail < 256; ++detail) {
      const bool names_node = group.kind == codec::kLocationQueries && (detail & ~3) == 4;
      if (names_node) continue;
      EXPECT_EQ(CheckPayload(Head(group.kind, detail, 1) + group.item),
                detail <= group.detail_max ? CodecError::kOk : CodecError::kBadValue)
          << detail;
    }
    const bool has_generation = group.kind == codec::kLocationAnswers;
    EXPECT_EQ(CheckPayload(Head(group.kind, 0, 1, 1) + group.item),
              has_generation ? CodecError::kOk : CodecError::kBadValue);
    const bool has_term = group.kind < codec::kLocationQueries || group.kind >= codec::kWatches;
    EXPECT_EQ(CheckPayload(Head(group.kind, 0, 1, 0, 2) + group.item),
              has_term ? CodecError::kOk : CodecError::kBadValue);
    // What came with such a term would be passed on with it.
    for (const uint32_t term : {0u, kTermMax + 1, ~0u}) {
      EXPECT_EQ(CheckPayload(Head(group.kind, 0, 1, 0, term) + group.item), CodecError::kBadValue)
          << term;
    }
  }
  const std::string move = item.substr(0, ObjectId::kSize) + "\1" + std::string(7, '\0');
  EXPECT_EQ(CheckPayload(Head(codec::kMovePrimaries, 0, 1) + move), CodecError::kOk);
  for (const uint32_t term : {0u, kTermMax + 1, ~0u}) {
    EXPECT_EQ(CheckPayload(Head(codec::kMovePrimaries, 0, 1, 0, term) + move),
              CodecError::kBadValue);
  }
}

TEST(SharingPayload, AQueryThatNamesNoNodeIsRejected) {
  const std::string item = Head(codec::kLocationQueries, 4, 1) + IdBytes(1) + std::string(8, '\0');
  EXPECT_EQ(CheckPayload(item + IdBytes(5)), CodecError::kOk);
  EXPECT_EQ(CheckPayload(item + IdBytes(0)), CodecError::kBadValue);
}

// An answer with these flags, and `locations` of `url_bytes` each.
std::string RawAnswer(int flags, int locations, int location_flags, size_t url_bytes) {
  std::string bytes = Head(codec::kLocationAnswers, 1, 1) + IdBytes(1) + std::string(16, '\0');
  bytes += static_cast<char>(flags);
  bytes += static_cast<char>(locations);
  for (int i = 0; i < locations; ++i) {
    bytes += IdBytes(2) + static_cast<char>(location_flags);
    internal::AppendLittle(static_cast<uint16_t>(url_bytes), &bytes);
    bytes += std::string(url_bytes, 'u');
  }
  return bytes;
}

TEST(SharingPayload, AnswersOutOfBoundsAreRejected) {
  EXPECT_EQ(CheckPayload(RawAnswer(3, 64, 15, 0)), CodecError::kOk);
  EXPECT_EQ(CheckPayload(RawAnswer(4, 0, 0, 0)), CodecError::kBadValue) << "no such flag";
  EXPECT_EQ(CheckPayload(RawAnswer(0, 65, 0, 0)), CodecError::kBadValue) << "too many";
  EXPECT_EQ(CheckPayload(RawAnswer(0, 1, 16, 0)), CodecError::kBadValue) << "no such flag";
  EXPECT_EQ(CheckPayload(RawAnswer(0, 1, 11, 1)), CodecError::kBadValue) << "a url, not spilled";
  EXPECT_EQ(CheckPayload(RawAnswer(0, 1, 4, kSpilledUrlBytesMax)), CodecError::kOk);
  EXPECT_EQ(CheckPayload(RawAnswer(0, 1, 4, kSpilledUrlBytesMax + 1)), CodecError::kBadValue);
  EXPECT_EQ(CheckPayload(RawAnswer(0, 2, 4, kAnswerLocationBytesMax / 2 - 31)), CodecError::kOk);
  EXPECT_EQ(CheckPayload(RawAnswer(0, 2, 4, kAnswerLocationBytesMax / 2 - 30)),
            CodecError::kBadValue)
      << "longer than any writer makes them";
}

}  // namespace
}  // namespace freehold::core
