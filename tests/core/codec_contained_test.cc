// Groups of objects that go along with the one that contains them: what is written comes back; what
// no writer would write is refused.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/session_options.h"
#include "gtest/gtest.h"
#include "src/base/little_endian.h"
#include "src/core/codec.h"
#include "src/core/codec_groups.h"
#include "tests/core/owner_payload.h"

namespace freehold::core {
namespace {

constexpr uint32_t kTerm = kFirstTerm + 1;

struct Items : StraySink {
  void OnContained(const ContainedItem& item) override { items.push_back(item); }
  std::vector<ContainedItem> items;
};

ContainedItem Contained(uint64_t outer, size_t inners, uint32_t term = kTerm) {
  ContainedItem item;
  item.outer = ObjectId::FromNumber(outer);
  item.term = term;
  for (size_t i = 0; i < inners; ++i) {
    ContainedItem::Inner inner;
    inner.object = ObjectId::FromNumber(outer * 1000 + i);
    inner.number = ~uint64_t{i};
    inner.term = i % 2 == 0 ? kFirstTerm : kTermMax;
    if (i % 3 != 0) inner.owner = ProcessId::FromNumber(i);
    item.inners.push_back(inner);
  }
  return item;
}

bool IsSame(const ContainedItem& a, const ContainedItem& b) {
  bool same = a.outer == b.outer && a.term == b.term && a.inners.size() == b.inners.size();
  for (size_t i = 0; same && i < a.inners.size(); ++i) {
    same = a.inners[i].object == b.inners[i].object && a.inners[i].number == b.inners[i].number &&
           a.inners[i].term == b.inners[i].term && a.inners[i].owner == b.inners[i].owner;
  }
  return same;
}

std::string PayloadOf(const ContainedItem& item) {
  PayloadWriter writer(kEnvelopeBytesLeast - kFrameBytes);
  EXPECT_TRUE(writer.Add(item));
  return writer.Take();
}

// Both ways of reading answer the same, and nothing of a bad item gets through.
CodecError Refusal(std::string_view payload) {
  Items items;
  const CodecError error = ReadPayload(payload, &items);
  EXPECT_EQ(CheckPayload(payload), error);
  EXPECT_EQ(error == CodecError::kOk, !items.items.empty());
  return error;
}

std::string Head(int detail, uint32_t generation, uint32_t term, uint32_t count = 1) {
  std::string bytes{static_cast<char>(codec::kContaineds), static_cast<char>(detail)};
  for (const uint32_t value : {generation, term, count}) internal::AppendLittle(value, &bytes);
  return bytes;
}

std::string Raw(uint64_t outer, uint16_t count, uint64_t inner, uint32_t inner_term) {
  std::string bytes(ObjectId::FromNumber(outer).bytes());
  internal::AppendLittle(count, &bytes);
  bytes += ObjectId::FromNumber(inner).bytes();
  internal::AppendLittle(uint64_t{5}, &bytes);
  internal::AppendLittle(inner_term, &bytes);
  return bytes += ProcessId().bytes();
}

TEST(ContainedPayload, ItemsComeBackInTheOrderInWhichTheyWereWritten) {
  const std::vector<ContainedItem> written = {Contained(1, 1), Contained(2, kContainedMax),
                                              Contained(3, 7, kTermMax), Contained(3, 2)};
  PayloadWriter writer(32 * 1024);
  for (const ContainedItem& item : written) ASSERT_TRUE(writer.Add(item));
  const std::string payload = writer.Take();
  EXPECT_EQ(CheckPayload(payload), CodecError::kOk);
  Items read;
  ASSERT_EQ(ReadPayload(payload, &read), CodecError::kOk);
  ASSERT_EQ(read.items.size(), written.size());
  for (size_t i = 0; i < written.size(); ++i) EXPECT_TRUE(IsSame(read.items[i], written[i])) << i;
}

TEST(ContainedPayload, TheLargestItemFitsTheSmallestEnvelope) {
  const std::string payload = PayloadOf(Contained(1, kContainedMax));
  EXPECT_EQ(payload.size(), codec::kGroupHeadBytes + 30 + size_t{kContainedMax} * kContainedBytes);
  EXPECT_EQ(Refusal(payload), CodecError::kOk);
}

TEST(ContainedPayload, AFullWriterRefusesAndStaysAsItWas) {
  const std::string one = PayloadOf(Contained(1, 1));
  PayloadWriter writer(one.size() + kContainedBytes);
  ASSERT_TRUE(writer.Add(Contained(1, 1)));
  EXPECT_FALSE(writer.Add(Contained(1, 1)));  // there is no room for its outer object
  EXPECT_EQ(writer.Take(), one);
}

TEST(ContainedPayload, WhatIsCutShortIsTruncated) {
  const std::string whole = PayloadOf(Contained(1, 3));
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(Refusal(whole.substr(0, size)), CodecError::kTruncated) << size;
  }
  EXPECT_EQ(CheckPayload(Head(0, 0, kTerm, ~0u) + Raw(1, 1, 2, kFirstTerm)),
            CodecError::kTruncated);
  EXPECT_EQ(Refusal(Head(0, 0, kTerm) + Raw(1, 2, 2, kFirstTerm)), CodecError::kTruncated);
}

TEST(ContainedPayload, WhatIsOutOfBoundsIsRejected) {
  EXPECT_EQ(Refusal(Head(0, 0, kTerm) + Raw(1, 1, 2, kFirstTerm)), CodecError::kOk);
  EXPECT_EQ(Refusal(Head(0, 0, kTermMax) + Raw(1, 1, 2, kTermMax)), CodecError::kOk);
  EXPECT_EQ(Refusal(Head(1, 0, kTerm) + Raw(1, 1, 2, kFirstTerm)), CodecError::kBadValue);
  EXPECT_EQ(Refusal(Head(0, 1, kTerm) + Raw(1, 1, 2, kFirstTerm)), CodecError::kBadValue);
  for (const uint32_t term : {0u, kFirstTerm, kTermMax + 1, ~0u}) {
    EXPECT_EQ(Refusal(Head(0, 0, term) + Raw(1, 1, 2, kFirstTerm)), CodecError::kBadValue) << term;
  }
  for (const uint32_t term : {0u, kTermMax + 1, ~0u}) {
    EXPECT_EQ(Refusal(Head(0, 0, kTerm) + Raw(1, 1, 2, term)), CodecError::kBadValue) << term;
  }
  EXPECT_EQ(Refusal(Head(0, 0, kTerm) + Raw(0, 1, 2, kFirstTerm)), CodecError::kBadValue);
  EXPECT_EQ(Refusal(Head(0, 0, kTerm) + Raw(1, 1, 0, kFirstTerm)), CodecError::kBadValue);
  EXPECT_EQ(Refusal(Head(0, 0, kTerm) + Raw(1, 0, 2, kFirstTerm)), CodecError::kBadValue);
  EXPECT_EQ(Refusal(Head(0, 0, kTerm) + Raw(1, kContainedMax + 1, 2, kFirstTerm)),
            CodecError::kBadValue);
  EXPECT_EQ(Refusal(Head(0, 0, kTerm, 0) + Raw(1, 1, 2, kFirstTerm)), CodecError::kBadValue);
}

}  // namespace
}  // namespace freehold::core
