#!/usr/bin/env bash
# tests/examples/batch_jobs_test.sh BATCH_JOBS [PART...]
#
# Runs the batch_jobs example as a user would and checks what it prints, draws and answers.
# Parts (default: all): default_run repeats options bad_input too_small. Exit status 77: something
# could not be tried on this machine (it says what), all else passed.
set -euo pipefail
export LC_ALL=C

batch_jobs=$(realpath "$1")
shift
if [ $# -eq 0 ]; then set -- default_run repeats options bad_input too_small; fi

work=$(mktemp -d)
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -m 777 "$work/charts"
skipped=0
as_user=()

fail() {
  echo "FAILED: $*" >&2
  for file in out err; do
    if [ -s "$work/$file" ]; then sed "s/^/  $file: /" "$work/$file" | tail -n 40 >&2; fi
  done
  exit 1
}

# run ARGUMENT...: leaves $status, $work/out, $work/err and the drawings in $work/charts.
run() {
  rm -f "$work/charts/chart.svg" "$work/charts/chart.csv"
  status=0
  timeout 300 "${as_user[@]}" "$batch_jobs" --svg "$work/charts/chart.svg" \
    --csv "$work/charts/chart.csv" "$@" >"$work/out" 2>"$work/err" || status=$?
}

# figure NAME: its value in the last line.
figure() {
  tail -n 1 "$work/out" | tr ' ' '\n' | sed -n "s/^$1=\([0-9]*\)\$/\1/p"
}

# cell ROW COLUMN: of the table, without commas. Columns: 1 with scopes, 2 without, 3 by hand.
cell() {
  sed -n "s/^ *$1  *//p" "$work/out" | head -n 1 | tr -d , | awk -v column="$2" '{ print $column }'
}

# text FILE WORDS DIFFERENT: words of which each is near each other one sooner or later.
text() {
  awk -v count="$2" -v different="$3" 'BEGIN {
    letters = "abcdefghijklmnopqrstuvwxyz"
    state = 1
    for (i = 0; i < count; ++i) {
      state = (state * 1103515245 + 12345) % 2147483648
      word = ""; n = int(state / 65536) % different
      do { word = word substr(letters, n % 26 + 1, 1); n = int(n / 26) } while (n > 0)
      printf "%s%s", word, i % 12 == 11 ? "\n" : " "
    }
  }' >"$1"
}

# check_success NAME JOBS: both kinds of jobs ended well with scopes, and not without.
check_success() {
  [ "$status" -eq 0 ] || fail "$1: status $status"
  [ ! -s "$work/err" ] || fail "$1: something on standard error"
  tail -n 1 "$work/out" | grep -Eqx "with_overflows=0 with_lost=0 with_answers=$(($2 + 1)) \
without_overflows=[1-9][0-9]* without_lost=[1-9][0-9]* without_answers=[0-9]+" ||
    fail "$1: the last line is not as agreed"
  [ "$(figure without_answers)" -le $(($2 + 1)) ] || fail "$1: more answers than jobs"
  [ "$(cell 'short jobs done' 1)" -eq "$2" ] || fail "$1: not all short jobs were done"
  [ "$(cell 'short jobs done' 2)" -eq "$2" ] || fail "$1: not all were done without scopes"
  [ "$(cell 'that the long job needed' 1)" -eq 0 ] || fail "$1: the long job lost something"
  [ "$(cell 'that the long job needed' 2)" -ge 1 ] || fail "$1: it lost nothing without scopes"
  # With scopes each value goes by a free of its owner, and many of them share an envelope.
  [ "$(cell 'frees that reached the nodes' 1)" -eq "$(cell 'values put into the stores' 1)" ] ||
    fail "$1: not every value was freed"
  [ $((20 * $(cell 'envelopes with them' 1))) -lt "$(cell 'frees that reached the nodes' 1)" ] ||
    fail "$1: the frees were not grouped"
  [ "$(cell "handles in the driver's lists" 1)" -eq 0 ] || fail "$1: handles beside the scopes"
  [ "$(cell 'by frees, nothing thrown out' 1)" -eq "$2" ] || fail "$1: not all bytes went by frees"
  [ "$(cell 'p99 in turns' 1)" -le 10 ] || fail "$1: bytes stayed after the end of their job"
  [ "$(cell 'p99 in turns' 2)" -gt 10 ] || fail "$1: bytes did not stay without scopes"
  check_drawings "$1" "$2"
}

check_drawings() {
  local svg=$work/charts/chart.svg csv=$work/charts/chart.csv
  [ "$(grep -c '^ *[0-9. MKiB]* |.\{72\}' "$work/out")" -eq 12 ] || fail "$1: no text chart"
  grep -q '|.*#' "$work/out" || fail "$1: scopes are not drawn"
  grep -q '|.*o' "$work/out" || fail "$1: lists are not drawn"
  grep -Eqx ' *with  \.{72}' "$work/out" || fail "$1: a loss is drawn where there was none"
  grep -Eqx ' *without  [.x]*x[.x]*' "$work/out" || fail "$1: no loss is drawn"
  head -c 4 "$svg" | grep -q '<svg' || fail "$1: no chart"
  tail -n 1 "$svg" | grep -q '</svg>' || fail "$1: the chart is not whole"
  [ "$(grep -c '^<path ' "$svg")" -eq 2 ] || fail "$1: not two curves in the chart"
  [ "$(grep -c 'stroke="#b91c1c"' "$svg")" -ge 1 ] || fail "$1: no loss in the chart"
  ! grep '^<text ' "$svg" | grep -vq '</text>$' || fail "$1: a text of the chart is not closed"
  [ "$(wc -l <"$csv")" -eq 721 ] || fail "$1: the CSV does not have 720 rows and a heading"
  awk -F, -v jobs="$2" -v lost="$(cell 'that the long job needed' 2)" '
    NF != 9 { exit 1 }
    NR > 1 && ($3 != 0 || $4 != 0) { exit 1 }
    END { if ($5 != jobs || $9 != jobs || $8 != lost) exit 1 }' "$csv" ||
    fail "$1: the CSV does not say what the table says"
  grep -q "^bytes over time: $svg\$" "$work/out" || fail "$1: the chart is not named"
}

# check_failure NAME STATUS SENTENCE: one line on standard error that holds the sentence.
check_failure() {
  [ "$status" -eq "$2" ] || fail "$1: status $status, not $2"
  [ "$(wc -l <"$work/err")" -eq 1 ] || fail "$1: not one line on standard error"
  grep -qF -- "$3" "$work/err" || fail "$1: does not say \"$3\""
  grep -q '^batch_jobs: ' "$work/err" || fail "$1: does not say who complains"
}

# check_nothing_done NAME: it failed before it had any figures.
check_nothing_done() {
  ! grep -q '^with_overflows=' "$work/out" || fail "$1: printed figures all the same"
  [ ! -e "$work/charts/chart.svg" ] || fail "$1: left a chart"
  [ ! -e "$work/charts/chart.csv" ] || fail "$1: left a CSV"
}

default_run() {
  if [ ! -d /usr/share/common-licenses ]; then
    echo "SKIPPED: the default run: there is no /usr/share/common-licenses here" >&2
    skipped=1
    return
  fi
  run
  check_success "default run" 100
}

# All but times repeats, to the last byte.
repeats() {
  local seen
  text "$work/text" 20000 1000
  for seen in first second; do
    run "$work/text" --neighbours 100
    check_success "$seen run" 100
    mv "$work/charts/chart.svg" "$work/$seen.svg"
    mv "$work/charts/chart.csv" "$work/$seen.csv"
    sed -E '/ ms /d; /within 200 ms/d; /the whole run/d' "$work/out" >"$work/$seen.out"
  done
  for seen in svg csv out; do
    cmp -s "$work/first.$seen" "$work/second.$seen" ||
      fail "two runs differ: $(diff "$work/first.$seen" "$work/second.$seen" | head -n 5)"
  done
  mkdir "$work/folder" "$work/folder/.hidden"
  cp "$work/text" "$work/folder/b"
  printf 'a b\0c' >"$work/folder/binary"
  printf 'hidden words' >"$work/folder/.hidden/file"
  ln -s b "$work/folder/a"
  run "$work/folder" --neighbours 100
  check_success "the same text in a folder" 100
  cmp -s "$work/first.csv" "$work/charts/chart.csv" || fail "a folder is not its one text"
  # A scope by hand keeps the stores as empty, and costs the driver a handle for each value.
  run "$work/text" --neighbours 100 --by-hand
  check_success "by hand" 100
  [ "$(cell 'times that a store was full' 3)" -eq 0 ] || fail "by hand the stores were full"
  [ "$(cell 'that the long job needed' 3)" -eq 0 ] || fail "by hand the long job lost something"
  [ "$(cell "handles in the driver's lists" 3)" -ge 1000 ] || fail "no lists by hand"
  cmp -s "$work/first.csv" "$work/charts/chart.csv" || fail "a third run changes the other two"
  for nodes in 1 7; do
    run "$work/text" --neighbours 100 --nodes $nodes
    check_success "$nodes nodes" 100
  done
  run "$work/text" --neighbours 40 --sample 20 --at-once 3
  check_success "wide walks" 100
}

options() {
  run --jobs 0
  check_failure "no jobs" 2 '--jobs takes a whole number from 1 to 10000, not "0"'
  run --neighbours many
  check_failure "neighbours in words" 2 'not "many"'
  run --store-bytes -1
  check_failure "negative bytes" 2 "--store-bytes takes a whole number"
  run --sample
  check_failure "no value" 2 "--sample needs a value"
  run --colour red
  check_failure "unknown option" 2 "there is no option --colour"
  run one two
  check_failure "two texts" 2 "more than one text"
  run ""
  check_failure "empty name" 2 "the name of the text is empty"
  run --csv=
  check_failure "empty value" 2 "--csv is empty"
  check_nothing_done "bad options"
  run --help
  [ "$status" -eq 0 ] || fail "help: status $status"
  grep -q '^usage: batch_jobs' "$work/out" || fail "no help"
}

bad_input() {
  run "$work/nowhere"
  check_failure "no such file" 1 "there is no file or folder $work/nowhere"
  : >"$work/empty"
  run "$work/empty"
  check_failure "empty text" 1 "there is no word in $work/empty"
  mkdir "$work/folder"
  run "$work/folder"
  check_failure "empty folder" 1 "there is no word in $work/folder"
  printf '12 34 -- !!\n' >"$work/numbers"
  run "$work/numbers"
  check_failure "no words" 1 "there is no word in $work/numbers"
  printf 'a b\0c' >"$work/binary"
  run "$work/binary"
  check_failure "not a text" 1 "$work/binary is not a text"
  run /dev/null
  check_failure "a device" 1 "/dev/null is neither a file nor a folder"
  ln -s loop "$work/loop"
  run "$work/loop"
  check_failure "a link to itself" 1 "Too many levels of symbolic links"
  head -c 9000000 /dev/zero | tr '\0' 'x' >"$work/large"
  run "$work/large"
  check_failure "too much" 1 "with $work/large it is more than 8 MiB of text"
  printf 'to be or not to be\n' >"$work/small"
  run "$work/small"
  check_failure "small graph" 1 \
    "of its 4 different words none has 300 neighbours, the best one 3"
  printf 'word word word\n' >"$work/one"
  run "$work/one" --neighbours 1
  check_failure "one word" 1 "of its 1 different words none has 1 neighbours, the best one 0"
  unreadable
  check_nothing_done "bad input"
  text "$work/text" 20000 1000
  run "$work/text" --jobs 40 --neighbours 100 --csv "$work/nowhere/chart.csv"
  check_failure "no folder for the CSV" 1 "cannot write $work/nowhere/chart.csv"
  status=0
  "$batch_jobs" "$work/text" --jobs 40 --neighbours 100 >/dev/full 2>"$work/err" || status=$?
  check_failure "nowhere to print" 1 "cannot write to standard output"
}

# Root may read everything: it must be somebody else.
unreadable() {
  if [ "$(id -u)" -eq 0 ]; then
    if ! command -v setpriv >/dev/null; then
      echo "SKIPPED: unreadable input: running as root, and no setpriv to be somebody else" >&2
      skipped=1
      return
    fi
    cp "$batch_jobs" "$work/batch_jobs"
    batch_jobs=$work/batch_jobs
    as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  fi
  chmod 000 "$work/small"
  run "$work/small"
  check_failure "unreadable file" 1 "cannot read $work/small: Permission denied"
  mkdir -m 000 "$work/folder/closed"
  run "$work/folder"
  check_failure "unreadable folder" 1 \
    "cannot read the folder $work/folder/closed: Permission denied"
  as_user=()
}

# What must not be called a success: stores that are too small with scopes too, or large enough
# without.
too_small() {
  text "$work/text" 20000 1000
  run "$work/text" --jobs 40 --neighbours 100 --store-bytes 1000000000
  check_failure "large stores" 1 "were full 0 times and the long job lost 0 values"
  grep -q '^with_overflows=0 with_lost=0 with_answers=41 without_overflows=0 ' "$work/out" ||
    fail "large stores: something was lost"
  run "$work/text" --jobs 40 --neighbours 100 --store-bytes 1500000
  check_failure "small stores" 1 "with scopes the stores of 1.4 MiB were full"
  run "$work/text" --jobs 40 --neighbours 100 --store-bytes 3000
  check_failure "stores for nothing" 1 "does not fit into a node's store of 750"
}

for part in "$@"; do
  "$part"
done
if [ $skipped -ne 0 ]; then exit 77; fi
