// Cutting a failing scenario short.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "freehold/testing/sim_world.h"
#include "src/testing/sim_actor.h"
#include "src/testing/sim_oracle.h"
#include "src/testing/sim_rename.h"
#include "src/testing/sim_scenario.h"
#include "src/testing/sim_state.h"

namespace freehold::testing {

namespace {

using sim::Action;
using sim::Scenario;

// What a violation says before its details.
std::string KindOf(const std::string& violation) {
  // "S4: a live value is freed: p1 frees ...": the invariant's name has a colon of its own.
  const size_t first = violation.find(": ");
  if (first == std::string::npos) return violation;
  const bool named = first <= 8 && (violation[0] == 'S' || violation[0] == 'L');
  return violation.substr(0, named ? violation.find(": ", first + 2) : first);
}

class Shrinker {
 public:
  Shrinker(Scenario scenario, int runs_max) : best_(std::move(scenario)), runs_(runs_max) {}

  Scenario Shrink() {
    size_t used = 0;
    kind_ = KindOf(Violation(best_, &used));
    if (kind_.empty()) return best_;
    best_.actions.resize(std::min(used, best_.actions.size()));
    size_t before = 0;
    do {
      before = best_.actions.size();
      Calm();
      for (size_t chunk = best_.actions.size() / 2; chunk > 0; chunk /= 2) Cut(chunk);
      Simplify();
    } while (best_.actions.size() < before && runs_ > 0);
    return best_;
  }

 private:
  // The violation of the scenario, and how many actions it took.
  static std::string Violation(const Scenario& scenario, size_t* used) {
    sim::State state(scenario.options);
    sim::Oracle oracle(&state);
    sim::Actor actor(&state, &oracle);
    for (const Action& action : scenario.actions) {
      ++*used;
      (void)actor.Act(action);
      if (!state.violation.empty()) break;
      oracle.Look();
      if (!state.violation.empty()) break;
    }
    return state.violation;
  }

  // Keeps the scenario if it still fails in the same way.
  bool Try(Scenario scenario) {
    if (runs_ <= 0) return false;
    --runs_;
    size_t used = 0;
    if (KindOf(Violation(scenario, &used)) != kind_) return false;
    scenario.actions.resize(used);
    best_ = std::move(scenario);
    return true;
  }

  // A network without faults, one fault after the other; hosts of the usual kind; no digests;
  // room for lineage.
  void Calm() {
    for (int fault = 0; fault < 11; ++fault) {
      Scenario calmer = best_;
      SimNetworkOptions& network = calmer.options.network;
      if (fault == 0) network = SimNetworkOptions{Duration(0), Duration(0)};
      if (fault == 1) network.corruption = 0;
      if (fault == 2) network.reordering = 0;
      if (fault == 3) network.duplication = 0;
      if (fault == 4) network.loss = 0;
      if (fault == 5) network.delay_max = network.delay_min;
      if (fault == 6) calmer.options.sealed_tokens = false;
      if (fault == 7) calmer.options.token_life = Duration(0);
      if (fault == 8) calmer.options.orphan_grace = Duration(0);
      if (fault == 9) calmer.options.digest_interval = Duration(0);
      if (fault == 10) calmer.options.lineage_bytes = 0;
      if (sim::HeaderText(calmer.options) != sim::HeaderText(best_.options)) {
        (void)Try(std::move(calmer));
      }
    }
  }

  void Cut(size_t chunk) {
    for (size_t end = best_.actions.size(); end > 0 && runs_ > 0;) {
      const size_t begin = end > chunk ? end - chunk : 0;
      Scenario shorter = best_;
      shorter.actions.erase(shorter.actions.begin() + static_cast<ptrdiff_t>(begin),
                            shorter.actions.begin() + static_cast<ptrdiff_t>(end));
      (void)Try(std::move(shorter));
      end = std::min(begin, best_.actions.size());
    }
  }

  // Each action does less, if that is enough.
  void Simplify() {
    for (size_t i = 0; i < best_.actions.size() && runs_ > 0; ++i) {
      const sim::Action action = best_.actions[i];
      if (action.verb == sim::Verb::kTick) {
        SimplifyTick(i);
      } else if (action.verb == sim::Verb::kDeclareOn || action.verb == sim::Verb::kDeclareWith) {
        TryAction(i, {sim::Verb::kDeclare, {action.numbers[0], action.numbers[1]}});
      } else if (action.verb == sim::Verb::kRestart) {
        TryAction(i, {sim::Verb::kStart, {action.numbers[1]}});
      } else if (action.verb == sim::Verb::kSubmitTwo) {
        const sim::Numbers& n = action.numbers;
        TryAction(i, {sim::Verb::kSubmit, {n[0], n[1], n[2]}});
      }
    }
    Rename();
  }

  void TryAction(size_t index, const sim::Action& action) {
    Scenario simpler = best_;
    simpler.actions[index] = action;
    (void)Try(std::move(simpler));
  }

  // No time, nobody; then fewer of them.
  void SimplifyTick(size_t index) {
    uint64_t there = 0;
    for (const int64_t end : sim::EndsIn(best_)) there |= sim::PlaceOf(end);
    for (int64_t i = 1; i <= best_.options.processes; ++i) there |= sim::PlaceOf(i);
    for (int64_t i = 1; i <= best_.options.nodes; ++i) there |= sim::PlaceOf(-i);
    sim::Action known = best_.actions[index];
    for (size_t number = 1; number < sim::kNumbers; ++number) {
      const auto set = static_cast<uint64_t>(known.numbers[number]);
      known.numbers[number] = static_cast<int64_t>(set & there);
    }
    TryAction(index, known);
    for (size_t number = 0; number < sim::kNumbers; ++number) {
      for (uint64_t keep = 0;;) {
        if (index >= best_.actions.size()) return;
        sim::Action action = best_.actions[index];
        const auto now = static_cast<uint64_t>(action.numbers[number]);
        if ((now & ~keep) == 0) break;
        // At first all that is not known to be needed, then bit by bit.
        const uint64_t without = keep == 0 && number == 0 ? now : (now & ~keep) & -(now & ~keep);
        action.numbers[number] = static_cast<int64_t>(now & ~without);
        Scenario simpler = best_;
        simpler.actions[index] = action;
        if (!Try(std::move(simpler))) keep |= without;
        if (number == 0) break;
      }
    }
  }

  // Short names, and no ends that nobody needs.
  void Rename() {
    const auto fewer = [this](int SimWorldOptions::*count) {
      while (best_.options.*count > 1 && runs_ > 0) {
        Scenario smaller = best_;
        --(smaller.options.*count);
        if (!Try(std::move(smaller))) return;
      }
    };
    for (const int64_t end : sim::EndsIn(best_)) {
      const int64_t step = end > 0 ? 1 : -1;
      for (int64_t other = step; other != end; other += step) {
        if (sim::EndsIn(best_).count(other) > 0) continue;
        if (Try(sim::WithEndRenamed(best_, end, other))) break;
      }
    }
    fewer(&SimWorldOptions::processes);
    fewer(&SimWorldOptions::nodes);
    (void)Try(sim::Renumbered(best_));
  }

  Scenario best_;
  std::string kind_;
  int runs_;
};

}  // namespace

std::string ShrinkSimScenario(std::string_view text, int runs_max) {
  absl::StatusOr<Scenario> scenario = sim::ParseScenario(text);
  if (!scenario.ok()) return std::string(text);
  return sim::ScenarioText(Shrinker(*std::move(scenario), runs_max).Shrink());
}

}  // namespace freehold::testing
