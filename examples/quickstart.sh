#!/usr/bin/env bash
# examples/quickstart.sh [FOLDER]
#
# Builds the pipeline example and runs it over the text files of FOLDER (default: the pipeline's
# own choice). Installs the packages it misses on Debian; a second call only runs.
set -euo pipefail
folder=()
if [ $# -gt 0 ]; then folder=("$(realpath -m -- "$1")"); fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. cmake/build.sh

ensure_packages "${BUILD_PACKAGES[@]}"
configure release
build release --target pipeline
say "running build/release/examples/pipeline ${folder[*]-}"
exec build/release/examples/pipeline --svg build/pipeline.svg "${folder[@]}"
