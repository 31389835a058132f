// Groups of what an heir is told: what is written comes back; what no writer would write is
// refused.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/session_options.h"
#include "gtest/gtest.h"
#include "src/base/little_endian.h"
#include "src/core/codec.h"
#include "src/core/codec_groups.h"
#include "tests/core/codec_testing.h"
#include "tests/core/owner_payload.h"

namespace freehold::core {
namespace {

using codec::kGroupHeadBytes;

constexpr uint32_t kTerm = kFirstTerm + 1;
constexpr size_t kShadowBytes = 8 + ObjectId::kSize + 14;  // without its lists
constexpr size_t kLeastPayloadBytes = kEnvelopeBytesLeast - kFrameBytes;

struct Lines : StraySink {
  void OnSharing(const SharingItem& item) override {
    lines.push_back("sharing " + std::to_string(static_cast<int>(item.kind)) + " " +
                    std::to_string(NumberOf(item.object)) + " t" + std::to_string(item.term) +
                    " n" + std::to_string(item.number) + " " + std::to_string(item.answer));
  }
  void OnTransfer(const TransferItem&) override { lines.emplace_back("transfer"); }
  void OnShadow(const ShadowItem& item) override {
    const TransferItem& at = item.snapshot;
    lines.push_back(
        "shadow " + std::to_string(NumberOf(at.object)) + " t" + std::to_string(at.term) + " v" +
        std::to_string(item.version) + " g" + std::to_string(at.generation) + " state " +
        std::to_string(static_cast<int>(at.state)) + (at.evict_first ? " evict first" : "") +
        " nodes " + std::to_string(at.nodes.size()) + " processes " +
        std::to_string(at.processes.size()) + " formers " + std::to_string(at.formers.size()));
  }
  std::vector<std::string> lines;
};

std::vector<std::string> LinesOf(std::string_view payload) { return LinesRead<Lines>(payload); }
CodecError Refusal(std::string_view payload) { return RefusalRead<Lines>(payload); }

ShadowItem Shadow(uint64_t object, uint64_t version, uint32_t term = kTerm) {
  ShadowItem item;
  item.version = version;
  item.snapshot.object = ObjectId::FromNumber(object);
  item.snapshot.term = term;
  return item;
}

ShadowItem Full() {
  ShadowItem item = Shadow(1, 77, 9);
  item.snapshot.generation = 3;
  item.snapshot.size = 5;
  item.snapshot.state = TransferState::kAvailable;
  item.snapshot.evict_first = true;
  item.snapshot.nodes = {{NodeId::FromNumber(2), true, true, false, true, false, "s3://a"}};
  item.snapshot.processes = {ProcessId::FromNumber(4), ProcessId::FromNumber(5)};
  item.snapshot.formers = {ProcessId::FromNumber(6)};
  return item;
}

SharingItem Sharing(SharingKind kind, int answer = 0, uint64_t number = 0) {
  return {ObjectId::FromNumber(3), number, kTerm, kind, static_cast<uint8_t>(answer), 0};
}

template <typename Item>
std::string PayloadOf(const Item& item) {
  PayloadWriter writer(kLeastPayloadBytes);
  EXPECT_TRUE(writer.Add(item));
  return writer.Take();
}

std::string Head(int kind, int detail, uint32_t count, uint32_t generation = 0,
                 uint32_t term = kTerm) {
  std::string bytes{static_cast<char>(kind), static_cast<char>(detail)};
  internal::AppendLittle(generation, &bytes);
  internal::AppendLittle(term, &bytes);
  internal::AppendLittle(count, &bytes);
  return bytes;
}

std::string RawShadow() { return PayloadOf(Shadow(1, 2)).substr(kGroupHeadBytes); }

TEST(HeirPayload, ASnapshotComesBackWithItsVersion) {
  EXPECT_EQ(LinesOf(PayloadOf(Full())),
            std::vector<std::string>{
                "shadow 1 t9 v77 g3 state 1 evict first nodes 1 processes 2 formers 1"});
  PayloadWriter writer(16 * 1024);
  ASSERT_TRUE(writer.Add(Shadow(1, 1)));
  ASSERT_TRUE(writer.Add(Shadow(2, ~uint64_t{0})));
  EXPECT_EQ(writer.size(), kGroupHeadBytes + 2 * kShadowBytes);
  ASSERT_TRUE(writer.Add(Full().snapshot));
  EXPECT_EQ(LinesOf(writer.Take()),
            (std::vector<std::string>{
                "shadow 1 t2 v1 g0 state 0 nodes 0 processes 0 formers 0",
                "shadow 2 t2 v18446744073709551615 g0 state 0 nodes 0 processes 0 formers 0",
                "transfer"}));
}

TEST(HeirPayload, TheAnswersComeBackTheOneWithTheVersion) {
  for (int answer = 0; answer <= kShadowAnswerMax; ++answer) {
    EXPECT_EQ(LinesOf(PayloadOf(Sharing(SharingKind::kShadowAck, answer, 77))),
              std::vector<std::string>{"sharing 16 3 t2 n77 " + std::to_string(answer)});
  }
  const std::string payload = PayloadOf(Sharing(SharingKind::kShadowEnd, 0, 77));
  EXPECT_EQ(payload.size(), kGroupHeadBytes + ObjectId::kSize);
  EXPECT_EQ(LinesOf(payload), std::vector<std::string>{"sharing 17 3 t2 n0 0"});
}

TEST(HeirPayload, TheLargestSnapshotFitsTheSmallestEnvelope) {
  ShadowItem item = Shadow(1, 1);
  item.snapshot.processes.assign(kTransferListBytesMax / kTransferProcessBytes,
                                 ProcessId::FromNumber(5));
  EXPECT_EQ(LinesOf(PayloadOf(item)).size(), 1u);
}

TEST(HeirPayload, AFullWriterRefusesAndStaysAsItWas) {
  PayloadWriter writer(kGroupHeadBytes + kShadowBytes + 1);
  ASSERT_TRUE(writer.Add(Shadow(1, 1)));
  EXPECT_FALSE(writer.Add(Shadow(2, 1)));
  EXPECT_EQ(LinesOf(writer.Take()).size(), 1u);
}

TEST(HeirPayload, WhatIsCutShortIsTruncated) {
  for (const std::string& whole :
       {PayloadOf(Full()), PayloadOf(Sharing(SharingKind::kShadowAck, 1, 2)),
        PayloadOf(Sharing(SharingKind::kShadowEnd))}) {
    for (size_t size = 1; size < whole.size(); ++size) {
      EXPECT_EQ(Refusal(whole.substr(0, size)), CodecError::kTruncated) << size;
    }
  }
  for (const int kind : {codec::kShadows, codec::kShadowAcks, codec::kShadowEnds}) {
    EXPECT_EQ(CheckPayload(Head(kind, 0, ~0u) + RawShadow()), CodecError::kTruncated) << kind;
  }
}

TEST(HeirPayload, GroupHeadsOutOfBoundsAreRejected) {
  const std::string id(ObjectId::FromNumber(1).bytes());
  const struct {
    int kind;
    int detail_max;
    std::string item;
  } kGroups[] = {{codec::kShadows, kTransferStateMax, RawShadow()},
                 {codec::kShadowAcks, kShadowAnswerMax, id + std::string(8, '\1')},
                 {codec::kShadowEnds, 0, id}};
  for (const auto& group : kGroups) {
    SCOPED_TRACE(group.kind);
    const bool is_shadow = group.kind == codec::kShadows;
    EXPECT_EQ(Refusal(Head(group.kind, 0, 0)), CodecError::kBadValue) << "empty";
    for (int detail = 0; detail < 256; ++detail) {
      const int state = is_shadow ? detail & 55 : detail;
      const bool more = is_shadow && (detail & 72) != 0;  // its pins or its heirs are missing
      const CodecError good = more ? CodecError::kTruncated : CodecError::kOk;
      EXPECT_EQ(Refusal(Head(group.kind, detail, 1) + group.item),
                state <= group.detail_max ? good : CodecError::kBadValue)
          << detail;
    }
    EXPECT_EQ(Refusal(Head(group.kind, 0, 1, 1) + group.item),
              is_shadow ? CodecError::kOk : CodecError::kBadValue)
        << "a generation";
    for (const uint32_t term : {0u, kFirstTerm}) {
      EXPECT_EQ(Refusal(Head(group.kind, 0, 1, 0, term) + group.item), CodecError::kBadValue)
          << term;
    }
    EXPECT_EQ(Refusal(Head(group.kind, 0, 1, 0, kTermMax + 1) + group.item), CodecError::kBadValue);
  }
  EXPECT_EQ(CheckPayload(Head(codec::kGroupKindMax + 1, 0, 1) + RawShadow()),
            CodecError::kUnknownGroup);
}

}  // namespace
}  // namespace freehold::core
