// Processes that are in each other's scopes.

#ifndef FREEHOLD_TESTS_RUNTIME_SCOPE_LINKS_WORLD_H_
#define FREEHOLD_TESTS_RUNTIME_SCOPE_LINKS_WORLD_H_

#include <string>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "freehold/scope.h"
#include "gtest/gtest.h"
#include "src/core/item.h"
#include "tests/runtime/scope_testing.h"
#include "tests/runtime/sharing_world.h"

namespace freehold {

// Process 1 owns a scope.
class ScopeWorld : public SharingWorld {
 public:
  explicit ScopeWorld(uint64_t processes, const ReferenceCounterOptions& options = {})
      : SharingWorld(processes, options) {}

  Scope Open(const ScopeOptions& options = Holding()) { return *(*this)[1].OpenScope(options); }
  Scope Join(const Scope& scope, uint64_t process) {
    auto token = scope.Export(Process(process));
    EXPECT_TRUE(token.ok()) << token.status();
    auto joined = (*this)[process].JoinScope(*token);
    EXPECT_TRUE(joined.ok()) << joined.status();
    return joined.ok() ? *std::move(joined) : Scope();
  }
  ErrorReason WhyNotJoined(uint64_t process, const std::string& token) {
    return ReasonOf((*this)[process].JoinScope(token).status());
  }
  // Declares it in that scope, and drops the handle.
  void Leave(uint64_t process, const Scope& scope, uint64_t object) {
    DeclareOptions options;
    options.scope = scope.id();
    options.size = 10;
    const auto ref = (*this)[process].Declare(Object(object), options);
    EXPECT_TRUE(ref.ok()) << ref.status();
  }
  void ExpectNoScopes() {
    Settle();
    ExpectClean();
    for (const auto& [number, counter] : counters) {
      EXPECT_EQ(counter->GetStats().scopes, 0u) << "process " << number;
    }
  }
  void Say(uint64_t from, uint64_t to, const core::ScopeItem& item) {
    SharingWorld::Say(from, to, item);
  }
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_SCOPE_LINKS_WORLD_H_
