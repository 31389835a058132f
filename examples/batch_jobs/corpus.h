// The input: the words of a text file, or of every text file in a folder.
//
// A word is a run of ASCII letters and bytes above 0x7f, in lower case. In a folder, hidden
// entries, symbolic links (a link cannot count a text twice), and files with a NUL byte in their
// first 4 KiB are passed over; files are read in the order of their paths.
//
// Thread safety: functions of their arguments and the file system; values.
// Errors: NotFound, PermissionDenied, InvalidArgument (no words; more than kTextBytesMax),
// Unavailable. Messages are whole sentences that name the path.

#ifndef FREEHOLD_EXAMPLES_BATCH_JOBS_CORPUS_H_
#define FREEHOLD_EXAMPLES_BATCH_JOBS_CORPUS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace batch_jobs {

// The graph is made in memory, of every pair of words that stand near each other.
inline constexpr uint64_t kTextBytesMax = uint64_t{8} << 20;

struct Corpus {
  uint64_t files = 0;
  uint64_t bytes = 0;
  std::vector<std::string> words;            // different ones, in the order in which they come up
  std::vector<std::vector<uint32_t>> texts;  // of each file: its words, as indices
};

absl::StatusOr<Corpus> ReadCorpus(const std::string& path);

}  // namespace batch_jobs

#endif  // FREEHOLD_EXAMPLES_BATCH_JOBS_CORPUS_H_
