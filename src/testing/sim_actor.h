// The actor: does in a simulated world what an action says, and tells the oracle.
//
// An action about something that does not exist, or is in no state for it, is skipped.
//
// Thread safety: one thread. Ownership: borrows the state and the oracle, which must outlive it;
// the world's ends end with it.

#ifndef FREEHOLD_SRC_TESTING_SIM_ACTOR_H_
#define FREEHOLD_SRC_TESTING_SIM_ACTOR_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "src/testing/sim_action.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_state.h"

namespace freehold::testing::sim {

class Actor {
 public:
  Actor(State* state, Oracle* oracle);
  // The ends go first: they know the actor.
  ~Actor() { s_.EndAll(); }
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  // False: it was skipped.
  bool Act(const Action& action);
  // Everybody does what is to be done, until nothing is left or `bound` has passed. Answers whether
  // nothing is left.
  bool Settle(Duration bound);
  // Bytes come to a node, and its agent is told. They stay only if it takes them or sees to their
  // deletion.
  static absl::Status StoreAt(Node* node, const NodeCopy& copy);

 private:
  // --- A process's host (sim_actor_process.cc, sim_actor_watch.cc) -------------------------------
  bool ActProcess(const Action& action);
  // REQUIRES: there is none of that number.
  Object& NewObject(const Process& owner, int64_t number);
  static DeclareOptions OptionsFor(Object* object, const Node* primary);
  bool Declare(Process* process, int64_t number, Node* primary, Object* contained,
               int64_t scope = 0);
  bool Copy(Process* process, Object* object);
  bool Drop(Process* process, Object* object);
  bool Get(Process* process, Object* object);
  bool Lock(Process* process, Object* object);
  bool AddById(Process* process, Object* object, int64_t count);
  bool RemoveById(Process* process, Object* object, int64_t count);
  bool Submit(Process* process, int64_t number, const std::vector<Object*>& objects);
  bool EndTask(Process* process, int64_t number);
  bool Nest(Process* process, Object* inner, Object* outer);
  bool Free(Process* process, Object* object);
  bool Recreate(Process* process, Object* object);
  bool Await(Process* process, Object* object, Node* node);
  bool Told(Process* process, Object* object, Node* node, uint32_t generation);
  bool ToldNot(Process* process, Object* object, Node* node);
  bool Forget(Process* process, Object* object, Node* node);
  bool Watch(Process* process, Object* object, Moment moment, int64_t number);
  bool WatchFromAfar(Process* process, const Object& object, Moment moment, int64_t number);
  bool WatchFailed(Process* process, Object* object, int64_t number);
  absl::StatusOr<CallbackRegistration> Register(Process* process, const Object& object,
                                                Moment moment, int64_t number);
  bool Unwatch(Process* process, int64_t number);
  bool Follow(Process* process, Object* object, int64_t number);
  bool Unfollow(Process* process, int64_t number);
  bool Query(Process* process, Object* object);
  void RunCallback(int64_t number, const ObjectId& id, EndReason reason);
  void CheckTold(const Object& object, const Node& node, uint32_t generation,
                 const absl::Status& status);
  // The process may ask the library for the object, and the answer is known: it holds it, or owns
  // it and nothing about it is open.
  bool CanAsk(const Process& process, const Object& object) const;
  Holding* Holds(const Process& process, Object* object) const;

  // --- ... of generators (sim_actor_streams.cc) --------------------------------------------------
  bool ActOnStream(const Action& action, Process* process);
  bool BeginStream(Process* process, Object* generator);
  bool Yield(Process* process, int64_t number, Node* primary, Object* generator);
  bool YieldDeclared(Process* process, Object* object, const Object* generator);
  bool YieldsInScope(Process* process, Object* object, const Object& generator);
  bool Take(Process* process, Object* generator);
  bool FailStream(Process* process, const Object& generator);
  // Whether the generator takes what is yielded; empty: nobody can say at this moment.
  std::optional<bool> IsOpen(const Process& process, const Object& generator) const;

  // --- A node's host (sim_actor_node.cc) ---------------------------------------------------------
  bool ActNode(const Action& action);
  bool StoreCopy(Node* node, Object* object, uint32_t generation, CopyRole role);
  bool BeginFetch(Node* node, Object* object, uint32_t generation);
  bool EndFetch(Node* node, Object* object, uint32_t generation, bool arrives);
  bool Spill(Node* node, Object* object, uint32_t generation, Verb verb);
  bool Restore(Node* node, Object* object, uint32_t generation);
  bool Evict(Node* node, Object* object, uint32_t generation);
  bool Read(Node* node, Object* object, int64_t number);
  bool Close(Node* node, int64_t number);
  bool IsFetching(const Node& node, const Object& object, uint32_t generation) const;
  // Whether the answer of a node about one object was one that it may give.
  void CheckNode(Verb verb, const Node& node, const Object& object, uint32_t generation,
                 const absl::Status& status);
  void ReturnDuringDelete(Node* node, absl::Span<const CopyToDelete> copies);
  Store::Answer AnswerDelete(Node* node, const CopyToDelete& copy, const Store::Stored* stored);

  // --- ... that is to be removed (sim_actor_drain.cc) --------------------------------------------
  // `owner`: of a process on it, which is to drain as well; 0: there is none.
  bool BeginDrain(Node* node, int64_t owner);
  void StepDrain(Node* node);
  void Evacuate(const Node& from, const SimNodeDrain::Wanted& wanted);
  bool IsNamedOnUnheardDead(const Object& object, uint32_t generation, const Node& node) const;
  void CheckDrained(const Node& node);

  // --- The network, the ends, the membership, time (sim_actor_world.cc) --------------------------
  bool ActWorld(const Action& action);
  bool ActTime(const Action& action);
  bool Expected(const Action& action);
  bool Exclude(const std::vector<End*>& ends);
  bool Crash(End* end);
  bool Leave(End* end);
  bool Start(int64_t end);
  void Watched(End* end);
  void CoverCrash(const End& end, const char* how);
  void ExcludeCrashed();
  void Tick(const Action& action);
  void Hear(End* end);
  bool ActOnScope(const Action& action);
  bool ActOnObject(const Action& action, Process* process, Object* object);
  bool ActOnLocation(const Action& action, Process* process, Object* object, Node* node);
  void Pump(End* end);
  // ... and what its host does besides.
  void PumpHost(End* end);
  void PassGraces(End* end, Time now);
  void Turn();
  Time NextEvent() const;
  void Rest();
  void Finish();
  void LetGo();
  bool NameAgents();
  // A line for the answer of the library, and its count.
  void Note(Verb verb, const absl::Status& status);

  State& s_;
  Oracle& oracle_;
  uint64_t orders_ = 0;
};

}  // namespace freehold::testing::sim

#endif  // FREEHOLD_SRC_TESTING_SIM_ACTOR_H_
