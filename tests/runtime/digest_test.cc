// Digests between a ReferenceCounter and NodeAgents: what they cost, what they heal, and that
// nothing in flight looks like a disagreement.

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/core/codec.h"
#include "src/core/digest.h"
#include "src/runtime/endpoint.h"
#include "tests/core/ignoring_sink.h"
#include "tests/runtime/counter_world.h"

namespace freehold {
namespace {

using std::chrono::seconds;

// One interval passes, whole.
void PassInterval(CounterWorld* world) { world->SettleFor(seconds(61), seconds(1)); }

ReferenceCounterOptions Shards(uint32_t shards) {
  ReferenceCounterOptions options;
  options.shards = shards;
  return options;
}

// --- What it costs -------------------------------------------------------------------------------

TEST(Digests, AnIdlePairCostsOneEnvelopeAnIntervalAndItsAcknowledgement) {
  CounterWorld world(1);
  const ObjectRef ref = world.Put(1, {1});
  PassInterval(&world);
  world.transport.sent.clear();
  for (int i = 0; i < 10; ++i) PassInterval(&world);
  const uint64_t digests = world.agents[1]->GetStats().digests_sent;
  EXPECT_GE(digests, 10u);
  EXPECT_LE(digests, 12u);
  EXPECT_EQ(world.counter->GetStats().digests_compared, digests);
  EXPECT_LE(world.transport.sent[world.counter->process()], 11) << "digests";
  EXPECT_LE(world.transport.sent[Node(1)], 11) << "acknowledgements";
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 0u);
}

TEST(Digests, AgentThatHasNothingSaysSoOnceAndIsAtRest) {
  CounterWorld world(1);
  ObjectRef ref = world.Put(1, {1});
  ref.Reset();
  world.Settle();
  PassInterval(&world);
  PassInterval(&world);
  EXPECT_EQ(world.agents[1]->GetStats().digests_sent, 1u);
  EXPECT_EQ(world.agents[1]->NextDeadline(), kInfiniteFuture);
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 0u);
}

TEST(Digests, NoneIsSentToAnExcludedOwner) {
  CounterWorld world(1);
  const ObjectRef ref = world.Put(1, {1});
  EXPECT_GT(world.membership.Exclude({world.counter->process()}), 0u);
  for (int i = 0; i < 3; ++i) PassInterval(&world);
  EXPECT_EQ(world.agents[1]->GetStats().digests_sent, 0u);
  EXPECT_EQ(world.agents[1]->NextDeadline(), kInfiniteFuture);
}

// --- What it does not take for a disagreement ----------------------------------------------------

TEST(Digests, WhatTheHostSaidBeforeTheNodeIsNoDisagreement) {
  CounterWorld world(2);
  const ObjectRef ref = world.Put(1, {1});
  EXPECT_TRUE(world.counter->AddLocation(Object(1), InMemory(2)).ok()) << "on its way to node 2";
  const ObjectRef other = world.Put(2, {2});
  PassInterval(&world);
  EXPECT_GT(world.counter->GetStats().digests_compared, 1u);
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 0u);
  world.AddCopy(1, 2);
  PassInterval(&world);
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 0u);
}

TEST(Digests, FreesThatAreNotSettledAreNoDisagreement) {
  CounterWorld world(1);
  ObjectRef ref = world.Put(1, {1});
  ObjectRef late = world.Put(2, {1});
  absl::StatusOr<ReadLease> reader = world.agents[1]->Read(Object(1));
  ASSERT_TRUE(reader.ok());
  absl::StatusOr<ReadLease> other = world.agents[1]->Read(Object(2));
  ASSERT_TRUE(other.ok());
  ref.Reset();
  PassInterval(&world);
  EXPECT_EQ(world.counter->GetStats().digests_compared, 1u) << "the copy is doomed";
  world.stores[1].failure = absl::UnavailableError("disk on fire");
  reader->Release();
  late.Reset();
  PassInterval(&world);
  world.stores[1].failure = absl::OkStatus();
  other->Release();
  PassInterval(&world);
  EXPECT_GE(world.counter->GetStats().digests_compared, 3u);
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 0u);
  EXPECT_EQ(world.objects(), 0u);
}

TEST(Digests, ReportsOfWhatIsGoneAreNoDisagreementWhileTheirFreesAreUnderWay) {
  CounterWorld world(1);
  const ObjectRef ref = world.Put(1, {1});
  ObjectRef gone = world.Put(2, {1});
  gone.Reset();
  world.Settle();
  world.stores[1].failure = absl::UnavailableError("disk on fire");
  world.AddCopy(2, 1);
  PassInterval(&world);
  EXPECT_GE(world.counter->GetStats().digests_compared, 1u);
  EXPECT_EQ(world.counter->GetStats().late_reports_answered, 1u);
  world.stores[1].failure = absl::OkStatus();
  PassInterval(&world);
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 0u);
}

// --- What it heals -------------------------------------------------------------------------------

TEST(Digests, CopyNobodyKnowsOfIsKnownAgain) {
  CounterWorld world(2);
  const ObjectRef ref = world.Put(1, {1, 2});
  EXPECT_TRUE(world.agents[2]->MarkSpilled(Object(1), 0, "file:///1", false).ok());
  world.Settle();
  ASSERT_TRUE(world.counter->RemoveLocation(Object(1), Node(2), 0).ok()) << "the host is wrong";
  EXPECT_EQ(world.counter->GetLocations(Object(1))->locations.size(), 1u);
  PassInterval(&world);
  const auto known = world.counter->GetLocations(Object(1));
  ASSERT_TRUE(known.ok());
  ASSERT_EQ(known->locations.size(), 2u);
  EXPECT_EQ(known->locations[1].spilled_url, "file:///1") << "with all that there is to say";
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 1u);
  EXPECT_EQ(world.counter->GetStats().digest_copies_found, 1u);
  PassInterval(&world);
  PassInterval(&world);
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 1u) << "and all is well";
}

TEST(Digests, CopyNobodyKnowsOfOfAnObjectThatIsGoneIsDeleted) {
  CounterWorld world(2);
  ObjectRef ref = world.Put(1, {1, 2});
  ASSERT_TRUE(world.counter->RemoveLocation(Object(1), Node(2), 0).ok());
  ref.Reset();
  world.Settle();
  EXPECT_TRUE(world.Deleted(2).empty()) << "nobody knows of it";
  PassInterval(&world);
  EXPECT_EQ(world.Deleted(2), std::vector<ObjectId>{Object(1)});
  EXPECT_EQ(world.counter->GetStats().digest_copies_found, 1u);
  PassInterval(&world);
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 1u);
}

TEST(Digests, OldCopyIsDeletedAndTheNewOneBesideItIsNot) {
  CounterWorld world(1);
  const ObjectRef ref = world.Put(1, {1});
  ASSERT_TRUE(world.counter->RemoveLocation(Object(1), Node(1), 0).ok());
  ASSERT_TRUE(world.counter->Recreate(Object(1)).ok()) << "the last copy is lost, as it seems";
  world.AddCopy(1, 1, true, 1);
  world.Settle();
  PassInterval(&world);
  ASSERT_EQ(world.stores[1].deleted.size(), 1u);
  EXPECT_EQ(world.stores[1].deleted[0].generation, 0u);
  EXPECT_EQ(world.counter->GetLocations(Object(1))->locations.size(), 1u);
  PassInterval(&world);
  EXPECT_EQ(world.stores[1].deleted.size(), 1u);
}

TEST(Digests, FewDisagreementsAmongManyCopiesAreFoundWithoutListingAll) {
  CounterWorld world(1, Shards(4));
  constexpr uint64_t kObjects = 3000;
  std::vector<ObjectRef> refs;
  for (uint64_t object = 1; object <= kObjects; ++object) {
    auto ref = world.counter->Declare(Object(object), With(1));
    ASSERT_TRUE(ref.ok());
    refs.push_back(*std::move(ref));
    world.AddCopy(object, 1, true);
  }
  world.Settle();
  const std::vector<uint64_t> wrong = {5, 77, 1234, 2999};
  for (const uint64_t object : wrong) {
    ASSERT_TRUE(world.counter->RemoveLocation(Object(object), Node(1), 0).ok());
  }
  const uint64_t before = world.counter->GetStats().sessions.bytes_sent +
                          world.agents[1]->GetStats().sessions.bytes_sent;
  PassInterval(&world);
  const uint64_t after = world.counter->GetStats().sessions.bytes_sent +
                         world.agents[1]->GetStats().sessions.bytes_sent;
  EXPECT_EQ(world.counter->GetStats().digest_copies_found, wrong.size());
  for (const uint64_t object : wrong) {
    EXPECT_EQ(world.counter->GetLocations(Object(object))->locations.size(), 1u);
  }
  EXPECT_LT(after - before, 20'000u) << "a list of all takes 96,000";
  PassInterval(&world);
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 1u);
}

TEST(Digests, ManyDisagreementsAreHealedInPieces) {
  CounterWorld world(1, Shards(4));
  constexpr uint64_t kObjects = 5000;
  std::vector<ObjectRef> refs;
  for (uint64_t object = 1; object <= kObjects; ++object) {
    auto ref = world.counter->Declare(Object(object), With(1));
    ASSERT_TRUE(ref.ok());
    refs.push_back(*std::move(ref));
    world.AddCopy(object, 1, true);
  }
  world.Settle();
  for (uint64_t object = 1; object <= kObjects; ++object) {
    ASSERT_TRUE(world.counter->RemoveLocation(Object(object), Node(1), 0).ok());
  }
  PassInterval(&world);
  EXPECT_EQ(world.counter->GetStats().digest_copies_found, kObjects);
  PassInterval(&world);
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 1u);
}

// --- A node that says otherwise ------------------------------------------------------------------

// The end of a node, or of a process, that sends what it is told.
class Liar final : public runtime::Endpoint::Client, public core::IgnoringSink {
 public:
  Liar(const Address& self, CounterWorld* world) : world_(*world) {
    runtime::Endpoint::Config config;
    config.self = self;
    config.transport = &world->transport;
    config.membership = &world->membership;
    config.clock = &world->clock;
    config.logger = &Logger::Default();
    config.seed = 1;
    EXPECT_TRUE(runtime::Endpoint::Create(config, this, &endpoint_).ok());
    world->transport.local.Connect(self, endpoint_->inbox());
  }
  ~Liar() override { endpoint_->Stop(false); }

  // In one envelope, `times` over.
  template <typename Item>
  void Say(const Address& to, const Item& item, int times = 1) {
    for (int i = 0; i < times; ++i) {
      queue_.push_back([item](core::PayloadWriter* writer) { return writer->Add(item); });
    }
    endpoint_->MarkReady(endpoint_->Intern(to));
    for (int i = 0; i < 5; ++i) {
      endpoint_->Pump(world_.clock.Now());
      world_.Settle();
    }
  }
  std::vector<core::DigestQueryItem> asked;
  std::vector<core::DigestKey> again;
  std::vector<core::DigestCopiesItem> lists;

 private:
  uint64_t OnPayload(runtime::PeerIndex, std::string_view payload, Time) override {
    EXPECT_EQ(core::ReadPayload(payload, this), core::CodecError::kOk);
    return 0;
  }
  Time Work(Time) override { return kInfiniteFuture; }
  bool Fill(runtime::PeerIndex, core::PayloadWriter* writer) override {
    for (; !queue_.empty(); queue_.pop_front()) EXPECT_TRUE(queue_.front()(writer));
    return false;
  }
  void OnView(uint64_t, const std::vector<runtime::PeerIndex>&) override {}
  bool IsFlushed(uint64_t) override { return true; }
  void OnBarrier(uint64_t) override {}
  void OnSelfExcluded() override {}
  bool CanTake(runtime::PeerIndex) override { return true; }
  void OnDigestQuery(const core::DigestQueryItem& item) override { asked.push_back(item); }
  void OnReportAgain(const core::ReportAgainItem& item) override { again.push_back(item.copy); }
  void OnDigestCopies(absl::Span<const core::DigestCopiesItem> items) override {
    lists.insert(lists.end(), items.begin(), items.end());
  }

  CounterWorld& world_;
  std::deque<std::function<bool(core::PayloadWriter*)>> queue_;
  std::shared_ptr<runtime::Endpoint> endpoint_;
};

core::LocationItem Added(uint64_t object) {
  core::LocationItem item;
  item.object = Object(object);
  return item;
}

TEST(Digests, CopyThatItsNodeHasNotIsBelievedInNoLonger) {
  CounterWorld world(1);
  const Address owner = world.counter->process();
  const ObjectRef first = world.Put(1, {1});
  const ObjectRef second = world.Put(2, {1});
  Liar liar(Node(9), &world);
  liar.Say(owner, Added(1));
  liar.Say(owner, Added(2));
  core::DigestSum sum;
  sum.Add(core::DigestHash({Object(2), 0}));
  liar.Say(owner, core::DigestSumsItem{0, core::DigestRange(), {sum}});
  ASSERT_EQ(liar.asked.size(), 1u);
  EXPECT_EQ(world.counter->GetLocations(Object(1))->locations.size(), 2u) << "not yet";
  liar.Say(owner, core::DigestCopiesItem{
                      liar.asked[0].number, core::DigestRange(), false, {{Object(2), 0}}});
  EXPECT_EQ(world.counter->GetLocations(Object(1))->locations.size(), 1u);
  EXPECT_EQ(world.counter->GetLocations(Object(2))->locations.size(), 2u);
  EXPECT_EQ(world.counter->GetStats().digest_copies_missing, 1u);
  liar.Say(owner, core::DigestSumsItem{0, core::DigestRange(), {sum}});
  EXPECT_EQ(world.counter->GetStats().digest_mismatches, 1u);
}

TEST(Digests, AListThatNobodyAskedForOrThatIsCutHealsNothingWrongly) {
  CounterWorld world(1);
  const Address owner = world.counter->process();
  const ObjectRef ref = world.Put(1, {1});
  Liar liar(Node(9), &world);
  liar.Say(owner, Added(1));
  liar.Say(owner, core::DigestCopiesItem{1, core::DigestRange(), false, {}});
  EXPECT_EQ(world.counter->GetLocations(Object(1))->locations.size(), 2u);
  liar.Say(owner, core::DigestSumsItem{0, core::DigestRange(), {core::DigestSum()}});
  ASSERT_EQ(liar.asked.size(), 1u);
  liar.Say(owner, core::DigestCopiesItem{liar.asked[0].number, core::DigestRange(), true, {}});
  EXPECT_EQ(world.counter->GetLocations(Object(1))->locations.size(), 2u) << "it said: and more";
}

TEST(Digests, AFloodOfDigestsIsOneComparison) {
  CounterWorld world(1);
  Liar liar(Node(9), &world);
  const core::DigestSumsItem digest{0, core::DigestRange(), {core::DigestSum()}};
  liar.Say(world.counter->process(), digest, 1000);
  EXPECT_EQ(world.counter->GetStats().digests_compared, 1u);
  liar.Say(world.counter->process(), digest);
  EXPECT_EQ(world.counter->GetStats().digests_compared, 2u);
}

TEST(Digests, AStrangerThatAsksIsAnsweredWithNothing) {
  CounterWorld world(1);
  const ObjectRef ref = world.Put(1, {1});
  Liar stranger(ProcessId::FromNumber(77), &world);
  stranger.Say(Node(1), core::DigestQueryItem{5, core::DigestRange()});
  ASSERT_EQ(stranger.lists.size(), 1u);
  EXPECT_EQ(stranger.lists[0].number, 5u);
  EXPECT_TRUE(stranger.lists[0].copies.empty());
  EXPECT_FALSE(stranger.lists[0].truncated);
}

TEST(Digests, EachItemIsTakenFromThoseOnlyWhoMaySendIt) {
  CounterWorld world(1);
  const Address owner = world.counter->process();
  const ObjectRef ref = world.Put(1, {1});
  const auto refused_by_owner = [&] { return world.counter->GetStats().sessions.refused_items; };
  const auto refused_by_agent = [&] { return world.agents[1]->GetStats().sessions.refused_items; };
  Liar process(ProcessId::FromNumber(77), &world);
  process.Say(owner, core::DigestSumsItem{0, core::DigestRange(), {core::DigestSum()}});
  process.Say(owner, core::DigestCopiesItem{1, core::DigestRange(), false, {}});
  EXPECT_EQ(refused_by_owner(), 2u);
  process.Say(Node(1), core::ReportAgainItem{{Object(1), 0}});
  EXPECT_EQ(refused_by_agent(), 1u) << "not its copy";
  Liar node(Node(9), &world);
  node.Say(owner, core::DigestQueryItem{1, core::DigestRange()});
  node.Say(owner, core::ReportAgainItem{{Object(1), 0}});
  EXPECT_EQ(refused_by_owner(), 4u);
  node.Say(Node(1), core::DigestQueryItem{1, core::DigestRange()});
  node.Say(Node(1), core::ReportAgainItem{{Object(1), 0}});
  node.Say(Node(1), core::DigestSumsItem{0, core::DigestRange(), {core::DigestSum()}});
  node.Say(Node(1), core::DigestCopiesItem{1, core::DigestRange(), false, {}});
  EXPECT_EQ(refused_by_agent(), 5u);
  EXPECT_EQ(world.counter->GetStats().digests_compared, 0u);
}

}  // namespace
}  // namespace freehold
