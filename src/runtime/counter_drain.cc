// CounterImpl: whether this process can exit, and waiting until it can.
//
// Draining changes one thing: no object is declared, or taken from others, any more. Everything
// else goes on, so that the tasks that still run find their references usable and can read nested
// ones; what they drop is freed and released as ever. A process has drained when nothing of its own
// is in scope, it borrows nothing, no handoff of its is under way, and everything that it sent is
// acknowledged: then its exclusion, which is how it leaves, changes nothing for anybody.

#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/drain.h"
#include "src/base/guarded_call.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_pins.h"
#include "src/core/object_table_scopes.h"
#include "src/runtime/counter_impl.h"

namespace freehold {

const char* DrainHoldName(DrainHold hold) {
  switch (hold) {
    case DrainHold::kHandles:
      return "handles";
    case DrainHold::kById:
      return "references by id";
    case DrainHold::kTasks:
      return "task references";
    case DrainHold::kOuter:
      return "outer objects";
    case DrainHold::kScope:
      return "scope";
    case DrainHold::kPin:
      return "pin";
    case DrainHold::kBorrower:
      return "borrower";
    case DrainHold::kHandoff:
      return "handoff";
    case DrainHold::kRelease:
      return "release";
    case DrainHold::kFree:
      return "free";
  }
  return "unknown";
}

std::string DrainBlocker::ToString() const {
  std::string text = absl::StrCat("object ", object.ToHex(), ": ");
  switch (hold) {
    case DrainHold::kHandles:
    case DrainHold::kById:
    case DrainHold::kTasks:
    case DrainHold::kOuter:
      absl::StrAppend(&text, count, " ", DrainHoldName(hold));
      break;
    case DrainHold::kScope:
      absl::StrAppend(&text, "held by its scope");
      break;
    case DrainHold::kPin:
      absl::StrAppend(&text, "pinned by ", pinned_by);
      break;
    case DrainHold::kBorrower:
      absl::StrAppend(&text, "borrowed by ", peer.ToString());
      break;
    case DrainHold::kHandoff:
      absl::StrAppend(&text, "on its way to ", peer.ToString());
      break;
    case DrainHold::kRelease:
      absl::StrAppend(&text, "its release has not left to ", peer.ToString());
      break;
    case DrainHold::kFree:
      absl::StrAppend(&text, "its free is not answered by ", peer.ToString());
      break;
  }
  if (!call_site.empty()) absl::StrAppend(&text, ", declared at ", call_site);
  return text;
}

std::string ExitReadiness::ToString() const {
  if (can_exit()) return "can exit";
  std::string text;
  const auto add = [&](uint64_t number, const char* what) {
    if (number > 0) absl::StrAppend(&text, text.empty() ? "" : ", ", number, " ", what);
  };
  add(owned_in_scope, "owned objects in scope");
  add(borrowed, "borrowed");
  add(handoffs, "handoffs under way");
  add(acknowledgements, "handoffs to acknowledge");
  add(frees_unanswered, "frees not answered");
  add(answers_waiting, "answers waiting");
  add(drops_deferred, "drops deferred");
  add(scope_members, "members of its scopes");
  add(transfers, "transfers that not everybody knows of");
  const auto say = [&](bool is_so, const char* what) {
    if (is_so) absl::StrAppend(&text, text.empty() ? "" : ", ", what);
  };
  say(scopes_ending, "scopes that end");
  say(unacknowledged, "envelopes not acknowledged");
  return text;
}

namespace runtime {

namespace {

// Collects who holds what, up to a limit.
class Blockers {
 public:
  Blockers(const CounterImpl& counter, size_t max, DrainReport* report)
      : counter_(counter), max_(max), report_(*report) {}

  void Look(const core::ObjectTable& table, const core::ObjectRecord& record) {
    // What has failed is of use to nobody: its handles are in nobody's way.
    if (record.state() == ObjectState::kFailed) return;
    if (record.in_scope()) {
      Add(table, record, DrainHold::kHandles, record.cell.count());
      Add(table, record, DrainHold::kById, record.by_id);
      Add(table, record, DrainHold::kTasks, record.tasks);
      const uint32_t in_scope = core::ScopeSteps::IsHeldByScope(table, record) ? 1 : 0;
      Add(table, record, DrainHold::kOuter,
          record.nested_in - core::PinSteps::NotNested(table, record));
      Add(table, record, DrainHold::kScope, in_scope);
      LookAtPins(table, record);
      LookAtSharing(table, record);
    } else if (record.borrowed) {
      AddPeer(table, record, DrainHold::kRelease, table.BorrowOf(record).owner);
    }
    table.ForEachCopy(record, [&](const core::Copy& copy) {
      const core::FreeState state = table.Facts(record, copy).free_state;
      if (state == core::FreeState::kWaiting || state == core::FreeState::kSent) {
        AddPeer(table, record, DrainHold::kFree, copy.node);
      }
    });
  }

 private:
  void LookAtPins(const core::ObjectTable& table, const core::ObjectRecord& record) {
    const core::ValuePins::Pinned* pinned = core::PinSteps::Of(table, record);
    if (pinned == nullptr) return;
    for (const PinHolder& holder : pinned->holders) {
      if (!Add(table, record, DrainHold::kPin, holder.count)) return;
      report_.blockers.back().pinned_by = holder.by;
    }
  }
  void LookAtSharing(const core::ObjectTable& table, const core::ObjectRecord& record) {
    if (table.sharing() == nullptr) return;
    const core::RecordIndex index = core::RecordSlabs::IndexOf(record);
    const auto list = [&](const core::HolderIndex& holders, DrainHold hold) {
      holders.ForEachOf(index, [&](const core::HolderIndex::Holder& holder) {
        return AddPeer(table, record, hold, holder.peer);
      });
    };
    list(table.sharing()->borrowers, DrainHold::kBorrower);
    list(table.sharing()->pins, DrainHold::kHandoff);
  }
  // False: there is no room for more.
  bool AddPeer(const core::ObjectTable& table, const core::ObjectRecord& record, DrainHold hold,
               core::PeerIndex peer) {
    if (!Add(table, record, hold, 1)) return false;
    report_.blockers.back().peer = counter_.endpoint().AddressOf(peer);
    return true;
  }
  bool Add(const core::ObjectTable& table, const core::ObjectRecord& record, DrainHold hold,
           uint64_t count) {
    if (count == 0) return true;
    if (report_.blockers.size() == max_) {
      report_.truncated = true;
      return false;
    }
    DrainBlocker blocker;
    blocker.object = record.id();
    blocker.hold = hold;
    blocker.count = count;
    const uint32_t call_site = core::ScopeSteps::CallSiteOf(table, record);
    if (call_site != core::kNone) blocker.call_site = counter_.CallSiteAt(call_site);
    report_.blockers.push_back(std::move(blocker));
    return true;
  }

  const CounterImpl& counter_;
  const size_t max_;
  DrainReport& report_;
};

// Gives away what the process owns, as long as there is some.
class GivingAway {
 public:
  GivingAway(CounterImpl* counter, const ProcessId& next_owner)
      : counter_(*counter), next_owner_(next_owner) {}

  // Called about once per millisecond. What could not be given away is tried again now and then:
  // its copies may have been deleted, or everybody has heard how it came here.
  void Step() {
    if (next_owner_.IsNil() || turns_++ % kTurns != 0) return;
    if (counter_.transfers().pending() > 0) {
      turns_ = 0;
      return;
    }
    std::vector<ObjectId> owned;
    std::vector<ObjectId> with_heirs;  // given away when those have been dismissed
    for (const std::unique_ptr<Shard>& shard : counter_.shards()) {
      core::RecordIndex resume = 0;
      while (resume != core::kNoRecord) {
        resume = shard->VisitPiece(
            resume, CounterImpl::kPieceMax,
            [&](const core::ObjectTable& table, const core::ObjectRecord& record) {
              if (!record.in_scope() || record.borrowed) return;
              const bool has_heir = core::HeirSteps::Has(table, record);
              (has_heir ? with_heirs : owned).push_back(record.id());
            });
      }
    }
    (void)counter_.transfers().heirs().Dismiss(with_heirs, {});
    (void)counter_.transfers().Begin(owned, next_owner_, {});
  }

 private:
  static constexpr uint64_t kTurns = 32;
  CounterImpl& counter_;
  const ProcessId next_owner_;
  uint64_t turns_ = 0;
};

// What throws cannot be asked again.
bool IsInterrupted(const DrainOptions& options) {
  bool interrupted = false;
  const auto thrown = internal::CallGuarded(
      [&] { interrupted = options.interrupted != nullptr && options.interrupted(); });
  return interrupted || thrown.has_value();
}

}  // namespace

ExitReadiness CounterImpl::CanExit() const {
  ExitReadiness left;
  // An excluded process owns nothing any more, and nobody listens to it.
  if (stopped() || excluded()) return left;
  left.drops_deferred = deferred_drops_.load(std::memory_order_relaxed);
  for (const std::unique_ptr<Shard>& shard : shards_) {
    internal::MutexLock lock(&shard->mutex);
    const uint64_t* by_state = shard->table.counters().by_state;
    const auto in = [&](ObjectState state) { return by_state[static_cast<int>(state)]; };
    left.owned_in_scope += in(ObjectState::kPending) + in(ObjectState::kAvailable) +
                           in(ObjectState::kFreed) + in(ObjectState::kLost);
    left.frees_unanswered += shard->table.unanswered_frees();
    const core::Sharing* sharing = shard->table.sharing();
    if (sharing == nullptr) continue;
    // Those that have failed are nobody's but the handles'.
    left.borrowed += sharing->borrows.size() - in(ObjectState::kFailed);
    left.handoffs += sharing->pins.size();
    left.acknowledgements += sharing->owed.size();
    left.answers_waiting += sharing->answers_waiting();
    if (sharing->transfers != nullptr) left.transfers += sharing->transfers->formers.unsettled();
  }
  left.transfers += transfers_.waiting();
  left.scope_members = scopes_.MembersElsewhere();
  left.scopes_ending = !scopes_.Idle();
  left.unacknowledged = !endpoint_->Idle();
  return left;
}

void CounterImpl::SetDraining(bool draining) {
  for (const std::unique_ptr<Shard>& shard : shards_) {
    internal::MutexLock lock(&shard->mutex);
    shard->draining = draining;
  }
}

DrainReport CounterImpl::Drain(const DrainOptions& options) {
  const std::shared_ptr<CounterImpl> keep = shared_from_this();
  SetDraining(true);
  transfers_.heirs().GiveUp();
  GivingAway giving(this, options.next_owner);
  const auto done = [this, &giving] {
    giving.Step();
    return CanExit().can_exit();
  };
  PumpUntil(
      done, [&options] { return IsInterrupted(options); },
      SaturatingAdd(clock_.Now(), options.timeout));
  DrainReport report;
  report.left = CanExit();
  if (report.complete()) return report;
  Blockers blockers(*this, options.blockers_max, &report);
  for (const std::unique_ptr<Shard>& shard : shards_) {
    core::RecordIndex resume = 0;
    while (resume != core::kNoRecord && !report.truncated) {
      resume = shard->VisitPiece(
          resume, kPieceMax, [&](const core::ObjectTable& table, const core::ObjectRecord& record) {
            blockers.Look(table, record);
          });
    }
  }
  return report;
}

}  // namespace runtime
}  // namespace freehold
