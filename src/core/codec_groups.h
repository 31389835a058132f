// The groups of a payload: what codec.cc, which holds frees, results and reports,
// codec_sharing.cc, which holds references that cross processes, codec_moves.cc, which holds
// primary moves, codec_scopes.cc, codec_digest.cc, codec_files.cc and codec_transfer.cc have in
// common.
//
// Every group starts with the same head:
//   kind (1 byte), detail (1), generation (4), term (4), count (4, not 0)
// and then, by kind, `count` times:
//   1 kFrees            object (28)
//   2 kFreeResults      object (28)                            detail: the result
//   3 kFreeFailures     object (28), length of why (2), why
//   4 kLocations        object (28), change (1), flags (1), size (8), length of url (2), url
//   5 kRegisters        object (28), number (8)
//   6 kRegisterAcks     object (28), number (8)                detail: the answer
//   7 kReleases         object (28)
//   8 kHandoffAcks      object (28), number (8)                detail: the answer
//   9 kHandoffCancels   object (28), number (8)
//   10 kLocationQueries object (28), number (8), node (28)     detail: flags; one of them: a node
//   11 kLocationAnswers object (28), number (8), size (8), flags (1), locations (1), and of each:
//                       node (28), flags (1), length of url (2), url    detail: the state
//   12 kMovePrimaries   object (28), number (8), node (28)     detail: 1 with a node, 0 without
//   13 kMovePrimaryAcks object (28), number (8)                detail: the answer; kSecondary: node
//   14 kDigestSums      number (8), range (5), sums (1), and of each: hash (8), copies (4)
//   15 kDigestCopies    number (8), range (5), flags (1), copies (2), and of each: object (28),
//                       generation (4)
//   16 kDigestQueries   number (8), range (5)
//   17 kReportsAgain    object (28)
//   18 kScopeJoins      scope (8), number (8)
//   19 kScopeEnds       scope (8), number (8)                  detail: why; 128 more: not listed
//   20 kScopeEndeds     scope (8), number (8)
//   21 kWatches         object (28), number (8)                detail: the moment
//   22 kUnwatches       object (28), number (8)                detail: the moment
//   23 kWatchesFired    object (28), number (8)                detail: the answer
//   24 kDeclares        object (28), number (8), size (8)
//   25 kDeclareAcks     object (28), number (8)                detail: the answer
//   26 kFilesCarried    object (28), number (8), size (8), length of url (2), url
//   27 kFilesToDelete   object (28), number (8), size (8), length of url (2), url
//   28 kFilesGone       object (28), number (8)
//   29 kTransferAcks    object (28)                            detail: the answer
//   30 kMovedAcks       object (28)                            detail: 1 who holds it, 0 who not
//   31 kSettleds        object (28)
//   32 kSettledAcks     object (28)
//   33 kMovedsEnded     object (28)
//   34 kMoveds          object (28), owner (28)                detail: 1 with an owner, 0 without
//   35 kTransfers       object (28), size (8), nodes (2), processes (2), formers (2), and of each
//                       node: node (28), flags (1), length of url (2), url; of each process and
//                       each former: process (28)    detail: the state; 128 more: evict first;
//                       64 more: then come pins (2), 1 if a free waits for them, 2 if one does
//                       that is evict-first (1), and of each pin: count (4), age (8, nanoseconds),
//                       length of name (2), name; 32 more: then comes its scope, owner (28, nil for
//                       the sender), id (8), flags (1), length of label (2), label
//   36 kShadows         version (8), and what 35 has, but for the scope
//   37 kShadowAcks      object (28), version (8)               detail: the answer
//   38 kShadowEnds      object (28)
//   39 kContaineds      object (28), inner objects (2), and of each: object (28), number (8),
//                       term (4), owner (28, nil for the sender)
// What has no detail has 0 there. A range is its prefix (4) and bits (1). From 5 on the generation
// is 0 except in 11 to 13, 17, 26 to 28, 35 and 36. From 10 to 20, and from 24 to 28, the term is
// kFirstTerm, except in 12 and 13; from 29 on it is a later one.
//
// Thread safety: values.

#ifndef FREEHOLD_SRC_CORE_CODEC_GROUPS_H_
#define FREEHOLD_SRC_CORE_CODEC_GROUPS_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "src/base/little_endian.h"
#include "src/core/codec.h"

namespace freehold::core::codec {

enum GroupKind : uint8_t {
  kFrees = 1,
  kFreeResults = 2,
  kFreeFailures = 3,
  kLocations = 4,
  kRegisters = 5,
  kRegisterAcks = 6,
  kReleases = 7,
  kHandoffAcks = 8,
  kHandoffCancels = 9,
  kLocationQueries = 10,
  kLocationAnswers = 11,
  kMovePrimaries = 12,
  kMovePrimaryAcks = 13,
  kDigestSums = 14,
  kDigestCopies = 15,
  kDigestQueries = 16,
  kReportsAgain = 17,
  kScopeJoins = 18,
  kScopeEnds = 19,
  kScopeEndeds = 20,
  kWatches = 21,
  kUnwatches = 22,
  kWatchesFired = 23,
  kDeclares = 24,
  kDeclareAcks = 25,
  kFilesCarried = 26,
  kFilesToDelete = 27,
  kFilesGone = 28,
  kTransferAcks = 29,
  kMovedAcks = 30,
  kSettleds = 31,
  kSettledAcks = 32,
  kMovedsEnded = 33,
  kMoveds = 34,
  kTransfers = 35,
  kShadows = 36,
  kShadowAcks = 37,
  kShadowEnds = 38,
  kContaineds = 39,
};
inline constexpr uint8_t kGroupKindMax = kContaineds;

struct GroupHead {
  uint8_t kind;
  uint8_t detail;
  uint32_t generation;
  uint32_t term;
  uint32_t count;
};
inline constexpr size_t kGroupHeadBytes = 14;

// Bytes that are consumed from the front; whoever takes has looked at size() before.
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}
  size_t size() const { return bytes_.size(); }
  std::string_view Bytes(size_t size) {
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  template <typename T>
  T Integer() {
    return internal::LoadLittle<T>(Bytes(sizeof(T)).data());
  }
  ObjectId Object() { return IdAt(Bytes(ObjectId::kSize), 0); }
  NodeId Node() { return *NodeId::FromBytes(Bytes(NodeId::kSize)); }
  TaskId Task() { return *TaskId::FromBytes(Bytes(TaskId::kSize)); }
  ProcessId Process() { return *ProcessId::FromBytes(Bytes(ProcessId::kSize)); }

 private:
  std::string_view bytes_;
};

// Both answer where to go on.
template <typename T>
char* Put(T value, char* at) {
  internal::StoreLittle(value, at);
  return at + sizeof(T);
}
inline char* PutBytes(std::string_view bytes, char* at) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());  // empty may mean null
  return at + bytes.size();
}

// Takes the items of a group from kRegisters to kLocationAnswers, from kWatches to kDeclareAcks,
// from kTransferAcks to kMovedsEnded, or from kShadowAcks on; a null sink only validates. REQUIRES:
// the count is not 0.
CodecError ReadSharingGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink);
// The same of kMovePrimaries and kMovePrimaryAcks.
CodecError ReadMovesGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink);
// The same from kScopeJoins to kScopeEndeds.
CodecError ReadScopesGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink);
// The same from kDigestSums to kReportsAgain.
CodecError ReadDigestGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink);
// The same from kFilesCarried to kFilesGone.
CodecError ReadFilesGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink);
// The same of kMoveds and kContaineds.
CodecError ReadMovedGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink);
// The same of kTransfers and kShadows.
CodecError ReadTransferGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink);

}  // namespace freehold::core::codec

#endif  // FREEHOLD_SRC_CORE_CODEC_GROUPS_H_
