#include "options.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace pipeline {
namespace {

constexpr uint64_t kNodesMax = 32;
constexpr uint64_t kTopMax = 1'000'000;

// The licence texts that Debian ships and, where they were at build time, the project's own
// sources.
std::vector<std::string> DefaultFolders() {
  std::vector<std::string> folders;
  std::vector<std::string> wanted = {"/usr/share/common-licenses"};
#ifdef FREEHOLD_SOURCE_DIR
  for (const char* part : {"bench", "examples", "include", "src", "tests"}) {
    wanted.push_back(absl::StrCat(FREEHOLD_SOURCE_DIR, "/", part));
  }
#endif
  for (const std::string& folder : wanted) {
    std::error_code ignored;  // a default that is not there is passed over
    if (std::filesystem::is_directory(folder, ignored)) folders.push_back(folder);
  }
  return folders;
}

absl::Status ParseNumber(const std::string& option, const std::string& text, uint64_t minimum,
                         uint64_t maximum, uint64_t* number) {
  uint64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < minimum || value > maximum) {
    return absl::InvalidArgumentError(absl::StrCat(option, " takes a whole number from ", minimum,
                                                   " to ", maximum, ", not \"", text, "\""));
  }
  *number = value;
  return absl::OkStatus();
}

absl::Status ParseOption(const std::string& option, const std::string& value,
                         CommandLine* command_line) {
  if (option == "--nodes") return ParseNumber(option, value, 1, kNodesMax, &command_line->nodes);
  if (option == "--store-bytes") {
    return ParseNumber(option, value, 1, uint64_t{1} << 50, &command_line->store_bytes);
  }
  if (option == "--top") return ParseNumber(option, value, 0, kTopMax, &command_line->top);
  if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(option, " is empty"));
  (option == "--tmp" ? command_line->temporary_folder : command_line->svg) = value;
  return absl::OkStatus();
}

bool TakesValue(const std::string& option) {
  for (const char* known : {"--nodes", "--store-bytes", "--tmp", "--svg", "--top"}) {
    if (option == known) return true;
  }
  return false;
}

}  // namespace

const char kUsage[] =
    "usage: pipeline [FOLDER] [--nodes N] [--store-bytes B] [--tmp DIR] [--svg FILE] [--top K]\n"
    "Counts the words of the texts in FOLDER with a miniature distributed runtime.\n"
    "  FOLDER         default: the licence texts of the system and this project's sources\n"
    "  --nodes        nodes, each with a store and a worker (default 4)\n"
    "  --store-bytes  memory of each node's store; what does not fit is spilled\n"
    "                 (default: three quarters of what a node loads at a time)\n"
    "  --tmp          where the stores' folder is made (default: $TMPDIR or /tmp)\n"
    "  --svg          the chart of bytes over time (default: pipeline.svg)\n"
    "  --top          how many words to print (default 10)\n";

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine command_line;
  const char* const temporary = std::getenv("TMPDIR");
  command_line.temporary_folder = temporary != nullptr && *temporary != '\0' ? temporary : "/tmp";
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string option = arguments[i];
    if (option == "--help" || option == "-h") {
      command_line.help = true;
      return command_line;
    }
    if (option.empty() || option[0] != '-') {
      if (!command_line.folders.empty()) {
        return absl::InvalidArgumentError("more than one folder was given");
      }
      command_line.folders.push_back(option);
      continue;
    }
    std::string value;
    const size_t equals = option.find('=');
    const bool attached = equals != std::string::npos;
    if (attached) {
      value = option.substr(equals + 1);
      option.resize(equals);
    }
    if (!TakesValue(option)) {
      return absl::InvalidArgumentError(absl::StrCat("there is no option ", option));
    }
    if (!attached) {
      if (i + 1 == arguments.size()) {
        return absl::InvalidArgumentError(absl::StrCat(option, " needs a value"));
      }
      value = arguments[++i];
    }
    if (absl::Status status = ParseOption(option, value, &command_line); !status.ok()) {
      return status;
    }
  }
  if (command_line.folders.empty()) command_line.folders = DefaultFolders();
  if (command_line.folders.empty()) {
    return absl::InvalidArgumentError("the default folders do not exist here: name one");
  }
  return command_line;
}

}  // namespace pipeline
