// Members of scopes that get another owner: whose scope it is, and what its end waits for.

#include <string>
#include <vector>

#include "freehold/drain.h"
#include "src/core/transfer_item.h"
#include "tests/runtime/transfer_scopes_world.h"

namespace freehold {
namespace {

TEST_F(TransferScopes, AScopeHoldsWhatItHeldAndWaitsForItWhoeverOwnsIt) {
  Scope scope = Open(1);
  (void)Declare(1, scope, 7);
  Give(7, 1, 2);
  EXPECT_EQ(In(scope), "0 objects, 0 bytes, 1 processes");
  EXPECT_TRUE(world.InScope(2, 7));
  EXPECT_EQ(Stats(2).scope_members, 1u);
  ASSERT_TRUE(scope.End().ok());
  EXPECT_EQ(In(scope), "0 objects, 0 bytes, 1 processes");
  Settle();
  EXPECT_EQ(In(scope), "done");
  EXPECT_FALSE(world.InScope(2, 7));
  scope = Scope();
  ExpectNoScopes();
}

TEST_F(TransferScopes, AScopeIsDoneExactlyWhenItsLastObjectIsReclaimedThere) {
  Scope scope = Open(1);
  Told told;
  ASSERT_TRUE(*scope.OnEnded(told.Callback()));
  (void)Declare(1, scope, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Give(7, 1, 2);
  ASSERT_TRUE(scope.End().ok());
  Settle();
  EXPECT_TRUE(world.InScope(2, 7));
  EXPECT_EQ(told.times, 0);
  borrowed.Reset();
  Settle();
  EXPECT_EQ(told.times, 1);
  scope = Scope();
  ExpectNoScopes();
}

TEST_F(TransferScopes, WhatAScopeDoesNotHoldGoesWithItsLastReference) {
  Scope scope = Open(1, {});
  ObjectRef own = Declare(1, scope, 7);
  Give(7, 1, 2);
  EXPECT_EQ(Stats(2).scope_members, 1u);
  own.Reset();
  Settle();
  EXPECT_FALSE(world.InScope(2, 7));
  ASSERT_TRUE(scope.End().ok());
  ExpectDone(&scope);
}

TEST_F(TransferScopes, AScopeOfTheNextOwnersTakesItItself) {
  Scope scope = Open(2);
  const Scope part = Join(scope, 1);
  (void)Declare(1, part, 7, "cache");
  Settle();
  EXPECT_EQ(In(scope), "0 objects, 0 bytes, 1 processes");
  Give(7, 1, 2);
  EXPECT_EQ(In(part), "0 objects, 0 bytes, 0 processes");
  EXPECT_EQ(In(scope), "1 objects, 10 bytes, 1 processes");
  EXPECT_EQ(Label(2, "cache"), "1 of 10");
  ASSERT_TRUE(scope.End().ok());
  Settle();
  EXPECT_EQ(In(scope), "done");
  EXPECT_FALSE(world.InScope(2, 7));
  scope = Scope();
}

TEST_F(TransferScopes, AScopeOfAThirdProcesssIsJoinedThere) {
  Scope scope = Open(3);
  Scope part = Join(scope, 1);
  (void)Declare(1, part, 7);
  ObjectRef borrowed = world.Pass(1, 7, 4);
  Settle();
  Give(7, 1, 2);
  EXPECT_EQ(In(scope), "0 objects, 0 bytes, 2 processes");
  EXPECT_EQ(In(part), "0 objects, 0 bytes, 0 processes");
  ASSERT_TRUE(scope.End().ok());
  part = Scope();
  Settle();
  EXPECT_EQ(In(scope), "0 objects, 0 bytes, 1 processes");
  borrowed.Reset();
  ExpectDone(&scope);
}

TEST_F(TransferScopes, AThirdProcessHasListedTheNextOwnerBeforeTheFormerOneLetsGo) {
  Scope scope = Open(3);
  const Scope part = Join(scope, 1);
  (void)Declare(1, part, 7);
  Settle();
  Transfer(7, 1, 2);
  for (int i = 0; i < 4; ++i) world.Settle({1, 2});
  EXPECT_EQ(Stats(1).transfers_pending, 1u);
  EXPECT_EQ(In(part), "1 objects, 0 bytes, 0 processes");
  ASSERT_TRUE(scope.End().ok());
  world.Settle({1, 3});
  EXPECT_EQ(In(scope), "0 objects, 0 bytes, 2 processes");
  Settle();
  EXPECT_EQ(In(scope), "done");
}

TEST_F(TransferScopes, AScopeThatEndsWhileAnObjectIsUnderWayWaitsForIt) {
  Scope scope = Open(1);
  (void)Declare(1, scope, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  Transfer(7, 1, 2);
  world.Settle({1});
  ASSERT_TRUE(scope.End().ok());
  world.Settle({1});
  EXPECT_EQ(In(scope), "1 objects, 0 bytes, 0 processes");
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"ok"});
  EXPECT_EQ(In(scope), "0 objects, 0 bytes, 1 processes");
  EXPECT_TRUE(world.InScope(2, 7));
  borrowed.Reset();
  ExpectDone(&scope);
}

TEST_F(TransferScopes, WhatIsLeftOfAScopeThatHasEndedCanBeGivenAway) {
  Scope scope = Open(1);
  (void)Declare(1, scope, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  ASSERT_TRUE(scope.End().ok());
  Settle();
  Give(7, 1, 2);
  EXPECT_EQ(In(scope), "0 objects, 0 bytes, 1 processes");
  borrowed.Reset();
  ExpectDone(&scope);
}

TEST_F(TransferScopes, ItComesIntoAPartThatHasEndedAndIsNotHeldThere) {
  Scope scope = Open(1);
  Scope part = Join(scope, 2);
  ObjectRef here = Declare(2, part, 8);  // which keeps the part from being done
  (void)Declare(1, scope, 7);
  ObjectRef borrowed = world.Pass(1, 7, 3);
  Settle();
  ASSERT_TRUE(scope.End().ok());
  Settle();
  Give(7, 1, 2);
  EXPECT_EQ(In(part), "2 objects, 20 bytes, 0 processes");
  here.Reset();
  Settle();
  EXPECT_EQ(In(part), "1 objects, 10 bytes, 0 processes");
  borrowed.Reset();
  Settle();
  EXPECT_EQ(In(scope), "done");
  part = Scope();
  scope = Scope();
  ExpectNoScopes();
}

TEST_F(TransferScopes, AForcedEndFreesItsValueAtItsNextOwnerAndOnTheWayThere) {
  for (const bool under_way : {false, true}) {
    Scope scope = Open(1);
    (void)Declare(1, scope, 7);
    ObjectRef borrowed = world.Pass(1, 7, 3);
    Settle();
    Transfer(7, 1, 2);
    world.Settle({1});
    if (!under_way) Settle();
    ASSERT_TRUE(unsafe::ForceEnd(scope).ok());
    Settle();
    EXPECT_EQ(world[2].GetLocations(Object(7))->state, ObjectState::kFreed) << under_way;
    EXPECT_EQ(In(scope), "0 objects, 0 bytes, 1 processes");
    borrowed.Reset();
    Settle();
    EXPECT_EQ(In(scope), "done");
    scope = Scope();
    ExpectNoScopes();
  }
}

TEST_F(TransferScopes, WhatNoCleanupLeavesIsHeldAtItsNextOwnerUntilItIsDeleted) {
  ScopeOptions options = Holding();
  options.no_cleanup = true;
  Scope scope = Open(1, options);
  (void)Declare(1, scope, 7);
  ASSERT_TRUE(scope.End().ok());
  Settle();
  Give(7, 1, 2);
  EXPECT_TRUE(world.InScope(2, 7));
  ASSERT_TRUE(unsafe::Delete(scope).ok());
  Settle();
  EXPECT_FALSE(world.InScope(2, 7));
  EXPECT_EQ(In(scope), "done");
  scope = Scope();
  ExpectNoScopes();
}

TEST_F(TransferScopes, WhatIsRefusedIsAMemberAsBefore) {
  Scope scope = Open(1);
  (void)Declare(1, scope, 7, "cache");
  ObjectRef theirs = world.Declare(2, 7);
  Transfer(7, 1, 2);
  Settle();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].substr(0, 14), "ALREADY_EXISTS");
  EXPECT_EQ(In(scope), "1 objects, 10 bytes, 0 processes") << "2 does not join for it";
  EXPECT_EQ(Label(1, "cache"), "1 of 10");
  EXPECT_EQ(Label(2, "cache"), "none");
  EXPECT_TRUE(world.InScope(1, 7));
  ASSERT_TRUE(scope.End().ok());
  Settle();
  EXPECT_FALSE(world.InScope(1, 7));
  EXPECT_EQ(In(scope), "done");
  scope = Scope();
  theirs.Reset();
  ExpectNoScopes();
}

TEST_F(TransferScopes, ItGoesFromOneToTheNextAndHome) {
  Scope scope = Open(1);
  (void)Declare(1, scope, 7, "cache");
  Give(7, 1, 2);
  Give(7, 2, 3);
  EXPECT_EQ(In(scope), "0 objects, 0 bytes, 2 processes");
  EXPECT_EQ(Label(2, "cache"), "none");
  EXPECT_EQ(Label(3, "cache"), "1 of 10");
  Give(7, 3, 1);
  EXPECT_EQ(In(scope), "1 objects, 10 bytes, 2 processes");
  EXPECT_EQ(Label(1, "cache"), "1 of 10");
  ASSERT_TRUE(scope.End().ok());
  ExpectDone(&scope);
}

TEST_F(TransferScopes, ALabelGoesAlongWithoutAScope) {
  DeclareOptions options;
  options.label = "cache";
  options.size = 10;
  ObjectRef own = *world[1].Declare(Object(7), options);
  EXPECT_EQ(Label(1, "cache"), "1 of 10");
  Give(7, 1, 2);
  EXPECT_EQ(Label(1, "cache"), "none");
  EXPECT_EQ(Label(2, "cache"), "1 of 10");
  EXPECT_EQ(Stats(2).scopes, 0u);
  own.Reset();
  ExpectNoScopes();
}

TEST_F(TransferScopes, WhatTheRootHoldsTheNextOwnersRootHolds) {
  Scope scope = Open(1);
  (void)Declare(1, scope, 7);
  ASSERT_TRUE(scope.Keep({Object(7)}).ok());
  Give(7, 1, 2);
  scope = Scope();
  Settle();
  EXPECT_TRUE(world.InScope(2, 7));
  EXPECT_TRUE(world[2].FindScope(ScopeId::Root())->StopHolding({Object(7)}).ok());
  ExpectNoScopes();
}

TEST_F(TransferScopes, AnotherScopeThatUsesItKeepsItThere) {
  Scope scope = Open(1);
  Scope user = Open(1);
  (void)Declare(1, scope, 7);
  ASSERT_TRUE(user.Use({Object(7)}).ok());
  ASSERT_TRUE(scope.Use({Object(7)}).ok());
  Give(7, 1, 2);
  ASSERT_TRUE(scope.End().ok());
  Settle();
  EXPECT_TRUE(world.InScope(2, 7));
  EXPECT_EQ(In(scope), "0 objects, 0 bytes, 1 processes");
  ASSERT_TRUE(user.End().ok());
  Settle();
  EXPECT_EQ(In(scope), "done");
  EXPECT_EQ(In(user), "done");
  scope = Scope();
  user = Scope();
  ExpectNoScopes();
}

TEST_F(TransferScopes, WhereItIsGivenAwayItsScopeIsTheNextOwnersToChange) {
  Scope scope = Open(1);
  Scope other = Open(1);
  ObjectRef own = Declare(1, scope, 7);
  Give(7, 1, 2);
  for (const BatchResult& result : {scope.Move({Object(7)}, other.id()), scope.Keep({Object(7)})}) {
    ASSERT_EQ(result.failures.size(), 1u);
    EXPECT_EQ(ReasonOf(result.failures[0].status), ErrorReason::kNotOwner);
  }
  EXPECT_EQ(scope.StopHolding({Object(7)}).failures.size(), 1u);
  own.Reset();
  scope = Scope();
  other = Scope();
  ExpectNoScopes();
}

TEST_F(TransferScopes, NobodyPutsAnObjectIntoAScopeThatIsNotOrIsOver) {
  Scope scope = Open(2);
  const Scope part = Join(Open(3), 2);
  for (const uint64_t id : {uint64_t{12345}, part.id().number()}) {
    core::TransferItem item;
    item.object = Object(id == 12345 ? 7 : 8);
    item.processes = {Process(3)};
    item.scope = core::TransferItem::Scope();
    item.scope->owner = Process(2);
    item.scope->id = id;
    item.scope->held = true;
    item.scope->label = id == 12345 ? "cache" : "";
    world.Say(id == 12345 ? 1 : 4, 2, item);
  }
  EXPECT_TRUE(world.InScope(2, 7) && world.InScope(2, 8)) << "those who gave them hold them";
  EXPECT_EQ(Label(2, "cache"), "1 of 0");
  EXPECT_EQ(Stats(2).scope_members, 1u) << "the root has one, for its label";
  world.Exclude(1);
  world.Exclude(4);
  Settle();
  EXPECT_FALSE(world.InScope(2, 7) || world.InScope(2, 8));
}

TEST_F(TransferScopes, ItComesInNoScopeFromAPartThatWasMadeTooLate) {
  Scope scope = Open(2);
  const std::string token = *scope.Export(Process(1));
  ASSERT_TRUE(scope.End().ok());
  scope = Scope();
  const Scope part = *world[1].JoinScope(token);
  ObjectRef own = Declare(1, part, 7, "cache");
  Transfer(7, 1, 2);
  Settle();
  EXPECT_EQ(answers, std::vector<std::string>{"ok"});
  EXPECT_EQ(Stats(2).scopes, 0u);
  EXPECT_EQ(Label(2, "cache"), "1 of 10");
  EXPECT_EQ(In(part), "done");
  own.Reset();
  ExpectNothingLeft();
}

TEST_F(TransferScopes, AProcessThatLeavesGivesMembersAwayAndItsOwnScopesEndFirst) {
  Scope scope = Open(1);
  (void)Declare(1, scope, 7);
  DrainOptions options;
  options.timeout = Duration::zero();
  options.next_owner = Process(2);
  for (int i = 0; i < 5; ++i) {
    (void)world[1].Drain(options);
    Settle();
  }
  EXPECT_EQ(OwnerAt(2, 7), Process(2));
  EXPECT_EQ(world[1].CanExit().owned_in_scope, 0u);
  EXPECT_EQ(world[1].CanExit().transfers, 0u);
  EXPECT_EQ(world[1].CanExit().scope_members, 1u);
  ASSERT_TRUE(scope.End().ok());
  Settle();
  EXPECT_TRUE(world[1].CanExit().can_exit()) << world[1].CanExit().ToString();
  scope = Scope();
  ExpectNoScopes();
}

}  // namespace
}  // namespace freehold
