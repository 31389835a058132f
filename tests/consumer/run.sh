#!/usr/bin/env bash
# tests/consumer/run.sh: uses the library in each way that a host can, and runs what comes out.
#
# The installed one is the static library of the dev preset, moved after installation; the embedded
# one is built as a shared library.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. cmake/build.sh
consumers=$PWD/tests/consumer

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/moved

say "install"
configure dev
build dev --target freehold freehold_testing
cmake --install build/dev --prefix "$scratch/installed"
mv "$scratch/installed" "$prefix"
if grep -rIlF -e "$PWD" -e "$scratch" "$prefix"; then
  echo "these installed files know the folder they were built or installed in" >&2
  exit 1
fi

say "find_package"
cmake -G Ninja -S "$consumers/find_package" -B "$scratch/find_package" -DCMAKE_PREFIX_PATH="$prefix"
grep -F "freehold_DIR:PATH=$prefix" "$scratch/find_package/CMakeCache.txt"
cmake --build "$scratch/find_package"
"$scratch/find_package/consumer"
"$scratch/find_package/consumer_testing"

say "pkg-config, as C++17 and, with other flags, as C++20"
pc=$(find "$prefix" -name freehold.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
pkg-config --validate freehold
"$consumers/pkg_config/build.sh" "$scratch/consumer17" -std=c++17
"$scratch/consumer17"
"$consumers/pkg_config/build.sh" "$scratch/consumer20" -std=c++20 -O2 -DNDEBUG -fno-rtti
"$scratch/consumer20"

say "add_subdirectory, shared"
cmake -G Ninja -S "$consumers/add_subdirectory" -B "$scratch/add_subdirectory" -DBUILD_SHARED_LIBS=ON \
  -DFREEHOLD_CCACHE=ON -DFREEHOLD_PCH=ON -DFREEHOLD_BATCH=8
cmake --build "$scratch/add_subdirectory" --target consumer
"$scratch/add_subdirectory/consumer"
echo "consumers: ok"
