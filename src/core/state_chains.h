// StateChains: stateful tasks, each a chain of states that its calls make out of each other.
//
// Call k makes state k out of state k - 1, along with what it takes and returns. States are objects
// of the LineageTable that no shard knows: returns and arguments of the calls, which are recorded
// there like any task. So a call is kept while a return of it is of use, or a later state that can
// only be had by running it again. The latest state is in scope while its task runs; state 0 is
// what the task is made with, and needs nothing.
//
// A state that the host has a checkpoint of needs its call no more, nor what came before. A call is
// let go of when everything up to the next checkpoint has ended, whoever issued it. What a task
// that is not restartable did is let go of in pieces, by Work.
//
// A state's id is made of numbers that are never used again: its chain's and its own.
//
// Thread safety: thread-compatible; the runtime's lock of the LineageTable guards both. Ownership:
// borrows the table, which must outlive it. Costs: each step O(1) lookups or what it is given; a
// state about 12 bytes beside its object.

#ifndef FREEHOLD_SRC_CORE_STATE_CHAINS_H_
#define FREEHOLD_SRC_CORE_STATE_CHAINS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "freehold/ids.h"
#include "freehold/lineage.h"
#include "src/core/lineage_event.h"
#include "src/core/lineage_table.h"

namespace freehold::core {

// A state of a chain.
struct StateName {
  uint64_t chain = 0;
  uint64_t number = 0;
};
ObjectId StateId(const StateName& name);
// Nothing: it is no state's. Hosts must not choose ids of that form.
std::optional<StateName> StateOf(const ObjectId& id);

namespace event {

struct OpenStateful {
  const TaskId& stateful;
  bool restartable = true;
};
// Its next call is recorded: what it takes and returns besides states is added in between, by the
// events of the LineageTable. `ok`: it is kept; otherwise it is as if it had never been begun.
struct BeginCall {
  const TaskId& stateful;
  const TaskId& call;
  uint64_t bytes = 0;
  uint32_t retries = 0;
};
struct EndCall {
  const TaskId& stateful;
  const TaskId& call;
  bool ok = true;
};
// The host can have that state without running anything.
struct Checkpointed {
  const TaskId& stateful;
  uint64_t state = 0;
};
// None of its calls will run again.
struct SetNotRestartable {
  const TaskId& stateful;
};
// It takes no more calls, and nobody needs its latest state.
struct EndStateful {
  const TaskId& stateful;
};

}  // namespace event

class StateChains {
 public:
  // What is to be run to have a state, as far as it was looked at.
  struct Walk {
    StateName at;                             // the state that is looked at next
    Recovery recovery = Recovery::kPossible;  // otherwise `at` cannot be had, and why
    std::vector<TaskId> calls;                // the last one first
  };

  explicit StateChains(LineageTable* table) : table_(*table) {}
  StateChains(const StateChains&) = delete;
  StateChains& operator=(const StateChains&) = delete;

  // --- Steps ---------------------------------------------------------------------------------

  // kAlreadyExists.
  LineageVerdict Step(const event::OpenStateful& e);
  // kNotFound, kEnded, kBusy (another one is being recorded), kAlreadyExists, kTableFull.
  LineageVerdict Step(const event::BeginCall& e);
  // Answers the number of the state that it makes. REQUIRES: it was begun.
  uint64_t Step(const event::EndCall& e, LineageEffects* effects);
  // kNotFound (also of a state that is not there yet, or that nobody needs), kUnchanged,
  // kNotRestartable.
  LineageVerdict Step(const event::Checkpointed& e, LineageEffects* effects);
  // kNotFound, kBusy, kUnchanged.
  LineageVerdict Step(const event::SetNotRestartable& e, LineageEffects* effects);
  // kNotFound, kEnded, kBusy.
  LineageVerdict Step(const event::EndStateful& e, LineageEffects* effects);
  // Lets go of what is to be let go of, in the table as well. True: more is left.
  bool Work(uint64_t* budget, LineageEffects* effects);

  // --- Queries -------------------------------------------------------------------------------

  // Goes back by up to `max` calls, to a state that needs none. True: call again.
  bool Go(Walk* walk, size_t max) const;
  // From the state before the call that made the object, which may run again (CanRecover). Nothing:
  // no call did that is kept.
  std::optional<Walk> WalkTo(const ObjectId& object) const;
  // From the latest state. Nothing: there is no such task, it has ended or is not restartable.
  std::optional<Walk> WalkToLatest(const TaskId& stateful) const;
  // The latest state's number. Nothing: there is no such task.
  std::optional<uint64_t> LatestOf(const TaskId& stateful) const;
  bool HasEnded(const TaskId& stateful) const;
  bool IsRestartable(const TaskId& stateful) const;
  // States that calls are kept of, or that are needed.
  size_t CountStates(const TaskId& stateful) const;
  // Up to `max` checkpointed states, from number `from` on, that something may have to be replayed
  // from. Costs those that were needed when their calls were.
  std::vector<uint64_t> Checkpoints(const TaskId& stateful, uint64_t from, size_t max) const;
  size_t size() const { return chains_.size(); }
  size_t states() const { return states_; }
  void CheckInvariants() const;

 private:
  enum class Stage : uint8_t { kRunning, kRecording, kEnded };
  struct Chain {
    TaskId id;
    Stage stage = Stage::kRunning;
    bool restartable = true;
    uint64_t latest = 0;
    absl::btree_set<uint64_t> states;       // the table's
    absl::btree_set<uint64_t> checkpoints;  // of these
  };

  Chain* Find(const TaskId& stateful, uint64_t* number = nullptr);
  const Chain* Find(const TaskId& stateful, uint64_t* number = nullptr) const;
  // Nobody needs its latest state for itself.
  void EndLatest(const Chain& chain, uint64_t number, LineageEffects* effects);
  // Takes what is a state out of `effects`.
  void TakeStates(LineageEffects* effects);
  void EraseIfOver(uint64_t number);
  // Lets go of the first call from there on. False: there is none.
  bool ReleaseNext(StateName* next, LineageEffects* effects);

  LineageTable& table_;
  absl::flat_hash_map<TaskId, uint64_t> by_id_;  // only asked, never iterated
  absl::btree_map<uint64_t, Chain> chains_;
  std::deque<StateName> to_release_;  // chains, and from which state on
  uint64_t last_chain_ = 0;
  size_t states_ = 0;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_STATE_CHAINS_H_
