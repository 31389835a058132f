#!/usr/bin/env bash
# tests/floors.sh [ROOT]        checks the C++ files of ROOT (default: this project)
# tests/floors.sh --self-test   checks that the check finds what it is there to find
#
# A file may include only its own floor and those below:
#
#   5  examples/ bench/ tests/      everything public; tests and bench also src/
#   4  src/grpc capi python testing the library, their own folder; not each other
#   3  src/runtime/                 core, base, public headers; spdlog in log_spdlog.cc only
#   2  src/core/                    base, ids and other plain values, absl containers; nothing that has
#                                   a thread, a lock, a clock, a random source, a log or a transport
#   1  src/base/                    std, absl
#   0  include/freehold/            std, absl status, span and functional
#
# Direct includes are checked, and a few names where an include would not show. Besides: no file is
# longer than 450 lines (.cc) or 300 (.h), none carries a to-do note, and every .cc is in the list of
# files to build: a test that is not built never fails.
set -euo pipefail

check() (
  cd "$1"
  status=0
  folders=()
  for folder in include src tests bench examples; do
    if [ -d "$folder" ]; then folders+=("$folder"); fi
  done
  find "${folders[@]}" \( -name '*.h' -o -name '*.cc' \) -type f | LC_ALL=C sort |
    xargs awk "$RULES" /dev/null || status=1
  check_listed src cmake/sources.cmake "" || status=1
  for folder in tests bench examples; do
    check_listed "$folder" "$folder/CMakeLists.txt" "$folder/" || status=1
  done
  exit $status
)

# check_listed FOLDER LIST PREFIX: LIST names every .cc of FOLDER, without PREFIX.
check_listed() {
  local file missing=0
  if [ ! -f "$2" ]; then return 0; fi
  while read -r file; do
    if ! grep -qE "(^|[ /])${file#"$3"}([ )]|\$)" "$2"; then
      echo "$file: not in $2"
      missing=1
    fi
  done < <(find "$1" -name '*.cc' -type f -not -path 'tests/consumer/*' | LC_ALL=C sort)
  return $missing
}

RULES=$(cat <<'AWK'
function complain(what) { printf "%s:%d: %s\n", FILENAME, FNR, what; bad = 1 }
function starts(s, prefix) { return substr(s, 1, length(prefix)) == prefix }

# The room a path from the project's root lies in.
function room_of(path,   part) {
  split(path, part, "/")
  if (part[1] == "src") return part[2]
  if (path ~ /^tests\/consumer\//) return "examples"
  return part[1]
}

function check_include(inc, quoted,   to, is_std) {
  is_std = (inc !~ /\// && inc !~ /\.h$/) || inc ~ /^(sys|netinet|arpa)\// || (inc !~ /\// && !quoted)
  if (quoted && room != "examples" && inc !~ /^(freehold|src|tests|bench|examples|absl|spdlog|grpc|grpcpp|google|gtest|gmock|benchmark)\//)
    complain("\"" inc "\" is not a path from the project's root")

  if (starts(inc, "spdlog/") && FILENAME != "src/runtime/log_spdlog.cc" && in_product)
    complain("spdlog belongs in src/runtime/log_spdlog.cc only")
  if (inc ~ /^(grpc|grpcpp|google)\// && in_product && room != "grpc")
    complain(inc ": gRPC and protobuf belong in src/grpc only")

  if (room == "include") {
    if (is_std || starts(inc, "freehold/")) return
    if (inc ~ /^absl\/(status\/|functional\/|types\/span\.h)/) return
    complain("public headers may include std and absl status, span and functional, not " inc)
    return
  }
  to = starts(inc, "src/") ? room_of(inc) : ""
  if (room == "examples" && inc ~ /^(src|tests|bench)\//) complain("examples see public headers only, not " inc)
  if (in_product && inc ~ /^(tests|bench|examples)\//) complain("the library does not include " inc)
  if (room == "base" && to != "" && to != "base") complain("base stands below " inc)
  if (room == "core") {
    if (to != "" && to != "base" && to != "core") complain("core stands below " inc)
    if (inc ~ /^(mutex|shared_mutex|thread|stop_token|atomic|random|condition_variable|future|semaphore|latch|barrier|ctime|time\.h|pthread\.h|iostream|fstream|cstdio|stdio\.h|sys\/.*)$/)
      complain("core is deterministic and silent: no <" inc ">")
    if (inc ~ /^absl\/(synchronization|time|random|hash|debugging|flags|log)\//)
      complain("core is deterministic and silent: no " inc)
    if (inc ~ /^freehold\/(transport|callback_executor|log|membership|node_agent|object_ref|object_store|reference_counter)\.h$/ || starts(inc, "freehold/testing/"))
      complain("core knows values only, not " inc)
  }
  if (room == "runtime" && to != "" && to !~ /^(base|core|runtime)$/) complain("runtime stands below " inc)
  if (room ~ /^(grpc|capi|python)$/ && to != "" && to != room) complain(room " uses public headers and its own, not " inc)
  if (room == "testing" && to ~ /^(grpc|capi|python)$/) complain("edges do not include each other: " inc)
}

function check_names(line) {
  if (room == "core" && match(line, /(steady_clock|system_clock|high_resolution_clock|std::this_thread|std::j?thread|thread_local|random_device|mt19937|std::s?rand[ (]|clock_gettime|gettimeofday|absl::(Now|Time|Mutex|Hash)|Clock *[&*]|Clock::|[.>]Now\(|spdlog::|std::(cout|cerr|clog)|printf *\()/))
    complain("core is deterministic and silent: no " substr(line, RSTART, RLENGTH))
  if (room == "include" && match(line, /absl::(string_view|optional|variant|any[^_]|Mutex|Time|Duration|flat_hash|node_hash|InlinedVector)/))
    complain("not in a public header: " substr(line, RSTART, RLENGTH))
  if (starts(FILENAME, "src/") && room != "base" && room != "core" &&
      match(line, /(std::(shared_|recursive_|timed_)?mutex|std::condition_variable|std::(lock_guard|unique_lock|scoped_lock|shared_lock)|absl::(Mutex|CondVar|ReaderMutexLock))/))
    complain("locks come from src/base/mutex.h, not " substr(line, RSTART, RLENGTH))
}

function check_length() {
  if (file ~ /\.cc$/ && lines > 450) { printf "%s: %d lines, a .cc has at most 450\n", file, lines; bad = 1 }
  if (file ~ /\.h$/ && lines > 300) { printf "%s: %d lines, a .h has at most 300\n", file, lines; bad = 1 }
}

FNR == 1 {
  check_length()
  file = FILENAME
  room = room_of(FILENAME)
  in_product = (FILENAME ~ /^(include|src)\//)
  in_comment = 0
}
{ lines = FNR; line = $0 }

line ~ /(^|[^A-Za-z_])(TODO|FIXME|XXX|HACK)([^A-Za-z_]|$)/ { complain("do it, or write down elsewhere that it is to be done") }

line ~ /^[ \t]*#[ \t]*include[ \t]*["<]/ && !in_comment {
  inc = line
  sub(/^[ \t]*#[ \t]*include[ \t]*/, "", inc)
  quoted = (substr(inc, 1, 1) == "\"")
  inc = substr(inc, 2)
  sub(/[">].*$/, "", inc)
  check_include(inc, quoted)
  next
}

{
  # What is left of the line without comments and literals.
  code = ""
  gsub(/\\./, "", line)
  while (line != "") {
    if (in_comment) {
      end = index(line, "*/")
      if (end == 0) break
      line = substr(line, end + 2)
      in_comment = 0
    } else if (match(line, /\/\/|\/\*|"/)) {
      code = code substr(line, 1, RSTART - 1)
      token = substr(line, RSTART, RLENGTH)
      line = substr(line, RSTART + RLENGTH)
      if (token == "//") break
      if (token == "/*") in_comment = 1
      if (token == "\"") {
        end = index(line, "\"")
        if (end == 0) break
        line = substr(line, end + 1)
      }
    } else {
      code = code line
      break
    }
  }
  if (code != "") check_names(code)
}

END { check_length(); exit bad }
AWK
)

# Each line: a file, what stands in it, and what the check must say of it ("-": nothing).
CASES=$(cat <<'EOC'
include/freehold/a.h|#include "src/core/b.h"|public headers may include
include/freehold/a.h|#include <spdlog/spdlog.h>|spdlog belongs in
include/freehold/a.h|#include "absl/container/flat_hash_map.h"|public headers may include
include/freehold/a.h|#include "google/protobuf/message.h"|gRPC and protobuf
include/freehold/a.h|void f(absl::string_view s);|not in a public header
include/freehold/a.h|#include <string_view>|-
include/freehold/a.h|#include "absl/status/statusor.h"|-
include/freehold/a.h|#include "absl/functional/any_invocable.h"|-
include/freehold/a.h|#include "freehold/ids.h"|-
src/base/a.h|#include "src/core/b.h"|base stands below
src/base/a.h|#include <mutex>|-
src/core/a.cc|#include <mutex>|no <mutex>
src/core/a.cc|#include <thread>|no <thread>
src/core/a.cc|  #  include <atomic>|no <atomic>
src/core/a.cc|#include <random>|no <random>
src/core/a.cc|#include <condition_variable>|no <condition_variable>
src/core/a.cc|#include "absl/synchronization/mutex.h"|no absl/synchronization
src/core/a.cc|#include "absl/time/time.h"|no absl/time
src/core/a.cc|#include <spdlog/spdlog.h>|spdlog belongs in
src/core/a.cc|#include "freehold/transport.h"|core knows values only
src/core/a.cc|#include "freehold/callback_executor.h"|core knows values only
src/core/a.cc|#include "src/runtime/b.h"|core stands below
src/core/a.cc|#include "b.h"|not a path from the project's root
src/core/a.cc|auto t = std::chrono::steady_clock::now();|no steady_clock
src/core/a.cc|f("x"); g(std::chrono::system_clock::now());|no system_clock
src/core/a.cc|/* one */ absl::Mutex m;|no absl::Mutex
src/core/a.cc|void f(const Clock& clock);|no Clock
src/core/a.cc|#include "freehold/clock.h"|-
src/core/a.cc|#include <chrono>|-
src/core/a.cc|#include "freehold/ids.h"|-
src/core/a.cc|#include "src/base/b.h"|-
src/core/a.cc|#include "absl/container/flat_hash_map.h"|-
src/core/a.cc|// unlike steady_clock, time is an argument|-
src/core/a.cc|f("a \" steady_clock");|-
src/core/a.cc|/* absl::Mutex */ int a;|-
src/runtime/a.cc|#include <spdlog/spdlog.h>|spdlog belongs in
src/runtime/a.cc|#include <grpcpp/grpcpp.h>|gRPC and protobuf
src/runtime/a.cc|#include "src/testing/b.h"|runtime stands below
src/runtime/a.cc|std::lock_guard<std::mutex> lock(m);|locks come from
src/runtime/a.cc|#include <thread>|-
src/runtime/log_spdlog.cc|#include <spdlog/spdlog.h>|-
src/grpc/a.cc|#include "src/capi/b.h"|grpc uses public headers
src/grpc/a.cc|#include <grpcpp/grpcpp.h>|-
src/testing/a.cc|#include "src/python/b.h"|edges do not include each other
src/testing/a.cc|#include "src/core/b.h"|-
src/testing/a.cc|#include "tests/core/b.h"|the library does not include
examples/a.cc|#include "b.h"|-
examples/a.cc|#include "src/core/b.h"|examples see public headers only
tests/consumer/a.cc|#include "src/core/b.h"|examples see public headers only
tests/core/a.cc|#include "src/core/b.h"|-
bench/a.cc|#include "src/core/b.h"|-
src/core/a.cc|// TODO: later|do it, or
src/core/a.cc|int to_do_list;|-
EOC
)

self_test() (
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  failed=0
  count=0

  # expect FILE WANT: writes what comes in to FILE of an otherwise empty project and checks that.
  # Files to build are listed where LISTED says so.
  expect() {
    local file=$1 want=$2 got
    rm -rf "${scratch:?}/tree"
    mkdir -p "$scratch/tree/$(dirname "$file")"
    cat >"$scratch/tree/$file"
    if [ -n "${LISTED-}" ]; then
      mkdir -p "$scratch/tree/cmake"
      printf 'set(SOURCES\n  %s\n)\n' "$LISTED" >"$scratch/tree/cmake/sources.cmake"
    fi
    got=$(check "$scratch/tree" 2>&1) && got=-
    count=$((count + 1))
    if [ "$got" = "$want" ]; then return 0; fi
    if [ "$want" != - ] && [[ "$got" == *"$want"* ]]; then return 0; fi
    printf 'self-test, %s:\n  %s\n  expected: %s\n  got: %s\n' \
      "$file" "$(head -n 1 "$scratch/tree/$file")" "$want" "$got"
    failed=1
  }

  while IFS='|' read -r file line want; do
    expect "$file" "$want" <<<"$line"
  done <<<"$CASES"
  expect src/core/a.cc - < <(printf '\n%.0s' {1..450})
  expect src/core/a.cc "at most 450" < <(printf '\n%.0s' {1..451})
  expect include/freehold/a.h - < <(printf '\n%.0s' {1..300})
  expect include/freehold/a.h "at most 300" < <(printf '\n%.0s' {1..301})
  expect src/core/a.cc "src/core/a.cc:3: core is deterministic" < <(printf '/*\nClock::Now\n*/ Clock::Now();\n')

  LISTED=src/core/b.cc expect src/core/b.cc - <<<""
  LISTED=src/core/bb.cc expect src/core/b.cc "not in cmake/sources.cmake" <<<""

  if [ $failed -eq 0 ]; then echo "floors: self-test of $count cases passed"; fi
  exit $failed
)

if [ "${1-}" = --self-test ]; then
  self_test
else
  root=${1:-$(dirname "${BASH_SOURCE[0]}")/..}
  if check "$root"; then echo "floors: ok"; else exit 1; fi
fi
