// "An unreachable peer costs no memory beyond the records": by counted bytes. A program of its own:
// bench/counting_new.cc replaces operator new for all of it.

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "bench/counting_new.h"
#include "freehold/node_agent.h"
#include "freehold/reference_counter.h"
#include "freehold/testing/manual_clock.h"
#include "gtest/gtest.h"

namespace freehold {
namespace {

constexpr uint64_t kFew = 5'000;
constexpr uint64_t kMany = 10 * kFew;
constexpr uint32_t kEnvelopeBytes = 8 * 1024;
constexpr uint32_t kWindow = 4;
// A window of envelopes as they are retained: a full one's string may have twice its bytes, and one
// more is being written.
constexpr int64_t kWindowBytes = 2 * (kWindow + 1) * int64_t{kEnvelopeBytes};
// What the first envelope costs once: the session, the endpoint's lists, a B-tree's nodes.
constexpr int64_t kOnceBytes = 16 * 1024;

class DroppingTransport final : public Transport {
 public:
  void Send(Envelope) override { ++sent; }
  uint64_t sent = 0;
};

SessionOptions SmallWindow() {
  SessionOptions session;
  session.envelope_bytes_max = kEnvelopeBytes;
  session.window_envelopes = kWindow;
  return session;
}

// Time enough for the window to fill, and for retransmissions.
template <typename End>
void PumpForAWhile(testing::ManualClock* clock, End* end) {
  for (int i = 0; i < 100; ++i) {
    end->Pump(clock->Now());
    clock->Advance(std::chrono::milliseconds(100));
  }
}

// Bytes allocated since it was made and not given back.
class Growth {
 public:
  Growth() { bench::SetCounting(true); }
  ~Growth() { bench::SetCounting(false); }
  Growth(const Growth&) = delete;
  Growth& operator=(const Growth&) = delete;
  int64_t bytes() const { return bench::CountedBytes() - before_; }

 private:
  const int64_t before_ = bench::CountedBytes();
};

struct Cost {
  int64_t bytes = 0;
  uint64_t waiting = 0;  // what could not be sent
};

// Drops the last references of `objects` objects that have a copy each on two nodes that take
// nothing.
Cost FreesForUnreachableNodes(uint64_t objects) {
  testing::ManualClock clock{Time(std::chrono::seconds(1))};
  DroppingTransport transport;
  ReferenceCounterOptions options;
  options.process = ProcessId::FromNumber(1);
  options.transport = &transport;
  options.clock = &clock;
  options.session = SmallWindow();
  options.seed = 1;
  const auto counter = *ReferenceCounter::Create(options);
  std::vector<ObjectRef> refs;
  for (uint64_t i = 1; i <= objects; ++i) {
    DeclareOptions declare;
    declare.primary = NodeId::FromNumber(1);
    refs.push_back(*counter->Declare(ObjectId::FromNumber(i), declare));
    Location location;
    location.node = NodeId::FromNumber(2);
    location.in_memory = true;
    EXPECT_TRUE(counter->AddLocation(ObjectId::FromNumber(i), location).ok());
  }
  PumpForAWhile(&clock, counter.get());

  Cost cost;
  const Growth growth;
  for (ObjectRef& ref : refs) ref.Reset();
  PumpForAWhile(&clock, counter.get());
  cost.bytes = growth.bytes();
  cost.waiting = counter->GetStats().frees_waiting;
  EXPECT_GT(transport.sent, 2 * kWindow) << "and again";
  return cost;
}

// Drops `copies` copies at a node whose owner takes no report of them.
Cost ReportsForAnUnreachableOwner(uint64_t copies) {
  testing::ManualClock clock{Time(std::chrono::seconds(1))};
  DroppingTransport transport;
  NodeAgentOptions options;
  options.node = NodeId::FromNumber(1);
  options.transport = &transport;
  options.clock = &clock;
  options.session = SmallWindow();
  options.seed = 1;
  const auto agent = *NodeAgent::Create(options);
  const ProcessId owner = ProcessId::FromNumber(1);
  for (uint64_t i = 1; i <= copies; ++i) {
    const NodeCopy copy{ObjectId::FromNumber(i), 0, owner, CopyRole::kPrimary, 1};
    EXPECT_TRUE(agent->AddCopy(copy).ok());
  }

  Cost cost;
  const Growth growth;
  PumpForAWhile(&clock, agent.get());
  for (uint64_t i = 1; i <= copies; ++i) {
    EXPECT_TRUE(agent->DropCopy(ObjectId::FromNumber(i)).ok());
  }
  PumpForAWhile(&clock, agent.get());
  cost.bytes = growth.bytes();
  cost.waiting = agent->GetStats().reports_waiting;
  return cost;
}

TEST(UnreachableMemory, FreesThatWaitForANodeTakeAWindowOfEnvelopesHoweverManyTheyAre) {
  const Cost few = FreesForUnreachableNodes(kFew);
  const Cost many = FreesForUnreachableNodes(kMany);
  // Each node's window is full, the rest waits; of the tenth of them as well.
  EXPECT_GT(few.waiting, kFew);
  EXPECT_GT(many.waiting, 10 * few.waiting);
  EXPECT_LE(few.bytes, 2 * kWindowBytes + kOnceBytes);
  // What waits takes a bit of its chunk, and the chunk a place in a queue: half a byte each, in
  // blocks.
  const auto queued = static_cast<int64_t>(2 * (many.waiting - few.waiting));
  EXPECT_LE(many.bytes, 2 * kWindowBytes + kOnceBytes + queued);
  EXPECT_LE(many.bytes - few.bytes, kOnceBytes + queued) << "10 times the objects";
}

TEST(UnreachableMemory, ReportsThatWaitForAnOwnerTakeAWindowOfEnvelopesHoweverManyTheyAre) {
  const Cost few = ReportsForAnUnreachableOwner(kFew);
  const Cost many = ReportsForAnUnreachableOwner(kMany);
  EXPECT_EQ(few.waiting, kFew);
  EXPECT_EQ(many.waiting, kMany);
  EXPECT_LE(few.bytes, kWindowBytes + kOnceBytes);
  EXPECT_LE(many.bytes, kWindowBytes + kOnceBytes);
  EXPECT_LE(many.bytes - few.bytes, kOnceBytes) << "10 times the copies";
}

}  // namespace
}  // namespace freehold
