// Scopes and threads: whoever ends one, declares in one, or drops the last reference at the same
// moment, nothing is lost, nothing leaks, and each scope is told once.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/error_reason.h"
#include "freehold/reference_counter.h"
#include "freehold/testing/inline_executor.h"
#include "gtest/gtest.h"

namespace freehold {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kRounds = 100;
#else
constexpr int kRounds = 300;
#endif

std::unique_ptr<ReferenceCounter> MakeCounter(bool pumps_itself = false) {
  ReferenceCounterOptions options;
  options.process = ProcessId::FromNumber(1);
  options.executor = std::make_shared<testing::InlineExecutor>();
  options.start_pump_thread = pumps_itself;
  options.shards = 4;
  options.seed = 1;
  auto counter = ReferenceCounter::Create(options);
  EXPECT_TRUE(counter.ok()) << counter.status();
  return *std::move(counter);
}

ScopeOptions Holding() {
  ScopeOptions options;
  options.hold = true;
  return options;
}

void RunTogether(std::vector<std::function<void()>> actions) {
  std::atomic<bool> go{false};
  std::vector<std::thread> threads;
  for (auto& action : actions) {
    threads.emplace_back([&go, action = std::move(action)] {
      while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
      action();
    });
  }
  go.store(true, std::memory_order_release);
  for (std::thread& thread : threads) thread.join();
}

void PumpUntilQuiet(ReferenceCounter* counter) {
  for (int turn = 0; turn < 100 && counter->NextDeadline() == kInfinitePast; ++turn) {
    counter->Pump(Clock::Monotonic().Now());
  }
}

TEST(ScopeThreads, AnEndWhileOthersDeclareLeavesNothing) {
  auto counter = MakeCounter();
  std::atomic<uint64_t> next{1};
  std::atomic<int> told{0};
  std::atomic<int> refused{0};
  for (int round = 1; round <= kRounds; ++round) {
    Scope scope = *counter->OpenScope(Holding());
    ASSERT_TRUE(*scope.OnEnded([&](ScopeId, ScopeEnd) { ++told; }));
    const auto declare = [&] {
      for (int i = 0; i < 50; ++i) {
        DeclareOptions options;
        options.scope = scope.id();
        options.size = 1;
        auto ref = counter->Declare(ObjectId::FromNumber(next.fetch_add(1)), options);
        if (ref.ok()) continue;
        EXPECT_EQ(ReasonOf(ref.status()), ErrorReason::kScopeEnded);
        ++refused;
      }
    };
    RunTogether({declare, declare, [&] { EXPECT_TRUE(scope.End().ok()); }});
    PumpUntilQuiet(counter.get());
    ASSERT_EQ(counter->CountObjects().total(), 0u) << "round " << round;
    ASSERT_EQ(scope.GetStatus()->state, ScopeState::kDone);
    ASSERT_EQ(scope.GetStatus()->usage.bytes, 0u);
    ASSERT_EQ(told.load(), round);
  }
  RecordProperty("refused", refused.load());
}

TEST(ScopeThreads, TheLastDropRacesTheEndAndTheObjectGoesOnce) {
  auto counter = MakeCounter();
  std::atomic<int> erased{0};
  std::atomic<int> told{0};
  for (int round = 1; round <= kRounds; ++round) {
    Scope scope = *counter->OpenScope(round % 2 == 0 ? Holding() : ScopeOptions());
    const ObjectId id = ObjectId::FromNumber(static_cast<uint64_t>(round));
    DeclareOptions options;
    options.scope = scope.id();
    ObjectRef ref = *counter->Declare(id, options);
    ASSERT_TRUE(*counter->OnErased(id, [&](const ObjectId&, EndReason) { ++erased; }));
    ASSERT_TRUE(*scope.OnEnded([&](ScopeId, ScopeEnd) { ++told; }));
    RunTogether({[&] { ref.Reset(); }, [&] { EXPECT_TRUE(scope.End().ok()); },
                 [&] {
                   auto again = counter->GetRef(id);
                   if (again.ok()) (void)counter->InScope(id);
                 }});
    PumpUntilQuiet(counter.get());
    ASSERT_EQ(erased.load(), round);
    ASSERT_EQ(told.load(), round);
  }
  EXPECT_EQ(counter->GetStats().scopes, 0u) << "no index and no entry is left behind";
  EXPECT_EQ(counter->GetStats().misuses, 0u);
}

TEST(ScopeThreads, OfManyWhoEndAScopeOneDoes) {
  auto counter = MakeCounter();
  for (int round = 1; round <= kRounds; ++round) {
    Scope scope = *counter->OpenScope();
    std::atomic<int> ended{0};
    std::atomic<int> released{0};
    ScopeMember member;
    member.release = [&](ScopeEnd) { ++released; };
    ASSERT_TRUE(scope.AddMember(std::move(member)).ok());
    RunTogether({[&] { ended += scope.End().ok(); }, [&] { ended += scope.Cancel().ok(); },
                 [&] { ended += counter->EndScope(scope.id()).ok(); }});
    PumpUntilQuiet(counter.get());
    ASSERT_EQ(ended.load(), 1);
    ASSERT_EQ(released.load(), 1);
  }
}

TEST(ScopeThreads, ObjectsMoveWhileTheirScopesEnd) {
  auto counter = MakeCounter();
  for (int round = 1; round <= kRounds; ++round) {
    Scope from = *counter->OpenScope(Holding());
    Scope to = *counter->OpenScope(Holding());
    const ObjectId id = ObjectId::FromNumber(static_cast<uint64_t>(round));
    DeclareOptions options;
    options.scope = from.id();
    options.size = 7;
    ASSERT_TRUE(counter->Declare(id, options).ok());
    RunTogether({[&] { (void)from.Move({id}, to.id()); }, [&] { EXPECT_TRUE(from.End().ok()); },
                 [&] { EXPECT_TRUE(to.End().ok()); }});
    PumpUntilQuiet(counter.get());
    ASSERT_EQ(counter->CountObjects().total(), 0u) << "round " << round;
    ASSERT_EQ(from.GetStatus()->state, ScopeState::kDone);
    ASSERT_EQ(to.GetStatus()->state, ScopeState::kDone);
  }
}

TEST(ScopeThreads, UsesRaceMovesAndEnds) {
  auto counter = MakeCounter();
  for (int round = 1; round <= kRounds; ++round) {
    Scope a = *counter->OpenScope(Holding());
    Scope b = *counter->OpenScope(Holding());
    Scope c = *counter->OpenScope(Holding());
    const ObjectId id = ObjectId::FromNumber(2 * static_cast<uint64_t>(round));
    const ObjectId other = ObjectId::FromNumber(2 * static_cast<uint64_t>(round) + 1);
    DeclareOptions options;
    options.scope = a.id();
    ASSERT_TRUE(counter->Declare(id, options).ok());
    options.scope = b.id();
    ASSERT_TRUE(counter->Declare(other, options).ok());
    RunTogether({[&] {
                   (void)b.Use({id});
                   (void)b.End();
                 },
                 [&] {
                   (void)a.Use({other});
                   (void)a.Move({id}, c.id());
                   (void)a.End();
                 },
                 [&] { (void)c.End(); }});
    PumpUntilQuiet(counter.get());
    ASSERT_EQ(counter->CountObjects().total(), 0u) << "round " << round;
  }
}

TEST(ScopeThreads, WaitReturnsWhenTheLastReferenceElsewhereGoes) {
  auto counter = MakeCounter(/*pumps_itself=*/true);
  Scope scope = *counter->OpenScope(Holding());
  DeclareOptions options;
  options.scope = scope.id();
  ObjectRef ref = *counter->Declare(ObjectId::FromNumber(1), options);
  ASSERT_TRUE(scope.End().ok());
  std::atomic<bool> returned{false};
  std::thread waiter([&] {
    EXPECT_TRUE(scope.Wait(kInfiniteFuture).ok());
    returned.store(true);
  });
  EXPECT_FALSE(returned.load());
  ref.Reset();
  waiter.join();
  EXPECT_TRUE(returned.load());
}

TEST(ScopeThreads, TheCounterEndsWhileScopesDo) {
  for (int round = 0; round < kRounds / 10; ++round) {
    auto counter = MakeCounter(/*pumps_itself=*/true);
    std::vector<Scope> scopes;
    for (uint64_t i = 1; i <= 4; ++i) {
      scopes.push_back(*counter->OpenScope(Holding()));
      DeclareOptions options;
      options.scope = scopes.back().id();
      ASSERT_TRUE(counter->Declare(ObjectId::FromNumber(i), options).ok());
    }
    RunTogether({[&] { (void)scopes[0].End(); }, [&] { (void)scopes[1].Cancel(); },
                 [&] { (void)counter->Shutdown(ShutdownMode::kImmediate, Duration::zero()); }});
    scopes.clear();
  }
}

}  // namespace
}  // namespace freehold
