// LineageTable: the recorded tasks of one process, what they made and what they need for it.
//
// A task is kept while one of its returns is in scope, or is an argument of a task that is kept.
// When the last one ends, the task is let go of: its arguments are one dependent fewer, which may
// let go of the tasks that made them, and so on. Nothing of this is recursive: objects to be
// looked at wait in pieces, which Work goes through within a budget.
//
// Objects are known here by an entry each, as arguments, returns or both; the value, its copies and
// references are the ObjectTable's business, which says when a return is out of scope and keeps the
// record of it until told to forget it.
//
// There are no cycles: what is recorded as a return was no argument before. (What comes from other
// processes may be one; a cycle over two of them is theirs to avoid.)
//
// A return that is given to another process takes its task along, as a copy: here it is *lent*. A
// task of whose returns none is of use here, but that others have for good, is *away*: it needs its
// arguments for their sake. A record that away tasks alone need is to follow them (PROTOCOL,
// step 17); until it is wanted so it stays here. Where a task is away may change: what it made is
// given on.
//
// Thread safety: thread-compatible; the runtime keeps one lock. Costs: each step O(1) or what it is
// given; a task 128 bytes and 4 for each edge, an object 72.

#ifndef FREEHOLD_SRC_CORE_LINEAGE_TABLE_H_
#define FREEHOLD_SRC_CORE_LINEAGE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "src/core/common_peer.h"
#include "src/core/id_index.h"
#include "src/core/lineage_event.h"
#include "src/core/object_record.h"
#include "src/core/pool.h"

namespace freehold::core {

class LineageTable {
 public:
  struct Counters {
    uint64_t bytes = 0;     // gauge: of tasks that are kept
    uint64_t released = 0;  // tasks that were let go of
    uint64_t evicted = 0;   // of these, for want of room
    uint64_t resubmitted = 0;
    uint64_t returns_read = 0;  // that were asked for, to be looked at in their shards
    uint64_t away = 0;          // gauge: tasks of use to others alone
  };
  // What is known of one argument.
  struct Argument {
    ObjectId object;
    // A task that made it is kept and may be resubmitted, or its value is persisted.
    bool recoverable = false;
  };

  explicit LineageTable(uint64_t bytes_max) : bytes_max_(bytes_max) {}
  LineageTable(const LineageTable&) = delete;
  LineageTable& operator=(const LineageTable&) = delete;

  // --- Steps ---------------------------------------------------------------------------------

  // kAlreadyExists, kTableFull.
  LineageVerdict Step(const event::BeginTask& e);
  // kNotFound, kAlreadyExists, kDependedOn, kTableFull: then the task is to be abandoned.
  LineageVerdict Step(const event::AddReturns& e);
  // kNotFound, kTableFull, as above. Those of a task that is never resubmitted are not kept.
  LineageVerdict Step(const event::AddArguments& e);
  LineageVerdict Step(const event::AddStateArgument& e);
  LineageVerdict Step(const event::EndTask& e, LineageEffects* effects);
  LineageVerdict Step(const event::AbandonTask& e);
  // kNotFound (it is not kept), kUnchanged, kAlreadyExists, kDependedOn, kTableFull.
  LineageVerdict Step(const event::AddReturn& e);
  // kUnchanged: it was revived meanwhile.
  LineageVerdict Step(const event::ReturnEnded& e, LineageEffects* effects);
  LineageVerdict Step(const event::ReturnRevived& e);
  // kNotFound, kBusy, kNoRetries.
  LineageVerdict Step(const event::BeginResubmit& e);
  LineageVerdict Step(const event::EndResubmit& e, LineageEffects* effects);
  // kNotFound (no task made it), kUnchanged.
  LineageVerdict Step(const event::Checkpoint& e, LineageEffects* effects);
  // kNotFound.
  LineageVerdict Step(const event::ReleaseTask& e, LineageEffects* effects);
  // kNotFound (no task made it), kUnchanged (it is, or that value was freed, or is an old one).
  LineageVerdict Step(const event::ReturnPersisted& e, LineageEffects* effects);
  LineageVerdict Step(const event::ReturnFreed& e);
  // kNotFound (no task that made it is kept), kUnchanged (it is busy).
  LineageVerdict Step(const event::EvictLast& e);

  // --- Tasks that go along with what they made (lineage_table_lend.cc) -----------------------

  // kNotFound: it is out of scope, or is no record; kBusy, kHostKeeps, kTooMany. `*task` has a nil
  // id if no task that made it is kept, or is known: then nothing has changed, and ReturnGiven
  // comes once it is given away.
  LineageVerdict Step(const event::LendReturn& e, TaskRecord* task, LineageEffects* effects);
  // kNotFound; kUnchanged: it has a task here again.
  LineageVerdict Step(const event::ReturnGiven& e, LineageEffects* effects);
  LineageVerdict Step(const event::LentSettled& e, LineageEffects* effects);  // kNotFound
  LineageVerdict Step(const event::ReturnBack& e, LineageEffects* effects);
  LineageVerdict Step(const event::LentEnded& e, LineageEffects* effects);  // kNotFound
  // kOk; kUnchanged: it has that lineage. kBusy, kAlreadyExists (another task made it),
  // kDependedOn, kTableFull: it has none. `*adoption` is set by the first two answers, for the step
  // after that; before it comes EndTask if that is kWithTask.
  LineageVerdict Step(const event::AdoptReturn& e, Adoption* adoption, LineageEffects* effects);
  LineageVerdict Step(const event::ReturnNotTaken& e, LineageEffects* effects);  // kUnchanged
  LineageVerdict Step(const event::RecordKept& e, LineageEffects* effects);      // kNotFound
  // Lets go of what is to be let go of, evicting while there is too much. True: more is left.
  bool Work(uint64_t* budget, LineageEffects* effects);

  // --- What FreeRecursive lets go of ---------------------------------------------------------

  // Up to `max` of the task's arguments, from the `from`-th on, are not needed for its sake. Adds
  // those of them that nobody else needs either. True: call again for the rest.
  bool LetGo(const TaskId& task, size_t from, size_t max, std::vector<ObjectId>* orphans);
  // They are needed again. True: call again for the rest.
  bool Need(const TaskId& task, size_t max);
  // Of a return: another task, whose arguments are not let go of, depends on it.
  bool IsNeeded(const ObjectId& object) const;
  // Of a return that no shard knows: it is in scope and made by its task, or needed as above.
  bool IsStateNeeded(const ObjectId& object) const;
  bool IsLetGo(const TaskId& task) const;
  // Where among its returns one was last found that is needed: whoever looks again begins there.
  size_t Witness(const TaskId& task) const;
  void SetWitness(const TaskId& task, size_t at);

  // --- What a resubmission revived -----------------------------------------------------------

  // As Returns; they are made from now on, but for what is persisted, which is nil there.
  std::vector<ObjectId> BeginReturns(const TaskId& task, size_t from, size_t max);
  // Of an argument that was revived and that nobody has begun to make since: its generation, once.
  std::optional<uint32_t> TakeUnmade(const ObjectId& object);

  // --- Queries -------------------------------------------------------------------------------

  // From the `from`-th on, up to `max`. Empty at the end, or when the task is not kept.
  std::vector<Argument> Arguments(const TaskId& task, size_t from, size_t max) const;
  size_t CountArguments(const TaskId& task) const;
  std::vector<ObjectId> Returns(const TaskId& task, size_t from, size_t max);
  size_t CountReturns(const TaskId& task) const;
  // kPossible, kPut, kEvicted, kNoRetries, kNotRestartable, kPersisted; kPut also for what is
  // unknown here, or kept by the host (Checkpoint).
  Recovery CanRecover(const ObjectId& object) const;
  bool IsDependedOn(const ObjectId& object) const;
  // The task that made the object, if it is kept.
  std::optional<TaskId> TaskOf(const ObjectId& object) const;
  // It is in scope, as was told here, or depended on.
  bool IsUsed(const ObjectId& object) const;
  bool IsKept(const TaskId& task) const { return FindTask(task) != kNone; }
  size_t tasks() const { return by_task_.size(); }
  size_t objects() const { return by_object_.size(); }
  size_t pieces() const { return pieces_.size(); }
  const Counters& counters() const { return counters_; }
  size_t bytes() const;
  void CheckInvariants() const;

 private:
  // Of a return that is another process's.
  enum class Lent : uint8_t {
    kUnsettled,  // it may come back
    kSettled,
    kOver,  // nobody needs it there
  };
  enum class State : uint8_t { kFree, kRecording, kKept, kResubmitting, kGoing };
  struct Task {
    TaskId id;
    uint64_t bytes = 0;
    std::vector<uint32_t> arguments;
    std::vector<uint32_t> returns;
    uint32_t retries = 0;
    uint32_t needed = 0;  // returns that are in scope or depended on; one more while it is busy
    uint32_t let_go = 0;  // of its arguments, the first so many are not needed for its sake
    uint32_t witness = 0;
    uint32_t lent = 0;       // returns that others own and need, or are to; see lent_at_
    uint32_t unsettled = 0;  // of these, those that may come back
    uint32_t older = kNone;
    uint32_t next = kNone;  // younger; of a free entry, the pool's
    State state = State::kFree;
    bool not_restartable = false;
    bool has_state = false;  // its first argument stays
  };
  struct Object {
    ObjectId id;
    uint32_t task = kNone;         // that made it; kNone: put, or evicted
    uint32_t dependents = 0;       // arguments that it is, of tasks that are kept
    uint32_t let_go = 0;           // of these, not needed for their task's sake
    uint32_t lent_by = kNone;      // the task that made it, of one that another process owns
    PeerIndex lent_to = kNoPeer;   // of one that is lent and settled
    Lent lent = Lent::kOver;       // of one that is lent
    uint32_t generation = 0;       // the latest that was heard of
    uint32_t next = kNone;         // the pool's
    bool made = false;             // a task did
    bool in_scope = false;         // of one that a task made
    bool checkpointed = false;     // its task is not needed for its sake
    bool not_restartable = false;  // why its task was let go of
    bool unmade = false;           // revived, and its task has not run since
    bool persisted = false;        // then checkpointed: the host has its value
    bool freed = false;            // explicitly, the value of `generation`
    bool ended_lent = false;       // likewise: it has ended here, before it was told to be back
    bool kept_lent = false;        // likewise: its record alone is left
    bool stays = false;            // it was to follow, and was refused
  };
  enum class PieceKind : uint8_t { kArguments, kReturns, kAbandonedReturns };
  // Objects to be looked at, the last ones first.
  struct Piece {
    PieceKind kind;
    std::vector<uint32_t> objects;
    uint32_t task;    // of returns: its entry, which goes with the piece
    uint32_t let_go;  // of arguments
    PeerIndex away;   // likewise: where the task was
  };
  using Places = absl::flat_hash_map<uint32_t, CommonPeer>;  // only asked

  uint32_t FindTask(const TaskId& id) const;
  uint32_t FindObject(const ObjectId& id) const;
  // Null: not found, or in another state.
  Task* InState(const TaskId& id, State state);
  LineageVerdict Enter(uint32_t task, const ObjectId& made);
  // kNone: the table is full.
  uint32_t EnsureObject(const ObjectId& id);
  void EraseObject(uint32_t object, LineageEffects* effects);
  bool IsOfUse(const Object& object) const { return object.in_scope || object.dependents > 0; }
  bool NeedsMaker(const Object& object) const { return IsOfUse(object) && !object.checkpointed; }
  // It was of use, and is no more.
  void EndUse(uint32_t object, LineageEffects* effects);
  // A return of the task is of use no more, or the task is not busy any more.
  void DropNeed(uint32_t task, LineageEffects* effects);
  void Release(uint32_t task, PieceKind returns, LineageEffects* effects);
  // If it will not be resubmitted again, here or elsewhere, nothing can be made of its arguments.
  void ReleaseIfUnneeded(Task* task);
  void ReleaseArguments(Task* task);
  void DropDependent(uint32_t object, const Piece& piece, LineageEffects* effects);
  void ForgetMaker(uint32_t object, const Piece& piece, LineageEffects* effects);
  bool IsAway(const Task& task) const {
    return task.state == State::kKept && task.needed == 0 && task.lent > 0 && task.unsettled == 0;
  }
  // kNoPeer: it is not away.
  PeerIndex WhereAway(uint32_t task) const;
  // Where the away tasks that need it are, if nothing else does; kManyPeers: in several places;
  // kNoPeer: it stays.
  PeerIndex WhereNeeded(uint32_t object) const;
  // A return of the task is of use.
  void AddNeed(uint32_t task);
  void GoAway(uint32_t task, PeerIndex to, LineageEffects* effects);
  void ComeBack(uint32_t task, PeerIndex from);
  void BeginLent(Object* object);
  void EndLent(uint32_t task, Object* object);
  void AfterLending(uint32_t task, PeerIndex was, LineageEffects* effects);
  static void Drop(Places* places, uint32_t of, PeerIndex peer);
  // To whom an away task's argument goes, if that is of use to nobody else.
  void FollowIfAlone(uint32_t object, LineageEffects* effects);
  LineageVerdict EnterAdopted(uint32_t task, const event::AdoptReturn& e, Adoption* adoption,
                              LineageEffects* effects);
  // What was persisted is no more.
  void EndPersisted(Object* object);
  void Enlist(uint32_t task);
  void Delist(uint32_t task);

  const uint64_t bytes_max_;
  Pool<Task> tasks_;
  Pool<Object> objects_;
  IdIndex by_task_;
  IdIndex by_object_;
  uint32_t oldest_ = kNone;
  uint32_t youngest_ = kNone;
  std::deque<Piece> pieces_;
  Places lent_at_;          // by task: who owns what is lent of it, and does not give it back
  Places away_at_;          // by object: where the tasks are that need it, as far as they are away
  uint64_t looked_at_ = 0;  // arguments, by what has gone away or come back since the last piece
  Counters counters_;
};

}  // namespace freehold::core

#endif  // FREEHOLD_SRC_CORE_LINEAGE_TABLE_H_
