#!/usr/bin/env bash
# tests/fuzz/run.sh [SECONDS]: builds the fuzzers and runs each for so long (default: 60), as many
# side by side as there are cores.
#
# Inputs found on the way stay in build/fuzz/found/NAME and are used again. What fails is left in
# build/fuzz/failed: fix it, and add the input to tests/fuzz/corpus/NAME, which ctest replays.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# fuzz_one FUZZER SECONDS: prints its last figures, or all that it said when it finds something.
fuzz_one() {
  local name corpus found log
  name=$(basename "$1")
  corpus=tests/fuzz/corpus/${name%_fuzz}
  found=build/fuzz/found/$name
  log=build/fuzz/$name.log
  mkdir -p "$found"
  local folders=("$found")
  if [ -d "$corpus" ]; then folders+=("$corpus"); fi
  if ! UBSAN_OPTIONS=print_stacktrace=1 "$1" -max_total_time="$2" -timeout=10 \
    -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix=build/fuzz/failed/ "${folders[@]}" \
    >"$log" 2>&1; then
    cat "$log"
    echo "fuzz: $name FAILED"
    return 1
  fi
  echo "fuzz: $name: $(grep -E 'number_of_executed_units|Done [0-9]+ runs' "$log" | tr '\n' ' ')"
}

if [ "${1-}" = --one ]; then
  fuzz_one "$3" "$2"
  exit
fi

. cmake/build.sh
seconds=${1:-60}
configure fuzz
build fuzz
run_tests fuzz
mkdir -p build/fuzz/failed
fuzzers=(build/fuzz/fuzz/*)
say "fuzzing for $seconds s each: ${fuzzers[*]##*/}"
printf '%s\n' "${fuzzers[@]}" | xargs -P "$(nproc)" -n 1 bash tests/fuzz/run.sh --one "$seconds"
echo "fuzz: ${#fuzzers[@]} fuzzers ran $seconds s each without a finding"
