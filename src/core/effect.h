// Effects: what a step of the ObjectTable asks the runtime to do once the lock is released.
//
// The runtime hands one Effects to a step, moves what it got out, unlocks, and only then acts. An
// effect is never answered by a call into the table it came from while that table's lock is held.
//
// Thread safety: values. An empty Effects allocates nothing.

#ifndef FREEHOLD_SRC_CORE_EFFECT_H_
#define FREEHOLD_SRC_CORE_EFFECT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "freehold/callbacks.h"
#include "freehold/location.h"
#include "src/core/item.h"
#include "src/core/owned_snapshot.h"
#include "src/core/rare.h"
#include "src/core/scope_change.h"

namespace freehold::core {

// What the table answers to one event. Each step says which it can answer.
enum class [[nodiscard]] Verdict : uint8_t{
    kOk,
    kUnchanged,  // it was so already
    kNotFound,   // unknown, hence gone
    kAlreadyExists,
    kOutOfScope,  // the record is there only until its copies are gone
    kNotHeld,     // released more than was held
    kCountFull,
    kTableFull,
    kNodeExcluded,
    kWrongState,
    kMomentPassed,
    kToBeFreed,          // the reported copy is not wanted: its node is asked to delete it
    kUnknownGeneration,  // newer than any the owner has begun
    kShutDown,           // the runtime's answer for a table that is stepped no more
    kNotOwner,           // the object is borrowed; its owner alone may do this
    kNotBorrowed,        // the object is owned here
    kPeerExcluded,       // the other process is excluded
    kAlreadyRedeemed,    // the token was redeemed before, and nothing of it is left
    kRefused,            // the token was given up for lost before it came
    kOtherOwner,         // the object is known here, under another owner
    kGone,               // its owner says so
    kOwnerDied,
    kScopeEnded,       // the scope takes no more objects
    kNotAcknowledged,  // its owner has not answered the declaration: nobody else may hear of it
    kNotDeclared,      // its owner has not taken it
};
inline constexpr int kVerdicts = 25;
const char* VerdictName(Verdict verdict);

// A copy as the outside of the table sees it.
struct CopyFacts {
  PeerIndex node = kNoPeer;
  CopyRole role = CopyRole::kSecondary;
  bool in_memory = false;
  bool spilled = false;
  bool prospective = false;
  bool shared = false;
  FreeState free_state = FreeState::kHeld;
  bool listed = true;  // one of the object's locations: not about to go, or asked for again
  std::string url;
};

struct FiredCallback {
  Token token;
  EndReason reason;
};

// A message for one subscriber. After kGone the token is the runtime's to release.
struct LocationNotice {
  Token token = 0;
  // The runtime's: what must outlive the notice although the token may be given back meanwhile.
  std::shared_ptr<void> keep;
  LocationUpdate::Kind kind = LocationUpdate::Kind::kChanged;
  ObjectId object;
  ObjectState state = ObjectState::kPending;
  uint32_t generation = 0;
  uint64_t size = 0;
  CopyFacts copy;                 // of kChanged and kRemoved
  std::vector<CopyFacts> copies;  // of kSnapshot
};

struct SettledFree {
  ObjectId object;
  PeerIndex node = kNoPeer;
  FreeOutcome outcome = FreeOutcome::kSettled;
};

// An object that a recorded task made is out of scope, or its value was freed explicitly.
struct LineageNotice {
  ObjectId object;
  uint32_t generation = 0;  // the last one of its value
  bool freed = false;
  bool kept = false;  // it was out of scope; its record alone is left
};

// The state of an object whose value is to be persisted has changed.
struct PersistNotice {
  uint64_t number = 0;  // BeginPersist's
  ObjectId object;
  uint32_t generation = 0;
  ObjectState state = ObjectState::kPending;
};

// A declaration for another process has ended.
struct DeclareNotice {
  ObjectId object;
  DeclareAnswer answer = DeclareAnswer::kOk;
};

// How giving an object away has ended.
enum class TransferOutcome : uint8_t {
  kMoved,              // the next owner has it
  kSettled,            // ... and everybody knows: of what went along with its task alone
  kExists,             // it has that id already
  kRefused,            // it takes no objects from others
  kDraining,           // it is about to leave
  kFull,               // it has no room
  kNextOwnerDied,      // it was excluded before it answered: the object is owned here as before
  kTakenBack,          // ... after it had, but before everybody knew: owned here again
  kInherited,          // this process was the heir of its owner, which has died
  kDiedWithNextOwner,  // ... any of the two, and there is no room to own it
};
struct TransferNotice {
  ObjectId object;
  PeerIndex next_owner = kNoPeer;
  TransferOutcome outcome = TransferOutcome::kMoved;
  bool lent = false;    // the task that made it went along
  bool record = false;  // it was out of scope, and nothing else went
  // Of kMoved: what waits for the object's moments, to be asked of the next owner from now on.
  std::vector<RegisteredCallback> callbacks;
};

// What became of an heir of an object owned here.
enum class HeirOutcome : uint8_t {
  kPrepared,     // it has what it needs
  kExists,       // refused, these four: it owns that id, or knows of a later owner
  kRefused,      // it takes no objects from others
  kDraining,     // it is about to leave
  kFull,         // it has no room
  kHeirDied,     // it was excluded
  kOvergrown,    // its snapshot fits no message any more: it is being dismissed
  kLeaving,      // it was prepared, and is about to leave: likewise
  kDismissed,    // it is none any more
  kObjectEnded,  // the object was here to its end
  kVacant,       // it has none, and can have the next one of its list by now
};
struct HeirNotice {
  ObjectId object;
  PeerIndex heir = kNoPeer;
  HeirOutcome outcome = HeirOutcome::kPrepared;
  PeerIndex next = kNoPeer;  // who is to be the heir now, or once this one has let go
  bool listed = false;       // it was one of several that were named at once
  // Passed on to the heir, which will not be told so; but for those with a nil id, which it was.
  std::vector<HandedInner> unsent = {};
};

// An object was given away, or has come: in which scope it is from now on, for those that use it.
struct ScopeNotice {
  RecordIndex record = kNoRecord;
  WhoseObject whose;
};

// A file of an object owned here that no node is needed for.
struct UnboundFile {
  enum class Use : uint8_t {
    kKept,  // the value may be read from it
    kOver,  // its value is over
    // It was to be freed with its copy, and perhaps was: it is deleted, and nobody waits for that.
    kLoose,
    // As kKept, or kOver; but the owner before may take the object back, or an heir has not heard
    // that the node is gone, and would have the file carried. A carrier of this owner's would
    // delete it at the barrier.
    kHeldBack,
    kStays,  // of such a one: nobody else counts on it any more
  };
  ObjectId object;
  uint32_t generation = 0;
  uint64_t size = 0;
  std::string url;
  Use use = Use::kKept;
};

// What few steps ask for.
struct RareEffects {
  std::vector<LocationNotice> notices;
  // Contained objects to let go of, each in its own shard: single ones, and all of some object.
  std::vector<InnerRef> inners;
  std::vector<InnerList> inner_lists;
  // Objects that lost their last copy and are still in scope.
  std::vector<ObjectId> lost;
  // For the LineageTable.
  std::vector<LineageNotice> lineage;
  std::vector<PersistNotice> persists;
  // One that was dropped is told so at once; what its owner answers may be told as well.
  std::vector<DeclareNotice> declared;
  std::vector<TransferNotice> transferred;
  // What went along with the task that made it is of no use to its owner any more, or that is dead.
  std::vector<ObjectId> lent_ended;
  // Others were read out of them, and whoever answers for them is another one: for every shard.
  std::vector<RecordIndex> outers_moved;
  std::vector<HeirNotice> heirs;
  // For the ScopeTable, after the changes of the same step.
  std::vector<ScopeNotice> rehomed;
  // For the UnboundFiles.
  std::vector<UnboundFile> files;
  // Registered callbacks whose moment cannot come any more: the runtime's to release.
  std::vector<Token> dropped;
  // Only when the table was told to observe frees.
  std::vector<SettledFree> settled;
};

struct Effects {
  // Callbacks that are due, in the order in which they must run.
  absl::InlinedVector<FiredCallback, 2> fired;
  // Nodes that had nothing waiting and now have. Edge-triggered.
  using Nodes = absl::InlinedVector<PeerIndex, 4>;
  Nodes ready;
  // What became of members of scopes, for the ScopeTable.
  absl::InlinedVector<ScopeChange, 1> scopes;
  // Null for nearly every step, which keeps an Effects cheap to make and to destroy.
  std::unique_ptr<RareEffects> rare;

  RareEffects& Rarely() {
    if (rare == nullptr) rare = std::make_unique<RareEffects>();
    return *rare;
  }
  void AddScopeChange(const ScopeChange& change) {
    if (!scopes.empty() && scopes.back().scope == change.scope &&
        scopes.back().label == change.label) {
      scopes.back().objects += change.objects;
      scopes.back().copies += change.copies;
      scopes.back().bytes += change.bytes;
      scopes.back().steps += change.steps;
    } else {
      scopes.push_back(change);
    }
  }
  bool empty() const { return fired.empty() && ready.empty() && scopes.empty() && rare == nullptr; }
  bool has_host_work() const {
    return !fired.empty() ||
           (rare != nullptr && (!rare->notices.empty() || !rare->lost.empty() ||
                                !rare->settled.empty() || !rare->declared.empty()));
  }
  bool has_inners() const {
    return rare != nullptr && !(rare->inners.empty() && rare->inner_lists.empty());
  }
  // In order, in chunks of bounded length. Takes no element in its hands.
  // NOLINTNEXTLINE(readability-make-member-function-const): it takes
  std::vector<std::vector<InnerRef>> TakeInnerChunks() {
    std::vector<std::vector<InnerRef>> chunks;
    if (rare == nullptr) return chunks;
    if (!rare->inners.empty()) chunks.push_back(std::exchange(rare->inners, {}));
    for (InnerList& list : rare->inner_lists) {
      for (std::vector<InnerRef>& chunk : list.TakeChunks()) chunks.push_back(std::move(chunk));
    }
    rare->inner_lists.clear();
    return chunks;
  }
  // The same as one list.
  std::vector<InnerRef> TakeInners() {
    std::vector<InnerRef> inners;
    for (const std::vector<InnerRef>& chunk : TakeInnerChunks()) {
      inners.insert(inners.end(), chunk.begin(), chunk.end());
    }
    return inners;
  }
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_EFFECT_H_
