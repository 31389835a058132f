// Transfers of ownership, in a simulated world: objects that one process gives to another one.
//
// Whose an object is, the oracle takes from the tables of those who are trusted, which are never
// two; while an answer is open it is its owner's, who may not use it as such. Who has given an
// object away and takes it back owns it again.
//
// A reference may fail although its owner lives, if it names a former one that has died, and no
// owner since has heard of it. So may a copy go.
//
// In every world each fourth process takes no transfers.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_TRANSFERS_H_
#define FREEHOLD_SRC_TESTING_SIM_TRANSFERS_H_

#include <cstdint>

#include "src/core/item.h"
#include "src/core/transfer_item.h"
#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

inline bool TakesTransfers(int64_t process) { return process % 4 != 3; }
inline bool WasGivenAway(const Object& object) { return !object.owners.empty(); }

// "P transfers O to P". False: it makes no sense here.
bool ActTransfer(Oracle* oracle, State* state, const Action& action);
// What holds it is such that we can follow it to another owner.
bool MayBeTransferred(const State& state, const Object& object);
// Something is done with the object while a transfer waits to begin, or is under way.
void NotMovable(State* state, int64_t object);
// It may get another owner: others may hold it then, and what it contains.
void NoteGivenAway(Oracle* oracle, State* state, Object* object);
// The action is its owner's alone, who has given the object away, or is about to, and would wait.
bool IsGivenAway(Oracle* oracle, State* state, const Action& action);
// "expect O owned by P", "expect P owns nothing".
bool ExpectOwner(Oracle* oracle, State* state, const Action& action);

// Whoever has it is not known to everybody: what its host does with it may be undone.
bool MayBeTakenBack(const State& state, const Object& object);

// Looks whose the object is now; of all that were ever given away.
void SeeOwner(Oracle* oracle, State* state, Object* object);
void SeeOwners(Oracle* oracle, State* state);

// It has ended. At an heir of its owner, perhaps, before anybody looked whose it was.
void SeeInherited(Oracle* oracle, State* state, Object* object);

// By its own table.
bool Owns(const Process& process, const Object& object);
bool EverOwned(const Object& object, int64_t process);
// It died with an owner that had it from another one, which does not know of it any more.
bool IsForgotten(const State& state, const Object& object);
// The copy was never its present owner's, and waits for its readers to go with a former one.
bool IsFormerOwners(const State& state, const Node& node, const Object& object,
                    uint32_t generation);
// Who has taken it back does not know what its next owner, which died, had recorded.
bool MayBeUnrecorded(const State& state, const Object& object);
// It has given the object away, and its host has not been told what became of that.
bool WaitsForNextOwner(const State& state, const Object& object, int64_t process);
// For this end, everybody has dealt with the exclusion of somebody who has owned the object, and
// has not just drained.
bool PastOwner(const State& state, const End& end, const Object& object);
// ... or has left; it is asked by name.
bool PastAnyOwner(const State& state, const End& end, const Object& object);
// ... and that of an owner excludes it.
bool HeardOfOwner(const State& state, const End& end, const Object& object);
// For this end, ... of somebody whom it was given to, and who may have taken it unseen.
bool PastSuspectedOwner(const State& state, const End& end, const Object& object);
// A token for that process had not come when its sender said that the object has moved.
bool IsOvertaken(const State& state, const End& end, const Object& object);
// It may be told that its owner died: one of those two has.
bool SaysOwnerDied(const State& state, const End& end, const Object& object);
// A reference has come to that process.
void NoteForgotten(const Object& object, Process* process);
// The reference of a holder that lives may be of no use.
bool MayLose(const State& state, const Process& holder, const Object& object);
// Who owns `outer` may not have what it contains: that was left out of the transfer, because its
// owner had died, or was given away itself, and the reference was lost.
bool MayLack(const State& state, const Object& outer, const Object& inner);
// It has failed, and the object's owner lives.
bool HasLost(const State& state, const Object& object, const Holding& holding);
// So many handles of a process are right: a transfer that has not begun has one of its own, a
// drain's included.
bool AreHandles(const Object& object, uint64_t handles, const Holding& holding);
// Whom `end` takes for its owner, which may have heard of it long ago.
int64_t OwnerByHearsay(Object* object, int64_t end);
ProcessId OwnerForNode(const State& state, const Node& node, Object* object, uint32_t generation);
// A suspected owner, or one whose envelope comes twice, may send what only an owner may.
bool MaySendLate(const State& state, const Object& object, int64_t from);

// On the wire.
void OnTransferSent(Oracle* oracle, State* state, int64_t from, int64_t to,
                    const core::TransferItem& item);
void OnMovedSent(State* state, int64_t from, int64_t to, const core::MovedItem& item);
void OnSharingSent(Oracle* oracle, State* state, int64_t from, int64_t to,
                   const core::SharingItem& item);
void OnLocationSent(State* state, int64_t from, int64_t to, const core::LocationItem& item);
// A node deletes its copy of an object that was given away.
void OnDeleteOfGivenAway(Oracle* oracle, State* state, const Node& node, const Object& object,
                         uint32_t generation);
// A borrower's reference has failed, by the name of a dead owner.
void OnLost(Oracle* oracle, State* state, const Process& process, const Object& object);

// Whoever owns the object now tells those to whom it has passed a reference on, and who have not
// answered.
void ListPassedOn(State* state, Object* object);
// Who are not cut off have heard from each other: whoever got a reference, which nobody has
// confirmed, knows whose the object is if the sender does.
void LookAtPassedOn(Oracle* oracle, State* state);

// At rest: nothing is under way, and each object has one owner or none.
void LookAtTransfersAtRest(Oracle* oracle, State* state);
void CheckTransfersEmpty(Oracle* oracle, const State& state, const Process& process);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_TRANSFERS_H_
