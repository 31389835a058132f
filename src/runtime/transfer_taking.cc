// TransferKeeper: the side of whoever takes objects over, and of who hears of another owner.

#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/declarations.h"
#include "src/runtime/host_jobs.h"

namespace freehold::runtime {

namespace {

// At the next owner. The reference is dropped with the job if nobody takes it.
class TransferredBody final : public CallbackJob::Body {
 public:
  TransferredBody(const DeclaredCallback& callback, ObjectRef ref, const ProcessId& from)
      : callback_(callback), object_(ref.id()), from_(from), ref_(std::move(ref)) {}
  void Run() override { callback_(std::move(ref_), from_); }
  ObjectId object() const override { return object_; }
  const char* what() const override { return "transferred to this process"; }

 private:
  const DeclaredCallback callback_;
  const ObjectId object_;
  const ProcessId from_;
  ObjectRef ref_;
};

}  // namespace

// It is held until the barrier, so that the reference comes in time.
void TransferKeeper::Inherit(const core::TransferNotice& notice) {
  counter_->logger().Log(LogLevel::kInfo, absl::StrCat("object ", notice.object.ToHex(),
                                                       " is inherited: its owner has died"));
  KeepAskingHere(notice.next_owner, notice.object);
  const DeclaredCallback& on_transferred = counter_->options().on_transferred;
  if (on_transferred == nullptr) return;
  absl::StatusOr<ObjectRef> ref = counter_->GetRef(notice.object);
  if (!ref.ok()) return;
  counter_->PostJob(std::make_unique<TransferredBody>(on_transferred, *std::move(ref),
                                                      counter_->ProcessAt(notice.next_owner)));
}

// By a look at its shard; then it is, whatever becomes of that until the step.
bool TransferKeeper::IsRefused(core::event::TakeOver* event) {
  if (event->refusal != core::TransferAnswer::kTaken) return true;
  Shard& shard = counter_->ShardOf(event->key);
  (void)counter_->ApplyQuietly(
      shard, [&](core::ObjectTable& table) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
        event->refusal = shard.draining || !shard.is_open
                             ? core::TransferAnswer::kDraining
                             : core::TransferSteps(&table).AnswerTo(*event);
        return core::Verdict::kOk;
      });
  return event->refusal != core::TransferAnswer::kTaken;
}

void TransferKeeper::Take(core::PeerIndex from, const core::TransferItem& item) {
  core::OwnedSnapshot snapshot = SnapshotOf(counter_, from, item);
  const core::Key key = counter_->KeyOf(item.object);
  Shard& shard = counter_->ShardOf(key);
  const DeclaredCallback& on_transferred = counter_->options().on_transferred;
  ContainedKeeper::Staged staged = contained_.Take(from, item.object, item.term);
  const bool takes = counter_->options().takes_transfers;
  core::event::TakeOver event{key, from, item.term, snapshot};
  if (staged.failed) event.refusal = core::TransferAnswer::kFull;
  if (!takes) event.refusal = core::TransferAnswer::kRefused;
  core::Admission admission;
  // What is refused in any case makes no part of a scope here.
  if (item.scope.has_value() && !IsRefused(&event) &&
      !counter_->scopes().Bring(from, *item.scope, shard.number, &admission)) {
    event.refusal = core::TransferAnswer::kFull;
  }
  std::optional<core::Adoption> adopted;
  if (item.task.has_value() && !IsRefused(&event)) adopted = counter_->lineage().Adopt(from, item);
  if (adopted.has_value()) snapshot.task = std::make_unique<core::TaskRecord>(*item.task);
  // A record alone is of no use without.
  const bool is_record = item.state == core::TransferState::kRecord;
  if (is_record && !adopted.has_value() && event.refusal == core::TransferAnswer::kTaken) {
    event.refusal = core::TransferAnswer::kFull;
  }
  const bool in_scope = admission.scope != core::kNoScope;
  if (in_scope) event.scope = &admission;
  event.keep = on_transferred != nullptr && !is_record;
  ObjectRef ref;
  const core::Verdict verdict = counter_->Apply(
      shard,
      [&](core::ObjectTable& table, core::Effects* effects) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
        if (takes && (shard.draining || !shard.is_open)) {
          event.refusal = core::TransferAnswer::kDraining;
        }
        core::ObjectRecord* record = nullptr;
        const core::Verdict answer = core::TransferSteps(&table).Step(event, effects, &record);
        if (answer == core::Verdict::kOk && event.keep)
          ref = Declarations::AddHandle(&shard, record);
        return answer;
      });
  if (verdict != core::Verdict::kOk) {
    if (in_scope) counter_->scopes().Withdraw(admission);
    if (adopted.has_value()) counter_->lineage().GiveUpAdopted(from, item, *adopted);
    counter_->ReleaseInners(std::move(staged.inners));
    return;
  }
  // If the object has ended already, what it contained goes with it.
  if (!staged.inners.empty()) {
    (void)counter_->HandInners(item.object, std::move(staged.inners));
  }
  KeepAskingHere(from, item.object);
  if (!ref) return;
  const ProcessId former = counter_->ProcessAt(from);
  counter_->PostJob(std::make_unique<TransferredBody>(on_transferred, std::move(ref), former));
}

// What this process has asked the former owner about an object that is its own from now on.
void TransferKeeper::KeepAskingHere(core::PeerIndex from, const ObjectId& object) {
  for (auto& watch : counter_->watches_.TakeOf(from, object)) {
    counter_->WatchHere(watch.moment, object, watch.registration, std::move(watch.body));
  }
  counter_->queries_.AnswerHere(from, object, [this, &object] {
    const absl::StatusOr<ObjectLocations> here = counter_->LocationsHere(object);
    return here.ok() ? *here : ObjectLocations();
  });
}

bool TransferKeeper::OnMoved(core::PeerIndex from, const core::MovedItem& item) {
  Endpoint& endpoint = counter_->endpoint();
  core::PeerIndex owner = from;
  if (item.owner == counter_->options().process) {
    owner = core::kNoPeer;
  } else if (!item.owner.IsNil()) {
    owner = endpoint.Intern(Address(item.owner));
    if (owner == core::kNoPeer) return true;  // nobody could be asked
  }
  const core::Key key = counter_->KeyOf(item.object);
  const core::Verdict verdict = counter_->Apply(
      counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return core::TransferSteps(&table).Step(core::event::Moved{key, from, owner, item.term},
                                                effects);
      });
  if (verdict == core::Verdict::kNotOwner || verdict == core::Verdict::kOtherOwner) return false;
  if (owner == core::kNoPeer) {
    KeepAskingHere(from, item.object);
    return true;
  }
  // Questions leave before the answer to this, after which the owner may let go of the object: they
  // are filled in first, in a later part of this turn.
  const bool asked = counter_->watches_.OnMoved(from, item.object, owner, item.term);
  const bool queried = counter_->queries_.OnMoved(from, item.object, owner, item.term);
  if (asked || queried) endpoint.MarkReady(owner);
  return true;
}

}  // namespace freehold::runtime
