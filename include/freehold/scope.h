// Scopes: objects that end together.
//
// A Scope groups what is declared with it (DeclareOptions::scope, or the scope bound to the thread)
// and other things of the host's. It ends once: by End, by EndScope with its id, by the destructor
// of the handle that opened it, by its deadline, with its job's driver, or with the scope around
// it. Then it takes nothing new, lets go of what it holds, releases the host's members, and is done
// when everything that was in it is reclaimed. Being in a scope holds nothing by itself: what
// nobody refers to goes at once, unless ScopeOptions::hold says otherwise. What somebody outside
// refers to survives the end, and the scope waits for it.
//
// Other processes may join a scope, with a token from Export: each then has a part of it, a scope
// of its own table in which what it declares there is, and which ends when this one does. Only the
// process that opened it ends it: End, Cancel, ForceEnd and Delete of a part are refused
// (kNotOwner). A scope is done when its parts are, or their processes are excluded; when its owner
// is excluded, the parts end. Around a part is the root of its process: that is where Keep keeps.
// An object that gets another owner (transfer.h) stays in its scope: the next owner has a part of
// it from then on, which counts the object and its bytes, and Keep, Move and StopHolding are that
// process's to call. What a scope uses stays in scope wherever it is owned.
//
// Frees are grouped as ever: one batch for each node, however many objects end. A scope of a
// million ends in pieces that the pump works off; the caller of End pays for a few.
//
// Which scope is the current one is no global state: it is bound to a thread by a guard, or by
// BindScope around each run of a coroutine or of a task in a pool.
//
// Thread safety: a Scope is a movable value like std::unique_ptr, its methods but for moving are
// thread-safe, and any thread may end it. A guard stays in its thread.
// Lifetime: handles may outlive the ReferenceCounter and are then harmless.
// Blocks: Wait only.
// Errors: NotFound (no such scope, or done and named by no handle), FailedPrecondition
// (kScopeEnded: it has ended, also at a second end; shut down), InvalidArgument (the root cannot
// end; an object is in another scope; an id that hosts must not choose).

#ifndef FREEHOLD_SCOPE_H_
#define FREEHOLD_SCOPE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "freehold/reference_counter_options.h"
#include "freehold/scope_options.h"

namespace freehold {

class Scope;

// Ends that take values from under whoever refers to them. Their holders hear that the value was
// freed: kFreed by CheckReference, ObjectState::kFreed.
namespace unsafe {

// Ends it, and frees the values of all its objects and of those of the scopes in it.
absl::Status ForceEnd(Scope& scope);
// Frees what is left of it, in whatever state it is: what no_cleanup left, what is still referenced
// elsewhere, and what was kept (Keep, End with `keep`) and is still there. Ends it if it runs.
absl::Status Delete(Scope& scope);

}  // namespace unsafe

class Scope {
 public:
  // Names none.
  Scope() = default;
  Scope(Scope&& other) noexcept = default;
  Scope& operator=(Scope&& other) noexcept {
    Scope(std::move(other)).swap(*this);
    return *this;
  }
  // Ends the scope if this handle opened it and was not detached.
  ~Scope();
  void swap(Scope& other) noexcept {
    counter_.swap(other.counter_);
    std::swap(id_, other.id_);
    std::swap(ends_, other.ends_);
  }

  explicit operator bool() const { return counter_ != nullptr; }
  ScopeId id() const { return id_; }
  // Destroying this handle does not end the scope any more.
  void Detach() { ends_ = false; }

  // --- The end -------------------------------------------------------------------------------

  absl::Status End();
  // Keeps these first. If some of them cannot be kept, the scope goes on and the status names the
  // first; the others are kept all the same, and belong to the scope around from then on.
  absl::Status End(absl::Span<const ObjectId> keep);
  // The same with that form of Keep. The scope ends at once, whatever the host answers later.
  absl::Status End(absl::Span<const ObjectId> keep, KeepMode mode, PersistedCallback done);
  // Ends it; members hear ScopeEnd::kCancelled.
  absl::Status Cancel();
  // Runs `call` on the executor when everything of it is reclaimed, or this process is excluded.
  // False: it is done already.
  absl::StatusOr<bool> OnEnded(ScopeCallback call);
  // Returns when everything of it is reclaimed, pumping meanwhile along with whoever else pumps;
  // DeadlineExceeded says what it waits for. Not from inside a callback.
  absl::Status Wait(Time deadline) const;

  // --- Its objects ---------------------------------------------------------------------------

  // From now on these belong to the scope around this one, as if declared there. If this one held
  // them, that one does.
  BatchResult Keep(absl::Span<const ObjectId> objects);
  // With KeepMode::kPersist the host is asked besides, by ReferenceCounterOptions::on_persist and
  // for each of them, to write its value to a place of its own: at once, or once the value is
  // available. When it has answered Ok (Lineage::Persisted), nothing is kept any more to make that
  // object again. Until then, and after an error, its lineage stays as ever; it is the last to be
  // evicted of what was recorded so far. `done` runs on the executor once for each object that is
  // not among the failures: with what the host has answered; Aborted if its value was freed
  // (kFreed), went out of scope (kGone: asking holds nothing) or was recreated before that;
  // FailedPrecondition if this process was shut down or excluded (kShutDown, kExcluded). Kept twice
  // before the answer, it is asked for once. What no task made is persisted all the same; later it
  // counts as put. `done` may be null. Failures besides those of Keep: FailedPrecondition without
  // on_persist, or if another process owns it (kNotOwner); then it is not kept either.
  BatchResult Keep(absl::Span<const ObjectId> objects, KeepMode mode, PersistedCallback done);
  // The same as the plain Keep to any scope that runs.
  BatchResult Move(absl::Span<const ObjectId> objects, ScopeId to);
  // They stay in it, but it holds them no longer.
  BatchResult StopHolding(absl::Span<const ObjectId> objects);
  // This scope depends on objects of others: they stay in scope until it is done, whenever their
  // own scopes end. Scopes of one process that depend on each other and have all ended end
  // together; where parts in other processes are in the ring, see src/core/PROTOCOL.md, step 14.
  BatchResult Use(absl::Span<const ObjectId> objects);

  // --- The host's members --------------------------------------------------------------------

  // Answers a number for RemoveMember. FailedPrecondition without an executor, InvalidArgument
  // without a release hook.
  absl::StatusOr<uint64_t> AddMember(ScopeMember member);
  // Its hook does not run, and is destroyed. NotFound when it was released already.
  absl::Status RemoveMember(uint64_t number);

  // --- Other processes -----------------------------------------------------------------------

  // Bytes for the host's own message to that process, which gives them to JoinScope; for a task,
  // say, that is to declare things in this scope there. Nobody waits for a token that never
  // arrives. FailedPrecondition: it has ended (kScopeEnded), the process is excluded
  // (kPeerExcluded), there is no transport. InvalidArgument: to this process, or of the root.
  absl::StatusOr<std::string> Export(const ProcessId& to) const;

  absl::StatusOr<ScopeStatus> GetStatus() const;

 private:
  friend class ReferenceCounter;
  friend class ScopeGuard;
  friend absl::Status unsafe::ForceEnd(Scope& scope);
  friend absl::Status unsafe::Delete(Scope& scope);
  Scope(std::shared_ptr<runtime::CounterImpl> counter, ScopeId id, bool ends)
      : counter_(std::move(counter)), id_(id), ends_(ends) {}
  absl::Status CheckOpen() const;

  std::shared_ptr<runtime::CounterImpl> counter_;
  ScopeId id_;
  bool ends_ = false;
};

// Binds a scope to the calling thread while it lives. Guards of one thread end in reverse order.
class ScopeGuard {
 public:
  // REQUIRES: `scope` names one.
  explicit ScopeGuard(const Scope& scope);
  ~ScopeGuard();
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  const std::shared_ptr<runtime::CounterImpl> counter_;
  const ScopeId before_;
};

}  // namespace freehold

#endif  // FREEHOLD_SCOPE_H_
