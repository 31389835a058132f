// What happens to a ScopeTable, what it answers and asks for, and what it knows of one scope.
//
// Thread safety: values.

#ifndef FREEHOLD_SRC_CORE_SCOPE_EVENT_H_
#define FREEHOLD_SRC_CORE_SCOPE_EVENT_H_

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "freehold/scope_options.h"
#include "src/core/peer.h"
#include "src/core/rare.h"
#include "src/core/scope_change.h"

namespace freehold::core {

enum class [[nodiscard]] ScopeVerdict : uint8_t{
    kOk,
    kNotFound,       // no scope of that id, or none any more
    kAlreadyExists,  // the id was chosen before
    kEnded,          // it has ended, and takes nothing new
    kTooDeep,        // nested deeper than kDepthMax
    kNotMember,
    kNoParent,  // the scope to open it in is unknown
    kInvalid,   // not for the root scope; an id that hosts must not choose
    kNotOwner,  // a part of another process's scope
};

namespace event {

struct OpenScope {
  ScopeId id;      // nil: one is made
  ScopeId parent;  // nil: the root
  bool hold = false;
  bool no_cleanup = false;
  LabelIndex label = kNoLabel;
  uint64_t bytes_max = 0;
  Token on_bytes = 0;  // 0: none
  Time now;
  Time deadline = kInfiniteFuture;
  PeerIndex driver = kNoPeer;
  bool handle = false;  // one names it from now on
  std::string name;
};
// An object is about to join in a shard. A declared one, of which is said what it counts for, is
// there with Entered or not with Withdraw; one that moves, with Arrived.
struct AdmitToScope {
  ScopeId id;
  uint32_t shard;
  LabelIndex label = kNoLabel;  // none: that of the scope
  bool moves = false;
  int32_t copies = 0;
  int64_t bytes = 0;
};
struct EndScope {
  ScopeId id;
  ScopeEnd why = ScopeEnd::kEnded;
};
// An object comes with its ownership into a scope, be it a part that is made for it. It counts at
// once; Withdraw says that it will not be there.
struct BringIntoScope {
  PeerIndex owner = kNoPeer;  // kNoPeer: this process
  ScopeId scope;              // its id there
  bool hold = false;          // these two as JoinScope's
  bool no_cleanup = false;
  bool held = false;    // by the scope
  bool forced = false;  // its value was freed with the scope's end by force
  uint32_t shard = 0;
  LabelIndex label = kNoLabel;
  Time now;
};
// This process joins a scope of another one.
struct JoinScope {
  PeerIndex owner = kNoPeer;
  ScopeId scope;  // its id there
  bool hold = false;
  bool no_cleanup = false;
  Time now;
};

}  // namespace event

// What goes into the token of a scope.
struct ScopeExport {
  PeerIndex owner = kNoPeer;  // kNoPeer: this process
  ScopeId scope;              // its id there
  bool hold = false;
  bool no_cleanup = false;
};

struct Admission {
  ScopeIndex scope = kNoScope;
  LabelIndex label = kNoLabel;
  bool hold = false;
  bool counted = false;  // otherwise it counts from when it is said to be there
  bool frees = false;    // the scope was ended by force, and frees what comes,
  bool spared = false;   // but for what it has freed before
};

// What the runtime is to do, once the lock is released.
struct ScopeEffects {
  struct Told {
    Token token = 0;
    ScopeId id;
    ScopeEnd end = ScopeEnd::kNone;
    uint64_t bytes = 0;  // of a limit that was exceeded
  };
  // Work in the shards whose bits are set; answered by Released.
  struct Release {
    ScopeIndex scope = kNoScope;
    uint64_t shards = 0;
    bool force = false;
  };
  struct Forget {
    ScopeIndex scope = kNoScope;
    uint64_t shards = 0;
  };

  std::vector<Told> ended;     // those who waited for the end; each token is the runtime's again
  std::vector<Told> exceeded;  // the token stays the table's
  std::vector<Told> hooks;     // members to be released; each token is the runtime's again
  std::vector<Token> dropped;  // that nothing will come of
  std::vector<Release> release;
  std::vector<Forget> forget;
  std::vector<InnerRef> inners;                          // used objects to be let go of
  std::vector<std::pair<ScopeId, std::string>> overdue;  // ended by their deadline, with names
  std::vector<PeerIndex> ready;                          // PullLinks has something for them
  bool more = false;                                     // EndMore has something to do
  bool deadline = false;                                 // NextDeadline may be earlier than before
  bool done = false;                                     // some scope is done

  bool empty() const {
    return ended.empty() && exceeded.empty() && hooks.empty() && dropped.empty() &&
           release.empty() && forget.empty() && inners.empty() && overdue.empty() &&
           ready.empty() && !more && !deadline && !done;
  }
};

// An object that is used, as something to sort by: shard and record.
using UsedObject = std::pair<uint32_t, RecordIndex>;

// A use of one: whose it is, as far as has been heard.
struct ScopeUse {
  WhoseObject whose;
  bool known = false;  // the scope counts the user in `used_by`
};

// One scope. Read by the runtime, changed by the table alone.
struct ScopeRecord {
  struct Member {
    MemberKind kind = MemberKind::kOther;
    std::string name;
    Token token = 0;
  };
  ScopeId id;
  std::string name;
  ScopeIndex parent = kNoScope;  // none any more when it is done
  ScopeId parent_id;
  ScopeIndex first_child = kNoScope;  // a ring
  ScopeIndex next = kNoScope;
  ScopeIndex previous = kNoScope;
  uint32_t children = 0;  // not done
  uint32_t to_visit = 0;  // of the children, by EndMore
  uint32_t depth = 0;
  ScopeState state = ScopeState::kRunning;
  ScopeEnd end = ScopeEnd::kNone;
  bool hold = false;
  bool no_cleanup = false;
  bool forced = false;
  bool over_limit = false;
  bool forgotten = false;  // by the shards
  bool abandoned = false;  // done although not everything of it is gone; see Abandon
  bool queued = false;     // to be gone on with by EndMore
  bool finishing = false;  // nothing here needs what it uses any more
  uint64_t told = 0;       // changes that shards have sent; known once they have forgotten it
  uint64_t heard = 0;      // of those, that have come
  uint32_t releasing = 0;  // pieces of work that Released has not answered
  uint32_t handles = 0;
  uint32_t arriving = 0;  // objects that were admitted, not counted, and are not there yet
  uint32_t tasks = 0;
  uint32_t remote = 0;  // processes that have joined, and not answered its end
  LabelIndex label = kNoLabel;
  PeerIndex driver = kNoPeer;
  PeerIndex owner = kNoPeer;  // of a part: whose scope it is,
  ScopeId owner_scope;        // and its id there
  uint64_t shards = 0;        // that may know it
  uint64_t held_shards = 0;   // in which it may hold something
  int64_t objects = 0;
  int64_t copies = 0;
  int64_t bytes = 0;
  int64_t bytes_all = 0;
  uint64_t bytes_max = 0;
  Token on_bytes = 0;
  Time created;
  Time deadline = kInfiniteFuture;
  Time done;
  uint64_t last_member = 0;
  absl::btree_map<uint64_t, Member> members;
  std::vector<Token> waiting;  // to be told of the end
  std::deque<ObjectId> kept;   // moved out by Keep, and there when last looked at
  absl::btree_map<UsedObject, ScopeUse> uses;
  absl::btree_map<ScopeIndex, uint32_t> used_by;  // scopes that use objects of it: how many
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_SCOPE_EVENT_H_
