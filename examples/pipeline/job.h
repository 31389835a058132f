// The job: a map-shuffle-reduce word count in waves.
//
// Each wave loads some splits of the input into the nodes' stores, maps each to one part per
// reducer, and has each reducer merge its parts with its total so far into a new total. So only one
// wave of the input is ever held; everything else is dropped as its consumer ends.
//
//   splits ──map──▶ parts (one per reducer) ──reduce (with the total so far)──▶ totals ──▶ catalog
//
// At the end a catalog object contains the totals: the driver holds nothing but the catalog, and
// dropping it drops them all.
//
// Thread safety: for the driver's thread. Blocks until the job is done.
// Errors: those of Runtime and of input.h; DataLoss when the result is not the plain count.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_JOB_H_
#define FREEHOLD_EXAMPLES_PIPELINE_JOB_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "input.h"
#include "interrupt.h"
#include "runtime.h"
#include "word_count.h"

namespace pipeline {

struct JobPlan {
  std::vector<Split> splits;
  uint64_t split_bytes = 0;
  size_t splits_per_wave = 0;
  size_t waves = 0;
  uint64_t store_bytes =
      0;  // that a node needs so that the job has to spill, and gets on all the same
};

struct WordCounts {
  uint64_t words = 0;  // counted
  uint64_t distinct = 0;
  std::vector<std::pair<std::string, uint64_t>> top;  // most frequent first, then by word
};

JobPlan PlanJob(const Input& input, size_t nodes);

// The same by one thread, byte by byte, without any of the machinery: what the job is checked
// against.
absl::StatusOr<PlainCounter> CountPlainly(const Input& input, const Interrupt& interrupt);

// Runs the job, checks its result against `plain` and drops every object. `input` and `plan` must
// outlive the runtime, whose tasks read them.
absl::StatusOr<WordCounts> RunJob(const Input& input, const JobPlan& plan,
                                  const PlainCounter& plain, size_t top, Runtime* runtime);

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_JOB_H_
