// Groups of files that have outlived their node. Their layout is in codec_groups.h.

#include <string_view>

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

constexpr size_t kGoneBytes = ObjectId::kSize + 8;
constexpr size_t kFileBytes = kGoneBytes + 10;

// The kinds of FileItem and their groups are numbered alike.
constexpr uint8_t kFileGroups = codec::kFilesCarried - static_cast<uint8_t>(FileItemKind::kCarry);
static_assert(codec::kFilesToDelete == kFileGroups + static_cast<uint8_t>(FileItemKind::kDelete));
static_assert(codec::kFilesGone == kFileGroups + static_cast<uint8_t>(FileItemKind::kGone));

CodecError ReadFile(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  const bool gone = head.kind == codec::kFilesGone;
  if (cursor->size() < (gone ? kGoneBytes : kFileBytes)) return CodecError::kTruncated;
  FileItem item;
  item.kind = static_cast<FileItemKind>(head.kind - kFileGroups);
  item.generation = head.generation;
  item.object = cursor->Object();
  item.number = cursor->Integer<uint64_t>();
  if (item.number == 0) return CodecError::kBadValue;
  if (!gone) {
    item.size = cursor->Integer<uint64_t>();
    const uint16_t url_bytes = cursor->Integer<uint16_t>();
    if (url_bytes == 0 || url_bytes > kSpilledUrlBytesMax) return CodecError::kBadValue;
    if (url_bytes > cursor->size()) return CodecError::kTruncated;
    const std::string_view url = cursor->Bytes(url_bytes);
    if (sink != nullptr) item.url = std::string(url);
  }
  if (sink != nullptr) sink->OnFile(item);
  return CodecError::kOk;
}

}  // namespace

CodecError codec::ReadFilesGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  if (head.detail != 0 || head.term != kFirstTerm) return CodecError::kBadValue;
  // A count that the bytes cannot justify ends at the first item that is missing.
  for (uint32_t i = 0; i < head.count; ++i) {
    const CodecError error = ReadFile(head, cursor, sink);
    if (error != CodecError::kOk) return error;
  }
  return CodecError::kOk;
}

bool PayloadWriter::Add(const FileItem& item) {
  const bool gone = item.kind == FileItemKind::kGone;
  FREEHOLD_CHECK(item.number != 0);
  FREEHOLD_CHECK(gone || (!item.url.empty() && item.url.size() <= kSpilledUrlBytesMax));
  char* at = Place(static_cast<uint8_t>(kFileGroups + static_cast<uint8_t>(item.kind)), 0,
                   item.generation, kFirstTerm, gone ? kGoneBytes : kFileBytes + item.url.size());
  if (at == nullptr) return false;
  at = PutBytes(item.object.bytes(), at);
  at = Put(item.number, at);
  if (gone) return true;
  at = Put(item.size, at);
  at = Put(static_cast<uint16_t>(item.url.size()), at);
  PutBytes(item.url, at);
  return true;
}

}  // namespace freehold::core
