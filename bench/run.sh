#!/usr/bin/env bash
# bench/run.sh [--json FILE] [--filter REGEX] [GOOGLE BENCHMARK ARGUMENT...]
#
# Builds with the bench preset and times the benchmarks whose names match, e.g.
# `bench/run.sh --filter '^lifecycle'`. Prints the median of FREEHOLD_BENCH_REPETITIONS (default 3)
# repetitions. Installs the packages it misses on Debian; a second call does not rebuild.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
json=""
filter="."
arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
    --json | --filter)
      if [ $# -lt 2 ]; then
        echo "$1 needs an argument" >&2
        exit 2
      fi
      if [ "$1" = --json ]; then json=$(realpath -m "$2"); else filter=$2; fi
      shift 2
      ;;
    --*) arguments+=("$1") && shift ;;
    *)
      sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
      exit 2
      ;;
  esac
done
cd "$root"
. cmake/build.sh

ensure_packages "${BUILD_PACKAGES[@]}"
configure bench
build bench
if [ -n "$json" ]; then arguments+=(--benchmark_out="$json" --benchmark_out_format=json); fi
say "timing"
build/bench/bench/freehold_bench --benchmark_filter="$filter" \
  --benchmark_repetitions="${FREEHOLD_BENCH_REPETITIONS:-3}" --benchmark_min_time=0.2 \
  --benchmark_display_aggregates_only=true "${arguments[@]}"
