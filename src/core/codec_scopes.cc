// Groups of scopes across processes. Their layout is in codec_groups.h.

#include "src/base/check.h"
#include "src/core/codec.h"
#include "src/core/codec_groups.h"

namespace freehold::core {

namespace {

using codec::Put;

constexpr size_t kItemBytes = 16;

// The detail of kScopeEnds: why, and whether an answer is waited for.
constexpr uint8_t kUnlisted = 0x80;
constexpr auto kEndLeast = static_cast<uint8_t>(ScopeEnd::kEnded);
constexpr auto kEndMost = static_cast<uint8_t>(ScopeEnd::kForced);
// They are in the bytes.
static_assert(kEndLeast == 1 && static_cast<uint8_t>(ScopeEnd::kCancelled) == 2 &&
              static_cast<uint8_t>(ScopeEnd::kDeadline) == 3 &&
              static_cast<uint8_t>(ScopeEnd::kParentEnded) == 4 &&
              static_cast<uint8_t>(ScopeEnd::kDriverDied) == 5 && kEndMost == 6);

// The kinds of ScopeItem and their groups are numbered alike.
constexpr uint8_t kScopeGroups = codec::kScopeJoins - static_cast<uint8_t>(ScopeItemKind::kJoin);
static_assert(codec::kScopeEnds == kScopeGroups + static_cast<uint8_t>(ScopeItemKind::kEnd));
static_assert(codec::kScopeEndeds == kScopeGroups + static_cast<uint8_t>(ScopeItemKind::kEnded));

bool IsEnd(uint8_t end) { return end >= kEndLeast && end <= kEndMost; }
bool NamesScope(uint64_t scope) { return scope != 0 && !ScopeId(scope).IsRoot(); }

}  // namespace

CodecError codec::ReadScopesGroup(const GroupHead& head, Cursor* cursor, PayloadSink* sink) {
  ScopeItem item;
  item.kind = static_cast<ScopeItemKind>(head.kind - kScopeGroups);
  if (head.generation != 0 || head.term != kFirstTerm) return CodecError::kBadValue;
  if (item.kind == ScopeItemKind::kEnd) {
    const auto end = static_cast<uint8_t>(head.detail & ~kUnlisted);
    if (!IsEnd(end)) return CodecError::kBadValue;
    item.end = static_cast<ScopeEnd>(end);
    item.unlisted = (head.detail & kUnlisted) != 0;
  } else if (head.detail != 0) {
    return CodecError::kBadValue;
  }
  // By division: the product could exceed a 32-bit size_t.
  if (head.count > cursor->size() / kItemBytes) return CodecError::kTruncated;
  for (uint32_t i = 0; i < head.count; ++i) {
    item.scope = cursor->Integer<uint64_t>();
    item.number = cursor->Integer<uint64_t>();
    if (!NamesScope(item.scope) || item.number == 0) return CodecError::kBadValue;
    if (sink != nullptr) sink->OnScope(item);
  }
  return CodecError::kOk;
}

bool PayloadWriter::Add(const ScopeItem& item) {
  FREEHOLD_CHECK(NamesScope(item.scope) && item.number != 0);
  int detail = 0;
  if (item.kind == ScopeItemKind::kEnd) {
    FREEHOLD_CHECK(IsEnd(static_cast<uint8_t>(item.end)));
    detail = static_cast<uint8_t>(item.end) | (item.unlisted ? kUnlisted : 0);
  }
  char* at = Place(kScopeGroups + static_cast<uint8_t>(item.kind), static_cast<uint8_t>(detail), 0,
                   kFirstTerm, kItemBytes);
  if (at == nullptr) return false;
  Put(item.number, Put(item.scope, at));
  return true;
}

}  // namespace freehold::core
