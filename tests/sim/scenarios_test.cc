// Stories that other runtimes have lived through and that must end well here. Each names where it
// is known from.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/sim/free_world.h"

namespace freehold::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kRest = seconds(60);

ObjectId Number(uint64_t number) { return ObjectId::FromNumber(number); }

// Counts what is sent to each address.
struct Sent {
  std::map<Address, uint64_t> envelopes;
  std::map<Address, uint64_t> bytes;
  void Watch(FreeWorldOptions* options) {
    options->faults.on_send = [this](const Envelope& envelope) {
      ++envelopes[envelope.to];
      bytes[envelope.to] += envelope.bytes.size();
    };
  }
};

FreeWorldOptions Ends(int owners, int nodes) {
  FreeWorldOptions options;
  options.owners = owners;
  options.nodes = nodes;
  options.faults.delay_max = milliseconds(1);
  return options;
}

// An object whose value lies on `nodes`, the first of them the primary.
ObjectRef Make(FreeWorld& world, uint64_t number, const std::vector<int>& nodes,
               const std::vector<ObjectId>& contains = {}) {
  DeclareOptions options;
  options.contains = contains;
  ObjectRef ref = *world.counter(0).Declare(Number(number), options);
  CopyRole role = CopyRole::kPrimary;
  for (const int node : nodes) {
    EXPECT_TRUE(world.Store(node, 0, Number(number), role).ok());
    role = CopyRole::kSecondary;
  }
  return ref;
}

void ExpectNothingLeft(FreeWorld& world) {
  for (int i = 0; i < world.nodes(); ++i) {
    if (world.membership().IsExcluded(world.node(i).id)) continue;
    EXPECT_EQ(world.node(i).store.copies().size(), 0u) << "node " << i;
    EXPECT_EQ(world.agent(i).GetStats().copies, 0u) << "node " << i;
    EXPECT_EQ(world.agent(i).GetStats().reports_waiting, 0u) << "node " << i;
  }
  const ReferenceCounterStats stats = world.counter(0).GetStats();
  EXPECT_EQ(stats.objects, 0u);
  EXPECT_EQ(stats.frees_waiting, 0u);
  EXPECT_EQ(stats.frees_in_flight, 0u);
  EXPECT_EQ(stats.callbacks_registered, 0u);
  EXPECT_EQ(stats.sessions.unacked_bytes, 0u);
}

// --- Primary on N1, N1 dies, value recreated on N2, death notice arrives late (ray 47990)
// ----------

TEST(Stories, RecreatedValueIsNotFreedByTheLateDeathNoticeOfItsFirstNode) {
  FreeWorld world(Ends(1, 2));
  ObjectRef ref = Make(world, 1, {0});
  ASSERT_TRUE(world.Settle(kRest));

  // The host notices that the value is gone before anybody says that its node is.
  world.CrashNode(0);
  ASSERT_TRUE(world.counter(0).RemoveLocation(Number(1), world.node(0).id).ok());
  ASSERT_TRUE(world.counter(0).Recreate(Number(1)).ok());
  ASSERT_TRUE(world.Store(1, 0, Number(1), CopyRole::kPrimary, 1).ok());
  world.Run(seconds(5));

  world.membership().Exclude({world.node(0).id});
  ASSERT_TRUE(world.Settle(kRest));
  EXPECT_EQ(world.agent(1).GetStats().frees_received, 0u);
  EXPECT_EQ(world.node(1).store.copies().size(), 1u);
  const ObjectLocations known = *world.counter(0).GetLocations(Number(1));
  EXPECT_EQ(known.state, ObjectState::kAvailable);
  ASSERT_EQ(known.locations.size(), 1u);
  EXPECT_EQ(known.locations[0].node, world.node(1).id);

  ref.Reset();
  ASSERT_TRUE(world.Settle(kRest));
  ExpectNothingLeft(world);
}

TEST(Stories, FirstNodeThatWasOnlySlowGivesBackItsOldValueAndTheNewOneStays) {
  FreeWorld world(Ends(1, 2));
  ObjectRef ref = Make(world, 1, {});
  world.transport().Isolate(world.node(0).id);
  ASSERT_TRUE(world.Store(0, 0, Number(1), CopyRole::kPrimary).ok());  // its report does not arrive
  world.Run(seconds(1));
  ASSERT_TRUE(world.counter(0).Free({Number(1)}).ok());
  ASSERT_TRUE(world.counter(0).Recreate(Number(1)).ok());
  ASSERT_TRUE(world.Store(1, 0, Number(1), CopyRole::kPrimary, 1).ok());
  world.Run(seconds(1));

  world.transport().HealAll();
  ASSERT_TRUE(world.Settle(kRest));
  EXPECT_EQ(world.node(0).store.copies().size(), 0u);
  EXPECT_EQ(world.agent(1).GetStats().frees_received, 0u);
  EXPECT_EQ(world.node(1).store.copies().size(), 1u);
  ref.Reset();
  ASSERT_TRUE(world.Settle(kRest));
  ExpectNothingLeft(world);
}

// --- 50,000 frees, copies on 3 of 1,000 nodes; one slow, one partitioned, one dies
// ----------------- (ray 63218, 65000)

TEST(Stories, FiftyThousandFreesReachTheThreeNodesThatHaveCopiesAndNobodyElse) {
  constexpr uint64_t kObjects = 50'000;
  constexpr int kNodes = 1'000;
  constexpr int kSlow = 11, kPartitioned = 222, kDies = 333;
  FreeWorldOptions options = Ends(1, kNodes);
  Sent sent;
  sent.Watch(&options);
  uint64_t outcomes[4] = {};
  options.for_owner = [&](int, ReferenceCounterOptions* owner) {
    owner->on_copy_freed = [&](const ObjectId&, const NodeId&, FreeOutcome outcome) {
      ++outcomes[static_cast<int>(outcome)];
    };
  };
  FreeWorld world(options);
  std::vector<ObjectRef> refs;
  for (uint64_t i = 1; i <= kObjects; ++i) {
    refs.push_back(Make(world, i, {kSlow, kPartitioned, kDies}));
  }
  ASSERT_TRUE(world.Settle(kRest));
  sent.envelopes.clear();
  sent.bytes.clear();

  world.transport().Isolate(world.node(kPartitioned).id);
  world.CrashNode(kDies);
  refs.clear();
  // The slow node takes one turn in a hundred.
  const SessionOptions& session = options.session;
  const uint64_t window = uint64_t{session.window_envelopes} * session.envelope_bytes_max;
  for (int turn = 0; turn < 2'000; ++turn) {
    world.Advance(milliseconds(5));
    world.transport().DeliverDue(world.Now());
    world.Pump(0);
    world.owner(0).queue->RunAll();
    if (turn % 100 == 0) world.PumpNode(kSlow);
    // What waits costs nothing but its records: no more than a window each is kept.
    ASSERT_LE(world.counter(0).GetStats().sessions.unacked_bytes, 3 * window);
  }
  EXPECT_EQ(world.node(kSlow).store.copies().size(), 0u);
  EXPECT_EQ(outcomes[static_cast<int>(FreeOutcome::kSettled)], kObjects);
  EXPECT_EQ(world.node(kPartitioned).store.copies().size(), kObjects);
  const ReferenceCounterStats waiting = world.counter(0).GetStats();
  EXPECT_EQ(waiting.frees_waiting + waiting.frees_in_flight, 2 * kObjects);
  EXPECT_EQ(waiting.objects, kObjects);

  world.membership().Exclude({world.node(kDies).id});
  world.transport().HealAll();
  ASSERT_TRUE(world.Settle(kRest));
  EXPECT_EQ(outcomes[static_cast<int>(FreeOutcome::kSettled)], 2 * kObjects);
  EXPECT_EQ(outcomes[static_cast<int>(FreeOutcome::kNodeExcluded)], kObjects);
  ExpectNothingLeft(world);
  for (int i = 0; i < kNodes; ++i) {
    if (i == kSlow || i == kPartitioned || i == kDies) continue;
    ASSERT_EQ(sent.envelopes.count(world.node(i).id), 0u) << "node " << i;
  }
}

// --- Location report after the free (ray 63213, in review)
// -----------------------------------------

TEST(Stories, LocationReportsAfterTheFreeAreAnsweredWithFreeAndNoTableGrows) {
  constexpr uint64_t kObjects = 10'000;
  FreeWorld world(Ends(1, 2));
  std::vector<ObjectRef> refs;
  for (uint64_t i = 1; i <= kObjects; ++i) refs.push_back(Make(world, i, {0}));
  ASSERT_TRUE(world.Settle(kRest));
  refs.clear();
  ASSERT_TRUE(world.Settle(kRest));
  ExpectNothingLeft(world);

  for (uint64_t i = 1; i <= kObjects; ++i) {
    ASSERT_TRUE(world.Store(1, 0, Number(i), CopyRole::kSecondary).ok());
  }
  ASSERT_TRUE(world.Settle(kRest));
  EXPECT_EQ(world.counter(0).GetStats().late_reports_answered, kObjects);
  EXPECT_EQ(world.node(1).store.deleted(), kObjects);
  ExpectNothingLeft(world);
}

// --- Destructor or callback re-enters the library (ray 39113, 59643, 8588)
// -------------------------

class Reentry : public ::testing::TestWithParam<bool> {
 protected:
  Reentry() {
    FreeWorldOptions options = Ends(1, 1);
    options.inline_callbacks = GetParam();
    world_ = std::make_unique<FreeWorld>(options);
  }
  FreeWorld& world() { return *world_; }
  ReferenceCounter& counter() { return world_->counter(0); }

 private:
  std::unique_ptr<FreeWorld> world_;
};
INSTANTIATE_TEST_SUITE_P(Callbacks, Reentry, ::testing::Bool(),
                         [](const auto& chosen) { return chosen.param ? "Inline" : "Queued"; });

TEST_P(Reentry, CallbackMayCallWhateverItLikes) {
  ObjectRef ref = Make(world(), 1, {0});
  ObjectRef other = Make(world(), 2, {0});
  ASSERT_TRUE(world().Settle(kRest));
  int calls = 0;
  ASSERT_TRUE(*counter().OnOutOfScope(Number(1), [&](const ObjectId& id, EndReason) {
    ++calls;
    EXPECT_FALSE(counter().InScope(id));
    EXPECT_FALSE(counter().GetRef(id).ok());  // it is not brought back
    const ObjectRef made = Make(world(), 3, {0});
    EXPECT_TRUE(*counter().OnErased(Number(3), [&](const ObjectId&, EndReason) { ++calls; }));
    EXPECT_TRUE(counter().Free({Number(2)}).ok());
    EXPECT_NE(counter().DebugString(id), "");
    (void)counter().GetStats();
    other.Reset();
    world().Pump(0);
  }));
  ASSERT_TRUE(*counter().OnReclaimed(Number(2), [&](const ObjectId&, EndReason) { ++calls; }));
  ref.Reset();
  ASSERT_TRUE(world().Settle(kRest));
  EXPECT_EQ(calls, 3);
  ExpectNothingLeft(world());
}

TEST_P(Reentry, DestructorOfACallbackMayDropTheLastReferenceOfAnother) {
  int calls = 0;
  const auto counts = [&](const ObjectId&, EndReason) { ++calls; };
  // Destroyed after it ran.
  ObjectRef ref = Make(world(), 1, {0});
  ASSERT_TRUE(*counter().OnOutOfScope(
      Number(1), [kept = Make(world(), 2, {0}), counts](const ObjectId& id, EndReason reason) {
        counts(id, reason);
      }));
  ASSERT_TRUE(*counter().OnErased(Number(2), counts));
  // Destroyed because it was cancelled.
  ObjectRef cancelled_on = Make(world(), 3, {0});
  const CallbackRegistration registration = *counter().OnOutOfScope(
      Number(3), [kept = Make(world(), 4, {0})](const ObjectId&, EndReason) { FAIL(); });
  ASSERT_TRUE(*counter().OnErased(Number(4), counts));
  EXPECT_TRUE(counter().Cancel(registration));
  EXPECT_FALSE(counter().InScope(Number(4)));
  // Destroyed because it came too late.
  ASSERT_TRUE(counter().Free({Number(3)}).ok());
  EXPECT_FALSE(*counter().OnOutOfScope(
      Number(3), [kept = Make(world(), 5, {0})](const ObjectId&, EndReason) { FAIL(); }));
  EXPECT_FALSE(counter().InScope(Number(5)));
  ref.Reset();
  cancelled_on.Reset();
  ASSERT_TRUE(world().Settle(kRest));
  EXPECT_EQ(calls, 3);
  ExpectNothingLeft(world());
}

// --- Two cleanups race at owner death (ray 64627)
// --------------------------------------------------

TEST(Stories, TwoCleanupsThatRaceAtOwnerDeathDeleteEachCopyOnce) {
  constexpr uint64_t kObjects = 30'000;
  FreeWorld world(Ends(2, 2));
  // Everybody hears everything twice.
  for (int i = 0; i < 2; ++i) world.node(i).membership.set_repeating();
  uint64_t asked = 0;
  for (int i = 0; i < 2; ++i) {
    world.node(i).store.on_delete = [&](const CopyToDelete&, const FakeStore::Stored* stored) {
      ++asked;
      EXPECT_NE(stored, nullptr) << "a copy is deleted twice";
      return FakeStore::Answer::kDelete;
    };
  }
  std::vector<ObjectRef> refs;
  for (uint64_t i = 1; i <= kObjects; ++i) refs.push_back(Make(world, i, {0, 1}));
  ObjectRef of_another = *world.counter(1).Declare(Number(kObjects + 1));
  ASSERT_TRUE(world.Store(0, 1, Number(kObjects + 1), CopyRole::kPrimary).ok());
  ASSERT_TRUE(world.Settle(kRest));

  // The owner's own frees are half way, when its death is announced, and announced again.
  refs.resize(kObjects / 2);
  for (int turn = 0; turn < 20; ++turn) {
    world.Advance(milliseconds(1));
    world.transport().DeliverDue(world.Now());
    world.Pump(0);
    world.PumpNode(0);
  }
  world.membership().Exclude({world.owner(0).id});
  world.membership().Exclude({world.owner(0).id});
  world.CrashOwner(0);
  ASSERT_TRUE(world.Settle(kRest));

  EXPECT_EQ(asked, 2 * kObjects);
  EXPECT_EQ(world.node(0).store.copies().size(), 1u);  // the other owner's
  EXPECT_EQ(world.node(1).store.copies().size(), 0u);
  const uint64_t batches = world.node(1).store.delete_calls();
  EXPECT_LE(batches, kObjects / NodeAgentOptions().delete_batch_max + 10);
  EXPECT_EQ(world.agent(1).GetStats().orphans_deleted + world.agent(1).GetStats().frees_received,
            kObjects);
}

// --- A nesting chain a million deep is dropped (ray 31421)
// -----------------------------------------

TEST(Stories, NestingChainAMillionDeepIsDroppedWithoutItsDropperPayingForIt) {
  constexpr uint64_t kDepth = 1'000'000;
  FreeWorld world(Ends(1, 1));
  ReferenceCounter& counter = world.counter(0);
  ObjectRef outermost = Make(world, 1, {0});
  for (uint64_t i = 2; i <= kDepth; ++i) {
    DeclareOptions options;
    options.contains = {Number(i - 1)};
    outermost = *counter.Declare(Number(i), options);
  }
  ASSERT_EQ(counter.CountObjects().in_scope(), kDepth);
  int innermost_gone = 0;
  ASSERT_TRUE(
      *counter.OnReclaimed(Number(1), [&](const ObjectId&, EndReason) { ++innermost_gone; }));

  outermost.Reset();
  const uint64_t paid = kDepth - counter.CountObjects().total();
  EXPECT_LE(paid, ReferenceCounterOptions().nested_drops_inline_max + 1);
  EXPECT_GT(counter.GetStats().drops_deferred, 0u);
  EXPECT_LE(counter.NextDeadline(), world.Now());

  ASSERT_TRUE(world.Settle(kRest));
  EXPECT_EQ(innermost_gone, 1);
  ExpectNothingLeft(world);
}

// --- Exit asked while a task still uses its reference (ray 53012)
// ----------------------------------

TEST(Stories, ReferenceOfATaskIsUsableUntilItEndsThenAllIsDrainedAndTheOwnerMayGo) {
  FreeWorld world(Ends(1, 1));
  ReferenceCounter& counter = world.counter(0);
  ObjectRef ref = Make(world, 1, {0});
  ASSERT_TRUE(world.Settle(kRest));
  TaskReferences task = *counter.SubmitTask({Number(1)});

  // The process wants to exit: all that it holds itself goes.
  ref.Reset();
  ASSERT_TRUE(world.Settle(kRest));
  EXPECT_TRUE(counter.InScope(Number(1)));
  EXPECT_EQ(world.node(0).store.copies().size(), 1u);
  EXPECT_TRUE(world.agent(0).Read(Number(1)).ok());

  task.End();
  ASSERT_TRUE(world.Settle(kRest));
  ExpectNothingLeft(world);
  const ShutdownReport report = counter.Shutdown(ShutdownMode::kGraceful, seconds(1));
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(report.objects_in_scope, 0u);
}

TEST(Stories, ExitWhileATaskRunsSaysSoAndItsCopyGoesWithTheOwner) {
  FreeWorld world(Ends(1, 1));
  ObjectRef ref = Make(world, 1, {0});
  ASSERT_TRUE(world.Settle(kRest));
  TaskReferences task = *world.counter(0).SubmitTask({Number(1)});
  ref.Reset();
  const ShutdownReport report =
      world.counter(0).Shutdown(ShutdownMode::kImmediate, Duration::zero());
  EXPECT_EQ(report.objects_in_scope, 1u);
  EXPECT_FALSE(world.counter(0).InScope(Number(1)));
  world.owner(0).counter.reset();
  ASSERT_TRUE(world.Settle(kRest));
  EXPECT_EQ(world.node(0).store.copies().size(), 0u);
  EXPECT_EQ(world.agent(0).GetStats().orphans_deleted, 1u);
  task.End();  // harmless
}

}  // namespace
}  // namespace freehold::sim
