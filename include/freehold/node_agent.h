// The node's side: which copies lie here, for whom, and their deletion when their owner says so.
//
// One NodeAgent per node. The host's store tells it what appears, is spilled, is being read or was
// evicted; the agent reports that to the objects' owners, takes their frees, has the store delete
// in batches, retries what fails, and answers each free when the bytes are gone. A copy with
// readers is doomed, and deleted when the last one leaves. When an owner is excluded, all that it
// owned here is deleted at the barrier (or after `orphan_grace`), once.
//
// Thread safety: thread-safe. No method but Pump and Shutdown calls the store or the transport, and
// none is called with a lock held.
// Ownership: the collaborators in the options are borrowed and must outlive the agent, but for the
// executor, which is shared; any of them may be null, which does nothing.
// Blocks: only Shutdown, and Pump for as long as ObjectStore::Delete does.
// Errors: NotFound (no such copy), AlreadyExists, FailedPrecondition (its owner is excluded, this
// node is excluded, or shut down; or the copy is not in a state for it), Aborted (the object was
// freed meanwhile), InvalidArgument, ResourceExhausted (too many owners, copies or readers).

#ifndef FREEHOLD_NODE_AGENT_H_
#define FREEHOLD_NODE_AGENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "freehold/callback_executor.h"
#include "freehold/callbacks.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/location.h"
#include "freehold/log.h"
#include "freehold/membership.h"
#include "freehold/object_store.h"
#include "freehold/session_options.h"
#include "freehold/stats.h"
#include "freehold/transport.h"

namespace freehold {

struct NodeAgentOptions {
  NodeId node;                       // required, not nil
  ObjectStore* store = nullptr;      // null: copies are forgotten, nothing is deleted
  Transport* transport = nullptr;    // null: nothing is reported, no free arrives
  Membership* membership = nullptr;  // null: nobody is ever excluded
  // Zero: an excluded owner's copies go at the membership's barrier. Positive: for a host without
  // barriers; they go this long after this node saw the view that excludes it. The promise is
  // weaker: a survivor that takes longer to deal with the view may find them gone (PROTOCOL,
  // "Model"). The same for all ends; not negative.
  Duration orphan_grace = Duration::zero();
  // For the answers to location queries and primary moves, and for `on_promoted`. Null: those are
  // refused, but for a move without a callback.
  std::shared_ptr<CallbackExecutor> executor;
  // The owner has made the copy here the primary, because the former one has gone: the store must
  // not evict it from now on. Runs on the executor.
  std::function<void(const ObjectId&, uint32_t generation)> on_promoted;
  const Clock* clock = nullptr;  // default: Clock::Monotonic()
  Logger* logger = nullptr;      // default: Logger::Default()
  // True: the agent pumps itself on a thread of its own. False: the host calls Pump.
  bool start_pump_thread = false;
  SessionOptions session;
  // How long after a failed deletion it is tried again; doubles up to the maximum, plus jitter.
  Duration delete_retry_delay_min = std::chrono::milliseconds(100);
  Duration delete_retry_delay_max = std::chrono::seconds(10);
  // How often each owner of copies here is told what it was told, summed up, so that the two ends
  // find out if they believe different things, and mend it. Agents and owners are spread over the
  // interval. Zero: never; not negative.
  Duration digest_interval = std::chrono::seconds(60);
  // Copies handed to one ObjectStore::Delete call.
  uint32_t delete_batch_max = 2048;
  // Seeds jitter. 0: taken from the machine.
  uint64_t seed = 0;
};

// A copy that the host's store holds.
struct NodeCopy {
  ObjectId object;
  uint32_t generation = 0;
  ProcessId owner;
  CopyRole role = CopyRole::kSecondary;
  uint64_t size = 0;  // bytes
};

// A copy as the agent lists it.
struct NodeCopyStatus {
  NodeCopy copy;
  bool fetching = false;  // announced by BeginFetch, not here yet
  bool in_memory = false;
  bool doomed = false;  // freed; waits for readers, the fetch, or the store
  uint32_t readers = 0;
  std::string spilled_url;
  FileReach reach = FileReach::kNode;  // of that file
};

struct OwnedCopies {
  ProcessId owner;
  uint64_t copies = 0;
  uint64_t bytes = 0;
};

// Keeps one copy readable for as long as it lives. Movable; thread-compatible. Harmless after the
// agent is gone.
class ReadLease {
 public:
  ReadLease() noexcept;
  ReadLease(ReadLease&& other) noexcept;
  ReadLease& operator=(ReadLease&& other) noexcept;
  ~ReadLease();

  explicit operator bool() const { return rep_ != nullptr; }
  // Ends the lease early. A second call changes nothing.
  void Release();

 private:
  friend class NodeAgent;
  struct Rep;
  explicit ReadLease(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

class NodeAgent {
 public:
  // A copy that Shutdown could not have deleted.
  struct Undeleted {
    ObjectId object;
    uint32_t generation = 0;
    FreeOutcome outcome = FreeOutcome::kShutDown;  // or kStoreFailed
    std::string why;
  };
  struct ShutdownReport {
    std::vector<Undeleted> undeleted;  // in order of their frees
    // Results and reports that no owner acknowledged; an envelope under way counts as one.
    uint64_t unreported = 0;
    bool clean() const { return undeleted.empty() && unreported == 0; }
  };

  // Validates the options (InvalidArgument names the field) and joins the membership.
  static absl::StatusOr<std::unique_ptr<NodeAgent>> Create(const NodeAgentOptions& options);
  // Like Shutdown with a deadline that has passed.
  ~NodeAgent();
  NodeAgent(const NodeAgent&) = delete;
  NodeAgent& operator=(const NodeAgent&) = delete;

  const NodeId& node() const;

  // --- What the host's store tells the agent -------------------------------------------------

  // The store holds the bytes now. Ends a fetch if there was one. Reported to the owner.
  // Errors: AlreadyExists for the same (object, generation); Aborted when it was freed while it
  // was fetched: the agent has the store delete the bytes, the host must not use them.
  absl::Status AddCopy(const NodeCopy& copy);
  // The store has begun to fetch the bytes: a free that arrives meanwhile waits for the fetch.
  absl::Status BeginFetch(const NodeCopy& copy);
  // The fetch failed: nothing came. Taken during a Shutdown as well, like all that tells how a copy
  // fares.
  absl::Status AbortFetch(const ObjectId& object, uint32_t generation = 0);
  // The bytes are in a file now; `still_in_memory`: in the store as well. Reported to the owner.
  // Errors: Aborted when it was freed: the file is deleted with the copy. NotFound: the copy has
  // gone meanwhile, and the file is the host's to delete. AlreadyExists: spilled at another url, or
  // with another reach. A file that other nodes can reach outlives this node: its owner then has
  // another agent look after it, and delete it when the time has come.
  absl::Status MarkSpilled(const ObjectId& object, uint32_t generation, const std::string& url,
                           bool still_in_memory, FileReach reach = FileReach::kNode);
  // The bytes are back in the store; the file stays until the copy goes. Reported to the owner.
  absl::Status MarkRestored(const ObjectId& object, uint32_t generation);
  // The store has dropped the copy by its own choice, wholly. Reported to the owner as removed.
  // FailedPrecondition while it has readers, while the primary moves to it, and with a shared file:
  // that is deleted only when it is freed; to drop the bytes in memory is MarkSpilled.
  absl::Status DropCopy(const ObjectId& object, uint32_t generation = 0);
  // A reader begins, on the newest generation here. Errors: NotFound; Aborted when it was freed.
  absl::StatusOr<ReadLease> Read(const ObjectId& object);

  // --- What the agent asks owners ------------------------------------------------------------

  // Where is it? `query.owner` must be given; with `query.fetch_to` this node, which may fetch
  // then. `callback` runs on the executor. Answers a number for CancelQuery. Errors:
  // InvalidArgument, Unavailable (kOwnerDied), FailedPrecondition without an executor.
  absl::StatusOr<uint64_t> QueryLocations(const LocationQuery& query, LocationCallback callback);
  // True: the callback hears nothing more, but for a call that is under way.
  bool CancelQuery(uint64_t number);
  // The bytes were fetched: asks the owner to make the copy here the primary in place of the one at
  // `from`, another node; nil: there is none. Once the owner has recorded that, it has `from` let
  // go of its copy, files included. When those bytes are gone, that node's store has deleted them,
  // and the owner is told by `ReferenceCounterOptions::on_copy_freed`. Of several that ask, one
  // moves it. While `from` has a file that any node can read, and the object has come to its owner
  // just now, none does: kSecondary, and the host may ask again. Until it is answered DropCopy
  // refuses the copy; a free still takes it. `callback` may be empty; it runs on the executor,
  // once. Errors: NotFound, Aborted, FailedPrecondition (the bytes are not here yet, a move is
  // under way, there is no transport or no executor), InvalidArgument (`from` is this node).
  absl::Status MovePrimary(const ObjectId& object, uint32_t generation, const NodeId& from,
                           MoveCallback callback = {});

  // --- Queries -------------------------------------------------------------------------------

  // Newest generation first; empty when none is here.
  std::vector<NodeCopyStatus> Find(const ObjectId& object) const;
  // All, or those of one owner, in no order. What is here all the while is listed once; calls of
  // others come between. Cost, of both: the most that was ever on the node.
  std::vector<NodeCopyStatus> Copies() const;
  std::vector<NodeCopyStatus> CopiesOwnedBy(const ProcessId& owner) const;
  // Owners with copies here, in order of their first.
  std::vector<OwnedCopies> Owners() const;
  bool excluded() const;  // this node was excluded; it should stop and rejoin under a new id
  NodeAgentStats GetStats() const;

  // --- Pump, transport, end ------------------------------------------------------------------

  // The door for the host's transport. Outlives the agent harmlessly.
  std::shared_ptr<Inbox> inbox() const;
  // Does what is due at `now`: takes arrived envelopes, has the store delete, sends. One caller at
  // a time does the work; a second one makes it go round once more and returns.
  void Pump(Time now);
  // When Pump is needed next; kInfinitePast: now. kInfiniteFuture: only when something arrives.
  Time NextDeadline() const;
  // Stops taking copies and frees; pumps until every doomed copy is deleted and every result
  // acknowledged, or `timeout` has passed; then says what is left. Further calls answer an empty
  // report. After it every method that answers a status answers FailedPrecondition.
  ShutdownReport Shutdown(Duration timeout);

 private:
  class Impl;
  friend class ReadLease;
  friend struct runtime::Inside;
  explicit NodeAgent(std::shared_ptr<Impl> impl);
  const std::shared_ptr<Impl> impl_;
};

}  // namespace freehold

#endif  // FREEHOLD_NODE_AGENT_H_
