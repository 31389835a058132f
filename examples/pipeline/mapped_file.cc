#include "mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "examples/common/files.h"
#include "input.h"

namespace pipeline {

absl::StatusOr<MappedFile> MappedFile::Map(int fd, const std::string& path, uint64_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  const int error = errno;
  close(fd);  // the mapping keeps the file
  if (data == MAP_FAILED) return examples::FileError("map", path, error);
  return MappedFile(static_cast<char*>(data), bytes);
}

absl::StatusOr<MappedFile> MappedFile::Create(const std::string& path, uint64_t bytes) {
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return examples::FileError("create", path, errno);
  int error = 0;
  do {
    error = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  } while (error == EINTR);
  if (error != 0) {
    close(fd);
    unlink(path.c_str());
    return examples::FileError(absl::StrCat("reserve ", bytes, " bytes for").c_str(), path, error);
  }
  absl::StatusOr<MappedFile> file = Map(fd, path, bytes);
  if (!file.ok()) unlink(path.c_str());
  return file;
}

absl::StatusOr<MappedFile> MappedFile::Open(const std::string& path, uint64_t bytes) {
  const absl::StatusOr<uint64_t> found = FileBytes(path);
  if (!found.ok()) return found.status();
  if (*found != bytes) {
    return absl::DataLossError(
        absl::StrCat(path, " has ", *found, " bytes and not the ", bytes, " written to it"));
  }
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return examples::FileError("open", path, errno);
  return Map(fd, path, bytes);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

absl::StatusOr<uint64_t> FileBytes(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return examples::FileError("look at", path, errno);
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace pipeline
