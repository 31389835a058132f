// The jobs of a run, what their results must be, and how large the stores are.
//
// Every job is first run in plain memory, without any of the machinery: that says what it must
// answer and how many bytes it makes. The stores, unless told otherwise, have room for the long job
// and the largest short ones that run at once, and a tenth more.
//
// Thread safety: immutable once made. Ownership: owns the jobs; the graph is borrowed.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_PLAN_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_PLAN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graph.h"
#include "job.h"
#include "options.h"

namespace batch_jobs {

struct PlannedJob {
  std::unique_ptr<Job> job;
  std::string result;  // as plain memory has it
  uint64_t bytes = 0;  // of all its values
};

struct Plan {
  std::vector<PlannedJob> jobs;  // in the order in which they are submitted; the first is the long
  size_t at_once = 0;            // short ones
  size_t nodes = 0;
  uint64_t store_bytes = 0;  // of all nodes together

  const PlannedJob& long_job() const { return jobs.front(); }
  size_t short_jobs() const { return jobs.size() - 1; }
  // Of all short jobs.
  uint64_t ShortValues() const;
  uint64_t ShortBytes() const;
};

Plan MakePlan(const Graph& graph, const CommandLine& command_line);

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_PLAN_H_
