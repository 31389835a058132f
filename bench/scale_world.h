// A cluster of real counters and agents, without stores, in which one process or one node dies.
//
// Time is virtual: an envelope takes a millisecond, and so does a notice of the membership or a
// report to it. An end is pumped in the milliseconds in which something reaches it, and in no
// others; so what the ends that have nothing to do with a death cost is the membership's traffic,
// and is counted apart.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_BENCH_SCALE_WORLD_H_
#define FREEHOLD_BENCH_SCALE_WORLD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "freehold/node_agent.h"
#include "freehold/reference_counter.h"
#include "freehold/testing/manual_clock.h"

namespace freehold::bench {

// How large a cluster is, and how much of it a death concerns.
struct ScaleShape {
  size_t nodes = 1'000;
  size_t processes = 100;
  size_t objects = 100'000;
  // Of these: objects that the dying process owns, as many that only it still borrows, and as many
  // copies on the dying node.
  size_t changed = 1'000;
};

struct ScaleCost {
  uint64_t envelopes = 0;  // with items, between the exclusion and the last one
  uint64_t acks = 0;       // envelopes with nothing else
  uint64_t bytes = 0;      // of both
  // Notices of views and barriers, and reports: a constant number for each member.
  uint64_t membership_messages = 0;
  double virtual_ms = 0;  // from the exclusion until the last copy is deleted and accounted for
  double involved_cpu_ms = 0;  // pump turns of the ends that have something to reclaim
  double others_cpu_ms = 0;    // pump turns of all others
};

class ScaleWorld final : public Transport {
 public:
  // How many ends a death has to do with, whatever the shape.
  static constexpr size_t kInvolvedNodes = 8;
  static constexpr size_t kInvolvedOwners = 4;

  // REQUIRES: more processes and nodes than are involved; three times as many objects as change.
  explicit ScaleWorld(const ScaleShape& shape);
  ~ScaleWorld() override;

  // Crashes and is excluded; ends the program unless everything was reclaimed, and nothing else.
  ScaleCost ProcessDies();
  ScaleCost NodeDies();

  void Send(Envelope envelope) override;

 private:
  struct End {
    std::unique_ptr<ReferenceCounter> counter;  // of a process
    std::unique_ptr<NodeAgent> agent;           // of a node
    std::shared_ptr<Inbox> inbox;               // null: it has crashed
    bool involved = false;
    bool due = false;  // in due_
  };

  void AddEnds();
  // An object of `owner` with copies on these nodes; its number is the next one.
  ObjectId AddObject(size_t owner, const std::vector<size_t>& nodes);
  void AddUninvolved();
  void AddOwnedByDying();
  void AddBorrowedByDying();
  void AddOnDyingNode();
  size_t dying_process() const { return shape_.processes - 1; }
  size_t dying_node() const { return shape_.nodes - 1; }
  End& process(size_t index) { return ends_[index]; }
  End& node(size_t index) { return ends_[shape_.processes + index]; }
  size_t involved_owner(size_t number) const { return number % kInvolvedOwners; }
  size_t involved_node(size_t number) const { return number % kInvolvedNodes; }

  void WantPump(size_t end);
  void PumpAll();
  // The next millisecond: what is on its way arrives, whoever it reaches is pumped.
  void Tick();
  // Until nothing is on its way.
  void Settle();
  ScaleCost Exclude(const Address& address, End* dead);
  uint64_t CopiesOnNodes();
  uint64_t ObjectsInScope();

  const ScaleShape shape_;
  testing::ManualClock clock_{Time(std::chrono::seconds(1))};
  LocalMembership membership_;
  std::vector<End> ends_;  // processes, then nodes
  absl::flat_hash_map<Address, size_t> end_of_;
  std::vector<ObjectRef> held_;
  std::vector<ObjectRef> held_by_dying_;
  uint64_t next_object_ = 0;

  std::vector<Envelope> on_its_way_;
  std::vector<size_t> due_;
  std::vector<std::unique_ptr<ReferenceCounter>> dead_;
  bool item_arrived_ = false;  // in this millisecond
  ScaleCost cost_;
};

}  // namespace freehold::bench

#endif  // FREEHOLD_BENCH_SCALE_WORLD_H_
