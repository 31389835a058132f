// Leaving without losing anything: CanExit and Drain.

#include "freehold/drain.h"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/scope.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/drain_world.h"

namespace freehold {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(DrainTest, AProcessWithNothingCanExit) {
  EXPECT_TRUE(world_[1].CanExit().can_exit());
  EXPECT_EQ(world_[1].CanExit().ToString(), "can exit");
  EXPECT_TRUE(Drain(seconds(1)).complete());
}

TEST_F(DrainTest, CanExitCountsWhatIsInTheWay) {
  ObjectRef own = world_.Declare(1, 7);
  EXPECT_EQ(world_[1].CanExit().ToString(), "1 owned objects in scope");
  ObjectRef borrowed = world_.Pass(1, 7, 2);
  EXPECT_EQ(world_[1].CanExit().handoffs, 1u);
  EXPECT_EQ(world_[2].CanExit().borrowed, 1u);
  EXPECT_EQ(world_[2].CanExit().acknowledgements, 1u);
  world_.Settle();
  EXPECT_EQ(world_[1].CanExit().ToString(), "1 owned objects in scope") << "the borrower holds it";
  EXPECT_EQ(world_[2].CanExit().ToString(), "1 borrowed");
  own.Reset();
  EXPECT_FALSE(world_[1].CanExit().can_exit());
  borrowed.Reset();
  EXPECT_FALSE(world_[2].CanExit().can_exit()) << "the release has not left";
  world_.Settle({2});
  EXPECT_TRUE(world_[2].CanExit().unacknowledged);
  world_.Settle();
  EXPECT_TRUE(world_[1].CanExit().can_exit());
  EXPECT_TRUE(world_[2].CanExit().can_exit());
}

TEST_F(DrainTest, ADrainingProcessTakesNoNewObjectsAndSaysSo) {
  ObjectRef own = world_.Declare(1, 7);
  ASSERT_FALSE(Drain(milliseconds(5)).complete());
  const absl::Status refused = world_[1].Declare(Object(8)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_EQ(ReasonOf(refused), ErrorReason::kDraining);
  DeclareOptions outer;
  outer.contains = {Object(7)};
  EXPECT_EQ(ReasonOf(world_[1].Declare(Object(9), outer).status()), ErrorReason::kDraining);
  EXPECT_EQ(world_.Counts(1, 7).nested_in, 0u) << "what it would have contained is let go";
  EXPECT_FALSE(world_[1].InScope(Object(8)));
}

TEST_F(DrainTest, ReferencesStayUsableWhileItDrains) {
  ObjectRef own = world_.Declare(1, 7);
  ASSERT_FALSE(Drain(milliseconds(5)).complete());
  EXPECT_TRUE(world_[1].GetRef(Object(7)).ok());
  EXPECT_TRUE(world_[1].AddLocalReference(Object(7)).ok());
  EXPECT_TRUE(world_[1].RemoveLocalReference(Object(7)).ok());
  EXPECT_TRUE(world_[1].SubmitTask({Object(7)}).ok());
  EXPECT_TRUE(world_[1].AddLocation(Object(7), InMemory(11)).ok());
  const ObjectRef passed_on = world_.Pass(1, 7, 2);
  EXPECT_TRUE(passed_on);
  const ObjectRef theirs = world_.Declare(2, 8);
  EXPECT_TRUE(world_.Pass(2, 8, 1)) << "a running task reads on";
}

// Known from ray-project/ray#53012.
TEST_F(DrainTest, ATaskKeepsItsReferenceUntilItEnds) {
  ObjectRef own = world_.Declare(1, 7);
  auto task = world_[1].SubmitTask({Object(7)});
  ASSERT_TRUE(task.ok());
  own.Reset();
  bool was_usable = false;
  const DrainReport report = Drain(seconds(1), [&](int tick) {
    if (tick == 3) was_usable = world_[1].GetRef(Object(7)).ok();
    if (tick == 5) task->End();
  });
  EXPECT_TRUE(was_usable);
  EXPECT_TRUE(report.complete()) << report.left.ToString();
}

TEST_F(DrainTest, ItWaitsForBorrowersAndThenItsDeathHurtsNobody) {
  ObjectRef own = world_.Declare(1, 7);
  ObjectRef borrowed = world_.Pass(1, 7, 2);
  const ObjectRef kept = world_.Declare(2, 8);
  own.Reset();
  const DrainReport report = Drain(seconds(1), [&](int tick) {
    if (tick == 9) borrowed.Reset();
  });
  EXPECT_TRUE(report.complete()) << report.left.ToString();
  EXPECT_THAT(report.blockers, IsEmpty());
  EXPECT_TRUE(world_[1].Shutdown(ShutdownMode::kGraceful, seconds(1)).clean());
  world_.Crash(1);
  world_.Exclude(1);
  world_.Settle();
  EXPECT_EQ(world_.Check(2, 8), ErrorReason::kNone);
  EXPECT_EQ(world_[2].GetStats().references_failed, 0u);
}

TEST_F(DrainTest, ItEndsAtItsDeadlineAndNamesEveryHolder) {
  DeclareOptions at;
  at.call_site = "driver.py:7";
  ObjectRef own = *world_[1].Declare(Object(7), at);
  const ObjectRef borrowed = world_.Pass(1, 7, 2);
  world_.Settle();
  const ExportedReference lost = world_.Export(1, 7, 3);
  ASSERT_TRUE(world_[1].AddLocalReference(Object(7), 2).ok());
  const auto task = world_[1].SubmitTask({Object(7)});
  DeclareOptions contains;
  contains.contains = {Object(7)};
  const ObjectRef outer = *world_[1].Declare(Object(8), contains);

  const Time before = world_.clock.Now();
  const DrainReport report = Drain(milliseconds(50));
  EXPECT_GE(world_.clock.Now() - before, milliseconds(50));
  EXPECT_LT(world_.clock.Now() - before, milliseconds(60));
  EXPECT_FALSE(report.complete());
  EXPECT_EQ(report.left.owned_in_scope, 2u);
  EXPECT_EQ(report.left.handoffs, 1u);
  std::vector<std::string> of_seven;
  for (const DrainBlocker& blocker : report.blockers) {
    if (blocker.object == Object(7)) of_seven.push_back(blocker.ToString());
  }
  const std::string head = "object " + Hex(7) + ": ", tail = ", declared at driver.py:7";
  EXPECT_THAT(of_seven,
              ElementsAre(head + "1 handles" + tail, head + "2 references by id" + tail,
                          head + "1 task references" + tail, head + "1 outer objects" + tail,
                          head + "borrowed by " + Address(Process(2)).ToString() + tail,
                          head + "on its way to " + Address(Process(3)).ToString() + tail));
  EXPECT_FALSE(report.truncated);
}

TEST_F(DrainTest, ItNamesNoMoreThanAskedFor) {
  std::vector<ObjectRef> refs;
  for (uint64_t object = 1; object <= 20; ++object) refs.push_back(world_.Declare(1, object));
  DrainOptions options;
  options.timeout = Duration::zero();
  options.blockers_max = 5;
  const DrainReport report = world_[1].Drain(options);
  EXPECT_EQ(report.blockers.size(), 5u);
  EXPECT_TRUE(report.truncated);
  EXPECT_EQ(report.left.owned_in_scope, 20u);
}

TEST_F(DrainTest, AnOwnerThatDoesNotTakeTheReleaseIsNamed) {
  const ObjectRef theirs = world_.Declare(2, 8);
  ObjectRef borrowed = world_.Pass(2, 8, 1);
  world_.Settle();
  world_.transport.unreachable[Process(2)] = true;
  borrowed.Reset();
  const DrainReport report = Drain(milliseconds(20));
  EXPECT_FALSE(report.complete());
  EXPECT_TRUE(report.left.unacknowledged) << "it was sent, and nobody has confirmed it";
  EXPECT_THAT(Texts(report), ElementsAre(NotAcknowledgedBy(2)));
  EXPECT_EQ(report.peers, 1u);
  world_.transport.unreachable.erase(Process(2));
  const DrainReport again = Drain(seconds(10));
  EXPECT_TRUE(again.complete()) << again.left.ToString();
}

TEST_F(DrainTest, AReferenceThatHasFailedIsInNobodysWay) {
  ObjectRef theirs = world_.Declare(2, 8);
  const ObjectRef failed = world_.Pass(2, 8, 1);
  world_.Settle();
  world_.Crash(2);
  world_.Exclude(2);
  world_.Settle({1, 3});
  ASSERT_EQ(world_.Check(1, 8), ErrorReason::kOwnerDied);
  EXPECT_TRUE(world_[1].CanExit().can_exit());
  const ObjectRef own = world_.Declare(1, 7);
  DrainOptions options;
  options.timeout = Duration::zero();
  EXPECT_THAT(Texts(world_[1].Drain(options)), ElementsAre("object " + Hex(7) + ": 1 handles"));
}

TEST_F(DrainTest, ANodeThatDoesNotAnswerIsNamed) {
  ObjectRef own = world_.Declare(1, 7);
  ASSERT_TRUE(world_[1].AddLocation(Object(7), InMemory(11)).ok());
  own.Reset();
  const DrainReport report = Drain(milliseconds(20));
  EXPECT_EQ(report.left.frees_unanswered, 1u);
  const std::string node = Address(Node(11)).ToString();
  EXPECT_THAT(Texts(report),
              ElementsAre("1 envelopes not acknowledged by " + node,
                          "object " + Hex(7) + ": its free is not answered by " + node));
  world_.membership.Exclude({Node(11)});
  EXPECT_TRUE(Drain(seconds(1)).complete()) << "an excluded node is not waited for";
}

TEST_F(DrainTest, ASignalInTheMiddleEndsIt) {
  const ObjectRef own = world_.Declare(1, 7);
  int asked = 0;
  DrainOptions options;
  options.interrupted = [&] {
    world_.clock.Advance(milliseconds(1));
    return ++asked == 4;
  };
  EXPECT_FALSE(world_[1].Drain(options).complete());
  EXPECT_EQ(asked, 4);
}

TEST_F(DrainTest, AnInterruptionThatThrowsEndsItToo) {
  const ObjectRef own = world_.Declare(1, 7);
  DrainOptions options;
  int asked = 0;
  options.interrupted = [&]() -> bool {
    ++asked;
    throw std::runtime_error("no");
  };
  EXPECT_FALSE(world_[1].Drain(options).complete());
  EXPECT_EQ(asked, 1);
}

TEST_F(DrainTest, ItWaitsForWhatAnEndingScopeLetsGoOf) {
  ScopeOptions held;
  held.hold = true;
  Scope scope = *world_[1].OpenScope(held);
  DeclareOptions in_it;
  in_it.scope = scope.id();
  for (uint64_t object = 1; object <= 5000; ++object) {
    ASSERT_TRUE(world_[1].Declare(Object(object), in_it).ok());
  }
  const DrainReport before = Drain(milliseconds(3));
  EXPECT_EQ(before.left.owned_in_scope, 5000u);
  EXPECT_EQ(before.blockers[0].hold, DrainHold::kScope);
  ASSERT_TRUE(scope.End().ok());
  EXPECT_TRUE(world_[1].CanExit().scopes_ending) << "in pieces, which the pump works off";
  EXPECT_TRUE(Drain(seconds(1)).complete());
  EXPECT_FALSE(world_[1].CanExit().scopes_ending);
}

TEST_F(DrainTest, CancelledItTakesObjectsAgain) {
  const ObjectRef own = world_.Declare(1, 7);
  ASSERT_FALSE(Drain(milliseconds(5)).complete());
  world_[1].CancelDrain();
  EXPECT_TRUE(world_[1].Declare(Object(8)).ok());
}

TEST_F(DrainTest, AnExcludedProcessHasNothingToWaitFor) {
  const ObjectRef own = world_.Declare(1, 7);
  world_.Exclude(1);
  world_.Settle();
  EXPECT_TRUE(world_[1].CanExit().can_exit());
  EXPECT_TRUE(Drain(seconds(1)).complete());
}

TEST_F(DrainTest, EveryHoldHasAName) {
  for (int i = 0; i <= static_cast<int>(DrainHold::kPeer); ++i) {
    EXPECT_STRNE(DrainHoldName(static_cast<DrainHold>(i)), "unknown");
  }
}

// --- The deadline
// ----------------------------------------------------------------------------------

// Each look at it takes a millisecond.
class TickingClock final : public Clock {
 public:
  Time Now() const override { return clock_.Advance(milliseconds(1)); }

 private:
  mutable testing::ManualClock clock_{Time(seconds(1))};
};

TEST(DrainDeadlineTest, ItIsKeptWhileThatWhatIsToBeGivenAwayIsCollected) {
  constexpr uint64_t kObjects = 20000;
  TickingClock clock;
  LocalTransport transport;
  ReferenceCounterOptions options;
  options.process = Process(1);
  options.clock = &clock;
  options.transport = &transport;
  options.shards = 2;
  const auto counter = *ReferenceCounter::Create(options);
  std::vector<ObjectRef> refs;
  for (uint64_t i = 1; i <= kObjects; ++i) refs.push_back(*counter->Declare(Object(i)));
  DrainOptions drain;
  drain.timeout = milliseconds(4);
  drain.next_owner = Process(2);
  const Time before = clock.Now();
  const DrainReport report = counter->Drain(drain);
  EXPECT_LT(clock.Now() - before, milliseconds(12));
  EXPECT_GT(report.left.transfers, 0u) << "what was found until then is given away";
  EXPECT_LT(report.left.transfers, kObjects / 2);
  EXPECT_EQ(report.blockers[0].why, "it has not begun");
}

// --- Threads -------------------------------------------------------------------------------------

std::unique_ptr<ReferenceCounter> Alone() {
  ReferenceCounterOptions options;
  options.process = Process(1);
  return *ReferenceCounter::Create(options);
}

TEST(DrainThreadTest, TwoDrainsBothEndWhenTheLastReferenceGoes) {
  const auto counter = Alone();
  ObjectRef own = *counter->Declare(Object(1));
  std::atomic<int> complete{0};
  std::vector<std::thread> drains;
  for (int i = 0; i < 2; ++i) {
    drains.emplace_back([&] { complete += counter->Drain().complete() ? 1 : 0; });
  }
  while (counter->Declare(Object(2)).ok()) {
  }
  EXPECT_EQ(complete, 0);
  own.Reset();
  for (std::thread& drain : drains) drain.join();
  EXPECT_EQ(complete, 2);
}

// An object is refused, or it is one that the drain waits for: none is taken along.
TEST(DrainThreadTest, ADeclarationThatRacesADrainIsRefusedOrWaitedFor) {
  for (uint64_t round = 0; round < 200; ++round) {
    const auto counter = Alone();
    std::atomic<bool> held{false}, go{false};
    std::thread declares([&] {
      while (!go) std::this_thread::yield();
      auto ref = counter->Declare(Object(round));
      if (!ref.ok()) return;
      held = true;
      std::this_thread::yield();
      held = false;
    });
    go = true;
    const DrainReport report = counter->Drain();
    EXPECT_TRUE(report.complete());
    EXPECT_FALSE(held);
    declares.join();
    EXPECT_TRUE(counter->CanExit().can_exit());
  }
}

}  // namespace
}  // namespace freehold
