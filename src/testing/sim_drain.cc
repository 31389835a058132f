#include "src/testing/sim_drain.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "freehold/error_reason.h"
#include "freehold/idle_policy.h"
#include "src/testing/sim_creation.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_scopes.h"
#include "src/testing/sim_transfers.h"

namespace freehold::testing::sim {

namespace {

constexpr Duration kAskAgain = std::chrono::milliseconds(50);
constexpr uint32_t kAsksMost = 20;
constexpr Duration kIdleThreshold = std::chrono::milliseconds(30);

bool OwnsNow(const Process& process, const Object& object) {
  return object.owner == process.end && !object.ended;
}

bool RunsTask(const State& state, const Process& process) {
  return std::any_of(state.tasks.begin(), state.tasks.end(),
                     [&](const auto& task) { return task.second.process == process.end; });
}

// Somebody stays, for whom it could be wrong.
bool MayGo(const State& state, const Process& process) {
  return process.usable() && process.excluded_by == 0 && !state.finishing &&
         std::any_of(state.processes.begin(), state.processes.end(), [&](const auto& other) {
           return other.get() != &process && other->live() && !other->drain.on;
         });
}

// We can follow whatever it owns to another owner.
bool MayGiveAll(const State& state, const Process& process, int64_t to) {
  return std::all_of(state.objects.begin(), state.objects.end(), [&](const auto& each) {
    const Object& object = each.second;
    // What has ended is only to be let go of, there or by an heir.
    if (object.ended) return !Owns(process, object) || !process.counter->InScope(object.id);
    return object.owner != process.end ||
           (MayBeTransferred(state, object) && object.heirs.count(to) == 0);
  });
}

// It asks nobody, so that what it says of each object may be told of none; but others may hear that
// the next owner, which has died, was to have it.
void NoteGiven(Oracle* oracle, State* state, const Process& process, int64_t to) {
  for (auto& [number, object] : state->objects) {
    LookAtDeclaration(oracle, state, &object);
    const bool is_here = object.declarer == 0 || process.counter->InScope(object.id);
    if (!OwnsNow(process, object) || !is_here) continue;
    if (!object.heirs.empty()) ++object.heirs_asked;  // they are dismissed
    NoteGivenAway(oracle, state, &object);
    NotMovable(state, number);
    object.drained = true;
    const auto same = [&, at = number](const auto& each) {
      const SimTransfer& transfer = each.second;
      return transfer.object == at && transfer.from == process.end && transfer.to == to;
    };
    if (std::any_of(state->transfers.begin(), state->transfers.end(), same)) continue;
    SimTransfer& transfer = state->transfers[static_cast<int64_t>(state->transfers.size()) + 1];
    transfer.object = number;
    transfer.from = process.end;
    transfer.to = to;
    transfer.told = 1;
  }
}

uint64_t CountLeft(const ExitReadiness& left) {
  return left.owned_in_scope + left.borrowed + left.handoffs + left.acknowledgements +
         left.frees_unanswered + left.scope_members + left.transfers;
}

// A step of the library's drain, which waits for nothing.
void Ask(Oracle* oracle, State* state, Process* process) {
  SimDrain& drain = process->drain;
  SeeOwners(oracle, state);
  DrainOptions options;
  options.timeout = Duration::zero();
  if (drain.to != 0 && MayGiveAll(*state, *process, drain.to)) {
    options.next_owner = state->process(drain.to)->id;
    NoteGiven(oracle, state, *process, drain.to);
  }
  drain.report = process->counter->Drain(options);
  drain.again = SaturatingAdd(state->clock.Now(), kAskAgain);
  const uint64_t left = CountLeft(drain.report.left);
  if (left < drain.least_left) AskAgain(&drain);
  drain.least_left = std::min(drain.least_left, left);
}

void Begin(Oracle* oracle, State* state, Process* process, int64_t to) {
  SimDrain& drain = process->drain;
  if (drain.on) state->coverage.Count("process drain: asked for again");
  drain.on = true;
  drain.to = to;
  drain.gives = drain.gives || to != 0;
  drain.least_left = UINT64_MAX;
  ++drain.number;
  Ask(oracle, state, process);
}

// Of others, which wait for copies that are kept by readers, or that a store fails to delete:
// nobody would wait for that, and who watches is told that the owner has gone.
uint64_t CountWatchesOfEnded(const Oracle& oracle, const State& state, const Process& process) {
  const auto watches = [&](const auto& each) {
    const Registration& registration = each.second;
    const Object& object = state.objects.at(registration.object);
    return registration.process != process.end && object.owner == process.end &&
           !oracle.Held(object);
  };
  return static_cast<uint64_t>(
      std::count_if(state.registrations.begin(), state.registrations.end(), watches));
}

// Against what is true; the library has said that it can exit.
void CheckMayExit(Oracle* oracle, State* state, const Process& process) {
  SeeOwners(oracle, state);
  for (auto& [number, object] : state->objects) {
    const Process& owner = state->OwnerOf(object);
    if (object.ended || !owner.live() || object.declarer != 0 || object.late) continue;
    const auto mine = object.holdings.find(process.end);
    const bool holds = mine != object.holdings.end() && mine->second.held() && !mine->second.failed;
    oracle->Expect(!holds, "D1: a process may exit that holds a reference",
                   NameOf(object) + " at " + NameOf(process));
    oracle->Expect(&owner != &process || !oracle->Held(object),
                   "D1: a process may exit that owns what is held",
                   NameOf(object) + " at " + NameOf(process));
  }
  for (const auto& [number, token] : state->tokens) {
    const Process& to = *state->process(token.to);
    const Object& object = state->objects.at(token.object);
    const bool is_good = token.from == process.end && state->IsUnderWay(token) && to.live() &&
                         !object.ended && state->OwnerOf(object).live();
    oracle->Expect(!is_good, "D1: a process may exit whose token is under way",
                   Format("T of O by P", {number, token.object, token.from}));
  }
  const ReferenceCounterStats stats = process.counter->GetStats();
  oracle->Expect(stats.files_without_agent == 0, "D1: a process may exit that has files to delete",
                 NameOf(process));
  oracle->Expect(
      stats.location_watches == 0 && stats.watches <= CountWatchesOfEnded(*oracle, *state, process),
      "D1: a process may exit and somebody waits for it to tell", NameOf(process));
}

// Pools would drain it; and only those whose objects we can follow.
WorkerState WorkerOf(const State& state, const Process& process, int64_t service) {
  WorkerState worker;
  worker.worker = static_cast<uint64_t>(process.end);
  worker.for_io = process.end == service;
  worker.idle = !RunsTask(state, process);
  worker.leaving = process.drain.on;
  worker.idle_since = process.idle_since;
  worker.owned_in_scope = process.counter->CanExit().owned_in_scope;
  worker.can_drain = MayGiveAll(state, process, service);
  return worker;
}

}  // namespace

// --- What hosts do -------------------------------------------------------------------------------

bool ActDrain(Oracle* oracle, State* state, const Action& action, Process* process) {
  SimDrain& drain = process->drain;
  if (action.verb == Verb::kGoOn) {
    if (!drain.on) return false;
    EndDrain(state, process);
    state->coverage.Count("process drain: called off");
    return true;
  }
  if (!MayGo(*state, *process)) return false;
  int64_t to = 0;
  if (action.verb == Verb::kDrainTo) {
    const Process* next = state->process(action.numbers[1]);
    if (next == nullptr || next == process || !MayGiveAll(*state, *process, next->end)) {
      return false;
    }
    to = next->end;
  }
  drain.by_policy = false;
  Begin(oracle, state, process, to);
  return true;
}

bool ActRetire(Oracle* oracle, State* state, const Numbers& n) {
  const Process* service = state->process(n[1]);
  if (service == nullptr || !service->live() || service->drain.on || n[0] <= 0) return false;
  IdleWorkerOptions options;
  options.soft_limit = static_cast<uint32_t>(n[0]);
  options.idle_threshold = kIdleThreshold;
  const absl::StatusOr<IdleWorkerPolicy> policy = IdleWorkerPolicy::Create(options, 1);
  oracle->Expect(policy.ok(), "a policy is refused", policy.status().ToString());
  std::vector<WorkerState> workers;
  for (const auto& process : state->processes) {
    if (process->usable() && process->live()) {
      workers.push_back(WorkerOf(*state, *process, service->end));
    }
  }
  bool any = false;
  for (const WorkerDecision& decision : policy->Decide(state->clock.Now(), workers)) {
    Process* process = state->process(static_cast<int64_t>(decision.worker));
    if (decision.reason == WorkerReason::kOwnsObjects) {
      state->coverage.Count("an idle worker stays: what it owns cannot be drained");
    }
    if (decision.action == WorkerAction::kKeep || !MayGo(*state, *process)) continue;
    any = true;
    // One that owns nothing may still borrow, or have something to send.
    process->drain.by_policy = true;
    Begin(oracle, state, process, decision.action == WorkerAction::kDrain ? service->end : 0);
    state->trace.Add("P is retired", {process->end});
    state->coverage.Count(decision.action == WorkerAction::kDrain
                              ? "an idle worker is retired: it owns objects"
                              : "an idle worker is retired: it owns none");
  }
  return any;
}

// One that gets no further is not asked for ever: a next owner that refuses is offered everything
// each time.
void AskAgain(SimDrain* drain) { drain->asks = kAsksMost; }

// --- While it drains -----------------------------------------------------------------------------

bool DeclaresItsOwn(Verb verb) {
  switch (verb) {
    case Verb::kDeclare:
    case Verb::kDeclareOn:
    case Verb::kDeclareWith:
    case Verb::kDeclareIn:
    case Verb::kDeclareOnIn:
    case Verb::kYield:
    case Verb::kYieldOn:
      return true;
    default:
      return false;
  }
}

bool IsRefusedDraining(Oracle* oracle, State* state, Process* process, const Action& action) {
  const int64_t number = action.numbers[1];
  const bool in_scope = action.verb == Verb::kDeclareIn || action.verb == Verb::kDeclareOnIn;
  const int64_t scope = !in_scope ? 0 : action.numbers[action.verb == Verb::kDeclareIn ? 2 : 3];
  if (action.verb == Verb::kYield || action.verb == Verb::kYieldOn || number <= 0 ||
      state->object(number) != nullptr || !TakesObjects(*state, *process, scope)) {
    return false;
  }
  DeclareOptions options;
  if (scope != 0) options.scope = ScopeIdOf(*state, scope);
  const absl::StatusOr<ObjectRef> made =
      process->counter->Declare(SimWorld::object_id(static_cast<int>(number)), options);
  state->coverage.Count("process drain: a declaration is refused");
  oracle->Expect(ReasonOf(made.status()) == ErrorReason::kDraining,
                 "a process that drains takes a new object",
                 NameOf(*process) + ", " + made.status().ToString());
  return true;
}

bool StepProcessDrain(Oracle* oracle, State* state, Process* process) {
  SimDrain& drain = process->drain;
  if (!drain.on || state->nested > 0) return false;
  const bool is_due = drain.asks > 0 && drain.again <= state->clock.Now();
  if (!is_due && !process->counter->CanExit().can_exit()) return false;
  if (drain.asks > 0) --drain.asks;
  Ask(oracle, state, process);
  // Of one that is excluded it says nothing.
  if (process->excluded_by != 0) {
    EndDrain(state, process);
    state->coverage.Count("process drain: it is excluded meanwhile");
    return false;
  }
  const bool has_callbacks = process->queue != nullptr && process->queue->size() > 0;
  if (!drain.report.complete() || has_callbacks) return false;
  oracle->Expect(drain.report.blockers.empty(), "a drain is complete, and something blocks it",
                 NameOf(*process));
  CheckMayExit(oracle, state, *process);
  state->trace.Add("P has drained", {process->end});
  state->coverage.Count(drain.gives ? "process drain: it gives to another one and leaves"
                                    : "process drain: it leaves");
  if (drain.by_policy) state->coverage.Count("an idle worker has left");
  drain.complete = true;
  return true;
}

void CheckLeaves(Oracle* oracle, const Process& process, const ShutdownReport& report) {
  if (!process.drain.complete) return;
  oracle->Expect(report.clean(), "D2: a process that has drained leaves something behind",
                 NameOf(process));
}

void EndDrain(State* state, Process* process) {
  SimDrain& drain = process->drain;
  if (!drain.on) return;
  if (process->crashed && !drain.complete)
    state->coverage.Count("process drain: it goes meanwhile");
  if (!process->crashed) process->counter->CancelDrain();
  drain.on = false;
  drain.to = 0;
}

void CheckDrainEnds(Oracle* oracle, const Process& process) {
  oracle->Expect(!process.drain.on, "D3: a drain does not end although nothing is in its way",
                 NameOf(process) + ", " + process.drain.report.left.ToString());
}

std::optional<bool> IsAsExpected(const State& state, const Action& action) {
  const Process* process = state.process(action.numbers[0]);
  if (process == nullptr) return std::nullopt;
  const SimDrain& drain = process->drain;
  if (action.verb == Verb::kExpectLeft) return drain.complete;
  if (action.verb == Verb::kExpectStays) return drain.on;
  const End* end = state.end(action.numbers[1]);
  if (end == nullptr) return std::nullopt;
  const std::vector<DrainBlocker>& blockers = drain.report.blockers;
  return drain.on && std::any_of(blockers.begin(), blockers.end(), [end](const DrainBlocker& each) {
           return each.peer == end->address;
         });
}

}  // namespace freehold::testing::sim
