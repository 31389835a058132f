# freehold_precompile(TARGET [TEST]): with FREEHOLD_PCH, what nearly every file of the target
# includes of others is parsed once for the target. Parsing it is half of what a file costs.
#
# Only headers that are not ours: ours change. A file includes what it uses all the same; presets
# without FREEHOLD_PCH (release, bench, tidy) and the target `headers` compile without.

set(FREEHOLD_PRECOMPILED
  <algorithm> <array> <atomic> <chrono> <cstddef> <cstdint> <cstring> <deque> <functional> <map>
  <memory> <optional> <set> <string> <string_view> <utility> <vector>
  "<absl/container/btree_map.h>" "<absl/container/btree_set.h>"
  "<absl/container/flat_hash_map.h>" "<absl/container/inlined_vector.h>"
  "<absl/functional/any_invocable.h>" "<absl/functional/function_ref.h>"
  "<absl/status/statusor.h>" "<absl/strings/str_cat.h>" "<absl/types/span.h>")

function(freehold_precompile target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TEST" "" "")
  if(NOT FREEHOLD_PCH)
    return()
  endif()
  set(headers ${FREEHOLD_PRECOMPILED})
  if(arg_TEST)
    list(APPEND headers "<gmock/gmock.h>" "<gtest/gtest.h>")
  endif()
  target_precompile_headers(${target} PRIVATE ${headers})
  # For ccache: it must see what the header stands for, and the same header must give the same file.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  else()
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endfunction()
