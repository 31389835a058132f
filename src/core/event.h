// Events: everything that can happen to an ObjectTable. One struct each; ObjectTable::Step has one
// overload for each. PROTOCOL.md has the table of events, verdicts and effects.
//
// Events that come by id carry a Key, whose hash the runtime has computed to choose the shard.
// Events that come by handle carry the record, which the handle keeps alive.
//
// Thread safety: values that borrow what they point at for the duration of the step.

#ifndef FREEHOLD_SRC_CORE_EVENT_H_
#define FREEHOLD_SRC_CORE_EVENT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "freehold/callbacks.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/location.h"
#include "src/core/item.h"
#include "src/core/peer.h"
#include "src/core/rare.h"
#include "src/core/scope_change.h"

namespace freehold::core {

struct Key {
  const ObjectId& id;
  uint64_t hash;
};

namespace event {

// A new object with one handle.
struct Declare {
  Key key;
  uint64_t size = 0;
  PeerIndex primary = kNoPeer;
  uint32_t call_site = kNone;
  // Where it belongs. The root scope with no label and no hold: nothing is kept of it.
  ScopeIndex scope = kRootScope;
  LabelIndex label = kNoLabel;
  bool hold = false;  // the scope holds it
};
struct Recreate {
  Key key;
};
struct FreeExplicitly {
  Key key;
  FreeMode mode = FreeMode::kNow;
};

// The runtime will add a handle to the record that the step answers.
struct AddHandle {
  Key key;
};
// The last handle went: the cell's count is 0.
struct DropLastHandle {
  ObjectRecord* record;
};
struct AddById {
  Key key;
  uint32_t count;
};
struct RemoveById {
  Key key;
  uint32_t count;
};
struct AddTask {
  Key key;
};
struct DropTask {
  ObjectRecord* record;
};
// The object becomes contained in one more outer object.
struct AddNestedHold {
  Key key;
};
struct DropNestedHold {
  RecordIndex record;
};
// `outer` contains `inners`, each held by AddNestedHold. Those that it contained already are
// answered in `duplicates`, their holds are the runtime's to give back.
struct AddInners {
  Key outer;
  absl::Span<const InnerRef> inners;
  std::vector<InnerRef>* duplicates;
};

// What is known of one node's part, from the host or from the node itself. Neither in memory nor
// spilled: the node has asked for the bytes (prospective).
struct SetLocation {
  Key key;
  PeerIndex node;
  uint32_t generation;
  uint64_t size;
  CopyRole role;
  bool in_memory = false;
  bool spilled = false;
  // True: facts add to what is known; the node says so itself. False: they replace it.
  bool merge = false;
  bool shared = false;  // the file is FileReach::kShared
  std::string_view url = {};
  uint32_t term = kFirstTerm;  // of the owner that the node took it for
};
struct RemoveLocation {
  Key key;
  PeerIndex node;
  uint32_t generation;
  bool reported = false;  // the node says so itself
};

// A node's answer to a free.
struct FreeAnswered {
  Key key;
  PeerIndex node;
  uint32_t generation;
  FreeResult result;
};

// A node's agent asks that its copy become the primary in place of the one at `from`; kNoPeer:
// there is none.
struct MovePrimary {
  Key key;
  PeerIndex node;
  uint32_t generation;
  uint64_t number;
  PeerIndex from;
  uint32_t term = kFirstTerm;  // of the owner, as the node knows it
  bool has_waited = false;     // for the object's heir (object_table_heirs.h)
};

// --- References that cross processes -------------------------------------------------------------

// A token for `receiver` is made; its pin is given up for lost at `ends` if nothing was heard.
struct Export {
  Key key;
  PeerIndex receiver;
  Time ends = kInfiniteFuture;
};
// The token of a handoff was lost: its receiver is to refuse it.
struct CancelHandoff {
  Key key;
  PeerIndex receiver;
  uint64_t number;
};
// A token that `sender` made for this process. `owner` is kNoPeer when this process is.
struct Import {
  Key key;
  PeerIndex owner;
  PeerIndex sender;
  uint64_t number;
  uint32_t term = kFirstTerm;
};
// An id that was read out of the value of an outer object, which is held by AddNestedHold until the
// owner of the inner one lists this process. `sender`: the outer's owner.
struct ImportNested {
  Key key;
  PeerIndex owner;
  PeerIndex sender;
  InnerRef outer;
};

// A new object that `owner`, another process, is to own.
struct DeclareFor {
  Key key;
  PeerIndex owner;
  uint64_t size;
};

// What arrived. `from` is the peer that sent it.
//
// A new object that `from` has declared for this process. `refusal` is not kOk if it takes none.
// `keep`: the runtime will add a handle to the record that the step answers.
struct DeclaredBy {
  Key key;
  PeerIndex from;
  uint64_t number;
  uint64_t size;
  DeclareAnswer refusal = DeclareAnswer::kOk;
  bool keep = false;
};
struct DeclareAnswered {
  Key key;
  PeerIndex from;
  uint64_t number;
  DeclareAnswer answer;
};
struct BorrowerRegistered {
  Key key;
  PeerIndex from;
  uint64_t number;
};
struct BorrowerReleased {
  Key key;
  PeerIndex from;
};
struct RegisterAnswered {
  Key key;
  PeerIndex from;
  uint64_t number;
  RegisterAnswer answer;
  uint32_t term = kFirstTerm;
};
struct HandoffEnded {
  Key key;
  PeerIndex from;
  uint64_t number;
  HandoffAnswer answer;
};
struct HandoffCancelled {
  Key key;
  PeerIndex from;
  uint64_t number;
};

// Somebody asks where the object is, once or until further notice. `fetch_to` becomes prospective
// before the answer leaves; kNoPeer: none.
struct AskLocations {
  Key key;
  PeerIndex from;
  uint64_t number;
  bool subscribe;
  PeerIndex fetch_to;
  bool by_node = false;
};
struct StopAsking {
  Key key;
  PeerIndex from;
  uint64_t number;
};

// --- Callbacks -----------------------------------------------------------------------------------

struct Register {
  Key key;
  Moment moment;
  uint64_t number;
  Token token;
};
// Callbacks and subscriptions alike.
struct Cancel {
  Key key;
  uint64_t number;
};
struct Subscribe {
  Key key;
  uint64_t number;
  Token token;
};

}  // namespace event
}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_EVENT_H_
