// The codec: items to payload bytes and back; the frame around a payload.
//
// A payload is a sequence of groups; a group holds items of one kind. Items are grouped by what
// they share (generation, term, result or answer), so that a free, a plain result or a release
// costs its 28 id bytes, and a registration or the end of a handoff 36. All integers are little
// endian. A frame starts with four bytes that will never change meaning (magic, the version it is
// written in, the highest version its writer knows); the rest is that version's business. Input is
// untrusted: decoding checks every bound, never allocates more than the bytes at hand justify, and
// answers with a CodecError. The checksum finds accidents, not attacks: who may send what is
// checked above.
//
// Thread safety: thread-compatible. Pure. What decoding answers borrows from the bytes it was
// given.

#ifndef FREEHOLD_SRC_CORE_CODEC_H_
#define FREEHOLD_SRC_CORE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/types/span.h"
#include "freehold/ids.h"
#include "src/core/digest.h"
#include "src/core/item.h"
#include "src/core/transfer_item.h"

namespace freehold::core {

// The versions that this build can read and write. No release has spoken version 1 yet, so groups
// are still added to it: all that item.h and transfer_item.h list belongs to it.
inline constexpr uint8_t kVersionMin = 1;
inline constexpr uint8_t kVersionMax = 1;

// What SessionOptions::envelope_bytes_max may be. No frame carries a longer payload.
inline constexpr uint32_t kEnvelopeBytesLeast = 8 * 1024;
inline constexpr uint32_t kEnvelopeBytesMost = 16 * 1024 * 1024;

enum class [[nodiscard]] CodecError : uint8_t{
    kOk,
    kTruncated,       // shorter than its own counts say
    kBadMagic,        // not a Freehold frame
    kUnknownVersion,  // written in a version that this side does not know
    kBadChecksum,     // altered on the way, or addressed to somebody else
    kUnknownGroup,    // a group kind that this version does not have
    kBadValue,        // an enum or length out of bounds
    kTrailingBytes,
};
const char* CodecErrorName(CodecError error);

// --- Frames --------------------------------------------------------------------------------------

struct Frame {
  uint8_t version = kVersionMin;      // written in
  uint8_t version_max = kVersionMax;  // the highest that the writer knows
  uint64_t sequence = 0;              // 0: carries no payload, only the acknowledgement
  uint64_t acknowledged = 0;          // everything up to here has arrived
};
// In front of the payload: magic "Fh", version, version_max, checksum (4 bytes), sequence (8),
// acknowledged (8), length of the payload (4).
inline constexpr size_t kFrameBytes = 28;

// The frame followed by `payload`. `from` and `to` enter the checksum, so that an envelope that
// reaches the wrong end is rejected there. REQUIRES: payload.size() <= kEnvelopeBytesMost; the
// payload is empty if and only if the sequence is 0.
std::string EncodeFrame(const Frame& frame, const Address& from, const Address& to,
                        std::string_view payload);
// `*payload` borrows from `bytes`. `version_max` is the highest version this side accepts.
CodecError DecodeFrame(std::string_view bytes, const Address& from, const Address& to,
                       uint8_t version_max, Frame* frame, std::string_view* payload);

// --- Writing payloads ----------------------------------------------------------------------------

// A payload that is kept until it is acknowledged. Not a string: that cannot take over the memory
// in which the payload was written.
class Payload {
 public:
  Payload() = default;
  Payload(const std::string& bytes)  // NOLINT(google-explicit-constructor): the same bytes
      : bytes_(new char[bytes.size()]), size_(bytes.size()) {
    bytes.copy(bytes_.get(), size_);
  }
  Payload(std::unique_ptr<char[]> bytes, size_t size) : bytes_(std::move(bytes)), size_(size) {}
  std::string_view view() const { return {bytes_.get(), size_}; }
  size_t size() const { return size_; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
};

// Collects items up to a size. Items of one kind written in a row share a group.
class PayloadWriter {
 public:
  // `payload_bytes_max` excludes the frame.
  explicit PayloadWriter(size_t payload_bytes_max);

  // False: it does not fit, and nothing was written. One item always fits an empty writer of 8 KiB.
  [[nodiscard]] bool Add(const FreeItem& item) {
    return AddFree(item.object, item.generation, item.term);
  }
  [[nodiscard]] bool AddFree(const ObjectId& object, uint32_t generation, uint32_t term);

  // The end of a group of frees, held while more are written: frees are written by the million.
  // Copied back by EndFrees; in between nothing else is written.
  struct FreeRun {
    char* at = nullptr;  // where the next id goes
    uint32_t generation = 0;
    uint32_t room = 0;  // so many ids fit
    // False: AddFree is to be called, outside of the run.
    bool Add(const ObjectId& object, uint32_t of_generation) {
      if (of_generation != generation || room == 0) return false;
      std::memcpy(at, object.data(), ObjectId::kSize);
      at += ObjectId::kSize;
      --room;
      return true;
    }
  };
  // Of the group that is open, if it is one of frees of this term; otherwise nothing fits it.
  FreeRun BeginFrees(uint32_t term) const;
  void EndFrees(FreeRun run);

  // `why` is written for kFailed only, and cut to kWhyBytesMax.
  [[nodiscard]] bool Add(const FreeResultItem& item);
  // `url` is written for kSpilled only. REQUIRES: url.size() <= kSpilledUrlBytesMax.
  [[nodiscard]] bool Add(const LocationItem& item);
  // `number`, `answer` and `size` are written only where the kind has one. REQUIRES: `answer` is
  // one of the kind's; of a kind of a transfer or an heir, the term is not the first.
  [[nodiscard]] bool Add(const SharingItem& item);
  [[nodiscard]] bool Add(const LocationQueryItem& item);
  // Locations beyond the bounds of the item are cut. URLs are written for spilled ones only.
  // REQUIRES: no URL is longer than kSpilledUrlBytesMax.
  [[nodiscard]] bool Add(const LocationAnswerItem& item);
  [[nodiscard]] bool Add(const MovePrimaryItem& item);
  // `primary` is written for kSecondary only.
  [[nodiscard]] bool Add(const MovePrimaryAckItem& item);
  // Digests (codec_digest.cc). REQUIRES, of all: the range is valid, and the bounds of digest.h.
  [[nodiscard]] bool Add(const DigestSumsItem& item);
  [[nodiscard]] bool Add(const DigestCopiesItem& item);
  [[nodiscard]] bool Add(const DigestQueryItem& item);
  [[nodiscard]] bool Add(const ReportAgainItem& item);
  // `end` and `unlisted` are written for kEnd only (codec_scopes.cc). REQUIRES: what the item says.
  [[nodiscard]] bool Add(const ScopeItem& item);
  // `size` and `url` are not written for kGone (codec_files.cc). REQUIRES: what the item says.
  [[nodiscard]] bool Add(const FileItem& item);
  // Transfers of ownership (codec_transfer.cc). REQUIRES, of all: what the item says.
  [[nodiscard]] bool Add(const TransferItem& item);
  [[nodiscard]] bool Add(const ContainedItem& item);
  [[nodiscard]] bool Add(const ShadowItem& item);
  [[nodiscard]] bool Add(const MovedItem& item);

  bool empty() const { return items_ == 0; }
  size_t items() const { return items_; }
  size_t size() const { return size_; }
  // The payload; the writer is empty afterwards and keeps its memory for the next, if it is not
  // much.
  std::string Take();
  // The same without a copy, where the payload fills most of the memory.
  Payload TakePayload();

 private:
  // The group that the next item may join: its key, and what Seal() writes once it is complete.
  struct OpenGroup {
    uint32_t what = 0;   // kind and detail; 0: none
    uint32_t count = 0;  // items
    uint64_t value = 0;  // generation and term
    size_t count_at = 0;
  };
  static constexpr size_t kKeptBytes = 64 * 1024;

  static constexpr uint32_t What(uint8_t kind, uint8_t detail) {
    return uint32_t{kind} | (uint32_t{detail} << 8);
  }
  static constexpr uint64_t Value(uint32_t generation, uint32_t term) {
    return (uint64_t{term} << 32) | generation;
  }
  bool Joins(uint8_t kind, uint8_t detail, uint32_t generation, uint32_t term) const {
    return open_.what == What(kind, detail) && open_.value == Value(generation, term);
  }
  // Where to put an item of that size; null: it does not fit.
  char* Place(uint8_t kind, uint8_t detail, uint32_t generation, uint32_t term, size_t item_bytes);
  char* Allot(size_t bytes);
  void Seal();
  void Clear();

  size_t bytes_max_;
  size_t items_ = 0;
  OpenGroup open_;
  // Not a string: that would clear what is written next.
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;  // of it, at most bytes_max_
  size_t given_ = 0;     // capacity of the last one that was given away: the next will be as full
  size_t size_ = 0;      // written
};

// --- Reading payloads ----------------------------------------------------------------------------

// Validates the whole payload without applying anything: an envelope is applied whole or not.
CodecError CheckPayload(std::string_view payload);

// What ReadPayload calls for every item, in the order in which they were written. The ids of a run
// borrow from the payload.
class PayloadSink {
 public:
  virtual ~PayloadSink() = default;
  // A run of frees that share generation and term. `ids` is count * ObjectId::kSize bytes.
  virtual void OnFrees(uint32_t generation, uint32_t term, std::string_view ids) = 0;
  // A run of results that share all but the object; `result` is never kFailed.
  virtual void OnFreeResults(uint32_t generation, uint32_t term, FreeResult result,
                             std::string_view ids) = 0;
  virtual void OnFreeFailed(const FreeResultItem& item) = 0;
  virtual void OnLocation(const LocationItem& item) = 0;
  virtual void OnSharing(const SharingItem& item) = 0;
  virtual void OnLocationQuery(const LocationQueryItem& item) = 0;
  virtual void OnLocationAnswer(const LocationAnswerItem& item) = 0;
  // Whoever has no use for these leaves them.
  virtual void OnMovePrimary(const MovePrimaryItem& /*item*/) {}
  virtual void OnMovePrimaryAck(const MovePrimaryAckItem& /*item*/) {}
  // Digests. Whoever takes part in comparing overrides them; the others need not know of them. The
  // first two get what stands in a row at once.
  virtual void OnDigestSums(absl::Span<const DigestSumsItem> /*items*/) {}
  virtual void OnDigestCopies(absl::Span<const DigestCopiesItem> /*items*/) {}
  virtual void OnDigestQuery(const DigestQueryItem& /*item*/) {}
  virtual void OnReportAgain(const ReportAgainItem& /*item*/) {}
  // Between processes; a node agent has no scopes.
  virtual void OnScope(const ScopeItem& /*item*/) {}
  virtual void OnFile(const FileItem& /*item*/) {}
  // Between processes; their answers are sharing items.
  virtual void OnTransfer(const TransferItem& /*item*/) {}
  virtual void OnContained(const ContainedItem& /*item*/) {}
  virtual void OnMoved(const MovedItem& /*item*/) {}
  virtual void OnShadow(const ShadowItem& /*item*/) {}
};
// Answers an error where it meets it: the sink has then seen what came before. Where CheckPayload
// says kOk, so does this.
CodecError ReadPayload(std::string_view payload, PayloadSink* sink);

// The `index`-th id of a run. REQUIRES: index < ids.size() / ObjectId::kSize.
inline ObjectId IdAt(std::string_view ids, size_t index) {
  ObjectId id;
  std::memcpy(id.mutable_data(), ids.data() + index * ObjectId::kSize, ObjectId::kSize);
  return id;
}
inline size_t IdCount(std::string_view ids) { return ids.size() / ObjectId::kSize; }

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_CODEC_H_
