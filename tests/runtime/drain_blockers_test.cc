// Leaving: what is in the way is named.

#include <chrono>
#include <string>
#include <vector>

#include "freehold/scope.h"
#include "freehold/transfer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "src/runtime/refused_transfers.h"
#include "tests/runtime/drain_world.h"

namespace freehold {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;

TEST_F(DrainTest, AMemberOfAScopeIsNamed) {
  Scope scope = *world_[1].OpenScope();
  const Scope part = *world_[2].JoinScope(*scope.Export(Process(2)));
  world_.Settle();
  const std::string joined =
      "scope " + std::to_string(scope.id().number()) + ": joined by " + Name(2);
  const DrainReport running = Drain(milliseconds(20));
  EXPECT_EQ(running.left.scope_members, 1u);
  EXPECT_THAT(Texts(running), ElementsAre(joined + ": the scope has not ended"));
  world_.transport.unreachable[Process(2)] = true;
  ASSERT_TRUE(scope.End().ok());
  const DrainReport ended = Drain(milliseconds(20));
  ASSERT_THAT(Texts(ended), ElementsAre(NotAcknowledgedBy(2),
                                        joined + ": it has not answered that the scope ends"));
  EXPECT_EQ(ended.blockers[1].hold, DrainHold::kMember);
  EXPECT_EQ(ended.blockers[1].scope, scope.id());
  DrainOptions one;
  one.timeout = Duration::zero();
  one.blockers_max = 1;
  const DrainReport first = world_[1].Drain(one);
  EXPECT_THAT(Texts(first), ElementsAre(NotAcknowledgedBy(2)));
  EXPECT_TRUE(first.truncated);
}

TEST_F(DrainTest, WhoMayNotKnowTheNextOwnerIsNamed) {
  ObjectRef own = world_.Declare(1, 7);
  const ObjectRef borrowed = world_.Pass(1, 7, 3);
  world_.Settle();
  own.Reset();
  world_.transport.unreachable[Process(3)] = true;
  const std::string object = "object " + Hex(7) + ": ";
  const DrainReport report = GiveTo(2);
  EXPECT_EQ(report.left.transfers, 1u);
  EXPECT_THAT(Texts(report),
              ElementsAre(object + "being given to " + Name(2) + ": its next owner tells everybody",
                          object + Name(3) + " may not know who owns it now"));
  DrainOptions at_once;
  at_once.timeout = Duration::zero();
  EXPECT_THAT(Texts(world_[2].Drain(at_once)),
              ElementsAre(NotAcknowledgedBy(3), object + "borrowed by " + Name(3),
                          object + Name(3) + " may not know who owns it now"))
      << "the next owner knows who that is";
  world_.transport.unreachable.erase(Process(3));
  EXPECT_TRUE(Drain(seconds(10)).complete());
}

TEST_F(DrainTest, ANextOwnerThatDoesNotAnswerIsNamed) {
  const ObjectRef own = world_.Declare(1, 7);
  world_.transport.unreachable[Process(2)] = true;
  EXPECT_THAT(Texts(GiveTo(2)), ElementsAre(NotAcknowledgedBy(2),
                                            "object " + Hex(7) + ": being given to " + Name(2) +
                                                ": its next owner has not answered",
                                            "object " + Hex(7) + ": 1 handles"));
}

TEST_F(DrainTest, WhyAnObjectIsNotGivenAwayComesBeforeItsHolders) {
  constexpr uint64_t kBorrowers = 300;  // more than one message names
  ObjectRef own = world_.Declare(1, 7);
  std::vector<ObjectRef> borrowed;
  for (uint64_t process = 4; process < 4 + kBorrowers; ++process) {
    world_.Start(process);
    borrowed.push_back(world_.Pass(1, 7, process));
  }
  world_.Settle();
  own.Reset();
  const DrainReport report = GiveTo(2, 10);
  EXPECT_EQ(report.left.owned_in_scope, 1u);
  ASSERT_EQ(report.blockers.size(), 10u);
  EXPECT_TRUE(report.truncated);
  EXPECT_EQ(report.blockers[0].hold, DrainHold::kNotGiven);
  EXPECT_EQ(Texts(report)[0],
            "object " + Hex(7) + ": not given to " + Name(2) +
                ": its processes, nodes, URLs and pins are more than one message names");
  EXPECT_EQ(report.blockers[1].hold, DrainHold::kBorrower);
  EXPECT_EQ(GiveTo(2, 1000).blockers.size(), 1 + kBorrowers);
  borrowed.clear();
  world_.Settle();
  EXPECT_TRUE(GiveTo(2).complete());
}

TEST_F(DrainTest, WhatTheNextOwnerHasAnsweredIsTheReason) {
  const ObjectRef own = world_.Declare(1, 7);
  DrainOptions at_once;
  at_once.timeout = Duration::zero();
  ASSERT_TRUE(world_[2].Drain(at_once).complete());
  EXPECT_THAT(Texts(GiveTo(2)), Contains("object " + Hex(7) + ": not given to " + Name(2) +
                                         ": its next owner is draining"));
}

TEST_F(DrainTest, AnHeirThatIsNotDismissedIsTheReason) {
  const ObjectRef own = world_.Declare(1, 7);
  const ObjectId id = Object(7);
  ASSERT_TRUE(Ownership(world_[1]).NameHeir({&id, 1}, Process(3)).ok());
  world_.Settle();
  world_.transport.unreachable[Process(3)] = true;
  EXPECT_THAT(Texts(GiveTo(2)),
              Contains("object " + Hex(7) + ": not given to " + Name(2) + ": it has an heir"));
}

TEST_F(DrainTest, WhatIsNotGivenAwayIsNotNamedOnceItIs) {
  const ObjectRef own = world_.Declare(1, 7);
  ASSERT_FALSE(GiveTo(1).complete());
  const DrainReport report = GiveTo(2);
  ASSERT_EQ(report.blockers.size(), 1u) << report.left.ToString();
  EXPECT_EQ(report.blockers[0].hold, DrainHold::kHandles) << "of what is borrowed now";
}

TEST_F(DrainTest, NoKindOfBlockerHidesTheOthers) {
  std::vector<Scope> scopes;
  std::vector<ObjectRef> refs;
  for (uint64_t i = 1; i <= 8; ++i) {
    scopes.push_back(*world_[1].OpenScope());
    scopes.push_back(*world_[2].JoinScope(*scopes.back().Export(Process(2))));
    refs.push_back(world_.Declare(1, i));
  }
  world_.Settle();
  DrainOptions options;
  options.timeout = Duration::zero();
  options.blockers_max = 8;
  const DrainReport report = world_[1].Drain(options);
  EXPECT_EQ(report.left.scope_members, 8u);
  EXPECT_TRUE(report.truncated);
  ASSERT_EQ(report.blockers.size(), 8u);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(report.blockers[i].hold, i < 2 ? DrainHold::kMember : DrainHold::kHandles) << i;
  }
}

// --- What is noted meanwhile ---------------------------------------------------------------------

TEST(RefusedTransfersTest, ItKeepsTheLatestWordOnSoManyObjects) {
  runtime::RefusedTransfers refused;
  refused.Note(Object(1), 2, "nobody asks");
  refused.Open(2);
  EXPECT_TRUE(refused.All().empty());
  for (uint64_t object = 1; object <= 3; ++object) refused.Note(Object(object), 2, "first");
  refused.Note(Object(1), 3, "second");
  EXPECT_EQ(refused.All().size(), 2u);
  EXPECT_EQ(refused.All()[Object(1)].why, "second");
  EXPECT_EQ(refused.All()[Object(1)].next_owner, 3u);
  refused.Forget(Object(1));
  refused.Note(Object(3), 2, "there is room again");
  EXPECT_EQ(refused.All().count(Object(3)), 1u);
}

TEST(RefusedTransfersTest, ItForgetsAllWithTheLastWhoAsks) {
  runtime::RefusedTransfers refused;
  refused.Open(1);
  refused.Open(2);
  for (uint64_t object = 1; object <= 3; ++object) refused.Note(Object(object), 2, "why");
  refused.Close();
  EXPECT_EQ(refused.All().size(), 2u);
  refused.Close();
  EXPECT_FALSE(refused.is_open());
  EXPECT_TRUE(refused.All().empty());
}

}  // namespace
}  // namespace freehold
