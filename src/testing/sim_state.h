// The state of a simulated world: its ends, and what is true in it.
//
// What is true is known from what hosts did and from nothing that the library says, so that the
// oracle can hold the one against the other.
//
// Thread safety: one thread. Ownership: owns every end; ends go before what they use.

#ifndef FREEHOLD_SRC_TESTING_SIM_STATE_H_
#define FREEHOLD_SRC_TESTING_SIM_STATE_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/callbacks.h"
#include "freehold/ids.h"
#include "freehold/log.h"
#include "freehold/membership.h"
#include "freehold/node_agent.h"
#include "freehold/object_ref.h"
#include "freehold/reference_counter.h"
#include "freehold/testing/inline_executor.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/testing/manual_executor.h"
#include "freehold/testing/sim_world.h"
#include "src/testing/sim_membership.h"
#include "src/testing/sim_network.h"
#include "src/testing/sim_store.h"
#include "src/testing/sim_trace.h"

namespace freehold::testing::sim {

// --- Ends ----------------------------------------------------------------------------------------

// What processes and nodes have in common. Views are numbers of the membership's; 0: none.
struct End {
  explicit End(LocalMembership* inner) : membership(inner) {}

  int64_t end = 0;  // as in sim_text.h
  Address address;
  LateMembership membership;
  std::shared_ptr<ManualExecutor> queue;  // null: callbacks run where they are posted
  bool crashed = false;                   // or has left
  uint64_t excluded_by = 0;               // the view
  uint64_t joined_at = 0;                 // the latest view then
  uint64_t heard = 0;                     // the latest view that it has heard
  uint64_t barrier = 0;                   // the latest barrier that it has heard

  bool live() const { return !crashed && excluded_by == 0; }
  // It has heard the view that excludes `other`.
  bool HeardOf(const End& other) const {
    return other.excluded_by != 0 && other.excluded_by <= heard;
  }
  bool knows() const { return HeardOf(*this); }
  // It takes calls of its host.
  bool usable() const { return !crashed && !knows(); }
  // For this end, everybody has dealt with the exclusion of `other`.
  bool PastBarrier(const End& other) const {
    return other.excluded_by != 0 &&
           (other.excluded_by <= barrier || other.excluded_by <= joined_at);
  }
};

struct Process : End {
  using End::End;
  ProcessId id;
  std::unique_ptr<ReferenceCounter> counter;  // null: crashed
  uint64_t misuses = 0;
  uint64_t free_outcomes = 0;  // final ones, if it is told of them
  bool is_told_of_frees = false;
};

struct Node : End {
  using End::End;
  NodeId id;
  Store store;
  std::unique_ptr<NodeAgent> agent;  // null: crashed
  Store::Answer fault = Store::Answer::kDelete;
  bool has_failed = false;
  uint64_t deletes = 0;
  std::vector<Store::Key> doomed_before_view;  // of owners that it has heard are excluded
};

// --- What is true --------------------------------------------------------------------------------

// What one process holds of one object.
struct Holding {
  std::vector<ObjectRef> handles;
  uint32_t by_id = 0;
  uint32_t tasks = 0;
  WeakRef weak;
  bool failed = false;  // it was told, rightly, that the reference is of no use any more
  bool held() const { return !handles.empty() || by_id > 0 || tasks > 0; }
};

struct Object {
  // A copy that its owner knew when the object ended for the `end`-th time.
  struct Owed {
    int64_t node;
    Store::Key key;
    uint64_t instance;
    uint64_t end;
  };
  int64_t number = 0;
  ObjectId id;
  int64_t owner = 0;
  uint64_t size = 1;
  uint32_t generation = 0;
  bool freed = false;    // the present value, explicitly
  uint64_t frees = 0;    // of any value
  uint64_t ends = 0;     // frees, and the end of scope
  bool inexact = false;  // held in ways that its owner hears of late: shared, or in such an object
  bool ended = false;    // out of scope, for the library as well
  int tokens = 0;        // that were ever made
  uint64_t touched = 0;  // nodes that ever had to do with it, by place
  int64_t scope = 0;     // 0: the root
  bool scope_held = false;              // by that scope, as long as it runs
  std::map<int64_t, Holding> holdings;  // by process
  std::vector<int64_t> inners;
  std::vector<int64_t> outers;
  std::vector<std::pair<int64_t, uint32_t>> frees_sent;  // node, generation
  std::vector<Owed> owed;
};

// A group of objects of one process; see sim_scopes.h.
struct SimScope {
  int64_t process = 0;
  int64_t parent = 0;  // 0: the root
  bool hold = false;
  bool ended = false;
  Time deadline = kInfiniteFuture;
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

// A reference on its way from one process to another.
struct Token {
  int64_t object;
  int64_t from;
  int64_t to;
  std::string bytes;
  uint64_t handoff = 0;
  bool redeemed = false;
  bool cancelled = false;  // or refused
};

class QuietLogger final : public Logger {
 public:
  void Log(LogLevel, std::string_view) override {}
};

struct State {
  explicit State(const SimWorldOptions& world_options);
  ~State();
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Null: there is none of that number.
  Process* process(int64_t number) const {
    const auto found = process_by_number.find(number);
    return found == process_by_number.end() ? nullptr : found->second;
  }
  Node* node(int64_t number) const {
    const auto found = node_by_number.find(number);
    return found == node_by_number.end() ? nullptr : found->second;
  }
  End* end(int64_t number) const {
    return number > 0 ? static_cast<End*>(process(number)) : static_cast<End*>(node(-number));
  }
  Object* object(int64_t number);
  Object* Find(const ObjectId& id);
  // REQUIRES: it is one of the world's.
  int64_t EndOf(const Address& address) const;
  // The owner's process; never null.
  Process& OwnerOf(const Object& object) const { return *process(object.owner); }

  // Every end goes, as if it crashed.
  void EndAll();
  // What owners are told besides; set by whoever watches, called with the process.
  std::function<void(const Process&, const ObjectId&, const NodeId&, FreeOutcome)> on_copy_freed;
  std::function<void(const std::vector<ObjectId>&)> on_to_recover;
  // REQUIRES: there is none of that number, which is positive.
  void AddProcess(int64_t number);
  void AddNode(int64_t number);

  const SimWorldOptions options;
  ManualClock clock;
  QuietLogger logger;
  LocalMembership membership;
  Network network;
  std::vector<std::unique_ptr<Process>> processes;  // in order of joining
  std::vector<std::unique_ptr<Node>> nodes;
  std::map<int64_t, Process*> process_by_number;
  std::map<int64_t, Node*> node_by_number;

  std::map<int64_t, Object> objects;
  std::vector<int64_t> alive;  // objects that have not ended, in order of declaration
  std::map<int64_t, SimScope> scopes;
  std::map<int64_t, Task> tasks;
  std::map<int64_t, Reader> readers;
  std::map<int64_t, Registration> registrations;
  std::map<int64_t, Subscription> subscriptions;
  std::map<int64_t, Query> queries;
  std::map<int64_t, Token> tokens;
  // Fetches under way: node, object, generation.
  std::vector<std::array<int64_t, 3>> fetches;

  TraceLines trace;
  Coverage coverage;
  uint64_t crashes = 0;
  uint64_t partitions = 0;
  std::string violation;
  bool finishing = false;
  int nested = 0;  // calls that callbacks make
};

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_STATE_H_
