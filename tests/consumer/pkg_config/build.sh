#!/usr/bin/env bash
# build.sh OUTPUT [COMPILER FLAG...]: builds the consumer as a Makefile would, by pkg-config.
set -euo pipefail
output=$1
shift
read -r -a flags <<<"$(pkg-config --cflags --libs freehold)"
set -x
"${CXX:-c++}" "$@" -Wall -Wextra -Wpedantic -Wshadow -Werror \
  "$(dirname "${BASH_SOURCE[0]}")/../main.cc" -o "$output" "${flags[@]}"
