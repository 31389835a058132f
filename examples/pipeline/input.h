// The input: which texts a folder holds, and how they are cut into splits.
//
// A text is a regular file without a NUL byte in its first 4 KiB. Hidden entries and symbolic links
// below the folder are passed over (so a link cannot count a text twice, nor make a loop), and so
// are binary files and empty ones; the set says how many.
//
// A split is a list of pieces of texts, about equally long. Cuts fall anywhere; ReadSplit gives a
// word to the piece in which it begins, so no word is counted twice or torn.
//
// Thread safety: functions of their arguments and the file system; values.
// Errors: NotFound, PermissionDenied, InvalidArgument (not a folder, nothing to count), Aborted (a
// text changed after it was found), Unavailable (the file system failed). Messages are whole
// sentences that name the path.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_INPUT_H_
#define FREEHOLD_EXAMPLES_PIPELINE_INPUT_H_

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "interrupt.h"

namespace pipeline {

struct Text {
  std::string path;
  uint64_t size = 0;
  timespec modified{};
};

struct Input {
  std::vector<Text> texts;  // sorted by path
  uint64_t bytes = 0;
  uint64_t binary_files = 0;
  uint64_t empty_files = 0;
  uint64_t links = 0;
};

struct Piece {
  size_t text = 0;  // index into Input::texts
  uint64_t offset = 0;
  uint64_t length = 0;
};
using Split = std::vector<Piece>;

// Every text under the folders. Opens each once, so that an unreadable one is found before any work
// is done.
absl::StatusOr<Input> FindTexts(const std::vector<std::string>& folders,
                                const Interrupt& interrupt);

// Cuts the texts into splits of `split_bytes` each; the last one may be shorter.
std::vector<Split> PlanSplits(const Input& input, uint64_t split_bytes);

// The words that begin in the split, each piece followed by a newline.
absl::StatusOr<std::string> ReadSplit(const Input& input, const Split& split);

// Aborted when a text is no longer what FindTexts saw.
absl::Status CheckUnchanged(const Input& input);

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_INPUT_H_
