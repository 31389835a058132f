#!/usr/bin/env bash
# bench/growth.sh [OUT]   how costs grow with what there is: OUT/growth.csv and OUT/growth.svg
#
# OUT is by default bench/results. Times for every size (the best of several batches, beside the
# physical limit where there is one), instructions up to 100,000, bytes per object up to 10^7; sizes
# for which this machine has too little memory are left out. Takes about ten minutes.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$(realpath -m "${1:-$root/bench/results}")
cd "$root"
. cmake/build.sh

ensure_packages "${BUILD_PACKAGES[@]}" valgrind
configure bench
build bench --target freehold_growth --target freehold_instructions --target freehold_memory
mkdir -p "$out"
program=build/bench/bench
csv=$out/growth.csv
memory_kb=$(awk '/MemAvailable/ { print $2 }' /proc/meminfo)

# fits OBJECTS: 300 bytes each, with what the benchmark itself keeps.
fits() { [ $(($1 * 300 / 1024)) -lt "$memory_kb" ]; }

instructions() {
  bash bench/instructions.sh --one "$1" | sed 's/.*: \([0-9.]*\)}/\1/'
}

# row SERIES PER OF SIZE OPERATION [LIMIT]
row() {
  local ns limit="" counted="" bytes=""
  fits "$4" || return 0
  ns=$("$program/freehold_growth" "$5")
  [ -z "${6-}" ] || limit=$("$program/freehold_growth" "$6")
  [ "$4" -gt 100000 ] || counted=$(instructions "$5")
  echo "$1,$2,$3,$4,$ns,$limit,$counted,$bytes" | tee -a "$csv"
}

say "measuring"
echo "series,per,of,n,ns,limit_ns,instructions,bytes" | tee "$csv"
for n in 1000 10000 100000 1000000 10000000; do
  row "references by id" "pair" "objects" $n by_id_pair/$n limit_lookup_ahead/$n
done
for n in 1000 10000 100000 1000000 10000000; do
  row "lives" "life" "objects around" $n growth_objects/$n limit_insert_erase/$n
done
for n in 1 10 100 1000 10000; do
  row "lives over nodes" "life of 40960 at once" "nodes" $n growth_nodes/$n
done
for n in 1 10 100 1000; do
  row "borrowers of one object" "borrower" "borrowers" $n growth_borrowers/$n
done
for n in 1 10 100 1000 10000 100000 1000000; do
  row "ids nested in one object" "id" "ids" $n growth_nested/$n
done
for n in 1000 10000 100000 1000000 10000000; do
  fits $n || continue
  bytes=$("$program/freehold_memory" plain $n | sed 's/.*"bytes": \([0-9.]*\),.*/\1/')
  echo "memory,object,objects,$n,,,,$bytes" | tee -a "$csv"
done
/usr/bin/python3 bench/plot_growth.py "$csv" "$out/growth.svg"
say "wrote $csv and $out/growth.svg"
