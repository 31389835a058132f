#!/usr/bin/env bash
# tests/run.sh [CTEST ARGUMENT...]
#
# Builds everything with the dev preset and runs the tests, e.g. `tests/run.sh -R Session`. Installs
# the packages it misses on Debian; a second call does not rebuild.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cmake/build.sh

ensure_packages "${BUILD_PACKAGES[@]}"
configure dev
build dev
run_tests dev "$@"
