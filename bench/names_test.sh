#!/bin/sh
# bench/names_test.sh FREEHOLD_BENCH: every benchmark of names.txt is registered, and every target of
# a timed figure speaks of one that is.
set -eu
here=$(dirname "$0")
registered=$(mktemp)
trap 'rm -f "$registered"' EXIT
"$1" --benchmark_list_tests | sed -E 's,/(threads:[0-9]+|iterations:[0-9]+|real_time|process_time|manual_time)$,,' |
  sort -u >"$registered"
status=0
for name in $(grep -v '^#' "$here/names.txt"); do
  pattern=$(echo "$name" | sed -E 's,/N$,/[0-9]+,')
  grep -Eqx -- "$pattern" "$registered" || { echo "not registered: $name"; status=1; }
done
for name in $(sed -n '/"source": "timed"/{n;s/.*"name": "\([^"]*\)".*/\1/p;}' "$here/targets.json"); do
  grep -Fqx -- "$name" "$registered" || { echo "targets.json: not registered: $name"; status=1; }
done
exit "$status"
