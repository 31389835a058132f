// Lineage: which task made which objects out of which others, so that a value that is gone can be
// made again.
//
// A host that can run its tasks again records each one, with its arguments and what it returns. As
// long as something that the task can make is in scope, or another recorded task depends on it, its
// lineage is kept: the task, and the *record* of each argument, not its value. An argument that
// nobody refers to goes as ever, is out of scope and reclaimed, and only its record waits (OnErased
// comes later). When the value of an object is lost or was freed, Resubmit counts the references of
// its task's arguments again and begins a new generation of what it makes: so a late free or
// location report of the old value cannot touch the new one. An argument that is out of scope by
// then comes back into scope, pending; its own task is to be resubmitted too.
//
// What nobody can need any more is let go of, and the host is told by on_lineage_released: it drops
// whatever it keeps for the task. Beyond lineage_bytes_max the oldest lineage is evicted likewise.
// Chains of any depth are let go of in pieces, without recursion.
//
// When an object gets another owner its lineage goes along, as does what that needs and nobody
// refers to (transfer.h).
//
// Thread safety: Lineage is a handle that may be copied; its methods are thread-safe. It may
// outlive its ReferenceCounter and is then harmless. Blocks: never.
// Errors: NotFound (no such task, or its lineage was let go of), AlreadyExists, InvalidArgument,
// FailedPrecondition (a return that this process does not own or that is depended on, or was until
// now and is being let go of; a task that is being resubmitted at this moment, or may not be; an
// argument that is gone), Unavailable (kOwnerDied: of an argument), ResourceExhausted.

#ifndef FREEHOLD_LINEAGE_H_
#define FREEHOLD_LINEAGE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "freehold/ids.h"
#include "freehold/object_ref.h"

namespace freehold {

class Generators;  // generator.h
class ReferenceCounter;
class StatefulTasks;  // stateful.h
struct BatchResult;
namespace runtime {
class GeneratorKeeper;
}

inline constexpr uint32_t kRetriesUnlimited = UINT32_MAX;

struct LineageTask {
  TaskId id;  // not nil, never reused
  // What it needs to run. An id that no recorded task made counts as put: it cannot be made again.
  std::vector<ObjectId> arguments;
  // Objects of this process, in scope, that no other task made and none depends on yet.
  std::vector<ObjectId> returns;
  uint64_t spec_bytes = 0;  // what it costs the host to keep it: at most lineage_bytes_max
  uint32_t retries = kRetriesUnlimited;  // how often it may be resubmitted
};

// Whether the value of an object can be made again, and why not.
enum class Recovery : uint8_t {
  kPossible = 0,        // by its task: TaskOf, Resubmit
  kPut = 1,             // no recorded task made it: the user put it; or it came without one
  kEvicted = 2,         // its lineage was evicted
  kNoRetries = 3,       // its task may not be resubmitted any more
  kDeleted = 4,         // nobody refers to it and nothing depends on it, or it is unknown here
  kElsewhere = 5,       // it is borrowed: its owner can say
  kOwnerLost = 6,       // it is borrowed, and its owner has died
  kNotRestartable = 7,  // a call of a stateful task made it that may not run again (stateful.h)
  kPersisted = 8,       // the host has its value, and can read it from there (Persisted)
};
const char* RecoveryName(Recovery recovery);

// A task that is to run again.
struct Resubmission {
  struct Value {
    ObjectId object;
    uint32_t generation = 0;  // under which its copies are to be reported
  };
  // To be kept until the task has ended, like those of ReferenceCounter::SubmitTask.
  TaskReferences arguments;
  // What is to be made; returns that nobody needs any more, or whose values are persisted, are not
  // among them.
  std::vector<Value> returns;
  // Arguments without a value: their own tasks are to be resubmitted too, or what is persisted
  // read back (CanRecover says which).
  std::vector<ObjectId> missing;
};

namespace unsafe {

// Frees these, and what only they depended on by recorded lineage, if nothing but its scope holds
// it: never what somebody refers to, nor what another object that is in scope could be made of.
// Costs what is freed, and the lineage of that. Otherwise like ReferenceCounter::Free.
BatchResult FreeRecursive(const ReferenceCounter& counter, absl::Span<const ObjectId> objects);

}  // namespace unsafe

class Lineage {
 public:
  explicit Lineage(const ReferenceCounter& counter);

  // All or nothing.
  absl::Status Record(const LineageTask& task);
  Recovery CanRecover(const ObjectId& object) const;
  // The recorded task that made the object.
  absl::StatusOr<TaskId> TaskOf(const ObjectId& object) const;
  // Takes one of its retries, unless it fails; then the host is told (on_to_recover) of arguments
  // that came back into scope for it and that somebody else holds by then. Returns whose value is
  // there or on its way keep their generation.
  absl::StatusOr<Resubmission> Resubmit(const TaskId& task);

  // The host's answer to on_persist (Scope::Keep): it has written that value to a place of its own,
  // or why it could not. Ok: no task is needed for the object's sake any more, and its own one is
  // let go of unless something else needs it. The host keeps what it has written until the object
  // is erased (Moment::kErased) or its value is freed explicitly: the value is read from there when
  // it is lost, after Recreate, or when a task that is resubmitted needs it. Freeing it explicitly
  // ends that; what its task made can then be made again if the task is still kept. An error
  // changes nothing. Whoever kept the object is told either. NotFound: nobody asks for that value
  // any more, because it was answered before, say. Aborted: the value has just ended, what was
  // written is of no use (kFreed, kGone; neither: recreated). Any thread, also inside on_persist.
  absl::Status Persisted(const ObjectId& object, uint32_t generation, const absl::Status& written);

 private:
  friend class Generators;
  friend class StatefulTasks;
  friend BatchResult unsafe::FreeRecursive(const ReferenceCounter& counter,
                                           absl::Span<const ObjectId> objects);
  runtime::GeneratorKeeper& generators() const;

  std::shared_ptr<runtime::CounterImpl> counter_;
};

}  // namespace freehold

#endif  // FREEHOLD_LINEAGE_H_
