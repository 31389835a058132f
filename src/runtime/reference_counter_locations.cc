// ReferenceCounter: locations and callbacks.

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/reference_counter.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/host_jobs.h"
#include "src/runtime/keys_ahead.h"

namespace freehold {

using core::Verdict;
using runtime::CounterImpl;
using runtime::KeyAhead;
using runtime::LocationSubscription;
using runtime::ObjectCallbackBody;
using runtime::Shard;
using runtime::SubscriptionToken;

namespace {

absl::Status ValidateLocation(const Location& location) {
  if (location.shared && !location.spilled) {
    return absl::InvalidArgumentError("Location.shared is of a file: it needs Location.spilled");
  }
  if (location.node.IsNil() && (!location.shared || location.in_memory || location.prospective)) {
    return absl::InvalidArgumentError(
        "Location.node must not be nil, unless the value is in a shared file and nowhere else");
  }
  if (!location.in_memory && !location.spilled && !location.prospective) {
    return absl::InvalidArgumentError(
        "a Location must be in_memory, spilled or prospective; use RemoveLocation for none");
  }
  if (location.spilled != !location.spilled_url.empty()) {
    return absl::InvalidArgumentError("Location.spilled and Location.spilled_url go together");
  }
  if (location.spilled_url.size() > kSpilledUrlBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("Location.spilled_url is longer than ", kSpilledUrlBytesMax, " bytes"));
  }
  return absl::OkStatus();
}

// A secondary copy in memory and nothing else: valid if it names a node, and what nearly all are.
inline bool IsPlain(const Location& location) {
  return location.in_memory && !location.spilled && location.role == CopyRole::kSecondary &&
         location.spilled_url.empty();
}

__attribute__((noinline)) absl::Status AddAnyLocation(CounterImpl* counter, const ObjectId& object,
                                                      const Location& location, uint32_t generation,
                                                      uint64_t size, Shard* held) {
  Shard::Unlock(held);
  if (!counter->is_open()) return counter->WhyClosed();
  if (absl::Status valid = ValidateLocation(location); !valid.ok()) return valid;
  if (location.node.IsNil()) return counter->files().Add(object, location, generation, size);
  const core::PeerIndex node = counter->InternNode(location.node);
  if (node == core::kNoPeer ||
      (location.shared && counter->files().EnsurePlace() == core::kNoPeer)) {
    return absl::ResourceExhaustedError("too many nodes and processes were ever seen");
  }
  const core::Key key = counter->KeyOf(object);
  core::event::SetLocation event{key, node, generation, size, location.role};
  event.in_memory = location.in_memory;
  event.spilled = location.spilled;
  event.shared = location.shared;
  event.url = location.spilled_url;
  event.merge = false;
  const Verdict verdict = counter->Apply(
      counter->ShardOf(key),
      [&](core::ObjectTable& table, core::Effects* effects) { return table.Step(event, effects); });
  return counter->ToStatus(verdict, object);
}

}  // namespace

absl::Status ReferenceCounter::AddLocation(const ObjectId& object, const Location& location,
                                           uint32_t generation, uint64_t size) {
  CounterImpl* const impl = impl_.get();
  if (IsPlain(location)) {
    const core::PeerIndex node = impl->endpoint().RecentNode(location.node);
    if (node < core::kNoPeer) {
      const core::Key key = impl->KeyOf(object);
      return impl->ShardOf(key).OkQuietly(
          [&](core::ObjectTable& table) {
            return table.AddCopyQuietly(key, node, generation, size);
          },
          [&](Shard* held) {
            return AddAnyLocation(impl, object, location, generation, size, held);
          });
    }
  }
  return AddAnyLocation(impl, object, location, generation, size, nullptr);
}

BatchResult ReferenceCounter::AddLocations(const ObjectId& object,
                                           absl::Span<const Location> locations,
                                           uint32_t generation, uint64_t size) {
  BatchResult result;
  CounterImpl& impl = *impl_;
  const core::Key key = impl.KeyOf(object);
  core::PeerIndex nodes[core::ObjectTable::kCopiesAtOnce];
  for (size_t begin = 0; begin < locations.size();) {
    const size_t run = std::min(locations.size() - begin, core::ObjectTable::kCopiesAtOnce);
    const Location* const here = locations.data() + begin;
    size_t plain = 0;
    for (; plain < run && IsPlain(here[plain]); ++plain) {
      nodes[plain] = impl.endpoint().RecentNode(here[plain].node);
      if (nodes[plain] < core::kNoPeer) continue;
      if (here[plain].node.IsNil()) break;
      nodes[plain] = impl.InternNode(here[plain].node);
      if (nodes[plain] == core::kNoPeer) break;
    }
    size_t added = 0;
    if (plain > 0) {
      added = impl.ShardOf(key).Quietly([&](core::ObjectTable& table) {
        return table.AddCopiesQuietly(key, {nodes, plain}, generation, size);
      });
    }
    for (; added < run; ++added) {
      absl::Status status = AddLocation(object, locations[begin + added], generation, size);
      if (!status.ok()) result.failures.push_back({begin + added, std::move(status)});
    }
    begin += run;
  }
  return result;
}

absl::Status ReferenceCounter::RemoveLocation(const ObjectId& object, const NodeId& node,
                                              uint32_t generation) {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  // Shared files go with the value.
  if (node.IsNil()) return absl::InvalidArgumentError("RemoveLocation: the node must not be nil");
  const core::PeerIndex peer = impl_->endpoint().Find(Address(node));
  const core::Key key = impl_->KeyOf(object);
  const Verdict verdict =
      impl_->Apply(impl_->ShardOf(key), [&](core::ObjectTable& table, core::Effects* effects) {
        return table.Step(core::event::RemoveLocation{key, peer, generation}, effects);
      });
  return impl_->ToStatus(verdict, object);
}

absl::StatusOr<ObjectLocations> ReferenceCounter::GetLocations(const ObjectId& object) const {
  return impl_->LocationsHere(object);
}

absl::StatusOr<CallbackRegistration> ReferenceCounter::SubscribeLocations(
    const ObjectId& object, LocationCallback callback) {
  if (!callback) return absl::InvalidArgumentError("the callback is empty");
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  if (impl_->options().executor == nullptr) {
    return absl::FailedPreconditionError("a subscription needs ReferenceCounterOptions.executor");
  }
  const core::Key key = impl_->KeyOf(object);
  Shard& shard = impl_->ShardOf(key);
  const core::Token token =
      SubscriptionToken::Make(std::make_shared<LocationSubscription>(std::move(callback)));
  uint64_t number = 0;
  const Verdict verdict = impl_->Apply(
      shard,
      [&](core::ObjectTable& table, core::Effects* effects) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
        number = ++shard.registrations;
        return table.Step(core::event::Subscribe{key, number, token}, effects);
      });
  if (verdict == Verdict::kOk) return CallbackRegistration(object, number);
  runtime::ReleaseToken(token);
  return impl_->ToStatus(verdict, object);
}

std::vector<NodeBytes> ReferenceCounter::BytesPerNode(absl::Span<const ObjectId> objects) const {
  std::map<core::PeerIndex, uint64_t> bytes;
  if (impl_->stopped()) return {};
  for (const ObjectId& object : objects) {
    const core::Key key = impl_->KeyOf(object);
    Shard& shard = impl_->ShardOf(key);
    internal::MutexLock lock(&shard.mutex);
    const core::ObjectRecord* record = shard.table.Find(key);
    if (record == nullptr) continue;
    shard.table.ForEachCopy(*record, [&](const core::Copy& copy) {
      if (copy.in_memory && copy.held()) {
        bytes[copy.node] += record->size;
      }
    });
  }
  std::vector<NodeBytes> answer;
  for (const auto& [peer, sum] : bytes) answer.push_back({impl_->NodeAt(peer), sum});
  std::sort(answer.begin(), answer.end(), [](const NodeBytes& a, const NodeBytes& b) {
    return a.bytes != b.bytes ? a.bytes > b.bytes : a.node < b.node;
  });
  return answer;
}

absl::StatusOr<ProcessId> ReferenceCounter::OwnerOf(const ObjectId& object) const {
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  const core::Key key = impl_->KeyOf(object);
  Shard& shard = impl_->ShardOf(key);
  internal::MutexLock lock(&shard.mutex);
  const core::ObjectRecord* record = shard.table.Find(key);
  if (record == nullptr) return impl_->ToStatus(Verdict::kNotFound, object);
  return record->borrowed ? impl_->OwnerToName(shard, *record) : process();
}

// --- Callbacks -----------------------------------------------------------------------------------

absl::StatusOr<CallbackRegistration> ReferenceCounter::Register(Moment moment,
                                                                const ObjectId& object,
                                                                ObjectCallback callback) {
  if (!callback) return absl::InvalidArgumentError("the callback is empty");
  if (absl::Status open = impl_->CheckOpen(); !open.ok()) return open;
  if (impl_->options().executor == nullptr) {
    return absl::FailedPreconditionError("a callback needs ReferenceCounterOptions.executor");
  }
  auto body = std::make_unique<ObjectCallbackBody>(object, moment, std::move(callback));
  const core::Key key = impl_->KeyOf(object);
  Shard& shard = impl_->ShardOf(key);
  uint64_t number = 0;
  const Verdict verdict =
      impl_->ApplyQuietly(shard, [&](core::ObjectTable& table) FREEHOLD_NO_THREAD_SAFETY_ANALYSIS {
        number = ++shard.registrations;
        return table.Step(core::event::Register{key, moment, number, body->token()});
      });
  if (verdict == Verdict::kMomentPassed) return CallbackRegistration();
  if (verdict != Verdict::kOk) return impl_->ToStatus(verdict, object);
  (void)body.release();  // the core's now, as a token
  return CallbackRegistration(object, number);
}

namespace {

// The C context: destroyed exactly once, when whatever holds this goes.
class CContext {
 public:
  explicit CContext(const CCallback& callback) : callback_(callback) {}
  CContext(CContext&& other) noexcept : callback_(std::exchange(other.callback_, CCallback())) {}
  CContext& operator=(CContext&&) = delete;
  ~CContext() {
    if (callback_.destroy_context != nullptr) callback_.destroy_context(callback_.context);
  }
  void operator()(const ObjectId& object, EndReason reason) const {
    callback_.function(object.data(), static_cast<int>(reason), callback_.context);
  }

 private:
  CCallback callback_;
};

}  // namespace

absl::StatusOr<CallbackRegistration> ReferenceCounter::Register(Moment moment,
                                                                const ObjectId& object,
                                                                const CCallback& callback) {
  CContext context(callback);
  if (callback.function == nullptr) {
    return absl::InvalidArgumentError("CCallback.function must not be null");
  }
  return Register(moment, object, ObjectCallback(std::move(context)));
}

std::vector<absl::StatusOr<CallbackRegistration>> ReferenceCounter::RegisterAll(
    Moment moment, absl::Span<const ObjectId> objects, ObjectCallback callback) {
  std::vector<absl::StatusOr<CallbackRegistration>> answers;
  answers.reserve(objects.size());
  if (!callback) {
    answers.assign(objects.size(), absl::InvalidArgumentError("the callback is empty"));
    return answers;
  }
  auto shared = std::make_shared<ObjectCallback>(std::move(callback));
  (void)VisitAhead(*impl_, objects, [&](const ObjectId& object, const KeyAhead& /*ahead*/) {
    answers.push_back(Register(
        moment, object, [shared](const ObjectId& id, EndReason reason) { (*shared)(id, reason); }));
    return true;
  });
  return answers;
}

absl::StatusOr<CallbackRegistration> ReferenceCounter::Watch(Moment moment, const ObjectId& object,
                                                             const ProcessId& owner,
                                                             ObjectCallback callback) {
  const absl::StatusOr<uint64_t> number = impl_->Watch(moment, object, owner, std::move(callback));
  if (!number.ok()) return number.status();
  return *number == 0 ? CallbackRegistration() : CallbackRegistration(object, *number);
}

absl::StatusOr<CallbackRegistration> ReferenceCounter::Watch(Moment moment, const ObjectId& object,
                                                             const ProcessId& owner,
                                                             const CCallback& callback) {
  CContext context(callback);
  if (callback.function == nullptr) {
    return absl::InvalidArgumentError("CCallback.function must not be null");
  }
  return Watch(moment, object, owner, ObjectCallback(std::move(context)));
}

bool ReferenceCounter::Cancel(const CallbackRegistration& registration) {
  if (!registration) return false;
  const bool is_watch = runtime::Watches::IsMarked(registration.number_);
  if (is_watch && impl_->CancelWatch(registration.number_)) return true;
  // Its object may have come here since.
  const core::Key key = impl_->KeyOf(registration.object_);
  Shard& shard = impl_->ShardOf(key);
  core::Token token = 0;
  const Verdict verdict = impl_->ApplyQuietly(shard, [&](core::ObjectTable& table) {
    return table.Step(core::event::Cancel{key, registration.number_}, &token);
  });
  if (verdict != Verdict::kOk) {
    // Its object may have another owner by now, who is asked in its place.
    return impl_->CancelMoved(registration.object_, registration.number_);
  }
  runtime::ReleaseToken(token);
  return true;
}

}  // namespace freehold
