// What the endpoint tests plug in: a client that does as it is told, a wire, a clock, a membership.
//
// Thread safety: thread-safe, except for the hooks, which are set before the endpoint is used.

#ifndef FREEHOLD_TESTS_RUNTIME_ENDPOINT_TESTING_H_
#define FREEHOLD_TESTS_RUNTIME_ENDPOINT_TESTING_H_

#include <algorithm>
#include <atomic>
#include <deque>
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
#include "src/core/codec.h"
#include "src/runtime/endpoint.h"

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

// Sends numbered frees, remembers what it is called with.
class ScriptedClient final : public Endpoint::Client {
 public:
  // What a method does besides; may be empty.
  std::function<void()> on_payload, on_work, on_fill, on_view, on_barrier, on_self_excluded,
      on_can_take;
  std::function<Time(Time)> work = [](Time) { return kInfiniteFuture; };
  std::atomic<bool> can_take{true};
  size_t items_per_envelope = 1'000'000;
  uint64_t refuse_per_payload = 0;
  bool claims_more = false;  // Fill says so whatever there is

  void Push(PeerIndex peer, uint64_t number) {
    MutexLock lock(&mutex_);
    waiting_[peer].push_back(number);
  }
  std::vector<uint64_t> received() const {
    MutexLock lock(&mutex_);
    return received_;
  }
  size_t received_count() const {
    MutexLock lock(&mutex_);
    return received_.size();
  }
  // The calls so far, Work and Fill left out.
  std::vector<std::string> trace() const {
    MutexLock lock(&mutex_);
    return trace_;
  }
  int works() const { return works_; }
  int fills() const { return fills_; }
  uint64_t calls() const { return calls_; }
  Time last_now() const { return last_now_; }

  uint64_t OnPayload(PeerIndex from, std::string_view payload, Time) override {
    ++calls_;
    class Sink final : public core::PayloadSink {
     public:
      explicit Sink(std::vector<uint64_t>* numbers) : numbers_(numbers) {}
      void OnFrees(uint32_t, uint32_t, std::string_view ids) override {
        for (size_t i = 0; i < core::IdCount(ids); ++i) {
          const ObjectId id = core::IdAt(ids, i);
          uint64_t number = 0;
          for (int b = 7; b >= 0; --b) number = number << 8 | id.data()[ObjectId::kSize - 8 + b];
          numbers_->push_back(number);
        }
      }
      void OnFreeResults(uint32_t, uint32_t, core::FreeResult, std::string_view) override {}
      void OnFreeFailed(const core::FreeResultItem&) override {}
      void OnLocation(const core::LocationItem&) override {}

     private:
      std::vector<uint64_t>* const numbers_;
    };
    {
      MutexLock lock(&mutex_);
      trace_.push_back("payload from " + std::to_string(from));
      Sink sink(&received_);
      EXPECT_EQ(core::ReadPayload(payload, &sink), core::CodecError::kOk);
    }
    if (on_payload) on_payload();
    return refuse_per_payload;
  }
  Time Work(Time now) override {
    ++calls_;
    ++works_;
    last_now_ = now;
    if (on_work) on_work();
    return work(now);
  }
  bool Fill(PeerIndex peer, core::PayloadWriter* writer) override {
    ++calls_;
    ++fills_;
    if (on_fill) on_fill();
    MutexLock lock(&mutex_);
    std::deque<uint64_t>& waiting = waiting_[peer];
    while (!waiting.empty() && writer->items() < items_per_envelope) {
      if (!writer->Add(core::FreeItem{ObjectId::FromNumber(waiting.front()), 0})) return true;
      waiting.pop_front();
    }
    return claims_more || !waiting.empty();
  }
  void OnView(uint64_t version, const std::vector<PeerIndex>& excluded) override {
    std::string line = "view " + std::to_string(version) + ":";
    for (const PeerIndex peer : excluded) line += " " + std::to_string(peer);
    Note(line, on_view);
  }
  void OnBarrier(uint64_t version) override {
    Note("barrier " + std::to_string(version), on_barrier);
  }
  void OnSelfExcluded() override { Note("self excluded", on_self_excluded); }
  bool CanTake(PeerIndex) override {
    ++calls_;
    if (on_can_take) on_can_take();
    return can_take;
  }

 private:
  void Note(const std::string& line, const std::function<void()>& then) {
    ++calls_;
    {
      MutexLock lock(&mutex_);
      trace_.push_back(line);
    }
    if (then) then();
  }

  mutable Mutex mutex_;
  std::map<PeerIndex, std::deque<uint64_t>> waiting_;
  std::vector<uint64_t> received_;
  std::vector<std::string> trace_;
  std::atomic<int> works_{0};
  std::atomic<int> fills_{0};
  std::atomic<uint64_t> calls_{0};
  std::atomic<Time> last_now_{kInfinitePast};
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
