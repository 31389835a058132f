#include "src/runtime/lineage_keeper.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/error_reason.h"
#include "src/base/check.h"
#include "src/core/object_table_lineage.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/host_jobs.h"

namespace freehold::runtime {

using core::LineageEffects;
using core::LineageSteps;
using core::LineageTable;
using core::LineageVerdict;
using core::Verdict;

namespace {

class ReleasedJob final : public CallbackJob::Body {
 public:
  ReleasedJob(std::function<void(const std::vector<TaskId>&)> callback, std::vector<TaskId> tasks)
      : callback_(std::move(callback)), tasks_(std::move(tasks)) {}
  void Run() override { callback_(tasks_); }
  ObjectId object() const override { return ObjectId(); }
  const char* what() const override { return "released lineage"; }

 private:
  const std::function<void(const std::vector<TaskId>&)> callback_;
  const std::vector<TaskId> tasks_;
};

// Calls `call(piece)` for pieces of bounded length, until one answers otherwise than Ok.
template <typename Call>
LineageVerdict ForPieces(absl::Span<const ObjectId> objects, Call call) {
  for (size_t from = 0; from < objects.size(); from += CounterImpl::kPieceMax) {
    const LineageVerdict verdict = call(objects.subspan(from, CounterImpl::kPieceMax));
    if (verdict != LineageVerdict::kOk) return verdict;
  }
  return LineageVerdict::kOk;
}

}  // namespace

// --- The shell -----------------------------------------------------------------------------------

LineageVerdict LineageKeeper::Apply(
    uint64_t budget, absl::FunctionRef<LineageVerdict(LineageTable&, LineageEffects*)> step) {
  LineageEffects effects;
  LineageVerdict verdict;
  bool more;
  {
    internal::MutexLock lock(&mutex_);
    verdict = step(table_, &effects);
    more = chains_.Work(&budget, &effects);
  }
  if (more || !effects.empty()) Act(&effects, more);
  return verdict;
}

// All of it may be spent in one hold of the lock.
uint64_t LineageKeeper::InlineBudget() const {
  return std::min<uint64_t>(counter_->options().nested_drops_inline_max, CounterImpl::kPieceMax);
}

void LineageKeeper::Act(LineageEffects* effects, bool more) {
  for (const ObjectId& object : effects->to_forget) {
    const core::Key key = counter_->KeyOf(object);
    (void)counter_->Apply(
        counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* further) {
          return LineageSteps(&table).Step(core::event::ForgetLineage{key}, further);
        });
  }
  if (!effects->to_follow.empty()) counter_->transfers().Follow(effects->to_follow);
  const ReferenceCounterOptions& options = counter_->options();
  if (!effects->released.empty() && options.on_lineage_released) {
    PostGuarded(
        options.executor.get(), &counter_->logger(),
        std::make_unique<ReleasedJob>(options.on_lineage_released, std::move(effects->released)));
  }
  if (more) counter_->endpoint().WakeWork();
}

void LineageKeeper::OnEnded(const std::vector<core::LineageNotice>& notices) {
  uint64_t budget = InlineBudget();  // for all of them
  for (const core::LineageNotice& notice : notices) {
    if (notice.freed) {
      internal::MutexLock lock(&mutex_);
      (void)table_.Step(core::event::ReturnFreed{notice.object, notice.generation});
      continue;
    }
    if (notice.kept) {
      if (!lends_.load(std::memory_order_relaxed)) continue;
      (void)Apply(0, [&](LineageTable& table, LineageEffects* effects) {
        return table.Step(core::event::RecordKept{notice.object}, effects);
      });
      continue;
    }
    generators_.OnEnded(notice.object);
    (void)Apply(std::exchange(budget, 0), [&](LineageTable& table, LineageEffects* effects) {
      return table.Step(core::event::ReturnEnded{notice.object, notice.generation}, effects);
    });
  }
}

void LineageKeeper::OnPersisted(const ObjectId& object, uint32_t generation) {
  (void)Apply(InlineBudget(), [&](LineageTable& table, LineageEffects* effects) {
    return table.Step(core::event::ReturnPersisted{object, generation}, effects);
  });
}

void LineageKeeper::EvictLast(const ObjectId& object) {
  internal::MutexLock lock(&mutex_);
  (void)table_.Step(core::event::EvictLast{object});
}

bool LineageKeeper::Work() {
  LineageEffects effects;
  uint64_t budget = CounterImpl::kPieceMax;
  bool more;
  {
    internal::MutexLock lock(&mutex_);
    more = chains_.Work(&budget, &effects);
  }
  if (!effects.empty()) Act(&effects, /*more=*/false);
  return more;
}

absl::Status LineageKeeper::Explain(LineageVerdict verdict, const TaskId& task) {
  const std::string id = task.ToHex();
  switch (verdict) {
    case LineageVerdict::kOk:
    case LineageVerdict::kUnchanged:
      return absl::OkStatus();
    case LineageVerdict::kNotFound:
      return absl::NotFoundError(
          absl::StrCat("task ", id, " was not recorded, or its lineage was let go of"));
    case LineageVerdict::kAlreadyExists:
      return absl::AlreadyExistsError(absl::StrCat(
          "task ", id, " was recorded before, or what it returns is made by another one"));
    case LineageVerdict::kDependedOn:
      return absl::FailedPreconditionError(
          absl::StrCat("what task ", id, " returns is an argument already, of it or of another"));
    case LineageVerdict::kBusy:
      return absl::FailedPreconditionError(
          absl::StrCat("task ", id, " is being recorded or resubmitted at this moment"));
    case LineageVerdict::kNoRetries:
      return absl::FailedPreconditionError(
          absl::StrCat("task ", id, " may not be resubmitted any more"));
    case LineageVerdict::kTableFull:
      return absl::ResourceExhaustedError("the table of lineage is full");
    case LineageVerdict::kHostKeeps:
    case LineageVerdict::kTooMany:
      break;  // of what is given away alone
    case LineageVerdict::kEnded:
      return absl::FailedPreconditionError(absl::StrCat("stateful task ", id, " has ended"));
    case LineageVerdict::kNotRestartable:
      return absl::FailedPreconditionError(
          absl::StrCat("stateful task ", id, " is not restartable"));
  }
  return absl::InternalError("unknown verdict");
}

// --- Recording -----------------------------------------------------------------------------------

absl::Status LineageKeeper::AddObjects(const LineageTask& task) {
  LineageVerdict verdict = ForPieces(task.returns, [&](absl::Span<const ObjectId> piece) {
    internal::MutexLock lock(&mutex_);
    return table_.Step(core::event::AddReturns{task.id, piece});
  });
  if (verdict == LineageVerdict::kOk) {
    verdict = ForPieces(task.arguments, [&](absl::Span<const ObjectId> piece) {
      internal::MutexLock lock(&mutex_);
      return table_.Step(core::event::AddArguments{task.id, piece});
    });
  }
  if (verdict != LineageVerdict::kOk) return Explain(verdict, task.id);
  for (const ObjectId& object : task.returns) {
    const core::Key key = counter_->KeyOf(object);
    const Verdict marked =
        counter_->ApplyQuietly(counter_->ShardOf(key), [&](core::ObjectTable& table) {
          return LineageSteps(&table).Step(core::event::SetLineage{key});
        });
    if (marked != Verdict::kOk) return counter_->ToStatus(marked, object);
  }
  return absl::OkStatus();
}

absl::Status LineageKeeper::CheckTask(const LineageTask& task) const {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  const auto names_none = [](const ObjectId& object) {
    return object.IsNil() || core::StateOf(object).has_value();
  };
  if (task.id.IsNil() || std::any_of(task.returns.begin(), task.returns.end(), names_none) ||
      std::any_of(task.arguments.begin(), task.arguments.end(), names_none)) {
    return absl::InvalidArgumentError(
        "the nil id names no task and no object, nor does the id of a state");
  }
  if (task.spec_bytes > counter_->options().lineage_bytes_max) {
    return absl::InvalidArgumentError(absl::StrCat("task ", task.id.ToHex(), " has ",
                                                   task.spec_bytes, " bytes, lineage_bytes_max is ",
                                                   counter_->options().lineage_bytes_max));
  }
  return absl::OkStatus();
}

absl::Status LineageKeeper::Record(const LineageTask& task) {
  if (absl::Status checked = CheckTask(task); !checked.ok()) return checked;
  LineageVerdict verdict;
  {
    internal::MutexLock lock(&mutex_);
    verdict = table_.Step(core::event::BeginTask{task.id, task.spec_bytes, task.retries});
  }
  if (verdict != LineageVerdict::kOk) return Explain(verdict, task.id);
  absl::Status added = AddObjects(task);
  verdict = Apply(InlineBudget(), [&](LineageTable& table, LineageEffects* effects) {
    return added.ok() ? table.Step(core::event::EndTask{task.id}, effects)
                      : table.Step(core::event::AbandonTask{task.id});
  });
  FREEHOLD_CHECK(verdict == LineageVerdict::kOk);
  return added;
}

// Entered first, as by Record: what ends, or is given away, before it is marked has no task, and
// neither has what is owned elsewhere. What was entered before this call is not for it to undo.
void LineageKeeper::AddReturn(const TaskId& task, const ObjectId& object) {
  if (core::StateOf(object).has_value()) return;
  {
    internal::MutexLock lock(&mutex_);
    if (table_.Step(core::event::AddReturn{task, object}) != LineageVerdict::kOk) return;
  }
  const core::Key key = counter_->KeyOf(object);
  const Verdict marked =
      counter_->ApplyQuietly(counter_->ShardOf(key), [&](core::ObjectTable& table) {
        return LineageSteps(&table).Step(core::event::SetLineage{key});
      });
  if (marked == Verdict::kOk) return;
  (void)Apply(InlineBudget(), [&](LineageTable& table, LineageEffects* effects) {
    const core::event::ReturnNotTaken undone{object, core::kNoPeer, core::Adoption::kNew};
    return table.Step(undone, effects);
  });
}

// --- Questions -----------------------------------------------------------------------------------

Recovery LineageKeeper::CanRecover(const ObjectId& object) const {
  const core::Key key = counter_->KeyOf(object);
  bool in_scope = false;
  {
    Shard& shard = counter_->ShardOf(key);
    internal::MutexLock lock(&shard.mutex);
    const core::ObjectRecord* record = shard.table.Find(key);
    if (record == nullptr || shard.closed) return Recovery::kDeleted;
    if (record->borrowed) {
      if (record->state() != ObjectState::kFailed) return Recovery::kElsewhere;
      const core::BorrowStage stage = shard.table.BorrowOf(*record).stage;
      const bool never_was = stage == core::BorrowStage::kNotDeclared;
      return never_was || stage == core::BorrowStage::kGone ? Recovery::kDeleted
                                                            : Recovery::kOwnerLost;
    }
    in_scope = record->in_scope();
  }
  internal::MutexLock lock(&mutex_);
  return in_scope || table_.IsDependedOn(object) ? table_.CanRecover(object) : Recovery::kDeleted;
}

absl::StatusOr<TaskId> LineageKeeper::TaskOf(const ObjectId& object) const {
  std::optional<TaskId> task;
  {
    internal::MutexLock lock(&mutex_);
    task = table_.TaskOf(object);
  }
  if (task.has_value()) return *task;
  return absl::NotFoundError(absl::StrCat("no lineage of object ", object.ToHex(),
                                          " is kept: ", RecoveryName(CanRecover(object))));
}

std::string LineageKeeper::Describe(const ObjectId& object) const {
  std::optional<TaskId> task;
  bool needed = false;
  {
    internal::MutexLock lock(&mutex_);
    task = table_.TaskOf(object);
    needed = table_.IsNeeded(object);
  }
  std::string text;
  if (task.has_value()) absl::StrAppend(&text, "\n  made by task ", task->ToHex());
  if (needed) absl::StrAppend(&text, "\n  its record is kept for what was made of it");
  return text;
}

void LineageKeeper::AddTo(ReferenceCounterStats* stats) const {
  generators_.AddTo(stats);
  stats->persists_pending = persists_.pending();
  internal::MutexLock lock(&mutex_);
  stats->lineage_tasks = table_.tasks();
  stats->lineage_objects = table_.objects();
  stats->lineage_pieces = table_.pieces();
  stats->lineage_bytes = table_.counters().bytes;
  stats->lineage_tasks_away = table_.counters().away;
  stats->lineage_released = table_.counters().released;
  stats->lineage_evicted = table_.counters().evicted;
  stats->tasks_resubmitted = table_.counters().resubmitted;
}

// --- Resubmission --------------------------------------------------------------------------------

absl::Status LineageKeeper::HoldArgument(const TaskId& task, const LineageTable::Argument& argument,
                                         Resubmission* resubmission) {
  const core::Key key = counter_->KeyOf(argument.object);
  Shard& shard = counter_->ShardOf(key);
  core::HeldArgument held;
  uint32_t generation = 0;
  const Verdict verdict = counter_->Apply(
      shard,
      [&](core::ObjectTable& table, core::Effects* effects) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
        const Verdict answer = LineageSteps(&table).Step(
            core::event::HoldArgument{key, argument.recoverable}, effects, &held);
        if (answer == Verdict::kOk) {
          ++shard.outstanding;
          generation = held.record->generation;
        }
        return answer;
      });
  if (verdict == Verdict::kNotFound || verdict == Verdict::kOutOfScope) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat(
                          "argument ", argument.object.ToHex(), " of task ", task.ToHex(),
                          " is gone: ", RecoveryName(CanRecover(argument.object)))),
                      ErrorReason::kGone);
  }
  if (verdict != Verdict::kOk) return counter_->ToStatus(verdict, argument.object);
  // Before the reference can end: what is said of its next end must not come first.
  if (held.revived) {
    internal::MutexLock lock(&mutex_);
    (void)table_.Step(core::event::ReturnRevived{argument.object, generation});
  }
  resubmission->arguments.cells_.PushBack(&held.record->cell);
  if (held.missing) resubmission->missing.push_back(argument.object);
  return absl::OkStatus();
}

absl::Status LineageKeeper::HoldArguments(const TaskId& task, Resubmission* resubmission) {
  for (size_t from = 0;; from += CounterImpl::kPieceMax) {
    std::vector<LineageTable::Argument> piece;
    {
      internal::MutexLock lock(&mutex_);
      if (from == 0) (void)resubmission->arguments.cells_.Allot(table_.CountArguments(task));
      piece = table_.Arguments(task, from, CounterImpl::kPieceMax);
    }
    if (piece.empty()) return absl::OkStatus();
    for (const LineageTable::Argument& argument : piece) {
      if (core::StateOf(argument.object).has_value()) continue;
      absl::Status held = HoldArgument(task, argument, resubmission);
      if (!held.ok()) return held;
    }
  }
}

// What is there, or on its way, stays; what nobody needs, or the host has, is not made.
absl::Status LineageKeeper::BeginValues(const TaskId& task, Resubmission* resubmission) {
  for (size_t from = 0;; from += CounterImpl::kPieceMax) {
    std::vector<ObjectId> piece;
    {
      internal::MutexLock lock(&mutex_);
      piece = table_.BeginReturns(task, from, CounterImpl::kPieceMax);
    }
    if (piece.empty()) return absl::OkStatus();
    for (const ObjectId& object : piece) {
      if (object.IsNil() || core::StateOf(object).has_value()) continue;
      const core::Key key = counter_->KeyOf(object);
      Resubmission::Value value{object, 0};
      const Verdict verdict = counter_->Apply(
          counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
            const core::ObjectRecord* record = table.Find(key);
            if (record == nullptr || !record->in_scope()) return Verdict::kOutOfScope;
            const Verdict answer = table.Step(core::event::Recreate{key}, effects);
            value.generation = record->generation;
            return answer;
          });
      if (verdict == Verdict::kOutOfScope) continue;
      if (verdict != Verdict::kOk && verdict != Verdict::kWrongState) {
        return counter_->ToStatus(verdict, object);
      }
      resubmission->returns.push_back(value);
    }
  }
}

void LineageKeeper::NeedArguments(const TaskId& task) {
  for (bool more = true; more;) {
    internal::MutexLock lock(&mutex_);
    more = table_.Need(task, CounterImpl::kPieceMax);
  }
}

absl::StatusOr<Resubmission> LineageKeeper::Resubmit(const TaskId& task) {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  LineageVerdict verdict;
  {
    internal::MutexLock lock(&mutex_);
    verdict = table_.Step(core::event::BeginResubmit{task});
  }
  if (verdict != LineageVerdict::kOk) return Explain(verdict, task);
  Resubmission resubmission;
  absl::Status status = HoldArguments(task, &resubmission);
  if (status.ok()) status = BeginValues(task, &resubmission);
  if (status.ok()) NeedArguments(task);
  verdict = Apply(InlineBudget(), [&](LineageTable& table, LineageEffects* effects) {
    return table.Step(core::event::EndResubmit{task, status.ok()}, effects);
  });
  FREEHOLD_CHECK(verdict == LineageVerdict::kOk);
  if (status.ok()) return resubmission;
  GiveUp(&resubmission);
  return status;
}

// Somebody may have got hold of an argument meanwhile, and waits for a value that nobody makes: the
// host must hear of it. If its task was begun just now, it hears so in vain.
void LineageKeeper::GiveUp(Resubmission* resubmission) {
  resubmission->arguments.End();
  for (const ObjectId& object : resubmission->missing) {
    std::optional<uint32_t> generation;
    {
      internal::MutexLock lock(&mutex_);
      generation = table_.TakeUnmade(object);
    }
    if (!generation.has_value()) continue;
    const core::Key key = counter_->KeyOf(object);
    (void)counter_->Apply(
        counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
          return LineageSteps(&table).Step(core::event::GiveUpArgument{key, *generation}, effects);
        });
  }
}

void LineageKeeper::OnRecreated(const ObjectId& object) {
  std::optional<TaskId> task;
  {
    internal::MutexLock lock(&mutex_);
    task = table_.TaskOf(object);
  }
  if (task.has_value()) NeedArguments(*task);
}

}  // namespace freehold::runtime
