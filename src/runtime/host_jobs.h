// The jobs that a ReferenceCounter posts: the host's callables, owned from registration to the end.
//
// A registered callable travels through the core as an opaque token; here a token is a pointer to
// one of these bodies. Whoever takes a token out of the core owns it again.
//
// Thread safety: a body is used by one thread at a time; LocationSubscription by the executor's.

#ifndef FREEHOLD_SRC_RUNTIME_HOST_JOBS_H_
#define FREEHOLD_SRC_RUNTIME_HOST_JOBS_H_

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "freehold/callback_executor.h"
#include "freehold/callbacks.h"
#include "freehold/ids.h"
#include "freehold/location.h"
#include "freehold/log.h"
#include "src/core/effect.h"
#include "src/core/rare.h"

namespace freehold::runtime {

// A registered callback that waits for its moment, and then is its own job.
class ObjectCallbackBody final : public CallbackJob::Body {
 public:
  ObjectCallbackBody(const ObjectId& object, Moment moment, ObjectCallback callback)
      : object_(object), moment_(moment), callback_(std::move(callback)) {}

  static ObjectCallbackBody* FromToken(core::Token token) {
    return reinterpret_cast<ObjectCallbackBody*>(token);
  }
  core::Token token() const { return reinterpret_cast<core::Token>(this); }

  void Run() override { callback_(object_, EndReason::kOutOfScope); }
  // The detail is an EndReason.
  void RunWith(int detail) override { callback_(object_, static_cast<EndReason>(detail)); }
  ObjectId object() const override { return object_; }
  const char* what() const override;

 private:
  const ObjectId object_;
  const Moment moment_;
  ObjectCallback callback_;
};

// The callable of a subscription: shared by the core's token and the jobs under way.
struct LocationSubscription {
  explicit LocationSubscription(LocationCallback call) : callback(std::move(call)) {}
  LocationCallback callback;
  std::atomic<bool> cancelled{false};  // what is queued already runs no more
};

// A token of the core may be one or the other; it says which by its lowest bit, which addresses
// from the allocator have clear.
class SubscriptionToken {
 public:
  static core::Token Make(std::shared_ptr<LocationSubscription> subscription);
  static bool Is(core::Token token) { return (token & 1) != 0; }
  static std::shared_ptr<LocationSubscription> Share(core::Token token);
  static void Release(core::Token token);
};
// Destroys whatever the token stands for; a subscription's queued messages are not told any more.
// Runs the host's destructors: no lock may be held.
void ReleaseToken(core::Token token);

// Null executor: the job is dropped. What Post throws is caught and logged.
void PostGuarded(CallbackExecutor* executor, Logger* logger,
                 std::unique_ptr<CallbackJob::Body> body, int detail = 0);
// The callbacks of objects, whose tokens they are.
void PostFired(CallbackExecutor* executor, Logger* logger,
               absl::Span<const core::FiredCallback> fired);

std::unique_ptr<CallbackJob::Body> MakeLocationJob(
    std::shared_ptr<LocationSubscription> subscription, const ObjectId& object,
    LocationUpdate update);
std::unique_ptr<CallbackJob::Body> MakeRecoverJob(
    const std::function<void(const std::vector<ObjectId>&)>& callback,
    std::vector<ObjectId> objects);
std::unique_ptr<CallbackJob::Body> MakeFreeOutcomeJob(
    const std::function<void(const ObjectId&, const NodeId&, FreeOutcome)>& callback,
    const ObjectId& object, const NodeId& node, FreeOutcome outcome);

}  // namespace freehold::runtime

#endif  // FREEHOLD_SRC_RUNTIME_HOST_JOBS_H_
