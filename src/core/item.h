// The items that travel in envelopes, as values. PROTOCOL.md says who may send which to whom.
//
// Thread safety: values.

#ifndef FREEHOLD_SRC_CORE_ITEM_H_
#define FREEHOLD_SRC_CORE_ITEM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "freehold/ids.h"
#include "freehold/location.h"
#include "freehold/scope_options.h"

namespace freehold::core {

// Of an object's ownership: +1 at each transfer.
inline constexpr uint32_t kFirstTerm = 1;

// owner → node agent: delete your copy of this generation.
struct FreeItem {
  ObjectId object;
  uint32_t generation = 0;
  uint32_t term = kFirstTerm;
};

enum class FreeResult : uint8_t {
  kDeleted = 0,  // the copy is physically gone
  kUnknown = 1,  // no copy of that generation here
  kDoomed = 2,   // has readers or is being fetched; Deleted follows
  kFailed = 3,   // the store failed; retried, Deleted follows
};
inline constexpr uint8_t kFreeResultMax = 3;

// node agent → owner.
struct FreeResultItem {
  ObjectId object;
  uint32_t generation = 0;
  uint32_t term = kFirstTerm;
  FreeResult result = FreeResult::kDeleted;
  std::string why;  // of kFailed; at most kWhyBytesMax
};
inline constexpr uint32_t kWhyBytesMax = 256;

enum class LocationChange : uint8_t {
  kAdded = 0,    // in memory at the node, and in no file
  kRemoved = 1,  // wholly gone, by the store's own choice
  kSpilled = 2,  // in a file at `url`; in memory too if `in_memory`
};
inline constexpr uint8_t kLocationChangeMax = 2;

// node agent → owner.
struct LocationItem {
  ObjectId object;
  uint32_t generation = 0;
  uint32_t term = kFirstTerm;
  LocationChange change = LocationChange::kAdded;
  CopyRole role = CopyRole::kSecondary;
  bool in_memory = true;
  uint64_t size = 0;
  std::string url;      // of kSpilled; at most kSpilledUrlBytesMax
  bool shared = false;  // of kSpilled: FileReach::kShared
};

// --- Files that have outlived their node ---------------------------------------------------------

enum class FileItemKind : uint8_t {
  kCarry = 1,   // owner → node agent: look after this file; if I am excluded, delete it
  kDelete = 2,  // owner → node agent: delete it, whether you have heard of it or not
  kGone = 3,    // node agent → owner: it is deleted
};
struct FileItem {
  ObjectId object;
  uint64_t number = 0;  // the owner's own of this file, not 0; the answer echoes it
  uint32_t generation = 0;
  FileItemKind kind = FileItemKind::kCarry;
  uint64_t size = 0;  // bytes; 0 while unknown. Not of kGone
  std::string url;    // not empty, at most kSpilledUrlBytesMax. Not of kGone
};

// --- References that cross processes -------------------------------------------------------------

// How a handoff ended, receiver → sender. Each lets the sender drop its pin.
enum class HandoffAnswer : uint8_t {
  kOk = 0,         // the owner lists the receiver, or the receiver is done with the reference
  kGone = 1,       // the owner does not know the object any more
  kOwnerDied = 2,  // the owner was excluded, and its barrier has come
  kRefused = 3,    // the token was never seen and is refused from now on: answers a cancellation
};
inline constexpr uint8_t kHandoffAnswerMax = 3;

// The owner's answer to a Register.
enum class RegisterAnswer : uint8_t {
  kOk = 0,    // the borrower is listed
  kGone = 1,  // no such object: it is gone, and nobody was listed
};
inline constexpr uint8_t kRegisterAnswerMax = 1;

enum class SharingKind : uint8_t {
  kRegister = 1,       // borrower → owner: list me
  kRegisterAck = 2,    // owner → borrower
  kRelease = 3,        // borrower → owner: I hold nothing of it any more
  kHandoffAck = 4,     // receiver → sender
  kHandoffCancel = 5,  // sender → receiver: the token was lost; say how the handoff ended
  kWatch = 6,          // anyone → owner: tell me when the moment comes, or has come
  kUnwatch = 7,        // the same → owner: tell me no more; answered, unless it has been
  kWatchFired = 8,     // owner → watcher: the one answer to a watch
  kDeclare = 9,        // declarer → owner: own this new object, and list me
  kDeclareAck = 10,    // owner → declarer
  // Of a transfer (step 11); none has a number.
  kTransferAck = 11,  // next owner → owner: taken, or why not
  kMovedAck = 12,     // who was told that an object has moved → its owner
  kSettled = 13,      // next owner → owner: everybody has been told
  kSettledAck = 14,   // owner → next owner: I take nothing back any more
  kMovedEnded = 15,   // owner → former owners: nobody needs to ask for the object any more
  // Of an heir (step 15).
  kShadowAck = 16,  // heir → owner: it has that version of what the owner knows, or why not
  kShadowEnd = 17,  // owner → heir: you are not the heir any more; answered by kShadowAck
};
// False: the number is not written.
constexpr bool IsNumbered(SharingKind kind) {
  return kind == SharingKind::kShadowAck ||
         (kind != SharingKind::kRelease && kind < SharingKind::kTransferAck);
}

// How a watch ended.
enum class WatchAnswer : uint8_t {
  kOutOfScope = 0,  // the moment has come, after the last reference went
  kFreed = 1,       // ... after the value was freed explicitly
  kGone = 2,        // no such object: it is gone, nobody knows why
  kRefused = 3,     // the watcher has as many here as it may have
  kCancelled = 4,   // by kUnwatch
};
inline constexpr uint8_t kWatchAnswerMax = 4;

// How a declaration for another process ended. Up to kFull it is the owner's answer, on the wire.
enum class DeclareAnswer : uint8_t {
  kOk = 0,         // the owner has the object, and lists the declarer
  kExists = 1,     // the owner knows that id already
  kRefused = 2,    // it takes no objects from others
  kDraining = 3,   // it is about to leave
  kFull = 4,       // it has no room
  kOwnerDied = 5,  // it was excluded, and its barrier has come
  kExcluded = 6,   // the declarer was
  kDropped = 7,    // nobody held it any more at the declarer
};
inline constexpr uint8_t kDeclareAnswerMax = 4;  // on the wire

// What owners, borrowers, senders and receivers of one reference tell each other, and watchers and
// declarers.
struct SharingItem {
  ObjectId object;
  // Of kRegister and kDeclare: the borrower's own number of this registration; the answer echoes
  // it, so that one that does not match the outstanding question is ignored. Of kHandoffAck and
  // kHandoffCancel: the handoff's number within its sender, receiver and lane (handoff_ledger.h).
  // Of a watch: the watcher's own, which the other two of it repeat.
  // Of kShadowAck: the version that it answers. kRelease has none, nor have the kinds of a
  // transfer, nor kShadowEnd: it is not written.
  uint64_t number = 0;
  uint32_t term = kFirstTerm;
  SharingKind kind = SharingKind::kRegister;
  // RegisterAnswer of kRegisterAck, HandoffAnswer of kHandoffAck, WatchAnswer of kWatchFired,
  // DeclareAnswer of kDeclareAck, TransferAnswer of kTransferAck, ShadowAnswer of kShadowAck; of
  // kMovedAck 1 if its sender holds the object; of kWatch and kUnwatch the Moment, up to kErased;
  // else 0.
  uint8_t answer = 0;
  uint64_t size = 0;  // of kDeclare: bytes of the value; 0 while unknown
};

// anyone → owner: where is the value, once or until further notice?
struct LocationQueryItem {
  ObjectId object;
  uint64_t number = 0;     // the asker's own; the answers echo it
  bool subscribe = false;  // answer at every change as well
  bool cancel = false;     // end the subscription of that number
  NodeId fetch_to;         // to be prospective before the answer leaves; nil: none
};

enum class LocationAnswerState : uint8_t {
  kPending = 0,    // no value yet
  kAvailable = 1,  // at least one copy
  kFreed = 2,      // freed explicitly
  kLost = 3,       // every copy went with its node
  kGone = 4,       // no such object: it is out of scope
};
inline constexpr uint8_t kLocationAnswerStateMax = 4;

// owner → asker.
struct LocationAnswerItem {
  ObjectId object;
  uint64_t number = 0;  // of the query
  uint32_t generation = 0;
  uint64_t size = 0;  // bytes of the value; 0 while unknown
  LocationAnswerState state = LocationAnswerState::kPending;
  bool final = false;      // no further answer to this query follows
  bool truncated = false;  // there are more locations than these
  // At most kAnswerLocationsMax that take kAnswerLocationBytesMax on the wire, so that any answer
  // fits any envelope: the writer keeps the first ones that do and says `truncated`. Each URL has
  // at most kSpilledUrlBytesMax and belongs to a spilled location.
  std::vector<Location> locations;
};
inline constexpr uint32_t kAnswerLocationsMax = 64;
inline constexpr uint32_t kAnswerLocationBytesMax = 7 * 1024;

// --- Primary moves -------------------------------------------------------------------------------

// node agent → owner: my copy is to be the primary, if the one at `from` still is.
struct MovePrimaryItem {
  ObjectId object;
  uint64_t number = 0;  // the agent's own, not 0; the answer echoes it
  uint32_t generation = 0;
  uint32_t term = kFirstTerm;
  NodeId from;  // nil: there is none
};

enum class MoveAnswer : uint8_t {
  kMoved = 0,      // recorded: that copy is the primary, the former one is let go of
  kSecondary = 1,  // another one is
  kRefused = 2,    // that copy is not wanted any more, or not known
  kPromoted = 3,   // not asked for: the primary has gone, and that copy is the primary now
  // Not asked for: that copy is no primary, and may be evicted before all others.
  kEvictFirst = 4,
};
inline constexpr uint8_t kMoveAnswerMax = 4;
constexpr bool IsUnasked(MoveAnswer answer) {
  return answer == MoveAnswer::kPromoted || answer == MoveAnswer::kEvictFirst;
}

// owner → node agent.
struct MovePrimaryAckItem {
  ObjectId object;
  uint64_t number = 0;  // of the move; 0 of what was not asked for
  uint32_t generation = 0;
  uint32_t term = kFirstTerm;
  MoveAnswer answer = MoveAnswer::kMoved;
  NodeId primary;  // of kSecondary: who is; nil: nobody
};

// --- Scopes across processes ---------------------------------------------------------------------

enum class ScopeItemKind : uint8_t {
  kJoin = 1,   // member → owner: list me
  kEnd = 2,    // owner → member: it has ended
  kEnded = 3,  // member → owner: everything of it is gone here
};

// What the owner of a scope and those who joined it tell each other.
struct ScopeItem {
  uint64_t scope = 0;   // its id at its owner
  uint64_t number = 0;  // the member's own, of the join; the others echo it
  ScopeItemKind kind = ScopeItemKind::kJoin;
  ScopeEnd end = ScopeEnd::kNone;  // of kEnd, from kEnded to kForced
  bool unlisted = false;           // of kEnd: it was over before the join, no kEnded is waited for
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_ITEM_H_
