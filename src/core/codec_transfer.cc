// Groups of transfers of ownership, and of what heirs are told. Their layout is in codec_groups.h;
// the answers, which are an object each, are in codec_sharing.cc.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
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

constexpr size_t kTransferBytes = ObjectId::kSize + 14;
constexpr size_t kVersionBytes = 8;  // in front of what an heir is told

// Of a transfer, in its group's detail, besides the state.
constexpr uint8_t kEvictFirst = 128;
constexpr uint8_t kPinned = 64;    // its pins follow the other lists
constexpr uint8_t kInScope = 32;   // its scope follows those
constexpr uint8_t kHasTask = 16;   // the task that made it follows that
constexpr uint8_t kNextHeirs = 8;  // and these follow them all
constexpr uint8_t kTransferFlags = kEvictFirst | kPinned | kInScope | kHasTask | kNextHeirs;
static_assert(static_cast<uint8_t>(TransferState::kRecord) < kNextHeirs);
// Of its scope.
constexpr uint8_t kScopeHolds = 1;
constexpr uint8_t kScopeNoCleanup = 2;
constexpr uint8_t kScopeHasIt = 4;  // holds the object
constexpr uint8_t kScopeForced = 8;
constexpr uint8_t kScopeFlagsMax = 15;
// Of its pins: what waits for the last one.
constexpr uint8_t kNoFree = 0;
constexpr uint8_t kFreeNow = 1;
constexpr uint8_t kFreeFirst = 2;
// Of a node.
constexpr uint8_t kNodeInMemory = 1;
constexpr uint8_t kNodeSpilled = 2;
constexpr uint8_t kNodeProspective = 4;
constexpr uint8_t kNodePrimary = 8;  // only where there are bytes
constexpr uint8_t kNodeShared = 16;  // only with a file
constexpr uint8_t kNodeFlagsMax = 31;

static_assert(kTransferNodeBytes == NodeId::kSize + 3);
static_assert(kTransferProcessBytes == ProcessId::kSize);
static_assert(kTransferScopeBytes == ProcessId::kSize + 11);
static_assert(kTransferTaskBytes == TaskId::kSize + 14 &&
              kTransferArgumentBytes == ObjectId::kSize);
static_assert(kTaskArgumentsMax <= UINT16_MAX);
static_assert(kPinHoldersMax <= UINT16_MAX && kPinnedByBytesMax <= UINT16_MAX);
// Any transfer fits any envelope, any node fits a transfer, and 16 bits count what fits.
static_assert(codec::kGroupHeadBytes + kTransferBytes + kTransferListBytesMax <=
              kEnvelopeBytesLeast - kFrameBytes);
static_assert(codec::kGroupHeadBytes + kVersionBytes + kTransferBytes + kTransferListBytesMax <=
              kEnvelopeBytesLeast - kFrameBytes);
static_assert(kTransferNodeBytes + kSpilledUrlBytesMax <= kTransferListBytesMax);
static_assert(kTransferListBytesMax / kTransferProcessBytes <= UINT16_MAX);

// --- Reading -------------------------------------------------------------------------------------

// What a node may be. A file without a url is one: nothing keeps a report from naming none, and who
// owns the object afterwards knows no less than who owned it before.
bool IsValid(uint8_t flags, size_t url_bytes) {
  const bool real = (flags & (kNodeInMemory | kNodeSpilled)) != 0;
  return flags <= kNodeFlagsMax && url_bytes <= kSpilledUrlBytesMax &&
         (url_bytes == 0 || (flags & kNodeSpilled) != 0) &&
         ((flags & kNodeShared) == 0 || url_bytes > 0) && ((flags & kNodePrimary) == 0 || real);
}

// `*at` is left as it is when null.
CodecError ReadNode(Cursor* cursor, TransferItem::At* at) {
  if (cursor->size() < kTransferNodeBytes) return CodecError::kTruncated;
  const NodeId node = cursor->Node();
  const uint8_t flags = cursor->Integer<uint8_t>();
  const uint16_t url_bytes = cursor->Integer<uint16_t>();
  if (node.IsNil() || !IsValid(flags, url_bytes)) return CodecError::kBadValue;
  if (url_bytes > cursor->size()) return CodecError::kTruncated;
  const std::string_view url = cursor->Bytes(url_bytes);
  if (at == nullptr) return CodecError::kOk;
  at->node = node;
  at->in_memory = (flags & kNodeInMemory) != 0;
  at->spilled = (flags & kNodeSpilled) != 0;
  at->prospective = (flags & kNodeProspective) != 0;
  at->primary = (flags & kNodePrimary) != 0;
  at->shared = (flags & kNodeShared) != 0;
  at->url = std::string(url);
  return CodecError::kOk;
}

// `*processes` is left as it is when null. REQUIRES: `count` is in bounds.
CodecError ReadProcesses(size_t count, Cursor* cursor, std::vector<ProcessId>* processes) {
  if (count * kTransferProcessBytes > cursor->size()) return CodecError::kTruncated;
  if (processes != nullptr) processes->reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const ProcessId process = cursor->Process();
    if (process.IsNil()) return CodecError::kBadValue;
    if (processes != nullptr) processes->push_back(process);
  }
  return CodecError::kOk;
}

// Each is checked as what a host says is, whoever writes it.
CodecError ReadPins(Cursor* cursor, TransferItem* item, bool keep) {
  if (cursor->size() < kTransferPinsBytes) return CodecError::kTruncated;
  const auto count = cursor->Integer<uint16_t>();
  const auto free = cursor->Integer<uint8_t>();
  if (count == 0 || count > kPinHoldersMax || free > kFreeFirst) return CodecError::kBadValue;
  item->free_waits = free != kNoFree;
  item->free_mode = free == kFreeFirst ? FreeMode::kEvictFirst : FreeMode::kNow;
  absl::flat_hash_set<std::string_view> names;
  for (size_t i = 0; i < count; ++i) {
    if (cursor->size() < kTransferPinBytes) return CodecError::kTruncated;
    const auto times = cursor->Integer<uint32_t>();
    const auto age = cursor->Integer<uint64_t>();
    const auto name_bytes = cursor->Integer<uint16_t>();
    if (times == 0 || age > static_cast<uint64_t>(kPinAgeMax.count()) || name_bytes == 0 ||
        name_bytes > kPinnedByBytesMax) {
      return CodecError::kBadValue;
    }
    if (name_bytes > cursor->size()) return CodecError::kTruncated;
    const std::string_view by = cursor->Bytes(name_bytes);
    if (!names.insert(by).second) return CodecError::kBadValue;
    if (keep) item->pins.push_back({std::string(by), times, Duration(age)});
  }
  return CodecError::kOk;
}

// The root is each process's own, and stands for something only with a label or a hold.
bool IsValid(const ProcessId& owner, uint64_t scope, uint8_t flags, size_t label_bytes) {
  constexpr uint8_t kHeldAndForced = kScopeHasIt | kScopeForced;
  if (scope == 0 || flags > kScopeFlagsMax || label_bytes > kTransferListBytesMax) return false;
  if ((flags & kHeldAndForced) == kHeldAndForced) return false;
  if (!ScopeId(scope).IsRoot()) return true;
  return owner.IsNil() && (flags & ~kScopeHasIt) == 0 && (flags != 0 || label_bytes > 0);
}

CodecError ReadScope(Cursor* cursor, TransferItem* item, bool keep) {
  if (cursor->size() < kTransferScopeBytes) return CodecError::kTruncated;
  const ProcessId owner = cursor->Process();
  const auto id = cursor->Integer<uint64_t>();
  const auto flags = cursor->Integer<uint8_t>();
  const auto label_bytes = cursor->Integer<uint16_t>();
  if (!IsValid(owner, id, flags, label_bytes)) return CodecError::kBadValue;
  if (label_bytes > cursor->size()) return CodecError::kTruncated;
  const std::string_view label = cursor->Bytes(label_bytes);
  if (!keep) return CodecError::kOk;
  item->scope = {owner,
                 id,
                 (flags & kScopeHolds) != 0,
                 (flags & kScopeNoCleanup) != 0,
                 (flags & kScopeHasIt) != 0,
                 (flags & kScopeForced) != 0,
                 std::string(label)};
  return CodecError::kOk;
}

// What cannot run again needs nothing.
CodecError ReadTask(Cursor* cursor, TransferItem* item, bool keep) {
  if (cursor->size() < kTransferTaskBytes) return CodecError::kTruncated;
  TaskRecord task;
  task.id = cursor->Task();
  task.spec_bytes = cursor->Integer<uint64_t>();
  task.retries = cursor->Integer<uint32_t>();
  const auto count = cursor->Integer<uint16_t>();
  if (task.id.IsNil() || count > (task.retries == 0 ? 0 : kTaskArgumentsMax)) {
    return CodecError::kBadValue;
  }
  if (size_t{kTransferArgumentBytes} * count > cursor->size()) return CodecError::kTruncated;
  task.arguments.resize(count);
  for (ObjectId& argument : task.arguments) {
    argument = cursor->Object();
    if (argument.IsNil()) return CodecError::kBadValue;
  }
  if (keep) item->task = std::move(task);
  return CodecError::kOk;
}

CodecError ReadNextHeirs(Cursor* cursor, TransferItem* item, bool keep) {
  if (cursor->size() < kTransferHeirsBytes) return CodecError::kTruncated;
  const auto count = cursor->Integer<uint8_t>();
  if (count == 0 || count > kNextHeirsMax) return CodecError::kBadValue;
  std::vector<ProcessId> heirs;
  const CodecError error = ReadProcesses(count, cursor, &heirs);
  if (error != CodecError::kOk) return error;
  for (size_t i = 1; i < count; ++i) {
    const auto before = heirs.begin() + static_cast<ptrdiff_t>(i);
    if (std::find(heirs.begin(), before, *before) != before) return CodecError::kBadValue;
  }
  if (keep) item->heirs = std::move(heirs);
  return CodecError::kOk;
}

CodecError ReadLists(uint8_t flags, Cursor* cursor, TransferItem* item, bool keep) {
  const auto nodes = cursor->Integer<uint16_t>();
  const auto processes = cursor->Integer<uint16_t>();
  const auto formers = cursor->Integer<uint16_t>();
  // No writer writes more, so that whoever passes the object on need not cut its lists.
  const size_t least_bytes =
      kTransferNodeBytes * nodes + kTransferProcessBytes * (size_t{processes} + formers);
  if (least_bytes > kTransferListBytesMax) return CodecError::kBadValue;
  if (least_bytes > cursor->size()) return CodecError::kTruncated;
  const size_t before = cursor->size();
  if (keep) item->nodes.resize(nodes);
  for (size_t i = 0; i < nodes; ++i) {
    const CodecError error = ReadNode(cursor, keep ? &item->nodes[i] : nullptr);
    if (error != CodecError::kOk) return error;
  }
  CodecError error = ReadProcesses(processes, cursor, keep ? &item->processes : nullptr);
  if (error != CodecError::kOk) return error;
  error = ReadProcesses(formers, cursor, keep ? &item->formers : nullptr);
  if (error == CodecError::kOk && (flags & kPinned) != 0) error = ReadPins(cursor, item, keep);
  if (error == CodecError::kOk && (flags & kInScope) != 0) error = ReadScope(cursor, item, keep);
  if (error == CodecError::kOk && (flags & kHasTask) != 0) error = ReadTask(cursor, item, keep);
  if (error == CodecError::kOk && (flags & kNextHeirs) != 0) {
    error = ReadNextHeirs(cursor, item, keep);
  }
  if (error != CodecError::kOk) return error;
  // Whoever sends a record alone has nothing else to say of it.
  const bool only_record = item->state == TransferState::kRecord;
  if (only_record && nodes + size_t{processes} != 0) return CodecError::kBadValue;
  // The same with the urls, the pins, the scope, the task and the next heirs.
  return before - cursor->size() > kTransferListBytesMax ? CodecError::kBadValue : CodecError::kOk;
}

CodecError ReadTransfer(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  const bool is_shadow = head.kind == codec::kShadows;
  if (cursor->size() < kTransferBytes + (is_shadow ? kVersionBytes : 0)) {
    return CodecError::kTruncated;
  }
  ShadowItem shadow;
  if (is_shadow) shadow.version = cursor->Integer<uint64_t>();
  TransferItem& item = shadow.snapshot;
  item.object = cursor->Object();
  if (item.object.IsNil()) return CodecError::kBadValue;
  item.term = head.term;
  item.generation = head.generation;
  item.size = cursor->Integer<uint64_t>();
  item.state = static_cast<TransferState>(head.detail & ~kTransferFlags);
  item.evict_first = (head.detail & kEvictFirst) != 0;
  const CodecError error = ReadLists(head.detail & kTransferFlags, cursor, &item, sink != nullptr);
  if (error != CodecError::kOk) return error;
  if (sink != nullptr && is_shadow) sink->OnShadow(shadow);
  if (sink != nullptr && !is_shadow) sink->OnTransfer(item);
  return CodecError::kOk;
}

// --- Writing -------------------------------------------------------------------------------------

uint8_t FlagsOf(const TransferItem::At& at) {
  return static_cast<uint8_t>((at.in_memory ? kNodeInMemory : 0) | (at.spilled ? kNodeSpilled : 0) |
                              (at.prospective ? kNodeProspective : 0) |
                              (at.primary ? kNodePrimary : 0) | (at.shared ? kNodeShared : 0));
}

char* PutNode(const TransferItem::At& node, char* at) {
  const uint8_t flags = FlagsOf(node);
  FREEHOLD_CHECK(!node.node.IsNil() && IsValid(flags, node.url.size()));
  at = PutBytes(node.node.bytes(), at);
  at = Put(flags, at);
  at = Put(static_cast<uint16_t>(node.url.size()), at);
  return PutBytes(node.url, at);
}

char* PutProcesses(const std::vector<ProcessId>& processes, char* at) {
  for (const ProcessId& process : processes) {
    FREEHOLD_CHECK(!process.IsNil());
    at = PutBytes(process.bytes(), at);
  }
  return at;
}

char* PutPins(const TransferItem& item, char* at) {
  if (item.pins.empty()) return at;
  FREEHOLD_CHECK(item.pins.size() <= kPinHoldersMax);
  const uint8_t free = item.free_mode == FreeMode::kEvictFirst ? kFreeFirst : kFreeNow;
  at = Put(static_cast<uint16_t>(item.pins.size()), at);
  at = Put(item.free_waits ? free : kNoFree, at);
  for (const TransferItem::Pin& pin : item.pins) {
    FREEHOLD_CHECK(pin.count > 0 && pin.age >= Duration::zero() && pin.age <= kPinAgeMax);
    FREEHOLD_CHECK(!pin.by.empty() && pin.by.size() <= kPinnedByBytesMax);
    at = Put(pin.count, at);
    at = Put(static_cast<uint64_t>(pin.age.count()), at);
    at = Put(static_cast<uint16_t>(pin.by.size()), at);
    at = PutBytes(pin.by, at);
  }
  return at;
}

char* PutScope(const TransferItem& item, char* at) {
  if (!item.scope.has_value()) return at;
  const TransferItem::Scope& scope = *item.scope;
  const auto flags = static_cast<uint8_t>(
      (scope.hold ? kScopeHolds : 0) | (scope.no_cleanup ? kScopeNoCleanup : 0) |
      (scope.held ? kScopeHasIt : 0) | (scope.forced ? kScopeForced : 0));
  FREEHOLD_CHECK(IsValid(scope.owner, scope.id, flags, scope.label.size()));
  at = PutBytes(scope.owner.bytes(), at);
  at = Put(scope.id, at);
  at = Put(flags, at);
  at = Put(static_cast<uint16_t>(scope.label.size()), at);
  return PutBytes(scope.label, at);
}

char* PutTask(const TransferItem& item, char* at) {
  if (!item.task.has_value()) return at;
  const TaskRecord& task = *item.task;
  FREEHOLD_CHECK(!task.id.IsNil() && task.arguments.size() <= kTaskArgumentsMax);
  at = PutBytes(task.id.bytes(), at);
  at = Put(task.spec_bytes, at);
  at = Put(task.retries, at);
  at = Put(static_cast<uint16_t>(task.arguments.size()), at);
  for (const ObjectId& argument : task.arguments) {
    FREEHOLD_CHECK(!argument.IsNil() && task.retries > 0);
    at = PutBytes(argument.bytes(), at);
  }
  return at;
}

char* PutNextHeirs(const TransferItem& item, char* at) {
  if (item.heirs.empty()) return at;
  FREEHOLD_CHECK(item.heirs.size() <= kNextHeirsMax);
  return PutProcesses(item.heirs, Put(static_cast<uint8_t>(item.heirs.size()), at));
}

// What follows the version.
char* PutTransfer(const TransferItem& item, char* at) {
  at = PutBytes(item.object.bytes(), at);
  at = Put(item.size, at);
  at = Put(static_cast<uint16_t>(item.nodes.size()), at);
  at = Put(static_cast<uint16_t>(item.processes.size()), at);
  at = Put(static_cast<uint16_t>(item.formers.size()), at);
  for (const TransferItem::At& node : item.nodes) at = PutNode(node, at);
  at = PutProcesses(item.formers, PutProcesses(item.processes, at));
  return PutNextHeirs(item, PutTask(item, PutScope(item, PutPins(item, at))));
}

uint8_t DetailOf(const TransferItem& item) {
  return static_cast<uint8_t>(
      static_cast<int>(item.state) | (item.evict_first ? kEvictFirst : 0) |
      (item.pins.empty() ? 0 : kPinned) | (item.scope.has_value() ? kInScope : 0) |
      (item.task.has_value() ? kHasTask : 0) | (item.heirs.empty() ? 0 : kNextHeirs));
}

size_t BytesOf(const TransferItem& item) {
  const size_t list_bytes = TransferListBytes(item);
  FREEHOLD_CHECK(!item.object.IsNil() && item.term > kFirstTerm && item.term <= kTermMax);
  FREEHOLD_CHECK(list_bytes <= kTransferListBytesMax);
  return kTransferBytes + list_bytes;
}

}  // namespace

CodecError codec::ReadTransferGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  // Whoever owned the object before had the first term at least.
  if (head.term <= kFirstTerm || head.term > kTermMax) return CodecError::kBadValue;
  // Of a record alone nothing is said but the task.
  constexpr auto kRecordOfATask = static_cast<uint8_t>(TransferState::kRecord) | kHasTask;
  const bool only_record = head.kind == kTransfers && head.detail == kRecordOfATask;
  if (!only_record && (head.detail & ~kTransferFlags) > kTransferStateMax) {
    return CodecError::kBadValue;
  }
  // Whoever inherits an object has it in no scope, and made by no task.
  if (head.kind == kShadows && (head.detail & (kInScope | kHasTask)) != 0) {
    return CodecError::kBadValue;
  }
  // Whoever is given one names its heirs itself.
  if (head.kind == kTransfers && (head.detail & kNextHeirs) != 0) return CodecError::kBadValue;
  // A count that the bytes cannot justify ends at the first item that is missing.
  for (uint32_t i = 0; i < head.count; ++i) {
    const CodecError error = ReadTransfer(head, cursor, sink);
    if (error != CodecError::kOk) return error;
  }
  return CodecError::kOk;
}

bool PayloadWriter::Add(const TransferItem& item) {
  FREEHOLD_CHECK(item.heirs.empty());
  char* at = Place(codec::kTransfers, DetailOf(item), item.generation, item.term, BytesOf(item));
  if (at == nullptr) return false;
  PutTransfer(item, at);
  return true;
}

bool PayloadWriter::Add(const ShadowItem& item) {
  const TransferItem& snapshot = item.snapshot;
  FREEHOLD_CHECK(!snapshot.scope.has_value() && !snapshot.task.has_value());
  char* at = Place(codec::kShadows, DetailOf(snapshot), snapshot.generation, snapshot.term,
                   kVersionBytes + BytesOf(snapshot));
  if (at == nullptr) return false;
  PutTransfer(snapshot, Put(item.version, at));
  return true;
}

}  // namespace freehold::core
