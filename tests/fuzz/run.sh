#!/usr/bin/env bash
# tests/fuzz/run.sh [SECONDS]: builds the fuzzers and runs each for so long (default: 40).
#
# Inputs found on the way stay in build/fuzz/found/NAME and are used again. What fails is left in
# build/fuzz/failed: fix it, and add the input to tests/fuzz/corpus/NAME, which ctest replays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. cmake/build.sh
seconds=${1:-40}

configure fuzz
build fuzz
run_tests fuzz
mkdir -p build/fuzz/failed build/fuzz/logs

# fuzz FUZZER: what it says goes to a log, which is printed if it fails.
fuzz() {
  local name corpus found folders log
  name=$(basename "$1")
  corpus=tests/fuzz/corpus/${name%_fuzz}
  found=build/fuzz/found/$name
  log=build/fuzz/logs/$name.log
  mkdir -p "$found"
  folders=("$found")
  if [ -d "$corpus" ]; then folders+=("$corpus"); fi
  say "fuzzing $name for $seconds s"
  if UBSAN_OPTIONS=print_stacktrace=1 "$1" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix=build/fuzz/failed/ "${folders[@]}" \
    >"$log" 2>&1; then
    return
  fi
  tail -n 60 "$log"
  echo "fuzz: $name failed; log: $log"
  return 1
}

# As many at a time as there are processors.
fuzzers=(build/fuzz/fuzz/*)
at_once=$(nproc)
for ((first = 0; first < ${#fuzzers[@]}; first += at_once)); do
  jobs=()
  for fuzzer in "${fuzzers[@]:first:at_once}"; do
    fuzz "$fuzzer" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job"; done
done
echo "fuzz: ${#fuzzers[@]} fuzzers ran $seconds s each without a finding"
