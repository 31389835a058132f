// The oracle: whether what the library does is right, given what is true.
//
// It is told what hosts do before the library is, sees every envelope, deletion, callback and
// membership notice as it happens, and looks at everything when asked. What it finds wrong becomes
// the state's `violation`: a kind, which stays the same when a run is cut short, and the details.
//
// What it takes from the library is which copies an owner knows when an object ends: "reclaimed" is
// promised for those; whether an owner has ever known a primary of a value; and at rest, what only
// nodes or the order of a scope's end can tell: see sim_uses.h.
//
// Thread safety: one thread. Ownership: borrows the state.

#ifndef FREEHOLD_SRC_TESTING_SIM_ORACLE_H_
#define FREEHOLD_SRC_TESTING_SIM_ORACLE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/callbacks.h"
#include "freehold/object_store.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle {
 public:
  explicit Oracle(State* state) : s_(*state) {}

  // Only the first one counts.
  void Violate(std::string_view kind, const std::string& details);
  void Expect(bool truth, std::string_view kind, const std::string& details) {
    if (!truth) Violate(kind, details);
  }

  // --- What may be -------------------------------------------------------------------------------

  // Its owner or somebody who is live holds the object, or has a token for it that must be
  // honoured, or it is in the value of an object that is held.
  bool Held(const Object& object) const;
  bool HeldBesidesPins(const Object& object) const;
  // The process itself does, by a reference of any kind or by the value of an object that it owns.
  bool HeldAt(const Process& process, const Object& object) const;
  // Scopes use the object and are not done; how many do. (sim_uses.cc)
  bool IsUsed(const Object& object) const;
  uint64_t CountUsers(const Object& object) const;
  // Of a scope that has ended.
  bool IsDone(int64_t scope) const;
  // Nobody may want the value of that generation any more.
  bool ValueGone(const Object& object, uint32_t generation) const {
    return generation < object.generation || (generation == object.generation && object.freed) ||
           object.ended || !Held(object);
  }
  // The library knows as much as we: no drop is deferred, no call is half done, nothing of it is
  // held elsewhere.
  bool IsExact(const Object& object) const;
  // The node may delete its copy now.
  bool MayDelete(const Node& node, const Object& object, uint32_t generation) const;
  // From now on `object`, and what is in it, may end later for the library than in truth.
  void MakeInexact(Object* object);
  // Something comes into that scope: if it, or one around it, has ended and waited for nothing of
  // its own any more, that one had let go of what it used.
  void SeeUsesLetGo(int64_t scope);

  // --- What hosts did; told before the library is ------------------------------------------------

  // A holder was taken off the object.
  void Dropped(Object* first);
  void Freed(Object* object);
  // Evict-first.
  void FreedFirst(Object* object);
  void Hears(End* end, const LateMembership::Notice& notice);

  // --- What the library did ----------------------------------------------------------------------

  // It has let the object go, of which we could not know when.
  void SeenEnded(Object* object);
  void OnSent(const Envelope& envelope);
  void OnFreeSent(int64_t from, int64_t to, const ObjectId& id, uint32_t generation);
  void OnDelete(Node* node, const CopyToDelete& copy, const Store::Stored* stored);
  void OnCallback(int64_t number, const ObjectId& id, EndReason reason);
  void OnUpdate(int64_t number, const ObjectId& id, const LocationUpdate& update);
  // The node tells that owner which copies it has.
  void OnListed(int64_t node, int64_t owner);
  // Its host is to make it again.
  void OnToRecover(const Object& object);
  void OnCopyFreed(const Process& process, const ObjectId& id, const NodeId& node_id,
                   FreeOutcome outcome);
  // What a subscriber has been told is what its owner knows. REQUIRES: its callbacks have run.
  void Compare(int64_t number);

  // --- Looks at everything -----------------------------------------------------------------------

  // At any time: whoever is held is known and counted.
  void Look();
  // Values that were freed evict-first and have gone since, which is known from their owners alone.
  void SeeEvicted();
  void SeeEvicted(Object* object);
  void EndEvicted(Object* object);
  // Nothing is left to happen: what is wanted is known to its owner, nothing else is left.
  void LookAtRest();
  // ... and nothing was held any more.
  void LookAtEnd();

 private:
  class Wire;

  void End(Object* object, EndReason reason);
  void OnFailed(const Registration& registration, EndReason reason);
  // True: it says why the moment does not come.
  bool OnToldFromAfar(const Registration& registration, EndReason reason);
  void CheckOrder(int64_t number, const Registration& registration);
  void CheckOwed(const Object& object, uint64_t end_max);
  void LookAtOwner(const Object& object, const Process& owner);
  void LookAtCopies(const Node& node);
  void LookAtObjects();
  void LookAtEvictable(Object* object);
  void LookAtEvictableAtRest();
  void LookAtDigests(const Process& process);
  void CheckEmpty(const Process& process);
  void CheckEmpty(const Node& node);
  void CheckCallbacksRan();

  // --- Scopes that use objects (sim_uses.cc) -----------------------------------------------------
  bool IsWaiting(int64_t scope) const;
  uint64_t CountUsers(const Object& object, bool perhaps) const;
  void BeginRest();
  void EndRest();
  // A scope is done if nothing of it is left, and not before.
  void LookAtUses();
  // Of its owner's, with the generator that it waits in.
  uint64_t CountOuters(const Object& object) const;

  State& s_;
  bool at_rest_ = false;
  mutable std::vector<int64_t> asked_;  // scopes that are being looked at
};

// "o3", for details.
std::string NameOf(const Object& object);
std::string NameOf(const struct End& end);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_ORACLE_H_
