// What the program prints, the CSV, and what must be true of the figures.
//
// Thread safety: functions of their arguments, standard output and the file system.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_REPORT_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "corpus.h"
#include "graph.h"
#include "plan.h"
#include "runner.h"

namespace batch_jobs {

// One way to keep values, and what came of it.
struct Outcome {
  const char* name = "";
  const RunFigures* figures = nullptr;
};

// "512 B", "9.6 KiB", "1.2 MiB".
std::string FormatBytes(uint64_t bytes);
// "120,425".
std::string WithCommas(uint64_t number);

void PrintPlan(const Corpus& corpus, const Graph& graph, const Plan& plan);
// A column for each outcome.
void PrintFigures(const Plan& plan, const std::vector<Outcome>& outcomes);
// The words that the long job and one of the short ones found.
void PrintAnswers(const Plan& plan);
// Both over time, as characters.
std::string DrawText(const Plan& plan, const RunFigures& with, const RunFigures& without);
// A row for each column of the histories.
std::string WriteCsv(const RunFigures& with, const RunFigures& without);
void PrintLastLine(const RunFigures& with, const RunFigures& without);

// FailedPrecondition when scopes lost something or let the stores overflow, or when the run without
// them did neither.
absl::Status CheckFigures(const Plan& plan, const RunFigures& with, const RunFigures& without);

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_REPORT_H_
