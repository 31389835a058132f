// LineageKeeper: the shell around the LineageTable — its lock, its callback, and its way to the
// shards.
//
// The lock here and a shard's are never held together. A shard's step says in its effects that a
// return has ended; once the shard's lock is released, OnEnded tells the table. The other way, the
// table says which records nothing needs any more, and each shard is told to forget them, when the
// lock here is released. What is to be let go of beyond a small bound is left to the pump, in
// pieces.
//
// Thread safety: thread-safe. Ownership: part of its CounterImpl.

#ifndef FREEHOLD_SRC_RUNTIME_LINEAGE_KEEPER_H_
#define FREEHOLD_SRC_RUNTIME_LINEAGE_KEEPER_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "freehold/lineage.h"
#include "freehold/reference_counter_options.h"
#include "freehold/stateful.h"
#include "freehold/stats.h"
#include "src/base/mutex.h"
#include "src/core/effect.h"
#include "src/core/lineage_table.h"
#include "src/core/object_table_transfer.h"
#include "src/core/state_chains.h"
#include "src/runtime/generator_keeper.h"
#include "src/runtime/persists.h"

namespace freehold::runtime {

class CounterImpl;

class LineageKeeper {
 public:
  LineageKeeper(CounterImpl* counter, uint64_t bytes_max)
      : counter_(counter), generators_(counter), persists_(counter), table_(bytes_max) {}

  // As in freehold/lineage.h.
  absl::Status Record(const LineageTask& task);
  Recovery CanRecover(const ObjectId& object) const;
  absl::StatusOr<TaskId> TaskOf(const ObjectId& object) const;
  absl::StatusOr<Resubmission> Resubmit(const TaskId& task);
  BatchResult FreeRecursive(absl::Span<const ObjectId> objects);

  // The running task has made the object, to which the caller has a handle. Without effect if its
  // lineage is not kept.
  void AddReturn(const TaskId& task, const ObjectId& object);
  GeneratorKeeper& generators() { return generators_; }
  Persists& persists() { return persists_; }

  // --- As in freehold/stateful.h (lineage_stateful.cc) -----------------------------------------

  absl::Status OpenStateful(const TaskId& stateful, bool restartable);
  absl::StatusOr<uint64_t> RecordCall(const TaskId& stateful, const LineageTask& call);
  absl::Status Checkpointed(const TaskId& stateful, uint64_t state);
  absl::Status SetNotRestartable(const TaskId& stateful);
  absl::Status EndStateful(const TaskId& stateful);
  absl::StatusOr<Replay> ReplayTo(const ObjectId& object) const;
  absl::StatusOr<Replay> ReplayToLatest(const TaskId& stateful) const;
  absl::StatusOr<StatefulStatus> StatusOf(const TaskId& stateful) const;

  // --- For the counter -----------------------------------------------------------------------

  void OnEnded(const std::vector<core::LineageNotice>& notices);
  // The host makes a value again by itself: what that depends on is needed.
  void OnRecreated(const ObjectId& object);
  // The host has the value of that generation elsewhere.
  void OnPersisted(const ObjectId& object, uint32_t generation);
  // It is to have that value, so all other lineage is evicted before that of the object.
  void EvictLast(const ObjectId& object);

  // --- Tasks that go along with what they made (lineage_lend.cc) -----------------------------

  // What is marked in its shard is to be `to`'s: calls `step(&task)` with what that one is to be
  // told of the task, null if it is not kept. If that does not answer Ok nothing has changed.
  // kWrongState: `*why`.
  core::Verdict LendWith(
      const ObjectId& object, core::PeerIndex to, bool record, core::Immovable* why,
      absl::FunctionRef<core::Verdict(std::unique_ptr<const core::TaskRecord>*)> step);
  // What became of it.
  void OnLent(const core::TransferNotice& notice);
  void OnLentEnded(const std::vector<ObjectId>& objects);
  // What `from` gives away was made by that task. None: it has no lineage here.
  std::optional<core::Adoption> Adopt(core::PeerIndex from, const core::TransferItem& item);
  const char* WhyNotAdopted(const core::TransferItem& item) const;  // null: it may be
  // It was not taken after all.
  void GiveUpAdopted(core::PeerIndex from, const core::TransferItem& item, core::Adoption adoption);

  // Pump role. True: more is left.
  bool Work();
  // For tests: how many returns of tasks were looked at so far.
  uint64_t CountReturnsRead() const {
    internal::MutexLock lock(&mutex_);
    return table_.counters().returns_read;
  }
  // A line for DebugString; empty: no recorded task made the object.
  std::string Describe(const ObjectId& object) const;
  void AddTo(ReferenceCounterStats* stats) const;

 private:
  // Locks, calls `step(table, &effects)`, lets go of up to `budget` objects, unlocks, does what the
  // effects ask for.
  core::LineageVerdict Apply(
      uint64_t budget,
      absl::FunctionRef<core::LineageVerdict(core::LineageTable&, core::LineageEffects*)> step);
  uint64_t InlineBudget() const;
  void Act(core::LineageEffects* effects, bool more);
  // The same with what stateful tasks do.
  core::LineageVerdict ApplyToChains(
      absl::FunctionRef<core::LineageVerdict(core::StateChains&, core::LineageEffects*)> step);
  absl::Status CheckTask(const LineageTask& task) const;
  absl::Status AddObjects(const LineageTask& task);
  // Goes from where `begin(chains)` says to where a replay begins. Nothing: it said nothing.
  std::optional<Replay> Replayed(
      absl::FunctionRef<std::optional<core::StateChains::Walk>(const core::StateChains&)> begin)
      const;
  absl::Status HoldArguments(const TaskId& task, Resubmission* resubmission);
  absl::Status HoldArgument(const TaskId& task, const core::LineageTable::Argument& argument,
                            Resubmission* resubmission);
  absl::Status BeginValues(const TaskId& task, Resubmission* resubmission);
  // It does not run: nothing is held for it, and what was revived for it alone is not made.
  void GiveUp(Resubmission* resubmission);
  // The task came with what was adopted, and is kept from now on.
  void EndAdopted(core::PeerIndex from, const TaskId& task);
  void NeedArguments(const TaskId& task);
  // A value of what the task made is there, or somebody depends on one.
  bool IsNeeded(const TaskId& task);
  bool IsNeeded(const ObjectId& object) const;
  absl::Status Free(const ObjectId& object);
  // Nobody refers to the object's value any more.
  bool FreeOrphan(const ObjectId& object);
  static absl::Status Explain(core::LineageVerdict verdict, const TaskId& task);

  CounterImpl* const counter_;
  GeneratorKeeper generators_;
  Persists persists_;
  std::atomic<bool> lends_{false};  // it has tried to
  mutable internal::Mutex mutex_;
  core::LineageTable table_ FREEHOLD_GUARDED_BY(mutex_);
  core::StateChains chains_ FREEHOLD_GUARDED_BY(mutex_){&table_};
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_LINEAGE_KEEPER_H_
