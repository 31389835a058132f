// Counting words, and the bytes in which counts travel between tasks.
//
// A word is a longest run of ASCII letters and bytes above 127 (so UTF-8 letters stay together);
// ASCII capitals count as small letters; of a longer word its first kWordBytesMax bytes count.
//
// A *run* is the encoding of counts: a version byte, then for each word in byte order its length,
// its bytes and its count, both numbers as LEB128. It is never empty. Runs are merged as streams: a
// reducer holds no table of its words.
//
// Thread safety: functions of their arguments. Errors: DataLoss for bytes that are no run.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_WORD_COUNT_H_
#define FREEHOLD_EXAMPLES_PIPELINE_WORD_COUNT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace pipeline {

inline constexpr size_t kWordBytesMax = 64;

constexpr bool IsWordByte(char c) {
  const unsigned char byte = static_cast<unsigned char>(c);
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte > 127;
}

// Counts the words of `text` and answers one run for each of `parts` parts; a word's part depends
// on nothing but the word.
std::vector<std::string> CountIntoRuns(std::string_view text, size_t parts);

// Reads a run word by word. The bytes must outlive the reader.
class RunReader {
 public:
  explicit RunReader(std::string_view run);
  // The next word; false at the end, or when the rest is no run (then status() says so).
  bool Next();
  std::string_view word() const { return word_; }
  uint64_t count() const { return count_; }
  const absl::Status& status() const { return status_; }

 private:
  bool ReadNumber(uint64_t* number);
  bool Fail();

  std::string_view rest_;
  std::string_view word_;
  uint64_t count_ = 0;
  absl::Status status_;
};

// Calls `visit` once for each word of the runs, in byte order, with the sum of its counts.
absl::Status MergeRuns(const std::vector<std::string_view>& runs,
                       absl::FunctionRef<void(std::string_view word, uint64_t count)> visit);

// How long the merged run is, and the merged run itself; `out` must have room for it.
absl::StatusOr<uint64_t> MergedRunBytes(const std::vector<std::string_view>& runs);
absl::Status WriteMergedRun(const std::vector<std::string_view>& runs, char* out);

// The plain count that the pipeline is checked against: byte by byte, one table, no run, no split.
class PlainCounter {
 public:
  void Add(std::string_view bytes);
  void EndText();
  const std::unordered_map<std::string, uint64_t>& counts() const { return counts_; }

 private:
  std::string word_;
  std::unordered_map<std::string, uint64_t> counts_;
};

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_WORD_COUNT_H_
