// CounterImpl: what a ReferenceCounter, its handles and its pump share.
//
// It owns the shards and the endpoint and does what steps ask for: it takes one shard's lock, steps
// the table, moves the effects out, unlocks, and only then acts on them.
//
// Lifetime: shared by the ReferenceCounter and, after Close(), by every handle that is left: each
// counts in `remaining_`, and whoever brings that to zero lets go of the last ownership, so that
// records stay where they are.
//
// Thread safety: thread-safe, except Endpoint::Client methods, which the pump role calls.

#ifndef FREEHOLD_SRC_RUNTIME_COUNTER_IMPL_H_
#define FREEHOLD_SRC_RUNTIME_COUNTER_IMPL_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "freehold/drain.h"
#include "freehold/exported_reference.h"
#include "freehold/object_ref.h"
#include "freehold/reference_counter_options.h"
#include "freehold/stats.h"
#include "src/base/intern.h"
#include "src/base/mutex.h"
#include "src/base/segmented_array.h"
#include "src/core/event.h"
#include "src/core/object_table_quiet.h"
#include "src/runtime/counter_peer.h"
#include "src/runtime/endpoint.h"
#include "src/runtime/file_carriers.h"
#include "src/runtime/lineage_keeper.h"
#include "src/runtime/location_queries.h"
#include "src/runtime/owner_digests.h"
#include "src/runtime/scopes.h"
#include "src/runtime/shard.h"
#include "src/runtime/shared_slabs.h"
#include "src/runtime/transfer_keeper.h"
#include "src/runtime/watches.h"

namespace freehold::runtime {

class CounterImpl final : public Endpoint::Client,
                          public core::NodeNames,
                          public std::enable_shared_from_this<CounterImpl> {
 public:
  using AfterStep = runtime::AfterStep;

  // No piece of work holds a lock for more records than this.
  static constexpr uint32_t kPieceMax = 2048;
  // Answers that may wait for a peer before nothing more is taken from it: frees of what it
  // reported late, answers to registrations, cancellations and questions. Several times what the
  // windows of an honest peer can cause, or two ends that both wait would wait for each other.
  static constexpr uint32_t kAnswersMax = 64 * 1024;

  explicit CounterImpl(const ReferenceCounterOptions& options);
  ~CounterImpl() override;
  absl::Status Start();

  // --- Steps ---------------------------------------------------------------------------------

  core::Key KeyOf(const ObjectId& id) const { return {id, id.Hash()}; }
  Shard& ShardOf(const core::Key& key) const { return *shards_[(key.hash >> 58) & shard_mask_]; }
  Shard& ShardAt(uint32_t number) const { return *shards_[number]; }

  // Locks the shard, calls `step(table, &effects)`, unlocks, does what the effects ask for.
  template <typename StepFunction>
  core::Verdict Apply(Shard& shard, StepFunction step) {
    AfterStep after;
    const core::Verdict verdict = ApplyLocked(shard, &after, step);
    if (!after.effects.empty()) Act(shard, &after);
    return verdict;
  }
  // Of that, all but the last, which is then the caller's: Act, if there are effects.
  template <typename StepFunction>
  core::Verdict ApplyLocked(Shard& shard, AfterStep* after, StepFunction step) {
    internal::MutexLock lock(&shard.mutex);
    if (shard.closed) return core::Verdict::kShutDown;
    const core::Verdict verdict = shard.Count(step(shard.table, &after->effects));
    Prepare(shard, after);
    return verdict;
  }
  // The same for a step without effects: `step(table)`.
  template <typename StepFunction>
  core::Verdict ApplyQuietly(Shard& shard, StepFunction step) {
    internal::MutexLock lock(&shard.mutex);
    return shard.closed ? core::Verdict::kShutDown : shard.Count(step(shard.table));
  }
  // Puts aside, under the lock, what the host is to be told.
  void Prepare(Shard& shard, AfterStep* after) FREEHOLD_REQUIRES(shard.mutex) {
    if (after->effects.has_host_work()) PrepareHostWork(shard, after);
  }
  // REQUIRES: no lock is held.
  void Act(Shard& shard, AfterStep* after);

  // --- Objects and references ----------------------------------------------------------------

  // Nil for `scope`: none, or the one that the event names.
  core::Verdict Declare(const core::event::Declare& event, ScopeId scope,
                        core::ObjectRecord** record) {
    if (!scope.IsNil()) return scopes_.Declare(event, scope, record);
    Shard& shard = ShardOf(event.key);
    return ApplyQuietly(shard, [&](core::ObjectTable& table) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
      if (shard.draining) return core::Verdict::kShutDown;
      const core::Verdict answer = table.Step(event, record);
      if (answer == core::Verdict::kOk) ++shard.outstanding;
      return answer;
    });
  }
  absl::StatusOr<ObjectRef> DeclareOuter(const core::event::Declare& event, ScopeId scope,
                                         absl::Span<const ObjectId> contains);
  absl::Status AddById(const ObjectId& object, uint32_t count, Shard* held);  // Shard::OkQuietly
  absl::Status RemoveById(const ObjectId& object, uint32_t count, Shard* held);

  // --- Handles -------------------------------------------------------------------------------

  void ReleaseLast(Shard& shard, internal::RefCell* cell);  // the caller's last handle ends
  void ReleaseLast(Shard& shard, absl::Span<internal::RefCell* const> cells);  // one of each
  size_t ReleaseSome(Shard& shard, absl::Span<internal::RefCell* const> cells);
  void EndTask(Shard& shard, internal::RefCell* cell);  // one reference of a task ends
  // False: nothing was changed, and EndTask is to be called.
  bool EndTaskQuietly(Shard& shard, internal::RefCell* cell) {
    return shard.Quietly([&](core::ObjectTable& table) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
      if (!table.DropTaskQuietly(reinterpret_cast<core::ObjectRecord*>(cell))) return false;
      --shard.outstanding;
      return true;
    });
  }
  absl::StatusOr<ObjectRef> GetRef(const ObjectId& object);
  bool InScope(const ObjectId& object) const;
  absl::StatusOr<TaskReferences> SubmitTask(absl::Span<const ObjectId> arguments);
  absl::Status AddNested(const ObjectId& outer, absl::Span<const ObjectId> inner);
  // The two halves of it. The first holds the inner objects, all or none; the second hands the
  // holds to the outer object, those that it has already or cannot take back to their objects.
  absl::Status HoldInners(const ObjectId& outer, absl::Span<const ObjectId> inner,
                          std::vector<core::InnerRef>* held);
  absl::Status HandInners(const ObjectId& outer, std::vector<core::InnerRef> held);
  void ReleaseInners(std::vector<core::InnerRef> inners);

  // --- References that cross processes (counter_sharing.cc) ----------------------------------

  absl::StatusOr<ExportedReference> Export(const ObjectId& object, const ProcessId& receiver);
  absl::Status CancelHandoff(const Handoff& handoff);
  absl::StatusOr<ObjectRef> Import(std::string_view bytes);
  absl::StatusOr<ObjectRef> ImportNested(const ObjectId& outer, const ObjectId& inner,
                                         const ProcessId& inner_owner);
  absl::Status CheckReference(const ObjectId& object) const;
  absl::StatusOr<uint64_t> QueryLocations(const LocationQuery& query, LocationCallback callback);
  bool CancelQuery(uint64_t number);
  // Answers the number of a registration; 0: it is told at once.
  absl::StatusOr<uint64_t> Watch(Moment moment, const ObjectId& object, const ProcessId& owner,
                                 ObjectCallback callback);
  bool CancelWatch(uint64_t registration);
  bool CancelMoved(const ObjectId& object, uint64_t registration);
  void WatchHere(Moment moment, const ObjectId& object, uint64_t number,
                 std::unique_ptr<ObjectCallbackBody> body);
  absl::StatusOr<ObjectLocations> LocationsHere(const ObjectId& object) const;

  // --- Answers -------------------------------------------------------------------------------

  // Ok while the counter takes calls; FailedPrecondition says why not.
  absl::Status CheckOpen() const { return is_open() ? absl::OkStatus() : WhyClosed(); }
  bool is_open() const { return open_.load(std::memory_order_acquire); }
  absl::Status WhyClosed() const;  // REQUIRES: it is not open
  absl::Status ToStatus(core::Verdict verdict, const ObjectId& object) const {
    if (verdict == core::Verdict::kOk || verdict == core::Verdict::kUnchanged) {
      return absl::OkStatus();
    }
    return Explain(verdict, object);
  }
  // For a misuse: counted and logged with the object's call site.
  absl::Status Misuse(core::Verdict verdict, const core::Key& key, const char* call);
  core::PeerIndex InternNode(const NodeId& node) { return endpoint_->InternNode(node); }
  NodeId NodeAt(core::PeerIndex peer) const override { return endpoint_->AddressOf(peer).node(); }
  // Of a borrowed object; this process until its next owner has answered.
  ProcessId OwnerToName(const Shard& shard, const core::ObjectRecord& record) const;
  ProcessId ProcessAt(core::PeerIndex peer) const override;
  bool IsNode(core::PeerIndex peer) const override;
  Location ToLocation(const core::CopyFacts& facts) const;
  uint32_t InternCallSite(std::string_view text) { return call_sites_.Intern(text); }
  const std::string& CallSiteAt(uint32_t index) const { return call_sites_.At(index); }

  const ReferenceCounterOptions& options() const { return options_; }
  const std::vector<std::unique_ptr<Shard>>& shards() const { return shards_; }
  Endpoint& endpoint() const { return *endpoint_; }
  const Clock& clock() const { return clock_; }
  Logger& logger() const { return logger_; }
  Scopes& scopes() { return scopes_; }
  LineageKeeper& lineage() { return lineage_; }
  FileCarriers& files() { return files_; }
  TransferKeeper& transfers() { return transfers_; }
  bool stopped() const { return stopping_.load(std::memory_order_acquire); }
  bool excluded() const { return excluded_.load(std::memory_order_acquire); }
  uint64_t Unsettled() const;
  void AddTo(ReferenceCounterStats* stats) const;
  void LogHeal(const std::string& line) { logger_.Log(LogLevel::kWarning, line); }

  ShutdownReport Shutdown(ShutdownMode mode, Duration timeout);

  // --- Leaving (counter_drain.cc) --------------------------------------------------------------

  ExitReadiness CanExit() const;
  DrainReport Drain(const DrainOptions& options);
  void SetDraining(bool draining);

  // --- Endpoint::Client ----------------------------------------------------------------------

  uint64_t OnPayload(PeerIndex from, std::string_view payload, Time now) override;
  Time Work(Time now) override;
  bool Fill(PeerIndex node, core::PayloadWriter* writer) override;
  void OnView(uint64_t version, const std::vector<PeerIndex>& excluded) override;
  bool IsFlushed(uint64_t version) override;
  void OnBarrier(uint64_t version) override;
  void OnSelfExcluded() override;
  bool CanTake(PeerIndex from) override;

 private:
  friend class Declarations;
  friend class TransferKeeper;
  class Sink;

  // REQUIRES: the lock is held; it is given back.
  template <typename StepFunction>
  void LetGo(Shard& shard, StepFunction step);
  void StopTakingCalls();
  template <typename StepFunction>
  absl::StatusOr<ObjectRef> TakeHandle(const core::Key& key, StepFunction step);
  // Calls `piece(table, effects)` for each shard until nothing is left there.
  template <typename Piece>
  void InPieces(Piece piece);
  Time ExpireTokens(Time now);  // answers when there are more
  void FailBorrows();
  static absl::Status ExplainSharing(core::Verdict verdict, const std::string& id);
  static void PrepareHostWork(Shard& shard, AfterStep* after) FREEHOLD_REQUIRES(shard.mutex);
  absl::Status Explain(core::Verdict verdict, const ObjectId& object) const;
  void ActKept(Shard& shard, AfterStep* after);
  void PostOutbox(Shard& shard);
  void PostFired(absl::Span<const core::FiredCallback> fired);
  void PostWork(HostWork* work);
  void PostJob(std::unique_ptr<CallbackJob::Body> body, int detail = 0);
  void MarkReady(Shard& shard, PeerIndex node);
  void DropInners(std::vector<std::vector<core::InnerRef>>* stack, uint64_t budget);
  void Defer(std::vector<std::vector<core::InnerRef>> stack);

  bool FlushDone() const;
  // Pumps along with whoever else pumps until `done()`, `interrupted()` or the deadline.
  void PumpUntil(absl::FunctionRef<bool()> done, absl::FunctionRef<bool()> interrupted,
                 Time deadline);
  void Close(ShutdownReport* report);
  void CollectUndelivered(const Shard& shard, ShutdownReport* report) const;
  void ReleaseRemaining(uint64_t count);

  const ReferenceCounterOptions options_;
  const Clock& clock_;
  Logger& logger_;
  const uint64_t shard_mask_;
  SharedSlabs slabs_;  // of all shards
  std::vector<std::unique_ptr<Shard>> shards_;
  std::shared_ptr<Endpoint> endpoint_;
  internal::StringInterner call_sites_;
  internal::SegmentedArray<CounterPeer> peers_;
  LocationQueries queries_;
  Watches watches_;
  Scopes scopes_;
  LineageKeeper lineage_;
  FileCarriers files_{this};
  TransferKeeper transfers_{this};

  std::atomic<bool> stopping_{false};
  std::atomic<bool> excluded_{false};
  std::atomic<bool> open_{true};  // neither of the two; what nearly every call begins with
  std::atomic<uint64_t> misuses_{0};

  // Pump role. Views with excluded processes whose barrier has not come, oldest first.
  std::deque<std::pair<uint64_t, std::vector<PeerIndex>>> open_views_;
  OwnerDigests digests_{this};

  mutable internal::Mutex deferred_mutex_;
  std::vector<std::vector<core::InnerRef>> deferred_ FREEHOLD_GUARDED_BY(deferred_mutex_);
  std::atomic<uint64_t> deferred_drops_{0};

  internal::Mutex flush_mutex_;
  internal::CondVar flush_progress_;  // signalled when items arrived

  // After Close(): who still points into the shards, and what keeps them.
  std::atomic<uint64_t> remaining_{0};
  std::shared_ptr<CounterImpl> self_;
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_COUNTER_IMPL_H_
