// Lineage that went along when what a task made got another owner, in a simulated world.
//
// A record that follows the tasks that need it is seen on the wire; where it is, the library says,
// and the oracle says where it may be. What is in scope has its lineage where it is owned.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_LINEAGE_MOVED_H_
#define FREEHOLD_SRC_TESTING_SIM_LINEAGE_MOVED_H_

#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// The object is to have another owner, which has its lineage as well, unless it had none any more.
void NoteLineageMoved(State* state, Object* object, const Process& next_owner);
// Of one that has ended the record has gone to where it is needed.
void SeeRecordTaken(State* state, Object* object, int64_t next_owner);
// Somewhere in this world one has.
bool HasMovedLineage(const State& state);
// What a process's host is to make again needs that object, which has ended: its record is there,
// or has followed, as the library says. Then it is owned there.
bool SeeRecord(State* state, const Process& process, Object* argument);
// Something that went along elsewhere, and is of use, was made of it: whoever has lent that task
// needs it so long, unless it has followed.
bool IsNeededElsewhere(Oracle* oracle, const State& state, int64_t argument);
// At rest: a record that somebody can need is where its owner is, or where the task is.
void LookAtMovedLineage(Oracle* oracle, State* state);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_LINEAGE_MOVED_H_
