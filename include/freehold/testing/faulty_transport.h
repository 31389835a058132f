// FaultyTransport: a network in virtual time that loses, duplicates, delays, reorders, corrupts and
// partitions, the same way each time for the same seed.
//
// Send puts an envelope, or what the faults make of it, into a queue in virtual time; nothing is
// delivered before the host calls DeliverDue. Each Send draws its own numbers from (seed, ordinal
// of the Send) with integer arithmetic only: a run repeats on any machine and compiler, and
// switching one fault on or off does not change what the others do.
//
// Order: envelopes of one direction of one pair stay in order, whatever delays were drawn, unless
// `reordering` picks one; that one is held back and later ones overtake it. Second copies of
// duplicates arrive in no order.
//
// Thread safety: thread-safe, deterministic as long as the calls come in the same order. Inboxes
// and `on_send` are called with no lock held. Blocks: never.
// Ownership: inboxes are held weakly; the clock is borrowed and must outlive the transport.

#ifndef FREEHOLD_TESTING_FAULTY_TRANSPORT_H_
#define FREEHOLD_TESTING_FAULTY_TRANSPORT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/transport.h"

namespace freehold::testing {

// Probabilities are of one Send each and are clamped to [0, 1]; not-a-number counts as 0.
struct FaultyTransportOptions {
  const Clock* clock = nullptr;  // says when something is sent; default: Clock::Monotonic()
  uint64_t seed = 1;
  double loss = 0;         // the envelope never arrives
  double duplication = 0;  // it arrives twice, the second time up to a hold-back later
  double reordering = 0;   // it is held back, and what is sent later may overtake it
  double corruption = 0;   // of each copy: bits flipped, cut short, or bytes appended
  // Each delay is drawn evenly from [delay_min, delay_max]; a negative one counts as zero, and a
  // maximum below the minimum as the minimum.
  Duration delay_min{0};
  Duration delay_max{0};
  // Held back means: later by up to this, drawn evenly. At least one nanosecond.
  Duration hold_back_max = std::chrono::milliseconds(10);
  // Sees every envelope as it was sent, before any fault.
  std::function<void(const Envelope&)> on_send;
};

class FaultyTransport final : public Transport {
 public:
  struct Counters {
    uint64_t sent = 0;         // calls of Send
    uint64_t bytes = 0;        // of those
    uint64_t lost = 0;         // by `loss`
    uint64_t partitioned = 0;  // dropped by a partition, at Send or when due
    uint64_t unreachable = 0;  // due, but nobody was connected
    uint64_t duplicated = 0;
    uint64_t reordered = 0;  // held back
    uint64_t corrupted = 0;  // copies
    uint64_t delivered = 0;  // copies handed to an inbox
    uint64_t in_flight = 0;  // gauge: copies that wait
  };

  explicit FaultyTransport(const FaultyTransportOptions& options);
  ~FaultyTransport() override;
  FaultyTransport(const FaultyTransport&) = delete;
  FaultyTransport& operator=(const FaultyTransport&) = delete;

  // Makes `address` reachable; replaces an earlier inbox.
  void Connect(const Address& address, const std::shared_ptr<Inbox>& inbox);
  void Disconnect(const Address& address);

  void Send(Envelope envelope) override;
  // Delivers, in order of (time due, Send), what is due at `now` and was sent before this call.
  // Answers how many copies were handed to an inbox.
  size_t DeliverDue(Time now);
  // When the next copy is due; kInfiniteFuture when none is in flight.
  Time NextDelivery() const;

  // Cuts the pair off from each other, in both directions; copies in flight are lost when due.
  void Partition(const Address& a, const Address& b);
  void Heal(const Address& a, const Address& b);
  // Cuts `address` off from everybody, those it has not met included; independent of Partition.
  void Isolate(const Address& address);
  void Rejoin(const Address& address);
  // Undoes every Partition and Isolate.
  void HealAll();
  // From now on nothing is lost, duplicated, held back or corrupted; delays and partitions stay.
  void StopFaults();

  Counters GetCounters() const;

 private:
  struct Rep;
  const std::unique_ptr<Rep> rep_;
};

}  // namespace freehold::testing

#endif  // FREEHOLD_TESTING_FAULTY_TRANSPORT_H_
