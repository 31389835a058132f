// What more than one example does with files.
//
// Thread safety: thread-safe. Blocks on the file system.

#ifndef FREEHOLD_EXAMPLES_COMMON_FILES_H_
#define FREEHOLD_EXAMPLES_COMMON_FILES_H_

#include <string>

#include "absl/status/status.h"

namespace examples {

// "cannot <what> <path>: <reason of errno>". NotFound, PermissionDenied, ResourceExhausted (the
// disk is full), otherwise Unavailable.
absl::Status FileError(const char* what, const std::string& path, int error);

// Writes a whole file, or none: a failed attempt is removed. Errors: those of FileError.
absl::Status WriteFile(const std::string& path, const std::string& content);

}  // namespace examples

#endif  // FREEHOLD_EXAMPLES_COMMON_FILES_H_
