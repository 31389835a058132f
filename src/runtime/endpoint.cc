// The doors of an endpoint: birth, peers, wake-ups, arrivals. Who pumps, and the end, is in
// endpoint_role.cc; what happens in a turn is in endpoint_turn.cc.

#include "src/runtime/endpoint.h"

#include <algorithm>
#include <optional>
#include <random>
#include <system_error>
#include <utility>

#include "src/base/check.h"
#include "src/base/guarded_call.h"
#include "src/runtime/endpoint_impl.h"

namespace freehold::runtime {

namespace {

using internal::AddressInterner;
using internal::CallGuarded;
using internal::MutexLock;

uint64_t SeedFromMachine() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

}  // namespace

// What the transport delivers to. Harmless once the endpoint is gone.
class Endpoint::Impl::Door final : public Inbox {
 public:
  explicit Door(std::weak_ptr<Impl> impl) : impl_(std::move(impl)) {}
  void Deliver(Envelope envelope) override {
    if (const std::shared_ptr<Impl> impl = impl_.lock()) impl->Deliver(std::move(envelope));
  }

 private:
  const std::weak_ptr<Impl> impl_;
};

class Endpoint::Impl::Listener final : public MembershipListener {
 public:
  explicit Listener(std::weak_ptr<Impl> impl) : impl_(std::move(impl)) {}
  void OnView(const View& view) override { Pass({false, view}); }
  void OnBarrier(uint64_t version) override { Pass({true, View{version, {}}}); }

 private:
  void Pass(MembershipEvent event) {
    if (const std::shared_ptr<Impl> impl = impl_.lock()) impl->OnMembership(std::move(event));
  }
  const std::weak_ptr<Impl> impl_;
};

// --- Birth ---------------------------------------------------------------------------------------

Endpoint::Impl::Impl(const Config& config, Client* client, uint64_t seed)
    : config_(config),
      client_(client),
      interner_(core::kPeerIndexMax + 1),
      sessions_(config.self, config.session),
      random_(seed),
      writer_(config.session.envelope_bytes_max - core::kFrameBytes) {
  FREEHOLD_CHECK(client != nullptr && config.clock != nullptr && config.logger != nullptr);
}

Endpoint::Impl::~Impl() {
  MutexLock lock(&mutex_);
  FREEHOLD_CHECK(!thread_.joinable());
}

absl::Status Endpoint::Impl::Join() {
  inbox_ = std::make_shared<Door>(weak_from_this());
  listener_ = std::make_shared<Listener>(weak_from_this());
  if (config_.membership == nullptr) return absl::OkStatus();
  absl::Status status;
  const std::optional<std::string> thrown =
      CallGuarded([&] { status = config_.membership->Join(config_.self, listener_); });
  if (thrown.has_value()) return absl::InternalError("Membership::Join threw " + *thrown);
  if (status.ok()) {
    MutexLock lock(&mutex_);
    joined_membership_ = true;
  }
  return status;
}

absl::Status Endpoint::Impl::StartThread() {
  MutexLock lock(&mutex_);
  // The new thread holds the inside: it may be the one that destroys the endpoint.
  try {
    thread_ = std::thread([self = shared_from_this()] { self->ThreadMain(); });
  } catch (const std::system_error& e) {
    return absl::ResourceExhaustedError(std::string("cannot start the pump thread: ") + e.what());
  }
  thread_id_ = thread_.get_id();
  thread_state_ = ThreadState::kRunning;
  return absl::OkStatus();
}

void Endpoint::Impl::OpenForHook() {
  {
    MutexLock lock(&mutex_);
    hook_open_ = true;
    // The turn that Create has taken did what there was to do, mostly.
    if (!hook_missed_ || NextDeadline() != kInfinitePast || !EnterHook()) return;
  }
  CallHook();
}

absl::Status Endpoint::Create(const Config& config, Client* client,
                              std::shared_ptr<Endpoint>* endpoint) {
  absl::Status status = Validate(config.session);
  if (!status.ok()) return status;
  if (config.orphan_grace < Duration::zero()) {
    return absl::InvalidArgumentError("orphan_grace must not be negative");
  }
  const uint64_t seed = config.seed != 0 ? config.seed : SeedFromMachine();
  const auto impl = std::make_shared<Impl>(config, client, seed);
  status = impl->Join();
  if (!status.ok()) return status;
  // The client has its endpoint before anything calls the client.
  *endpoint = std::shared_ptr<Endpoint>(new Endpoint(impl));
  // The view that came with joining is taken before anybody can use this end: a token of a process
  // that it excludes would be counted as a member's, and nobody waits for us at its barrier.
  impl->Pump(kInfinitePast);
  if (config.start_pump_thread) {
    status = impl->StartThread();
    if (!status.ok()) {
      (*endpoint)->Stop(/*leave_membership=*/true);
      endpoint->reset();
      return status;
    }
  }
  impl->OpenForHook();
  return absl::OkStatus();
}

// --- Peers ---------------------------------------------------------------------------------------

PeerIndex Endpoint::Impl::Intern(const Address& address) {
  const uint32_t index = interner_.Intern(address);
  return index == AddressInterner::kNotFound ? core::kNoPeer : index;
}

PeerIndex Endpoint::Impl::Find(const Address& address) const {
  const uint32_t index = interner_.Find(address);
  return index == AddressInterner::kNotFound ? core::kNoPeer : index;
}

bool Endpoint::Impl::IsExcluded(PeerIndex peer) const {
  const PeerState* state = peers_.Find(peer);
  return state != nullptr && state->excluded.load(std::memory_order_acquire);
}

// --- Wake-ups ------------------------------------------------------------------------------------

void Endpoint::Impl::MarkReady(PeerIndex peer) {
  if (config_.transport == nullptr) return;
  PeerState* state = peers_.Find(peer);
  if (state == nullptr) {
    FREEHOLD_CHECK(peer < interner_.size());
    state = &peers_.Reach(peer);
  }
  if (stopping() || self_excluded() || state->excluded.load(std::memory_order_acquire)) return;
  // A mark that is still there has not been looked at: the turn takes it away before it calls Fill.
  // An exchange even then, not a load: reading the mark and taking it away are one order, so either
  // Fill sees what the caller did before this, or this sees that the mark was taken.
  if (state->ready.exchange(true, std::memory_order_acq_rel)) return;
  ready_count_.fetch_add(1, std::memory_order_acq_rel);
  {
    MutexLock lock(&arrivals_mutex_);
    ready_.push_back(peer);
  }
  Wake();
}

void Endpoint::Impl::Wake() {
  // What there is to do was put under a lock that the turn takes after it has cleared work_: a flag
  // that is seen here will be acted on.
  if (work_.load(std::memory_order_acquire)) return;
  if (work_.exchange(true, std::memory_order_acq_rel)) return;
  // The holder looks at work_ before it lets the role go.
  if (holder_.load(std::memory_order_relaxed) == std::this_thread::get_id()) return;
  {
    MutexLock lock(&mutex_);
    NotifyWaiters();
    if (!EnterHook()) return;
  }
  CallHook();
}

bool Endpoint::Impl::EnterHook() {
  if (!config_.on_wake || stopping()) return false;
  hook_missed_ = !hook_open_;
  if (hook_missed_) return false;
  in_hook_.push_back(std::this_thread::get_id());
  return true;
}

void Endpoint::Impl::CallHook() {
  const std::shared_ptr<Impl> keep = shared_from_this();  // on_wake may destroy the endpoint
  const std::optional<std::string> thrown = CallGuarded(config_.on_wake);
  {
    MutexLock lock(&mutex_);
    in_hook_.erase(std::find(in_hook_.begin(), in_hook_.end(), std::this_thread::get_id()));
    NotifyWaiters();
  }
  if (thrown.has_value()) LogThrown("on_wake", *thrown);
}

void Endpoint::Impl::LogThrown(const char* what, const std::string& thrown) {
  (void)CallGuarded([&] {
    config_.logger->Log(LogLevel::kError, std::string(what) + " of " + config_.self.ToString() +
                                              " threw " + thrown + "; it must not throw");
  });
}

// --- Arrivals ------------------------------------------------------------------------------------

void Endpoint::Impl::Deliver(Envelope envelope) {
  if (config_.transport == nullptr || stopping()) return;
  if (self_excluded() || IsExcluded(Find(envelope.from))) {
    // At the door already, so that an excluded peer that goes on sending takes no room from others.
    fenced_at_door_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  if (envelope.to != config_.self || envelope.from == config_.self ||
      envelope.bytes.size() < core::kFrameBytes) {
    garbage_at_door_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  const uint64_t bytes = envelope.bytes.size();
  {
    MutexLock lock(&arrivals_mutex_);
    const uint64_t waiting = inbox_bytes_.load(std::memory_order_relaxed);
    if (bytes > config_.session.inbox_bytes_max ||
        waiting > config_.session.inbox_bytes_max - bytes) {
      overflows_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (stopping()) return;
    inbox_bytes_.fetch_add(bytes, std::memory_order_acq_rel);
    arrived_.push_back(std::move(envelope));
  }
  Wake();
}

void Endpoint::Impl::OnMembership(MembershipEvent event) {
  {
    MutexLock lock(&arrivals_mutex_);
    if (stopping()) return;
    events_.push_back(std::move(event));
    events_waiting_.store(events_.size(), std::memory_order_relaxed);
  }
  Wake();
}

// --- What others read ----------------------------------------------------------------------------

Time Endpoint::Impl::NextDeadline() const {
  if (stopping()) return kInfiniteFuture;
  if (work_.load(std::memory_order_acquire)) return kInfinitePast;
  return Time(Duration(deadline_.load(std::memory_order_acquire)));
}

bool Endpoint::Impl::Idle() const {
  if (inbox_bytes_.load(std::memory_order_acquire) != 0) return false;
  if (self_excluded()) return true;
  return ready_count_.load(std::memory_order_acquire) == 0 &&
         unacked_.load(std::memory_order_acquire) == 0;
}

void Endpoint::Impl::ForEachUnacked(absl::FunctionRef<void(PeerIndex, uint32_t)> visit) const {
  for (PeerIndex peer = 0; peer < interner_.size(); ++peer) {
    const PeerState* state = peers_.Find(peer);
    const uint32_t unacked = state == nullptr ? 0 : state->unacked.load(std::memory_order_relaxed);
    if (unacked > 0) visit(peer, unacked);
  }
}

SessionStats Endpoint::Impl::GetStats() const {
  SessionStats stats;
  {
    MutexLock lock(&stats_mutex_);
    stats = published_;
  }
  stats.fenced_dropped += fenced_at_door_.load(std::memory_order_relaxed);
  stats.garbage_rejected += garbage_at_door_.load(std::memory_order_relaxed);
  stats.inbox_overflows += overflows_.load(std::memory_order_relaxed);
  stats.inbox_bytes = inbox_bytes_.load(std::memory_order_relaxed);
  stats.addresses = interner_.size();
  stats.membership_events = events_waiting_.load(std::memory_order_relaxed);
  return stats;
}

// --- Endpoint ------------------------------------------------------------------------------------

Endpoint::Endpoint(std::shared_ptr<Impl> impl)
    : impl_(std::move(impl)), interner_(impl_->interner()) {}
Endpoint::~Endpoint() {
  impl_->Stop(/*leave_membership=*/false);
  impl_->DetachIfPumpThread();
}

PeerIndex Endpoint::Intern(const Address& address) { return impl_->Intern(address); }
PeerIndex Endpoint::Find(const Address& address) const { return impl_->Find(address); }
const Address& Endpoint::AddressOf(PeerIndex peer) const { return impl_->AddressOf(peer); }
bool Endpoint::IsExcluded(PeerIndex peer) const { return impl_->IsExcluded(peer); }
bool Endpoint::self_excluded() const { return impl_->self_excluded(); }
void Endpoint::MarkReady(PeerIndex peer) { impl_->MarkReady(peer); }
void Endpoint::WakeWork() { impl_->Wake(); }
std::shared_ptr<Inbox> Endpoint::inbox() const { return impl_->inbox(); }
Time Endpoint::NextDeadline() const { return impl_->NextDeadline(); }
bool Endpoint::Idle() const { return impl_->Idle(); }
uint64_t Endpoint::unacked_envelopes() const { return impl_->unacked_envelopes(); }
void Endpoint::ForEachUnacked(absl::FunctionRef<void(PeerIndex, uint32_t)> visit) const {
  impl_->ForEachUnacked(visit);
}
SessionStats Endpoint::GetStats() const { return impl_->GetStats(); }

void Endpoint::Pump(Time now) {
  const std::shared_ptr<Impl> keep = impl_;  // a Client method may destroy this endpoint
  keep->Pump(now);
}

void Endpoint::Stop(bool leave_membership) {
  const std::shared_ptr<Impl> keep = impl_;
  keep->Stop(leave_membership);
}

}  // namespace freehold::runtime
