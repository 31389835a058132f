#include "src/runtime/location_queries.h"

#include <algorithm>
#include <string>

#include "freehold/error_reason.h"
#include "src/runtime/host_jobs.h"

namespace freehold::runtime {

using internal::MutexLock;

namespace {

ObjectState StateOf(core::LocationAnswerState state) {
  switch (state) {
    case core::LocationAnswerState::kPending:
      return ObjectState::kPending;
    case core::LocationAnswerState::kAvailable:
      return ObjectState::kAvailable;
    case core::LocationAnswerState::kFreed:
      return ObjectState::kFreed;
    case core::LocationAnswerState::kLost:
      return ObjectState::kLost;
    case core::LocationAnswerState::kGone:
      break;
  }
  return ObjectState::kOutOfScope;
}

}  // namespace

absl::StatusOr<uint64_t> LocationQueries::Ask(core::PeerIndex owner, const LocationQuery& query,
                                              LocationCallback callback) {
  if (!callback) return absl::InvalidArgumentError("the callback is empty");
  if (executor_ == nullptr) {
    return absl::FailedPreconditionError("a location query needs the option `executor`");
  }
  auto subscription = std::make_shared<LocationSubscription>(std::move(callback));
  MutexLock lock(&mutex_);
  if (closed_) {
    return WithReason(absl::FailedPreconditionError("this end was shut down"),
                      ErrorReason::kShutDown);
  }
  if (excluded_) {
    return WithReason(absl::FailedPreconditionError("this end was excluded"),
                      ErrorReason::kExcluded);
  }
  if (dead_.contains(owner)) {
    return WithReason(
        absl::UnavailableError("the owner of object " + query.object.ToHex() + " died"),
        ErrorReason::kOwnerDied);
  }
  const uint64_t number = ++last_number_;
  queries_[number] = {query.object, owner, query.subscribe, query.fetch_to,
                      std::move(subscription)};
  to_send_[owner].push_back({number, query.object, false});
  return number;
}

bool LocationQueries::Cancel(uint64_t number, core::PeerIndex* owner) {
  std::shared_ptr<LocationSubscription> ended;  // its callable is destroyed after the lock
  {
    MutexLock lock(&mutex_);
    const auto at = queries_.find(number);
    if (at == queries_.end()) return false;
    *owner = at->second.owner;
    to_send_[*owner].push_back({number, at->second.object, true});
    ended = std::move(at->second.subscription);
    queries_.erase(at);
  }
  ended->cancelled.store(true, std::memory_order_release);
  return true;
}

uint64_t LocationQueries::pending() const {
  MutexLock lock(&mutex_);
  return queries_.size();
}

uint64_t LocationQueries::to_send() const {
  MutexLock lock(&mutex_);
  uint64_t sum = 0;
  for (const auto& [owner, waiting] : to_send_) sum += waiting.size();
  return sum;
}

void LocationQueries::Close() {
  absl::btree_map<uint64_t, Query> ended;
  {
    MutexLock lock(&mutex_);
    closed_ = true;
    ended.swap(queries_);
    to_send_.clear();
  }
  for (auto& [number, query] : ended) {
    query.subscription->cancelled.store(true, std::memory_order_release);
  }
}

bool LocationQueries::Fill(core::PeerIndex owner, core::PayloadWriter* writer) {
  MutexLock lock(&mutex_);
  const auto at = to_send_.find(owner);
  if (at == to_send_.end()) return false;
  std::deque<ToSend>& waiting = at->second;
  while (!waiting.empty()) {
    const ToSend& next = waiting.front();
    core::LocationQueryItem item;
    item.object = next.object;
    item.number = next.number;
    item.cancel = next.cancel;
    const auto query = queries_.find(next.number);
    if (query != queries_.end()) {
      item.subscribe = query->second.subscribe;
      item.fetch_to = query->second.fetch_to;
    }
    // A query that was cancelled before it left does not leave; its cancellation does no harm.
    if ((query != queries_.end() || next.cancel) && !writer->Add(item)) return true;
    waiting.pop_front();
  }
  to_send_.erase(at);
  return false;
}

bool LocationQueries::OnAnswer(core::PeerIndex from, const core::LocationAnswerItem& item) {
  std::shared_ptr<LocationSubscription> subscription;
  const bool gone = item.state == core::LocationAnswerState::kGone;
  bool refused = false;
  {
    MutexLock lock(&mutex_);
    const auto at = queries_.find(item.number);
    if (at == queries_.end()) return true;  // cancelled meanwhile
    if (at->second.owner != from || at->second.object != item.object) return false;
    subscription = at->second.subscription;
    // A subscription ends with its object; otherwise there is none.
    refused = item.final && !gone && at->second.subscribe;
    if (item.final) queries_.erase(at);
  }
  LocationUpdate update;
  update.kind = gone ? LocationUpdate::Kind::kGone : LocationUpdate::Kind::kSnapshot;
  update.snapshot.state = StateOf(item.state);
  update.snapshot.generation = item.generation;
  update.snapshot.size = item.size;
  update.truncated = item.truncated;
  update.snapshot.locations = item.locations;
  std::sort(update.snapshot.locations.begin(), update.snapshot.locations.end(),
            [](const Location& a, const Location& b) { return a.node < b.node; });
  if (!refused) {
    Tell(subscription, item.object, std::move(update));
    return true;
  }
  LocationUpdate end;
  end.kind = LocationUpdate::Kind::kRefused;
  end.snapshot.state = update.snapshot.state;
  Tell(subscription, item.object, std::move(update));
  Tell(subscription, item.object, std::move(end));
  return true;
}

void LocationQueries::OnView(uint64_t version, const std::vector<core::PeerIndex>& excluded) {
  open_views_.emplace_back(version, excluded);
}

void LocationQueries::OnBarrier(uint64_t version) {
  for (; !open_views_.empty() && open_views_.front().first <= version; open_views_.pop_front()) {
    for (const core::PeerIndex owner : open_views_.front().second) {
      std::vector<Query> failed;
      {
        MutexLock lock(&mutex_);
        dead_.insert(owner);
        to_send_.erase(owner);
        for (auto at = queries_.begin(); at != queries_.end();) {
          if (at->second.owner != owner) {
            ++at;
            continue;
          }
          failed.push_back(std::move(at->second));
          at = queries_.erase(at);
        }
      }
      for (const Query& query : failed) {
        LocationUpdate update;
        update.kind = LocationUpdate::Kind::kOwnerDied;
        update.snapshot.state = ObjectState::kFailed;
        Tell(query.subscription, query.object, std::move(update));
      }
    }
  }
}

void LocationQueries::OnSelfExcluded() {
  absl::btree_map<uint64_t, Query> failed;
  {
    MutexLock lock(&mutex_);
    excluded_ = true;
    failed.swap(queries_);
    to_send_.clear();
  }
  for (const auto& [number, query] : failed) {
    LocationUpdate update;
    update.kind = LocationUpdate::Kind::kExcluded;
    update.snapshot.state = ObjectState::kFailed;
    Tell(query.subscription, query.object, std::move(update));
  }
}

void LocationQueries::Tell(const std::shared_ptr<LocationSubscription>& to, const ObjectId& object,
                           LocationUpdate update) {
  PostGuarded(executor_.get(), &logger_, MakeLocationJob(to, object, std::move(update)));
}

}  // namespace freehold::runtime
