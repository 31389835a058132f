// Stateful tasks: calls that make their task's next state out of the one before, so that what is
// lost may have to be made again by running several of them, whoever issued them.
//
// A stateful task (an actor, say) begins in state 0, which is had by making the task anew. Its k-th
// call takes state k - 1 and its arguments, and makes state k and what it returns. States have no
// value here: they are nodes of the lineage (lineage.h) between the calls. So the lineage of a call
// is kept not only while something it returned may have to be made again, but as long as a later
// call's return or the task's latest state could only be had by running it again. What issued it
// does not matter: when a scope ends, the calls of that scope stay that another one may have to
// replay. Their arguments are kept as lineage keeps them: what a recorded task made can be made
// again, what was put is gone with its last reference. Who wants to replay from it pins it.
//
// A checkpoint cuts the chain: nothing need be replayed from before it for what came after. Calls
// before it stay as long as what they returned may have to be made again: for that an earlier
// checkpoint is needed, so ask GetStatus before you delete one. Calls of which nothing is needed up
// to the next checkpoint are let go of (on_lineage_released), as are those of a task that has ended
// once none of their returns and none of later ones up to the next checkpoint is needed. No
// checkpoint is necessary for an end.
//
// What is lost is made again in three steps. A Replay says which calls are to run, in order, and
// from which state. Lineage::Resubmit of each counts its arguments again and begins new generations
// of what it is to make: from the last one to the first, so that what a later call takes of an
// earlier one is among what that is to make. Then they run, from the first one to the last.
//
// Evicted lineage breaks a chain: what came after it and before the next checkpoint cannot be made
// again, and Replay says why.
//
// Thread safety: a StatefulTasks is a handle that may be copied; its methods are thread-safe. The
// calls of one task are recorded one after the other, in the order in which they run. It may
// outlive its ReferenceCounter and is then harmless. Blocks: never.
// Errors: NotFound (no such task, or it has ended and nothing of it is kept), AlreadyExists,
// FailedPrecondition (it has ended, is not restartable, or a call of it is being recorded at this
// moment), and those of Lineage.

#ifndef FREEHOLD_STATEFUL_H_
#define FREEHOLD_STATEFUL_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "freehold/ids.h"
#include "freehold/lineage.h"

namespace freehold {

// What is to be run to have something again.
struct Replay {
  // kPossible. Otherwise why not, and `calls` is empty.
  Recovery recovery = Recovery::kPossible;
  // The state to begin with: one of which there is a checkpoint, or 0. Otherwise the state that
  // cannot be had; 0 if the reason is not one.
  uint64_t state = 0;
  std::vector<TaskId> calls;  // in the order in which they are to run
};

struct StatefulStatus {
  uint64_t latest = 0;  // state; also how many calls there were
  bool ended = false;
  bool restartable = true;
  uint64_t states = 0;                // whose calls are kept, or that are needed
  std::vector<uint64_t> checkpoints;  // that something may have to be replayed from
};

class StatefulTasks {
 public:
  explicit StatefulTasks(const ReferenceCounter& counter);

  // `stateful` is not nil, and no other task's. Nothing is kept of what one does that is not
  // `restartable`.
  absl::Status Open(const TaskId& stateful, bool restartable = true);
  // The next call: like Lineage::Record, and it may return nothing. Answers the number of the state
  // that it makes.
  absl::StatusOr<uint64_t> Record(const TaskId& stateful, const LineageTask& call);
  // The host can have that state without running anything. Once more changes nothing. NotFound:
  // there is no such state, or nobody needs it any more.
  absl::Status Checkpointed(const TaskId& stateful, uint64_t state);
  // It will not be run again: the lineage of all its calls is let go of at once, and that of later
  // ones as they are recorded. What they returned cannot be made again: kNotRestartable.
  absl::Status NotRestartable(const TaskId& stateful);
  // It takes no more calls, and its latest state is not needed any more.
  absl::Status End(const TaskId& stateful);

  // To make an object again that a call returned. FailedPrecondition: it was made by a task that
  // has no state.
  absl::StatusOr<Replay> ReplayTo(const ObjectId& object) const;
  // To have the latest state again.
  absl::StatusOr<Replay> ReplayToLatest(const TaskId& stateful) const;
  absl::StatusOr<StatefulStatus> GetStatus(const TaskId& stateful) const;

 private:
  std::shared_ptr<runtime::CounterImpl> counter_;
};

}  // namespace freehold

#endif  // FREEHOLD_STATEFUL_H_
