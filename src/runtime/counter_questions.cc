// CounterImpl: what it asks other processes about their objects: where they are, and to be told of
// their moments.

#include <algorithm>
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
      // Its next owner may not have heard of it: this process knows still, or passes it on.
      if (borrow.stage == core::BorrowStage::kMoving) return core::kNoPeer;
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
// it goes the way of callbacks that fire. Answers the number of the registration, or 0. `known`:
// the number to register it under, 0: a new one. What is borrowed here, because it was given away a
// moment ago, is still the caller's.
absl::StatusOr<uint64_t> WatchOwn(CounterImpl* counter, Moment moment, const ObjectId& object,
                                  uint64_t known, std::unique_ptr<ObjectCallbackBody>* body) {
  const core::Key key = counter->KeyOf(object);
  Shard& shard = counter->ShardOf(key);
  uint64_t number = 0;
  const core::Token token = (*body)->token();
  const core::Verdict verdict = counter->Apply(
      shard,
      [&](core::ObjectTable& table, core::Effects* effects) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
        number = known != 0 ? known : ++shard.registrations;
        const core::Verdict answer = table.Step(core::event::Register{key, moment, number, token});
        if (answer == core::Verdict::kOk || answer == core::Verdict::kNotOwner) return answer;
        const bool passed = answer == core::Verdict::kMomentPassed;
        effects->fired.push_back(
            {token, passed ? core::WatchSteps::WhyEnded(table, key) : EndReason::kGone});
        return answer;
      });
  if (verdict == core::Verdict::kShutDown) return ShutDownError();
  if (verdict == core::Verdict::kNotOwner) return counter->ToStatus(verdict, object);
  (void)body->release();  // the core's now, as a token, or the executor's already
  return verdict == core::Verdict::kOk ? number : 0;
}

}  // namespace

void CounterImpl::WatchHere(Moment moment, const ObjectId& object, uint64_t number,
                            std::unique_ptr<ObjectCallbackBody> body) {
  (void)WatchOwn(this, moment, object, number, &body);
}

absl::StatusOr<ObjectLocations> CounterImpl::LocationsHere(const ObjectId& object) const {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  const core::Key key = KeyOf(object);
  const Shard& shard = ShardOf(key);
  ObjectLocations answer;
  std::vector<core::CopyFacts> copies;
  {
    internal::MutexLock lock(&shard.mutex);
    const core::ObjectRecord* record = shard.table.Find(key);
    if (record == nullptr) return ToStatus(core::Verdict::kNotFound, object);
    if (record->borrowed) return ToStatus(core::Verdict::kNotOwner, object);
    answer.state = record->state();
    answer.generation = record->generation;
    answer.size = record->size;
    copies = shard.table.AllFacts(*record);
  }
  for (const core::CopyFacts& facts : copies) {
    if (facts.listed) answer.locations.push_back(ToLocation(facts));
  }
  std::sort(answer.locations.begin(), answer.locations.end(),
            [](const Location& a, const Location& b) { return a.node < b.node; });
  return answer;
}

absl::StatusOr<uint64_t> CounterImpl::QueryLocations(const LocationQuery& query,
                                                     LocationCallback callback) {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  if (options_.transport == nullptr) return NoTransportError();
  const absl::StatusOr<core::PeerIndex> owner = OwnerToAsk(this, query.object, query.owner);
  if (!owner.ok()) return owner.status();
  if (*owner == core::kNoPeer && query.owner != options_.process &&
      LocationsHere(query.object).status().code() == absl::StatusCode::kFailedPrecondition) {
    return WithReason(absl::FailedPreconditionError("the next owner of object " +
                                                    query.object.ToHex() + " has not answered"),
                      ErrorReason::kNotAcknowledged);
  }
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
  absl::StatusOr<core::PeerIndex> peer = OwnerToAsk(this, object, owner);
  if (!peer.ok()) return peer.status();
  auto body = std::make_unique<ObjectCallbackBody>(object, moment, std::move(callback));
  if (*peer == core::kNoPeer) {
    absl::StatusOr<uint64_t> own = WatchOwn(this, moment, object, 0, &body);
    if (ReasonOf(own.status()) != ErrorReason::kNotOwner) return own;
    // Its owner is another by now, or was all along.
    peer = OwnerToAsk(this, object, ProcessId());
    if (!peer.ok()) return peer.status();
    if (*peer == core::kNoPeer) return own.status();
  }
  const absl::StatusOr<uint64_t> number = watches_.Ask(*peer, object, moment, std::move(body));
  if (!number.ok()) return number.status();
  endpoint_->MarkReady(*peer);
  return Watches::Mark(*number);
}

bool CounterImpl::CancelMoved(const ObjectId& object, uint64_t registration) {
  const uint64_t number = watches_.FindMoved(object, registration);
  return number != 0 && CancelWatch(number);
}

bool CounterImpl::CancelWatch(uint64_t registration) {
  core::PeerIndex owner = core::kNoPeer;
  if (!watches_.Cancel(Watches::Unmark(registration), &owner)) return false;
  endpoint_->MarkReady(owner);
  return true;
}

}  // namespace freehold::runtime
