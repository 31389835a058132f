// ReferenceCounter with a pump thread of its own, as hosts run it: nobody calls Pump. Threads wait
// for conditions, for at most a minute of real time.

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

// True: it came about in time.
bool WaitFor(const std::function<bool()>& condition) {
  const Clock& clock = Clock::Monotonic();
  const Time deadline = clock.Now() + std::chrono::minutes(1);
  while (!condition()) {
    if (clock.Now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

class CountingStore final : public ObjectStore {
 public:
  std::vector<absl::Status> Delete(absl::Span<const CopyToDelete> copies) override {
    deleted += copies.size();
    return std::vector<absl::Status>(copies.size());
  }
  std::atomic<uint64_t> deleted{0};
};

// An owner and a node, both with threads, and a thread for callbacks.
class ReferenceCounterThreadTest : public ::testing::Test {
 protected:
  ReferenceCounterThreadTest() { Start(); }

  // Everything anew; what was there must have been let go of.
  void Start() {
    counter_ = nullptr;
    agent_ = nullptr;
    membership_ = std::make_unique<LocalMembership>();
    CallbackThreadOptions callbacks;
    callbacks.slow_callback_threshold = Duration::zero();
    executor_ = *CallbackThread::Start(callbacks);

    NodeAgentOptions node;
    node.node = Node(1);
    node.store = &store_;
    node.transport = &transport_;
    node.membership = membership_.get();
    node.start_pump_thread = true;
    agent_ = *NodeAgent::Create(node);
    transport_.Connect(Node(1), agent_->inbox());

    ReferenceCounterOptions options;
    options.process = ProcessId::FromNumber(1);
    options.transport = &transport_;
    options.membership = membership_.get();
    options.executor = executor_;
    options.start_pump_thread = true;
    counter_ = *ReferenceCounter::Create(options);
    transport_.Connect(counter_->process(), counter_->inbox());
  }
  // Objects 1 to `count`, each with a copy on the node that the owner has been told of.
  std::vector<ObjectRef> Put(uint64_t count) {
    std::vector<ObjectRef> refs;
    for (uint64_t i = 1; i <= count; ++i) {
      refs.push_back(*counter_->Declare(Object(i)));
      NodeCopy copy;
      copy.object = Object(i);
      copy.owner = counter_->process();
      EXPECT_TRUE(agent_->AddCopy(copy).ok());
    }
    EXPECT_TRUE(WaitFor([&] { return counter_->CountObjects().available == count; }));
    return refs;
  }
  uint64_t copies() const { return agent_->GetStats().copies; }

  LocalTransport transport_;
  CountingStore store_;
  std::unique_ptr<LocalMembership> membership_;
  std::shared_ptr<CallbackThread> executor_;
  std::unique_ptr<NodeAgent> agent_;
  std::unique_ptr<ReferenceCounter> counter_;
};

TEST_F(ReferenceCounterThreadTest, FreesAndCallbacksComeWithoutAPumpByTheHost) {
  constexpr uint64_t kObjects = 1000;
  std::vector<ObjectRef> refs = Put(kObjects);
  std::atomic<uint64_t> erased{0};
  for (const ObjectRef& ref : refs) {
    ASSERT_TRUE(*counter_->OnErased(ref.id(), [&](const ObjectId&, EndReason) { ++erased; }));
  }
  refs.pop_back();
  EXPECT_TRUE(WaitFor([&] { return erased == 1; })) << "one alone, on an idle session";
  EXPECT_EQ(store_.deleted, 1u);
  refs.clear();
  EXPECT_TRUE(WaitFor([&] { return erased == kObjects; }));
  EXPECT_EQ(store_.deleted, kObjects);
  EXPECT_EQ(counter_->GetStats().objects, 0u);
  EXPECT_EQ(copies(), 0u);
}

TEST_F(ReferenceCounterThreadTest, GracefulShutdownOfTenThousandFreesIsClean) {
  constexpr uint64_t kObjects = 10'000;
  std::vector<ObjectRef> refs = Put(kObjects);
  refs.clear();
  const ShutdownReport report =
      counter_->Shutdown(ShutdownMode::kGraceful, std::chrono::minutes(1));
  EXPECT_TRUE(report.clean()) << report.undelivered.size() << " undelivered, "
                              << report.unacknowledged_envelopes << " not acknowledged";
  EXPECT_EQ(report.objects_in_scope, 0u);
  EXPECT_EQ(store_.deleted, kObjects) << "before it returned";
  EXPECT_EQ(agent_->GetStats().orphans_deleted, 0u);
}

// What threads do with a counter until it ends, and with their handles after that.
class Callers {
 public:
  // False: refused, as the counter has been shut down.
  bool Register(ReferenceCounter* counter, const ObjectId& object, bool cancel) {
    const auto answer =
        counter->OnOutOfScope(object, [this, held = alive](const ObjectId&, EndReason) { ++ran; });
    if (!answer.ok()) {
      EXPECT_EQ(answer.status().code(), absl::StatusCode::kFailedPrecondition);
      return false;
    }
    EXPECT_TRUE(*answer) << "it is referred to";
    ++registered;
    if (cancel && counter->Cancel(*answer)) ++cancelled;
    return true;
  }
  void Drop(ObjectRef* ref) {
    ObjectRef copy = *ref;
    ref->Reset();
    copy.Reset();
    ++dropped;
  }
  // Drops the first half, registers until that is refused, and drops the rest.
  void DropAndRegister(ReferenceCounter* counter, std::vector<ObjectRef> refs) {
    const size_t half = refs.size() / 2;
    for (size_t i = 0; i < half; ++i) {
      (void)Register(counter, refs[i].id(), false);
      (void)Register(counter, refs[half + i].id(), false);
      Drop(&refs[i]);
    }
    while (Register(counter, refs.back().id(), true)) {
    }
    --calling;
    for (size_t i = half; i < refs.size(); ++i) Drop(&refs[i]);
  }

  const std::shared_ptr<int> alive = std::make_shared<int>(0);  // held by each callable
  std::atomic<int> calling{2};                                  // threads that call the counter
  std::atomic<uint64_t> dropped{0};
  std::atomic<uint64_t> registered{0};
  std::atomic<uint64_t> cancelled{0};
  std::atomic<uint64_t> ran{0};
};

// A host joins whoever calls the counter before it destroys it; handles may be anywhere.
TEST_F(ReferenceCounterThreadTest, EndsWhileTwoThreadsDropAndRegister) {
  constexpr uint64_t kObjects = 64;
  uint64_t callbacks_dropped = 0;
  for (uint64_t round = 0; round < 200; ++round) {
    if (round > 0) Start();
    std::array<std::vector<ObjectRef>, 2> refs;
    for (const ObjectRef& ref : Put(kObjects)) refs[refs[0].size() < 32 ? 0 : 1].push_back(ref);
    Callers callers;
    std::vector<std::thread> threads;
    for (std::vector<ObjectRef>& mine : refs) {
      threads.emplace_back([&callers, &mine, counter = counter_.get()] {
        callers.DropAndRegister(counter, std::move(mine));
      });
    }
    EXPECT_TRUE(WaitFor([&] { return callers.dropped >= round % 33; }));
    const ShutdownReport report = counter_->Shutdown(ShutdownMode::kImmediate, Duration::zero());
    EXPECT_TRUE(WaitFor([&] { return callers.calling == 0; }));
    counter_.reset();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(executor_->Stop(std::chrono::minutes(1)).dropped, 0u);
    EXPECT_EQ(callers.ran + report.callbacks_dropped + callers.cancelled, callers.registered);
    EXPECT_EQ(callers.alive.use_count(), 1) << "every callable is gone";
    EXPECT_TRUE(WaitFor([&] { return copies() == 0; })) << "the node drops what is left";
    callbacks_dropped += report.callbacks_dropped;
  }
  EXPECT_EQ(store_.deleted, 200 * kObjects) << "each once";
  EXPECT_GT(callbacks_dropped, 0u);
}

TEST_F(ReferenceCounterThreadTest, IsDestroyedWhileTwoThreadsDrop) {
  constexpr uint64_t kObjects = 64;
  for (uint64_t round = 0; round < 200; ++round) {
    if (round > 0) Start();
    std::vector<ObjectRef> refs = Put(kObjects);
    Callers callers;
    for (const ObjectRef& ref : refs) {
      EXPECT_TRUE(callers.Register(counter_.get(), ref.id(), false));
    }
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 2; ++t) {
      threads.emplace_back([&callers, &refs, t] {
        for (size_t i = t; i < refs.size(); i += 2) callers.Drop(&refs[i]);
      });
    }
    EXPECT_TRUE(WaitFor([&] { return callers.dropped >= round % 33; }));
    counter_.reset();
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(executor_->Stop(std::chrono::minutes(1)).dropped, 0u);
    EXPECT_LE(callers.ran, callers.registered);
    EXPECT_EQ(callers.alive.use_count(), 1) << "every callable is gone";
    EXPECT_TRUE(WaitFor([&] { return copies() == 0; })) << "the node drops what is left";
  }
  EXPECT_EQ(store_.deleted, 200 * kObjects) << "each once";
}

// Where arguments lie is looked up ahead without the lock, while the index grows under it.
TEST_F(ReferenceCounterThreadTest, TasksAreSubmittedWhileTheIndexGrows) {
  constexpr uint64_t kArguments = 20;
  constexpr uint64_t kObjects = 100'000;
  std::vector<ObjectId> arguments;
  std::vector<ObjectRef> kept;
  for (uint64_t i = 1; i <= kArguments; ++i) {
    arguments.push_back(Object(i));
    kept.push_back(*counter_->Declare(arguments.back()));
  }
  std::atomic<bool> grown{false};
  std::thread submits([&] {
    while (!grown.load()) {
      counter_->Prefetch(arguments);
      const auto task = counter_->SubmitTask(arguments);
      ASSERT_TRUE(task.ok()) << task.status();
      ASSERT_EQ(task->size(), kArguments);
    }
  });
  std::vector<ObjectRef> refs;
  for (uint64_t i = 1; i <= kObjects; ++i) {
    refs.push_back(*counter_->Declare(Object(kArguments + i)));
  }
  ResetAll(absl::MakeSpan(refs));
  grown.store(true);
  submits.join();
  for (const ObjectId& object : arguments) EXPECT_EQ(counter_->GetCounts(object)->tasks, 0u);
}

// What the end of an object will look at is looked for ahead without the lock, while another thread
// gives it that, and makes what it lies in grow.
TEST_F(ReferenceCounterThreadTest, HandlesAreDroppedTogetherWhileTheirObjectsGetCallbacks) {
  constexpr uint64_t kObjects = 2000;
  ReferenceCounterOptions options;
  options.process = ProcessId::FromNumber(9);
  options.executor = executor_;
  options.shards = 1;
  const auto counter = *ReferenceCounter::Create(options);
  std::atomic<uint64_t> called{0};
  uint64_t registered = 0;
  for (int round = 0; round < 20; ++round) {
    std::vector<ObjectRef> refs;
    for (uint64_t i = 1; i <= kObjects; ++i) refs.push_back(*counter->Declare(Object(i)));
    std::atomic<bool> begun{false};
    std::thread registers([&] {
      for (uint64_t i = kObjects; i > 0; --i) {
        const auto taken =
            counter->OnOutOfScope(Object(i), [&](const ObjectId&, EndReason) { ++called; });
        if (taken.ok() && *taken) ++registered;
        begun = true;
      }
    });
    while (!begun) std::this_thread::yield();
    ResetAll(absl::MakeSpan(refs));
    registers.join();
  }
  EXPECT_EQ(executor_->Stop(std::chrono::minutes(1)).dropped, 0u);
  EXPECT_GT(registered, 0u);
  EXPECT_EQ(called, registered);
  EXPECT_EQ(counter->GetStats().objects, 0u);
}

TEST_F(ReferenceCounterThreadTest, ACallbackMayShutItsCounterDown) {
  std::vector<ObjectRef> refs = Put(2);
  ShutdownReport report;
  std::atomic<bool> ended{false};
  std::atomic<int> erased{0};
  const auto count = [&](const ObjectId&, EndReason) { ++erased; };
  ASSERT_TRUE(*counter_->OnErased(Object(1), count));
  ASSERT_TRUE(*counter_->OnErased(Object(2), count));
  ASSERT_TRUE(*counter_->OnOutOfScope(Object(1), [&](const ObjectId&, EndReason) {
    report = counter_->Shutdown(ShutdownMode::kGraceful, std::chrono::minutes(1));
    ended = true;
  }));
  refs.front().Reset();
  ASSERT_TRUE(WaitFor([&] { return ended.load(); }));
  EXPECT_TRUE(report.clean()) << "the free of the object it was told of was answered";
  EXPECT_EQ(report.objects_in_scope, 1u);
  EXPECT_EQ(report.callbacks_dropped, 1u);
  EXPECT_EQ(counter_->Declare(Object(3)).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(executor_->Stop(std::chrono::minutes(1)).dropped, 0u);
  EXPECT_EQ(erased, 1) << "what came due meanwhile runs after it";
  EXPECT_TRUE(WaitFor([&] { return copies() == 0; }));
}

}  // namespace
}  // namespace freehold
