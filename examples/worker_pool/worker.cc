#include "worker.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>

#include "channel.h"
#include "freehold/membership.h"
#include "freehold/node_agent.h"
#include "freehold/reference_counter.h"

namespace worker_pool {

namespace {

using freehold::Address;
using freehold::DrainOptions;
using freehold::DrainReport;
using freehold::MembershipListener;
using freehold::ObjectId;
using freehold::ProcessId;
using freehold::ReferenceCounter;
using freehold::ReferenceCounterOptions;
using freehold::ShutdownMode;
using freehold::View;

// Everything goes through the pool, which passes it on.
class PoolTransport final : public freehold::Transport {
 public:
  explicit PoolTransport(Channel* channel) : channel_(channel) {}
  void Send(freehold::Envelope envelope) override {
    channel_->Post({Kind::kEnvelope, 0, envelope.from, envelope.to, std::move(envelope.bytes)});
  }

 private:
  Channel* const channel_;
};

// The pool's membership, seen from here.
class PoolMembership final : public freehold::Membership {
 public:
  explicit PoolMembership(Channel* channel) : channel_(channel) {}

  absl::Status Join(const Address& self, std::weak_ptr<MembershipListener> listener) override {
    listener_ = std::move(listener);
    channel_->Send({Kind::kJoin, 0, self, {}, {}});
    // The views so far come first: they must be known before this process does anything.
    for (Message message; channel_->Receive(&message);) {
      if (message.kind == Kind::kJoined) {
        return message.number == 1
                   ? absl::OkStatus()
                   : absl::FailedPreconditionError("the pool refused to let us join");
      }
      Hear(message);
    }
    return absl::UnavailableError("the pool is gone");
  }
  void Flushed(const Address& self, uint64_t version) override {
    channel_->Send({Kind::kFlushed, version, self, {}, {}});
  }
  void Leave(const Address& self) override { channel_->Send({Kind::kLeave, 0, self, {}, {}}); }

  void Hear(const Message& message) {
    const std::shared_ptr<MembershipListener> listener = listener_.lock();
    if (listener == nullptr) return;
    if (message.kind == Kind::kBarrier) return listener->OnBarrier(message.number);
    if (message.kind != Kind::kView) return;
    View view;
    view.version = message.number;
    for (std::string_view rest = message.text; !rest.empty();) {
      view.excluded.push_back(ReadAddress(&rest));
    }
    listener->OnView(view);
  }

 private:
  Channel* const channel_;
  std::weak_ptr<MembershipListener> listener_;
};

class Worker {
 public:
  Worker(int fd, uint64_t number, std::string folder)
      : number_(number),
        folder_(std::move(folder)),
        channel_(fd),
        transport_(&channel_),
        membership_(&channel_) {}

  int Run() {
    ReferenceCounterOptions options;
    options.process = ProcessId::FromNumber(number_);
    options.transport = &transport_;
    options.membership = &membership_;
    options.start_pump_thread = true;
    auto made = ReferenceCounter::Create(options);
    if (!made.ok()) {
      std::cerr << "worker " << number_ << ": " << made.status() << "\n";
      return 1;
    }
    counter_ = *std::move(made);
    for (Message message; channel_.Receive(&message) && message.kind != Kind::kEnd;) {
      Handle(std::move(message));
    }
    StopTask();
    StopDraining();
    return 0;
  }

 private:
  void Handle(Message message) {
    switch (message.kind) {
      case Kind::kEnvelope:
        return counter_->inbox()->Deliver({message.from, message.to, std::move(message.text)});
      case Kind::kTask:
        // On a thread of its own, for what the task waits for arrives on this one.
        StopTask();
        task_ = std::thread([this, text = message.text, for_pool = message.number == 1] {
          RunTask(text, for_pool);
        });
        return;
      case Kind::kStatus:
        channel_.Send({Kind::kStatus, counter_->CanExit().owned_in_scope, {}, {}, {}});
        return;
      case Kind::kRetire:
        // On a thread of its own, as a task.
        StopDraining();
        draining_ = std::thread([this, ms = message.number, next_owner = message.from.process()] {
          Retire(ms, next_owner);
        });
        return;
      default:
        return membership_.Hear(message);
    }
  }

  // Declares an object, writes its bytes, and returns a reference to the pool. Nothing here holds
  // it any more afterwards; but this process owns it, unless it was declared for the pool.
  void RunTask(const std::string& text, bool for_pool) {
    const ObjectId object = ObjectId::FromNumber(number_ * 1000 + ++objects_);
    const auto ref = for_pool ? DeclareForPool(object, text) : DeclareHere(object, text);
    // Refused, by name, as long as the owner has not acknowledged the object.
    const auto copy = counter_->CopyOf(object, freehold::CopyRole::kPrimary, text.size());
    if (!ref.ok() || !copy.ok()) {
      std::cerr << "worker " << number_ << ": " << (ref.ok() ? copy.status() : ref.status())
                << "\n";
      channel_.Send({Kind::kResult, 0, {}, {}, {}});
      return;
    }
    std::ofstream(PathOf(folder_, object), std::ios::binary) << text;
    channel_.Send({Kind::kStored, copy->size, copy->owner, {}, std::string(object.bytes())});
    auto exported = counter_->Export(object, ThePool());
    channel_.Send({Kind::kResult, 1, {}, {}, exported.ok() ? exported->token : std::string()});
  }

  absl::StatusOr<freehold::ObjectRef> DeclareHere(const ObjectId& object, const std::string& text) {
    freehold::DeclareOptions declare;
    declare.size = text.size();
    declare.primary = TheNode();
    declare.call_site = "worker.cc: RunTask";
    return counter_->Declare(object, declare);
  }

  // Put on behalf of the pool: it stores the reference, acknowledges, and outlives us.
  absl::StatusOr<freehold::ObjectRef> DeclareForPool(const ObjectId& object,
                                                     const std::string& text) {
    freehold::DeclareForOptions declare;
    declare.size = text.size();
    auto ref = counter_->DeclareFor(ThePool(), object, std::move(declare));
    if (!ref.ok()) return ref;
    const absl::Status owned = counter_->WaitForOwner(object, std::chrono::seconds(30));
    if (!owned.ok()) return owned;
    return ref;
  }

  void StopTask() {
    if (task_.joinable()) task_.join();
  }

  void StopDraining() {
    stop_draining_ = true;
    if (draining_.joinable()) draining_.join();
    stop_draining_ = false;
  }

  // `next_owner` gets what is owned here; nil: it is waited for.
  void Retire(uint64_t milliseconds, const ProcessId& next_owner) {
    DrainOptions options;
    options.timeout = std::chrono::milliseconds(milliseconds);
    options.next_owner = next_owner;
    options.interrupted = [this] { return stop_draining_.load(); };
    const DrainReport report = counter_->Drain(options);
    std::string holders;
    for (const freehold::DrainBlocker& blocker : report.blockers) {
      holders += blocker.ToString() + "\n";
    }
    if (report.complete()) {
      (void)counter_->Shutdown(ShutdownMode::kGraceful, std::chrono::seconds(1));
    }
    channel_.Send({Kind::kRetired, report.complete() ? 1u : 0u, {}, {}, holders});
  }

  const uint64_t number_;
  const std::string folder_;
  Channel channel_;
  PoolTransport transport_;
  PoolMembership membership_;
  std::unique_ptr<ReferenceCounter> counter_;
  uint64_t objects_ = 0;
  std::thread task_;
  std::thread draining_;
  std::atomic<bool> stop_draining_{false};
};

}  // namespace

int RunWorker(int fd, uint64_t number, const std::string& folder) {
  return Worker(fd, number, folder).Run();
}

}  // namespace worker_pool
