// Runs all jobs of a plan in one set of stores, with one of three ways to keep what they make.
//
// A job's tasks name the values of others of the job by their ids, now and later, so that all of
// them must stay until the job has ended, and none afterwards but the result. The requests come on
// their own, some at a time; who asked is answered in the order in which they came, like a `get`
// over the list of what was submitted. The long job was the first to be submitted, and nobody knew
// that it would be long: when it ends, nearly all short ones have ended.
//
// kScopes: each job has a scope that holds what is declared in it. The task that makes the result
// ends the scope and keeps the result, in the scope around it, until it is fetched.
//
// kListsUntilFetched: no scopes. The driver has a list of the handles to all that a job has made,
// and drops it once it has fetched the job's result. Nothing leaks, every value is freed in the end
// by its last handle: this is what one does without an end of the job that is told to anybody. But
// results are fetched in the order of submission, so every list waits for the long job. The stores
// fill up with values that nobody will ever read, and throw out the oldest: those of the long job.
//
// kListsUntilEnd: the same list, but whoever makes the result also has the list, and drops all of
// it but the result at once. That is a scope by hand, and keeps the stores as empty as scopes do.
//
// Thread safety: for one thread, which it blocks until all is done.
// Errors: those of Cluster; DataLoss when a result is not the plain one, ResourceExhausted when the
// stores are too small for a task.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_RUNNER_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_RUNNER_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster.h"
#include "history.h"
#include "ledger.h"
#include "plan.h"

namespace batch_jobs {

enum class Keeping : uint8_t { kScopes, kListsUntilFetched, kListsUntilEnd };

struct RunFigures {
  explicit RunFigures(uint64_t values_of_jobs) : history(values_of_jobs) {}

  uint64_t jobs_done = 0;            // short ones
  uint64_t answers = 0;              // fetched, and as plain memory has them; of all jobs
  uint64_t answers_lost = 0;         // thrown out before they were fetched
  uint64_t long_lost = 0;            // values that the long job needed and that were thrown out
  uint64_t short_lost = 0;           // the same of short jobs that had not ended
  uint64_t remade = 0;               // values that were made again because of it
  uint64_t scopes_ended = 0;         // that told it: everything of them is reclaimed
  uint64_t handles_kept_max = 0;     // in the driver's lists, at once
  std::vector<double> gone_ms;       // of each short job: from its end until its bytes are gone
  std::vector<double> gone_cpu_ms;   // the same in processor time, other jobs' tasks included
  std::vector<uint64_t> gone_turns;  // and in turns
  uint64_t gone_by_frees = 0;        // short jobs of which nothing was thrown out until then
  double seconds = 0;

  uint64_t values = 0;  // put into the stores
  uint64_t bytes = 0;
  uint64_t peak = 0;  // bytes
  uint64_t overflows = 0;
  Ledger::Evicted evicted;
  uint64_t deleted = 0;
  Traffic traffic;
  History history;
};

absl::StatusOr<RunFigures> RunJobs(const Plan& plan, Keeping keeping);

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_RUNNER_H_
