#!/usr/bin/env bash
# tests/examples/pipeline_test.sh PIPELINE [PART...]
#
# Runs the pipeline example as a user would and checks what it prints and what it leaves behind.
# Parts (default: all): default_run words options bad_input full_disk interrupted. Exit status 77: a
# part of the machine's making could not be tried here (it says which), all else passed.
set -euo pipefail
export LC_ALL=C

pipeline=$(realpath "$1")
shift
if [ $# -eq 0 ]; then set -- default_run words options bad_input full_disk interrupted; fi

work=$(mktemp -d)
# Thousands of small files: on a memory file system where there is one.
if [ -w /dev/shm ]; then stores=$(mktemp -d -p /dev/shm); else stores=$(mktemp -d); fi
mounted=()
clean_up() {
  local folder
  for folder in "${mounted[@]}"; do umount "$folder"; done
  rm -rf "$work" "$stores"
}
trap clean_up EXIT
chmod 755 "$work"
chmod 777 "$stores"
mkdir -m 777 "$work/charts"
skipped=0

fail() {
  echo "FAILED: $*" >&2
  for file in out err; do
    if [ -s "$work/$file" ]; then sed "s/^/  $file: /" "$work/$file" | tail -n 30 >&2; fi
  done
  exit 1
}

# run ARGUMENT...: leaves $status, $work/out, $work/err and the chart in $work/charts/chart.svg.
run() {
  rm -f "$work/charts/chart.svg"
  status=0
  timeout 300 "${as_user[@]}" "$pipeline" --tmp "$stores" --svg "$work/charts/chart.svg" "$@" \
    >"$work/out" 2>"$work/err" || status=$?
}
as_user=()

check_nothing_left() {
  local left
  left=$(ls -A "$stores")
  [ -z "$left" ] || fail "$1: left behind in the stores' folder: $left"
}

# figure NAME: its value in the last line.
figure() {
  tail -n 1 "$work/out" | tr ' ' '\n' | sed -n "s/^$1=\([0-9]*\)\$/\1/p"
}

# format_bytes BYTES: as the chart writes them, "1.2 MiB".
format_bytes() {
  awk -v bytes="$1" 'BEGIN {
    if (bytes < 1024) { printf "%d B", bytes; exit }
    split("KiB MiB GiB TiB", units, " ")
    value = bytes / 1024
    for (unit = 1; value >= 1024 && unit < 4; ++unit) value /= 1024
    printf value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]
  }'
}

# Three curves, each with steps, and the words and figures that explain them.
check_chart() {
  local chart=$work/charts/chart.svg curve text
  head -c 4 "$chart" | grep -q '<svg' || fail "$1: no chart"
  tail -n 1 "$chart" | grep -q '</svg>' || fail "$1: the chart is not whole"
  [ "$(grep -c '^<path ' "$chart")" -eq 3 ] || fail "$1: not three curves in the chart"
  for curve in 'Z" fill="#e0892b"/>' 'Z" fill="#2f6fb2"/>' '" fill="none" stroke="#6b7280" '; do
    grep -F -- "$curve" "$chart" |
      grep -Eq '^<path d="M[0-9.]+ [0-9.]+(H[0-9.]+V[0-9.]+){2,}' ||
      fail "$1: no curve with steps and $curve"
  done
  for text in '<title>' '>bytes in the stores (' '>time since the nodes started (' \
    '>without frees: every copy ever made in this run, added up</text>' \
    '>with frees: in spill files</text>' '>with frees: in memory-mapped files</text>' \
    ">peak $(format_bytes "$(figure peak_bytes)")</text>" \
    ">without frees $(format_bytes "$(figure total_bytes)")</text>"; do
    grep -qF -- "$text" "$chart" || fail "$1: the chart does not say $text"
  done
  ! grep '^<text ' "$chart" | grep -vq '</text>$' || fail "$1: a text of the chart is not closed"
}

# A run that must succeed, with figures that agree with each other.
check_success() {
  local name="objects=[0-9]+ copies=[0-9]+ freed_copies=[0-9]+ leaked=0 spilled=[0-9]+"
  [ "$status" -eq 0 ] || fail "$1: status $status"
  [ ! -s "$work/err" ] || fail "$1: something on standard error"
  tail -n 1 "$work/out" | grep -Eqx \
    "$name requests=[0-9]+ callbacks=[0-9]+ peak_bytes=[0-9]+ total_bytes=[0-9]+" ||
    fail "$1: the last line is not as agreed"
  [ "$(figure copies)" -eq "$(figure freed_copies)" ] || fail "$1: copies were not freed"
  [ "$(figure callbacks)" -eq $((2 * $(figure objects))) ] || fail "$1: callbacks are not two each"
  [ "$(figure requests)" -ge 1 ] || fail "$1: no request"
  [ "$(figure requests)" -le "$(figure copies)" ] || fail "$1: more requests than copies"
  check_chart "$1"
  grep -q "^bytes over time: $work/charts/chart.svg\$" "$work/out" || fail "$1: the chart is not named"
  check_nothing_left "$1"
}

# check_failure NAME STATUS SENTENCE: one line on standard error that holds the sentence.
check_failure() {
  [ "$status" -eq "$2" ] || fail "$1: status $status, not $2"
  [ "$(wc -l <"$work/err")" -eq 1 ] || fail "$1: not one line on standard error"
  grep -qF -- "$3" "$work/err" || fail "$1: does not say \"$3\""
  grep -q '^pipeline: ' "$work/err" || fail "$1: does not say who complains"
  [ ! -e "$work/charts/chart.svg" ] || fail "$1: left a chart"
  ! grep -q '^objects=' "$work/out" || fail "$1: printed figures all the same"
  check_nothing_left "$1"
}

# many_words FILE COUNT: a text of some size in which words repeat.
many_words() {
  awk -v count="$2" 'BEGIN {
    letters = "abcdefghijklmnopqrstuvwxyz"
    state = 1
    for (i = 0; i < count; ++i) {
      state = (state * 1103515245 + 12345) % 2147483648
      word = ""; n = int(state / 65536) % 8000
      do { word = word substr(letters, n % 26 + 1, 1); n = int(n / 26) } while (n > 0)
      printf "%s%s", word, i % 12 == 11 ? "\n" : " "
    }
  }' >"$1"
}

default_run() {
  local round
  for round in 1 2 3; do
    run
    # Somebody is editing the sources at this moment: said, and not our fault.
    while grep -q 'changed while it was being counted' "$work/err"; do run; done
    check_success "default run $round"
    [ "$(figure spilled)" -ge 1 ] || fail "default run: nothing was spilled"
    grep -Eq '^.* [1-9][0-9]* copies fetched from another node' "$work/out" ||
      fail "default run: no remote copies"
    [ $((3 * $(figure peak_bytes))) -lt "$(figure total_bytes)" ] ||
      fail "default run: the peak is not well under half of the total"
  done
}

# The words of a folder, counted by other programs. The longest word of a text here is cut as the
# pipeline cuts it.
count_words() {
  find "$1" -name '.?*' -prune -o -type f ! -name '*.bin' -exec awk 1 {} + |
    tr -cs 'A-Za-z\200-\377' '\n' | tr 'A-Z' 'a-z' | sed -e 's/^\(.\{64\}\).*/\1/' -e '/^$/d' |
    sort | uniq -c | awk '{ print $1, $2 }' | sort >"$work/expected"
}

check_words() {
  sed -n 's/^  *\([0-9][0-9]*\)  \([^ ]*\)$/\1 \2/p' "$work/out" | sort >"$work/counted"
  cmp -s "$work/expected" "$work/counted" ||
    fail "$1: $(diff "$work/expected" "$work/counted" | head -n 5)"
}

words() {
  local folder="$work/texts" nodes bytes
  mkdir -p "$folder/deep/er/and deeper" "$folder/.hidden"
  many_words "$folder/many" 60000
  many_words "$folder/deep/er/some" 2000
  printf 'no newline at the end' >"$folder/deep/one"
  printf 'Ünïcode “quotes” naïve\n\n\r\n' >"$folder/deep/er/and deeper/$(printf 'odd\nname')"
  head -c 100000 /dev/zero | tr '\0' 'x' >"$folder/long word"
  printf 'a b\0c' >"$folder/data.bin"
  printf '12 34 -- !!\n' >"$folder/no words"
  : >"$folder/empty"
  printf 'hidden words' >"$folder/.hidden/file"
  ln -s many "$folder/link"
  ln -s .. "$folder/deep/loop"
  ln -s /nowhere "$folder/dangling"
  mkfifo "$folder/fifo"
  count_words "$folder"
  for nodes in 1 3 4 12; do
    run "$folder" --nodes $nodes --top 1000000
    check_success "$nodes nodes"
    check_words "$nodes nodes"
    [ "$(figure spilled)" -ge 1 ] || fail "$nodes nodes: nothing was spilled"
  done
  [ "$(grep -c 'passed over: 3 links, 1 binary and 1 empty' "$work/out")" -eq 1 ] ||
    fail "does not say what it passed over"
  for bytes in 1 5000 1000000000; do
    run "$folder" --store-bytes $bytes --top 1000000
    check_success "stores of $bytes bytes"
    check_words "stores of $bytes bytes"
  done
  [ "$(figure spilled)" -eq 0 ] || fail "spilled although everything fits"
  mkdir "$work/small"
  for text in 'x' '12 34' "$(printf 'a%.0s' {1..5000})"; do
    printf '%s' "$text" >"$work/small/text"
    count_words "$work/small"
    run "$work/small" --top 1000000
    check_success "a small text"
    check_words "a small text"
  done
}

options() {
  printf 'some text\n' >"$work/text"
  run --nodes 0
  check_failure "no nodes" 2 '--nodes takes a whole number from 1 to 32, not "0"'
  run --nodes four
  check_failure "nodes in words" 2 'not "four"'
  run --store-bytes -1
  check_failure "negative bytes" 2 "--store-bytes takes a whole number"
  run --top
  check_failure "no value" 2 "--top needs a value"
  run --colour red
  check_failure "unknown option" 2 "there is no option --colour"
  run one two
  check_failure "two folders" 2 "more than one folder"
  run --tmp=
  check_failure "empty value" 2 "--tmp is empty"
  run --help
  [ "$status" -eq 0 ] || fail "help: status $status"
  grep -q '^usage: pipeline' "$work/out" || fail "no help"
}

bad_input() {
  run "$work/nowhere"
  check_failure "no such folder" 1 "there is no folder $work/nowhere"
  printf 'text' >"$work/file"
  run "$work/file"
  check_failure "a file" 1 "$work/file is not a folder"
  mkdir "$work/empty"
  run "$work/empty"
  check_failure "empty folder" 1 "there is no text file in $work/empty"
  ln -s loop "$work/loop"
  run "$work/loop"
  check_failure "a link to itself" 1 "Too many levels of symbolic links"
  mkdir "$work/good"
  many_words "$work/good/text" 1000
  run "$work/good" --tmp "$work/nowhere"
  check_failure "no folder for the stores" 1 "cannot make a temporary folder in $work/nowhere"
  run "$work/good" --svg "$work/nowhere/chart.svg"
  check_failure "no folder for the chart" 1 "cannot write the chart into $work/nowhere"
  mkdir "$work/folder.svg"
  run "$work/good" --svg "$work/folder.svg"
  check_failure "a folder for a chart" 1 "cannot write $work/folder.svg"
  status=0
  "$pipeline" "$work/good" --tmp "$stores" --svg "$work/charts/chart.svg" >/dev/full 2>"$work/err" ||
    status=$?
  : >"$work/out"
  check_failure "nowhere to print" 1 "cannot write to standard output"
  unreadable
}

# Root may read everything: the pipeline must be somebody else.
unreadable() {
  if [ "$(id -u)" -eq 0 ]; then
    if ! command -v setpriv >/dev/null; then
      echo "SKIPPED: unreadable input: running as root, and no setpriv to be somebody else" >&2
      skipped=1
      return
    fi
    cp "$pipeline" "$work/pipeline"
    pipeline=$work/pipeline
    as_user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
  fi
  chmod 000 "$work/good/text"
  run "$work/good"
  check_failure "unreadable file" 1 "cannot read $work/good/text: Permission denied"
  chmod 644 "$work/good/text"
  mkdir -m 000 "$work/good/closed"
  run "$work/good"
  check_failure "unreadable folder" 1 \
    "cannot read the folder $work/good/closed: Permission denied"
  rmdir "$work/good/closed"
  mkdir -m 555 "$work/sealed"
  run "$work/good" --tmp "$work/sealed"
  check_failure "closed folder for the stores" 1 \
    "cannot make a temporary folder in $work/sealed: Permission denied"
  as_user=()
}

full_disk() {
  local options
  mkdir "$work/good"
  many_words "$work/good/text" 400000
  # From too small for the first split to just too small for a wave; and out of files, not bytes.
  for options in size=4k size=64k size=256k size=512k size=700k size=50m,nr_inodes=3 \
    size=50m,nr_inodes=12 size=50m,nr_inodes=60; do
    if ! mount -t tmpfs -o "$options" tmpfs "$stores" 2>"$work/err"; then
      echo "SKIPPED: full disk: cannot mount a tmpfs here: $(cat "$work/err")" >&2
      skipped=1
      return
    fi
    mounted=("$stores")
    run "$work/good"
    check_failure "disk with $options" 1 "No space left on device"
    umount "$stores"
    mounted=()
  done
  run "$work/good"
  check_success "the same on a disk with space"
}

# Starts a run that takes a while, and sends the signal when it is under way.
interrupt_with() {
  local line pid
  rm -f "$work/charts/chart.svg"
  mkfifo "$work/progress"
  env --default-signal="$1" "$pipeline" --tmp "$stores" --svg "$work/charts/chart.svg" "$work/good" \
    >"$work/progress" 2>"$work/err" &
  pid=$!
  exec 3<"$work/progress"
  while read -r line <&3; do
    case "$line" in wave*) break ;; esac
  done
  [ -n "$(ls -A "$stores")" ] || fail "$1: the run is over before it was interrupted"
  kill -s "$1" $pid
  cat <&3 >"$work/out"
  exec 3<&-
  status=0
  wait $pid || status=$?
  rm "$work/progress"
  check_failure "$1" $((128 + $(kill -l "$1"))) "interrupted by SIG$1"
}

interrupted() {
  local signal
  mkdir "$work/good"
  many_words "$work/many" 500000
  for ((i = 0; i < 10; ++i)); do cp "$work/many" "$work/good/$i"; done
  for signal in INT TERM HUP QUIT; do interrupt_with $signal; done
  # The reader goes away.
  rm -f "$work/charts/chart.svg"
  { "$pipeline" --tmp "$stores" --svg "$work/charts/chart.svg" "$work/good" 2>"$work/err" ||
    echo $? >"$work/status"; } | head -n 1 >"$work/out"
  [ "$(cat "$work/status")" -eq 1 ] || fail "a closed pipe is not noticed"
  check_nothing_left "closed pipe"
}

any_skipped=0
for part in "$@"; do
  rm -rf "$work/good"
  skipped=0
  "$part"
  if [ $skipped -eq 0 ]; then
    echo "passed: $part"
  else
    echo "passed but for what was skipped: $part"
    any_skipped=1
  fi
done
if [ $any_skipped -ne 0 ]; then exit 77; fi
