#include "freehold/node_agent.h"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/membership.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/transport.h"
#include "src/base/check.h"
#include "tests/runtime/node_agent_testing.h"

namespace freehold {
namespace {

constexpr Duration kMs = std::chrono::milliseconds(1);

// A member that says it has flushed only when it is told to: it holds barriers back.
class SlowMember final : public MembershipListener {
 public:
  void OnView(const View&) override {}
  void OnBarrier(uint64_t) override {}
};

class NodeAgentTest : public ::testing::Test {
 protected:
  NodeAgentTest() {
    options_.node = node_;
    options_.store = &store_;
    options_.transport = &transport_;
    options_.membership = &membership_;
    options_.clock = &clock_;
    options_.logger = &log_;
    options_.seed = 1;
  }
  // REQUIRES: called once, after options_ is set.
  void Start() {
    auto agent = NodeAgent::Create(options_);
    ASSERT_TRUE(agent.ok()) << agent.status();
    agent_ = *std::move(agent);
    transport_.Connect(node_, agent_->inbox());
    StartOwner();
  }
  void StartOwner(const SessionOptions& session = {}) {
    owner_ = std::make_unique<Peer>(owner_id_, &transport_, &membership_, &clock_, &log_, session);
    transport_.Connect(owner_id_, owner_->endpoint().inbox());
  }
  // Lets both ends do what is due now.
  void Settle() {
    for (int i = 0; i < 200; ++i) {
      if (agent_ != nullptr) agent_->Pump(clock_.Now());
      if (owner_ != nullptr) owner_->endpoint().Pump(clock_.Now());
      const bool owner_rests =
          owner_ == nullptr || owner_->endpoint().NextDeadline() > clock_.Now();
      if (owner_rests && (agent_ == nullptr || agent_->NextDeadline() > clock_.Now())) return;
    }
    FAIL() << "it does not come to rest";
  }
  void Advance(Duration duration) {
    clock_.Advance(duration);
    Settle();
  }
  NodeCopy Copy(uint64_t object, uint32_t generation = 0) {
    NodeCopy copy;
    copy.object = Object(object);
    copy.generation = generation;
    copy.owner = owner_id_;
    copy.size = 10;
    return copy;
  }
  void Add(uint64_t object, uint32_t generation = 0) {
    const absl::Status status = agent_->AddCopy(Copy(object, generation));
    ASSERT_TRUE(status.ok()) << status;
  }
  Words Heard() {
    Settle();
    return owner_->TakeHeard();
  }
  Words Deleted() {
    Settle();
    return store_.TakeDeleted();
  }
  void ExpectShut(const absl::Status& status) {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_NE(status.message().find(Object(1).ToHex()), absl::string_view::npos) << status;
  }
  // Every method refuses, in a sentence.
  void ExpectAllShut() {
    ExpectShut(agent_->AddCopy(Copy(1)));
    ExpectShut(agent_->BeginFetch(Copy(1)));
    ExpectShut(agent_->AbortFetch(Object(1)));
    ExpectShut(agent_->MarkSpilled(Object(1), 0, "f", true));
    ExpectShut(agent_->MarkRestored(Object(1), 0));
    ExpectShut(agent_->DropCopy(Object(1)));
    ExpectShut(agent_->Read(Object(1)).status());
  }

  const NodeId node_ = NodeId::FromNumber(1);
  const ProcessId owner_id_ = ProcessId::FromNumber(2);
  const ProcessId slow_id_ = ProcessId::FromNumber(3);
  testing::ManualClock clock_{Time(std::chrono::seconds(1))};
  Lines log_;
  LocalTransport transport_;
  LocalMembership membership_;
  Store store_;
  NodeAgentOptions options_;
  std::unique_ptr<NodeAgent> agent_;
  std::unique_ptr<Peer> owner_;
};

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
  EXPECT_TRUE(agent_->AddCopy(other).ok());
  std::vector<NodeCopyStatus> found = agent_->Find(Object(1));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].copy.generation, 1u);
  EXPECT_EQ(found[0].copy.owner, owner_id_);
  found = agent_->CopiesOwnedBy(slow_id_);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].copy.object, Object(2));
  EXPECT_EQ(found[0].copy.owner, slow_id_);
  EXPECT_EQ(found[0].copy.role, CopyRole::kPrimary);
  EXPECT_TRUE(agent_->CopiesOwnedBy(ProcessId::FromNumber(99)).empty());
  const std::vector<OwnedCopies> owners = agent_->Owners();
  ASSERT_EQ(owners.size(), 2u);
  EXPECT_EQ(owners[0].owner, owner_id_);
  EXPECT_EQ(owners[0].copies, 2u);
  EXPECT_EQ(owners[0].bytes, 20u);
  EXPECT_EQ(owners[1].owner, slow_id_);
}

// --- Who may free --------------------------------------------------------------------------------

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

TEST_F(NodeAgentTest, OwnerExcludedBeforeTheNodeJoinedIsRefused) {
  membership_.Exclude({slow_id_});
  Start();
  NodeCopy copy = Copy(1);
  copy.owner = slow_id_;
  EXPECT_EQ(agent_->AddCopy(copy).code(), absl::StatusCode::kFailedPrecondition);
  Add(2);
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

// A clock that moves on whenever it is read.
class RestlessClock final : public Clock {
 public:
  Time Now() const override { return clock_.Advance(20 * kMs); }

 private:
  mutable testing::ManualClock clock_;
};

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
}  // namespace freehold
