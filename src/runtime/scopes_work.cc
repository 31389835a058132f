// Scopes: what follows a step — callbacks, work in the shards, waiting.

#include <algorithm>
#include <iterator>
#include <thread>

#include "absl/strings/str_cat.h"
#include "src/core/object_table_scopes.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/host_jobs.h"
#include "src/runtime/scope_jobs.h"
#include "src/runtime/scopes.h"
#include "src/runtime/scopes_apply.h"

namespace freehold::runtime {

using core::ScopeVerdict;

namespace {

// What a pump turn does of it before it sends: many pieces, so that the frees of a large scope
// share envelopes, and few enough that arrivals do not wait long.
constexpr uint64_t kTurnMax = 32 * CounterImpl::kPieceMax;

}  // namespace

// --- After a step --------------------------------------------------------------------------------

void Scopes::Prepare(core::ScopeEffects* effects, bool* must_post) {
  // Members before those who wait for the end of the same scope.
  for (const auto* told : {&effects->hooks, &effects->ended}) {
    for (const core::ScopeEffects::Told& one : *told) {
      outbox_.push_back(
          {std::unique_ptr<CallbackJob::Body>(ScopeCallbackBody::FromToken(one.token)),
           static_cast<int>(one.end)});
    }
  }
  for (const core::ScopeEffects::Told& one : effects->exceeded) {
    outbox_.push_back({LimitToken::MakeJob(one.token, one.id, one.bytes)});
  }
  for (const core::ScopeEffects::Release& release : effects->release) {
    jobs_.push_back({release, {}});
  }
  *must_post = !posting_ && !outbox_.empty();
  if (!*must_post) return;
  posting_ = true;
  poster_ = std::this_thread::get_id();
}

void Scopes::Act(core::ScopeEffects* effects, bool must_post) {
  if (must_post) PostOutbox();
  for (const core::Token token : effects->dropped) ReleaseScopeToken(token);
  for (const core::ScopeEffects::Forget& forget : effects->forget) Forget(forget);
  for (const auto& [id, name] : effects->overdue) {
    counter_->logger().Log(
        LogLevel::kWarning,
        absl::StrCat("scope ", id.number(), name.empty() ? "" : " \"", name,
                     name.empty() ? "" : "\"", " was ended because its deadline has passed"));
  }
  for (const core::PeerIndex peer : effects->ready) counter_->endpoint().MarkReady(peer);
  counter_->ReleaseInners(std::move(effects->inners));
  if (effects->done) done_.NotifyAll();
  if (effects->more || effects->deadline || !effects->release.empty()) {
    counter_->endpoint().WakeWork();
  }
}

// The posting role is ours until the outbox is empty.
void Scopes::PostOutbox() {
  while (true) {
    std::vector<Post> posts;
    {
      internal::MutexLock lock(&mutex_);
      posting_ = !outbox_.empty();
      if (!posting_) return;
      std::swap(posts, outbox_);
    }
    for (Post& post : posts) {
      PostGuarded(counter_->options().executor.get(), &counter_->logger(), std::move(post.body),
                  post.detail);
    }
  }
}

void Scopes::Forget(const core::ScopeEffects::Forget& forget) {
  uint64_t told = 0;
  for (uint64_t shards = forget.shards; shards != 0; shards &= shards - 1) {
    Shard& shard = counter_->ShardAt(static_cast<uint32_t>(__builtin_ctzll(shards)));
    (void)counter_->ApplyQuietly(shard, [&](core::ObjectTable& table) {
      told += core::ScopeSteps(&table).Forget(forget.scope);
      return core::Verdict::kOk;
    });
  }
  internal::MutexLock lock(&mutex_);
  if (!closed_) table_.Forgotten(forget.scope, told);
}

void Scopes::OnChanges(const Changes& changes) {
  (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    for (const core::ScopeChange& change : changes) table.Step(change, effects);
    return ScopeVerdict::kOk;
  });
}

void Scopes::OnRehomed(uint32_t shard, const std::vector<core::ScopeNotice>& notices) {
  (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    for (const core::ScopeNotice& notice : notices) {
      table.Rehomed({shard, notice.record}, notice.whose, effects);
    }
    return ScopeVerdict::kOk;
  });
}

void Scopes::ClosePeer(core::PeerIndex peer) {
  if (!used_.load(std::memory_order_relaxed)) return;
  for (bool more = true; more;) {
    more = false;
    (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
      more = table.ClosePeer(peer, CounterImpl::kPieceMax, effects);
      return ScopeVerdict::kOk;
    });
  }
}

void Scopes::OnSelfExcluded() {
  for (bool more = true; more;) {
    more = false;
    (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
      more = table.Abandon(CounterImpl::kPieceMax, effects);
      return ScopeVerdict::kOk;
    });
  }
}

// --- Work ----------------------------------------------------------------------------------------

Time Scopes::Work(Time now) {
  if (!used_.load(std::memory_order_relaxed)) return kInfiniteFuture;
  bool more = false;
  (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    more = table.Tick(now, CounterImpl::kPieceMax, effects);
    return ScopeVerdict::kOk;
  });
  more |= WorkOff(kTurnMax);
  if (more) return kInfinitePast;
  internal::MutexLock lock(&mutex_);
  return table_.NextDeadline();
}

// What whoever ends a scope does of the work itself.
void Scopes::WorkInline() {
  if (WorkOff(counter_->options().nested_drops_inline_max)) counter_->endpoint().WakeWork();
}

bool Scopes::WorkOff(uint64_t budget) {
  while (true) {
    bool more = false;
    (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
      if (table.HasMore()) {
        const uint64_t steps = std::min<uint64_t>(budget, CounterImpl::kPieceMax);
        more = table.EndMore(static_cast<uint32_t>(steps), effects);
        // Every part of a work is paid for, or it might not end.
        budget -= std::min<uint64_t>(budget, more ? steps : 1);
      }
      return ScopeVerdict::kOk;
    });
    Job job;
    if (budget == 0 || !TakeJob(&job)) break;
    const bool is_done = Do(&job, &budget);
    internal::MutexLock lock(&mutex_);
    --busy_;
    if (!is_done) jobs_.push_front(std::move(job));
  }
  internal::MutexLock lock(&mutex_);
  return !closed_ && (!jobs_.empty() || table_.HasMore());
}

bool Scopes::TakeJob(Job* job) {
  internal::MutexLock lock(&mutex_);
  if (closed_ || jobs_.empty()) return false;
  *job = std::move(jobs_.front());
  jobs_.pop_front();
  ++busy_;
  return true;
}

bool Scopes::Do(Job* job, uint64_t* budget) {
  for (; !job->to_free.empty() && *budget > 0; --*budget) {
    const core::Key key = counter_->KeyOf(job->to_free.back());
    (void)counter_->Apply(counter_->ShardOf(key),
                          [&](core::ObjectTable& table, core::Effects* effects) {
                            return table.Step(core::event::FreeExplicitly{key}, effects);
                          });
    job->to_free.pop_back();
  }
  core::ScopeEffects::Release& release = job->release;
  while (release.shards != 0) {
    if (*budget == 0) return false;
    --*budget;  // for the look at the shard
    Shard& shard = counter_->ShardAt(static_cast<uint32_t>(__builtin_ctzll(release.shards)));
    bool more = false;  // a shard that is closed has none
    const uint64_t piece = std::min<uint64_t>(*budget, CounterImpl::kPieceMax);
    uint64_t left = piece;
    (void)counter_->Apply(shard, [&](core::ObjectTable& table, core::Effects* effects) {
      core::ScopeSteps steps(&table);
      more = release.force ? steps.Force(release.scope, &left, effects)
                           : steps.Release(release.scope, &left, effects);
      return core::Verdict::kOk;
    });
    *budget -= piece - left;
    if (more) continue;
    release.shards &= release.shards - 1;
  }
  if (!job->to_free.empty()) return false;
  if (release.scope != core::kNoScope) {
    (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
      table.Released(release.scope, effects);
      return ScopeVerdict::kOk;
    });
  }
  return true;
}

bool Scopes::Idle() const {
  internal::MutexLock lock(&mutex_);
  // What a callback of ours asks cannot wait for those that are posted after it.
  const bool posted = !posting_ || poster_ == std::this_thread::get_id();
  return closed_ || (posted && jobs_.empty() && busy_ == 0 && !table_.HasMore() &&
                     table_.links().waiting() == 0);
}

uint64_t Scopes::MembersElsewhere() const {
  internal::MutexLock lock(&mutex_);
  return closed_ ? 0 : table_.links().listed();
}

void Scopes::ForEachMemberElsewhere(
    absl::FunctionRef<bool(ScopeId, core::PeerIndex, bool)> visit) const {
  internal::MutexLock lock(&mutex_);
  if (closed_) return;
  table_.links().ForEachMember(
      [&](core::ScopeIndex scope, core::PeerIndex member, bool told)
          FREEHOLD_NO_THREAD_SAFETY_ANALYSIS { return visit(table_.At(scope).id, member, told); });
}

// --- Waiting, the end ----------------------------------------------------------------------------

// As CounterImpl::PumpUntil does.
absl::Status Scopes::Wait(ScopeId id, Time deadline) {
  constexpr auto kPoll = std::chrono::milliseconds(1);
  constexpr int kStandstillPolls = 200;
  int standstill = 0;
  Time last = counter_->clock().Now();
  while (true) {
    if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
    const Time now = counter_->clock().Now();
    counter_->endpoint().Pump(now);
    {
      internal::MutexLock lock(&mutex_);
      const core::ScopeRecord* scope = table_.Find(id);
      if (scope == nullptr) return Explain(ScopeVerdict::kNotFound, id);
      if (scope->state == ScopeState::kDone) return absl::OkStatus();
    }
    standstill = now == last ? standstill + 1 : 0;
    if (now >= deadline || standstill > kStandstillPolls) {
      return absl::DeadlineExceededError(WaitsFor(id));
    }
    last = now;
    internal::MutexLock lock(&mutex_);
    (void)done_.WaitFor(&mutex_, kPoll);
  }
}

std::string Scopes::WaitsFor(ScopeId id) {
  std::string text = absl::StrCat("scope ", id.number());
  const absl::StatusOr<ScopeStatus> status = StatusOf(id);
  if (!status.ok()) return text;
  absl::StrAppend(&text, " is ", ScopeStateName(status->state));
  if (status->state != ScopeState::kEnding) return text;
  absl::StrAppend(&text, "; it waits for ", status->usage.objects, " objects");
  for (const ObjectId& object : status->waiting_for_objects) {
    absl::StrAppend(&text, " ", object.ToHex());
  }
  absl::StrAppend(&text, ", ", status->members, " members");
  if (!status->waiting_for_scopes.empty()) absl::StrAppend(&text, ", scopes");
  for (const ScopeId scope : status->waiting_for_scopes)
    absl::StrAppend(&text, " ", scope.number());
  if (status->processes > 0) absl::StrAppend(&text, ", ", status->processes, " processes");
  for (const ProcessId& process : status->waiting_for_processes) {
    absl::StrAppend(&text, " ", process.ToHex());
  }
  return text;
}

uint64_t Scopes::Close() {
  std::vector<core::Token> tokens;
  std::vector<Job> jobs;
  {
    internal::MutexLock lock(&mutex_);
    closed_ = true;
    tokens = table_.TakeAllTokens();
    jobs.assign(std::make_move_iterator(jobs_.begin()), std::make_move_iterator(jobs_.end()));
    jobs_.clear();
  }
  done_.NotifyAll();
  for (const core::Token token : tokens) ReleaseScopeToken(token);
  return tokens.size();
}

}  // namespace freehold::runtime
