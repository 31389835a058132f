#!/usr/bin/env bash
# bench/instructions.sh [--json FILE] [OPERATION...]   instructions per operation
# bench/instructions.sh --profile OPERATION            where they go, function by function
#
# Counts with callgrind: the difference of two lengths of the same run, so that preparing and warming
# up do not count. Hardly varies from run to run or machine to machine. Installs the packages it
# misses on Debian; a second call does not rebuild.
set -euo pipefail

OPERATIONS=(
  handle_copy_destroy by_id_pair/100000 by_id_pair_hostids/100000 task_refs/10 can_exit/100000
  lifecycle/0 lifecycle/1 lifecycle/3 lifecycle/15 lifecycle_at_once/3 lifecycle_at_once/15
  lifecycle_results/3 lifecycle_unpumped/3
  fanout_lifecycle fanout_release fanout_results
  borrower_pair callback_registration callback_burst/20000 envelope_encode envelope_decode
  limit_atomic_pair limit_shared_ptr limit_lookup/100000 limit_insert_erase/100000
  lock_pair/freehold lock_pair/std lock_pair/absl
)
SHORT=2
LONG=6

program=build/bench/bench/freehold_instructions

# count OPERATION BATCHES [CALLGRIND ARGUMENT...]: prints operations and instructions.
count() {
  local operation=$1 batches=$2 log operations
  shift 2
  log=$(mktemp)
  # Several threads do a burst, so all of the program is counted; otherwise only what is measured.
  case "$operation" in
    callback_burst*) ;;
    *) set -- --toggle-collect=freehold_measured "$@" ;;
  esac
  # What comes later on the command line wins.
  if ! operations=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" \
    "$program" "$operation" "$batches" 2>"$log"); then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  echo "$operations $(awk '/Collected :/ { print $NF }' "$log")"
  rm -f "$log"
}

# Prints one line of JSON.
measure() {
  local short long
  short=$(count "$1" $SHORT)
  long=$(count "$1" $LONG)
  echo "$1 $short $long" | awk '{
    printf "{\"name\": \"%s\", \"instructions\": %.1f}\n", $1, ($5 - $3) / ($4 - $2) }'
}

if [ "${1-}" = --one ]; then
  measure "$2"
  exit
fi

json="" profile=""
case "${1-}" in
  --json) json=$(realpath -m "$2") && shift 2 ;;
  --profile) profile=$2 && shift 2 ;;
  -*)
    sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
if [ $# -gt 0 ]; then OPERATIONS=("$@"); fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cmake/build.sh

ensure_packages "${BUILD_PACKAGES[@]}" valgrind
configure bench
build bench --target freehold_instructions
if [ -n "$profile" ]; then
  out=$(mktemp)
  counted=$(count "$profile" $LONG --callgrind-out-file="$out")
  echo "$profile: instructions per operation, by the function that they are in"
  # callgrind_annotate lists a function once for each file whose code was inlined into it.
  callgrind_annotate --auto=no --threshold=100 "$out" | awk -v operations="${counted%% *}" '
    /^ *[0-9,]+ \(/ && !/PROGRAM TOTALS/ {
      gsub(/,/, "", $1)
      name = $0
      sub(/^[^)]*\) *[^:]*:/, "", name)
      sub(/ \[[^]]*\]$/, "", name)
      own[name] += $1
    }
    END { for (name in own) printf "%9.1f  %s\n", own[name] / operations, name }' |
    sort -rn | cut -c1-140 | sed -n '1,40p'
  rm -f "$out"
  exit
fi

say "counting instructions"
lines=$(mktemp)
printf '%s\n' "${OPERATIONS[@]}" | xargs -P "$(nproc)" -n 1 bash "bench/$(basename "$0")" --one |
  tee "$lines"
if [ -n "$json" ]; then
  { echo '[' && sort "$lines" | sed '$!s/$/,/' && echo ']'; } >"$json"
fi
rm -f "$lines"
