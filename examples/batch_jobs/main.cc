// Two kinds of jobs in one store: a long one, and many short ones that leave far more behind than
// the store can take. Once with a scope for each job, once without.
//
// The story is that of ray-project/ray#2242: walks over a graph make values by the thousand, when a
// walk has ended all of them but its result are garbage, other jobs run on meanwhile, and the
// store, full, throws out what is oldest: what the long job still needs. Here the graph is real
// (words of a text that stand near each other), and so are the values and what is computed of them:
// every result is checked against the same job in plain memory.
//
// runner.h says what exactly is compared, and why the run without scopes overflows; job.h,
// walk_job.h and rank_job.h are the jobs; cluster.h is the host of the library, evicting_store.h
// its stores.
//
// Exit status: 0 if with scopes nothing was lost and no store was ever full, and without them both
// happened; 1 with a sentence on standard error if not, or when something failed; 2 for a wrong
// command line. Everything that is printed or written but times repeats from run to run.

#include <cstdio>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "corpus.h"
#include "examples/common/files.h"
#include "graph.h"
#include "options.h"
#include "plan.h"
#include "report.h"
#include "runner.h"
#include "svg_chart.h"

namespace batch_jobs {
namespace {

// What was printed so far has arrived.
absl::Status CheckPrinted() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return absl::OkStatus();
  return absl::UnavailableError("cannot write to standard output");
}

absl::Status Write(const std::string& path, const std::string& content) {
  if (path.empty()) return absl::OkStatus();
  if (absl::Status status = examples::WriteFile(path, content); !status.ok()) return status;
  std::printf("bytes over time: %s\n", path.c_str());
  return absl::OkStatus();
}

absl::Status Run(const CommandLine& command_line) {
  const absl::StatusOr<Corpus> corpus = ReadCorpus(command_line.text);
  if (!corpus.ok()) return corpus.status();
  const absl::StatusOr<Graph> graph = Graph::Make(*corpus, command_line.neighbours);
  if (!graph.ok()) return graph.status();
  const Plan plan = MakePlan(*graph, command_line);
  PrintPlan(*corpus, *graph, plan);

  const absl::StatusOr<RunFigures> with = RunJobs(plan, Keeping::kScopes);
  if (!with.ok()) return with.status();
  const absl::StatusOr<RunFigures> without = RunJobs(plan, Keeping::kListsUntilFetched);
  if (!without.ok()) return without.status();
  std::vector<Outcome> outcomes = {{"with scopes", &*with}, {"without", &*without}};
  absl::StatusOr<RunFigures> by_hand = absl::UnknownError("not asked for");
  if (command_line.by_hand) {
    by_hand = RunJobs(plan, Keeping::kListsUntilEnd);
    if (!by_hand.ok()) return by_hand.status();
    outcomes.push_back({"by hand", &*by_hand});
  }
  PrintFigures(plan, outcomes);
  std::fputs(DrawText(plan, *with, *without).c_str(), stdout);
  PrintAnswers(plan);
  if (absl::Status status = CheckPrinted(); !status.ok()) return status;
  if (absl::Status status = Write(command_line.svg, DrawSvg(plan, *with, *without)); !status.ok()) {
    return status;
  }
  if (absl::Status status = Write(command_line.csv, WriteCsv(*with, *without)); !status.ok()) {
    return status;
  }
  PrintLastLine(*with, *without);
  if (absl::Status status = CheckPrinted(); !status.ok()) return status;
  return CheckFigures(plan, *with, *without);
}

int Main(int argc, char** argv) {
  const absl::StatusOr<CommandLine> command_line =
      ParseCommandLine(std::vector<std::string>(argv + 1, argv + argc));
  if (!command_line.ok()) {
    std::fprintf(stderr, "batch_jobs: %s; see batch_jobs --help\n",
                 absl::StrCat(command_line.status().message()).c_str());
    return 2;
  }
  if (command_line->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  const absl::Status status = Run(*command_line);
  if (status.ok()) return 0;
  std::fprintf(stderr, "batch_jobs: %s\n", absl::StrCat(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace batch_jobs

int main(int argc, char** argv) { return batch_jobs::Main(argc, argv); }
