// What a host can be told about an object, and how it asks for it.
//
// Three moments, in this order: out of scope (no reference is left, or the value was freed
// explicitly), reclaimed (the last copy is physically gone), erased (the record is gone); and of a
// borrowed object one: failed (it is gone, its owner died or has not taken it, or this process was
// excluded, while references are held here). The first three can be watched from other processes
// too (ReferenceCounter::Watch). A callback gets the object's id, never a reference: a reference
// would bring the object back. It runs on the CallbackExecutor, with no lock held, exactly once per
// registration, in order of registration per object and moment. Rules for what it may do are in
// callback_executor.h: no I/O, no waiting.
//
// A watch is called exactly once, unless it is cancelled or dropped by a shutdown: at the moment,
// or at once when that has passed, with the reason as far as the owner knows it, otherwise kGone;
// with kOwnerDied at the barrier of the owner's exclusion; with kExcluded when this process is;
// with kRefused when the owner has too many (watches_per_peer_max). It keeps nothing in scope.
//
// Thread safety: values. Ownership: the library owns the callable from registration until it ran,
// was cancelled or was dropped at shutdown.

#ifndef FREEHOLD_CALLBACKS_H_
#define FREEHOLD_CALLBACKS_H_

#include <cstdint>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "freehold/ids.h"
#include "freehold/location.h"

namespace freehold {

namespace runtime {
class CounterImpl;
struct Inside;
}  // namespace runtime

enum class Moment : uint8_t { kOutOfScope = 0, kReclaimed = 1, kErased = 2, kFailed = 3 };
const char* MomentName(Moment moment);

// Why an object ended.
enum class EndReason : uint8_t {
  kOutOfScope,   // its last reference went
  kFreed,        // ReferenceCounter::Free
  kGone,         // of kFailed, and of a watch: its owner does not know it any more
  kOwnerDied,    // of kFailed, and of a watch: its owner was excluded
  kExcluded,     // of kFailed, and of a watch: this process was excluded
  kRefused,      // of a watch: its owner has as many of this process's as it may have
  kNotDeclared,  // of kFailed: DeclareFor, and its owner has not taken it
};
const char* EndReasonName(EndReason reason);

using ObjectCallback = absl::AnyInvocable<void(const ObjectId&, EndReason)>;

// The same for C and language bindings. `destroy_context` (may be null) is called with `context`
// exactly once in every case: after the call, on cancellation, at shutdown, and when the
// registration is refused. It runs with no lock held.
struct CCallback {
  void (*function)(const uint8_t* object_id28, int reason, void* context) = nullptr;
  void* context = nullptr;
  void (*destroy_context)(void* context) = nullptr;
};

// Answers a registration. False: its moment had passed; the callback never runs.
class CallbackRegistration {
 public:
  CallbackRegistration() = default;
  explicit operator bool() const { return number_ != 0; }
  const ObjectId& object() const { return object_; }

 private:
  friend class ReferenceCounter;
  CallbackRegistration(const ObjectId& object, uint64_t number)
      : object_(object), number_(number) {}
  ObjectId object_;
  uint64_t number_ = 0;
};

// One message of a subscription. The first is kSnapshot, the last kGone.
struct LocationUpdate {
  enum class Kind : uint8_t {
    kSnapshot,   // `snapshot` is all there is
    kChanged,    // `location` replaces what was known of its node; `snapshot` has no locations
    kRemoved,    // the node of `location` holds nothing any more that may be used
    kState,      // only state, generation or size changed
    kGone,       // out of scope: no further message
    kOwnerDied,  // of a query to another process: its owner was excluded; no further message
    // Of a subscription at another process, after one kSnapshot: this end has as many there as it
    // may have (location_watches_per_peer_max). No further message; ask again later.
    kRefused,
    kExcluded,  // of a query to another process: this end was excluded; no further message
  };
  Kind kind = Kind::kSnapshot;
  ObjectLocations snapshot;
  // Of an answer to a query: there are more locations than fit one. The useful ones were kept: in
  // memory before spilled, prospective last.
  bool truncated = false;
  Location location;
};

// Asks the owner of an object, another process, where it is. The answers come as kSnapshot (its
// state says pending, available, freed or lost), kGone, kOwnerDied, kRefused or kExcluded.
struct LocationQuery {
  ObjectId object;
  ProcessId owner;         // nil: of an object that is borrowed here, its owner
  bool subscribe = false;  // false: one answer. True: one at each change too, the latest only
  // The node that will fetch the bytes; nil: none. The owner knows of it before it answers, so that
  // a copy that appears there is never overlooked by a free. At a node agent: its own node or nil.
  NodeId fetch_to;
};

using LocationCallback = absl::AnyInvocable<void(const ObjectId&, const LocationUpdate&)>;

// How NodeAgent::MovePrimary ended.
enum class MoveOutcome : uint8_t {
  kMoved,      // the owner has recorded this node's copy as the primary, and lets go of the former
  kSecondary,  // another copy is the primary: this one stays what it is, a secondary
  kRefused,    // the value is gone, freed or an older one, or this copy is being freed
  kOwnerDied,  // the owner was excluded, and its barrier has come
  kAbandoned,  // this agent was excluded or shut down before it heard the answer
};
const char* MoveOutcomeName(MoveOutcome outcome);

struct MoveResult {
  MoveOutcome outcome = MoveOutcome::kMoved;
  NodeId primary;  // of kSecondary: where the primary is; nil: nowhere
};

using MoveCallback = absl::AnyInvocable<void(const ObjectId&, const MoveResult&)>;

}  // namespace freehold

#endif  // FREEHOLD_CALLBACKS_H_
