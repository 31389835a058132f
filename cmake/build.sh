# Sourced by the project's bash scripts, from the project's root: packages, configure, build, test.

# What a build of everything needs on Debian 12, and what the other checks need on top of it.
BUILD_PACKAGES=(g++ cmake ninja-build pkg-config
  libabsl-dev libspdlog-dev libgtest-dev libgmock-dev libbenchmark-dev)
CI_PACKAGES=(clang clang-tidy clang-format libclang-rt-14-dev ccache valgrind spin python3)

export NINJA_STATUS="[%f/%t %es] "

say() { printf '== %s\n' "$*"; }

is_installed() {
  case "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null)" in
    ii*) return 0 ;;
    *) return 1 ;;
  esac
}

# ensure_packages PACKAGE...: installs those that are missing, or says how and fails.
ensure_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system; expecting the equivalents of: $*"
    return 0
  fi
  local missing=() package
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then return 0; fi

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
      printf 'Missing packages, and no right to install them. As root, run:\n  %s\n' \
        "apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  as_root+=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
  say "installing: ${missing[*]}"
  if ! "${as_root[@]}" update </dev/null ||
    ! "${as_root[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null; then
    printf 'Installing failed. Once it can work, run as root:\n  %s\n' \
      "apt-get update && apt-get install -y --no-install-recommends ${missing[*]}" >&2
    return 1
  fi
}

# configure PRESET [ARGUMENT...]: only if it has not been done, or the presets have changed.
configure() {
  local preset=$1 done_file=build/$1/.configured
  shift
  if [ -f "$done_file" ] && [ ! CMakePresets.json -nt "$done_file" ] && [ $# -eq 0 ]; then return 0; fi
  say "configuring $preset"
  cmake --preset "$preset" "$@"
  touch "$done_file"
}

# build PRESET [ARGUMENT...]: arguments go to cmake --build.
build() {
  say "building $1"
  cmake --build --preset "$@"
}

# run_tests PRESET [ARGUMENT...]: arguments go to ctest.
run_tests() {
  local preset=$1
  shift
  say "testing $preset"
  ctest --preset "$preset" --parallel "$(nproc)" "$@"
}
