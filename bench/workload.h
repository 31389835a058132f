// What the benchmarks share: ids as hosts make them, a transport that costs nothing, an owner.
//
// Thread safety: thread-compatible, but for the counter inside an Owner.

#ifndef FREEHOLD_BENCH_WORKLOAD_H_
#define FREEHOLD_BENCH_WORKLOAD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "freehold/reference_counter.h"
#include "freehold/testing/manual_clock.h"
#include "src/base/random.h"

namespace freehold::bench {

// Ends the program with a sentence: a benchmark that measures something else is worse than none.
void Require(bool holds, const char* what);

// How the ids of a benchmark are made; each maker gives different ids for different numbers.
enum class IdKind {
  kRandom,   // 28 random bytes
  kHost,     // 24 random bytes shared by 4,096 objects, and a counter
  kWindow0,  // constant but for four bytes from this offset on, which count
  kWindow4,
  kWindow8,
  kWindow12,
  kWindow16,
  kWindow20,
  kWindow24,
};
ObjectId MakeId(IdKind kind, uint64_t number);
inline NodeId NodeNumber(uint64_t number) { return NodeId::FromNumber(number + 1); }

template <typename T>
void Shuffle(std::vector<T>* values, uint64_t seed) {
  internal::SplitMix64 random(seed);
  for (size_t i = values->size(); i > 1; --i) {
    std::swap((*values)[i - 1], (*values)[random.Next() % i]);
  }
}

// Plays every node at once. What the owner sends is acknowledged before Send returns, without being
// decoded. Told to, it keeps the payloads and later answers each free with "deleted".
class NullTransport final : public Transport {
 public:
  void Connect(std::shared_ptr<Inbox> owner) { owner_ = std::move(owner); }
  void KeepPayloads(bool keep) { keep_ = keep; }
  void Send(Envelope envelope) override;
  // Delivers the answers to all frees kept so far. False: there were none.
  bool AnswerKept();
  // Delivers this payload to the owner as the next envelope of `from`.
  void Say(const Address& from, const std::string& payload);

  uint64_t envelopes() const { return envelopes_; }  // with items
  uint64_t bytes() const { return bytes_; }          // of those

 private:
  struct Node {
    uint64_t received = 0;  // sequence of the last envelope
    uint64_t sent = 0;
  };
  void Answer(const Envelope& envelope);

  std::shared_ptr<Inbox> owner_;
  absl::flat_hash_map<Address, Node> nodes_;
  bool keep_ = true;
  std::vector<Envelope> kept_;
  uint64_t envelopes_ = 0;
  uint64_t bytes_ = 0;
};

// A counter on a clock that stands still, with a NullTransport or without any. Without one, copies
// count as deleted as soon as they are to be freed, so that nothing is pumped.
class Owner {
 public:
  enum class Wiring { kNullTransport, kNone };
  explicit Owner(Wiring wiring, ReferenceCounterOptions options = {});

  ReferenceCounter& counter() { return *counter_; }
  NullTransport& transport() { return transport_; }
  LocalMembership& membership() { return membership_; }
  // Until nothing is due.
  void Pump();
  // Answers every free that was sent, until none is left.
  void Settle();
  // A handle on a new object. Primary on `nodes[0]`, secondaries on the others; none: pending.
  ObjectRef Put(const ObjectId& object, const NodeId* nodes, size_t count);

 private:
  testing::ManualClock clock_{Time(std::chrono::seconds(1))};
  NullTransport transport_;
  LocalMembership membership_;
  std::unique_ptr<ReferenceCounter> counter_;
};

// What a host does that declares many: has the next ids fetched ahead, some at a time.
inline void PrefetchAt(const ReferenceCounter& counter, absl::Span<const ObjectId> ids, size_t i) {
  constexpr size_t kAtATime = 16;
  if (i % kAtATime == 0) counter.Prefetch(ids.subspan(i, kAtATime));
}

// A secondary copy in memory.
Location SecondaryOn(const NodeId& node);

// `count` distinct nodes of `nodes` for object `number`, at random but the same each time.
void PickNodes(uint64_t number, size_t count, size_t nodes, NodeId* picked);

// Reads and writes more than the caches hold.
void EvictCaches();

}  // namespace freehold::bench

#endif  // FREEHOLD_BENCH_WORKLOAD_H_
