#include "temp_folder.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "examples/common/files.h"
#include "input.h"

namespace pipeline {

namespace fs = std::filesystem;

absl::StatusOr<std::unique_ptr<TempFolder>> TempFolder::Make(const std::string& parent) {
  std::string path = absl::StrCat(parent, "/freehold-pipeline-XXXXXX");
  if (mkdtemp(path.data()) == nullptr)
    return examples::FileError("make a temporary folder in", parent, errno);
  return std::unique_ptr<TempFolder>(new TempFolder(path));
}

TempFolder::~TempFolder() {
  std::error_code
      ignored;  // nothing left that could be done, or said better than by the first error
  fs::remove_all(path_, ignored);
}

absl::Status TempFolder::RemoveEmpty() {
  std::vector<std::string> folders = {path_};
  std::error_code error;
  fs::recursive_directory_iterator entry(path_, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    folders.push_back(entry->path().string());
  }
  if (error) return examples::FileError("read the folder", path_, error.value());
  for (; !folders.empty(); folders.pop_back()) {  // the innermost come last
    if (rmdir(folders.back().c_str()) != 0) {
      return examples::FileError("remove the folder", folders.back(), errno);
    }
  }
  return absl::OkStatus();
}

}  // namespace pipeline
