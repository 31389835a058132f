// What the endpoint tests plug in: a wire, a clock, a membership; the client is scripted_client.h.
//
// Thread safety: thread-safe, except for the hooks, which are set before the endpoint is used.

#ifndef FREEHOLD_TESTS_RUNTIME_ENDPOINT_TESTING_H_
#define FREEHOLD_TESTS_RUNTIME_ENDPOINT_TESTING_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/clock.h"
#include "freehold/log.h"
#include "freehold/membership.h"
#include "freehold/transport.h"
#include "gtest/gtest.h"
#include "src/base/mutex.h"
#include "src/runtime/endpoint.h"
#include "tests/runtime/scripted_client.h"

namespace freehold::runtime {

using internal::Mutex;
using internal::MutexLock;

class SetClock final : public Clock {
 public:
  Time Now() const override { return Time(Duration(now_.load())); }
  void Advance(Duration by) { now_ += by.count(); }

 private:
  std::atomic<Duration::rep> now_{1'000'000'000};
};

class ListLogger final : public Logger {
 public:
  void Log(LogLevel, std::string_view message) override {
    MutexLock lock(&mutex_);
    lines_.emplace_back(message);
  }
  std::vector<std::string> lines() const {
    MutexLock lock(&mutex_);
    return lines_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_;
};

// Delivers at once, in the sender's thread; or holds what is sent until it is told.
class Wire final : public Transport {
 public:
  std::function<void()> on_send;

  void Connect(const Address& address, const std::shared_ptr<Inbox>& inbox) {
    MutexLock lock(&mutex_);
    inboxes_[address] = inbox;
  }
  void Hold(bool hold) { hold_ = hold; }
  void Send(Envelope envelope) override {
    ++sent_;
    if (on_send) on_send();
    if (!hold_) return Pass(std::move(envelope));
    MutexLock lock(&mutex_);
    held_.push_back(std::move(envelope));
  }
  std::vector<Envelope> TakeHeld() {
    MutexLock lock(&mutex_);
    return std::exchange(held_, {});
  }
  void DeliverHeld() {
    for (Envelope& envelope : TakeHeld()) Pass(std::move(envelope));
  }
  uint64_t sent() const { return sent_; }

 private:
  void Pass(Envelope envelope) {
    std::shared_ptr<Inbox> inbox;
    {
      MutexLock lock(&mutex_);
      inbox = inboxes_[envelope.to].lock();
    }
    if (inbox != nullptr) inbox->Deliver(std::move(envelope));
  }

  Mutex mutex_;
  std::map<Address, std::weak_ptr<Inbox>> inboxes_;
  std::vector<Envelope> held_;
  std::atomic<bool> hold_{false};
  std::atomic<uint64_t> sent_{0};
};

class SetMembership final : public Membership {
 public:
  absl::Status join_status;
  View view_at_join;
  std::function<void()> on_flushed;

  absl::Status Join(const Address&, std::weak_ptr<MembershipListener> listener) override {
    if (!join_status.ok()) return join_status;
    listener_ = std::move(listener);
    View_(view_at_join.version, view_at_join.excluded);
    return absl::OkStatus();
  }
  void Flushed(const Address&, uint64_t version) override {
    {
      MutexLock lock(&mutex_);
      flushed_.push_back(version);
    }
    if (on_flushed) on_flushed();
  }
  void Leave(const Address&) override { ++left_; }

  void View_(uint64_t version, std::vector<Address> excluded) {
    if (const auto listener = listener_.lock()) listener->OnView({version, std::move(excluded)});
  }
  void Barrier_(uint64_t version) {
    if (const auto listener = listener_.lock()) listener->OnBarrier(version);
  }
  std::vector<uint64_t> flushed() const {
    MutexLock lock(&mutex_);
    return flushed_;
  }
  int left() const { return left_; }

 private:
  std::weak_ptr<MembershipListener> listener_;
  mutable Mutex mutex_;
  std::vector<uint64_t> flushed_;
  std::atomic<int> left_{0};
};

// One endpoint with everything it plugs into, but the wire and the clock.
struct End {
  ScriptedClient client;
  ListLogger logger;
  SetMembership membership;
  Endpoint::Config config;
  std::shared_ptr<Endpoint> endpoint;
  std::atomic<int> wakes{0};

  End(const Address& self, Wire* wire, const Clock* clock) {
    config.self = self;
    config.transport = wire;
    config.membership = &membership;
    config.clock = clock;
    config.logger = &logger;
    config.seed = 7;
    config.on_wake = [this] { ++wakes; };
  }
  // Creates the endpoint and takes the turn that the joining asks for.
  void Start(Wire* wire) {
    ASSERT_TRUE(Endpoint::Create(config, &client, &endpoint).ok());
    wire->Connect(config.self, endpoint->inbox());
    if (!config.start_pump_thread) Pump();
  }
  void Pump() { endpoint->Pump(config.clock->Now()); }
  // Something for `to`, and the mark.
  void SendTo(const Address& to, uint64_t number) {
    const PeerIndex peer = endpoint->Intern(to);
    client.Push(peer, number);
    endpoint->MarkReady(peer);
  }
  bool due() const { return endpoint->NextDeadline() <= config.clock->Now(); }
};

inline std::vector<uint64_t> Numbers(uint64_t from, uint64_t to) {
  std::vector<uint64_t> numbers;
  for (uint64_t i = from; i <= to; ++i) numbers.push_back(i);
  return numbers;
}

}  // namespace freehold::runtime

#endif  // FREEHOLD_TESTS_RUNTIME_ENDPOINT_TESTING_H_
