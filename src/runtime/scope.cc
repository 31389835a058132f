// Scope, ScopeGuard, and what a ReferenceCounter does with scopes.

#include "freehold/scope.h"

#include <utility>

#include "freehold/reference_counter.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/current_scope.h"

namespace freehold {

namespace {

absl::Status NamesNone() { return absl::InvalidArgumentError("this handle names no scope"); }

template <typename Call>
BatchResult ForEach(absl::Span<const ObjectId> objects, const absl::Status& open, Call call) {
  BatchResult result;
  for (size_t i = 0; i < objects.size(); ++i) {
    absl::Status status = open.ok() ? call(objects[i]) : open;
    if (!status.ok()) result.failures.push_back({i, std::move(status)});
  }
  return result;
}

}  // namespace

Scope::~Scope() {
  if (counter_ == nullptr) return;
  // That it has ended already is as well.
  if (ends_ && counter_->is_open()) (void)counter_->scopes().End(id_, ScopeEnd::kEnded);
  counter_->scopes().DropHandle(id_);
}

absl::Status Scope::CheckOpen() const {
  return counter_ == nullptr ? NamesNone() : counter_->CheckOpen();
}

absl::Status Scope::End() {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  return counter_->scopes().End(id_, ScopeEnd::kEnded);
}

absl::Status Scope::End(absl::Span<const ObjectId> keep) {
  BatchResult kept = Keep(keep);
  if (!kept.ok()) return std::move(kept.failures.front().status);
  return End();
}

absl::Status Scope::End(absl::Span<const ObjectId> keep, KeepMode mode, PersistedCallback done) {
  const std::shared_ptr<runtime::CounterImpl> counter = counter_;
  const ScopeId id = id_;
  BatchResult kept = Keep(keep, mode, std::move(done));
  if (!kept.ok()) return std::move(kept.failures.front().status);
  if (counter == nullptr) return NamesNone();
  if (absl::Status open = counter->CheckOpen(); !open.ok()) return open;
  return counter->scopes().End(id, ScopeEnd::kEnded);
}

absl::Status Scope::Cancel() {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  return counter_->scopes().End(id_, ScopeEnd::kCancelled);
}

absl::StatusOr<bool> Scope::OnEnded(ScopeCallback call) {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  return counter_->scopes().OnEnded(id_, std::move(call));
}

absl::Status Scope::Wait(Time deadline) const {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  return counter_->scopes().Wait(id_, deadline);
}

BatchResult Scope::Keep(absl::Span<const ObjectId> objects) {
  return ForEach(objects, CheckOpen(), [&](const ObjectId& object) {
    return counter_->scopes().Move(id_, object, ScopeId());
  });
}

BatchResult Scope::Keep(absl::Span<const ObjectId> objects, KeepMode mode, PersistedCallback done) {
  if (mode == KeepMode::kInScope) return Keep(objects);
  // What it tells may run at once, and let go of this handle.
  const std::shared_ptr<runtime::CounterImpl> counter = counter_;
  const ScopeId id = id_;
  return ForEach(objects, CheckOpen(), [&, done = std::move(done)](const ObjectId& object) {
    runtime::Persists& persists = counter->lineage().persists();
    if (absl::Status checked = persists.Check(object); !checked.ok()) return checked;
    if (absl::Status kept = counter->scopes().Move(id, object, ScopeId()); !kept.ok()) return kept;
    persists.Begin(object, done);
    return absl::OkStatus();
  });
}

BatchResult Scope::Move(absl::Span<const ObjectId> objects, ScopeId to) {
  absl::Status open = CheckOpen();
  if (open.ok() && to.IsNil()) open = absl::InvalidArgumentError("the nil id names no scope");
  return ForEach(objects, open,
                 [&](const ObjectId& object) { return counter_->scopes().Move(id_, object, to); });
}

BatchResult Scope::StopHolding(absl::Span<const ObjectId> objects) {
  return ForEach(objects, CheckOpen(), [&](const ObjectId& object) {
    return counter_->scopes().StopHolding(id_, object);
  });
}

BatchResult Scope::Use(absl::Span<const ObjectId> objects) {
  return ForEach(objects, CheckOpen(),
                 [&](const ObjectId& object) { return counter_->scopes().Use(id_, object); });
}

absl::StatusOr<uint64_t> Scope::AddMember(ScopeMember member) {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  return counter_->scopes().AddMember(id_, std::move(member));
}

absl::Status Scope::RemoveMember(uint64_t number) {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  return counter_->scopes().RemoveMember(id_, number);
}

absl::StatusOr<std::string> Scope::Export(const ProcessId& to) const {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  return counter_->scopes().Export(id_, to);
}

absl::StatusOr<ScopeStatus> Scope::GetStatus() const {
  if (absl::Status open = CheckOpen(); !open.ok()) return open;
  return counter_->scopes().StatusOf(id_);
}

absl::Status unsafe::ForceEnd(Scope& scope) {
  if (absl::Status open = scope.CheckOpen(); !open.ok()) return open;
  return scope.counter_->scopes().End(scope.id_, ScopeEnd::kForced);
}

absl::Status unsafe::Delete(Scope& scope) {
  if (absl::Status open = scope.CheckOpen(); !open.ok()) return open;
  return scope.counter_->scopes().Delete(scope.id_);
}

// --- The current scope ---------------------------------------------------------------------------

ScopeGuard::ScopeGuard(const Scope& scope)
    : counter_(scope.counter_), before_(runtime::BindScope(counter_.get(), scope.id_)) {}

ScopeGuard::~ScopeGuard() { (void)runtime::BindScope(counter_.get(), before_); }

// --- ReferenceCounter ----------------------------------------------------------------------------

absl::StatusOr<Scope> ReferenceCounter::OpenScope(const ScopeOptions& options) {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  absl::StatusOr<ScopeId> id = impl_->scopes().Open(options, /*handle=*/true);
  if (!id.ok()) return id.status();
  return Scope(impl_, *id, /*ends=*/true);
}

absl::StatusOr<ScopeId> ReferenceCounter::BeginScope(const ScopeOptions& options) {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  return impl_->scopes().Open(options, /*handle=*/false);
}

absl::StatusOr<Scope> ReferenceCounter::FindScope(ScopeId id) {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  if (absl::Status found = impl_->scopes().AddHandle(id); !found.ok()) return found;
  return Scope(impl_, id, /*ends=*/false);
}

absl::Status ReferenceCounter::EndScope(ScopeId id) {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  return impl_->scopes().End(id, ScopeEnd::kEnded);
}

absl::StatusOr<Scope> ReferenceCounter::JoinScope(std::string_view token) {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  absl::StatusOr<ScopeId> id = impl_->scopes().Join(token);
  if (!id.ok()) return id.status();
  return Scope(impl_, *id, /*ends=*/false);
}

ScopeId ReferenceCounter::CurrentScope() const {
  const ScopeId bound = runtime::BoundScope(impl_.get());
  return bound.IsNil() ? ScopeId::Root() : bound;
}

ScopeId ReferenceCounter::BindScope(ScopeId scope) {
  return runtime::BindScope(impl_.get(), scope);
}

std::vector<LabelUsage> ReferenceCounter::UsageByLabel() const {
  if (impl_->stopped()) return {};
  return impl_->scopes().Labels();
}

}  // namespace freehold
