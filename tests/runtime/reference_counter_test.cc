// ReferenceCounter: declaring, referring, and what happens when the last reference goes.

#include "freehold/reference_counter.h"

#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ReferenceCounterOptions Bare() {
  ReferenceCounterOptions options;
  options.process = ProcessId::FromNumber(1);
  options.seed = 1;
  return options;
}

// --- Options -------------------------------------------------------------------------------------

TEST(ReferenceCounterOptionsTest, EachWrongFieldIsNamed) {
  const auto error = [](void (*spoil)(ReferenceCounterOptions*)) {
    ReferenceCounterOptions options = Bare();
    spoil(&options);
    const auto made = ReferenceCounter::Create(options);
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(made.status().message());
  };
  EXPECT_THAT(error([](ReferenceCounterOptions* o) { o->process = ProcessId(); }),
              HasSubstr("process"));
  EXPECT_THAT(error([](ReferenceCounterOptions* o) { o->shards = 0; }), HasSubstr("shards"));
  EXPECT_THAT(error([](ReferenceCounterOptions* o) { o->shards = 3; }), HasSubstr("shards"));
  EXPECT_THAT(error([](ReferenceCounterOptions* o) { o->shards = 128; }), HasSubstr("shards"));
  EXPECT_THAT(error([](ReferenceCounterOptions* o) { o->pending_frees_soft_max = 0; }),
              HasSubstr("pending_frees_soft_max"));
  EXPECT_THAT(error([](ReferenceCounterOptions* o) { o->orphan_grace = Duration(-1); }),
              HasSubstr("orphan_grace"));
  EXPECT_THAT(error([](ReferenceCounterOptions* o) { o->token_life = Duration(-1); }),
              HasSubstr("token_life"));
  EXPECT_THAT(error([](ReferenceCounterOptions* o) { o->session.window_envelopes = 0; }),
              HasSubstr("window_envelopes"));
  EXPECT_THAT(error([](ReferenceCounterOptions* o) {
                o->on_to_recover = [](const std::vector<ObjectId>&) {};
              }),
              HasSubstr("on_to_recover"));
  EXPECT_THAT(error([](ReferenceCounterOptions* o) {
                o->on_copy_freed = [](const ObjectId&, const NodeId&, FreeOutcome) {};
              }),
              HasSubstr("on_copy_freed"));
}

TEST(ReferenceCounterOptionsTest, EveryCollaboratorMayBeMissing) {
  auto counter = *ReferenceCounter::Create(Bare());
  auto ref = *counter->Declare(Object(1), With(1));
  ASSERT_TRUE(counter->AddLocation(Object(1), InMemory(2)).ok());
  ref.Reset();
  counter->Pump(Clock::Monotonic().Now());
  EXPECT_EQ(counter->GetStats().objects, 0u) << "without a transport copies count as gone at once";
  EXPECT_EQ(counter->GetStats().copies_freed, 2u);
  EXPECT_TRUE(counter->Shutdown(ShutdownMode::kGraceful, std::chrono::seconds(1)).clean());
}

TEST(ReferenceCounterOptionsTest, EachCollaboratorMayBeMissingAlone) {
  for (int missing = 0; missing < 4; ++missing) {
    LocalTransport transport;
    LocalMembership membership;
    testing::ManualClock clock;
    ReferenceCounterOptions options = Bare();
    if (missing != 0) options.transport = &transport;
    if (missing != 1) options.membership = &membership;
    if (missing != 2) options.executor = std::make_shared<testing::InlineExecutor>();
    if (missing != 3) options.clock = &clock;
    auto counter = *ReferenceCounter::Create(options);
    ObjectRef kept = *counter->Declare(Object(1), With(1));
    ObjectRef dropped = *counter->Declare(Object(2), With(1));
    dropped.Reset();
    membership.Exclude({Address(Node(1))});
    counter->Pump(clock.Now());
    const uint64_t left = counter->GetStats().objects;
    EXPECT_EQ(left, missing == 1 ? 2u : 1u) << "without collaborator " << missing;
    EXPECT_TRUE(counter->InScope(Object(1)));
  }
}

TEST(ReferenceCounterOptionsTest, TwoCountersLiveInOneProcess) {
  auto one = *ReferenceCounter::Create(Bare());
  auto two = *ReferenceCounter::Create(Bare());
  auto in_one = *one->Declare(Object(1));
  auto in_two = *two->Declare(Object(1));
  in_one.Reset();
  EXPECT_FALSE(one->InScope(Object(1)));
  EXPECT_TRUE(two->InScope(Object(1)));
}

TEST(ReferenceCounterOptionsTest, OneShardServesAsWellAsMany) {
  for (const uint32_t shards : {1u, 2u, 64u}) {
    ReferenceCounterOptions options = Bare();
    options.shards = shards;
    auto counter = *ReferenceCounter::Create(options);
    std::vector<ObjectRef> refs;
    for (uint64_t i = 1; i <= 1000; ++i) refs.push_back(*counter->Declare(Object(i)));
    EXPECT_EQ(counter->CountObjects().pending, 1000u);
    refs.clear();
    EXPECT_EQ(counter->CountObjects().total(), 0u);
  }
}

// --- Declare -------------------------------------------------------------------------------------

TEST(Declare, WithoutPrimaryIsPendingAndWithOneIsAvailable) {
  CounterWorld world;
  auto pending = *world.counter->Declare(Object(1));
  auto available = *world.counter->Declare(Object(2), With(1, 77));
  EXPECT_EQ(world.counter->GetLocations(Object(1))->state, ObjectState::kPending);
  const auto locations = *world.counter->GetLocations(Object(2));
  EXPECT_EQ(locations.state, ObjectState::kAvailable);
  EXPECT_EQ(locations.size, 77u);
  EXPECT_THAT(locations.locations, ElementsAre(InMemory(1, CopyRole::kPrimary)));
}

TEST(Declare, TwiceIsRefusedAndChangesNothing) {
  CounterWorld world;
  auto ref = *world.counter->Declare(Object(1), With(1, 5));
  EXPECT_EQ(world.counter->Declare(Object(1), With(2, 9)).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(world.counter->GetLocations(Object(1))->size, 5u);
  EXPECT_EQ(world.counter->GetCounts(Object(1))->total(), 1u);
}

TEST(Declare, NilIdsAndUnknownContentsAreRefusedAndLeaveNothing) {
  CounterWorld world;
  EXPECT_EQ(world.counter->Declare(ObjectId()).status().code(), absl::StatusCode::kInvalidArgument);
  auto known = *world.counter->Declare(Object(1));
  DeclareOptions options;
  options.contains = {Object(1), Object(99)};
  EXPECT_EQ(world.counter->Declare(Object(2), options).status().code(),
            absl::StatusCode::kInvalidArgument);
  options.contains = {Object(3)};
  EXPECT_EQ(world.counter->Declare(Object(3), options).status().code(),
            absl::StatusCode::kInvalidArgument)
      << "an object cannot contain itself";
  EXPECT_EQ(world.objects(), 1u);
  EXPECT_EQ(world.counter->GetCounts(Object(1))->nested_in, 0u);
}

TEST(Declare, ThatIsRefusedTouchesNoCopyAndLeavesTheIdFree) {
  CounterWorld world(1);
  ObjectRef known = *world.counter->Declare(Object(1));
  world.transport.sent.clear();
  DeclareOptions options = With(1);
  options.contains = {Object(1), Object(99)};
  EXPECT_FALSE(world.counter->Declare(Object(2), options).ok());
  world.Settle();
  EXPECT_EQ(world.transport.sent.count(Node(1)), 0u) << "the primary's bytes are the host's still";
  options.contains = {Object(1)};
  ObjectRef retried = *world.counter->Declare(Object(2), options);
  EXPECT_EQ(world.counter->Declare(Object(2), options).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(world.counter->GetCounts(Object(1))->nested_in, 1u);
}

TEST(Declare, CallSitesOfThousandsOfObjectsAreOneString) {
  CounterWorld world;
  std::vector<ObjectRef> refs;
  for (uint64_t i = 1; i <= 5000; ++i) {
    const std::string call_site = "train.py:" + std::to_string(42 + i % 2);
    DeclareOptions options;
    options.call_site = call_site;
    refs.push_back(*world.counter->Declare(Object(i), options));
  }
  EXPECT_EQ(world.counter->GetStats().call_sites, 2u);
  EXPECT_THAT(world.counter->DebugString(Object(1)), HasSubstr("declared at train.py:43"));
}

TEST(Declare, OwnerOfAnOwnedObjectIsThisProcess) {
  CounterWorld world;
  auto ref = *world.counter->Declare(Object(1));
  EXPECT_EQ(*world.counter->OwnerOf(Object(1)), world.counter->process());
  EXPECT_EQ(world.counter->OwnerOf(Object(2)).status().code(), absl::StatusCode::kNotFound);
}

// --- Handles -------------------------------------------------------------------------------------

TEST(Handles, CopiesCountAndTheLastOneEndsTheObject) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1});
  ObjectRef copy = ref;
  ObjectRef moved = std::move(ref);
  EXPECT_FALSE(ref);  // NOLINT(bugprone-use-after-move): a moved-from handle refers to nothing
  EXPECT_EQ(world.counter->GetCounts(Object(1))->handles, 2u);
  EXPECT_EQ(copy.id(), Object(1));
  EXPECT_EQ(copy, moved);
  copy.Reset();
  copy.Reset();
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  moved = ObjectRef();
  EXPECT_FALSE(world.counter->InScope(Object(1)));
  world.Settle();
  EXPECT_THAT(world.Deleted(1), ElementsAre(Object(1)));
  EXPECT_EQ(world.objects(), 0u);
}

TEST(Handles, AssigningAHandleToItselfKeepsTheObject) {
  CounterWorld world;
  ObjectRef ref = *world.counter->Declare(Object(1));
  ObjectRef& same = ref;
  ref = same;
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  ref = std::move(same);
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_EQ(world.counter->GetCounts(Object(1))->handles, 1u);
}

TEST(Handles, OneIsMadeFromAnIdInScopeOnly) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1});
  ObjectRef again = *world.counter->GetRef(Object(1));
  ref.Reset();
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  again.Reset();
  EXPECT_EQ(world.counter->GetRef(Object(1)).status().code(), absl::StatusCode::kNotFound)
      << "out of scope is final, even while its copies are being deleted";
  EXPECT_EQ(world.counter->Declare(Object(1)).status().code(), absl::StatusCode::kAlreadyExists);
  world.Settle();
  EXPECT_EQ(world.counter->GetRef(Object(1)).status().code(), absl::StatusCode::kNotFound);
}

TEST(Handles, CopyBeyondTheLimitRefersToNothingAndIsCounted) {
  internal::RefCell cell;
  cell.Reset(Object(1), internal::RefCell::kMax);
  EXPECT_FALSE(cell.Add());
  EXPECT_EQ(cell.count(), internal::RefCell::kMax);

  CounterWorld world;
  ObjectRef ref = *world.counter->Declare(Object(1));
  // A handle is its cell's address; the cell is told that there are as many as there can be.
  auto* full = *reinterpret_cast<internal::RefCell**>(&ref);
  full->Reset(Object(1), internal::RefCell::kMax);
  const ObjectRef refused = ref;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_FALSE(refused);
  EXPECT_EQ(world.counter->GetStats().misuses, 1u);
  EXPECT_EQ(world.counter->GetRef(Object(1)).status().code(), absl::StatusCode::kResourceExhausted);
  const WeakRef weak = world.counter->GetWeakRef(ref);
  EXPECT_FALSE(weak.Lock());
  EXPECT_TRUE(weak.InScope());
  EXPECT_EQ(world.counter->GetCounts(Object(1))->handles, internal::RefCell::kMax);
  full->Reset(Object(1), 1);
  EXPECT_TRUE(weak.Lock()) << "what was refused has left nothing behind";
}

TEST(Handles, MayOutliveTheirCounter) {
  ObjectRef ref;
  ObjectRef copy;
  TaskReferences task;
  WeakRef weak;
  {
    CounterWorld world;
    ref = world.Put(1, {1});
    task = *world.counter->SubmitTask({Object(1)});
    weak = world.counter->GetWeakRef(ref);
  }
  copy = ref;
  EXPECT_EQ(copy.id(), Object(1));
  EXPECT_FALSE(weak.InScope());
  EXPECT_FALSE(weak.Lock());
  ref.Reset();
  task.End();
  copy.Reset();
}

TEST(WeakRefs, KeepNothingAndUpgradeWhileInScope) {
  CounterWorld world;
  ObjectRef ref = *world.counter->Declare(Object(1));
  const WeakRef weak = world.counter->GetWeakRef(ref);
  EXPECT_TRUE(weak.InScope());
  ObjectRef locked = weak.Lock();
  EXPECT_EQ(locked, ref);
  ref.Reset();
  EXPECT_TRUE(weak.InScope());
  locked.Reset();
  EXPECT_FALSE(weak.InScope());
  EXPECT_FALSE(weak.Lock());
  EXPECT_FALSE(WeakRef().Lock());
}

// --- By id ---------------------------------------------------------------------------------------

TEST(ById, CountsApartFromHandles) {
  CounterWorld world;
  ObjectRef ref = *world.counter->Declare(Object(1));
  ASSERT_TRUE(world.counter->AddLocalReference(Object(1), 3).ok());
  ref.Reset();
  EXPECT_EQ(world.counter->GetCounts(Object(1))->by_id, 3u);
  ASSERT_TRUE(world.counter->RemoveLocalReference(Object(1), 2).ok());
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  ASSERT_TRUE(world.counter->RemoveLocalReference(Object(1)).ok());
  EXPECT_FALSE(world.counter->InScope(Object(1)));
}

TEST(ById, ReleasingMoreThanWasAddedIsReportedAndTakesNothingFromHandles) {
  CounterWorld world;
  ObjectRef ref = *world.counter->Declare(Object(1));
  EXPECT_EQ(world.counter->RemoveLocalReference(Object(1)).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_EQ(world.counter->RemoveLocalReference(Object(2)).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.counter->GetStats().misuses, 2u);
  EXPECT_EQ(world.counter->GetCounts(Object(1))->total(), 1u);
}

class KeepsLines final : public Logger {
 public:
  void Log(LogLevel, std::string_view message) override { lines.emplace_back(message); }
  std::vector<std::string> lines;
};

TEST(ById, MisuseIsLoggedWithTheCallSite) {
  KeepsLines log;
  ReferenceCounterOptions options = Bare();
  options.logger = &log;
  auto counter = *ReferenceCounter::Create(options);
  DeclareOptions declare;
  declare.call_site = "shuffle.py:7";
  auto ref = *counter->Declare(Object(1), declare);
  (void)counter->RemoveLocalReference(Object(1));
  ASSERT_EQ(log.lines.size(), 1u);
  EXPECT_THAT(log.lines[0], HasSubstr(Object(1).ToHex()));
  EXPECT_THAT(log.lines[0], HasSubstr("shuffle.py:7"));
}

TEST(ById, CountThatWouldOverflowIsRefused) {
  CounterWorld world;
  ObjectRef ref = *world.counter->Declare(Object(1));
  ASSERT_TRUE(world.counter->AddLocalReference(Object(1), UINT32_MAX).ok());
  EXPECT_EQ(world.counter->AddLocalReference(Object(1)).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(world.counter->GetCounts(Object(1))->by_id, UINT32_MAX);
}

TEST(ById, ManyAtOnceAnswersForEach) {
  CounterWorld world;
  ObjectRef one = *world.counter->Declare(Object(1));
  ObjectRef two = *world.counter->Declare(Object(2));
  const BatchResult added = world.counter->AddLocalReferences({Object(1), Object(9), Object(2)});
  ASSERT_EQ(added.failures.size(), 1u);
  EXPECT_EQ(added.failures[0].index, 1u);
  EXPECT_EQ(added.failures[0].status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.counter->GetCounts(Object(2))->by_id, 1u);
  const BatchResult removed = world.counter->RemoveLocalReferences({Object(1), Object(2)});
  EXPECT_TRUE(removed.ok());
}

TEST(ById, OfManyEachFailureIsNamedByItsPlace) {
  CounterWorld world;
  std::vector<ObjectRef> refs;
  std::vector<ObjectId> ids;
  for (uint64_t i = 1; i <= 50; ++i) {
    ids.push_back(Object(i));
    if (i % 20 != 0) refs.push_back(*world.counter->Declare(ids.back()));
  }
  world.counter->Prefetch(ids);  // known or not
  world.counter->Prefetch({});
  EXPECT_EQ(world.objects(), refs.size());
  const BatchResult added = world.counter->AddLocalReferences(ids);
  ASSERT_EQ(added.failures.size(), 2u);
  EXPECT_EQ(added.failures[0].index, 19u);
  EXPECT_EQ(added.failures[1].index, 39u);
  for (const ObjectRef& ref : refs) EXPECT_EQ(world.counter->GetCounts(ref.id())->by_id, 1u);
}

// --- Tasks ---------------------------------------------------------------------------------------

TEST(Tasks, HoldTheirArgumentsUntilTheyEnd) {
  CounterWorld world;
  ObjectRef ref = world.Put(1, {1});
  TaskReferences task = *world.counter->SubmitTask({Object(1), Object(1)});
  EXPECT_EQ(world.counter->GetCounts(Object(1))->tasks, 2u);
  ref.Reset();
  EXPECT_TRUE(world.counter->InScope(Object(1)));
  EXPECT_FALSE(task.ended());
  task.End();
  task.End();
  EXPECT_TRUE(task.ended());
  EXPECT_FALSE(world.counter->InScope(Object(1)));
}

TEST(Tasks, EndWithTheirHandleAndMoveWithIt) {
  CounterWorld world;
  ObjectRef ref = *world.counter->Declare(Object(1));
  {
    TaskReferences outer;
    {
      TaskReferences task = *world.counter->SubmitTask({Object(1)});
      outer = std::move(task);
    }
    EXPECT_EQ(world.counter->GetCounts(Object(1))->tasks, 1u);
  }
  EXPECT_EQ(world.counter->GetCounts(Object(1))->tasks, 0u);
}

// Up to ten are kept in the handle itself.
TEST(Tasks, OfAnyNumberOfArgumentsKeepEachOnceThroughEveryMove) {
  CounterWorld world;
  std::vector<ObjectRef> refs;
  std::vector<ObjectId> all;
  for (uint64_t i = 0; i < 30; ++i) {
    all.push_back(Object(i + 1));
    refs.push_back(*world.counter->Declare(all.back()));
  }
  const auto held = [&] {
    size_t tasks = 0;
    for (const ObjectId& object : all) tasks += world.counter->GetCounts(object)->tasks;
    return tasks;
  };
  TaskReferences last;
  size_t expected = 0;
  for (const size_t count : {0, 1, 10, 11, 30, 3, 30, 10}) {
    TaskReferences task = *world.counter->SubmitTask(absl::MakeConstSpan(all).first(count));
    EXPECT_EQ(task.size(), count);
    EXPECT_EQ(held(), expected + count);
    TaskReferences moved(std::move(task));
    last = std::move(moved);  // ends the one before
    EXPECT_EQ(last.size(), count);
    EXPECT_EQ(held(), count);
    expected = count;
  }
  last.End();
  EXPECT_EQ(held(), 0u);
}

TEST(Tasks, AnUnknownArgumentLeavesNoneHeld) {
  CounterWorld world;
  ObjectRef ref = *world.counter->Declare(Object(1));
  const auto task = world.counter->SubmitTask({Object(1), Object(2)});
  EXPECT_EQ(task.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(world.counter->GetCounts(Object(1))->tasks, 0u);
}

}  // namespace
}  // namespace freehold
