// Do the simulators have teeth? Each named mutant of what crosses processes is run until a seed of
// SharingSim, or of LinkedScopes, finds it.
//
//   sharing_mutants [--seeds N] [NAME...]
//
// A mutant counts as found on a seed that passes without it. Each runs in a child process, because
// a mutant may well abort. Prints a table (mutant, seed, what was seen); fails when one is missed.

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "src/base/mutant.h"
#include "tests/core/scope_links_sim.h"
#include "tests/core/sharing_sim.h"

namespace freehold::core {
namespace {

using internal::Mutant;

constexpr int kScopesSteps = 300;

bool IsOfScopes(Mutant mutant) {
  return mutant >= Mutant::kScopeMembersNotAwaited && mutant <= Mutant::kForceNotTold;
}

// Transfers of ownership, but for what needs nodes, and for one without which more references fail
// than must, each as it may.
bool IsOfTransfers(Mutant mutant) {
  return mutant >= Mutant::kMovesOnUnsettled && mutant <= Mutant::kFormerForgotten &&
         mutant != Mutant::kMoveNotPassedOn;
}

bool IsOfHeirs(Mutant mutant) {
  return mutant >= Mutant::kNothingInherited && mutant <= Mutant::kHeirEndedTooEarly;
}

struct Finding {
  uint64_t seed = 0;  // 0: none
  uint64_t step = 0;
  char what[200] = "";
};

// Of the scopes of several processes.
bool RunScopesSeed(uint64_t seed, Mutant mutant, std::string* violation) {
  internal::SetActiveMutant(mutant);
  LinkedScopes scopes(seed);
  const bool ok = scopes.Run(kScopesSteps);
  internal::SetActiveMutant(Mutant::kNone);
  *violation = scopes.violation();
  return ok;
}

// `of` says in which world: the mutant itself, or the one that was found.
bool RunSeed(uint64_t seed, Mutant of, Mutant mutant, std::string* violation, uint64_t* step) {
  if (IsOfScopes(of)) return RunScopesSeed(seed, mutant, violation);
  internal::SetActiveMutant(mutant);
  SharingCoverage coverage;
  SharingSim::Options options;
  options.check_tables = false;
  options.heirs = IsOfHeirs(of);
  SharingSim sim(seed, options, &coverage);
  const bool ok = sim.Run();
  internal::SetActiveMutant(Mutant::kNone);
  *violation = sim.violation();
  *step = sim.step();
  return ok;
}

// In the child: every finding and every seed begun goes into the pipe.
[[noreturn]] void Hunt(Mutant mutant, uint64_t seeds, int pipe) {
  // What it aborts with is not for the table.
  if (std::freopen("/dev/null", "w", stderr) == nullptr) std::_Exit(1);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    Finding finding;
    finding.seed = seed;
    std::snprintf(finding.what, sizeof(finding.what), "aborts");
    if (write(pipe, &finding, sizeof(finding)) < 0) std::_Exit(1);
    std::string violation;
    if (RunSeed(seed, mutant, mutant, &violation, &finding.step)) continue;
    std::string ignored;
    uint64_t step = 0;
    if (!RunSeed(seed, mutant, Mutant::kNone, &ignored, &step)) continue;
    std::snprintf(finding.what, sizeof(finding.what), "%s", violation.c_str());
    if (write(pipe, &finding, sizeof(finding)) < 0) std::_Exit(1);
    std::_Exit(3);
  }
  std::_Exit(0);
}

Finding FindMutant(Mutant mutant, uint64_t seeds) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    close(ends[0]);
    Hunt(mutant, seeds, ends[1]);
  }
  close(ends[1]);
  Finding last;
  Finding read_one;
  while (read(ends[0], &read_one, sizeof(read_one)) == sizeof(read_one)) last = read_one;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) last.seed = 0;
  return last;
}

int Main(int argc, char** argv) {
  uint64_t seeds = 3000;
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
      seeds = std::strtoull(argv[++i], nullptr, 10);
    } else {
      wanted.emplace_back(argv[i]);
    }
  }
  int missed = 0;
  int found = 0;
  std::printf("%-28s %6s %6s  %s\n", "mutant", "seed", "step", "seen");
  for (int number = 1; number < internal::kMutants; ++number) {
    const auto mutant = static_cast<Mutant>(number);
    if (number >= internal::kSharingMutants && !IsOfScopes(mutant) && !IsOfTransfers(mutant) &&
        !IsOfHeirs(mutant)) {
      continue;
    }
    const std::string name = internal::MutantName(mutant);
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
    const Finding finding = FindMutant(mutant, seeds);
    if (finding.seed == 0) {
      std::printf("%-28s %6s %6s  NOT FOUND in %llu seeds\n", name.c_str(), "-", "-",
                  static_cast<unsigned long long>(seeds));
      ++missed;
    } else {
      std::printf("%-28s %6llu %6llu  %s\n", name.c_str(),
                  static_cast<unsigned long long>(finding.seed),
                  static_cast<unsigned long long>(finding.step), finding.what);
      ++found;
    }
    std::fflush(stdout);
  }
  std::printf("mutants=%d found=%d missed=%d\n", found + missed, found, missed);
  return missed == 0 && found > 0 ? 0 : 1;
}

}  // namespace
}  // namespace freehold::core

int main(int argc, char** argv) { return freehold::core::Main(argc, argv); }
