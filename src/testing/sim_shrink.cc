// Cutting a failing scenario short.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "freehold/testing/sim_world.h"
#include "src/testing/sim_actor.h"
#include "src/testing/sim_oracle.h"
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
  if (first == violation.npos) return violation;
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

  // A network without faults, one fault after the other.
  void Calm() {
    for (int fault = 0; fault < 6; ++fault) {
      Scenario calmer = best_;
      SimNetworkOptions& network = calmer.options.network;
      if (fault == 0) network = SimNetworkOptions{Duration(0), Duration(0)};
      if (fault == 1) network.corruption = 0;
      if (fault == 2) network.reordering = 0;
      if (fault == 3) network.duplication = 0;
      if (fault == 4) network.loss = 0;
      if (fault == 5) network.delay_max = network.delay_min;
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

  // Ticks that do less; ends that nobody needs.
  void Simplify() {
    for (size_t i = 0; i < best_.actions.size() && runs_ > 0; ++i) {
      if (best_.actions[i].verb != sim::Verb::kTick) continue;
      for (size_t number = 0; number < sim::kNumbers; ++number) {
        if (i >= best_.actions.size() || best_.actions[i].numbers[number] == 0) continue;
        Scenario simpler = best_;
        simpler.actions[i].numbers[number] = 0;
        (void)Try(std::move(simpler));
      }
    }
    const auto fewer = [this](int SimWorldOptions::*count) {
      while (best_.options.*count > 1 && runs_ > 0) {
        Scenario smaller = best_;
        --(smaller.options.*count);
        if (!Try(std::move(smaller))) return;
      }
    };
    fewer(&SimWorldOptions::processes);
    fewer(&SimWorldOptions::nodes);
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
