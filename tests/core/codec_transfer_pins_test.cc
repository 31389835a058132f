// Pins of what gets another owner, or an heir: what is written comes back; what no writer would
// write is refused.

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
constexpr int kPinned = 64;  // in the detail of a group
constexpr auto kAgeMax = static_cast<uint64_t>(kPinAgeMax.count());

struct Lines : StraySink {
  void Note(const TransferItem& item) {
    std::string line = item.evict_first ? "evict first; " : "";
    line += !item.free_waits                          ? "no free"
            : item.free_mode == FreeMode::kEvictFirst ? "eviction waits"
                                                      : "free waits";
    for (const ProcessId& former : item.formers) line += "; former " + FormerOf(former);
    for (const TransferItem::Pin& pin : item.pins) {
      line +=
          "; " + pin.by + " " + std::to_string(pin.count) + " " + std::to_string(pin.age.count());
    }
    lines.push_back(line);
  }
  static std::string FormerOf(const ProcessId& id) {
    return std::to_string(internal::LoadLittle<uint64_t>(id.data() + ProcessId::kSize - 8));
  }
  void OnTransfer(const TransferItem& item) override { Note(item); }
  void OnShadow(const ShadowItem& item) override { Note(item.snapshot); }
  std::vector<std::string> lines;
};

std::vector<std::string> LinesOf(std::string_view payload) { return LinesRead<Lines>(payload); }
CodecError Refusal(std::string_view payload) { return RefusalRead<Lines>(payload); }

TransferItem Pinned(std::vector<TransferItem::Pin> pins) {
  TransferItem item;
  item.object = ObjectId::FromNumber(1);
  item.term = kTerm;
  item.pins = std::move(pins);
  return item;
}

TransferItem::Pin Pin(std::string by, uint32_t count = 1, uint64_t age = 0) {
  return {std::move(by), count, Duration(age)};
}

template <typename Item>
std::string PayloadOf(const Item& item) {
  PayloadWriter writer(kLeastPayloadBytes);
  EXPECT_TRUE(writer.Add(item));
  return writer.Take();
}

std::string RawPin(std::string_view by, uint32_t count = 1, uint64_t age = 0) {
  std::string bytes;
  internal::AppendLittle(count, &bytes);
  internal::AppendLittle(age, &bytes);
  internal::AppendLittle(static_cast<uint16_t>(by.size()), &bytes);
  return bytes.append(by);
}

// As a transfer, and as what an heir is told.
CodecError RefusalOf(int count, int free, std::string_view pins) {
  std::string item = std::string(ObjectId::FromNumber(1).bytes()) + std::string(14, '\0');
  internal::AppendLittle(static_cast<uint16_t>(count), &item);
  item += static_cast<char>(free);
  item.append(pins);
  const auto head = [](int kind) {
    std::string bytes{static_cast<char>(kind), static_cast<char>(kPinned)};
    internal::AppendLittle(uint32_t{0}, &bytes);
    internal::AppendLittle(kTerm, &bytes);
    internal::AppendLittle(uint32_t{1}, &bytes);
    return bytes;
  };
  const CodecError transfer = Refusal(head(codec::kTransfers) + item);
  EXPECT_EQ(Refusal(head(codec::kShadows) + std::string(8, '\1') + item), transfer);
  return transfer;
}

TEST(TransferPinsPayload, PinsComeBackInTheirOrder) {
  TransferItem item = Pinned({Pin("b", 3, 17), Pin("a", UINT32_MAX, kAgeMax)});
  item.evict_first = true;
  item.formers = {ProcessId::FromNumber(9)};
  const std::string age_max = std::to_string(kAgeMax);
  EXPECT_EQ(
      LinesOf(PayloadOf(item)),
      std::vector<std::string>{"evict first; no free; former 9; b 3 17; a 4294967295 " + age_max});
  ShadowItem shadow{5, item};
  shadow.snapshot.free_waits = true;
  EXPECT_EQ(LinesOf(PayloadOf(shadow)),
            std::vector<std::string>{"evict first; free waits; former 9; b 3 17; a 4294967295 " +
                                     age_max});
  shadow.snapshot.free_mode = FreeMode::kEvictFirst;
  EXPECT_EQ(LinesOf(PayloadOf(shadow))[0].substr(13, 14), "eviction waits");
}

TEST(TransferPinsPayload, PinsTakeWhatIsSaidAndWhoHasNoneTakesNothing) {
  TransferItem item = Pinned({Pin("cache"), Pin("a reader")});
  const size_t plain = PayloadOf(Pinned({})).size();
  EXPECT_EQ(TransferListBytes(item), 3u + 2 * 14 + 5 + 8);
  EXPECT_EQ(PayloadOf(item).size(), plain + TransferListBytes(item));
  // One that has some does not share a group with one that has none.
  PayloadWriter writer(kLeastPayloadBytes);
  ASSERT_TRUE(writer.Add(Pinned({})));
  ASSERT_TRUE(writer.Add(item));
  ASSERT_TRUE(writer.Add(item));
  ASSERT_TRUE(writer.Add(Pinned({})));
  EXPECT_EQ(LinesOf(writer.Take()),
            (std::vector<std::string>{"no free", "no free; cache 1 0; a reader 1 0",
                                      "no free; cache 1 0; a reader 1 0", "no free"}));
}

TEST(TransferPinsPayload, TheLargestItemFitsTheSmallestEnvelope) {
  TransferItem item = Pinned({});
  for (int i = 0; i < 26; ++i) {
    item.pins.push_back(Pin(std::string(kPinnedByBytesMax, static_cast<char>('a' + i))));
  }
  const size_t left = kTransferListBytesMax - TransferListBytes(item) - kTransferPinBytes;
  ASSERT_LE(left, kPinnedByBytesMax);
  item.pins.push_back(Pin(std::string(left, '!')));
  EXPECT_EQ(TransferListBytes(item), kTransferListBytesMax);
  EXPECT_EQ(LinesOf(PayloadOf(item)).size(), 1u);
  EXPECT_EQ(LinesOf(PayloadOf(ShadowItem{1, item})).size(), 1u);
}

TEST(TransferPinsPayload, WhatIsCutShortIsTruncated) {
  TransferItem item = Pinned({Pin("cache", 2, 5), Pin("a reader")});
  item.processes = {ProcessId::FromNumber(4)};
  for (const std::string& whole : {PayloadOf(item), PayloadOf(ShadowItem{7, item})}) {
    for (size_t size = 1; size < whole.size(); ++size) {
      EXPECT_EQ(Refusal(whole.substr(0, size)), CodecError::kTruncated) << size;
    }
  }
  EXPECT_EQ(RefusalOf(2, 0, RawPin("a")), CodecError::kTruncated);
}

TEST(TransferPinsPayload, WhatNoHostCanHavePinnedIsBad) {
  EXPECT_EQ(RefusalOf(1, 0, RawPin("a")), CodecError::kOk);
  EXPECT_EQ(RefusalOf(0, 0, ""), CodecError::kBadValue) << "none";
  EXPECT_EQ(RefusalOf(1, 0, RawPin("a", 0)), CodecError::kBadValue) << "a count of none";
  EXPECT_EQ(RefusalOf(1, 0, RawPin("")), CodecError::kBadValue) << "no name";
  EXPECT_EQ(RefusalOf(1, 0, RawPin(std::string(kPinnedByBytesMax, 'x'))), CodecError::kOk);
  EXPECT_EQ(RefusalOf(1, 0, RawPin(std::string(kPinnedByBytesMax + 1, 'x'))),
            CodecError::kBadValue);
  EXPECT_EQ(RefusalOf(1, 0, RawPin("a", 1, kAgeMax)), CodecError::kOk);
  EXPECT_EQ(RefusalOf(1, 0, RawPin("a", 1, kAgeMax + 1)), CodecError::kBadValue);
  EXPECT_EQ(RefusalOf(1, 0, RawPin("a", 1, ~uint64_t{0})), CodecError::kBadValue);
  EXPECT_EQ(RefusalOf(2, 0, RawPin("a") + RawPin("b")), CodecError::kOk);
  EXPECT_EQ(RefusalOf(2, 0, RawPin("a") + RawPin("a", 2)), CodecError::kBadValue) << "twice";
  for (const int free : {0, 1, 2, 3, 255}) {
    EXPECT_EQ(RefusalOf(1, free, RawPin("a")), free <= 2 ? CodecError::kOk : CodecError::kBadValue)
        << free;
  }
}

TEST(TransferPinsPayload, MorePinsThanThereCanBeAreBad) {
  std::string pins;
  for (size_t i = 0; i < kPinHoldersMax; ++i) pins += RawPin(std::to_string(i));
  EXPECT_EQ(RefusalOf(kPinHoldersMax, 0, pins), CodecError::kOk);
  EXPECT_EQ(RefusalOf(kPinHoldersMax + 1, 0, pins + RawPin("one more")), CodecError::kBadValue);
  EXPECT_EQ(RefusalOf(0xffff, 0, pins), CodecError::kBadValue) << "whatever bytes follow";
  // Few enough, and longer than any writer makes them.
  pins.clear();
  for (int i = 0; i < 27; ++i) pins += RawPin(std::string(kPinnedByBytesMax, 'a' + i));
  EXPECT_EQ(RefusalOf(27, 0, pins), CodecError::kBadValue);
}

TEST(TransferPinsPayloadDeathTest, WhatTheItemForbidsIsNotWritten) {
  PayloadWriter writer(16 * 1024);
  EXPECT_DEATH((void)writer.Add(Pinned({Pin("a", 0)})), "count");
  EXPECT_DEATH((void)writer.Add(Pinned({Pin("")})), "empty");
  EXPECT_DEATH((void)writer.Add(Pinned({Pin(std::string(kPinnedByBytesMax + 1, 'x'))})), "size");
  EXPECT_DEATH((void)writer.Add(Pinned({Pin("a", 1, kAgeMax + 1)})), "kPinAgeMax");
  EXPECT_DEATH((void)writer.Add(Pinned(std::vector<TransferItem::Pin>(300, Pin("a")))),
               "kPinHoldersMax");
}

}  // namespace
}  // namespace freehold::core
