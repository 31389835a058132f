// Scopes across processes: tokens, joining, and how an end goes round.

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "freehold/scope.h"
#include "freehold/token_sealer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/core/codec.h"
#include "src/core/scope_token.h"
#include "tests/runtime/scope_links_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ScopeLinks, WhatAMemberDeclaresEndsWithTheScope) {
  ScopeWorld world(2);
  Scope scope = world.Open();
  Scope part = world.Join(scope, 2);
  EXPECT_EQ(part.GetStatus()->owner, Process(1));
  world.Leave(1, scope, 1);
  world.Leave(2, part, 2);
  world.Settle();
  EXPECT_EQ(scope.GetStatus()->processes, 1u);
  EXPECT_TRUE(world.InScope(2, 2)) << "the part holds as the scope does";
  Told told, told_there;
  ASSERT_TRUE(*scope.OnEnded(told.Callback()));
  ASSERT_TRUE(*part.OnEnded(told_there.Callback()));
  ASSERT_TRUE(scope.Cancel().ok());
  world.executor->RunAll();
  EXPECT_EQ(told.times, 0) << "process 2 has not answered";
  EXPECT_THAT(scope.GetStatus()->waiting_for_processes, ElementsAre(Process(2)));
  EXPECT_THAT(std::string(scope.Wait(world.clock.Now()).message()), HasSubstr(Process(2).ToHex()));
  world.Settle();
  world.executor->RunAll();
  EXPECT_EQ(told.times, 1);
  EXPECT_EQ(told_there.times, 1);
  EXPECT_EQ(told_there.end, ScopeEnd::kCancelled) << "as its owner ended it";
  EXPECT_FALSE(world.InScope(2, 2));
  scope = Scope();
  part = Scope();
  world.ExpectNoScopes();
}

TEST(ScopeLinks, TheEndIsToldOnlyWhenWhatMembersHaveIsGone) {
  ScopeWorld world(3);
  Scope scope = world.Open();
  Scope part = world.Join(scope, 2);
  Scope other = world.Join(scope, 3);
  DeclareOptions options;
  options.scope = part.id();
  ObjectRef ref = *world[2].Declare(Object(2), options);
  world.Settle();
  Told told;
  ASSERT_TRUE(*scope.OnEnded(told.Callback()));
  ASSERT_TRUE(scope.End().ok());
  world.Settle();
  world.executor->RunAll();
  EXPECT_EQ(told.times, 0) << "process 2 refers to it";
  EXPECT_THAT(scope.GetStatus()->waiting_for_processes, ElementsAre(Process(2)));
  EXPECT_EQ(ReasonOf(world[2].Declare(Object(3), options).status()), ErrorReason::kScopeEnded);
  ref.Reset();
  world.Settle();
  world.executor->RunAll();
  EXPECT_EQ(told.times, 1);
}

TEST(ScopeLinks, AForcedEndIsForcedEverywhereAlsoWhenItComesSecond) {
  for (const bool second : {false, true}) {
    ScopeWorld world(2);
    Scope scope = world.Open();
    Scope part = world.Join(scope, 2);
    DeclareOptions options;
    options.scope = part.id();
    ObjectRef ref = *world[2].Declare(Object(2), options);
    world.Settle();
    if (second) {
      ASSERT_TRUE(scope.End().ok());
      world.Settle();
      EXPECT_EQ(world.Check(2, 2), ErrorReason::kNone);
      ASSERT_TRUE(unsafe::Delete(scope).ok());
    } else {
      ASSERT_TRUE(unsafe::ForceEnd(scope).ok());
    }
    world.Settle();
    EXPECT_EQ(world.Check(2, 2), ErrorReason::kFreed);
    ref.Reset();
    scope = Scope();
    part = Scope();
    world.ExpectNoScopes();
  }
}

TEST(ScopeLinks, JoiningTwiceIsJoiningOnce) {
  ScopeWorld world(2);
  Scope scope = world.Open();
  Scope part = world.Join(scope, 2);
  Scope again = world.Join(scope, 2);
  EXPECT_EQ(part.id(), again.id());
  world.Settle();
  EXPECT_EQ(scope.GetStatus()->processes, 1u);
  again = Scope();
  EXPECT_EQ(part.GetStatus()->state, ScopeState::kRunning) << "a handle on a part ends nothing";
  scope = Scope();
  world.Settle();
  EXPECT_EQ(part.GetStatus()->state, ScopeState::kDone);
  part = Scope();
  world.ExpectNoScopes();
}

TEST(ScopeLinks, WhoJoinsWhatHasEndedHearsSoAndIsAwaitedWhileItMatters) {
  ScopeWorld world(2);
  Scope scope = world.Open();
  const std::string token = *scope.Export(Process(2));
  ObjectRef ref;
  {
    DeclareOptions options;
    options.scope = scope.id();
    ref = *world[1].Declare(Object(1), options);
  }
  ASSERT_TRUE(scope.End().ok());
  Scope ending = *world[2].JoinScope(token);
  world.Leave(2, ending, 2);
  world.Settle();
  EXPECT_EQ(ending.GetStatus()->state, ScopeState::kDone);
  EXPECT_EQ(ending.GetStatus()->end, ScopeEnd::kEnded);
  ref.Reset();
  ASSERT_EQ(scope.GetStatus()->state, ScopeState::kDone);
  ending = Scope();
  Scope late = *world[2].JoinScope(token);
  world.Leave(2, late, 3);
  world.Settle();
  EXPECT_EQ(late.GetStatus()->state, ScopeState::kDone);
  scope = Scope();
  late = Scope();
  Scope unknown = *world[2].JoinScope(token);
  world.Leave(2, unknown, 4);
  world.Settle();
  EXPECT_EQ(unknown.GetStatus()->state, ScopeState::kDone) << "its owner does not know it any more";
  unknown = Scope();
  world.ExpectNoScopes();
}

TEST(ScopeLinks, ATokenThatNeverArrivesKeepsNothing) {
  ScopeWorld world(3);
  Scope scope = world.Open();
  ASSERT_TRUE(scope.Export(Process(2)).ok());
  ASSERT_TRUE(scope.Export(Process(3)).ok());
  ASSERT_TRUE(scope.End().ok());
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kDone);
}

TEST(ScopeLinks, ATokenIsForOneProcessAndForScopes) {
  ScopeWorld world(3);
  Scope scope = world.Open();
  const std::string token = *scope.Export(Process(2));
  EXPECT_EQ(world.WhyNotJoined(3, token), ErrorReason::kWrongReceiver);
  EXPECT_EQ(world.WhyNotJoined(1, token), ErrorReason::kWrongReceiver);
  EXPECT_EQ(world.WhyNotJoined(2, token.substr(1)), ErrorReason::kMalformedToken);
  EXPECT_EQ(world.WhyNot(2, token), ErrorReason::kMalformedToken) << "no reference";
  ObjectRef ref = world.Declare(1, 1);
  EXPECT_EQ(world.WhyNotJoined(2, world.Export(1, 1, 2).token), ErrorReason::kMalformedToken);
  EXPECT_EQ(scope.Export(Process(1)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(scope.Export(ProcessId()).status().code(), absl::StatusCode::kInvalidArgument);
  Scope root = *world[1].FindScope(ScopeId::Root());
  EXPECT_EQ(root.Export(Process(2)).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(scope.End().ok());
  EXPECT_EQ(ReasonOf(scope.Export(Process(2)).status()), ErrorReason::kScopeEnded);
}

TEST(ScopeLinks, AMemberPassesTheScopeOnAndBack) {
  ScopeWorld world(3);
  Scope scope = world.Open();
  Scope second = world.Join(scope, 2);
  Scope third = world.Join(second, 3);
  Scope home = *world[1].JoinScope(*third.Export(Process(1)));
  EXPECT_EQ(home.id(), scope.id()) << "it is the owner's";
  world.Leave(3, third, 3);
  world.Settle();
  EXPECT_EQ(scope.GetStatus()->processes, 2u);
  EXPECT_EQ(third.GetStatus()->owner, Process(1));
  world.Crash(2);
  second = Scope();
  ASSERT_TRUE(scope.End().ok());
  world.Settle();
  EXPECT_FALSE(world.InScope(3, 3)) << "whoever passed it on is gone";
  EXPECT_THAT(scope.GetStatus()->waiting_for_processes, ElementsAre(Process(2)));
  world.Exclude(2);
  world.Settle();
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kDone);
}

TEST(ScopeLinks, OnlyItsOwnerEndsIt) {
  ScopeWorld world(2);
  Scope scope = world.Open();
  Scope part = world.Join(scope, 2);
  world.Settle();
  for (const absl::Status& refused : {part.End(), part.Cancel(), unsafe::ForceEnd(part),
                                      unsafe::Delete(part), world[2].EndScope(part.id())}) {
    EXPECT_EQ(ReasonOf(refused), ErrorReason::kNotOwner) << refused;
  }
  EXPECT_EQ(part.GetStatus()->state, ScopeState::kRunning);
}

TEST(ScopeLinks, AnItemFromWhoMayNotSendItChangesNothing) {
  ScopeWorld world(6);
  Scope scope = world.Open();
  Scope part = world.Join(scope, 2);
  world.Settle();
  using core::ScopeItemKind;
  const uint64_t number = scope.id().number();
  world.Say(3, 2, {number, 1, ScopeItemKind::kEnd, ScopeEnd::kEnded});
  EXPECT_EQ(part.GetStatus()->state, ScopeState::kRunning) << "process 3 does not own it";
  EXPECT_EQ(world[2].GetStats().sessions.refused_items, 1u);
  world.Say(4, 1, {number, 1, ScopeItemKind::kEnded});
  EXPECT_EQ(world[1].GetStats().sessions.refused_items, 1u) << "process 4 has not joined";
  world.Say(5, 1, {number + 1, 1, ScopeItemKind::kEnded});
  EXPECT_EQ(world[1].GetStats().sessions.refused_items, 2u) << "there is no such scope";
  EXPECT_EQ(scope.GetStatus()->processes, 1u);
  world.Say(6, 1, {number, 9, ScopeItemKind::kJoin});
  EXPECT_EQ(scope.GetStatus()->processes, 2u) << "whoever knows the id may join";
}

TEST(ScopeLinks, AnExcludedMemberIsAwaitedUntilItsBarrier) {
  ScopeWorld world(3);
  Scope scope = world.Open();
  Scope part = world.Join(scope, 2);
  world.Settle();
  world.Crash(2);
  ASSERT_TRUE(scope.End().ok());
  world.Exclude(2);
  world.Settle({1});
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kEnding) << "process 3 has not seen the view";
  EXPECT_EQ(ReasonOf(scope.Export(Process(2)).status()), ErrorReason::kPeerExcluded);
  world.Settle();
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kDone);
  part = Scope();
}

TEST(ScopeLinks, WithoutItsOwnerAPartEnds) {
  ScopeWorld world(3);
  Scope scope = world.Open();
  Scope part = world.Join(scope, 2);
  const std::string late = *scope.Export(Process(3));
  const std::string passed_on = *part.Export(Process(3));
  world.Leave(2, part, 2);
  Told told;
  ASSERT_TRUE(*part.OnEnded(told.Callback()));
  world.Settle();
  world.Crash(1);
  world.Exclude(1);
  world.Settle({2});
  EXPECT_EQ(part.GetStatus()->state, ScopeState::kRunning) << "until the barrier";
  world.Settle();
  world.executor->RunAll();
  EXPECT_EQ(told.end, ScopeEnd::kOwnerDied);
  EXPECT_FALSE(world.InScope(2, 2));
  EXPECT_EQ(world.WhyNotJoined(3, late), ErrorReason::kPeerExcluded);
  EXPECT_EQ(world.WhyNotJoined(3, passed_on), ErrorReason::kPeerExcluded);
  EXPECT_EQ(ReasonOf(part.Export(Process(1)).status()), ErrorReason::kPeerExcluded);
  part = Scope();
  scope = Scope();
  world.ExpectNoScopes();
}

// An owner that is excluded while this process joins.
class HookedSealer final : public TokenSealer {
 public:
  std::string Seal(std::string_view token) override { return std::string(token); }
  std::optional<std::string> Open(std::string_view sealed) override {
    const std::function<void()> now = std::exchange(on_open, nullptr);
    if (now != nullptr) now();
    return std::string(sealed);
  }
  std::function<void()> on_open;
};

TEST(ScopeLinks, ATokenIsSealedAndOpened) {
  HookedSealer sealer;
  int opened = 0;
  ReferenceCounterOptions options;
  options.token_sealer = &sealer;
  ScopeWorld world(2, options);
  Scope scope = world.Open();
  sealer.on_open = [&] { ++opened; };
  Scope part = world.Join(scope, 2);
  EXPECT_EQ(opened, 1);
}

TEST(ScopeLinks, WithoutCleanUpAPartLeavesEverythingToDelete) {
  ScopeWorld world(2);
  ScopeOptions options = Holding();
  options.no_cleanup = true;
  Scope scope = world.Open(options);
  Scope part = world.Join(scope, 2);
  world.Leave(2, part, 2);
  world.Settle();
  ASSERT_TRUE(scope.End().ok());
  world.Settle();
  EXPECT_TRUE(world.InScope(2, 2));
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kEnding);
  ASSERT_TRUE(unsafe::Delete(scope).ok());
  world.Settle();
  EXPECT_FALSE(world.InScope(2, 2));
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kDone);
}

TEST(ScopeLinks, APartThatNobodyCanCleanUpLaterCleansUpAtOnce) {
  ScopeWorld world(2);
  ScopeOptions options = Holding();
  options.no_cleanup = true;
  Scope over = world.Open(options);
  const std::string token = *over.Export(Process(2));
  ASSERT_TRUE(over.End().ok());
  Scope late = *world[2].JoinScope(token);
  world.Leave(2, late, 1);
  world.Settle();
  EXPECT_FALSE(world.InScope(2, 1)) << "its scope was over, and has not listed it";
  Scope ending = world.Open(options);
  Scope running = world.Open(options);
  Scope part = world.Join(ending, 2);
  Scope other = world.Join(running, 2);
  world.Leave(2, part, 2);
  world.Leave(2, other, 3);
  world.Settle();
  ASSERT_TRUE(ending.End().ok());
  world.Settle();
  ASSERT_TRUE(world.InScope(2, 2));
  world.Crash(1);
  world.Exclude(1);
  world.Settle();
  EXPECT_FALSE(world.InScope(2, 2)) << "its owner died";
  EXPECT_FALSE(world.InScope(2, 3));
}

TEST(ScopeLinks, ADrainWaitsUntilTheOwnerHasBeenAnswered) {
  ScopeWorld world(2);
  Scope scope = world.Open();
  Scope part = world.Join(scope, 2);
  world.Settle();
  ASSERT_TRUE(scope.End().ok());
  EXPECT_FALSE(world[1].CanExit().can_exit()) << "its members are not told";
  world.SettleFor(std::chrono::seconds(1));
  EXPECT_TRUE(world[1].CanExit().can_exit()) << world[1].CanExit().ToString();
  EXPECT_TRUE(world[2].CanExit().can_exit());
}

TEST(ScopeLinks, AnOwnerWhoseScopeOthersAreInCannotExit) {
  ScopeWorld world(2);
  Scope scope = world.Open();
  Scope part = world.Join(scope, 2);
  world.Settle();
  EXPECT_FALSE(world[1].CanExit().can_exit()) << "its exclusion would end the part";
  EXPECT_EQ(world[1].CanExit().scope_members, 1u);
  EXPECT_THAT(world[1].CanExit().ToString(), HasSubstr("members of its scopes"));
  ASSERT_TRUE(scope.End().ok());
  world.SettleFor(std::chrono::seconds(1));
  EXPECT_EQ(world[1].CanExit().scope_members, 0u);
}

// A scope waits for its part, that for an inner scope, that for a part of its own, and that for an
// object that the first one uses.
TEST(ScopeLinks, ARingAcrossProcessesEnds) {
  ScopeWorld world(2);
  Scope scope = world.Open();
  Scope part = world.Join(scope, 2);
  ScopeOptions inside;
  inside.parent = part.id();
  Scope inner = *world[2].OpenScope(inside);
  world.Settle();
  Scope inner_part = *world[1].JoinScope(*inner.Export(Process(1)));
  world.Leave(1, inner_part, 7);
  DeclareOptions in_it;
  in_it.scope = inner_part.id();
  ObjectRef object = *world[1].Declare(Object(8), in_it);
  ASSERT_TRUE(scope.Use({Object(8)}).ok());
  object.Reset();
  ASSERT_TRUE(scope.End().ok());
  world.SettleFor(std::chrono::seconds(1));
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kDone);
  EXPECT_EQ(inner.GetStatus()->state, ScopeState::kDone);
}

TEST(ScopeLinks, AThousandObjectsElsewhereEndInAHandfulOfEnvelopes) {
  ScopeWorld world(2);
  Scope scope = world.Open();
  Scope part = world.Join(scope, 2);
  for (uint64_t object = 1; object <= 1000; ++object) world.Leave(2, part, object);
  world.Settle();
  const int before = world.transport.sent[Process(2)] + world.transport.sent[Process(1)];
  ASSERT_TRUE(scope.End().ok());
  world.Settle();
  EXPECT_EQ(scope.GetStatus()->state, ScopeState::kDone);
  EXPECT_LE(world.transport.sent[Process(2)] + world.transport.sent[Process(1)] - before, 4);
}

}  // namespace
}  // namespace freehold
