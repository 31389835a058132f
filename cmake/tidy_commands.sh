#!/bin/sh
# tidy_commands.sh COMPILE_COMMANDS FOLDER: leaves in FOLDER the first command of each source file.
#
# A source that several programs compile stands several times in CMake's list, and clang-tidy would
# look at it as often: the core is compiled once more for its mutants, and again for the simulator's.
# Programs are listed in the order of CMakeLists.txt, so the library's own commands come first.
set -eu
mkdir -p "$2"
awk '
  /^\{/ { entry = ""; source = "" }
  /^  "file": / { source = $0 }
  { entry = entry (entry == "" ? "" : "\n") $0 }
  /^\}/ {
    sub(/,$/, "", entry)
    if (source == "" || source in seen) next
    seen[source] = 1
    printf "%s%s", separator, entry
    separator = ",\n"
  }
  BEGIN { print "[" }
  END { print "\n]" }' "$1" >"$2/compile_commands.json.new"
mv "$2/compile_commands.json.new" "$2/compile_commands.json"
