// Groups of primary moves: what is written comes back; what no writer would write is refused.

#include <string>
#include <string_view>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/codec.h"
#include "tests/core/codec_testing.h"
#include "tests/core/owner_payload.h"

namespace freehold::core {
namespace {

constexpr size_t kHeadBytes = 14;
constexpr size_t kDetailAt = 1;
constexpr size_t kCountAt = 10;
constexpr size_t kNumberAt = kHeadBytes + ObjectId::kSize;

struct Lines : StraySink {
  void OnMovePrimary(const MovePrimaryItem& item) override {
    lines.push_back("move " + std::to_string(NumberOf(item.object)) + " g" +
                    std::to_string(item.generation) + " t" + std::to_string(item.term) + " n" +
                    std::to_string(item.number) + " from " + Name(item.from));
  }
  void OnMovePrimaryAck(const MovePrimaryAckItem& item) override {
    lines.push_back("answer " + std::to_string(static_cast<int>(item.answer)) + " " +
                    std::to_string(NumberOf(item.object)) + " g" + std::to_string(item.generation) +
                    " t" + std::to_string(item.term) + " n" + std::to_string(item.number) +
                    " primary " + Name(item.primary));
  }
  static std::string Name(const NodeId& node) {
    return node.IsNil() ? "nobody"
                        : std::to_string(internal::LoadLittle<uint64_t>(node.data() + 20));
  }
  std::vector<std::string> lines;
};

std::vector<std::string> LinesOf(std::string_view payload) { return LinesRead<Lines>(payload); }

MovePrimaryItem Move(uint64_t object, uint64_t number, uint64_t from, uint32_t generation = 0) {
  MovePrimaryItem item{ObjectId::FromNumber(object), number, generation, kFirstTerm, NodeId()};
  if (from != 0) item.from = NodeId::FromNumber(from);
  return item;
}

MovePrimaryAckItem Answer(MoveAnswer answer, uint64_t object, uint64_t number,
                          uint64_t primary = 0) {
  MovePrimaryAckItem item{ObjectId::FromNumber(object), number, 0, kFirstTerm, answer, NodeId()};
  if (primary != 0) item.primary = NodeId::FromNumber(primary);
  return item;
}

TEST(MovesPayload, ItemsComeBackInTheOrderInWhichTheyWereWritten) {
  PayloadWriter writer(8192);
  MovePrimaryItem late = Move(5, ~uint64_t{0}, 6, ~0u);
  late.term = 9;
  EXPECT_TRUE(writer.Add(Move(1, 2, 3, 4)));
  EXPECT_TRUE(writer.Add(Move(1, 3, 0, 4)));
  EXPECT_TRUE(writer.Add(late));
  EXPECT_TRUE(writer.Add(Answer(MoveAnswer::kMoved, 1, 2)));
  EXPECT_TRUE(writer.Add(Answer(MoveAnswer::kSecondary, 1, 3, 7)));
  EXPECT_TRUE(writer.Add(Answer(MoveAnswer::kSecondary, 1, 4)));
  EXPECT_TRUE(writer.Add(Answer(MoveAnswer::kRefused, 1, 5)));
  EXPECT_TRUE(writer.Add(Answer(MoveAnswer::kPromoted, 2, 0)));
  EXPECT_TRUE(writer.Add(Answer(MoveAnswer::kEvictFirst, 2, 0)));
  EXPECT_EQ(LinesOf(writer.Take()),
            (std::vector<std::string>{
                "move 1 g4 t1 n2 from 3", "move 1 g4 t1 n3 from nobody",
                "move 5 g4294967295 t9 n18446744073709551615 from 6",
                "answer 0 1 g0 t1 n2 primary nobody", "answer 1 1 g0 t1 n3 primary 7",
                "answer 1 1 g0 t1 n4 primary nobody", "answer 2 1 g0 t1 n5 primary nobody",
                "answer 3 2 g0 t1 n0 primary nobody", "answer 4 2 g0 t1 n0 primary nobody"}));
}

TEST(MovesPayload, AMoveCosts64BytesAndAnAnswer36) {
  PayloadWriter writer(8192);
  ASSERT_TRUE(writer.Add(Move(1, 1, 9)));
  size_t before = writer.size();
  ASSERT_TRUE(writer.Add(Move(2, 2, 9)));
  EXPECT_EQ(writer.size(), before + 64);
  ASSERT_TRUE(writer.Add(Answer(MoveAnswer::kMoved, 1, 1)));
  before = writer.size();
  ASSERT_TRUE(writer.Add(Answer(MoveAnswer::kMoved, 2, 2)));
  EXPECT_EQ(writer.size(), before + 36);
}

TEST(MovesPayload, AFullWriterRefusesAndStaysAsItWas) {
  PayloadWriter writer(kHeadBytes + 64);
  ASSERT_TRUE(writer.Add(Move(1, 1, 9)));
  EXPECT_FALSE(writer.Add(Move(2, 2, 9)));
  EXPECT_FALSE(writer.Add(Answer(MoveAnswer::kMoved, 1, 1)));
  EXPECT_EQ(LinesOf(writer.Take()).size(), 1u);
}

TEST(MovesPayload, AnAnswerNamesAPrimaryOnlyToWhoIsNotIt) {
  PayloadWriter writer(8192);
  ASSERT_TRUE(writer.Add(Answer(MoveAnswer::kMoved, 1, 1, 7)));
  EXPECT_EQ(LinesOf(writer.Take()), std::vector<std::string>{"answer 0 1 g0 t1 n1 primary nobody"});
}

std::string MovePayload() {
  PayloadWriter writer(8192);
  EXPECT_TRUE(writer.Add(Move(1, 1, 9)));
  return writer.Take();
}

std::string AnswerPayload(MoveAnswer answer) {
  PayloadWriter writer(8192);
  EXPECT_TRUE(writer.Add(Answer(answer, 1, IsUnasked(answer) ? 0 : 1, 9)));
  return writer.Take();
}

TEST(MovesPayload, WhatIsCutShortIsTruncated) {
  for (const std::string& whole : {MovePayload(), AnswerPayload(MoveAnswer::kSecondary),
                                   AnswerPayload(MoveAnswer::kPromoted)}) {
    for (size_t size = 1; size < whole.size(); ++size) {
      EXPECT_EQ(CheckPayload(whole.substr(0, size)), CodecError::kTruncated) << size;
    }
  }
}

TEST(MovesPayload, ACountThatTheBytesCannotJustifyIsTruncated) {
  std::string payload = MovePayload();
  payload[kCountAt + 3] = '\x7f';
  EXPECT_EQ(CheckPayload(payload), CodecError::kTruncated);
}

TEST(MovesPayload, DetailsThatNobodyWritesAreBad) {
  std::string payload = MovePayload();
  payload[kDetailAt] = 2;
  EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue);
  payload = AnswerPayload(MoveAnswer::kMoved);
  payload[kDetailAt] = kMoveAnswerMax + 1;
  EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue);
}

TEST(MovesPayload, ANilNodeIsWrittenAsNone) {
  std::string payload = MovePayload();
  payload.replace(payload.size() - NodeId::kSize, NodeId::kSize, NodeId::kSize, '\0');
  EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue);
}

TEST(MovesPayload, OnlyWhoIsPromotedHasNotAsked) {
  std::string payload = AnswerPayload(MoveAnswer::kMoved);
  payload[kNumberAt] = 0;
  EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue);
  for (const MoveAnswer unasked : {MoveAnswer::kPromoted, MoveAnswer::kEvictFirst}) {
    payload = AnswerPayload(unasked);
    payload[kNumberAt] = 1;
    EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue);
  }
  payload = MovePayload();
  payload[kNumberAt] = 0;
  EXPECT_EQ(CheckPayload(payload), CodecError::kBadValue);
}

}  // namespace
}  // namespace freehold::core
