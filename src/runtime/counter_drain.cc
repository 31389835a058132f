// CounterImpl: whether this process can exit, waiting until it can, and naming what is in the way.
//
// Draining changes one thing: no object is declared, or taken from others, any more. Everything
// else goes on, so that the tasks that still run find their references usable and can read nested
// ones; what they drop is freed and released as ever. A process has drained when nothing of its own
// is in scope, it borrows nothing, no handoff of its is under way, and everything that it sent is
// acknowledged: then its exclusion, which is how it leaves, changes nothing for anybody.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/drain.h"
#include "src/base/guarded_call.h"
#include "src/base/mutant.h"
#include "src/core/object_table_heirs.h"
#include "src/core/object_table_pins.h"
#include "src/core/object_table_scopes.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/giving_away.h"

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
    case DrainHold::kTransfer:
      return "transfer";
    case DrainHold::kNotGiven:
      return "not given away";
    case DrainHold::kUntold:
      return "not told of its owner";
    case DrainHold::kMember:
      return "member of a scope";
    case DrainHold::kPeer:
      return "peer";
  }
  return "unknown";
}

std::string DrainBlocker::ToString() const {
  std::string text;
  if (!object.IsNil()) absl::StrAppend(&text, "object ", object.ToHex(), ": ");
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
    case DrainHold::kTransfer:
      absl::StrAppend(&text, "being given to ", peer.ToString());
      break;
    case DrainHold::kNotGiven:
      absl::StrAppend(&text, "not given to ", peer.ToString());
      break;
    case DrainHold::kUntold:
      absl::StrAppend(&text, peer.ToString(), " may not know who owns it now");
      break;
    case DrainHold::kMember:
      absl::StrAppend(&text, "scope ", scope.number(), ": joined by ", peer.ToString());
      break;
    case DrainHold::kPeer:
      absl::StrAppend(&text, count, " envelopes not acknowledged by ", peer.ToString());
      break;
  }
  if (!why.empty()) absl::StrAppend(&text, ": ", why);
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

using internal::IsMutant;
using internal::Mutant;

namespace {

// Collects what is in the way, up to a limit.
class Blockers {
 public:
  Blockers(CounterImpl* counter, const GivingAway& giving, size_t max, DrainReport* report)
      : counter_(*counter),
        giving_(giving),
        max_(max),
        limit_(max),
        report_(*report),
        refused_(counter->transfers().refused().All()) {}

  void LookAtPeers() {
    BeginPart();
    counter_.endpoint().ForEachUnacked([&](core::PeerIndex peer, uint32_t envelopes) {
      ++report_.peers;
      (void)Add({}, DrainHold::kPeer, envelopes, peer);
    });
  }
  void LookAtMembers() {
    BeginPart();
    counter_.scopes().ForEachMemberElsewhere([&](ScopeId scope, core::PeerIndex peer, bool told) {
      if (!Add({}, DrainHold::kMember, 1, peer)) return false;
      report_.blockers.back().scope = scope;
      report_.blockers.back().why =
          told ? "it has not answered that the scope ends" : "the scope has not ended";
      return true;
    });
  }
  void LookAtTransfers() {
    BeginPart();
    for (const std::unique_ptr<Shard>& shard : counter_.shards()) {
      internal::MutexLock lock(&shard->mutex);
      const core::Sharing* sharing = shard->table.sharing();
      if (sharing == nullptr || sharing->transfers == nullptr) continue;
      sharing->transfers->formers.ForEachUnsettled(
          [&](const core::Former& former) { return LookAtFormer(former); });
    }
    counter_.transfers().ForEachWaiting([&](const ObjectId& object, core::PeerIndex next_owner) {
      return AddTransfer(object, next_owner, "it has not begun");
    });
  }
  void LookAtObjects() {
    limit_ = max_;
    bool is_full = false;
    for (const std::unique_ptr<Shard>& shard : counter_.shards()) {
      core::RecordIndex resume = 0;
      while (resume != core::kNoRecord && !is_full) {
        resume = shard->VisitPiece(
            resume, CounterImpl::kPieceMax,
            [&](const core::ObjectTable& table, const core::ObjectRecord& record) {
              is_full = is_full || !Look(table, record);
            });
      }
    }
  }

 private:
  // A quarter of all, so that there is room for the other parts.
  void BeginPart() { limit_ = std::min(max_, report_.blockers.size() + (max_ + 3) / 4); }

  // All of these answer false when there is no room for more.
  bool LookAtFormer(const core::Former& former) {
    if (!AddTransfer(former.object, former.next_owner, core::FormerStageName(former.stage))) {
      return false;
    }
    if (former.stage != core::FormerStage::kTaken) return true;
    const auto add = [&](core::PeerIndex peer) {
      return peer == former.next_owner || counter_.endpoint().IsExcluded(peer) ||
             Add(former.object, DrainHold::kUntold, 1, peer);
    };
    for (const core::PeerIndex process : former.snapshot->processes) {
      if (!add(process)) return false;
    }
    for (const core::PeerIndex process : former.snapshot->formers) {
      if (!add(process)) return false;
    }
    for (const core::OwnedSnapshot::At& at : former.snapshot->nodes) {
      if (!add(at.node)) return false;
    }
    return true;
  }
  bool AddTransfer(const ObjectId& object, core::PeerIndex next_owner, const char* how_far) {
    if (!Add(object, DrainHold::kTransfer, 1, next_owner)) return false;
    report_.blockers.back().why = how_far;
    return true;
  }

  bool Look(const core::ObjectTable& table, const core::ObjectRecord& record) {
    // What has failed is of use to nobody: its handles are in nobody's way.
    if (record.state() == ObjectState::kFailed) return true;
    const size_t first = report_.blockers.size();
    const bool fits = LookAtHolders(table, record) && LookAtCopies(table, record);
    const uint32_t call_site = core::ScopeSteps::CallSiteOf(table, record);
    for (size_t i = first; call_site != core::kNone && i < report_.blockers.size(); ++i) {
      report_.blockers[i].call_site = counter_.CallSiteAt(call_site);
    }
    return fits;
  }
  bool LookAtHolders(const core::ObjectTable& table, const core::ObjectRecord& record) {
    const ObjectId& object = record.id();
    if (!record.in_scope()) {
      return !record.borrowed || Add(object, DrainHold::kRelease, 1, table.BorrowOf(record).owner);
    }
    return LookAtRefusal(table, record) && Add(object, DrainHold::kHandles, record.cell.count()) &&
           Add(object, DrainHold::kById, record.by_id) &&
           Add(object, DrainHold::kTasks, record.tasks) &&
           Add(object, DrainHold::kOuter,
               record.nested_in - core::PinSteps::NotNested(table, record)) &&
           Add(object, DrainHold::kScope, core::ScopeSteps::IsHeldByScope(table, record) ? 1 : 0) &&
           LookAtPins(table, record) && LookAtSharing(table, record);
  }
  bool LookAtRefusal(const core::ObjectTable& table, const core::ObjectRecord& record) {
    if (!giving_.is_on() || record.borrowed) return true;
    const auto refused = refused_.find(record.id());
    if (refused != refused_.end()) {
      if (!Add(record.id(), DrainHold::kNotGiven, 1, refused->second.next_owner)) return false;
      report_.blockers.back().why = refused->second.why;
      return true;
    }
    std::string why(giving_.error().message());
    if (why.empty() && core::HeirSteps::Has(table, record)) {
      why = core::ImmovableName(core::Immovable::kHasHeir);
    }
    if (why.empty()) return true;
    if (!Add(record.id(), DrainHold::kNotGiven)) return false;
    report_.blockers.back().peer = Address(giving_.next_owner());
    report_.blockers.back().why = std::move(why);
    return true;
  }
  bool LookAtPins(const core::ObjectTable& table, const core::ObjectRecord& record) {
    const core::ValuePins::Pinned* pinned = core::PinSteps::Of(table, record);
    if (pinned == nullptr) return true;
    for (const PinHolder& holder : pinned->holders) {
      if (!Add(record.id(), DrainHold::kPin, holder.count)) return false;
      report_.blockers.back().pinned_by = holder.by;
    }
    return true;
  }
  bool LookAtSharing(const core::ObjectTable& table, const core::ObjectRecord& record) {
    const core::Sharing* sharing = table.sharing();
    if (sharing == nullptr) return true;
    const core::RecordIndex index = core::RecordSlabs::IndexOf(record);
    bool fits = true;
    const auto list = [&](const core::HolderIndex& holders, DrainHold hold) {
      holders.ForEachOf(index, [&](const core::HolderIndex::Holder& holder) {
        fits = fits && Add(record.id(), hold, 1, holder.peer);
        return fits;
      });
    };
    list(sharing->borrowers, DrainHold::kBorrower);
    list(sharing->pins, DrainHold::kHandoff);
    if (sharing->transfers != nullptr) {
      list(sharing->transfers->to_tell, DrainHold::kUntold);
      list(sharing->transfers->telling, DrainHold::kUntold);
    }
    return fits;
  }
  bool LookAtCopies(const core::ObjectTable& table, const core::ObjectRecord& record) {
    bool fits = true;
    table.ForEachCopy(record, [&](const core::Copy& copy) {
      const core::FreeState state = table.Facts(record, copy).free_state;
      if (state == core::FreeState::kWaiting || state == core::FreeState::kSent) {
        fits = fits && Add(record.id(), DrainHold::kFree, 1, copy.node);
      }
    });
    return fits;
  }
  bool Add(const ObjectId& object, DrainHold hold, uint64_t count = 1,
           core::PeerIndex peer = core::kNoPeer) {
    if (count == 0) return true;
    if (report_.blockers.size() >= limit_) {
      report_.truncated = true;
      return false;
    }
    DrainBlocker& blocker = report_.blockers.emplace_back();
    blocker.object = object;
    blocker.hold = hold;
    blocker.count = count;
    if (peer != core::kNoPeer) blocker.peer = counter_.endpoint().AddressOf(peer);
    return true;
  }

  CounterImpl& counter_;
  const GivingAway& giving_;
  const size_t max_;
  size_t limit_;  // of the part
  DrainReport& report_;
  const RefusedTransfers::ByObject refused_;
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
  if (IsMutant(Mutant::kExitDespiteTransfers)) {
    left.borrowed -= std::min(left.borrowed, std::exchange(left.transfers, 0));
  }
  if (IsMutant(Mutant::kExitDespiteFrees)) left.frees_unanswered = 0;
  return left;
}

void CounterImpl::SetDraining(bool draining) {
  for (const std::unique_ptr<Shard>& shard : shards_) {
    internal::MutexLock lock(&shard->mutex);
    shard->draining = draining && !IsMutant(Mutant::kDrainTakesNew);
  }
}

DrainReport CounterImpl::Drain(const DrainOptions& options) {
  const std::shared_ptr<CounterImpl> keep = shared_from_this();
  const Time deadline = SaturatingAdd(clock_.Now(), options.timeout);
  SetDraining(true);
  transfers_.heirs().GiveUp();
  GivingAway giving(this, options, deadline);
  const auto done = [this, &giving] {
    giving.Step();
    return CanExit().can_exit();
  };
  PumpUntil(
      done, [&options] { return IsInterrupted(options); }, deadline);
  DrainReport report;
  report.left = CanExit();
  if (report.complete()) return report;
  Blockers blockers(this, giving, options.blockers_max, &report);
  blockers.LookAtPeers();
  blockers.LookAtMembers();
  blockers.LookAtTransfers();
  blockers.LookAtObjects();
  return report;
}

}  // namespace runtime
}  // namespace freehold
