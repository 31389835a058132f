// Fuzzes the codec: no bytes crash it, checking and reading agree, and what decodes means the same
// after it was encoded again.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/check.h"
#include "src/core/codec.h"

namespace {

using namespace freehold;        // NOLINT(google-build-using-namespace)
using namespace freehold::core;  // NOLINT(google-build-using-namespace)

// Writes every item again, and keeps a fingerprint of each in plain text.
class Rewriter : public PayloadSink {
 public:
  // Joined groups only get shorter, so what fitted before fits again.
  explicit Rewriter(size_t bytes) : writer_(bytes) {}

  void OnFrees(uint32_t generation, uint32_t term, std::string_view ids) override {
    FREEHOLD_CHECK(ids.size() % ObjectId::kSize == 0);
    for (size_t i = 0; i < IdCount(ids); ++i) {
      FREEHOLD_CHECK(writer_.Add(FreeItem{IdAt(ids, i), generation, term}));
      Note('f', IdAt(ids, i), generation, term, 0, "");
    }
  }
  void OnFreeResults(uint32_t generation, uint32_t term, FreeResult result,
                     std::string_view ids) override {
    FREEHOLD_CHECK(ids.size() % ObjectId::kSize == 0);
    FREEHOLD_CHECK(result != FreeResult::kFailed);
    for (size_t i = 0; i < IdCount(ids); ++i) {
      FREEHOLD_CHECK(writer_.Add(FreeResultItem{IdAt(ids, i), generation, term, result, ""}));
      Note('r', IdAt(ids, i), generation, term, static_cast<uint64_t>(result), "");
    }
  }
  void OnFreeFailed(const FreeResultItem& item) override {
    FREEHOLD_CHECK(item.why.size() <= kWhyBytesMax);
    FREEHOLD_CHECK(writer_.Add(item));
    Note('x', item.object, item.generation, item.term, static_cast<uint64_t>(item.result),
         item.why);
  }
  void OnLocation(const LocationItem& item) override {
    FREEHOLD_CHECK(writer_.Add(item));
    Note('l', item.object, item.generation, item.term, item.size,
         std::string(1, static_cast<char>(item.change)) + static_cast<char>(item.role) +
             (item.in_memory ? 'm' : '-') + (item.shared ? 'S' : '-') + item.url);
  }
  void OnSharing(const SharingItem& item) override {
    // No kind has more.
    static_assert(kShadowAnswerMax >= kDeclareAnswerMax && kShadowAnswerMax >= kTransferAnswerMax &&
                  kShadowAnswerMax >= kWatchAnswerMax);
    FREEHOLD_CHECK(item.answer <= kShadowAnswerMax);
    FREEHOLD_CHECK(writer_.Add(item));
    Note('s', item.object, item.answer, item.term, item.number,
         static_cast<char>(item.kind) + std::to_string(item.size));
  }
  void OnLocationQuery(const LocationQueryItem& item) override {
    FREEHOLD_CHECK(writer_.Add(item));
    Note('q', item.object, item.subscribe ? 1 : 0, item.cancel ? 1 : 0, item.number,
         std::string(item.fetch_to.bytes()));
  }
  void OnLocationAnswer(const LocationAnswerItem& item) override {
    FREEHOLD_CHECK(item.locations.size() <= kAnswerLocationsMax);
    FREEHOLD_CHECK(writer_.Add(item));
    std::string text = std::to_string(item.size);
    text += static_cast<char>(item.state);
    text += item.final ? 'f' : '-';
    text += item.truncated ? 't' : '-';
    for (const Location& location : item.locations) {
      text += std::string(location.node.bytes()) + static_cast<char>(location.role);
      text += location.in_memory ? 'm' : '-';
      text += location.spilled ? 's' : '-';
      text += location.prospective ? 'p' : '-';
      text += location.shared ? 'S' : '-';
      text += location.spilled_url + '\0';
    }
    Note('a', item.object, item.generation, 0, item.number, text);
  }
  void OnMovePrimary(const MovePrimaryItem& item) override {
    FREEHOLD_CHECK(writer_.Add(item));
    Note('m', item.object, item.generation, item.term, item.number, std::string(item.from.bytes()));
  }
  void OnMovePrimaryAck(const MovePrimaryAckItem& item) override {
    FREEHOLD_CHECK(writer_.Add(item));
    Note('k', item.object, item.generation, item.term, item.number,
         std::string(item.primary.bytes()) + static_cast<char>(item.answer));
  }

  void OnDigestSums(absl::Span<const DigestSumsItem> items) override {
    for (const DigestSumsItem& item : items) {
      FREEHOLD_CHECK(item.range.valid() && writer_.Add(item));
      std::string text;
      for (const DigestSum& sum : item.sums) {
        text += std::to_string(sum.hash) + ':' + std::to_string(sum.copies) + ' ';
      }
      Note('d', ObjectId(), item.range.prefix, item.range.bits, item.number, text);
    }
  }
  void OnDigestCopies(absl::Span<const DigestCopiesItem> items) override {
    for (const DigestCopiesItem& item : items) {
      FREEHOLD_CHECK(item.copies.size() <= kDigestListMax && writer_.Add(item));
      std::string text(1, item.truncated ? 't' : '-');
      for (const DigestKey& copy : item.copies) {
        text += std::string(copy.object.bytes()) + std::to_string(copy.generation) + ' ';
      }
      Note('c', ObjectId(), item.range.prefix, item.range.bits, item.number, text);
    }
  }
  void OnDigestQuery(const DigestQueryItem& item) override {
    FREEHOLD_CHECK(writer_.Add(item));
    Note('?', ObjectId(), item.range.prefix, item.range.bits, item.number, "");
  }
  void OnScope(const ScopeItem& item) override {
    FREEHOLD_CHECK(writer_.Add(item));
    Note('o', ObjectId(), static_cast<uint32_t>(item.end), item.unlisted ? 1 : 0, item.number,
         std::string(1, static_cast<char>(item.kind)) + std::to_string(item.scope));
  }
  void OnFile(const FileItem& item) override {
    FREEHOLD_CHECK(item.number != 0 && writer_.Add(item));
    Note('u', item.object, item.generation, static_cast<uint32_t>(item.kind), item.number,
         std::to_string(item.size) + item.url);
  }
  void OnTransfer(const TransferItem& item) override {
    FREEHOLD_CHECK(writer_.Add(item));
    NoteTransfer('t', item, "");
  }
  void OnShadow(const ShadowItem& item) override {
    FREEHOLD_CHECK(writer_.Add(item));
    NoteTransfer('w', item.snapshot, std::to_string(item.version));
  }
  void NoteTransfer(char what, const TransferItem& item, std::string text) {
    FREEHOLD_CHECK(TransferListBytes(item) <= kTransferListBytesMax);
    text += static_cast<char>(item.state);
    text += item.evict_first ? 'e' : '-';
    for (const TransferItem::At& at : item.nodes) {
      text += std::string(at.node.bytes());
      text += at.in_memory ? 'm' : '-';
      text += at.spilled ? 's' : '-';
      text += at.prospective ? 'p' : '-';
      text += at.primary ? 'P' : '-';
      text += at.shared ? 'S' : '-';
      text += at.url + '\0';
    }
    for (const ProcessId& process : item.processes) text += 'h' + std::string(process.bytes());
    for (const ProcessId& former : item.formers) text += 'f' + std::string(former.bytes());
    for (const TransferItem::Pin& pin : item.pins) {
      text +=
          pin.by + '\0' + std::to_string(pin.count) + ' ' + std::to_string(pin.age.count()) + ' ';
    }
    for (const ProcessId& heir : item.heirs) text += 'n' + std::string(heir.bytes());
    text += !item.free_waits ? '-' : item.free_mode == FreeMode::kEvictFirst ? 'E' : 'F';
    if (item.scope.has_value()) {
      const TransferItem::Scope& scope = *item.scope;
      text += std::string(scope.owner.bytes()) + std::to_string(scope.id);
      text += scope.hold ? 'h' : '-';
      text += scope.no_cleanup ? 'n' : '-';
      text += scope.held ? 'H' : scope.forced ? 'F' : '-';
      text += scope.label + '\0';
    }
    if (item.task.has_value()) {
      FREEHOLD_CHECK(!item.task->id.IsNil() && item.task->arguments.size() <= kTaskArgumentsMax);
      text += std::string(item.task->id.bytes()) + std::to_string(item.task->spec_bytes) + ' ' +
              std::to_string(item.task->retries) + ' ';
      for (const ObjectId& argument : item.task->arguments) text += argument.bytes();
    }
    Note(what, item.object, item.generation, item.term, item.size, text);
  }
  void OnContained(const ContainedItem& item) override {
    FREEHOLD_CHECK(!item.inners.empty() && item.inners.size() <= kContainedMax);
    FREEHOLD_CHECK(writer_.Add(item));
    std::string text;
    for (const ContainedItem::Inner& inner : item.inners) {
      text += std::string(inner.object.bytes()) + std::string(inner.owner.bytes()) +
              std::to_string(inner.number) + ' ' + std::to_string(inner.term) + ' ';
    }
    Note('i', item.outer, 0, item.term, 0, text);
  }
  void OnMoved(const MovedItem& item) override {
    FREEHOLD_CHECK(writer_.Add(item));
    Note('v', item.object, 0, item.term, 0, std::string(item.owner.bytes()));
  }
  void OnReportAgain(const ReportAgainItem& item) override {
    FREEHOLD_CHECK(writer_.Add(item));
    Note('!', item.copy.object, item.copy.generation, 0, 0, "");
  }

  std::string Take() { return writer_.Take(); }
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void Note(char kind, const ObjectId& id, uint32_t generation, uint32_t term, uint64_t number,
            const std::string& text) {
    notes_.push_back(kind + std::string(id.bytes()) + std::to_string(generation) + ' ' +
                     std::to_string(term) + ' ' + std::to_string(number) + ' ' + text);
  }

  PayloadWriter writer_;
  std::vector<std::string> notes_;
};

void FuzzPayload(std::string_view bytes) {
  const CodecError checked = CheckPayload(bytes);
  Rewriter first(bytes.size());
  FREEHOLD_CHECK(ReadPayload(bytes, &first) == checked);
  if (checked != CodecError::kOk) return;
  const std::string again = first.Take();
  FREEHOLD_CHECK(again.size() <= bytes.size());
  Rewriter second(bytes.size());
  FREEHOLD_CHECK(ReadPayload(again, &second) == CodecError::kOk);
  FREEHOLD_CHECK(first.notes() == second.notes());
}

void FuzzFrame(std::string_view bytes) {
  const Address from = ProcessId::FromNumber(1);
  const Address to = NodeId::FromNumber(2);
  Frame frame;
  std::string_view payload;
  if (DecodeFrame(bytes, from, to, 2, &frame, &payload) == CodecError::kOk) {
    FREEHOLD_CHECK(EncodeFrame(frame, from, to, payload) == bytes);
  }
  // The checksum keeps most inputs from getting this far: what is encoded from them does.
  if (bytes.size() < 17) return;
  Frame made;
  std::memcpy(&made.sequence, bytes.data(), 8);
  std::memcpy(&made.acknowledged, bytes.data() + 8, 8);
  made.version_max = 1 + static_cast<uint8_t>(bytes[16]) % 2;
  const std::string_view body = bytes.substr(17);
  if ((made.sequence == 0) != body.empty()) return;
  const std::string encoded = EncodeFrame(made, from, to, body);
  FREEHOLD_CHECK(DecodeFrame(encoded, from, to, 1, &frame, &payload) == CodecError::kOk);
  FREEHOLD_CHECK(frame.sequence == made.sequence && frame.acknowledged == made.acknowledged);
  FREEHOLD_CHECK(frame.version == made.version && frame.version_max == made.version_max);
  FREEHOLD_CHECK(payload == body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FuzzPayload(bytes);
  FuzzFrame(bytes);
  return 0;
}
