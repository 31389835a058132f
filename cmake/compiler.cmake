# Flags for our own targets. Nothing here reaches a target that links the library.

if(PROJECT_IS_TOP_LEVEL)
  if(NOT DEFINED CMAKE_CXX_STANDARD)
    set(CMAKE_CXX_STANDARD 17)
  endif()
  set(CMAKE_CXX_STANDARD_REQUIRED ON)
  set(CMAKE_CXX_EXTENSIONS OFF)
  set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
endif()

if(FREEHOLD_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(FREEHOLD_CCACHE_PROGRAM ccache)
  mark_as_advanced(FREEHOLD_CCACHE_PROGRAM)
  if(FREEHOLD_CCACHE_PROGRAM)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${FREEHOLD_CCACHE_PROGRAM})
    if(FREEHOLD_PCH)
      # It keeps nothing of what uses a precompiled header unless it is told to; nobody here asks for
      # __TIME__, and macros are the same for all files of a target.
      set(CMAKE_CXX_COMPILER_LAUNCHER
        env CCACHE_SLOPPINESS=pch_defines,time_macros ${FREEHOLD_CCACHE_PROGRAM})
    endif()
  endif()
endif()

# Sanitizers change how everything in a program is compiled, so they are set for the whole tree.
if(FREEHOLD_SANITIZE)
  add_compile_options(-fsanitize=${FREEHOLD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${FREEHOLD_SANITIZE})
endif()

set(FREEHOLD_WARNINGS
  -Wall
  -Wextra
  -Wpedantic
  -Wcast-align
  -Wcast-qual
  -Wdouble-promotion
  -Wextra-semi
  -Wformat=2
  -Wnon-virtual-dtor
  -Wold-style-cast
  -Woverloaded-virtual
  -Wshadow
  -Wundef
  -Wunused
)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  list(APPEND FREEHOLD_WARNINGS
    -Wimplicit-fallthrough
    -Wcomma
    -Wnewline-eof
    -Wrange-loop-analysis
    -Wthread-safety
    -Wunreachable-code
  )
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND FREEHOLD_WARNINGS
    -Wduplicated-branches
    -Wduplicated-cond
    -Wlogical-op
    -Wredundant-move
    -Wsuggest-override
    # gcc 12 reports overlapping copies inside std::string's operator+ that cannot happen.
    -Wno-restrict
  )
endif()

# Narrowing is an error of the product, not of a test's arithmetic.
set(FREEHOLD_PRODUCT_WARNINGS -Wconversion -Wno-sign-conversion)

# `if (x) EXPECT_EQ(…);` is safe: the macro expands to a whole statement. gcc does not see it. Tests
# may have printf-like helpers.
set(FREEHOLD_TEST_WARNINGS -Wno-dangling-else -Wno-format-nonliteral)

# freehold_compile_defaults(TARGET [TEST]): language level, warnings, and the project's root as an
# include folder, so that files say "src/core/session.h".
function(freehold_compile_defaults target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TEST" "" "")
  target_compile_features(${target} PUBLIC cxx_std_17)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
  if(CMAKE_CXX_COMPILER_ID MATCHES "Clang|GNU")
    target_compile_options(${target} PRIVATE ${FREEHOLD_WARNINGS})
    if(arg_TEST)
      target_compile_options(${target} PRIVATE ${FREEHOLD_TEST_WARNINGS})
    else()
      target_compile_options(${target} PRIVATE ${FREEHOLD_PRODUCT_WARNINGS})
    endif()
    if(FREEHOLD_WERROR)
      target_compile_options(${target} PRIVATE -Werror)
    endif()
  endif()
endfunction()
