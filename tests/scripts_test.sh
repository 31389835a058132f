#!/usr/bin/env bash
# tests/scripts_test.sh [PART...]
#
# The scripts' own test. Parts (default: all):
#   packages   cmake/build.sh asks for what is missing and for nothing else, or says how to
#   builds     a second configure and build do nothing
#   batches    sources compiled together are what they are apart
#   gates      what .ci/run says of a gate: budgets, failures, tests that did not run
# Nothing is installed: the programs that would do it are stand-ins, alone in PATH.
set -euo pipefail
export LC_ALL=C
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "FAILED: $*" >&2
  for file in out err calls; do
    if [ -s "$work/$file" ]; then sed "s/^/  $file: /" "$work/$file" >&2; fi
  done
  exit 1
}

# ---- packages ----------------------------------------------------------------------------------

# stand_in NAME: a program of that name, from standard input.
stand_in() {
  { echo "#!$BASH" && cat; } >"$work/bin/$1"
  chmod +x "$work/bin/$1"
}

# Debian with the packages `here` and `here-too`; of `removed` only its configuration is left.
make_machine() {
  rm -rf "$work/bin"
  mkdir "$work/bin"
  ln -s "$(command -v env)" "$work/bin/env"
  stand_in dpkg-query <<'PROGRAM'
case "${!#}" in
  here | here-too) printf 'ii ' ;;
  removed) printf 'rc ' ;;
  *) exit 1 ;;
esac
PROGRAM
  stand_in id <<'PROGRAM'
echo "$user"
PROGRAM
  stand_in apt-get <<'PROGRAM'
echo "apt-get ${DEBIAN_FRONTEND-} $*" >>"$calls"
case " $* " in *" $apt_fails_at "*) exit 100 ;; esac
PROGRAM
}

# A sudo that lets everybody in, or nobody.
add_sudo() {
  stand_in sudo <<PROGRAM
[ "$1" = lets_in ] || exit 1
[ "\$1" != -n ] || shift
"\$@"
PROGRAM
}

# ensure PACKAGE...: as user number $user. Leaves $status, $work/out, err, and calls of apt-get.
ensure() {
  : >"$work/calls"
  status=0
  env -i PATH="$work/bin" user="$user" calls="$work/calls" apt_fails_at="${apt_fails_at:-none}" \
    "$BASH" -c '. "$0"/cmake/build.sh && ensure_packages "$@"' "$root" "$@" \
    </dev/null >"$work/out" 2>"$work/err" || status=$?
}

check_asked_for() {
  local options="noninteractive -q -o DPkg::Lock::Timeout=300"
  printf '%s\n' "apt-get $options update" \
    "apt-get $options install -y --no-install-recommends $2" | cmp -s - "$work/calls" ||
    fail "$1: not what apt-get should have been asked for"
}

check_told_how() {
  [ "$status" -ne 0 ] || fail "$1: succeeds all the same"
  grep -qx "  apt-get update && apt-get install -y --no-install-recommends $2" "$work/err" ||
    fail "$1: does not print the command with what is missing"
  head -n 1 "$work/err" | grep -q "^$3" || fail "$1: does not begin with \"$3\""
  [ "$(wc -l <"$work/err")" -eq 2 ] || fail "$1: says more than it should"
}

packages() {
  make_machine
  for user in 0 1000; do
    ensure here here-too
    [ "$status" -eq 0 ] || fail "nothing missing: status $status"
    [ ! -s "$work/calls" ] && [ ! -s "$work/out" ] && [ ! -s "$work/err" ] ||
      fail "nothing missing: something is done or said"
  done
  user=1000
  ensure here far here-too removed
  check_told_how "no sudo" "far removed" "Missing packages, and no right"
  [ ! -s "$work/calls" ] || fail "no sudo: apt-get is called all the same"
  add_sudo lets_nobody_in
  ensure here far
  check_told_how "sudo that wants a password" far "Missing packages, and no right"
  [ ! -s "$work/calls" ] || fail "sudo that wants a password: apt-get is called all the same"
  add_sudo lets_in
  ensure far here removed
  [ "$status" -eq 0 ] || fail "sudo: status $status"
  check_asked_for sudo "far removed"
  user=0
  rm "$work/bin/sudo"
  ensure here removed far here-too
  [ "$status" -eq 0 ] || fail "root: status $status"
  check_asked_for root "removed far"
  apt_fails_at=update ensure here far
  check_told_how "apt-get update fails" far "Installing failed"
  [ "$(wc -l <"$work/calls")" -eq 1 ] || fail "apt-get update fails: and it goes on"
  apt_fails_at=install ensure here far
  check_told_how "apt-get install fails" far "Installing failed"
  check_asked_for "apt-get install fails" far
  rm "$work/bin/dpkg-query"
  ensure far
  [ "$status" -eq 0 ] || fail "not Debian: status $status"
  grep -q 'expecting the equivalents of: far' "$work/out" || fail "not Debian: does not say so"
  [ ! -s "$work/calls" ] || fail "not Debian: apt-get is called all the same"
}

# ---- builds ------------------------------------------------------------------------------------

# A project that makes one file from another.
make_project() {
  mkdir "$work/project"
  cat >"$work/project/CMakeLists.txt" <<'PROJECT'
cmake_minimum_required(VERSION 3.21)
project(throwaway LANGUAGES NONE)
add_custom_command(OUTPUT made DEPENDS ${CMAKE_SOURCE_DIR}/source
  COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/source made)
add_custom_target(everything ALL DEPENDS made)
PROJECT
  cat >"$work/project/CMakePresets.json" <<'PRESETS'
{
  "version": 3,
  "configurePresets": [
    { "name": "dev", "generator": "Ninja", "binaryDir": "${sourceDir}/build/dev" }
  ],
  "buildPresets": [{ "name": "dev", "configurePreset": "dev" }]
}
PRESETS
  echo 1 >"$work/project/source"
}

# in_project COMMAND: with the functions of cmake/build.sh.
in_project() {
  (cd "$work/project" && . "$root/cmake/build.sh" && eval "$1") >"$work/out" 2>"$work/err" ||
    fail "$1: status $?"
}
says() { grep -q -- "$1" "$work/out"; }

builds() {
  make_project
  in_project "configure dev; build dev"
  says '^== configuring dev' && says 'Configuring done' || fail "the first call does not configure"
  [ "$(cat "$work/project/build/dev/made")" = 1 ] || fail "the first call does not build"
  in_project "configure dev; build dev"
  ! says 'onfiguring' || fail "a second call configures again"
  says 'ninja: no work to do' || fail "a second call builds again"
  echo 2 >"$work/project/source"
  in_project "configure dev; build dev"
  ! says 'onfiguring' || fail "a changed source configures again"
  [ "$(cat "$work/project/build/dev/made")" = 2 ] || fail "a changed source is not built"
  in_project "configure dev -DOPTION=1"
  says 'Configuring done' || fail "an argument is not passed on"
  touch -d '+1 minute' "$work/project/CMakePresets.json"
  in_project "configure dev"
  says 'Configuring done' || fail "changed presets are not configured"
}

# ---- batches -----------------------------------------------------------------------------------

# Two sources have the same name for themselves; one of them uses it outside of its namespace.
make_program() {
  mkdir -p "$work/program/sources"
  cat >"$work/program/CMakeLists.txt" <<PROJECT
cmake_minimum_required(VERSION 3.21)
project(throwaway LANGUAGES CXX)
include($root/cmake/batches.cmake)
add_executable(program sources/one.cc sources/two.cc sources/main.cc)
freehold_batch(program)
PROJECT
  cat >"$work/program/sources/one.cc" <<'SOURCE'
namespace {

constexpr int kValue = 1;

}  // namespace

int One() { return kValue; }
SOURCE
  cat >"$work/program/sources/two.cc" <<'SOURCE'
#include "parts.h"

namespace {

constexpr int kValue = 2;
struct Sets {
  Sets() { two = kValue; }
} sets;

}  // namespace
SOURCE
  printf '#pragma once\nint One();\nextern int two;\n' >"$work/program/sources/parts.h"
  cat >"$work/program/sources/main.cc" <<'SOURCE'
#include <cstdio>

#include "parts.h"

int two = 0;
int main() { std::printf("%d %d; a list; \\ and [brackets]\n", One(), two); }
SOURCE
}

# program_builds SIZE: in batches of so many, and runs; what it prints is in $work/out.
program_builds() {
  (cd "$work/program" && cmake -G Ninja -S . -B build -DFREEHOLD_BATCH="$1" && cmake --build build) \
    >"$work/out" 2>"$work/err" || return 1
  "$work/program/build/program" >"$work/out"
}
objects() { find "$work/program/build" -path '*/program.dir/*.o' | wc -l; }

batches() {
  local size
  make_program
  for size in 0 2 3; do
    rm -rf "$work/program/build"
    program_builds $size || fail "batches of $size are not built"
    says '^1 2; a list; \\ and \[brackets\]$' || fail "batches of $size: another program"
    [ "$(objects)" -eq $((size == 0 ? 3 : 4 - size)) ] || fail "batches of $size: $(objects) objects"
  done
  sed -i 's/kValue = 1/kValue = 3/' "$work/program/sources/one.cc"
  program_builds 3 && says '^3 2;' || fail "a changed source is not built"
  echo 'int Broken() { return nothing; }' >>"$work/program/sources/one.cc"
  ! program_builds 3 || fail "an error is built"
  says 'sources/one\.cc:8:23: error' || fail "an error is not named after its source"
}

# ---- gates -------------------------------------------------------------------------------------

# The project as .ci/run sees it: tests that ctest runs, a format check, and the table of budgets.
make_house() {
  mkdir -p "$work/house/.ci" "$work/house/cmake" "$work/house/tests"
  cp "$root/.ci/run" "$work/house/.ci/run"
  cat >"$work/house/cmake/build.sh" <<'STUB'
BUILD_PACKAGES=()
CI_PACKAGES=()
ensure_packages() { :; }
STUB
  printf '%s\n' '| `tests` | every test | 400 |' '| `format` | clang-format | -1 |' \
    >"$work/house/CONTRIBUTING.md"
  cat >"$work/house/tests/CTestTestfile.cmake" <<'TESTS'
add_test(passes true)
foreach(name one.thing another.thing)
  add_test(${name} sh -c "exit 77")
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77)
endforeach()
TESTS
  printf '#!/bin/sh\nctest --test-dir tests\n' >"$work/house/tests/run.sh"
  printf '#!/bin/sh\nexit 0\n' >"$work/house/tests/format.sh"
  printf '#!/bin/sh\nexit 0\n' >"$work/house/tests/floors.sh"
  chmod +x "$work/house/tests/"*.sh
}

run_gates() {
  status=0
  (cd "$work/house" && .ci/run "$@") >"$work/out" 2>"$work/err" </dev/null || status=$?
}

gates() {
  make_house
  run_gates tests floors
  [ "$status" -eq 0 ] || fail "gates that pass: status $status"
  says '^gate tests: ok ([0-9]* s)   100% tests passed, .*   NOT RUN: one.thing, another.thing$' ||
    fail "tests that were skipped are not named"
  says '^tests  *[0-9]* s   100% tests passed, .*   NOT RUN: one.thing, another.thing$' ||
    fail "tests that were skipped are not named in the summary"
  says '^gate floors: ok ([0-9]* s)   not in CONTRIBUTING.md' || fail "a missing budget is not named"
  sed -i 's/| -1 |/| 0 |/' "$work/house/CONTRIBUTING.md"
  # Time itself is what is looked at here.
  printf '#!/bin/sh\nsleep 1.1\n' >"$work/house/tests/format.sh"
  run_gates format
  says '^gate format: ok ([0-9]* s)   OVER BUDGET: 0 s$' || fail "a budget that is passed is not named"
  printf '#!/bin/sh\necho what is wrong\nexit 3\n' >"$work/house/tests/format.sh"
  run_gates format tests
  [ "$status" -eq 1 ] || fail "a gate that fails: status $status"
  says '^what is wrong$' || fail "the log of a gate that fails is not shown"
  says '^gate format: FAILED' || fail "a gate that fails is not named"
  ! says '^gate tests' || fail "goes on after a gate that failed"
  printf '#!/bin/sh\necho "a_test.cc:3: Failure"\necho "it is 5"\nseq 200\nexit 3\n' \
    >"$work/house/tests/format.sh"
  run_gates format
  sed -n '/^---- what failed/,$p' "$work/out" | grep -q 'it is 5' ||
    fail "what a test says of its failure is not shown at the end"
  run_gates format nonsense
  [ "$status" -eq 2 ] || fail "no such gate: status $status"
}

if [ $# -eq 0 ]; then set -- packages builds batches gates; fi
for part in "$@"; do
  "$part"
  echo "passed: $part"
done
