// Emptying a node before it is removed: no value may go with it that exists nowhere else.
//
// Freehold moves no bytes. A NodeDrain asks the owner of each copy on the node whether its value is
// safe without that copy, and hands those whose value is not to the host, which has another node
// fetch the bytes and call NodeAgent::MovePrimary, or writes them to a file elsewhere. The node is
// drained when a whole round of questions found nothing more, no move of a primary to it is under
// way, and its processes own nothing in scope. DecideIdleNodes (idle_policy.h) says when to begin.
//
// A value is safe without the copy here when its owner says that another node has the primary, or
// that a file of it lies elsewhere; when it was freed, is out of scope or was made again; or when
// its owner has died. A secondary copy elsewhere is not enough, its node may evict it at any
// moment; but MovePrimary on that node then makes it safe without any bytes being moved. The owner
// says what it has heard: a copy that was evicted elsewhere within the last round trip it may name
// as the primary yet, so that who evicts while a node is drained evicts no sole copies. So it names
// one on a node that has died until that is excluded, be it one that the node had or one that the
// owner's host alone has said to be there; what goes so is lost, as with any node that dies.
//
// New work is the host's to keep away: a copy that arrives meanwhile is asked about like the
// others.
//
// Thread safety: thread-compatible. Answers are taken on the agent's executor, at any time.
// Ownership: the agent is borrowed and must outlive the drain; it needs the option `executor`.
// Blocks: never, but for as long as the host's own functions do; DrainNode does.

#ifndef FREEHOLD_NODE_DRAIN_H_
#define FREEHOLD_NODE_DRAIN_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "freehold/clock.h"
#include "freehold/location.h"
#include "freehold/node_agent.h"

namespace freehold {

struct NodeDrainOptions {
  // From then on the drain has failed, and says what is left.
  Time deadline = kInfiniteFuture;
  // A value that is not safe without this copy. `others`: the copies elsewhere, all of them
  // secondaries in memory. Begins to make it safe, and returns; what it throws is ignored. Called
  // within Step. Null: the drain waits for what happens anyway.
  std::function<void(const NodeCopyStatus& copy, const std::vector<Location>& others)> evacuate;
  // How many objects in scope the processes of this node own: ReferenceCounter::CanExit() of each,
  // which drain meanwhile. Asked about at the end of each round. Null: there are none.
  std::function<uint64_t()> owned_in_scope;
  // Copies handed to `evacuate` that are not safe yet; at least 1.
  uint32_t evacuations_max = 64;
  // A copy that is still needed so long after it was handed over is handed over again.
  Duration evacuate_again = std::chrono::seconds(10);
  // Between two rounds of questions; positive.
  Duration ask_again = std::chrono::milliseconds(100);
  // Questions without an answer at a time; at least 1.
  uint32_t questions_max = 4096;
};

enum class NodeDrainState : uint8_t {
  kDraining,
  kDrained,         // the node may be removed
  kDeadlinePassed,  // it would take along what NodeDrain::Left names
  kStopped,         // the agent was shut down or excluded, or has no executor: see `why`
};
const char* NodeDrainStateName(NodeDrainState state);

struct NodeDrainStatus {
  NodeDrainState state = NodeDrainState::kDraining;
  absl::Status why;             // of kStopped
  uint64_t sole_copies = 0;     // whose value is not safe without them, as far as is known
  uint64_t unknown_copies = 0;  // not asked about, not answered, or not known to their owner yet
  uint64_t evacuations = 0;     // handed to the host and not safe yet
  uint64_t owned_in_scope = 0;  // when it was last asked about
};

class NodeDrain {
 public:
  // Errors: InvalidArgument names the option that is out of range.
  static absl::StatusOr<std::unique_ptr<NodeDrain>> Create(NodeAgent* agent,
                                                           const NodeDrainOptions& options);
  // Withdraws the questions that are not answered.
  ~NodeDrain();
  NodeDrain(const NodeDrain&) = delete;
  NodeDrain& operator=(const NodeDrain&) = delete;

  // Does what is due. To be called time and again (every few milliseconds) while the agent is
  // pumped, until the state is another than kDraining; then it changes no more. Costs what has
  // changed; at the begin of a round what lies on the node.
  NodeDrainStatus Step(Time now);
  // Copies that would be lost, in order of their ids; with kDeadlinePassed those that are not known
  // to be safe either.
  std::vector<NodeCopyStatus> Left(size_t copies_max = 100) const;

 private:
  class Impl;
  explicit NodeDrain(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

struct NodeDrainReport {
  NodeDrainStatus status;
  std::vector<NodeCopyStatus> left;  // at most 100
};

// The same from begin to end: steps and pumps the agent, once per millisecond, on the machine's
// clock, which the deadline is of. Blocks. Errors: as for Create.
absl::StatusOr<NodeDrainReport> DrainNode(NodeAgent* agent, const NodeDrainOptions& options);

}  // namespace freehold

#endif  // FREEHOLD_NODE_DRAIN_H_
