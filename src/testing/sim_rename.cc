#include "src/testing/sim_rename.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace freehold::testing::sim {

namespace {

// Calls `visit(place, &number)` for each place of the action, in order.
template <typename Visit>
void ForEachPlace(Action* action, Visit visit) {
  size_t number = 0;
  for (const std::string_view word : Words(PatternOf(action->verb))) {
    if (IsPlace(word)) visit(word[0], &action->numbers[number++]);
  }
}

// The end that a place names; 0: it names none.
int64_t EndAt(char place, int64_t number) {
  if (place == 'P') return EndOfProcess(number);
  if (place == 'N') return EndOfNode(number);
  return place == 'E' ? number : 0;
}

bool StartsThere(const Action& action, int64_t end, const SimWorldOptions& options) {
  const bool from_the_beginning = end > 0 ? end <= options.processes : -end <= options.nodes;
  if (!from_the_beginning) return false;
  return (action.verb == Verb::kStart && action.numbers[0] == end) ||
         (action.verb == Verb::kRestart && action.numbers[1] == end);
}

}  // namespace

Scenario Renumbered(const Scenario& scenario) {
  Scenario renamed = scenario;
  std::map<std::pair<char, int64_t>, int64_t> names;
  std::map<char, int64_t> used;
  for (Action& action : renamed.actions) {
    ForEachPlace(&action, [&](char place, int64_t* number) {
      if (std::string_view("OTKCRFQSX").find(place) == std::string_view::npos) return;
      const auto [name, is_new] = names.emplace(std::pair(place, *number), 0);
      if (is_new) name->second = ++used[place];
      *number = name->second;
    });
  }
  return renamed;
}

std::set<int64_t> EndsIn(const Scenario& scenario) {
  std::set<int64_t> ends;
  for (Action action : scenario.actions) {
    ForEachPlace(&action, [&](char place, const int64_t* number) {
      if (const int64_t end = EndAt(place, *number); end != 0) ends.insert(end);
    });
  }
  return ends;
}

Scenario WithEndRenamed(const Scenario& scenario, int64_t from, int64_t to) {
  Scenario renamed = scenario;
  for (Action& action : renamed.actions) {
    ForEachPlace(&action, [&](char place, int64_t* number) {
      if (EndAt(place, *number) == from) *number = place == 'N' ? -to : to;
      auto set = static_cast<uint64_t>(*number);
      if (place != 'M' || (set & PlaceOf(from)) == 0) return;
      set = (set & ~PlaceOf(from)) | PlaceOf(to);
      *number = static_cast<int64_t>(set);
    });
  }
  std::vector<Action>& actions = renamed.actions;
  actions.erase(std::remove_if(
                    actions.begin(), actions.end(),
                    [&](const Action& action) { return StartsThere(action, to, renamed.options); }),
                actions.end());
  return renamed;
}

}  // namespace freehold::testing::sim
