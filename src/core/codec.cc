// Payloads: groups of items to bytes and back. The frame around a payload is in frame.cc.
//
// Here: frees, their results, and location reports. References that cross processes are in
// codec_sharing.cc, primary moves in codec_moves.cc, digests in codec_digest.cc, files that have
// outlived their node in codec_files.cc, transfers in codec_transfer.cc; the layout of the groups
// is in codec_groups.h.

#include "src/core/codec.h"

#include <algorithm>
#include <utility>

#include "freehold/session_options.h"
#include "src/base/check.h"
#include "src/base/little_endian.h"
#include "src/core/codec_groups.h"

namespace freehold::core {

namespace {

using codec::Cursor;
using codec::GroupHead;
using codec::kGroupHeadBytes;
using codec::Put;
using codec::PutBytes;

constexpr size_t kCountAt = 10;  // in the head
constexpr size_t kFailureBytes = ObjectId::kSize + 2;
constexpr size_t kLocationBytes = ObjectId::kSize + 12;

constexpr uint8_t kFlagSecondary = 1;
constexpr uint8_t kFlagInMemory = 2;
constexpr uint8_t kFlagShared = 4;  // only with a file
constexpr uint8_t kFlagsMax = 7;

GroupHead ReadHead(Cursor* cursor) {
  GroupHead head;
  head.kind = cursor->Integer<uint8_t>();
  head.detail = cursor->Integer<uint8_t>();
  head.generation = cursor->Integer<uint32_t>();
  head.term = cursor->Integer<uint32_t>();
  head.count = cursor->Integer<uint32_t>();
  return head;
}

// The readers below take one group's items each; a null sink only validates.

CodecError ReadIds(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  const bool frees = head.kind == codec::kFrees;
  if (frees ? head.detail != 0 : head.detail >= static_cast<uint8_t>(FreeResult::kFailed)) {
    return CodecError::kBadValue;
  }
  // By division: count * kSize could exceed a 32-bit size_t.
  if (head.count > cursor->size() / ObjectId::kSize) return CodecError::kTruncated;
  const std::string_view ids = cursor->Bytes(head.count * ObjectId::kSize);
  if (sink == nullptr) return CodecError::kOk;
  if (frees) {
    sink->OnFrees(head.generation, head.term, ids);
  } else {
    sink->OnFreeResults(head.generation, head.term, static_cast<FreeResult>(head.detail), ids);
  }
  return CodecError::kOk;
}

CodecError ReadFailure(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  if (cursor->size() < kFailureBytes) return CodecError::kTruncated;
  const ObjectId object = cursor->Object();
  const uint16_t why_bytes = cursor->Integer<uint16_t>();
  if (why_bytes > kWhyBytesMax) return CodecError::kBadValue;
  if (why_bytes > cursor->size()) return CodecError::kTruncated;
  const std::string_view why = cursor->Bytes(why_bytes);
  if (sink != nullptr) {
    sink->OnFreeFailed({object, head.generation, head.term, FreeResult::kFailed, std::string(why)});
  }
  return CodecError::kOk;
}

CodecError ReadLocation(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  if (cursor->size() < kLocationBytes) return CodecError::kTruncated;
  const ObjectId object = cursor->Object();
  const uint8_t change = cursor->Integer<uint8_t>();
  const uint8_t flags = cursor->Integer<uint8_t>();
  const uint64_t size = cursor->Integer<uint64_t>();
  const uint16_t url_bytes = cursor->Integer<uint16_t>();
  if (change > kLocationChangeMax || flags > kFlagsMax || url_bytes > kSpilledUrlBytesMax ||
      (url_bytes > 0 && static_cast<LocationChange>(change) != LocationChange::kSpilled) ||
      ((flags & kFlagShared) != 0 && url_bytes == 0)) {
    return CodecError::kBadValue;
  }
  if (url_bytes > cursor->size()) return CodecError::kTruncated;
  const std::string_view url = cursor->Bytes(url_bytes);
  if (sink == nullptr) return CodecError::kOk;
  LocationItem item;
  item.object = object;
  item.generation = head.generation;
  item.term = head.term;
  item.change = static_cast<LocationChange>(change);
  item.role = (flags & kFlagSecondary) != 0 ? CopyRole::kSecondary : CopyRole::kPrimary;
  item.in_memory = (flags & kFlagInMemory) != 0;
  item.shared = (flags & kFlagShared) != 0;
  item.size = size;
  item.url = std::string(url);
  sink->OnLocation(item);
  return CodecError::kOk;
}

CodecError ReadGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  if (head.kind < codec::kFrees || head.kind > codec::kGroupKindMax) {
    return CodecError::kUnknownGroup;
  }
  if (head.count == 0) return CodecError::kBadValue;
  if (head.kind == codec::kContaineds || head.kind == codec::kMoveds) {
    return codec::ReadMovedGroup(head, cursor, sink);
  }
  if (head.kind >= codec::kShadowAcks) return codec::ReadSharingGroup(head, cursor, sink);
  if (head.kind >= codec::kMoveds) return codec::ReadTransferGroup(head, cursor, sink);
  if (head.kind >= codec::kTransferAcks) return codec::ReadSharingGroup(head, cursor, sink);
  if (head.kind >= codec::kFilesCarried) return codec::ReadFilesGroup(head, cursor, sink);
  if (head.kind >= codec::kWatches) return codec::ReadSharingGroup(head, cursor, sink);
  if (head.kind >= codec::kScopeJoins) return codec::ReadScopesGroup(head, cursor, sink);
  if (head.kind >= codec::kDigestSums) return codec::ReadDigestGroup(head, cursor, sink);
  if (head.kind >= codec::kMovePrimaries) return codec::ReadMovesGroup(head, cursor, sink);
  if (head.kind > codec::kLocations) return codec::ReadSharingGroup(head, cursor, sink);
  if (head.kind <= codec::kFreeResults) return ReadIds(head, cursor, sink);
  if (head.detail != 0) return CodecError::kBadValue;
  // A count that the bytes cannot justify ends at the first item that is missing.
  for (uint32_t i = 0; i < head.count; ++i) {
    const CodecError error = head.kind == codec::kFreeFailures ? ReadFailure(head, cursor, sink)
                                                               : ReadLocation(head, cursor, sink);
    if (error != CodecError::kOk) return error;
  }
  return CodecError::kOk;
}

}  // namespace

// --- Writing -------------------------------------------------------------------------------------

PayloadWriter::PayloadWriter(size_t payload_bytes_max) : bytes_max_(payload_bytes_max) {}

char* PayloadWriter::Place(uint8_t kind, uint8_t detail, uint32_t generation, uint32_t term,
                           size_t item_bytes) {
  const bool joins = Joins(kind, detail, generation, term);
  const size_t head_bytes = joins ? 0 : kGroupHeadBytes;
  if (head_bytes + item_bytes > bytes_max_ - size_) return nullptr;
  if (!joins) {
    Seal();
    open_ = {What(kind, detail), 0, Value(generation, term), size_ + kCountAt};
    char* at = Allot(kGroupHeadBytes);
    at = Put(kind, at);
    at = Put(detail, at);
    at = Put(generation, at);
    Put(term, at);
  }
  ++open_.count;
  ++items_;
  return Allot(item_bytes);
}

char* PayloadWriter::Allot(size_t bytes) {
  if (bytes > capacity_ - size_) {
    const size_t larger =
        std::min(bytes_max_, std::max({size_ + bytes, 2 * capacity_, std::exchange(given_, 0)}));
    std::unique_ptr<char[]> buffer(new char[larger]);
    if (size_ > 0) std::memcpy(buffer.get(), buffer_.get(), size_);
    buffer_ = std::move(buffer);
    capacity_ = larger;
  }
  char* const at = buffer_.get() + size_;
  size_ += bytes;
  return at;
}

void PayloadWriter::Seal() {
  if (open_.what != 0) internal::StoreLittle(open_.count, buffer_.get() + open_.count_at);
}

bool PayloadWriter::AddFree(const ObjectId& object, uint32_t generation, uint32_t term) {
  char* const at = Place(codec::kFrees, 0, generation, term, ObjectId::kSize);
  if (at == nullptr) return false;
  PutBytes(object.bytes(), at);
  return true;
}

PayloadWriter::FreeRun PayloadWriter::BeginFrees(uint32_t term) const {
  const auto generation = static_cast<uint32_t>(open_.value);
  if (!Joins(codec::kFrees, 0, generation, term)) return FreeRun();
  return {buffer_.get() + size_, generation,
          static_cast<uint32_t>((capacity_ - size_) / ObjectId::kSize)};
}

void PayloadWriter::EndFrees(FreeRun run) {
  if (run.at == nullptr) return;
  const auto bytes = static_cast<size_t>(run.at - (buffer_.get() + size_));
  const size_t added = bytes / ObjectId::kSize;
  size_ += bytes;
  items_ += added;
  open_.count += static_cast<uint32_t>(added);
}

bool PayloadWriter::Add(const FreeResultItem& item) {
  if (item.result != FreeResult::kFailed) {
    char* const at = Place(codec::kFreeResults, static_cast<uint8_t>(item.result), item.generation,
                           item.term, ObjectId::kSize);
    if (at == nullptr) return false;
    PutBytes(item.object.bytes(), at);
    return true;
  }
  // The text comes from the host's store: a long one is no reason to fail.
  std::string_view why = item.why;
  why = why.substr(0, kWhyBytesMax);
  char* at = Place(codec::kFreeFailures, 0, item.generation, item.term, kFailureBytes + why.size());
  if (at == nullptr) return false;
  at = PutBytes(item.object.bytes(), at);
  at = Put(static_cast<uint16_t>(why.size()), at);
  PutBytes(why, at);
  return true;
}

bool PayloadWriter::Add(const LocationItem& item) {
  FREEHOLD_CHECK(item.url.size() <= kSpilledUrlBytesMax);
  std::string_view url;
  if (item.change == LocationChange::kSpilled) url = item.url;
  char* at = Place(codec::kLocations, 0, item.generation, item.term, kLocationBytes + url.size());
  if (at == nullptr) return false;
  const bool shared = item.shared && !url.empty();
  const int flags = (item.role == CopyRole::kSecondary ? kFlagSecondary : 0) |
                    (item.in_memory ? kFlagInMemory : 0) | (shared ? kFlagShared : 0);
  at = PutBytes(item.object.bytes(), at);
  at = Put(static_cast<uint8_t>(item.change), at);
  at = Put(static_cast<uint8_t>(flags), at);
  at = Put(item.size, at);
  at = Put(static_cast<uint16_t>(url.size()), at);
  PutBytes(url, at);
  return true;
}

void PayloadWriter::Clear() {
  items_ = 0;
  size_ = 0;
  open_ = OpenGroup();
}

std::string PayloadWriter::Take() {
  Seal();
  std::string payload(buffer_.get(), size_);
  Clear();
  if (capacity_ > kKeptBytes) {
    buffer_.reset();
    capacity_ = 0;
  }
  return payload;
}

Payload PayloadWriter::TakePayload() {
  if (size_ <= capacity_ / 2) return Payload(Take());
  Seal();
  Payload payload(std::move(buffer_), size_);
  Clear();
  given_ = std::min(capacity_, kKeptBytes);
  capacity_ = 0;
  return payload;
}

// --- Reading -------------------------------------------------------------------------------------

CodecError CheckPayload(std::string_view payload) { return ReadPayload(payload, nullptr); }

CodecError ReadPayload(std::string_view payload, PayloadSink* sink) {
  Cursor cursor(payload);
  while (cursor.size() > 0) {
    if (cursor.size() < kGroupHeadBytes) return CodecError::kTruncated;
    const GroupHead head = ReadHead(&cursor);
    const CodecError error = ReadGroup(head, &cursor, sink);
    if (error != CodecError::kOk) return error;
  }
  return CodecError::kOk;
}

}  // namespace freehold::core
