// What CopyTable gets, asks for and answers: its events, effects and verdicts.
//
// Thread safety: values. An event borrows its strings and lists for the length of the step.

#ifndef FREEHOLD_SRC_CORE_COPY_EVENT_H_
#define FREEHOLD_SRC_CORE_COPY_EVENT_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "freehold/callbacks.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/location.h"
#include "src/core/item.h"
#include "src/core/peer.h"

namespace freehold::core {

namespace copy_event {

// --- From the node's host ---

struct AddCopy {
  ObjectId object;
  uint32_t generation = 0;
  PeerIndex owner = kNoPeer;
  CopyRole role = CopyRole::kSecondary;
  uint64_t size = 0;
};
struct BeginFetch {
  ObjectId object;
  uint32_t generation = 0;
  PeerIndex owner = kNoPeer;
  CopyRole role = CopyRole::kSecondary;
  uint64_t size = 0;
};
struct AbortFetch {
  ObjectId object;
  uint32_t generation = 0;
};
struct MarkSpilled {
  ObjectId object;
  uint32_t generation = 0;
  std::string_view url;  // not empty, at most kSpilledUrlBytesMax
  bool in_memory = false;
  bool shared = false;  // FileReach::kShared
};
struct MarkRestored {
  ObjectId object;
  uint32_t generation = 0;
};
struct DropCopy {
  ObjectId object;
  uint32_t generation = 0;
};
struct BeginRead {
  ObjectId object;  // the newest generation with bytes here; the effects say which
};
struct EndRead {
  ObjectId object;
  uint32_t generation = 0;
};

// The copy is to become the primary in place of the one at `from`; nil: there is none. Until that
// is answered the store may not drop it.
struct MovePrimary {
  ObjectId object;
  uint32_t generation = 0;
  NodeId from;
  uint64_t number = 0;  // the caller's, not 0, never given before
};

// --- From the owner ---

struct Free {
  PeerIndex from = kNoPeer;
  ObjectId object;
  uint32_t generation = 0;
  uint32_t term = kFirstTerm;
};
struct MoveAnswered {
  PeerIndex from = kNoPeer;
  ObjectId object;
  uint32_t generation = 0;
  uint64_t number = 0;
  MoveAnswer answer = MoveAnswer::kMoved;
  NodeId primary;
};

// The object has moved to `owner`: said by that one itself, or by an owner before it.
struct Moved {
  PeerIndex from = kNoPeer;
  ObjectId object;
  PeerIndex owner = kNoPeer;
  uint32_t term = kFirstTerm + 1;
};

// A digest has shown that the owner does not know the copy.
struct ReportAgain {
  PeerIndex from = kNoPeer;
  ObjectId object;
  uint32_t generation = 0;
};

// --- From the store, one for each copy that TakeDeletes handed over ---

struct Deleted {
  ObjectId object;
  uint32_t generation = 0;
};
struct DeleteFailed {
  ObjectId object;
  uint32_t generation = 0;
  std::string_view why;  // cut to kWhyBytesMax
  Time now{};
  uint64_t random = 0;
};

// --- From membership ---

struct View {
  uint64_t version = 0;
  absl::Span<const PeerIndex> excluded;
  // The view that a joining node hears first: its exclusions are older than this table.
  bool joining = false;
};
struct Barrier {
  uint64_t version = 0;
};
struct SelfExcluded {};

// --- Deferred work ---

struct Sweep {
  uint32_t records_max = 1;  // at least 1
};

}  // namespace copy_event

enum class [[nodiscard]] CopyVerdict : uint8_t{
    kOk,
    kAlreadyHere,       // AddCopy, BeginFetch: the key is here already
    kNotHere,           // no copy of that key
    kFreed,             // it was freed: what came is deleted with it; nothing new may begin
    kOwnerExcluded,     // AddCopy, BeginFetch: the owner's barrier has passed
    kOtherOwner,        // AddCopy, BeginFetch: the key is known with another owner
    kStillFetching,     // the bytes are not here yet
    kNotFetching,       // AbortFetch: the bytes are here
    kHasReaders,        // DropCopy: somebody is reading
    kNotSpilled,        // MarkRestored: there is no file to restore from
    kSharedFile,        // DropCopy: its file goes only by a Free
    kSpilledElsewhere,  // MarkSpilled: there is another file, or one of another reach
    kTooMany,           // a bound of the table or of the reader count is reached
    kDoomed,            // Free: taken; the deletion waits for readers or a fetch
    kFreedBefore,       // Free: taken before; its one result is still to come
    kUnknown,           // Free: nothing is here; that is answered
    kRefused,           // Free: not the copy's owner, or somebody is excluded; nothing changed.
                        // MoveAnswered: nobody has asked that of this owner. MovePrimary: this
                        // node is excluded. Moved: another's word, not an owner's here
    kMoving,            // DropCopy, MovePrimary: a move of it is under way
    kNoChange,          // a repeated notice; DeleteFailed: for the same reason as before
    kMore,              // Sweep: call it again
};
inline constexpr int kCopyVerdicts = 20;
const char* CopyVerdictName(CopyVerdict verdict);

struct EndedMove {
  uint64_t number = 0;
  MoveResult result;
};
struct PromotedCopy {
  ObjectId object;
  uint32_t generation = 0;
};

// A copy that the store may evict before all others.
struct EvictableCopy {
  ObjectId object;
  uint32_t generation = 0;
  uint64_t size = 0;
};

// What a step asks of its caller, once the table's lock is released. Steps append.
struct CopyEffects {
  std::vector<PeerIndex> ready;  // owners for whom something waits where nothing waited
  bool work = false;             // Sweep or TakeDeletes has something to do
  uint32_t generation = 0;       // of BeginRead
  std::vector<EndedMove> moves;
  std::vector<PromotedCopy> promoted;  // primaries now, without having asked
  std::vector<EvictableCopy> evict_first;
};

// Takes what waits for an owner. False: it does not fit, and nothing was taken.
class ReportSink {
 public:
  virtual ~ReportSink() = default;
  virtual bool Add(const FreeResultItem& item) = 0;
  virtual bool Add(const LocationItem& item) = 0;
  virtual bool Add(const MovePrimaryItem& item) = 0;
  virtual bool Add(const SharingItem& item) = 0;  // of kMovedAck
};

enum class [[nodiscard]] PullVerdict : uint8_t{
    kEmpty,  // nothing is left for that owner
    kFull,   // the sink is
    kMore,   // `items_max` was reached
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_COPY_EVENT_H_
