// Events: everything that can happen to a LineageTable.
//
// Recording a task and reading one take several steps, so that none looks at more than a piece of
// objects: what is begun is held until it is ended.
//
// Thread safety: values that borrow what they point at for the duration of the step.

#ifndef FREEHOLD_SRC_CORE_LINEAGE_EVENT_H_
#define FREEHOLD_SRC_CORE_LINEAGE_EVENT_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "freehold/ids.h"
#include "freehold/lineage.h"
#include "src/core/peer.h"
#include "src/core/task_record.h"

namespace freehold::core {

enum class [[nodiscard]] LineageVerdict : uint8_t{
    kOk,
    kUnchanged,      // nothing to be done, or it comes too late
    kNotFound,       // no such task, or it is let go of
    kAlreadyExists,  // the task was recorded before, or another one made that object
    kDependedOn,     // a task was recorded that needs it: who makes it cannot be said any more
    kBusy,           // it is being recorded or resubmitted at this moment
    kNoRetries, kTableFull,
    kHostKeeps,  // its value is the host's, or it comes of a stateful task
    kTooMany,    // it needs more than one message names
    // Of StateChains only.
    kEnded,           // the stateful task has ended
    kNotRestartable,  // it may not run again: it has no states to replay from
};

// What the steps ask for once the lock is released.
struct LineageEffects {
  std::vector<TaskId> released;  // their lineage was let go of, or evicted
  // Nothing needs the record of these any more: each in its own shard.
  std::vector<ObjectId> to_forget;
  // Records that are of no use here, and to be given to whoever has the tasks that need them.
  struct Following {
    ObjectId object;
    PeerIndex to = kNoPeer;
  };
  std::vector<Following> to_follow;
  bool empty() const { return released.empty() && to_forget.empty() && to_follow.empty(); }
};

// How an object that comes with its task was known.
enum class Adoption : uint8_t {
  kKnown,  // as made by it
  kNew,
  kWithTask,  // new, and so is its task: being recorded until EndTask
  kBack,      // as lent
  kBackOver,  // likewise, and needed by nobody there
};

namespace event {

// A task is recorded: its returns first, then its arguments; then one of the last two.
struct BeginTask {
  const TaskId& task;
  uint64_t bytes = 0;
  uint32_t retries = 0;
  bool not_restartable = false;  // let go of as soon as it is recorded, for that reason
};
struct AddReturns {
  const TaskId& task;
  absl::Span<const ObjectId> returns;
};
struct AddArguments {
  const TaskId& task;
  absl::Span<const ObjectId> arguments;
};
// One that comes before all others, and is needed until the task is let go of: also after its last
// retry was taken, because whoever runs it again then needs what that argument is made by.
struct AddStateArgument {
  const TaskId& task;
  const ObjectId& argument;
};
struct EndTask {
  const TaskId& task;
};
// As if it had never been begun.
struct AbandonTask {
  const TaskId& task;
};

// A task that runs has made one more object.
struct AddReturn {
  const TaskId& task;
  const ObjectId& object;
};

// An object is out of scope, at the end of that generation.
struct ReturnEnded {
  const ObjectId& object;
  uint32_t generation;
};
// It is in scope again, for another task to run.
struct ReturnRevived {
  const ObjectId& object;
  uint32_t generation;
};

// A task is to run again: its objects are read meanwhile. `ok`: it will.
struct BeginResubmit {
  const TaskId& task;
};
struct EndResubmit {
  const TaskId& task;
  bool ok;
};

// A return is to be another process's, which has the task, too, from then on. `record`: it is out
// of scope, and its record alone goes.
struct LendReturn {
  const ObjectId& object;
  PeerIndex to;
  bool record = false;
};
// It is another process's, and had no task to lend.
struct ReturnGiven {
  const ObjectId& object;
};
// `owner`, whoever it was lent to or a later one, does not give it back.
struct LentSettled {
  const ObjectId& object;
  PeerIndex owner;
};
// It is owned here again. `stays`: whoever was to have it has refused.
struct ReturnBack {
  const ObjectId& object;
  bool record = false;
  bool stays = false;
};
// Nobody needs it any more where it went, or nobody is there.
struct LentEnded {
  const ObjectId& object;
};
// What another process owned, and has told of the task that made it, is owned here.
struct AdoptReturn {
  const TaskRecord& task;
  const ObjectId& object;
  uint32_t generation;
};
// It was not taken after all: `from` owns it, as before, and what that step has done is undone. So
// is what AddReturn has done, as kNew, if it is not owned here.
struct ReturnNotTaken {
  const ObjectId& object;
  PeerIndex from;
  Adoption adoption;  // as that step has answered
};
// Of an object that is out of scope no copy is left.
struct RecordKept {
  const ObjectId& object;
};

// The host keeps the value of that return by itself: for its sake, nothing need be made again.
struct Checkpoint {
  const ObjectId& object;
};
// The host has the value of that generation elsewhere (persist, PROTOCOL step 17): for the sake of
// that object nothing need be made again until it is freed explicitly.
struct ReturnPersisted {
  const ObjectId& object;
  uint32_t generation;
};
// The value of that generation was freed explicitly.
struct ReturnFreed {
  const ObjectId& object;
  uint32_t generation;
};
// All others are evicted before the task that made it.
struct EvictLast {
  const ObjectId& object;
};
// It will not run again, whatever needs what it made. One that is busy is let go of after that.
struct ReleaseTask {
  const TaskId& task;
};

}  // namespace event
}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_LINEAGE_EVENT_H_
