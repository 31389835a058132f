#include <algorithm>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "freehold/log.h"
#include "freehold/membership.h"
#include "src/base/guarded_call.h"
#include "src/base/mutex.h"

namespace freehold {

using internal::Mutex;
using internal::MutexLock;

namespace {

// Guarded by the membership's mutex, but for `address`.
struct Member {
  Address address;
  std::weak_ptr<MembershipListener> listener;
  uint64_t joined_at = 0;  // the latest view then: this view does not wait for it
  uint64_t flushed = 0;
  bool left = false;  // by itself: is not called back any more
};

// Views and barriers wait in one queue, each with those that were members when it happened. So
// every listener hears the same order, whichever thread delivers.
struct Event {
  std::variant<View, uint64_t> what;  // a view, or the version of a barrier
  std::vector<std::shared_ptr<Member>> recipients;
};

// How far one that joins has been told what was before it.
struct Joining {
  bool has_view = false;
  uint64_t view = 0;
  uint64_t barrier = 0;
  size_t excluded = 0;  // of all that ever were, in order
};

void Tell(MembershipListener* listener, const Event& event) {
  const std::optional<std::string> thrown = internal::CallGuarded([&] {
    if (const View* view = std::get_if<View>(&event.what)) {
      listener->OnView(*view);
    } else {
      listener->OnBarrier(std::get<uint64_t>(event.what));
    }
  });
  if (thrown.has_value()) {
    Logger::Default().Log(LogLevel::kError, "a membership listener threw " + *thrown +
                                                "; listeners must not throw, see "
                                                "freehold/membership.h");
  }
}

}  // namespace

struct LocalMembership::Rep {
  // Announces a view of those of `ids` that were not excluded before, if there are any.
  void ExcludeLocked(absl::Span<const Address> ids) FREEHOLD_REQUIRES(mutex);
  void AnnounceBarrierIfDue() FREEHOLD_REQUIRES(mutex);
  bool WaitsFor(const Member& member) const FREEHOLD_REQUIRES(mutex) {
    return member.joined_at < latest_view && member.flushed < latest_view;
  }
  // Delivers what is queued, unless another call does it: that one finds what we queued.
  void Deliver() FREEHOLD_EXCLUDES(mutex);
  bool TakeDelivery() FREEHOLD_EXCLUDES(mutex);
  // False: there is none, and the delivery was given back.
  bool NextEvent(Event* event) FREEHOLD_EXCLUDES(mutex);
  std::shared_ptr<MembershipListener> ListenerOf(const Member& member) FREEHOLD_EXCLUDES(mutex);
  absl::Status CheckJoin(const Address& self) const FREEHOLD_REQUIRES(mutex);
  // What who joins has not been told yet.
  std::vector<Event> NewsFor(Joining* joining) const FREEHOLD_REQUIRES(mutex);
  void Add(const Address& self, std::weak_ptr<MembershipListener> listener)
      FREEHOLD_REQUIRES(mutex);

  Mutex mutex;
  uint64_t latest_view FREEHOLD_GUARDED_BY(mutex) = 0;
  uint64_t latest_barrier FREEHOLD_GUARDED_BY(mutex) = 0;
  std::vector<std::shared_ptr<Member>> members FREEHOLD_GUARDED_BY(mutex);  // in order of joining
  absl::flat_hash_map<Address, std::shared_ptr<Member>> by_address FREEHOLD_GUARDED_BY(mutex);
  uint64_t unflushed FREEHOLD_GUARDED_BY(mutex) = 0;         // members that WaitsFor
  std::vector<Address> excluded FREEHOLD_GUARDED_BY(mutex);  // in order
  absl::flat_hash_set<Address> is_excluded FREEHOLD_GUARDED_BY(mutex);
  std::deque<Event> events FREEHOLD_GUARDED_BY(mutex);
  bool delivering FREEHOLD_GUARDED_BY(mutex) = false;
  bool closed FREEHOLD_GUARDED_BY(mutex) = false;  // the membership is gone
};

void LocalMembership::Rep::ExcludeLocked(absl::Span<const Address> ids) {
  View view;
  for (const Address& id : ids) {
    if (!is_excluded.insert(id).second) continue;
    excluded.push_back(id);
    view.excluded.push_back(id);
  }
  if (view.excluded.empty()) return;
  view.version = ++latest_view;
  events.push_back({std::move(view), members});
  std::vector<std::shared_ptr<Member>> remaining;
  for (const std::shared_ptr<Member>& member : members) {
    if (is_excluded.contains(member->address)) {
      by_address.erase(member->address);
    } else {
      remaining.push_back(member);
    }
  }
  members = std::move(remaining);
  unflushed = 0;
  for (const std::shared_ptr<Member>& member : members) unflushed += WaitsFor(*member) ? 1 : 0;
  AnnounceBarrierIfDue();
}

void LocalMembership::Rep::AnnounceBarrierIfDue() {
  if (latest_barrier == latest_view || unflushed > 0) return;
  latest_barrier = latest_view;
  events.push_back({latest_barrier, members});
}

void LocalMembership::Rep::Deliver() {
  if (!TakeDelivery()) return;
  Event event;
  while (NextEvent(&event)) {
    for (const std::shared_ptr<Member>& member : event.recipients) {
      const std::shared_ptr<MembershipListener> listener = ListenerOf(*member);
      if (listener != nullptr) Tell(listener.get(), event);
    }
  }
}

bool LocalMembership::Rep::TakeDelivery() {
  MutexLock lock(&mutex);
  if (delivering) return false;
  delivering = true;
  return true;
}

bool LocalMembership::Rep::NextEvent(Event* event) {
  MutexLock lock(&mutex);
  delivering = !closed && !events.empty();
  if (!delivering) return false;
  *event = std::move(events.front());
  events.pop_front();
  return true;
}

std::shared_ptr<MembershipListener> LocalMembership::Rep::ListenerOf(const Member& member) {
  MutexLock lock(&mutex);
  return closed || member.left ? nullptr : member.listener.lock();
}

absl::Status LocalMembership::Rep::CheckJoin(const Address& self) const {
  if (is_excluded.contains(self)) {
    return absl::FailedPreconditionError(
        self.ToString() + " was excluded and cannot join again; a restart takes a new id");
  }
  if (by_address.contains(self)) {
    return absl::AlreadyExistsError(self.ToString() + " is a member already");
  }
  return absl::OkStatus();
}

std::vector<Event> LocalMembership::Rep::NewsFor(Joining* joining) const {
  std::vector<Event> news;
  if (!joining->has_view || joining->view < latest_view) {
    View view;
    view.version = latest_view;
    view.excluded.assign(excluded.begin() + static_cast<std::ptrdiff_t>(joining->excluded),
                         excluded.end());
    news.push_back({std::move(view), {}});
  }
  // Whoever joins late must not wait for a barrier that has been announced.
  if (joining->barrier < latest_barrier) news.push_back({latest_barrier, {}});
  *joining = {true, latest_view, latest_barrier, excluded.size()};
  return news;
}

void LocalMembership::Rep::Add(const Address& self, std::weak_ptr<MembershipListener> listener) {
  const auto member = std::make_shared<Member>();
  member->address = self;
  member->listener = std::move(listener);
  member->joined_at = latest_view;
  members.push_back(member);
  by_address.emplace(self, member);
}

LocalMembership::LocalMembership() : rep_(std::make_shared<Rep>()) {}

LocalMembership::~LocalMembership() {
  MutexLock lock(&rep_->mutex);
  rep_->closed = true;
}

absl::Status LocalMembership::Join(const Address& self,
                                   std::weak_ptr<MembershipListener> listener) {
  const std::shared_ptr<Rep> rep = rep_;  // a listener may destroy this
  // Told here and not through the queue, which another thread may be working off: the joiner has
  // heard what was before Join returns. What comes up meanwhile is told as well, until nothing has;
  // only then is it a recipient of the queue's events.
  Joining joining;
  while (true) {
    std::vector<Event> past;
    {
      MutexLock lock(&rep->mutex);
      if (absl::Status status = rep->CheckJoin(self); !status.ok()) return status;
      past = rep->NewsFor(&joining);
      if (past.empty()) {
        rep->Add(self, std::move(listener));
        return absl::OkStatus();
      }
    }
    const std::shared_ptr<MembershipListener> told = listener.lock();
    for (const Event& event : past) {
      if (told != nullptr) Tell(told.get(), event);
    }
  }
}

void LocalMembership::Flushed(const Address& self, uint64_t version) {
  const std::shared_ptr<Rep> rep = rep_;
  {
    MutexLock lock(&rep->mutex);
    if (version <= rep->latest_barrier || version > rep->latest_view) return;  // not open
    const auto found = rep->by_address.find(self);
    if (found == rep->by_address.end()) return;
    Member& member = *found->second;
    const bool waited = rep->WaitsFor(member);
    member.flushed = std::max(member.flushed, version);
    if (waited && !rep->WaitsFor(member)) --rep->unflushed;
    rep->AnnounceBarrierIfDue();
  }
  rep->Deliver();
}

void LocalMembership::Leave(const Address& self) {
  const std::shared_ptr<Rep> rep = rep_;
  {
    MutexLock lock(&rep->mutex);
    const auto found = rep->by_address.find(self);
    if (found == rep->by_address.end()) return;
    found->second->left = true;
    rep->ExcludeLocked({self});
  }
  rep->Deliver();
}

uint64_t LocalMembership::Exclude(absl::Span<const Address> ids) {
  const std::shared_ptr<Rep> rep = rep_;
  uint64_t version = 0;
  {
    MutexLock lock(&rep->mutex);
    rep->ExcludeLocked(ids);
    version = rep->latest_view;
  }
  rep->Deliver();
  return version;
}

bool LocalMembership::IsExcluded(const Address& id) const {
  MutexLock lock(&rep_->mutex);
  return rep_->is_excluded.contains(id);
}

LocalMembership::Status LocalMembership::GetStatus() const {
  Rep& rep = *rep_;
  MutexLock lock(&rep.mutex);
  Status status;
  status.latest_view = rep.latest_view;
  status.latest_barrier = rep.latest_barrier;
  status.excluded = rep.excluded.size();
  status.events_waiting = rep.events.size();
  for (const std::shared_ptr<Member>& member : rep.members) {
    status.members.push_back(member->address);
    if (rep.latest_barrier < rep.latest_view && rep.WaitsFor(*member)) {
      status.waiting_for.push_back(member->address);
    }
  }
  return status;
}

}  // namespace freehold
