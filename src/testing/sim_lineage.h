// Lineage, in a simulated world: which objects hosts say they made of which, and when they make
// them again.
//
// A task is kept as long as what it made is in scope or another task that is kept depends on that.
// It is the oracle's to say, from what hosts did: the library is asked for numbers at rest only.
//
// Thread safety: one thread.

#ifndef FREEHOLD_SRC_TESTING_SIM_LINEAGE_H_
#define FREEHOLD_SRC_TESTING_SIM_LINEAGE_H_

#include <cstdint>
#include <set>

#include "src/testing/sim_action.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Oracle;

// The owner's host records that it made the object of another one, or makes it again. False: it
// makes no sense here.
bool ActLineage(Oracle* oracle, State* state, const Action& action, Process* process,
                Object* object);
// What the task that made it is named after: what it returned when it was recorded.
template <typename AnyState, typename AnyObject>
AnyObject& MakerOf(AnyState& state, AnyObject& object) {
  return object.yielded_by == 0 ? object : state.objects.at(object.yielded_by);
}
// After which object's number the task that returned this one is named, so that what it yields can
// be made again with it; 0: it is not recorded.
int64_t MakerOfYielded(const Object& generator);
// Its owner begins a new value of it.
void BeginGeneration(const Process& owner, Object* object);
// Of a task, by the object that it makes.
uint64_t SpecBytesOf(int64_t number);
// The tasks that a process must keep at rest, by the objects that they made.
std::set<int64_t> KeptTasks(Oracle* oracle, const State& state, const Process& process);
// Tasks that it should keep have been let go of for want of room: which, is its own affair.
bool HasEvictedLineage(const Process& process);
// At rest: as many tasks are kept as must be, and what can be made again can.
void LookAtLineageAtRest(Oracle* oracle, const State& state);
// At the end: nothing is left.
void CheckLineageEmpty(Oracle* oracle, const Process& process);

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_LINEAGE_H_
