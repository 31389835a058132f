#include "freehold/node_agent.h"

#include <algorithm>
#include <random>
#include <type_traits>
#include <utility>

#include "src/base/check.h"
#include "src/runtime/node_agent_impl.h"

namespace freehold {

using core::CopyEffects;
using core::CopyRecord;
using core::CopyState;
using core::CopyVerdict;
using internal::MutexLock;
using runtime::PeerIndex;

namespace copy_event = core::copy_event;

namespace {

absl::Status Validate(const NodeAgentOptions& options) {
  if (options.node.IsNil()) {
    return absl::InvalidArgumentError("NodeAgentOptions.node must not be nil");
  }
  if (options.delete_retry_delay_min <= Duration::zero()) {
    return absl::InvalidArgumentError("NodeAgentOptions.delete_retry_delay_min must be positive");
  }
  if (options.delete_retry_delay_max < options.delete_retry_delay_min) {
    return absl::InvalidArgumentError(
        "NodeAgentOptions.delete_retry_delay_max must not be less than delete_retry_delay_min");
  }
  if (options.orphan_grace < Duration::zero()) {
    return absl::InvalidArgumentError("NodeAgentOptions.orphan_grace must not be negative");
  }
  if (options.on_promoted && options.executor == nullptr) {
    return absl::InvalidArgumentError("NodeAgentOptions.on_promoted needs the option `executor`");
  }
  if (options.digest_interval < Duration::zero()) {
    return absl::InvalidArgumentError("NodeAgentOptions.digest_interval must not be negative");
  }
  if (options.delete_batch_max == 0) {
    return absl::InvalidArgumentError("NodeAgentOptions.delete_batch_max must be at least 1");
  }
  return Validate(options.session);
}

uint64_t SeedOf(const NodeAgentOptions& options) {
  if (options.seed != 0) return options.seed;
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

core::CopyTable::Options TableOptions(const NodeAgentOptions& options) {
  core::CopyTable::Options table;
  table.retry_delay_min = options.delete_retry_delay_min;
  table.retry_delay_max = options.delete_retry_delay_max;
  table.reports = options.transport != nullptr;
  return table;
}

}  // namespace

// --- Birth ---------------------------------------------------------------------------------------

NodeAgent::Impl::Impl(const NodeAgentOptions& options)
    : options_(options),
      clock_(options.clock != nullptr ? *options.clock : Clock::Monotonic()),
      logger_(options.logger != nullptr ? *options.logger : Logger::Default()),
      queries_(options.executor, &logger_),
      table_(TableOptions(options)),
      files_({options.delete_retry_delay_min, options.delete_retry_delay_max}),
      random_(SeedOf(options)),
      digests_(options.digest_interval, Address(options.node).Hash()) {}

absl::Status NodeAgent::Impl::Start() {
  runtime::Endpoint::Config config;
  config.self = options_.node;
  config.transport = options_.transport;
  config.membership = options_.membership;
  config.clock = &clock_;
  config.logger = &logger_;
  config.session = options_.session;
  config.start_pump_thread = options_.start_pump_thread;
  config.orphan_grace = options_.orphan_grace;
  config.on_wake = [wakeup = wakeup_] { wakeup->Wake(); };
  // Another sequence than our own jitter's.
  config.seed = options_.seed == 0 ? 0 : ~options_.seed;
  absl::Status status = runtime::Endpoint::Create(config, this, &endpoint_);
  if (!status.ok()) return status;
  // Takes the view that came with joining, before a copy can come of an owner that it excludes. No
  // time passes: the host may pump with times of its own.
  endpoint_->Pump(kInfinitePast);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<NodeAgent>> NodeAgent::Create(const NodeAgentOptions& options) {
  absl::Status status = Validate(options);
  if (!status.ok()) return status;
  auto impl = std::make_shared<Impl>(options);
  status = impl->Start();
  if (!status.ok()) return status;
  return std::unique_ptr<NodeAgent>(new NodeAgent(std::move(impl)));
}

std::string NodeAgent::Impl::NameOf(const ObjectId& object, uint32_t generation) {
  return "object " + object.ToHex() + " generation " + std::to_string(generation);
}

absl::Status NodeAgent::Impl::ToStatus(CopyVerdict verdict, const char* what,
                                       const std::string& name) {
  const std::string head = std::string(what) + ": " + name;
  switch (verdict) {
    case CopyVerdict::kOk:
    case CopyVerdict::kNoChange:
      return absl::OkStatus();
    case CopyVerdict::kAlreadyHere:
      return absl::AlreadyExistsError(head + " is here already, or being fetched");
    case CopyVerdict::kNotHere:
      return absl::NotFoundError(head + " has no copy here");
    case CopyVerdict::kFreed:
      return absl::AbortedError(head + " was freed; what is here of it is being deleted");
    case CopyVerdict::kOwnerExcluded:
      return absl::FailedPreconditionError(head + " belongs to an owner that was excluded, and " +
                                           "its barrier has passed; do not keep the bytes");
    case CopyVerdict::kOtherOwner:
      return absl::InvalidArgumentError(head + " is known with another owner");
    case CopyVerdict::kStillFetching:
      return absl::FailedPreconditionError(head + " is still being fetched");
    case CopyVerdict::kNotFetching:
      return absl::FailedPreconditionError(head + " is not being fetched");
    case CopyVerdict::kHasReaders:
      return absl::FailedPreconditionError(head + " has readers");
    case CopyVerdict::kNotSpilled:
      return absl::FailedPreconditionError(head + " is not spilled");
    case CopyVerdict::kSharedFile:
      return absl::FailedPreconditionError(head + " is in a shared file, which goes when freed");
    case CopyVerdict::kSpilledElsewhere:
      return absl::AlreadyExistsError(head + " is spilled at another url already, where its file " +
                                      "stays until the copy goes");
    case CopyVerdict::kMoving:
      return absl::FailedPreconditionError(
          head + " is to become the primary, which its owner has " + "not answered yet");
    case CopyVerdict::kTooMany:
      return absl::ResourceExhaustedError(head + ": too many copies or readers");
    case CopyVerdict::kDoomed:
    case CopyVerdict::kFreedBefore:
    case CopyVerdict::kUnknown:
    case CopyVerdict::kRefused:
    case CopyVerdict::kMore:
      break;  // answers to others than the host
  }
  FREEHOLD_CHECK(false);
}

// --- The host's calls ----------------------------------------------------------------------------

absl::Status NodeAgent::Impl::CheckOpen(Call call) const {
  if (excluded_) {
    return absl::FailedPreconditionError(Address(options_.node).ToString() +
                                         " was excluded; it must stop and rejoin under a new id");
  }
  switch (phase_) {
    case Phase::kRunning:
      return absl::OkStatus();
    case Phase::kDraining:
      if (call == Call::kTells) return absl::OkStatus();
      break;
    case Phase::kStopped:
      break;
  }
  return absl::FailedPreconditionError("the agent of " + Address(options_.node).ToString() +
                                       " was shut down");
}

void NodeAgent::Impl::Act(const CopyEffects& effects) {
  for (const PeerIndex owner : effects.ready) endpoint_->MarkReady(owner);
  if (effects.work) endpoint_->WakeWork();
  if (!effects.moves.empty() || !effects.promoted.empty()) TellOfMoves(effects);
}

template <typename Event>
absl::Status NodeAgent::Impl::Tell(const Event& event, Call call, const char* what) {
  CopyEffects effects;
  CopyVerdict verdict;
  {
    MutexLock lock(&mutex_);
    // The end of a fetch that was freed is what a drain waits for.
    if constexpr (std::is_same_v<Event, copy_event::AddCopy>) {
      const CopyRecord* known = table_.Find(event.object, event.generation);
      if (known != nullptr && known->state == CopyState::kDoomedByFetch) call = Call::kTells;
    }
    absl::Status open = CheckOpen(call);
    if (!open.ok()) {
      return absl::Status(open.code(), std::string(what) + " of object " + event.object.ToHex() +
                                           ": " + std::string(open.message()));
    }
    verdict = Step(event, &effects);
  }
  Act(effects);
  return ToStatus(verdict, what, NameOf(event.object, event.generation));
}

template <typename Event>
absl::Status NodeAgent::Impl::Arrive(const NodeCopy& copy, const char* what) {
  const char* nil = copy.object.IsNil() ? "object" : copy.owner.IsNil() ? "owner" : nullptr;
  if (nil != nullptr) {
    return absl::InvalidArgumentError(std::string(what) + " of object " + copy.object.ToHex() +
                                      ": NodeCopy." + nil + " must not be nil");
  }
  const PeerIndex owner = endpoint_->Intern(copy.owner);
  if (owner == core::kNoPeer) {
    return absl::ResourceExhaustedError(std::string(what) + ": too many owners");
  }
  return Tell(Event{copy.object, copy.generation, owner, copy.role, copy.size}, Call::kBegins,
              what);
}

absl::Status NodeAgent::Impl::AddCopy(const NodeCopy& copy) {
  return Arrive<copy_event::AddCopy>(copy, "AddCopy");
}

absl::Status NodeAgent::Impl::BeginFetch(const NodeCopy& copy) {
  return Arrive<copy_event::BeginFetch>(copy, "BeginFetch");
}

absl::Status NodeAgent::Impl::AbortFetch(const ObjectId& object, uint32_t generation) {
  return Tell(copy_event::AbortFetch{object, generation}, Call::kTells, "AbortFetch");
}

absl::Status NodeAgent::Impl::MarkSpilled(const ObjectId& object, uint32_t generation,
                                          const std::string& url, bool still_in_memory,
                                          FileReach reach) {
  if (url.empty() || url.size() > kSpilledUrlBytesMax) {
    return absl::InvalidArgumentError("MarkSpilled: " + NameOf(object, generation) +
                                      ": the url must have 1 to " +
                                      std::to_string(kSpilledUrlBytesMax) + " bytes");
  }
  return Tell(copy_event::MarkSpilled{object, generation, url, still_in_memory,
                                      reach == FileReach::kShared},
              Call::kTells, "MarkSpilled");
}

absl::Status NodeAgent::Impl::MarkRestored(const ObjectId& object, uint32_t generation) {
  return Tell(copy_event::MarkRestored{object, generation}, Call::kTells, "MarkRestored");
}

absl::Status NodeAgent::Impl::DropCopy(const ObjectId& object, uint32_t generation) {
  return Tell(copy_event::DropCopy{object, generation}, Call::kTells, "DropCopy");
}

absl::StatusOr<uint32_t> NodeAgent::Impl::BeginRead(const ObjectId& object) {
  CopyEffects effects;
  CopyVerdict verdict;
  {
    MutexLock lock(&mutex_);
    absl::Status open = CheckOpen(Call::kBegins);
    if (!open.ok()) {
      return absl::FailedPreconditionError("Read of object " + object.ToHex() + ": " +
                                           std::string(open.message()));
    }
    verdict = Step(copy_event::BeginRead{object}, &effects);
  }
  Act(effects);
  const std::string name = "object " + object.ToHex();
  if (verdict == CopyVerdict::kStillFetching) {
    return absl::NotFoundError("Read: " + name + " is still being fetched");
  }
  absl::Status status = ToStatus(verdict, "Read", name);
  if (!status.ok()) return status;
  return effects.generation;
}

void NodeAgent::Impl::EndRead(const ObjectId& object, uint32_t generation) {
  CopyEffects effects;
  {
    MutexLock lock(&mutex_);
    const CopyVerdict verdict = Step(copy_event::EndRead{object, generation}, &effects);
    FREEHOLD_CHECK(verdict == CopyVerdict::kOk);  // a lease ends once, and keeps its copy
  }
  Act(effects);
}

NodeAgentStats NodeAgent::Impl::GetStats() const {
  NodeAgentStats stats;
  stats.sessions = endpoint_->GetStats();
  stats.location_queries = queries_.pending();
  stats.queries_to_send = queries_.to_send();
  stats.digests_sent = digests_sent_.load(std::memory_order_relaxed);
  MutexLock lock(&mutex_);
  const core::CopyTable::Stats& table = table_.stats();
  stats.copies = table.copies;
  stats.bytes = table.bytes;
  stats.readers = table.readers;
  stats.doomed = table.doomed;
  stats.deletes_pending = table.deletes_pending;
  stats.reports_waiting = table.reports_waiting;
  stats.moves = table.moves;
  stats.copies_added = table.copies_added;
  stats.frees_received = table.frees_received;
  stats.frees_unknown = table.frees_unknown;
  stats.copies_deleted = table.copies_deleted;
  stats.files_carried = files_.stats().files;
  stats.files_deleted = files_.stats().deleted;
  stats.orphans_deleted = table.orphans_deleted;
  stats.store_calls = store_calls_;
  stats.store_failures = table.store_failures + files_.stats().failures;
  return stats;
}

// --- ReadLease -----------------------------------------------------------------------------------

struct ReadLease::Rep {
  std::weak_ptr<NodeAgent::Impl> agent;
  ObjectId object;
  uint32_t generation;
};

ReadLease::ReadLease(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
ReadLease::ReadLease() noexcept = default;
ReadLease::ReadLease(ReadLease&& other) noexcept = default;
ReadLease& ReadLease::operator=(ReadLease&& other) noexcept {
  if (this != &other) {
    Release();
    rep_ = std::move(other.rep_);
  }
  return *this;
}
ReadLease::~ReadLease() { Release(); }

void ReadLease::Release() {
  const std::unique_ptr<Rep> rep = std::move(rep_);
  if (rep == nullptr) return;
  if (const auto agent = rep->agent.lock()) agent->EndRead(rep->object, rep->generation);
}

// --- NodeAgent -----------------------------------------------------------------------------------

NodeAgent::NodeAgent(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
NodeAgent::~NodeAgent() { impl_->Shutdown(Duration::zero()); }
const NodeId& NodeAgent::node() const { return impl_->node(); }

absl::Status NodeAgent::AddCopy(const NodeCopy& copy) { return impl_->AddCopy(copy); }
absl::Status NodeAgent::BeginFetch(const NodeCopy& copy) { return impl_->BeginFetch(copy); }
absl::Status NodeAgent::AbortFetch(const ObjectId& object, uint32_t generation) {
  return impl_->AbortFetch(object, generation);
}
absl::Status NodeAgent::MarkSpilled(const ObjectId& object, uint32_t generation,
                                    const std::string& url, bool still_in_memory, FileReach reach) {
  return impl_->MarkSpilled(object, generation, url, still_in_memory, reach);
}
absl::Status NodeAgent::MarkRestored(const ObjectId& object, uint32_t generation) {
  return impl_->MarkRestored(object, generation);
}
absl::Status NodeAgent::DropCopy(const ObjectId& object, uint32_t generation) {
  return impl_->DropCopy(object, generation);
}
absl::StatusOr<ReadLease> NodeAgent::Read(const ObjectId& object) {
  const absl::StatusOr<uint32_t> generation = impl_->BeginRead(object);
  if (!generation.ok()) return generation.status();
  return ReadLease(std::unique_ptr<ReadLease::Rep>(new ReadLease::Rep{impl_, object, *generation}));
}
std::vector<NodeCopyStatus> NodeAgent::Find(const ObjectId& object) const {
  return impl_->Find(object);
}
std::vector<NodeCopyStatus> NodeAgent::Copies() const { return impl_->Copies(); }
std::vector<NodeCopyStatus> NodeAgent::CopiesOwnedBy(const ProcessId& owner) const {
  return impl_->CopiesOwnedBy(owner);
}
std::vector<OwnedCopies> NodeAgent::Owners() const { return impl_->Owners(); }
bool NodeAgent::excluded() const { return impl_->excluded(); }
absl::StatusOr<uint64_t> NodeAgent::QueryLocations(const LocationQuery& query,
                                                   LocationCallback callback) {
  return impl_->QueryLocations(query, std::move(callback));
}
bool NodeAgent::CancelQuery(uint64_t number) { return impl_->CancelQuery(number); }
absl::Status NodeAgent::MovePrimary(const ObjectId& object, uint32_t generation, const NodeId& from,
                                    MoveCallback callback) {
  return impl_->MovePrimary(object, generation, from, std::move(callback));
}
NodeAgentStats NodeAgent::GetStats() const { return impl_->GetStats(); }
std::shared_ptr<Inbox> NodeAgent::inbox() const { return impl_->inbox(); }
void NodeAgent::Pump(Time now) { impl_->Pump(now); }
Time NodeAgent::NextDeadline() const { return impl_->NextDeadline(); }
NodeAgent::ShutdownReport NodeAgent::Shutdown(Duration timeout) { return impl_->Shutdown(timeout); }

}  // namespace freehold
