#!/usr/bin/env bash
# bench/scale.sh [--quick]: what a death costs as a cluster grows, in bench/results/scale.{csv,svg}
#
# Builds with the bench preset; what is measured is said in scale.cc. Installs the packages it misses
# on Debian; a second call does not rebuild. Exit status 1: something grows that must not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cmake/build.sh

ensure_packages "${BUILD_PACKAGES[@]}"
configure bench
build bench --target freehold_scale
mkdir -p bench/results
say "measuring"
build/bench/bench/freehold_scale "$@" bench/results
