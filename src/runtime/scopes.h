// Scopes: the shell around a ScopeTable — its lock, its callbacks, and its work in the shards.
//
// The lock here and a shard's are never held together. A step of a shard says in its effects what
// became of members of scopes; once the shard's lock is released, OnChanges tells the table. The
// other way, a scope that ends leaves work, which whoever ends it does up to a small bound and the
// pump does the rest, one shard's lock at a time and no more than a piece of records under it.
// Callbacks leave in the order in which the table asked for them: one thread at a time posts them.
//
// Thread safety: thread-safe. Ownership: part of its CounterImpl.

#ifndef FREEHOLD_SRC_RUNTIME_SCOPES_H_
#define FREEHOLD_SRC_RUNTIME_SCOPES_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "freehold/callback_executor.h"
#include "freehold/reference_counter_options.h"
#include "src/base/intern.h"
#include "src/base/mutex.h"
#include "src/core/effect.h"
#include "src/core/event.h"
#include "src/core/object_table_transfer.h"
#include "src/core/owned_snapshot.h"
#include "src/core/scope_table.h"
#include "src/core/transfer_item.h"
#include "src/runtime/current_scope.h"
#include "src/runtime/inside.h"

namespace freehold::runtime {

class CounterImpl;

class Scopes {
 public:
  Scopes(CounterImpl* counter, Time now);
  ~Scopes();

  // --- Scopes --------------------------------------------------------------------------------

  // With a handle that names it, which DropHandle takes back.
  absl::StatusOr<ScopeId> Open(const ScopeOptions& options, bool handle);
  absl::Status AddHandle(ScopeId id);
  void DropHandle(ScopeId id);
  absl::Status End(ScopeId id, ScopeEnd why);
  absl::Status Delete(ScopeId id);
  absl::StatusOr<bool> OnEnded(ScopeId id, ScopeCallback callback);
  absl::Status Wait(ScopeId id, Time deadline);
  absl::StatusOr<uint64_t> AddMember(ScopeId id, ScopeMember member);
  absl::Status RemoveMember(ScopeId id, uint64_t number);
  absl::StatusOr<ScopeStatus> StatusOf(ScopeId id);
  std::vector<LabelUsage> Labels();
  // "scope 7 \"name\"", for people.
  std::string Describe(core::ScopeIndex index);
  uint64_t size() const;  // the root not included

  // --- Objects -------------------------------------------------------------------------------

  core::LabelIndex InternLabel(std::string_view label) { return labels_.Intern(label); }
  // Which scope an object is to be declared in; nil: none that anything is kept of.
  ScopeId ScopeFor(const DeclareOptions& options) const {
    const ScopeId named = options.scope.IsNil() ? BoundScope(counter_) : options.scope;
    if (!named.IsNil() && !named.IsRoot()) return named;
    return options.label.empty() ? ScopeId() : ScopeId::Root();
  }
  core::Verdict Declare(core::event::Declare event, ScopeId scope, core::ObjectRecord** record);
  // Nil for `to`: the scope that keeps for this one.
  absl::Status Move(ScopeId from, const ObjectId& object, ScopeId to);
  absl::Status StopHolding(ScopeId id, const ObjectId& object);
  absl::Status Use(ScopeId by, const ObjectId& object);

  // --- Other processes (scopes_links.cc) -----------------------------------------------------

  absl::StatusOr<std::string> Export(ScopeId id, const ProcessId& to);
  // With a handle, like Open.
  absl::StatusOr<ScopeId> Join(std::string_view bytes);
  // Pump role. False: `from` may not say that.
  bool OnItem(core::PeerIndex from, const core::ScopeItem& item);
  bool Fill(core::PeerIndex peer, core::PayloadWriter* writer);
  uint64_t AnswersFor(core::PeerIndex peer) const;
  // `step()` gives an object away, or to an heir; as long as it answers kInScope, its scope is
  // looked at for it. `*membership` is null if it is in none.
  core::Verdict StepWith(const core::Key& key, core::Immovable* why,
                         std::unique_ptr<const core::Membership>* membership,
                         absl::FunctionRef<core::Verdict()> step);
  // Pump role. `from` gives it away. `*admission` names no scope if it comes in none: that one is
  // over. False: there is no room for it.
  bool Bring(core::PeerIndex from, const core::TransferItem::Scope& scope, uint32_t shard,
             core::Admission* admission);
  // It will not be there.
  void Withdraw(const core::Admission& admission);
  Inside::MemberOf MemberOf(const core::Key& key) const;
  bool HasPart(const ProcessId& owner, ScopeId scope) const;

  // --- For the counter -----------------------------------------------------------------------

  using Changes = absl::InlinedVector<core::ScopeChange, 1>;
  void OnChanges(const Changes& changes);
  void OnRehomed(uint32_t shard, const std::vector<core::ScopeNotice>& notices);
  // Pump role. Answers when it wants to be called next.
  Time Work(Time now);
  // A barrier has closed the exclusion of this process.
  void ClosePeer(core::PeerIndex peer);
  void OnSelfExcluded();
  bool Idle() const;
  // How often other processes have joined scopes of this one.
  uint64_t MembersElsewhere() const;
  // Calls `visit(scope, member, told)` for them, until it answers false. `told`: that the scope
  // ends. REQUIRES: it takes no lock.
  void ForEachMemberElsewhere(absl::FunctionRef<bool(ScopeId, core::PeerIndex, bool)> visit) const;
  // Destroys every callback. Answers how many. The table is stepped no more.
  uint64_t Close();

 private:
  // What is to be done in shards, for one scope.
  struct Job {
    core::ScopeEffects::Release release;
    std::vector<ObjectId> to_free;  // that it kept
  };
  struct Post {
    std::unique_ptr<CallbackJob::Body> body;
    int detail = 0;
  };

  // Locks, calls `step(table, &effects)`, unlocks, does what the effects ask for.
  template <typename StepFunction>
  core::ScopeVerdict Apply(StepFunction step);
  void Prepare(core::ScopeEffects* effects, bool* must_post) FREEHOLD_REQUIRES(mutex_);
  void Act(core::ScopeEffects* effects, bool must_post);
  void PostOutbox();
  void Forget(const core::ScopeEffects::Forget& forget);
  // Does up to `budget` records' worth of work. True: more is left.
  bool WorkOff(uint64_t budget);
  bool TakeJob(Job* job);
  // True: it is done.
  bool Do(Job* job, uint64_t* budget);
  void WorkInline();
  std::unique_ptr<const core::Membership> MembershipOf(const core::Key& key);
  absl::StatusOr<ScopeId> Enter(const core::event::JoinScope& event, const ProcessId& owner);
  absl::Status Explain(core::ScopeVerdict verdict, ScopeId id) const;
  void FillStatus(const core::ScopeRecord& scope, ScopeStatus* status) const
      FREEHOLD_REQUIRES(mutex_);
  // Up to `max` objects that are in the scope.
  std::vector<ObjectId> ObjectsOf(core::ScopeIndex index, uint64_t shards, size_t max) const;
  std::string WaitsFor(ScopeId id);

  CounterImpl* const counter_;
  internal::StringInterner labels_;

  mutable internal::Mutex mutex_;
  core::ScopeTable table_ FREEHOLD_GUARDED_BY(mutex_);
  std::vector<Post> outbox_ FREEHOLD_GUARDED_BY(mutex_);
  bool posting_ FREEHOLD_GUARDED_BY(mutex_) = false;
  std::thread::id poster_ FREEHOLD_GUARDED_BY(mutex_);  // while posting_
  bool closed_ FREEHOLD_GUARDED_BY(mutex_) = false;
  std::deque<Job> jobs_ FREEHOLD_GUARDED_BY(mutex_);
  uint32_t busy_ FREEHOLD_GUARDED_BY(mutex_) = 0;  // jobs that a thread works at
  mutable internal::CondVar done_;                 // some scope is
  std::atomic<bool> used_{false};                  // a scope was ever opened
  std::atomic<bool> linked_{false};                // a scope was ever joined, here or elsewhere
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_SCOPES_H_
