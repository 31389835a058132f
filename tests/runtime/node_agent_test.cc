#include "freehold/node_agent.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/runtime/node_agent_testing.h"

namespace freehold::node_agent_testing {
namespace {

// --- Birth ---------------------------------------------------------------------------------------

TEST_F(NodeAgentTest, OptionsAreValidatedWithTheNameOfTheField) {
  const auto error = [this](auto&& change) {
    NodeAgentOptions options = options_;
    change(options);
    const absl::Status status = NodeAgent::Create(options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  const auto names = [](const std::string& message, const char* field) {
    return message.find(field) != std::string::npos;
  };
  EXPECT_TRUE(names(error([](auto& o) { o.node = NodeId(); }), "node"));
  EXPECT_TRUE(names(error([](auto& o) { o.delete_retry_delay_min = Duration(0); }),
                    "delete_retry_delay_min"));
  EXPECT_TRUE(
      names(error([](auto& o) { o.delete_retry_delay_max = kMs; }), "delete_retry_delay_max"));
  EXPECT_TRUE(names(error([](auto& o) { o.delete_batch_max = 0; }), "delete_batch_max"));
  EXPECT_TRUE(names(error([](auto& o) { o.orphan_grace = -kMs; }), "orphan_grace"));
  EXPECT_TRUE(names(error([](auto& o) { o.session.window_envelopes = 0; }), "window_envelopes"));
  EXPECT_TRUE(NodeAgent::Create(options_).ok()) << "none of them has joined";
}

TEST_F(NodeAgentTest, NodeThatWasExcludedCannotJoinAgain) {
  membership_.Exclude({node_});
  EXPECT_EQ(NodeAgent::Create(options_).status().code(), absl::StatusCode::kFailedPrecondition);
}

// --- The way of a copy ---------------------------------------------------------------------------

TEST_F(NodeAgentTest, CopyIsReportedFreedDeletedAndAnswered) {
  Start();
  Add(1);
  EXPECT_EQ(Heard(), Words{"added 1"});
  owner_->Free(node_, 1);
  EXPECT_EQ(Heard(), Words{"deleted 1"});
  EXPECT_EQ(Deleted(), Words{"1"});
  EXPECT_TRUE(agent_->Find(Object(1)).empty());
  const NodeAgentStats stats = agent_->GetStats();
  EXPECT_EQ(stats.copies, 0u);
  EXPECT_EQ(stats.bytes, 0u);
  EXPECT_EQ(stats.copies_added, 1u);
  EXPECT_EQ(stats.copies_deleted, 1u);
  EXPECT_EQ(stats.frees_received, 1u);
  EXPECT_EQ(stats.store_calls, 1u);
  EXPECT_EQ(stats.reports_waiting, 0u);
  owner_->Free(node_, 1);
  EXPECT_EQ(Heard(), Words{"unknown 1"});
  EXPECT_EQ(agent_->GetStats().frees_unknown, 1u);
}

TEST_F(NodeAgentTest, CopySpilledAndInMemoryIsDeletedOnceAndWholly) {
  Start();
  Add(1);
  EXPECT_TRUE(agent_->MarkSpilled(Object(1), 0, "file:1", false).ok());
  EXPECT_TRUE(agent_->MarkRestored(Object(1), 0).ok());
  EXPECT_EQ(Heard(), Words{"spilled 1 file:1"});
  owner_->Free(node_, 1);
  EXPECT_EQ(Heard(), Words{"deleted 1"});
  EXPECT_EQ(Deleted(), Words{"1 memory file:1"});
}

TEST_F(NodeAgentTest, DeletesAreBatched) {
  options_.delete_batch_max = 2;
  Start();
  for (uint64_t object = 0; object < 5; ++object) {
    Add(object + 1);
    owner_->Free(node_, object + 1);
  }
  EXPECT_EQ(Deleted(), (Words{"1", "2", "3", "4", "5"}));
  EXPECT_EQ(store_.TakeBatches(), (std::vector<size_t>{2, 2, 1}));
}

TEST_F(NodeAgentTest, CopyWithReadersIsDeletedWhenTheLastLeaseEnds) {
  Start();
  Add(1);
  auto first = agent_->Read(Object(1));
  auto second = agent_->Read(Object(1));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(*first);
  Heard();
  owner_->Free(node_, 1);
  EXPECT_EQ(Heard(), Words{"doomed 1"});
  const std::vector<NodeCopyStatus> found = agent_->Find(Object(1));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_TRUE(found[0].doomed && found[0].in_memory);
  EXPECT_EQ(found[0].readers, 2u);
  EXPECT_EQ(agent_->GetStats().doomed, 1u);
  EXPECT_EQ(agent_->Read(Object(1)).status().code(), absl::StatusCode::kAborted);
  first->Release();
  first->Release();
  EXPECT_FALSE(*first);
  EXPECT_EQ(Heard(), Words{});
  ReadLease moved = *std::move(second);
  moved = ReadLease();
  EXPECT_EQ(Heard(), Words{"deleted 1"});
}

TEST_F(NodeAgentTest, FreeDuringAFetchWaitsForItAndTheHostIsTold) {
  Start();
  EXPECT_TRUE(agent_->BeginFetch(Copy(1)).ok());
  EXPECT_TRUE(agent_->BeginFetch(Copy(2)).ok());
  EXPECT_TRUE(agent_->Find(Object(1))[0].fetching);
  EXPECT_EQ(agent_->Read(Object(1)).status().code(), absl::StatusCode::kNotFound);
  owner_->Free(node_, 1);
  owner_->Free(node_, 2);
  EXPECT_EQ(Heard(), (Words{"doomed 1", "doomed 2"}));
  EXPECT_EQ(agent_->AddCopy(Copy(1)).code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(agent_->AbortFetch(Object(2)).ok());
  EXPECT_EQ(Heard(), (Words{"deleted 2", "deleted 1"}));
  EXPECT_EQ(Deleted(), Words{"1"});
}

TEST_F(NodeAgentTest, ErrorsHaveTheirCodesAndNameTheObject) {
  Start();
  Add(1);
  const auto expect = [](const absl::Status& status, absl::StatusCode code, uint64_t object) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_NE(status.message().find(Object(object).ToHex()), absl::string_view::npos) << status;
  };
  using Code = absl::StatusCode;
  expect(agent_->AddCopy(Copy(1)), Code::kAlreadyExists, 1);
  expect(agent_->BeginFetch(Copy(1)), Code::kAlreadyExists, 1);
  expect(agent_->AbortFetch(Object(1)), Code::kFailedPrecondition, 1);
  expect(agent_->AbortFetch(Object(2)), Code::kNotFound, 2);
  expect(agent_->DropCopy(Object(2)), Code::kNotFound, 2);
  expect(agent_->Read(Object(2)).status(), Code::kNotFound, 2);
  expect(agent_->MarkRestored(Object(1), 0), Code::kFailedPrecondition, 1);
  expect(agent_->MarkSpilled(Object(1), 1, "f", true), Code::kNotFound, 1);
  expect(agent_->MarkSpilled(Object(1), 0, "", true), Code::kInvalidArgument, 1);
  expect(agent_->MarkSpilled(Object(1), 0, std::string(kSpilledUrlBytesMax + 1, 'x'), true),
         Code::kInvalidArgument, 1);
  EXPECT_TRUE(agent_->MarkSpilled(Object(1), 0, std::string(kSpilledUrlBytesMax, 'x'), true).ok());
  expect(agent_->MarkSpilled(Object(1), 0, "g", true), Code::kAlreadyExists, 1);
  NodeCopy copy = Copy(1);
  copy.owner = slow_id_;
  expect(agent_->AddCopy(copy), Code::kInvalidArgument, 1);
  copy.owner = ProcessId();
  expect(agent_->AddCopy(copy), Code::kInvalidArgument, 1);
  copy.object = ObjectId();
  expect(agent_->BeginFetch(copy), Code::kInvalidArgument, 0);
  const auto lease = agent_->Read(Object(1));
  expect(agent_->DropCopy(Object(1)), Code::kFailedPrecondition, 1);
}

TEST_F(NodeAgentTest, CopiesAreListedByObjectAndByOwner) {
  Start();
  Add(1);
  Add(1, 1);
  NodeCopy other = Copy(2);
  other.owner = slow_id_;
  other.role = CopyRole::kPrimary;
  other.size = 7;
  EXPECT_TRUE(agent_->AddCopy(other).ok());
  EXPECT_TRUE(agent_->MarkSpilled(Object(1), 1, "file:1", false).ok());
  std::vector<NodeCopyStatus> found = agent_->Find(Object(1));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].copy.generation, 1u);
  EXPECT_EQ(found[0].copy.owner, owner_id_);
  EXPECT_EQ(found[0].copy.size, 10u);
  EXPECT_EQ(found[0].spilled_url, "file:1");
  EXPECT_FALSE(found[0].in_memory);
  EXPECT_EQ(found[1].copy.generation, 0u);
  EXPECT_EQ(found[1].spilled_url, "");
  EXPECT_TRUE(found[1].in_memory);
  found = agent_->CopiesOwnedBy(slow_id_);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].copy.object, Object(2));
  EXPECT_EQ(found[0].copy.owner, slow_id_);
  EXPECT_EQ(found[0].copy.role, CopyRole::kPrimary);
  EXPECT_EQ(found[0].copy.size, 7u);
  found = agent_->CopiesOwnedBy(owner_id_);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].spilled_url, "");
  EXPECT_EQ(found[1].spilled_url, "file:1");
  EXPECT_FALSE(found[1].in_memory);
  EXPECT_TRUE(agent_->MarkRestored(Object(1), 1).ok());
  found = agent_->Find(Object(1));
  EXPECT_TRUE(found[0].in_memory);
  EXPECT_EQ(found[0].spilled_url, "file:1") << "the file stays until the copy goes";
  EXPECT_TRUE(agent_->CopiesOwnedBy(ProcessId::FromNumber(99)).empty());
  const std::vector<OwnedCopies> owners = agent_->Owners();
  ASSERT_EQ(owners.size(), 2u);
  EXPECT_EQ(owners[0].owner, owner_id_);
  EXPECT_EQ(owners[0].copies, 2u);
  EXPECT_EQ(owners[0].bytes, 20u);
  EXPECT_EQ(owners[1].owner, slow_id_);
}

// --- Who may free --------------------------------------------------------------------------------

TEST_F(NodeAgentTest, ManyCopiesAreListedInPiecesEachOnceWithItsOwner) {
  Start();
  constexpr uint64_t kMany = 5000;
  for (uint64_t object = 1; object <= kMany; ++object) {
    NodeCopy copy = Copy(object);
    if (object % 2 == 0) copy.owner = slow_id_;
    ASSERT_TRUE(agent_->AddCopy(copy).ok());
  }
  std::set<ObjectId> listed;
  for (const NodeCopyStatus& copy : agent_->Copies()) {
    EXPECT_TRUE(listed.insert(copy.copy.object).second);
    const bool is_slow = copy.copy.owner == slow_id_;
    EXPECT_EQ(copy.copy.object, Object(listed.size()));
    EXPECT_EQ(is_slow, listed.size() % 2 == 0);
  }
  EXPECT_EQ(listed.size(), kMany);
  EXPECT_EQ(agent_->CopiesOwnedBy(slow_id_).size(), kMany / 2);
}

TEST_F(NodeAgentTest, FreeFromAProcessThatIsNotTheOwnerIsRefusedAndCounted) {
  Start();
  Add(1);
  Peer stranger(slow_id_, &transport_, nullptr, &clock_, &log_);
  transport_.Connect(slow_id_, stranger.endpoint().inbox());
  stranger.Free(node_, 1);
  stranger.endpoint().Pump(clock_.Now());
  Settle();
  stranger.endpoint().Pump(clock_.Now());
  EXPECT_EQ(stranger.TakeHeard(), Words{});
  EXPECT_EQ(Deleted(), Words{});
  EXPECT_EQ(agent_->GetStats().sessions.refused_items, 1u);
}

TEST_F(NodeAgentTest, NodesMayNotFreeAndNobodySendsANodeResultsOrLocations) {
  Start();
  const NodeId other = NodeId::FromNumber(8);
  Peer node(other, &transport_, nullptr, &clock_, &log_);
  transport_.Connect(other, node.endpoint().inbox());
  node.Free(node_, 1);
  node.Free(node_, 2);
  node.endpoint().Pump(clock_.Now());
  owner_->SendResult(node_, 1, core::FreeResult::kDeleted);
  owner_->SendResult(node_, 1, core::FreeResult::kFailed);
  owner_->SendLocation(node_, 1);
  Settle();
  node.endpoint().Pump(clock_.Now());
  EXPECT_EQ(node.TakeHeard(), Words{});
  EXPECT_EQ(agent_->GetStats().sessions.refused_items, 5u);
  EXPECT_EQ(agent_->GetStats().frees_received, 0u);
}

TEST_F(NodeAgentTest, PeerThatTakesNoAnswersIsNotListenedToForEver) {
  Start();
  owner_.reset();
  const ProcessId deaf = ProcessId::FromNumber(7);
  SessionOptions wide;
  wide.window_envelopes = 1000;
  Peer peer(deaf, &transport_, nullptr, &clock_, &log_, wide);
  constexpr uint64_t kFrees = 100000;
  for (uint64_t object = 0; object < kFrees; ++object) peer.Free(node_, object);
  peer.endpoint().Pump(clock_.Now());
  Settle();
  // An envelope of 64 KiB holds fewer than 2,400 ids; eight are under way in the window.
  EXPECT_LT(agent_->GetStats().frees_received, 16 * 1024 + 2400 + 8 * 2400u);
  EXPECT_LT(agent_->GetStats().reports_waiting, 16 * 1024 + 2400u);
  transport_.Connect(deaf, peer.endpoint().inbox());
  size_t heard = 0;
  for (int i = 0; i < 1000 && heard < kFrees; ++i) {
    clock_.Advance(1000 * kMs);
    agent_->Pump(clock_.Now());
    peer.endpoint().Pump(clock_.Now());
    heard += peer.TakeHeard().size();
  }
  EXPECT_EQ(heard, kFrees);
  EXPECT_EQ(agent_->GetStats().reports_waiting, 0u);
}

// --- Collaborators that are missing --------------------------------------------------------------

TEST_F(NodeAgentTest, WithoutAStoreFreedCopiesCountAsDeleted) {
  options_.store = nullptr;
  Start();
  Add(1);
  Heard();
  owner_->Free(node_, 1);
  EXPECT_EQ(Heard(), Words{"deleted 1"});
  EXPECT_EQ(agent_->GetStats().store_calls, 0u);
  EXPECT_EQ(agent_->GetStats().copies_deleted, 1u);
}

TEST_F(NodeAgentTest, WithoutATransportReportsVanishAndNothingPilesUp) {
  options_.transport = nullptr;
  auto agent = NodeAgent::Create(options_);
  ASSERT_TRUE(agent.ok());
  for (uint64_t object = 1; object < 100; ++object) {
    EXPECT_TRUE((*agent)->AddCopy(Copy(object)).ok());
    EXPECT_TRUE((*agent)->DropCopy(Object(object)).ok());
  }
  EXPECT_EQ((*agent)->GetStats().reports_waiting, 0u);
  EXPECT_TRUE((*agent)->Shutdown(kMs).clean());
}

TEST_F(NodeAgentTest, WithNoCollaboratorAtAllItStillKeepsTheBooks) {
  NodeAgentOptions options;
  options.node = node_;
  auto agent = NodeAgent::Create(options);
  ASSERT_TRUE(agent.ok());
  EXPECT_TRUE((*agent)->AddCopy(Copy(1)).ok());
  (*agent)->Pump(Clock::Monotonic().Now());
  EXPECT_EQ((*agent)->GetStats().bytes, 10u);
  EXPECT_TRUE((*agent)->Shutdown(kMs).clean());
}

}  // namespace
}  // namespace freehold::node_agent_testing
