#include "input.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "examples/common/files.h"
#include "word_count.h"

namespace pipeline {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSniffBytes = 4096;

class FileDescriptor {
 public:
  explicit FileDescriptor(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)) {}
  ~FileDescriptor() {
    if (fd_ >= 0) close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status Changed(const std::string& path) {
  return absl::AbortedError(absl::StrCat(path, " changed while it was being counted"));
}

// Appends up to `length` bytes at `offset`; fewer only at the end of the file.
absl::Status AppendBytes(int fd, const std::string& path, uint64_t offset, uint64_t length,
                         std::string* out) {
  const size_t begin = out->size();
  out->resize(begin + length);
  uint64_t done = 0;
  while (done < length) {
    const ssize_t got =
        pread(fd, out->data() + begin + done, length - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return examples::FileError("read", path, errno);
    if (got == 0) break;
    done += static_cast<uint64_t>(got);
  }
  out->resize(begin + done);
  return absl::OkStatus();
}

absl::Status LookAt(const std::string& path, Input* input) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return examples::FileError("look at", path, errno);
  if (S_ISLNK(info.st_mode)) {
    ++input->links;
    return absl::OkStatus();
  }
  if (!S_ISREG(info.st_mode)) return absl::OkStatus();
  if (info.st_size == 0) {
    ++input->empty_files;
    return absl::OkStatus();
  }
  const FileDescriptor file(path);
  if (file.get() < 0) return examples::FileError("read", path, errno);
  std::string head;
  if (absl::Status status = AppendBytes(file.get(), path, 0, kSniffBytes, &head); !status.ok()) {
    return status;
  }
  if (head.find('\0') != std::string::npos) {
    ++input->binary_files;
  } else {
    input->texts.push_back({path, static_cast<uint64_t>(info.st_size), info.st_mtim});
    input->bytes += static_cast<uint64_t>(info.st_size);
  }
  return absl::OkStatus();
}

absl::Status LookInto(const std::string& folder, const Interrupt& interrupt, Input* input) {
  std::error_code error;
  if (!fs::exists(folder, error)) {
    if (error) return examples::FileError("look at", folder, error.value());
    return absl::NotFoundError(absl::StrCat("there is no folder ", folder));
  }
  if (!fs::is_directory(folder, error)) {
    return absl::InvalidArgumentError(absl::StrCat(folder, " is not a folder"));
  }
  std::vector<std::string> waiting = {folder};  // a worklist: depth costs no stack
  while (!waiting.empty()) {
    const std::string current = std::move(waiting.back());
    waiting.pop_back();
    fs::directory_iterator entry(current, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      if (absl::Status status = interrupt.Check(); !status.ok()) return status;
      if (entry->path().filename().string().front() == '.') continue;
      std::error_code ignored;  // LookAt names what is wrong with an entry
      if (fs::is_directory(entry->symlink_status(ignored))) {
        waiting.push_back(entry->path().string());
      } else if (absl::Status status = LookAt(entry->path().string(), input); !status.ok()) {
        return status;
      }
    }
    if (error) return examples::FileError("read the folder", current, error.value());
  }
  return absl::OkStatus();
}

absl::Status AppendPiece(const Text& text, const Piece& piece, std::string* out) {
  const FileDescriptor file(text.path);
  if (file.get() < 0) return examples::FileError("read", text.path, errno);
  // One byte before says whether the piece begins inside a word; what follows finishes its last.
  const uint64_t before = piece.offset > 0 ? 1 : 0;
  const uint64_t after = std::min(uint64_t{kWordBytesMax}, text.size - piece.offset - piece.length);
  const uint64_t wanted = before + piece.length + after;
  std::string bytes;
  if (absl::Status status =
          AppendBytes(file.get(), text.path, piece.offset - before, wanted, &bytes);
      !status.ok()) {
    return status;
  }
  if (bytes.size() != wanted) return Changed(text.path);
  size_t begin = before;
  const size_t end = before + piece.length;
  if (before == 1 && IsWordByte(bytes[0])) {
    while (begin < end && IsWordByte(bytes[begin])) ++begin;
  }
  size_t stop = end;
  if (begin < end && IsWordByte(bytes[end - 1])) {
    while (stop < bytes.size() && IsWordByte(bytes[stop])) ++stop;
  }
  out->append(bytes, begin, stop - begin);
  out->push_back('\n');
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Input> FindTexts(const std::vector<std::string>& folders,
                                const Interrupt& interrupt) {
  Input input;
  for (const std::string& folder : folders) {
    if (absl::Status status = LookInto(folder, interrupt, &input); !status.ok()) return status;
  }
  if (input.texts.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no text file in ", folders.front(),
                     " (links, binary and empty files passed over: ", input.links, ", ",
                     input.binary_files, ", ", input.empty_files, ")"));
  }
  std::sort(input.texts.begin(), input.texts.end(),
            [](const Text& a, const Text& b) { return a.path < b.path; });
  return input;
}

std::vector<Split> PlanSplits(const Input& input, uint64_t split_bytes) {
  std::vector<Split> splits;
  uint64_t room = 0;
  for (size_t text = 0; text < input.texts.size(); ++text) {
    for (uint64_t offset = 0; offset < input.texts[text].size;) {
      if (room == 0) {
        splits.emplace_back();
        room = split_bytes;
      }
      const uint64_t length = std::min(room, input.texts[text].size - offset);
      splits.back().push_back({text, offset, length});
      offset += length;
      room -= length;
    }
  }
  return splits;
}

absl::StatusOr<std::string> ReadSplit(const Input& input, const Split& split) {
  std::string out;
  for (const Piece& piece : split) {
    if (absl::Status status = AppendPiece(input.texts[piece.text], piece, &out); !status.ok()) {
      return status;
    }
  }
  return out;
}

absl::Status CheckUnchanged(const Input& input) {
  for (const Text& text : input.texts) {
    struct stat info {};
    if (lstat(text.path.c_str(), &info) != 0) {
      return examples::FileError("look at", text.path, errno);
    }
    if (static_cast<uint64_t>(info.st_size) != text.size ||
        info.st_mtim.tv_sec != text.modified.tv_sec ||
        info.st_mtim.tv_nsec != text.modified.tv_nsec) {
      return Changed(text.path);
    }
  }
  return absl::OkStatus();
}

}  // namespace pipeline
