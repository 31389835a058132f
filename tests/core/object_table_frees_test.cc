// The deletion of copies: frees and their answers, and the exclusion of nodes.

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"
#include "src/core/object_table.h"
#include "tests/core/object_table_harness.h"

namespace freehold::core {
namespace {

using Frees = std::vector<FreedCopy>;

Report Primary() {
  Report report;
  report.role = CopyRole::kPrimary;
  return report;
}
Report Spilled(std::string url, bool in_memory = false) {
  Report report;
  report.in_memory = in_memory;
  report.spilled = true;
  report.url = std::move(url);
  return report;
}
Report Prospective() {
  Report report;
  report.in_memory = false;
  report.prospective = true;
  return report;
}

std::vector<PeerIndex> Ready(const ObjectTableHarness& table) {
  std::vector<PeerIndex> ready(table.effects.ready.begin(), table.effects.ready.end());
  std::sort(ready.begin(), ready.end());
  return ready;
}

// --- Frees and their answers -----------------------------------------------------------------

TEST(ObjectTableFrees, EveryKindOfCopyIsATargetAndNobodyElse) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN2, 0, Spilled("f")), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, 3, 0, Prospective()), Verdict::kOk);
  ASSERT_EQ(table.Declare(kB, 4), Verdict::kOk);
  table.DropHandle(kA);
  EXPECT_EQ(Ready(table), (std::vector<PeerIndex>{kN0, kN1, kN2, 3}));
  for (const PeerIndex node : {kN0, kN1, kN2, PeerIndex{3}}) {
    EXPECT_EQ(table.Pull(node), (Frees{{kA, 0}})) << node;
  }
  EXPECT_TRUE(table.Pull(4).empty());
  EXPECT_TRUE(table.Pull(5).empty()) << "a node never heard of";
}

TEST(ObjectTableFrees, ANodeIsAnnouncedReadyOnlyWhenItHadNoWork) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.Declare(kB, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kB, kN1), Verdict::kOk);
  table.DropHandle(kA);
  EXPECT_EQ(Ready(table), std::vector<PeerIndex>{kN0});
  table.DropHandle(kB);
  EXPECT_EQ(Ready(table), std::vector<PeerIndex>{kN1}) << "node 0 has work already";
  EXPECT_EQ(table.Pull(kN0, 1).size(), 1u);
  EXPECT_TRUE(table.more_to_pull);
  EXPECT_EQ(table.SetLocation(99, kN0), Verdict::kNotFound);
  EXPECT_TRUE(table.effects.ready.empty()) << "one is left of the first two";
  table.Pull(kN0);
  EXPECT_FALSE(table.more_to_pull);
  EXPECT_EQ(table.SetLocation(98, kN0), Verdict::kNotFound);
  EXPECT_EQ(Ready(table), std::vector<PeerIndex>{kN0}) << "it was empty, and is not any more";
}

TEST(ObjectTableFrees, EachFreeIsPulledOnceUpToTheLimits) {
  ObjectTableHarness table;
  for (uint64_t object = 0; object < 1000; ++object) {
    ASSERT_EQ(table.Declare(object, kN0), Verdict::kOk);
  }
  for (uint64_t object = 0; object < 1000; ++object) table.DropHandle((object * 7) % 1000);
  Frees pulled;
  EXPECT_TRUE(table.Pull(kN0, 0).empty());
  EXPECT_TRUE(table.more_to_pull);
  for (const FreedCopy& copy : table.Pull(kN0, 10)) pulled.push_back(copy);
  EXPECT_EQ(pulled.size(), 10u);
  while (table.more_to_pull) {
    const Frees part = table.Pull(kN0, UINT32_MAX, kEnvelopeBytesLeast);
    EXPECT_LE(part.size(), kEnvelopeBytesLeast / ObjectId::kSize);
    EXPECT_GT(part.size(), 0u);
    for (const FreedCopy& copy : part) pulled.push_back(copy);
  }
  ASSERT_EQ(pulled.size(), 1000u);
  EXPECT_EQ(pulled.front(), FreedCopy(0, 0)) << "of those that began to wait first";
  std::sort(pulled.begin(), pulled.end());
  for (uint64_t object = 0; object < 1000; ++object) {
    EXPECT_EQ(pulled[object], FreedCopy(object, 0));
  }
}

TEST(ObjectTableFrees, LateFreesThatDoNotFitWaitForTheNextEnvelope) {
  ObjectTableHarness table;
  for (uint64_t object = 0; object < 1000; ++object) {
    ASSERT_EQ(table.SetLocation(object, kN0), Verdict::kNotFound);
  }
  Frees pulled;
  do {
    for (const FreedCopy& copy : table.Pull(kN0, UINT32_MAX, kEnvelopeBytesLeast)) {
      pulled.push_back(copy);
    }
  } while (table.more_to_pull);
  ASSERT_EQ(pulled.size(), 1000u);
  for (uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(pulled[i], FreedCopy(i, 0));
}

TEST(ObjectTableFrees, DeletedAndUnknownSettleACopy) {
  ObjectTable::Config config;
  config.observe_frees = true;
  ObjectTableHarness table(config);
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1), Verdict::kOk);
  table.DropHandle(kA);
  table.Pull(kN0);
  table.Pull(kN1);
  ASSERT_EQ(table.Answer(kA, kN0, FreeResult::kUnknown), Verdict::kOk);
  ASSERT_EQ(table.effects.settled.size(), 1u);
  EXPECT_EQ(table.effects.settled[0].node, kN0);
  EXPECT_EQ(table.effects.settled[0].outcome, FreeOutcome::kSettled);
  EXPECT_EQ(table.Answer(kA, kN0, FreeResult::kDeleted), Verdict::kUnchanged) << "twice";
  ASSERT_EQ(table.Answer(kA, kN1, FreeResult::kDeleted), Verdict::kOk);
  EXPECT_EQ(table.Find(kA), nullptr);
  EXPECT_EQ(table.Answer(kA, kN1, FreeResult::kDeleted), Verdict::kNotFound) << "twice";
  EXPECT_EQ(table.table.counters().copies_freed, 2u);
}

TEST(ObjectTableFrees, DoomedAndFailedDoNotSettleAndDeletedFollows) {
  ObjectTable::Config config;
  config.observe_frees = true;
  ObjectTableHarness table(config);
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  table.DropHandle(kA);
  table.Pull(kN0);
  EXPECT_EQ(table.table.unanswered_frees(), 1u);
  ASSERT_EQ(table.Answer(kA, kN0, FreeResult::kDoomed), Verdict::kOk);
  EXPECT_EQ(table.Copies(kA).at(kN0).free_state, FreeState::kDoomed);
  EXPECT_EQ(table.table.unanswered_frees(), 0u) << "answered, though";
  EXPECT_EQ(table.table.unsettled_frees(), 1u) << "not settled";
  ASSERT_EQ(table.Answer(kA, kN0, FreeResult::kFailed), Verdict::kOk);
  ASSERT_EQ(table.effects.settled.size(), 1u);
  EXPECT_EQ(table.effects.settled[0].outcome, FreeOutcome::kStoreFailed);
  EXPECT_EQ(table.table.counters().store_failures, 1u);
  EXPECT_EQ(table.table.unsettled_frees(), 1u);
  ASSERT_EQ(table.Answer(kA, kN0, FreeResult::kDeleted), Verdict::kOk);
  EXPECT_EQ(table.Find(kA), nullptr);
  EXPECT_EQ(table.table.unsettled_frees(), 0u);
}

TEST(ObjectTableFrees, AnAnswerForACopyThatIsHeldChangesNothing) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  for (const FreeResult result :
       {FreeResult::kDeleted, FreeResult::kUnknown, FreeResult::kDoomed, FreeResult::kFailed}) {
    EXPECT_EQ(table.Answer(kA, kN0, result), Verdict::kUnchanged);
  }
  EXPECT_EQ(table.Copies(kA).at(kN0).free_state, FreeState::kHeld);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kAvailable);
  EXPECT_EQ(table.table.counters().store_failures, 0u);
}

TEST(ObjectTableFrees, AnAnswerBeforeTheFreeWasSentChangesNothing) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  table.DropHandle(kA);
  EXPECT_EQ(table.Answer(kA, kN0), Verdict::kUnchanged);
  EXPECT_EQ(table.Pull(kN0), (Frees{{kA, 0}}));
}

TEST(ObjectTableFrees, AnAnswerFromANodeWithoutACopyChangesNothing) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  table.DropHandle(kA);
  table.Pull(kN0);
  EXPECT_EQ(table.Answer(kA, kN1), Verdict::kUnchanged);
  EXPECT_EQ(table.Copies(kA).size(), 1u);
}

// --- Exclusion -------------------------------------------------------------------------------

TEST(ObjectTableFrees, AReportForAnExcludedNodeIsDropped) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN1), Verdict::kOk);
  ASSERT_FALSE(table.Exclude(kN0));
  EXPECT_EQ(table.SetLocation(kA, kN0), Verdict::kNodeExcluded);
  EXPECT_EQ(table.SetLocation(kB, kN0), Verdict::kNodeExcluded) << "no free for it either";
  EXPECT_EQ(table.Copies(kA).size(), 1u);
  EXPECT_FALSE(table.table.HasWorkFor(kN0));
  EXPECT_TRUE(table.Pull(kN0).empty());
}

TEST(ObjectTableFrees, ExclusionTakesTheCopiesOfThatNodeAlone) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1), Verdict::kOk);
  ASSERT_EQ(table.Declare(kB, kN0), Verdict::kOk);
  ASSERT_FALSE(table.Exclude(kN0));
  EXPECT_EQ(table.effects.lost, std::vector<ObjectId>{ObjectId::FromNumber(kB)});
  EXPECT_EQ(table.Copies(kA).count(kN1), 1u);
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kAvailable);
  EXPECT_EQ(table.Find(kB)->state(), ObjectState::kLost);
  ASSERT_FALSE(table.Exclude(kN0)) << "again: nothing left to do";
  EXPECT_TRUE(table.effects.lost.empty());
}

TEST(ObjectTableFrees, ExclusionSettlesFreesInEveryStage) {
  ObjectTable::Config config;
  config.observe_frees = true;
  ObjectTableHarness table(config);
  for (uint64_t object = 0; object < 3; ++object) {
    ASSERT_EQ(table.Declare(object, kN0), Verdict::kOk);
    table.DropHandle(object);
    if (object < 2) table.Pull(kN0);
  }
  ASSERT_EQ(table.Answer(0, kN0, FreeResult::kDoomed), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(77, kN0), Verdict::kNotFound);
  ASSERT_FALSE(table.Exclude(kN0));
  ASSERT_EQ(table.effects.settled.size(), 3u);
  for (const SettledFree& free : table.effects.settled) {
    EXPECT_EQ(free.outcome, FreeOutcome::kNodeExcluded);
  }
  EXPECT_EQ(table.objects(), 0u);
  EXPECT_EQ(table.table.unsettled_frees(), 0u);
  EXPECT_EQ(table.table.unanswered_frees(), 0u) << "the answer to the late report too";
}

TEST(ObjectTableFrees, ExclusionGoesInPiecesOfTheAskedSize) {
  ObjectTableHarness table;
  for (uint64_t object = 0; object < 10; ++object) {
    ASSERT_EQ(table.Declare(object, kN0), Verdict::kOk);
  }
  for (int piece = 0; piece < 3; ++piece) {
    EXPECT_TRUE(table.Exclude(kN0, 3));
    EXPECT_EQ(table.effects.lost.size(), 3u);
  }
  EXPECT_FALSE(table.Exclude(kN0, 3));
  EXPECT_EQ(table.effects.lost.size(), 1u);
}

TEST(ObjectTableFrees, BetweenThePiecesNothingIsAcceptedFromOrSentToTheNode) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.Declare(kB, kN0), Verdict::kOk);
  ASSERT_TRUE(table.Exclude(kN0, 1));
  table.DropHandle(kB);
  EXPECT_TRUE(table.effects.ready.empty()) << "its session has ended";
  EXPECT_FALSE(table.table.HasWorkFor(kN0));
  EXPECT_TRUE(table.Pull(kN0).empty());
  EXPECT_EQ(table.SetLocation(kA, kN0), Verdict::kNodeExcluded);
  EXPECT_FALSE(table.Exclude(kN0, 1));
  EXPECT_EQ(table.Find(kB), nullptr);
}

TEST(ObjectTableFrees, ExclusionEndsOldGenerationsToo) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN0), Verdict::kOk);
  ASSERT_EQ(table.FreeExplicitly(kA), Verdict::kOk);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN1, 1), Verdict::kOk);
  ASSERT_FALSE(table.Exclude(kN0));
  EXPECT_EQ(table.ghosts(), 0u);
  EXPECT_TRUE(table.effects.lost.empty());
  EXPECT_EQ(table.Find(kA)->state(), ObjectState::kAvailable);
}

TEST(ObjectTableFrees, ANewValueGetsNoFreeWhenTheOldNodesDeathIsHeardLate) {
  ObjectTableHarness table;
  ASSERT_EQ(table.Declare(kA, kN1), Verdict::kOk);
  ASSERT_EQ(table.RemoveLocation(kA, kN1), Verdict::kOk);
  ASSERT_EQ(table.Recreate(kA), Verdict::kOk);
  ASSERT_EQ(table.SetLocation(kA, kN2, 1, Primary()), Verdict::kOk);
  ASSERT_FALSE(table.Exclude(kN1));
  EXPECT_TRUE(table.Pull(kN2).empty());
  EXPECT_EQ(table.Copies(kA).at(kN2).role, CopyRole::kPrimary);
}

}  // namespace
}  // namespace freehold::core
