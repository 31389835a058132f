#!/usr/bin/env bash
# tests/fuzz/run.sh [SECONDS]: builds the fuzzers and runs each for so long (default: 20).
#
# Inputs found on the way stay in build/fuzz/found/NAME and are used again. What fails is left in
# build/fuzz/failed: fix it, and add the input to tests/fuzz/corpus/NAME, which ctest replays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. cmake/build.sh
seconds=${1:-20}

configure fuzz
build fuzz
run_tests fuzz
mkdir -p build/fuzz/failed
count=0
for fuzzer in build/fuzz/fuzz/*; do
  name=$(basename "$fuzzer")
  found=build/fuzz/found/$name
  corpus=tests/fuzz/corpus/${name%_fuzz}
  mkdir -p "$found"
  folders=("$found")
  if [ -d "$corpus" ]; then folders+=("$corpus"); fi
  say "fuzzing $name for $seconds s"
  UBSAN_OPTIONS=print_stacktrace=1 "$fuzzer" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix=build/fuzz/failed/ "${folders[@]}"
  count=$((count + 1))
done
echo "fuzz: $count fuzzers ran $seconds s each without a finding"
