// Callbacks: registered; a burst of them, from declaration to the last call.

#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "bench/operation.h"
#include "bench/workload.h"
#include "freehold/callback_executor.h"
#include "freehold/testing/inline_executor.h"

namespace freehold::bench {

namespace {

ReferenceCounterOptions WithExecutor(std::shared_ptr<CallbackExecutor> executor) {
  ReferenceCounterOptions options;
  options.executor = std::move(executor);
  return options;
}

class CallbackRegistrations final : public Operation {
 public:
  void Before(size_t count) override {
    for (size_t i = 0; i < count; ++i) {
      refs_.push_back(owner_.Put(MakeId(IdKind::kRandom, next_++), nullptr, 0));
    }
  }
  void Run(size_t /*count*/) override {
    for (const ObjectRef& ref : refs_) {
      const auto taken = owner_.counter().OnOutOfScope(
          ref.id(), [this](const ObjectId&, EndReason) { ++called_; });
      if (!taken.ok()) Require(false, "a registration was refused");
    }
  }
  void After(size_t count) override {
    called_ = 0;
    refs_.clear();
    Require(called_ == count, "a callback did not run");
  }

 private:
  Owner owner_{Owner::Wiring::kNone, WithExecutor(std::make_shared<testing::InlineExecutor>())};
  std::vector<ObjectRef> refs_;
  uint64_t next_ = 0;
  uint64_t called_ = 0;
};

std::shared_ptr<CallbackThread> StartThread() {
  auto started = CallbackThread::Start({});
  Require(started.ok(), "no callback thread");
  return *std::move(started);
}

// One unit is one object. Each is declared and gets a callback, then all are dropped.
class CallbackBurst final : public Operation {
 public:
  explicit CallbackBurst(size_t objects) : objects_(objects) {}

  size_t batch() const override { return objects_; }

  // Cheap, because where several threads are counted this is counted too.
  void Before(size_t count) override {
    ++round_;
    while (ids_.size() < count) ids_.push_back(MakeId(IdKind::kRandom, ids_.size()));
    for (ObjectId& id : ids_) std::memcpy(id.mutable_data(), &round_, sizeof(round_));
    refs_.reserve(count);
    called_.store(0, std::memory_order_relaxed);
  }
  void Run(size_t count) override {
    for (size_t i = 0; i < ids_.size(); ++i) {
      const ObjectId& id = ids_[i];
      PrefetchAt(owner_.counter(), ids_, i);
      refs_.push_back(owner_.Put(id, nullptr, 0));
      const auto taken = owner_.counter().OnOutOfScope(id, [this](const ObjectId&, EndReason) {
        called_.fetch_add(1, std::memory_order_release);
      });
      if (!taken.ok()) Require(false, "a registration was refused");
    }
    ResetAll(absl::MakeSpan(refs_));
    refs_.clear();
    while (called_.load(std::memory_order_acquire) < count) {
      std::this_thread::sleep_for(std::chrono::microseconds(20));
    }
  }

 private:
  const size_t objects_;
  std::shared_ptr<CallbackThread> thread_ = StartThread();
  Owner owner_{Owner::Wiring::kNone, WithExecutor(thread_)};
  std::vector<ObjectId> ids_;
  std::vector<ObjectRef> refs_;
  uint64_t round_ = 0;
  std::atomic<uint64_t> called_{0};
};

}  // namespace

std::unique_ptr<Operation> MakeCallbackOperation(std::string_view name, std::string_view argument) {
  if (name == "callback_registration") return std::make_unique<CallbackRegistrations>();
  if (name == "callback_burst") {
    return std::make_unique<CallbackBurst>(NumberIn(argument, ManyObjects()));
  }
  return nullptr;
}

}  // namespace freehold::bench
