// Groups of digests, and of what owners and node agents ask each other after one that differs.
// Their layout is in codec_groups.h, what they mean in digest.h.

#include <vector>

#include "src/base/check.h"
#include "src/core/codec.h"
#include "src/core/codec_groups.h"
#include "src/core/digest.h"

namespace freehold::core {

namespace {

using codec::Cursor;
using codec::GroupHead;
using codec::Put;
using codec::PutBytes;

constexpr size_t kRangeBytes = 5;
constexpr size_t kQueryBytes = 8 + kRangeBytes;
constexpr size_t kSumsBytes = kQueryBytes + 1;
constexpr size_t kSumBytes = 12;
constexpr size_t kCopiesBytes = kQueryBytes + 3;
constexpr size_t kCopyBytes = ObjectId::kSize + 4;

constexpr uint8_t kCopiesTruncated = 1;  // the flags of a list

// Any answer fits any envelope.
static_assert(codec::kGroupHeadBytes + kCopiesBytes + kDigestListMax * kCopyBytes <=
              kEnvelopeBytesLeast - kFrameBytes);
static_assert(codec::kGroupHeadBytes + kSumsBytes + kDigestChildren * kSumBytes <=
              kEnvelopeBytesLeast - kFrameBytes);
static_assert(kDigestChildren <= UINT8_MAX && kDigestListMax <= UINT16_MAX);

// REQUIRES: enough bytes. Answers whether it is one.
bool ReadRange(Cursor* cursor, uint64_t* number, DigestRange* range) {
  *number = cursor->Integer<uint64_t>();
  range->prefix = cursor->Integer<uint32_t>();
  range->bits = cursor->Integer<uint8_t>();
  return range->valid();
}

char* PutRange(uint64_t number, const DigestRange& range, char* at) {
  return Put(range.bits, Put(range.prefix, Put(number, at)));
}

CodecError ReadSums(Cursor* cursor, DigestSumsItem* item) {
  if (cursor->size() < kSumsBytes) return CodecError::kTruncated;
  const bool is_range = ReadRange(cursor, &item->number, &item->range);
  const uint8_t sums = cursor->Integer<uint8_t>();
  const bool of_children = sums == kDigestChildren && item->range.can_be_divided();
  if (!is_range || (sums != 1 && !of_children)) return CodecError::kBadValue;
  if (sums > cursor->size() / kSumBytes) return CodecError::kTruncated;
  item->sums.resize(sums);
  for (DigestSum& sum : item->sums) {
    sum.hash = cursor->Integer<uint64_t>();
    sum.copies = cursor->Integer<uint32_t>();
  }
  return CodecError::kOk;
}

CodecError ReadCopies(Cursor* cursor, DigestCopiesItem* item) {
  if (cursor->size() < kCopiesBytes) return CodecError::kTruncated;
  const bool is_range = ReadRange(cursor, &item->number, &item->range);
  const uint8_t flags = cursor->Integer<uint8_t>();
  const uint16_t copies = cursor->Integer<uint16_t>();
  if (!is_range || flags > kCopiesTruncated || copies > kDigestListMax) {
    return CodecError::kBadValue;
  }
  if (copies > cursor->size() / kCopyBytes) return CodecError::kTruncated;
  item->truncated = flags == kCopiesTruncated;
  item->copies.resize(copies);
  for (DigestKey& copy : item->copies) {
    copy.object = cursor->Object();
    copy.generation = cursor->Integer<uint32_t>();
  }
  return CodecError::kOk;
}

// Answers are compared together, so their groups are handed over whole.
template <typename Item, typename Read, typename Take>
CodecError ReadAnswers(const GroupHead& head, Cursor* cursor, Read read, Take take) {
  std::vector<Item> items;
  // A count that the bytes cannot justify ends at the first item that is missing.
  for (uint32_t i = 0; i < head.count; ++i) {
    Item item;
    const CodecError error = read(cursor, &item);
    if (error != CodecError::kOk) return error;
    items.push_back(std::move(item));
  }
  take(items);
  return CodecError::kOk;
}

CodecError ReadQueries(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  for (uint32_t i = 0; i < head.count; ++i) {
    if (cursor->size() < kQueryBytes) return CodecError::kTruncated;
    DigestQueryItem item;
    if (!ReadRange(cursor, &item.number, &item.range) || item.number == 0) {
      return CodecError::kBadValue;
    }
    if (sink != nullptr) sink->OnDigestQuery(item);
  }
  return CodecError::kOk;
}

CodecError ReadAgain(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  // By division: the product could exceed a 32-bit size_t.
  if (head.count > cursor->size() / ObjectId::kSize) return CodecError::kTruncated;
  for (uint32_t i = 0; i < head.count; ++i) {
    const ReportAgainItem item{{cursor->Object(), head.generation}};
    if (sink != nullptr) sink->OnReportAgain(item);
  }
  return CodecError::kOk;
}

}  // namespace

CodecError codec::ReadDigestGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  if (head.detail != 0 || head.term != kFirstTerm ||
      (head.generation != 0 && head.kind != codec::kReportsAgain)) {
    return CodecError::kBadValue;
  }
  switch (head.kind) {
    case codec::kDigestSums:
      return ReadAnswers<DigestSumsItem>(head, cursor, ReadSums, [sink](const auto& items) {
        if (sink != nullptr) sink->OnDigestSums(items);
      });
    case codec::kDigestCopies:
      return ReadAnswers<DigestCopiesItem>(head, cursor, ReadCopies, [sink](const auto& items) {
        if (sink != nullptr) sink->OnDigestCopies(items);
      });
    case codec::kDigestQueries:
      return ReadQueries(head, cursor, sink);
    case codec::kReportsAgain:
      return ReadAgain(head, cursor, sink);
    default:
      return CodecError::kUnknownGroup;
  }
}

bool PayloadWriter::Add(const DigestSumsItem& item) {
  FREEHOLD_CHECK(item.range.valid());
  FREEHOLD_CHECK(item.sums.size() == 1 || item.sums.size() == kDigestChildren);
  char* at = Place(codec::kDigestSums, 0, 0, kFirstTerm, kSumsBytes + item.sums.size() * kSumBytes);
  if (at == nullptr) return false;
  at = PutRange(item.number, item.range, at);
  at = Put(static_cast<uint8_t>(item.sums.size()), at);
  for (const DigestSum& sum : item.sums) at = Put(sum.copies, Put(sum.hash, at));
  return true;
}

bool PayloadWriter::Add(const DigestCopiesItem& item) {
  FREEHOLD_CHECK(item.range.valid() && item.copies.size() <= kDigestListMax);
  char* at =
      Place(codec::kDigestCopies, 0, 0, kFirstTerm, kCopiesBytes + item.copies.size() * kCopyBytes);
  if (at == nullptr) return false;
  at = PutRange(item.number, item.range, at);
  at = Put(item.truncated ? kCopiesTruncated : uint8_t{0}, at);
  at = Put(static_cast<uint16_t>(item.copies.size()), at);
  for (const DigestKey& copy : item.copies) {
    at = Put(copy.generation, PutBytes(copy.object.bytes(), at));
  }
  return true;
}

bool PayloadWriter::Add(const DigestQueryItem& item) {
  FREEHOLD_CHECK(item.range.valid() && item.number != 0);
  char* const at = Place(codec::kDigestQueries, 0, 0, kFirstTerm, kQueryBytes);
  if (at == nullptr) return false;
  PutRange(item.number, item.range, at);
  return true;
}

bool PayloadWriter::Add(const ReportAgainItem& item) {
  char* const at =
      Place(codec::kReportsAgain, 0, item.copy.generation, kFirstTerm, ObjectId::kSize);
  if (at == nullptr) return false;
  PutBytes(item.copy.object.bytes(), at);
  return true;
}

}  // namespace freehold::core
