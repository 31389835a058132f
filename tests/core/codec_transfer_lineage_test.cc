// The task of what gets another owner, and records that follow it: what is written comes back; what
// no writer would write is refused.

#include <cstdint>
#include <string>
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
// In the detail of a group.
constexpr int kHasTask = 16;
constexpr int kRecord = 4;

template <typename AnyId>
std::string Number(const AnyId& id) {
  return std::to_string(internal::LoadLittle<uint64_t>(id.data() + AnyId::kSize - 8));
}

struct Lines : StraySink {
  void OnTransfer(const TransferItem& item) override {
    std::string line = item.state == TransferState::kRecord ? "record" : "object";
    if (item.task.has_value()) {
      line += " of " + Number(item.task->id) + ", " + std::to_string(item.task->spec_bytes) +
              " bytes, " + std::to_string(item.task->retries) + " retries";
      for (const ObjectId& argument : item.task->arguments) {
        line += " " + Number(argument);
      }
    }
    if (item.scope.has_value()) line += " in " + std::to_string(item.scope->id);
    lines.push_back(line);
  }
  std::vector<std::string> lines;
};

TransferItem MadeOf(const std::vector<uint64_t>& arguments, uint32_t retries = 3) {
  TransferItem item;
  item.object = ObjectId::FromNumber(1);
  item.term = kTerm;
  item.task = TaskRecord{TaskId::FromNumber(9), 77, retries, {}};
  for (const uint64_t argument : arguments) {
    item.task->arguments.push_back(ObjectId::FromNumber(argument));
  }
  return item;
}

std::vector<std::string> Echo(const TransferItem& item) {
  PayloadWriter writer(kLeastPayloadBytes);
  EXPECT_TRUE(writer.Add(item));
  Lines sink;
  EXPECT_EQ(ReadPayload(writer.Take(), &sink), CodecError::kOk);
  return sink.lines;
}

// One group with one item of no nodes, `processes` and that task.
CodecError RefusalOf(int detail, uint16_t processes, uint64_t task, uint32_t retries,
                     uint16_t count, const std::string& rest, int kind = codec::kTransfers) {
  std::string bytes{static_cast<char>(kind), static_cast<char>(detail)};
  internal::AppendLittle(uint32_t{0}, &bytes);
  internal::AppendLittle(kTerm, &bytes);
  internal::AppendLittle(uint32_t{1}, &bytes);
  if (kind == codec::kShadows) bytes += std::string(8, '\1');
  bytes += std::string(ObjectId::FromNumber(1).bytes()) + std::string(8, '\0');
  internal::AppendLittle(uint16_t{0}, &bytes);
  internal::AppendLittle(processes, &bytes);
  internal::AppendLittle(uint16_t{0}, &bytes);
  for (uint64_t i = 0; i < processes; ++i) bytes += ProcessId::FromNumber(i + 1).bytes();
  bytes += task == 0 ? TaskId().bytes() : TaskId::FromNumber(task).bytes();
  internal::AppendLittle(uint64_t{5}, &bytes);
  internal::AppendLittle(retries, &bytes);
  internal::AppendLittle(count, &bytes);
  return RefusalRead<Lines>(bytes + rest);
}

std::string Ids(int count) {
  std::string bytes;
  for (int i = 1; i <= count; ++i) {
    bytes += ObjectId::FromNumber(static_cast<uint64_t>(i)).bytes();
  }
  return bytes;
}

TEST(TransferLineagePayload, WhatIsWrittenComesBack) {
  EXPECT_EQ(Echo(MadeOf({})), std::vector<std::string>{"object of 9, 77 bytes, 3 retries"});
  EXPECT_EQ(Echo(MadeOf({5, 6})), std::vector<std::string>{"object of 9, 77 bytes, 3 retries 5 6"});
  EXPECT_EQ(Echo(MadeOf({}, 0)), std::vector<std::string>{"object of 9, 77 bytes, 0 retries"});
  TransferItem record = MadeOf({5});
  record.state = TransferState::kRecord;
  EXPECT_EQ(Echo(record), std::vector<std::string>{"record of 9, 77 bytes, 3 retries 5"});
  TransferItem all = MadeOf({5});
  all.scope = TransferItem::Scope();
  all.scope->id = 12;
  EXPECT_EQ(Echo(all), std::vector<std::string>{"object of 9, 77 bytes, 3 retries 5 in 12"});
}

TEST(TransferLineagePayload, AsManyArgumentsAsCanBeFitOneMessage) {
  TransferItem item = MadeOf(std::vector<uint64_t>(kTaskArgumentsMax, 5));
  EXPECT_LE(TransferListBytes(item), kTransferListBytesMax);
  EXPECT_EQ(Echo(item).size(), 1u);
}

TEST(TransferLineagePayload, WhatNoWriterWritesIsRefused) {
  ASSERT_EQ(RefusalOf(kHasTask, 1, 9, 1, 2, Ids(2)), CodecError::kOk);
  ASSERT_EQ(RefusalOf(kHasTask | kRecord, 0, 9, 1, 2, Ids(2)), CodecError::kOk);
  EXPECT_EQ(RefusalOf(kHasTask, 1, 0, 1, 2, Ids(2)), CodecError::kBadValue) << "no task";
  EXPECT_EQ(RefusalOf(kHasTask, 1, 9, 0, 2, Ids(2)), CodecError::kBadValue) << "no retries";
  EXPECT_EQ(RefusalOf(kHasTask, 1, 9, 1, 2, Ids(1) + std::string(ObjectId::kSize, '\0')),
            CodecError::kBadValue)
      << "nil";
  EXPECT_EQ(RefusalOf(kHasTask, 1, 9, 1, kTaskArgumentsMax + 1, Ids(kTaskArgumentsMax + 1)),
            CodecError::kBadValue);
  EXPECT_EQ(RefusalOf(kHasTask, 1, 9, 1, 3, Ids(2)), CodecError::kTruncated);
  // Of a record alone nothing else is said.
  EXPECT_EQ(RefusalOf(kRecord, 0, 9, 1, 2, Ids(2)), CodecError::kBadValue) << "no task";
  EXPECT_EQ(RefusalOf(kHasTask | kRecord, 1, 9, 1, 2, Ids(2)), CodecError::kBadValue) << "held";
  for (const int more : {32, 64, 128}) {
    EXPECT_EQ(RefusalOf(kHasTask | kRecord | more, 0, 9, 1, 2, Ids(2)), CodecError::kBadValue)
        << more;
  }
  for (const int detail : {kHasTask, kHasTask | kRecord, kRecord}) {
    EXPECT_EQ(RefusalOf(detail, 0, 9, 1, 2, Ids(2), codec::kShadows), CodecError::kBadValue)
        << "an heir's, " << detail;
  }
}

}  // namespace
}  // namespace freehold::core
