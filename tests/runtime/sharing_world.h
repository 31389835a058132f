// A small world for tests of references that cross processes: some ReferenceCounters, one thread.
//
// Nothing happens but what a test does: Settle() pumps everybody, Settle({…}) only those. A process
// that is not pumped has not seen a view, although the membership has announced it. A process that
// has crashed is cut off; Exclude() says so to the others.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_SHARING_WORLD_H_
#define FREEHOLD_TESTS_RUNTIME_SHARING_WORLD_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "src/core/codec.h"
#include "tests/runtime/counter_world.h"

namespace freehold {

inline ProcessId Process(uint64_t number) { return ProcessId::FromNumber(number); }

class SharingWorld {
 public:
  explicit SharingWorld(uint64_t processes, const ReferenceCounterOptions& options = {})
      : options_(options) {
    for (uint64_t number = 1; number <= processes; ++number) Start(number);
  }

  void Start(uint64_t number) {
    ReferenceCounterOptions options = options_;
    options.process = Process(number);
    options.transport = &transport;
    options.membership = &membership;
    options.clock = &clock;
    if (options.executor == nullptr) options.executor = executor;
    options.shards = 2;
    options.seed = number;
    auto made = ReferenceCounter::Create(options);
    ASSERT_TRUE(made.ok()) << made.status();
    counters[number] = *std::move(made);
    transport.local.Connect(Process(number), counters[number]->inbox());
  }
  ReferenceCounter& operator[](uint64_t number) { return *counters.at(number); }

  ObjectRef Declare(uint64_t process, uint64_t object) {
    auto ref = (*this)[process].Declare(Object(object));
    EXPECT_TRUE(ref.ok()) << ref.status();
    return *std::move(ref);
  }
  ExportedReference Export(uint64_t from, uint64_t object, uint64_t to) {
    auto exported = (*this)[from].Export(Object(object), Process(to));
    EXPECT_TRUE(exported.ok()) << exported.status();
    return *std::move(exported);
  }
  ObjectRef Import(uint64_t process, const std::string& token) {
    auto ref = (*this)[process].Import(token);
    EXPECT_TRUE(ref.ok()) << ref.status();
    return ref.ok() ? *std::move(ref) : ObjectRef();
  }
  // A reference that goes from one to another, with the token arriving at once.
  ObjectRef Pass(uint64_t from, uint64_t object, uint64_t to) {
    return Import(to, Export(from, object, to).token);
  }
  ErrorReason WhyNot(uint64_t process, const std::string& token) {
    return ReasonOf((*this)[process].Import(token).status());
  }
  ErrorReason Check(uint64_t process, uint64_t object) {
    return ReasonOf((*this)[process].CheckReference(Object(object)));
  }

  // Cut off, and never pumped again.
  void Crash(uint64_t number) {
    transport.unreachable[Process(number)] = true;
    transport.local.Disconnect(Process(number));
    crashed_.push_back(std::move(counters.at(number)));
    counters.erase(number);
  }
  // What process `from`, which ends, says to `to` as its first word, whether it may or not.
  template <typename Item>
  void Say(uint64_t from, uint64_t to, const Item& item) {
    auto end = std::move(counters.at(from));
    counters.erase(from);
    transport.local.Disconnect(Process(from));
    core::PayloadWriter writer(4096);
    ASSERT_TRUE(writer.Add(item));
    core::Frame frame;
    frame.sequence = 1;
    const Address sender(Process(from)), receiver(Process(to));
    (*this)[to].inbox()->Deliver(
        {sender, receiver, core::EncodeFrame(frame, sender, receiver, writer.Take())});
    crashed_.push_back(std::move(end));
    Settle({to});
  }
  void Exclude(uint64_t number) { membership.Exclude({Process(number)}); }

  // Pumps these, or all, until nothing is due now.
  void Settle(std::vector<uint64_t> numbers = {}) {
    if (numbers.empty()) {
      for (const auto& [number, counter] : counters) numbers.push_back(number);
    }
    for (bool due = true; due;) {
      due = false;
      for (const uint64_t number : numbers) {
        ReferenceCounter& counter = (*this)[number];
        if (counter.NextDeadline() > clock.Now()) continue;
        counter.Pump(clock.Now());
        due = true;
      }
    }
  }
  void SettleFor(Duration time) {
    for (Duration passed{0}; passed < time; passed += std::chrono::milliseconds(50)) {
      clock.Advance(std::chrono::milliseconds(50));
      Settle();
    }
  }

  ReferenceCounts Counts(uint64_t process, uint64_t object) {
    auto counts = (*this)[process].GetCounts(Object(object));
    return counts.ok() ? *counts : ReferenceCounts();
  }
  bool InScope(uint64_t process, uint64_t object) {
    return (*this)[process].InScope(Object(object));
  }
  // Nothing is left of anything, anywhere.
  void ExpectClean() {
    for (const auto& [number, counter] : counters) {
      const ReferenceCounterStats stats = counter->GetStats();
      EXPECT_EQ(stats.objects, 0u) << "process " << number;
      EXPECT_EQ(stats.borrowed, 0u) << "process " << number;
      EXPECT_EQ(stats.borrowers, 0u) << "process " << number;
      EXPECT_EQ(stats.handoffs_pending, 0u) << "process " << number;
      EXPECT_EQ(stats.handoffs_owed, 0u) << "process " << number;
      EXPECT_EQ(stats.answers_waiting, 0u) << "process " << number;
      EXPECT_EQ(stats.flush_waiting, 0u) << "process " << number;
      EXPECT_EQ(stats.sessions.refused_items, 0u) << "process " << number;
    }
  }

  testing::ManualClock clock{Time(std::chrono::seconds(1))};
  CountingTransport transport;
  LocalMembership membership;
  std::shared_ptr<testing::ManualExecutor> executor = std::make_shared<testing::ManualExecutor>();
  std::map<uint64_t, std::unique_ptr<ReferenceCounter>> counters;

 private:
  const ReferenceCounterOptions options_;
  std::vector<std::unique_ptr<ReferenceCounter>> crashed_;
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_SHARING_WORLD_H_
