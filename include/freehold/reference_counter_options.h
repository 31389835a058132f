// The options of a ReferenceCounter. Every collaborator is optional; what a missing one means
// stands beside it. ReferenceCounter::Create validates and names the field that is wrong.

#ifndef FREEHOLD_REFERENCE_COUNTER_OPTIONS_H_
#define FREEHOLD_REFERENCE_COUNTER_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "freehold/callback_executor.h"
#include "freehold/callbacks.h"
#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/location.h"
#include "freehold/log.h"
#include "freehold/membership.h"
#include "freehold/object_ref.h"
#include "freehold/scope_options.h"
#include "freehold/session_options.h"
#include "freehold/token_sealer.h"
#include "freehold/transport.h"

namespace freehold {

using LineageTakenCallback = std::function<void(const TaskId& task, const ProcessId& from)>;
using DeclaredCallback = std::function<void(ObjectRef ref, const ProcessId& declarer)>;

struct ReferenceCounterOptions {
  ProcessId process;  // required, not nil
  // Null: nobody is asked to delete anything; every copy counts as gone as soon as it is to be
  // freed. This is the set-up for unit-testing reference counts.
  Transport* transport = nullptr;
  Membership* membership = nullptr;  // null: nobody is ever excluded
  // Zero: what excluded processes leave behind ends at the membership's barrier. Positive: for a
  // host without barriers; this end takes the barrier of a view as having come this long after it
  // saw the view. The promise is weaker: it holds only if every survivor has dealt with the view by
  // then (PROTOCOL, "Model"). The same for all ends; not negative.
  Duration orphan_grace = Duration::zero();
  // Null: registering a callback is FailedPrecondition, `on_to_recover`, `on_lineage_released`,
  // `on_lineage_taken`, `on_persist`, `on_copy_freed`, `on_declared` and `on_transferred` are
  // refused by Create.
  std::shared_ptr<CallbackExecutor> executor;
  const Clock* clock = nullptr;  // default: Clock::Monotonic(); must outlive the counter
  Logger* logger = nullptr;      // default: Logger::Default(); must outlive what is queued
  // True: the counter pumps itself on a thread of its own. False: the host calls Pump.
  bool start_pump_thread = false;
  // Called, from any thread and with no lock held, when a Pump became due at once. Must not block.
  std::function<void()> on_pump_due;
  // Objects that lost their last copy with an excluded node and are still in scope. Runs on the
  // executor. Without it they are found by Ids(ObjectState::kLost).
  std::function<void(const std::vector<ObjectId>&)> on_to_recover;
  // Tasks whose lineage was let go of or evicted (lineage.h): nothing needs the host's record of
  // them any more. Each is told once, in no particular order. Runs on the executor.
  std::function<void(const std::vector<TaskId>&)> on_lineage_released;
  // A task whose lineage is kept here from now on, because what it made is this process's, and who
  // owned that before (transfer.h). The host gets what it needs to run the task from that one's, by
  // a way of its own: there on_lineage_released follows when the lineage is of no use to anybody
  // there or here, or was evicted. Here that is posted after this, and may follow at once: there is
  // no room, or the object is not taken after all. A Resubmit of the task from within may be
  // refused (it is being recorded). Runs on the executor. Null: what comes can be made again by
  // whoever knows.
  LineageTakenCallback on_lineage_taken;
  // What recorded tasks may cost the host, by their spec_bytes; beyond it the oldest are evicted.
  // Positive.
  uint64_t lineage_bytes_max = uint64_t{1} << 30;
  // Asks the host to write the value of that generation to a place of its own, and to answer by
  // Lineage::Persisted, whenever it has: see Scope::Keep. One that throws is answered for, with
  // Internal. Runs on the executor. Null: keeping with KeepMode::kPersist is FailedPrecondition.
  std::function<void(const ObjectId&, uint32_t generation)> on_persist;
  // How the free of each copy ended: of a producer whose primary has moved, when its bytes are
  // gone, which is what back-pressure waits for. Runs on the executor; costs one job per copy.
  std::function<void(const ObjectId&, const NodeId&, FreeOutcome)> on_copy_freed;
  // Null: tokens of exported references are bearer secrets in the clear (token_sealer.h). Must
  // outlive the counter. The same for all processes.
  TokenSealer* token_sealer = nullptr;
  // How long after its export a token can still arrive. A handoff that has not ended by then is
  // cancelled. Zero: for ever; a token that is lost then keeps its object until the receiver is
  // excluded or the host calls CancelHandoff. Not negative.
  Duration token_life = Duration::zero();
  // Whether other processes may declare objects for this one to own (declare_for.h). False: they
  // hear kRefused.
  bool takes_declarations = true;
  // An object that another process has declared for this one. The reference keeps it from the step
  // on that made it, whatever becomes of the declarer; without this callback the declarer alone
  // holds it at first. Runs on the executor.
  DeclaredCallback on_declared;
  // Whether other processes may give objects of theirs to this one (transfer.h). False: they hear
  // kRefused.
  bool takes_transfers = true;
  // An object that this process owns from now on, and who owned it before. The reference keeps it
  // from the step on that made this process its owner. Runs on the executor.
  DeclaredCallback on_transferred;
  SessionOptions session;
  // Locks and tables that the objects are spread over: a power of two, 1 to 64.
  uint32_t shards = 32;
  // Copies whose free is not settled; beyond it BackPressured() answers true.
  uint64_t pending_frees_soft_max = 1'000'000;
  // Location subscriptions that one other end may have at this process; one that would be more is
  // answered once, and told so (LocationUpdate::Kind::kRefused). They are counted by shard, so that
  // the limit is met exactly only if the objects lie evenly. Positive.
  uint64_t location_watches_per_peer_max = 65'536;
  // The same for callbacks that one other process watches for here; one that would be more is told
  // at once (EndReason::kRefused). Positive.
  uint64_t watches_per_peer_max = 65'536;
  // Nested drops that a caller's thread does itself; the rest is the pump's.
  uint32_t nested_drops_inline_max = 64;
  // Seeds jitter. 0: taken from the machine.
  uint64_t seed = 0;
};

struct DeclareOptions {
  uint64_t size = 0;  // bytes; 0 while unknown
  // The node that has the primary copy; nil: the value is pending creation.
  NodeId primary;
  // Objects owned by this process whose ids the value contains.
  std::vector<ObjectId> contains;
  // Where in the host's program; interned, so that it costs one string per distinct text.
  std::string_view call_site;
  // Nil: the scope that is bound to the calling thread, or else the root.
  ScopeId scope;
  // What it is accounted for under, besides its scope: an operator, a user (UsageByLabel). Empty:
  // the label of its scope. A text is kept for ever: of few kinds.
  std::string_view label;
};

// The references of one object, by kind.
struct ReferenceCounts {
  uint64_t handles = 0;
  uint64_t by_id = 0;
  uint64_t tasks = 0;
  // Outer objects in scope that contain it, or that keep it until an inner one is registered;
  // scopes that use it.
  uint64_t nested_in = 0;
  uint64_t scopes = 0;     // 1: its scope holds it
  uint64_t pins = 0;       // over all names
  uint64_t borrowers = 0;  // processes that the owner, this process, lists
  uint64_t handoffs = 0;   // exported from here and not ended
  uint64_t total() const {
    return handles + by_id + tasks + nested_in + scopes + pins + borrowers + handoffs;
  }
};

struct ObjectCounts {
  uint64_t pending = 0;
  uint64_t available = 0;
  uint64_t freed = 0;
  uint64_t lost = 0;
  uint64_t out_of_scope = 0;  // copies still being deleted; of borrowed ones: not released yet
  uint64_t borrowed = 0;
  uint64_t failed = 0;
  uint64_t in_scope() const { return pending + available + freed + lost + borrowed + failed; }
  uint64_t total() const { return in_scope() + out_of_scope; }
};

// Answers a call on many ids: what failed, by position; the others were applied.
struct BatchResult {
  struct Failure {
    size_t index;
    absl::Status status;
  };
  std::vector<Failure> failures;
  bool ok() const { return failures.empty(); }
};

enum class ShutdownMode : uint8_t {
  kGraceful,   // every pending free is delivered first, as far as `timeout` allows
  kImmediate,  // nothing more is sent
};

struct ShutdownReport {
  struct UndeliveredFree {
    ObjectId object;
    NodeId node;
    FreeOutcome outcome = FreeOutcome::kShutDown;
  };
  // Frees that their node has not answered, those that answer a late report included.
  std::vector<UndeliveredFree> undelivered;
  uint64_t unacknowledged_envelopes = 0;  // sent, with whatever they carry
  uint64_t callbacks_dropped = 0;         // registered, their moment had not come
  uint64_t objects_in_scope = 0;          // left behind; nodes drop them with their owner
  bool clean() const { return undelivered.empty() && unacknowledged_envelopes == 0; }
};

}  // namespace freehold

#endif  // FREEHOLD_REFERENCE_COUNTER_OPTIONS_H_
