#include "src/runtime/host_jobs.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "src/base/guarded_call.h"

namespace freehold::runtime {

namespace {

class LocationJob final : public CallbackJob::Body {
 public:
  LocationJob(std::shared_ptr<LocationSubscription> subscription, const ObjectId& object,
              LocationUpdate update)
      : subscription_(std::move(subscription)), object_(object), update_(std::move(update)) {}
  void Run() override {
    if (!subscription_->cancelled.load(std::memory_order_acquire)) {
      subscription_->callback(object_, update_);
    }
  }
  ObjectId object() const override { return object_; }
  const char* what() const override { return "location subscription"; }

 private:
  const std::shared_ptr<LocationSubscription> subscription_;
  const ObjectId object_;
  const LocationUpdate update_;
};

class RecoverJob final : public CallbackJob::Body {
 public:
  RecoverJob(std::function<void(const std::vector<ObjectId>&)> callback,
             std::vector<ObjectId> objects)
      : callback_(std::move(callback)), objects_(std::move(objects)) {}
  void Run() override { callback_(objects_); }
  ObjectId object() const override { return objects_.size() == 1 ? objects_.front() : ObjectId(); }
  const char* what() const override { return "recovery callback"; }

 private:
  const std::function<void(const std::vector<ObjectId>&)> callback_;
  const std::vector<ObjectId> objects_;
};

class FreeOutcomeJob final : public CallbackJob::Body {
 public:
  FreeOutcomeJob(std::function<void(const ObjectId&, const NodeId&, FreeOutcome)> callback,
                 const ObjectId& object, const NodeId& node, FreeOutcome outcome)
      : callback_(std::move(callback)), object_(object), node_(node), outcome_(outcome) {}
  void Run() override { callback_(object_, node_, outcome_); }
  ObjectId object() const override { return object_; }
  const char* what() const override { return "free observer"; }

 private:
  const std::function<void(const ObjectId&, const NodeId&, FreeOutcome)> callback_;
  const ObjectId object_;
  const NodeId node_;
  const FreeOutcome outcome_;
};

std::shared_ptr<LocationSubscription>* Pointer(core::Token token) {
  return reinterpret_cast<std::shared_ptr<LocationSubscription>*>(token & ~core::Token{1});
}

void LogThrown(Logger* logger, const std::string& what) {
  logger->Log(LogLevel::kError, "the callback executor's Post threw " + what +
                                    "; the callback is lost, counting and freeing go on");
}

}  // namespace

const char* ObjectCallbackBody::what() const {
  switch (moment_) {
    case Moment::kOutOfScope:
      return "out-of-scope callback";
    case Moment::kReclaimed:
      return "reclaimed callback";
    case Moment::kErased:
      return "erased callback";
    case Moment::kFailed:
      return "failed callback";
  }
  return "callback";
}

core::Token SubscriptionToken::Make(std::shared_ptr<LocationSubscription> subscription) {
  auto* holder = new std::shared_ptr<LocationSubscription>(std::move(subscription));
  return reinterpret_cast<core::Token>(holder) | 1;
}

std::shared_ptr<LocationSubscription> SubscriptionToken::Share(core::Token token) {
  return *Pointer(token);
}

void SubscriptionToken::Release(core::Token token) { delete Pointer(token); }

void ReleaseToken(core::Token token) {
  if (SubscriptionToken::Is(token)) {
    SubscriptionToken::Share(token)->cancelled.store(true, std::memory_order_release);
    SubscriptionToken::Release(token);
  } else {
    delete ObjectCallbackBody::FromToken(token);
  }
}

void PostGuarded(CallbackExecutor* executor, Logger* logger,
                 std::unique_ptr<CallbackJob::Body> body, int detail) {
  if (executor == nullptr) return;
  const std::optional<std::string> thrown = internal::CallGuarded(
      [&] { (void)executor->Post(CallbackJob(std::move(body), logger, detail)); });
  if (thrown.has_value()) LogThrown(logger, *thrown);
}

void PostFired(CallbackExecutor* executor, Logger* logger,
               absl::Span<const core::FiredCallback> fired) {
  constexpr size_t kTogether = 32;
  while (!fired.empty()) {
    absl::InlinedVector<CallbackJob, kTogether> jobs;
    for (const core::FiredCallback& one : fired.subspan(0, kTogether)) {
      jobs.emplace_back(
          std::unique_ptr<CallbackJob::Body>(ObjectCallbackBody::FromToken(one.token)), logger,
          static_cast<int>(one.reason));
    }
    fired.remove_prefix(jobs.size());
    if (executor == nullptr) continue;
    const std::optional<std::string> thrown =
        internal::CallGuarded([&] { (void)executor->PostAll(absl::MakeSpan(jobs)); });
    if (thrown.has_value()) LogThrown(logger, *thrown);
  }
}

std::unique_ptr<CallbackJob::Body> MakeLocationJob(
    std::shared_ptr<LocationSubscription> subscription, const ObjectId& object,
    LocationUpdate update) {
  return std::make_unique<LocationJob>(std::move(subscription), object, std::move(update));
}

std::unique_ptr<CallbackJob::Body> MakeRecoverJob(
    const std::function<void(const std::vector<ObjectId>&)>& callback,
    std::vector<ObjectId> objects) {
  return std::make_unique<RecoverJob>(callback, std::move(objects));
}

std::unique_ptr<CallbackJob::Body> MakeFreeOutcomeJob(
    const std::function<void(const ObjectId&, const NodeId&, FreeOutcome)>& callback,
    const ObjectId& object, const NodeId& node, FreeOutcome outcome) {
  return std::make_unique<FreeOutcomeJob>(callback, object, node, outcome);
}

}  // namespace freehold::runtime
