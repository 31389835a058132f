// Groups of primary moves. Their layout is in codec_groups.h.

#include "src/base/check.h"
#include "src/core/codec.h"
#include "src/core/codec_groups.h"

namespace freehold::core {

namespace {

using codec::Cursor;
using codec::GroupHead;
using codec::Put;
using codec::PutBytes;

constexpr size_t kMoveBytes = ObjectId::kSize + 8;

// The detail of a group whose items name a node: where a move takes the primary from, and who is
// the primary instead.
constexpr uint8_t kNamesNode = 1;
constexpr uint8_t kMoveDetailMax = kNamesNode;
static_assert(kNamesNode == static_cast<uint8_t>(MoveAnswer::kSecondary));

CodecError ReadMoves(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  MovePrimaryItem item;
  item.generation = head.generation;
  item.term = head.term;
  for (uint32_t i = 0; i < head.count; ++i) {
    item.object = cursor->Object();
    item.number = cursor->Integer<uint64_t>();
    if (head.detail == kNamesNode) {
      item.from = cursor->Node();
      if (item.from.IsNil()) return CodecError::kBadValue;
    }
    if (item.number == 0) return CodecError::kBadValue;
    if (sink != nullptr) sink->OnMovePrimary(item);
  }
  return CodecError::kOk;
}

CodecError ReadAcks(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  MovePrimaryAckItem item;
  item.generation = head.generation;
  item.term = head.term;
  item.answer = static_cast<MoveAnswer>(head.detail);
  for (uint32_t i = 0; i < head.count; ++i) {
    item.object = cursor->Object();
    item.number = cursor->Integer<uint64_t>();
    if (head.detail == kNamesNode) item.primary = cursor->Node();
    // Each answers a move that has a number, but for what was not asked for.
    if ((item.number == 0) != IsUnasked(item.answer)) return CodecError::kBadValue;
    if (sink != nullptr) sink->OnMovePrimaryAck(item);
  }
  return CodecError::kOk;
}

}  // namespace

CodecError codec::ReadMovesGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  const bool moves = head.kind == kMovePrimaries;
  if (head.detail > (moves ? kMoveDetailMax : kMoveAnswerMax)) return CodecError::kBadValue;
  // What names an earlier term than its owner's is answered with that.
  if (head.term < kFirstTerm || head.term > kTermMax) return CodecError::kBadValue;
  const bool has_node = head.detail == kNamesNode;
  // By division: the product could exceed a 32-bit size_t.
  if (head.count > cursor->size() / (kMoveBytes + (has_node ? NodeId::kSize : 0))) {
    return CodecError::kTruncated;
  }
  return moves ? ReadMoves(head, cursor, sink) : ReadAcks(head, cursor, sink);
}

bool PayloadWriter::Add(const MovePrimaryItem& item) {
  FREEHOLD_CHECK(item.number != 0);
  const bool names_from = !item.from.IsNil();
  char* at = Place(codec::kMovePrimaries, names_from ? kNamesNode : uint8_t{0}, item.generation,
                   item.term, kMoveBytes + (names_from ? NodeId::kSize : 0));
  if (at == nullptr) return false;
  at = PutBytes(item.object.bytes(), at);
  at = Put(item.number, at);
  if (names_from) PutBytes(item.from.bytes(), at);
  return true;
}

bool PayloadWriter::Add(const MovePrimaryAckItem& item) {
  FREEHOLD_CHECK((item.number == 0) == IsUnasked(item.answer));
  const auto detail = static_cast<uint8_t>(item.answer);
  const bool has_node = detail == kNamesNode;
  char* at = Place(codec::kMovePrimaryAcks, detail, item.generation, item.term,
                   kMoveBytes + (has_node ? NodeId::kSize : 0));
  if (at == nullptr) return false;
  at = PutBytes(item.object.bytes(), at);
  at = Put(item.number, at);
  if (has_node) PutBytes(item.primary.bytes(), at);
  return true;
}

}  // namespace freehold::core
