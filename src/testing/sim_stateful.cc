#include "src/testing/sim_stateful.h"

#include <algorithm>
#include <string>
#include <utility>

#include "freehold/stateful.h"
#include "src/testing/sim_lineage.h"
#include "src/testing/sim_oracle.h"

namespace freehold::testing::sim {

namespace {

const SimStateful* StatefulOf(const State& state, const Object& object) {
  const auto found = state.statefuls.find(object.stateful);
  return found == state.statefuls.end() ? nullptr : &found->second;
}

// Few calls may run once more only, or not at all.
uint32_t RetriesOf(int64_t number) {
  return number % 16 == 15 ? 0 : number % 16 == 7 ? 1 : kRetriesUnlimited;
}

bool Open(Oracle* oracle, State* state, Process* process, int64_t number, bool restartable) {
  if (number <= 0 || state->statefuls.count(number) > 0) return false;
  SimStateful& stateful = state->statefuls[number];
  stateful.process = process->end;
  stateful.restartable = restartable;
  const absl::Status status = StatefulTasks(*process->counter).Open(TaskIdOf(number), restartable);
  oracle->Expect(status.ok(), "a stateful task is not opened", status.ToString());
  return true;
}

// Calls and what they take are made in the order of their numbers.
bool Call(Oracle* oracle, State* state, Process* process, const Action& action) {
  const Numbers& n = action.numbers;
  SimStateful& stateful = state->statefuls.at(n[1]);
  Object* object = state->object(n[2]);
  Object* argument = action.verb == Verb::kCallOf ? state->object(n[3]) : nullptr;
  if (object == nullptr || (action.verb == Verb::kCallOf && argument == nullptr)) return false;
  if (stateful.ended || object->owner != process->end || object->recorded || object->was_argument ||
      object->ended || !oracle->Held(*object)) {
    return false;
  }
  if (object->persists > 0) return false;  // see ActPersist
  if (!stateful.calls.empty() && stateful.calls.back() >= object->number) return false;
  LineageTask task;
  task.id = TaskIdOf(object->number);
  task.returns = {object->id};
  task.retries = RetriesOf(object->number);
  task.spec_bytes = SpecBytesOf(object->number);
  if (argument != nullptr) {
    if (argument->owner != process->end || argument->number >= object->number || argument->ended ||
        !oracle->Held(*argument)) {
      return false;
    }
    task.arguments = {argument->id};
    argument->was_argument = true;
  }
  const auto made = StatefulTasks(*process->counter).Record(TaskIdOf(n[1]), task);
  stateful.calls.push_back(object->number);
  state->coverage.Count(argument == nullptr ? "a call" : "a call with an argument");
  oracle->Expect(made.ok() && *made == stateful.calls.size(), "a call is not recorded",
                 NameOf(*object) + ", " + made.status().ToString());
  object->recorded = true;
  object->retries = object->retries_given = task.retries;
  object->stateful = n[1];
  object->state = stateful.calls.size();
  if (argument != nullptr && stateful.restartable && task.retries > 0)
    object->made_of = argument->number;
  return true;
}

// The latest state is, while its task runs; the others are by the next call, if that is kept.
bool IsSurelyUsed(Oracle* oracle, const State& state, const Process& process,
                  const SimStateful& stateful, uint64_t number) {
  if (number == stateful.calls.size()) return !stateful.ended;
  const int64_t next = stateful.calls[number];
  return state.objects.at(next).retries_given > 0 && !HasEvictedLineage(process) &&
         KeptTasks(oracle, state, process).count(next) > 0;
}

bool Checkpointed(Oracle* oracle, State* state, Process* process, const Numbers& n) {
  SimStateful& stateful = state->statefuls.at(n[1]);
  const auto number = static_cast<uint64_t>(n[2]);
  const absl::Status status = StatefulTasks(*process->counter).Checkpointed(TaskIdOf(n[1]), number);
  const bool may = stateful.restartable && number > 0 && number <= stateful.calls.size();
  const bool must = may && IsSurelyUsed(oracle, *state, *process, stateful, number);
  oracle->Expect(status.ok() ? may : !must, "a checkpoint is answered wrongly",
                 ActionText({Verb::kCheckpoint, n}) + ", " + status.ToString());
  state->coverage.Count(status.ok()                ? "a checkpoint is made"
                        : absl::IsNotFound(status) ? "a checkpoint that nobody needs"
                                                   : "a checkpoint that is refused");
  if (status.ok()) stateful.checkpoints.insert(number);
  return true;
}

}  // namespace

TaskId TaskIdOf(int64_t number) { return TaskId::FromNumber(static_cast<uint64_t>(number)); }

bool ActStateful(Oracle* oracle, State* state, const Action& action, Process* process) {
  const Numbers& n = action.numbers;
  if (action.verb == Verb::kOpenStateful || action.verb == Verb::kOpenFragile) {
    return Open(oracle, state, process, n[1], action.verb == Verb::kOpenStateful);
  }
  const auto found = state->statefuls.find(n[1]);
  if (found == state->statefuls.end() || found->second.process != process->end) return false;
  SimStateful& stateful = found->second;
  if (action.verb == Verb::kCall || action.verb == Verb::kCallOf) {
    return Call(oracle, state, process, action);
  }
  if (action.verb == Verb::kCheckpoint) return Checkpointed(oracle, state, process, n);
  if (stateful.ended && action.verb == Verb::kEndStateful) return false;
  StatefulTasks tasks(*process->counter);
  if (action.verb == Verb::kForbid) {
    for (const int64_t call : stateful.calls) state->object(call)->made_of = 0;
    stateful.restartable = false;
    state->coverage.Count("a stateful task is not restartable any more");
    const absl::Status status = tasks.NotRestartable(TaskIdOf(n[1]));
    // One that has ended may be forgotten.
    oracle->Expect(status.ok() || (stateful.ended && absl::IsNotFound(status)),
                   "NotRestartable is refused", status.ToString());
    return true;
  }
  stateful.ended = true;
  state->coverage.Count(stateful.restartable ? "a stateful task ends"
                                             : "a stateful task ends that is not restartable");
  const absl::Status status = tasks.End(TaskIdOf(n[1]));
  oracle->Expect(status.ok(), "a stateful task is not ended", status.ToString());
  return true;
}

bool IsForbidden(const State& state, const Object& object) {
  const SimStateful* stateful = StatefulOf(state, object);
  return stateful != nullptr && !stateful->restartable;
}

bool MadeLatest(const State& state, const Object& object) {
  const SimStateful* stateful = StatefulOf(state, object);
  return stateful != nullptr && !stateful->ended && stateful->restartable &&
         object.state == stateful->calls.size() && stateful->checkpoints.count(object.state) == 0;
}

int64_t CallBefore(const State& state, const Object& object) {
  const SimStateful* stateful = StatefulOf(state, object);
  // One that was never to run again keeps nothing.
  if (stateful == nullptr || object.state <= 1 || object.retries_given == 0) return 0;
  const uint64_t before = object.state - 1;
  return stateful->checkpoints.count(before) > 0 ? 0 : stateful->calls[before - 1];
}

void EndStatefuls(Oracle* oracle, State* state) {
  for (auto& [number, stateful] : state->statefuls) {
    Process* process = state->process(stateful.process);
    if (stateful.ended || !process->usable()) continue;
    (void)ActStateful(oracle, state, {Verb::kEndStateful, {process->end, number}}, process);
  }
}

}  // namespace freehold::testing::sim
