// Scopes: what handles and the counter ask of them. What follows is done in scopes_work.cc.

#include "src/runtime/scopes.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "freehold/error_reason.h"
#include "src/base/mutant.h"
#include "src/core/object_table_scopes.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/current_scope.h"
#include "src/runtime/scope_jobs.h"
#include "src/runtime/scopes_apply.h"

namespace freehold::runtime {

using core::ScopeVerdict;

namespace {

absl::Status NoExecutor() {
  return absl::FailedPreconditionError("a callback needs ReferenceCounterOptions.executor");
}

absl::Status DriverExcluded() {
  return WithReason(absl::FailedPreconditionError("ScopeOptions.driver names an excluded process"),
                    ErrorReason::kPeerExcluded);
}

uint64_t Shown(int64_t sum) { return static_cast<uint64_t>(std::max<int64_t>(sum, 0)); }

}  // namespace

Scopes::Scopes(CounterImpl* counter, Time now)
    : counter_(counter), labels_(core::kLabelsMax), table_(now) {}

Scopes::~Scopes() = default;

absl::Status Scopes::Explain(ScopeVerdict verdict, ScopeId id) const {
  const std::string name = id.IsRoot() ? "the root scope" : absl::StrCat("scope ", id.number());
  switch (verdict) {
    case ScopeVerdict::kOk:
      return absl::OkStatus();
    case ScopeVerdict::kNotFound:
      return absl::NotFoundError(absl::StrCat(name, " is unknown here, or done"));
    case ScopeVerdict::kAlreadyExists:
      return absl::AlreadyExistsError(absl::StrCat(name, " was opened before"));
    case ScopeVerdict::kEnded:
      return WithReason(absl::FailedPreconditionError(absl::StrCat(name, " has ended")),
                        ErrorReason::kScopeEnded);
    case ScopeVerdict::kTooDeep:
      return absl::ResourceExhaustedError(
          absl::StrCat("scopes are nested ", core::ScopeTable::kDepthMax, " deep at most"));
    case ScopeVerdict::kNotMember:
      return absl::NotFoundError(absl::StrCat(name, " has no such member, or released it"));
    case ScopeVerdict::kNoParent:
      return absl::InvalidArgumentError("ScopeOptions.parent is unknown here, or done");
    case ScopeVerdict::kNotOwner:
      return WithReason(absl::FailedPreconditionError(absl::StrCat(
                            name, " is a part of another process's scope, which ends it")),
                        ErrorReason::kNotOwner);
    case ScopeVerdict::kInvalid:
      return absl::InvalidArgumentError(
          id.IsRoot() ? "the root scope does not end, uses nothing, has nothing around it and is "
                        "this process's alone"
                      : "ScopeOptions.id must be below 2^63");
  }
  return absl::InternalError("unknown verdict");
}

// --- Scopes --------------------------------------------------------------------------------------

absl::StatusOr<ScopeId> Scopes::Open(const ScopeOptions& options, bool handle) {
  core::event::OpenScope event;
  event.id = options.id;
  event.parent = options.parent.IsNil() ? BoundScope(counter_) : options.parent;
  event.hold = options.hold;
  event.no_cleanup = options.no_cleanup;
  event.now = counter_->clock().Now();
  event.deadline = options.deadline;
  event.handle = handle;
  event.name = options.name;
  if (!options.label.empty()) event.label = InternLabel(options.label);
  if (!options.driver.IsNil()) {
    event.driver = counter_->endpoint().Intern(Address(options.driver));
    if (event.driver == core::kNoPeer) {
      return absl::ResourceExhaustedError("too many nodes and processes were ever seen");
    }
    if (counter_->endpoint().IsExcluded(event.driver)) return DriverExcluded();
  }
  if (options.on_bytes_exceeded) {
    if (counter_->options().executor == nullptr) return NoExecutor();
    event.bytes_max = options.bytes_max;
    event.on_bytes = LimitToken::Make(options.on_bytes_exceeded);
  }
  used_.store(true, std::memory_order_relaxed);
  ScopeId id;
  const ScopeVerdict verdict = Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    return table.Step(event, &id, effects);
  });
  if (verdict == ScopeVerdict::kOk) {
    // The barrier may have come between the look and the step, and ended what it found.
    if (event.driver == core::kNoPeer || !counter_->endpoint().IsExcluded(event.driver)) return id;
    const auto keep = counter_->shared_from_this();  // a callback may end the counter
    (void)End(id, ScopeEnd::kDriverDied);
    if (handle) DropHandle(id);
    return DriverExcluded();
  }
  if (event.on_bytes != 0) ReleaseScopeToken(event.on_bytes);
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  return Explain(verdict, verdict == ScopeVerdict::kEnded ? event.parent : options.id);
}

absl::Status Scopes::AddHandle(ScopeId id) {
  internal::MutexLock lock(&mutex_);
  return Explain(table_.AddHandle(id), id);
}

void Scopes::DropHandle(ScopeId id) {
  internal::MutexLock lock(&mutex_);
  table_.DropHandle(id);
}

absl::Status Scopes::End(ScopeId id, ScopeEnd why) {
  const std::shared_ptr<CounterImpl> keep = counter_->shared_from_this();
  const Time now = counter_->clock().Now();
  const ScopeVerdict verdict = Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    table.SetNow(now);
    return table.Step(core::event::EndScope{id, why}, effects);
  });
  if (verdict == ScopeVerdict::kOk) WorkInline();
  return Explain(verdict, id);
}

absl::Status Scopes::Delete(ScopeId id) {
  const std::shared_ptr<CounterImpl> keep = counter_->shared_from_this();
  const Time now = counter_->clock().Now();
  Job job;
  const ScopeVerdict verdict = Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    table.SetNow(now);
    return table.Delete(id, &job.to_free, effects);
  });
  if (verdict != ScopeVerdict::kOk) return Explain(verdict, id);
  if (!job.to_free.empty()) {
    internal::MutexLock lock(&mutex_);
    jobs_.push_back(std::move(job));
  }
  WorkInline();
  return absl::OkStatus();
}

absl::StatusOr<bool> Scopes::OnEnded(ScopeId id, ScopeCallback callback) {
  if (!callback) return absl::InvalidArgumentError("the callback is empty");
  if (counter_->options().executor == nullptr) return NoExecutor();
  auto body = std::make_unique<ScopeCallbackBody>(id, "end-of-scope callback", std::move(callback));
  ScopeVerdict verdict;
  {
    internal::MutexLock lock(&mutex_);
    verdict = closed_ ? ScopeVerdict::kNotFound : table_.OnEnded(id, body->token());
    if (verdict == ScopeVerdict::kOk) (void)body.release();  // the table's now, as a token
  }
  if (verdict == ScopeVerdict::kEnded) return false;
  if (verdict != ScopeVerdict::kOk) return Explain(verdict, id);
  return true;
}

absl::StatusOr<uint64_t> Scopes::AddMember(ScopeId id, ScopeMember member) {
  if (!member.release) return absl::InvalidArgumentError("ScopeMember.release is empty");
  if (counter_->options().executor == nullptr) return NoExecutor();
  auto body = std::make_unique<ScopeCallbackBody>(
      id, "release of a scope's member",
      [release = std::move(member.release)](ScopeId, ScopeEnd end) mutable {
        release(end);
        if (internal::IsMutant(internal::Mutant::kMemberReleasedTwice)) release(end);
      });
  core::ScopeRecord::Member kept{member.kind, std::move(member.name), body->token()};
  uint64_t number = 0;
  internal::MutexLock lock(&mutex_);
  const ScopeVerdict verdict =
      closed_ ? ScopeVerdict::kEnded : table_.AddMember(id, std::move(kept), &number);
  if (verdict != ScopeVerdict::kOk) return Explain(verdict, id);
  (void)body.release();
  return number;
}

absl::Status Scopes::RemoveMember(ScopeId id, uint64_t number) {
  core::Token token = 0;
  const ScopeVerdict verdict = Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    return table.RemoveMember(id, number, &token, effects);
  });
  if (verdict != ScopeVerdict::kOk) return Explain(verdict, id);
  ReleaseScopeToken(token);
  return absl::OkStatus();
}

// --- Objects -------------------------------------------------------------------------------------

core::Verdict Scopes::Declare(core::event::Declare event, ScopeId scope,
                              core::ObjectRecord** record) {
  used_.store(true, std::memory_order_relaxed);
  core::event::AdmitToScope admit{scope, counter_->ShardOf(event.key).number, event.label};
  admit.copies = event.primary == core::kNoPeer ? 0 : 1;
  admit.bytes = static_cast<int64_t>(event.size);
  core::Admission admission;
  const ScopeVerdict admitted = Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    return table.Step(admit, &admission, effects);
  });
  if (admitted != ScopeVerdict::kOk) return core::Verdict::kScopeEnded;
  event.scope = admission.scope;
  event.label = admission.label;
  event.hold = admission.hold;
  const core::Verdict verdict = counter_->Declare(event, ScopeId(), record);
  const bool is_there = verdict == core::Verdict::kOk;
  if (is_there && admission.counted) return verdict;
  (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    if (is_there) {
      table.Entered(admit, admission, effects);
    } else {
      table.Withdraw(admit, admission, effects);
    }
    return ScopeVerdict::kOk;
  });
  return verdict;
}

absl::Status Scopes::Move(ScopeId from, const ObjectId& object, ScopeId to) {
  const core::Key key = counter_->KeyOf(object);
  Shard& shard = counter_->ShardOf(key);
  const bool keep = to.IsNil();
  core::ScopeIndex from_index = core::kNoScope;
  core::Admission admission;
  bool is_part = false;
  const ScopeVerdict admitted = Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    from_index = table.IndexOf(from);
    if (from_index == core::kNoScope) return ScopeVerdict::kNotFound;
    if (keep && from_index == core::kRootScope) return ScopeVerdict::kInvalid;
    if (keep && table.At(from_index).state != ScopeState::kRunning) return ScopeVerdict::kEnded;
    if (keep) to = table.At(table.KeeperOf(from_index)).id;
    core::event::AdmitToScope admit{to, shard.number};
    admit.moves = true;
    const ScopeVerdict verdict = table.Step(admit, &admission, effects);
    is_part = verdict == ScopeVerdict::kOk && table.At(admission.scope).owner != core::kNoPeer;
    return verdict;
  });
  if (admitted != ScopeVerdict::kOk) return Explain(admitted, keep ? from : to);

  core::MovedMember moved;
  const core::Verdict verdict = counter_->ApplyQuietly(shard, [&](core::ObjectTable& table) {
    const core::event::MoveToScope event{key, from_index, admission.scope, admission.hold, is_part};
    return core::ScopeSteps(&table).Step(event, &moved);
  });
  core::ScopeChange out, in;
  if (verdict == core::Verdict::kOk) {
    out.scope = moved.from;
    in.scope = admission.scope;
    out.label = in.label = moved.label;
    if (moved.counted) out = {out.scope, out.label, -1, -moved.copies, -moved.bytes};
    if (moved.counts) in = {in.scope, in.label, 1, moved.copies, moved.bytes};
  }
  core::InnerRef ref;
  ref.shard = shard.number;
  ref.record = moved.record;
  const std::shared_ptr<CounterImpl> counter = counter_->shared_from_this();
  std::vector<ObjectId> kept_before;
  (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    if (keep && verdict == core::Verdict::kOk) table.RecordKept(from_index, object, &kept_before);
    table.Arrived(admission, ref, moved.number, out, in, effects);
    return ScopeVerdict::kOk;
  });
  for (const ObjectId& before : kept_before) {
    if (counter->InScope(before)) continue;
    internal::MutexLock lock(&mutex_);
    table_.ForgetKept(from_index, before);
  }
  if (verdict == core::Verdict::kWrongState) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat(
                          "object ", object.ToHex(), " has an heir, and the scope is another's")),
                      ErrorReason::kNotMovable);
  }
  if (verdict != core::Verdict::kNotHeld) return counter_->ToStatus(verdict, object);
  return absl::InvalidArgumentError(
      absl::StrCat("object ", object.ToHex(), " is not in scope ", from.number()));
}

absl::Status Scopes::StopHolding(ScopeId id, const ObjectId& object) {
  const core::Key key = counter_->KeyOf(object);
  core::ScopeIndex index;
  {
    internal::MutexLock lock(&mutex_);
    index = table_.IndexOf(id);
  }
  if (index == core::kNoScope) return Explain(ScopeVerdict::kNotFound, id);
  const core::Verdict verdict = counter_->Apply(
      counter_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return core::ScopeSteps(&table).Step(core::event::StopHolding{key, index}, effects);
      });
  if (verdict != core::Verdict::kNotHeld) return counter_->ToStatus(verdict, object);
  return absl::InvalidArgumentError(
      absl::StrCat("object ", object.ToHex(), " is not held by scope ", id.number()));
}

absl::Status Scopes::Use(ScopeId by, const ObjectId& object) {
  const core::Key key = counter_->KeyOf(object);
  Shard& shard = counter_->ShardOf(key);
  std::vector<core::InnerRef> hold(1);
  hold[0].shard = shard.number;
  const core::Verdict held = counter_->ApplyQuietly(shard, [&](core::ObjectTable& table) {
    return table.Step(core::event::AddNestedHold{key}, &hold[0].record);
  });
  if (held != core::Verdict::kOk) return counter_->ToStatus(held, object);
  const auto use = [&](core::ScopeTable& table, core::ScopeEffects*) {
    return table.Use(by, hold[0]);
  };
  const ScopeVerdict used = Apply(use);
  if (used != ScopeVerdict::kOk) {
    counter_->ReleaseInners(std::move(hold));
    return used == ScopeVerdict::kNotMember ? absl::OkStatus() : Explain(used, by);
  }
  // Only now: where it moves from here on, the table hears and sees who uses it.
  core::WhoseObject whose{core::kRootScope, 0};
  (void)counter_->ApplyQuietly(shard, [&](const core::ObjectTable& table) {
    whose = core::ScopeSteps::WhoseIs(table, hold[0].record);
    return core::Verdict::kOk;
  });
  (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    table.UsedOf(by, hold[0], whose, effects);
    return ScopeVerdict::kOk;
  });
  return absl::OkStatus();
}

// --- Questions -----------------------------------------------------------------------------------

void Scopes::FillStatus(const core::ScopeRecord& scope, ScopeStatus* status) const {
  status->id = scope.id;
  status->name = scope.name;
  status->parent = scope.parent_id;
  status->state = scope.state;
  status->end = scope.end;
  status->created = scope.created;
  status->usage = {Shown(scope.objects), Shown(scope.bytes), Shown(scope.copies)};
  status->bytes_all = Shown(scope.bytes_all);
  status->tasks = scope.tasks;
  status->members = scope.members.size();
  status->inner_scopes = scope.children;
  status->processes = scope.remote;
  if (scope.state == ScopeState::kEnding) {
    status->waiting_for_scopes = table_.AwaitedBy(scope, ScopeStatus::kNamed);
  }
}

absl::StatusOr<ScopeStatus> Scopes::StatusOf(ScopeId id) {
  ScopeStatus status;
  core::ScopeIndex index;
  uint64_t shards = 0;
  core::PeerIndex owner = core::kNoPeer;
  std::vector<core::PeerIndex> members;
  Time until = counter_->clock().Now();
  {
    internal::MutexLock lock(&mutex_);
    index = table_.IndexOf(id);
    if (index == core::kNoScope) return Explain(ScopeVerdict::kNotFound, id);
    const core::ScopeRecord& scope = table_.At(index);
    FillStatus(scope, &status);
    owner = scope.owner;
    if (scope.state == ScopeState::kEnding) {
      members = table_.links().MembersOf(index, ScopeStatus::kNamed);
    }
    if (scope.state == ScopeState::kDone) until = scope.done;
    shards = scope.shards;
  }
  status.elapsed = until - status.created;
  if (owner != core::kNoPeer) status.owner = counter_->endpoint().AddressOf(owner).process();
  for (const core::PeerIndex member : members) {
    status.waiting_for_processes.push_back(counter_->endpoint().AddressOf(member).process());
  }
  if (status.state == ScopeState::kEnding) {
    status.waiting_for_objects = ObjectsOf(index, shards, ScopeStatus::kNamed);
  }
  return status;
}

std::vector<ObjectId> Scopes::ObjectsOf(core::ScopeIndex index, uint64_t shards, size_t max) const {
  std::vector<ObjectId> objects;
  for (; shards != 0 && objects.size() < max; shards &= shards - 1) {
    Shard& shard = counter_->ShardAt(static_cast<uint32_t>(__builtin_ctzll(shards)));
    (void)counter_->ApplyQuietly(shard, [&](const core::ObjectTable& table) {
      for (int list = 0; table.scopes() != nullptr && list < core::kMemberLists; ++list) {
        table.scopes()->ForEach(index, static_cast<core::MemberList>(list),
                                [&](const core::ScopeMembers::Member& member) {
                                  if (objects.size() >= max) return false;
                                  objects.push_back(table.At(member.record).id());
                                  return true;
                                });
      }
      return core::Verdict::kOk;
    });
  }
  return objects;
}

std::vector<LabelUsage> Scopes::Labels() {
  std::vector<std::pair<core::LabelIndex, ScopeUsage>> used;
  {
    internal::MutexLock lock(&mutex_);
    table_.ForEachLabel(
        [&](core::LabelIndex label, const ScopeUsage& usage) { used.emplace_back(label, usage); });
  }
  std::vector<LabelUsage> answer;
  answer.reserve(used.size());
  for (const auto& [label, usage] : used) answer.push_back({labels_.At(label), usage});
  return answer;
}

std::string Scopes::Describe(core::ScopeIndex index) {
  internal::MutexLock lock(&mutex_);
  const core::ScopeRecord& scope = table_.At(index);
  if (index == core::kRootScope) return "the root scope";
  if (scope.name.empty()) return absl::StrCat("scope ", scope.id.number());
  return absl::StrCat("scope ", scope.id.number(), " \"", scope.name, "\"");
}

uint64_t Scopes::size() const {
  internal::MutexLock lock(&mutex_);
  return table_.size() - 1;
}

}  // namespace freehold::runtime
