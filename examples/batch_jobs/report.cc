#include "report.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <functional>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace batch_jobs {
namespace {

// What a request for a walk may take until its bytes are gone (ray-project/ray#2242).
constexpr double kBudgetMs = 200;

// The value below which `percent` of the values lie; zero for none.
template <typename T>
T Percentile(std::vector<T> values, size_t percent) {
  if (values.empty()) return T{};
  const size_t rank = (values.size() - 1) * percent / 100;
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

std::string Milliseconds(double milliseconds) { return absl::StrFormat("%.1f ms", milliseconds); }

struct Row {
  const char* name;
  std::function<std::string(const RunFigures&)> value;
};

std::vector<Row> Rows(const Plan& plan) {
  using F = RunFigures;
  const auto of_all = [](uint64_t number, size_t all) {
    return absl::StrCat(WithCommas(number), " of ", WithCommas(all));
  };
  const size_t jobs = plan.jobs.size();
  return {
      {"short jobs done", [](const F& f) { return WithCommas(f.jobs_done); }},
      {"results fetched, and right", [=](const F& f) { return of_all(f.answers, jobs); }},
      {"results thrown out before", [](const F& f) { return WithCommas(f.answers_lost); }},
      {"values put into the stores", [](const F& f) { return WithCommas(f.values); }},
      {"  bytes of them", [](const F& f) { return FormatBytes(f.bytes); }},
      {"most bytes in the stores", [](const F& f) { return FormatBytes(f.peak); }},
      {"times that a store was full", [](const F& f) { return WithCommas(f.overflows); }},
      {"values thrown out for it", [](const F& f) { return WithCommas(f.evicted.values); }},
      {"  that the long job needed", [](const F& f) { return WithCommas(f.long_lost); }},
      {"  that short jobs needed", [](const F& f) { return WithCommas(f.short_lost); }},
      {"  that were made again", [](const F& f) { return WithCommas(f.remade); }},
      {"handles in the driver's lists", [](const F& f) { return WithCommas(f.handles_kept_max); }},
      {"frees that reached the nodes", [](const F& f) { return WithCommas(f.traffic.frees); }},
      {"  envelopes with them", [](const F& f) { return WithCommas(f.traffic.envelopes); }},
      {"end of a job to bytes gone: p50",
       [](const F& f) { return Milliseconds(Percentile(f.gone_ms, 50)); }},
      {"  p99", [](const F& f) { return Milliseconds(Percentile(f.gone_ms, 99)); }},
      {"  p99 in processor time",
       [](const F& f) { return Milliseconds(Percentile(f.gone_cpu_ms, 99)); }},
      {"  p99 in turns", [](const F& f) { return WithCommas(Percentile(f.gone_turns, 99)); }},
      {"  within 200 ms",
       [](const F& f) {
         const auto in_time = std::count_if(f.gone_ms.begin(), f.gone_ms.end(),
                                            [](double ms) { return ms <= kBudgetMs; });
         return absl::StrCat(in_time, " of ", f.gone_ms.size());
       }},
      {"  by frees, nothing thrown out",
       [=](const F& f) { return of_all(f.gone_by_frees, f.gone_ms.size()); }},
      {"the whole run", [](const F& f) { return absl::StrFormat("%.2f s", f.seconds); }},
  };
}

constexpr size_t kTextColumns = 72;
constexpr size_t kTextRows = 12;

// Of the history's columns that one character stands for.
template <typename Take>
std::vector<uint64_t> Widen(const RunFigures& figures, const Take& take) {
  std::vector<uint64_t> columns(kTextColumns);
  for (size_t i = 0; i < History::kColumns; ++i) {
    uint64_t& column = columns[i * kTextColumns / History::kColumns];
    column = std::max(column, take(figures.history.moments()[i]));
  }
  return columns;
}

// The row of the chart, from 1 at the bottom, that an amount reaches.
size_t RowOf(uint64_t bytes, uint64_t bytes_max) {
  return static_cast<size_t>((bytes * kTextRows + bytes_max - 1) / bytes_max);
}

}  // namespace

std::string FormatBytes(uint64_t bytes) {
  constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return absl::StrFormat("%.*f %s", value < 100 ? 1 : 0, value, kUnits[unit]);
}

std::string WithCommas(uint64_t number) {
  std::string digits = absl::StrCat(number);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

void PrintPlan(const Corpus& corpus, const Graph& graph, const Plan& plan) {
  std::printf("%s of text in %" PRIu64
              " files: %s different words, %s links, %zu words with the "
              "most neighbours\n",
              FormatBytes(corpus.bytes).c_str(), corpus.files, WithCommas(graph.words()).c_str(),
              WithCommas(graph.links()).c_str(), graph.hubs().size());
  const PlannedJob& long_job = plan.long_job();
  std::printf("a long job, %s: %s values, %s\n", long_job.job->Describe().c_str(),
              WithCommas(long_job.job->values()).c_str(), FormatBytes(long_job.bytes).c_str());
  std::printf("%s short ones, %zu at a time, such as %s: %s values, %s\n",
              WithCommas(plan.short_jobs()).c_str(), plan.at_once,
              plan.jobs[1].job->Describe().c_str(), WithCommas(plan.ShortValues()).c_str(),
              FormatBytes(plan.ShortBytes()).c_str());
  std::printf("stores of %s on %zu nodes\n", FormatBytes(plan.store_bytes).c_str(), plan.nodes);
  std::fflush(stdout);
}

void PrintFigures(const Plan& plan, const std::vector<Outcome>& outcomes) {
  std::printf("\n%-32s", "");
  for (const Outcome& outcome : outcomes) std::printf("  %15s", outcome.name);
  std::printf("\n");
  for (const Row& row : Rows(plan)) {
    std::printf("%-32s", row.name);
    for (const Outcome& outcome : outcomes) {
      std::printf("  %15s", row.value(*outcome.figures).c_str());
    }
    std::printf("\n");
  }
}

void PrintAnswers(const Plan& plan) {
  std::printf("\n");
  for (size_t i = 0; i < std::min<size_t>(plan.jobs.size(), 2); ++i) {
    const PlannedJob& planned = plan.jobs[i];
    std::printf("%s: %s\n", planned.job->Describe().c_str(),
                planned.job->Explain(planned.result).c_str());
  }
}

std::string DrawText(const Plan& plan, const RunFigures& with, const RunFigures& without) {
  const auto held = [](const Moment& moment) { return moment.held; };
  const auto lost = [](const Moment& moment) { return moment.long_lost; };
  const std::vector<uint64_t> with_held = Widen(with, held), without_held = Widen(without, held);
  const uint64_t limit = std::max({plan.store_bytes, with.peak, without.peak});
  std::string chart = absl::StrCat(
      "\nbytes in the stores; '#': with scopes, 'o': without, 'x': the long job missed values\n");
  for (size_t row = kTextRows; row > 0; --row) {
    const std::string label = row == kTextRows       ? FormatBytes(limit)
                              : row == kTextRows / 2 ? FormatBytes(limit / 2)
                                                     : "";
    absl::StrAppendFormat(&chart, "%10s |", label);
    for (size_t i = 0; i < kTextColumns; ++i) {
      const bool reaches = RowOf(with_held[i], limit) >= row;
      chart += RowOf(without_held[i], limit) == row ? 'o' : reaches ? '#' : ' ';
    }
    chart += row == kTextRows ? "  full\n" : "\n";
  }
  absl::StrAppendFormat(&chart, "%10s +%s\n", "0 B", std::string(kTextColumns, '-'));
  const auto marks = [&](const RunFigures& figures) {
    const std::vector<uint64_t> so_far = Widen(figures, lost);
    std::string line;
    for (size_t i = 0; i < kTextColumns; ++i) {
      line += so_far[i] > (i == 0 ? 0 : so_far[i - 1]) ? 'x' : '.';
    }
    return line;
  };
  absl::StrAppendFormat(&chart, "%10s  %s\n%10s  %s\n", "with", marks(with), "without",
                        marks(without));
  const std::string end = absl::StrCat(WithCommas(with.history.values()), " values made");
  absl::StrAppendFormat(&chart, "%10s  0%*s\n", "", static_cast<int>(kTextColumns) - 1, end);
  return chart;
}

std::string WriteCsv(const RunFigures& with, const RunFigures& without) {
  std::string csv =
      "values_made,with_bytes,with_evicted_bytes,with_long_lost,with_jobs_done,"
      "without_bytes,without_evicted_bytes,without_long_lost,without_jobs_done\n";
  for (size_t i = 0; i < History::kColumns; ++i) {
    absl::StrAppend(&csv, with.history.ValuesAt(i));
    for (const RunFigures* figures : {&with, &without}) {
      const Moment& moment = figures->history.moments()[i];
      absl::StrAppend(&csv, ",", moment.held, ",", moment.evicted, ",", moment.long_lost, ",",
                      moment.jobs_done);
    }
    csv += '\n';
  }
  return csv;
}

void PrintLastLine(const RunFigures& with, const RunFigures& without) {
  std::printf("with_overflows=%" PRIu64 " with_lost=%" PRIu64 " with_answers=%" PRIu64
              " without_overflows=%" PRIu64 " without_lost=%" PRIu64 " without_answers=%" PRIu64
              "\n",
              with.overflows, with.long_lost + with.short_lost + with.answers_lost, with.answers,
              without.overflows, without.long_lost + without.short_lost + without.answers_lost,
              without.answers);
}

absl::Status CheckFigures(const Plan& plan, const RunFigures& with, const RunFigures& without) {
  if (with.overflows != 0 || with.evicted.values != 0 || with.answers != plan.jobs.size()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "with scopes the stores of ", FormatBytes(plan.store_bytes), " were full ", with.overflows,
        " times, ", with.evicted.values, " values were thrown out and ",
        plan.jobs.size() - with.answers, " results lost"));
  }
  if (without.overflows == 0 || without.long_lost == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("without scopes the stores of ", FormatBytes(plan.store_bytes), " were full ",
                     without.overflows, " times and the long job lost ", without.long_lost,
                     " values: they are not too small for what these jobs leave behind"));
  }
  return absl::OkStatus();
}

}  // namespace batch_jobs
