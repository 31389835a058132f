#include "runner.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace batch_jobs {
namespace {

using freehold::ObjectId;
using freehold::ObjectRef;
using freehold::Scope;
using freehold::ScopeOptions;
using SteadyClock = std::chrono::steady_clock;

// A job that had to make its values again this many times does not get ahead.
constexpr uint64_t kRemadePerValueMax = 20;

double MillisecondsSince(SteadyClock::time_point begin) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count();
}

double ProcessorMilliseconds() {
  return 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

// A job that has been submitted and whose result has not been fetched.
struct Running {
  size_t next = 0;  // the value that it makes next
  bool ended = false;
  Scope scope;                  // kScopes, until it has ended
  std::vector<ObjectRef> refs;  // otherwise: the list
  SteadyClock::time_point end;  // when it ended, in three measures
  double end_cpu_ms = 0;
  uint64_t end_turn = 0;
};

class Runner {
 public:
  Runner(const Plan& plan, Keeping keeping)
      : plan_(plan),
        keeping_(keeping),
        ledger_(plan.jobs.size()),
        figures_(plan.ShortValues() + plan.long_job().job->values()),
        scopes_ended_(std::make_shared<std::atomic<uint64_t>>(0)),
        running_(plan.jobs.size()) {}

  absl::StatusOr<RunFigures> Run();

 private:
  absl::Status Start();
  absl::Status Submit(size_t job);
  // Each job that runs makes one value; then everybody pumps.
  absl::Status Turn();
  // The long job has got as far as the short ones, all together.
  bool LongJobIsDue() const;
  absl::Status Advance(size_t job);
  absl::Status End(size_t job);
  absl::Status Make(size_t job, size_t value);
  // Makes the inputs of a value again that were thrown out, and what that takes.
  absl::Status Recover(size_t job, size_t value);
  // The first input that was thrown out.
  absl::StatusOr<std::optional<size_t>> LostInput(size_t job, size_t value);
  absl::Status FetchResults();
  void Look();
  absl::StatusOr<RunFigures> Finish();

  const Plan& plan_;
  const Keeping keeping_;
  Ledger ledger_;
  RunFigures figures_;
  const std::shared_ptr<std::atomic<uint64_t>> scopes_ended_;
  std::unique_ptr<Cluster> cluster_;
  Scope results_;                 // kScopes: around all jobs
  std::vector<Running> running_;  // of all jobs, those to come included
  std::vector<size_t> short_;     // short jobs that run, in the order in which they began
  std::vector<size_t> leaving_;   // that have ended, with temporaries in the stores
  size_t next_job_ = 1;           // short ones from here on are to come
  size_t next_fetch_ = 0;         // results from here on are to be fetched
  uint64_t values_made_ = 0;      // each counted once
  uint64_t short_values_ = 0;     // of these, of short jobs
  uint64_t turns_ = 0;
  uint64_t handles_ = 0;  // in the lists
};

absl::Status Runner::Start() {
  Cluster::Options options;
  options.nodes = plan_.nodes;
  options.store_bytes = plan_.store_bytes;
  options.ledger = &ledger_;
  auto cluster = Cluster::Start(options);
  if (!cluster.ok()) return cluster.status();
  cluster_ = *std::move(cluster);
  if (keeping_ == Keeping::kScopes) {
    ScopeOptions scope;
    scope.name = "results that were not fetched";
    scope.hold = true;
    auto opened = cluster_->owner().OpenScope(scope);
    if (!opened.ok()) return opened.status();
    results_ = *std::move(opened);
  }
  return Submit(0);
}

absl::Status Runner::Submit(size_t job) {
  if (job != 0) short_.push_back(job);
  if (keeping_ != Keeping::kScopes) return absl::OkStatus();
  ScopeOptions options;
  options.name = absl::StrCat("job ", job);
  options.parent = results_.id();
  options.hold = true;
  auto scope = cluster_->owner().OpenScope(options);
  if (!scope.ok()) return scope.status();
  running_[job].scope = *std::move(scope);
  return running_[job]
      .scope.OnEnded([told = scopes_ended_](freehold::ScopeId, freehold::ScopeEnd) { ++*told; })
      .status();
}

bool Runner::LongJobIsDue() const {
  const Running& job = running_[0];
  if (job.ended) return false;
  const uint64_t values = plan_.long_job().job->values();
  return short_.empty() || job.next * plan_.ShortValues() <= short_values_ * values;
}

absl::Status Runner::Turn() {
  while (short_.size() < plan_.at_once && next_job_ < plan_.jobs.size()) {
    if (absl::Status status = Submit(next_job_++); !status.ok()) return status;
  }
  std::vector<size_t> jobs = short_;
  if (LongJobIsDue()) jobs.push_back(0);
  for (const size_t job : jobs) {
    if (absl::Status status = Advance(job); !status.ok()) return status;
  }
  cluster_->Turn();
  ++turns_;
  Look();
  return FetchResults();
}

absl::Status Runner::Advance(size_t job) {
  Running& running = running_[job];
  const size_t value = running.next++;
  freehold::DeclareOptions options;
  options.call_site = job == 0 ? "long job" : "short job";
  options.scope = running.scope.id();
  auto output = cluster_->owner().Declare(MakeObjectId(job, value), options);
  if (!output.ok()) return output.status();
  if (keeping_ != Keeping::kScopes) {
    running.refs.push_back(*output);
    figures_.handles_kept_max = std::max(figures_.handles_kept_max, ++handles_);
  }
  if (absl::Status status = Recover(job, value); !status.ok()) return status;
  if (absl::Status status = Make(job, value); !status.ok()) return status;
  ++values_made_;
  if (job != 0) ++short_values_;
  return value == plan_.jobs[job].job->result() ? End(job) : absl::OkStatus();
}

absl::Status Runner::End(size_t job) {
  Running& running = running_[job];
  running.ended = true;
  running.end = SteadyClock::now();
  running.end_cpu_ms = ProcessorMilliseconds();
  running.end_turn = turns_;
  if (job != 0) {
    ++figures_.jobs_done;
    short_.erase(std::find(short_.begin(), short_.end(), job));
    leaving_.push_back(job);
  }
  switch (keeping_) {
    case Keeping::kScopes:
      return running.scope.End({MakeObjectId(job, plan_.jobs[job].job->result())});
    case Keeping::kListsUntilFetched:
      break;
    case Keeping::kListsUntilEnd:
      handles_ -= running.refs.size() - 1;
      running.refs.erase(running.refs.begin(), running.refs.end() - 1);
      break;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<size_t>> Runner::LostInput(size_t job, size_t value) {
  for (const size_t input : plan_.jobs[job].job->InputsOf(value)) {
    const auto node = cluster_->Find(MakeObjectId(job, input));
    if (!node.ok()) return node.status();
    if (!node->has_value()) return input;
  }
  return std::nullopt;
}

absl::Status Runner::Recover(size_t job, size_t value) {
  std::vector<size_t> wanted = {value};  // a worklist: the last one waits for nothing but inputs
  uint64_t remade = 0;
  while (true) {
    const auto lost = LostInput(job, wanted.back());
    if (!lost.ok()) return lost.status();
    if (lost->has_value()) {
      ++(job == 0 ? figures_.long_lost : figures_.short_lost);
      wanted.push_back(**lost);
      continue;
    }
    if (wanted.size() == 1) return absl::OkStatus();
    if (++remade > kRemadePerValueMax * plan_.jobs[job].job->values()) {
      return absl::ResourceExhaustedError(
          "the stores are too small: what a task needs is thrown out as fast as it is made again");
    }
    if (absl::Status status = Make(job, wanted.back()); !status.ok()) return status;
    ++figures_.remade;
    wanted.pop_back();
    cluster_->Turn();
  }
}

absl::Status Runner::Make(size_t job, size_t value) {
  const Job& what = *plan_.jobs[job].job;
  std::vector<ObjectId> ids;
  for (const size_t input : what.InputsOf(value)) ids.push_back(MakeObjectId(job, input));
  const auto references = cluster_->owner().SubmitTask(ids);
  if (!references.ok()) return references.status();
  std::string bytes;
  std::vector<Cluster::Reading> readings;
  std::vector<std::string_view> inputs;
  readings.reserve(ids.size());
  for (const ObjectId& id : ids) {
    const auto node = cluster_->Find(id);
    if (!node.ok()) return node.status();
    if (!node->has_value()) return absl::InternalError("an input was lost while nothing was put");
    auto reading = cluster_->Read(**node, id);
    if (!reading.ok()) return reading.status();
    readings.push_back(*std::move(reading));
    inputs.push_back(readings.back().bytes());
  }
  return cluster_->Put(MakeObjectId(job, value), what.Make(value, inputs));
}

absl::Status Runner::FetchResults() {
  for (; next_fetch_ < running_.size() && running_[next_fetch_].ended; ++next_fetch_) {
    const PlannedJob& planned = plan_.jobs[next_fetch_];
    const ObjectId id = MakeObjectId(next_fetch_, planned.job->result());
    const auto node = cluster_->Find(id);
    if (!node.ok()) return node.status();
    if (!node->has_value()) {
      ++figures_.answers_lost;
    } else {
      const auto reading = cluster_->Read(**node, id);
      if (!reading.ok()) return reading.status();
      if (reading->bytes() != planned.result) {
        return absl::DataLossError(
            absl::StrCat("the result of ", planned.job->Describe(), " is not the plain one"));
      }
      ++figures_.answers;
    }
    if (keeping_ == Keeping::kScopes) {
      if (!results_.StopHolding({id}).ok()) return absl::InternalError("the result was not held");
    }
    handles_ -= running_[next_fetch_].refs.size();
    running_[next_fetch_].refs.clear();
  }
  return absl::OkStatus();
}

// At what the turn has left behind: whose bytes have gone by now, and how full the stores are.
void Runner::Look() {
  const auto gone = [this](size_t job) {
    if (ledger_.held_by(job) > plan_.jobs[job].result.size()) return false;
    figures_.gone_ms.push_back(MillisecondsSince(running_[job].end));
    figures_.gone_cpu_ms.push_back(ProcessorMilliseconds() - running_[job].end_cpu_ms);
    if (ledger_.evicted_by(job) == 0) ++figures_.gone_by_frees;
    figures_.gone_turns.push_back(turns_ - running_[job].end_turn);
    return true;
  };
  leaving_.erase(std::remove_if(leaving_.begin(), leaving_.end(), gone), leaving_.end());
  Moment now;
  now.held = ledger_.TakeHighest();
  now.evicted = ledger_.evicted().bytes;
  now.long_lost = figures_.long_lost;
  now.jobs_done = figures_.jobs_done;
  figures_.history.Add(values_made_, now);
}

absl::StatusOr<RunFigures> Runner::Finish() {
  while (!leaving_.empty()) {
    cluster_->Turn();
    if (++turns_ > 2 * figures_.values + 100'000) return absl::InternalError("bytes do not leave");
    Look();
  }
  if (keeping_ == Keeping::kScopes) {
    if (absl::Status status = results_.End(); !status.ok()) return status;
  }
  auto traffic = cluster_->Finish();
  if (!traffic.ok()) return traffic.status();
  figures_.traffic = *traffic;
  figures_.values = ledger_.values();
  figures_.bytes = ledger_.bytes();
  figures_.peak = ledger_.peak();
  figures_.overflows = ledger_.overflows();
  figures_.evicted = ledger_.evicted();
  figures_.deleted = ledger_.deleted();
  figures_.scopes_ended = scopes_ended_->load();
  if (keeping_ == Keeping::kScopes && figures_.scopes_ended != plan_.jobs.size()) {
    return absl::InternalError(absl::StrCat("of ", plan_.jobs.size(), " scopes ",
                                            figures_.scopes_ended, " told that they were done"));
  }
  if (figures_.deleted + figures_.evicted.values != figures_.values) {
    return absl::InternalError("values left the stores unseen");
  }
  return std::move(figures_);
}

absl::StatusOr<RunFigures> Runner::Run() {
  const SteadyClock::time_point begin = SteadyClock::now();
  if (absl::Status status = Start(); !status.ok()) return status;
  while (next_fetch_ < running_.size()) {
    if (absl::Status status = Turn(); !status.ok()) return status;
  }
  absl::StatusOr<RunFigures> figures = Finish();
  if (figures.ok()) figures->seconds = MillisecondsSince(begin) / 1000;
  return figures;
}

}  // namespace

absl::StatusOr<RunFigures> RunJobs(const Plan& plan, Keeping keeping) {
  return Runner(plan, keeping).Run();
}

}  // namespace batch_jobs
