// A miniature distributed runtime in one process that counts the words of real texts.
//
// It shows how a host uses Freehold: runtime.h owns the objects and schedules, node.h is a node
// with its store and agent, node_store.h holds the bytes, job.h is the job. The library decides
// when bytes may go; the stores' folders show that they went.
//
// Exit status: 0; 1 with one sentence on standard error when something failed; 2 for a wrong
// command line; 128 + the number of the signal that ended it. However it ends, the stores' folder
// is gone.

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "byte_log.h"
#include "examples/common/files.h"
#include "input.h"
#include "interrupt.h"
#include "job.h"
#include "options.h"
#include "report.h"
#include "runtime.h"
#include "svg_chart.h"
#include "temp_folder.h"
#include "word_count.h"

namespace pipeline {
namespace {

// Before any work is done: a chart that cannot be written should not cost a whole run.
absl::Status CheckChartFolder(const std::string& svg) {
  std::string folder = std::filesystem::path(svg).parent_path().string();
  if (folder.empty()) folder = ".";
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return examples::FileError("write the chart into", folder, errno);
  }
  return absl::OkStatus();
}

// What was printed so far has arrived.
absl::Status CheckPrinted() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return absl::OkStatus();
  return absl::UnavailableError("cannot write to standard output");
}

absl::Status WriteChart(const CommandLine& command_line, const Input& input, uint64_t store_bytes,
                        const ByteLog& byte_log) {
  const std::string title = absl::StrCat("Bytes in the stores of ", command_line.nodes, " nodes");
  const std::string subtitle =
      absl::StrCat("word count of ", FormatBytes(input.bytes), " of text; each node has ",
                   FormatBytes(store_bytes), " of memory and spills the rest");
  return examples::WriteFile(command_line.svg,
                             DrawChart(byte_log.moments(), byte_log.peak(), title, subtitle));
}

absl::Status Run(const CommandLine& command_line, Interrupt* interrupt) {
  if (absl::Status status = CheckChartFolder(command_line.svg); !status.ok()) return status;
  const absl::StatusOr<Input> input = FindTexts(command_line.folders, *interrupt);
  if (!input.ok()) return input.status();
  const JobPlan plan = PlanJob(*input, command_line.nodes);
  const uint64_t store_bytes =
      command_line.store_bytes != 0 ? command_line.store_bytes : plan.store_bytes;
  PrintPlan(*input, plan, command_line.nodes, store_bytes);
  const absl::StatusOr<PlainCounter> plain = CountPlainly(*input, *interrupt);
  if (!plain.ok()) return plain.status();
  auto folder = TempFolder::Make(command_line.temporary_folder);
  if (!folder.ok()) return folder.status();

  ByteLog byte_log;
  Runtime::Options options;
  options.nodes = command_line.nodes;
  options.store_bytes = store_bytes;
  options.folder = (*folder)->path();
  options.byte_log = &byte_log;
  options.interrupt = interrupt;
  auto runtime = Runtime::Start(options);
  if (!runtime.ok()) return runtime.status();
  const absl::StatusOr<WordCounts> counts =
      RunJob(*input, plan, *plain, command_line.top, runtime->get());
  if (!counts.ok()) return counts.status();
  const absl::StatusOr<RunFigures> figures = (*runtime)->Finish();
  if (!figures.ok()) return figures.status();
  const Lifetimes& lifetimes = (*runtime)->lifetimes();
  PrintWords(*counts);
  PrintLifetimes(*figures, lifetimes, byte_log);
  const absl::Status consistent = CheckFigures(*figures, lifetimes);
  if (absl::Status status = CheckPrinted(); !status.ok()) return status;
  if (consistent.ok()) {
    if (absl::Status status = (*folder)->RemoveEmpty(); !status.ok()) return status;
    if (absl::Status status = WriteChart(command_line, *input, store_bytes, byte_log);
        !status.ok()) {
      return status;
    }
    std::printf("bytes over time: %s\n", command_line.svg.c_str());
  }
  PrintLastLine(*figures, lifetimes, byte_log);
  return consistent.ok() ? CheckPrinted() : consistent;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<CommandLine> command_line =
      ParseCommandLine(std::vector<std::string>(argv + 1, argv + argc));
  if (!command_line.ok()) {
    std::fprintf(stderr, "pipeline: %s; see pipeline --help\n",
                 absl::StrCat(command_line.status().message()).c_str());
    return 2;
  }
  if (command_line->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  Interrupt interrupt;
  const absl::Status status = Run(*command_line, &interrupt);
  if (status.ok()) return 0;
  std::fprintf(stderr, "pipeline: %s\n", absl::StrCat(status.message()).c_str());
  return absl::IsCancelled(status) ? 128 + interrupt.signal_number() : 1;
}

}  // namespace
}  // namespace pipeline

int main(int argc, char** argv) { return pipeline::Main(argc, argv); }
