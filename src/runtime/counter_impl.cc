// CounterImpl: what follows a step, answers. Handles are in counter_handles.cc.

#include "src/runtime/counter_impl.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/error_reason.h"
#include "src/base/check.h"
#include "src/core/object_table_scopes.h"
#include "src/runtime/declarations.h"
#include "src/runtime/errors.h"
#include "src/runtime/host_jobs.h"

namespace freehold::runtime {

namespace {

constexpr uint32_t kCallSitesMax = 1u << 20;
// Of misuses: so many are logged each, afterwards every power of two.
constexpr uint64_t kMisusesLogged = 100;

const Clock& ClockOf(const ReferenceCounterOptions& options) {
  return options.clock != nullptr ? *options.clock : Clock::Monotonic();
}

Logger& LoggerOf(const ReferenceCounterOptions& options) {
  return options.logger != nullptr ? *options.logger : Logger::Default();
}

}  // namespace

CounterImpl::CounterImpl(const ReferenceCounterOptions& options)
    : options_(options),
      clock_(ClockOf(options)),
      logger_(LoggerOf(options)),
      shard_mask_(options.shards - 1),
      call_sites_(kCallSitesMax),
      queries_(options.executor, &logger_),
      watches_(options.executor, &logger_),
      scopes_(this, clock_.Now()),
      lineage_(this, options.lineage_bytes_max) {
  core::ObjectTable::Config config;
  config.settle_at_once = options.transport == nullptr;
  config.observe_frees = static_cast<bool>(options.on_copy_freed);
  config.slabs = &slabs_;
  const auto each = [&options](uint64_t max) {
    return static_cast<uint32_t>(std::min<uint64_t>((max - 1) / options.shards + 1, UINT32_MAX));
  };
  config.watches_per_peer_max = each(options.location_watches_per_peer_max);
  config.moment_watches_per_peer_max = each(options.watches_per_peer_max);
  shards_.reserve(options.shards);
  for (uint32_t number = 0; number < options.shards; ++number) {
    shards_.push_back(std::make_unique<Shard>(this, number, config));
  }
}

CounterImpl::~CounterImpl() = default;

absl::Status CounterImpl::Start() {
  Endpoint::Config config;
  config.self = Address(options_.process);
  config.transport = options_.transport;
  config.membership = options_.membership;
  config.clock = &clock_;
  config.logger = &logger_;
  config.session = options_.session;
  config.start_pump_thread = options_.start_pump_thread;
  config.orphan_grace = options_.orphan_grace;
  config.on_wake = options_.on_pump_due;
  config.seed = options_.seed;
  return Endpoint::Create(config, this, &endpoint_);
}

ProcessId CounterImpl::OwnerToName(const Shard& shard, const core::ObjectRecord& record) const
    FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
  const core::Borrow& borrow = shard.table.BorrowOf(record);
  const bool moving = borrow.stage == core::BorrowStage::kMoving;
  return moving ? options_.process : endpoint_->AddressOf(borrow.owner).process();
}

ProcessId CounterImpl::ProcessAt(core::PeerIndex peer) const {
  return endpoint_->AddressOf(peer).process();
}

bool CounterImpl::IsNode(core::PeerIndex peer) const {
  return endpoint_->AddressOf(peer).is_node_agent();
}

// --- What follows a step -------------------------------------------------------------------------

void CounterImpl::PrepareHostWork(Shard& shard, AfterStep* after) {
  if (after->effects.rare != nullptr) {
    Declarations::Prepare(shard, after);
    // A token stays registered while its notices are under way; Cancel may give it back any time.
    for (core::LocationNotice& notice : after->effects.rare->notices) {
      notice.keep = SubscriptionToken::Share(notice.token);
    }
  }
  if (shard.posting) {
    shard.outbox.Take(&after->effects);
    return;
  }
  shard.posting = true;
  after->must_post = true;
}

void CounterImpl::Act(Shard& shard, AfterStep* after) {
  // An executor that runs callbacks at once may let one of them end this counter.
  const std::shared_ptr<CounterImpl> self = shared_from_this();
  ActKept(shard, after);
}

void CounterImpl::ActKept(Shard& shard, AfterStep* after) {
  for (const PeerIndex node : after->effects.ready) MarkReady(shard, node);
  if (after->effects.rare != nullptr && !after->effects.rare->files.empty()) {
    files_.OnFiles(std::exchange(after->effects.rare->files, {}));
  }
  for (auto& [body, answer] : after->told) PostJob(std::move(body), answer);
  after->told.clear();
  if (after->effects.rare != nullptr) {
    for (const core::Token token : after->effects.rare->dropped) ReleaseToken(token);
    after->effects.rare->dropped.clear();
  }
  if (after->must_post) {
    // In the order of a HostWork; none is made for callbacks alone.
    PostFired(after->effects.fired);
    after->effects.fired.clear();
    if (after->effects.rare != nullptr) {
      HostWork rest;
      rest.Take(&after->effects);
      PostWork(&rest);
    }
    PostOutbox(shard);
  }
  if (!after->effects.scopes.empty()) scopes_.OnChanges(after->effects.scopes);
  if (after->effects.rare != nullptr && !after->effects.rare->rehomed.empty()) {
    scopes_.OnRehomed(shard.number, std::exchange(after->effects.rare->rehomed, {}));
  }
  if (after->effects.rare != nullptr && !after->effects.rare->transferred.empty()) {
    transfers_.OnNotices(std::exchange(after->effects.rare->transferred, {}));
  }
  if (after->effects.rare != nullptr && !after->effects.rare->heirs.empty()) {
    transfers_.heirs().OnNotices(std::exchange(after->effects.rare->heirs, {}));
  }
  if (after->effects.rare != nullptr && !after->effects.rare->lent_ended.empty()) {
    lineage_.OnLentEnded(std::exchange(after->effects.rare->lent_ended, {}));
  }
  if (after->effects.rare != nullptr && !after->effects.rare->lineage.empty()) {
    lineage_.OnEnded(std::exchange(after->effects.rare->lineage, {}));
  }
  if (after->effects.rare != nullptr && !after->effects.rare->persists.empty()) {
    lineage_.persists().OnNotices(std::exchange(after->effects.rare->persists, {}));
  }
  if (after->effects.rare != nullptr && !after->effects.rare->outers_moved.empty()) {
    for (const core::RecordIndex outer : std::exchange(after->effects.rare->outers_moved, {})) {
      transfers_.contained().OnOuterMoved({shard.number, outer});
    }
  }
  if (after->effects.has_inners()) {
    std::vector<std::vector<core::InnerRef>> stack = after->effects.TakeInnerChunks();
    DropInners(&stack, options_.nested_drops_inline_max);
    if (!stack.empty()) Defer(std::move(stack));
  }
}

// The posting role of the shard is ours until its outbox is empty.
void CounterImpl::PostOutbox(Shard& shard) {
  HostWork work;
  while (true) {
    {
      internal::MutexLock lock(&shard.mutex);
      shard.posting = !shard.outbox.empty();
      if (!shard.posting) return;
      std::swap(work, shard.outbox);
    }
    PostWork(&work);
    work.Clear();
  }
}

void CounterImpl::PostWork(HostWork* work) {
  PostFired(work->fired);
  for (core::LocationNotice& notice : work->notices) {
    LocationUpdate update;
    update.kind = notice.kind;
    update.snapshot.state = notice.state;
    update.snapshot.generation = notice.generation;
    update.snapshot.size = notice.size;
    for (const core::CopyFacts& facts : notice.copies) {
      update.snapshot.locations.push_back(ToLocation(facts));
    }
    std::sort(update.snapshot.locations.begin(), update.snapshot.locations.end(),
              [](const Location& a, const Location& b) { return a.node < b.node; });
    if (notice.copy.node != core::kNoPeer) update.location = ToLocation(notice.copy);
    PostJob(MakeLocationJob(std::static_pointer_cast<LocationSubscription>(notice.keep),
                            notice.object, std::move(update)));
    if (notice.kind == LocationUpdate::Kind::kGone) SubscriptionToken::Release(notice.token);
  }
  if (!work->lost.empty() && options_.on_to_recover) {
    PostJob(MakeRecoverJob(options_.on_to_recover, std::move(work->lost)));
  }
  for (const core::SettledFree& settled : work->settled) {
    PostJob(MakeFreeOutcomeJob(options_.on_copy_freed, settled.object, NodeAt(settled.node),
                               settled.outcome));
  }
}

void CounterImpl::PostFired(absl::Span<const core::FiredCallback> fired) {
  if (!fired.empty()) runtime::PostFired(options_.executor.get(), &logger_, fired);
}

void CounterImpl::PostJob(std::unique_ptr<CallbackJob::Body> body, int detail) {
  PostGuarded(options_.executor.get(), &logger_, std::move(body), detail);
}

void CounterImpl::MarkReady(Shard& shard, PeerIndex node) {
  if (node == files_.place()) {
    files_.MarkReady(shard);
    return;
  }
  // release: pairs with the acquire in Fill, which then locks the shard anyway.
  peers_.Reach(node).shards_with_work.fetch_or(uint64_t{1} << shard.number,
                                               std::memory_order_release);
  endpoint_->MarkReady(node);
}

// --- Contained objects ---------------------------------------------------------------------------

void CounterImpl::DropInners(std::vector<std::vector<core::InnerRef>>* stack, uint64_t budget) {
  for (; budget > 0 && !stack->empty(); --budget) {
    const core::InnerRef inner = stack->back().back();
    stack->back().pop_back();
    if (stack->back().empty()) stack->pop_back();
    Shard& shard = ShardAt(inner.shard);
    AfterStep after;
    {
      internal::MutexLock lock(&shard.mutex);
      if (shard.closed) continue;
      (void)shard.table.Step(core::event::DropNestedHold{inner.record}, &after.effects);
      Prepare(shard, &after);
    }
    // What this drop lets go of joins the stack instead of the call chain.
    std::vector<std::vector<core::InnerRef>> further = after.effects.TakeInnerChunks();
    Act(shard, &after);
    for (std::vector<core::InnerRef>& chunk : further) stack->push_back(std::move(chunk));
  }
}

void CounterImpl::Defer(std::vector<std::vector<core::InnerRef>> stack) {
  uint64_t count = 0;
  for (const auto& inners : stack) count += inners.size();
  deferred_drops_.fetch_add(count, std::memory_order_relaxed);
  {
    internal::MutexLock lock(&deferred_mutex_);
    deferred_.insert(deferred_.end(), std::make_move_iterator(stack.begin()),
                     std::make_move_iterator(stack.end()));
  }
  endpoint_->WakeWork();
}

void CounterImpl::ReleaseInners(std::vector<core::InnerRef> inners) {
  if (inners.empty()) return;
  std::vector<std::vector<core::InnerRef>> stack;
  stack.push_back(std::move(inners));
  DropInners(&stack, options_.nested_drops_inline_max);
  if (!stack.empty()) Defer(std::move(stack));
}

// --- Answers -------------------------------------------------------------------------------------

absl::Status CounterImpl::WhyClosed() const {
  if (stopping_.load(std::memory_order_acquire)) return ShutDownError();
  return WithReason(absl::FailedPreconditionError(
                        "this process was excluded from the membership; its objects are gone, "
                        "rejoin under a new process id"),
                    ErrorReason::kExcluded);
}

// Of references that cross processes.
absl::Status CounterImpl::ExplainSharing(core::Verdict verdict, const std::string& id) {
  switch (verdict) {
    case core::Verdict::kNotOwner:
      return WithReason(absl::FailedPreconditionError(absl::StrCat(
                            "object ", id, " is borrowed here; only its owner can do this")),
                        ErrorReason::kNotOwner);
    case core::Verdict::kNotBorrowed:
      return absl::FailedPreconditionError(
          absl::StrCat("object ", id, " is owned here, its references cannot fail"));
    case core::Verdict::kPeerExcluded:
      return WithReason(absl::FailedPreconditionError(absl::StrCat(
                            "the other process of this passage of object ", id, " is excluded")),
                        ErrorReason::kPeerExcluded);
    case core::Verdict::kAlreadyRedeemed:
      return WithReason(
          absl::AlreadyExistsError(absl::StrCat("this token of object ", id,
                                                " was imported before, and nothing of it is left")),
          ErrorReason::kAlreadyRedeemed);
    case core::Verdict::kRefused:
      return WithReason(absl::CancelledError(absl::StrCat("this token of object ", id,
                                                          " was cancelled by its sender, or comes "
                                                          "far too late")),
                        ErrorReason::kRefused);
    case core::Verdict::kOtherOwner:
      return WithReason(absl::InvalidArgumentError(
                            absl::StrCat("object ", id, " is known here with another owner")),
                        ErrorReason::kOtherOwner);
    case core::Verdict::kGone:
      return WithReason(
          absl::NotFoundError(absl::StrCat("object ", id, " is gone, its owner says")),
          ErrorReason::kGone);
    case core::Verdict::kOwnerDied:
      return WithReason(absl::UnavailableError(absl::StrCat("the owner of object ", id, " died")),
                        ErrorReason::kOwnerDied);
    case core::Verdict::kNotAcknowledged:
      return NotAcknowledgedError(id);
    case core::Verdict::kNotDeclared:
      return WithReason(absl::FailedPreconditionError(absl::StrCat(
                            "object ", id, " was declared here, and its owner has not taken it")),
                        ErrorReason::kNotDeclared);
    default:
      break;
  }
  return absl::InternalError("unknown verdict");
}

absl::Status CounterImpl::Explain(core::Verdict verdict, const ObjectId& object) const {
  const std::string id = object.ToHex();
  switch (verdict) {
    case core::Verdict::kOk:
    case core::Verdict::kUnchanged:
      return absl::OkStatus();
    case core::Verdict::kNotFound:
      return WithReason(
          absl::NotFoundError(absl::StrCat("object ", id, " is unknown here or gone")),
          ErrorReason::kGone);
    case core::Verdict::kAlreadyExists:
      return absl::AlreadyExistsError(absl::StrCat("object ", id, " was declared before"));
    case core::Verdict::kOutOfScope:
      return WithReason(absl::NotFoundError(absl::StrCat("object ", id, " is out of scope")),
                        ErrorReason::kGone);
    case core::Verdict::kNotHeld:
      return absl::FailedPreconditionError(absl::StrCat(
          "object ", id, " has fewer references or pins of that kind than are to be removed"));
    case core::Verdict::kCountFull:
      return absl::ResourceExhaustedError(absl::StrCat("a count of object ", id, " is full"));
    case core::Verdict::kTableFull:
      return absl::ResourceExhaustedError(
          absl::StrCat("the table has no room for object ", id, "; use more shards"));
    case core::Verdict::kNodeExcluded:
      return absl::FailedPreconditionError(
          absl::StrCat("the node named for object ", id, " is excluded"));
    case core::Verdict::kWrongState:
      return absl::FailedPreconditionError(
          absl::StrCat("object ", id, " is neither freed nor lost"));
    case core::Verdict::kMomentPassed:
      return absl::FailedPreconditionError(absl::StrCat("too late for object ", id));
    case core::Verdict::kToBeFreed:
      return absl::AbortedError(absl::StrCat("object ", id,
                                             " was freed or is out of scope; its node is asked to "
                                             "delete the copy"));
    case core::Verdict::kUnknownGeneration:
      return absl::InvalidArgumentError(absl::StrCat("object ", id, " has no such generation yet"));
    case core::Verdict::kShutDown:
      return stopped() ? ShutDownError() : DrainingError(id);
    case core::Verdict::kScopeEnded:
      return ScopeEndedError(id);
    default:
      return ExplainSharing(verdict, id);
  }
}

absl::Status CounterImpl::Misuse(core::Verdict verdict, const core::Key& key, const char* call) {
  const uint64_t count = misuses_.fetch_add(1, std::memory_order_relaxed) + 1;
  absl::Status status = ToStatus(verdict, key.id);
  if (count <= kMisusesLogged || (count & (count - 1)) == 0) {
    uint32_t call_site = 0;
    {
      Shard& shard = ShardOf(key);
      internal::MutexLock lock(&shard.mutex);
      const core::ObjectRecord* record = shard.table.Find(key);
      if (record != nullptr) call_site = core::ScopeSteps::CallSiteOf(shard.table, *record);
      if (call_site == core::kNone) call_site = 0;
    }
    const std::string& site = CallSiteAt(call_site);
    logger_.Log(LogLevel::kWarning,
                absl::StrCat(call, ": ", std::string(status.message()),
                             site.empty() ? "" : ", declared at ", site,
                             "; nothing was changed (misuse number ", count, ")"));
  }
  return status;
}

Location CounterImpl::ToLocation(const core::CopyFacts& facts) const {
  Location location;
  location.node = NodeAt(facts.node);
  location.role = facts.role;
  location.in_memory = facts.in_memory;
  location.spilled = facts.spilled;
  location.prospective = facts.prospective;
  location.shared = facts.shared;
  location.spilled_url = facts.url;
  return location;
}

}  // namespace freehold::runtime
