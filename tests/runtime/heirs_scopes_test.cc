// Heirs of what is in a scope: it is in none when they inherit.

#include <string>

#include "freehold/scope.h"
#include "tests/runtime/heirs_world.h"
#include "tests/runtime/scope_testing.h"

namespace freehold {
namespace {

class HeirsScopes : public HeirsTest {
 protected:
  // Of process 1.
  ObjectRef Declare(const Scope& scope, uint64_t object) {
    DeclareOptions options;
    options.scope = scope.id();
    options.label = "cache";
    options.size = 10;
    auto ref = world[1].Declare(Object(object), options);
    EXPECT_TRUE(ref.ok()) << ref.status();
    return ref.ok() ? *std::move(ref) : ObjectRef();
  }
  Scope PartOf(const Scope& scope) { return *world[1].JoinScope(*scope.Export(Process(1))); }
};

TEST_F(HeirsScopes, WhatIsInAScopeOfItsOwnersIsInheritedInNone) {
  Scope scope = *world[1].OpenScope(Holding());
  ObjectRef own = Declare(scope, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Prepare(7);
  scope.Detach();
  Die(1);
  scope = Scope();
  own.Reset();
  Settle();
  EXPECT_EQ(OwnerAt(2, 7), Process(2));
  EXPECT_EQ(Stats(2).scope_members, 0u);
  EXPECT_TRUE(world[2].UsageByLabel().empty());
  EXPECT_EQ(world.Check(3, 7), ErrorReason::kNone);
  given.clear();
  borrowed.Reset();
  ExpectNothingLeft();
}

TEST_F(HeirsScopes, WhatItsScopeAloneHeldEndsWithItsOwner) {
  Scope scope = *world[1].OpenScope(Holding());
  (void)Declare(scope, 7);
  Prepare(7);
  EXPECT_TRUE(world.InScope(1, 7));
  scope.Detach();
  Die(1);
  scope = Scope();
  Settle();
  given.clear();
  EXPECT_FALSE(world.InScope(2, 7));
  ExpectNothingLeft();
}

TEST_F(HeirsScopes, TheEndOfItsScopeEndsItAtTheHeir) {
  Scope scope = *world[1].OpenScope(Holding());
  (void)Declare(scope, 7);
  Prepare(7);
  ASSERT_TRUE(scope.End().ok());
  scope = Scope();
  ExpectNothingLeft();
}

TEST_F(HeirsScopes, WhatIsInAnotherProcesssScopeHasNoHeir) {
  Scope scope = *world[3].OpenScope(Holding());
  Scope part = PartOf(scope);
  ObjectRef own = Declare(part, 7);
  Name(7, 1, 2);
  Settle();
  EXPECT_EQ(TakeAnswers(), "FAILED_PRECONDITION, not movable");
  Scope mine = *world[1].OpenScope(Holding());
  ObjectRef other = Declare(mine, 8);
  Prepare(8);
  const BatchResult moved = mine.Move({Object(8)}, part.id());
  ASSERT_EQ(moved.failures.size(), 1u);
  EXPECT_EQ(ReasonOf(moved.failures[0].status), ErrorReason::kNotMovable);
  Dismiss(8, 1);
  Settle();
  EXPECT_EQ(TakeAnswers(), "ok");
  EXPECT_TRUE(mine.Move({Object(8)}, part.id()).ok());
  own.Reset();
  other.Reset();
  mine = Scope();
  part = Scope();
  scope = Scope();
  ExpectNothingLeft();
}

}  // namespace
}  // namespace freehold
