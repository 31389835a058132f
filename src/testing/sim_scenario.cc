#include "src/testing/sim_scenario.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "src/base/random.h"

namespace freehold::testing {

namespace sim {

namespace {

constexpr const char* kWorld = "world seed I processes I nodes I check I";
constexpr const char* kDelay = "network delay D D held D";
constexpr const char* kFaults = "network loss I duplicate I reorder I garble I";
constexpr const char* kHosts = "hosts grace D token life D sealed I";
constexpr const char* kDigests = "digests every D";
constexpr const char* kLineage = "lineage bytes I";

bool ParseHeader(const std::vector<std::string_view>& words, SimWorldOptions* options) {
  Numbers n;
  if (Match(kWorld, words, &n)) {
    options->seed = static_cast<uint64_t>(n[0]);
    options->processes = static_cast<int>(std::min<int64_t>(n[1], 10'000));
    options->nodes = static_cast<int>(std::min<int64_t>(n[2], 10'000));
    options->check_every = static_cast<int>(std::min<int64_t>(n[3], 1'000'000));
    return true;
  }
  SimNetworkOptions& network = options->network;
  if (Match(kDelay, words, &n)) {
    network.delay_min = Duration(n[0]);
    network.delay_max = Duration(n[1]);
    network.hold_back_max = Duration(n[2]);
    return true;
  }
  if (Match(kHosts, words, &n)) {
    options->orphan_grace = Duration(n[0]);
    options->token_life = Duration(n[1]);
    options->sealed_tokens = n[2] != 0;
    return true;
  }
  if (Match(kDigests, words, &n)) {
    options->digest_interval = Duration(n[0]);
    return true;
  }
  if (Match(kLineage, words, &n)) {
    options->lineage_bytes = static_cast<uint64_t>(n[0]);
    return true;
  }
  if (!Match(kFaults, words, &n)) return false;
  const auto percent = [](int64_t number) {
    return static_cast<uint32_t>(std::min<int64_t>(number, 100));
  };
  network.loss = percent(n[0]);
  network.duplication = percent(n[1]);
  network.reordering = percent(n[2]);
  network.corruption = percent(n[3]);
  return true;
}

}  // namespace

// Nothing for hosts of the usual kind.
std::string HostsText(const SimWorldOptions& options) {
  if (options.orphan_grace == Duration::zero() && options.token_life == Duration::zero() &&
      !options.sealed_tokens) {
    return "";
  }
  return Format(kHosts, {options.orphan_grace.count(), options.token_life.count(),
                         options.sealed_tokens ? 1 : 0}) +
         "\n";
}

std::string HeaderText(const SimWorldOptions& options) {
  const SimNetworkOptions& network = options.network;
  return Format(kWorld, {static_cast<int64_t>(options.seed), options.processes, options.nodes,
                         options.check_every}) +
         "\n" +
         Format(kDelay, {network.delay_min.count(), network.delay_max.count(),
                         network.hold_back_max.count()}) +
         "\n" +
         Format(kFaults,
                {network.loss, network.duplication, network.reordering, network.corruption}) +
         "\n" + HostsText(options) +
         (options.digest_interval == Duration::zero()
              ? ""
              : Format(kDigests, {options.digest_interval.count()}) + "\n") +
         (options.lineage_bytes == 0
              ? ""
              : Format(kLineage, {static_cast<int64_t>(options.lineage_bytes)}) + "\n");
}

std::string ScenarioText(const Scenario& scenario) {
  std::string text = HeaderText(scenario.options);
  for (const Action& action : scenario.actions) text += ActionText(action) + "\n";
  return text;
}

absl::StatusOr<Scenario> ParseScenario(std::string_view text) {
  Scenario scenario;
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::vector<std::string_view> words = Words(line);
    if (words.empty()) continue;
    if (scenario.actions.empty() && ParseHeader(words, &scenario.options)) continue;
    const std::optional<Action> action = ParseAction(line);
    if (!action.has_value()) {
      return absl::InvalidArgumentError("line " + std::to_string(number) +
                                        " says nothing that SimWorld knows: " + std::string(line));
    }
    scenario.actions.push_back(*action);
  }
  return scenario;
}

}  // namespace sim

std::string SimGrammar() {
  std::string text;
  for (size_t i = 0; i < sim::kVerbs; ++i) {
    text += std::string(sim::PatternOf(static_cast<sim::Verb>(i))) + "\n";
  }
  return text;
}

SimWorldOptions SimOptionsOfSeed(const SimSeedOptions& seed) {
  using std::chrono::milliseconds;
  internal::SplitMix64 random(seed.seed * 0xd1342543de82ef95u + 7);
  SimWorldOptions options;
  options.seed = seed.seed;
  const auto draw = [&random](uint64_t from, uint64_t to) {
    return from + random.Next() % (to - from + 1);
  };
  options.processes = static_cast<int>(draw(3, 6));
  options.nodes = static_cast<int>(draw(2, 5));
  if (seed.processes > 0) options.processes = seed.processes;
  if (seed.nodes > 0) options.nodes = seed.nodes;
  const bool calm = draw(1, 10) == 1;
  const auto rate = [&](uint64_t most) {
    const bool none = draw(1, 4) == 1;
    const auto drawn = static_cast<uint32_t>(draw(0, most));
    return calm || none ? 0 : drawn;
  };
  options.network.loss = rate(4);
  options.network.duplication = rate(4);
  options.network.reordering = rate(4);
  options.network.corruption = rate(1);
  options.network.delay_max = milliseconds(draw(0, 20));
  options.network.hold_back_max = milliseconds(draw(1, 60));
  // Longer than all that is drawn takes: before a grace ends, the world has come to rest.
  if (draw(1, 6) == 1) options.orphan_grace = milliseconds(draw(25'000, 40'000));
  if (draw(1, 4) == 1) options.token_life = milliseconds(draw(20, 3'000));
  options.sealed_tokens = draw(1, 4) == 1;
  // Of a large world the oracle takes samples.
  options.check_every = 1 + options.processes * options.nodes / 64;
  if (draw(1, 2) == 1) options.digest_interval = milliseconds(draw(50, 500));
  if (draw(1, 8) == 1) options.lineage_bytes = draw(100, 400);
  return options;
}

std::string RunSimSeed(const SimSeedOptions& seed, std::unique_ptr<SimWorld>* world) {
  internal::SplitMix64 random(seed.seed * 0xd1342543de82ef95u + 11);
  const int steps = seed.steps > 0 ? seed.steps : static_cast<int>(400 + random.Next() % 100);
  *world = std::make_unique<SimWorld>(SimOptionsOfSeed(seed));
  SimWorld& run = **world;
  run.RunRandom(steps - steps / 2);
  (void)run.Run("rest");
  run.RunRandom(steps / 2);
  (void)run.Run("finish");
  return run.violation();
}

absl::Status RunSimScenario(std::string_view text, std::unique_ptr<SimWorld>* world) {
  absl::StatusOr<sim::Scenario> scenario = sim::ParseScenario(text);
  if (!scenario.ok()) return scenario.status();
  *world = std::make_unique<SimWorld>(scenario->options);
  std::string lines;
  for (const sim::Action& action : scenario->actions) lines += sim::ActionText(action) + "\n";
  return (*world)->Run(lines);
}

}  // namespace freehold::testing
