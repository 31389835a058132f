#include "tests/sim/sim_mutations.h"

#include <iostream>

#if defined(FREEHOLD_MUTANTS)

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iomanip>
#include <map>
#include <memory>
#include <sstream>
#include <vector>

#include "freehold/testing/sim_world.h"
#include "src/base/mutant.h"

namespace freehold {

namespace {

using internal::Mutant;

// What a child has to say, in a file of its own: a mutant may well abort.
struct Hunt {
  Mutant mutant = Mutant::kNone;
  std::FILE* words = nullptr;
};

std::string RunSeed(uint64_t seed, Mutant mutant, uint64_t* steps) {
  internal::SetActiveMutant(mutant);
  testing::SimSeedOptions options;
  options.seed = seed;
  std::unique_ptr<testing::SimWorld> world;
  std::string violation = testing::RunSimSeed(options, &world);
  internal::SetActiveMutant(Mutant::kNone);
  *steps = world->totals().steps;
  return violation;
}

void Say(const Hunt& hunt, const std::string& line) {
  std::rewind(hunt.words);
  // Shorter lines must not leave the end of longer ones.
  std::fprintf(hunt.words, "%-300s\n", line.substr(0, 300).c_str());
  std::fflush(hunt.words);
}

[[noreturn]] void RunChild(const Hunt& hunt, uint64_t first_seed, uint64_t seeds) {
  if (std::freopen("/dev/null", "w", stderr) == nullptr) std::_Exit(2);
  for (uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    Say(hunt, std::to_string(seed) + " - the library's own check ends the process");
    uint64_t steps = 0;
    const std::string violation = RunSeed(seed, hunt.mutant, &steps);
    if (violation.empty()) continue;
    uint64_t ignored = 0;
    if (!RunSeed(seed, Mutant::kNone, &ignored).empty()) continue;
    Say(hunt, std::to_string(seed) + " " + std::to_string(steps) + " " +
                  violation.substr(0, violation.find('\n')));
    std::_Exit(1);
  }
  std::_Exit(0);
}

std::string WordsOf(const Hunt& hunt) {
  std::rewind(hunt.words);
  char line[512] = "";
  if (std::fgets(line, sizeof(line), hunt.words) == nullptr) return "";
  std::string words = line;
  words.erase(words.find_last_not_of(" \n") + 1);
  return words;
}

}  // namespace

int HuntMutations(const std::string& name, uint64_t first_seed, uint64_t seeds, unsigned jobs) {
  std::vector<Mutant> wanted;
  for (int i = 1; i < internal::kMutants; ++i) {
    const auto mutant = static_cast<Mutant>(i);
    // Worlds force no scope that other processes are in: sharing_mutants finds that one. A former
    // primary's node hardly ever dies between a file and its answer: the scenario
    // shared_file_of_a_former_primary finds that one.
    if (name == "all" && (mutant == Mutant::kForceNotTold || mutant == Mutant::kLetGoFileKept)) {
      continue;
    }
    if (name == "all" || name == internal::MutantName(mutant)) wanted.push_back(mutant);
  }
  if (wanted.empty()) {
    std::cerr << "there is no mutation " << name << "\n";
    return 2;
  }
  std::map<pid_t, Hunt> running;
  std::map<Mutant, std::string> rows;
  size_t missed = 0;
  for (size_t next = 0; next < wanted.size() || !running.empty();) {
    if (next < wanted.size() && running.size() < jobs) {
      const Hunt hunt{wanted[next++], std::tmpfile()};
      if (hunt.words == nullptr) std::abort();
      std::cout.flush();
      const pid_t child = fork();
      if (child < 0) std::abort();
      if (child == 0) RunChild(hunt, first_seed, seeds);
      running[child] = hunt;
      continue;
    }
    int status = 0;
    const pid_t ended = wait(&status);
    const Hunt hunt = running.at(ended);
    running.erase(ended);
    const bool found = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    std::istringstream words(WordsOf(hunt));
    std::fclose(hunt.words);
    std::string seed = "-";
    std::string steps = "-";
    std::string seen = "NOT FOUND in " + std::to_string(seeds) + " seeds";
    if (found) {
      words >> seed >> steps;
      std::getline(words >> std::ws, seen);
    }
    missed += found ? 0 : 1;
    std::ostringstream row;
    row << std::left << std::setw(28) << internal::MutantName(hunt.mutant) << std::right
        << std::setw(6) << seed << std::setw(7) << steps << "  " << seen;
    rows[hunt.mutant] = row.str();
  }
  std::cout << std::left << std::setw(28) << "mutation" << std::right << std::setw(6) << "seed"
            << std::setw(7) << "steps"
            << "  seen\n";
  for (const auto& [mutant, row] : rows) std::cout << row << "\n";
  std::cout << "mutations=" << wanted.size() << " found=" << wanted.size() - missed
            << " missed=" << missed << std::endl;
  return missed == 0 ? 0 : 1;
}

}  // namespace freehold

#else

namespace freehold {

int HuntMutations(const std::string&, uint64_t, uint64_t, unsigned) {
  std::cerr << "this program has no mutations: build the target freehold_sim_mutants\n";
  return 2;
}

}  // namespace freehold

#endif
