// freehold_sim: many worlds, a seed each, on every core; or one scenario.
//
//   freehold_sim [--seeds N] [--first-seed K] [--processes P] [--nodes M] [--steps S]
//                [--trace FILE] [--coverage] [--complete] [--hash] [--jobs J] [--shrink RUNS]
//   freehold_sim --scenario FILE [--trace FILE] [--shrink RUNS]
//   freehold_sim --grammar
//   freehold_sim_mutants --mutation NAME|all [--seeds N] [--first-seed K] [--jobs J]
//   freehold_sim_mutants --mutant NAME …
//
// Built with FREEHOLD_MUTANTS (target freehold_sim_mutants) it can break the core on purpose:
// `--mutation` prints which seed finds each way to do so, `--mutant` does it in whatever else is
// asked for.
//
// `--coverage` prints how often what happened, and what was to happen and never did with 0;
// `--complete`, besides, fails if there is such a row.
//
// Progress lines name the seed to go on with. A violation is printed with the shortest scenario
// found that still leads to it, once for each kind; `--shrink 0` leaves that out. The trace is that
// of the first seed; the hash covers those of all, and is the same in any build. Exit status: 0
// without violations, 1 with, 2 for a wrong call.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/testing/sim_world.h"
#include "src/base/mutant.h"
#include "src/testing/sim_coverage.h"
#include "tests/sim/sim_mutations.h"

namespace {

using freehold::testing::RunSimScenario;
using freehold::testing::RunSimSeed;
using freehold::testing::ShrinkSimScenario;
using freehold::testing::SimSeedOptions;
using freehold::testing::SimTotals;
using freehold::testing::SimWorld;

constexpr std::chrono::seconds kProgressEvery(10);

struct Options {
  uint64_t seeds = 1000;
  uint64_t first_seed = 1;
  SimSeedOptions each;
  std::string trace_file;
  std::string scenario_file;
  std::string mutation;
  bool coverage = false;
  bool complete = false;
  bool grammar = false;
  bool hash = false;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  int shrink_runs = 3000;
};

// What all seeds have come to, shared by the threads.
struct Sum {
  std::mutex mutex;
  uint64_t seeds = 0;
  uint64_t violations = 0;
  uint64_t seeds_with_crash = 0;
  uint64_t hash = 0;
  SimTotals totals;
  std::map<std::string, uint64_t, std::less<>> coverage;
  std::set<std::string> kinds;     // of violations that were printed
  std::set<uint64_t> in_progress;  // seeds
  std::chrono::steady_clock::time_point reported = std::chrono::steady_clock::now();
};

thread_local uint64_t seed_of_thread = 0;

// An invariant of the library ends the process: say in which seed.
void ReportSeed(int) {
  std::fprintf(stderr,
               "seed %llu ends the process; to repeat: freehold_sim --first-seed %llu"
               " --seeds 1\n",
               static_cast<unsigned long long>(seed_of_thread),
               static_cast<unsigned long long>(seed_of_thread));
}

// False: there is no such mutant, or this program has none.
bool Break([[maybe_unused]] const std::string& name) {
#if defined(FREEHOLD_MUTANTS)
  for (int i = 0; i < freehold::internal::kMutants; ++i) {
    const auto mutant = static_cast<freehold::internal::Mutant>(i);
    if (name != freehold::internal::MutantName(mutant)) continue;
    freehold::internal::SetActiveMutant(mutant);
    return true;
  }
#endif
  return false;
}

// False: not a number.
template <typename Number>
bool Read(const char* text, Number* number) {
  char* end = nullptr;
  const unsigned long long read = std::strtoull(text, &end, 10);  // NOLINT(google-runtime-int)
  *number = static_cast<Number>(read);
  return end != text && *end == '\0';
}

bool Read(const char* text, std::string* file) {
  *file = text;
  return true;
}

bool ReadOptions(int argc, char** argv, Options* options) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--complete") options->coverage = true;
    bool* const flag = name == "--coverage"   ? &options->coverage
                       : name == "--complete" ? &options->complete
                       : name == "--grammar"  ? &options->grammar
                       : name == "--hash"     ? &options->hash
                                              : nullptr;
    if (flag != nullptr) {
      *flag = true;
      continue;
    }
    if (++i == argc) return false;
    const char* value = argv[i];
    const bool read = name == "--seeds"        ? Read(value, &options->seeds)
                      : name == "--first-seed" ? Read(value, &options->first_seed)
                      : name == "--processes"  ? Read(value, &options->each.processes)
                      : name == "--nodes"      ? Read(value, &options->each.nodes)
                      : name == "--steps"      ? Read(value, &options->each.steps)
                      : name == "--jobs"       ? Read(value, &options->jobs)
                      : name == "--shrink"     ? Read(value, &options->shrink_runs)
                      : name == "--mutant"     ? Break(value)
                      : name == "--mutation"   ? Read(value, &options->mutation)
                      : name == "--trace"      ? Read(value, &options->trace_file)
                      : name == "--scenario"   ? Read(value, &options->scenario_file)
                                               : false;
    if (!read) return false;
  }
  return options->jobs > 0;
}

bool WriteTrace(const std::string& file, const SimWorld& world) {
  if (file.empty()) return true;
  std::ofstream out(file, std::ios::binary);
  out << world.Scenario() << "\n" << world.Trace();
  out.flush();
  if (!out) std::cerr << "cannot write " << file << "\n";
  return static_cast<bool>(out);
}

void PrintViolation(const std::string& violation, const SimWorld& world, int shrink_runs) {
  std::cout << violation << "\n";
  if (shrink_runs > 0) {
    const std::string shortest = ShrinkSimScenario(world.Scenario(), shrink_runs);
    std::unique_ptr<SimWorld> again;
    if (RunSimScenario(shortest, &again).ok()) {
      std::cout << "---- shortest scenario found ----\n"
                << shortest << "---- what happens in it: " << again->violation() << " ----\n"
                << again->Trace() << "----\n";
    }
  }
  std::cout << std::flush;
}

// What is the same in all violations of a kind: the words before the names.
std::string KindOf(const std::string& violation) {
  const size_t colon =
      violation.find(": ", violation.find(": ") < 8 ? violation.find(": ") + 2 : 0);
  return violation.substr(0, colon);
}

void Add(const SimWorld& world, const Options& options, Sum* sum) {
  const SimTotals totals = world.totals();
  ++sum->seeds;
  sum->hash += world.trace_hash();  // in any order
  sum->seeds_with_crash += totals.crashes > 0 ? 1 : 0;
  sum->totals.steps += totals.steps;
  sum->totals.crashes += totals.crashes;
  sum->totals.drops += totals.drops;
  sum->totals.duplicates += totals.duplicates;
  sum->totals.partitions += totals.partitions;
  if (!options.coverage) return;
  for (const auto& [what, times] : world.coverage()) sum->coverage[what] += times;
}

void ReportProgress(const Options& options, Sum* sum) {
  const auto now = std::chrono::steady_clock::now();
  if (now - sum->reported < kProgressEvery || sum->in_progress.empty()) return;
  sum->reported = now;
  std::cout << sum->seeds << " of " << options.seeds << " seeds, " << sum->violations
            << " violations; to go on from here: --first-seed " << *sum->in_progress.begin()
            << std::endl;
}

void RunSeeds(const Options& options, std::atomic<uint64_t>* next, Sum* sum) {
  while (true) {
    const uint64_t number = next->fetch_add(1);
    if (number >= options.seeds) return;
    SimSeedOptions each = options.each;
    each.seed = seed_of_thread = options.first_seed + number;
    {
      const std::lock_guard<std::mutex> lock(sum->mutex);
      sum->in_progress.insert(each.seed);
    }
    std::unique_ptr<SimWorld> world;
    const std::string violation = RunSimSeed(each, &world);
    const std::lock_guard<std::mutex> lock(sum->mutex);
    Add(*world, options, sum);
    ReportProgress(options, sum);
    sum->in_progress.erase(each.seed);
    if (number == 0) (void)WriteTrace(options.trace_file, *world);
    if (violation.empty()) continue;
    ++sum->violations;
    std::cout << "seed " << each.seed << ": ";
    const bool known = !sum->kinds.insert(KindOf(violation)).second;
    PrintViolation(violation, *world, known ? 0 : options.shrink_runs);
  }
}

// Answers how many rows have no count that should.
uint64_t PrintCoverage(Sum* sum) {
  uint64_t never = 0;
  for (const std::string& what : freehold::testing::sim::ExpectedCoverage()) {
    never += sum->coverage[what] == 0 ? 1 : 0;  // a row in any case
  }
  std::cout << "seeds with a crash: " << sum->seeds_with_crash << "\n";
  for (const auto& [what, times] : sum->coverage) std::cout << what << ": " << times << "\n";
  std::cout << "rows=" << sum->coverage.size() << " never=" << never << "\n";
  return never;
}

int RunAll(const Options& options) {
  Sum sum;
  std::atomic<uint64_t> next{0};
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < options.jobs; ++i) {
    threads.emplace_back([&] { RunSeeds(options, &next, &sum); });
  }
  RunSeeds(options, &next, &sum);
  for (std::thread& thread : threads) thread.join();
  const uint64_t never = options.coverage ? PrintCoverage(&sum) : 0;
  if (options.hash) std::cout << "hash of all traces: " << sum.hash << "\n";
  std::cout << "seeds=" << sum.seeds << " steps=" << sum.totals.steps
            << " crashes=" << sum.totals.crashes << " drops=" << sum.totals.drops
            << " duplicates=" << sum.totals.duplicates << " partitions=" << sum.totals.partitions
            << " violations=" << sum.violations << std::endl;
  return sum.violations == 0 && !(options.complete && never > 0) ? 0 : 1;
}

int RunScenario(const Options& options) {
  std::ifstream in(options.scenario_file);
  std::stringstream text;
  text << in.rdbuf();
  if (!in) {
    std::cerr << "cannot read " << options.scenario_file << "\n";
    return 2;
  }
  std::unique_ptr<SimWorld> world;
  const absl::Status status = RunSimScenario(text.str(), &world);
  if (!status.ok()) {
    std::cerr << options.scenario_file << ": " << status.message() << "\n";
    return 2;
  }
  if (!WriteTrace(options.trace_file, *world)) return 2;
  // A line that is passed over, an expectation even, would make a story true that was not told.
  if (world->violation().empty() && world->totals().skipped > 0) {
    std::cerr << options.scenario_file << ": " << world->totals().skipped
              << " lines make no sense where they stand\n";
    return 1;
  }
  if (world->violation().empty()) {
    std::cout << options.scenario_file << ": ok\n";
    return 0;
  }
  PrintViolation(world->violation(), *world, options.shrink_runs);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!ReadOptions(argc, argv, &options)) {
    std::cerr << "usage: freehold_sim [--seeds N] [--first-seed K] [--processes P] [--nodes M]\n"
                 "         [--steps S] [--trace FILE] [--coverage] [--complete] [--hash]\n"
                 "         [--jobs J] [--shrink RUNS]\n"
                 "       freehold_sim --scenario FILE [--trace FILE] [--shrink RUNS]\n"
                 "       freehold_sim --grammar\n";
    return 2;
  }
  if (options.grammar) {
    std::cout << freehold::testing::SimGrammar();
    return 0;
  }
  (void)std::signal(SIGABRT, ReportSeed);
  if (!options.mutation.empty()) {
    return freehold::HuntMutations(options.mutation, options.first_seed, options.seeds,
                                   options.jobs);
  }
  return options.scenario_file.empty() ? RunAll(options) : RunScenario(options);
}
