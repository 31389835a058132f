// Leaving without losing anything: whether a process can exit now, and if not, what is in the way.
//
// A process that ends takes the objects along that it owns, and may leave others waiting for what
// it has not sent. ReferenceCounter::Drain waits until neither can happen, or gives what it owns to
// another process; CanExit asks.
//
// Thread safety: values.

#ifndef FREEHOLD_DRAIN_H_
#define FREEHOLD_DRAIN_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "freehold/clock.h"
#include "freehold/ids.h"
#include "freehold/scope_options.h"

namespace freehold {

// What keeps a process from leaving, by number. A process with nothing of it can exit.
struct ExitReadiness {
  uint64_t owned_in_scope = 0;    // objects of its own that somebody refers to
  uint64_t borrowed = 0;          // of others, held here, or whose release has not left
  uint64_t handoffs = 0;          // references passed on that have not been acknowledged
  uint64_t acknowledgements = 0;  // of handoffs, owed by this process
  uint64_t frees_unanswered = 0;  // copies whose node has not answered the free
  uint64_t answers_waiting = 0;   // to other processes
  uint64_t drops_deferred = 0;    // contained objects still to be let go of
  uint64_t scope_members = 0;     // processes that have joined its scopes, once for each
  uint64_t transfers = 0;         // given away, and not everybody knows the next owner
  bool scopes_ending = false;     // what they held is being let go of, or hooks are to be called
  bool unacknowledged = false;  // something was sent, or is to be, that its peer has not confirmed

  bool can_exit() const {
    return owned_in_scope == 0 && borrowed == 0 && handoffs == 0 && acknowledgements == 0 &&
           frees_unanswered == 0 && answers_waiting == 0 && drops_deferred == 0 &&
           scope_members == 0 && transfers == 0 && !scopes_ending && !unacknowledged;
  }
  // "can exit", or what is in the way in one line.
  std::string ToString() const;
};

// What one blocker is: a holder of one object, mostly.
enum class DrainHold : uint8_t {
  kHandles,  // of this process, as the next three
  kById,
  kTasks,
  kOuter,     // objects in scope that contain it
  kScope,     // its own, which holds
  kPin,       // `pinned_by`
  kBorrower,  // a process that the owner, this one, lists: `peer`
  kHandoff,   // on its way to `peer`
  kRelease,   // borrowed from `peer`, held no more; the release has not left
  kFree,      // the copy on node `peer` whose free is not answered
  kTransfer,  // it is being given to `peer`; `why`: how far that has come
  kNotGiven,  // it could not be given to `peer`, the next owner; `why` says why
  // `peer`, a process or a node, may not have heard who owns it now. Its owner knows of whom that
  // is so; a process that has given it away does not, and names all that the next owner is telling.
  kUntold,
  kMember,  // of no object: process `peer`, which has joined `scope`; `why`: what it has not done
  kPeer,    // of no object: `peer` has not acknowledged `count` envelopes
};
const char* DrainHoldName(DrainHold hold);

struct DrainBlocker {
  ObjectId object;  // nil: of no object
  DrainHold hold = DrainHold::kHandles;
  uint64_t count = 1;
  Address peer;           // nil where none is named above
  std::string pinned_by;  // of kPin
  std::string call_site;  // where the object was declared, if the host said so
  ScopeId scope;          // of kMember
  std::string why;        // where it is named above; may be empty
  std::string ToString() const;
};

struct DrainOptions {
  // Zero: nothing is waited for. A host that pumps calls again with the same next owner, which gets
  // what can be given away by then.
  Duration timeout = Duration::max();
  // Asked about once per millisecond while Drain waits; true ends it like the timeout, and so does
  // whatever it throws. For a signal that came meanwhile. Must not block.
  std::function<bool()> interrupted;
  // Who gets what this process owns, pinned or not (transfer.h), again and again until nothing is
  // left that can be given away; nil: nobody, and it is waited for until nobody refers to it. One
  // that takes none, or cannot, shows in what is left. What is in a scope goes along as a member of
  // it (scope.h), so that a scope of this process's own must end, and what is in it go, before this
  // process can: `left.scope_members`. Of several drains at once each gives away what it finds
  // owned here: an object goes to the next owner of the drain that comes to it first, or if that
  // one does not take it, to another's.
  ProcessId next_owner;
  // At most so many are named in the report; of peers, members and transfers at most a quarter of
  // it each, so that none hides the others, or the holders. `left` and `peers` count them.
  size_t blockers_max = 100;
};

struct DrainReport {
  bool complete() const { return left.can_exit(); }
  ExitReadiness left;
  // Peers, members of scopes, transfers and who is told of them, and then what is the matter with
  // each object here, in the order of the table. None if complete.
  std::vector<DrainBlocker> blockers;
  uint64_t peers = 0;      // that have not acknowledged something
  bool truncated = false;  // there are more blockers
};

}  // namespace freehold

#endif  // FREEHOLD_DRAIN_H_
