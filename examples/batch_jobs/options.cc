#include "options.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace batch_jobs {
namespace {

struct Number {
  const char* option;
  uint64_t CommandLine::*field;
  uint64_t minimum;
  uint64_t maximum;
};
constexpr Number kNumbers[] = {
    {"--jobs", &CommandLine::jobs, 1, 10'000},
    {"--at-once", &CommandLine::at_once, 1, 100},
    {"--neighbours", &CommandLine::neighbours, 1, 1'000},
    {"--sample", &CommandLine::sample, 1, 20},
    {"--nodes", &CommandLine::nodes, 1, 32},
    {"--store-bytes", &CommandLine::store_bytes, 1, uint64_t{1} << 40},
};

struct File {
  const char* option;
  std::string CommandLine::*field;
};
constexpr File kFiles[] = {{"--svg", &CommandLine::svg}, {"--csv", &CommandLine::csv}};

absl::Status ParseNumber(const Number& number, const std::string& text, CommandLine* command_line) {
  uint64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < number.minimum || value > number.maximum) {
    return absl::InvalidArgumentError(absl::StrCat(number.option, " takes a whole number from ",
                                                   number.minimum, " to ", number.maximum,
                                                   ", not \"", text, "\""));
  }
  command_line->*number.field = value;
  return absl::OkStatus();
}

absl::Status ParseOption(const std::string& option, const std::string& value,
                         CommandLine* command_line) {
  for (const Number& number : kNumbers) {
    if (option == number.option) return ParseNumber(number, value, command_line);
  }
  for (const File& file : kFiles) {
    if (option != file.option) continue;
    if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(option, " is empty"));
    command_line->*file.field = value;
  }
  return absl::OkStatus();
}

bool TakesValue(const std::string& option) {
  for (const Number& number : kNumbers) {
    if (option == number.option) return true;
  }
  for (const File& file : kFiles) {
    if (option == file.option) return true;
  }
  return false;
}

}  // namespace

const char kUsage[] =
    "usage: batch_jobs [TEXT] [--jobs N] [--at-once N] [--neighbours N] [--sample N] [--nodes N]\n"
    "                  [--store-bytes B] [--by-hand] [--svg FILE] [--csv FILE]\n"
    "Runs a long job and many short ones in one store that is too small for what they leave\n"
    "behind, with scopes and without, over a graph of the words of TEXT.\n"
    "  TEXT           a file or a folder (default: /usr/share/common-licenses)\n"
    "  --jobs         short jobs: walks of three hops (default 100)\n"
    "  --at-once      of these, at the same time (default 6)\n"
    "  --neighbours   of a word, at most (default 300); a walk begins at a word that has as many\n"
    "  --sample       of these, that the third hop follows from each; jobs differ, from 1 to "
    "twice\n"
    "                 as many less one (default 3)\n"
    "  --nodes        that share the store (default 4)\n"
    "  --store-bytes  of all nodes together (default: what the long job and the largest short "
    "ones\n"
    "                 that run at once need, and a tenth more)\n"
    "  --by-hand      also without scopes, but with each job's list dropped the moment it ends\n"
    "  --svg, --csv   where to write the bytes over time; the same input gives the same files\n";

absl::StatusOr<CommandLine> ParseCommandLine(const std::vector<std::string>& arguments) {
  CommandLine command_line;
  bool named = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string option = arguments[i];
    if (option == "--help" || option == "-h") {
      command_line.help = true;
      return command_line;
    }
    if (option == "--by-hand") {
      command_line.by_hand = true;
      continue;
    }
    if (option.empty() || option[0] != '-') {
      if (named) return absl::InvalidArgumentError("more than one text was given");
      if (option.empty()) return absl::InvalidArgumentError("the name of the text is empty");
      command_line.text = option;
      named = true;
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
  return command_line;
}

}  // namespace batch_jobs
