#include "corpus.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "examples/common/files.h"

namespace batch_jobs {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSniffBytes = 4096;

bool IsWordByte(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return (value >= 'a' && value <= 'z') || (value >= 'A' && value <= 'Z') || value >= 0x80;
}

char Lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
}

absl::Status TooMuch(const std::string& path) {
  return absl::InvalidArgumentError(
      absl::StrCat("with ", path, " it is more than ", kTextBytesMax >> 20, " MiB of text"));
}

absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t bytes_max) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (file == nullptr) return examples::FileError("read", path, errno);
  std::string content;
  char buffer[size_t{64} << 10];
  while (content.size() <= bytes_max) {
    const size_t got = std::fread(buffer, 1, sizeof(buffer), file.get());
    content.append(buffer, got);
    if (got < sizeof(buffer)) {
      if (std::ferror(file.get()) != 0) return examples::FileError("read", path, errno);
      return content;
    }
  }
  return TooMuch(path);
}

// The regular files below `folder`, sorted.
absl::StatusOr<std::vector<std::string>> FindFiles(const std::string& folder) {
  std::vector<std::string> found;
  std::vector<std::string> waiting = {folder};  // a worklist: depth costs no stack
  std::error_code error;
  while (!waiting.empty()) {
    const std::string current = std::move(waiting.back());
    waiting.pop_back();
    fs::directory_iterator entry(current, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      if (entry->path().filename().string().front() == '.') continue;
      std::error_code ignored;  // reading it says what is wrong with it
      const fs::file_type type = entry->symlink_status(ignored).type();
      if (type == fs::file_type::directory) waiting.push_back(entry->path().string());
      if (type == fs::file_type::regular) found.push_back(entry->path().string());
    }
    if (error) return examples::FileError("read the folder", current, error.value());
  }
  std::sort(found.begin(), found.end());
  return found;
}

class Reader {
 public:
  absl::Status Add(const std::string& path, bool sniff) {
    absl::StatusOr<std::string> content = ReadFile(path, kTextBytesMax - corpus_.bytes);
    if (!content.ok()) return content.status();
    if (std::string_view(*content).substr(0, kSniffBytes).find('\0') != std::string_view::npos) {
      if (sniff) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat(path, " is not a text"));
    }
    ++corpus_.files;
    corpus_.bytes += content->size();
    corpus_.texts.emplace_back();
    content->push_back('\n');
    std::string word;
    for (const char byte : *content) {
      if (IsWordByte(byte)) {
        word.push_back(Lower(byte));
      } else if (!word.empty()) {
        corpus_.texts.back().push_back(NumberOf(word));
        word.clear();
      }
    }
    return absl::OkStatus();
  }

  Corpus Take() { return std::move(corpus_); }

 private:
  uint32_t NumberOf(const std::string& word) {
    const auto next = static_cast<uint32_t>(corpus_.words.size());
    const auto [it, is_new] = numbers_.emplace(word, next);
    if (is_new) corpus_.words.push_back(word);
    return it->second;
  }

  Corpus corpus_;
  std::unordered_map<std::string, uint32_t> numbers_;
};

}  // namespace

absl::StatusOr<Corpus> ReadCorpus(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat("there is no file or folder ", path));
  }
  if (error) return examples::FileError("look at", path, error.value());
  Reader reader;
  if (fs::is_directory(status)) {
    const absl::StatusOr<std::vector<std::string>> files = FindFiles(path);
    if (!files.ok()) return files.status();
    for (const std::string& file : *files) {
      if (absl::Status added = reader.Add(file, /*sniff=*/true); !added.ok()) return added;
    }
  } else if (fs::is_regular_file(status)) {
    if (absl::Status added = reader.Add(path, /*sniff=*/false); !added.ok()) return added;
  } else {
    return absl::InvalidArgumentError(absl::StrCat(path, " is neither a file nor a folder"));
  }
  Corpus corpus = reader.Take();
  if (corpus.words.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("there is no word in ", path));
  }
  return corpus;
}

}  // namespace batch_jobs
