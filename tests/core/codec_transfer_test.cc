// Groups of transfers of ownership: what is written comes back; what no writer would write is
// refused.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
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
constexpr size_t kTransferBytes = ObjectId::kSize + 14;  // without its lists
// What an envelope of the least size carries.
constexpr size_t kLeastPayloadBytes = kEnvelopeBytesLeast - kFrameBytes;

// Flags of a node, as they are on the wire.
constexpr int kInMemory = 1;
constexpr int kSpilled = 2;
constexpr int kProspective = 4;
constexpr int kPrimary = 8;
constexpr int kShared = 16;

template <typename Id>
std::string Name(const Id& id) {
  return id.IsNil() ? "nobody" : std::to_string(internal::LoadLittle<uint64_t>(id.data() + 20));
}

struct Lines : StraySink {
  void OnSharing(const SharingItem& item) override {
    lines.push_back("sharing " + std::to_string(static_cast<int>(item.kind)) + " " +
                    Name(item.object) + " t" + std::to_string(item.term) + " n" +
                    std::to_string(item.number) + " " + std::to_string(item.answer));
  }
  void OnMoved(const MovedItem& item) override {
    lines.push_back("moved " + Name(item.object) + " t" + std::to_string(item.term) + " to " +
                    Name(item.owner));
  }
  void OnTransfer(const TransferItem& item) override {
    std::string line = "transfer " + Name(item.object) + " t" + std::to_string(item.term) + " g" +
                       std::to_string(item.generation) + " " + std::to_string(item.size) +
                       " state " + std::to_string(static_cast<int>(item.state)) +
                       (item.evict_first ? " evict first" : "");
    for (const TransferItem::At& at : item.nodes) {
      line += "; at " + Name(at.node) + (at.in_memory ? " memory" : "") +
              (at.spilled ? " spilled " : "") + at.url + (at.prospective ? " prospective" : "") +
              (at.primary ? " primary" : "") + (at.shared ? " shared" : "");
    }
    for (const ProcessId& process : item.processes) line += "; process " + Name(process);
    for (const ProcessId& former : item.formers) line += "; former " + Name(former);
    lines.push_back(line);
  }
  std::vector<std::string> lines;
};

std::vector<std::string> LinesOf(std::string_view payload) { return LinesRead<Lines>(payload); }
CodecError Refusal(std::string_view payload) { return RefusalRead<Lines>(payload); }

ObjectId Object(uint64_t number) { return ObjectId::FromNumber(number); }
std::string IdBytes(uint64_t number) { return std::string(Object(number).bytes()); }

SharingItem Sharing(SharingKind kind, uint64_t object, int answer = 0, uint32_t term = kTerm) {
  return {Object(object), 0, term, kind, static_cast<uint8_t>(answer), 0};
}

MovedItem Moved(uint64_t object, uint64_t owner = 0, uint32_t term = kTerm) {
  return {Object(object), term, owner == 0 ? ProcessId() : ProcessId::FromNumber(owner)};
}

TransferItem Transfer(uint64_t object, uint32_t term = kTerm) {
  TransferItem item;
  item.object = Object(object);
  item.term = term;
  return item;
}

TransferItem::At At(uint64_t node, int flags, std::string url = "") {
  return {NodeId::FromNumber(node),
          (flags & kInMemory) != 0,
          (flags & kSpilled) != 0,
          (flags & kProspective) != 0,
          (flags & kPrimary) != 0,
          (flags & kShared) != 0,
          std::move(url)};
}

template <typename Item>
std::string PayloadOf(const Item& item) {
  PayloadWriter writer(kLeastPayloadBytes);
  EXPECT_TRUE(writer.Add(item));
  return writer.Take();
}

// A group head, for payloads that no writer would write.
std::string Head(int kind, int detail, uint32_t count, uint32_t generation = 0,
                 uint32_t term = kTerm) {
  std::string bytes{static_cast<char>(kind), static_cast<char>(detail)};
  internal::AppendLittle(generation, &bytes);
  internal::AppendLittle(term, &bytes);
  internal::AppendLittle(count, &bytes);
  return bytes;
}

std::string RawNode(uint64_t node, int flags, size_t url_bytes) {
  std::string bytes = IdBytes(node) + static_cast<char>(flags);
  internal::AppendLittle(static_cast<uint16_t>(url_bytes), &bytes);
  return bytes + std::string(url_bytes, 'u');
}

std::string RawItem(int nodes, int processes, int formers, uint64_t object = 1) {
  std::string bytes = IdBytes(object) + std::string(8, '\0');
  for (const int count : {nodes, processes, formers}) {
    internal::AppendLittle(static_cast<uint16_t>(count), &bytes);
  }
  return bytes;
}

std::string RawTransfer(int nodes, int processes, int formers, std::string_view lists) {
  return Head(codec::kTransfers, 0, 1) + RawItem(nodes, processes, formers).append(lists);
}

std::string RawTransfer(int flags, size_t url_bytes) {
  return RawTransfer(1, 0, 0, RawNode(2, flags, url_bytes));
}

// --- What is written -----------------------------------------------------------------------------

TEST(TransferPayload, ItemsComeBackInTheOrderInWhichTheyWereWritten) {
  TransferItem full = Transfer(7, kTermMax);
  full.generation = 3;
  full.size = ~uint64_t{0};
  full.state = TransferState::kAvailable;
  full.evict_first = true;
  full.nodes = {At(1, 0), At(2, kInMemory | kPrimary),
                At(3, kSpilled | kShared | kPrimary, "s3://a"), At(4, kProspective),
                At(5, kInMemory | kSpilled | kProspective, "b")};
  full.processes = {ProcessId::FromNumber(6), ProcessId::FromNumber(7)};
  full.formers = {ProcessId::FromNumber(8)};
  PayloadWriter writer(16 * 1024);
  ASSERT_TRUE(writer.Add(Transfer(1)));
  ASSERT_TRUE(writer.Add(full));
  ASSERT_TRUE(writer.Add(Moved(2)));
  ASSERT_TRUE(writer.Add(Moved(3, 4, 9)));
  ASSERT_TRUE(writer.Add(Sharing(SharingKind::kSettled, 5)));
  const std::string full_line =
      "transfer 7 t1073741824 g3 18446744073709551615 state 1 evict first; at 1; at 2 memory "
      "primary; at 3 spilled s3://a primary shared; at 4 prospective; at 5 memory spilled b "
      "prospective; process 6; process 7; former 8";
  EXPECT_EQ(
      LinesOf(writer.Take()),
      (std::vector<std::string>{"transfer 1 t2 g0 0 state 0", full_line, "moved 2 t2 to nobody",
                                "moved 3 t9 to 4", "sharing 13 5 t2 n0 0"}));
}

TEST(TransferPayload, EveryStateComesBack) {
  for (int state = 0; state <= kTransferStateMax; ++state) {
    for (const bool evict_first : {false, true}) {
      TransferItem item = Transfer(1);
      item.state = static_cast<TransferState>(state);
      item.evict_first = evict_first;
      EXPECT_EQ(LinesOf(PayloadOf(item)),
                std::vector<std::string>{"transfer 1 t2 g0 0 state " + std::to_string(state) +
                                         (evict_first ? " evict first" : "")});
    }
  }
}

TEST(TransferPayload, EveryAnswerComesBackAndCostsAnId) {
  const struct {
    SharingKind kind;
    int answer_max;
  } kKinds[] = {{SharingKind::kTransferAck, kTransferAnswerMax},
                {SharingKind::kMovedAck, 1},
                {SharingKind::kSettled, 0},
                {SharingKind::kSettledAck, 0},
                {SharingKind::kMovedEnded, 0}};
  for (const auto& [kind, answer_max] : kKinds) {
    for (int answer = 0; answer <= answer_max; ++answer) {
      SharingItem item = Sharing(kind, 3, answer, 5);
      item.number = 77;  // never written
      const std::string payload = PayloadOf(item);
      EXPECT_EQ(payload.size(), kGroupHeadBytes + ObjectId::kSize);
      EXPECT_EQ(LinesOf(payload),
                std::vector<std::string>{"sharing " + std::to_string(static_cast<int>(kind)) +
                                         " 3 t5 n0 " + std::to_string(answer)});
    }
  }
}

TEST(TransferPayload, ItemsInARowShareAGroup) {
  constexpr size_t kItems = 10;
  PayloadWriter writer(16 * 1024);
  for (uint64_t object = 1; object <= kItems; ++object) ASSERT_TRUE(writer.Add(Moved(object)));
  EXPECT_EQ(writer.size(), kGroupHeadBytes + kItems * ObjectId::kSize);
  EXPECT_EQ(LinesOf(writer.Take()).size(), kItems);
  for (uint64_t object = 1; object <= kItems; ++object) ASSERT_TRUE(writer.Add(Moved(object, 7)));
  EXPECT_EQ(writer.size(), kGroupHeadBytes + kItems * (ObjectId::kSize + ProcessId::kSize));
  EXPECT_EQ(LinesOf(writer.Take()).size(), kItems);
  for (uint64_t object = 1; object <= kItems; ++object) ASSERT_TRUE(writer.Add(Transfer(object)));
  EXPECT_EQ(writer.size(), kGroupHeadBytes + kItems * kTransferBytes);
  EXPECT_EQ(LinesOf(writer.Take()).size(), kItems);
  for (uint64_t object = 1; object <= kItems; ++object) {
    ASSERT_TRUE(writer.Add(Sharing(SharingKind::kMovedAck, object, 1)));
  }
  EXPECT_EQ(writer.size(), kGroupHeadBytes + kItems * ObjectId::kSize);
  EXPECT_EQ(LinesOf(writer.Take()).size(), kItems);
}

TEST(TransferPayload, WhatDiffersInTheHeadTakesAnother) {
  PayloadWriter writer(16 * 1024);
  ASSERT_TRUE(writer.Add(Moved(1)));
  ASSERT_TRUE(writer.Add(Moved(2, 7)));
  ASSERT_TRUE(writer.Add(Moved(3, 7, kTerm + 1)));
  EXPECT_EQ(writer.size(), 3 * (kGroupHeadBytes + ObjectId::kSize) + 2 * ProcessId::kSize);
  EXPECT_EQ(
      LinesOf(writer.Take()),
      (std::vector<std::string>{"moved 1 t2 to nobody", "moved 2 t2 to 7", "moved 3 t3 to 7"}));
}

TEST(TransferPayload, TheListsTakeWhatIsSaid) {
  TransferItem item = Transfer(1);
  EXPECT_EQ(TransferListBytes(item), 0u);
  EXPECT_EQ(PayloadOf(item).size(), kGroupHeadBytes + kTransferBytes);
  item.nodes = {At(1, kInMemory), At(2, kSpilled, "abc")};
  item.processes = {ProcessId::FromNumber(1)};
  item.formers = {ProcessId::FromNumber(2), ProcessId::FromNumber(3)};
  EXPECT_EQ(TransferListBytes(item), 2 * 31u + 3 + 3 * 28);
  EXPECT_EQ(PayloadOf(item).size(), kGroupHeadBytes + kTransferBytes + TransferListBytes(item));
}

TEST(TransferPayload, TheLargestItemsFitTheSmallestEnvelope) {
  TransferItem item = Transfer(1);
  item.processes.assign(kTransferListBytesMax / kTransferProcessBytes, ProcessId::FromNumber(5));
  EXPECT_EQ(TransferListBytes(item), kTransferListBytesMax);
  EXPECT_EQ(LinesOf(PayloadOf(item)).size(), 1u);
  item.formers.swap(item.processes);
  EXPECT_EQ(LinesOf(PayloadOf(item)).size(), 1u);
  item.formers.clear();
  item.nodes = {At(1, kSpilled, std::string(kSpilledUrlBytesMax, 'x'))};
  const size_t left = kTransferListBytesMax - TransferListBytes(item) - kTransferNodeBytes;
  item.nodes.push_back(At(2, kSpilled, std::string(left, 'y')));
  EXPECT_EQ(TransferListBytes(item), kTransferListBytesMax);
  EXPECT_EQ(LinesOf(PayloadOf(item)).size(), 1u);
}

TEST(TransferPayload, AFullWriterRefusesAndStaysAsItWas) {
  PayloadWriter writer(kGroupHeadBytes + ObjectId::kSize + ProcessId::kSize + 1);
  ASSERT_TRUE(writer.Add(Moved(1, 2)));
  EXPECT_FALSE(writer.Add(Moved(2, 2)));
  EXPECT_FALSE(writer.Add(Moved(2)));
  EXPECT_FALSE(writer.Add(Transfer(2)));
  EXPECT_FALSE(writer.Add(Sharing(SharingKind::kMovedEnded, 2)));
  EXPECT_EQ(LinesOf(writer.Take()).size(), 1u);
}

// --- What no writer would write ------------------------------------------------------------------

TEST(TransferPayload, WhatIsCutShortIsTruncated) {
  TransferItem item = Transfer(1);
  item.nodes = {At(2, kInMemory), At(3, kSpilled, "s3://a")};
  item.processes = {ProcessId::FromNumber(4), ProcessId::FromNumber(5)};
  item.formers = {ProcessId::FromNumber(6)};
  TransferItem at_its_url = Transfer(1);
  at_its_url.nodes = {At(2, kSpilled, "s3://a")};
  for (const std::string& whole :
       {PayloadOf(item), PayloadOf(at_its_url), PayloadOf(Moved(1)), PayloadOf(Moved(1, 2)),
        PayloadOf(Sharing(SharingKind::kTransferAck, 1)),
        PayloadOf(Sharing(SharingKind::kSettledAck, 1))}) {
    for (size_t size = 1; size < whole.size(); ++size) {
      EXPECT_EQ(Refusal(whole.substr(0, size)), CodecError::kTruncated) << size;
    }
  }
}

TEST(TransferPayload, ACountThatTheBytesCannotJustifyIsTruncated) {
  for (int kind = codec::kTransferAcks; kind <= codec::kTransfers; ++kind) {
    EXPECT_EQ(CheckPayload(Head(kind, 0, ~0u) + IdBytes(1)), CodecError::kTruncated) << kind;
  }
  EXPECT_EQ(CheckPayload(Head(codec::kTransfers, 0, 2) + RawItem(0, 0, 0)), CodecError::kTruncated);
  EXPECT_EQ(CheckPayload(Head(codec::kMoveds, 1, 2) + IdBytes(1) + IdBytes(2) + IdBytes(3)),
            CodecError::kTruncated);
  const std::string node = RawNode(2, kInMemory, 0);
  EXPECT_EQ(Refusal(RawTransfer(1, 1, 1, node + IdBytes(3) + IdBytes(4))), CodecError::kOk);
  EXPECT_EQ(Refusal(RawTransfer(2, 0, 0, node)), CodecError::kTruncated);
  EXPECT_EQ(Refusal(RawTransfer(0, 2, 0, IdBytes(3))), CodecError::kTruncated);
  EXPECT_EQ(Refusal(RawTransfer(0, 0, 2, IdBytes(3))), CodecError::kTruncated);
  EXPECT_EQ(Refusal(RawTransfer(0, 1, 1, IdBytes(3))), CodecError::kTruncated);
  // The url is as long as what is missing.
  EXPECT_EQ(Refusal(RawTransfer(2, 0, 0, RawNode(2, kSpilled, kTransferNodeBytes))),
            CodecError::kTruncated);
  EXPECT_EQ(Refusal(RawTransfer(1, 1, 0, RawNode(2, kSpilled, ProcessId::kSize))),
            CodecError::kTruncated);
  EXPECT_EQ(Refusal(RawTransfer(1, 0, 1, RawNode(2, kSpilled, ProcessId::kSize))),
            CodecError::kTruncated);
}

TEST(TransferPayload, GroupHeadsOutOfBoundsAreRejected) {
  const struct {
    int kind;
    int detail_max;
    std::string item;
  } kGroups[] = {{codec::kTransferAcks, kTransferAnswerMax, IdBytes(1)},
                 {codec::kMovedAcks, 1, IdBytes(1)},
                 {codec::kSettleds, 0, IdBytes(1)},
                 {codec::kSettledAcks, 0, IdBytes(1)},
                 {codec::kMovedsEnded, 0, IdBytes(1)},
                 {codec::kMoveds, 1, IdBytes(1)},
                 {codec::kTransfers, kTransferStateMax, RawItem(0, 0, 0)}};
  for (const auto& group : kGroups) {
    SCOPED_TRACE(group.kind);
    const bool is_transfer = group.kind == codec::kTransfers;
    EXPECT_EQ(Refusal(Head(group.kind, 0, 0)), CodecError::kBadValue) << "empty";
    for (int detail = 0; detail < 256; ++detail) {
      const bool names_owner = group.kind == codec::kMoveds && detail == 1;
      // Of a record alone the task is said, and nothing else; here it is missing.
      const bool only_record = is_transfer && detail == 20;
      const int state = only_record ? 0 : is_transfer ? detail & 15 : detail;
      // So may its pins be, its scope, or that task.
      const bool more = is_transfer && (detail & 112) != 0;
      const CodecError good = more ? CodecError::kTruncated : CodecError::kOk;
      EXPECT_EQ(Refusal(Head(group.kind, detail, 1) + group.item + (names_owner ? IdBytes(2) : "")),
                state <= group.detail_max ? good : CodecError::kBadValue)
          << detail;
    }
    EXPECT_EQ(Refusal(Head(group.kind, 0, 1, 1) + group.item),
              is_transfer ? CodecError::kOk : CodecError::kBadValue)
        << "a generation";
    for (const uint32_t term : {0u, kFirstTerm}) {
      EXPECT_EQ(Refusal(Head(group.kind, 0, 1, 0, term) + group.item), CodecError::kBadValue)
          << term;
    }
    EXPECT_EQ(Refusal(Head(group.kind, 0, 1, 0, kTermMax) + group.item), CodecError::kOk);
    for (const uint32_t term : {kTermMax + 1, ~0u}) {
      EXPECT_EQ(Refusal(Head(group.kind, 0, 1, 0, term) + group.item), CodecError::kBadValue)
          << term;
    }
  }
}

TEST(TransferPayload, OnlyDeclarationsAreOfTheFirstTermAlone) {
  for (const int kind : {codec::kDeclares, codec::kDeclareAcks}) {
    std::string item = IdBytes(1) + std::string(kind == codec::kDeclares ? 16 : 8, '\0');
    EXPECT_EQ(Refusal(Head(kind, 0, 1, 0, kFirstTerm) + item), CodecError::kOk);
    EXPECT_EQ(Refusal(Head(kind, 0, 1, 0, kTerm) + item), CodecError::kBadValue);
  }
}

TEST(TransferPayload, NilIdsAreRejected) {
  EXPECT_EQ(Refusal(Head(codec::kMoveds, 1, 1) + IdBytes(1) + IdBytes(0)), CodecError::kBadValue);
  EXPECT_EQ(Refusal(Head(codec::kTransfers, 0, 1) + RawItem(0, 0, 0, 0)), CodecError::kBadValue);
  EXPECT_EQ(Refusal(RawTransfer(1, 0, 0, RawNode(0, kInMemory, 0))), CodecError::kBadValue);
  EXPECT_EQ(Refusal(RawTransfer(0, 2, 0, IdBytes(3) + IdBytes(0))), CodecError::kBadValue);
  EXPECT_EQ(Refusal(RawTransfer(0, 0, 2, IdBytes(3) + IdBytes(0))), CodecError::kBadValue);
}

TEST(TransferPayload, OnlyWhatANodeCanBeIsAccepted) {
  for (int flags = 0; flags < 256; ++flags) {
    for (const size_t url_bytes : {0, 1}) {
      const bool spilled = (flags & kSpilled) != 0;
      const bool real = spilled || (flags & kInMemory) != 0;
      const bool can_be = flags < 32 && (url_bytes == 0 || spilled) &&
                          ((flags & kPrimary) == 0 || real) &&
                          ((flags & kShared) == 0 || (spilled && url_bytes > 0));
      EXPECT_EQ(Refusal(RawTransfer(flags, url_bytes)),
                can_be ? CodecError::kOk : CodecError::kBadValue)
          << flags << " " << url_bytes;
    }
  }
}

TEST(TransferPayload, AFileWithoutAUrlIsOneAsInAReport) {
  TransferItem item = Transfer(1);
  item.nodes = {At(2, kSpilled)};
  EXPECT_EQ(LinesOf(PayloadOf(item)),
            std::vector<std::string>{"transfer 1 t2 g0 0 state 0; at 2 spilled "});
}

TEST(TransferPayload, AUrlThatIsTooLongIsBad) {
  EXPECT_EQ(Refusal(RawTransfer(kSpilled, kSpilledUrlBytesMax)), CodecError::kOk);
  EXPECT_EQ(Refusal(RawTransfer(kSpilled, kSpilledUrlBytesMax + 1)), CodecError::kBadValue);
}

TEST(TransferPayload, ListsLongerThanAnyWriterMakesThemAreBad) {
  constexpr int kMost = kTransferListBytesMax / kTransferProcessBytes;
  std::string ids;
  for (int i = 0; i < kMost; ++i) ids += IdBytes(9);
  EXPECT_EQ(Refusal(RawTransfer(0, kMost, 0, ids)), CodecError::kOk);
  EXPECT_EQ(Refusal(RawTransfer(0, 1, kMost - 1, ids)), CodecError::kOk);
  ids += IdBytes(9);
  EXPECT_EQ(Refusal(RawTransfer(0, kMost + 1, 0, ids)), CodecError::kBadValue);
  EXPECT_EQ(Refusal(RawTransfer(0, 1, kMost, ids)), CodecError::kBadValue);
  EXPECT_EQ(Refusal(RawTransfer(0xffff, 0xffff, 0xffff, ids)), CodecError::kBadValue)
      << "whatever bytes follow";
  // The same with urls, which no count tells.
  const std::string node = RawNode(2, kSpilled, kSpilledUrlBytesMax);
  const size_t left = kTransferListBytesMax - node.size() - kTransferNodeBytes;
  EXPECT_EQ(Refusal(RawTransfer(2, 0, 0, node + RawNode(3, kSpilled, left))), CodecError::kOk);
  EXPECT_EQ(Refusal(RawTransfer(2, 0, 0, node + RawNode(3, kSpilled, left + 1))),
            CodecError::kBadValue);
  const std::string shorter = RawNode(3, kSpilled, left - ProcessId::kSize);
  EXPECT_EQ(Refusal(RawTransfer(2, 0, 1, node + shorter + IdBytes(4))), CodecError::kOk);
  EXPECT_EQ(Refusal(RawTransfer(2, 1, 1, node + shorter + IdBytes(4) + IdBytes(5))),
            CodecError::kBadValue);
}

// --- What no caller may write --------------------------------------------------------------------

TEST(TransferPayloadDeathTest, WhatTheItemForbidsIsNotWritten) {
  PayloadWriter writer(16 * 1024);
  EXPECT_DEATH((void)writer.Add(Transfer(1, kFirstTerm)), "kFirstTerm");
  EXPECT_DEATH((void)writer.Add(Moved(1, 2, kFirstTerm)), "kFirstTerm");
  EXPECT_DEATH((void)writer.Add(Sharing(SharingKind::kSettled, 1, 0, kFirstTerm)), "IsTermOf");
  EXPECT_DEATH((void)writer.Add(Sharing(SharingKind::kMovedAck, 1, 2)), "answer_max");
  TransferItem item = Transfer(1);
  item.processes.assign(kTransferListBytesMax / kTransferProcessBytes + 1,
                        ProcessId::FromNumber(5));
  EXPECT_DEATH((void)writer.Add(item), "kTransferListBytesMax");
  item.processes = {ProcessId()};
  EXPECT_DEATH((void)writer.Add(item), "IsNil");
  item.processes.clear();
  item.nodes = {At(2, kInMemory, "a url without a file")};
  EXPECT_DEATH((void)writer.Add(item), "IsValid");
  item.nodes = {At(2, kProspective | kPrimary)};
  EXPECT_DEATH((void)writer.Add(item), "IsValid");
}

}  // namespace
}  // namespace freehold::core
