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
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/callbacks.h"
#include "freehold/drain.h"
#include "freehold/ids.h"
#include "freehold/log.h"
#include "freehold/membership.h"
#include "freehold/node_agent.h"
#include "freehold/node_drain.h"
#include "freehold/object_ref.h"
#include "freehold/reference_counter.h"
#include "freehold/testing/inline_executor.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/testing/manual_executor.h"
#include "freehold/testing/sim_world.h"
#include "freehold/token_sealer.h"
#include "src/testing/sim_membership.h"
#include "src/testing/sim_network.h"
#include "src/testing/sim_store.h"
#include "src/testing/sim_trace.h"
#include "src/testing/sim_truth.h"

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
  uint64_t barrier = 0;                   // the latest barrier that it has heard, or timed
  bool times_barriers = false;            // orphan_grace instead of the membership's
  // Then: views that a pump turn has taken, and when the barrier of each comes.
  std::deque<std::pair<uint64_t, Time>> graces;

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
           (other.excluded_by <= barrier || (!times_barriers && other.excluded_by <= joined_at));
  }
};

// The latest drain of a process; see sim_drain.h.
struct SimDrain {
  bool on = false;
  bool complete = false;   // it has left
  bool gives = false;      // it, or one before, has had a next owner
  bool by_policy = false;  // an idle worker is retired
  int64_t to = 0;          // the next owner; 0: none
  uint64_t number = 0;     // of those that were begun; 0: there was none
  Time again{};            // when its host asks what is in the way
  uint32_t asks = 0;       // ... and how often, unless less is
  uint64_t least_left = 0;
  DrainReport report;  // as it was told last
};

struct Process : End {
  using End::End;
  ProcessId id;
  std::unique_ptr<ReferenceCounter> counter;  // null: crashed
  // It has got a reference again to what it owned once, and does not know that any more.
  bool has_forgotten = false;
  uint64_t misuses = 0;
  uint64_t disagreements = 0;  // locations that its host took back
  uint64_t free_outcomes = 0;  // final ones, if it is told of them
  bool is_told_of_frees = false;
  SimDrain drain;
  Time idle_since{};  // no task of its has run since then; meaningful if none does
};

// The latest drain of a node (sim_actor_drain.cc).
struct SimNodeDrain {
  struct Wanted {
    ObjectId object;
    uint32_t generation = 0;
    NodeId other;  // that has the bytes; nil: there is none
  };
  std::unique_ptr<NodeDrain> drain;  // null: there was none
  NodeDrainState state = NodeDrainState::kDraining;
  std::vector<Wanted> wanted;  // copies that are to be made safe
  uint64_t dead_before = 0;    // ends that were not live when it began
  int64_t owner = 0;           // a process on it; 0: there is none
};

struct Node : End {
  using End::End;
  NodeId id;
  Store store;
  std::unique_ptr<NodeAgent> agent;  // null: crashed
  SimNodeDrain drain;                // goes before its agent
  Store::Answer fault = Store::Answer::kDelete;
  bool has_failed = false;
  uint64_t deletes = 0;
  // Frees that it may refuse: of one that does not know the object any more, and was its last
  // owner.
  uint64_t frees_by_forgetful = 0;
  std::vector<Store::Key> doomed_before_view;  // of owners that it has heard are excluded

  bool is_draining() const {
    return drain.drain != nullptr && drain.state == NodeDrainState::kDraining;
  }
  void Stop() {
    drain.drain.reset();
    agent.reset();
  }
};

// Seals what nobody in a world would forge: altered bytes must not open, no more.
class Sealer final : public TokenSealer {
 public:
  std::string Seal(std::string_view token) override;
  std::optional<std::string> Open(std::string_view sealed) override;
};

class QuietLogger final : public Logger {
 public:
  void Log(LogLevel, std::string_view) override {}
};

// A copy that a node had, and its owner knew, when it listed its copies for that one.
struct SimListedCopy {
  int64_t object = 0;
  uint32_t generation = 0;
  int64_t owner = 0;
  int64_t node = 0;
  uint64_t instance = 0;
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
  // It had ended.
  void ReturnToScope(Object* object);
  // REQUIRES: it is one of the world's.
  int64_t EndOf(const Address& address) const;
  // The owner's process; never null.
  Process& OwnerOf(const Object& object) const { return *process(object.owner); }

  // Nothing has become of the token yet, and it is as good as ever.
  bool IsUnderWay(const Token& token) const {
    return !token.redeemed && !token.cancelled && clock.Now() < token.ends;
  }

  // Every end goes, as if it crashed.
  void EndAll();
  // What owners are told besides; set by whoever watches, called with the process.
  std::function<void(const Process&, const ObjectId&, const NodeId&, FreeOutcome)> on_copy_freed;
  std::function<void(const std::vector<ObjectId>&)> on_to_recover;
  std::function<void(Process*, const ObjectId&, uint32_t generation)> on_persist;
  // REQUIRES: there is none of that number, which is positive.
  void AddProcess(int64_t number);
  void AddNode(int64_t number);

  const SimWorldOptions options;
  ManualClock clock;
  QuietLogger logger;
  Sealer sealer;
  LocalMembership membership;
  Network network;
  std::vector<std::unique_ptr<Process>> processes;  // in order of joining
  std::vector<std::unique_ptr<Node>> nodes;
  std::map<int64_t, Process*> process_by_number;
  std::map<int64_t, Node*> node_by_number;

  std::map<int64_t, Object> objects;
  std::vector<int64_t> alive;  // objects that have not ended, in order of declaration
  std::map<int64_t, SimScope> scopes;
  std::map<int64_t, SimMember> members;
  std::map<int64_t, Stream> streams;  // by their objects' numbers
  std::map<int64_t, SimStateful> statefuls;
  std::map<int64_t, SimTransfer> transfers;
  std::set<int64_t> given_away;  // objects that ever were to be; not those that have ended
  // Answers to transfers that were seen on the wire: object, next owner, term.
  std::set<std::array<int64_t, 3>> taken_seen;
  std::set<int64_t> records_sent;  // of objects that have ended; see sim_lineage_moved.h
  std::set<int64_t> evictable;     // objects whose values may be; some may have ended since
  std::map<int64_t, Task> tasks;
  std::map<int64_t, Reader> readers;
  std::map<int64_t, Registration> registrations;
  std::map<int64_t, Subscription> subscriptions;
  std::map<int64_t, Query> queries;
  std::map<int64_t, PrimaryMove> moves;
  std::map<int64_t, Token> tokens;
  std::vector<SimListedCopy> listed_copies;  // since the last rest, as digests were compared
  std::map<std::string, SimFile> files;      // by their URLs
  std::set<std::pair<int64_t, std::string>> file_deletes;  // asked of that node
  // Fetches under way: node, object, generation.
  std::vector<std::array<int64_t, 3>> fetches;

  TraceLines trace;
  Coverage coverage;
  uint64_t crashes = 0;
  uint64_t partitions = 0;
  std::string violation;
  Time last_activity{};  // when something was last sent that is more than a digest
  bool finishing = false;
  int nested = 0;  // calls that callbacks make
};

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_STATE_H_
