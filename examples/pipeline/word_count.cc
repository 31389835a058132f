#include "word_count.h"

#include <algorithm>
#include <cstring>
#include <queue>
#include <utility>

namespace pipeline {
namespace {

constexpr char kVersion = 1;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// FNV-1a: the same in every process, which std::hash does not promise.
size_t PartOf(std::string_view word, size_t parts) {
  uint64_t hash = 14695981039346656037u;
  for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return static_cast<size_t>((hash >> 32) % parts);
}

size_t NumberBytes(uint64_t number) {
  size_t bytes = 1;
  for (; number >= 128; number >>= 7) ++bytes;
  return bytes;
}

char* WriteNumber(uint64_t number, char* out) {
  for (; number >= 128; number >>= 7) *out++ = static_cast<char>((number & 127) | 128);
  *out++ = static_cast<char>(number);
  return out;
}

size_t EntryBytes(std::string_view word, uint64_t count) {
  return NumberBytes(word.size()) + word.size() + NumberBytes(count);
}

char* WriteEntry(std::string_view word, uint64_t count, char* out) {
  out = WriteNumber(word.size(), out);
  std::memcpy(out, word.data(), word.size());
  return WriteNumber(count, out + word.size());
}

}  // namespace

std::vector<std::string> CountIntoRuns(std::string_view text, size_t parts) {
  std::unordered_map<std::string, uint64_t> counts;
  std::string word;
  for (size_t i = 0; i < text.size();) {
    if (!IsWordByte(text[i])) {
      ++i;
      continue;
    }
    word.clear();
    for (; i < text.size() && IsWordByte(text[i]); ++i) {
      if (word.size() < kWordBytesMax) word.push_back(Lower(text[i]));
    }
    ++counts[word];
  }
  std::vector<std::pair<std::string_view, uint64_t>> sorted(counts.begin(), counts.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::string> runs(parts, std::string(1, kVersion));
  char entry[kWordBytesMax + 20];
  for (const auto& [key, count] : sorted) {
    const char* end = WriteEntry(key, count, entry);
    runs[PartOf(key, parts)].append(entry, static_cast<size_t>(end - entry));
  }
  return runs;
}

RunReader::RunReader(std::string_view run) : rest_(run) {
  if (rest_.empty() || rest_.front() != kVersion) {
    Fail();
  } else {
    rest_.remove_prefix(1);
  }
}

bool RunReader::Fail() {
  rest_ = {};
  status_ = absl::DataLossError("an intermediate result is not what a task wrote");
  return false;
}

bool RunReader::ReadNumber(uint64_t* number) {
  *number = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const unsigned char byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    *number |= static_cast<uint64_t>(byte & 127) << shift;
    if (byte < 128) return true;
  }
  return Fail();
}

bool RunReader::Next() {
  if (rest_.empty()) return false;
  uint64_t length = 0;
  if (!ReadNumber(&length)) return false;
  if (length > rest_.size() || length > kWordBytesMax) return Fail();
  word_ = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return ReadNumber(&count_);
}

absl::Status MergeRuns(const std::vector<std::string_view>& runs,
                       absl::FunctionRef<void(std::string_view word, uint64_t count)> visit) {
  std::vector<RunReader> readers;
  readers.reserve(runs.size());
  for (const std::string_view run : runs) readers.emplace_back(run);
  const auto later = [&readers](size_t a, size_t b) {
    return readers[a].word() > readers[b].word();
  };
  std::priority_queue<size_t, std::vector<size_t>, decltype(later)> queue(later);
  for (size_t i = 0; i < readers.size(); ++i) {
    if (readers[i].Next()) queue.push(i);
    if (!readers[i].status().ok()) return readers[i].status();
  }
  while (!queue.empty()) {
    const std::string_view word = readers[queue.top()].word();
    uint64_t count = 0;
    while (!queue.empty() && readers[queue.top()].word() == word) {
      const size_t i = queue.top();
      queue.pop();
      count += readers[i].count();
      if (readers[i].Next()) queue.push(i);
      if (!readers[i].status().ok()) return readers[i].status();
    }
    visit(word, count);
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> MergedRunBytes(const std::vector<std::string_view>& runs) {
  uint64_t bytes = 1;
  absl::Status status = MergeRuns(
      runs, [&bytes](std::string_view word, uint64_t count) { bytes += EntryBytes(word, count); });
  if (!status.ok()) return status;
  return bytes;
}

absl::Status WriteMergedRun(const std::vector<std::string_view>& runs, char* out) {
  *out++ = kVersion;
  return MergeRuns(
      runs, [&out](std::string_view word, uint64_t count) { out = WriteEntry(word, count, out); });
}

void PlainCounter::Add(std::string_view bytes) {
  for (const char c : bytes) {
    if (!IsWordByte(c)) {
      EndText();
    } else if (word_.size() < kWordBytesMax) {
      word_.push_back(Lower(c));
    }
  }
}

void PlainCounter::EndText() {
  if (word_.empty()) return;
  ++counts_[word_];
  word_.clear();
}

}  // namespace pipeline
