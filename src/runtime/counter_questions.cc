// CounterImpl: what it asks other processes about their objects: where they are, and to be told of
// their moments.

#include <memory>
#include <utility>

#include "src/core/object_table_watches.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/errors.h"
#include "src/runtime/host_jobs.h"

namespace freehold::runtime {

namespace {

// Whom to ask about an object: `owner`, or if that is nil whoever has it as far as is known here;
// kNoPeer: this process. Errors: NotFound, FailedPrecondition (no transport), ResourceExhausted.
absl::StatusOr<core::PeerIndex> OwnerToAsk(CounterImpl* counter, const ObjectId& object,
                                           const ProcessId& owner) {
  if (owner == counter->options().process) return core::kNoPeer;
  core::PeerIndex known = core::kNoPeer;
  {
    const core::Key key = counter->KeyOf(object);
    Shard& shard = counter->ShardOf(key);
    internal::MutexLock lock(&shard.mutex);
    const core::ObjectRecord* record = shard.table.Find(key);
    if (record == nullptr && owner.IsNil()) {
      return counter->ToStatus(core::Verdict::kNotFound, object);
    }
    if (record != nullptr && record->borrowed) {
      const core::Borrow& borrow = shard.table.BorrowOf(*record);
      // The question would be there before the object.
      if (borrow.declares) return NotAcknowledgedError(object.ToHex());
      known = borrow.owner;
    }
  }
  if (owner.IsNil()) return known;
  if (counter->options().transport == nullptr) return NoTransportError();
  const core::PeerIndex peer = counter->endpoint().Intern(Address(owner));
  if (peer == core::kNoPeer) return TooManyPeersError();
  return peer;
}

// Told at once what has passed, or is not there, behind whatever of the object was told before: so
// it goes the way of callbacks that fire. Answers the number of the registration, or 0.
absl::StatusOr<uint64_t> WatchOwn(CounterImpl* counter, Moment moment, const ObjectId& object,
                                  std::unique_ptr<ObjectCallbackBody> body) {
  const core::Key key = counter->KeyOf(object);
  Shard& shard = counter->ShardOf(key);
  uint64_t number = 0;
  const core::Token token = body->token();
  const core::Verdict verdict = counter->Apply(
      shard,
      [&](core::ObjectTable& table, core::Effects* effects) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
        number = ++shard.registrations;
        const core::Verdict answer = table.Step(core::event::Register{key, moment, number, token});
        if (answer == core::Verdict::kOk) return answer;
        // One that is borrowed here is none of ours, as one that is unknown.
        const bool passed = answer == core::Verdict::kMomentPassed;
        effects->fired.push_back(
            {token, passed ? core::WatchSteps::WhyEnded(table, key) : EndReason::kGone});
        return answer;
      });
  if (verdict == core::Verdict::kShutDown) return ShutDownError();
  (void)body.release();  // the core's now, as a token, or the executor's already
  return verdict == core::Verdict::kOk ? number : 0;
}

}  // namespace

absl::StatusOr<uint64_t> CounterImpl::QueryLocations(const LocationQuery& query,
                                                     LocationCallback callback) {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  if (options_.transport == nullptr) return NoTransportError();
  const absl::StatusOr<core::PeerIndex> owner = OwnerToAsk(this, query.object, query.owner);
  if (!owner.ok()) return owner.status();
  if (*owner == core::kNoPeer) {
    return absl::InvalidArgumentError(
        "this process owns the object: use GetLocations or SubscribeLocations");
  }
  absl::StatusOr<uint64_t> number = queries_.Ask(*owner, query, std::move(callback));
  if (number.ok()) endpoint_->MarkReady(*owner);
  return number;
}

bool CounterImpl::CancelQuery(uint64_t number) {
  core::PeerIndex owner = core::kNoPeer;
  if (!queries_.Cancel(number, &owner)) return false;
  endpoint_->MarkReady(owner);
  return true;
}

absl::StatusOr<uint64_t> CounterImpl::Watch(Moment moment, const ObjectId& object,
                                            const ProcessId& owner, ObjectCallback callback) {
  if (!callback) return absl::InvalidArgumentError("the callback is empty");
  if (moment > Moment::kErased) {
    return absl::InvalidArgumentError(
        "references fail where they are: use OnFailed for those of this process");
  }
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  if (options_.executor == nullptr) {
    return absl::FailedPreconditionError("a watch needs ReferenceCounterOptions.executor");
  }
  const absl::StatusOr<core::PeerIndex> peer = OwnerToAsk(this, object, owner);
  if (!peer.ok()) return peer.status();
  auto body = std::make_unique<ObjectCallbackBody>(object, moment, std::move(callback));
  if (*peer == core::kNoPeer) return WatchOwn(this, moment, object, std::move(body));
  const absl::StatusOr<uint64_t> number = watches_.Ask(*peer, object, moment, std::move(body));
  if (!number.ok()) return number.status();
  endpoint_->MarkReady(*peer);
  return Watches::Mark(*number);
}

bool CounterImpl::CancelWatch(uint64_t registration) {
  core::PeerIndex owner = core::kNoPeer;
  if (!watches_.Cancel(Watches::Unmark(registration), &owner)) return false;
  endpoint_->MarkReady(owner);
  return true;
}

}  // namespace freehold::runtime
