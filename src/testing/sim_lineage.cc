#include "src/testing/sim_lineage.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "freehold/lineage.h"
#include "src/testing/sim_lineage_moved.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_stateful.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

// A task has the number of what it makes.
TaskId TaskOf(const Object& object) {
  return TaskId::FromNumber(static_cast<uint64_t>(object.number));
}

uint32_t RetriesOf(int64_t number) {
  return number % 8 == 0 ? 0 : number % 4 == 0 ? 1 : kRetriesUnlimited;
}

// Handles of others on what was gone when they read its id out of something do not count.
bool InScope(Oracle* oracle, const Object& object) { return !object.ended && oracle->Held(object); }

bool IsDependedOn(const State& state, const Object& object) {
  return std::any_of(state.objects.begin(), state.objects.end(), [&object](const auto& other) {
    return other.second.made_of == object.number;
  });
}

bool Record(Oracle* oracle, State* state, Process* process, Object* object, Object* argument) {
  if (argument == nullptr || argument->owner != process->end ||
      argument->number >= object->number) {
    return false;
  }
  if (object->recorded || IsDependedOn(*state, *object)) return false;
  if (!InScope(oracle, *object) || !InScope(oracle, *argument)) return false;
  LineageTask task;
  task.id = TaskOf(*object);
  task.arguments = {argument->id};
  task.returns = {object->id};
  task.retries = RetriesOf(object->number);
  task.spec_bytes = SpecBytesOf(object->number);
  const absl::Status status = Lineage(*process->counter).Record(task);
  // What depended on it may be let go of and not yet worked off.
  if (object->was_argument && absl::IsFailedPrecondition(status)) return true;
  oracle->Expect(status.ok(), "a task is not recorded", NameOf(*object) + ", " + status.ToString());
  object->recorded = true;
  object->retries = object->retries_given = task.retries;
  if (object->retries > 0) {
    object->made_of = argument->number;
    argument->was_argument = true;
  }
  return true;
}

// Something that it made is in scope, or what was made of that is, or its state is needed.
bool IsSurelyKept(Oracle* oracle, const State& state, const Object& maker) {
  if (IsForbidden(state, maker) || maker.let_go) return false;
  if (InScope(oracle, maker)) return true;
  if (maker.stateful != 0) {
    return KeptTasks(oracle, state, state.OwnerOf(maker)).count(maker.number) > 0;
  }
  return std::any_of(state.objects.begin(), state.objects.end(), [&](const auto& each) {
    const Object& other = each.second;
    const auto argument = state.objects.find(other.made_of);
    if (other.owner != maker.owner) return false;  // elsewhere it keeps nothing here
    const bool depends = other.yielded_by == maker.number ||
                         (argument != state.objects.end() &&
                          MakerOf(state, argument->second).number == maker.number);
    return depends && InScope(oracle, other);
  });
}

// Of its task: it was recorded with it, or the task yielded it.
std::vector<Object*> ReturnsOf(State* state, Object* maker) {
  std::vector<Object*> returns = {maker};
  for (auto& [number, object] : state->objects) {
    if (object.yielded_by == maker->number) returns.push_back(&object);
  }
  return returns;
}

// When a scope lets go of what it held is not exact: that it has is seen by then.
bool IsKnownToHaveEnded(Oracle* oracle, const State& state, const Object& object) {
  if (!object.ended || oracle->Held(object)) return false;
  if (object.stateful == 0) return oracle->IsExact(object);
  return state.nested == 0 && state.OwnerOf(object).counter->GetStats().drops_deferred == 0;
}

// Nobody uses it any more, and no scope counts it.
void LeaveScopes(State* state, Object* object) {
  object->scope = 0;
  object->scope_held = false;
  object->label = 0;
  for (const int64_t user : object->users) {
    std::vector<int64_t>& uses = state->scopes.at(user).uses;
    uses.erase(std::remove(uses.begin(), uses.end(), object->number), uses.end());
  }
  object->users.clear();
}

void Revive(State* state, Object* object) {
  state->coverage.Count("an argument is revived");
  if (object->yielded_by != 0) state->coverage.Count("what was yielded is revived");
  LeaveScopes(state, object);
  state->ReturnToScope(object);
  // What it contained went with its first value.
  for (const int64_t inner : object->inners) {
    std::vector<int64_t>& outers = state->object(inner)->outers;
    outers.erase(std::remove(outers.begin(), outers.end(), object->number), outers.end());
  }
  object->inners.clear();
  BeginGeneration(state->OwnerOf(*object), object);
  // They have been told that it is gone.
  for (auto& [number, subscription] : state->subscriptions) {
    if (subscription.object == object->number) subscription.ended = true;
  }
}

// A value that is not there begins anew.
void BeginValue(const Process& process, Object* object) {
  const auto known = process.counter->GetLocations(object->id);
  const bool lost = known.ok() && known->state == ObjectState::kLost;
  if (!object->freed && !lost) return;
  BeginGeneration(process, object);
  object->free_waits = false;
}

void CheckMade(Oracle* oracle, const std::vector<Object*>& made, const Resubmission& again,
               const std::string& details) {
  bool same = again.returns.size() == made.size();
  for (const Resubmission::Value& value : again.returns) {
    same = same && std::any_of(made.begin(), made.end(), [&value](const Object* object) {
             return object->id == value.object && object->generation == value.generation;
           });
  }
  oracle->Expect(same, "a task is to make something else", details);
}

bool Remake(Oracle* oracle, State* state, Process* process, Object* object, int64_t number) {
  if (number <= 0 || state->tasks.count(number) > 0 || !object->recorded) return false;
  Object& maker = MakerOf(*state, *object);
  if (!IsSurelyKept(oracle, *state, maker) || HasEvictedLineage(*process)) return false;
  Object* argument = maker.made_of == 0 ? nullptr : state->object(maker.made_of);
  // What its owner must hold for that, somebody else owns.
  if (argument != nullptr && argument->owner != process->end && InScope(oracle, *argument)) {
    return false;
  }
  std::vector<Object*> made;
  for (Object* one : ReturnsOf(state, &maker)) {
    if (InScope(oracle, *one)) {
      made.push_back(one);
    } else if ((one != object || maker.stateful != 0) &&
               !IsKnownToHaveEnded(oracle, *state, *one)) {
      return false;
    }
  }
  bool may = maker.retries > 0;
  bool revives = false;
  if (argument != nullptr && !InScope(oracle, *argument)) {
    if (!SeeRecord(state, *process, argument)) return false;
    // What the library knows of it must be known here.
    if (!IsKnownToHaveEnded(oracle, *state, *argument)) return false;
    // Its calls may be let go of in pieces.
    if (IsForbidden(*state, *argument)) return false;
    const Object& argument_maker = MakerOf(*state, *argument);
    revives = argument->recorded &&
              (argument->persisted || (argument_maker.retries > 0 && !argument_maker.let_go));
    if (revives && argument->persisted) state->coverage.Count("persisted: read back for a task");
    may = may && revives;
  }
  if (may) {
    for (Object* one : made) BeginValue(*process, one);
    if (revives) Revive(state, argument);
    if (revives && argument->record_moved) {
      state->coverage.Count("what has followed is revived");
      NoteGivenAway(oracle, state, argument);
    }
    if (argument != nullptr) ++argument->holdings[process->end].tasks;
    if (maker.retries != kRetriesUnlimited && --maker.retries == 0) maker.made_of = 0;
  }
  auto again = Lineage(*process->counter).Resubmit(TaskOf(maker));
  state->coverage.Count(may ? "made again" : "not made again");
  if (may && made.size() > 1) state->coverage.Count("made again with what was yielded");
  if (may && maker.stateful != 0) state->coverage.Count("a call is made again");
  const std::string details = NameOf(maker) + ", " + again.status().ToString();
  oracle->Expect(again.ok() == may, "Resubmit is answered wrongly", details);
  if (!again.ok()) return true;
  CheckMade(oracle, made, *again, details);
  Task& task = state->tasks[number];
  task.process = process->end;
  task.references = std::move(again->arguments);
  if (argument != nullptr) task.objects.push_back(argument->number);
  const bool missing = argument != nullptr && !again->missing.empty();
  oracle->Expect(!revives || missing, "an argument without a value is not said to be missing",
                 details);
  return true;
}

}  // namespace

// By number, which is an order in which nothing comes before what it was made of.
std::set<int64_t> KeptTasks(Oracle* oracle, const State& state, const Process& process) {
  std::set<int64_t> kept;
  std::set<int64_t> needed;
  for (auto at = state.objects.rbegin(); at != state.objects.rend(); ++at) {
    const Object& object = at->second;
    if (object.owner != process.end || !object.recorded || IsForbidden(state, object)) continue;
    if (object.let_go) continue;
    const bool of_use = InScope(oracle, object) || MadeLatest(state, object);
    if (!of_use && needed.count(object.number) == 0) continue;
    if (object.yielded_by != 0) {
      needed.insert(object.yielded_by);
      continue;
    }
    kept.insert(object.number);
    if (object.made_of != 0) needed.insert(object.made_of);
    if (const int64_t before = CallBefore(state, object); before != 0) needed.insert(before);
  }
  return kept;
}

void BeginGeneration(const Process& owner, Object* object) {
  ++object->generation;
  object->freed = false;
  if (owner.queue != nullptr) {
    object->told_after[owner.end] = owner.queue->ran() + owner.queue->size();
  }
}

uint64_t SpecBytesOf(int64_t number) { return 20 + static_cast<uint64_t>(number % 50); }

bool HasEvictedLineage(const Process& process) {
  return process.counter->GetStats().lineage_evicted > 0;
}

bool ActLineage(Oracle* oracle, State* state, const Action& action, Process* process,
                Object* object) {
  if (object->owner != process->end) return false;
  return action.verb == Verb::kMake
             ? Record(oracle, state, process, object, state->object(action.numbers[2]))
             : Remake(oracle, state, process, object, action.numbers[2]);
}

// Calls of stateful tasks yield nothing in these worlds, and one that was persisted has no task.
int64_t MakerOfYielded(const Object& generator) {
  if (!generator.recorded || generator.stateful != 0 || generator.let_go) return 0;
  return generator.yielded_by != 0 ? generator.yielded_by : generator.number;
}

namespace {

// Whether an object can be made again: as must be, or not, for want of room.
void CheckRecovery(Oracle* oracle, const State& state, const Process& process, const Object& object,
                   bool needed, Recovery expected) {
  const Recovery said = Lineage(*process.counter).CanRecover(object.id);
  // What is yielded after its task was let go of is no return of it, nor is what was to be given
  // away after that, and has stayed, or come back.
  const bool given = state.given_away.count(object.number) > 0;
  const bool unknown = (object.yielded_by != 0 || given) && said == Recovery::kPut;
  const bool evicted = HasEvictedLineage(process) && (said == Recovery::kEvicted || unknown ||
                                                      (!needed && said == Recovery::kDeleted));
  oracle->Expect(said == expected || evicted, "whether an object can be made again is said wrongly",
                 NameOf(object) + " " + RecoveryName(said));
}

// Of what went along, records may be here or elsewhere.
void CheckMovedTasks(Oracle* oracle, const State& state, const Process& process) {
  size_t least = 0;
  size_t most = 0;
  for (const auto& [number, object] : state.objects) {
    if (!object.recorded && !object.lineage_moved) continue;
    ++most;
    const bool here = object.recorded && object.owner == process.end && object.yielded_by == 0;
    if (here && InScope(oracle, object) && !IsForbidden(state, object) && !object.let_go) ++least;
  }
  const ReferenceCounterStats stats = process.counter->GetStats();
  const size_t kept = stats.lineage_tasks - stats.lineage_tasks_away;
  oracle->Expect(kept >= least && kept <= most, "other tasks are kept than may be",
                 NameOf(process) + Format(": I of I to I",
                                          {static_cast<int64_t>(kept), static_cast<int64_t>(least),
                                           static_cast<int64_t>(most)}));
}

void CheckTasks(Oracle* oracle, const State& state, const Process& process, size_t kept) {
  if (HasMovedLineage(state) && !HasEvictedLineage(process)) {
    return CheckMovedTasks(oracle, state, process);
  }
  const ReferenceCounterStats stats = process.counter->GetStats();
  const size_t tasks = stats.lineage_tasks - stats.lineage_tasks_away;
  const std::string details =
      NameOf(process) + ": " + std::to_string(tasks) + ", not " + std::to_string(kept);
  const bool evicts = HasEvictedLineage(process);
  oracle->Expect(evicts ? tasks <= kept : tasks == kept, "other tasks are kept than must be",
                 details);
  oracle->Expect(!evicts || stats.lineage_bytes <= state.options.lineage_bytes,
                 "more lineage is kept than there is room for", NameOf(process));
}

}  // namespace

void LookAtLineageAtRest(Oracle* oracle, const State& state) {
  const bool moved = HasMovedLineage(state);
  for (const auto& process : state.processes) {
    if (!process->live()) continue;
    const std::set<int64_t> kept = KeptTasks(oracle, state, *process);
    CheckTasks(oracle, state, *process, kept.size());
    for (const auto& [number, object] : state.objects) {
      if (object.owner != process->end) continue;
      const bool in_scope = InScope(oracle, object);
      if (in_scope && IsForbidden(state, object)) {
        CheckRecovery(oracle, state, *process, object, true, Recovery::kNotRestartable);
        continue;
      }
      const Object& maker = MakerOf(state, object);
      if (kept.count(maker.number) == 0 || (moved && !in_scope)) continue;
      const bool needed =
          in_scope || std::any_of(kept.begin(), kept.end(), [&, of = number](int64_t other) {
            return state.objects.at(other).made_of == of;
          });
      // Otherwise its call is kept for the state that it made.
      CheckRecovery(oracle, state, *process, object, in_scope,
                    !needed              ? Recovery::kDeleted
                    : maker.retries == 0 ? Recovery::kNoRetries
                                         : Recovery::kPossible);
    }
  }
}

void CheckLineageEmpty(Oracle* oracle, const Process& process) {
  const ReferenceCounterStats stats = process.counter->GetStats();
  oracle->Expect(
      stats.lineage_tasks == 0 && stats.lineage_objects == 0 && stats.lineage_pieces == 0,
      "L6: lineage is left", NameOf(process));
}

}  // namespace freehold::testing::sim
