// The record of one object, owned here or borrowed, laid out so that what a hot path touches lies
// together.
//
// A record is 88 bytes at a stable address in a slab. Up to two copies are inline; more lie in the
// CopyArena. What most objects never have (contained ids, callbacks, spill URLs, older generations
// whose copies are still being deleted) lies in a Rare, who elsewhere holds it in a HolderIndex. A
// record is in a list of each node that it has a copy on; the copy says at which place.
//
// Thread safety: thread-compatible, under the shard's lock; the count in `cell` alone is touched by
// handles without it.

#ifndef FREEHOLD_SRC_CORE_OBJECT_RECORD_H_
#define FREEHOLD_SRC_CORE_OBJECT_RECORD_H_

#include <cstdint>

#include "freehold/internal/ref_cell.h"
#include "freehold/location.h"
#include "src/core/peer.h"

namespace freehold::core {

// Names a record within its table: slab number and slot. 24 bits, so that it packs with a tag.
using RecordIndex = uint32_t;
inline constexpr RecordIndex kNoRecord = (1u << 24) - 1;
inline constexpr RecordIndex kRecordIndexMax = (1u << 24) - 3;

// Where the deletion of a copy stands.
enum class FreeState : uint8_t {
  kHeld = 0,     // not to be freed
  kWaiting = 1,  // to be freed; not handed to the session yet
  kSent = 2,     // handed to the session; not answered
  kDoomed = 3,   // answered: readers, a fetch or a failing store delay it
};
inline constexpr int kFreeStates = 4;

// What of that the copy itself says. Whether its free waits or was sent is for its node's list to
// say (NodeIndex::StateOf), so that sending changes no copy.
enum class CopyPhase : uint8_t {
  kHeld = 0,
  kFreed = 1,  // FreeState kWaiting and kSent
  kDoomed = 2,
  kHeldBack = 3,  // FreeState kWaiting, and its turn has not come (FileSteps)
};

// One node's part in an object. 8 bytes.
struct Copy {
  uint32_t node : 24;
  uint32_t primary : 1;
  uint32_t in_memory : 1;
  uint32_t spilled : 1;
  uint32_t prospective : 1;   // its node has asked for the bytes
  uint32_t phase_number : 2;  // CopyPhase
  uint32_t reported : 1;      // its node has said that it has it, and nothing else since
  uint32_t shared : 1;        // its file outlives its node
  uint32_t place;             // in its node's list: see NodeIndex

  CopyPhase phase() const { return static_cast<CopyPhase>(phase_number); }
  bool held() const { return phase() == CopyPhase::kHeld; }
  bool held_back() const { return phase() == CopyPhase::kHeldBack; }
  // There are bytes of the object at the node.
  bool real() const { return in_memory != 0 || spilled != 0; }
  // It is let go of, and its node has asked for the bytes meanwhile: once these here are gone, it
  // is prospective.
  bool asked_again() const { return prospective != 0 && real(); }
};
static_assert(sizeof(Copy) == 8, "two inline copies and the counts fit 88 bytes");

inline constexpr uint32_t kNone = UINT32_MAX;
// In place of a Rare: the object has none, but a recorded task made it (object_table_lineage.h).
inline constexpr uint32_t kOnlyLineage = UINT32_MAX - 1;
inline constexpr uint32_t kMemberMark = 1u << 31;

struct ObjectRecord {
  internal::RefCell cell;  // first: a handle points at it
  uint32_t by_id;          // references held by id
  uint32_t tasks;
  uint32_t nested_in;  // outer objects in scope that contain this one
  uint32_t generation;
  uint64_t size;  // bytes
  uint32_t rare;  // index in the RarePool, kNone, or kOnlyLineage
  // Block in the CopyArena, or kNone; of a borrowed object, which has no copies, its Borrow.
  uint32_t overflow;
  uint16_t copies;
  uint8_t state_byte;       // ObjectState
  uint8_t has_handles : 1;  // the cell's count is not 0; changes under the lock only
  uint8_t was_freed : 1;    // explicitly, the present value
  uint8_t is_ghost : 1;     // stands for an older generation whose copies are being deleted
  uint8_t in_use : 1;
  uint8_t has_borrowers : 1;  // processes that hold a reference of theirs
  uint8_t has_pins : 1;       // handoffs that have not ended
  uint8_t borrowed : 1;       // owned by another process
  uint8_t has_askers : 1;     // location queries to be answered, now or at each change, or watches
  // Its call site, an index in the runtime's StringInterner, or kNone; of a member of a scope,
  // which knows that instead, its ScopeMembers::Member, marked.
  uint32_t origin;
  Copy inline_copies[2];

  const ObjectId& id() const { return cell.id; }
  ObjectState state() const { return static_cast<ObjectState>(state_byte); }
  bool in_scope() const { return state() != ObjectState::kOutOfScope; }
  // Out of scope or freed: every copy of the value is to go.
  bool is_over() const { return !in_scope() || state() == ObjectState::kFreed; }
  bool has_rare() const { return rare < kOnlyLineage; }
  bool is_member() const { return (origin & kMemberMark) != 0 && origin != kNone; }
  uint32_t member() const { return origin & ~kMemberMark; }
  bool held() const {
    return has_handles != 0 || by_id != 0 || tasks != 0 || nested_in != 0 || has_borrowers != 0 ||
           has_pins != 0;
  }
};
static_assert(sizeof(ObjectRecord) == 88, "see the memory figures in bench/");

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_OBJECT_RECORD_H_
