// Start here: ReferenceCounter, the owner's and the borrower's side of Freehold. One per process.
//
// It counts every reference to the objects that this process owns, wherever it is held, knows which
// nodes have copies, and when the last reference goes asks exactly those nodes to delete them.
// Whoever registered for it is told on the callback executor. References to objects of other
// processes are counted here too, and registered with their owners.
//
// Thread safety: thread-safe. Every method takes at most one short lock at a time, and none while
// it calls anything of the host's. Several counters may live in one process.
// Ownership: the counter owns its records; the transport, membership, clock and logger in the
// options are borrowed and must outlive it; the executor is shared.
// Blocks: only WaitForOwner and Drain, and Shutdown and the destructor, which join the pump thread.
// Errors: NotFound (unknown or gone), AlreadyExists, InvalidArgument, FailedPrecondition (wrong
// state for it, this process is excluded, or shut down), ResourceExhausted (a count or a table is
// full). Where that is too coarse, ReasonOf(status) says why (error_reason.h). Misuse such as a
// double release changes nothing, is counted in GetStats().misuses and logged with the call site of
// the object.

#ifndef FREEHOLD_REFERENCE_COUNTER_H_
#define FREEHOLD_REFERENCE_COUNTER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "freehold/callbacks.h"
#include "freehold/clock.h"
#include "freehold/declare_for.h"
#include "freehold/drain.h"
#include "freehold/exported_reference.h"
#include "freehold/ids.h"
#include "freehold/location.h"
#include "freehold/object_ref.h"
#include "freehold/pin.h"
#include "freehold/reference_counter_options.h"
#include "freehold/scope.h"
#include "freehold/stats.h"
#include "freehold/transport.h"

namespace freehold {
struct NodeCopy;  // node_agent.h

class ReferenceCounter {
 public:
  // Validates the options (InvalidArgument names the field) and joins the membership.
  static absl::StatusOr<std::unique_ptr<ReferenceCounter>> Create(
      const ReferenceCounterOptions& options);
  ~ReferenceCounter();  // like an immediate Shutdown
  ReferenceCounter(const ReferenceCounter&) = delete;
  ReferenceCounter& operator=(const ReferenceCounter&) = delete;

  const ProcessId& process() const;

  // --- Objects -------------------------------------------------------------------------------

  // A new object, owned by this process; the handle is its first reference.
  // Errors: AlreadyExists; InvalidArgument for a nil id, an object that contains itself, or an
  // unknown contained id; FailedPrecondition when `primary` is excluded, or its scope has ended or
  // is unknown (kScopeEnded).
  absl::StatusOr<ObjectRef> Declare(const ObjectId& object, const DeclareOptions& options = {});
  // A hint that changes nothing: calls about these ids follow, which need not be known yet. What
  // they look at first is fetched meanwhile: for many calls in a row, some 16 ids at a time.
  void Prefetch(absl::Span<const ObjectId> objects) const;
  // Owner at creation: declare_for.h. WaitForOwner blocks and pumps; not for callbacks.
  absl::StatusOr<ObjectRef> DeclareFor(const ProcessId& owner, const ObjectId& object,
                                       DeclareForOptions options = {});
  absl::Status WaitForOwner(const ObjectId& object, Duration timeout);
  absl::StatusOr<NodeCopy> CopyOf(const ObjectId& object, CopyRole role, uint64_t size,
                                  uint32_t generation = 0) const;
  // The value of a freed or lost object is to be made again: pending, its generation one higher.
  // What remains of the old value goes on being deleted. Lineage::Resubmit does it for what a
  // recorded task returns.
  absl::Status Recreate(const ObjectId& object);
  // The value goes now, although references remain. The record stays, IsFreed() says so.
  // Out-of-scope callbacks fire with EndReason::kFreed. Freeing twice changes nothing. A value that
  // is pinned goes with its last pin, unless it is recreated before. Lineage stays: what a recorded
  // task made can be made again (Lineage::Resubmit).
  // FreeMode::kEvictFirst: the value stays until the stores need its space. Its copies are no
  // primaries any more, and a move of the primary is refused. When the last one is reported as
  // removed, or goes with its node, the value is freed: never lost, nor for the host to recover. A
  // value without a copy goes now. A later Free with kNow, or the last reference, ends it at once.
  BatchResult Free(absl::Span<const ObjectId> objects, FreeMode mode = FreeMode::kNow);

  // --- References ----------------------------------------------------------------------------

  absl::StatusOr<ObjectRef> GetRef(const ObjectId& object);
  WeakRef GetWeakRef(const ObjectRef& ref) const;  // REQUIRES: it is of this counter, not empty

  // For language frontends: references counted by id, apart from handles. Removing more than was
  // added is a misuse (FailedPrecondition); a count above 2^32-1 is ResourceExhausted.
  absl::Status AddLocalReference(const ObjectId& object, uint32_t count = 1);
  absl::Status RemoveLocalReference(const ObjectId& object, uint32_t count = 1);
  BatchResult AddLocalReferences(absl::Span<const ObjectId> objects);
  BatchResult RemoveLocalReferences(absl::Span<const ObjectId> objects);

  // A task was submitted with these arguments; they stay in scope until the answer ends. All or
  // nothing; an id given twice counts twice.
  absl::StatusOr<TaskReferences> SubmitTask(absl::Span<const ObjectId> arguments);

  // The value of `outer` contains these ids: while it is in scope, so are they. What it contains
  // already changes nothing. All or nothing. A cycle of containment is never reclaimed; immutable
  // values cannot form one.
  absl::Status AddNested(const ObjectId& outer, absl::Span<const ObjectId> inner);

  // --- Pins (pin.h) --------------------------------------------------------------------------

  // Keeps an object of this process in scope, and its value against Free, although nothing refers
  // to it. `by` says who pins, for whoever asks later; each pin ends by an Unpin of the same name,
  // one too many is a misuse. Errors: NotFound; FailedPrecondition (kNotOwner) for an object that
  // is borrowed, which a reference keeps, or given away; InvalidArgument for no name, or one beyond
  // kPinnedByBytesMax; ResourceExhausted when kPinHoldersMax others pin it.
  absl::Status Pin(const ObjectId& object, std::string_view by);
  absl::Status Unpin(const ObjectId& object, std::string_view by);
  // Who pins it and since when, in order of the first pins.
  absl::StatusOr<std::vector<PinHolder>> GetPins(const ObjectId& object) const;

  // --- References that cross processes -------------------------------------------------------
  //
  // Everything above works on borrowed objects too, but for what is the owner's alone: Recreate,
  // Free, containing others, locations and the three moments (FailedPrecondition, kNotOwner).

  // A reference for another process, owned here or borrowed. The object stays in scope until the
  // receiver, or its death, has ended the handoff: also when every reference here goes.
  // Errors: NotFound; FailedPrecondition when the receiver is excluded (kPeerExcluded) or there is
  // no transport; InvalidArgument for nil or this process itself; those of the sealer as Internal.
  absl::StatusOr<ExportedReference> Export(const ObjectId& object, const ProcessId& receiver);
  // The reference is usable at once; that the owner does not know the object any more, or died, is
  // told later: OnFailed, CheckReference, ObjectState::kFailed. The same token again is one more
  // handle while there is a live reference here.
  // Errors: InvalidArgument (kMalformedToken, kWrongReceiver, kOtherOwner), AlreadyExists
  // (kAlreadyRedeemed), Cancelled (kRefused), FailedPrecondition (kPeerExcluded: its sender is),
  // NotFound (kGone), Unavailable (kOwnerDied), ResourceExhausted; Internal when the sealer throws.
  absl::StatusOr<ObjectRef> Import(std::string_view token);
  // An id that was read out of the value of `outer`, to which this process holds a reference; the
  // host's format of values says who owns what they contain. `outer` stays in scope until the owner
  // of `inner` knows of us. Errors: as for Import, and NotFound for an unknown outer object.
  absl::StatusOr<ObjectRef> ImportNested(const ObjectId& outer, const ObjectId& inner,
                                         const ProcessId& inner_owner);
  // The token will never arrive: the receiver refuses it from now on, if it has not come. What
  // keeps the object for it ends with the receiver's answer. NotFound when it has ended already.
  absl::Status CancelHandoff(const Handoff& handoff);
  // Ok while a reference to it is of use, as far as is known here. NotFound (kGone), Unavailable
  // (kOwnerDied), FailedPrecondition (kExcluded, kShutDown); after DeclareFor how that stands; at
  // the owner also Aborted (kFreed) and DataLoss (kLost), which a borrower learns by
  // QueryLocations.
  absl::Status CheckReference(const ObjectId& object) const;

  // --- Locations -----------------------------------------------------------------------------

  // `location.node` has, or is about to have, bytes of the object: replaces what is known of that
  // node at that generation. A node that names itself primary beside another is recorded as
  // secondary. `size` 0: unknown. Without a node: a shared file is there, one more beside others.
  // Errors: NotFound, or Aborted when it was freed or is out of scope: the node is asked to delete
  // that copy (without one it is yours); FailedPrecondition when the node is excluded.
  absl::Status AddLocation(const ObjectId& object, const Location& location,
                           uint32_t generation = 0, uint64_t size = 0);
  // The same for several locations of one object, in order, with one look-up for plain ones (a
  // secondary copy in memory): for an object that is written to many nodes at once.
  BatchResult AddLocations(const ObjectId& object, absl::Span<const Location> locations,
                           uint32_t generation = 0, uint64_t size = 0);
  // The node has nothing of the object any more (if it has, its next digest brings it back). An
  // available object that lost its last copy so is lost.
  absl::Status RemoveLocation(const ObjectId& object, const NodeId& node, uint32_t generation = 0);
  absl::StatusOr<ObjectLocations> GetLocations(const ObjectId& object) const;
  // Calls `callback` on the executor: a snapshot, then each change, then kGone. Answers a
  // registration for Cancel.
  absl::StatusOr<CallbackRegistration> SubscribeLocations(const ObjectId& object,
                                                          LocationCallback callback);
  // Asks another process, once or until further notice; `callback` runs on the executor. The answer
  // is a number for CancelQuery. When this process itself is excluded, each hears kExcluded as its
  // last. Errors: InvalidArgument for an object of this process, or an empty
  // callable; NotFound without an owner for an id that is not borrowed here; Unavailable
  // (kOwnerDied); FailedPrecondition without an executor.
  absl::StatusOr<uint64_t> QueryLocations(const LocationQuery& query, LocationCallback callback);
  // True: the callback hears nothing more, but for a call that is under way.
  bool CancelQuery(uint64_t number);
  // Bytes of these objects in each node's memory, most first, then by node id. Unknown ids count
  // nothing.
  std::vector<NodeBytes> BytesPerNode(absl::Span<const ObjectId> objects) const;
  absl::StatusOr<ProcessId> OwnerOf(const ObjectId& object) const;  // of a borrowed object

  // --- Scopes (scope.h) ----------------------------------------------------------------------

  // The scope ends, at the latest, when the handle is destroyed. Errors: AlreadyExists,
  // InvalidArgument (no such parent, an id that hosts must not choose), FailedPrecondition
  // (kScopeEnded: the parent has; kPeerExcluded: the driver is; no executor for the limit),
  // ResourceExhausted (nested too deep).
  absl::StatusOr<Scope> OpenScope(const ScopeOptions& options = {});
  // The same without a handle: it ends by EndScope, or by itself.
  absl::StatusOr<ScopeId> BeginScope(const ScopeOptions& options = {});
  // A handle that does not end it. NotFound: unknown, or done and named by no handle.
  absl::StatusOr<Scope> FindScope(ScopeId id);
  absl::Status EndScope(ScopeId id);
  // A handle, which does not end it, on this process's part of a scope of another one; see scope.h.
  // Errors: InvalidArgument (kMalformedToken, kWrongReceiver), FailedPrecondition (kPeerExcluded:
  // the scope's owner or who exported it is), NotFound (a scope of this process that is done).
  absl::StatusOr<Scope> JoinScope(std::string_view token);
  // Of the calling thread: the scope that is bound, or the root. Nil unbinds; answers what was
  // bound before, for the next call. What is bound when the counter ends is to be unbound.
  ScopeId CurrentScope() const;
  ScopeId BindScope(ScopeId scope);
  // What the objects of each label amount to, by first use of the label; those with none left out.
  std::vector<LabelUsage> UsageByLabel() const;

  // --- Callbacks -----------------------------------------------------------------------------

  // Registers for one moment. The answer is false when it has passed. Errors: NotFound;
  // FailedPrecondition without an executor; InvalidArgument for an empty callable.
  absl::StatusOr<CallbackRegistration> OnOutOfScope(const ObjectId& object, ObjectCallback call) {
    return Register(Moment::kOutOfScope, object, std::move(call));
  }
  absl::StatusOr<CallbackRegistration> OnReclaimed(const ObjectId& object, ObjectCallback call) {
    return Register(Moment::kReclaimed, object, std::move(call));
  }
  absl::StatusOr<CallbackRegistration> OnErased(const ObjectId& object, ObjectCallback call) {
    return Register(Moment::kErased, object, std::move(call));
  }
  // Of a borrowed object (FailedPrecondition for another): its owner has died or does not know it,
  // or this process was excluded, while it is held here. Never runs, and is destroyed, when the
  // last reference goes before that.
  absl::StatusOr<CallbackRegistration> OnFailed(const ObjectId& object, ObjectCallback call) {
    return Register(Moment::kFailed, object, std::move(call));
  }
  absl::StatusOr<CallbackRegistration> Register(Moment moment, const ObjectId& object,
                                                ObjectCallback callback);
  absl::StatusOr<CallbackRegistration> Register(Moment moment, const ObjectId& object,
                                                const CCallback& callback);
  // One callable for many objects, called once for each; one answer for each.
  std::vector<absl::StatusOr<CallbackRegistration>> RegisterAll(Moment moment,
                                                                absl::Span<const ObjectId> objects,
                                                                ObjectCallback callback);
  // The same from any process, as callbacks.h says; `owner` nil: this one has the object, or
  // whoever lent it. Errors: InvalidArgument (kFailed, an empty callable); NotFound without an
  // owner for an id that is unknown here; Unavailable (kOwnerDied); FailedPrecondition without an
  // executor or a transport that is needed, and before the owner has acknowledged the object.
  absl::StatusOr<CallbackRegistration> Watch(Moment moment, const ObjectId& object,
                                             const ProcessId& owner, ObjectCallback callback);
  absl::StatusOr<CallbackRegistration> Watch(Moment moment, const ObjectId& object,
                                             const ProcessId& owner, const CCallback& callback);
  // True: the callback does not run, or of a subscription: hears nothing more. One that is running
  // at this moment, in another thread, still returns after this does. For watches as well.
  bool Cancel(const CallbackRegistration& registration);

  // --- Queries -------------------------------------------------------------------------------

  absl::StatusOr<bool> IsFreed(const ObjectId& object) const;
  bool InScope(const ObjectId& object) const;
  absl::StatusOr<ReferenceCounts> GetCounts(const ObjectId& object) const;
  ObjectCounts CountObjects() const;
  std::vector<ObjectId> IdsInScope() const;
  std::vector<ObjectId> Ids(ObjectState state) const;
  // Why the object is still alive, holder by holder; or that it is unknown.
  std::string DebugString(const ObjectId& object) const;
  // More than `pending_frees_soft_max` frees are not settled: produce less.
  bool BackPressured() const;
  bool excluded() const;  // this process was excluded; its objects go with it
  ReferenceCounterStats GetStats() const;

  // --- Pump, transport, end ------------------------------------------------------------------

  // The door for the host's transport. Outlives the counter harmlessly.
  std::shared_ptr<Inbox> inbox() const;
  // Does what is due at `now`: takes arrived envelopes, works off deferred drops, sends. One
  // caller at a time does the work; a second one makes it go round once more and returns.
  void Pump(Time now);
  // When Pump is needed next; kInfinitePast: now. kInfiniteFuture: only when something arrives.
  Time NextDeadline() const;
  // Can this process exit without taking along what somebody needs, and if not, what is in the way?
  // Costs one short lock per shard, whatever the number of objects. Nothing is in the way of a
  // process that was excluded or shut down.
  ExitReadiness CanExit() const;
  // Gets this process ready to exit: takes no new objects (Declare: FailedPrecondition, kDraining),
  // while references stay usable and others can still be imported, so that running tasks can end;
  // pumps until nothing is in the way, for at most the timeout; then says what is left and who
  // holds it. Shutdown is the next call if it is complete. Several may drain at once, each until
  // its own timeout. Blocks; not for callbacks.
  DrainReport Drain(const DrainOptions& options = {});
  void CancelDrain();  // takes new objects again; a Drain that is under way goes on waiting
  // Ends it. Graceful: pumps until every pending free was answered, for at most `timeout`. Then
  // leaves the membership, drops what is registered and joins the pump thread. Handles stay
  // harmless. Every later call that answers a status answers FailedPrecondition, queries answer
  // empty, and a second Shutdown an empty report.
  ShutdownReport Shutdown(ShutdownMode mode, Duration timeout);

 private:
  friend class Lineage;    // lineage.h
  friend class Ownership;  // transfer.h
  friend struct runtime::Inside;
  explicit ReferenceCounter(std::shared_ptr<runtime::CounterImpl> impl);
  const std::shared_ptr<runtime::CounterImpl> impl_;
};

}  // namespace freehold

#endif  // FREEHOLD_REFERENCE_COUNTER_H_
