// What the tests of scopes share.

#ifndef FREEHOLD_TESTS_RUNTIME_SCOPE_TESTING_H_
#define FREEHOLD_TESTS_RUNTIME_SCOPE_TESTING_H_

#include "freehold/scope.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {

inline DeclareOptions In(const Scope& scope, uint64_t primary = 1, uint64_t size = 10) {
  DeclareOptions options = With(primary, size);
  options.scope = scope.id();
  return options;
}

inline ScopeOptions Holding() {
  ScopeOptions options;
  options.hold = true;
  return options;
}

// Declares it with a real copy on node 1, and drops the handle.
inline void Leave(CounterWorld* world, const Scope& scope, uint64_t object, uint64_t size = 10) {
  auto ref = world->counter->Declare(Object(object), In(scope, 1, size));
  ASSERT_TRUE(ref.ok()) << ref.status();
  world->AddCopy(object, 1, true, 0, size);
  world->Settle();
}

struct Told {
  int times = 0;
  ScopeEnd end = ScopeEnd::kNone;
  ScopeCallback Callback() {
    return [this](ScopeId, ScopeEnd why) {
      ++times;
      end = why;
    };
  }
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_SCOPE_TESTING_H_
