// NodeAgent: its end, and its own thread.

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/runtime/node_agent_testing.h"
#include "tests/runtime/restless_clock.h"

namespace freehold::node_agent_testing {
namespace {

// --- The end -------------------------------------------------------------------------------------

TEST_F(NodeAgentTest, ShutdownDeletesWhatWasFreedAndRefusesEverythingAfter) {
  Start();
  for (uint64_t object = 1; object <= 5000; ++object) {
    Add(object);
    owner_->Free(node_, object);
  }
  Settle();
  Add(6000);
  Heard();
  EXPECT_TRUE(agent_->Shutdown(1000 * kMs).clean());
  EXPECT_EQ(store_.TakeDeleted().size(), 5000u);
  ExpectAllShut();
  EXPECT_EQ(agent_->NextDeadline(), kInfiniteFuture);
  EXPECT_TRUE(agent_->Shutdown(1000 * kMs).clean()) << "further calls answer an empty report";
  EXPECT_TRUE(membership_.IsExcluded(node_)) << "it has left";
}

TEST_F(NodeAgentTest, ShutdownTakesTheFreesThatHaveArrived) {
  Start();
  Add(1);
  Settle();
  owner_->Free(node_, 1);
  owner_->endpoint().Pump(clock_.Now());
  const NodeAgent::ShutdownReport report = agent_->Shutdown(1000 * kMs);
  EXPECT_TRUE(report.undeleted.empty());
  EXPECT_EQ(report.unreported, 1u) << "nobody pumped the owner, so it acknowledged nothing";
  EXPECT_EQ(store_.TakeDeleted(), Words{"1"});
}

TEST_F(NodeAgentTest, ShutdownSaysWhatIsLeftAndWhyInOrderOfTheFrees) {
  Start();
  for (const uint64_t object : {1u, 2u}) Add(object);
  EXPECT_TRUE(agent_->BeginFetch(Copy(3)).ok());
  const auto lease = agent_->Read(Object(2));
  store_.failing[Object(1)] = absl::UnavailableError("disk on fire");
  for (const uint64_t object : {3u, 1u, 2u}) owner_->Free(node_, object);
  Settle();
  // The clock stands still: it must end all the same.
  const NodeAgent::ShutdownReport report = agent_->Shutdown(1000 * kMs);
  ASSERT_EQ(report.undeleted.size(), 3u);
  EXPECT_EQ(report.undeleted[0].object, Object(3));
  EXPECT_EQ(report.undeleted[0].outcome, FreeOutcome::kShutDown);
  EXPECT_EQ(report.undeleted[0].why, "is still being fetched");
  EXPECT_EQ(report.undeleted[1].object, Object(1));
  EXPECT_EQ(report.undeleted[1].outcome, FreeOutcome::kStoreFailed);
  EXPECT_EQ(report.undeleted[1].why, "UNAVAILABLE: disk on fire");
  EXPECT_EQ(report.undeleted[2].object, Object(2));
  EXPECT_EQ(report.undeleted[2].why, "has 1 readers");
  EXPECT_FALSE(report.clean());
}

TEST_F(NodeAgentTest, ShutdownRetriesAFailingStoreUntilItsDeadline) {
  const RestlessClock clock;
  options_.clock = &clock;
  options_.transport = nullptr;
  auto agent = NodeAgent::Create(options_);
  ASSERT_TRUE(agent.ok());
  ASSERT_TRUE((*agent)->AddCopy(Copy(1)).ok());
  membership_.Exclude({owner_id_});  // frees without a transport
  int calls = 0;
  store_.failing[Object(1)] = absl::UnavailableError("disk on fire");
  store_.on_delete = [&] {
    if (++calls == 4) store_.failing.clear();
  };
  EXPECT_TRUE((*agent)->Shutdown(std::chrono::seconds(60)).clean());
  EXPECT_EQ(calls, 4);
}

TEST_F(NodeAgentTest, ImmediateShutdownAsksTheStoreNothingMore) {
  Start();
  Add(1);
  Settle();
  store_.failing[Object(1)] = absl::UnavailableError("disk on fire");
  owner_->Free(node_, 1);
  Settle();
  store_.TakeBatches();
  clock_.Advance(1000 * kMs);
  const NodeAgent::ShutdownReport report = agent_->Shutdown(Duration::zero());
  EXPECT_EQ(report.undeleted.size(), 1u);
  EXPECT_TRUE(store_.TakeBatches().empty());
}

TEST_F(NodeAgentTest, DrainTakesNoFreesAndNoCopiesButHearsHowFetchesEnd) {
  const RestlessClock clock;
  options_.clock = &clock;
  Start();
  EXPECT_TRUE(agent_->BeginFetch(Copy(1)).ok());
  EXPECT_TRUE(agent_->BeginFetch(Copy(2)).ok());
  Add(3);
  Add(4);
  agent_->Pump(clock.Now());
  for (const uint64_t object : {1u, 2u, 3u}) owner_->Free(node_, object);
  owner_->endpoint().Pump(clock_.Now());
  // The turn before the drain takes these frees, and the store fails: the drain asks it again.
  store_.failing[Object(3)] = absl::UnavailableError("disk on fire");
  int calls = 0;
  store_.on_delete = [&] {
    if (++calls != 2) return;
    store_.failing.clear();
    EXPECT_EQ(agent_->AddCopy(Copy(9)).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(agent_->BeginFetch(Copy(9)).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(agent_->Read(Object(4)).status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(agent_->AddCopy(Copy(1)).code(), absl::StatusCode::kAborted);
    EXPECT_TRUE(agent_->AbortFetch(Object(2)).ok());
    owner_->Free(node_, 4);
    owner_->endpoint().Pump(clock_.Now());
  };
  const NodeAgent::ShutdownReport report = agent_->Shutdown(std::chrono::seconds(2));
  EXPECT_TRUE(report.undeleted.empty());
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(store_.TakeDeleted(), (Words{"3", "1"})) << "the late free of 4 is not taken";
}

TEST_F(NodeAgentTest, LeaseInboxAndLateEnvelopesOutliveTheAgent) {
  Start();
  Add(1);
  auto lease = agent_->Read(Object(1));
  ASSERT_TRUE(lease.ok());
  Settle();
  const std::shared_ptr<Inbox> inbox = agent_->inbox();
  agent_.reset();
  owner_->Free(node_, 1);
  owner_->endpoint().Pump(clock_.Now());
  inbox->Deliver({owner_id_, node_, "garbage"});
  lease->Release();
  EXPECT_EQ(store_.TakeDeleted(), Words{});
}

TEST_F(NodeAgentTest, LeaseOfAStoppedAgentEndsQuietly) {
  Start();
  Add(1);
  auto lease = agent_->Read(Object(1));
  agent_->Shutdown(Duration::zero());
  lease->Release();
  EXPECT_EQ(agent_->GetStats().readers, 0u);
}

// --- With a thread of its own --------------------------------------------------------------------

class NodeAgentThreadTest : public NodeAgentTest {
 protected:
  NodeAgentThreadTest() {
    options_.clock = nullptr;
    options_.start_pump_thread = true;
  }
};

TEST_F(NodeAgentThreadTest, PumpThreadDeletesWithoutBeingAsked) {
  Start();
  Add(1);
  owner_->Free(node_, 1);
  owner_->endpoint().Pump(clock_.Now());
  store_.WaitForDeleted(1);
  EXPECT_EQ(store_.TakeDeleted(), Words{"1"});
}

TEST_F(NodeAgentThreadTest, ShutdownWaitsForTheLastReader) {
  options_.transport = nullptr;
  auto agent = NodeAgent::Create(options_);
  ASSERT_TRUE(agent.ok());
  ASSERT_TRUE((*agent)->AddCopy(Copy(1)).ok());
  auto lease = (*agent)->Read(Object(1));
  ASSERT_TRUE(lease.ok());
  membership_.Exclude({owner_id_});
  // The copy is doomed before the drain begins: a barrier that no turn has taken yet dooms nothing.
  while ((*agent)->Read(Object(1)).ok()) std::this_thread::yield();
  std::thread reader([&] {
    // Only once the drain has begun: until then copies are taken.
    while ((*agent)->AddCopy(Copy(2)).ok()) (void)(*agent)->DropCopy(Object(2));
    lease->Release();
  });
  const NodeAgent::ShutdownReport report = (*agent)->Shutdown(std::chrono::minutes(5));
  reader.join();
  EXPECT_TRUE(report.clean());
  EXPECT_EQ(store_.TakeDeleted(), Words{"1"});
}

TEST_F(NodeAgentThreadTest, ShutdownGivesUpInRealTimeWhenItsClockStandsStill) {
  options_.transport = nullptr;
  options_.clock = &clock_;
  auto agent = NodeAgent::Create(options_);
  ASSERT_TRUE(agent.ok());
  ASSERT_TRUE((*agent)->AddCopy(Copy(1)).ok());
  const auto lease = (*agent)->Read(Object(1));
  membership_.Exclude({owner_id_});
  // The pump thread takes the exclusion before the reads are refused.
  while ((*agent)->Read(Object(1)).ok()) std::this_thread::yield();
  EXPECT_EQ((*agent)->Shutdown(20 * kMs).undeleted.size(), 1u);
}

TEST_F(NodeAgentThreadTest, ManyThreadsAddReadAndDropAtOnce) {
  Start();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (uint64_t i = 0; i < 500; ++i) {
        const uint64_t object = 1 + t * 1000 + i;
        EXPECT_TRUE(agent_->AddCopy(Copy(object)).ok());
        auto lease = agent_->Read(Object(object));
        EXPECT_TRUE(lease.ok());
        if (i % 2 == 0) owner_->Free(node_, object);
        lease->Release();
        if (i % 2 == 1) {
          EXPECT_TRUE(agent_->DropCopy(Object(object)).ok());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (agent_->GetStats().copies > 0) owner_->endpoint().Pump(Clock::Monotonic().Now());
  EXPECT_EQ(store_.TakeDeleted().size(), 1000u);
}

}  // namespace
}  // namespace freehold::node_agent_testing
