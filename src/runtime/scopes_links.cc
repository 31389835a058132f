// Scopes: those that other processes have joined, and parts of theirs. PROTOCOL.md, step 14.

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/error_reason.h"
#include "src/core/object_table_scopes.h"
#include "src/core/scope_token.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/errors.h"
#include "src/runtime/scopes.h"
#include "src/runtime/scopes_apply.h"
#include "src/runtime/token_seal.h"

namespace freehold::runtime {

using core::ScopeVerdict;

namespace {

absl::Status MalformedScopeToken(const std::string& why) {
  return WithReason(absl::InvalidArgumentError("not a token of a scope: " + why),
                    ErrorReason::kMalformedToken);
}

absl::Status NoTransport() {
  return absl::FailedPreconditionError("without a transport no scope is shared with others");
}

absl::Status PeerExcluded(const ProcessId& process) {
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat("process ", process.ToHex(), " is excluded")),
      ErrorReason::kPeerExcluded);
}

}  // namespace

// --- Tokens --------------------------------------------------------------------------------------

absl::StatusOr<std::string> Scopes::Export(ScopeId id, const ProcessId& to) {
  if (counter_->options().transport == nullptr) return NoTransport();
  const ProcessId& self = counter_->options().process;
  if (to.IsNil() || to == self) {
    return absl::InvalidArgumentError("a scope is exported to another process, not to itself");
  }
  const core::PeerIndex peer = counter_->endpoint().Intern(Address(to));
  if (peer == core::kNoPeer) return TooManyPeersError();
  if (counter_->endpoint().IsExcluded(peer)) return PeerExcluded(to);
  core::ScopeExport exported;
  ScopeVerdict verdict;
  {
    internal::MutexLock lock(&mutex_);
    verdict = table_.Export(id, &exported);
  }
  if (verdict != ScopeVerdict::kOk) return Explain(verdict, id);
  core::ScopeToken token;
  token.owner = exported.owner == core::kNoPeer
                    ? self
                    : counter_->endpoint().AddressOf(exported.owner).process();
  token.scope = exported.scope;
  token.sender = self;
  token.receiver = to;
  token.hold = exported.hold;
  token.no_cleanup = exported.no_cleanup;
  std::string bytes = core::EncodeScopeToken(token);
  if (absl::Status sealed = SealToken(counter_->options().token_sealer, &bytes); !sealed.ok()) {
    return sealed;
  }
  return bytes;
}

absl::StatusOr<ScopeId> Scopes::Join(std::string_view bytes) {
  if (counter_->options().transport == nullptr) return NoTransport();
  std::optional<std::string> opened;
  if (absl::Status open = OpenToken(counter_->options().token_sealer, &bytes, &opened);
      !open.ok()) {
    return open;
  }
  core::ScopeToken token;
  const core::TokenError error = core::DecodeScopeToken(bytes, &token);
  if (error != core::TokenError::kOk) return MalformedScopeToken(core::TokenErrorName(error));
  const ProcessId& self = counter_->options().process;
  if (token.receiver != self) {
    return WithReason(
        absl::InvalidArgumentError(absl::StrCat("the token of scope ", token.scope.number(),
                                                " was made for process ", token.receiver.ToHex())),
        ErrorReason::kWrongReceiver);
  }
  Endpoint& endpoint = counter_->endpoint();
  const core::PeerIndex sender = endpoint.Intern(Address(token.sender));
  if (sender == core::kNoPeer) return TooManyPeersError();
  if (endpoint.IsExcluded(sender)) return PeerExcluded(token.sender);
  if (token.owner == self) {
    // It comes home.
    if (absl::Status found = AddHandle(token.scope); !found.ok()) return found;
    return token.scope;
  }
  core::event::JoinScope event;
  event.owner = endpoint.Intern(Address(token.owner));
  if (event.owner == core::kNoPeer) return TooManyPeersError();
  if (endpoint.IsExcluded(event.owner)) return PeerExcluded(token.owner);
  event.scope = token.scope;
  event.hold = token.hold;
  event.no_cleanup = token.no_cleanup;
  event.now = counter_->clock().Now();
  return Enter(event, token.owner);
}

absl::StatusOr<ScopeId> Scopes::Enter(const core::event::JoinScope& event, const ProcessId& owner) {
  const auto keep = counter_->shared_from_this();  // a callback may end the counter
  used_.store(true, std::memory_order_relaxed);
  linked_.store(true, std::memory_order_relaxed);
  ScopeId id;
  const ScopeVerdict verdict = Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    return table.Step(event, &id, effects);
  });
  if (verdict != ScopeVerdict::kOk) {
    if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
    return Explain(verdict, ScopeId::Root());
  }
  if (!counter_->endpoint().IsExcluded(event.owner)) return id;
  // Its barrier may have come between the look and the step.
  (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    table.LoseOwner(id, effects);
    return ScopeVerdict::kOk;
  });
  DropHandle(id);
  return PeerExcluded(owner);
}

// --- Objects that change their owner -------------------------------------------------------------

core::Verdict Scopes::StepWith(const core::Key& key, core::Immovable* why,
                               std::unique_ptr<const core::Membership>* membership,
                               absl::FunctionRef<core::Verdict()> step) {
  // Whoever moves it from scope to scope without end keeps nobody here.
  constexpr int kLooksMax = 8;
  core::Verdict verdict = step();
  for (int looks = 0; *why == core::Immovable::kInScope && looks < kLooksMax; ++looks) {
    auto now = MembershipOf(key);
    const core::Membership* const before = membership->get();
    const bool is_same = before != nullptr && now != nullptr && before->IsLike(*now);
    *membership = std::move(now);
    if (is_same) break;  // it is another process's scope
    *why = core::Immovable::kNo;
    verdict = step();
  }
  return verdict;
}

std::unique_ptr<const core::Membership> Scopes::MembershipOf(const core::Key& key) {
  auto membership = std::make_unique<core::Membership>();
  bool is_member = false;
  (void)counter_->ApplyQuietly(counter_->ShardOf(key), [&](const core::ObjectTable& table) {
    const core::ObjectRecord* record = table.Find(key);
    is_member = record != nullptr && record->is_member();
    if (!is_member) return core::Verdict::kUnchanged;
    *membership = core::ScopeSteps::LookAt(table, *record);
    return core::Verdict::kOk;
  });
  if (!is_member) return nullptr;
  membership->label_text = labels_.At(membership->label);
  {
    internal::MutexLock lock(&mutex_);
    membership->joining = table_.ExportOf(membership->whose.scope);
  }
  // With its owner the scope ends here, and nobody else joins it any more.
  const core::PeerIndex owner = membership->joining.owner;
  if (owner != core::kNoPeer && counter_->endpoint().IsExcluded(owner)) {
    membership->joining = {core::kNoPeer, ScopeId::Root(), false, false};
  }
  return membership;
}

bool Scopes::Bring(core::PeerIndex from, const core::TransferItem::Scope& scope, uint32_t shard,
                   core::Admission* admission) {
  used_.store(true, std::memory_order_relaxed);
  core::event::BringIntoScope event;
  event.scope = ScopeId(scope.id);
  event.held = scope.held;
  event.forced = scope.forced;
  event.shard = shard;
  event.now = counter_->clock().Now();
  if (!scope.label.empty()) event.label = InternLabel(scope.label);
  const bool is_own = event.scope.IsRoot() || scope.owner == counter_->options().process;
  bool is_over = false;  // with its owner
  if (!is_own) {
    event.owner = scope.owner.IsNil() ? from : counter_->endpoint().Intern(Address(scope.owner));
    if (event.owner == core::kNoPeer) return false;
    event.hold = scope.hold;
    event.no_cleanup = scope.no_cleanup;
    linked_.store(true, std::memory_order_relaxed);
    is_over = counter_->endpoint().IsExcluded(event.owner);
  }
  const auto step = [&](core::ScopeTable& table, core::ScopeEffects* effects) {
    return table.Step(event, admission, effects);
  };
  ScopeVerdict verdict = is_over ? ScopeVerdict::kNotFound : Apply(step);
  if (verdict == ScopeVerdict::kNotFound) {
    // A part from which it came may have been made too late, and not have heard that yet.
    if (scope.label.empty()) return true;
    event.owner = core::kNoPeer;
    event.scope = ScopeId::Root();
    event.held = false;
    verdict = Apply(step);
  }
  return verdict == ScopeVerdict::kOk;
}

void Scopes::Withdraw(const core::Admission& admission) {
  (void)Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    table.Withdraw(core::event::AdmitToScope(), admission, effects);
    return ScopeVerdict::kOk;
  });
}

// --- For simulations -----------------------------------------------------------------------------

Inside::MemberOf Scopes::MemberOf(const core::Key& key) const {
  core::ScopeIndex index = core::kNoScope;
  (void)counter_->ApplyQuietly(counter_->ShardOf(key), [&](const core::ObjectTable& table) {
    const core::ObjectRecord* record = table.Find(key);
    if (record != nullptr && !record->borrowed) {
      index = core::ScopeSteps::WhoseIs(table, core::RecordSlabs::IndexOf(*record)).scope;
    }
    return core::Verdict::kOk;
  });
  if (index == core::kNoScope) return {};
  internal::MutexLock lock(&mutex_);
  const core::ScopeRecord& scope = table_.At(index);
  if (scope.owner == core::kNoPeer) return {scope.id, {}, {}};
  return {scope.id, counter_->endpoint().AddressOf(scope.owner).process(), scope.owner_scope};
}

bool Scopes::HasPart(const ProcessId& owner, ScopeId scope) const {
  const core::PeerIndex peer = counter_->endpoint().Find(Address(owner));
  internal::MutexLock lock(&mutex_);
  return peer != core::kNoPeer && table_.links().IsAwaited(peer, scope.number());
}

// --- The wire ------------------------------------------------------------------------------------

bool Scopes::OnItem(core::PeerIndex from, const core::ScopeItem& item) {
  used_.store(true, std::memory_order_relaxed);
  linked_.store(true, std::memory_order_relaxed);
  const ScopeVerdict verdict = Apply([&](core::ScopeTable& table, core::ScopeEffects* effects) {
    return table.Step(from, item, effects);
  });
  return verdict != ScopeVerdict::kNotMember;
}

bool Scopes::Fill(core::PeerIndex peer, core::PayloadWriter* writer) {
  if (!linked_.load(std::memory_order_relaxed)) return false;
  internal::MutexLock lock(&mutex_);
  return table_.PullLinks(peer, writer);
}

uint64_t Scopes::AnswersFor(core::PeerIndex peer) const {
  internal::MutexLock lock(&mutex_);
  return table_.links().waiting(peer);
}

}  // namespace freehold::runtime
