// Groups of what goes before and after a transfer of ownership: what the object contains, and who
// its owner is. Their layout is in codec_groups.h.

#include <cstdint>

#include "freehold/session_options.h"
#include "src/base/check.h"
#include "src/core/codec.h"
#include "src/core/codec_groups.h"

namespace freehold::core {

namespace {

using codec::Cursor;
using codec::GroupHead;
using codec::Put;
using codec::PutBytes;

constexpr size_t kContainedHeadBytes = ObjectId::kSize + 2;
// The detail of a group of items that name an owner.
constexpr uint8_t kNamesOwner = 1;

// Any list of contained objects fits any envelope.
static_assert(kContainedBytes == ObjectId::kSize + 12 + ProcessId::kSize);
static_assert(codec::kGroupHeadBytes + kContainedHeadBytes + kContainedMax * kContainedBytes <=
              kEnvelopeBytesLeast - kFrameBytes);

CodecError ReadMoveds(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  if (head.detail > kNamesOwner || head.generation != 0) return CodecError::kBadValue;
  const bool names_owner = head.detail == kNamesOwner;
  // By division: the product could exceed a 32-bit size_t.
  if (head.count > cursor->size() / (ObjectId::kSize + (names_owner ? ProcessId::kSize : 0))) {
    return CodecError::kTruncated;
  }
  MovedItem item;
  item.term = head.term;
  for (uint32_t i = 0; i < head.count; ++i) {
    item.object = cursor->Object();
    if (names_owner) {
      item.owner = cursor->Process();
      if (item.owner.IsNil()) return CodecError::kBadValue;
    }
    if (sink != nullptr) sink->OnMoved(item);
  }
  return CodecError::kOk;
}

CodecError ReadContained(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  if (cursor->size() < kContainedHeadBytes) return CodecError::kTruncated;
  ContainedItem item;
  item.outer = cursor->Object();
  item.term = head.term;
  const auto count = cursor->Integer<uint16_t>();
  if (item.outer.IsNil() || count == 0 || count > kContainedMax) return CodecError::kBadValue;
  if (size_t{kContainedBytes} * count > cursor->size()) return CodecError::kTruncated;
  item.inners.resize(count);
  for (ContainedItem::Inner& inner : item.inners) {
    inner.object = cursor->Object();
    inner.number = cursor->Integer<uint64_t>();
    inner.term = cursor->Integer<uint32_t>();
    inner.owner = cursor->Process();
    if (inner.object.IsNil() || inner.term < kFirstTerm || inner.term > kTermMax) {
      return CodecError::kBadValue;
    }
  }
  if (sink != nullptr) sink->OnContained(item);
  return CodecError::kOk;
}

}  // namespace

CodecError codec::ReadMovedGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  // Whoever owned the object before had the first term at least.
  if (head.term <= kFirstTerm || head.term > kTermMax) return CodecError::kBadValue;
  if (head.kind == kMoveds) return ReadMoveds(head, cursor, sink);
  if (head.detail != 0 || head.generation != 0) return CodecError::kBadValue;
  // A count that the bytes cannot justify ends at the first item that is missing.
  for (uint32_t i = 0; i < head.count; ++i) {
    const CodecError error = ReadContained(head, cursor, sink);
    if (error != CodecError::kOk) return error;
  }
  return CodecError::kOk;
}

bool PayloadWriter::Add(const ContainedItem& item) {
  const size_t count = item.inners.size();
  FREEHOLD_CHECK(!item.outer.IsNil() && item.term > kFirstTerm && item.term <= kTermMax);
  FREEHOLD_CHECK(count > 0 && count <= kContainedMax);
  char* at =
      Place(codec::kContaineds, 0, 0, item.term, kContainedHeadBytes + kContainedBytes * count);
  if (at == nullptr) return false;
  at = PutBytes(item.outer.bytes(), at);
  at = Put(static_cast<uint16_t>(count), at);
  for (const ContainedItem::Inner& inner : item.inners) {
    FREEHOLD_CHECK(!inner.object.IsNil() && inner.term >= kFirstTerm && inner.term <= kTermMax);
    at = PutBytes(inner.object.bytes(), at);
    at = Put(inner.number, at);
    at = Put(inner.term, at);
    at = PutBytes(inner.owner.bytes(), at);
  }
  return true;
}

bool PayloadWriter::Add(const MovedItem& item) {
  FREEHOLD_CHECK(item.term > kFirstTerm && item.term <= kTermMax);
  const bool names_owner = !item.owner.IsNil();
  char* at = Place(codec::kMoveds, names_owner ? kNamesOwner : uint8_t{0}, 0, item.term,
                   ObjectId::kSize + (names_owner ? ProcessId::kSize : 0));
  if (at == nullptr) return false;
  at = PutBytes(item.object.bytes(), at);
  if (names_owner) PutBytes(item.owner.bytes(), at);
  return true;
}

}  // namespace freehold::core
