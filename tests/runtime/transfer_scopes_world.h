// Processes that give each other members of scopes.
//
// Thread safety: thread-compatible.

#ifndef FREEHOLD_TESTS_RUNTIME_TRANSFER_SCOPES_WORLD_H_
#define FREEHOLD_TESTS_RUNTIME_TRANSFER_SCOPES_WORLD_H_

#include <string>
#include <utility>
#include <vector>

#include "freehold/scope.h"
#include "tests/runtime/scope_testing.h"
#include "tests/runtime/transfer_world.h"

namespace freehold {

class TransferScopes : public TransferTest {
 protected:
  Scope Open(uint64_t process, const ScopeOptions& options = Holding()) {
    return *world[process].OpenScope(options);
  }
  Scope Join(const Scope& scope, uint64_t process) {
    auto joined = world[process].JoinScope(*scope.Export(Process(process)));
    EXPECT_TRUE(joined.ok()) << joined.status();
    return joined.ok() ? *std::move(joined) : Scope();
  }
  // Of ten bytes.
  ObjectRef Declare(uint64_t process, const Scope& scope, uint64_t object,
                    const std::string& label = "") {
    DeclareOptions options;
    options.scope = scope.id();
    options.label = label;
    options.size = 10;
    auto ref = world[process].Declare(Object(object), options);
    EXPECT_TRUE(ref.ok()) << ref.status();
    return ref.ok() ? *std::move(ref) : ObjectRef();
  }
  // "1 objects, 10 bytes, 0 processes", of its owner's process or another one's part.
  static std::string In(const Scope& scope) {
    const auto status = scope.GetStatus();
    if (!status.ok()) return "gone";
    if (status->state == ScopeState::kDone) return "done";
    return std::to_string(status->usage.objects) + " objects, " +
           std::to_string(status->usage.bytes) + " bytes, " + std::to_string(status->processes) +
           " processes";
  }
  std::string Label(uint64_t process, const std::string& label) {
    for (const LabelUsage& of : world[process].UsageByLabel()) {
      if (of.label != label) continue;
      return std::to_string(of.usage.objects) + " of " + std::to_string(of.usage.bytes);
    }
    return "none";
  }
  void Give(uint64_t object, uint64_t from, uint64_t to) {
    answers.clear();
    Transfer(object, from, to);
    Settle();
    EXPECT_EQ(answers, std::vector<std::string>{"ok"});
    EXPECT_EQ(OwnerAt(to, object), Process(to));
  }
  void ExpectNoScopes() {
    ExpectNothingLeft();
    for (const auto& [number, counter] : world.counters) {
      EXPECT_EQ(counter->GetStats().scopes, 0u) << "process " << number;
      EXPECT_EQ(counter->GetStats().scope_members, 0u) << "process " << number;
      EXPECT_TRUE(counter->UsageByLabel().empty()) << "process " << number;
    }
  }
  // Everything of it is reclaimed, and nothing of it is left anywhere once nobody names it.
  void ExpectDone(Scope* scope) {
    Settle();
    EXPECT_EQ(In(*scope), "done");
    *scope = Scope();
    ExpectNoScopes();
  }
  // Taken by 2, and 3 has not been told so.
  void GiveToOneThatDies(uint64_t object) {
    Transfer(object, 1, 2);
    world.Settle({1, 2});
    world.Settle({1});
    world.Crash(2);
  }
};

}  // namespace freehold

#endif  // FREEHOLD_TESTS_RUNTIME_TRANSFER_SCOPES_WORLD_H_
