// The next heirs of an object, as its heir is told of them: what is written comes back; what no
// writer would write is refused.

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

constexpr uint32_t kTerm = kFirstTerm + 1;
constexpr size_t kLeastPayloadBytes = kEnvelopeBytesLeast - kFrameBytes;
constexpr int kNextHeirs = 8;  // in the detail of a group

struct Lines : StraySink {
  void OnTransfer(const TransferItem&) override { lines.emplace_back("transfer"); }
  void OnShadow(const ShadowItem& item) override {
    std::string line = std::to_string(item.snapshot.pins.size()) + " pins";
    for (const ProcessId& heir : item.snapshot.heirs) {
      const uint8_t* number = heir.data() + ProcessId::kSize - 8;
      line += " then " + std::to_string(internal::LoadLittle<uint64_t>(number));
    }
    lines.push_back(line);
  }
  std::vector<std::string> lines;
};

ShadowItem Then(const std::vector<uint64_t>& heirs) {
  ShadowItem item;
  item.version = 1;
  item.snapshot.object = ObjectId::FromNumber(1);
  item.snapshot.term = kTerm;
  for (const uint64_t heir : heirs) item.snapshot.heirs.push_back(ProcessId::FromNumber(heir));
  return item;
}

std::string PayloadOf(const ShadowItem& item) {
  PayloadWriter writer(kLeastPayloadBytes);
  EXPECT_TRUE(writer.Add(item));
  return writer.Take();
}

CodecError RefusalOf(int count, const std::vector<ProcessId>& heirs, int kind = codec::kShadows) {
  std::string bytes{static_cast<char>(kind), static_cast<char>(kNextHeirs)};
  internal::AppendLittle(uint32_t{0}, &bytes);
  internal::AppendLittle(kTerm, &bytes);
  internal::AppendLittle(uint32_t{1}, &bytes);
  if (kind == codec::kShadows) bytes += std::string(8, '\1');
  bytes += std::string(ObjectId::FromNumber(1).bytes()) + std::string(14, '\0');
  bytes += static_cast<char>(count);
  for (const ProcessId& heir : heirs) bytes += heir.bytes();
  return RefusalRead<Lines>(bytes);
}

std::vector<ProcessId> Numbered(int count) {
  std::vector<ProcessId> heirs;
  for (int i = 1; i <= count; ++i) heirs.push_back(ProcessId::FromNumber(i));
  return heirs;
}

TEST(NextHeirsPayload, TheyComeBackInTheirOrderBehindThePins) {
  ShadowItem item = Then({9, 7, 8});
  item.snapshot.pins = {{"a", 1, Duration(0)}};
  EXPECT_EQ(LinesRead<Lines>(PayloadOf(item)),
            std::vector<std::string>{"1 pins then 9 then 7 then 8"});
}

TEST(NextHeirsPayload, WhatHasNoneTakesNothing) {
  const size_t plain = PayloadOf(Then({})).size();
  EXPECT_EQ(TransferListBytes(Then({2, 3}).snapshot), 1u + 2 * 28);
  EXPECT_EQ(PayloadOf(Then({2, 3})).size(), plain + 1 + 2 * 28);
  PayloadWriter writer(kLeastPayloadBytes);
  ASSERT_TRUE(writer.Add(Then({})));
  ASSERT_TRUE(writer.Add(Then({5})));
  ASSERT_TRUE(writer.Add(Then({})));
  EXPECT_EQ(LinesRead<Lines>(writer.Take()),
            (std::vector<std::string>{"0 pins", "0 pins then 5", "0 pins"}));
}

TEST(NextHeirsPayload, TheyCountAmongWhatOneMessageNames) {
  ShadowItem item = Then({1, 2, 3, 4, 5, 6, 7, 8});
  const size_t left = (kTransferListBytesMax - TransferListBytes(item.snapshot));
  item.snapshot.processes.assign(left / kTransferProcessBytes, ProcessId::FromNumber(5));
  EXPECT_EQ(LinesRead<Lines>(PayloadOf(item)).size(), 1u);
  item.snapshot.processes.push_back(ProcessId::FromNumber(5));
  PayloadWriter writer(16 * 1024);
  EXPECT_DEATH((void)writer.Add(item), "kTransferListBytesMax");
}

TEST(NextHeirsPayload, WhatIsCutShortIsTruncated) {
  const std::string whole = PayloadOf(Then({9, 7}));
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(RefusalRead<Lines>(whole.substr(0, size)), CodecError::kTruncated) << size;
  }
}

TEST(NextHeirsPayload, WhatNoListIsIsBad) {
  EXPECT_EQ(RefusalOf(0, {}), CodecError::kBadValue) << "names none";
  for (int count = 1; count <= 255; ++count) {
    EXPECT_EQ(RefusalOf(count, Numbered(count)),
              count <= 8 ? CodecError::kOk : CodecError::kBadValue)
        << count;
  }
  EXPECT_EQ(RefusalOf(2, {ProcessId::FromNumber(1), ProcessId()}), CodecError::kBadValue);
  EXPECT_EQ(RefusalOf(1, {ProcessId()}), CodecError::kBadValue);
  std::vector<ProcessId> twice = Numbered(3);
  twice[2] = twice[0];
  EXPECT_EQ(RefusalOf(3, twice), CodecError::kBadValue);
}

TEST(NextHeirsPayload, ANextOwnerIsToldOfNone) {
  EXPECT_EQ(RefusalOf(1, Numbered(1), codec::kTransfers), CodecError::kBadValue);
}

TEST(NextHeirsPayloadDeathTest, WhatTheItemForbidsIsNotWritten) {
  PayloadWriter writer(16 * 1024);
  EXPECT_DEATH((void)writer.Add(Then({1}).snapshot), "heirs");
  EXPECT_DEATH((void)writer.Add(Then({0})), "IsNil");
  EXPECT_DEATH((void)writer.Add(Then({1, 2, 3, 4, 5, 6, 7, 8, 9})), "kNextHeirsMax");
}

}  // namespace
}  // namespace freehold::core
