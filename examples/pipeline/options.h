// The command line.
//
// Thread safety: functions of their arguments. Errors: InvalidArgument with a sentence.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_OPTIONS_H_
#define FREEHOLD_EXAMPLES_PIPELINE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace pipeline {

struct CommandLine {
  bool help = false;
  std::vector<std::string> folders;  // default: DefaultFolders()
  uint64_t nodes = 4;
  uint64_t store_bytes = 0;  // of each node; 0: as the plan says
  std::string temporary_folder;
  std::string svg = "pipeline.svg";
  uint64_t top = 10;
};

extern const char kUsage[];

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments);

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_OPTIONS_H_
