// Groups of what references that cross processes need: registrations, handoffs, watches, the
// answers of a transfer and of an heir, and where a value is. Their layout is in codec_groups.h.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/callbacks.h"
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

constexpr size_t kNumberedBytes = ObjectId::kSize + 8;
constexpr size_t kAnswerBytes = kNumberedBytes + 10;
constexpr size_t kAnswerLocationBytes = NodeId::kSize + 3;

// Of a query; its group's detail.
constexpr uint8_t kQuerySubscribe = 1;
constexpr uint8_t kQueryCancel = 2;
constexpr uint8_t kQueryFetchTo = 4;
constexpr uint8_t kQueryFlagsMax = 7;
// Of an answer.
constexpr uint8_t kAnswerFinal = 1;
constexpr uint8_t kAnswerTruncated = 2;
constexpr uint8_t kAnswerFlagsMax = 3;
// Of a location in an answer.
constexpr uint8_t kLocationSecondary = 1;
constexpr uint8_t kLocationInMemory = 2;
constexpr uint8_t kLocationSpilled = 4;
constexpr uint8_t kLocationProspective = 8;
constexpr uint8_t kLocationShared = 16;  // only of a spilled one
constexpr uint8_t kLocationFlagsMax = 31;

// Any answer fits any envelope.
static_assert(codec::kGroupHeadBytes + kAnswerBytes + kAnswerLocationBytesMax <=
              kEnvelopeBytesLeast - kFrameBytes);
static_assert(kAnswerLocationBytes + kSpilledUrlBytesMax <= kAnswerLocationBytesMax);
static_assert(kAnswerLocationsMax <= 255);

// The kinds of SharingItem and their groups are numbered alike, in four runs.
constexpr uint8_t kSharingGroups = codec::kRegisters - static_cast<uint8_t>(SharingKind::kRegister);
constexpr uint8_t kWatchGroups = codec::kWatches - static_cast<uint8_t>(SharingKind::kWatch);
constexpr uint8_t kTransferGroups =
    codec::kTransferAcks - static_cast<uint8_t>(SharingKind::kTransferAck);
constexpr uint8_t kShadowGroups =
    codec::kShadowAcks - static_cast<uint8_t>(SharingKind::kShadowAck);
static_assert(codec::kRegisterAcks ==
              kSharingGroups + static_cast<uint8_t>(SharingKind::kRegisterAck));
static_assert(codec::kReleases == kSharingGroups + static_cast<uint8_t>(SharingKind::kRelease));
static_assert(codec::kHandoffAcks ==
              kSharingGroups + static_cast<uint8_t>(SharingKind::kHandoffAck));
static_assert(codec::kHandoffCancels ==
              kSharingGroups + static_cast<uint8_t>(SharingKind::kHandoffCancel));
static_assert(codec::kUnwatches == kWatchGroups + static_cast<uint8_t>(SharingKind::kUnwatch));
static_assert(codec::kWatchesFired ==
              kWatchGroups + static_cast<uint8_t>(SharingKind::kWatchFired));
static_assert(codec::kDeclares == kWatchGroups + static_cast<uint8_t>(SharingKind::kDeclare));
static_assert(codec::kDeclareAcks == kWatchGroups + static_cast<uint8_t>(SharingKind::kDeclareAck));
static_assert(codec::kMovedAcks == kTransferGroups + static_cast<uint8_t>(SharingKind::kMovedAck));
static_assert(codec::kSettleds == kTransferGroups + static_cast<uint8_t>(SharingKind::kSettled));
static_assert(codec::kSettledAcks ==
              kTransferGroups + static_cast<uint8_t>(SharingKind::kSettledAck));
static_assert(codec::kMovedsEnded ==
              kTransferGroups + static_cast<uint8_t>(SharingKind::kMovedEnded));

static_assert(codec::kShadowEnds == kShadowGroups + static_cast<uint8_t>(SharingKind::kShadowEnd));

// Of a transfer, or of an heir, which is one prepared.
constexpr bool IsOfTransfer(SharingKind kind) { return kind >= SharingKind::kTransferAck; }

uint8_t GroupOf(SharingKind kind) {
  const uint8_t groups = kind < SharingKind::kWatch        ? kSharingGroups
                         : kind >= SharingKind::kShadowAck ? kShadowGroups
                         : IsOfTransfer(kind)              ? kTransferGroups
                                                           : kWatchGroups;
  return static_cast<uint8_t>(static_cast<uint8_t>(kind) + groups);
}
SharingKind KindOf(uint8_t group) {
  const uint8_t groups = group < codec::kWatches         ? kSharingGroups
                         : group >= codec::kShadowAcks   ? kShadowGroups
                         : group >= codec::kTransferAcks ? kTransferGroups
                                                         : kWatchGroups;
  return static_cast<SharingKind>(group - groups);
}

// The moments of an owned object are in the bytes.
static_assert(static_cast<uint8_t>(Moment::kOutOfScope) == 0 &&
              static_cast<uint8_t>(Moment::kReclaimed) == 1 &&
              static_cast<uint8_t>(Moment::kErased) == 2);

// The highest answer that an item of that kind may have.
uint8_t AnswerMax(SharingKind kind) {
  switch (kind) {
    case SharingKind::kRegisterAck:
      return kRegisterAnswerMax;
    case SharingKind::kHandoffAck:
      return kHandoffAnswerMax;
    case SharingKind::kWatch:
    case SharingKind::kUnwatch:
      return static_cast<uint8_t>(Moment::kErased);
    case SharingKind::kWatchFired:
      return kWatchAnswerMax;
    case SharingKind::kDeclareAck:
      return kDeclareAnswerMax;
    case SharingKind::kTransferAck:
      return kTransferAnswerMax;
    case SharingKind::kMovedAck:
      return 1;
    case SharingKind::kShadowAck:
      return kShadowAnswerMax;
    case SharingKind::kShadowEnd:
    case SharingKind::kSettled:
    case SharingKind::kSettledAck:
    case SharingKind::kMovedEnded:
    case SharingKind::kRegister:
    case SharingKind::kRelease:
    case SharingKind::kHandoffCancel:
    case SharingKind::kDeclare:
      return 0;
  }
  return 0;
}

size_t SharingBytes(SharingKind kind) {
  if (!IsNumbered(kind)) return ObjectId::kSize;
  return kind == SharingKind::kDeclare ? kNumberedBytes + 8 : kNumberedBytes;
}

// At its creation an object is in its first term; whoever gets it by a transfer starts a later one.
// A term that no owner has would be passed on, to whoever is told of the owner.
bool IsTermOf(SharingKind kind, uint32_t term) {
  if (term < kFirstTerm || term > kTermMax) return false;
  if (kind == SharingKind::kDeclare || kind == SharingKind::kDeclareAck) return term == kFirstTerm;
  return !IsOfTransfer(kind) || term > kFirstTerm;
}

CodecError ReadSharing(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  SharingItem item;
  item.kind = KindOf(head.kind);
  item.term = head.term;
  item.answer = head.detail;
  if (head.detail > AnswerMax(item.kind) || head.generation != 0) return CodecError::kBadValue;
  if (!IsTermOf(item.kind, head.term)) return CodecError::kBadValue;
  const size_t item_bytes = SharingBytes(item.kind);
  // By division: the product could exceed a 32-bit size_t.
  if (head.count > cursor->size() / item_bytes) return CodecError::kTruncated;
  if (sink == nullptr) {
    cursor->Bytes(head.count * item_bytes);
    return CodecError::kOk;
  }
  for (uint32_t i = 0; i < head.count; ++i) {
    item.object = cursor->Object();
    if (IsNumbered(item.kind)) item.number = cursor->Integer<uint64_t>();
    if (item.kind == SharingKind::kDeclare) item.size = cursor->Integer<uint64_t>();
    sink->OnSharing(item);
  }
  return CodecError::kOk;
}

CodecError ReadQuery(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  const bool fetches = (head.detail & kQueryFetchTo) != 0;
  if (cursor->size() < kNumberedBytes + (fetches ? NodeId::kSize : 0)) {
    return CodecError::kTruncated;
  }
  LocationQueryItem item;
  item.object = cursor->Object();
  item.number = cursor->Integer<uint64_t>();
  item.subscribe = (head.detail & kQuerySubscribe) != 0;
  item.cancel = (head.detail & kQueryCancel) != 0;
  if (fetches) {
    item.fetch_to = cursor->Node();
    if (item.fetch_to.IsNil()) return CodecError::kBadValue;
  }
  if (sink != nullptr) sink->OnLocationQuery(item);
  return CodecError::kOk;
}

// `*location` is left as it is when null.
CodecError ReadAnswerLocation(Cursor* cursor, Location* location) {
  if (cursor->size() < kAnswerLocationBytes) return CodecError::kTruncated;
  const NodeId node = cursor->Node();
  const uint8_t flags = cursor->Integer<uint8_t>();
  const uint16_t url_bytes = cursor->Integer<uint16_t>();
  if (flags > kLocationFlagsMax || url_bytes > kSpilledUrlBytesMax ||
      (url_bytes > 0 && (flags & kLocationSpilled) == 0) ||
      ((flags & kLocationShared) != 0 && url_bytes == 0)) {
    return CodecError::kBadValue;
  }
  if (url_bytes > cursor->size()) return CodecError::kTruncated;
  const std::string_view url = cursor->Bytes(url_bytes);
  if (location == nullptr) return CodecError::kOk;
  location->node = node;
  location->role = (flags & kLocationSecondary) != 0 ? CopyRole::kSecondary : CopyRole::kPrimary;
  location->in_memory = (flags & kLocationInMemory) != 0;
  location->spilled = (flags & kLocationSpilled) != 0;
  location->prospective = (flags & kLocationProspective) != 0;
  location->shared = (flags & kLocationShared) != 0;
  location->spilled_url = std::string(url);
  return CodecError::kOk;
}

CodecError ReadAnswer(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  if (cursor->size() < kAnswerBytes) return CodecError::kTruncated;
  LocationAnswerItem item;
  item.object = cursor->Object();
  item.number = cursor->Integer<uint64_t>();
  item.generation = head.generation;
  item.size = cursor->Integer<uint64_t>();
  item.state = static_cast<LocationAnswerState>(head.detail);
  const uint8_t flags = cursor->Integer<uint8_t>();
  const uint8_t locations = cursor->Integer<uint8_t>();
  if (flags > kAnswerFlagsMax || locations > kAnswerLocationsMax) return CodecError::kBadValue;
  if (locations > cursor->size() / kAnswerLocationBytes) return CodecError::kTruncated;
  item.final = (flags & kAnswerFinal) != 0;
  item.truncated = (flags & kAnswerTruncated) != 0;
  if (sink != nullptr) item.locations.resize(locations);
  const size_t before = cursor->size();
  for (size_t i = 0; i < locations; ++i) {
    const CodecError error =
        ReadAnswerLocation(cursor, sink != nullptr ? &item.locations[i] : nullptr);
    if (error != CodecError::kOk) return error;
  }
  // No writer writes more, so that whoever passes an answer on need not cut it.
  if (before - cursor->size() > kAnswerLocationBytesMax) return CodecError::kBadValue;
  if (sink != nullptr) sink->OnLocationAnswer(item);
  return CodecError::kOk;
}

std::string_view UrlOf(const Location& location) {
  return location.spilled ? std::string_view(location.spilled_url) : std::string_view();
}

char* PutLocation(const Location& location, char* at) {
  const int flags = (location.role == CopyRole::kSecondary ? kLocationSecondary : 0) |
                    (location.in_memory ? kLocationInMemory : 0) |
                    (location.spilled ? kLocationSpilled : 0) |
                    (location.prospective ? kLocationProspective : 0) |
                    (location.shared && !UrlOf(location).empty() ? kLocationShared : 0);
  const std::string_view url = UrlOf(location);
  at = PutBytes(location.node.bytes(), at);
  at = Put(static_cast<uint8_t>(flags), at);
  at = Put(static_cast<uint16_t>(url.size()), at);
  return PutBytes(url, at);
}

// How many locations from the front an answer takes along, and in how many bytes.
struct Extent {
  size_t locations = 0;
  size_t bytes = 0;
};
Extent ExtentOf(const std::vector<Location>& locations) {
  Extent extent;
  for (const Location& location : locations) {
    FREEHOLD_CHECK(UrlOf(location).size() <= kSpilledUrlBytesMax);
    const size_t bytes = kAnswerLocationBytes + UrlOf(location).size();
    if (extent.locations == kAnswerLocationsMax) break;
    if (extent.bytes + bytes > kAnswerLocationBytesMax) break;
    ++extent.locations;
    extent.bytes += bytes;
  }
  return extent;
}

}  // namespace

CodecError codec::ReadSharingGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  if (head.kind < codec::kLocationQueries || head.kind >= codec::kWatches) {
    return ReadSharing(head, cursor, sink);
  }
  const bool queries = head.kind == codec::kLocationQueries;
  if (head.detail > (queries ? kQueryFlagsMax : kLocationAnswerStateMax) ||
      (queries && head.generation != 0) || head.term != kFirstTerm) {
    return CodecError::kBadValue;
  }
  // A count that the bytes cannot justify ends at the first item that is missing.
  for (uint32_t i = 0; i < head.count; ++i) {
    const CodecError error =
        queries ? ReadQuery(head, cursor, sink) : ReadAnswer(head, cursor, sink);
    if (error != CodecError::kOk) return error;
  }
  return CodecError::kOk;
}

bool PayloadWriter::Add(const SharingItem& item) {
  const uint8_t answer_max = AnswerMax(item.kind);
  FREEHOLD_CHECK(answer_max == 0 || item.answer <= answer_max);
  FREEHOLD_CHECK(!IsOfTransfer(item.kind) || IsTermOf(item.kind, item.term));
  char* at = Place(GroupOf(item.kind), answer_max == 0 ? uint8_t{0} : item.answer, 0, item.term,
                   SharingBytes(item.kind));
  if (at == nullptr) return false;
  at = PutBytes(item.object.bytes(), at);
  if (IsNumbered(item.kind)) at = Put(item.number, at);
  if (item.kind == SharingKind::kDeclare) Put(item.size, at);
  return true;
}

bool PayloadWriter::Add(const LocationQueryItem& item) {
  const bool fetches = !item.fetch_to.IsNil();
  const int flags = (item.subscribe ? kQuerySubscribe : 0) | (item.cancel ? kQueryCancel : 0) |
                    (fetches ? kQueryFetchTo : 0);
  char* at = Place(codec::kLocationQueries, static_cast<uint8_t>(flags), 0, kFirstTerm,
                   kNumberedBytes + (fetches ? NodeId::kSize : 0));
  if (at == nullptr) return false;
  at = PutBytes(item.object.bytes(), at);
  at = Put(item.number, at);
  if (fetches) PutBytes(item.fetch_to.bytes(), at);
  return true;
}

bool PayloadWriter::Add(const LocationAnswerItem& item) {
  const Extent extent = ExtentOf(item.locations);
  const bool truncated = item.truncated || extent.locations < item.locations.size();
  char* at = Place(codec::kLocationAnswers, static_cast<uint8_t>(item.state), item.generation,
                   kFirstTerm, kAnswerBytes + extent.bytes);
  if (at == nullptr) return false;
  const int flags = (item.final ? kAnswerFinal : 0) | (truncated ? kAnswerTruncated : 0);
  at = PutBytes(item.object.bytes(), at);
  at = Put(item.number, at);
  at = Put(item.size, at);
  at = Put(static_cast<uint8_t>(flags), at);
  at = Put(static_cast<uint8_t>(extent.locations), at);
  for (size_t i = 0; i < extent.locations; ++i) at = PutLocation(item.locations[i], at);
  return true;
}

}  // namespace freehold::core
