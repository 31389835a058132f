// FREEHOLD_CHECK: for our own bugs only, never for what a user or a peer can cause.
//
// A failed check prints the condition and place to standard error and aborts: going on with a wrong
// count could free an object that is in use.

#ifndef FREEHOLD_SRC_BASE_CHECK_H_
#define FREEHOLD_SRC_BASE_CHECK_H_

#include <cstdio>
#include <cstdlib>

namespace freehold::internal {

[[noreturn]] inline void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "freehold: internal check failed: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace freehold::internal

#define FREEHOLD_CHECK(condition)     \
  (__builtin_expect(!!(condition), 1) \
       ? static_cast<void>(0)         \
       : ::freehold::internal::CheckFailed(#condition, __FILE__, __LINE__))

#endif  // FREEHOLD_SRC_BASE_CHECK_H_
