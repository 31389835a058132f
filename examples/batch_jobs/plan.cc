#include "plan.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "rank_job.h"
#include "walk_job.h"

namespace batch_jobs {
namespace {

PlannedJob RunPlainly(std::unique_ptr<Job> job, uint64_t* largest) {
  PlannedJob planned;
  std::vector<std::string> values;
  for (size_t value = 0; value < job->values(); ++value) {
    std::vector<std::string_view> inputs;
    for (const size_t input : job->InputsOf(value)) inputs.push_back(values[input]);
    values.push_back(job->Make(value, inputs));
    planned.bytes += values.back().size();
    *largest = std::max(*largest, uint64_t{values.back().size()});
  }
  planned.result = std::move(values.back());
  planned.job = std::move(job);
  return planned;
}

}  // namespace

uint64_t Plan::ShortValues() const {
  uint64_t values = 0;
  for (size_t i = 1; i < jobs.size(); ++i) values += jobs[i].job->values();
  return values;
}

uint64_t Plan::ShortBytes() const {
  uint64_t bytes = 0;
  for (size_t i = 1; i < jobs.size(); ++i) bytes += jobs[i].bytes;
  return bytes;
}

Plan MakePlan(const Graph& graph, const CommandLine& command_line) {
  Plan plan;
  plan.at_once = command_line.at_once;
  plan.nodes = command_line.nodes;
  uint64_t largest = 0;
  plan.jobs.push_back(RunPlainly(std::make_unique<RankJob>(&graph), &largest));
  std::vector<uint64_t> bytes;
  const std::vector<uint32_t>& hubs = graph.hubs();
  for (size_t i = 0; i < command_line.jobs; ++i) {
    // Jobs differ in what they cost, so that they do not end in the order in which they began. The
    // step, a prime, makes neighbours in that order differ as well.
    const size_t sample = 1 + i * 7919 % (2 * command_line.sample - 1);
    const uint32_t start = hubs[i * hubs.size() / command_line.jobs];
    plan.jobs.push_back(RunPlainly(std::make_unique<WalkJob>(&graph, start, sample, i), &largest));
    bytes.push_back(plan.jobs.back().bytes);
  }
  std::sort(bytes.begin(), bytes.end(), std::greater<>());
  bytes.resize(std::min(bytes.size(), plan.at_once));
  uint64_t needed = plan.long_job().bytes;
  for (const uint64_t of_job : bytes) needed += of_job;
  // A value goes where there is most room: no node is short of more than the largest value.
  plan.store_bytes = command_line.store_bytes != 0
                         ? command_line.store_bytes
                         : needed + needed / 10 + command_line.nodes * largest;
  return plan;
}

}  // namespace batch_jobs
