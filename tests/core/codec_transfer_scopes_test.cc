// The scope of what gets another owner: what is written comes back; what no writer would write is
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

constexpr uint32_t kTerm = kFirstTerm + 1;
constexpr size_t kLeastPayloadBytes = kEnvelopeBytesLeast - kFrameBytes;
constexpr int kInScope = 32;  // in the detail of a group
constexpr uint64_t kRoot = UINT64_MAX;

struct Lines : StraySink {
  void OnTransfer(const TransferItem& item) override {
    std::string line = std::to_string(item.pins.size()) + " pins";
    if (item.scope.has_value()) {
      const TransferItem::Scope& scope = *item.scope;
      line += "; scope " + std::to_string(scope.id);
      if (!scope.owner.IsNil()) {
        const uint8_t* number = scope.owner.data() + ProcessId::kSize - 8;
        line += " of " + std::to_string(internal::LoadLittle<uint64_t>(number));
      }
      line += std::string(scope.hold ? " holds" : "") + (scope.no_cleanup ? " no cleanup" : "") +
              (scope.held ? " held" : "") + (scope.forced ? " forced" : "") + " \"" + scope.label +
              "\"";
    }
    lines.push_back(line);
  }
  std::vector<std::string> lines;
};

TransferItem In(uint64_t scope, uint64_t owner = 0, const std::string& label = "") {
  TransferItem item;
  item.object = ObjectId::FromNumber(1);
  item.term = kTerm;
  item.scope = TransferItem::Scope();
  item.scope->id = scope;
  if (owner != 0) item.scope->owner = ProcessId::FromNumber(owner);
  item.scope->label = label;
  return item;
}

std::string PayloadOf(const TransferItem& item) {
  PayloadWriter writer(kLeastPayloadBytes);
  EXPECT_TRUE(writer.Add(item));
  return writer.Take();
}

CodecError RefusalOf(uint64_t scope, int flags, std::string_view label,
                     const ProcessId& owner = ProcessId(), int kind = codec::kTransfers) {
  std::string bytes{static_cast<char>(kind), static_cast<char>(kInScope)};
  internal::AppendLittle(uint32_t{0}, &bytes);
  internal::AppendLittle(kTerm, &bytes);
  internal::AppendLittle(uint32_t{1}, &bytes);
  if (kind == codec::kShadows) bytes += std::string(8, '\1');
  bytes += std::string(ObjectId::FromNumber(1).bytes()) + std::string(14, '\0');
  bytes += owner.bytes();
  internal::AppendLittle(scope, &bytes);
  bytes += static_cast<char>(flags);
  internal::AppendLittle(static_cast<uint16_t>(label.size()), &bytes);
  return RefusalRead<Lines>(bytes.append(label));
}

TEST(TransferScopePayload, AScopeComesBackBehindThePins) {
  TransferItem item = In(12, 9, "cache");
  item.pins = {{"a", 1, Duration(0)}};
  item.scope->hold = item.scope->held = true;
  EXPECT_EQ(LinesRead<Lines>(PayloadOf(item)),
            std::vector<std::string>{"1 pins; scope 12 of 9 holds held \"cache\""});
  item.scope->owner = ProcessId();
  item.scope->hold = false;
  item.scope->no_cleanup = true;
  item.scope->label.clear();
  EXPECT_EQ(LinesRead<Lines>(PayloadOf(item)),
            std::vector<std::string>{"1 pins; scope 12 no cleanup held \"\""});
  item.scope->held = false;
  item.scope->forced = true;
  EXPECT_EQ(LinesRead<Lines>(PayloadOf(item)),
            std::vector<std::string>{"1 pins; scope 12 no cleanup forced \"\""});
}

TEST(TransferScopePayload, WhatIsInNoScopeTakesNothing) {
  TransferItem none = In(1);
  none.scope.reset();
  const size_t plain = PayloadOf(none).size();
  EXPECT_EQ(TransferListBytes(In(1, 2, "cache")), 39u + 5);
  EXPECT_EQ(PayloadOf(In(1, 2, "cache")).size(), plain + 39 + 5);
  PayloadWriter writer(kLeastPayloadBytes);
  ASSERT_TRUE(writer.Add(none));
  ASSERT_TRUE(writer.Add(In(5)));
  ASSERT_TRUE(writer.Add(none));
  EXPECT_EQ(LinesRead<Lines>(writer.Take()),
            (std::vector<std::string>{"0 pins", "0 pins; scope 5 \"\"", "0 pins"}));
}

TEST(TransferScopePayload, TheLongestLabelFitsTheSmallestEnvelope) {
  const TransferItem item = In(1, 2, std::string(kTransferListBytesMax - 39, 'x'));
  EXPECT_EQ(TransferListBytes(item), kTransferListBytesMax);
  EXPECT_EQ(LinesRead<Lines>(PayloadOf(item)).size(), 1u);
  EXPECT_EQ(RefusalOf(1, 0, std::string(kTransferListBytesMax - 39, 'x')), CodecError::kOk);
  EXPECT_EQ(RefusalOf(1, 0, std::string(kTransferListBytesMax - 38, 'x')), CodecError::kBadValue);
  EXPECT_EQ(RefusalOf(1, 0, std::string(0xffff, 'x')), CodecError::kBadValue);
}

TEST(TransferScopePayload, WhatIsCutShortIsTruncated) {
  const std::string whole = PayloadOf(In(12, 9, "cache"));
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_EQ(RefusalRead<Lines>(whole.substr(0, size)), CodecError::kTruncated) << size;
  }
}

TEST(TransferScopePayload, WhatNoScopeIsIsBad) {
  const ProcessId other = ProcessId::FromNumber(9);
  for (int flags = 0; flags < 256; ++flags) {
    const bool fine = flags < 12;  // 12 and more: held, and forced
    EXPECT_EQ(RefusalOf(1, flags, "", other), fine ? CodecError::kOk : CodecError::kBadValue);
  }
  EXPECT_EQ(RefusalOf(0, 0, "x"), CodecError::kBadValue) << "names none";
  EXPECT_EQ(RefusalOf(kRoot, 0, "x"), CodecError::kOk);
  EXPECT_EQ(RefusalOf(kRoot, 4, ""), CodecError::kOk);
  EXPECT_EQ(RefusalOf(kRoot, 0, ""), CodecError::kBadValue) << "says nothing";
  EXPECT_EQ(RefusalOf(kRoot, 0, "x", other), CodecError::kBadValue) << "another one's root";
  EXPECT_EQ(RefusalOf(kRoot, 1, "x"), CodecError::kBadValue) << "a root that holds";
  EXPECT_EQ(RefusalOf(kRoot, 2, "x"), CodecError::kBadValue);
}

TEST(TransferScopePayload, AnHeirIsToldOfNoScope) {
  EXPECT_EQ(RefusalOf(1, 0, "", ProcessId(), codec::kShadows), CodecError::kBadValue);
}

TEST(TransferScopePayloadDeathTest, WhatTheItemForbidsIsNotWritten) {
  PayloadWriter writer(16 * 1024);
  EXPECT_DEATH((void)writer.Add(In(0)), "IsValid");
  EXPECT_DEATH((void)writer.Add(In(kRoot)), "IsValid");
  EXPECT_DEATH((void)writer.Add(In(kRoot, 9, "x")), "IsValid");
  EXPECT_DEATH((void)writer.Add(ShadowItem{1, In(1)}), "scope");
}

}  // namespace
}  // namespace freehold::core
