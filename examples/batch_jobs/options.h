// The command line.
//
// Thread safety: functions of their arguments. Errors: InvalidArgument with a sentence.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_OPTIONS_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace batch_jobs {

struct CommandLine {
  bool help = false;
  std::string text = "/usr/share/common-licenses";  // a file or a folder
  uint64_t jobs = 100;                              // short ones
  uint64_t at_once = 6;                             // of them
  uint64_t neighbours = 300;                        // of a word, at most; of a start, exactly
  uint64_t sample = 3;  // of them that the third hop follows, on average over the jobs
  uint64_t nodes = 4;
  uint64_t store_bytes = 0;  // of all nodes together; 0: as the plan says
  bool by_hand = false;
  std::string svg;  // empty: not written
  std::string csv;
};

extern const char kUsage[];

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments);

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_OPTIONS_H_
