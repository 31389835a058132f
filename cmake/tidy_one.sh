#!/bin/sh
# tidy_one.sh CLANG_TIDY BUILD_FOLDER SOURCE STAMP: silent and leaves STAMP if there is nothing to
# say, prints what clang-tidy found and fails otherwise.
set -eu
mkdir -p "$(dirname "$4")"
if ! "$1" --quiet -p "$2" "$3" >"$4.log" 2>&1; then
  grep -v 'warnings* generated\.$' "$4.log"
  exit 1
fi
mv "$4.log" "$4"
