// A file of fixed length whose bytes are mapped into memory.
//
// The space is reserved before the file is mapped (posix_fallocate), so a full disk is an error
// here and never a SIGBUS at the first write.
//
// Thread safety: thread-compatible. Ownership: owns the mapping, not the file: destroying it unmaps
// and leaves the file. Blocks on the file system. Errors: those of FileError in common/files.h; a
// Create that fails leaves no file.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_MAPPED_FILE_H_
#define FREEHOLD_EXAMPLES_PIPELINE_MAPPED_FILE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace pipeline {

class MappedFile {
 public:
  // A new file of `bytes` (at least 1) zero bytes.
  static absl::StatusOr<MappedFile> Create(const std::string& path, uint64_t bytes);
  // An existing file, which must be `bytes` long.
  static absl::StatusOr<MappedFile> Open(const std::string& path, uint64_t bytes);

  MappedFile(MappedFile&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~MappedFile();

  char* data() const { return data_; }
  uint64_t bytes() const { return bytes_; }

 private:
  MappedFile(char* data, uint64_t bytes) : data_(data), bytes_(bytes) {}
  static absl::StatusOr<MappedFile> Map(int fd, const std::string& path, uint64_t bytes);

  char* data_;
  uint64_t bytes_;
};

// What the file system says about a file's length.
absl::StatusOr<uint64_t> FileBytes(const std::string& path);

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_MAPPED_FILE_H_
