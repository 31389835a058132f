// NodeAgent: a store that fails or calls back, and exclusions.

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/runtime/node_agent_testing.h"

namespace freehold::node_agent_testing {
namespace {

// A member that says it has flushed only when it is told to: it holds barriers back.
class SlowMember final : public MembershipListener {
 public:
  void OnView(const View&) override {}
  void OnBarrier(uint64_t) override {}
};

// --- A store that fails --------------------------------------------------------------------------

TEST_F(NodeAgentTest, FailingDeletionIsReportedLoggedAndRetriedWithBackoff) {
  Start();
  Add(1);
  Add(2);
  Heard();
  store_.failing[Object(1)] = absl::UnavailableError("disk on fire");
  owner_->Free(node_, 1);
  owner_->Free(node_, 2);
  EXPECT_EQ(Heard(), (Words{"failed 1: UNAVAILABLE: disk on fire", "deleted 2"}));
  const Words lines = log_.Take();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_NE(lines[0].find(Object(1).ToHex()), std::string::npos) << lines[0];
  EXPECT_NE(lines[0].find("disk on fire"), std::string::npos) << lines[0];
  EXPECT_EQ(store_.TakeBatches().size(), 1u);
  Advance(99 * kMs);
  EXPECT_EQ(store_.TakeBatches().size(), 0u);
  EXPECT_EQ(agent_->GetStats().deletes_pending, 1u);
  Advance(51 * kMs);
  EXPECT_EQ(store_.TakeBatches().size(), 1u);
  EXPECT_EQ(Heard(), Words{}) << "the same reason is told once";
  EXPECT_EQ(log_.Take(), Words{});
  store_.failing[Object(1)] = absl::UnavailableError("disk gone");
  Advance(300 * kMs);
  EXPECT_EQ(Heard(), Words{"failed 1: UNAVAILABLE: disk gone"});
  store_.failing.clear();
  Advance(600 * kMs);
  EXPECT_EQ(Heard(), Words{"deleted 1"});
  EXPECT_EQ(agent_->GetStats().store_failures, 3u);
}

TEST_F(NodeAgentTest, StoreThatThrowsOrGivesTooFewStatusesHasFailed) {
  Start();
  Add(1);
  Heard();
  store_.on_delete = [] { throw std::runtime_error("boom"); };
  owner_->Free(node_, 1);
  const Words heard = Heard();
  ASSERT_EQ(heard.size(), 1u);
  EXPECT_NE(heard[0].find("threw"), std::string::npos) << heard[0];
  EXPECT_NE(heard[0].find("boom"), std::string::npos) << heard[0];
  store_.on_delete = nullptr;
  store_.statuses_missing = 1;
  Advance(1000 * kMs);
  EXPECT_NE(Heard().at(0).find("no status"), std::string::npos);
  store_.statuses_missing = 0;
  Advance(1000 * kMs);
  EXPECT_EQ(Heard(), Words{"deleted 1"});
}

TEST_F(NodeAgentTest, StoreMayCallBackIntoTheAgent) {
  Start();
  Add(1);
  Heard();
  absl::Status added;
  store_.on_delete = [&] {
    store_.on_delete = nullptr;
    added = agent_->AddCopy(Copy(1));
    agent_->Pump(clock_.Now());
    EXPECT_TRUE(agent_->Find(Object(1))[0].doomed);
  };
  owner_->Free(node_, 1);
  EXPECT_EQ(Heard(), Words{"deleted 1"});
  EXPECT_EQ(added.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Deleted(), (Words{"1", "1"})) << "bytes that came meanwhile are deleted as well";
}

TEST_F(NodeAgentTest, StoreMayDestroyTheAgentThatAsksIt) {
  Start();
  Add(1);
  Settle();
  store_.on_delete = [&] { agent_.reset(); };
  owner_->Free(node_, 1);
  owner_->endpoint().Pump(clock_.Now());
  NodeAgent* const agent = agent_.get();
  agent->Pump(clock_.Now());
  EXPECT_EQ(agent_, nullptr);
  EXPECT_EQ(store_.TakeDeleted(), Words{"1"});
}

// --- Exclusion -----------------------------------------------------------------------------------

TEST_F(NodeAgentTest, ExcludedOwnersCopiesGoAtTheBarrierAndNotAtTheView) {
  Start();
  const auto slow = std::make_shared<SlowMember>();
  ASSERT_TRUE(membership_.Join(slow_id_, slow).ok());
  Add(1);
  Settle();
  const uint64_t view = membership_.Exclude({owner_id_});
  EXPECT_EQ(Deleted(), Words{});
  EXPECT_TRUE(agent_->Read(Object(1)).ok()) << "reads go on";
  owner_->Free(node_, 1);
  EXPECT_EQ(Deleted(), Words{}) << "it is fenced";
  Add(2);
  membership_.Flushed(slow_id_, view);
  EXPECT_EQ(Deleted(), (Words{"1", "2"}));
  EXPECT_EQ(agent_->AddCopy(Copy(3)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(agent_->GetStats().orphans_deleted, 2u);
  EXPECT_EQ(agent_->GetStats().reports_waiting, 0u);
  EXPECT_EQ(agent_->GetStats().copies, 0u);
}

TEST_F(NodeAgentTest, OrphanWithAReaderGoesWhenTheReaderLeaves) {
  Start();
  Add(1);
  auto lease = agent_->Read(Object(1));
  Settle();
  membership_.Exclude({owner_id_});
  EXPECT_EQ(Deleted(), Words{});
  lease->Release();
  EXPECT_EQ(Deleted(), Words{"1"});
}

TEST_F(NodeAgentTest, ManyOrphansAreWorkedOffAndEachDeletedOnce) {
  Start();
  for (uint64_t object = 1; object <= 10000; ++object) Add(object);
  Settle();
  membership_.Exclude({owner_id_});
  membership_.Exclude({owner_id_, slow_id_});
  EXPECT_EQ(Deleted().size(), 10000u);
  EXPECT_EQ(agent_->GetStats().orphans_deleted, 10000u);
}

// Under one hold of the lock: the store is asked after a piece, and sees then how much that was.
TEST_F(NodeAgentTest, AnExcludedOwnersCopiesAreSweptInPieces) {
  Start();
  for (uint64_t object = 1; object <= 5'000; ++object) Add(object);
  std::vector<uint64_t> pending;
  store_.on_delete = [&] { pending.push_back(agent_->GetStats().deletes_pending); };
  membership_.Exclude({owner_id_});
  Settle();
  ASSERT_FALSE(pending.empty());
  EXPECT_LE(pending.front(), 2'048u);
  EXPECT_EQ(agent_->GetStats().orphans_deleted, 5'000u);
}

TEST_F(NodeAgentTest, OwnerExcludedBeforeTheNodeJoinedIsRefused) {
  membership_.Exclude({slow_id_});
  Start();
  NodeCopy copy = Copy(1);
  copy.owner = slow_id_;
  EXPECT_EQ(agent_->AddCopy(copy).code(), absl::StatusCode::kFailedPrecondition);
  Add(2);
}

TEST_F(NodeAgentTest, WithAGraceExcludedOwnersCopiesGoThenAndNotBefore) {
  options_.orphan_grace = 1000 * kMs;
  Start();
  Add(1);
  Settle();
  const Time seen = clock_.Now();
  membership_.Exclude({owner_id_});  // its barrier comes at once, and is ignored
  EXPECT_EQ(Deleted(), Words{});
  EXPECT_EQ(agent_->NextDeadline(), seen + 1000 * kMs);
  Advance(999 * kMs);
  EXPECT_TRUE(agent_->Read(Object(1)).ok()) << "reads go on";
  Add(2);
  EXPECT_EQ(Deleted(), Words{});
  Advance(1 * kMs);
  EXPECT_EQ(Deleted(), (Words{"1", "2"}));
  EXPECT_EQ(agent_->AddCopy(Copy(3)).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(agent_->GetStats().orphans_deleted, 2u);
}

TEST_F(NodeAgentTest, OwnerExcludedBeforeTheNodeJoinedHasItsGraceToo) {
  options_.orphan_grace = 1000 * kMs;
  membership_.Exclude({slow_id_});
  Start();
  NodeCopy copy = Copy(1);
  copy.owner = slow_id_;
  EXPECT_TRUE(agent_->AddCopy(copy).ok()) << "its borrowers may fetch it from elsewhere still";
  Settle();  // the first turn with a time: the grace begins
  Advance(999 * kMs);
  EXPECT_EQ(Deleted(), Words{});
  Advance(1 * kMs);
  EXPECT_EQ(Deleted(), Words{"1"});
}

TEST_F(NodeAgentTest, ExcludedNodeRefusesEverythingAndSaysSo) {
  Start();
  Add(1);
  Settle();
  owner_->Free(node_, 1);
  owner_->endpoint().Pump(clock_.Now());
  membership_.Exclude({node_});
  Settle();
  EXPECT_TRUE(agent_->excluded());
  ExpectAllShut();
  EXPECT_EQ(store_.TakeDeleted(), Words{}) << "what came after the view is not taken";
  EXPECT_TRUE(agent_->Shutdown(1000 * kMs).clean());
}

}  // namespace
}  // namespace freehold::node_agent_testing
