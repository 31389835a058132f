#!/usr/bin/env bash
# tests/format.sh [--fix]: every C++ file is as clang-format leaves it; --fix makes it so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -d '' -t files < <(
  find include src tests bench examples \( -name '*.h' -o -name '*.cc' \) -type f -print0)
if [ "${1-}" = --fix ]; then
  clang-format -i "${files[@]}"
else
  clang-format --dry-run -Werror "${files[@]}"
fi
echo "format: ${#files[@]} files ok"
