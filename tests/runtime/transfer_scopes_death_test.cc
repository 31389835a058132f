// Members of scopes that get another owner, and somebody dies: of the two, or whose scope it is.

#include <string>
#include <vector>

#include "tests/runtime/transfer_scopes_world.h"

namespace freehold {
namespace {

class TransferScopesDeath : public TransferScopes {};

TEST_F(TransferScopesDeath, WhatIsTakenBackIsAMemberAndHeldAsBefore) {
  Scope scope = Open(1);
  (void)Declare(1, scope, 7, "cache");
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  GiveToOneThatDies(7);
  EXPECT_EQ(In(scope), "1 objects, 0 bytes, 1 processes");
  EXPECT_EQ(Label(1, "cache"), "1 of 0");
  world.Exclude(2);
  Settle();
  EXPECT_EQ(OwnerAt(1, 7), Process(1));
  EXPECT_EQ(In(scope), "1 objects, 10 bytes, 0 processes");
  EXPECT_EQ(Label(1, "cache"), "1 of 10");
  borrowed.Reset();
  Settle();
  EXPECT_TRUE(world.InScope(1, 7));
  ASSERT_TRUE(scope.End().ok());
  ExpectDone(&scope);
}

TEST_F(TransferScopesDeath, WhatIsTakenBackIntoAScopeThatHasEndedIsNotHeld) {
  Scope scope = Open(1);
  (void)Declare(1, scope, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  GiveToOneThatDies(7);
  ASSERT_TRUE(scope.End().ok());
  world.Exclude(2);
  Settle();
  EXPECT_EQ(In(scope), "1 objects, 10 bytes, 0 processes");
  borrowed.Reset();
  ExpectDone(&scope);
}

TEST_F(TransferScopesDeath, AScopeEndsWithItsOwnerWhereverItsObjectsAre) {
  Scope scope = Open(1);
  (void)Declare(1, scope, 7);
  (void)Declare(1, scope, 8);
  ObjectRef borrowed = world.Pass(1, 8, 3);
  Settle();
  Give(7, 1, 2);
  Give(8, 1, 2);
  scope.Detach();
  world.Crash(1);
  scope = Scope();
  world.Exclude(1);
  Settle();
  EXPECT_FALSE(world.InScope(2, 7));
  EXPECT_TRUE(world.InScope(2, 8));
  EXPECT_EQ(world.Check(3, 8), ErrorReason::kNone);
  borrowed.Reset();
  ExpectNoScopes();
}

TEST_F(TransferScopesDeath, AThirdProcesssScopeOutlivesTheFormerOwner) {
  Scope scope = Open(3);
  Scope part = Join(scope, 1);
  (void)Declare(1, part, 7);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1, 2});  // taken, and 3 has heard nothing
  world.Crash(1);
  part = Scope();
  world.Exclude(1);
  Settle();
  EXPECT_TRUE(world.InScope(2, 7));
  EXPECT_EQ(In(scope), "0 objects, 0 bytes, 1 processes");
  ASSERT_TRUE(scope.End().ok());
  ExpectDone(&scope);
}

TEST_F(TransferScopesDeath, AThirdProcessThatDiesEndsItsScope) {
  Scope scope = Open(3);
  Scope part = Join(scope, 1);
  (void)Declare(1, part, 7);
  (void)Declare(1, part, 8, "cache");
  ObjectRef borrowed = world.Pass(1, 8, 4);
  Settle();
  Give(7, 1, 2);
  Transfer(8, 1, 2);
  world.Settle({1});  // it has left
  scope.Detach();
  world.Crash(3);
  scope = Scope();
  world.Exclude(3);
  world.Settle({2});
  Settle();
  EXPECT_FALSE(world.InScope(2, 7));
  EXPECT_EQ(OwnerAt(2, 8), Process(2));
  EXPECT_EQ(Label(2, "cache"), "1 of 10");
  EXPECT_EQ(In(part), "done");
  part = Scope();
  borrowed.Reset();
  ExpectNoScopes();
}

TEST_F(TransferScopesDeath, WhatIsLeftOfADeadProcesssScopeIsGivenAwayInNone) {
  Scope scope = Open(3);
  Scope part = Join(scope, 1);
  ObjectRef own = Declare(1, part, 7, "cache");
  Settle();
  scope.Detach();
  world.Crash(3);
  scope = Scope();
  world.Exclude(3);
  Settle();
  EXPECT_EQ(In(part), "1 objects, 10 bytes, 0 processes");
  Give(7, 1, 2);
  EXPECT_EQ(In(part), "done");
  EXPECT_EQ(Stats(2).scopes, 0u);
  EXPECT_EQ(Label(2, "cache"), "1 of 10");
  own.Reset();
  part = Scope();
  ExpectNoScopes();
}

}  // namespace
}  // namespace freehold
