// The layer above an endpoint, in tests: does as it is told, and remembers what it was asked.
//
// Thread safety: thread-safe, except for the hooks, which are set before the endpoint is used.

#ifndef FREEHOLD_TESTS_RUNTIME_SCRIPTED_CLIENT_H_
#define FREEHOLD_TESTS_RUNTIME_SCRIPTED_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/clock.h"
#include "freehold/ids.h"
#include "gtest/gtest.h"
#include "src/base/mutex.h"
#include "src/core/codec.h"
#include "src/runtime/endpoint.h"
#include "tests/core/ignoring_sink.h"

namespace freehold::runtime {

using internal::Mutex;
using internal::MutexLock;

// Sends numbered frees, remembers what it is called with.
class ScriptedClient final : public Endpoint::Client {
 public:
  // What a method does besides; may be empty.
  std::function<void()> on_payload, on_work, on_fill, on_view, on_barrier, on_self_excluded,
      on_can_take, on_is_flushed;
  std::function<Time(Time)> work = [](Time) { return kInfiniteFuture; };
  std::atomic<bool> can_take{true};
  std::atomic<bool> flushed{true};
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
  // The versions that IsFlushed was asked about.
  std::vector<uint64_t> asked() const {
    MutexLock lock(&mutex_);
    return asked_;
  }
  Time last_now() const { return last_now_; }

  uint64_t OnPayload(PeerIndex from, std::string_view payload, Time) override {
    ++calls_;
    class Sink final : public core::IgnoringSink {
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
  bool IsFlushed(uint64_t version) override {
    ++calls_;
    {
      MutexLock lock(&mutex_);
      asked_.push_back(version);
    }
    if (on_is_flushed) on_is_flushed();
    return flushed;
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
  std::vector<uint64_t> asked_;
  std::atomic<int> works_{0};
  std::atomic<int> fills_{0};
  std::atomic<uint64_t> calls_{0};
  std::atomic<Time> last_now_{kInfinitePast};
};

}  // namespace freehold::runtime

#endif  // FREEHOLD_TESTS_RUNTIME_SCRIPTED_CLIENT_H_
