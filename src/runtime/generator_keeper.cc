#include "src/runtime/generator_keeper.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "freehold/error_reason.h"
#include "freehold/generator.h"
#include "src/base/mutant.h"
#include "src/core/object_table_lineage.h"
#include "src/runtime/counter_impl.h"

namespace freehold {
namespace runtime {

using core::Verdict;

absl::Status GeneratorKeeper::NotOpen(const ObjectId& generator) {
  return WithReason(absl::NotFoundError(absl::StrCat("generator ", generator.ToHex(),
                                                     " is not open, or has ended")),
                    ErrorReason::kGone);
}

// Entered first: its end may be told as soon as it is marked.
absl::Status GeneratorKeeper::Open(const ObjectId& generator, const TaskId& task) {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  bool opened = false;
  {
    internal::MutexLock lock(&mutex_);
    opened = table_.Open(generator, task);
  }
  if (!opened) {
    return absl::AlreadyExistsError(absl::StrCat("generator ", generator.ToHex(), " is open"));
  }
  used_.store(true, std::memory_order_release);
  const core::Key key = counter_->KeyOf(generator);
  const Verdict marked =
      counter_->ApplyQuietly(counter_->ShardOf(key), [&](core::ObjectTable& table) {
        return core::LineageSteps(&table).Step(core::event::SetLineage{key});
      });
  if (marked == Verdict::kOk) return absl::OkStatus();
  OnEnded(generator);
  return counter_->ToStatus(marked, generator);
}

bool GeneratorKeeper::IsOpen(const ObjectId& object) const {
  if (!used_.load(std::memory_order_acquire)) return false;
  internal::MutexLock lock(&mutex_);
  return table_.TaskOf(object).has_value();
}

absl::Status GeneratorKeeper::CheckOpen(const ObjectId& generator) const {
  return IsOpen(generator) ? absl::OkStatus() : NotOpen(generator);
}

absl::Status GeneratorKeeper::Add(const ObjectId& generator, const ObjectId& object) {
  std::vector<core::InnerRef> held;
  if (absl::Status status = counter_->HoldInners(generator, {object}, &held); !status.ok()) {
    return status;
  }
  std::optional<TaskId> task;
  {
    internal::MutexLock lock(&mutex_);
    task = table_.TaskOf(generator);
    if (task.has_value()) (void)table_.Add(generator, held.front());
  }
  if (!task.has_value()) {
    counter_->ReleaseInners(std::move(held));
    return NotOpen(generator);
  }
  // If its lineage is kept no more, it cannot be made again, and says so.
  const bool returns = !internal::IsMutant(internal::Mutant::kYieldedNoReturn);
  if (!task->IsNil() && returns) counter_->lineage().AddReturn(*task, object);
  return absl::OkStatus();
}

absl::StatusOr<ObjectRef> GeneratorKeeper::Take(const ObjectId& generator) {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  std::optional<core::InnerRef> hold;
  bool is_open = false;
  {
    internal::MutexLock lock(&mutex_);
    is_open = table_.TaskOf(generator).has_value();
    hold = table_.Take(generator);
  }
  if (!is_open) return NotOpen(generator);
  if (!hold.has_value()) {
    return absl::NotFoundError(
        absl::StrCat("nothing can be taken of generator ", generator.ToHex(), " at present"));
  }
  ObjectId object;  // its record stays: it is held
  {
    Shard& shard = counter_->ShardAt(hold->shard);
    internal::MutexLock lock(&shard.mutex);
    object = shard.table.At(hold->record).id();
  }
  absl::StatusOr<ObjectRef> ref = counter_->GetRef(object);
  if (!internal::IsMutant(internal::Mutant::kTakenStaysHeld)) counter_->ReleaseInners({*hold});
  return ref;
}

size_t GeneratorKeeper::CountYielded(const ObjectId& generator) const {
  internal::MutexLock lock(&mutex_);
  return table_.CountYielded(generator);
}

void GeneratorKeeper::OnEnded(const ObjectId& object) {
  if (!used_.load(std::memory_order_acquire)) return;
  core::GeneratorTable::Holds left;
  {
    internal::MutexLock lock(&mutex_);
    left = table_.End(object);
  }
  if (internal::IsMutant(internal::Mutant::kUntakenKept)) return;
  counter_->ReleaseInners({left.begin(), left.end()});
}

void GeneratorKeeper::AddTo(ReferenceCounterStats* stats) const {
  internal::MutexLock lock(&mutex_);
  stats->generators = table_.size();
  stats->yielded = table_.yielded();
}

}  // namespace runtime

// --- The host's handle ---------------------------------------------------------------------------

absl::Status Generators::Open(const ObjectId& generator, const TaskId& task) {
  return Lineage(*counter_).generators().Open(generator, task);
}

absl::Status Generators::Yield(const ObjectId& generator, const ObjectId& object,
                               const DeclareOptions& options) {
  runtime::GeneratorKeeper& keeper = Lineage(*counter_).generators();
  if (absl::Status open = keeper.CheckOpen(generator); !open.ok()) return open;
  const absl::StatusOr<ObjectRef> made = counter_->Declare(object, options);
  if (!made.ok()) return made.status();
  return keeper.Add(generator, object);
}

absl::Status Generators::YieldDeclared(const ObjectId& generator, const ObjectRef& object) {
  if (!object) return absl::InvalidArgumentError("an empty reference cannot be yielded");
  return Lineage(*counter_).generators().Add(generator, object.id());
}

absl::StatusOr<ObjectRef> Generators::Take(const ObjectId& generator) {
  return Lineage(*counter_).generators().Take(generator);
}

size_t Generators::CountYielded(const ObjectId& generator) const {
  return Lineage(*counter_).generators().CountYielded(generator);
}

}  // namespace freehold
