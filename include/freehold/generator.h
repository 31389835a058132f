// Generators: tasks whose returns are declared while they run.
//
// A task that does not know beforehand what it will make yields its objects one by one. Each is
// held by the generator, an object that stands for the stream, until somebody takes it; whoever
// consumes takes them in order. When the generator goes out of scope, what nobody took is let go
// of, and what is yielded later is refused: so a stream that is dropped in the middle leaves
// nothing behind, whatever its task still does (compare ray-project/ray#63091). Until it is taken
// an object counts as one that another contains (ReferenceCounts::nested_in).
//
// Thread safety: a Generators is a handle that may be copied; its methods are thread-safe.
// Ownership: borrows the counter, which must outlive it. Blocks: never.
// Errors: NotFound (kGone: the generator is not open, or has ended; nothing to take at present),
// AlreadyExists, and those of ReferenceCounter::Declare.

#ifndef FREEHOLD_GENERATOR_H_
#define FREEHOLD_GENERATOR_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "freehold/ids.h"
#include "freehold/object_ref.h"
#include "freehold/reference_counter.h"

namespace freehold {

class Generators {
 public:
  explicit Generators(ReferenceCounter& counter) : counter_(&counter) {}

  // `generator` is an object of this process, in scope: a return of the task, say. If `task` is
  // given and its lineage is kept, what is yielded can be made again like its other returns.
  absl::Status Open(const ObjectId& generator, const TaskId& task = TaskId());
  // Declares an object that the generator holds until it is taken. A task that was resubmitted
  // yields again only what Resubmission::returns names: AlreadyExists changes nothing.
  absl::Status Yield(const ObjectId& generator, const ObjectId& object,
                     const DeclareOptions& options = {});
  // The same with an object that is there already: one that the process that runs the task has
  // declared for this one, which owns it and outlives the task (declare_for.h, `on_declared`).
  // InvalidArgument for an empty reference.
  absl::Status YieldDeclared(const ObjectId& generator, const ObjectRef& object);
  // The oldest that nobody took. NotFound: there is none yet, or the generator has ended.
  absl::StatusOr<ObjectRef> Take(const ObjectId& generator);
  // That can be taken now; 0 of one that is not open.
  size_t CountYielded(const ObjectId& generator) const;

 private:
  ReferenceCounter* counter_;
};

}  // namespace freehold

#endif  // FREEHOLD_GENERATOR_H_
