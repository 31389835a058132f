#include "src/testing/sim_replay.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "freehold/stateful.h"
#include "src/testing/sim_lineage.h"
#include "src/testing/sim_lineage_moved.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_stateful.h"

namespace freehold::testing::sim {

namespace {

bool Runs(const SimStateful& stateful) { return !stateful.ended && stateful.restartable; }

// From that state on, back to one that can be had: what must be said.
void GoBack(const State& state, const SimStateful& stateful, uint64_t number, Replay* replay) {
  for (; number > 0 && stateful.checkpoints.count(number) == 0; --number) {
    const Object& made = state.objects.at(stateful.calls[number - 1]);
    if (made.retries == 0) {
      *replay = {Recovery::kNoRetries, number, {}};
      return;
    }
    replay->calls.insert(replay->calls.begin(), TaskIdOf(made.number));
  }
  replay->state = number;
}

// Of one that is in scope.
Replay ExpectedOf(const State& state, const Object& object) {
  Replay replay;
  const uint32_t retries = MakerOf(state, object).retries;
  if (!object.recorded || (object.stateful == 0 && retries > 0)) {
    replay.recovery = Recovery::kPut;
  } else if (IsForbidden(state, object)) {
    replay.recovery = Recovery::kNotRestartable;
  } else if (retries == 0) {
    replay.recovery = Recovery::kNoRetries;
  } else {
    replay.calls = {TaskIdOf(object.number)};
    GoBack(state, state.statefuls.at(object.stateful), object.state - 1, &replay);
  }
  return replay;
}

std::string TextOf(const Replay& replay) {
  return std::string(RecoveryName(replay.recovery)) + ", from " + std::to_string(replay.state) +
         ", calls " + std::to_string(replay.calls.size());
}

bool AreSame(const Replay& one, const Replay& other) {
  return one.recovery == other.recovery && one.state == other.state && one.calls == other.calls;
}

// Which calls were let go of for want of room is not known. Nobody goes back further than must be.
bool MayBeSaid(const Process& process, const Replay& said, const Replay& expected) {
  if (AreSame(said, expected)) return true;
  return HasEvictedLineage(process) && said.recovery == Recovery::kEvicted && said.calls.empty() &&
         (said.state == 0 || said.state > expected.state ||
          expected.recovery == Recovery::kNoRetries);
}

void Cover(State* state, const Replay& replay) {
  state->coverage.Count(std::string("replay: ") + RecoveryName(replay.recovery));
  if (replay.recovery != Recovery::kPossible) return;
  state->coverage.Count(replay.calls.empty()       ? "replay: nothing is to be run"
                        : replay.calls.size() == 1 ? "replay: one call"
                                                   : "replay: several calls");
  if (replay.state > 0) state->coverage.Count("replay: from a checkpoint");
}

// Whose calls are let go of in pieces says so when they have been: `at_rest`.
void CheckReplay(Oracle* oracle, State* state, const Process& process, const Object& object,
                 bool at_rest) {
  // It may have been yielded when its task had been let go of, and is no return of it.
  if ((object.yielded_by != 0 && HasEvictedLineage(process)) || object.let_go) return;
  const auto replay = StatefulTasks(*process.counter).ReplayTo(object.id);
  const std::string details =
      NameOf(object) + ": " + (replay.ok() ? TextOf(*replay) : replay.status().ToString());
  const bool evicted =
      replay.ok() && replay->recovery == Recovery::kEvicted && HasEvictedLineage(process);
  const bool can_be_made = object.recorded && MakerOf(*state, object).retries > 0;
  if (can_be_made && object.stateful == 0 && !evicted) {
    state->coverage.Count("replay: of what has no state");
    return oracle->Expect(absl::IsFailedPrecondition(replay.status()),
                          "a replay to what has no state", details);
  }
  if (!replay.ok()) return oracle->Violate("a replay is not answered", details);
  if (IsForbidden(*state, object) && !at_rest) return;
  Cover(state, *replay);
  const Replay expected = ExpectedOf(*state, object);
  oracle->Expect(MayBeSaid(process, *replay, expected), "a replay is answered wrongly",
                 details + "; not " + TextOf(expected));
}

void CheckReplayToLatest(Oracle* oracle, State* state, const Process& process, int64_t number) {
  const SimStateful& stateful = state->statefuls.at(number);
  const auto replay = StatefulTasks(*process.counter).ReplayToLatest(TaskIdOf(number));
  const std::string details =
      Format("X", {number}) + ": " + (replay.ok() ? TextOf(*replay) : replay.status().ToString());
  if (!Runs(stateful)) {
    state->coverage.Count(stateful.ended ? "replay to the latest state: it has ended"
                                         : "replay to the latest state: not restartable");
    const bool may_be_unknown = stateful.ended && absl::IsNotFound(replay.status());
    return oracle->Expect(may_be_unknown || absl::IsFailedPrecondition(replay.status()),
                          "a replay to a state that nobody needs", details);
  }
  if (!replay.ok()) return oracle->Violate("a replay is not answered", details);
  Cover(state, *replay);
  Replay expected;
  GoBack(*state, stateful, stateful.calls.size(), &expected);
  oracle->Expect(MayBeSaid(process, *replay, expected), "a replay is answered wrongly",
                 details + "; not " + TextOf(expected));
}

// What is kept of a task: states that are used or whose calls are kept, and those of them that can
// be had and are used.
void CheckStatus(Oracle* oracle, const State& state, const Process& process, int64_t number,
                 const std::set<int64_t>& kept) {
  const SimStateful& stateful = state.statefuls.at(number);
  uint64_t states = 0;
  std::vector<uint64_t> checkpoints;
  for (uint64_t at = 1; at <= stateful.calls.size(); ++at) {
    const bool is_latest = at == stateful.calls.size();
    const int64_t next = is_latest ? 0 : stateful.calls[at];
    const bool used = is_latest ? Runs(stateful)
                                : kept.count(next) > 0 && state.objects.at(next).retries_given > 0;
    if (used || kept.count(stateful.calls[at - 1]) > 0) ++states;
    if (used && stateful.checkpoints.count(at) > 0) checkpoints.push_back(at);
  }
  const auto status = StatefulTasks(*process.counter).GetStatus(TaskIdOf(number));
  const std::string name = Format("X", {number});
  if (!status.ok()) {
    return oracle->Expect(absl::IsNotFound(status.status()) && stateful.ended &&
                              (states == 0 || HasEvictedLineage(process)),
                          "a stateful task is unknown", name + ", " + status.status().ToString());
  }
  const bool lent = std::any_of(stateful.calls.begin(), stateful.calls.end(), [&](int64_t call) {
    return IsNeededElsewhere(oracle, state, call);
  });
  oracle->Expect(!stateful.ended || states > 0 || lent, "a stateful task that is over is kept",
                 name);
  oracle->Expect(status->latest == stateful.calls.size() && status->ended == stateful.ended &&
                     status->restartable == stateful.restartable,
                 "a stateful task is known otherwise", name);
  if (HasEvictedLineage(process)) return;
  if (lent && status->states > states) return;
  oracle->Expect(status->states == states, "other states are kept than must be",
                 name + ": " + std::to_string(status->states) + ", not " + std::to_string(states));
  oracle->Expect(status->checkpoints == checkpoints, "other checkpoints are needed than must be",
                 name + ": " + std::to_string(status->checkpoints.size()) + ", not " +
                     std::to_string(checkpoints.size()));
}

// What was not recorded here may be a return of a generator's task.
bool CanBeAsked(const Oracle& oracle, const Process& process, const Object& object) {
  return object.owner == process.end && object.declarer == 0 && !object.ended &&
         oracle.Held(object);
}

}  // namespace

bool AskReplay(Oracle* oracle, State* state, Process* process, const Object& object) {
  if (!CanBeAsked(*oracle, *process, object)) return false;
  CheckReplay(oracle, state, *process, object, /*at_rest=*/false);
  return true;
}

bool AskReplayToLatest(Oracle* oracle, State* state, Process* process, int64_t stateful) {
  const auto found = state->statefuls.find(stateful);
  if (found == state->statefuls.end() || found->second.process != process->end) return false;
  CheckReplayToLatest(oracle, state, *process, stateful);
  return true;
}

void LookAtReplaysAtRest(Oracle* oracle, State* state) {
  for (const auto& [number, object] : state->objects) {
    const Process& owner = state->OwnerOf(object);
    if (object.stateful == 0 || !owner.live() || !CanBeAsked(*oracle, owner, object)) continue;
    CheckReplay(oracle, state, owner, object, /*at_rest=*/true);
  }
  for (const auto& process : state->processes) {
    if (!process->live()) continue;
    const std::set<int64_t> kept = KeptTasks(oracle, *state, *process);
    for (const auto& [number, stateful] : state->statefuls) {
      if (stateful.process != process->end) continue;
      CheckReplayToLatest(oracle, state, *process, number);
      CheckStatus(oracle, *state, *process, number, kept);
    }
  }
}

bool IsReplayed(const State& state, const Object& object, uint64_t calls, uint64_t from) {
  const auto replay = StatefulTasks(*state.OwnerOf(object).counter).ReplayTo(object.id);
  return replay.ok() && object.stateful != 0 && AreSame(*replay, ExpectedOf(state, object)) &&
         replay->recovery == Recovery::kPossible && replay->calls.size() == calls &&
         replay->state == from;
}

}  // namespace freehold::testing::sim
