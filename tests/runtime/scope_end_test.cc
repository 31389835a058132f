// How scopes end: who hears of it, in what company, and what may happen meanwhile.

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "freehold/scope.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/scope_testing.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ReferenceCounterOptions CallingBack(std::shared_ptr<CallbackExecutor> executor) {
  ReferenceCounterOptions options;
  options.executor = std::move(executor);
  return options;
}

DeclareOptions InScope(ScopeId scope, uint64_t size = 10) {
  DeclareOptions options;
  options.scope = scope;
  options.size = size;
  return options;
}

TEST(ScopeEnd, WhoIsToldAtOnceMayDestroyTheCounter) {
  CounterWorld world(1, CallingBack(std::make_shared<testing::InlineExecutor>()));
  const ScopeId id = *world.counter->BeginScope(Holding());
  for (uint64_t object = 1; object <= 3; ++object) {
    ASSERT_TRUE(world.counter->Declare(Object(object), InScope(id)).ok());
  }
  int told = 0;
  ASSERT_TRUE(*world.counter->FindScope(id)->OnEnded([&](ScopeId, ScopeEnd) {
    ++told;
    world.counter.reset();
  }));
  EXPECT_TRUE(world.counter->EndScope(id).ok());
  EXPECT_EQ(told, 1);
  EXPECT_EQ(world.counter, nullptr);
}

TEST(ScopeEnd, AMembersHookMayDestroyTheCounter) {
  CounterWorld world(1, CallingBack(std::make_shared<testing::InlineExecutor>()));
  const ScopeId id = *world.counter->BeginScope(Holding());
  ASSERT_TRUE(world.counter->Declare(Object(1), InScope(id)).ok());
  ScopeMember member;
  member.release = [&](ScopeEnd) { world.counter.reset(); };
  ASSERT_TRUE(world.counter->FindScope(id)->AddMember(std::move(member)).ok());
  EXPECT_TRUE(world.counter->EndScope(id).ok());
  EXPECT_EQ(world.counter, nullptr);
}

TEST(ScopeEnd, WhoHearsOfTooManyBytesMayDestroyTheCounter) {
  CounterWorld world(1, CallingBack(std::make_shared<testing::InlineExecutor>()));
  ScopeOptions options = Holding();
  options.bytes_max = 5;
  options.on_bytes_exceeded = [&](ScopeId, uint64_t) { world.counter.reset(); };
  const ScopeId id = *world.counter->BeginScope(options);
  absl::StatusOr<ObjectRef> ref = world.counter->Declare(Object(1), InScope(id));
  EXPECT_EQ(world.counter, nullptr);
  EXPECT_TRUE(ref.ok()) << "its handle outlives the counter";
}

// Does something when it is copied, as functions are that go into options.
struct CopyHook {
  explicit CopyHook(std::function<void()>* its_action) : action(its_action) {}
  CopyHook(const CopyHook& other) : action(other.action) {
    const std::function<void()> now = std::exchange(*action, nullptr);
    if (now != nullptr) now();
  }
  CopyHook& operator=(const CopyHook&) = delete;
  void operator()(ScopeId, uint64_t) const {}
  std::function<void()>* action;
};

TEST(ScopeEnd, ADriverThatIsExcludedWhileItsJobIsOpenedLeavesNone) {
  CounterWorld world;
  const ProcessId driver = ProcessId::FromNumber(77);
  std::function<void()> while_opening;
  ScopeOptions options = ScopeOptions::Job("train", driver);
  options.bytes_max = 1;
  options.on_bytes_exceeded = CopyHook(&while_opening);
  while_opening = [&] {
    world.membership.Exclude({driver});
    world.SettleFor(std::chrono::seconds(1));
  };
  EXPECT_EQ(ReasonOf(world.counter->BeginScope(options).status()), ErrorReason::kPeerExcluded);
  EXPECT_EQ(ReasonOf(world.counter->OpenScope(options).status()), ErrorReason::kPeerExcluded);
  world.Settle();
  EXPECT_EQ(world.counter->GetStats().scopes, 0u);
}

TEST(ScopeEnd, AScopeThatIsDoneNamesTheOneThatWasAroundIt) {
  CounterWorld world;
  Scope outer = *world.counter->OpenScope();
  const ScopeId around = outer.id();
  ScopeOptions options;
  options.parent = around;
  Scope inner = *world.counter->OpenScope(options);
  outer = Scope();
  world.Settle();
  Scope other = *world.counter->OpenScope();
  EXPECT_EQ(inner.GetStatus()->state, ScopeState::kDone);
  EXPECT_EQ(inner.GetStatus()->parent, around);
}

class AskedExecutor final : public CallbackExecutor {
 public:
  bool Post(CallbackJob job) override {
    if (ask) ask();
    (void)job.Run();
    return true;
  }
  std::function<void()> ask;
};

TEST(ScopeEnd, ACallbackThatIsNotPostedIsInTheWayOfAnExit) {
  auto executor = std::make_shared<AskedExecutor>();
  CounterWorld world(1, CallingBack(executor));
  Scope scope = *world.counter->OpenScope();
  Told told;
  ASSERT_TRUE(*scope.OnEnded(told.Callback()));
  bool elsewhere = true;
  bool here = false;
  executor->ask = [&] {
    std::thread([&] { elsewhere = world.counter->CanExit().can_exit(); }).join();
    here = world.counter->CanExit().can_exit();
  };
  ASSERT_TRUE(scope.End().ok());
  EXPECT_FALSE(elsewhere);
  EXPECT_TRUE(here) << "who is told cannot wait for that";
  EXPECT_TRUE(world.counter->CanExit().can_exit());
}

TEST(ScopeEnd, WhatCannotBeDeclaredExceedsNoLimit) {
  CounterWorld world;
  std::vector<uint64_t> told;
  ScopeOptions options = Holding();
  options.bytes_max = 50;
  options.on_bytes_exceeded = [&](ScopeId, uint64_t bytes) { told.push_back(bytes); };
  Scope scope = *world.counter->OpenScope(options);
  ObjectRef plain = *world.counter->Declare(Object(1));
  EXPECT_EQ(world.counter->Declare(Object(1), InScope(scope.id(), 100)).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(world.counter->Declare(Object(2), InScope(scope.id(), 40)).ok());
  world.RunCallbacks();
  EXPECT_THAT(told, IsEmpty());
  EXPECT_EQ(scope.GetStatus()->usage.bytes, 40u);
  EXPECT_TRUE(world.counter->Declare(Object(3), InScope(scope.id(), 20)).ok());
  world.RunCallbacks();
  EXPECT_THAT(told, ElementsAre(60u));
}

TEST(ScopeEnd, WhatWasKeptAndIsGoneIsForgotten) {
  CounterWorld world;
  Scope scope = *world.counter->OpenScope(Holding());
  Scope root = *world.counter->FindScope(ScopeId::Root());
  for (uint64_t object = 1; object <= 3; ++object) {
    ASSERT_TRUE(world.counter->Declare(Object(object), InScope(scope.id())).ok());
  }
  ASSERT_TRUE(scope.Keep({Object(1)}).ok());
  ASSERT_TRUE(root.StopHolding({Object(1)}).ok());
  ASSERT_EQ(world.objects(), 2u);
  ASSERT_TRUE(scope.Keep({Object(2), Object(3)}).ok());
  ObjectRef again = *world.counter->Declare(Object(1));
  ASSERT_TRUE(unsafe::Delete(scope).ok());
  world.Settle();
  EXPECT_TRUE(world.counter->CheckReference(Object(1)).ok());
  EXPECT_EQ(ReasonOf(world.counter->CheckReference(Object(2))), ErrorReason::kFreed);
  EXPECT_EQ(ReasonOf(world.counter->CheckReference(Object(3))), ErrorReason::kFreed);
}

TEST(ScopeEnd, AProcessThatIsExcludedTellsItsScopesAndTheirMembers) {
  CounterWorld world;
  std::vector<std::string> order;
  Scope outer = *world.counter->OpenScope(Holding());
  ScopeOptions options = Holding();
  options.parent = outer.id();
  Scope inner = *world.counter->OpenScope(options);
  Leave(&world, inner, 1);
  ObjectRef ref = *world.counter->Declare(Object(2), In(outer));
  ScopeMember member;
  member.release = [&](ScopeEnd) { order.emplace_back("member"); };
  ASSERT_TRUE(inner.AddMember(std::move(member)).ok());
  const auto tell = [&](const char* who) {
    return [&order, who](ScopeId, ScopeEnd end) {
      order.emplace_back(who);
      EXPECT_EQ(end, ScopeEnd::kExcluded);
    };
  };
  ASSERT_TRUE(*outer.OnEnded(tell("outer")));
  ASSERT_TRUE(*inner.OnEnded(tell("inner")));
  ASSERT_TRUE(outer.Keep({Object(2)}).ok());
  world.membership.Exclude({world.counter->process()});
  world.SettleFor(std::chrono::seconds(1));
  world.RunCallbacks();
  EXPECT_THAT(order, ElementsAre("member", "inner", "outer"));
  EXPECT_EQ(ReasonOf(outer.GetStatus().status()), ErrorReason::kExcluded);
}

TEST(ScopeEnd, WhatCouldBeKeptStaysKeptWhereOneOfThemCouldNot) {
  CounterWorld world;
  Scope outer = *world.counter->OpenScope(Holding());
  ScopeOptions options = Holding();
  options.parent = outer.id();
  Scope inner = *world.counter->OpenScope(options);
  Leave(&world, inner, 1);
  Leave(&world, inner, 3);
  EXPECT_EQ(inner.End({Object(1), Object(2), Object(3)}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(inner.GetStatus()->state, ScopeState::kRunning);
  EXPECT_EQ(outer.GetStatus()->usage.objects, 2u) << "the first and the last are kept";
  ASSERT_TRUE(inner.End().ok());
  world.Settle();
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_TRUE(world.counter->InScope(Object(3)));
}

}  // namespace
}  // namespace freehold
