#include "src/runtime/persists.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "freehold/error_reason.h"
#include "freehold/lineage.h"
#include "src/base/guarded_call.h"
#include "src/base/mutant.h"
#include "src/core/object_table_lineage.h"
#include "src/runtime/counter_impl.h"
#include "src/runtime/errors.h"
#include "src/runtime/host_jobs.h"

namespace freehold {

const char* KeepModeName(KeepMode mode) {
  switch (mode) {
    case KeepMode::kInScope:
      return "in scope";
    case KeepMode::kPersist:
      return "persist";
  }
  return "unknown";
}

namespace runtime {

using core::LineageSteps;
using core::Verdict;

namespace {

// Asks the host. If that throws it will not answer, and is answered for.
class PersistJob final : public CallbackJob::Body {
 public:
  PersistJob(const std::shared_ptr<CounterImpl>& counter, const ObjectId& object,
             uint32_t generation)
      : counter_(counter),
        callback_(counter->options().on_persist),
        object_(object),
        generation_(generation) {}
  void Run() override {
    const std::optional<std::string> thrown =
        internal::CallGuarded([this] { callback_(object_, generation_); });
    if (!thrown.has_value()) return;
    const std::shared_ptr<CounterImpl> counter = counter_.lock();
    if (counter == nullptr) return;
    const std::string text = "on_persist threw " + *thrown;
    counter->logger().Log(LogLevel::kError, "object " + object_.ToHex() + ": " + text);
    (void)counter->lineage().persists().Answer(object_, generation_, absl::InternalError(text));
  }
  ObjectId object() const override { return object_; }
  const char* what() const override { return "persist hook"; }

 private:
  // Not kept: the executor, which has this, may be the counter's alone.
  const std::weak_ptr<CounterImpl> counter_;
  const std::function<void(const ObjectId&, uint32_t generation)> callback_;
  const ObjectId object_;
  const uint32_t generation_;
};

class PersistedJob final : public CallbackJob::Body {
 public:
  PersistedJob(PersistedCallback callback, const ObjectId& object, absl::Status status)
      : callback_(std::move(callback)), object_(object), status_(std::move(status)) {}
  void Run() override { callback_(object_, status_); }
  ObjectId object() const override { return object_; }
  const char* what() const override { return "persisted callback"; }

 private:
  const PersistedCallback callback_;
  const ObjectId object_;
  const absl::Status status_;
};

absl::Status Ended(const ObjectId& object, const char* how, ErrorReason reason) {
  return WithReason(
      absl::AbortedError(absl::StrCat("object ", object.ToHex(), " ", how,
                                      " before the host had said that its value is persisted")),
      reason);
}
absl::Status Freed(const ObjectId& object) {
  return Ended(object, "was freed", ErrorReason::kFreed);
}
absl::Status Gone(const ObjectId& object) {
  return Ended(object, "went out of scope", ErrorReason::kGone);
}
absl::Status Recreated(const ObjectId& object) {
  return Ended(object, "was recreated", ErrorReason::kNone);
}

}  // namespace

// --- The host's calls ----------------------------------------------------------------------------

absl::Status Persists::Check(const ObjectId& object) const {
  if (!counter_->options().on_persist) {
    return absl::FailedPreconditionError("to persist values needs the option `on_persist`");
  }
  const core::Key key = counter_->KeyOf(object);
  Shard& shard = counter_->ShardOf(key);
  bool borrowed = false;
  {
    internal::MutexLock lock(&shard.mutex);
    const core::ObjectRecord* record = shard.table.Find(key);
    borrowed = record != nullptr && record->borrowed;
  }
  return borrowed ? counter_->ToStatus(Verdict::kNotOwner, object) : absl::OkStatus();
}

// Entered first: what becomes of the object may be told as soon as its shard knows the number.
void Persists::Begin(const ObjectId& object, PersistedCallback told) {
  const std::shared_ptr<CounterImpl> keep = counter_->shared_from_this();
  absl::Status ended;
  uint64_t number = 0;
  std::vector<PersistedCallback> one;
  if (told) one.push_back(std::move(told));
  {
    internal::MutexLock lock(&mutex_);
    ended = ended_;
    if (ended.ok()) {
      Entry& entry = entries_[object];
      const bool is_new = entry.number == 0;
      if (is_new) number = entry.number = ++numbers_;
      for (PersistedCallback& each : one) entry.told.push_back(std::move(each));
      if (!is_new) return;
    }
  }
  if (!ended.ok()) return Tell(std::move(one), object, ended);
  const core::Key key = counter_->KeyOf(object);
  core::PersistNotice now;
  const Verdict begun =
      counter_->ApplyQuietly(counter_->ShardOf(key), [&](core::ObjectTable& table) {
        return LineageSteps(&table).Step(core::event::BeginPersist{key, number}, &now);
      });
  if (begun == Verdict::kOk) {
    counter_->lineage().EvictLast(object);
    OnNotice(now);
  } else if (begun == Verdict::kToBeFreed) {
    (void)EndEntry(object, number, Freed(object));
  } else if (begun == Verdict::kNotFound || begun == Verdict::kOutOfScope) {
    (void)EndEntry(object, number, Gone(object));
  } else {
    (void)EndEntry(object, number, counter_->ToStatus(begun, object));
  }
}

absl::Status Persists::Answer(const ObjectId& object, uint32_t generation,
                              const absl::Status& written) {
  if (absl::Status open = counter_->CheckOpen(); !open.ok()) return open;
  const std::shared_ptr<CounterImpl> keep = counter_->shared_from_this();
  Entry entry;
  {
    internal::MutexLock lock(&mutex_);
    const auto found = entries_.find(object);
    if (found != entries_.end() && found->second.asked && found->second.generation == generation) {
      entry = std::move(found->second);
      entries_.erase(found);
    }
  }
  if (entry.number == 0) {
    return absl::NotFoundError(absl::StrCat("nobody waits for generation ", generation,
                                            " of object ", object.ToHex(), " to be persisted"));
  }
  const absl::Status left = LeaveShard(object, entry.number, generation);
  const bool lets_go = written.ok() || internal::IsMutant(internal::Mutant::kFailedPersistLetsGo);
  if (left.ok() && lets_go) counter_->lineage().OnPersisted(object, generation);
  Tell(std::move(entry.told), object, written.ok() ? left : written);
  return written.ok() ? left : absl::OkStatus();
}

// --- What becomes of the objects -----------------------------------------------------------------

void Persists::OnNotices(const std::vector<core::PersistNotice>& notices) {
  for (const core::PersistNotice& notice : notices) OnNotice(notice);
}

void Persists::OnNotice(const core::PersistNotice& notice) {
  bool ask = false;
  bool recreated = false;
  {
    internal::MutexLock lock(&mutex_);
    const auto found = entries_.find(notice.object);
    if (found == entries_.end() || found->second.number != notice.number) return;
    Entry& entry = found->second;
    recreated = entry.asked && notice.generation > entry.generation;
    ask = !entry.asked && notice.state == ObjectState::kAvailable;
    if (ask) {
      entry.asked = true;
      entry.generation = notice.generation;
    }
  }
  if (notice.state == ObjectState::kFreed) {
    (void)EndEntry(notice.object, notice.number, Freed(notice.object));
  } else if (notice.state == ObjectState::kOutOfScope) {
    (void)EndEntry(notice.object, notice.number, Gone(notice.object));
  } else if (ask) {
    Ask(notice.object, notice.generation);
  } else if (recreated && EndEntry(notice.object, notice.number, Recreated(notice.object))) {
    (void)LeaveShard(notice.object, notice.number, notice.generation);
  }
}

absl::Status Persists::LeaveShard(const ObjectId& object, uint64_t number, uint32_t generation) {
  const core::Key key = counter_->KeyOf(object);
  const Verdict verdict =
      counter_->ApplyQuietly(counter_->ShardOf(key), [&](core::ObjectTable& table) {
        return LineageSteps(&table).Step(core::event::EndPersist{key, number, generation});
      });
  switch (verdict) {
    case Verdict::kNotFound:
    case Verdict::kOutOfScope:
      return Gone(object);
    case Verdict::kToBeFreed:
      return Freed(object);
    case Verdict::kUnknownGeneration:
      return Recreated(object);
    default:
      return counter_->ToStatus(verdict, object);
  }
}

bool Persists::EndEntry(const ObjectId& object, uint64_t number, const absl::Status& why) {
  std::vector<PersistedCallback> told;
  {
    internal::MutexLock lock(&mutex_);
    const auto found = entries_.find(object);
    if (found == entries_.end() || found->second.number != number) return false;
    told = std::move(found->second.told);
    entries_.erase(found);
  }
  Tell(std::move(told), object, why);
  return true;
}

void Persists::End(const absl::Status& why) {
  absl::flat_hash_map<ObjectId, Entry> entries;
  {
    internal::MutexLock lock(&mutex_);
    if (ended_.ok()) ended_ = why;
    entries.swap(entries_);
  }
  std::vector<std::pair<uint64_t, ObjectId>> order;
  order.reserve(entries.size());
  for (const auto& [object, entry] : entries) order.emplace_back(entry.number, object);
  std::sort(order.begin(), order.end());
  for (const auto& [number, object] : order) {
    Tell(std::move(entries[object].told), object, why);
  }
}

uint64_t Persists::pending() const {
  internal::MutexLock lock(&mutex_);
  return entries_.size();
}

// --- What the host is told -----------------------------------------------------------------------

void Persists::Ask(const ObjectId& object, uint32_t generation) {
  PostGuarded(counter_->options().executor.get(), &counter_->logger(),
              std::make_unique<PersistJob>(counter_->shared_from_this(), object, generation));
}

void Persists::Tell(std::vector<PersistedCallback> told, const ObjectId& object,
                    const absl::Status& why) {
  for (PersistedCallback& callback : told) {
    PostGuarded(counter_->options().executor.get(), &counter_->logger(),
                std::make_unique<PersistedJob>(std::move(callback), object, why));
  }
}

}  // namespace runtime
}  // namespace freehold
