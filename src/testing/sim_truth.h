// What is true in a simulated world: objects and who holds them, tasks, readers, registrations,
// questions, moves and tokens, as the oracle knows them, whatever the library believes.
//
// Thread safety: values.

#ifndef FREEHOLD_SRC_TESTING_SIM_TRUTH_H_
#define FREEHOLD_SRC_TESTING_SIM_TRUTH_H_

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "freehold/callbacks.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/location.h"
#include "freehold/node_agent.h"
#include "freehold/object_ref.h"
#include "freehold/scope_options.h"
#include "src/testing/sim_store.h"

namespace freehold::testing::sim {

// What one process holds of one object.
struct Holding {
  std::vector<ObjectRef> handles;
  uint32_t by_id = 0;
  uint32_t tasks = 0;
  WeakRef weak;
  bool failed = false;  // it was told, rightly, that the reference is of no use any more
  uint64_t spell = 0;   // how often it has begun to hold one
  bool held() const { return !handles.empty() || by_id > 0 || tasks > 0; }
};

struct Object {
  // A copy that its owner knew when the object ended for the `end`-th time.
  struct Owed {
    int64_t node;
    Store::Key key;
    uint64_t instance;
    uint64_t end;
    std::string url = {};  // of a file at no node, which is what was known
  };
  int64_t number = 0;
  ObjectId id;
  int64_t owner = 0;
  // --- Transfers; see sim_transfers.h ------------------------------------------------------------
  std::vector<int64_t> owners;  // that it has had; empty: it was never given away
  bool moving = false;          // its owner has given it away, and is not answered
  int64_t former = 0;           // the owner before, which may take it back if `unsettled`
  bool unsettled = false;
  bool freed_unsettled = false;  // its value is back if that one takes it back
  bool was_in_scope = false;
  bool was_in_shared_file = false;
  uint64_t url_bytes = 0;     // of all files of nodes that it was ever in
  uint64_t told_by_host = 0;  // the places of nodes that its owner's host has named to it
  int64_t declared_on = 0;    // the node that was to have its first value; 0: none
  int open_transfers = 0;     // that its hosts have asked for, and not heard of
  bool drained = false;       // an owner of it gives it away in a drain, of which nobody hears
  int told_stale = 0;         // how often somebody was told, late, whose it is
  // Who is known to hold it, with the spell of its holding: to who owns it now, to who was or is to
  // own it.
  std::map<int64_t, uint64_t> listed;
  std::map<int64_t, uint64_t> handed;
  using Pins = std::map<int64_t, uint32_t>;  // by the number of who pins
  struct Shadow {
    std::map<int64_t, uint64_t> holders;
    std::set<Pins> pins;      // whenever it was sent
    int64_t primary_of = -1;  // as below
  };
  std::set<int64_t> heirs;             // that were ever named
  int heirs_asked = 0;                 // how often hosts have named some, or dismissed them
  std::vector<int64_t> heir_list;      // that was named last
  std::map<int64_t, size_t> list_at;   // by who tells heirs of that list: which one was told last
  std::map<uint64_t, Shadow> shadows;  // of its versions, not kept yet
  std::set<Pins> pins_kept;            // of the one that was kept last
  uint64_t version_kept = 0;
  uint64_t size = 1;
  uint32_t generation = 0;
  int64_t primary_of = -1;      // the generation of which its owner has known a primary; -1: none
  int64_t primary_handed = -1;  // ... and of which who was, or is, to own it has
  // By who owned it when that began: when its host has run so many jobs, it has heard of each loss
  // of an earlier value.
  std::map<int64_t, uint64_t> told_after;
  bool freed = false;    // the present value, explicitly
  uint64_t frees = 0;    // of any value
  uint64_t ends = 0;     // frees, and the end of scope
  bool inexact = false;  // held in ways that its owner hears of late: shared, or in such an object
  bool ended = false;    // out of scope, for the library as well
  int revivals = 0;      // it was, and is in scope again
  int tokens = 0;        // that were ever made; or it was declared for another process
  int64_t declarer = 0;  // for its owner, which has not answered; -1: nobody waits for that
  int64_t declared_by = 0;         // the same, for ever
  int64_t declared_for = 0;        // its first owner, then
  uint64_t declared_in_drain = 0;  // the number of its first owner's drain then; 0: there was none
  int told = 0;                    // how often it was
  bool refused = false;            // its owner has not taken it
  bool late = false;               // its owner is suspected, and takes it if it hears of it yet
  bool disagreed = false;          // its owner's host took a location back, right or wrong
  bool evicted = false;            // a copy of it was, by its host
  uint64_t touched = 0;            // nodes that ever had to do with it, by place
  int64_t scope = 0;               // 0: the root
  bool scope_held = false;         // by that scope, as long as it runs
  int64_t scope_before = 0;        // that it did not come in with its owner; 0: it came in its own
  bool held_before = false;        // by that one
  int label = 0;                   // under which it is counted; 0: none
  std::vector<int64_t> users;      // scopes that use it, or did
  uint64_t used_perhaps = 0;       // at rest: by scopes in rings of which the library says so
  Pins pins;
  bool free_waits = false;     // for the last of them
  bool free_first = false;     // then, evict-first
  bool recorded = false;       // its owner's host has said how it made it
  int64_t made_of = 0;         // then; 0: it cannot be made again
  bool was_argument = false;   // of something that was recorded
  bool lineage_moved = false;  // it had an owner before, who had its lineage
  bool record_moved = false;   // ... after it had ended, the last time
  int64_t lent_of = 0;         // what it was made of then, which who lent its task may need
  uint32_t retries = 0;
  int64_t yielded_by = 0;               // recorded: the object whose task yielded it; 0: none
  uint32_t retries_given = 0;           // when it was recorded
  int persists = 0;                     // who wait for its value to be persisted; see sim_persist.h
  bool persist_fails = false;           // its host will not be able to
  bool persisted = false;               // its host has the value
  bool let_go = false;                  // its task was, for that
  int64_t stream = 0;                   // the generator that it waits in to be taken; 0: none
  int64_t stateful = 0;                 // 0: no call of a stateful task made it
  uint64_t state = 0;                   // that the call made as well
  std::map<int64_t, Holding> holdings;  // by process
  std::vector<int64_t> inners;
  std::vector<int64_t> outers;
  std::vector<std::pair<int64_t, uint32_t>> frees_sent;  // node, generation
  std::vector<Owed> owed;
  // Generations whose values were freed evict-first; see sim_evict_first.h.
  std::set<uint32_t> first_frees;
  // Then: copies that its owner knew when we looked last, by node and instance.
  std::vector<std::pair<int64_t, uint64_t>> copies_known;

  // What is told of its end may come late.
  bool has_ended() const { return ended || revivals > 0; }
};

// A file that any node can read; see sim_files.h.
struct SimFile {
  int64_t object = 0;
  uint32_t generation = 0;
  int64_t node = 0;      // that wrote it
  bool known = false;    // to its owner, when that heard that the node is gone
  bool carried = false;  // its owner has told another node of it
};

// See sim_stateful.h.
struct SimStateful {
  int64_t process = 0;
  bool ended = false;
  bool restartable = true;
  std::vector<int64_t> calls;  // the object that each made, in the order of states
  std::set<uint64_t> checkpoints;
};

// A group of objects of one process, or its part of another one's; see sim_scopes.h.
struct SimScope {
  int64_t process = 0;
  ScopeId id;
  int64_t part_of = 0;                    // 0: it is none
  std::set<int64_t> came_late;            // processes whose parts came after it was done
  std::map<int64_t, std::string> tokens;  // that were made of it last, by receiver
  int64_t parent = 0;                     // 0: the root
  bool hold = false;
  bool ended = false;
  Time deadline = kInfiniteFuture;
  ScopeEnd why = ScopeEnd::kNone;    // if its host ended it
  int label = 0;                     // of what is declared in it; 0: none
  uint64_t bytes_max = 0;            // its host is told when it has more; 0: it is not
  uint64_t bytes_ever = 0;           // of all that was ever in it, or in a scope in it
  uint64_t times_told = 0;           // of too many
  std::vector<int64_t> uses;         // objects; see sim_uses.h
  std::set<int64_t> let_go;          // of those, with the ring that it ended in
  std::set<int64_t> let_go_perhaps;  // ... or before something came into it
  bool lingers = false;              // at rest: it has ended, and waits for readers of its objects
};

// Something of a host's in a scope; see sim_members.h.
struct SimMember {
  int64_t scope = 0;
  uint64_t number = 0;  // the library's
  int runs = 0;         // of its hook
  bool removed = false;
};

// A generator: what the object of that number has yielded; see sim_streams.h.
struct Stream {
  bool open = false;            // its object has been in scope ever since it was opened
  bool runs = false;            // its task does, and may yield
  int64_t maker = 0;            // the object whose task that is, if its lineage is kept; 0: none
  std::deque<int64_t> untaken;  // objects, oldest first; meaningful while it is open
  std::vector<int64_t> yielded;
};

struct Task {
  int64_t process;
  TaskReferences references;
  std::vector<int64_t> objects;
};

struct Reader {
  int64_t node;
  Store::Key key;
  ReadLease lease;
};

struct Registration {
  enum class State : uint8_t { kWaiting, kCancelled, kRan };
  int64_t object = 0;
  int64_t process = 0;
  Moment moment = Moment::kOutOfScope;
  State state = State::kWaiting;
  uint64_t order = 0;        // of registering
  bool has_context = false;  // registered through the C interface
  int contexts_destroyed = 0;
  uint64_t ends_before = 0;  // ends of which it cannot be told
  uint64_t spell = 0;        // of the holding that may fail
  bool from_afar = false;    // another process than the owner watches
  CallbackRegistration answer;
};

// What one subscriber to the locations of an object has been told.
struct Subscription {
  int64_t object = 0;
  int64_t process = 0;
  CallbackRegistration answer;
  uint64_t messages = 0;
  bool gone = false;
  bool ended = false;  // or refused
  ObjectState state = ObjectState::kPending;
  std::map<NodeId, Location> locations;
};

// What one end has asked an owner elsewhere.
struct Query {
  int64_t fetch_to = 0;  // a node's number, until the first answer; 0: none
  int64_t object = 0;
  int64_t end = 0;
  bool always = false;
  uint64_t answer = 0;     // the library's number
  bool done = false;       // it has been answered for the last time, or refused
  bool cancelled = false;  // it may hear nothing more
  ObjectState state = ObjectState::kPending;
  std::vector<Location> locations;
};

// What one node has asked an owner: that its copy be the primary.
struct PrimaryMove {
  int64_t object = 0;
  int64_t node = 0;
  uint32_t generation = 0;
  int64_t from = 0;       // a node
  uint64_t instance = 0;  // of the copy
  bool evicted = false;   // the copy, since
  bool answered = false;
  MoveOutcome outcome = MoveOutcome::kMoved;  // meaningful once it was answered
};

// An object that its owner's host gives away.
struct SimTransfer {
  int64_t object = 0;
  int64_t from = 0;
  int64_t to = 0;
  int told = 0;          // how often its host was told what became of it
  bool movable = false;  // nothing is in its way, as far as hosts know
};

// A reference on its way from one process to another.
struct Token {
  int64_t object;
  int64_t from;
  int64_t to;
  std::string bytes;
  uint64_t handoff = 0;
  Time ends = kInfiniteFuture;  // from then on its sender may give it up
  bool redeemed = false;
  bool cancelled = false;  // or refused
  uint64_t spell = 0;      // of its receiver's holding, which it brought; 0: none
  bool answered = false;   // its receiver has said what became of it
  bool overtaken = false;  // its sender had said before that the object has moved
};

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_TRUTH_H_
