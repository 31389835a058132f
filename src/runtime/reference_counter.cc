// ReferenceCounter: creation, objects, references.

#include "freehold/reference_counter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/declarations.h"
#include "src/runtime/keys_ahead.h"

namespace freehold {

using core::Verdict;
using runtime::CounterImpl;
using runtime::KeyAhead;
using runtime::Shard;

namespace {

constexpr uint32_t kShardsMax = 64;

absl::Status ValidateOptions(const ReferenceCounterOptions& options) {
  if (options.process.IsNil()) {
    return absl::InvalidArgumentError("ReferenceCounterOptions.process must not be nil");
  }
  if (options.shards == 0 || options.shards > kShardsMax ||
      (options.shards & (options.shards - 1)) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("ReferenceCounterOptions.shards must be a power of two from 1 to ", kShardsMax,
                     ", not ", options.shards));
  }
  if (options.pending_frees_soft_max == 0) {
    return absl::InvalidArgumentError(
        "ReferenceCounterOptions.pending_frees_soft_max must be positive");
  }
  if (options.location_watches_per_peer_max == 0) {
    return absl::InvalidArgumentError(
        "ReferenceCounterOptions.location_watches_per_peer_max must be positive");
  }
  if (options.watches_per_peer_max == 0) {
    return absl::InvalidArgumentError(
        "ReferenceCounterOptions.watches_per_peer_max must be positive");
  }
  if (options.orphan_grace < Duration::zero()) {
    return absl::InvalidArgumentError("ReferenceCounterOptions.orphan_grace must not be negative");
  }
  if (options.token_life < Duration::zero()) {
    return absl::InvalidArgumentError("ReferenceCounterOptions.token_life must not be negative");
  }
  if (options.executor == nullptr && options.on_to_recover) {
    return absl::InvalidArgumentError(
        "ReferenceCounterOptions.on_to_recover needs ReferenceCounterOptions.executor");
  }
  if (options.executor == nullptr && options.on_lineage_released) {
    return absl::InvalidArgumentError(
        "ReferenceCounterOptions.on_lineage_released needs ReferenceCounterOptions.executor");
  }
  if (options.executor == nullptr && options.on_persist) {
    return absl::InvalidArgumentError(
        "ReferenceCounterOptions.on_persist needs ReferenceCounterOptions.executor");
  }
  if (options.lineage_bytes_max == 0) {
    return absl::InvalidArgumentError("ReferenceCounterOptions.lineage_bytes_max must be positive");
  }
  if (options.executor == nullptr && options.on_copy_freed) {
    return absl::InvalidArgumentError(
        "ReferenceCounterOptions.on_copy_freed needs ReferenceCounterOptions.executor");
  }
  if (options.executor == nullptr && options.on_declared) {
    return absl::InvalidArgumentError(
        "ReferenceCounterOptions.on_declared needs ReferenceCounterOptions.executor");
  }
  if (options.executor == nullptr && options.on_lineage_taken) {
    return absl::InvalidArgumentError(
        "ReferenceCounterOptions.on_lineage_taken needs ReferenceCounterOptions.executor");
  }
  if (options.executor == nullptr && options.on_transferred) {
    return absl::InvalidArgumentError(
        "ReferenceCounterOptions.on_transferred needs ReferenceCounterOptions.executor");
  }
  return Validate(options.session);
}

// As AddLocalReference and RemoveLocalReference, which have this written out: where it is called
// twice the compiler makes functions of it, for 45 instructions.
absl::Status AddOneQuietly(CounterImpl* counter, Shard* shard, const core::Key& key) {
  return shard->OkQuietly([&](core::ObjectTable& table) { return table.AddByIdQuietly(key, 1); },
                          [&](Shard* held) { return counter->AddById(key.id, 1, held); });
}

absl::Status RemoveOneQuietly(CounterImpl* counter, Shard* shard, const core::Key& key) {
  return shard->OkQuietly([&](core::ObjectTable& table) { return table.RemoveByIdQuietly(key, 1); },
                          [&](Shard* held) { return counter->RemoveById(key.id, 1, held); });
}

template <typename Call>
BatchResult ForEach(const CounterImpl& counter, absl::Span<const ObjectId> objects, Call call) {
  BatchResult result;
  size_t at = 0;
  (void)VisitAhead(counter, objects, [&](const ObjectId& object, const KeyAhead& ahead) {
    absl::Status status = call(object, ahead);
    if (!status.ok()) result.failures.push_back({at, std::move(status)});
    ++at;
    return true;
  });
  return result;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReferenceCounter>> ReferenceCounter::Create(
    const ReferenceCounterOptions& options) {
  if (absl::Status valid = ValidateOptions(options); !valid.ok()) return valid;
  auto impl = std::make_shared<CounterImpl>(options);
  if (absl::Status started = impl->Start(); !started.ok()) return started;
  return std::unique_ptr<ReferenceCounter>(new ReferenceCounter(std::move(impl)));
}

ReferenceCounter::ReferenceCounter(std::shared_ptr<CounterImpl> impl) : impl_(std::move(impl)) {}

ReferenceCounter::~ReferenceCounter() {
  (void)impl_->Shutdown(ShutdownMode::kImmediate, Duration::zero());
}

const ProcessId& ReferenceCounter::process() const { return impl_->options().process; }

// --- Objects -------------------------------------------------------------------------------------

void ReferenceCounter::Prefetch(absl::Span<const ObjectId> objects) const {
  for (const ObjectId& object : objects) (void)runtime::Foresee(*impl_, object);
}

absl::StatusOr<ObjectRef> ReferenceCounter::Declare(const ObjectId& object,
                                                    const DeclareOptions& options) {
  if (!impl_->is_open()) return impl_->WhyClosed();
  if (object.IsNil()) return absl::InvalidArgumentError("the nil id names no object");
  core::event::Declare event{impl_->KeyOf(object), options.size};
  if (!options.primary.IsNil()) {
    event.primary = impl_->InternNode(options.primary);
    if (event.primary == core::kNoPeer) {
      return absl::ResourceExhaustedError("too many nodes and processes were ever seen");
    }
  }
  if (!options.call_site.empty()) event.call_site = impl_->InternCallSite(options.call_site);
  if (!options.label.empty()) event.label = impl_->scopes().InternLabel(options.label);
  const ScopeId scope = impl_->scopes().ScopeFor(options);

  if (!options.contains.empty()) return impl_->DeclareOuter(event, scope, options.contains);
  core::ObjectRecord* record = nullptr;
  const Verdict verdict = impl_->Declare(event, scope, &record);
  if (verdict != Verdict::kOk) return impl_->ToStatus(verdict, object);
  return ObjectRef(&record->cell);
}

absl::StatusOr<ObjectRef> ReferenceCounter::DeclareFor(const ProcessId& owner,
                                                       const ObjectId& object,
                                                       DeclareForOptions options) {
  return runtime::Declarations::DeclareFor(impl_.get(), owner, object, std::move(options));
}

absl::Status ReferenceCounter::WaitForOwner(const ObjectId& object, Duration timeout) {
  return runtime::Declarations::WaitForOwner(impl_.get(), object, timeout);
}

absl::StatusOr<NodeCopy> ReferenceCounter::CopyOf(const ObjectId& object, CopyRole role,
                                                  uint64_t size, uint32_t generation) const {
  return runtime::Declarations::CopyOf(*impl_, object, role, size, generation);
}

absl::Status ReferenceCounter::Recreate(const ObjectId& object) {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  const core::Key key = impl_->KeyOf(object);
  const Verdict verdict =
      impl_->Apply(impl_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return table.Step(core::event::Recreate{key}, effects);
      });
  if (verdict == Verdict::kOk) impl_->lineage().OnRecreated(object);
  return impl_->ToStatus(verdict, object);
}

BatchResult ReferenceCounter::Free(absl::Span<const ObjectId> objects, FreeMode mode) {
  return ForEach(*impl_, objects, [&](const ObjectId& object, const KeyAhead& /*ahead*/) {
    if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
    const core::Key key = impl_->KeyOf(object);
    const Verdict verdict =
        impl_->Apply(impl_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
          return table.Step(core::event::FreeExplicitly{key, mode}, effects);
        });
    return impl_->ToStatus(verdict, object);
  });
}

// --- References ----------------------------------------------------------------------------------

absl::StatusOr<ObjectRef> ReferenceCounter::GetRef(const ObjectId& object) {
  return impl_->GetRef(object);
}

WeakRef ReferenceCounter::GetWeakRef(const ObjectRef& ref) const {
  return WeakRef(impl_, ref.id());
}

absl::Status ReferenceCounter::AddLocalReference(const ObjectId& object, uint32_t count) {
  const core::Key key = impl_->KeyOf(object);
  return impl_->ShardOf(key).OkQuietly(
      [&](core::ObjectTable& table) { return table.AddByIdQuietly(key, count); },
      [&](Shard* held) { return impl_->AddById(object, count, held); });
}

absl::Status ReferenceCounter::RemoveLocalReference(const ObjectId& object, uint32_t count) {
  const core::Key key = impl_->KeyOf(object);
  return impl_->ShardOf(key).OkQuietly(
      [&](core::ObjectTable& table) { return table.RemoveByIdQuietly(key, count); },
      [&](Shard* held) { return impl_->RemoveById(object, count, held); });
}

BatchResult ReferenceCounter::AddLocalReferences(absl::Span<const ObjectId> objects) {
  return ForEach(*impl_, objects, [&](const ObjectId& object, const KeyAhead& ahead) {
    return AddOneQuietly(impl_.get(), ahead.shard, {object, ahead.hash});
  });
}

BatchResult ReferenceCounter::RemoveLocalReferences(absl::Span<const ObjectId> objects) {
  return ForEach(*impl_, objects, [&](const ObjectId& object, const KeyAhead& ahead) {
    return RemoveOneQuietly(impl_.get(), ahead.shard, {object, ahead.hash});
  });
}

absl::StatusOr<TaskReferences> ReferenceCounter::SubmitTask(absl::Span<const ObjectId> arguments) {
  return impl_->SubmitTask(arguments);
}

absl::Status ReferenceCounter::AddNested(const ObjectId& outer, absl::Span<const ObjectId> inner) {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  return impl_->AddNested(outer, inner);
}

// --- References that cross processes -------------------------------------------------------------

absl::StatusOr<ExportedReference> ReferenceCounter::Export(const ObjectId& object,
                                                           const ProcessId& receiver) {
  return impl_->Export(object, receiver);
}

absl::StatusOr<ObjectRef> ReferenceCounter::Import(std::string_view token) {
  return impl_->Import(token);
}

absl::StatusOr<ObjectRef> ReferenceCounter::ImportNested(const ObjectId& outer,
                                                         const ObjectId& inner,
                                                         const ProcessId& inner_owner) {
  return impl_->ImportNested(outer, inner, inner_owner);
}

absl::StatusOr<uint64_t> ReferenceCounter::QueryLocations(const LocationQuery& query,
                                                          LocationCallback callback) {
  return impl_->QueryLocations(query, std::move(callback));
}

bool ReferenceCounter::CancelQuery(uint64_t number) { return impl_->CancelQuery(number); }

absl::Status ReferenceCounter::CancelHandoff(const Handoff& handoff) {
  return impl_->CancelHandoff(handoff);
}

absl::Status ReferenceCounter::CheckReference(const ObjectId& object) const {
  return impl_->CheckReference(object);
}

// --- Pump, transport, end ------------------------------------------------------------------------

std::shared_ptr<Inbox> ReferenceCounter::inbox() const { return impl_->endpoint().inbox(); }

void ReferenceCounter::Pump(Time now) { impl_->endpoint().Pump(now); }

Time ReferenceCounter::NextDeadline() const { return impl_->endpoint().NextDeadline(); }

ExitReadiness ReferenceCounter::CanExit() const { return impl_->CanExit(); }

DrainReport ReferenceCounter::Drain(const DrainOptions& options) { return impl_->Drain(options); }

void ReferenceCounter::CancelDrain() { impl_->SetDraining(false); }

ShutdownReport ReferenceCounter::Shutdown(ShutdownMode mode, Duration timeout) {
  return impl_->Shutdown(mode, timeout);
}

}  // namespace freehold
