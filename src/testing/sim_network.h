// The network of a simulated world.
//
// The fate of an envelope is drawn from (seed, from, to, ordinal between the two): an action more
// or less elsewhere changes nothing of it, so that a failing run can be cut short and still fail.
// Envelopes of one direction of one pair stay in order unless `reordering` holds one back.
//
// Thread safety: one thread. Ownership: borrows the clock; holds inboxes weakly.

#ifndef FREEHOLD_SRC_TESTING_SIM_NETWORK_H_
#define FREEHOLD_SRC_TESTING_SIM_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/testing/sim_world.h"
#include "freehold/transport.h"

namespace freehold::testing::sim {

class Network final : public Transport {
 public:
  struct Counts {
    uint64_t sent = 0;
    uint64_t lost = 0;
    uint64_t duplicated = 0;
    uint64_t reordered = 0;
    uint64_t corrupted = 0;
    uint64_t partitioned = 0;
    uint64_t unreachable = 0;
  };

  Network(const SimNetworkOptions& options, uint64_t seed, const Clock* clock);

  // Sees every envelope before any fault.
  std::function<void(const Envelope&)> on_send;

  void Connect(const Address& address, const std::shared_ptr<Inbox>& inbox);
  void Disconnect(const Address& address) { inboxes_.erase(address); }
  void Send(Envelope envelope) override;
  // Hands over what is due and was sent before this call.
  void DeliverDue();
  Time NextDelivery() const {
    return in_flight_.empty() ? kInfiniteFuture : in_flight_.front().due;
  }

  void Partition(const Address& a, const Address& b);
  void Heal(const Address& a, const Address& b);
  void Isolate(const Address& address) { isolated_.insert(address); }
  void Rejoin(const Address& address) { isolated_.erase(address); }
  void HealAll();
  // Nothing that one of them sends reaches the other.
  bool Cut(const Address& a, const Address& b) const;
  // From now on nothing is lost, doubled, held back or altered.
  void StopFaults();
  const Counts& counts() const { return counts_; }

 private:
  using Pair = std::pair<Address, Address>;
  struct InFlight {
    Time due;
    uint64_t ordinal;
    Envelope envelope;
    // Of a heap: the earliest first.
    bool operator<(const InFlight& other) const {
      return due != other.due ? due > other.due : ordinal > other.ordinal;
    }
  };
  struct Direction {
    uint64_t sent = 0;
    Time last_due = kInfinitePast;
  };

  void Queue(Time due, Envelope envelope);

  SimNetworkOptions options_;
  const uint64_t seed_;
  const Clock& clock_;
  std::vector<InFlight> in_flight_;  // a heap
  uint64_t next_ordinal_ = 0;
  std::map<Pair, Direction> directions_;
  std::map<Address, std::weak_ptr<Inbox>> inboxes_;
  std::set<Pair> partitions_;
  std::set<Address> isolated_;
  Counts counts_;
};

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_NETWORK_H_
