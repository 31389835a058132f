// Transfer of ownership: an object gets another owner, and outlives the process that declared it.
//
// Ownership(counter).Transfer(objects, next_owner) gives objects away, one or a million. Who holds
// them, where their copies are and what waits for their moments goes along: every borrower and
// every node is told, in one message each way, and whoever still asks the former owner learns where
// to ask. References here stay what they are, of an object that is borrowed from now on. At no
// moment are there two owners, or none: until the next owner has answered, and if it refuses or
// dies before everybody knows it, the object is this process's.
//
//   freehold::Ownership ownership(*counter);
//   ownership.Transfer(objects, service);        // returns at once
//   if (ownership.Wait(std::chrono::seconds(5)).ok()) counter->Shutdown(...);
//
// What an object contains is held by its next owner, or its heir, from then on; it is not given
// away with it, so that what is to outlive this process, too, must be in `objects` as well. Whoever
// reads an id out of the object names the owner that it has by then (ImportNested). Its pins
// (pin.h) are the next owner's, under the same names, and so is a free that waits for them. A copy
// with a file that any node can read (FileReach::kShared) is not deleted by the next owner before
// everybody knows it.
//
// Its scope stays its scope (scope.h), whoever opened it: the next owner joins, and the scope holds
// the object there, ends it there, and is done when it is reclaimed there. Until everybody knows
// the next owner it is counted in the scope here, too, without its bytes. What is in the root scope
// has no scope to go along, but a label, and the hold that Keep has given it: the next owner's root
// holds it then. One whose scope is over for the next owner, as with the death of the scope's
// owner, comes in no scope. Lists that are kept of a scope here (Delete of what it has kept) forget
// it.
//
// Its lineage goes along (lineage.h): the next owner can make it again, and here it cannot be any
// more; a task that made other things as well is known in both places, with the retries that were
// left to it. The next owner's host is told of the task (on_lineage_taken), and gets from this one
// what it needs to run it. Records of arguments that nobody refers to follow as soon as nothing
// here needs them, and all that does is at one other process, be it a later owner's; what is in use
// here stays, and follows if that ends first. Of arguments that others own, here or elsewhere, the
// next owner's host holds what its tasks need, as ever. So what was made of each other is best
// given away in one call: what goes alone may end at its next owner before anything there needs its
// record. A record that somebody waits for (OnErased), that has an heir, or that a stateful task
// made, stays, and so does one as long as tasks of two other owners need it. What was evicted goes
// as if it had been put there; so is an object whose task has more bytes than lineage_bytes_max
// there.
//
// What cannot be given away, by name: a generator, what a stateful task made, and what is persisted
// or to be; an object that has a shared file without a node, or a subscription to its locations; of
// which copies are being deleted; whose task needs more than 128 arguments, or whose processes,
// nodes, URLs and pins are more than one message names (some 200; two URLs of 4,000 bytes are too
// many), its label and its task included; whose task is recorded, or made to run again, at this
// moment; that is moved from scope to scope meanwhile; or that has come by a transfer of which not
// everybody has heard yet. `on_answer` says which; most of these pass.
//
// What a host notices at the next owner: ReferenceCounterOptions::takes_transfers,
// `on_transferred`. Callbacks for the object's moments that are registered here run here, whoever
// owns it, and are called off by the same registration; they count among this process's watches
// there (ReferenceCounterOptions::watches_per_peer_max).
//
// Adoption: Ownership(counter).NameHeir(objects, heir) makes another process the heir of objects of
// this one. It is told what it must know, and each change; once `on_answer` has said Ok for an
// object, it is prepared: the death of this process, whatever else dies with it but the heir, does
// not end the object. The heir owns it from the view on that excludes this process, and every
// borrower and node hears so; at the heir ReferenceCounterOptions::on_transferred runs, and
// `takes_transfers` says whether it takes any. What this process did with the object within the
// last round trip the heir may not know: a copy that nobody else is told of is deleted, a free is
// not done, a recreation begins again, a pin is not there, or one that was let go of is. What the
// price is: a borrower's registration, the move of a primary and the deletion of a copy with a file
// that any node can read wait for one round trip to the heir.
//
// NameHeirs names several, in their order. One is prepared at a time, the first one. When it is
// lost, since it dies, refuses or leaves, the next one is made the heir at once, whatever the host
// does, and the log says who that is, or that none is left. Whoever is excluded is passed over; one
// that was lost is not tried again. The heir knows who comes after it: when it owns the object, it
// makes the next one the heir as soon as everybody knows who owns it. So the object outlives as
// many deaths as it has heirs, if there is a round trip from one to the next. Until the next one is
// prepared it has none: an owner takes it along that dies before that, or in one view with its
// heir. The list ends with DismissHeir, with the object, and when it can have no heir any more, as
// below. A transfer passes it on as little as the heir.
//
// An object has one heir at a time: naming another begins with DismissHeir, also while the next one
// is to come. While it has one it is not given away (kNotMovable; a drain with a next owner
// dismisses first), and nothing can be put into it: what it is to contain comes before. That the
// heir holds as long as it is one, and goes on holding when it inherits. A scope of this process
// ends with it, so that the heir inherits what is in one in no scope, held by none, and without a
// label. No heir can have an object that is in another process's scope, has more holders, URLs and
// pins than one message names, or has come by a transfer of which not everybody has heard yet; and
// none that has an heir moves to a scope of another process's (kNotMovable). If it comes to that
// later, its heir is dismissed, which is logged and counted
// (ReferenceCounterStats::heirs_overgrown), as is an heir's death logged, and that the heir of what
// contains others is about to leave: the object has none then. Nor has it, if it contains others
// or has a file that any node can read, once it goes out of scope, although its lineage may bring
// it back.
//
// Its lineage, subscriptions to its locations here and its files without a node end with this
// process; an heir that has owned it before, and still knows its task, has that. Its pins do not:
// the heir's host unpins.
//
// Thread safety: thread-safe. Blocks: Wait alone.

#ifndef FREEHOLD_TRANSFER_H_
#define FREEHOLD_TRANSFER_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "freehold/clock.h"
#include "freehold/ids.h"

namespace freehold {

class ReferenceCounter;
namespace runtime {
class CounterImpl;
}

// What became of one object. Ok: the next owner has it. FailedPrecondition: it cannot be given away
// as it is (kNotMovable, the text says why), is borrowed (kNotOwner), the next owner is excluded
// (kPeerExcluded), takes none (kRefused) or is about to leave (kDraining), or this process was
// excluded (kExcluded). NotFound: it is gone. AlreadyExists: the next owner has that id.
// ResourceExhausted: one of the two has no room, or the next owner cannot hold what it contains.
// Unavailable (kPeerExcluded): the next owner died before it answered. After anything but Ok the
// object is owned as before.
using TransferCallback = absl::AnyInvocable<void(const ObjectId&, const absl::Status&)>;

struct TransferOptions {
  // Runs on the executor, once for each object. A shutdown drops it.
  TransferCallback on_answer;
};

// So many may be named at once.
inline constexpr size_t kHeirsMax = 8;

struct HeirOptions {
  // Runs on the executor, once for each object. A shutdown drops it.
  //
  // NameHeir, and NameHeirs for the first that accepts, or else the last that was tried: Ok: the
  // heir is prepared. FailedPrecondition: the object can have none as it is (kNotMovable, the text
  // says why), is borrowed (kNotOwner), the heir is excluded (kPeerExcluded), takes none (kRefused)
  // or is about to leave (kDraining), or this process was excluded (kExcluded). NotFound: it is
  // gone. AlreadyExists: it has an heir, or its heir has that id. ResourceExhausted: one of the two
  // has no room, or the heir cannot hold what it contains. Unavailable (kPeerExcluded): the heir
  // died before it answered. Cancelled: it was dismissed before.
  //
  // DismissHeir: Ok: the object has no heir, or is gone. NotFound, FailedPrecondition: as above.
  TransferCallback on_answer;
};

class Ownership {
 public:
  explicit Ownership(const ReferenceCounter& counter);

  // Returns at once. Errors, for all: InvalidArgument for nil or this process as the next owner;
  // FailedPrecondition without a transport, with `on_answer` and no executor, or after the end.
  absl::Status Transfer(absl::Span<const ObjectId> objects, const ProcessId& next_owner,
                        TransferOptions options = {});
  // Objects that were to be given away and have not been answered for, and those of which the next
  // owner has not told everybody.
  uint64_t pending() const;
  // Pumps until there are none: then this process may exit, as far as they are concerned.
  // DeadlineExceeded otherwise. Not for callbacks.
  absl::Status Wait(Duration timeout);

  // All three return at once. Errors, for all: as Transfer's; and InvalidArgument for no heir, more
  // than kHeirsMax, or one twice.
  absl::Status NameHeir(absl::Span<const ObjectId> objects, const ProcessId& heir,
                        HeirOptions options = {});
  absl::Status NameHeirs(absl::Span<const ObjectId> objects, absl::Span<const ProcessId> heirs,
                         HeirOptions options = {});
  absl::Status DismissHeir(absl::Span<const ObjectId> objects, HeirOptions options = {});

 private:
  std::shared_ptr<runtime::CounterImpl> counter_;
};

}  // namespace freehold

#endif  // FREEHOLD_TRANSFER_H_
