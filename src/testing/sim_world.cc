#include "freehold/testing/sim_world.h"

#include <optional>
#include <utility>
#include <vector>

#include "src/testing/sim_actor.h"
#include "src/testing/sim_generator.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_scenario.h"
#include "src/testing/sim_state.h"

namespace freehold::testing {

using sim::Action;

struct SimWorld::Rep {
  explicit Rep(const SimWorldOptions& options)
      : state(options), oracle(&state), actor(&state, &oracle) {}

  // False: it was skipped.
  bool Do(const Action& action) {
    const bool done = actor.Act(action);
    const bool time = sim::IsTime(action.verb);
    totals.steps += time ? 0 : 1;
    totals.skipped += done ? 0 : 1;
    if (!done) return false;
    script.push_back(action);
    ++lines;
    const int every = state.options.check_every;
    if (every > 0 && lines % static_cast<uint64_t>(every) == 0 && state.violation.empty()) {
      oracle.Look();
    }
    return true;
  }

  sim::State state;
  sim::Oracle oracle;
  sim::Actor actor;
  std::optional<sim::Generator> generator;
  std::vector<Action> script;
  uint64_t lines = 0;
  SimTotals totals;
};

SimWorld::SimWorld(const SimWorldOptions& options) : rep_(std::make_unique<Rep>(options)) {}
SimWorld::~SimWorld() = default;

absl::Status SimWorld::Run(std::string_view lines) {
  int number = 0;
  while (!lines.empty() && violation().empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    ++number;
    if (sim::Words(line).empty()) continue;
    const std::optional<Action> action = sim::ParseAction(line);
    if (!action.has_value()) {
      return absl::InvalidArgumentError("line " + std::to_string(number) +
                                        " says nothing that SimWorld knows: " + std::string(line));
    }
    (void)rep_->Do(*action);
  }
  return absl::OkStatus();
}

void SimWorld::RunRandom(int steps) {
  // A world in which nothing makes sense any more would go on for ever.
  constexpr int kAttempts = 20;
  Rep& rep = *rep_;
  if (!rep.generator.has_value()) {
    rep.generator.emplace(&rep.state, rep.state.options.seed * 0x9e3779b97f4a7c15u + 1);
  }
  int attempts = steps * kAttempts;
  const bool wants_crash = rep.generator->crashes() && steps > 0;
  for (int done = 0; done < steps && attempts > 0 && violation().empty(); --attempts) {
    const bool due = wants_crash && rep.state.crashes == 0 && done * 2 > steps;
    const Action action = due ? rep.generator->Crash() : rep.generator->Next();
    if (!rep.Do(action)) {
      rep.totals.steps -= sim::IsTime(action.verb) ? 0 : 1;
      --rep.totals.skipped;
      continue;
    }
    if (sim::IsTime(action.verb)) continue;
    ++done;
    if (violation().empty()) (void)rep.Do(rep.generator->Tick());
  }
}

const std::string& SimWorld::violation() const { return rep_->state.violation; }

// --- For a host's own code -----------------------------------------------------------------------

ReferenceCounter* SimWorld::process(int number) {
  const sim::Process* process = rep_->state.process(number);
  return process == nullptr ? nullptr : process->counter.get();
}

NodeAgent* SimWorld::node(int number) {
  const sim::Node* node = rep_->state.node(number);
  return node == nullptr ? nullptr : node->agent.get();
}

ProcessId SimWorld::process_id(int number) const {
  const sim::Process* process = rep_->state.process(number);
  return process == nullptr ? ProcessId() : process->id;
}

NodeId SimWorld::node_id(int number) const {
  const sim::Node* node = rep_->state.node(number);
  return node == nullptr ? NodeId() : node->id;
}

ObjectId SimWorld::object_id(int number) {
  return ObjectId::FromNumber(static_cast<uint64_t>(number));
}

absl::Status SimWorld::Store(int node, const NodeCopy& copy) {
  sim::Node* at = rep_->state.node(node);
  if (at == nullptr || at->crashed) return absl::NotFoundError("there is no such node");
  return sim::Actor::StoreAt(at, copy);
}

bool SimWorld::HasCopy(int node, const ObjectId& object) const {
  const sim::Node* at = rep_->state.node(node);
  return at != nullptr && at->store.Newest(object) != nullptr;
}

Time SimWorld::Now() const { return rep_->state.clock.Now(); }

bool SimWorld::Settle(Duration bound) { return rep_->actor.Settle(bound); }

// --- What happened -------------------------------------------------------------------------------

std::string SimWorld::Scenario() const {
  std::string text = sim::HeaderText(rep_->state.options);
  for (const Action& action : rep_->script) text += sim::ActionText(action) + "\n";
  return text;
}

std::string SimWorld::Trace(size_t lines) const { return rep_->state.trace.Tail(lines); }

uint64_t SimWorld::trace_hash() const { return rep_->state.trace.hash(); }

SimTotals SimWorld::totals() const {
  SimTotals totals = rep_->totals;
  const sim::Network::Counts& counts = rep_->state.network.counts();
  totals.crashes = rep_->state.crashes;
  totals.drops = counts.lost + counts.corrupted + counts.partitioned;
  totals.duplicates = counts.duplicated;
  totals.partitions = rep_->state.partitions;
  return totals;
}

const std::map<std::string, uint64_t, std::less<>>& SimWorld::coverage() const {
  return rep_->state.coverage.counts();
}

}  // namespace freehold::testing
