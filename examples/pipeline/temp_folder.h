// The folder that the stores lie in, which is gone when the run is over, however it ends.
//
// Thread safety: thread-compatible. Ownership: owns the folder. Blocks on the file system.
// Errors: those of FileError in common/files.h.

#ifndef FREEHOLD_EXAMPLES_PIPELINE_TEMP_FOLDER_H_
#define FREEHOLD_EXAMPLES_PIPELINE_TEMP_FOLDER_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace pipeline {

class TempFolder {
 public:
  // A new folder in `parent`, for this user only.
  static absl::StatusOr<std::unique_ptr<TempFolder>> Make(const std::string& parent);
  // Removes it with whatever is in it.
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  // Removes it with the folders in it, and fails at the first file: proof that none was left.
  absl::Status RemoveEmpty();

 private:
  explicit TempFolder(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

}  // namespace pipeline

#endif  // FREEHOLD_EXAMPLES_PIPELINE_TEMP_FOLDER_H_
