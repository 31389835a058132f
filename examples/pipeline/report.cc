#include "report.h"

#include <cinttypes>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "svg_chart.h"

namespace pipeline {
namespace {

StoreFigures Sum(const FiguresByKind& by_kind) {
  StoreFigures sum;
  for (const StoreFigures& kind : by_kind) {
    sum.copies += kind.copies;
    sum.remote += kind.remote;
    sum.bytes += kind.bytes;
    sum.deleted += kind.deleted;
    sum.spill_files += kind.spill_files;
    sum.restored += kind.restored;
  }
  return sum;
}

std::string Milliseconds(Lifetimes::Clock::duration duration) {
  return absl::StrFormat("%.2f ms", std::chrono::duration<double, std::milli>(duration).count());
}

}  // namespace

void PrintPlan(const Input& input, const JobPlan& plan, size_t nodes, uint64_t store_bytes) {
  std::printf("%zu texts, %s; passed over: %" PRIu64 " links, %" PRIu64 " binary and %" PRIu64
              " empty files\n",
              input.texts.size(), FormatBytes(input.bytes).c_str(), input.links, input.binary_files,
              input.empty_files);
  std::printf("%zu nodes with %s of memory each; %zu splits of %s in %zu waves\n", nodes,
              FormatBytes(store_bytes).c_str(), plan.splits.size(),
              FormatBytes(plan.split_bytes).c_str(), plan.waves);
  std::fflush(stdout);
}

void PrintWords(const WordCounts& counts) {
  std::printf("\n%" PRIu64 " words, %" PRIu64
              " of them different; a plain single-threaded count agrees on every one\n",
              counts.words, counts.distinct);
  for (const auto& [word, count] : counts.top)
    std::printf("  %9" PRIu64 "  %s\n", count, word.c_str());
}

void PrintLifetimes(const RunFigures& figures, const Lifetimes& lifetimes,
                    const ByteLog& byte_log) {
  std::printf(
      "\nlifetimes    made  copies  remote  spilled  deleted  median life  "
      "drop to last byte gone: median, p99\n");
  const std::array<Lifetimes::Summary, kKinds> lives = lifetimes.Summarize();
  for (size_t i = 0; i < kKinds; ++i) {
    const StoreFigures& store = figures.stores[i];
    std::printf("  %-8s %6" PRIu64 "  %6" PRIu64 "  %6" PRIu64 "  %7" PRIu64 "  %7" PRIu64
                "  %11s  %22s, %s\n",
                KindName(static_cast<Kind>(i)), lives[i].declared, store.copies, store.remote,
                store.spill_files, store.deleted, Milliseconds(lives[i].life_median).c_str(),
                Milliseconds(lives[i].reclaim_median).c_str(),
                Milliseconds(lives[i].reclaim_p99).c_str());
  }
  const StoreFigures all = Sum(figures.stores);
  std::printf("%" PRIu64 " tasks, %" PRIu64 " placed where their inputs lay; %" PRIu64
              " copies fetched from another node, %" PRIu64 " spilled, %" PRIu64
              " of them brought back into memory\n",
              figures.tasks, figures.placed_by_locality, all.remote, all.spill_files, all.restored);
  std::printf("%" PRIu64 " frees reached the nodes in %" PRIu64 " requests; %" PRIu64
              " location updates reached the scheduler\n",
              figures.frees_received, figures.free_requests, figures.location_updates);
  const double share =
      100.0 * static_cast<double>(byte_log.peak()) / static_cast<double>(byte_log.total());
  std::printf("at most %s of %s lay in the stores at once (%.1f %%)\n",
              FormatBytes(byte_log.peak()).c_str(), FormatBytes(byte_log.total()).c_str(), share);
}

void PrintLastLine(const RunFigures& figures, const Lifetimes& lifetimes, const ByteLog& byte_log) {
  const StoreFigures all = Sum(figures.stores);
  std::printf("objects=%" PRIu64 " copies=%" PRIu64 " freed_copies=%" PRIu64 " leaked=%" PRIu64
              " spilled=%" PRIu64 " requests=%" PRIu64 " callbacks=%" PRIu64 " peak_bytes=%" PRIu64
              " total_bytes=%" PRIu64 "\n",
              lifetimes.declared(), all.copies, all.deleted, figures.files_left, all.spill_files,
              figures.free_requests, lifetimes.callbacks(), byte_log.peak(), byte_log.total());
}

absl::Status CheckFigures(const RunFigures& figures, const Lifetimes& lifetimes) {
  const StoreFigures all = Sum(figures.stores);
  if (figures.files_left != 0) {
    return absl::InternalError(absl::StrCat(figures.files_left, " files were left in the stores"));
  }
  if (all.copies != all.deleted) {
    return absl::InternalError(
        absl::StrCat("of ", all.copies, " copies ", all.deleted, " were deleted"));
  }
  if (!lifetimes.EachCallbackRanOnce()) {
    return absl::InternalError(absl::StrCat("of the two callbacks of each of ",
                                            lifetimes.declared(), " objects ",
                                            lifetimes.callbacks(), " ran, or some out of order"));
  }
  return absl::OkStatus();
}

}  // namespace pipeline
