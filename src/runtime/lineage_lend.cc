// LineageKeeper: tasks that go along with what they made, when that gets another owner.

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "src/runtime/counter_impl.h"
#include "src/runtime/host_jobs.h"

namespace freehold::runtime {

using core::LineageEffects;
using core::LineageTable;
using core::LineageVerdict;
using core::Verdict;

namespace {

class TakenJob final : public CallbackJob::Body {
 public:
  TakenJob(LineageTakenCallback callback, const TaskId& task, const ProcessId& from)
      : callback_(std::move(callback)), task_(task), from_(from) {}
  void Run() override { callback_(task_, from_); }
  ObjectId object() const override { return ObjectId(); }
  const char* what() const override { return "lineage taken over"; }

 private:
  const LineageTakenCallback callback_;
  const TaskId task_;
  const ProcessId from_;
};

core::Immovable WhyNot(LineageVerdict verdict) {
  if (verdict == LineageVerdict::kBusy) return core::Immovable::kTaskBusy;
  if (verdict == LineageVerdict::kTooMany) return core::Immovable::kTooMany;
  return core::Immovable::kLineage;
}

}  // namespace

// Lent first: between the two nobody runs the task again for an object that is on its way.
Verdict LineageKeeper::LendWith(
    const ObjectId& object, core::PeerIndex to, bool record, core::Immovable* why,
    absl::FunctionRef<Verdict(std::unique_ptr<const core::TaskRecord>*)> step) {
  core::TaskRecord task;
  LineageVerdict lent = LineageVerdict::kHostKeeps;
  if (!generators_.IsOpen(object)) {
    lent = Apply(InlineBudget(), [&](LineageTable& table, LineageEffects* effects) {
      return table.Step(core::event::LendReturn{object, to, record}, &task, effects);
    });
  }
  lends_.store(true, std::memory_order_relaxed);
  if (lent != LineageVerdict::kOk) {
    *why = WhyNot(lent);
    return Verdict::kWrongState;
  }
  std::unique_ptr<const core::TaskRecord> told;
  if (!task.id.IsNil()) told = std::make_unique<const core::TaskRecord>(std::move(task));
  const bool is_lent = told != nullptr;
  const Verdict verdict = step(&told);
  const bool goes = verdict == Verdict::kOk;
  if (goes == is_lent) return verdict;
  (void)Apply(InlineBudget(), [&](LineageTable& table, LineageEffects* effects) {
    return goes ? table.Step(core::event::ReturnGiven{object}, effects)
                : table.Step(core::event::ReturnBack{object, record}, effects);
  });
  return verdict;
}

void LineageKeeper::OnLent(const core::TransferNotice& notice) {
  (void)Apply(InlineBudget(), [&](LineageTable& table, LineageEffects* effects) {
    switch (notice.outcome) {
      case core::TransferOutcome::kMoved:
        return LineageVerdict::kUnchanged;  // it may still come back
      case core::TransferOutcome::kSettled:
        return table.Step(core::event::LentSettled{notice.object, notice.next_owner}, effects);
      case core::TransferOutcome::kDiedWithNextOwner:
        return table.Step(core::event::LentEnded{notice.object}, effects);
      case core::TransferOutcome::kExists:
      case core::TransferOutcome::kRefused:
      case core::TransferOutcome::kDraining:
      case core::TransferOutcome::kFull:
        return table.Step(
            core::event::ReturnBack{notice.object, /*record=*/false, /*stays=*/notice.record},
            effects);
      case core::TransferOutcome::kNextOwnerDied:
      case core::TransferOutcome::kTakenBack:
      case core::TransferOutcome::kInherited:
        break;
    }
    // What was a record is in scope for a moment, or until a barrier, and ends like any object.
    return table.Step(core::event::ReturnBack{notice.object}, effects);
  });
}

void LineageKeeper::OnLentEnded(const std::vector<ObjectId>& objects) {
  uint64_t budget = InlineBudget();  // for all of them
  for (const ObjectId& object : objects) {
    (void)Apply(std::exchange(budget, 0), [&](LineageTable& table, LineageEffects* effects) {
      return table.Step(core::event::LentEnded{object}, effects);
    });
  }
}

// As when a task is recorded here.
const char* LineageKeeper::WhyNotAdopted(const core::TransferItem& item) const {
  const core::TaskRecord& task = *item.task;
  if (task.spec_bytes > counter_->options().lineage_bytes_max) {
    return "its task has more bytes than lineage_bytes_max";
  }
  const auto is_state = [](const ObjectId& id) { return core::StateOf(id).has_value(); };
  const bool names_state =
      is_state(item.object) || std::any_of(task.arguments.begin(), task.arguments.end(), is_state);
  return names_state ? "its task names the id of a state" : nullptr;
}

std::optional<core::Adoption> LineageKeeper::Adopt(core::PeerIndex from,
                                                   const core::TransferItem& item) {
  const core::TaskRecord& task = *item.task;
  if (const char* why = WhyNotAdopted(item); why != nullptr) {
    counter_->logger().Log(LogLevel::kWarning, absl::StrCat("object ", item.object.ToHex(),
                                                            " has no lineage here: ", why));
    return std::nullopt;
  }
  core::Adoption adoption = core::Adoption::kKnown;
  const LineageVerdict verdict =
      Apply(InlineBudget(), [&](LineageTable& table, LineageEffects* effects) {
        return table.Step(core::event::AdoptReturn{task, item.object, item.generation}, &adoption,
                          effects);
      });
  if (verdict != LineageVerdict::kOk && verdict != LineageVerdict::kUnchanged) {
    counter_->logger().Log(LogLevel::kWarning,
                           absl::StrCat("object ", item.object.ToHex(), " has no lineage here: ",
                                        Explain(verdict, task.id).message()));
    return std::nullopt;
  }
  if (adoption == core::Adoption::kWithTask) EndAdopted(from, task.id);
  return adoption;
}

// Until it is recorded it is neither let go of nor evicted: that the host is told after this.
void LineageKeeper::EndAdopted(core::PeerIndex from, const TaskId& task) {
  const LineageTakenCallback& on_taken = counter_->options().on_lineage_taken;
  if (on_taken != nullptr) {
    PostGuarded(counter_->options().executor.get(), &counter_->logger(),
                std::make_unique<TakenJob>(on_taken, task, counter_->ProcessAt(from)));
  }
  (void)Apply(InlineBudget(), [&](LineageTable& table, LineageEffects* effects) {
    return table.Step(core::event::EndTask{task}, effects);
  });
}

void LineageKeeper::GiveUpAdopted(core::PeerIndex from, const core::TransferItem& item,
                                  core::Adoption adoption) {
  (void)Apply(InlineBudget(), [&](LineageTable& table, LineageEffects* effects) {
    return table.Step(core::event::ReturnNotTaken{item.object, from, adoption}, effects);
  });
}

}  // namespace freehold::runtime
