// What the run prints.
//
// Thread safety: for one thread; writes to standard output.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_REPORT_H_
#define FREEHOLD_EXAMPLES_PIPELINE_REPORT_H_

#include <cstdint>
#include <string>

#include "byte_log.h"
#include "input.h"
#include "job.h"
#include "lifetimes.h"
#include "runtime.h"

namespace pipeline {

void PrintPlan(const Input& input, const JobPlan& plan, size_t nodes, uint64_t store_bytes);
void PrintWords(const WordCounts& counts);
void PrintLifetimes(const RunFigures& figures, const Lifetimes& lifetimes, const ByteLog& byte_log);
// The last line, for machines: figures from the stores' files, requests and callbacks as counted.
void PrintLastLine(const RunFigures& figures, const Lifetimes& lifetimes, const ByteLog& byte_log);

// Internal, with the figures, when they contradict each other: a copy not deleted, a file left, a
// callback missing or doubled.
absl::Status CheckFigures(const RunFigures& figures, const Lifetimes& lifetimes);

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_REPORT_H_
