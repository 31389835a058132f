#!/bin/sh
# The example in README.md is the one that is compiled and run: every line of its C++ block stands in
# examples/readme_example.cc, in the same order; and the files that README.md links to exist.
set -eu
cd "$(dirname "$0")/.."

block=$(mktemp)
trap 'rm -f "$block"' EXIT
awk '/^```cpp$/ { inside = 1; next } /^```$/ { inside = 0 } inside' README.md > "$block"
[ -s "$block" ] || { echo "README.md has no C++ example"; exit 1; }
missing=$(awk 'NR == FNR { want[++n] = $0; next } i < n && $0 == want[i + 1] { ++i }
               END { if (i < n) print want[i + 1] }' "$block" examples/readme_example.cc)
[ -z "$missing" ] || { echo "README.md shows a line that the example has not: $missing"; exit 1; }

if grep -nE '^[A-Z]+$' README.md; then
  echo "README.md has a placeholder"
  exit 1
fi

status=0
for target in $(grep -ohE '\[[A-Za-z`][^]]*\]\([^) #]+' README.md CONTRIBUTING.md |
                sed 's/.*](//' | grep -v '^http'); do
  [ -e "$target" ] || { echo "a link leads nowhere: $target"; status=1; }
done
exit "$status"
